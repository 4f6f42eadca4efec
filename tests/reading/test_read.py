"""Load: exact figures on real input in four containers; nothing lost; outcomes, history, dates, currencies, counts."""

import csv
import json
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.pipeline import DEAL_COLUMNS, EVENT_COLUMNS, RowCounts
from funnelkit.reading.read import read
from tests.support import readings
from tests.support.readings import found, refused, rules

DATA = Path(__file__).parents[3] / "shared" / "data"
SAMPLE = Path(__file__).parents[2] / "data"
_NEVER = pd.Timestamp("2199-12-31")
STAGES = ["Lead", "MQL", "Negotiation", "Won"]
table = partial(readings.table, mark=",")
real_data = pytest.mark.skipif(not DATA.exists(), reason="real data sets are not in this checkout")


# --- real data ---


def maven(folder, kind):
    path = DATA / "maven_crm" / "sales_pipeline.csv"
    frame = pd.read_csv(path, parse_dates=["engage_date", "close_date"] if kind != "text" else None)
    if kind == "csv":
        return path
    if kind == "xlsx":
        frame.to_excel(folder / "m.xlsx", index=False)
        return folder / "m.xlsx"
    if kind == "parquet":
        frame.to_parquet(folder / "m.parquet")
        return folder / "m.parquet"
    return DATA / "maven_crm" / "variants" / "excel_resaved_sales_pipeline.csv" if kind == "mdy" else frame


@real_data
@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet", "frame", "text", "mdy"])
def test_maven_is_exact_in_every_container(tmp_path, kind):
    pipeline = read(maven(tmp_path, kind), as_of="2017-12-31")
    deals, events = pipeline.deals, pipeline.events
    reference = json.loads((DATA / "maven_crm" / "reference.json").read_text())
    assert pipeline.rows == RowCounts(8800, 8800, 0, 0)
    assert deals["status"].value_counts().to_dict() == {"won": 4238, "lost": 2473, "open": 2089}
    assert deals.loc[deals["status"] == "won", "amount"].sum() == pipeline.amount_total == 10_005_534
    assert pipeline.model.stage_ids == ("Prospecting", "Engaging", "Won")
    assert events.groupby(["stage", "source"], observed=True).size().to_dict() == {
        ("Prospecting", "inferred"): 500, ("Engaging", "wide"): 8300, ("Won", "inferred"): 4238,
    }  # fmt: skip
    assert events.loc[events["stage"] == "Prospecting", "entered_at"].isna().all()
    closed = deals["closed_at"].dropna()
    assert (closed.min(), closed.max()) == (pd.Timestamp("2017-03-01"), pd.Timestamp("2017-12-31"))
    assert deals["closed_at"].isna().sum() == reference["missing"]["close_date"]
    assert deals["account"].isna().sum() == reference["missing"]["account"]
    by_owner = (
        deals[deals["status"].isin(["won", "lost"])]
        .groupby("owner")["status"]
        .agg(["size", lambda s: (s == "won").sum()])
    )
    assert {name: (row["k"], row["n"]) for name, row in reference["win_rate_by_agent"].items()} == {
        name: (won, size) for name, size, won in by_owner.itertuples()
    }
    assert deals["product"].value_counts()["GTXPro"] == 1480


@real_data
def test_maven_containers_give_the_same_tables(tmp_path):
    plain = read(maven(tmp_path, "csv"), as_of="2017-12-31")
    for kind in ("parquet", "mdy"):
        other = read(maven(tmp_path, kind), as_of="2017-12-31")
        pd.testing.assert_frame_equal(plain.deals, other.deals)
        pd.testing.assert_frame_equal(plain.events, other.events)


@real_data
def test_maven_as_known_earlier_drops_what_came_later():
    pipeline = read(DATA / "maven_crm" / "sales_pipeline.csv", as_of="2017-06-30")
    assert pipeline.as_of == pd.Timestamp("2017-06-30")
    assert pipeline.deals["closed_at"].max() == pipeline.as_of
    assert pipeline.events["entered_at"].max() <= pipeline.as_of
    assert found(pipeline, "later_than_as_of").values["n"] > 0


@real_data
def test_helpdesk_is_exact_as_a_log():
    reference = json.loads((DATA / "helpdesk" / "reference.json").read_text())
    pipeline = read(DATA / "helpdesk" / "helpdesk.csv")
    assert pipeline.layout == "events" and pipeline.rows == RowCounts(13_710, 13_619, 91, 0)
    assert rules(pipeline).count("duplicate_row") == 91
    reach = pipeline.events.groupby("stage", observed=True)["deal_id"].nunique()
    assert {stage: int(n) for stage, n in reach.items()} == reference["reach_cases"]
    assert len(pipeline.deals) == reference["cases"] and pipeline.as_of == pd.Timestamp(reference["max"])
    apart = read(DATA / "helpdesk" / "helpdesk.csv", collapse=False)
    assert len(apart.events) == 13_619


