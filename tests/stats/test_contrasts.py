import numpy as np
import pytest

from funnelkit.stats.contrasts import change_interval, change_p_value, holm_levels
from funnelkit.stats.rates import newcombe


def test_intervals_are_newcombes():
    rng = np.random.default_rng(1)
    n, n_0 = rng.integers(1, 300, (2, 500))
    k, k_0 = rng.binomial(n, 0.2), rng.binomial(n_0, 0.3)
    for level in (0.95, 0.99):
        np.testing.assert_allclose(
            change_interval((k / n, k_0 / n_0), (n, n_0), level), newcombe(k, n, k_0, n_0, level), atol=1e-12
        )


def test_interval_and_p_value_say_the_same():
    rng = np.random.default_rng(2)
    rates, n = rng.random((2, 300)), rng.uniform(2, 400, (2, 300))
    p = change_p_value(tuple(rates), tuple(n))
    for level in (0.9, 0.95, 0.999):
        _, low, high = change_interval(tuple(rates), tuple(n), level)
        np.testing.assert_array_equal((low > 0) | (high < 0), p < 1 - level)
    assert change_p_value(([0.3, np.nan, 0.3], [0.3, 0.2, 0.2]), ([9, 9, 0], [9, 9, 9]))[0] == 1
    assert np.isnan(change_p_value(([np.nan, 0.3], [0.2, 0.2]), ([9, 0], [9, 9]))).all()


@pytest.mark.parametrize("size", [1, 2, 14])
def test_levels_are_those_of_holm(size):
    rng = np.random.default_rng(3)
    for _ in range(200):
        p = rng.random(size) ** 6
        p[rng.random(size) < 0.1] = np.nan
        levels, clear = holm_levels(p)
        np.testing.assert_array_equal(clear[~np.isnan(p)], (p < 1 - levels)[~np.isnan(p)])
        known, left = sorted(p[~np.isnan(p)]), np.sum(~np.isnan(p))
        rejected = 0
        while rejected < left and known[rejected] < 0.05 / (left - rejected):
            rejected += 1
        assert clear.sum() == rejected and np.isnan(levels[np.isnan(p)]).all()
