"""The explorables of chance and time as the tests take them."""

import numpy as np

from funnelkit.explore import SignalOrNoise, SmallSample, StuckOrSlow, YoungCohorts
from funnelkit.explore.stuck_or_slow import _found

from .case import Case, whatever

# --- small sample ----------------------------------------------------------------------------------------------------


def sample_states(rng, n):
    panel = SmallSample()
    for at in range(n):
        most = 3.7 if at % 20 == 0 else 2.5  # a few of the largest are enough
        rate = float(rng.choice([0.0, 1.0, 0.3])) if at % 5 == 0 else float(rng.random())
        size = float(rng.choice([320.0, 319.0, 400.0])) if at % 10 == 0 else float(round(10 ** rng.uniform(0.7, most)))
        panel.state = {"n": min(max(size, 5.0), 5000.0), "rate": rate, "draw": float(rng.integers(1, 201))}
        yield panel


def sample_expected(panel):
    samples = panel.samples
    found = {name: whatever(samples[name]) for name in ("k", "rate", "low", "high")}
    assert panel.result.table["k"].tolist() == samples["k"].head(10).tolist()
    return found | {"missed": samples["missed"].tolist(), "n_missed": int(samples["missed"].sum())}


# --- young cohorts ---------------------------------------------------------------------------------------------------


def cohort_states(rng, n):
    panel, days = YoungCohorts(), rng.integers(120, 821, max(n // 25, 3))
    for at in range(n):
        day = int(days[at % len(days)])
        panel.state = {"data": "AB"[day % 2], "day": float(day), "window": float(rng.integers(30, 241))}
        if at % 40 == 7:
            panel.state = {"day": 728.0, "window": 90.0}
        yield panel


QUARTERS = {}  # of a data set and day; nothing else moves them


def cohort_expected(panel):
    key = panel.state["data"], panel.state["day"]
    if key not in QUARTERS:
        QUARTERS[key] = panel.result.table
    found = {
        name: whatever(QUARTERS[key][column]) for name, column in (("q_n", "n"), ("q_open", "n_open"), ("q_raw", "raw"))
    }
    for name in ("months", "parts"):
        table = getattr(panel, name)
        found |= {f"{name}_{column}": whatever(table[column].astype(float)) for column in table}
    return found


# --- signal or noise -------------------------------------------------------------------------------------------------


def signal_states(rng, n):
    panel = SignalOrNoise()
    for at in range(n):
        size = float(rng.choice([0.0, 0.09, 0.1, 0.11])) if at % 4 == 0 else float(rng.uniform(0, 0.3))
        drawn = {"n": float(round(10 ** rng.uniform(1, 2 if at % 9 else 2.6))), "rate": float(rng.uniform(0.05, 0.95))}
        free = {} if at % 4 == 0 else {**drawn, "months": float(rng.integers(2, 13))}
        panel.reset()
        panel.state = {"size": size, "round": float(rng.integers(1, 41)), **free}
        yield panel


def signal_expected(panel):
    months, rounds, change = panel.monthly, panel.rounds, panel.change
    if panel.state["round"] == 1:
        assert panel.result.table["k"].tolist() == months["k"].tolist()
    named = {"won": months["k"], "rate": months["rate"], "low": months["low"], "high": months["high"]}
    found = {name: whatever(values) for name, values in named.items()}
    found |= {name: rounds[name].tolist() for name in rounds}
    return found | {"contrast": {name: float(value) for name, value in change.items()}}


# --- stuck or slow ---------------------------------------------------------------------------------------------------


def stuck_states(rng, n):
    """Few ages of our deal, each with many shares: the verb learns its stage anew for every age."""
    panel, pairs = StuckOrSlow(), [("steady", 59), ("scattered", 140), ("steady", 40)]
    while len(pairs) < max(n // 170, 3):
        pairs.append((str(rng.choice(["steady", "scattered"])), int(rng.integers(1, 201))))
    for at in range(n):
        stage, age = pairs[at % len(pairs)]
        share = 0.05 if at < 2 * len(pairs) else round(float(rng.uniform(0.01, 0.5)), 3)
        panel.state = {"stage": stage, "age": float(age), "false_share": share}
        yield panel


def stuck_expected(panel):
    """The verb's rows at a share of 5 %; at another the same q-values name those below it."""
    stage, age, share = (panel.state[name] for name in ("stage", "age", "false_share"))
    table = _found(stage, age, 0.05).table.set_index("deal_id").loc[[*panel.spec["stages"][stage]["ids"], "ours"]]
    wait = (table["act_by"] - panel.pipeline.as_of).dt.days
    calm = np.select([wait <= 0, wait <= 14], ["late", "soon"], "in_time")
    states = np.where(table["q_value"] <= share, "stuck", calm).tolist()
    assert share != 0.05 or states == table["state"].tolist()
    named = {"still_here": "still_here", "p": "p_value", "q": "q_value", "ages": "age_days"}
    return {name: whatever(table[column]) for name, column in named.items()} | {"states": states}


CHANCE = {
    "stuck_or_slow": Case(
        make=StuckOrSlow, states=stuck_states, expected=stuck_expected, verb="fk.stuck_deals", solution={"age": 59.0},
    ),
    "signal_or_noise": Case(
        make=SignalOrNoise, states=signal_states, expected=signal_expected, verb="fk.win_rate", solution={"size": 0.1},
        tolerance=1e-14,
    ),
    "small_sample": Case(
        make=SmallSample, states=sample_states, expected=sample_expected, verb="fk.win_rate", solution={"n": 320.0},
    ),
    "young_cohorts": Case(
        make=YoungCohorts, states=cohort_states, expected=cohort_expected, verb="fk.compare_cohorts",
        solution={"day": 728.0},
    ),
}  # fmt: skip
