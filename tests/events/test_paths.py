"""Paths between two steps."""

import pytest

from funnelkit.events.journeys import journeys
from funnelkit.events.paths import paths_between
from tests.support.lives import COLUMNS, make


@pytest.mark.parametrize("as_text", [False, True])
def test_paths_hold_all_events_between(as_text):
    log = make(*[[(0, "A"), (1, "x"), (2, "y"), (3, "B")]] * 2, [(0, "A"), (4, "B"), (5, "x")], [(0, "A"), (1, "x")])
    log["who"] = log["who"].astype(str) if as_text else log["who"]
    found = journeys(log, "AB", columns=COLUMNS)
    table = paths_between(log, found, "A", "B").table
    assert table[["path", "n", "p50_days"]].to_numpy().tolist() == [["x > y", 2, 3.0], ["", 1, 4.0]]
    assert table["share"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_paths_say_themselves():
    log = make([(0, "A"), (1, "x"), (2, "y"), (3, "B")], *[[(0, "A"), (4, "B")]] * 2)
    found = paths_between(log, journeys(log, "AB", columns=COLUMNS), "A", "B")
    assert found.reading() == "3 went from A to B in 2 ways; the most frequent, 66.7%: straight, no event between."
    assert found.reading("zh") == "从“A”到“B”的有 3 个，共 2 种路径；最常见的占 66.7%：直接到达，中间无事件。"
    assert "straight, no event between" in found.show().text
    empty = make([(0, "x")])
    none = paths_between(empty, journeys(empty, "AB", columns=COLUMNS), "A", "B")
    assert none.table.empty and none.reading() == "Nobody went from A to B."
