"""Checks of the lesson on people and teams."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_choices, check_number, is_rounded
from funnelkit.result import Result, table_of

CONTROLS = {"A": "team", "B": "method", "C": "management", "D": "team"}


def check_wins_of_person(answer: Any, review: Result | pd.DataFrame, person: str) -> Verdict:
    """Judge how many wins a person's deals lead to expect at the win rate of all.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    review : Result or DataFrame
        One row a person: the name first, k (won), n (closed).
    person : str
        The name.

    Returns
    -------
    Verdict
    """
    table = table_of(review)
    row = table.set_index(table.columns[0]).loc[person]
    rate = table["k"].sum() / max(table["n"].sum(), 1)
    right = row["n"] * rate
    wrong = [
        (100 * right, "wins_percent"), (rate, "wins_rate"),
        *([] if is_rounded(row["k"], right) else [(row["k"], "wins_found")]),  # what may be either is not blamed
        (row["n"] * (table["k"] / table["n"]).mean(), "wins_mean_of_rates"), (table["k"].mean(), "wins_mean"),
    ]  # fmt: skip
    return check_number(answer, right, wrong)


def check_controls(answer: Any) -> Verdict:
    """Judge {measure: control} of the three controls; the first wrong one is named.

    Parameters
    ----------
    answer : dict or None
        What was answered.

    Returns
    -------
    Verdict
    """
    return check_choices(answer, CONTROLS, ("team", "method", "management"), lambda given, right: f"control_{right}")
