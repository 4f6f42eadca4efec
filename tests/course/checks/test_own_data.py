"""Checks of lesson 13: right answers pass, each typical wrong one gets the hint that is meant for it."""

import pandas as pd
import pytest

from funnelkit.course.checks import own_data
from funnelkit.reading import read

# 2 won, 3 lost, 1 open, and 2 rows whose date is none.
STATUS = ["won", "won", "lost", "lost", "lost", "open", "won", "lost"]
DEALS = pd.DataFrame({"deal_id": [f"D{n}" for n in range(8)], "stage": "lead", "status": STATUS})
DEALS["created_at"] = ["2026-01-01"] * 6 + ["2026-02-31"] * 2
DEALS["closed_at"] = ["2026-02-01"] * 5 + [None] + ["2026-02-01"] * 2


@pytest.fixture(scope="module")
def pipeline():
    found = read(DEALS, stages=["lead", "won"], as_of="2026-03-01")
    assert (found.rows.rows_in, found.rows.quarantined) == (8, 2)
    return found


ASIDE = [
    (2 / 8, "right"),
    (None, "empty"),
    ("a quarter", "no_number"),
    ([0.25], "no_number"),
    (25, "not_fraction"),
    (2, "aside_is_count"),
    (2 / 6, "aside_of_good"),
    (6 / 8, "aside_is_good"),
    (0.9, "off"),
]


@pytest.mark.parametrize(("answer", "hint"), ASIDE, ids=repr)
def test_share_in_quarantine(pipeline, answer, hint):
    assert own_data.check_aside(answer, pipeline).hint == hint


BEST = [
    (4 / 7, "right"),
    (None, "empty"),
    (DEALS, "no_number"),
    (400 / 7, "not_fraction"),
    (2 / 5, "best_without"),
    (4 / 5, "best_not_below"),
    (2 / 7, "best_is_worst"),
    (4 / 8, "best_of_all"),
    (0.9, "off"),
]


@pytest.mark.parametrize(("answer", "hint"), BEST, ids=lambda value: str(value)[:9])
def test_best_share(pipeline, answer, hint):
    assert own_data.check_best_share(answer, pipeline).hint == hint


RIGHT = own_data.FIELDS


@pytest.mark.parametrize("column", RIGHT)
@pytest.mark.parametrize("field", sorted(RIGHT.values()))
def test_columns_told_by_their_values(column, field):
    found = own_data.check_fields({**RIGHT, column: field})
    assert found.hint == ("right" if RIGHT[column] == field else f"field_not_{field}")


CAUSES = own_data.CAUSES


@pytest.mark.parametrize("seen", CAUSES)
@pytest.mark.parametrize("cause", sorted(CAUSES.values()))
def test_causes_of_a_spoilt_file(seen, cause):
    found = own_data.check_causes({**CAUSES, seen: cause})
    assert found.hint == ("right" if CAUSES[seen] == cause else f"cause_not_{cause}") and found.text


def test_what_is_seen_is_what_each_cause_does(tmp_path):
    assert "ü" not in "Müller".encode("gb18030").decode(errors="replace")
    text = "deal_id;stage;amount;customer;created_at\nQ-1;lead;1.250,00;Müller;13.01.2026\n"
    for k, encoding in enumerate(("gb18030", "utf-8-sig")):
        path = tmp_path / f"{k}.csv"
        path.write_bytes(text.encode(encoding))
        deals = read(path, stages=["lead", "won"], as_of="2026-03-01", encoding=encoding.removesuffix("-sig")).deals
        assert deals["amount"].tolist() == [1250.0] and deals["deal_id"].tolist() == ["Q-1"]


ODD = [
    (None, "empty"),
    ("owner", "no_choices"),
    ({"C1": "owner"}, "field_not_owner"),
    ({**RIGHT, "C1": "stage"}, "no_choice"),
]


@pytest.mark.parametrize(("answer", "hint"), ODD, ids=str)
def test_odd_answers_are_named(answer, hint):
    assert own_data.check_fields(answer).hint == hint
