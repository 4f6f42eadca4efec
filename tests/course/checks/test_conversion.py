"""Checks of lesson 12: right answers pass, each typical wrong one gets the hint that is meant for it."""

import datetime

import pandas as pd
import pytest

from funnelkit.course.checks import conversion
from funnelkit.events import Rule, count_events

# 1 converts at once, 2 only from its second start, 3 too late, 4 and 5 without the middle, 6 began alone.
ROWS = [("1", "A", 1), ("1", "B", 2), ("1", "C", 3), ("2", "A", 1), ("2", "A", 40), ("2", "B", 41), ("2", "C", 42),
        ("3", "A", 1), ("3", "B", 2), ("3", "C", 90), ("4", "A", 1), ("4", "C", 2), ("5", "A", 1), ("5", "C", 2),
        ("6", "A", 1)]  # fmt: skip
LOG = pd.DataFrame(ROWS, columns=["deal_id", "stage", "day"])
LOG["entered_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(LOG["day"], unit="D")
STEPS = ["A", "B", "C"]
RESTARTED = [
    (2, "right"),
    ("2", "right"),
    (None, "empty"),
    ("two", "no_number"),
    ([2], "no_number"),
    (LOG, "no_number"),
    (float("nan"), "no_number"),
    (1, "restart_first_only"),
    (3, "restart_no_window"),
    (5, "restart_touched"),
    (6, "restart_first_step"),
    (2 / 6, "restart_is_rate"),
    (4, "off"),
]


@pytest.mark.parametrize(("answer", "hint"), RESTARTED, ids=repr)
def test_restarted(answer, hint):
    found = conversion.check_restarted(answer, LOG, STEPS, "30d")
    assert (found.hint, found.ok) == (hint, hint == "right")


def test_the_kits_own_answer_is_right():
    again = count_events(LOG, STEPS, Rule(window="30d", reentry="latest")).table["n_entered"].iloc[-1]
    assert conversion.check_restarted(again, LOG, STEPS, "30d").ok


DAYS = [
    ("2026-04-30", "right"),
    (datetime.date(2026, 5, 1), "right"),
    (pd.Timestamp("2026-04-30 12:00"), "right"),
    (None, "empty"),
    (30, "no_date"),
    ([], "no_date"),
    ("soon", "no_date"),
    ("2026-01-31", "day_from_first"),
    ("2026-03-31", "day_no_window"),
    ("2026-04-12", "day_early"),
    ("2026-06-30", "day_late"),
]


@pytest.mark.parametrize(("answer", "hint"), DAYS, ids=repr)
def test_the_day_a_quarter_is_complete(answer, hint):
    assert conversion.check_complete_day(answer, pd.Timestamp("2026-01-01"), "quarter", "30d").hint == hint


RIGHT = {"P": "yes", "Q": "no", "R": "yes", "S": "no"}
BUYERS = [
    (RIGHT, "right"),
    (None, "empty"),
    (["yes"], "no_choices"),
    ({"P": "yes"}, "choice_missing"),
    ({**RIGHT, "Q": "maybe"}, "no_choice"),
    ({**RIGHT, "Q": "yes"}, "buyer_not_yes"),
    ({**RIGHT, "R": "no"}, "buyer_not_no"),
]


@pytest.mark.parametrize(("answer", "hint"), BUYERS, ids=repr)
def test_buyers(answer, hint):
    assert conversion.check_buyers(answer).hint == hint
