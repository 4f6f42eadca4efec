"""The card of conversion rules as the tests take it: random logs, many of them searched at once under one rule."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from funnelkit.events import count_events, journeys
from funnelkit.explore import ConversionRules
from funnelkit.explore.conversion_rules import CANCEL, CHOICES, END, FIRST, STEPS

from .case import Case

EVENTS = [*STEPS, *STEPS, CANCEL, "call"]  # steps come more often
CARDS = 40  # that share a rule


def random_log(rng, deals=12):
    """Return deals of up to eight events, no two of a deal on one day; each begins at least once with some step."""
    rows = []
    for deal in range(deals):
        days = np.sort(rng.choice(41, rng.integers(1, 9), replace=False))
        rows += [(f"D{deal:02d}", str(rng.choice(EVENTS)), int(day)) for day in days]
    return pd.DataFrame(rows, columns=["deal_id", "stage", "day"])


def rules_states(rng, n):
    panel, rules = ConversionRules(random_log(rng)), max(4, n // CARDS)
    for at in range(rules):
        state = {name: str(rng.choice(list(options))) for name, options in CHOICES.items()}
        panel.state = state | {"window": float(rng.integers(1, 25)), "order": ["ordered", "strict", "any"][at % 3]}
        yield from together(panel, [random_log(rng) for _ in range(-(-n // rules))])


def together(panel, logs):
    """Yield the card's spec and state for each log, with how deep its deals came: one search for all of them."""
    log = pd.concat(one.assign(deal_id=f"{at}/" + one["deal_id"]) for at, one in enumerate(logs))
    log["entered_at"] = FIRST + pd.to_timedelta(log.pop("day"), unit="D")
    found = journeys(log, STEPS, panel.rule, as_of=END).table
    depth = dict(zip(found["id"], found["depth"].astype(int), strict=True))
    counted = count_events(log, STEPS, panel.rule, as_of=END).table
    reached = [sum(one > at for one in depth.values()) for at in range(len(STEPS))]
    assert counted["n_entered"].tolist() == reached, "both verbs count the same"
    for at, one in enumerate(logs):
        deals = [
            {"id": deal, "events": [[int(day), stage] for day, stage in zip(rows["day"], rows["stage"], strict=True)]}
            for deal, rows in one.groupby("deal_id")
        ]
        spec = {name: panel.spec[name] for name in ("steps", "cancel")} | {"deals": deals}
        yield SimpleNamespace(
            spec=spec, state=panel.state, depths=[depth.get(f"{at}/{deal['id']}", 0) for deal in deals]
        )


def rules_expected(card):
    entered = [sum(one > at for one in card.depths) for at in range(len(STEPS))]
    found = {"depth": card.depths, "entered": entered, "n": entered[-1]}
    return found | {"rate": entered[-1] / entered[0] if entered[0] else None}


RULES = {
    "conversion_rules": Case(
        make=ConversionRules, states=rules_states, expected=rules_expected, verb="fk.count_events",
        solution={"window": 14.0, "reentry": "latest", "exclusion": "keep"},
    ),
}  # fmt: skip
