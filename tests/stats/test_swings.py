"""Levels: steady windows keep the next one near 1, swings widen it, a drift is followed."""

import numpy as np
import pytest

from funnelkit.stats.swings import (
    draw_level,
    draw_nested_ratios,
    draw_own_levels,
    draw_ratios,
    mean_nested_ratios,
    windows,
)


def spread(observed, expected, ahead=1.0):
    drawn = np.log(draw_level(observed, expected, ahead, np.random.default_rng(0), 20_000))
    return drawn.mean(), drawn.std()


def test_steady_windows_keep_the_next_near_one():
    middle, width = spread([1000] * 16, [1000.0] * 16)
    assert abs(middle) < 0.01
    assert width < 0.04


def test_swings_come_out_of_the_past():
    rng = np.random.default_rng(4)
    expected = np.full(40, 2000.0)
    _, width = spread(rng.poisson(expected * np.exp(0.2 * rng.standard_normal(40))), expected)
    assert width == pytest.approx(0.2, rel=0.35)


def test_chance_alone_is_no_swing():
    rng = np.random.default_rng(5)
    expected = np.full(40, 20.0)  # chance alone spreads the log by 0.22
    assert spread(rng.poisson(expected), expected)[1] < 0.12


def test_a_new_level_is_followed():
    middle, _ = spread([1000] * 12 + [600] * 6, [1000.0] * 18)
    assert middle == pytest.approx(np.log(0.6), abs=0.08)


def test_noise_averages_out_over_more_windows_and_drift_adds_up():
    rng = np.random.default_rng(6)
    noisy = 1000 * np.exp(0.2 * rng.standard_normal(40))
    assert spread(noisy, [1000.0] * 40, ahead=8)[1] < spread(noisy, [1000.0] * 40)[1]
    drifting = 1000 * np.exp(np.cumsum(0.15 * rng.standard_normal(40)))
    assert spread(drifting, [1000.0] * 40, ahead=8)[1] > 1.3 * spread(drifting, [1000.0] * 40)[1]


def test_windows_without_anything_expected_say_little():
    assert spread([0, 0], [0.0, 0.0])[1] > 0.1


def test_steady_series_make_each_other_sure_and_one_that_drifts_is_followed():
    rng = np.random.default_rng(8)
    expected = np.full((8, 12), 60.0)
    steady = [rng.poisson(expected) for _ in range(10)]
    alone = [np.log(draw_own_levels(row[None], expected[:1], 1.0, rng, 1_000)).std() for row in np.concatenate(steady)]
    together = [np.log(draw_own_levels(rows, expected, 1.0, rng, 1_000)).std(axis=1) for rows in steady]
    assert np.mean(together) < 0.85 * np.mean(alone)
    stalled = rng.poisson(expected)
    stalled[3, 7:] = rng.poisson(20.0, 5)
    found = np.log(draw_own_levels(stalled, expected, 1.0, rng, 4_000)).mean(axis=1)
    assert found[3] == pytest.approx(np.log(1 / 3), abs=0.25)
    assert np.abs(np.delete(found, 3)).max() < 0.2


def test_ratios_are_drawn_towards_one_as_far_as_groups_are_alike():
    rng = np.random.default_rng(7)
    alike = draw_ratios(rng.poisson(30.0, 12), np.full(12, 30.0), rng, 4_000).mean(axis=0)
    assert np.abs(alike - 1).max() < 0.15
    unlike = draw_ratios([300, 900], [600.0, 600.0], rng, 4_000).mean(axis=0)
    assert unlike == pytest.approx([0.5, 1.5], rel=0.03)


def test_nested_ratios_follow_the_group_and_where_rows_differ_the_row():
    rng = np.random.default_rng(9)
    expected = np.full((6, 2), 600.0)
    same = np.array([[300.0, 900.0]] * 6)
    assert mean_nested_ratios(same, expected) == pytest.approx(same / expected, rel=0.02)
    apart = same * np.array([0.5, 1.5, 1, 1, 1, 1])[:, None]
    found = draw_nested_ratios(apart, expected, rng, 4_000)
    assert found.mean(axis=0) == pytest.approx(apart / expected, rel=0.06)
    assert mean_nested_ratios(apart, expected) == pytest.approx(found.mean(axis=0), rel=0.02)
    few = np.vstack([same, [[0.0, 0.0]]]), np.vstack([expected, [[0.0, 0.0]]])
    assert mean_nested_ratios(*few)[-1] == pytest.approx([0.5, 1.5], rel=0.03)  # a row without news has the group's


@pytest.mark.parametrize(("span", "horizon", "length"), [(730, 30, 30), (730, 365, 91), (100, 90, 12.5)])
def test_windows_end_at_the_as_of_date(span, horizon, length):
    edges = windows(1000.0, 1000.0 + span, horizon)
    assert edges[-1] == 1000.0 + span
    assert np.diff(edges) == pytest.approx(length)
    assert edges[0] >= 1000.0
