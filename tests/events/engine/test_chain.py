"""The chain against answers found apart: golden cases, a plain-Python reference, ClickHouse, the Ibis expression."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from funnelkit.events.rule import PRESETS, Rule, preset
from funnelkit.language.errors import RuleError
from tests.support.randomlogs import START, by_entity, kit_depths, random_log
from tests.support.reference import deepest

N = 10_000
RANDOM_RULES = {
    "default": Rule(),
    "first_window": Rule(window="5s"),
    "latest_window": Rule(window="5s", reentry="latest"),
    "previous_window": Rule(window="3s", window_from="previous"),
    "previous_latest": Rule(window="3s", window_from="previous", reentry="latest"),
    "each_window": Rule(window="2s,3s,4s", window_from="previous", reentry="latest"),
    "gap": Rule(window="8s", gap="2s"),
    "gap_latest": Rule(window="8s", gap="1s", reentry="latest", exclude=("X",), exclusion="keep"),
    "gap_previous": Rule(window="4s", window_from="previous", gap="2s", reentry="latest"),
    "gap_held": Rule(hold="held", gap="2s", reentry="latest"),
    "strict_ties": Rule(window="5s", ties="strict", reentry="latest"),
    "grace": Rule(window="5s", ties="grace", grace_s=2),
    "grace_latest": Rule(window="5s", ties="grace", grace_s=1, reentry="latest"),
    "excluded": Rule(window="6s", exclude=("X",), exclusion="keep"),
    "excluded_latest": Rule(window="6s", exclude=("X",), exclusion="keep", reentry="latest"),
    "excluded_grace": Rule(exclude=("X",), exclusion="keep", ties="grace", grace_s=2, reentry="latest"),
    "held": Rule(hold="held", window="8s"),
    "held_latest": Rule(hold="held", window="8s", reentry="latest", exclude=("X",), exclusion="keep"),
}


def one(text, rule, steps="ABC", gap_s=60):
    """Return the depth of one entity whose events are the letters of `text`, `gap_s` apart."""
    return depth([(place * gap_s, name, "red") for place, name in enumerate(text)], list(steps), rule)


def depth(events, steps, rule):
    seconds, names, held = zip(*events, strict=True)
    at = START + pd.to_timedelta(list(seconds), unit="s")
    log = pd.DataFrame({"id": 0, "name": names, "at": at, "held": held})
    return int(kit_depths(log, list(steps), rule, 1)[0])


@pytest.mark.parametrize(("reentry", "expected"), [("first", 2), ("latest", 3)])
def test_g1_window_from_the_first_or_the_latest_start(reentry, expected):
    events = [(3600, "A", ""), (5400, "A", ""), (6300, "B", ""), (8100, "C", "")]
    rule = replace(preset("mixpanel", "1h"), reentry=reentry)
    assert depth(events, "ABC", rule) == expected


@pytest.mark.parametrize(("order", "expected"), [("ordered", 3), ("strict", 1)])
def test_g2_other_events_between(order, expected):
    assert one("AFBC", Rule(order=order)) == expected


def test_g3_a_missing_step_ends_the_chain():
    assert one("ABCE", Rule(), "ABCDE") == 3


def test_g4_a_skipped_step_closed_touched_or_filled_in():
    from funnelkit.events.count import count_events

    log = pd.DataFrame({"deal_id": 1, "stage": ["A", "C"], "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    entered = {name: count_events(log, "ABC", name).table["n_entered"].tolist() for name in PRESETS}
    for name in ("ga4_closed", "hubspot_all", "default", "posthog", "mixpanel", "amplitude", "clickhouse"):
        assert entered[name] == [1, 0, 0]
    for name in ("ga4_open", "hubspot_any"):
        assert entered[name] == [1, 0, 1]
    assert entered["bitrix24"] == [1, 1, 1]


def test_g5_strict_order_stops_at_a_foreign_event():
    assert one("ABDC", preset("clickhouse_strict_order")) == 2


def test_g6_strict_order_with_reentry_passes_over_a_repeat():
    assert one("AABC", preset("clickhouse_strict_order_reentry")) == 3
    assert one("ACBC", preset("clickhouse_strict_order_reentry")) == 3
    assert one("ACBC", preset("clickhouse_strict_order")) == 1


def test_g7_deduplication_stops_at_the_level_reached():
    # StarRocks, Doris and ClickHouse since March 2026 answer 3; ClickHouse before that answered 2. 3 is followed.
    assert one("ABCBD", preset("clickhouse_strict_deduplication"), "ABCD") == 3
    assert one("ABCBD", preset("clickhouse"), "ABCD") == 4


def test_g8_ties_within_a_grace_of_seconds():
    tied = [(0, "B", ""), (0, "A", "")]
    assert depth(tied, "AB", preset("mixpanel")) == 2
    assert depth(tied, "AB", preset("amplitude")) == 2
    assert depth(tied, "AB", preset("clickhouse_strict_increase")) == 1
    two_seconds = [(0, "B", ""), (2, "A", "")]
    assert depth(two_seconds, "AB", preset("mixpanel")) == 2
    assert depth(two_seconds, "AB", preset("amplitude")) == 1


def test_g9_an_excluded_event_removes_the_person_or_keeps_the_steps():
    assert one("AXB", preset("posthog", exclude=("X",))) == 0
    assert one("AXB", preset("mixpanel", exclude=("X",))) == 1
    assert one("ABCX", preset("posthog", exclude=("X",))) == 3, "after the conversion it changes nothing"
    assert one("XABC", preset("posthog", exclude=("X",))) == 3, "nor before the start"


def test_g10_a_property_held_constant():
    events = [(0, "A", "red"), (1, "B", "blue"), (2, "C", "red")]
    assert depth(events, "ABC", Rule(hold="held")) == 1
    assert depth(events, "ABC", Rule()) == 3


def test_g11_strictly_increasing_times():
    assert depth([(0, "A", ""), (1, "A", ""), (1, "B", "")], "AB", preset("clickhouse_strict_increase")) == 2


def test_a_step_that_comes_too_soon_is_passed_over():
    """A at 0, B after 1 s and again after 5 s, C 2 s later: only the second B is far enough from A."""
    events = [(0, "A", ""), (1, "B", ""), (5, "B", ""), (7, "C", "")]
    assert depth(events, "ABC", Rule(gap="2s")) == 3, "both ends of the gap included"
    assert depth(events, "ABC", Rule(gap="3s")) == 2
    assert depth(events, "ABC", Rule(gap="6s")) == 1
    for other in ({"order": "any"}, {"order": "strict"}, {"skip": "touch"}, {"ties": "grace", "grace_s": 1}):
        with pytest.raises(RuleError, match="gap"):
            Rule(gap="2s", **other)


def test_g12_a_young_entity_is_not_yet_known():
    from funnelkit.events.count import count_events

    log = pd.DataFrame({"deal_id": [1], "stage": ["A"], "entered_at": [pd.Timestamp("2026-01-01")]})
    for name in ("posthog", "mixpanel", "clickhouse", "ga4_closed", "amplitude", "clickhouse_strict_order"):
        table = count_events(log, "AB", preset(name, "14d"), as_of="2026-01-04").table
        assert table[["n_lost", "n_open"]].iloc[0].tolist() == [0, 1], name
        later = count_events(log, "AB", preset(name, "14d"), as_of="2026-01-16").table
        assert later[["n_lost", "n_open"]].iloc[0].tolist() == [1, 0], name


@pytest.mark.parametrize("name", RANDOM_RULES)
def test_random_logs_agree_with_the_reference(name):
    rng, rule, steps = np.random.default_rng(6), RANDOM_RULES[name], list("ABCD")
    log = random_log(rng, N)
    expected = [deepest(events, steps, rule) for events in by_entity(log, N)]
    assert np.flatnonzero(kit_depths(log, steps, rule, N) != expected).tolist() == []
    assert len(set(expected)) >= 4, "the logs reach all depths"


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("steps", ["AAB", "ABA", "ABAC"])
def test_repeated_steps_agree_with_the_reference(steps, once):
    rng, n = np.random.default_rng(7), 2_000
    log, rule = random_log(rng, n), Rule(window="6s", reentry="latest", once=once)
    expected = [deepest(events, list(steps), rule) for events in by_entity(log, n)]
    assert np.flatnonzero(kit_depths(log, list(steps), rule, n) != expected).tolist() == []


def test_partitions_change_nothing():
    log, rule = random_log(np.random.default_rng(8), 3_000), RANDOM_RULES["excluded_latest"]
    whole = kit_depths(log, "ABCD", rule, 3_000)
    assert (kit_depths(log, "ABCD", rule, 3_000, partition_rows=1_000) == whole).all()


MODES = {
    "clickhouse": (),
    "clickhouse_strict_order": ("strict_order",),
    "clickhouse_strict_order_reentry": ("strict_order", "allow_reentry"),
    "clickhouse_strict_deduplication": ("strict_deduplication",),
    "clickhouse_strict_increase": ("strict_increase",),
}


def window_funnel(log, steps, modes, n_entities, window_s=6):
    """Return the depths that ClickHouse's windowFunnel finds."""
    chdb = pytest.importorskip("chdb", reason="chdb is in the bench extra")
    rows = ",".join(
        f"({who},'{name}',{at})" for who, name, at in zip(log["id"], log["name"], log["second"], strict=True)
    )
    settings = "".join(f", '{mode}'" for mode in modes)
    conditions = ", ".join(f"name = '{step}'" for step in steps)
    table = f"values('id UInt32, name String, at UInt32', {rows})"
    sql = f"SELECT id, windowFunnel({window_s}{settings})(at, {conditions}) FROM {table} GROUP BY id"
    depths = np.zeros(n_entities, dtype=int)
    for line in str(chdb.query(sql, "CSV")).split():
        who, level = map(int, line.split(","))
        depths[who] = level
    return depths


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("span_s", [12, 40])
def test_clickhouse_presets_equal_chdb(name, span_s):
    log = random_log(np.random.default_rng(9), 1_000, longest=10, span_s=span_s)
    theirs = window_funnel(log, "ABCD", MODES[name], 1_000)
    ours = kit_depths(log, list("ABCD"), preset(name, "6s"), 1_000)
    differ = np.flatnonzero(ours != theirs)
    if name != "clickhouse_strict_increase":
        assert differ.tolist() == []
        return
    # Exceptions: ClickHouse keeps only a step's latest event, so one at the same instant as the next step hides an
    # earlier one that strictly increases (ClickHouse issues 52844 and 93789, pull request 112629, open). There the
    # kit's answer is deeper and the reference's; wherever no entity has tied events of two steps, both are equal.
    events = by_entity(log, 1_000)
    assert all(
        ours[who] > theirs[who] and ours[who] == deepest(events[who], list("ABCD"), preset(name, "6s"))
        for who in differ
    )
    tied = {who for who in range(1_000) if len({at for at, _, _ in events[who]}) < len(events[who])}
    assert set(differ.tolist()) <= tied


def test_what_has_no_meaning_is_refused():
    with pytest.raises(RuleError, match="rule fields order='any' and window_from='previous' contradict each other"):
        Rule(order="any", window_from="previous")
    with pytest.raises(RuleError, match="step A stands twice"):
        one("AB", preset("mixpanel"), "AAB")
    with pytest.raises(RuleError, match="B is both a step and excluded"):
        one("AB", Rule(exclude=("B",)))
    with pytest.raises(RuleError, match="2 windows for 3 transitions"):
        one("AB", Rule(window="1d,2d", window_from="previous"), "ABCD")