def test_the_sample_joins_deals_and_their_history():
    pipeline = read(SAMPLE / "deals.csv", SAMPLE / "events.csv")
    deals, events = pd.read_csv(SAMPLE / "deals.csv"), pd.read_csv(SAMPLE / "events.csv", parse_dates=["entered_at"])
    assert pipeline.model.id == "industrial-8"
    assert pipeline.rows == RowCounts(len(deals) + len(events), len(deals) + len(events), 0, 0)
    assert pipeline.deals["deal_id"].tolist() == deals["deal_id"].tolist()
    assert pipeline.deals["status"].tolist() == deals["status"].tolist()
    assert pipeline.amount_total == pytest.approx(deals["amount"].sum())
    assert {"industry", "region", "source"} <= set(pipeline.deals.columns)
    labels = {stage.id: stage.name.en for stage in pipeline.model.stages}
    ours = pipeline.events.assign(stage=pipeline.events["stage"].map(labels).astype(str))
    key = ["deal_id", "entered_at", "stage"]
    pd.testing.assert_frame_equal(
        ours[key].sort_values(key, ignore_index=True),
        events[key].sort_values(key, ignore_index=True),
        check_dtype=False,
    )
    assert (pipeline.events["source"] == "history").all() and not pipeline.limit("no_history")


def test_types_of_the_tables():
    for pipeline in (
        read(table("id,stage\nA,Lead"), stages=STAGES),
        read(table("id,stage,entered\nA,Lead,2026-01-01"), stages=STAGES),
        read(table("id,stage,amount\n"), stages=STAGES),
    ):
        deals, events = pipeline.deals, pipeline.events
        assert deals.columns[: len(DEAL_COLUMNS)].tolist() == list(DEAL_COLUMNS)
        assert events.columns[: len(EVENT_COLUMNS)].tolist() == list(EVENT_COLUMNS)
        assert events["stage"].cat.categories.tolist() == STAGES and events["stage"].cat.ordered
        assert {str(deals[c].dtype) for c in ("created_at", "closed_at", "expected_close")} == {"datetime64[us]"}
        assert str(events["entered_at"].dtype) == "datetime64[us]" and deals["amount"].dtype == "float64"
        assert {str(deals[c].dtype) for c in ("deal_id", "name", "owner", "status", "currency")} == {"str"}


# --- rows ---


def test_faulty_rows_are_set_aside_with_line_column_and_value(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(
        "id,stage,created,closed,amount\nA1,Lead,2026-01-01,,10\n,Lead,2026-01-01,,10\nA3,,2026-01-01,,10\n"
        "A4,Led,2026-01-01,,10\nA5,Won,2026-01-05,2026-01-02,10\nA6,Lead,someday,,ten\nTotal,,,,60\n"
    )
    pipeline = read(path, stages=STAGES)
    assert pipeline.rows == RowCounts(7, 1, 6, 0) and pipeline.amount_total == 10
    places = [(f.rule, f.line, f.column, f.value) for f in pipeline.findings if f.severity == "error"]
    assert set(places) == {
        ("required", 3, "id", ""), ("required", 4, "stage", ""), ("stage_unknown", 5, "stage", "Led"),
        ("close_before_create", 6, "closed", "2026-01-02"), ("not_a_date", 7, "created", "someday"),
        ("totals_row", 8, "id", "Total"),
    }  # fmt: skip
    message = found(pipeline, "stage_unknown").message
    assert "line 5" in message("en") and "Nearest: Lead" in message("en") and "相近的有：Lead" in message("zh")


def test_the_quarantine_keeps_text_line_and_reason_and_runs_no_formula(tmp_path):
    path, aside = tmp_path / "d.csv", tmp_path / "q.csv"
    path.write_text("id,account,stage\nA1,x,Lead\nA2,=1+1,Led\nA3,x\n", encoding="utf-8")
    read(path, stages=STAGES, quarantine=str(aside))
    with aside.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["quarantine_line"], row["quarantine_rule"]) for row in rows] == [
        ("4", "row_width"),
        ("3", "stage_unknown"),
    ]
    assert rows[0]["quarantine_text"] == "A3,x"
    assert (rows[1]["id"], rows[1]["account"], rows[1]["stage"]) == ("A2", "'=1+1", "Led")
    assert "Lead" in rows[1]["quarantine_reason"]
    rows[1]["stage"] = "Lead"
    corrected = pd.DataFrame([rows[1]])
    assert read(corrected, stages=STAGES).deals["deal_id"].tolist() == ["A2"]
    assert refused(path, stages=STAGES, quarantine=str(tmp_path)).key == "quarantine_unwritable"


