"""Checks of the lesson on the influence funnel."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from funnelkit.course.checks.verdict import Verdict, check_number


def check_growth(answer: Any, factors: Sequence[float], feed: float, rate: float) -> Verdict:
    """Judge what one turn multiplies by where every potential customer buys."""
    right = prod(factors) * feed
    wrong = [(right * rate, "growth_with_rate"), (prod(factors), "growth_no_feed"), 
             (sum(factors) * feed, "growth_added"),
             (max(factors), "growth_largest")]  # fmt: skip
    return check_number(answer, right, wrong)


def check_level(answer: Any, inflow: float) -> Verdict:
    """Judge where a loop settles that halves in each turn."""
    wrong = [(inflow * 1.5, "level_one_turn"), (inflow / 2, "level_only_fed"), (inflow, "level_only_fed")]
    return check_number(answer, 2 * inflow, wrong)
