"""Odds of attributes against other libraries."""

import numpy as np
import pytest

from funnelkit.events.journeys import journeys
from funnelkit.events.odds import attribute_odds, benjamini_hochberg
from funnelkit.events.rule import Rule
from tests.support.lives import COLUMNS, make


def test_odds_meet_statsmodels_and_chance_is_controlled():
    tables = pytest.importorskip("statsmodels.stats.contingency_tables", reason="statsmodels is in the dev extra")
    rng = np.random.default_rng(5)
    team, noise = rng.choice(["N", "S"], 3_000), rng.integers(0, 20, 3_000)
    converts = rng.random(3_000) < np.where(team == "N", 0.5, 0.3)
    lives = [[(0, "A"), *([(1, "B")] if yes else [])] for yes in converts]
    log = make(*lives, team=team, noise=noise)
    found = journeys(log, "AB", columns=COLUMNS, attributes=["team", "noise"])
    odds = attribute_odds(found, ["team", "noise"]).table
    row = odds[(odds["attribute"] == "team") & (odds["value"] == "N")].iloc[0]
    cells = np.array([[row["k"], row["n"] - row["k"]], [row["k_other"], row["n_other"] - row["k_other"]]]) + 0.5
    other = tables.Table2x2(cells.astype(float))
    assert row["odds_ratio"] == pytest.approx(other.oddsratio)
    assert (row["low"], row["high"]) == pytest.approx(other.oddsratio_confint())
    assert row["p_value"] == pytest.approx(other.log_oddsratio_pvalue(), abs=1e-12)
    assert odds.head(2)["attribute"].tolist() == ["team", "team"] and (odds.iloc[2:]["q_value"] > 0.05).all()


def test_benjamini_hochberg_is_scipys():
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(6).random(50) ** 2
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p))


def test_odds_say_what_is_beyond_chance():
    lives = [[(0, "A"), *([(1, "B")] if place % 10 < limit else [])] for limit in (8, 2) for place in range(100)]
    log = make(*lives, team=["N"] * 100 + ["S"] * 100, noise=[place % 2 for place in range(200)])
    found = attribute_odds(journeys(log, "AB", columns=COLUMNS, attributes=["team", "noise"]), ["team"])
    assert found.sentences() == [
        "2 of 2 values differ beyond chance (false discovery rate 5%). The clearest: with team N the odds of "
        "conversion are 15.42 times [7.77, 30.61] those of the others.",
        "What goes with conversion need not cause it.",
    ]
    none = attribute_odds(journeys(log, "AB", columns=COLUMNS, attributes="noise"), "noise")
    assert none.reading("zh").startswith("2 个取值的差异均未超出偶然")


def test_who_may_still_convert_is_in_no_odds():
    lives = [[(0, "A"), (1, "B")], [(0, "A")], [(18, "A"), (19, "B")], [(19, "A")]]
    log = make(*lives, team=["N", "S", "N", "S"])
    options = {"columns": COLUMNS, "attributes": "team"}
    odds = attribute_odds(journeys(log, "AB", Rule(window="10d"), **options), "team").table
    assert odds.set_index("value")[["k", "n"]].to_numpy().tolist() == [[1, 1], [0, 1]], "the young one is not counted"
    young = attribute_odds(journeys(log, "AB", Rule(window="90d"), **options), "team")
    assert young.reading().startswith("No step has a rate yet")
