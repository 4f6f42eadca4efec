"""Checks of the lesson on the pharma target group."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_number, verdict
from funnelkit.result import Result, table_of


def check_halved(answer: Any, table: Result | pd.DataFrame) -> Verdict:
    """Judge how many patients are left if one level keeps half of what it kept.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    table : Result or DataFrame
        The cascade as it is.

    Returns
    -------
    Verdict
    """
    remaining = table_of(table)["remaining"]
    left, start = remaining.iloc[-1], remaining.iloc[2]
    wrong = [
        (left, "halved_same"),
        (start / 2, "halved_start"),
        (left * 0.5**7, "halved_all"),
        (left / start / 2, "halved_share"),
    ]
    return check_number(answer, left / 2, wrong)


def check_equal_ratio(answer: Any, keep: float, n_levels: int) -> Verdict:
    """Judge the ratio that each of several equal levels must keep, so that a given share is left.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    keep : float
        Share that shall be left.
    n_levels : int
        How many levels share the loss.

    Returns
    -------
    Verdict
    """
    right = keep ** (1 / n_levels)
    wrong = [
        (keep, "ratio_is_whole"),
        (1 - (1 - keep) / n_levels, "ratio_losses_added"),
        (100 * right, "ratio_in_percent"),
        (keep**n_levels, "ratio_power_turned"),
    ]
    return check_number(answer, right, wrong, tolerance=0.0005)


def check_best_level(answer: Any, levels: Result | pd.DataFrame) -> Verdict:
    """Judge the level that gains most per unit of cost.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    levels : Result or DataFrame
        As `weakest_levels` gives them.

    Returns
    -------
    Verdict
    """
    if answer is None:
        return verdict("empty")
    found = table_of(levels)
    rows = found.set_index(found["point"].astype(str))
    if not isinstance(answer, str):
        return verdict("no_name", found=type(answer).__name__, known=", ".join(rows.index))
    if str(answer) not in rows.index:
        return verdict("level_unknown", known=", ".join(rows.index))
    row = rows.loc[str(answer)]
    if row["best_gain"]:
        return verdict("right")
    hints = [
        (row["cost"] == found["cost"].min(), "level_cheapest"),
        (row["lowest_ratio"], "level_lowest"),
        (row["largest_loss"], "level_loss"),
    ]
    return verdict(next((hint for is_so, hint in hints if is_so), "level_other"))
