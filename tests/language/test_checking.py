"""One checker of nested data: every fault is told with its place, and values come back as their kind reads them."""

import pytest

from funnelkit.language import Kind, Record, Records, check, close_names, fits, is_between, is_list_of, is_one_of

STAGE = Record({"id": fits("id", str.isidentifier), "rate": fits("fraction", is_between(0, 1, (int, float)))}, ("id",))
SHAPE = Record(
    {"stages": Records(STAGE), "more": Records(STAGE, least=0), "count": Kind("12", int)},
    others=Record({}, others=fits("list", is_list_of(is_one_of("a", "b")))),
)


def faults(value, shape=SHAPE):
    found = []
    check(value, shape, found.append)
    return [(fault.code, fault.place, fault.value) for fault in found]


def test_values_come_back_as_their_kind_reads_them():
    value = {"stages": [{"id": "x", "rate": 1}], "more": [], "count": "7", "mine": {"north": ["a", "b"]}}
    assert check(value, SHAPE, pytest.fail) == {**value, "count": 7}
    assert value["count"] == "7"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"stages": []}, ("wrong", "stages", [])),
        ({"stages": [{"id": "a"}, 3]}, ("wrong", "stages", [{"id": "a"}, 3])),
        ({"stages": [{"id": "a"}, {"rate": 0}]}, ("missing", "stages[2].id", {"rate": 0})),
        ({"stages": [{"id": "a", "rat": 1}]}, ("unknown", "stages[1].rat", 1)),
        ({"stages": [{"id": "a", "rate": True}]}, ("wrong", "stages[1].rate", True)),
        ({"count": "7.5"}, ("wrong", "count", "7.5")),
        ({"mine": {"north": []}}, ("wrong", "mine.north", [])),
        ({"mine": {"north": ["a", "c"]}}, ("wrong", "mine.north", ["a", "c"])),
        ({"mine": 3}, ("wrong", "mine", 3)),
        (3, ("wrong", "", 3)),
    ],
)
def test_a_fault_is_told_with_its_place(value, fault):
    assert faults(value) == [fault]


def test_all_faults_are_found_where_refusing_does_not_stop():
    value = {"count": "x", "stages": [{"rate": 2}, {"id": "a", "rate": float("nan")}]}
    places = [place for _, place, _ in faults(value)]
    assert places == ["count", "stages[1].rate", "stages[1].id", "stages[2].rate"]


def test_an_unknown_key_names_the_nearest():
    found = []
    check({"stages": [{"id": "a", "rats": 1}]}, SHAPE, found.append)
    assert found[0].nearest == "rate"


def test_close_names_are_those_as_like_as_wanted():
    assert close_names("Acount", ["account", "amount", "owner"], least=0.9) == ["account"]
    assert close_names("region", ["account", "amount"]) == []
