"""Checks of the lesson on time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from funnelkit.course.checks.verdict import Verdict, check_number
from funnelkit.result import Result, table_of
from funnelkit.stats import aalen_johansen, quantile


def check_median(answer: Any, days: ArrayLike, ended: ArrayLike) -> Verdict:
    """Judge the median of stays of which some are still running."""
    days, ended = np.asarray(days, float), np.asarray(ended, bool)
    right = float(quantile(aalen_johansen(days, ended.astype(int)))[0])
    wrong = [
        (float(np.median(days[ended])), "median_finished"),
        (float(np.median(days)), "median_as_ended"),
        (float(np.mean(days)), "median_mean"),
        (float(np.mean(days[ended])), "median_mean"),
    ]
    return check_number(answer, right, wrong)


def check_best_case(answer: Any, row: pd.Series[Any]) -> Verdict:
    """Judge the highest rate that a cohort can still reach; `row` has n, n_open and raw."""
    won = row["raw"] * row["n"]
    right = (won + row["n_open"]) / row["n"]
    wrong = [
        (100 * right, "not_fraction"),
        (row["raw"], "best_is_raw"),
        (row["n_open"] / row["n"], "best_open_only"),
        (won / (row["n"] - row["n_open"]) if row["n"] > row["n_open"] else float("nan"), "best_is_decided"),
    ]
    return check_number(answer, right, wrong)


def check_late_value(answer: Any, waits: Result | pd.DataFrame, stage: str) -> Verdict:
    """Judge the value of the deals of a stage that are late or stuck; `waits` is the table of `stuck_deals`."""
    waits = table_of(waits)
    here, late = waits["stage"] == stage, waits["state"].isin(["late", "stuck"])
    right = float(waits.loc[here & late, "amount"].sum())
    wrong = [
        (float((here & late).sum()), "late_is_count"),
        (float(waits.loc[late, "amount"].sum()), "late_all_stages"),
        (float(waits.loc[here, "amount"].sum()), "late_all_open"),
        (float(waits.loc[here & (late | (waits["state"] == "soon")), "amount"].sum()), "late_with_soon"),
    ]
    return check_number(answer, right, wrong)
