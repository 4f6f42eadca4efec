"""Do segments or people differ? Which column splits the deals where none is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funnelkit.analysis import win_rate
from funnelkit.language import Shown, note, number, say
from funnelkit.pipeline import DEAL_COLUMNS, Pipeline
from funnelkit.report.sections.section import Section
from funnelkit.result import Result

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


def segment_table(pipeline: Pipeline, segment: str = "") -> Shown:
    """Return the win rate of every segment as a table, or why there is none."""
    shown: Shown = _by_segment(pipeline, segment, lambda found: found.show())
    return shown


def segment_picture(pipeline: Pipeline, segment: str = "") -> Any:
    """Return the win rate of every segment as a chart, None where `segment_table` says why there is none."""
    drawn = _by_segment(pipeline, segment, lambda found: found.chart())
    return None if isinstance(drawn, Shown) else drawn


def _by_segment(pipeline: Pipeline, segment: str, draw: Callable[[Result], Any]) -> Any:
    by = segment_column(pipeline, segment)
    if pipeline.counts is not None or by is None:
        return note(say("report.segments.none", most=MAX_SEGMENTS))
    if by not in pipeline.deals:
        return note(say("report.segments.unknown", name=by, known=", ".join(pipeline.deals.columns)), "warn")
    found = win_rate(pipeline, by)
    if len(found.table) > MAX_SEGMENTS + 1:
        return note(say("report.segments.many", name=by, n=number(len(found.table)), most=MAX_SEGMENTS), "warn")
    return draw(found)


SECTIONS = (
    Section("people", "review_people", "* k n rate expected limit_low limit_high shrunk verdict", answers=0),
)  # fmt: skip
