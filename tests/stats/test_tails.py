import numpy as np
import pytest
from scipy.stats import gamma, weibull_min

from funnelkit.stats.tails import expected_open, fit, snapshot_chance, stay_chance, usual_days


def test_maximum_is_scipys_on_complete_data():
    """Without a cut-off at 90% there is none here: all of the light tail is below it."""
    from funnelkit.stats.tails import _fit_family

    days = weibull_min.rvs(1.7, scale=30, size=800, random_state=1)
    shape, _, scale = weibull_min.fit(days, floc=0)
    found = _fit_family("weibull", np.log(days), np.ones(800, bool), np.zeros(800))
    assert np.exp(found.location @ found.weight) == pytest.approx(scale, rel=1e-3)
    assert 1 / (found.scale @ found.weight) == pytest.approx(shape, rel=5e-3)


def test_censored_and_late_entries_recover_the_truth():
    rng = np.random.default_rng(2)
    days, watched, late = (
        25 * np.exp(0.7 * rng.standard_normal(4000)),
        rng.uniform(10, 90, 4000),
        rng.uniform(-40, 30, 4000),
    )
    kept = days >= late
    families = fit(np.minimum(days, watched)[kept], (days <= watched)[kept], np.maximum(late, 0)[kept])
    assert usual_days(families, 0.5) == pytest.approx(25, rel=0.05)


def test_a_few_that_never_leave_do_not_bend_the_fit():
    rng = np.random.default_rng(3)
    days = 25 * np.exp(0.6 * rng.standard_normal(500))
    clean = fit(days, np.ones(500, bool))
    stuck = rng.random(500) < 0.04
    bent = fit(np.where(stuck, 500, days), ~stuck)
    assert stay_chance(bent, [150.0])[0] < 0.02
    assert usual_days(bent, 0.5) == pytest.approx(usual_days(clean, 0.5), rel=0.1)


def test_equilibrium_age_distribution():
    """With beginnings spread evenly, P(age >= d) is the integral of S from d on over its whole integral."""
    rng = np.random.default_rng(4)
    families = fit(20 * np.exp(0.6 * rng.standard_normal(2000)), np.ones(2000, bool))
    grid = np.arange(0, 400, 0.05)
    stay = stay_chance(families, grid)
    expected = 1 - (np.cumsum(stay) - stay / 2) / stay.sum()  # a step's deals are on average half a step older
    found = snapshot_chance(families, grid[::200], grid)
    assert np.abs(found - expected[::200]).max() < 2e-3


def test_expected_number_of_open_deals():
    rng = np.random.default_rng(5)
    days, ages = 20 * np.exp(0.6 * rng.standard_normal(20_000)), rng.uniform(0, 300, 20_000)
    families = fit(np.minimum(days, ages), days <= ages)
    assert expected_open(families, ages)[0][0] == pytest.approx((days > ages).sum(), rel=0.05)


def test_whole_days_and_zero_days():
    days = np.floor(np.random.default_rng(6).exponential(3, 600))
    assert 1 < usual_days(fit(days, np.ones(600, bool)), 0.5) < 3


@pytest.mark.parametrize("shape", [1.5, 3.0])
def test_a_gamma_tail_is_not_taken_for_lighter_than_it_is(shape):
    """A Weibull that fits the bulk of a gamma has a lighter tail; beyond the data the chance must not fall below it."""
    rng = np.random.default_rng(8)
    families = fit(rng.gamma(shape, 20 / shape, 4000), np.ones(4000, bool))
    far = gamma.isf([0.01, 1e-3, 1e-4, 1e-5], shape, scale=20 / shape)
    assert (stay_chance(families, far) >= 0.9 * gamma.sf(far, shape, scale=20 / shape)).all()
