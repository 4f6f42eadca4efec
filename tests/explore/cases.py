"""The explorables as the tests take them: how each is made, random states, what Python finds there, a solution."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnelkit.explore import Cascade, InfluenceLoop, WhatIf
from funnelkit.models import funnel


@dataclass(frozen=True)
class Case:
    """`make()` gives the card that the browser tests look at; `states(rng, n)` yields cards at random states.

    `expected(card)` is {key of the module's `compute`: Python's value}; `solution` solves the challenge of `make()`;
    `verb` is what the copied Python calls.
    """

    make: Callable
    states: Callable
    expected: Callable
    solution: dict
    verb: str


def whatever(values):
    """Return numbers as JSON holds them: None for what is not a number."""
    return [None if pd.isna(value) else float(value) for value in np.ravel(values)]


# --- what if ---------------------------------------------------------------------------------------------------------

EDGES = ([1.0], [0.0], [0.5] * 3, [0.0, 1.0], [1.0] * 11)


def what_if_states(rng, n):
    rates = [list(edge) for edge in EDGES]
    while len(rates) < max(n // 20, 10):
        drawn = rng.random(rng.integers(1, 12)).round(rng.integers(2, 16))
        rates.append(list(np.where(rng.random(len(drawn)) < 0.1, rng.integers(0, 2, len(drawn)), drawn)))
    for at in range(n):
        own = rates[at % len(rates)]
        table = pd.DataFrame({"stage": [f"s{place}" for place in range(len(own) + 1)], "rate": [*own, None]})
        value = 0.0 if at % 3 == 0 else float(rng.uniform(1, 1e6))
        panel = WhatIf(table, float(10 ** rng.uniform(-2, 9)), value, cycle_days=30.0 if at % 4 == 1 else None)
        state = {stage: float(rng.random()) for stage in panel.rates.index if rng.random() < 0.5}
        panel.state = state | ({"volume": float(10 ** rng.uniform(-2, 9))} if at % 2 else {})
        yield panel


def what_if_expected(panel):
    table, won = panel.table, panel.spec["won"]
    found = {"n": table["n"], "n_base": table["n_base"], "value": table["value"][won], "gains": panel.gains}
    found |= {"per_day": table["value_per_day"][won]} if "value_per_day" in table else {}
    return {name: whatever(value) for name, value in found.items()}


# --- cascade ---------------------------------------------------------------------------------------------------------


def cascade_states(rng, n):
    for at in range(n):
        panel = Cascade(
            {"patients": round(float(rng.random()), 3)}, population=float(rng.integers(0, 10**9)), price=0.5
        )
        levels = list(panel.rates)
        ratios = rng.random(len(levels)).round(rng.integers(1, 13))
        if at % 3 == 0:
            ratios[:] = rng.choice([0.9, 0.5, 1.0, 0.0], len(levels))
        price = round(float(rng.uniform(0, 5000)), int(rng.integers(0, 4)))
        panel.state = dict(zip(levels, map(float, ratios), strict=True)) | {"price": price}
        yield panel


def cascade_expected(panel):
    levels = panel.table[panel.table["point"].isin(list(panel.rates))]
    found = {name: whatever(levels[name].astype(float)) for name in ("ratio", "count", "remaining", "sales")}
    weakest = panel.weakest.table
    found |= {name: whatever(weakest[name].astype(float)) for name in ("loss", "gain_sales")}
    return found | {name: weakest[name].tolist() for name in ("largest_loss", "lowest_ratio", "best_gain")}


# --- influence loop --------------------------------------------------------------------------------------------------


def loop_states(rng, n):
    for at in range(n):
        market = float(10 ** rng.uniform(0, 6)) if at % 3 == 0 else None
        panel = InfluenceLoop(0.25, [0.8, 0.5, 5.0], 0.6, turns=int(rng.integers(1, 40)), market=market)
        factors = [float(10 ** rng.uniform(-1, 2)) for _ in range(3)]
        rate, feed = float(rng.random()), float(rng.random())
        if at % 4 == 0:  # on the edge: G is 1 but for the last bits
            factors[2] = 1 / (rate * factors[0] * factors[1] * feed)
        state = {f"factor{place}": min(factor, 1e6) for place, factor in enumerate(factors)}
        panel.state = state | {"rate": rate, "feed": feed, "inflow": float(rng.uniform(0, 1000))}
        yield panel


def loop_expected(panel):
    found = panel.result
    values = {name: whatever(found.table[name]) for name in found.table}
    level = found.values.get("level")
    return values | {"growth": found.values["growth"], "kind": found.key.rpartition(".")[2], "level": level}


CASES = {
    "what_if": Case(
        make=lambda: WhatIf(funnel("industrial-8"), 1000, 50_000, currency="CNY"),
        states=what_if_states, expected=what_if_expected, solution={"solution-demo": 0.71}, verb="fk.what_if",
    ),
    "cascade": Case(
        make=lambda: Cascade({"covered-population": 0.5, "patients": 0.2}, population=1e8, price=1200, currency="CNY"),
        states=cascade_states, expected=cascade_expected, verb="fk.cascade",
        solution={
            "disease-awareness": 0.92, "visit-rate": 0.92, "diagnosis-rate": 0.92, "treatment-regimen": 0.91,
            "product-value": 0.91, "differentiated-advantage": 0.91, "adherence": 0.91,
        },
    ),
    "influence_loop": Case(
        make=lambda: InfluenceLoop(0.25, [0.8, 0.5, 5.0], 0.6, market=100_000),
        states=loop_states, expected=loop_expected, solution={"factor1": 1.7}, verb="fk.influence_loop",
    ),
}  # fmt: skip
