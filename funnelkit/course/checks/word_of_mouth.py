"""Checks of the lesson on the influence funnel."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from funnelkit.course.checks.verdict import Verdict, check_number


def check_growth(answer: Any, factors: Sequence[float], feed: float, rate: float) -> Verdict:
    """Judge what one turn multiplies by where every potential customer buys.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    factors : sequence of float
        From each stage of the influence funnel to the next.
    feed : float
        Share of those reached who become potential customers.
    rate : float
        Share that buys.

    Returns
    -------
    Verdict
    """
    right = prod(factors) * feed
    wrong = [(right * rate, "growth_with_rate"), (prod(factors), "growth_no_feed"), 
             (sum(factors) * feed, "growth_added"),
             (max(factors), "growth_largest")]  # fmt: skip
    return check_number(answer, right, wrong)


def check_level(answer: Any, inflow: float) -> Verdict:
    """Judge where a loop settles that halves in each turn.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    inflow : float
        Potential customers from outside, per turn.

    Returns
    -------
    Verdict
    """
    wrong = [(inflow * 1.5, "level_one_turn"), (inflow / 2, "level_only_fed"), (inflow, "level_only_fed")]
    return check_number(answer, 2 * inflow, wrong)