def test_duplicates_once_and_conflicts_all_aside():
    rows = "id,stage,amount\nA,Lead,1\nB,Lead,2\nA,Lead,1\nB,Lead,3\nC,Won,4"
    pipeline = read(table(rows), stages=STAGES)
    assert pipeline.deals["deal_id"].tolist() == ["A", "C"]
    assert [(f.rule, f.line) for f in pipeline.findings if f.severity == "error"] == [
        ("duplicate_row", 3), ("duplicate_id", 2), ("duplicate_id", 4),
    ]  # fmt: skip
    two = [table("id,stage,amount\nA,Lead,1"), table("id,stage,amount\nA,Lead,1\nB,Lead,1")]
    assert read(*two, stages=STAGES).rows == RowCounts(3, 2, 1, 0)


def test_of_each_rule_the_first_hundred_are_listed():
    frame = pd.DataFrame({"id": range(250), "stage": ["Lead"] * 20 + ["Nope"] * 230})
    pipeline = read(frame, stages=STAGES)
    assert rules(pipeline).count("stage_unknown") == 100
    rest = found(pipeline, "more")
    assert (rest.severity, rest.values) == ("error", {"rule": "stage_unknown", "n": 130})
    assert pipeline.rows.quarantined == 230


CELLS = st.sampled_from(
    ["A", "B", "", "Total", "Lead", "Won", "Nope", "2026-01-01", "2026-02-30", "5", "x", "-1", "1,5"]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[CELLS] * 4), max_size=8), st.sampled_from(["deals", "events"]))
def test_rows_are_conserved_whatever_comes(rows, layout):
    frame = pd.DataFrame(rows, columns=["id", "stage", "date", "amount"], dtype="str")
    try:
        pipeline = read(frame, stages=STAGES, layout=layout)
    except DataError:
        return
    assert pipeline.rows.rows_in == len(rows) == pipeline.rows.good + pipeline.rows.quarantined
    if layout == "deals":
        assert len(pipeline.deals) == pipeline.rows.good
    assert not pipeline.deals["deal_id"].duplicated().any()
    assert set(pipeline.events["deal_id"]) <= set(pipeline.deals["deal_id"])


@settings(max_examples=12, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 6))
def test_order_and_split_of_files_change_nothing(order, cut):
    rows = [("A", "Lead", "2026-01-01", "1"), ("B", "Won", "2026-01-02", "2"), ("C", "MQL", "2026-01-03", "3"),
            ("D", "Led", "2026-01-03", "4"), ("E", "Lost", "2026-01-04", "5"),
            ("A", "Lead", "2026-01-01", "1")]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["id", "stage", "date", "amount"])
    whole = read(frame, stages=STAGES)
    mixed = frame.iloc[list(order)]
    parts = [part for part in (mixed.iloc[:cut], mixed.iloc[cut:]) if len(part)]
    split = read(*parts, stages=STAGES)
    assert (split.rows, split.amount_total, split.as_of) == (whole.rows, whole.amount_total, whole.as_of)
    for name in ("deals", "events"):
        one, other = getattr(whole, name), getattr(split, name)
        keys = ["deal_id"] if name == "deals" else ["deal_id", "stage"]
        pd.testing.assert_frame_equal(
            one.sort_values(keys, ignore_index=True), other.sort_values(keys, ignore_index=True)
        )


# --- outcomes and dates of deals ---


def test_stage_and_status_apart_get_their_terminal_stage():
    """A won deal that keeps its last open stage also enters the won stage; a third exit is void."""
    rows = """Deal - ID,Deal - Stage,Deal - Status,Deal - Deal created,Deal - Won time,Deal - Lost time
    1,Negotiation,Won,2026-01-01,2026-02-01,
    2,MQL,Lost,2026-01-01,,2026-02-02
    3,Lead,Open,2026-01-01,,
    4,Lead,无效,2026-01-01,,"""
    pipeline = read(table(rows), stages=STAGES, preset="pipedrive")
    assert pipeline.deals["status"].tolist() == ["won", "lost", "open", "void"]
    assert pipeline.deals["closed_at"].dropna().dt.day.tolist() == [1, 2]
    events = [
        (e.deal_id, e.stage, e.entered_at.day) for e in pipeline.events.fillna({"entered_at": _NEVER}).itertuples()
    ]
    assert events[:3] == [("1", "Negotiation", 31), ("1", "Won", 1), ("2", "MQL", 31)] and events[3] == ("3", "Lead", 1)
    assert not pipeline.limit("stage_of_loss_unknown")


