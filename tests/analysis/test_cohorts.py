from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from funnelkit.analysis.cohorts import _cohort_row, _judge, compare_cohorts
from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.time import outcome_curves
from funnelkit.language.errors import DataError
from tests.analysis.test_time import SIMULATIONS, constant


def test_constant_truth_is_recovered_and_no_decline_is_seen(capsys):
    declines, last_raw = 0, []
    for seed in range(8):
        pipeline = constant(np.random.default_rng(seed))
        found = compare_cohorts(pipeline)
        declines += int((found.table["clear"] & (found.table["change"] < 0)).sum())
        last_raw.append(found.table["raw"].iloc[-1])
        won_by_120 = 0.3 * gamma(3, scale=20).cdf(120)
        assert outcome_curves(pipeline).at(120)["won"].item() == pytest.approx(won_by_120, abs=0.025)
    with capsys.disabled():
        print(f"\nConstant 30%: {declines} of 192 cohorts called in decline; last raw rate {np.mean(last_raw):.3f}")
    assert declines <= 1 and np.mean(last_raw) < 0.08
    assert "none of the 24 cohorts" in compare_cohorts(constant(np.random.default_rng(0))).reading()


def test_a_true_decline_is_seen():
    rng = np.random.default_rng(1)
    pipeline = constant(rng)
    worse = (
        (pipeline.deals["created_at"] > "2025-06-30") & (pipeline.deals["status"] == "won") & (rng.random(6000) < 0.6)
    )
    deals = pipeline.deals.assign(status=pipeline.deals["status"].mask(worse, "lost"))
    found = compare_cohorts(replace(pipeline, deals=deals), Calendar("quarter"))
    assert found.table.loc[found.table["cohort"] == "2025-Q3", ["clear", "change"]].values.tolist()[0][0]
    assert "2025-Q3" in found.reading() and "2025-Q3" in found.reading("zh")


def test_verdict_and_interval_of_a_cohort_agree():
    pipeline = constant(np.random.default_rng(5), 2500)
    worse = pipeline.deals["created_at"] > "2025-09-30"
    deals = pipeline.deals.assign(
        status=pipeline.deals["status"].mask(worse & (pipeline.deals["status"] == "won"), "lost")
    )
    table = compare_cohorts(replace(pipeline, deals=deals), Calendar("quarter")).table.dropna(subset="change")
    assert ((table["change_low"] > 0) | (table["change_high"] < 0)).tolist() == table["clear"].tolist()
    assert table["clear"].any() and table["level"].between(0.95, 1 - 0.05 / len(table) + 1e-9).all()


def test_an_unknown_outcome_names_the_known_ones():
    with pytest.raises(DataError, match=r"no outcome named 'wins'\. Known: won, lost\."):
        compare_cohorts(constant(np.random.default_rng(0), 500), outcome="wins")


@pytest.mark.slow
@pytest.mark.parametrize("chance", [0.3, 0.4])
def test_the_interval_of_a_cohorts_change_covers(chance, capsys):
    """300 young deals beside 900 earlier ones, won with 30%, at the age that half of the young have reached."""
    rng, hits, as_of = np.random.default_rng(12), 0, pd.Timestamp("2026-01-01")
    cohort = np.repeat([1, 0], [300, 900])
    for _ in range(SIMULATIONS):
        age = np.r_[rng.uniform(40, 110, 300), rng.uniform(110, 500, 900)]
        won = rng.random(1200) < np.where(cohort, chance, 0.3)
        days = np.where(won, rng.gamma(4, 15, 1200), rng.gamma(2, 20, 1200))
        times = pd.DataFrame({
            "days": np.minimum(days, age), "outcome": np.where(days <= age, np.where(won, 1, 2), 0), "entry_days": 0.0,
            "started_at": as_of - pd.to_timedelta(age, unit="D"), "cohort": cohort,
        })  # fmt: skip
        row = _judge(pd.DataFrame([_cohort_row(SimpleNamespace(as_of=as_of), times, 1, 1)])).iloc[0]
        truth = (chance - 0.3) * gamma.cdf(row["age_days"], 4, scale=15)
        hits += row["change_low"] <= truth <= row["change_high"]
    with capsys.disabled():
        print(f"\nCohort at {chance:.0%} against 30%: coverage {hits / SIMULATIONS:.4f} (2,000 runs, seed 12)")
    assert 0.93 <= hits / SIMULATIONS <= 0.97
