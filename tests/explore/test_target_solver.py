"""The card of targets: its chances are those of the verb's plan; its challenge has one way through."""

import numpy as np
import pytest

from funnelkit.explore import TargetSolver
from funnelkit.forecast import solve_target, target_outlooks

from .cases_of_targets import small


@pytest.fixture(scope="module")
def panel():
    return TargetSolver(small(), 5e6)


def test_at_the_grid_the_chances_are_those_of_the_plan(panel):
    """To the eighth decimal, at which a card's numbers are kept, at every date and rate."""
    grid, rng = panel.spec["grid"], np.random.default_rng(1)
    for date in panel.spec["dates"]:
        revenue = float(rng.choice(grid["revenue"]))
        plan = solve_target(small(), revenue, date)
        for rates, numbers in zip(grid["rates"], grid["entries"], strict=True):
            for entries in rng.choice(numbers, 8):
                panel.state = {"revenue": revenue, "until": date, "rates": rates, "entries": float(entries)}
                assert panel.chance == pytest.approx(plan.chance(entries, rates=rates), abs=1e-8)
    panel.reset()


def test_between_the_points_of_the_grid_a_chance_is_a_point_off_at_most(panel):
    rng = np.random.default_rng(2)
    date, revenues = panel.spec["dates"][-1], np.sort(rng.uniform(1.25e6, 10e6, 20)).tolist()
    for revenue, outlook in zip(revenues, target_outlooks(small(), revenues, date), strict=True):
        for _ in range(10):
            entries, rates = float(rng.integers(0, 420)), float(rng.uniform(0.5, 1.5))
            panel.state = {"revenue": revenue, "until": date, "rates": rates}
            assert panel._chance(revenue, entries) == pytest.approx(outlook.odds(entries, 0, rates), abs=0.01)
    panel.reset()


def test_twice_the_win_rate_is_about_twice_the_new_deals(panel):
    needed = []
    for rates in (0.5, 1.0):
        panel.state = {"rates": rates}
        needed.append(panel.needed)
    assert needed[0] == pytest.approx(2 * needed[1], rel=0.05)
    panel.reset()


def test_outlooks_of_several_targets_are_those_of_each_alone():
    targets = [3e6, 6e6]
    for revenue, outlook in zip(targets, target_outlooks(small(), targets, "2026-06-30"), strict=True):
        alone = solve_target(small(), revenue, "2026-06-30").outlook
        assert np.array_equal(outlook.needed, alone.needed) and np.array_equal(outlook.win, alone.win)


def test_the_chance_rises_with_new_deals_and_falls_with_the_target(panel):
    by_entries = [panel._chance(5e6, entries) for entries in range(0, 300, 20)]
    by_target = [panel._chance(revenue, 140) for revenue in np.linspace(1.25e6, 10e6, 15)]
    assert np.all(np.diff(by_entries) >= -1e-12) and np.all(np.diff(by_target) <= 1e-12)
    assert panel._chance(5e6, panel.needed) >= 0.8 > panel._chance(5e6, panel.needed - 1)


def test_the_challenge_is_met_by_one_target_only(panel):
    met = []
    for steps in range(5, 41):
        panel.state = {"revenue": steps * 250e3}
        met += [steps * 250e3] if panel.challenge.met else []
    assert met == [6.25e6]
    for changed in ({"entries": 200.0}, {"rates": 1.2}):
        panel.reset()
        panel.state = changed
        assert panel.challenge.status == "outside"
    panel.reset()


@pytest.mark.slow
def test_the_samples_card_says_what_the_verb_says():
    card = TargetSolver()
    plan = card.result
    assert 'fk.solve_target(fk.sample(), 20000000.0, "2026-12-31", odds=0.8)' in card.to_python()
    assert card.needed == pytest.approx(plan.entries, rel=0.02)
    assert card.chance == pytest.approx(plan.chance(card.state["entries"]), abs=0.005)
