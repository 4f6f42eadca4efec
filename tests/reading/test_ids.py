"""Ids: made where there are none, matched where two files use two systems, one deal where its lines stand apart."""

import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.pipeline import RowCounts
from funnelkit.reading import read
from tests.support.readings import found, table

STAGES = ["Lead", "Offer", "Won"]


HISTORY = """lead|stage|entered_at
L1|Lead|2026-01-01
L1|Won|2026-01-09
L2|Lead|2026-01-02
L2|Lost|2026-01-08
L3|Lead|2026-01-03"""


def test_the_column_that_both_files_share_is_the_key():
    deals = table("deal_id|reference|status\nD1|L1|Won\nD2|L2|Lost\nD4|L3|Open")
    both = read(deals, table(HISTORY.replace("lead", "user_id")), stages=STAGES)
    assert dict(zip(both.deals["deal_id"], both.deals["status"], strict=True)) == {
        "L1": "won",
        "L2": "lost",
        "L3": "open",
    }
    assert both.deals["deal_id (source)"].tolist() == ["D1", "D2", "D4"]
    assert found(both, "ids_matched").column == "reference"


def test_ids_that_do_not_match_are_refused_not_counted_twice():
    deals = table("deal_id|owner|status\nD1|a|Won\nD2|b|Lost")
    with pytest.raises(DataError) as caught:
        read(deals, table(HISTORY.replace("lead", "deal_id")), stages=STAGES)
    assert caught.value.key == "ids_do_not_match" and "--map deal_id" in str(caught.value)
    some = table("deal_id|status\nL1|Won\nD2|Lost")  # one that matches: the rest is reported
    assert (
        found(read(some, table(HISTORY.replace("lead", "deal_id")), stages=STAGES), "event_without_deal").values["n"]
        == 2
    )


def test_rows_without_an_id_are_numbered_by_their_lines(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("Name,Stage,Amount\nx,Lead,5\ny,Won,7\nTotal,,12\n")
    numbered = read(path, stages=STAGES)
    assert numbered.deals["deal_id"].tolist() == ["2", "3"] and found(numbered, "totals_row").line == 4
    assert found(numbered, "id_made").severity == "note"
    (tmp_path / "e.csv").write_text("Name,Stage,Amount\nz,Lead,1\n")
    assert read(path, tmp_path / "e.csv", stages=STAGES, layout="deals").deals["deal_id"].is_unique
    with pytest.raises(DataError, match="deal_id"):
        read(table("stage|entered_at\nLead|2026-01-01"), stages=STAGES)  # entries need to say of which deal


LINES = """id|stage|created|amount|product
1|Won|2026-01-01|500|A
1|Won|2026-01-01|{other}|B
2|Lead|2026-01-02|400|A
3|Lead|2026-01-03|{third}|B
3|Lead|2026-01-03|900|C"""


@pytest.mark.parametrize(
    ("other", "third", "total", "rule"),
    [("500", "900", 1800, "lines_merged"), ("70", "900", 500 + 70 + 400 + 1800, "lines_summed")],
)
def test_lines_of_one_deal_are_one_deal(other, third, total, rule):
    deals = read(table(LINES.format(other=other, third=third)), stages=STAGES)
    assert deals.rows == RowCounts(5, 3, 0, 2) and deals.amount_total == total
    assert deals.deals["product"].tolist() == ["A; B", "A", "B; C"]
    told = found(deals, rule)
    assert told.severity == "warn" and "product" in told.message("en") and "product" in told.message("zh")


def test_rows_of_one_id_that_differ_in_the_deal_still_go_aside():
    rows = LINES.format(other="500", third="900").replace("3|Lead|2026-01-03|900|C", "3|Offer|2026-01-03|900|C")
    deals = read(table(rows), stages=STAGES)
    assert deals.deals["deal_id"].tolist() == ["1", "2"] and deals.rows == RowCounts(5, 2, 2, 1)


@pytest.mark.parametrize("header", ["exited_at", "left_at", "离开时间"])
def test_who_leaves_a_stage_for_no_other_is_gone(header):
    rows = f"""deal_id|stage|entered_at|{header}
    a|Lead|2026-01-01|2026-01-03
    a|Won|2026-01-03|
    b|Lead|2026-01-01|2026-01-05
    c|Lead|2026-01-02|
    d|Lead|2026-01-03|2026-01-01"""
    history = read(table(rows), stages=STAGES)
    assert dict(zip(history.deals["deal_id"], history.deals["status"], strict=True)) == {
        "a": "won",
        "b": "lost",
        "c": "open",
    }
    assert history.deals.set_index("deal_id").at["b", "closed_at"] == pd.Timestamp("2026-01-05")
    assert found(history, "left_for_nowhere").values["n"] == 1 and found(history, "exit_before_entry").column == header
