"""Times and trend of conversion against values found by hand, and known truth."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.events.compare_rules import compare_rules
from funnelkit.events.conversion import (
    QUANTILES,
    _quantiles,
    conversion_trend,
    time_histogram,
    time_to_convert,
    time_trend,
)
from funnelkit.events.count import count_events, step_rates
from funnelkit.events.journeys import journeys
from funnelkit.events.rule import Rule
from funnelkit.language.errors import DataError
from tests.support.lives import COLUMNS, exponential, make


def test_times_recover_a_known_truth():
    log = exponential(np.random.default_rng(3), 20_000, [0.7, 0.5], [4.0, 2.0])
    found = journeys(log, "ABC", Rule(window="100d"), columns=COLUMNS)
    times = time_to_convert(found).table.set_index("stage")
    assert times.loc["B", "p50_days"] == pytest.approx(4 * np.log(2), rel=0.05)
    assert times.loc["C", "mean_days"] == pytest.approx(2.0, rel=0.05)
    assert times.loc["total", "mean_days"] == pytest.approx(6.0, rel=0.05)
    bins = time_histogram(found, "B", bins=10).table
    assert bins["n"].sum() == times.loc["B", "n"] and bins["n"].idxmax() == 0


def test_times_leave_out_entities_without_their_whole_window():
    log = make([(0, "A"), (9, "B")], [(18, "A"), (19, "B")], [(19, "A")])
    found = journeys(log, "AB", Rule(window="10d"), columns=COLUMNS, as_of="2026-01-21")
    assert time_to_convert(found).table[["n", "p50_days"]].iloc[0].tolist() == [1, 9.0], (
        "the quick young one would mislead"
    )
    assert found.table["is_open"].tolist() == [False, False, True]


def test_trend_keeps_the_young_cohort_open():
    lives = [[(0, "A"), (1, "B")], [(2, "A")], [(40, "A")], [(41, "A"), (42, "B")]]
    found = journeys(make(*lives), "AB", Rule(window="14d"), columns=COLUMNS)
    trend = conversion_trend(found).table
    assert trend["cohort"].tolist() == [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")]
    columns = ["n_entered", "n_converted", "k", "n", "n_open"]
    assert trend[columns].to_numpy().tolist() == [[2, 1, 1, 2, 0], [2, 1, 0, 0, 1]]
    assert trend["basis"].tolist() == ["matured", "unknown"] and trend["horizon_days"].tolist() == [14, 14]
    assert np.isnan(trend["rate"].iloc[1]), "the quick of a young cohort are no rate of it"
    assert trend["is_mature"].tolist() == [True, False]
    assert trend[["floor", "ceiling"]].iloc[1].tolist() == [0.5, 1.0]
    with pytest.raises(DataError, match="no period named 'moon'"):
        conversion_trend(found, "moon")


def test_times_by_cohort_recover_a_slowing_funnel():
    """Each entity takes as many days as its month has number; the young month waits for its window."""
    begun = [(month, 30 * month + day) for month in range(4) for day in range(10)]
    lives = [[(start, "A"), (start + month + 1, "B")] for month, start in begun] + [[(5, "A")]]
    found = journeys(make(*lives), "AB", Rule(window="20d"), columns=COLUMNS, as_of="2026-04-15")
    trend = time_trend(found)
    table = trend.table.set_index("cohort")
    assert table["n"].sum() == (found.matured["depth"] == 2).sum() < 40
    whole = dict(tuple(found.matured.groupby(found.matured["at_1"].dt.to_period("M"))))
    for month, group in whole.items():
        days = (group["at_2"] - group["at_1"]).dropna() / pd.Timedelta(days=1)
        row = table.loc[month.start_time]
        assert row["n"] == len(days) and row["p90_days"] == pytest.approx(np.quantile(days, 0.9))
    assert table["p50_days"].tolist()[:3] == [1.0, 2.0, 3.0] and table["is_mature"].tolist()[-1] is False
    assert trend.reading().startswith("From A to B, half took up to 1.0 days in the period from 1 January 2026, up to ")
    with pytest.raises(DataError, match="no period named 'moon'"):
        time_trend(found, "moon")


def test_times_of_nobody_are_an_empty_table():
    log = pd.DataFrame({"deal_id": [1], "stage": ["A"], "entered_at": pd.to_datetime(["2026-01-05"]), "team": ["x"]})
    found = journeys(log, ["A", "B"], Rule(window="7d"), attributes=["team"], as_of=pd.Timestamp("2026-01-06"))
    assert len(found.matured) == 0
    assert len(time_to_convert(found, by="team").table) == 0
    assert time_to_convert(found).table["n"].tolist() == [0, 0]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1_001])
def test_quantiles_are_those_of_numpy(n):
    values = np.random.default_rng(n).exponential(size=n).round(1)
    assert _quantiles(values).tolist() == np.quantile(values, QUANTILES).tolist()


def test_times_split_by_one_column_or_several():
    lives = [[(0, "A"), (2, "B")], [(0, "A"), (4, "B")], [(0, "A"), (9, "B")], [(5, "A")]]
    log = make(*lives, team=["N", "N", "S", None], kind="xyxx")
    found = journeys(log, "AB", columns=COLUMNS, attributes=["team", "kind"])
    by_team = time_to_convert(found, by="team")
    assert by_team.table[by_team.table["stage"] == "total"]["p50_days"].tolist()[:2] == [3.0, 9.0]
    assert by_team.sentences() == [
        "From A to B, the median time is shortest in N (3.0 days) and longest in S (9.0 days).",
        "No window: only those through by 10 January 2026 are measured, and the slow are still to come.",
    ]
    both = time_to_convert(found, by=["team", "kind"]).table
    assert both[both["stage"] == "B"][["team", "kind", "n"]].fillna("").to_numpy().tolist() == [
        ["N", "x", 1], ["N", "y", 1], ["S", "x", 1], ["", "x", 0],
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"no column named 'taem'\. Nearest: team"):
        time_to_convert(found, by="taem")


def test_times_and_trend_say_themselves():
    found = journeys(make([(0, "A"), (2, "B")], [(1, "A")], [(40, "A")]), "AB", Rule(window="14d"), columns=COLUMNS)
    told = time_to_convert(found)
    assert told.reading().startswith(
        "Of those observed for long enough, 1 got from A to B. Half of them took up to 2.0"
    )
    assert told.reading("zh").startswith("只计观察时间够长的：从“A”走到“B”的共 1 个，半数用时不超过 2.0 天")
    unlimited = journeys(make([(0, "A"), (2, "B")]), "AB", Rule(), columns=COLUMNS)
    assert (
        time_to_convert(unlimited).reading().startswith("From A to B, half of the 1 that made it took up to 2.0 days")
    )
    trend = conversion_trend(found)
    assert trend.sentences() == [
        "From A to B, 50.0% [9.5, 90.5] (n = 2) of those that began in the period starting on 1 January 2026 "
        "converted; no other period is complete.",
        "One cohort is not complete; its rate may still change.",
    ]
    assert "2026 年 1 月 1 日" in trend.reading("zh")
    slowest = "Of those observed for long enough, 1 got from A to B; the slowest took 2.0 days."
    assert time_histogram(found).reading() == slowest
    with pytest.raises(DataError, match="A is the first step: no time leads to it"):
        time_histogram(found, "A")


def test_nobody_through_is_said():
    found = journeys(make([(0, "x")]), "AB", Rule(window="1d"), columns=COLUMNS)
    assert conversion_trend(found).table.empty
    assert time_to_convert(found).table["n"].tolist() == [0, 0]
    assert time_histogram(found).table["n"].sum() == 0
    assert time_trend(found).table.empty and time_trend(found).reading().startswith("Nobody who has had")
    assert time_to_convert(found).reading() == "Nobody who has had the whole window has come from A to B."
    assert conversion_trend(found).reading() == "Nobody in the log began with A."
    young = journeys(make([(0, "A"), (1, "B")], [(1, "A")]), "AB", Rule(window="7d"), columns=COLUMNS)
    assert conversion_trend(young).reading() == "No cohort is complete yet: of none has everybody had the whole window."
    assert "not yet known: 50.0% to 100.0%" in conversion_trend(young).show().text


def test_a_step_that_stands_twice_has_a_time_of_its_own():
    log = pd.DataFrame({"deal_id": [1] * 3, "stage": list("ABA")})
    log["entered_at"] = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-05"])
    table = time_to_convert(journeys(log, list("ABA"))).table
    assert table[["stage", "p50_days"]].to_numpy().tolist() == [["B", 1.0], ["A", 3.0], ["total", 4.0]]


def test_no_rate_lies_beyond_what_is_known_of_all():
    rule, as_of = Rule(window="40d"), pd.Timestamp("2026-06-20")
    for seed in range(4):
        rng = np.random.default_rng([17, seed])
        log = exponential(rng, 30, rng.uniform(0.05, 1, 2), rng.uniform(1, 60, 2))
        counts = count_events(log, "ABC", rule, as_of=as_of, columns=COLUMNS)
        trend = conversion_trend(journeys(log, "ABC", rule, as_of=as_of, columns=COLUMNS))
        compared = compare_rules(log, "ABC", columns=COLUMNS, window="40d", as_of=as_of, rules=["default"])
        for table in (counts.table, step_rates(counts).table, trend.table, compared.table):
            rows = table.dropna(subset=["rate", "floor"])
            for found in (rows[["floor", "rate", "ceiling"]], rows[["low", "rate", "high"]]):
                assert (np.diff(found, axis=1) > -1e-12).all()


def test_what_the_young_have_shown_counts():
    """One of 15 matured is no rate of a cohort of which three of 30 are through already."""
    lives = [[(0, "A")]] * 14 + [[(0, "A"), (5, "B")]] + [[(20, "A")]] * 13 + [[(20, "A"), (22, "B")]] * 2
    found = journeys(make(*lives), "AB", Rule(window="14d"), columns=COLUMNS, as_of="2026-01-28")
    row = conversion_trend(found).table.iloc[0]
    assert row[["k", "n", "n_entered", "n_converted"]].tolist() == [1, 15, 30, 3]
    assert row["rate"] == row["floor"] == 0.1 and row["low"] < 1 / 15 and row["high"] > 0.1
