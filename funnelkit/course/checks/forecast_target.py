"""Checks of the lesson on forecast and target."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_number


def check_coverage(answer: Any, deals: pd.DataFrame, revenue: float) -> Verdict:
    """Judge the coverage: the amounts of the open deals over the revenue still to win.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    deals : DataFrame
        Deals, as a Pipeline holds them.
    revenue : float
        Money still to win.

    Returns
    -------
    Verdict
    """
    open_value = deals.loc[deals["status"] == "open", "amount"].sum()
    right = float(open_value / revenue)
    wrong = [
        (100 * right, "coverage_percent"),
        (1 / right if right else math.nan, "coverage_inverse"),
        (deals["amount"].sum() / revenue, "coverage_all_deals"),
        (deals.loc[deals["status"] == "won", "amount"].sum() / revenue, "coverage_won"),
        ((deals["status"] == "open").sum(), "coverage_is_count"),
        (open_value, "coverage_is_value"),
    ]
    return check_number(answer, right, wrong)


def check_chance(answer: Any, made: Any, amount: float) -> Verdict:
    """Judge the chance that the won value of all periods together reaches an amount.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    made : Forecast
        As `forecast_open` gives it.
    amount : float
        Money to reach.

    Returns
    -------
    Verdict
    """
    total, opened = (made.paths[part]["value"] for part in ("total", "open"))
    summed = total.sum(axis=1)
    right = float((summed >= amount).mean())
    wrong = [
        (100 * right, "not_fraction"),
        (1 - right, "chance_other"),
        (100 * (1 - right), "chance_other"),
        (float((opened.sum(axis=1) >= amount).mean()), "chance_open_only"),
        (float((total >= amount).mean()), "chance_each_period"),
        (float((total[:, -1] >= amount).mean()), "chance_last_period"),
        (float(np.median(summed) / amount), "chance_is_ratio"),
        (float(summed.mean() / amount), "chance_is_ratio"),
        (float((summed >= amount).sum()), "chance_is_count"),
    ]
    return check_number(answer, right, wrong, tolerance=0.01)


def check_wins(answer: Any, revenue: float, brought: float, mean_win: float) -> Verdict:
    """Judge how many whole wins close the gap between what the open deals bring on average and the target.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    revenue : float
        Money still to win.
    brought : float
        Money that the open deals bring on average.
    mean_win : float
        Money of a mean win.

    Returns
    -------
    Verdict
    """
    missing = max(revenue - brought, 0.0)
    right = math.ceil(missing / mean_win)
    wrong = [
        (math.ceil(revenue / mean_win), "wins_without_open"),
        (revenue / mean_win, "wins_without_open"),
        (missing, "wins_is_value"),
        (math.ceil(brought / mean_win), "wins_of_open"),
        (brought / mean_win, "wins_of_open"),
        (missing / mean_win, "wins_not_whole"),
        (math.floor(missing / mean_win), "wins_round_up"),
    ]
    return check_number(answer, right, wrong, tolerance=1e-6)
