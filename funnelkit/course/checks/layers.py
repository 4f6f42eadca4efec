"""Checks of the lesson on the purchase funnel's layers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.course.checks.verdict import Verdict, check_choices, check_number
from funnelkit.language import Text
from funnelkit.models import Funnel

PLACED = {"P": ("bofu", 0), "Q": ("tofu", 3), "R": ("mofu", 3)}


def tasks_to_place(model: Funnel) -> dict[str, Text]:
    """Return one task of each layer, out of order.

    Parameters
    ----------
    model : Funnel
        The purchase funnel in three layers.

    Returns
    -------
    dict of str to Text
        A letter and its task.
    """
    return {letter: model.stage(layer).tasks[place] for letter, (layer, place) in PLACED.items()}


def check_layers(answer: Any, model: Funnel) -> Verdict:
    """Judge {letter: layer}, letter by letter; the first wrong one is named.

    Parameters
    ----------
    answer : dict or None
        What was answered.
    model : Funnel
        Whose stages they are.

    Returns
    -------
    Verdict
    """

    def hint(given: str, layer: str) -> str:
        early = model.stage_ids.index(given) < model.stage_ids.index(layer)
        return "layer_early" if early else "layer_late"

    return check_choices(answer, {letter: layer for letter, (layer, _) in PLACED.items()}, model.stage_ids, hint)


def check_points(answer: Any, seen: pd.DataFrame) -> Verdict:
    """Judge the difference at the top in percentage points.

    Parameters
    ----------
    answer : number, str or None
        What was answered.
    seen : DataFrame
        layer, kind (articles, features), k, n.

    Returns
    -------
    Verdict
    """
    rows = seen[seen["layer"] == "tofu"].set_index("kind")
    rates = rows["k"] / rows["n"]
    right = 100 * (rates["articles"] - rates["features"])
    pooled = seen.groupby("kind")[["k", "n"]].sum()
    pooled = pooled["k"] / pooled["n"]
    wrong = [
        (right / 100, "points_fraction"),
        (-right, "points_sign"),
        (100 * (pooled["articles"] - pooled["features"]), "points_pooled"),
        (100 * (pooled["features"] - pooled["articles"]), "points_pooled"),
    ]
    return check_number(answer, right, wrong)
