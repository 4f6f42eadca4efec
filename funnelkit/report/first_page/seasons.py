"""Seasons: whether the same days of earlier years contradict what is forecast for the coming ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelkit.report.first_page.records import DealRecords

CHANCE = 0.01  # a difference that chance makes less often counts
LENIENT_DAYS = 31  # records may begin so late in their first year


def against_season(records: DealRecords, row: dict[str, Any]) -> tuple[int, int] | None:
    """Return the wins in the days of a forecast `row` in earlier years, and these years; None where they agree.

    The band is scaled to the wins of the twelve months before, so that growth is no season.
    """
    from scipy.special import pdtr

    start, stop = records.pipeline.as_of, pd.Timestamp(row["end"]) + pd.Timedelta(days=1)
    base, first = _wins(records, start - pd.DateOffset(years=1), start), np.min(records.created)
    seen, expected, sides, years = 0, 0.0, set(), 0
    while base and _day(start - pd.DateOffset(years=years + 2)) + LENIENT_DAYS >= first > -np.inf:
        years += 1
        ago, begin = pd.DateOffset(years=years), start - pd.DateOffset(years=years + 1)
        n, before = _wins(records, start - ago, stop - ago), _wins(records, begin, start - ago)
        low, high = (row[end] * before / base for end in ("low_80", "high_80"))
        sides.add(int(n > high) - int(n < low))
        seen, expected = seen + n, expected + (low + high) / 2
    if len(sides) != 1 or sides == {0}:
        return None
    tail = pdtr(seen, expected) if sides == {-1} else 1 - pdtr(seen - 1, expected)
    return (seen, years) if 2 * tail < CHANCE else None


def _wins(records: DealRecords, start: pd.Timestamp, stop: pd.Timestamp) -> int:
    return int(records.won_in(start, stop).sum())


def _day(when: pd.Timestamp) -> float:
    from funnelkit.stats import days

    return float(days([when])[0])
