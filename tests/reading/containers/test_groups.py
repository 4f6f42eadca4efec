"""Reports with grouped rows: a value holds for its group, sums and what stands below the table are no deals."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from funnelkit.reading import read

HEAD = ["Stage  ↑", "Opportunity Owner  ↑", "Opportunity Name", "Amount", "Created Date", "Close Date"]
DAYS = ["2026-03-02", "2026-06-30"]
ROWS = [
    ["Prospecting", "Ann", "A", 100, *DAYS],
    [None, None, "B", 200, *DAYS],
    [None, "Subtotal", None, 300],
    [None, "Ben", "C", 50, *DAYS],
    [None, "Subtotal", None, 50],
    ["Subtotal", None, "Sum of Amount", 350],
    [None, None, "Count", 3],
    ["Closed Won", "Ann", "D", 1000, *DAYS],
    [None, None, "E", 2000, *DAYS],
    [None, "Ben", "F", 5, *DAYS],
    ["Subtotal", None, "Sum of Amount", 3005],
    ["Closed Lost", "Ben", "G", 7, *DAYS],
    [None, None, "H", 8, *DAYS],
    ["Subtotal", None, "Sum of Amount", 15],
    ["Total", None, "Sum of Amount", 3370],
    [None, None, "Count", 8],
]
BELOW = [[], ["Confidential Information - Do Not Distribute"], ["Copyright © 2026"]]


def workbook(folder: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    path = folder / "report.xlsx"
    book.save(path)
    return path


def test_groups_count_in_each_row_and_sums_are_left_out(tmp_path: Path) -> None:
    pipeline = read(
        workbook(tmp_path, ["Open pipeline"], [], HEAD, *ROWS, *BELOW), stages=["Prospecting", "Closed Won"]
    )
    deals = pipeline.deals
    assert deals["amount"].sum() == 3370 and len(deals) == 8
    assert deals["owner"].tolist() == ["Ann", "Ann", "Ben", "Ann", "Ann", "Ben", "Ben", "Ben"]
    assert deals["status"].value_counts().to_dict() == {"open": 3, "won": 3, "lost": 2}
    rules = [finding.rule for finding in pipeline.findings]
    assert {"groups_filled", "footer_left_out"} <= set(rules) and "totals_row" not in rules
    assert pipeline.rows.ignored == 2 + 8 + 1


@pytest.mark.parametrize("stages", [["Lead", None, "Won", "Lost"], ["Lead", "Lead", "Won", None]])
def test_empty_cells_of_a_sorted_list_stay_empty(tmp_path: Path, stages: list[str | None]) -> None:
    rows: list[list[object]] = [[stage, None, f"deal {n}", 5, *DAYS] for n, stage in enumerate(stages)]
    pipeline = read(workbook(tmp_path, HEAD, *rows), stages=["Lead", "Won"])
    assert len(pipeline.deals) == 3 and "groups_filled" not in [finding.rule for finding in pipeline.findings]
