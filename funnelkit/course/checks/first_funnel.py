"""Checks of the lesson on what a funnel is."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_number, verdict
from funnelkit.result import Result, table_of


def check_share(answer: Any, entered: Sequence[int]) -> Verdict:
    """Judge the share of those in the third stage who reached the last.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    entered : sequence of int
        How many entered each stage, first to last.

    Returns
    -------
    Verdict
    """
    first, asked, bought = max(entered[0], 1), max(entered[2], 1), entered[-1]  # a short list may end before the stage
    wrong = [
        (bought / first, "share_of_first"),
        (100 * bought / asked, "share_in_percent"),
        (asked / max(bought, 1), "share_turned"),
        (entered[3] / asked, "share_one_step"),
    ]
    return check_number(answer, bought / asked, wrong)


def check_list(answer: Any, entered: Sequence[int], wanted: int) -> Verdict:
    """Judge how many must enter for so many at the end, in whole people.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    entered : sequence of int
        How many entered each stage, first to last.
    wanted : int
        How many shall reach the last stage.

    Returns
    -------
    Verdict
    """
    need = wanted * entered[0] / max(entered[-1], 1)  # where nobody bought, as if one had
    wrong = [
        (need, "list_not_whole"),
        (int(need), "list_not_whole"),
        (wanted * entered[-1] / entered[0], "list_turned"),
    ]
    return check_number(answer, ceil(need), wrong, tolerance=1e-9)


def check_bottleneck(answer: Any, rates: Result | pd.DataFrame) -> Verdict:
    """Judge the stage of the lowest rate; those that tie are all right.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    rates : Result or DataFrame
        As `rate_table` gives them.

    Returns
    -------
    Verdict
    """
    if answer is None:
        return verdict("empty")
    known = table_of(rates).dropna(subset="rate").set_index("stage")["rate"]
    if not isinstance(answer, str):
        return verdict("no_name", found=type(answer).__name__, known=", ".join(map(str, known.index)))
    if answer not in known.index:
        return verdict("stage_unknown", known=", ".join(map(str, known.index)))
    if known[answer] == known.min():
        return verdict("right")
    return verdict("bottleneck_loss" if known.index[0] == answer else "bottleneck_other")
