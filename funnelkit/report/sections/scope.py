"""Scope: what the periodic report is to look at, from its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from funnelkit.analysis import Calendar, data_end
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.report.first_page.spans import find_spans, full_until
from funnelkit.report.sections.segments import own_segments


@dataclass(frozen=True)
class Scope:
    """What the periodic report is to look at.

    Parameters
    ----------
    pipeline : Pipeline
    unit : str
        Length of a period: week, month, quarter or year.
    period : str
        A date in the period wanted, "current" for the running one, empty for the last full one.
    segment, people : str
        Columns to split by, and of those reviewed.
    target_date : str
        The day by which the target is due.
    evidence : str
        A file of promotion markers.

    Raises
    ------
    DataError
        Where nothing is known yet, or a setting names a column, day or file that is not there.
    """

    pipeline: Pipeline
    unit: str = "month"
    period: str = ""
    segment: str = ""
    people: str = "owner"
    target_date: str = ""
    evidence: str = ""

    def __post_init__(self) -> None:
        pipeline = self.pipeline
        if self.evidence and not Path(self.evidence).is_file():
            raise DataError("no_such_file", file=self.evidence)
        if pipeline.counts is not None:
            return
        if pipeline.deals.empty:
            raise DataError("nothing_by_then", as_of=f"{pipeline.as_of:%Y-%m-%d}")
        for name, column in (("segment", self.segment), ("people", self.people)):
            if column and column not in pipeline.deals:
                raise DataError("no_column_for", name=name, value=column, known=", ".join(pipeline.deals.columns))
        if self.period not in ("", "current"):
            end, calendar = data_end(pipeline), self.calendar
            if calendar.start(calendar.number(self.period)) >= end:
                raise DataError("period_not_begun", period=self.period, end=f"{end - pd.Timedelta(days=1):%Y-%m-%d}")

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar of the unit."""
        return Calendar(self.unit)

    @cached_property
    def end(self) -> pd.Timestamp:
        """The day after the last in the data; a table of counts has none."""
        return pd.NaT if self.pipeline.counts is not None else data_end(self.pipeline)

    @cached_property
    def day(self) -> pd.Timestamp:
        """A day in the period wanted."""
        if self.end is pd.NaT:
            return self.end
        if self.period == "current":
            return self.end - pd.Timedelta(days=1)
        if self.period:
            return pd.Timestamp(self.period)
        return full_until(self.calendar, self.pipeline, self.end) - pd.Timedelta(days=1)

    @cached_property
    def usual_ends(self) -> pd.Timestamp | None:
        """The day before which times in stage are usual on the first page; None where nothing is usual yet."""
        spans = find_spans(self.pipeline)
        return spans.usual[1] if spans is not None and spans.known else None

    @cached_property
    def until(self) -> pd.Timestamp:
        """The day to which the forecast reaches: the target's, else the end of the next unit."""
        if self.target_date or self.end is pd.NaT:
            return pd.Timestamp(self.target_date or self.end)
        last = int(self.calendar.number(self.end - pd.Timedelta(days=1)))
        return self.calendar.start(last + 2) - pd.Timedelta(days=1)

    @property
    def step(self) -> str:
        """The periods into which the forecast is cut: the farther it reaches, the longer."""
        days = (self.until - self.end).days
        return "week" if days < 45 else "month" if days < 400 else "quarter"

    @property
    def mix(self) -> list[str]:
        """The column that may make a person's deals harder than another's."""
        return [name for name in own_segments(self.pipeline) if name != self.people][:1]
