"""Win curves against formulas: one stage, two stages, waiting, jumps; constant hazards forget their age."""

import numpy as np
import pytest

from funnelkit.forecast.win_curves import Draws, closing_curves, entry_curves, exits_up, reach_curves, waiting_curves

HORIZON, AGES = 200, 460


def constant(rates, jump=0.0):
    """Return Draws of stages with constant (up, out) hazards; of the exits up, `jump` go beyond the next stage."""
    stages = len(rates)
    up, out = (np.repeat(np.array(rates)[None, :, kind, None], AGES, axis=2).astype(np.float32) for kind in (0, 1))
    share = np.zeros((1, stages, stages + 1), np.float32)
    share[:, :-1, -1] = jump > 0
    jumps = np.full_like(up, jump)
    jumps[:, -1] = 0
    return Draws(up, out, jumps, share, np.full(stages, AGES - HORIZON - 1))


def curves(draws):
    leave, stay = exits_up(draws, np.ones((1, 1, 1)), np.ones((1, 1, 1)))
    return leave, stay, entry_curves(leave, draws.share, HORIZON)


def test_one_stage():
    _, _, curve = curves(constant([(0.02, 0.03)]))
    days = np.arange(HORIZON + 1)
    assert curve[0, 0] == pytest.approx(0.4 * (1 - np.exp(-0.05 * days)), abs=1e-5)


def test_two_stages_and_the_jump():
    _, _, curve = curves(constant([(0.02, 0.03), (0.10, 0.02)], jump=0.3))
    days = np.arange(HORIZON + 1)
    a, b = 0.05, 0.12
    both = 0.02 * 0.10 * ((1 - np.exp(-a * days)) / a - (1 - np.exp(-b * days)) / b) / (b - a)
    expected = 0.7 * both + 0.3 * 0.4 * (1 - np.exp(-a * days))
    assert curve[0, 0] == pytest.approx(expected, abs=5e-4)


def test_waiting_does_not_matter_where_hazards_are_constant():
    draws = constant([(0.02, 0.03), (0.05, 0.01)])
    leave, stay, curve = curves(draws)
    waiting = waiting_curves(leave, stay, draws.share, [curve[:, :, : end + 1] for end in (30, 90, 200)])
    assert waiting.shape == (1, 2, AGES - HORIZON, 3)
    for place, end in enumerate((30, 90, 200)):
        assert waiting[0, :, :, place] == pytest.approx(np.repeat(curve[0, :, [end]].T, AGES - HORIZON, 1), abs=2e-3)


def test_waiting_matters_where_the_hazard_falls():
    draws = constant([(0.02, 0.03)])
    draws.up[:, :, 100:] = 0.001
    leave, stay, curve = curves(draws)
    waiting = waiting_curves(leave, stay, draws.share, [curve[:, :, :61]])[0, 0, :, 0]
    assert waiting[0] == pytest.approx(0.4 * (1 - np.exp(-3)), abs=1e-4)
    assert waiting[150] == pytest.approx(0.001 / 0.031 * (1 - np.exp(-0.031 * 60)), abs=1e-4)
    assert waiting[90] < waiting[0]


def test_those_who_jump_late_win_more_often_the_longer_they_wait():
    draws = constant([(0.02, 0.03), (0.10, 0.02)], jump=0.5)
    draws.jump[:, 0, :50] = 0
    leave, stay, curve = curves(draws)
    waiting = waiting_curves(leave, stay, draws.share, [curve])[0, 0, :, 0]
    assert waiting[60] == pytest.approx(0.4 * (0.5 + 0.5 * 0.1 / 0.12), abs=2e-3)
    before = np.exp(-0.05 * 50)  # of those who leave, only this share leave when they can jump
    assert waiting[0] == pytest.approx(0.4 * (0.1 / 0.12 * (1 - before) + before * (0.5 + 0.5 * 0.1 / 0.12)), abs=2e-3)


def test_reach_counts_each_stage_once_and_ends_in_the_win():
    draws = constant([(0.02, 0.03), (0.10, 0.02)], jump=0.3)
    leave, _, curve = curves(draws)
    reach = reach_curves(leave[:, 0], draws.share[0], np.array([1.0, 0.0]), HORIZON)
    assert reach[0] == pytest.approx(1)
    assert reach[1] == pytest.approx(0.4 * (1 - np.exp(-0.05 * np.arange(HORIZON + 1))), abs=1e-2)
    assert reach[2] == pytest.approx(curve[0, 0], abs=1e-4)
    late = reach_curves(leave[:, 0], draws.share[0], np.array([0.5, 0.5]), HORIZON)
    assert late[:, 0].tolist() == [1.0, 0.5, 0.0]


def test_a_closing_season_of_ones_changes_nothing():
    draws = constant([(0.02, 0.03)])
    draws.up[:, :, 40:] = 0.005
    leave, stay, curve = curves(draws)
    waiting = waiting_curves(leave, stay, draws.share, [curve[:, :, :31], curve])
    entry, now = closing_curves(draws.up[:, 0], draws.out[:, 0], np.ones((1, HORIZON)), [30, HORIZON])
    assert now == pytest.approx(waiting[:, 0], abs=1e-4)
    assert entry[0] == pytest.approx(curve[:, 0, :31], abs=1e-4)
    assert entry[1] == pytest.approx(curve[:, 0], abs=1e-4)


def test_wins_come_on_the_days_of_the_season_only():
    """Wins on the 10th to 12th day alone, against the competing exponentials of those days."""
    draws = constant([(0.05, 0.03)])
    season = np.zeros((1, HORIZON))
    season[:, 10:13] = 4.0
    entry, now = closing_curves(draws.up[:, 0], draws.out[:, 0], season, [10, 13, HORIZON])
    assert (now[0, :, 0] == 0).all()
    exact = np.exp(-0.03 * 10) * 0.2 / 0.23 * (1 - np.exp(-0.23 * 3))
    assert now[0, :, 1] == pytest.approx(exact, abs=1e-5)
    assert (now[0, :, 2] == now[0, :, 1]).all()
    assert entry[1][0, 2] == pytest.approx(0.2 / 0.23 * (1 - np.exp(-0.23 * 2)), abs=1e-5)
