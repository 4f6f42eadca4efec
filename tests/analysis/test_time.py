import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.cohorts import compare_cohorts
from funnelkit.analysis.stays import EXITS
from funnelkit.analysis.time import _stay_row, outcome_curves, promotion_cycle, time_in_stage
from funnelkit.language.errors import DataError
from funnelkit.pipeline import Limit
from funnelkit.reading.read import read
from funnelkit.result import LimitError
from funnelkit.synth.generate import synthesize

MAVEN = Path(__file__).parents[3] / "shared" / "data" / "maven_crm"


@pytest.fixture(scope="module")
def sample():
    made = synthesize(rng=7, change=None, stall=None, n_deals=4000)
    return made, read(made.deals, made.events, model=made.model, as_of=made.as_of)


@pytest.fixture(scope="module")
def maven():
    if not MAVEN.exists():
        pytest.skip("needs the maven_crm data of the shared folder")
    return read(MAVEN / "sales_pipeline.csv", as_of="2017-12-31")


def constant(rng, n=6000):
    """Deals of two years whose chance to be won is 30% for all; a win takes 60 days on average, a loss 40."""
    created = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 730, n)), unit="D")
    won = rng.random(n) < 0.3
    days = np.ceil(np.where(won, rng.gamma(3, 20, n), rng.gamma(2, 20, n)))
    closed = created + pd.to_timedelta(days, unit="D")
    end = pd.Timestamp("2025-12-31")
    done = closed <= end
    stage = np.where(done, np.where(won, "Won", "Lost"), "Lead")
    table = pd.DataFrame({"id": np.arange(n).astype(str), "stage": stage, "created_at": created})
    return read(table.assign(closed_at=pd.Series(closed).where(done)), stages=["Lead", "Won"], as_of=end)


def test_maven_as_its_reference_without_delayed_entry(maven, capsys):
    expected = json.loads((MAVEN / "reference.json").read_text())["cumulative_incidence_days"]
    ages = (30, 60, 90, 120)
    plain = outcome_curves(maven, delayed_entry=False).at(*ages).set_index("days")
    default = outcome_curves(maven).at(*ages).set_index("days")
    with capsys.disabled():
        print("\nmaven_crm, won / lost / open, without and with delayed entry (the default):")
    for age in ages:
        row, truth = plain.loc[age], expected[str(age)]
        found = tuple(row[["won", "lost", "open"]])
        assert found == pytest.approx((truth["cif_won"], truth["cif_lost"], truth["still_open"]), abs=1e-6)
        with capsys.disabled():
            print(
                f"  {age:3d} days:", np.round(found, 6), np.round(default.loc[age, ["won", "lost", "open"]].tolist(), 6)
            )
    assert (default["open"] < plain["open"] - 0.01).all()


def test_maven_reading_prints_both(maven):
    text = outcome_curves(maven).reading()
    assert "120 days after creation, 51.2%" in text
    assert "recorded only from 1 March 2017" in text and "50.0% won" in text
    assert "延迟进入" in outcome_curves(maven).reading("zh")


def test_maven_stays_are_censored_not_dropped(maven):
    row = time_in_stage(maven, delayed_entry=False).table.set_index("stage").loc["Engaging"]
    assert (row["n"], row["n_advanced"], row["n_lost"], row["n_open"]) == (8300, 4238, 2473, 1589)
    assert row["median_days"] == 69 and row["median_completed_days"] == 45


def test_curves_sum_to_one_and_stay_within_their_intervals(sample):
    table = outcome_curves(sample[1], by="industry").table
    assert np.abs(table["won"] + table["lost"] + table["open"] - 1).max() < 1e-12
    for name in ("won", "lost", "open"):
        assert ((table[f"{name}_low"] <= table[name] + 1e-12) & (table[name] <= table[f"{name}_high"] + 1e-12)).all()


def test_beyond_follow_up_is_not_yet_known(sample):
    rows = outcome_curves(sample[1].at("2024-09-30")).at(90, 5000)
    assert rows["won"].notna().tolist() == [True, False]


