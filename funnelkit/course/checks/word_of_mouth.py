"""Checks of the lesson on the influence funnel."""

from math import prod

from funnelkit.course.checks import check_number


def check_growth(answer, factors, feed, rate):
    """Judge what one turn multiplies by where every potential customer buys."""
    right = prod(factors) * feed
    wrong = [(right * rate, "growth_with_rate"), (prod(factors), "growth_no_feed"), 
             (sum(factors) * feed, "growth_added"),
             (max(factors), "growth_largest")]  # fmt: skip
    return check_number(answer, right, wrong)


def check_level(answer, inflow):
    """Judge where a loop settles that halves in each turn."""
    wrong = [(inflow * 1.5, "level_one_turn"), (inflow / 2, "level_only_fed"), (inflow, "level_only_fed")]
    return check_number(answer, 2 * inflow, wrong)
