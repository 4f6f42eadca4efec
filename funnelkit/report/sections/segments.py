"""Do segments or people differ? Which column splits the deals where none is named."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd

from funnelkit.analysis import win_rate
from funnelkit.language import DataError, both, day, number
from funnelkit.pipeline import DEAL_COLUMNS, Pipeline
from funnelkit.report.sections.section import Section
from funnelkit.result import Result, table_of

MAX_SEGMENTS = 30


def segment_column(pipeline: Pipeline, wanted: str = "") -> str | None:
    """Return the column to split by: the wanted one, else the first of team, a segment column, owner that fits.

    A column fits that has between 2 and MAX_SEGMENTS different values. Returns None where none does.
    """
    if wanted:
        return wanted
    return next((name for name in ("team", *own_segments(pipeline), "owner") if _splits(pipeline, name)), None)


def own_segments(pipeline: Pipeline) -> list[str]:
    """Return the source's own columns that split the deals into 2 to MAX_SEGMENTS groups."""
    return [name for name in pipeline.deals if name not in DEAL_COLUMNS and _splits(pipeline, name)]


def _splits(pipeline: Pipeline, name: str) -> bool:
    return name in pipeline.deals and 2 <= pipeline.deals[name].nunique() <= MAX_SEGMENTS


def rate_segments(pipeline: Pipeline, segment: str = "") -> Result:
    """Compare the win rates of segments: of the column named, else of the first that splits the deals.

    Parameters
    ----------
    pipeline : Pipeline
    segment : str
        A column of the deals.

    Returns
    -------
    Result
        As `win_rate`.

    Raises
    ------
    LimitError, DataError
        As `win_rate`; where no column splits the deals, or the one named has too many values.

    Notes
    -----
    A column splits that has 2 to 30 different values.

    Examples
    --------
    >>> import funnelkit as fk
    >>> rate_segments(fk.sample()).table["team"].tolist()
    ['Field sales', 'Inside sales', 'Key accounts']
    """
    by = segment_column(pipeline, segment)
    if by is None:
        raise DataError("no_segment")
    n = int(pipeline.deals[by].nunique()) if by in pipeline.deals else 0
    if n > MAX_SEGMENTS:
        raise DataError("segments_many", name=by, n=number(n), most=MAX_SEGMENTS)
    found = win_rate(pipeline, by)
    if pipeline.deals["created_at"].min() > pipeline.as_of - pd.DateOffset(years=1):
        return found  # no other rate of the page can be of other deals
    since = {"since": both(partial(day, pipeline.deals["created_at"].min()))}
    return replace(found, notes=(*found.notes, ("report.segments.whole", since)))


SECTIONS = (
    Section("segments", "rate_segments", "* k n rate low high floor ceiling basis horizon_days n_open", drawn=table_of),
    Section("people", "review_people", "* k n rate expected limit_low limit_high shrunk verdict", answers=0),
)  # fmt: skip