def test_flags_tell_the_outcome_and_an_open_close_date_is_expected():
    rows = """Id,StageName,IsClosed,IsWon,CreatedDate,CloseDate
    1,Negotiation,true,true,2026-01-01,2026-02-01
    2,Negotiation,true,false,2026-01-01,2026-02-02
    3,Negotiation,false,false,2026-01-01,2026-03-03"""
    pipeline = read(table(rows), stages=STAGES, preset="salesforce")
    assert pipeline.deals["status"].tolist() == ["won", "lost", "open"]
    assert pipeline.deals["closed_at"].isna().tolist() == [False, False, True]
    assert pipeline.deals["expected_close"].tolist()[2] == pd.Timestamp("2026-03-03")
    assert found(pipeline, "close_is_expected").values["n"] == 1


def test_a_status_that_contradicts_its_stage_warns_and_an_unknown_one_faults():
    pipeline = read(table("id,stage,status\n1,Won,lost\n2,Lead,open\n3,Lead,hm"), stages=STAGES)
    assert pipeline.deals["status"].tolist() == ["lost", "open"]  # the status is kept for this; a stage name may lag
    assert "status_contradicts" in rules(pipeline, "warn") and "status_unknown" in rules(pipeline, "error")
    segment = read(table("id,stage,status\n1,Won,hot\n2,Lead,cold"), stages=STAGES)
    assert "status_is_segment" in rules(segment) and segment.deals["status (source)"].tolist() == ["hot", "cold"]


def test_close_on_the_day_of_creation_is_no_fault():
    rows = "id,stage,created,closed\n1,Won,2026-01-01 15:00,2026-01-01\n2,Won,2026-01-01,2026-01-01"
    assert read(table(rows), stages=STAGES).rows.good == 2


def test_the_as_of_date_is_given_or_derived_and_said():
    rows = table("id,stage,created\n1,Lead,2026-01-01 10:00\n2,Lead,2026-01-03 12:00")
    derived = read(rows, stages=STAGES)
    assert (derived.as_of, derived.as_of_given) == (pd.Timestamp("2026-01-03 12:00"), False)
    assert found(derived, "as_of_derived").value == "2026-01-03 12:00:00"
    whole_day = read(rows, stages=STAGES, as_of="2026-01-03")
    assert len(whole_day.deals) == 2 and whole_day.as_of.date() == pd.Timestamp("2026-01-03").date()
    assert len(read(rows, stages=STAGES, as_of="2026-01-02").deals) == 1
    assert read(rows, stages=STAGES, as_of="2026-06-30").as_of == pd.Timestamp("2026-06-30")
    assert refused(rows, stages=STAGES, as_of="someday").key == "as_of_bad"


def test_a_future_date_does_not_set_the_as_of_date():
    year = pd.Timestamp.now().year + 5
    pipeline = read(table(f"id,stage,created\n1,Lead,2026-01-01\n2,Lead,{year}-01-01"), stages=STAGES)
    assert pipeline.as_of == pd.Timestamp("2026-01-01") and "future_dates" in rules(pipeline, "warn")


def test_currencies_are_never_added():
    rows = "id,stage,amount,currency\n1,Lead,10,USD\n2,Lead,5,{}"
    assert read(table(rows.format("usd")), stages=STAGES).amount_total == 15
    mixed = read(table(rows.format("JPY")), stages=STAGES)
    assert mixed.amount_total is None and found(mixed, "currencies_mixed").value == "JPY, USD"
    blank = table(rows.format(""))
    assert read(blank, stages=STAGES).amount_total is None
    assert read(blank, stages=STAGES, currency="USD").amount_total == 15


# --- history ---

HISTORY = """id,stage,entered,amount,region
A,Lead,2026-01-01,10,N
A,Lead,2026-01-02,20,N
A,Negotiation,2026-01-03,20,N
A,MQL,2026-01-04,20,S
A,Won,2026-01-09,20,S
B,Lead,2026-01-02,5,N
B,Lost,2026-01-05,5,N
C,Won,2026-01-03,1,N
C,Lead,2026-01-08,1,N"""


