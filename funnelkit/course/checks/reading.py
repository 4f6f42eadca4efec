"""Checks of the lesson on reading a funnel."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis import Calendar, compare_peers
from funnelkit.course.checks.verdict import Verdict, check_choices, check_number

VERDICTS = ("ours", "industry", "ahead", "too_few")


def check_open_rate(answer: Any, n_entered: int, n_advanced: int, n_open: int) -> Verdict:
    """Judge the promotion rate of a stage in which some are still open.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    n_entered : int
        Who entered.
    n_advanced : int
        Of these, who went on.
    n_open : int
        Of these, who is still open.

    Returns
    -------
    Verdict
    """
    rate = n_advanced / (n_entered - n_open)
    wrong = [
        (100 * rate, "not_fraction"),
        (n_advanced / n_entered, "open_as_lost"),
        ((n_advanced + n_open) / n_entered, "open_as_advanced"),
        (1 - rate, "share_lost"),
    ]
    return check_number(answer, rate, wrong)


def check_year_growth(answer: Any, deals: pd.DataFrame, as_of: pd.Timestamp, day: int) -> Verdict:
    """Judge the growth of new deals: the first days of the month against the same days a year before.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    deals : DataFrame
        Deals, as a Pipeline holds them.
    as_of : Timestamp
        A day of the current month.
    day : int
        Days of each month that count.

    Returns
    -------
    Verdict
    """
    month = Calendar("month")
    current = int(month.number(as_of))
    year_before = current - 12
    counts = {number: _created(deals, *month.like(number, day)) for number in (current, current - 1, year_before)}
    new, before, last = counts[current], max(counts[year_before], 1), max(counts[current - 1], 1)
    whole = _created(deals, month.start(year_before), month.start(year_before + 1))
    whole = max(whole, 1)  # a young history has no year before
    wrong = [
        (100 * (new / before - 1), "not_fraction"),
        (new / before, "growth_ratio"),
        (before / max(new, 1) - 1, "growth_turned"),
        (new - before, "growth_count"),
        (new / whole - 1, "whole_month"),
        (new / last - 1, "other_month"),
    ]
    return check_number(answer, new / before - 1, wrong)


def _created(deals: pd.DataFrame, start: pd.Timestamp, stop: pd.Timestamp) -> int:
    return int(deals["created_at"].between(start, stop, inclusive="left").sum())


def check_peer_verdicts(answer: Any, ours: pd.DataFrame, peers: pd.DataFrame) -> Verdict:
    """Judge {stage: verdict} against `compare_peers`; the hint says what the word given would need.

    Parameters
    ----------
    answer : dict or None
        What was answered.
    ours : DataFrame
        Our stages: stage, k, n.
    peers : DataFrame
        The peers': stage, rate.

    Returns
    -------
    Verdict
    """
    table = compare_peers(ours, peers).table
    right = dict(zip(table["stage"], table["verdict"], strict=True))
    return check_choices(answer, right, VERDICTS, lambda given, word: f"peer_{given}")
