"""A report's page and the index of a batch have no fault that axe-core sees, in both languages, wide and narrow."""

import json

import pytest

from funnelkit.report.runs.batch import run_batch
from funnelkit.report.runs.plan import read_plan

from .axe import MISSING, axe_file, violations
from .lab import chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on the PATH"),
    pytest.mark.skipif(axe_file() is None, reason=MISSING),
]
LANGUAGES = ("en", "zh")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("axe")
    reports = [{"name": lang, "parameters": {"lang": lang}} for lang in LANGUAGES]
    plan = folder / "plan.yaml"
    plan.write_text(json.dumps({"reports": reports}), encoding="utf-8")
    results = run_batch(read_plan(plan, folder / "out"), folder / "out", jobs=2)
    assert [result.error for result in results] == [None, None]
    return folder / "out"


@pytest.mark.parametrize("name", ["index.html", *(f"{lang}/latest/report.html" for lang in LANGUAGES)])
def test_axe_finds_nothing(name, made, browser):
    assert violations(browser, (made / name).as_uri()) == []
