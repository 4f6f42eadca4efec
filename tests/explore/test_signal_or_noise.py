"""The card of signal or noise: its rounds hold the truth that it reveals, and its challenge has one way through."""

import numpy as np
import pytest

from funnelkit.explore import SignalOrNoise, draw_months
from funnelkit.stats import newcombe


def test_the_months_have_the_true_rates_that_are_revealed():
    """Over all rounds, within four standard errors, before and after the fall."""
    panel = SignalOrNoise(200, 0.4, 0.1)
    drawn = (draw_months(200, 0.4, 0.1, round_=at)["status"].eq("won").to_numpy() for at in range(1, 41))
    months = np.array([won.reshape(24, 200).sum(axis=1) for won in drawn])
    changed = panel.rounds["changed"].to_numpy()
    for part, rate in ((months[:, :18], 0.4), (months[~changed, 18:], 0.4), (months[changed, 18:], 0.3)):
        n = 200 * part.size
        assert abs(part.sum() / n - rate) < 4 * np.sqrt(rate * (1 - rate) / n)


def test_the_change_is_that_of_newcombe_on_the_drawn_deals():
    panel = SignalOrNoise()
    panel.state = {"months": 4, "round": 7}
    table = panel.result.table
    last, before = table.tail(4), table.head(20)
    expected = newcombe(last["k"].sum(), last["n"].sum(), before["k"].sum(), before["n"].sum())
    assert [panel.change[name] for name in ("change", "low", "high")] == [float(part) for part in expected]


def test_two_falls_in_a_row_raise_many_more_false_alarms_than_the_interval():
    """The lesson of the card: where nothing changes, the interval is wrong about once in forty."""
    quiet = []
    for n in (30, 40, 50, 60, 80):
        panel = SignalOrNoise(n, size=0.0)
        quiet.append(panel.rounds[["signal", "falls"]].mean())
    signal, falls = np.mean(quiet, axis=0)
    assert signal < 0.06 and falls > 0.35


def test_the_challenge_is_met_by_one_size_only():
    panel, met = SignalOrNoise(), []
    for points in range(31):
        panel.state = {"size": points / 100}
        met += [points] if panel.challenge.met else []
    assert met == [10]
    panel.state = {"size": 0.1, "n": 400}
    assert panel.challenge.status == "outside"


@pytest.mark.parametrize("round_", [1, 40])
def test_a_larger_fall_leaves_fewer_wins(round_):
    wins = [draw_months(50, 0.5, size, round_=round_)["status"].eq("won").sum() for size in (0.0, 0.1, 0.3)]
    assert wins == sorted(wins, reverse=True)
