import numpy as np
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from funnelkit.stats.survival import aalen_johansen, cause_quantile, interval, quantile


def tied(rng, n=400):
    """Whole-day times with two exits and censoring; ties everywhere."""
    return np.ceil(rng.exponential(20, n)), rng.choice([0, 1, 2], n, p=[0.3, 0.4, 0.3])


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_statsmodels_on_tied_data(seed):
    days, cause = tied(np.random.default_rng(seed))
    curves = aalen_johansen(days, cause, 2)
    oracle = CumIncidenceRight(days, cause)
    rows = curves.at(oracle.times)
    for at in (0, 1):
        assert np.abs(curves.left[rows, at] - oracle.cinc[at]).max() < 1e-12
        known = ~np.isnan(oracle.cinc_se[at])
        assert np.abs(curves.left_error[rows, at] - oracle.cinc_se[at])[known].max() < 1e-12
    assert np.abs(curves.stay + curves.left.sum(axis=1) - 1).max() < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_delayed_entry_is_statsmodels(seed):
    rng = np.random.default_rng(seed)
    days, cause = tied(rng)
    entry = np.where(rng.random(len(days)) < 0.3, np.floor(rng.uniform(0, 15, len(days))), 0.0)
    kept = entry <= days
    curves = aalen_johansen(days, np.minimum(cause, 1), 1, entry)
    # statsmodels takes a deal in only after its entry; ours is there from that moment on.
    oracle = SurvfuncRight(days[kept], np.minimum(cause, 1)[kept], entry=entry[kept] - 1e-9)
    assert np.abs(curves.stay[curves.at(oracle.surv_times)] - oracle.surv_prob).max() < 1e-12


def test_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(3)
    days, cause = tied(rng)
    turned = rng.permutation(len(days))
    one, other = aalen_johansen(days, cause, 2), aalen_johansen(days[turned], cause[turned], 2)
    np.testing.assert_array_equal(one.left, other.left)


def test_exits_on_the_first_day_count():
    assert aalen_johansen([0, 0, 1, 2], [1, 2, 1, 0], 2).left[0].tolist() == [0.25, 0.25]


def test_nobody_and_nobody_left():
    empty = aalen_johansen([], [], 2)
    assert len(empty.days) == 0 and np.isnan(quantile(empty)).all()
    running = aalen_johansen([3, 4], [0, 0], 2)
    assert len(running.days) == 0 and np.isnan(cause_quantile(running, 1)).all()


def test_delayed_entry_recovers_the_truth_where_early_exits_were_not_recorded():
    rng = np.random.default_rng(4)
    n = 20_000
    days, age_at_start = rng.exponential(30, n), np.maximum(rng.uniform(-30, 60, n), 0)
    recorded = days >= age_at_start
    curves = aalen_johansen(days[recorded], np.ones(recorded.sum(), int), 1, age_at_start[recorded])
    naive = aalen_johansen(days[recorded], np.ones(recorded.sum(), int))
    truth = np.exp(-1)
    assert curves.stay[curves.at(30)] == pytest.approx(truth, abs=0.02)
    assert naive.stay[naive.at(30)] > truth + 0.05


SIMULATIONS = 2000


def simulate(rng, n=300):
    """30% of deals won after a gamma time, the rest lost sooner; watched for 20 to 200 days."""
    won = rng.random(n) < 0.3
    days = np.where(won, rng.gamma(3, 20, n), rng.gamma(2, 15, n))
    watched = rng.uniform(20, 200, n)
    cause = np.where(days <= watched, np.where(won, 1, 2), 0)
    return np.minimum(days, watched), cause


def truths():
    rng = np.random.default_rng(99)
    won, lost = rng.gamma(3, 20, 2_000_000), rng.gamma(2, 15, 2_000_000)
    at = 60
    stay = 0.3 * (won > at).mean() + 0.7 * (lost > at).mean()
    every = np.concatenate([won[:600_000], lost[:1_400_000]])
    return {
        "won": 0.3 * (won <= at).mean(),
        "stay": stay,
        "median": np.median(every),
        "won_median": np.median(won[won < 200]),
    }


@pytest.mark.slow
def test_intervals_cover(capsys):
    rng, truth, hits = np.random.default_rng(5), truths(), dict.fromkeys(("won", "stay", "median", "won_median"), 0)
    for _ in range(SIMULATIONS):
        days, cause = simulate(rng)
        curves = aalen_johansen(days, cause, 2)
        row = curves.at(60)
        n = curves.n_at_risk[row]
        found = {
            "won": interval(curves.left[row, 0], curves.left_error[row, 0], n),
            "stay": interval(curves.stay[row], curves.stay_error[row], n),
            "median": quantile(curves)[1:],
            "won_median": cause_quantile(curves, 1)[1:],
        }
        for name, (low, high) in found.items():
            hits[name] += low <= truth[name] <= (np.inf if np.isnan(high) else high)
    coverage = {name: count / SIMULATIONS for name, count in hits.items()}
    with capsys.disabled():
        print(f"\nCurves at 60 days, medians, n = 300: coverage {coverage} (2,000 runs, seed 5)")
    assert all(0.93 <= value <= 0.97 for value in coverage.values()), coverage


@pytest.mark.slow
def test_delayed_entry_intervals_cover(capsys):
    rng, hits = np.random.default_rng(6), 0
    for _ in range(SIMULATIONS):
        days, late = rng.exponential(30, 700), np.maximum(rng.uniform(-100, 60, 700), 0)
        kept = days >= late
        watched = np.maximum(rng.uniform(40, 200, 700), late)
        curves = aalen_johansen(np.minimum(days, watched)[kept], (days <= watched)[kept].astype(int), 1, late[kept])
        row = curves.at(45)
        low, high = interval(curves.stay[row], curves.stay_error[row], curves.n_at_risk[row])
        hits += low <= np.exp(-1.5) <= high
    with capsys.disabled():
        print(
            f"\nOpen at 45 days with delayed entry, n about 530: coverage {hits / SIMULATIONS:.4f} (2,000 runs, seed 6)"
        )
    assert 0.93 <= hits / SIMULATIONS <= 0.97
