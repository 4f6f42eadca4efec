"""Checks of the lesson on time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from funnelkit.course.checks.verdict import Verdict, check_number
from funnelkit.stats import aalen_johansen, quantile


def check_median(answer: Any, days: ArrayLike, ended: ArrayLike) -> Verdict:
    """Judge the median of stays of which some are still running.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    days : array
        Length of each stay so far.
    ended : array of bool
        Whether it has ended.

    Returns
    -------
    Verdict
    """
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
    """Judge the highest rate that a cohort can still reach.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    row : Series
        One cohort: n, n_open, raw (won so far of all).

    Returns
    -------
    Verdict
    """
    won = row["raw"] * row["n"]
    right = (won + row["n_open"]) / row["n"]
    wrong = [
        (100 * right, "not_fraction"),
        (row["raw"], "best_is_raw"),
        (row["n_open"] / row["n"], "best_open_only"),
        (won / (row["n"] - row["n_open"]) if row["n"] > row["n_open"] else float("nan"), "best_is_decided"),
    ]
    return check_number(answer, right, wrong)