def test_history_becomes_events_outcomes_and_last_known_values():
    pipeline = read(table(HISTORY), stages=STAGES)
    path = [(e.deal_id, e.stage, e.entered_at.day) for e in pipeline.events.itertuples()]
    assert path == [("A", "Lead", 1), ("A", "Negotiation", 3), ("A", "MQL", 4), ("A", "Won", 9), ("B", "Lead", 2),
                    ("C", "Won", 3), ("C", "Lead", 8)]  # fmt: skip
    assert pipeline.deals.set_index("deal_id")["status"].to_dict() == {"A": "won", "B": "lost", "C": "open"}
    assert pipeline.deals["closed_at"].dropna().dt.day.tolist() == [9, 5]
    assert pipeline.deals["created_at"].dt.day.tolist() == [1, 2, 3]
    assert pipeline.deals["amount"].tolist() == [20, 5, 1] and pipeline.deals["region"].tolist() == ["S", "N", "N"]
    assert pipeline.amount_total == 102 and pipeline.rows.good == 9
    assert found(pipeline, "stage_repeated").values["n"] == 1
    back = found(pipeline, "backward_moves")
    assert back.severity == "warn" and back.values["n"] == 2 and "A、C" in back.message("zh")
    assert "(C)" in found(pipeline, "reopened").message("en")


def test_deals_and_history_complete_each_other():
    deals = table("id,stage,owner,created\nA,Lead,ann,2025-12-30\nB,Lead,bo,\nD,MQL,di,2026-01-02")
    pipeline = read(deals, table(HISTORY), stages=STAGES)
    assert pipeline.layout == "deals"
    rows = pipeline.deals.set_index("deal_id")
    assert rows["status"].to_dict() == {"A": "won", "B": "lost", "D": "open", "C": "open"}
    assert rows["created_at"].dt.day.to_dict() == {"A": 30, "B": 2, "D": 2, "C": 3}
    assert rows["owner"].isna().tolist() == [False, False, False, True]
    assert found(pipeline, "event_without_deal").values == {"n": 1, "ids": "C"}
    assert found(pipeline, "deal_without_events").values == {"n": 1}
    source = pipeline.events.groupby("deal_id")["source"].unique().map(list).to_dict()
    assert source == {"A": ["history"], "B": ["history"], "C": ["history"], "D": ["inferred"]}


def test_exact_repeats_in_a_history_count_once():
    rows = "id,stage,entered\nA,Lead,2026-01-01\nA,Lead,2026-01-01\nA,MQL,2026-01-02"
    assert read(table(rows), stages=STAGES).rows == RowCounts(3, 2, 1, 0)


def test_cells_that_only_say_there_is_no_value_are_empty():
    rows = "编号,阶段,金额,成交日期\nA,Lead,--,--\nB,Won,5,2026-02-01\nC,MQL,—,暂无\nD,Lead,x,2026-02-02"
    pipeline = read(table(rows), stages=STAGES)
    assert pipeline.deals["deal_id"].tolist() == ["A", "B", "C"] and pipeline.amount_total == 5
    told = [
        (note.column, note.value, note.values["n"]) for note in pipeline.findings if note.rule == "placeholders_empty"
    ]
    assert sorted(told) == [("成交日期", "--", 2), ("金额", "--", 2)]
    assert rules(pipeline, "error") == ["not_a_number"]


# --- counts ---


def test_counts_are_taken_as_they_are():
    pipeline = read(
        table("阶段,数量,月份,渠道\nLead,100,2026-01,A\nMQL,40,2026-01,A\nLead,50,2026-02,B"), stages=STAGES
    )
    assert pipeline.layout == "counts" and pipeline.amount_total is None  # counts of deals are no amounts
    assert pipeline.counts.columns.tolist() == ["period", "渠道", "stage", "n_entered"]
    assert pipeline.counts["stage"].tolist() == ["Lead", "MQL", "Lead"]
    assert len(pipeline.deals) == 0
    bare = read(table("stage,rate\nFirst,90%\nSecond,45%"))
    assert bare.model.stage_ids == ("First", "Second") and bare.counts["rate"].tolist() == [0.9, 0.45]
    faulty = read(table("stage,count\nLead,-1\nLead,x\nNope,3\nMQL,7"), stages=STAGES)
    assert faulty.rows == RowCounts(4, 1, 3, 0) and set(rules(faulty, "error")) == {
        "negative_count",
        "not_a_number",
        "stage_unknown",
    }


def test_sources_that_do_not_go_together_are_refused():
    assert refused().key == "no_source"
    assert refused(table("stage,count\nLead,1"), table("id,stage\nA,Lead"), stages=STAGES).key == "counts_alone"
