"""Adopters over time, and what each phase of a product's life cycle calls for."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError, both, large
from funnelkit.models import Funnel, funnel
from funnelkit.result import Result
from funnelkit.stats import leaders

PHASES = ("introduction", "growth", "maturity", "decline")


def adopters(
    market: float = 10_000,
    *,
    innovation: float = 0.03,
    imitation: float = 0.38,
    periods: int = 20,
    model: str | Funnel = "pharma",
) -> Result:
    """Return how many adopt in each period, and to which adopter group they belong.

    Parameters
    ----------
    market, periods, model
        How many can ever adopt; how many periods to look at; whose catalogue names the groups.
    innovation, imitation : float
        Coefficients p (above 0) and q of Bass; the defaults are the means of Sultan, Farley and Lehmann (1990).

    Returns
    -------
    Result
        period (from 1), n_new, n_total (expected values), share (n_total / market), group.

    Raises
    ------
    DataError
        For a number out of range.

    Notes
    -----
    Bass (1969): F(t) = (1 - e^-(p+q)t) / (1 + q/p e^-(p+q)t) has adopted by time t. A period is of the group that the
    middle of its adopters falls into, by the cumulated shares of the catalogue (2.5, 16, 50, 84, 100 %).

    Examples
    --------
    >>> adopters(1000, periods=2).table.round(1)[["n_new", "group"]].values.tolist()
    [[35.8, 'innovators'], [49.3, 'early-adopters']]
    """
    _check(periods, market=(market, 0, 1e15), innovation=(innovation, 1e-9, 1), imitation=(imitation, 0, 10))
    return _spread(market, _share(np.arange(periods + 1), innovation, imitation), funnel(model))


def _spread(market: float, total: Any, model: Funnel) -> Result:
    groups: Any = model.topic("adopters").items
    ends = np.cumsum([float(group.share) for group in groups])
    ids = [group.id for group in groups]
    middle = (total[1:] + total[:-1]) / 2
    named = [ids[place] for place in np.minimum(np.searchsorted(ends, middle, side="right"), len(ids) - 1)]
    table = pd.DataFrame({"period": range(1, len(total)), "n_new": market * np.diff(total)})
    table["n_total"], table["share"] = market * total[1:], total[1:]
    table["group"] = pd.Categorical(named, categories=ids, ordered=True)
    shown = partial(_for_people, groups)
    return Result(table, *_words(table, market, groups), model=model, picture="adopters_chart", shown=shown)


def _for_people(groups: tuple[Any, ...], table: pd.DataFrame) -> pd.DataFrame:
    names = {group.id: str(group.text) for group in groups}
    return table.assign(group=[names[group] for group in table["group"]])


def _share(time: Any, p: float, q: float) -> Any:
    decay = np.exp(-(p + q) * time)
    return (1 - decay) / (1 + q / p * decay)


def _check(periods: Any, **values: tuple[Any, float, float]) -> None:
    for name, (value, low, high) in values.items():
        known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not known or not low <= value <= high:
            raise DataError("adopters_setting", name=name, found=value, expected=f"{low:g} ... {high:g}")
    if isinstance(periods, bool) or not isinstance(periods, int) or not 1 <= periods <= 1000:
        raise DataError("adopters_setting", name="periods", found=periods, expected="1, 2, ... 1000")


def _words(table: pd.DataFrame, market: float, groups: tuple[Any, ...]) -> tuple[str, dict[str, Any], tuple[Any, ...]]:
    peaks = table.iloc[leaders(table["n_new"].to_numpy())]
    values = {
        "market": both(lambda: large(market, "人")),
        "peak": peaks["period"].astype(int).tolist(),
        "n_peaks": len(peaks),
        "at_peak": peaks["n_new"].iloc[0],
        "periods": len(table),
    }
    first = table.drop_duplicates("group").set_index("group")["period"]
    notes = [
        ("planning.perceptual_map.adopters_group", {"group": group.text, "period": int(first[group.id])})
        for group in groups
        if group.id in first.index
    ]
    if table["share"].iloc[-1] < 0.5:
        return (
            "planning.perceptual_map.adopters_short",
            {**values, "share": 100 * table["share"].iloc[-1]},
            tuple(notes),
        )
    half = int(table.loc[table["share"] >= 0.5, "period"].iloc[0])
    return "planning.perceptual_map.adopters", {**values, "half": half}, tuple(notes)


def life_cycle_guide(*, model: str | Funnel = "pharma") -> Result:
    """Say what each phase of a product's life cycle calls for.

    Parameters
    ----------
    model : str or Funnel
        Whose catalogue holds the guide.

    Returns
    -------
    Result
        phase, goals, experts, literature, as texts in the language in force.

    Raises
    ------
    CatalogError
        For a model without the guide.

    Notes
    -----
    Introduction, growth, maturity, decline, as the course teaches them.

    Examples
    --------
    >>> life_cycle_guide().table.loc[0, ["phase", "experts"]].tolist()
    ['Introduction', 'A few opinion leaders first, then whole regions.']
    """
    found = funnel(model)
    topics = {name: found.topic(f"life-cycle-{name}") for name in ("goals", "experts", "literature")}
    rows = [{name: str(topic.item(phase).text) for name, topic in topics.items()} for phase in PHASES]
    table = pd.DataFrame(rows)
    table.insert(0, "phase", [str(topics["goals"].item(phase).name) for phase in PHASES])
    return Result(table, "planning.perceptual_map.guide", {"n": len(PHASES)}, model=found)
