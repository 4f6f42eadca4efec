"""A report and an index made from hostile names open in a browser without a dialog, an error or a request."""

import csv
import json

import pytest
from openpyxl import load_workbook

from funnelkit.report.runs.batch import run_batch
from funnelkit.report.runs.plan import read_plan

from .lab import chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="no Chromium on the PATH")]
HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "\"><svg onload=alert(3)>", "javascript:alert(4)",
    "$$", r"$\bad{$", "_hidden", "=HYPERLINK(\"http://example.org\")", "+1", "@SUM(A1)", "＝1", "\u202egpj.exe",
    "[a](javascript:alert(5))", "<iframe src=http://example.org>", "<a href=\"http://example.org\">a</a>",
    "<style>@import url(http://example.org/x.css)</style>", "<meta http-equiv=refresh content=0;url=http://example.org>",
    "{{7*7}}", "漏斗\u200b", "A" * 10_000,
]  # fmt: skip


def write_deals(path):
    """Write deals whose accounts, owners and names are hostile; half of them won."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["deal_id", "name", "account", "owner", "team", "stage", "status", "amount", "currency",
                         "created_at", "closed_at"])  # fmt: skip
        for i in range(240):
            word = HOSTILE[i % len(HOSTILE)]
            day = f"2025-{1 + i % 9:02d}-{1 + i % 27:02d}"
            status = ("won", "lost", "open")[i % 3]
            closed = "" if status == "open" else f"2025-{2 + i % 9:02d}-{1 + i % 27:02d}"
            stage = ("qualify", "<b>offer</b>", "close")[i % 3]
            writer.writerow([f"d{i}", word, word, word, HOSTILE[i % 5], stage, status, 100 + i, "EUR", day, closed])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    write_deals(folder / "deals.csv")
    content = {
        "data": {"hostile": "deals.csv"}, "each": {"lang": ["en", "zh"]},
        "parameters": {"stages": ["qualify", "<b>offer</b>", "close"], "segment": "team"},
    }  # fmt: skip
    (folder / "plan.yaml").write_text(json.dumps(content), encoding="utf-8")
    results = run_batch(read_plan(folder / "plan.yaml", folder / "out"), folder / "out")
    assert [result.error for result in results] == [None, None]
    return folder / "out"


def test_hostile_names_open_harmlessly(made, browser):
    pages = [made / "index.html", *sorted(made.glob("*/latest/report.html"))]
    assert len(pages) == 3
    dialogs, errors, requests = [], [], []
    for path in pages:
        page = browser.new_page()
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_timeout(500)
        if path.name == "index.html":
            page.fill("#search", "zh")
            assert page.locator("tbody tr:visible").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 400")
        page.close()
    own = {path.as_uri() for path in pages}
    outside = [url for url in requests if url not in own and not url.startswith("data:")]
    assert (dialogs, errors, outside) == ([], [], [])


def test_hostile_names_are_no_formula(made):
    books = sorted(made.glob("*/latest/tables.xlsx"))
    assert len(books) == 2
    for path in books:
        cells = [cell for sheet in load_workbook(path) for row in sheet.iter_rows() for cell in row]
        assert cells and not [cell for cell in cells if cell.data_type == "f"]
        assert not [
            cell for cell in cells if isinstance(cell.value, str) and cell.value[:1] in "=+@-＝＋＠－" and cell.value
        ]
