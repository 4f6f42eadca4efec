"""The card of targets as the tests take it: chances of `solve_target` on a grid, and between."""

from functools import cache

import numpy as np

from funnelkit.explore import TargetSolver, stage_deals
from funnelkit.explore.draws import uniform
from funnelkit.models import custom
from funnelkit.reading import read

from .case import Case


@cache
def small():
    """Return a pipeline of one stage with amounts from 50,000 to 150,000: its futures are drawn in a moment."""
    deals, events = stage_deals("steady", 40)
    amount = 50_000 + 100_000 * uniform(np.arange(len(deals))).round(3)
    return read(
        deals.assign(amount=amount), events, model=custom(["quote", "won"], won_stage="won"), as_of="2026-01-22"
    )


def target_states(rng, n):
    panel = TargetSolver(small(), 5e6)
    for at in range(n):
        entries = float(rng.choice([0, 1, 140, 20_000])) if at % 5 == 0 else float(rng.integers(0, 400))
        revenue = float(rng.choice(panel.spec["grid"]["revenue"])) if at % 7 == 0 else float(rng.uniform(1.25e6, 10e6))
        panel.reset()
        panel.state = {"revenue": revenue} if at % 3 == 0 else {
            "revenue": revenue, "entries": entries, "until": str(rng.choice(panel.spec["dates"])),
            "odds": float(rng.uniform(0.5, 0.95)), "rates": float(rng.choice([0.5, 1, 1.5, rng.uniform(0.5, 1.5)])),
        }  # fmt: skip
        yield panel


def target_expected(panel):
    state, found = panel.state, {"chance": panel.chance}
    found["open"] = panel._chance(state["revenue"], 0.0)
    return found | {"needed": None if np.isnan(panel.needed) else panel.needed}


TARGETS = {
    "target_solver": Case(
        make=lambda: TargetSolver(small(), 5e6), states=target_states, expected=target_expected,
        verb="fk.solve_target", solution={"revenue": 6.25e6}, tolerance=1e-12, space=lambda: {"pipeline": small()},
    ),
}  # fmt: skip
