"""The card of stuck or slow: the same age means two things in two stages, and its challenge has one way through."""

import numpy as np
import pytest

from funnelkit.explore import StuckOrSlow, stage_deals


def test_the_curve_is_what_the_verb_learns():
    for stage in ("steady", "scattered"):
        panel = StuckOrSlow(stage, 65)
        taught, ours = panel.spec["stages"][stage], panel.table.set_index("deal_id").loc["ours"]
        assert taught["stay"][65] == pytest.approx(ours["still_here"], rel=1e-12)
        assert taught["usual"] == pytest.approx(ours["usual_days"], abs=1e-7)
        assert ours["n_left"] > 140 and np.all(np.diff(taught["stay"]) <= 0)


def test_the_same_age_is_stuck_where_stays_are_alike_only():
    found = {
        stage: StuckOrSlow(stage, 65).table.set_index("deal_id").at["ours", "state"]
        for stage in ("steady", "scattered")
    }
    assert found["steady"] == "stuck" and found["scattered"] != "stuck"


def test_the_deals_stay_as_long_as_is_said():
    """Half leave within 20 days in both stages, within two standard errors of a median of 240."""
    for stage, spread in (("steady", 0.22), ("scattered", 0.5)):
        deals, _ = stage_deals(stage, 1)
        stay = (deals["closed"] - deals["created"]).dt.days.fillna(1e6)[:-1]
        error = 2 * spread * 20 / np.sqrt(240)  # of the median of a log-logistic distribution: 1 / (2 f sqrt n)
        assert abs(stay.median() - 20) < 2 * error + 0.5


def test_the_challenge_is_met_at_one_age_only():
    panel, kinds = StuckOrSlow(), {}
    for age in (58, 59, 60, 120):
        panel.state = {"age": age}
        kinds[age] = panel.challenge.status
    assert [age for age, status in kinds.items() if status == "done"] == [59]
    assert kinds[58] == "not_yet" and kinds[60] == kinds[120] == "outside"
