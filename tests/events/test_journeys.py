"""Journeys: the times of the chosen chain, and who dropped out."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.events.conversion import conversion_trend
from funnelkit.events.count import count_events
from funnelkit.events.journeys import dropped, journeys
from funnelkit.events.rule import Rule, preset
from funnelkit.language.errors import DataError, RuleError
from tests.support.lives import COLUMNS, START, exponential, make


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


def test_dropped_are_known_to_be_lost():
    lives = [[(0, "A")], [(3, "A")], [(29, "A")], [(0, "A"), (1, "B")]]
    found = journeys(make(*lives, team="NSNS"), "AB", Rule(window="14d"), columns=COLUMNS, attributes=["team"])
    assert dropped(found, "A").table[["id", "since_days", "team"]].to_numpy().tolist() == [
        [1, 26.0, "S"],
        [0, 29.0, "N"],
    ]
    assert dropped(found, "B").table.empty, "whoever reached the last step is through"
    with pytest.raises(DataError, match=r"no step named 'Bb'\. Nearest: B"):
        dropped(found, "Bb")


def test_no_chain_where_steps_count_for_themselves():
    with pytest.raises(RuleError, match="engine journeys does not count rules with skip='touch'"):
        journeys(make([(0, "A")]), "AB", "hubspot_any", columns=COLUMNS)


def test_journeys_say_themselves_under_the_names_of_the_steps():
    lives = [[(0, "A"), (1, "B")], [(3, "A")], [(29, "A")]]
    found = journeys(make(*lives, team="NSN"), "AB", Rule(window="14d"), columns={**vars(COLUMNS)}, attributes="team")
    assert found.reading() == "3 began with A; 1 went all the way to B; 1 may still come further."
    assert found.reading("zh") == "从“A”开始的有 3 个；走完全程到“B”的有 1 个，仍可能前进的有 1 个。"
    assert [column.label for column in found.columns] == [
        "Id", "Steps reached", "May come further", "A", "B", "Team",
    ]  # fmt: skip
    out = dropped(found, "A")
    assert out.reading() == "1 reached A and went no further; their window is over."
    without = dropped(journeys(make(*lives), "AB", columns=COLUMNS), "A")
    assert without.reading() == "2 came to A and no further by 30 January 2026; without a window they still may."


def test_the_further_verbs_want_journeys():
    with pytest.raises(DataError, match=r"this takes what `fk\.journeys` found, not DataFrame"):
        conversion_trend(pd.DataFrame())
    with pytest.raises(DataError, match="not NoneType"):
        dropped(None, "A")
