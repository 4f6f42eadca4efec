"""Periods: calendar and fiscal months, quarters and years, ISO weeks; and the like part of another period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline

UNITS = ("week", "month", "quarter", "year")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MONDAY = np.datetime64("1969-12-29", "D")  # number 0 of the weeks


@dataclass(frozen=True)
class Calendar:
    """How time is cut. Periods are whole numbers in order; `name` says them.

    Parameters
    ----------
    unit : {"week", "month", "quarter", "year"}
        Weeks are ISO weeks (Monday to Sunday, week 1 holds the first Thursday).
    fiscal_start : int
        Month in which the fiscal year begins; the year is named after the calendar year in which it ends.
    holidays, workdays : tuple of dates
        Days that do not count as working days; days that do although they fall on a weekend (as is usual in China).
    weekend : tuple of int
        Weekdays that are free, Monday being 0.

    Raises
    ------
    DataError
        For an unknown unit or a month beyond 1 to 12.

    Examples
    --------
    >>> Calendar("quarter").name(Calendar("quarter").number("2026-05-12"))
    '2026-Q2'
    """

    unit: str = "month"
    fiscal_start: int = 1
    holidays: tuple[Any, ...] = ()
    workdays: tuple[Any, ...] = ()
    weekend: tuple[int, ...] = (5, 6)

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise DataError("bad_unit", found=repr(self.unit), known=", ".join(UNITS))
        if self.fiscal_start not in range(1, 13):
            raise DataError("bad_fiscal_start", found=repr(self.fiscal_start))

    def number(self, dates: Any) -> Any:
        """Return the number of the period that each date falls into.

        >>> Calendar("month").number("2026-02-03") - Calendar("month").number("2025-12-31")
        np.int64(2)
        """
        days = np.asarray(dates, dtype="datetime64[D]")
        if self.unit == "week":
            return (days - _MONDAY).astype("int64") // 7
        months = days.astype("datetime64[M]").astype("int64") - (self.fiscal_start - 1)
        return months // _MONTHS[self.unit]

    def start(self, number: int) -> pd.Timestamp:
        """Return the first day of a period; `start(number + 1)` is the first day after it."""
        if self.unit == "week":
            return pd.Timestamp(_MONDAY + np.timedelta64(7 * int(number), "D"))
        months = int(number) * _MONTHS[self.unit] + self.fiscal_start - 1
        return pd.Timestamp(np.datetime64(months, "M").astype("datetime64[D]"))

    def name(self, number: int) -> str:
        """Return the name of a period: 2026-03, 2026-Q1, 2026, 2026-W05, and FY2026-Q1 in fiscal years.

        >>> fiscal = Calendar("quarter", fiscal_start=4)
        >>> fiscal.name(fiscal.number("2026-03-31")), Calendar("week").name(Calendar("week").number("2027-01-01"))
        ('FY2026-Q4', '2026-W53')
        """
        start = self.start(number)
        if self.unit == "week":
            year, week, _ = start.isocalendar()
            return f"{year}-W{week:02d}"
        if self.unit == "month":
            return f"{start:%Y-%m}"
        shift = (start.month - self.fiscal_start) % 12
        year = start.year + (0 if self.fiscal_start == 1 or start.month < self.fiscal_start else 1)
        label = f"{'' if self.fiscal_start == 1 else 'FY'}{year}"
        return label if self.unit == "year" else f"{label}-Q{shift // 3 + 1}"

    def year_before(self, number: int) -> int | None:
        """Return the same period of the year before; None where there is none (week 53 of a year with 52).

        >>> week = Calendar("week")
        >>> week.year_before(week.number("2027-01-01")) is None
        True
        """
        if self.unit != "week":
            return int(number) - 12 // _MONTHS[self.unit]
        year, week, _ = self.start(number).isocalendar()
        last = pd.Timestamp(year - 1, 12, 28).isocalendar().week
        return None if week > last else int(self.number(pd.Timestamp.fromisocalendar(year - 1, week, 1)))

    def is_working(self, days: Any) -> NDArray[np.bool_]:
        """Return which days are working days."""
        days = np.asarray(days, dtype="datetime64[D]")
        weekday = (days - _MONDAY).astype("int64") % 7
        working = ~np.isin(weekday, self.weekend) & ~np.isin(days, np.array(self.holidays, dtype="datetime64[D]"))
        return working | np.isin(days, np.array(self.workdays, dtype="datetime64[D]"))

    def days(self, start: Any, stop: Any) -> NDArray[np.datetime64]:
        """Return the days from `start` up to, not including, `stop`."""
        return np.arange(np.datetime64(start, "D"), np.datetime64(stop, "D"))

    def like(self, number: int, days: int, working: bool = False) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return (start, stop) of the part of a period that has as many (working) days as given, or all it has.

        >>> month = Calendar("month")
        >>> [day.date().isoformat() for day in month.like(month.number("2026-02-01"), 17)]
        ['2026-02-01', '2026-02-18']
        >>> [day.date().isoformat() for day in month.like(month.number("2026-02-01"), 11, working=True)]
        ['2026-02-01', '2026-02-17']
        """
        start, stop = self.start(number), self.start(number + 1)
        every = self.days(start, stop)
        counted = every[self.is_working(every)] if working else every
        if days >= len(counted):
            return start, stop
        return start, pd.Timestamp(counted[days - 1] + np.timedelta64(1, "D")) if days else start


def data_end(pipeline: Pipeline) -> pd.Timestamp:
    """Return the first day that is not wholly in the data.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    Timestamp
        The as-of day, or the day after it where the data hold all of it.

    Raises
    ------
    AttributeError
        For what is no Pipeline.

    Notes
    -----
    An export that has times of day and is as of midnight holds nothing of that day, as of its last microsecond all of
    it; one of bare dates holds all.

    Examples
    --------
    >>> from funnelkit import read
    >>> deals = pd.DataFrame({"id": ["a"], "stage": ["Lead"], "created_at": ["2026-01-05"]})
    >>> data_end(read(deals, stages=["Lead", "Won"], as_of="2026-01-09")).date().isoformat()
    '2026-01-10'
    """
    times = pd.concat([pipeline.events["entered_at"], pipeline.deals["closed_at"]]).dropna()
    whole = bool((times == times.dt.normalize()).all()) if len(times) else False
    if whole:
        return pipeline.as_of.normalize() + pd.Timedelta(days=1)
    return (pipeline.as_of + pd.Timedelta(microseconds=1)).normalize()
