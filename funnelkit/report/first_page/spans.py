"""Spans: the one set of windows of the first page. Recent is compared with usual, both fixed by rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnelkit.analysis import Calendar, data_end
from funnelkit.pipeline import Pipeline
from funnelkit.report.first_page.workdays import resumes

RECENT, USUAL = 6, 12  # full months; usual are those before the recent ones
MONTHS = Calendar("month")
LENIENT_DAYS = 1  # exports of midnight hold nothing of their own day
LENIENT_DERIVED_DAYS = 3  # where the last record dates the data, nothing may have happened on its last days
Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class Spans:
    """The windows of a pipeline: `end` of its data, `stop` of its last full month, `begin` of its months.

    `usable` is the first month by which the median time to a win has passed since the first record; before it is
    start-up. None: no win is timed.
    """

    end: pd.Timestamp
    stop: pd.Timestamp
    begin: pd.Timestamp
    usable: pd.Timestamp | None

    @property
    def recent(self) -> Span:
        """The last six full months."""
        return back(self.stop, RECENT), self.stop

    @property
    def usual(self) -> Span:
        """The twelve months before the recent ones."""
        return back(self.stop, RECENT + USUAL), back(self.stop, RECENT)

    @property
    def known(self) -> bool:
        """Return True where usual has twelve months free of start-up: else there is none."""
        return self.usable is not None and self.usable <= self.usual[0]

    @property
    def known_from(self) -> pd.Timestamp | None:
        """Return the day from which on there will be a usual."""
        return None if self.usable is None else back(self.usable, -RECENT - USUAL)

    def months(self, n: int) -> pd.DatetimeIndex:
        """Return the starts of the last n full months that have records, and where the last of them ends."""
        return pd.date_range(max(back(self.stop, n), self.begin), self.stop, freq="MS")


def back(when: pd.Timestamp, months: int) -> pd.Timestamp:
    """Return the first of a month so many months before."""
    return when - pd.DateOffset(months=months)


def find_spans(pipeline: Pipeline) -> Spans | None:
    """Return the windows of a pipeline; None where no full month of it is known."""
    if pipeline.counts is not None or not pipeline.deals["created_at"].notna().any():
        return None
    end = data_end(pipeline)
    since = _recorded_since(pipeline)
    if pd.isna(end) or since >= end:
        return None
    stop = full_until(MONTHS, pipeline, end)
    begin = MONTHS.start(int(MONTHS.number(since)))
    return Spans(end, stop, begin, _usable(pipeline, since)) if begin < stop else None


def full_until(calendar: Calendar, pipeline: Pipeline, end: pd.Timestamp) -> pd.Timestamp:
    """Return where the last full period of the data ends, which hold no whole day from `end` on.

    A period is full once no working day of it is to come: a week of Monday to Friday on Friday.
    """
    number = int(calendar.number(end))
    following = calendar.start(number + 1)
    if following - pd.Timedelta(days=_lenient(calendar, pipeline, end)) <= end:
        return following
    return following if resumes(pipeline, end) >= following else calendar.start(number)


def _lenient(calendar: Calendar, pipeline: Pipeline, end: pd.Timestamp) -> int:
    """Return how many days of a period may be missing."""
    if calendar.unit != "week" and not pipeline.as_of_given:
        return LENIENT_DERIVED_DAYS
    return LENIENT_DAYS if pipeline.as_of.normalize() == end else 0


def _recorded_since(pipeline: Pipeline) -> pd.Timestamp:
    """Return the first day of the records, that of closes where those begin later."""
    first = pipeline.deals["created_at"].min().normalize()
    late = pipeline.limit("closes_start_late")
    return first if late is None else max(first, pd.Timestamp(late.values["first_close"]))


def _usable(pipeline: Pipeline, since: pd.Timestamp) -> pd.Timestamp | None:
    won = pipeline.deals[pipeline.deals["status"] == "won"]
    took = (won["closed_at"] - won["created_at"]).dropna()
    if not len(took):
        return None
    after = since + pd.Timedelta(days=float(np.ceil(took.median() / pd.Timedelta(days=1))))
    month = MONTHS.start(int(MONTHS.number(after)))
    return month if month == after else back(month, -1)
