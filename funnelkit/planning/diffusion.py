"""Adopters over time, and what each phase of a product's life cycle calls for."""

import math

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.models import funnel
from funnelkit.result import Result

PHASES = ("introduction", "growth", "maturity", "decline")


def adopters(market=10_000, *, innovation=0.03, imitation=0.38, periods=20, model="pharma"):
    """Return how many adopt in each period, and to which adopter group they belong.

    Diffusion after Bass (1969): the share that has adopted by time t is F(t) = (1 - e^-(p+q)t) / (1 + q/p e^-(p+q)t),
    p the coefficient of `innovation` (above 0), q of `imitation` (0 or more); the defaults are the means of Sultan,
    Farley and Lehmann (1990). The group of a period is the one that the middle of its adopters falls into, by the
    cumulated shares of the catalogue (2.5, 16, 50, 84, 100 %). Returns a Result: period (from 1), n_new, n_total
    (expected values), share (n_total / market), group (ordered categorical). Raises DataError for a number out of
    range.

    >>> adopters(1000, periods=3).table.round(1)[["period", "n_new", "n_total", "group"]]
       period  n_new  n_total           group
    0       1   35.8     35.8      innovators
    1       2   49.3     85.1  early-adopters
    2       3   65.4    150.5  early-adopters
    """
    _check(market=(market, 0, 1e15), innovation=(innovation, 1e-9, 1), imitation=(imitation, 0, 10))
    if isinstance(periods, bool) or not isinstance(periods, int) or not 1 <= periods <= 1000:
        raise DataError("adopters_setting", name="periods", found=periods, expected="1, 2, ... 1000")
    total = _share(np.arange(periods + 1), innovation, imitation)
    groups = funnel(model).topic("adopters").items
    ends = np.cumsum([group.share for group in groups])
    ids = [group.id for group in groups]
    middle = (total[1:] + total[:-1]) / 2
    named = [ids[place] for place in np.minimum(np.searchsorted(ends, middle, side="right"), len(ids) - 1)]
    table = pd.DataFrame({"period": range(1, periods + 1), "n_new": market * np.diff(total)})
    table["n_total"], table["share"] = market * total[1:], total[1:]
    table["group"] = pd.Categorical(named, categories=ids, ordered=True)
    return Result(table, *_words(table, market, groups))


def _share(time, p, q):
    decay = np.exp(-(p + q) * time)
    return (1 - decay) / (1 + q / p * decay)


def _check(**values):
    for name, (value, low, high) in values.items():
        known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not known or not low <= value <= high:
            raise DataError("adopters_setting", name=name, found=value, expected=f"{low:g} ... {high:g}")


def _words(table, market, groups):
    top = table.loc[table["n_new"].idxmax()]
    values = {"market": market, "peak": int(top["period"]), "at_peak": top["n_new"], "periods": len(table)}
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


def life_cycle_guide(*, model="pharma"):
    """Return what each phase calls for: phase, goals, experts, literature, as texts.

    >>> life_cycle_guide("zh").loc[0, ["phase", "experts"]].tolist()
    ['导入期', '先点后面。']
    """
    topics = {name: funnel(model).topic(f"life-cycle-{name}") for name in ("goals", "experts", "literature")}
    rows = [{name: str(topic.item(phase).text) for name, topic in topics.items()} for phase in PHASES]
    table = pd.DataFrame(rows)
    table.insert(0, "phase", [str(topics["goals"].item(phase).name) for phase in PHASES])
    return table
