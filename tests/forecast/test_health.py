"""Health: a full or empty funnel, a stalled stage, and quiet where nothing happened."""

import numpy as np
import pytest

from funnelkit.forecast.health import health
from funnelkit.pipeline import Limit
from funnelkit.result import LimitError
from funnelkit.synth.generate import as_pipeline, synthesize


@pytest.fixture(scope="module")
def sample():
    return as_pipeline(synthesize("b2b-8", 7))


def test_the_stall_of_the_sample_is_found(sample):
    found = health(sample, 20e6, "2026-03-31")
    flow = found.table[found.table["condition"] == "flow"].set_index("stage")
    assert flow.loc["solution-confirmed", "verdict"] == "slower"
    assert flow.loc["solution-confirmed", "figure"] < 0.35  # spells last four times as long
    others = flow[flow.index.notna()].drop("solution-confirmed")
    assert set(others["verdict"]) == {"moving"}
    assert "Deals are held up in Solution confirmed." in found.reading()
    assert "商机滞留于“方案确认”。" in found.reading("zh")


@pytest.mark.parametrize(("revenue", "verdict"), [(1e6, "enough"), (7e6, "uncertain"), (30e6, "short")])
def test_volume_follows_the_odds(sample, revenue, verdict):
    row = health(sample, revenue, "2026-03-31", rng=np.random.default_rng(1)).table.iloc[0]
    assert row["n"] == 185
    open_value = sample.deals.loc[sample.deals["status"] == "open", "amount"].sum()
    assert row["figure"] == pytest.approx(open_value / revenue)
    sure = row["p_reached"] >= 0.8, row["p_reached"] < 0.5
    assert row["verdict"] == ("enough" if sure[0] else "short" if sure[1] else "uncertain")
    if verdict != "uncertain":
        assert row["verdict"] == verdict
    assert (row["figure"] >= row["needed"]) == sure[0]
    assert np.isnan(row["low"])


def test_verdict_on_both_conditions():
    steady = as_pipeline(synthesize("b2b-8", 5, n_deals=4_000, change=None, stall=None))
    both = health(steady, 1e6, "2026-03-31")
    assert both.reading().endswith("Both conditions hold.")
    assert both.reading("zh").endswith("两个条件都满足。")
    empty = health(steady, 1e9, "2026-03-31").reading()
    assert empty.endswith("widen the top or raise the closing rate.")


def test_few_deals_are_not_judged():
    small = as_pipeline(synthesize("b2b-8", 5, n_deals=120, change=None, stall=None))
    table = health(small, 1e6, "2026-03-31").table
    assert "too_few" in set(table["verdict"])


def test_refuses_without_amounts(sample):
    limited = type(sample)(sample.model, sample.deals, sample.events, sample.as_of, limits=(Limit("no_amount"),))
    with pytest.raises(LimitError, match="the health check"):
        health(limited, 1e6, "2026-03-31")


@pytest.mark.slow
def test_flow_gives_few_false_alarms():
    """100 steady histories (seeds 1 to 100): "slower" for all stages, and for any one stage, at most 1 in 20 + 3."""
    alarms = []
    for seed in range(1, 101):
        steady = as_pipeline(synthesize("b2b-8", seed, change=None, stall=None))
        flow = health(steady, 1e6, "2026-02-28").table.iloc[1:]
        named = flow["verdict"].isin(["slower", "faster"])
        alarms.append((named.iloc[0], named.iloc[1:].any()))
    rate = np.mean(alarms, axis=0)
    print(f"\nflow, 100 steady histories: false alarms for all stages {rate[0]:.1%}, for any stage {rate[1]:.1%}")
    assert (rate <= 0.05 + 0.03).all()
