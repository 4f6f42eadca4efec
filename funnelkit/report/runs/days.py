"""Days that a plan names without a date, such as today, last-week-end or quarter-end, by the clock of the run."""

from __future__ import annotations

import os
from datetime import date, timedelta
from typing import Any

from funnelkit.language import ReportError

BAD_PARAMETER = 11
CLOCK = "FUNNELKIT_TODAY"  # a day that stands for today, for tests and for a run made up for later
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
WORDS = (
    "today", "yesterday", *(f"{when}{unit}-end" for when in ("", "last-") for unit in ("week", *_MONTHS)),
)  # fmt: skip


def clock(given: str | None = None) -> date:
    """Return the day of the run: the one given, else that of $FUNNELKIT_TODAY, else that of the machine's clock.

    Raises ReportError (11) where the text is no day.
    """
    text = given or os.environ.get(CLOCK)
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError:
        raise ReportError("clock_bad", BAD_PARAMETER, value=str(text)) from None


def named_day(word: Any, today: date) -> date | None:
    """Return the day that a word means as seen from `today`, None for what is no such word.

    `last-week-end` is the last day of the last week that is over, `week-end` that of the week that holds today: on a
    Sunday these are a week apart. Weeks end on Sunday.

    >>> monday = date(2026, 11, 30)
    >>> [f"{named_day(word, monday):%m-%d}" for word in ("yesterday", "last-week-end", "last-month-end", "quarter-end")]
    ['11-29', '11-29', '10-31', '12-31']
    """
    if word not in WORDS:
        return None
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    unit = word.removeprefix("last-").removesuffix("-end")
    first = _start(unit, today)
    return first - timedelta(days=1) if word.startswith("last-") else _start(unit, first, 1) - timedelta(days=1)


def _start(unit: str, day: date, later: int = 0) -> date:
    """Return the first day of the unit that holds a day, or of one so many units later."""
    if unit == "week":
        return day - timedelta(days=day.weekday()) + timedelta(weeks=later)
    months = _MONTHS[unit]
    number = (day.year * 12 + day.month - 1) // months * months + later * months
    return date(number // 12, number % 12 + 1, 1)
