"""Histories for tests: hand-made pipelines, and random synthetic ones whose settings follow from a seed."""

import numpy as np
import pandas as pd

from funnelkit.models.funnel import custom, funnel
from funnelkit.pipeline import Pipeline
from funnelkit.synth.generate import Change, Stall, as_pipeline, synthesize

MODEL = funnel("industrial-8")
WORKING = MODEL.stage_ids[:-1]


def pipeline(deals, events, stages=("Lead", "Offer", "Won"), as_of="2025-12-31", **options):
    """Return a Pipeline from rows (deal_id, status, created_at, closed_at, amount) and (deal_id, stage, entered_at)."""
    model = custom(list(stages), won_stage=stages[-1])
    columns = ["deal_id", "status", "created_at", "closed_at", "amount"]
    table = pd.DataFrame(deals, columns=columns).assign(owner="A", account="X", currency="CNY", expected_close=pd.NaT)
    for name in ("created_at", "closed_at", "expected_close"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[us]")
    log = pd.DataFrame(events, columns=["deal_id", "stage", "entered_at"]).assign(source="history")
    log["stage"] = pd.Categorical(log["stage"], categories=model.stage_ids, ordered=True)
    log["entered_at"] = pd.to_datetime(log["entered_at"]).astype("datetime64[us]")
    return Pipeline(model, table.assign(lost_reason=None), log, pd.Timestamp(as_of), **options)


def random_settings(seed):
    """Return the settings of one history: rates, durations, size, season, and in half of them a change and a stall."""
    rng = np.random.default_rng([seed, 99])
    odds = {stage: MODEL.stage(stage).rate for stage in WORKING}
    odds = {stage: rate / (1 - rate) * np.exp(rng.normal(0, 0.25)) for stage, rate in odds.items()}
    rates = {stage: float(ratio / (1 + ratio)) for stage, ratio in odds.items()}
    days = {stage: float(MODEL.stage(stage).duration_days * np.exp(rng.normal(0, 0.3))) for stage in WORKING}
    dates = [str(np.datetime64("2023-01-01") + int(day)) for day in rng.integers(0, 1000, size=2)]
    where = [WORKING[place] for place in rng.integers(len(WORKING), size=2)]
    rate = float(np.clip(rates[where[0]] * rng.uniform(0.65, 1.2), 0.05, 0.95))
    change = Change(where[0], dates[0], rate) if rng.random() < 0.5 else None
    stall = Stall(where[1], dates[1], float(rng.uniform(1.5, 4))) if rng.random() < 0.5 else None
    return {
        "start": "2022-01-01", "end": "2026-01-01", "n_deals": int(rng.integers(2000, 8000)), "rates": rates,
        "duration_days": days, "change": change, "stall": stall, "spread": float(rng.uniform(0.4, 0.9)),
        "season": float(rng.uniform(0, 0.3)),
    }  # fmt: skip


def random_history(seed):
    """Return the Pipeline of one history: four years to the end of 2025."""
    return as_pipeline(synthesize("b2b-8", np.random.default_rng(seed), **random_settings(seed)))
