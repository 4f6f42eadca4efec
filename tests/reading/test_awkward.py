"""Awkward files as people have them: odd sheets, groups and sums, nested events, other languages, several files."""

import io
import json

import openpyxl
import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.reading.layouts.presets import key
from funnelkit.reading.mapping import write_mapping
from funnelkit.reading.read import read


def book(rows, merged=(), title="Sheet1"):
    made = openpyxl.Workbook()
    made.active.title = title
    for row in rows:
        made.active.append(row)
    for cells in merged:
        made.active.merge_cells(cells)
    out = io.BytesIO()
    made.save(out)
    return io.BytesIO(out.getvalue())


def rules(pipeline):
    return {finding.rule for finding in pipeline.findings}


def test_a_title_row_of_merged_cells_above_the_header_is_no_header():
    rows = [["Deal", None, None, "Money", None], ["No.", "Name", "Stage", "Amount", "Created"],
            [1, "a", "1 Lead", 5, "2026-01-02"], [2, "b", "2 Offer", 6, "2026-01-03"]]  # fmt: skip
    pipeline = read(book(rows, ["A1:C1", "D1:E1"]))
    assert pipeline.deals["deal_id"].tolist() == ["1", "2"] and pipeline.amount_total == 11
    assert "titles_above" in rules(pipeline)


HEADS = {
    "merged": (["商机编号", "商机名称", "销售阶段", "金额", "日期", None, "负责人"],
               [None, None, None, None, "创建", "关闭", None], ["A1:A2", "B1:B2", "C1:C2", "D1:D2", "E1:F1", "G1:G2"]),
    "not merged": (["商机编号", "商机名称", "销售阶段", "金额", "日期", None, "负责人"],
                   [None, None, None, None, "创建", "关闭", None], []),
    "whole names": (["ID", "Name", "Stage", "Amount", "Dates", None, "Owner"],
                    [None, None, None, None, "Created", "Close date", None], ["E1:F1"]),
}  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_a_header_of_two_rows_is_one(head):
    first, second, merged = HEADS[head]
    rows = [first, second, [1, "a", "1 线索", 5, "2026-01-02", None, "Ann"],
            [2, "b", "赢单", 6, "2026-01-03", "2026-02-03", "Bo"]]  # fmt: skip
    pipeline = read(book(rows, merged))
    assert pipeline.rows.rows_in == pipeline.rows.good == 2 and "header_of_two" in rules(pipeline)
    deals = pipeline.deals
    assert deals["created_at"].dt.day.tolist() == [2, 3] and deals["owner"].tolist() == ["Ann", "Bo"]
    assert deals["closed_at"].notna().tolist() == [False, True] and pipeline.amount_total == 11


def test_a_first_row_of_texts_is_no_second_row_of_the_header():
    rows = [["ID", "Stage", None, "Owner"], ["a", "1 Lead", "x", "Ann"], ["b", "2 Offer", None, None]]
    assert read(book(rows)).deals["deal_id"].tolist() == ["a", "b"]


def test_a_cell_merged_over_rows_holds_in_each_and_sums_are_no_deals():
    rows = [["Owner", "Customer", "Stage", "Wert", "Angelegt"], ["Ann", "x", "1 Lead", 5, "2026-01-02"],
            [None, "y", "2 Angebot", 6, "2026-01-03"], ["Summe Ann", None, None, 11, None],
            ["Bo", "Total Energies", "1 Lead", 7, "2026-01-04"], ["Gesamtsumme", None, None, 18, None]]  # fmt: skip
    pipeline = read(book(rows, ["A2:A3"]))
    assert pipeline.deals["owner"].tolist() == ["Ann", "Ann", "Bo"] and pipeline.amount_total == 18
    assert [finding.rule for finding in pipeline.findings if finding.severity == "error"] == ["totals_row"] * 2
    assert "merged_filled" in rules(pipeline)


