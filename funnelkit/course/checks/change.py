"""Checks of the lesson on why something changed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis import split_change
from funnelkit.course.checks.verdict import Verdict, check_number


def check_mix(answer: Any, before: pd.DataFrame, after: pd.DataFrame, by: str) -> Verdict:
    """Judge the mix part of the change of a rate, as a fraction.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    before : DataFrame
        Segments of the earlier period: `by`, k, n.
    after : DataFrame
        The same of the later period.
    by : str
        Column of the segments.

    Returns
    -------
    Verdict
    """
    parts = split_change(before, after, by).table.set_index("part")["change"]
    pair = [table.set_index(by) for table in (before, after)]
    share, rate = [table["n"] / table["n"].sum() for table in pair], [table["k"] / table["n"] for table in pair]
    moved = share[1] - share[0]
    wrong = [
        (100 * parts["mix"], "not_fraction"),
        (float((moved * rate[0]).sum()), "mix_old_rates"),
        (float((moved * rate[1]).sum()), "mix_new_rates"),
        (parts["rate"], "mix_is_rate"),
        (parts.sum(), "mix_is_total"),
        (-parts["mix"], "mix_sign"),
    ]
    return check_number(answer, parts["mix"], wrong)


def check_half_regained(answer: Any, row: pd.Series[Any]) -> Verdict:
    """Judge how many more reach the end if half of the loss within reach at this link stops.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    row : Series
        One link: n_lost, n_within, regained.

    Returns
    -------
    Verdict
    """
    right = row["regained"] / 2
    wrong = [
        (row["regained"], "half_is_all"),
        (row["n_within"] / 2, "half_not_end"),
        (row["n_within"], "half_not_end"),
        (row["n_lost"] / 2, "half_beyond"),
        (right * row["n_lost"] / row["n_within"], "half_beyond"),
    ]
    return check_number(answer, right, wrong, tolerance=0.01)
