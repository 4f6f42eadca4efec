"""Depths and first touches side by side are those of the chain, and are only sought where these are all it takes."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.events.count import count_events
from funnelkit.events.engine.arrays import NEVER, Rows
from funnelkit.events.engine.chain import chain
from funnelkit.events.engine.fast_depth import depths, first_touches
from funnelkit.events.rule import PRESETS, Rule

RULES = {
    "default": Rule(),
    "latest": Rule(reentry="latest"),
    "window": Rule(window="5s"),
    "latest_window": Rule(window="5s", reentry="latest"),
    "wide": Rule(window="400d", reentry="latest"),
    "short": Rule(window="1s", reentry="latest"),
}


def rows_of(rng, n_entities=20_000, far=0, n_steps=4, without_first=False):
    """Return Rows of up to 14 events an entity within 12 s, many at once."""
    sizes = 1 + rng.poisson(3, n_entities).clip(0, 13)
    entity = np.repeat(np.arange(n_entities, dtype="int32"), sizes)
    at, step = rng.integers(0, 12, len(entity)) * 1_000_000 + far, rng.integers(without_first, n_steps, len(entity))
    order = np.lexsort((step, at, entity))
    return Rows(entity, step[order].astype("int8"), at[order], n_entities)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("far", [0, -(10**15), 2**61 - 10**9])
def test_depths_and_deadlines_are_those_of_the_chain(name, far):
    rows = rows_of(np.random.default_rng(21), far=far)
    found, expected = depths(rows, [0, 1, 2, 3], RULES[name]), chain(rows, [0, 1, 2, 3], RULES[name])
    assert np.array_equal(found.depth, expected.depth) and np.array_equal(found.until, expected.until)
    assert set(found.depth) == {0, 1, 2, 3, 4}
    assert (len(set(found.until)) > 1) == (RULES[name].window is not None)


@pytest.mark.parametrize("rule", [Rule(), Rule(window="5s"), Rule(window="1s"), Rule(window="400d")])
@pytest.mark.parametrize("far", [0, -(10**15), 2**61 - 10**9])
def test_first_touches_are_the_path_of_the_chain(rule, far):
    rows = rows_of(np.random.default_rng(26), 8_000, far=far, n_steps=5)
    found, expected = first_touches(rows, [0, 1, 2, 3, 4], rule), chain(rows, [0, 1, 2, 3, 4], rule, want_path=True)
    for name in ("depth", "start", "until", "path"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert set(found.depth) >= {0, 1, 2, 3}


def test_first_touches_of_nobody_and_of_rules_that_need_the_chain():
    nobody = first_touches(rows_of(np.random.default_rng(27), 8_000, without_first=True), [0, 1, 2, 3], Rule())
    assert not nobody.depth.any() and (nobody.path == -1).all()
    rows = rows_of(np.random.default_rng(28), 8_000)
    for rule in (Rule(reentry="latest"), Rule(attribute="last"), Rule(ties="strict"), Rule(gap="1s")):
        assert first_touches(rows, [0, 1, 2, 3], rule) is None


def test_entities_of_which_none_begins():
    rows = rows_of(np.random.default_rng(22), without_first=True)
    found = depths(rows, [0, 1, 2, 3], RULES["latest_window"])
    assert not found.depth.any() and set(found.until) == {NEVER}


@pytest.mark.parametrize("rule", [
    Rule(order="any"), Rule(order="strict"), Rule(ties="strict"), Rule(ties="grace", grace_s=2), Rule(skip="touch"),
    Rule(exclude=("X",)), Rule(window="3s", window_from="previous"), Rule(order="strict", deduplicate=True),
])  # fmt: skip
def test_other_rules_are_left_to_the_chain(rule):
    assert depths(rows_of(np.random.default_rng(23), 2_000), [0, 1, 2, 3], rule) is None


def test_repeated_steps_large_entities_and_far_times_are_left_to_the_chain():
    rows = rows_of(np.random.default_rng(24), 3_000)
    assert depths(rows, [0, 1, 2, 3], Rule()) is not None and depths(rows, [0, 1, 0, 3], Rule()) is None
    rows.entity[:20] = 0  # one entity of twenty rows would take twenty turns
    assert depths(rows, [0, 1, 2, 3], Rule()) is None
    assert depths(rows_of(np.random.default_rng(24), 3_000, far=-(2**61) - 10), [0, 1, 2, 3], Rule()) is None


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_counts_are_the_same_whether_rows_are_wanted_or_not(name):
    rows = rows_of(np.random.default_rng(25), 4_000)
    log = pd.DataFrame({"deal_id": rows.entity, "stage": np.array(list("ABCD"))[rows.step], "one": "1"})
    log["entered_at"] = pd.to_datetime(rows.at, unit="us")
    plain = count_events(log, "ABCD", name).table
    parted = count_events(log, "ABCD", name, by="one").table
    pd.testing.assert_frame_equal(plain, parted.drop(columns="one"))