def test_periods_merged_over_the_rows_of_a_table_of_counts():
    rows = [["月份", "阶段", "人数"], ["7月", "线索", 100], [None, "成交", 10], ["8月", "线索", 90], [None, "成交", 12]]
    counts = read(book(rows, ["A2:A3", "A4:A5"])).counts
    assert counts["period"].tolist() == ["7月", "7月", "8月", "8月"] and counts["n_entered"].sum() == 212


def test_groups_of_a_list_are_no_deals():
    rows = [["Oportunidad", "Ingresos esperados", "Creado el", "Etapa"], ["Nuevo (2)", 11, None, None],
            ["a", 5, "2026-01-02", "1 Nuevo"], ["b (3)", 6, "2026-01-03", "2 Propuesta"]]  # fmt: skip
    pipeline = read(book(rows))
    assert len(pipeline.deals) == 2 and pipeline.rows.quarantined == 1


def test_subitems_of_a_board_are_part_of_the_deal_above():
    head = ["Name", "Subitems", "Owner", "Stage", "Deal Value", "Item ID (auto generated)"]
    rows = [["Sales"], head, ["a", "Call", "Ann", "1 New", 5, 71], ["Subitems", "Name", "Owner", "Status", "Date"],
            [None, "Call", "Ann", "Done", "2026-01-01"], [None] * 4 + [5], ["b", None, "Bo", "2 Offer", 6, 72],
            [None, None, None, None, 11]]  # fmt: skip
    pipeline = read(book(rows))
    assert pipeline.deals["deal_id"].tolist() == ["71", "72"] and pipeline.amount_total == 11
    assert pipeline.rows.rows_in == 6 and pipeline.rows.quarantined == 1 and pipeline.rows.ignored == 3
    assert "subitems_left_out" in rules(pipeline)


def test_subitems_are_looked_for_among_few_cells(monkeypatch):
    from funnelkit.reading.containers import headers

    compared = []
    monkeypatch.setattr(headers, "key", lambda name: compared.append(name) or key(name))
    cells = pd.Series([*(f"D{n:05}" for n in range(20_000)), "Subitems", "S1", None, " Sub-items ", "Ｓubitems"])
    assert headers._are_subitems(cells.astype("str")).nonzero()[0].tolist() == [20_000, 20_003, 20_004]
    assert len(compared) == 4


def test_visits_with_their_actions_are_rows_of_events(tmp_path):
    visits = [{"idVisit": n, "visitorId": f"v{n}", "serverDate": "2026-01-05", "actionDetails": [
        {"type": "action", "pageTitle": title, "timestamp": 1_767_600_000 + 60 * step}
        for step, title in enumerate(["Home", "Cart", "Paid"][: 3 - n % 3])]} for n in range(6)]  # fmt: skip
    path = tmp_path / "visits.json"
    path.write_text(json.dumps(visits), encoding="utf-8")
    pipeline = read(path)
    assert pipeline.layout == "events" and len(pipeline.deals) == 6 and pipeline.rows.rows_in == 12
    assert [stage.name.en for stage in pipeline.model.stages] == ["Home", "Cart", "Paid"]


def test_columns_of_dates_that_fill_up_one_after_another_are_stages():
    rows = {"id": range(6), "MQL Date": ["2026-01-01"] * 6, "Demo Date": ["2026-01-05"] * 4 + [None] * 2,
            "Won Date": ["2026-01-09"] * 2 + [None] * 4, "Lost Date": [None] * 5 + ["2026-01-20"]}  # fmt: skip
    pipeline = read(rows)
    assert [stage.name.en for stage in pipeline.model.stages] == ["MQL", "Demo", "Won"] and len(pipeline.events) == 12
    assert pipeline.deals["status"].value_counts().to_dict() == {"won": 2, "open": 3, "lost": 1}
    assert "stages_by_dates" in rules(pipeline)
    other = {**rows, "Review Date": ["2025-01-01"] * 3 + [None] * 3}  # before the stage that stands before it
    assert "stages_by_dates" not in rules(read(other))