def test_time_in_stage_recovers_the_truth(sample):
    made, pipeline = sample
    table = time_in_stage(pipeline).table.set_index("stage")
    for row in made.truth["stages"][:-1]:
        found = table.loc[row["stage"]]
        # Losses are entered 1.25 times later than promotions, so half leave a little after the median promotion.
        assert row["median_duration_days"] * 0.93 <= found["median_days"] <= row["median_duration_days"] * 1.2
        assert found["low_days"] <= found["median_days"] <= found["high_days"]
        assert found["n"] == found[["n_advanced", "n_lost", "n_back", "n_open"]].sum()


def test_an_open_spell_is_neither_dropped_nor_ended(sample):
    whole = time_in_stage(sample[1]).table.set_index("stage").loc["solution-design"]
    early = time_in_stage(sample[1].at("2024-03-31")).table.set_index("stage").loc["solution-design"]
    assert early["n_open"] > 0.3 * early["n"]
    assert early["median_completed_days"] < 0.8 * whole["median_days"]
    assert early["median_days"] == pytest.approx(whole["median_days"], rel=0.2)


def test_promotion_cycle_is_not_that_of_the_fast_wins():
    truth = np.median(np.random.default_rng(0).gamma(3, 20, 10**6))
    pipeline = constant(np.random.default_rng(3))
    table = promotion_cycle(pipeline).table.set_index("outcome")
    assert table.loc["won", "median_days"] == pytest.approx(truth, rel=0.06)
    young = promotion_cycle(pipeline.at("2024-07-31")).table.set_index("outcome")
    assert young.loc["won", "median_so_far_days"] < young.loc["won", "median_days"]
    assert table.loc["closed", "n_closed"] == table.loc[["won", "lost"], "n_closed"].sum()


def test_refusals_say_why(sample):
    pipeline = sample[1]
    for analysis, code in (
        (time_in_stage, "no_history"),
        (outcome_curves, "no_outcome"),
        (promotion_cycle, "no_outcome"),
    ):
        with pytest.raises(LimitError) as caught:
            analysis(replace(pipeline, limits=(Limit(code),)))
        assert "cannot be derived from this source" in str(caught.value)
        assert "无法支持" in caught.value.say("zh")


def test_without_a_single_close_date_no_time_is_told(sample):
    pipeline = sample[1]
    limits = (Limit("untimed_closes", {"n": 1, "n_closed": 1}),)
    blind = replace(pipeline, deals=pipeline.deals.assign(closed_at=pd.NaT), limits=limits)
    for analysis in (outcome_curves, promotion_cycle, compare_cohorts):
        with pytest.raises(LimitError, match="has no close date"):
            analysis(blind)


def test_unknown_column_names_the_nearest(sample):
    with pytest.raises(DataError, match="industry"):
        outcome_curves(sample[1], by="industri")


def test_nothing_changes_its_input(sample):
    pipeline = sample[1]
    deals, events = pipeline.deals.copy(), pipeline.events.copy()
    time_in_stage(pipeline, by="team")
    outcome_curves(pipeline, by="team")
    compare_cohorts(pipeline)
    pd.testing.assert_frame_equal(pipeline.deals, deals)
    pd.testing.assert_frame_equal(pipeline.events, events)


SIMULATIONS = 2000


@pytest.mark.slow
def test_the_interval_of_the_share_that_advances_covers(capsys):
    """400 stays, 40% of which advance, each watched for 30 to 400 days."""
    rng, hits = np.random.default_rng(11), 0
    for _ in range(SIMULATIONS):
        advance = rng.random(400) < 0.4
        days, watched = np.where(advance, rng.gamma(3, 10, 400), rng.gamma(2, 15, 400)), rng.uniform(30, 400, 400)
        code = np.where(days <= watched, np.where(advance, 1, 2), 0)
        exits = pd.Categorical.from_codes(code, EXITS)
        row = _stay_row(pd.DataFrame({"days": np.minimum(days, watched), "exit": exits, "entry_days": 0.0}))
        hits += row["low"] <= 0.4 <= row["high"]
    with capsys.disabled():
        print(f"\nShare that advances, n = 400: coverage {hits / SIMULATIONS:.4f} (2,000 runs, seed 11)")
    assert 0.93 <= hits / SIMULATIONS <= 0.97
