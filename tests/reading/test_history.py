"""History: changes with both sides, gaps, late beginnings, order of rows, deals beside their log."""

import itertools

import pandas as pd
import pytest

from funnelkit.reading.read import read
from tests.support.readings import codes, table

STAGES = ["Prospecting", "Qualification", "Needs Analysis", "Closed Won"]


def entries(pipeline):
    times = pipeline.events["entered_at"].dt.strftime("%m-%d %H").fillna("-")
    return list(zip(pipeline.events["deal_id"], pipeline.events["stage"].astype(str), times, strict=True))


CHANGES = table("""OpportunityId|Field|OldValue|NewValue|CreatedDate
A|StageName|Prospecting|Qualification|2026-01-02 10:00
A|Amount|1|2|2026-01-01 09:00
A|StageName|Qualification|Closed Won|2026-01-04 10:00
B|StageName|Qualification|Needs Analysis|2026-01-03 10:00
B|StageName|Needs Analysis|Qualification|2026-01-05 10:00
C|StageName|Needs Analysis|Closed Lost|2026-01-05 10:00""")
DEALS = table("""Id|Name|OwnerId|StageName|Amount|CloseDate|CreatedDate|IsClosed|IsWon
A|a|o|Closed Won|20|2026-01-04|2026-01-01 10:00|true|true
B|b|o|Qualification|20|2026-04-04|2026-01-01 11:00|false|false
C|c|o|Closed Lost|20|2026-01-05|2026-01-01 12:00|true|false
D|d|o|Qualification|20|2026-05-05|2026-01-02 13:00|false|false
E|e|o|Qualification|20|2026-05-05|2025-06-01 13:00|false|false""")


def test_what_a_change_left_is_the_first_stage_without_a_time():
    pipeline = read(CHANGES, stages=STAGES)
    assert entries(pipeline) == [
        ("A", "Prospecting", "-"), ("A", "Qualification", "01-02 10"), ("A", "Closed Won", "01-04 10"),
        ("B", "Qualification", "-"), ("B", "Needs Analysis", "01-03 10"), ("B", "Qualification", "01-05 10"),
        ("C", "Needs Analysis", "-"),
    ]  # fmt: skip
    assert pipeline.deals["created_at"].isna().all()  # the first change is not the beginning
    assert pipeline.deals["status"].tolist() == ["won", "open", "lost"]
    assert pipeline.limit("first_entry_untimed").values == {"n": 3}
    assert {"unmoved_deals_missing", "no_amount", "no_owner"} <= codes(pipeline)
    assert "stage_of_loss_unknown" not in codes(pipeline)


def test_deals_beside_their_changes_say_when_they_began_and_which_never_moved():
    pipeline = read(DEALS, CHANGES, stages=STAGES)
    got = entries(pipeline)
    assert got[0] == ("A", "Prospecting", "01-01 10") and ("D", "Qualification", "01-02 13") in got
    assert got[-1] == ("E", "Qualification", "-")  # older than the log: earlier changes may be gone
    assert pipeline.deals.set_index("deal_id")["closed_at"]["A"] == pd.Timestamp("2026-01-04 10:00")
    assert pipeline.limit("unmoved_deals_missing") is None
    assert pipeline.limit("first_entry_untimed").values == {"n": 1}
    assert pipeline.rows.ignored == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_rows_of_the_same_second_keep_their_order_in_either_direction(order):
    """A file that stands latest first has its ties latest first too."""
    rows = [("a", "Lead", "01-01 10:00"), ("a", "Offer", "01-02 10:00"), ("a", "Talk", "01-02 10:00"),
            ("b", "Lead", "01-01 10:00"), ("b", "Offer", "01-03 10:00"), ("c", "Lead", "01-02 10:00"),
            ("c", "Offer", "01-05 10:00")]  # fmt: skip
    blocks = [[row for row in rows if row[0] == name] for name in "abc"]
    rows = [row for number in order for row in blocks[number]]
    for direction in (1, -1):
        frame = pd.DataFrame(rows[::direction], columns=["deal_id", "stage", "entered_at"])
        frame["entered_at"] = "2026-" + frame["entered_at"]
        pipeline = read(frame, stages=["Lead", "Offer", "Talk"])
        assert [stage for deal, stage, _ in entries(pipeline) if deal == "a"] == ["Lead", "Offer", "Talk"]


def test_spells_with_both_dates_give_each_entry_once():
    rows = table("""parent|from|to|from_date|to_date|duration|log_owner
    A|New|Talk|2026-01-01 10:00|2026-01-02 10:00|86400|u
    A|Talk|New|2026-01-02 10:00|2026-01-03 10:00|86400|u
    A|New|Won|2026-01-03 10:00|2026-01-04 10:00|86400|u
    A|Won||2026-01-04 10:00|||u
    B|New||2026-01-04 10:00|||u
    C|New|Lost|2026-01-04 10:00|2026-01-05 10:00||u""")
    for frame in (rows, rows.iloc[::-1], rows.sample(frac=1, random_state=4)):
        pipeline = read(frame, stages=["New", "Talk", "Won"])
        assert sorted(entries(pipeline)) == sorted([
            ("A", "New", "01-01 10"), ("A", "Talk", "01-02 10"), ("A", "New", "01-03 10"), ("A", "Won", "01-04 10"),
            ("B", "New", "01-04 10"), ("C", "New", "01-04 10"),
        ])  # fmt: skip
        assert pipeline.rows.good == 6 and not {"first_entry_untimed", "history_gaps"} & codes(pipeline)
        status = pipeline.deals.set_index("deal_id")["status"]
        assert status.to_dict() == {"A": "won", "B": "open", "C": "lost"}


