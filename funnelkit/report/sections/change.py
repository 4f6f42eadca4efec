"""Why did the win rate change? Its change from the period before, parted into mix and rate by segment."""

from __future__ import annotations

import pandas as pd

from funnelkit.analysis import Calendar, split_change
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.scope import Scope
from funnelkit.report.sections.section import Section
from funnelkit.report.sections.segments import segment_column
from funnelkit.result import Result, table_of


def split_win_rate(pipeline: Pipeline, scope: Scope) -> Result:
    """Split the change of the win rate of the closes from the period before into mix and rate, by segment.

    Parameters
    ----------
    pipeline : Pipeline
    scope : Scope
        Calendar, period and segment.

    Returns
    -------
    Result
        Table: part (mix, rate), change, low, high (fractions), n_before, n_after (closes), as `split_change` has it.

    Raises
    ------
    DataError
        Where no column splits the deals, or one of the two periods has no close.

    Examples
    --------
    >>> from funnelkit.language import sample_files
    >>> from funnelkit.reading import read
    >>> pipeline = read(*sample_files(), model="industrial-8")
    >>> split_win_rate(pipeline, Scope(pipeline, "quarter")).table["part"].tolist()
    ['mix', 'rate']
    """
    by = segment_column(pipeline, scope.segment)
    if by is None:
        raise DataError("no_segment")
    calendar = scope.calendar
    last = int(calendar.number(scope.day))
    closed = closed_by_period(pipeline, calendar, by)
    before, after = (closed[closed["number"] == number] for number in (last - 1, last))
    if not before["n"].sum() or not after["n"].sum():
        raise DataError("period_without_closes", period=calendar.name(last if before["n"].sum() else last - 1))
    return split_change(before.drop(columns="number"), after.drop(columns="number"), by)


def closed_by_period(pipeline: Pipeline, calendar: Calendar, by: str | None = None) -> pd.DataFrame:
    """Return k won of n closed for each period (and segment) of the close."""
    deals = pipeline.deals[pipeline.deals["status"].isin(["won", "lost"]) & pipeline.deals["closed_at"].notna()]
    numbers = pd.Series(calendar.number(deals["closed_at"]), index=deals.index, name="number")
    keys = [numbers] if by is None else [numbers, deals[by].fillna("").astype(str)]
    grouped = (deals["status"] == "won").groupby(keys, sort=True)
    return pd.DataFrame({"k": grouped.sum(), "n": grouped.size()}).reset_index()


SECTIONS = (Section("change", "split_win_rate", "part n_before n_after change low high", answers=0, drawn=table_of),)
