"""The explorables as the tests take them: how each is made, random states, what Python finds there, a solution."""

import numpy as np
import pandas as pd

from funnelkit.explore import Allocation, Cascade, InfluenceLoop, MixAndRate, PositioningMap, WhatIf
from funnelkit.explore.allocation import TRIES
from funnelkit.models import funnel

from .case import Case, whatever
from .cases_of_chance import CHANCE
from .cases_of_rules import RULES
from .cases_of_targets import TARGETS

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
        if at % 2:  # costs that differ, some of them alike
            panel.state = {f"cost{place}": float(rng.choice([0.5, 1.0, 2.5])) for place in range(len(levels))}
        yield panel


def cascade_expected(panel):
    table = panel.table
    levels = table[table["point"].isin(list(panel.rates))]
    found = {name: whatever(levels[name].astype(float)) for name in ("ratio", "count", "remaining", "sales")}
    weakest = panel.weakest.table
    found |= {name: whatever(weakest[name].astype(float)) for name in ("loss", "gain_sales")}
    if len({panel.state[f"cost{at}"] for at in range(len(levels))}) > 1:
        found["gain_per_cost"] = whatever(weakest["gain_per_cost"])
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


# --- allocation of hours ---------------------------------------------------------------------------------------------

STATES = pd.DataFrame({
    "state": ["search", "in-funnel", "best"], "n_open": [73, 106, 6], "n_valued": [73, 100, 6],
    "value_open": [44.0e6, 78.0e6, 3.0e6], "win_probability": [0.08, 0.16, 0.67],
    "win_probability_after": [0.16, 0.67, 0.86], "cost": [40.0, 24.0, 16.0],
})  # fmt: skip


def allocation_states(rng, n):
    for at in range(n):
        rows = int(rng.integers(1, 6))
        table = pd.DataFrame({
            "state": [f"s{place}" for place in range(rows)], "n_open": rng.integers(0, 200, rows),
            "n_valued": rng.integers(0, 3, rows), "value_open": rng.uniform(0, 1e7, rows),
            "win_probability": rng.random(rows), "win_probability_after": rng.random(rows),
            "cost": rng.uniform(1, 90, rows),
        })  # fmt: skip
        if at % 3 == 0:  # ties in the gain, a budget larger than usable
            table[["value_open", "n_valued", "cost"]] = [1e6, 1, 20.0]
            table[["win_probability", "win_probability_after"]] = [0.25, 0.5]
        panel = Allocation(table, float(rng.choice([0, 500, 3000, 1e7])))
        panel.state = {f"hours{place}": float(rng.uniform(0, 2000)) for place in range(rows)}
        if at % 2:
            for name in TRIES[: rng.integers(0, 4)]:
                panel.state = {name: float(rng.choice([0.0, 0.5, 0.949, 0.95, 1.0]))}
        yield panel


def allocation_expected(panel):
    own, best = panel.table, panel.best.table
    found = {"gain": own["gain_per_unit"], "given": own["hours"], "value": own["value_won_more"]}
    found |= {"n_pushed": own["n_pushed"], "best": best["hours"], "best_value": best["value_won_more"]}
    return {name: whatever(value) for name, value in found.items()}


# --- perceptual map --------------------------------------------------------------------------------------------------

RATINGS = pd.DataFrame({
    "product": ["Ours", "Rival A", "Rival B", "Rival C"], "safety": [7.8, 6.1, 8.3, 5.0],
    "performance": [7.2, 7.6, 6.0, 5.5], "appearance": [5.3, 8.4, 6.2, 6.0], "convenience": [8.5, 4.4, 5.9, 5.1],
    "economy": [4.6, 3.9, 5.5, 8.6],
})  # fmt: skip


def map_states(rng, n):
    """Every other card has a product of ours, whose ratings move; there are few of these: each seeks a challenge."""
    own = []
    for at in range(n):
        shape = int(rng.integers(4, 10)), int(rng.integers(3, 9))
        table = pd.DataFrame(rng.uniform(1, 10, shape).round(2), columns=[f"a{at}" for at in range(shape[1])])
        table = table.assign(product=[f"p{at}" for at in range(shape[0])])
        if at % 2 and len(own) < max(n // 50, 2):
            own.append(PositioningMap(table, ours="p1"))
        panel = own[at // 2 % len(own)] if at % 2 else PositioningMap(table)
        panel.reset()
        panel.state = {need: float(rng.uniform(0.5, 10)) for need in panel.state if need.startswith("need")}
        panel.state = {
            ours: float(rng.uniform(0, 10)) for ours in panel.state if ours.startswith("ours") and at % 4 == 1
        }
        yield panel


def map_expected(panel):
    found = panel.result
    table = found.table
    products, arrows = (table[table["kind"] == kind] for kind in ("product", "attribute"))
    places = {"x": products["x"], "y": products["y"], "arrow_x": arrows["x"], "arrow_y": arrows["y"]}
    sizes = np.sqrt(found.explained[:3])
    if len(sizes) == 3 and min(-np.diff(sizes)) < 1e-3:
        places = {}  # components of one size are free to turn
    needs = {"needs": table.loc[table["kind"] == "needs", ["x", "y"]]} if places else {}
    rest = {"score": products["score"], "weight": arrows["weight"], "explained": found.explained}
    return {name: whatever(value) for name, value in {**places, **needs, **rest}.items()}


# --- mix and rate ----------------------------------------------------------------------------------------------------


def mix_states(rng, n):
    for _ in range(n):
        groups = int(rng.integers(2, 4))
        frame = pd.DataFrame({"group": list("abc")[:groups], "k": 1.0, "n": 10.0})
        panel = MixAndRate(frame, frame)
        state = {f"n_{when}{at}": float(rng.integers(1, 5000)) for when in ("before", "after") for at in range(groups)}
        rates = {f"rate_{when}{at}": float(rng.random()) for when in ("before", "after") for at in range(groups)}
        panel.state = state | rates
        yield panel


def mix_expected(panel):
    found = panel.result
    change = dict(zip(found.table["part"], found.table["change"], strict=True))
    names = found.segments
    return {"mix": change["mix"], "rate": change["rate"], "share_before": whatever(names["share_before"]),
            "share_after": whatever(names["share_after"])}  # fmt: skip


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
    "allocation": Case(
        make=lambda: Allocation(STATES, 3000.0, model=funnel("industrial-8"), currency="CNY"),
        states=allocation_states, expected=allocation_expected, verb="fk.allocate",
        solution={"hours0": 0.0, "hours1": 2530.0, "hours2": 96.0},
    ),
    "positioning_map": Case(
        make=lambda: PositioningMap(RATINGS, {"economy": 4.0, "appearance": 4.0, "convenience": 1.0}, ours="Ours"),
        states=map_states, expected=map_expected, verb="fk.perceptual_map", solution={"need3": 5.0}, tolerance=1e-9,
    ),
    "mix_and_rate": Case(
        make=MixAndRate, states=mix_states, expected=mix_expected, verb="fk.split_change",
        solution={"n_after0": 500.0, "n_after1": 500.0}, tolerance=1e-12,
    ),
}  # fmt: skip

CASES |= CHANCE | RULES | TARGETS