def test_a_change_that_leaves_another_stage_than_was_entered_is_a_gap():
    rows = CHANGES.copy()
    rows.loc[2, "OldValue"] = "Needs Analysis"
    assert read(rows, stages=STAGES).limit("history_gaps").values == {"n": 1}
    assert read(CHANGES, stages=STAGES).limit("history_gaps") is None


def test_a_stage_left_that_nobody_knows_sets_its_row_aside():
    rows = CHANGES.copy()
    rows.loc[3, "OldValue"] = "Qualificaton"
    pipeline = read(rows, stages=STAGES)
    fault = next(finding for finding in pipeline.findings if finding.rule == "stage_unknown")
    assert (fault.column, fault.value, pipeline.rows.quarantined) == ("OldValue", "Qualificaton", 1)


def test_a_history_that_begins_long_after_its_deals_says_so():
    late = DEALS.iloc[:2].assign(CreatedDate="2025-11-01 10:00")
    rows = table("""deal_id|stage|entered_at
    A|Prospecting|2026-01-02 10:00
    B|Prospecting|2025-11-01 12:00""")
    pipeline = read(late, rows, stages=STAGES)
    assert pipeline.limit("history_starts_late").values == {"n": 1, "n_deals": 2}


BC = """Opportunity No.|Date of Change|Previous Sales Cycle Stage|Sales Cycle Stage|Probability %|Date Closed|Active
A|2026-01-01|0|1|10||No
A|2026-01-03|1|2|10||No
A|2026-01-05|2|2|{a}|2026-01-05|Yes
B|2026-01-03|0|1|10||No
B|2026-01-06|1|1|{b}|2026-01-06|Yes
C|2026-01-07|0|1|10||Yes"""


def test_a_close_without_an_outcome_is_neither_won_nor_lost():
    pipeline = read(table(BC.format(a=40, b=40)))
    assert pipeline.deals["status"].tolist() == ["void", "void", "open"]
    assert pipeline.deals["closed_at"].dt.day.tolist()[:2] == [5, 6]
    assert pipeline.limit("outcome_unknown").values == {"n": 2}
    assert {"no_outcome", "days_only", "no_owner"} <= codes(pipeline)


def test_the_chance_at_the_close_tells_the_outcome_and_a_win_enters_its_stage():
    pipeline = read(table(BC.format(a=100, b=0)))
    assert pipeline.model.stage_ids == ("1", "2", "Won")
    assert pipeline.deals["status"].tolist() == ["won", "lost", "open"]
    assert entries(pipeline) == [
        ("A", "1", "01-01 00"), ("A", "2", "01-03 00"), ("A", "Won", "01-05 00"), ("B", "1", "01-03 00"),
        ("C", "1", "01-07 00"),
    ]  # fmt: skip
    assert not {"outcome_unknown", "no_outcome"} & codes(pipeline)


def test_deals_without_a_stage_need_a_history_beside_them():
    deals = table("deal_id|owner|status\nA|o|won\nB|o|open")
    rows = table("deal_id|stage|entered_at\nA|Lead|2026-01-01\nA|Won|2026-01-02\nB|Lead|2026-01-03")
    pipeline = read(deals, rows, stages=["Lead", "Won"])
    assert pipeline.rows.quarantined == 0 and pipeline.deals["status"].tolist() == ["won", "open"]
    with pytest.raises(Exception, match="no column for 'stage'"):
        read(deals, deals, stages=["Lead", "Offer", "Won"])


def test_the_close_date_before_the_close_is_the_expected_one():
    rows = table("""Id|OpportunityId|StageName|CloseDate|CreatedDate|SystemModstamp|IsDeleted
    1|A|Prospecting|2026-03-01|2026-01-01 10:00|x|false
    2|A|Prospecting|2026-04-01|2026-01-02 10:00|x|false
    3|A|Closed Won|2026-01-09|2026-01-09 10:00|x|false
    4|B|Closed Won|2026-01-05|2026-02-09 10:00|x|false
    5|C|Prospecting|2026-03-01|2026-01-01 10:00|x|true""")
    deals = read(rows, stages=STAGES).deals.set_index("deal_id")
    assert deals["expected_close"]["A"] == pd.Timestamp("2026-04-01")
    assert deals["closed_at"]["A"] == pd.Timestamp("2026-01-09 10:00")
    assert deals["closed_at"]["B"] == pd.Timestamp("2026-01-05")  # first seen after it was closed
    assert deals["status"].to_dict() == {"A": "won", "B": "won", "C": "void"}


def test_a_stage_left_before_it_was_entered_sets_its_row_aside():
    rows = table("""parent|from|to|from_date|to_date
    A|New|Talk|2026-01-03 10:00|2026-01-02 10:00
    B|New||2026-01-04 10:00|""")
    pipeline = read(rows, stages=["New", "Talk"])
    fault = next(finding for finding in pipeline.findings if finding.rule == "exit_before_entry")
    assert (fault.column, fault.value, pipeline.rows.quarantined) == ("to_date", "2026-01-02 10:00", 1)
