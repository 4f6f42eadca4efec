"""Checks of the first page: two small answers to learn how checks speak."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_number
from funnelkit.result import Result, table_of


def check_entered(answer: Any, counts: Result | pd.DataFrame) -> Verdict:
    """Judge how many entered the first stage.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    counts : Result or DataFrame
        As `count_stages` gives them.

    Returns
    -------
    Verdict
    """
    table = table_of(counts)
    wrong = [(table["n_entered"].iloc[-1], "entered_last"), (table["n_entered"].sum(), "entered_sum")]
    return check_number(answer, table["n_entered"].iloc[0], wrong, tolerance=1e-9)


def check_decided(answer: Any, counts: Result | pd.DataFrame) -> Verdict:
    """Judge how many of the first stage have gone on or were lost.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    counts : Result or DataFrame
        As `count_stages` gives them.

    Returns
    -------
    Verdict
    """
    first = table_of(counts).iloc[0]
    wrong = [
        (first["n_entered"], "decided_with_open"),
        (first["n_advanced"], "decided_half"),
        (first["n_lost"], "decided_half"),
    ]
    return check_number(answer, first["n_advanced"] + first["n_lost"], wrong, tolerance=1e-9)
