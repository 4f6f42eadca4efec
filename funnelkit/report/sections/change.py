"""Better or worse than before, why, and is it more than chance? Periods against each other and against their past."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from funnelkit.analysis import Calendar, monitor, split_change
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.scope import Scope
from funnelkit.report.sections.section import Section
from funnelkit.report.sections.segments import segment_column
from funnelkit.result import LimitError, Result, table_of

UNITS = ("week", "month", "quarter", "year")


def _compared(found: Result) -> pd.DataFrame:
    return found.table[found.table["status"] == "compared"]


def split_win_rate(pipeline: Pipeline, scope: Scope) -> Result:
    """Split the change of the win rate from the period before into mix and rate, by segment.

    Where the period is too short to know them, the next longer one that it lies in is taken.

    Parameters
    ----------
    pipeline : Pipeline
    scope : Scope
        Calendar, period and segment.

    Returns
    -------
    Result
        Table: part (mix, rate), change, low, high (fractions), n_before, n_after (new deals), as `split_change`.

    Raises
    ------
    DataError
        Where no column splits the deals, or the two periods cannot be compared.

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
    return _of_the_shortest(pipeline, by, scope)


def _of_the_shortest(pipeline: Pipeline, by: str, scope: Scope) -> Result:
    """Return the split of the shortest period from the scope's unit on that is long enough."""
    refused: DataError | None = None
    for unit in UNITS[UNITS.index(scope.unit) :]:
        try:
            return split_change(pipeline, by=by, calendar=Calendar(unit), on=scope.day)
        except LimitError:
            raise
        except DataError as error:
            refused = refused or error
    raise refused or DataError("no_segment")


def watch_win_rate(pipeline: Pipeline, scope: Scope) -> Result:
    """Tell what has changed beyond chance: the pace of a stage, the share that goes on.

    Parameters
    ----------
    pipeline : Pipeline
    scope : Scope
        Where it names a period that is over, the watch ends with it; else with the data, and what is usual is what the
        first page and `stuck_deals` take for it.

    Returns
    -------
    Result
        As `monitor`.

    Raises
    ------
    LimitError
        Without stage times or open deals.

    Examples
    --------
    >>> from funnelkit.language import sample_files
    >>> from funnelkit.reading import read
    >>> pipeline = read(*sample_files(), model="industrial-8")
    >>> sorted({found.subject for found in watch_win_rate(pipeline, Scope(pipeline, "quarter")).findings})
    ['solution-confirmed', 'solution-demo']
    """
    if scope.period in ("", "current"):
        return _drawn_if_judged(monitor(pipeline, scope.usual_ends))
    calendar = scope.calendar
    after = calendar.start(int(calendar.number(scope.day)) + 1)
    return _drawn_if_judged(monitor(pipeline if after > pipeline.as_of else pipeline.at(after)))


def _drawn_if_judged(found: Result) -> Result:
    """Leave out a picture without a line."""
    return found if found.table["signal"].notna().any() else replace(found, picture="")


SECTIONS = (
    Section(
        "comparison", "compare_periods", rows=_compared, drawn=_compared, answers=1,
        exported="against stage period period_before k n rate low high basis horizon_days k_before n_before rate_before"
                 " change change_low change_high level p_value clear",
    ),
    Section("change", "split_win_rate", "part n_before n_after change low high", answers=0, drawn=table_of),
    Section(
        "signal", "watch_win_rate", "stage measure period n_observed n_expected fall rise p_value since signal",
        answers=0, drawn=table_of,
    ),
)  # fmt: skip
