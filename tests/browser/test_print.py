"""The printed report: every page has its number and none but the last is half empty."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from funnelkit.report.runs.batch import run_batch
from funnelkit.report.runs.plan import read_plan

from .lab import chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on the PATH"),
    pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="no pdftoppm, which draws the pages of a PDF"),
]
LANGUAGES = ("en", "zh")
FOOT, LEAST = 0.945, 0.6  # shares of a page: where its foot begins, how far down it is filled at least


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("print")
    reports = [{"name": lang, "parameters": {"lang": lang}} for lang in LANGUAGES]
    plan = folder / "plan.yaml"
    plan.write_text(json.dumps({"reports": reports, "pdf": True}), encoding="utf-8")
    results = run_batch(read_plan(plan, folder / "out"), folder / "out", jobs=2)
    assert [result.error for result in results] == [None, None]
    return folder / "out"


def pages(pdf, folder):
    """Return each page as an array of greys."""
    subprocess.run(["pdftoppm", "-r", "40", "-gray", str(pdf), str(folder / "page")], check=True)
    return [grey(path) for path in sorted(folder.glob("page-*.pgm"))]


def grey(path):
    kind, size, _, data = path.read_bytes().split(b"\n", 3)
    assert kind == b"P5"
    width, height = map(int, size.split())
    return np.frombuffer(data, np.uint8).reshape(height, width)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_page_but_the_last_is_half_empty(lang, made, tmp_path):
    drawn = pages(made / lang / "latest" / "report.pdf", tmp_path)
    filled = []
    for page in drawn:
        foot = round(FOOT * len(page))
        assert (page[foot:] < 200).any(), "no page number"
        filled.append(np.flatnonzero((page[:foot] < 200).any(axis=1)).max() / len(page))
    assert len(drawn) > 5 and min(filled[:-1]) >= LEAST, [round(share, 2) for share in filled]
