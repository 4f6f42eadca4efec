"""The workbook is for people: sheets, headers and codes in words, percent and money as such; machines read the CSV."""

import io

from openpyxl import load_workbook

from funnelkit.language import use_language
from funnelkit.report.pages.export import csv_text, workbook

STUCK = {
    "columns": ["deal_id", "amount", "stage", "stage_name", "state"],
    "rows": [["D1", 2_447_700, "offer", "报价", "late"], ["D2", None, "offer", "报价", "soon"]],
}
RATES = {"columns": ["team", "k", "n", "rate", "p_value"], "rows": [["North", 4, 40, 0.1, 0.04]]}
FLOW = {"columns": ["part", "n_deals", "change"], "rows": [["opening", 187, 130_095_700.0], ["won", 4, -3_526_900.0]]}


def test_sheets_headers_and_codes_are_words_of_the_language():
    use_language("zh")
    book = load_workbook(io.BytesIO(workbook({"stuck": STUCK, "waterfall": FLOW, "own-cell": RATES})))
    assert book.sheetnames == ["待联系商机", "进行中金额变化", "own-cell"]
    assert [cell.value for cell in book["待联系商机"][1]] == ["商机", "金额", "阶段", "状态"]
    assert book["待联系商机"]["C2"].value == "报价" and book["待联系商机"]["D2"].value != "late"
    assert book["进行中金额变化"]["C1"].value == "金额" and book["进行中金额变化"]["A2"].value != "opening"


def test_percent_and_money_are_formats_and_numbers_stay_numbers():
    book = load_workbook(io.BytesIO(workbook({"stuck": STUCK, "waterfall": FLOW, "segment": RATES})))
    stuck, flow, rates = book.worksheets
    assert (stuck["B2"].value, stuck["B2"].number_format) == (2_447_700, "#,##0")
    assert (flow["C3"].value, flow["C3"].number_format) == (-3_526_900, "#,##0")
    assert (rates["D2"].value, rates["D2"].number_format, rates["E2"].number_format) == (0.1, "0.0%", "General")


def test_csv_keeps_ids_codes_and_column_names():
    assert csv_text(STUCK).splitlines()[:2] == ["deal_id,amount,stage,stage_name,state", "D1,2447700,offer,报价,late"]
