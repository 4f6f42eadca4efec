"""Checks of lesson 12: the same log under another rule, the day a cohort is complete, buyers judged by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_choices, check_day, check_number
from funnelkit.events import Rule, count_events, journeys

BUYERS = {
    "P": (("visit", 1), ("quote", 8), ("order", 15)),
    "Q": (("visit", 1), ("quote", 9), ("visit", 10), ("order", 12)),
    "R": (("visit", 1), ("visit", 6), ("quote", 9), ("order", 11)),
    "S": (("quote", 2), ("visit", 3), ("order", 5)),
}


def check_restarted(answer: Any, log: pd.DataFrame, steps: Sequence[str], window: str) -> Verdict:
    """Judge how many reach the last step within the window where a chain may start again.

    Parameters
    ----------
    answer : number, text or None
        What was answered.
    log : DataFrame
        One row an event.
    steps : list of str
    window : str

    Returns
    -------
    Verdict
    """

    def last(rule: Rule) -> float:
        return float(count_events(log, steps, rule).table["n_entered"].iloc[-1])

    right = last(Rule(window=window, reentry="latest"))
    touched = Rule(order="any", skip="touch")
    began = float(count_events(log, steps[:2]).table["n_entered"].iloc[0])
    wrong = [
        (last(Rule(window=window)), "restart_first_only"),
        (last(Rule(reentry="latest")), "restart_no_window"),
        (last(touched), "restart_touched"),
        (began, "restart_first_step"),
        (right / began if began else 0.0, "restart_is_rate"),
    ]
    return check_number(answer, right, wrong)


def check_complete_day(answer: Any, cohort: pd.Timestamp, unit: str, window: str) -> Verdict:
    """Judge the first day on which everybody of a cohort has had the whole window.

    Parameters
    ----------
    answer : date, text or None
        What was answered.
    cohort : Timestamp
        First day of the cohort.
    unit : {"month", "quarter", "year"}
    window : str

    Returns
    -------
    Verdict
    """
    whole = Rule(window=window).window
    end = pd.Period(cohort, unit[0].upper()).end_time.normalize()
    right = (end + whole).normalize()

    def judge(day: pd.Timestamp) -> str:
        if right <= day <= right + pd.Timedelta(days=1):  # the last deal may have begun late on its day
            return "right"
        if abs(day - cohort - whole) <= pd.Timedelta(days=1):
            return "day_from_first"
        if abs(day - end) <= pd.Timedelta(days=1):
            return "day_no_window"
        return "day_early" if day < right else "day_late"

    return check_day(answer, judge)


def check_buyers(answer: Any) -> Verdict:
    """Judge {buyer: "yes" or "no"} for the cards of exercise 3: a week from step to step, restart allowed.

    Parameters
    ----------
    answer : dict or None
        What was answered.

    Returns
    -------
    Verdict
    """
    rows = [(who, stage, day) for who, events in BUYERS.items() for stage, day in events]
    log = pd.DataFrame(rows, columns=["deal_id", "stage", "day"])
    log["entered_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(log["day"], unit="D")
    rule = Rule(window="7d", window_from="previous", reentry="latest")
    depth = journeys(log, ["visit", "quote", "order"], rule).table.set_index("id")["depth"]
    right = {who: "yes" if depth.get(who, 0) == 3 else "no" for who in BUYERS}
    return check_choices(answer, right, ("yes", "no"), lambda given, word: f"buyer_not_{given}")
