"""The explorables as the tests take them: how each is made, random states, what Python finds there, a solution."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnelkit.explore import WhatIf
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


CASES = {
    "what_if": Case(
        make=lambda: WhatIf(funnel("industrial-8"), 1000, 50_000, currency="CNY"),
        states=what_if_states, expected=what_if_expected, solution={"solution-demo": 0.71}, verb="fk.what_if",
    ),
}  # fmt: skip
