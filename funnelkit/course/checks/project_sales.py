"""Checks of the lesson on project sales and key accounts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis import VERDICTS, check_gates
from funnelkit.course.checks.verdict import Verdict, check_choices, check_number
from funnelkit.models import Funnel
from funnelkit.result import Result, table_of

BORDER = 0.8  # of the weightings nearby, below which an account is near a border


def check_verdicts(answer: Any, evidence: pd.DataFrame, model: Funnel) -> Verdict:
    """Judge {deal_id: verdict} against the gate rule, deal by deal; the first wrong one is named.

    Parameters
    ----------
    answer : dict or None
        What was answered.
    evidence : DataFrame
        As `check_gates` takes it.
    model : Funnel
        Whose stages they are.

    Returns
    -------
    Verdict
    """
    gates = table_of(check_gates(evidence, model))
    right = dict(zip(gates["deal_id"], gates["verdict"], strict=True))
    return check_choices(answer, right, VERDICTS, lambda given, wanted: f"{wanted}_not_{given}")


def check_near_border(answer: Any, ranking: Result | pd.DataFrame) -> Verdict:
    """Judge how many accounts are near the border of their class.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    ranking : Result or DataFrame
        With the column stable.

    Returns
    -------
    Verdict
    """
    stable = table_of(ranking)["stable"]
    right, n = int((stable < BORDER).sum()), len(stable)
    wrong = [(n - right, "border_turned"), (n, "border_all"), (right / max(n, 1), "border_share")]
    return check_number(answer, right, [one for one in wrong if one[0] != right])
