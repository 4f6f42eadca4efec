"""Cumulative sums against known truths: their recursion, their false alarms, their power."""

import numpy as np
import pytest
from scipy.stats import chi2, nbinom

from funnelkit.stats.cusum import ALARMS, FALL, RISE, Watched, change_points, dispersion, watch


def counts(rng, n, rate, factor=1.0, after=0, baseline=24):
    """Return a series of 12 periods, the last `after` of which have `factor` times the rate, as it would be watched."""
    base = rng.binomial(n, rate, baseline)
    seen = rng.binomial(n, np.r_[np.full(12 - after, rate), np.full(after, rate * factor)])
    fitted = (base.sum() + 0.5) / (n * baseline + 1)
    spread = dispersion(base[None], np.full((1, baseline), n * fitted), np.full((1, baseline), float(n)))
    return Watched(
        seen[None].astype(float), np.full((1, 12), n * fitted), np.full((1, 12), float(n)),
        np.array([float(n * baseline)]), spread,
    )  # fmt: skip


def alarms(runs, seed, factor=1.0, after=0):
    rng = np.random.default_rng(seed)
    return np.array([watch(counts(rng, 70, 0.08, factor, after), rng, 12, 1000).signal[:, 0].any(axis=1)
                     for _ in range(runs)])  # fmt: skip


@pytest.mark.parametrize("runs", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_false_alarms_and_power_at_8_percent_of_70(runs, capsys):
    false = alarms(runs, 1).any(axis=1)
    power = {text: alarms(runs, 2, *case)[:, FALL].mean() for text, case in
             {"a quarter in 3": (0.25, 3), "a half in 6": (0.5, 6)}.items()}  # fmt: skip
    error = np.sqrt(0.05 * 0.95 / runs)
    with capsys.disabled():
        print(f"\n8 % of 70, 24 periods of baseline: false alarms {false.mean():.3f} in 12 periods ({runs} runs); "
              f"a fall to {power} (standard error at most {np.sqrt(0.2 / runs):.3f})")  # fmt: skip
    assert false.mean() <= ALARMS + 2 * error
    assert power["a quarter in 3"] >= 0.8 - 2 * np.sqrt(0.16 / runs)
    assert power["a half in 6"] >= 0.7 - 2 * np.sqrt(0.21 / runs)


@pytest.mark.parametrize("runs", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_many_series_together_keep_the_promise(runs, capsys):
    rng, shape = np.random.default_rng(3), (10, 13)
    hits = []
    for _ in range(runs):
        mean = rng.uniform(2, 60, 10)[:, None] * np.ones(shape)
        fitted = mean * (rng.poisson(26 * mean[:, :1]) / (26 * mean[:, :1]))
        events = rng.poisson(mean).astype(float)
        hits.append(watch(Watched(events, fitted, np.full(shape, np.nan), 26 * fitted[:, 0], np.ones(10)), rng,
                          draws=500).signal.any())  # fmt: skip
    with capsys.disabled():
        print(f"\nTen Poisson series: any alarm in {np.mean(hits):.3f} of {runs} years")
    assert np.mean(hits) <= ALARMS + 2 * np.sqrt(0.05 * 0.95 / runs)


def test_a_share_of_none_or_of_all_alarms_for_what_it_excludes():
    trials = np.full((2, 12), 40.0)
    expected = np.array([np.zeros(12), np.full(12, 40.0)])
    quiet = Watched(expected.copy(), expected, trials, np.full(2, 480.0), np.ones(2))
    assert not watch(quiet, np.random.default_rng(1)).signal.any()


def test_scores_follow_pages_recursion():
    rng = np.random.default_rng(4)
    seen, hoped = rng.poisson(20, (1, 13)).astype(float), np.full((1, 13), 20.0)
    found = watch(Watched(seen, hoped, np.full((1, 13), np.nan), np.full(1, 500.0), np.ones(1)), rng, draws=100)
    shift = 3.4 * np.sqrt(1 / (3 * 20) + 1 / 500)
    for side, factor in ((FALL, -shift), (RISE, shift)):
        score = 0.0
        for at in range(13):
            score = max(0.0, score + seen[0, at] * factor - 20 * (np.exp(factor) - 1))
            assert found.score[side, 0, at] == pytest.approx(score)


def test_p_values_fall_as_scores_rise_and_meet_the_level_at_the_limit():
    seen = np.r_[np.full(8, 20.0), np.full(5, 4.0)][None]
    watched = Watched(seen, np.full((1, 13), 20.0), np.full((1, 13), np.nan), np.full(1, 500.0), np.ones(1))
    found = watch(watched, np.random.default_rng(5))
    falls, score = found.p_value[FALL, 0], found.score[FALL, 0]
    assert (np.diff(falls[np.argsort(score)]) <= 1e-12).all()
    assert ((falls <= ALARMS) == (score >= found.limit[FALL, 0])).all()


def test_change_points_are_those_of_the_planted_change():
    rng, found = np.random.default_rng(6), []
    for _ in range(100):
        seen = rng.poisson(np.r_[np.full(7, 30.0), np.full(6, 12.0)])[None].astype(float)
        watched = Watched(seen, np.full((1, 13), 30.0), np.full((1, 13), np.nan), np.ones(1), np.ones(1))
        found.append(change_points(watched)[FALL, 0, -1])
    assert np.mean(np.array(found) == 7) > 0.8


def test_dispersion_is_one_by_chance_and_that_of_a_negative_binomial_otherwise():
    rng, mean = np.random.default_rng(7), np.full((200, 24), 30.0)
    steady = dispersion(rng.poisson(30, (4000, 24)), np.full((4000, 24), 30.0), np.full((4000, 24), np.nan))
    wild = dispersion(nbinom.rvs(10, 0.25, size=(200, 24), random_state=rng), mean, np.full((200, 24), np.nan))
    # The expectation is not fitted here, as the degrees of freedom assume: one more is free.
    assert (steady == 1).mean() == pytest.approx(chi2.cdf(chi2.ppf(0.9, 23), 24), abs=0.02)
    assert np.median(wild) == pytest.approx(4.0, rel=0.15)
