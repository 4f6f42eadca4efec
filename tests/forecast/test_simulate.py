"""Simulation: moments of the paths against exact formulas."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.forecast.history import Book
from funnelkit.forecast.simulate import Chances, simulate_new, simulate_open

PATHS = 100_000


def book(amount):
    n = len(amount)
    nothing = np.zeros(n, int)
    return Book(np.arange(n), nothing, np.zeros(n), np.array(amount, float), nothing, nothing > 0, nothing > 0)


def chances(waiting):
    return Chances(waiting, np.zeros((len(waiting), 1, waiting.shape[2])), None, np.ones(len(waiting)))


def test_open_deals_have_the_moments_of_independent_wins():
    chance = np.array([[[0.1, 0.4], [0.5, 0.9]]], np.float32)
    rng = np.random.default_rng(1)
    count, value = simulate_open(book([100.0, 7.0]), chances(chance), [np.zeros(0)], rng, PATHS)
    assert count.mean(axis=0) == pytest.approx([0.6, 1.3], abs=0.01)
    assert count.var(axis=0) == pytest.approx([0.09 + 0.25, 0.24 + 0.09], abs=0.01)
    assert value.mean(axis=0) == pytest.approx([13.5, 46.3], rel=0.02)
    assert (count[:, 1] >= count[:, 0]).all()


def test_unknown_amounts_are_drawn_once_for_each_win():
    chance = np.full((1, 3, 2), 1.0, np.float32)
    chance[:, :, 0] = 0.5
    rng, pool = np.random.default_rng(2), [np.array([10.0, 30.0])]
    count, value = simulate_open(book([np.nan, np.nan, 5.0]), chances(chance), pool, rng, PATHS)
    assert set(np.unique(value[:, 1])) == {25.0, 45.0, 65.0}
    assert (value[:, 0] <= value[:, 1]).all()
    assert value[:, 0].mean() == pytest.approx(22.5, rel=0.02)
    assert (count[:, 1] == 3).all()


def test_common_draws_widen_the_spread_of_sums():
    n, deals = 100, 500
    rng = np.random.default_rng(3)
    shared = rng.uniform(0.05, 0.15, (n, 1, 1)) * np.ones((1, deals, 1))
    apart = np.full((n, deals, 1), 0.1)
    one, other = (
        simulate_open(book(np.ones(deals)), chances(chance.astype(np.float32)), [np.zeros(0)], rng, 5_000)[0]
        for chance in (shared, apart)
    )
    assert one.std() > 1.8 * other.std()
    assert other.std() == pytest.approx(np.sqrt(deals * 0.09), rel=0.05)


def test_new_business_is_poisson_by_period():
    expected = np.array([[[1.0, 3.0], [0.5, 0.5]]])
    made = Chances(np.zeros((1, 0, 2)), expected, None, np.ones(1))
    amounts = [np.array([2.0, 4.0]), np.array([10.0])]
    count, value = simulate_new(made, amounts, np.random.default_rng(4), PATHS)
    steps = np.diff(count, axis=1, prepend=0)
    assert steps.mean(axis=0) == pytest.approx([1.5, 2.0], rel=0.02)
    assert steps.var(axis=0) == pytest.approx([1.5, 2.0], rel=0.03)
    assert value.mean(axis=0) == pytest.approx([8.0, 14.0], rel=0.02)
    assert pd.Series(count[:, 1]).is_monotonic_increasing is False


def test_amounts_that_are_cut_at_the_close_count_for_less():
    made = Chances(np.full((2, 1, 1), 0.5, np.float32), np.zeros((2, 1, 1)), None, np.array([0.5, 1.5]))
    count, value = simulate_open(book([100.0]), made, [np.zeros(0)], np.random.default_rng(5), PATHS)
    assert set(np.unique(value)) == {0.0, 50.0, 150.0}
    assert count.mean() == pytest.approx(0.5, abs=0.01)
