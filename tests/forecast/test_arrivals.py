"""Arrivals: a known rate, a known season and a new level come out again."""

import numpy as np
import pytest

from funnelkit.forecast.arrivals import draw_arrivals

START = float((np.datetime64("2022-01-01") - np.datetime64("1970-01-01")).astype(int))


def born(rng, days, rate):
    counts = rng.poisson(np.broadcast_to(rate, days))
    return START + np.repeat(np.arange(days), counts) + rng.random(counts.sum())


def test_steady_rate():
    rng = np.random.default_rng(1)
    found = draw_arrivals(born(rng, 700, 5.0), START + 700, 90, rng, 2_000)
    assert not found.seasonal
    total = found.per_day.sum(axis=1)
    assert total.mean() == pytest.approx(450, rel=0.05)
    assert total.std() < 45


def test_season_is_learnt_from_two_years_on():
    rng = np.random.default_rng(2)
    rate = 10 * (1 + 0.6 * np.cos(2 * np.pi * np.arange(1461) / 365.25))  # January is high, July low
    found = draw_arrivals(born(rng, 1461, rate), START + 1461, 365, rng, 500)
    assert found.seasonal
    mean = found.per_day.mean(axis=0)
    assert mean[:31].mean() / mean[181:212].mean() == pytest.approx(1.58 / 0.41, rel=0.25)


def test_a_new_level_counts_for_more_than_the_old_years():
    rng = np.random.default_rng(3)
    rate = np.r_[np.full(600, 5.0), np.full(365, 10.0)]
    found = draw_arrivals(born(rng, 965, rate), START + 965, 91, rng, 2_000)
    assert np.median(found.per_day.mean(axis=1)) == pytest.approx(10, rel=0.15)


def test_no_arrivals_at_all():
    rng = np.random.default_rng(4)
    assert draw_arrivals(np.array([]), START, 30, rng, 10).per_day.sum() == 0
