"""The card of targets: its chances are those of the verb's plan, thinned; its challenge has one way through."""

import numpy as np
import pytest

from funnelkit.explore import TargetSolver
from funnelkit.forecast import solve_target, target_outlooks

from .cases_of_targets import small


@pytest.fixture(scope="module")
def panel():
    return TargetSolver(small(), 5e6)


def test_the_chances_are_those_of_the_plan_within_what_thinning_costs(panel):
    """100 of 500 draws, whose futures go together: within two standard errors of a share of so many."""
    date = panel.spec["dates"][-1]
    for revenue in (5e6, 6.9e6):
        plan = solve_target(small(), revenue, date)
        for entries in (0, 60, 140, 250):
            panel.state = {"revenue": revenue, "entries": entries}
            assert panel.chance == pytest.approx(plan.chance(entries), abs=2 * 0.5 / np.sqrt(100))
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
    panel.state = {"entries": 200.0}
    assert panel.challenge.status == "outside"
    panel.reset()


@pytest.mark.slow
def test_the_samples_card_says_what_the_verb_says():
    card = TargetSolver()
    plan = card.result
    assert card.to_python().endswith('fk.solve_target(fk.sample(), 20000000.0, "2026-12-31", odds=0.8)\n')
    assert card.needed == pytest.approx(plan.entries, rel=0.15)
    assert card.chance == pytest.approx(plan.chance(card.state["entries"]), abs=0.1)
