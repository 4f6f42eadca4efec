"""Windows: the period that is looked at and the ones it is compared with, like with like; the rhythm of the quarter."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis.periods import Calendar, data_end
from funnelkit.analysis.shared import DAY
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.stats import days

_OF_QUARTER = {"week": 13, "month": 3}  # periods of a quarter
TURN_DAYS = 14  # before and after the turn of a month: whole weeks, so that weekdays are alike
_LEAST_TURNS, _MOST_BY_CHANCE = 3, 0.001


@dataclass(frozen=True)
class Window:
    """Part of a period: [start, stop), and its length in the days counted.

    Attributes
    ----------
    number : int
        Of the period that it belongs to.
    start, stop : Timestamp
    days : int

    Examples
    --------
    >>> Window(0, pd.Timestamp("1970-01-02"), pd.Timestamp("1970-01-04"), 2).span
    (1.0, 3.0)
    """

    number: int
    start: pd.Timestamp
    stop: pd.Timestamp
    days: int

    @property
    def span(self) -> tuple[float, float]:
        """Return start and stop as days since 1970."""
        start, stop = days([self.start, self.stop])
        return float(start), float(stop)


@dataclass(frozen=True)
class Rhythm:
    """Wins crowd before the turn of a quarter: `n_before` and `n_after` within two weeks of the `n` turns seen."""

    n: int
    n_before: int
    n_after: int


@dataclass(frozen=True)
class Windows:
    """The window looked at, and the earlier ones by what they are to it; None where there is no such period.

    Earlier ones are `previous` (`quarter_before`, the like part of the quarter before, where wins follow the rhythm of
    the quarter) and `year_before`.
    """

    calendar: Calendar
    current: Window
    earlier: dict[str, Window | None]
    rhythm: Rhythm | None

    @property
    def unfinished(self) -> bool:
        """Return True where the period looked at is still running."""
        return bool(self.current.stop < self.calendar.start(self.current.number + 1))

    def name(self, window: Window) -> str:
        """Return what people call the period of a window."""
        return self.calendar.name(window.number)


def find_windows(pipeline: Pipeline, calendar: Calendar, on: Any = None, working: bool = False) -> Windows:
    """Find the window of a period, and those that it is compared with.

    Parameters
    ----------
    pipeline, calendar : Pipeline and Calendar
    on : date, optional
        A day in the period; the last of the data.
    working : bool
        Count working days.

    Returns
    -------
    Windows
        `current`, and `earlier` by what they are to it.

    Raises
    ------
    DataError
        Where no deal is timed, or the period has not begun.

    Examples
    --------
    >>> from funnelkit import sample
    >>> list(find_windows(sample(), Calendar("month")).earlier)
    ['previous', 'year_before']
    """
    end = data_end(pipeline)
    if pd.isna(end):
        raise DataError("no_timed_deals")
    current = _current(calendar, end, on, working)
    rhythm = quarter_rhythm(pipeline, calendar, end)
    shift = _OF_QUARTER.get(calendar.unit, 1) if rhythm is not None else 1
    numbers: dict[str, int | None] = {"previous" if shift == 1 else "quarter_before": current.number - shift}
    numbers |= {"year_before": calendar.year_before(current.number)}
    earlier = {against: _earlier(calendar, current, number, working) for against, number in numbers.items()}
    return Windows(calendar, current, earlier, rhythm)


def _current(calendar: Calendar, end: pd.Timestamp, on: Any, working: bool) -> Window:
    """Return the window of the period wanted, up to the end of the data."""
    wanted = int(calendar.number(end - DAY if on is None else on))
    start, stop = calendar.start(wanted), min(calendar.start(wanted + 1), end)
    if stop <= start:
        raise DataError("period_not_begun", period=calendar.name(wanted), end=str((end - DAY).date()))
    return Window(wanted, start, stop, _length(calendar, start, stop, working))


def _length(calendar: Calendar, start: pd.Timestamp, stop: pd.Timestamp, working: bool) -> int:
    every = calendar.days(start, stop)
    return int(calendar.is_working(every).sum()) if working else len(every)


def _earlier(calendar: Calendar, current: Window, wanted: int | None, working: bool) -> Window | None:
    """Return the like part of the earlier period: all of it where the current one is over."""
    if wanted is None:
        return None
    if current.stop == calendar.start(current.number + 1):
        start, stop = calendar.start(wanted), calendar.start(wanted + 1)
    else:
        start, stop = calendar.like(wanted, current.days, working)
    return Window(wanted, start, stop, _length(calendar, start, stop, working))


def recorded_since(pipeline: Pipeline) -> Any:
    """Return the first day whose events the source can hold."""
    late = pipeline.limit("closes_start_late")
    if late is not None:
        return pd.Timestamp(late.values["first_close"])
    return pipeline.deals["created_at"].min()


def starts_in_time(window: Window, since: Any) -> bool:
    """Return False where the records miss the beginning; quiet first days (a tenth of the window) are no gap."""
    return not bool(since - window.start >= max(DAY, 0.1 * (window.stop - window.start)))


def quarter_rhythm(pipeline: Pipeline, calendar: Calendar, end: pd.Timestamp) -> Rhythm | None:
    """Find the rhythm by which wins crowd at the end of quarters, None where the data do not show one.

    Parameters
    ----------
    pipeline, calendar, end : Pipeline, Calendar, and where the data end

    Returns
    -------
    Rhythm or None

    Notes
    -----
    Wins of the two weeks before the turn of a quarter, against the two weeks after it, are compared with the same at
    the turns of the other months (Fisher's exact test, one-sided, 0.1 %), so that neither season nor trend nor month
    ends pass for it; three turns of four must show it.

    Examples
    --------
    >>> from funnelkit import sample
    >>> quarter_rhythm(sample(), Calendar("month"), pd.Timestamp("2025-12-30")) is None
    True
    """
    won = days(pipeline.deals.loc[pipeline.deals["status"] == "won", "closed_at"])
    won = np.sort(won[~np.isnan(won)])
    if not len(won):
        return None
    months = pd.date_range(pd.Timestamp(won[0] + TURN_DAYS, unit="D"), end - TURN_DAYS * DAY, freq="MS")
    turns = days(months.normalize())
    before, after = (np.diff(np.searchsorted(won, [turns + low, turns + low + TURN_DAYS]), axis=0)[0]
                     for low in (-TURN_DAYS, 0))  # fmt: skip
    at_quarter = ((months.month - calendar.fiscal_start) % 3 == 0).astype(bool)
    shown = before[at_quarter] > after[at_quarter]
    if at_quarter.sum() < _LEAST_TURNS or shown.sum() < max(_LEAST_TURNS, 0.75 * len(shown)):
        return None
    counts = [int(side[rows].sum()) for rows in (at_quarter, ~at_quarter) for side in (before, after)]
    if fisher_tail(*counts) > _MOST_BY_CHANCE:
        return None
    return Rhythm(int(at_quarter.sum()), counts[0], counts[1])


def fisher_tail(a: int, b: int, c: int, d: int) -> float:
    """Return the chance of at least `a` in the table [[a, b], [c, d]] with its margins (Fisher's exact test).

    >>> round(fisher_tail(3, 1, 1, 3), 4)
    0.2429
    """

    def ways(n: int, k: int) -> float:
        return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

    row, rest, column = a + b, c + d, a + c
    most = min(row, column)
    whole = ways(row + rest, column)
    return sum(exp(ways(row, k) + ways(rest, column - k) - whole) for k in range(a, most + 1))
