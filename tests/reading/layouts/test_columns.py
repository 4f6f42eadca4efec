"""Columns and stages: headers in both languages, layouts, stage dates, names of stages, and the order they stand in."""

import tomllib
from importlib.resources import files

import pandas as pd
import pytest

from funnelkit.language.errors import CatalogError, DataError
from funnelkit.models import funnel
from funnelkit.pipeline import DEAL_COLUMNS
from funnelkit.reading.containers.detect import open_source
from funnelkit.reading.containers.options import ReadOptions
from funnelkit.reading.layouts.columns import date_stem, map_columns, stem
from funnelkit.reading.layouts.outcomes import status_word
from funnelkit.reading.layouts.presets import key, preset_data, preset_names
from funnelkit.reading.layouts.stage_names import given_model, merged_names, name_stages
from funnelkit.reading.read import read
from funnelkit.reading.sheet import TEXTS, TIMES
from tests.support.speech import spoken


def mapping(headers, layout=None, preset_name=None, rows=(), **options):
    options = ReadOptions(**options)
    return map_columns(open_source(pd.DataFrame(rows, columns=headers), options), options, layout, preset_name)


def refused(call, *arguments, **options):
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    return caught.value


def test_headers_are_met_in_any_dress_and_language():
    english = mapping(["Deal - ID", "DEAL_STAGE", "Close Date*", "Ａｍｏｕｎｔ", "Product"])
    assert english.columns == {
        "deal_id": "Deal - ID",
        "stage": "DEAL_STAGE",
        "closed_at": "Close Date*",
        "amount": "Ａｍｏｕｎｔ",
    }
    assert english.extra == ("Product",)
    chinese = mapping(["商机编号", "销售阶段", "商机金额", "负责人", "创建时间", "商机状态", "地区"])
    assert set(chinese.columns) == {"deal_id", "stage", "amount", "owner", "created_at", "status"}
    assert chinese.extra == ("地区",)


def test_declared_columns_win_and_misspelt_ones_are_named():
    assert mapping(["id", "stage", "phase"], map={"stage": "Phase"}).columns["stage"] == "phase"
    error = refused(mapping, ["id", "phase"], map={"stage": "phas"})
    assert error.key == "no_mapped_column" and "phase" in str(error)


def test_a_missing_column_names_those_there_are():
    error = refused(mapping, ["id", "ablauf"])
    assert (error.key, error.values["line"], error.values["column"]) == ("no_column", 1, "stage")
    assert "ablauf" in str(error) and "--map stage=COLUMN" in str(error)
    assert "缺少" in error.say("zh")
    assert refused(mapping, ["id", "stage"], "rows").key == "no_such_layout"
    assert refused(mapping, ["id", "stage"], None, "sailforce").key == "no_such_preset"


def test_two_columns_for_one_meaning_are_said_or_refused():
    note = mapping(["id", "stage", "amount", "value"]).notes[-1]
    assert (note.rule, note.column, note.value) == ("column_passed_over", "value", "amount")
    error = refused(mapping, ["id", "stage", "Amount", "amount"])
    assert (error.key, error.values["column"]) == ("header_twice", "amount")


@pytest.mark.parametrize(
    ("headers", "layout"),
    [
        (["CaseID", "ActivityID", "CompleteTimestamp"], "events"),
        (["deal_id", "stage", "entered_at", "amount"], "events"),
        (["商机编号", "阶段", "进入时间"], "events"),
        (["id", "stage", "created", "amount"], "deals"),
        (["stage", "count"], "counts"),
        (["阶段", "数量", "月份"], "counts"),
        (["stage", "rate"], "counts"),
    ],
)
def test_the_layout_is_told_by_the_columns(headers, layout):
    assert mapping(headers).layout == layout


def test_repeated_ids_make_an_open_case_a_list_of_stage_entries():
    headers = ["id", "stage", "date"]
    assert mapping(headers, rows=[("a", "Lead", ""), ("b", "Won", "")]).layout == "deals"
    assert mapping(headers, rows=[("a", "Lead", ""), ("a", "Won", ""), ("b", "Lead", "")]).layout == "events"


def test_separators_at_the_end_of_lines_are_no_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,stage,\nA,Lead,\nB,Won,\n")
    assert read(path, stages=["Lead", "Won"]).deals.columns.tolist() == list(DEAL_COLUMNS)


def test_every_preset_reads_its_own_headers():
    known = {*preset_data("generic")["columns"], *TEXTS, *TIMES, "lost_stage", "amount", "deal_id"}
    for name in preset_names():
        raw = tomllib.loads(
            files("funnelkit.reading.layouts").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
        )
        assert set(raw["columns"]) <= known, name
        columns = {canonical: names[0] for canonical, names in raw["columns"].items() if names}
        if not columns:
            continue  # a system that exports events only
        found = mapping(list(dict.fromkeys(columns.values())), "deals", name)
        assert {"deal_id", "stage"} <= set(found.columns)
        assert all(found.columns[canonical] == header for canonical, header in columns.items()), name


# --- stage dates ---


@pytest.mark.parametrize(
    ("header", "stage"),
    [
        ("engage_date", "Engaging"), ("Date entered Proposal", "proposal"),
        ("hs_v2_date_entered_contractsent", "contractsent"),
        ("报价日期", "报价"), ("进入报价阶段的时间", "报价"),
        ("qualifiedAt", "qualified"), ("Negotiated on", "Negotiation"),
    ],
)  # fmt: skip
def test_a_date_column_is_tied_to_its_stage(header, stage):
    assert date_stem(header) == stem(stage)


