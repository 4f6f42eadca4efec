"""Beyond counts: times, trend, dropped, paths and odds against values found by hand or by another library."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.events.count import count_events
from funnelkit.events.journeys import (
    QUANTILES,
    _quantiles,
    attribute_odds,
    benjamini_hochberg,
    conversion_trend,
    dropped,
    journeys,
    paths_between,
    time_histogram,
    time_to_convert,
)
from funnelkit.events.log import LogColumns
from funnelkit.events.rule import Rule, preset
from funnelkit.language.errors import DataError, RuleError

COLUMNS = LogColumns("who", "what", "moment")
START = pd.Timestamp("2026-01-01")


def make(*lives, **attributes):
    """Return a log: each life is a list of (day, event)."""
    rows = [(who, name, START + pd.Timedelta(days=day)) for who, life in enumerate(lives) for day, name in life]
    log = pd.DataFrame(rows, columns=["who", "what", "moment"])
    return log.assign(**{name: [values[who] for who in log["who"]] for name, values in attributes.items()})


def exponential(rng, n, rates, days):
    """Return a log of n entities that make each step with its rate after exponential times of that mean."""
    at, alive, parts = rng.uniform(0, 300, n), np.ones(n, bool), []
    for place, (rate, mean) in enumerate(zip([1.0, *rates], [0, *days], strict=True)):
        alive &= rng.random(n) < rate
        at = at + rng.exponential(mean, n) if mean else at
        moment = START + pd.to_timedelta(at[alive], unit="D")
        parts.append(pd.DataFrame({"who": np.flatnonzero(alive), "what": "ABC"[place], "moment": moment}))
    return pd.concat(parts, ignore_index=True)


def test_times_recover_a_known_truth():
    log = exponential(np.random.default_rng(3), 20_000, [0.7, 0.5], [4.0, 2.0])
    found = journeys(log, "ABC", Rule(window="100d"), columns=COLUMNS)
    times = time_to_convert(found).set_index("stage")
    assert times.loc["B", "p50_days"] == pytest.approx(4 * np.log(2), rel=0.05)
    assert times.loc["C", "mean_days"] == pytest.approx(2.0, rel=0.05)
    assert times.loc["total", "mean_days"] == pytest.approx(6.0, rel=0.05)
    bins = time_histogram(found, "B", bins=10)
    assert bins["n"].sum() == times.loc["B", "n"] and bins["n"].idxmax() == 0


def test_times_leave_out_entities_without_their_whole_window():
    log = make([(0, "A"), (9, "B")], [(18, "A"), (19, "B")], [(19, "A")])
    found = journeys(log, "AB", Rule(window="10d"), columns=COLUMNS, as_of="2026-01-21")
    assert time_to_convert(found)[["n", "p50_days"]].iloc[0].tolist() == [1, 9.0], "the quick young one would mislead"
    assert found.table["is_open"].tolist() == [False, False, True]


def test_path_is_that_of_the_chain_that_converted():
    log = make([(0, "A"), (40, "A"), (41, "B"), (42, "B"), (43, "C")])
    row = journeys(log, "ABC", preset("clickhouse", "10d"), columns=COLUMNS).table.iloc[0]
    assert [(row[f"at_{k}"] - START).days for k in (1, 2, 3)] == [40, 41, 43]


@pytest.mark.parametrize("name", ["posthog", "mixpanel", "clickhouse_strict_order", "clickhouse_strict_deduplication"])
def test_journeys_and_counts_are_one(name):
    log = exponential(np.random.default_rng(4), 2_000, [0.6, 0.5], [3.0, 5.0])
    rule = preset(name, "6d")
    counts = count_events(log, "ABC", rule, columns=COLUMNS, as_of="2026-10-15").table
    table = journeys(log, "ABC", rule, columns=COLUMNS, as_of="2026-10-15").table
    assert counts["n_entered"].tolist() == [(table["depth"] >= k).sum() for k in (1, 2, 3)]
    assert counts["n_open"].tolist() == [((table["depth"] == k) & table["is_open"]).sum() for k in (1, 2, 3)]
    assert counts["n_open"].sum() > 0
    times = table[["at_1", "at_2", "at_3"]].notna().sum(axis=1)
    assert (times == table["depth"]).all()


def test_any_order_has_its_steps_in_time_order():
    log = make([(0, "C"), (1, "A"), (5, "B")])
    row = journeys(log, "ABC", Rule(order="any"), columns=COLUMNS).table.iloc[0]
    assert [(row[f"at_{k}"] - START).days for k in (1, 2, 3)] == [0, 1, 5]


def test_trend_keeps_the_young_cohort_open():
    lives = [[(0, "A"), (1, "B")], [(2, "A")], [(40, "A")], [(41, "A"), (42, "B")]]
    found = journeys(make(*lives), "AB", Rule(window="14d"), columns=COLUMNS)
    trend = conversion_trend(found)
    assert trend["cohort"].tolist() == [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")]
    assert trend[["n_entered", "k", "n", "n_open"]].to_numpy().tolist() == [[2, 1, 2, 0], [2, 1, 1, 1]]
    assert trend["is_mature"].tolist() == [True, False]
    assert trend[["floor", "ceiling"]].iloc[1].tolist() == [0.5, 1.0]
    with pytest.raises(DataError, match="no period named 'moon'"):
        conversion_trend(found, "moon")


def test_dropped_are_known_to_be_lost():
    lives = [[(0, "A")], [(3, "A")], [(29, "A")], [(0, "A"), (1, "B")]]
    found = journeys(make(*lives, team="NSNS"), "AB", Rule(window="14d"), columns=COLUMNS, attributes=["team"])
    assert dropped(found, "A")[["id", "since_days", "team"]].to_numpy().tolist() == [[1, 26.0, "S"], [0, 29.0, "N"]]
    assert dropped(found, "B").empty, "whoever reached the last step is through"
    with pytest.raises(DataError, match=r"no step named 'Bb'\. Nearest: B"):
        dropped(found, "Bb")


@pytest.mark.parametrize("as_text", [False, True])
def test_paths_hold_all_events_between(as_text):
    log = make(*[[(0, "A"), (1, "x"), (2, "y"), (3, "B")]] * 2, [(0, "A"), (4, "B"), (5, "x")], [(0, "A"), (1, "x")])
    log["who"] = log["who"].astype(str) if as_text else log["who"]
    found = journeys(log, "AB", columns=COLUMNS)
    table = paths_between(log, found, "A", "B")
    assert table[["path", "n", "p50_days"]].to_numpy().tolist() == [["x > y", 2, 3.0], ["", 1, 4.0]]
    assert table["share"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_odds_meet_statsmodels_and_chance_is_controlled():
    tables = pytest.importorskip("statsmodels.stats.contingency_tables", reason="statsmodels is in the dev extra")
    rng = np.random.default_rng(5)
    team, noise = rng.choice(["N", "S"], 3_000), rng.integers(0, 20, 3_000)
    converts = rng.random(3_000) < np.where(team == "N", 0.5, 0.3)
    lives = [[(0, "A"), *([(1, "B")] if yes else [])] for yes in converts]
    log = make(*lives, team=team, noise=noise)
    found = journeys(log, "AB", columns=COLUMNS, attributes=["team", "noise"])
    odds = attribute_odds(found, ["team", "noise"])
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


def test_no_chain_where_steps_count_for_themselves():
    with pytest.raises(RuleError, match="engine journeys does not count rules with skip='touch'"):
        journeys(make([(0, "A")]), "AB", "hubspot_any", columns=COLUMNS)


def test_an_empty_log_gives_empty_tables():
    found = journeys(make([(0, "x")]), "AB", Rule(window="1d"), columns=COLUMNS)
    assert found.table.empty and dropped(found, "A").empty and conversion_trend(found).empty
    assert time_to_convert(found)["n"].tolist() == [0, 0]
    assert time_histogram(found)["n"].sum() == 0
    assert paths_between(make([(0, "x")]), found, "A", "B").empty


def test_times_of_nobody_are_an_empty_table():
    log = pd.DataFrame({"deal_id": [1], "stage": ["A"], "entered_at": pd.to_datetime(["2026-01-05"]), "team": ["x"]})
    found = journeys(log, ["A", "B"], Rule(window="7d"), attributes=["team"], as_of=pd.Timestamp("2026-01-06"))
    assert len(found.matured) == 0
    assert len(time_to_convert(found, by="team")) == 0
    assert time_to_convert(found)["n"].tolist() == [0, 0]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1_001])
def test_quantiles_are_those_of_numpy(n):
    values = np.random.default_rng(n).exponential(size=n).round(1)
    assert _quantiles(values).tolist() == np.quantile(values, QUANTILES).tolist()
