"""Checks of the lesson on the industrial eight-step."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_number
from funnelkit.result import Result, table_of


def check_gain(answer: Any, rows: Result | pd.DataFrame, state: str) -> Verdict:
    """Judge the expected value that one hour gains in a state.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    rows : Result or DataFrame
        States with n_valued, value_open, win_probability, win_probability_after, cost.
    state : str
        Id of the state.

    Returns
    -------
    Verdict
    """
    row = table_of(rows).set_index("state").loc[state]
    deals, chance = max(row["n_valued"], 1), row["win_probability_after"] - row["win_probability"]
    gain = row["value_open"] * chance / deals / row["cost"]
    wrong = [
        (gain * deals, "gain_of_all"),
        (gain * row["cost"], "gain_per_deal"),
        (gain * deals * row["cost"], "gain_of_all"),
        (row["value_open"] * row["win_probability_after"] / deals / row["cost"], "gain_not_difference"),
        (row["value_open"] * row["win_probability"] / deals / row["cost"], "gain_not_difference"),
        (-gain, "gain_sign"),
    ]
    return check_number(answer, gain, wrong)
