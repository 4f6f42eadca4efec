"""Whole reports of small companies: history and deals of a few months, published without an empty figure."""

import re
import subprocess
import sys

import pytest

from tests.report.sections.test_section import company


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 9, 25])
def test_a_small_company_gets_a_whole_report(tmp_path, n):
    paths = [tmp_path / name for name in ("deals.csv", "events.csv")]
    for path, table in zip(paths, company(n), strict=True):
        table.to_csv(path, index=False)
    command = [sys.executable, "-m", "funnelkit", "report", "--data", *map(str, paths), "--out", str(tmp_path / "out")]
    ran = subprocess.run([*command, "-p", "stages=Lead,Offer,Talk,Won"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    page = next((tmp_path / "out").glob("runs/*/report.html")).read_text(encoding="utf-8")
    assert not re.search(r"\b(nan|NaT)\b", page)
    assert "Where the figures come from" in page
