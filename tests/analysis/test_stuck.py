from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.stuck import FALSE_SHARE, q_values, stuck_deals
from funnelkit.language.errors import DataError
from funnelkit.pipeline import Limit
from funnelkit.reading.read import read
from funnelkit.result import LimitError
from funnelkit.stats.tails import expected_open, fit, snapshot_chance
from funnelkit.synth.generate import Stall, synthesize
from tests.worlds import World, draw

MAVEN = Path(__file__).parents[3] / "shared" / "data" / "maven_crm"
TAILS = {
    "light (Weibull, shape 2)": lambda rng, n: 30 * rng.weibull(2, n),
    "light (gamma, shape 3)": lambda rng, n: rng.gamma(3, 10, n),
    "heavy (lognormal, 1.2)": lambda rng, n: 20 * np.exp(1.2 * rng.standard_normal(n)),
    "heavy (log-logistic, 1.5)": lambda rng, n: 20 * (1 / rng.random(n) - 1) ** (1 / 1.5),
}


def named(rng, draw, n, planted=0.0):
    """Return (named, truly stuck) of the deals open at the end of two years of one stage."""
    ages, days = rng.uniform(0, 730, n), draw(rng, n)
    stuck = rng.random(n) < planted
    ended = ~stuck & (days <= ages)
    families = fit(np.where(ended, days, ages), ended)
    p_values = snapshot_chance(families, ages[~ended], ages)
    return q_values(p_values, expected_open(families, ages)[0][0]) <= FALSE_SHARE, stuck[~ended]


@pytest.mark.slow
@pytest.mark.parametrize("tail", TAILS)
def test_false_flags_stay_within_the_promise(tail, capsys):
    rng, runs, n = np.random.default_rng(1), 2000, 300
    flags = [named(rng, TAILS[tail], n)[0] for _ in range(runs)]
    family, share = np.mean([flag.any() for flag in flags]), np.concatenate(flags).mean()
    with capsys.disabled():
        print(
            f"\nNothing stuck, {tail}, n = {n}: any flag in {family:.4f} of 2,000 runs, {share:.4f} of deals (seed 1)"
        )
    assert family <= FALSE_SHARE + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("tail", TAILS)
def test_planted_deals_are_found_and_the_list_stays_clean(tail, capsys):
    rng, false, found, planted = np.random.default_rng(2), [], 0, 0
    for _ in range(300):
        flag, stuck = named(rng, TAILS[tail], 500, planted=0.03)
        false.append((flag & ~stuck).sum() / max(flag.sum(), 1))
        found, planted = found + (flag & stuck).sum(), planted + stuck.sum()
    with capsys.disabled():
        print(f"\n3% stuck, {tail}: {found / planted:.2f} found, false share {np.mean(false):.4f} (300 runs, seed 2)")
    assert np.mean(false) <= FALSE_SHARE + 0.01
    assert found / planted > (0.5 if tail.startswith("light") else 0)


def snapshot(world, rng):
    """Return (named, stopped for ever) of the deals open at the end of a world's records, all stages as one family."""
    lives, now = draw(world, rng), float(world.days)
    p_values, expected, stopped = [], 0.0, []
    for stage in range(len(world.advance)):
        begun = lives["entered"][:, stage] <= now
        start, onward = lives["entered"][begun, stage], lives["entered"][begun, stage + 1]
        end = np.where(np.isnan(onward), lives["closed"][begun], onward)
        ended, ages = end <= now, now - start
        families = fit(np.where(ended, end - start, ages), ended)
        p_values.append(snapshot_chance(families, ages[~ended], ages))
        expected += expected_open(families, ages)[0][0]
        stopped.append(np.isinf(end[~ended]))
    return q_values(np.concatenate(p_values), expected) <= FALSE_SHARE, np.concatenate(stopped)


SHAPES_AND_INTAKES = [(shape, per_day) for shape in (0.7, 1.0, 1.5, 3.0) for per_day in (2.0, 8.0)]


@pytest.mark.parametrize("runs", [10, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("shape", "per_day"), SHAPES_AND_INTAKES)
def test_where_nothing_is_stuck_nobody_is_named(shape, per_day, runs, capsys):
    if runs == 10 and per_day == 8.0:
        pytest.skip("the slow version looks at all")
    rng, world = np.random.default_rng(11), World(shape=shape, per_day=per_day)
    hits = [snapshot(world, rng)[0].any() for _ in range(runs)]
    error = np.sqrt(0.07 * 0.93 / runs)
    with capsys.disabled():
        print(f"\nNothing stuck, gamma {shape}, {per_day:.0f} a day: somebody named in {sum(hits)} of {runs} snapshots "
              f"(standard error {error:.3f})")  # fmt: skip
    assert np.mean(hits) <= 0.07 + 2 * error


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "per_day"), SHAPES_AND_INTAKES)
def test_deals_that_stopped_for_ever_are_found(shape, per_day, capsys):
    rng, runs, found, false = np.random.default_rng(12), 20, [], []
    for _ in range(runs):
        flag, stopped = snapshot(World(shape=shape, per_day=per_day, zombie=0.15), rng)
        found.append((flag & stopped).sum() / stopped.sum())
        false.append((flag & ~stopped).sum() / max(flag.sum(), 1))
    with capsys.disabled():
        errors = [np.std(part) / np.sqrt(runs) for part in (found, false)]
        print(
            f"\n15 % zombies, gamma {shape}, {per_day:.0f} a day: {np.mean(found):.3f} +- {errors[0]:.3f} found, ",
            end="",
        )
        print(f"false share {np.mean(false):.4f} +- {errors[1]:.4f} ({runs} snapshots)")
    assert np.mean(found) >= 0.7
    assert np.mean(false) <= FALSE_SHARE


