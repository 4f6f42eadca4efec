"""Back-solving: odds against brute force, verdicts, schedules that add up, plans that come true in the generator."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from funnelkit.forecast.target import Outlook, solve_target
from funnelkit.language import both, day
from funnelkit.language.errors import DataError
from funnelkit.pipeline import Limit
from funnelkit.result import LimitError
from funnelkit.synth.generate import INDUSTRIES, as_pipeline, synthesize
from tests.support.onward import luck, made_with_walk, new_deals, open_spells, run_on

# A steady world: the plan assumes that promotion stays as it was, and spreads entries evenly.
SHARES = (0.3, 0.2, 0.2, 0.3)
STEADY = {
    "change": None, "stall": None, "season": 0.0, "rep_spread": 0.0, "n_accounts": 200,
    "industries": tuple(replace(row, share_start=share, share_end=share)
                        for row, share in zip(INDUSTRIES, SHARES, strict=True)),
}  # fmt: skip


@pytest.fixture(scope="module")
def sample():
    return as_pipeline(synthesize("b2b-8", 7))


@pytest.fixture(scope="module")
def plan(sample):
    return solve_target(sample, 40e6, "2026-12-31")


def test_odds_are_those_of_binomial_wins():
    rng = np.random.default_rng(1)
    win = np.array([[0.0, 0.2, 0.3], [0.0, 0.4, 0.6]])
    view = Outlook(win, np.array([3.0, 0.0, 5.0, 2.0]), np.array([0, 0, 1, 1]), np.zeros((1, 3)), 1)
    mean = ((win[:, 1:] + win[:, :-1]) / 2).mean(axis=1)
    brute = [1.0 if need == 0 else (rng.binomial(20, mean[draw], 400_000) >= need).mean()
             for need, draw in zip(view.needed, view.draw, strict=True)]  # fmt: skip
    assert view.odds(20) == pytest.approx(np.mean(brute), abs=2e-3)
    assert view.odds(0) == 0.25


def test_plan_is_the_fewest_entries_that_reach_the_odds(sample, plan):
    assert plan.verdict == "reachable"
    assert 0.8 <= plan.odds < 0.802
    assert plan.odds_open < 0.3
    more = [solve_target(sample, 40e6, "2026-11-30").entries]
    surer = solve_target(sample, 40e6, "2026-12-31", odds=0.9, with_open=False).entries
    assert min(*more, surer) > plan.entries


def test_rows_and_schedule_add_up(plan):
    assert plan.table["stage"].iloc[0] == "project-initiation"
    assert plan.table["entries"].iloc[0] == pytest.approx(plan.entries)
    assert (np.diff(plan.table["entries"]) < 0).all()
    assert plan.table["per_week"].iloc[0] == pytest.approx(plan.entries / 366 * 7)
    by_stage = plan.schedule.groupby("stage", observed=False)["entries"].sum()
    assert by_stage.iloc[:-1].to_numpy() == pytest.approx(plan.table["entries"].to_numpy())
    first = plan.schedule[plan.schedule["stage"] == "project-initiation"]
    assert first["entries"].iloc[:-1].to_numpy() == pytest.approx(plan.entries / 366 * 7)
    assert plan.schedule["week"].iloc[0] == pd.Timestamp("2025-12-31")
    assert plan.table.loc[0, "k"] <= plan.table.loc[0, "n"]


def test_rates_of_the_plan_are_those_of_the_history(plan):
    ratio = plan.table["entries"].iloc[1] / plan.table["entries"].iloc[0]
    assert 0.85 * 0.73 < ratio < 0.73  # below the rate, for the last entries have not moved on by then


def test_too_late_names_the_latest_start(sample):
    late = solve_target(sample, 30e6, "2026-02-10")
    assert late.verdict == "too_late"
    assert np.isnan(late.entries)
    assert late.latest_start < pd.Timestamp("2025-12-31")
    assert "no longer reachable" in late.reading()
    assert both(lambda: day(late.latest_start)).zh in late.reading("zh")
    assert "已不可能" in late.reading("zh")


def test_open_deals_may_suffice(sample):
    found = solve_target(sample, 1e6, "2026-12-31")
    assert (found.verdict, found.entries) == ("open_suffices", 0.0)
    assert found.odds >= 0.8
    assert "no new deals" in found.reading()


def test_capacity(sample, plan):
    enough = solve_target(sample, 40e6, "2026-12-31", capacity_per_week=3 * plan.entries / 52)
    assert enough.entries == pytest.approx(plan.entries, abs=1)
    assert pd.Timestamp("2026-01-31") < enough.latest_start < plan.latest_start
    short = solve_target(sample, 40e6, "2026-12-31", capacity_per_week=5)
    assert short.verdict == "beyond_capacity"
    assert short.odds < 0.5
    assert pd.isna(short.latest_start)
    assert "5.0 new deals a week" in short.reading()


def test_overload_is_flagged(sample):
    found = solve_target(sample, 60e6, "2026-12-31")
    assert "overloaded" in found.reading()
    assert "超负荷" in found.reading("zh")


@pytest.mark.parametrize(("revenue", "odds", "text"), [
    (0, 0.8, "revenue is 0"), (float("nan"), 0.8, "revenue is nan"), (1e6, 1.0, "odds is 1.0"), (1e6, 0, "odds is 0"),
])  # fmt: skip
def test_targets_that_cannot_be(sample, revenue, odds, text):
    with pytest.raises(DataError, match=text):
        solve_target(sample, revenue, "2026-12-31", odds=odds)


def test_refusals(sample):
    with pytest.raises(DataError, match="no column named 'shire'"):
        solve_target(sample, 1e6, "2026-12-31", by="shire")
    with pytest.raises(DataError, match="is not ahead"):
        solve_target(sample, 1e6, "2025-01-01")
    with pytest.raises(LimitError, match="back-solving"):
        solve_target(replace(sample, limits=(Limit("no_amount"),)), 1e6, "2026-12-31")
    with pytest.raises(DataError, match="no won deal has an amount above 0"):
        solve_target(replace(sample, deals=sample.deals.assign(amount=0.0)), 1e6, "2026-12-31")


FIRST, LAST = "2026-01-01", "2026-09-30"
RUNS = 200  # of the open deals of one plan


def _new_deals(seed):
    """Return what each of 100,000 deals that begin evenly from FIRST to LAST has brought by then."""
    rng = np.random.default_rng([seed, 5])
    amount, won = new_deals(rng, n_deals=100_000, start=FIRST, end="2026-10-01", **STEADY)
    return rng.permutation(amount * won)


@pytest.fixture(scope="module")
def pool_of_deals():
    with ProcessPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(_new_deals, range(100))))


def _plans(task):
    """Return entries for 80% and for 50%, what the open deals then bring in RUNS runs, luck of one history."""
    seed, n_deals, target, with_open = task
    rng = np.random.default_rng([seed, 7])
    made, law, walk = made_with_walk(rng, n_deals=n_deals, start="2023-01-01", end="2026-10-01", **STEADY)
    past = made.at(FIRST)
    options = {"with_open": with_open, "by": "industry" if with_open else None, "rng": rng}
    with patch("funnelkit.forecast.outlook.DRAWS", 100):  # the odds are a mean over the draws; a fifth of them is quick
        entries = [solve_target(past, target, LAST, odds=odds, **options).entries for odds in (0.8, 0.5)]
    if not with_open:
        return entries, np.zeros(1), luck(walk)
    spells = open_spells(walk, law.day(FIRST))
    won = run_on(law, walk, spells, law.day(FIRST), RUNS, rng)
    return entries, np.sort(made.deals["amount"].to_numpy()[spells["deal"]] @ won), luck(walk)


@pytest.mark.slow
@pytest.mark.parametrize(("n_deals", "target", "with_open", "seeds"), [
    (25_000, 20e6, False, 30), (5_000, 20e6, False, 100), (5_000, 65e6, True, 120),
])  # fmt: skip
def test_plans_reach_the_target_with_the_stated_odds(pool_of_deals, n_deals, target, with_open, seeds):
    """Show 7: plans from `seeds` histories (seeds from 1) of three years, each run by `synth`; +- 2 points.

    Generated deals are independent, so 10 million new deals dealt out at random are thousands of runs of each plan;
    each meets every one of the RUNS runs of the plan's open deals. Plans are too high or low by the luck of their
    histories, whose mean is known to be 0: what it explains is taken out of the reached odds (control variates).
    Industries of this world differ in size and odds: without `by` the open deals bring 5% more than said.
    """
    with ProcessPoolExecutor(2) as pool:
        tasks = [(seed, n_deals, target, with_open) for seed in range(1, seeds + 1)]
        plans, brought, lucky = zip(*pool.map(_plans, tasks), strict=True)
    for odds, entries in zip((0.8, 0.5), np.array(plans, int).T, strict=True):
        runs = [pool_of_deals[: len(pool_of_deals) // n * n].reshape(-1, n).sum(axis=1) for n in entries]
        reached = np.array([1 - np.searchsorted(own, target - run).mean() / len(own)
                            for run, own in zip(runs, brought, strict=True)])  # fmt: skip
        mean, error = _without_luck(reached, np.array(lucky))
        print(f"\nodds {odds:.0%}, histories of {n_deals:,} deals, open deals counted: {with_open}: reached in "
              f"{mean:.1%} (standard error {error:.1%}; before luck is taken out {reached.mean():.1%}, between plans "
              f"{reached.std():.1%}) of {sum(map(len, runs)):,} runs of {seeds} plans")  # fmt: skip
        assert abs(mean - odds) <= 0.02


def _without_luck(values, luck):
    """Return (mean, its standard error) of values at a luck of 0, by least squares."""
    terms = np.c_[np.ones(len(luck)), luck]
    slopes = np.linalg.lstsq(terms, values, rcond=None)[0]
    rest = values - terms @ slopes
    variance = rest @ rest / (len(terms) - terms.shape[1]) * np.linalg.inv(terms.T @ terms)[0, 0]
    return slopes[0], np.sqrt(variance)
