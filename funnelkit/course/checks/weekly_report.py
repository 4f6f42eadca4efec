"""Checks of lesson 14: mails that a naive rule sends, the day a word means, what a sentence lacks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_choices, check_day, check_number

# What each sentence of exercise 3 lacks.
PARTS = {"A": "usual", "B": "none", "C": "action"}


def check_mails(answer: Any, wins: pd.Series[int]) -> Verdict:
    """Judge in how many weeks fewer were won than in the week before.

    Parameters
    ----------
    answer : number, text or None
        What was answered.
    wins : Series
        Wins of each week, in order.

    Returns
    -------
    Verdict
    """
    change = wins.diff()
    right = float((change < 0).sum())
    wrong = [
        (float((change <= 0).sum()), "mails_with_equal"),
        (float((change > 0).sum()), "mails_of_rises"),
        (float((change != 0).sum()) - 1, "mails_of_changes"),
        (right / max(1, len(wins) - 1), "mails_share"),
        (right / max(1, len(wins)), "mails_share"),
        (float(len(wins)), "mails_all_weeks"),
    ]
    return check_number(answer, right, wrong)


def check_month_end(answer: Any, today: str) -> Verdict:
    """Judge the last day of the month before the one that holds `today`.

    Parameters
    ----------
    answer : date, text or None
        What was answered.
    today : str

    Returns
    -------
    Verdict
    """
    month = pd.Period(today, "M")
    ends = {
        "right": (month - 1).end_time,
        "month_first_day": (month - 1).start_time,
        "month_this_end": month.end_time,
        "month_today": pd.Timestamp(today),
        "month_next_day": month.start_time,
    }
    days = {end.normalize(): hint for hint, end in reversed(ends.items())}
    return check_day(answer, lambda day: days.get(day, "month_other"))


def check_parts(answer: Any) -> Verdict:
    """Judge {sentence: what it lacks}: "usual", "action" or "none".

    Parameters
    ----------
    answer : dict or None
        What was answered.

    Returns
    -------
    Verdict
    """
    return check_choices(answer, PARTS, ("usual", "action", "none"), lambda given, word: f"part_not_{given}")