def sample(rng, **settings):
    made = synthesize(rng=rng, change=None, **settings)
    return read(made.deals, made.events, model=made.model, as_of=made.as_of)


def test_no_effect_no_flag_but_a_list_in_time():
    found = stuck_deals(sample(7, stall=None))
    assert not (found.table["state"] == "stuck").any()
    assert found.reading().startswith("No evidence that any") and "停滞的证据" in found.reading("zh")
    late, soon = (found.table[found.table["state"] == state] for state in ("late", "soon"))
    assert 0.05 < (len(late) + len(soon)) / len(found.table) < 0.45
    assert (soon["act_by"] >= found.table["entered_at"].max().normalize()).all()


def test_planted_stuck_deals_are_found_with_their_value():
    pipeline = sample(7, stall=None)
    # Deals that were lost within weeks, a year ago, never left instead: nobody closed them.
    lost = pipeline.deals[(pipeline.deals["status"] == "lost") & (pipeline.deals["closed_at"] < "2025-01-01")]
    ids = lost["deal_id"].iloc[::60]
    deals = pipeline.deals.copy()
    planted = deals["deal_id"].isin(ids)
    deals.loc[planted, "status"] = "open"
    deals["closed_at"] = deals["closed_at"].mask(planted)
    found = stuck_deals(replace(pipeline, deals=deals))
    flagged = found.table[found.table["state"] == "stuck"]
    assert len(flagged) >= 0.9 * len(ids) and flagged["deal_id"].isin(ids).mean() >= 0.95
    assert f"{flagged['amount'].sum():,.0f}" in found.reading() and "风险金额" in found.reading("zh")


def test_a_stage_that_slowed_down_is_named_as_the_bottleneck():
    pipeline = sample(7, stall=Stall(date="2025-06-01", factor=6.0))
    found = stuck_deals(pipeline, since="2025-06-01")
    assert found.reading().startswith("Bottleneck:") and "Solution confirmed" in found.sentences()[0]
    assert "No evidence" not in found.reading() and "none of the" in found.sentences()[1]
    stalled = found.findings[0]
    assert (stalled.kind, stalled.subject) == ("slower", "solution-confirmed") and stalled.found > 2 * stalled.usual
    assert stalled.amount > 0 and stalled.evidence < 0.01
    assert "Bottleneck" not in stuck_deals(sample(7, stall=None), since="2025-06-01").reading()


def test_segments_with_too_few_exits_learn_from_the_whole_stage():
    pipeline = sample(5, stall=None, n_deals=600)
    by_owner = stuck_deals(pipeline, by="owner").table
    assert "owner" in by_owner.columns and (by_owner["n_left"] >= 30).mean() > 0.5


def test_few_exits_are_not_judged():
    found = stuck_deals(sample(3, stall=None, n_deals=60))
    assert (found.table["state"] == "too_few").any()
    assert "cannot be judged" in found.reading()


def test_maven_says_what_nothing_shows():
    if not MAVEN.exists():
        pytest.skip("needs the maven_crm data of the shared folder")
    found = stuck_deals(read(MAVEN / "sales_pipeline.csv", as_of="2017-12-31"))
    assert len(found.table) == 1589 and found.table["older_than_any"].sum() == 1291
    longer = "longer than any deal that ever left it, or in the funnel longer than any deal that ever closed"
    assert f"1,291 open deals have been in their stage {longer}" in found.reading()


def test_refusals():
    pipeline = sample(3, stall=None, n_deals=60)
    with pytest.raises(LimitError, match="stuck deals cannot be derived"):
        stuck_deals(replace(pipeline, limits=(Limit("no_history"),)))
    with pytest.raises(DataError, match="no open deal"):
        stuck_deals(replace(pipeline, deals=pipeline.deals.assign(status="lost", closed_at=pipeline.as_of)))


def company(n, days):
    """Return a small company: `n` deals left the first stage after `days`, one is still there."""
    entered = pd.Timestamp("2026-01-01") + pd.to_timedelta(range(n), unit="D")
    left = [day + pd.Timedelta(days=days) for day in entered]
    rows = [(f"d{i}", "Lead", day) for i, day in enumerate(entered)]
    rows += [(f"d{i}", "Offer", day) for i, day in enumerate(left)] + [("late", "Lead", pd.Timestamp("2026-01-02"))]
    log = pd.DataFrame(rows, columns=["deal_id", "stage", "entered_at"])
    return read(log, stages=["Lead", "Offer", "Won"], as_of="2026-06-30")


@pytest.mark.parametrize(("n", "days"), [(6, 3), (60, 0)], ids=["few have left", "all left on the day they came"])
def test_where_nothing_can_be_learnt_nobody_is_judged(n, days):
    found = stuck_deals(company(n, days))
    assert found.table["p_value"].isna().all() and not (found.table["state"] == "stuck").any()
    assert "cannot be judged" in found.reading()