@pytest.mark.parametrize(
    "header", ["Engaging", "product", "hs_v2_date_exited_x", "time in stage Offer", "地区", "date", "日期"]
)
def test_other_columns_are_tied_to_none(header):
    assert date_stem(header) not in {stem(text) for text in ("Engaging", "product", "x", "Offer", "地区")}


# --- names of stages ---


def test_words_of_an_outcome():
    words = {"Closed Won": "won", "closedwon": "won", "赢单": "won", " Lost ": "lost", "Closed - Lost": "lost",
             "输单": "lost", "无效": "void", "进行中": "open", "Offer": None}  # fmt: skip
    assert {word: status_word(word) for word in words} == words


def test_spellings_of_one_stage_are_one_and_the_merge_is_known():
    model, _ = given_model(None, ["Lead", "Won"])
    naming = name_stages(["Lead", "LEAD ", "Ｗon", "won\u200b", "Lost", "Offer"], model)
    assert naming.stage == {
        "Lead": "Lead",
        "LEAD ": "Lead",
        "Ｗon": "Won",
        "won\u200b": "Won",
        "Lost": None,
        "Offer": None,
    }
    assert naming.status["Ｗon"] == "won" and naming.status["Lost"] == "lost"
    assert naming.unknown == ("Offer",)
    assert set(merged_names(naming, {})) == {"Lead", "Won"}


def test_a_catalogue_stage_is_met_in_both_languages_and_a_win_enters_its_won_stage():
    model = funnel("industrial-8")
    naming = name_stages(["业绩展示", "solution design", "赢单"], model)
    assert naming.stage == {
        "业绩展示": "solution-demo",
        "solution design": "solution-design",
        "赢单": "contract-signed",
    }


def test_given_stages_leave_outcomes_out_and_refuse_repeats():
    model, notes = given_model(None, ["Lead", "Offer", "Closed Won", "Closed Lost"])
    assert model.stage_ids == ("Lead", "Offer", "Closed Won") and model.won_stage == "Closed Won"
    assert notes[0].value == "Closed Lost"
    assert refused(given_model, None, ["Lead", "lead "]).key == "stages_bad"
    assert given_model(None, "Lead, Offer")[0].stage_ids == ("Lead", "Offer")
    assert spoken("zh", lambda: given_model(None, "industrial-8")[0].label("negotiation")) == "商务谈判"
    with pytest.raises(CatalogError, match="industrial-8"):
        given_model("industrial-88", None)


# --- the order of stages found ---


def order_of(frame, **options):
    pipeline = read(pd.DataFrame(frame), **options)
    note = next(f for f in pipeline.findings if f.rule.startswith(("stage_order", "model_found")))
    return pipeline.model.stage_ids, note.rule


def test_a_known_model_is_recognised_by_all_its_names():
    names = funnel("industrial-8").stage_ids
    frame = {
        "id": range(8),
        "stage": spoken("zh", lambda: [funnel("industrial-8").label(name) for name in reversed(names)]),
    }
    assert order_of(frame) == (names, "model_found")


def test_a_preset_list_is_recognised():
    stages = ["Qualification", "Prospecting", "Needs Analysis", "Negotiation/Review", "Closed Won", "Closed Lost"]
    ids, rule = order_of({"id": range(6), "stage": stages})
    assert ids == tuple(preset_data("salesforce")["stages"]) and rule == "model_found"


def test_filled_dates_show_the_order():
    frame = {
        "id": range(5), "stage": ["Zeta", "Alpha", "Won", "Lost", "Mid"],
        "mid_date": ["", "2026-01-03", "2026-01-02", "2026-01-02", "2026-01-02"],
        "alpha_date": ["", "2026-01-04", "2026-01-05", "", ""],
    }  # fmt: skip
    assert order_of(frame) == (("Zeta", "Mid", "Alpha", "Won"), "stage_order_dates")


def test_history_shows_the_order_by_majority():
    rows = [("a", "Zeta", 1), ("a", "Beta", 2), ("a", "Alpha", 3), ("b", "Zeta", 1), ("b", "Alpha", 2),
            ("c", "Alpha", 1), ("c", "Zeta", 2), ("d", "Zeta", 1), ("d", "Won", 2)]  # fmt: skip
    frame = {"id": [r[0] for r in rows], "stage": [r[1] for r in rows], "entered": [f"2026-01-0{r[2]}" for r in rows]}
    assert order_of(frame) == (("Zeta", "Beta", "Alpha", "Won"), "stage_order_history")


def test_where_nothing_shows_the_order_it_is_asked_for():
    error = refused(read, pd.DataFrame({"id": [1, 2], "stage": ["Beta", "Alpha"]}))
    assert error.key == "stage_order_unknown" and "--stages A,B,C" in str(error) and "Alpha, Beta" in str(error)
    many = pd.DataFrame({"id": range(61), "stage": [f"s{i}" for i in range(61)]})
    assert refused(read, many).key == "too_many_stages"


def test_keys_forgive_signs_but_keep_words():
    assert key("Close_Date") == key(" close  date ") == key("ｃｌｏｓｅ-date") != key("closed date")