def test_lines_of_a_deal_in_two_files_are_one_deal():
    head = {"id": ["A", "B"], "stage": ["1 Lead", "2 Offer"], "created": ["2026-01-01", "2026-01-02"]}
    one, other = (
        {**head, "product": [name] * 2, "amount": amounts} for name, amounts in (("x", [1, 2]), ("y", [3, 4]))
    )
    pipeline = read(one, other)
    assert pipeline.deals["amount"].tolist() == [4, 6] and pipeline.deals["product"].tolist() == ["x; y"] * 2
    assert pipeline.rows.quarantined == 0 and "lines_summed" in rules(pipeline)


def test_snapshots_of_a_pipeline_are_its_history():
    rows = [("2026-01-05", "A", "Lead"), ("2026-01-12", "A", "Lead"), ("2026-01-12", "B", "Lead"),
            ("2026-01-19", "A", "Offer"), ("2026-01-19", "B", "Closed Lost"), ("2026-01-26", "A", "Won")]  # fmt: skip
    pipeline = read(pd.DataFrame(rows, columns=["snapshot_date", "opportunity_id", "stage"]))
    assert pipeline.deals["status"].tolist() == ["won", "lost"] and len(pipeline.events) == 4


def test_signs_around_a_name_do_not_hide_an_outcome():
    rows = {"id": [1, 2, 3], "stage": ["🟢 Won", "🔴 Lost", "🟡 Lead"]}
    assert read(rows).deals["status"].tolist() == ["won", "lost", "open"]


@pytest.mark.parametrize(("text", "currency"), [("R$ 1.234,50", "BRL"), ("1 234,50 zł", "PLN"), ("Kč 1.234,50", "CZK")])
def test_currencies_by_their_signs(text, currency):
    pipeline = read({"id": [1], "stage": ["Won"], "amount": [text]})
    assert (pipeline.amount_total, pipeline.deals["currency"].tolist()) == (1234.5, [currency])


# --- asked once, with a proposal ---


def answered(tmp_path, *sources, **options):
    """Return the error, and what is read once the mapping it proposes is given."""
    with pytest.raises(DataError) as caught:
        read(*sources, **options)
    path = tmp_path / "mapping.toml"
    write_mapping(path, caught.value)
    return caught.value, read(*sources, **options, mapping=path)


@pytest.mark.parametrize("names", [
    ("Lead", "Demo", "Quote", "Negotiation", "Won"), ("Anfrage", "Qualifiziert", "Angebot", "Verhandlung", "Gewonnen"),
    ("Prospección", "Calificado", "Propuesta", "Negociación", "Ganado"), ("1", "2", "10", "Won"),
    ("Contact", "Présentation", "Devis", "Négociation", "Gagné"),
    ("初步接触", "需求确认", "方案演示", "报价", "商务谈判", "赢单"),
])  # fmt: skip
def test_the_usual_order_of_stages_is_proposed_not_taken(names, tmp_path):
    table = {"id": range(len(names)), "stage": sorted(names)}
    error, pipeline = answered(tmp_path, table)
    assert error.key == "stage_order_unknown" and ",".join(names) in str(error)
    assert tuple(stage.name.en for stage in pipeline.model.stages) == names


@pytest.mark.parametrize(
    ("encoding", "owner"),
    [
        ("cp1252", "Jörg Müller"),
        ("cp1254", "Işık Güneş"),
        ("cp1252", "Þór Guðmundsson Ísfeld"),
        ("gb18030", "王小明"),
        ("big5", "張先生"),
    ],
)
def test_an_encoding_that_is_not_certain_is_asked_with_all_else(encoding, owner, tmp_path):
    text = f"ID;Stage;Owner;Created\n1;Lead;{owner};2026-01-02\n2;Quote;{owner};2026-01-03\n"
    path = tmp_path / "deals.csv"
    path.write_bytes(text.encode(encoding))
    error, pipeline = answered(tmp_path, path)
    keys = [problem.key for problem in error.values["problems"]]
    assert keys == ["encoding_unclear", "stage_order_unknown"]
    assert pipeline.deals["owner"].tolist() == [owner] * 2 and len(pipeline.model.stages) == 2
