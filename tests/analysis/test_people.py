"""Review of people: exact limits, mix allowed for, chance never named, true differences found."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.people import _wins_pmf, review_people
from funnelkit.language.errors import DataError
from funnelkit.pipeline import Limit
from funnelkit.result import LimitError
from funnelkit.synth.generate import as_pipeline, synthesize
from tests.support.histories import pipeline
from tests.worlds import named

AS_OF = pd.Timestamp("2025-12-31")
EMPTY = pipeline([], [], stages=("Lead", "Won"))


def team(rng, rates, *, n=40, segment_rates=(0.3,), mix=None, tail="light"):
    """Return deals of people with these odds factors; durations are lognormal (light) or Pareto-like (heavy)."""
    people = np.repeat(np.arange(len(rates)), n if np.ndim(n) else [n] * len(rates))
    share = np.full((len(rates), len(segment_rates)), 1 / len(segment_rates)) if mix is None else np.asarray(mix)
    segment = (rng.random((len(people), 1)) > share[people].cumsum(axis=1)[:, :-1]).sum(axis=1)
    base = np.asarray(segment_rates)[segment]
    odds = base / (1 - base) * np.asarray(rates)[people]
    won = rng.random(len(people)) < odds / (1 + odds)
    size = len(people)
    days = 30 * np.exp(0.6 * rng.standard_normal(size)) if tail == "light" else 12 * rng.pareto(1.3, size) + 1
    born = rng.uniform(0, 1_000, size)
    closed = born + days < 1_000
    first = AS_OF - pd.Timedelta(days=1_000)
    at = [first + pd.to_timedelta(one, unit="D") for one in (born, np.minimum(born + days, 1_000))]
    model = EMPTY.model
    names = np.array([f"D{row}" for row in range(size)])
    deals = pd.DataFrame({
        "deal_id": names, "status": np.where(closed, np.where(won, "won", "lost"), "open"), "created_at": at[0],
        "closed_at": pd.Series(at[1]).where(closed), "amount": 1.0, "owner": [f"P{one:02d}" for one in people],
        "industry": segment.astype(str),
    })  # fmt: skip
    stage = pd.Categorical.from_codes(np.zeros(size, int), categories=model.stage_ids, ordered=True)
    events = pd.DataFrame({"deal_id": names, "stage": stage, "entered_at": at[0], "source": "history"})
    return replace(EMPTY, deals=deals, events=events)


def test_limits_are_exact():
    pmf = _wins_pmf(np.array([3, 2]), np.array([0.5, 0.1]))
    brute = np.zeros(6)
    for outcome in np.ndindex(2, 2, 2, 2, 2):
        brute[sum(outcome)] += np.prod([0.5] * 3) * np.prod([0.1 if one else 0.9 for one in outcome[3:]])
    assert pmf == pytest.approx(brute)
    wide = _wins_pmf(np.array([100]), np.array([0.3]), dispersion=3.0)
    k = np.arange(101)
    assert wide @ k == pytest.approx(30)
    assert wide @ k**2 - 30**2 == pytest.approx(3 * 21, rel=1e-6)


def test_a_true_difference_is_found_and_the_rest_is_not_ranked():
    found = review_people(team(np.random.default_rng(1), [1] * 10 + [4, 0.2], n=150))
    table = found.table.set_index("owner")
    assert table.loc["P10", "verdict"] == "above"
    assert table.loc["P11", "verdict"] == "below"
    assert set(table["verdict"].drop(["P10", "P11"])) == {"no_difference"}
    assert table.index.is_monotonic_increasing  # in order of name, never of rate
    text = found.reading()
    assert "above what their deals lead to expect: P10; below: P11" in text
    assert "高于其商机构成所预期的：P10" in found.reading("zh")
    row = table.loc["P10"]
    assert row["expected"] < row["shrunk"] < row["rate"]
    assert row["far_low"] <= row["limit_low"] < row["expected"] < row["limit_high"] <= row["far_high"] < row["rate"]


def test_mix_explains_what_looks_like_a_difference():
    mix = [[0.9, 0.1]] * 6 + [[0.1, 0.9]] * 6
    world = team(np.random.default_rng(2), [1] * 12, n=200, segment_rates=(0.5, 0.1), mix=mix)
    raw, fair = review_people(world), review_people(world, mix=["industry"])
    assert (raw.table["verdict"] != "no_difference").sum() >= 6
    assert set(fair.table["verdict"]) == {"no_difference"}
    assert "there is no evidence of a difference" in fair.reading()
    assert "没有证据表明 " in fair.reading("zh")
    assert fair.table["expected"].iloc[:6].mean() == pytest.approx(0.46, abs=0.03)


def test_young_deals_do_not_favour_fast_losses():
    """One person began last month: of their deals only the fast have closed, so none counts yet."""
    rng = np.random.default_rng(3)
    world = team(rng, [1] * 6, n=100)
    deals = world.deals.copy()
    young = (deals["owner"] == "P05").to_numpy()
    deals.loc[young, "created_at"] = AS_OF - pd.Timedelta(days=20)
    deals.loc[young, "status"] = np.where(rng.random(young.sum()) < 0.6, "lost", "open")
    deals.loc[young, "closed_at"] = pd.Series(AS_OF - pd.Timedelta(days=5), index=deals.index).where(
        deals["status"] == "lost"
    )[young]
    world = type(world)(world.model, deals, world.events, AS_OF)
    assert "P05" not in set(review_people(world).table["owner"])
    raw = review_people(world, mature_days=0).table.set_index("owner")
    assert raw.loc["P05", "verdict"] == "below"


def test_pace_finds_the_slow():
    world = team(np.random.default_rng(4), [1] * 20, n=60)
    deals = world.deals.copy()
    slow = (deals["owner"] == "P03") & (deals["status"] != "open")
    deals.loc[slow, "closed_at"] = deals["closed_at"] + (deals["closed_at"] - deals["created_at"])
    late = slow & (deals["closed_at"] > AS_OF)
    deals.loc[late, "status"] = "open"
    deals.loc[late, "closed_at"] = pd.NaT
    table = review_people(type(world)(world.model, deals, world.events, AS_OF)).table.set_index("owner")
    assert table.loc["P03", "pace_verdict"] == "below"
    assert table.loc["P03", "pace"] < 0.75
    assert (table["pace_verdict"].drop("P03") == "no_difference").sum() >= 18


def test_overdispersion_widens_the_limits():
    rng = np.random.default_rng(5)
    world = team(rng, np.exp(0.5 * rng.standard_normal(30)), n=200)
    plain, wide = review_people(world), review_people(world, overdispersion=True)
    named = [(result.table["verdict"] != "no_difference").sum() for result in (plain, wide)]
    assert named[0] > named[1]
    assert wide.table["dispersion"].iloc[0] > 2
    assert (wide.table["limit_low"] < plain.table["limit_low"]).all()


def test_few_deals_teams_and_missing_owners():
    world = team(np.random.default_rng(6), [1] * 4, n=[60, 60, 60, 3])
    found = review_people(world)
    assert found.table.set_index("owner").loc["P03", "verdict"] == "too_few"
    assert "P03" in found.reading()
    sample = as_pipeline(synthesize("b2b-8", 7))
    assert len(review_people(sample, by="team", mix=["industry"]).table) == 3
    deals = world.deals.assign(owner=world.deals["owner"].where(world.deals["owner"] != "P00"))
    assert len(review_people(type(world)(world.model, deals, world.events, AS_OF)).table) == 3


def test_refusals():
    world = team(np.random.default_rng(7), [1] * 2)
    with pytest.raises(DataError, match="no column named 'region'"):
        review_people(world, mix=["region"])
    with pytest.raises(DataError, match="smaller mature_days"):
        review_people(world, mature_days=5_000)
    with pytest.raises(LimitError, match="the owner of a deal"):
        review_people(type(world)(world.model, world.deals, world.events, AS_OF, limits=(Limit("no_owner"),)))


def _no_effect(task):
    """Return (any false win verdict, share of people outside the 95% limits, any false pace verdict) of one world."""
    seed, tail = task
    rng = np.random.default_rng([seed, tail == "heavy"])
    mix = rng.dirichlet([1, 1], size=12)
    world = team(rng, [1] * 12, n=rng.integers(10, 90, 12), segment_rates=(0.5, 0.2), mix=mix, tail=tail)
    table = review_people(world, mix=["industry"]).table
    judged = table[table["n_comparable"] >= 5]
    outside = (judged["rate"] < judged["limit_low"]) | (judged["rate"] > judged["limit_high"])
    return (table["verdict"].isin(["above", "below"]).any(), outside.mean(),
            table["pace_verdict"].isin(["above", "below"]).any())  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("tail", ["light", "heavy"])
def test_no_effect_is_not_flagged(tail):
    """Show 5: 2,000 worlds (seeds 1 to 1,000, two tails) of 12 people without any difference; nominal 5% a review."""
    with ProcessPoolExecutor(2) as pool:
        found = np.array(list(pool.map(_no_effect, [(seed, tail) for seed in range(1, 1_001)], chunksize=50)), float)
    wins, outside, pace = found.mean(axis=0)
    print(f"\n{tail} tails, 1,000 reviews without effect: false verdict on wins in {wins:.1%}, on pace in {pace:.1%}; "
          f"{outside:.1%} of people outside the 95% limits")  # fmt: skip
    assert max(wins, outside, pace) <= 0.06


def test_where_too_few_can_be_compared_nobody_is_called_alike():
    made = named("constant").but(per_day=0.2, years=1).pipeline(np.random.default_rng(5))
    owners = [f"P{at:02}" for at in np.arange(len(made.deals)) % 30]
    found = review_people(replace(made, deals=made.deals.assign(owner=owners), limits=()))
    assert set(found.table["verdict"]) == {"too_few"}
    assert "no two have enough deals to be compared" in found.reading("en")
    assert "no evidence of a difference" not in found.reading("en") and "无法评价" in found.reading("zh")
