"""Checks of lesson 14: right answers pass, each typical wrong one gets the hint that is meant for it."""

import datetime

import pandas as pd
import pytest

from funnelkit.course.checks import weekly_report

# Rises 2, falls 3, stays 1.
WINS = pd.Series([3, 5, 4, 4, 2, 6, 1], index=pd.period_range("2026-01-05", periods=7, freq="W"))
MAILS = [
    (3, "right"),
    ("3", "right"),
    (None, "empty"),
    ("often", "no_number"),
    ([3], "no_number"),
    (WINS, "no_number"),
    (4, "mails_with_equal"),
    (2, "mails_of_rises"),
    (5, "mails_of_changes"),
    (0.5, "mails_share"),
    (7, "mails_all_weeks"),
    (9, "off"),
]


@pytest.mark.parametrize(("answer", "hint"), MAILS, ids=lambda value: str(value)[:12])
def test_mails(answer, hint):
    found = weekly_report.check_mails(answer, WINS)
    assert (found.hint, found.ok) == (hint, hint == "right")


DAYS = [
    ("2026-10-31", "right"),
    (datetime.date(2026, 10, 31), "right"),
    (None, "empty"),
    (31, "no_date"),
    ({}, "no_date"),
    ("month end", "no_date"),
    ("", "no_date"),
    ("2026-10-31T12:00+08:00", "right"),
    ("2026-10-01", "month_first_day"),
    ("2026-11-30", "month_this_end"),
    ("2026-11-16", "month_today"),
    ("2026-11-01", "month_next_day"),
    ("2026-09-30", "month_other"),
]


@pytest.mark.parametrize(("answer", "hint"), DAYS, ids=str)
def test_month_end(answer, hint):
    assert weekly_report.check_month_end(answer, "2026-11-16").hint == hint


RIGHT = {"A": "usual", "B": "none", "C": "action"}
PARTS = [
    (RIGHT, "right"),
    (None, "empty"),
    ("usual", "no_choices"),
    ({**RIGHT, "A": "figure"}, "no_choice"),
    ({**RIGHT, "A": "action"}, "part_not_action"),
    ({**RIGHT, "B": "usual"}, "part_not_usual"),
    ({**RIGHT, "C": "none"}, "part_not_none"),
]


@pytest.mark.parametrize(("answer", "hint"), PARTS, ids=str)
def test_parts(answer, hint):
    assert weekly_report.check_parts(answer).hint == hint
