"""Batches: one bad report stops no other, plans are strict, what is exported runs no formula, runs can be repeated."""

import contextlib
import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from openpyxl import load_workbook

from funnelkit.cli import main
from funnelkit.language import sample_files, speaking
from funnelkit.language.errors import ReportError
from funnelkit.report.pages import export, pdf
from funnelkit.report.pages.index import index_page
from funnelkit.report.runs import batch, publish, verify
from funnelkit.report.runs.batch import run_batch
from funnelkit.report.runs.plan import read_plan
from funnelkit.report.runs.publish import load_json
from funnelkit.report.runs.run import Request, run_report

SHOW = """import pandas as pd
from funnelkit.language import show
show(pd.DataFrame({"account": ["=cmd|' /C calc'!A0", "Müller"], "n": [3, x], "amount": [-5, 7.5]}))"""


def template(path, *sources, parameters="x: int = 50\ndata: list = []"):
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters")]
    cells += [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def plan(folder, **content):
    path = folder / "plan.yaml"
    path.write_text(json.dumps({"template": "t.ipynb", **content}), encoding="utf-8")
    return path


# --- plans ---------------------------------------------------------------------------------------------------------


def test_plan_is_data_sets_times_values_and_single_reports(tmp_path):
    content = {
        "data": {"north": "n.csv", "south": ["s.csv", "e.csv"]}, "each": {"x": [1, 2]}, "parameters": {"y": 9},
        "reports": [{"name": "总部", "data": "north", "parameters": {"x": 3}}], "keep": 4,
    }  # fmt: skip
    items = read_plan(plan(tmp_path, **content), tmp_path / "out")
    assert [item.name for item in items] == ["north x=1", "north x=2", "south x=1", "south x=2", "总部"]
    assert items[3].request.values == {"x": 2, "y": 9, "data": [str(tmp_path / "s.csv"), str(tmp_path / "e.csv")]}
    assert items[4].request.out == tmp_path / "out" / "总部" and items[4].request.keep == 4


def test_the_sample_of_a_plan_is_that_of_its_language(tmp_path):
    for lang in ("en", "zh"):
        (item,) = read_plan(plan(tmp_path, lang=lang, reports=[{"name": "a"}]), tmp_path / "out")
        with speaking(lang):
            assert list(item.request.inputs) == sample_files()


def test_a_report_takes_data_sets_and_files_of_its_own(tmp_path):
    for name in ("d.csv", "e.csv", "f.csv"):
        (tmp_path / name).write_text("deal_id\n1\n", encoding="utf-8")
    wanted = {"set": "north", "list": ["d.csv", "e.csv"], "both": ["north", "f.csv"], "file": "f.csv"}
    reports = [{"name": name, "data": data} for name, data in wanted.items()]
    items = read_plan(plan(tmp_path, data={"north": ["d.csv", "e.csv"]}, reports=reports), tmp_path / "out")
    found = {item.name: [Path(path).name for path in item.request.values["data"]] for item in items}
    two = ["d.csv", "e.csv"]
    assert found == {"north": two, "set": two, "list": two, "both": [*two, "f.csv"], "file": ["f.csv"]}
    assert all(item.error is None and len(item.request.inputs) == len(found[item.name]) for item in items)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"dat": {}}, "unknown key 'dat' in the plan. Did you mean data"),
        ({"data": {"n": []}}, "data.n cannot be []"),
        ({"each": {"x": 3}}, "each.x cannot be 3"),
        ({"keep": 0, "each": {"x": [1]}}, "keep cannot be 0"),
        ({"keep": True}, "keep cannot be True"),
        ({}, "the plan asks for no report"),
        ({"reports": [{"name": "a\tb"}]}, "cannot be named"),
        ({"reports": [{"name": " "}]}, "cannot be named ' '"),
        ({"reports": [{"name": "a"}, {"name": "A"}]}, "the reports 'a' and 'A' would share one folder"),
        ({"alert": ["signals"], "each": {"x": [1]}}, "alert cannot be ['signals']"),
        ({"memory_mb": 0, "each": {"x": [1]}}, "memory_mb cannot be 0"),
        ({"reports": [{"name": "a", "data": "none"}]}, "no data set is named 'none', and no file either"),
        ({"reports": [{"name": "a", "data": ["none", "t.csv"]}]}, "no data set is named 'none', and no file either"),
        ({"reports": [{"name": "a", "data": []}]}, "data cannot be []"),
        ({"reports": [{"name": "a", "data": [3]}]}, "data cannot be [3]"),
        ({"reports": [{}]}, "name cannot be {}"),
        ({"lang": "fr", "each": {"x": [1]}}, "lang cannot be 'fr'"),
        ({"each": {"x": [1]}, "parameters": {"lang": "fr"}}, "lang cannot be 'fr'"),
        ({"each": {"x": [1]}, "export": {"columns": {"a": "blur"}}}, "cannot be a=blur"),
    ],
)
def test_plan_that_is_wrong_is_refused_whole(content, message, tmp_path):
    with pytest.raises(ReportError) as caught:
        read_plan(plan(tmp_path, **content), tmp_path / "out")
    assert caught.value.exit_code == 11 and message in str(caught.value)
    assert not (tmp_path / "out").exists()


# --- batches -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A batch of two good reports and two bad ones, made twice, the second time only the failed ones."""
    folder = tmp_path_factory.mktemp("batch")
    template(folder / "t.ipynb", SHOW)
    template(folder / "bad.ipynb", "1 / 0")
    (folder / "n.csv").write_text("a\n1\n", encoding="utf-8")
    content = {
        "data": {"north": "n.csv"}, "each": {"x": [20, 30]},
        "reports": [{"name": "bad", "template": "bad.ipynb"}, {"name": "wrong", "parameters": {"z": 1}}],
    }  # fmt: skip
    items = read_plan(plan(folder, **content), folder / "out")
    first = run_batch(items, folder / "out", jobs=2)
    status = load_json(folder / "out" / "batch.json")
    template(folder / "bad.ipynb", "1 / 1")
    return folder, first, status, run_batch(items, folder / "out", only_failed=True)


def test_one_bad_report_stops_no_other(made):
    _, first, status, _ = made
    assert [(result.outcome, result.exit_code) for result in first] == [
        ("ok", 0), ("ok", 0), ("failed", 10), ("failed", 11)
    ]  # fmt: skip
    assert (status["outcome"], status["exit_code"], status["n_failed"]) == ("failed", 1, 2)
    assert [report["reason"] for report in status["reports"]] == ["ok", "ok", "cell_error", "unknown_parameter"]
    assert "message" not in json.dumps(status) and "division" not in json.dumps(status)


def test_retry_makes_only_what_failed(made):
    folder, _, _, second = made
    assert [result.outcome for result in second] == ["kept", "kept", "ok", "failed"]
    assert len(list((folder / "out" / "north x=20" / "runs").iterdir())) == 1


def test_a_template_with_a_slip_in_its_parameters_fails_alone_and_again(tmp_path):
    template(tmp_path / "t.ipynb", "print(x)")
    template(tmp_path / "b.ipynb", "print(x)")
    content = {"each": {"x": [1]}, "reports": [{"name": "b", "template": "b.ipynb"}]}
    items = read_plan(plan(tmp_path, **content), tmp_path / "out")
    assert [result.outcome for result in run_batch(items, tmp_path / "out")] == ["ok", "ok"]
    template(tmp_path / "b.ipynb", "print(x)", parameters="x: int = = 2")
    for only_failed, kept in ((False, "ok"), (True, "kept")):
        found = run_batch(items, tmp_path / "out", only_failed=only_failed)
        assert [result.outcome for result in found] == [kept, "failed"]
        assert "'x: int = = 2'" in str(found[1].error) and found[1].exit_code == 11


def test_a_fault_of_one_report_stops_no_other(tmp_path, monkeypatch):
    template(tmp_path / "t.ipynb", "print(x)")
    items = read_plan(plan(tmp_path, each={"x": [1, 2]}), tmp_path / "out")

    def broken(request, *rest, **named):
        return run_report(request, *rest, **named) if request.values["x"] == 1 else {}["x"]

    monkeypatch.setattr("funnelkit.report.runs.batch.run_report", broken)
    found = run_batch(items, tmp_path / "out")
    assert [(result.outcome, result.reason) for result in found] == [("ok", "ok"), ("failed", "report_broke")]
    assert load_json(tmp_path / "out" / "batch.json")["outcome"] == "failed"


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_cells_run_at_once_than_jobs_were_asked_for(jobs, tmp_path):
    times = tmp_path / "times"
    told = f"begun = time.time(); time.sleep(0.2); open({str(times)!r}, 'a').write(f'{{begun}} {{time.time()}}\\n')"
    template(tmp_path / "t.ipynb", f"import time\n{told}", "print(x)")
    items = read_plan(plan(tmp_path, each={"x": list(range(5))}), tmp_path / "out")
    assert all(result.outcome == "ok" for result in run_batch(items, tmp_path / "out", jobs=jobs))
    spans = [tuple(map(float, line.split())) for line in times.read_text().splitlines()]
    assert len(spans) == 5
    assert max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans) <= jobs


def test_the_next_report_begins_while_the_page_of_one_is_made(tmp_path):
    template(tmp_path / "t.ipynb", "print('a line of a page that takes a while\\n' * 200_000 * x)")
    request, seen = read_plan(plan(tmp_path, each={"x": [1]}), tmp_path / "out")[0].request, []

    def executed():
        seen.append(
            [path.name for path in request.out.glob(".staging-*/*") if path.name in ("report.html", "run.json")]
        )

    run_report(request, executed=executed)
    assert seen[0] == []
    assert (request.out / "latest" / "report.html").exists()


def test_the_status_of_many_reports_is_not_written_anew_for_each(tmp_path, monkeypatch):
    template(tmp_path / "t.ipynb", "print(x)")
    items = read_plan(plan(tmp_path, each={"x": list(range(300))}), tmp_path / "out")
    written = []
    monkeypatch.setattr("funnelkit.report.runs.batch.run_report", lambda request, *rest, **named: {}["x"])
    monkeypatch.setattr("funnelkit.report.runs.batch.pool.Workers.warm", lambda *given: None)
    write = publish.write_json
    monkeypatch.setattr(publish, "write_json", lambda path, told: written.append(path.name) or write(path, told))
    assert len(run_batch(items, tmp_path / "out", jobs=2)) == 300
    assert load_json(tmp_path / "out" / "batch.json")["n_done"] == 300
    assert written.count("batch.json") < 150


@pytest.mark.parametrize("changed", ["data", "template", "parameter"])
def test_retry_makes_again_what_is_made_from_something_else_now(changed, tmp_path):
    template(tmp_path / "t.ipynb", "print(open(data[0]).read())")
    (tmp_path / "n.csv").write_text("a\n1\n", encoding="utf-8")
    content = {"data": {"north": "n.csv"}, "parameters": {"x": 1}}
    items = read_plan(plan(tmp_path, **content), tmp_path / "out")
    run_batch(items, tmp_path / "out")
    assert run_batch(items, tmp_path / "out", only_failed=True)[0].outcome == "kept"
    if changed == "data":
        (tmp_path / "n.csv").write_text("a\n2\n", encoding="utf-8")
    elif changed == "template":
        template(tmp_path / "t.ipynb", "print(x)")
    else:
        items = read_plan(plan(tmp_path, **content | {"parameters": {"x": 2}}), tmp_path / "out")
    assert run_batch(items, tmp_path / "out", only_failed=True)[0].outcome == "ok"
    assert verify.verify(tmp_path / "out" / "north" / "latest" / "run.json")[1] == []


def test_index_shows_state_links_and_history(made):
    folder, *_ = made
    html = (folder / "out" / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"]+)"', html)
    assert links and all((folder / "out" / link.replace("%20", " ").replace("%3D", "=")).is_file() for link in links)
    assert "unknown_parameter (11)" in html and "cell_error (10)" in html
    assert html.count("<script>") == 1 and "default-src &#x27;none&#x27;" not in html and "sha256-" in html


def test_unchanged_input_is_named_and_old_runs_go(tmp_path):
    template(tmp_path / "t.ipynb", "print(x)")
    items = read_plan(plan(tmp_path, each={"x": [1]}, keep=2), tmp_path / "out")
    seen = [run_batch(items, tmp_path / "out")[0].unchanged_since for _ in range(3)]
    assert seen[0] is None and seen[1] and seen[2]
    assert len(list((tmp_path / "out" / "x=1" / "runs").iterdir())) == 2
    assert "same input as in the run of" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_index_holds_no_markup_of_names(tmp_path):
    result = {"name": "<img src=x>", "outcome": "failed", "exit_code": 10, "reason": "<b>", "unchanged_since": None}
    status = {"outcome": "failed", "n": 1, "n_done": 1, "n_failed": 1, "started_at": "now", "reports": [result]}
    html = index_page(status, tmp_path)
    assert "<img" not in html and "<b>" not in html


# --- retention and disks ---------------------------------------------------------------------------------------------


def test_retention_never_removes_what_is_shown(tmp_path):
    for i in range(5):
        (tmp_path / "runs" / f"2026010{i}").mkdir(parents=True)
    (tmp_path / "latest").symlink_to("runs/20260100")
    publish.retain(tmp_path, 2)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["20260100", "20260103", "20260104"]


def test_a_clock_that_was_put_back_makes_no_run_older(tmp_path):
    """Runs named in the future were made before the one that has just ended: they go first, new ones stay."""
    for day in ("20270105", "20270104", "20260101", "20260102", "20260103"):
        (tmp_path / "runs" / day).mkdir(parents=True)
        (tmp_path / "failed" / day).mkdir(parents=True)
    (tmp_path / "latest").symlink_to("runs/20260103")
    publish.retain(tmp_path, 2, "20260103")
    for kind in ("runs", "failed"):
        assert sorted(path.name for path in (tmp_path / kind).iterdir()) == ["20260102", "20260103"]
    publish.retain(tmp_path, 3, "20260103")
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize("full", ["status", "pointer", "latest"])
def test_disk_full_at_the_last_moment_publishes_nothing(full, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    staging = tmp_path / ".staging-1"
    staging.mkdir()
    (staging / "report.html").write_text("new")
    (tmp_path / "runs" / "old").mkdir(parents=True)
    (tmp_path / "latest").symlink_to("runs/old")
    (tmp_path / "status.json").write_text("{}")
    if full == "latest":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(publish, {"status": "prepare_text", "pointer": "_pointer"}[full], fail)
    with pytest.raises(OSError, match="No space left"):
        publish.publish(staging, tmp_path, "new", {"outcome": "ok"})
    assert (tmp_path / "latest").resolve().name == "old" and (tmp_path / "status.json").read_text() == "{}"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["old"]


def test_a_disk_that_fills_up_meanwhile_leaves_no_books_that_say_running(tmp_path, monkeypatch):
    """The books keep room for their last word; without it they said `running` of a command that had ended."""
    template(tmp_path / "t.ipynb", "1")
    items = read_plan(plan(tmp_path, reports=[{"name": "one"}]), tmp_path / "out")
    write = publish.prepare_text

    def run(self, *_):
        self.write(False)
        monkeypatch.setattr(publish, "prepare_text", full)
        self.index(True)

    def full(path, text):
        if (tmp_path / "out" / batch._RESERVE).exists():
            raise OSError(28, "No space left on device")
        return write(path, text)

    monkeypatch.setattr(batch, "_makers", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(batch._Batch, "run", run)
    with pytest.raises(ReportError, match="cannot be written"):
        batch.run_batch(items, tmp_path / "out")
    found = publish.load_json(tmp_path / "out" / "batch.json")
    assert (found["outcome"], found["exit_code"], found["waiting"]) == ("failed", 14, ["one"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".lock", "batch.json", "index.html"]


# --- exports ---------------------------------------------------------------------------------------------------------

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠a", " =1", "\u200b=1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_a_formula(text):
    table = {"columns": [text, "n"], "rows": [[text, -5], ["plain", -1.5]]}
    rows = list(csv.reader(io.StringIO(export.csv_text(table), newline="")))
    assert rows[0][0].startswith("'") and rows[1][0].startswith("'")
    assert [row[1] for row in rows[1:]] == ["-5", "-1.5"]
    sheet = load_workbook(io.BytesIO(export.workbook({"a": table})))["a"]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert sheet["A2"].value.startswith("'") and sheet["B2"].value == -5 and sheet["B3"].value == -1.5


def test_columns_are_dropped_or_hashed_and_small_cells_hidden(monkeypatch):
    monkeypatch.setenv("FUNNELKIT_HASH_KEY", "secret")
    table = {
        "columns": ["owner", "account", "stage", "n_won", "rate", "low"],
        "rows": [["Ann", "A", "s1", 3, 0.3, 0.1], ["Bob", "B", "s1", 30, 0.5, 0.4], ["Ann", "C", "s2", 0, None, None]],
    }  # fmt: skip
    found = export.protect(table, {"columns": {"owner": "hash", "account": "drop", "stage": "keep"}, "min_cell": 5})
    assert found["columns"] == ["owner", "stage", "n_won", "rate", "low"]
    names = [row[0] for row in found["rows"]]
    assert names[0] == names[2] != names[1] and not {"Ann", "Bob"} & set(names)
    assert [row[1:] for row in found["rows"]] == [["s1", "<5", None, None], ["s1", 30, 0.5, 0.4], ["s2", 0, None, None]]
    monkeypatch.setenv("FUNNELKIT_HASH_KEY", "another")
    assert export.protect(table, {"columns": {"owner": "hash"}, "min_cell": 0})["rows"][0][0] != names[0]


def test_small_cells_are_hidden_within_texts_too():
    table = {
        "columns": ["stage", "rate_now", "rate_then", "change_points", "n_open", "clear"],
        "rows": [
            ["Design", "50.0% [9.5, 90.5] (n = 2)", "60.0% [50.0, 70.0] (n = 80)", "-10.0 points [-50.0, +5.0]", "7", "no"],  # noqa: E501
            ["Demo", "50.0% [40.0, 60.0] (n = 1,002)", "60.0% [50.0, 70.0] (n = 80)", "-10.0 points [-20.0, +5.0]", "3", "no"],  # noqa: E501
            ["Order", "50.0% [40.0, 60.0] (n = 1,002)", "60.0% [50.0, 70.0] (n = 80)", "-10.0 points [-20.0, +5.0]", "0", "no"],  # noqa: E501
        ],
    }  # fmt: skip
    first, second, third = export.protect(table, {"columns": {}, "min_cell": 5})["rows"]
    assert first == ["Design", "<5", None, None, None, "no"]
    assert second == ["Demo", None, None, None, "<5", "no"]
    assert third == table["rows"][2]


@pytest.mark.parametrize("policy", [{"columns": {"a": "blur"}}, {"min_cell": -1}, {"min_cell": True}, {"cols": {}}])
def test_export_policy_is_strict(policy):
    with pytest.raises(ReportError) as caught:
        export.check_policy(policy)
    assert caught.value.exit_code == 11


def test_rest_that_a_rate_leaves_is_a_small_cell_too():
    table = {"columns": ["stage", "k", "n", "rate"], "rows": [["Design", 97, 99, 0.98], ["Demo", 90, 99, 0.91]]}
    first, second = export.protect(table, {"columns": {}, "min_cell": 5})["rows"]
    assert first == ["Design", None, None, None] and second == table["rows"][1]


def test_hashing_wants_a_secret(monkeypatch):
    monkeypatch.delenv(export.KEY, raising=False)
    with pytest.raises(ReportError, match="FUNNELKIT_HASH_KEY") as caught:
        export.check_policy({"columns": {"owner": "hash"}})
    assert caught.value.exit_code == 11
    monkeypatch.setenv(export.KEY, "secret")
    assert export.check_policy({"columns": {"owner": "hash"}})["columns"] == {"owner": "hash"}


def test_misspelt_column_is_not_exported_in_clear(tmp_path):
    request = Request(
        template(tmp_path / "t.ipynb", SHOW), {}, tmp_path / "out", export={"columns": {"acount": "drop"}}
    )
    with pytest.raises(ReportError, match=r"'acount'.*Did you mean account") as caught:
        run_report(request)
    assert caught.value.exit_code == 11 and not (tmp_path / "out" / "latest").exists()
    assert not list((tmp_path / "out").rglob("tables*"))
    kept = Request(request.template, {}, tmp_path / "out", export={"columns": {"region": "drop", "account": "drop"}})
    text = (run_report(kept) / "tables" / "cell-0.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[0] == "n,amount"


def test_exports_of_a_run(made):
    folder, *_ = made
    latest = folder / "out" / "north x=30" / "latest"
    text = (latest / "tables" / "cell-0.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines() == ["account,n,amount", "'=cmd|' /C calc'!A0,3,-5.0", "Müller,30,7.5"]
    assert load_workbook(latest / "tables.xlsx")["cell-0"]["B3"].value == 30
    record = (latest / "run.json").read_text(encoding="utf-8")
    assert "Müller" not in record and str(Path.home()) not in record and str(folder) not in record


# --- verify and rerun ----------------------------------------------------------------------------------------------


def test_verify_names_what_changed_and_rerun_gives_the_same_bytes(tmp_path):
    notebook = template(tmp_path / "t.ipynb", SHOW, "print(open(data[0]).read())")
    source = tmp_path / "deals.csv"
    source.write_text("a,b\n1,2\n", encoding="utf-8")
    request = Request(notebook, {"data": [str(source)]}, tmp_path / "out", inputs=(source,))
    record = run_report(request) / "run.json"
    assert verify.verify(record)[1] == []
    assert all(
        verify.verify(given)[1] == [] for given in (record.parent, tmp_path / "out", tmp_path / "out" / "latest")
    )
    target, differing = verify.rerun(record, tmp_path / "again")
    assert differing == [] and target != record.parent
    source.write_text("a,b\n1,3\n", encoding="utf-8")
    (difference,) = verify.verify(record)[1]
    assert (difference.kind, difference.name) == ("input", "deals.csv")
    with pytest.raises(ReportError, match=r"deals.csv is not what the first run had"):
        verify.rerun(record, tmp_path / "third")
    source.unlink()
    (record.parent / "report.html").write_text("tampered", encoding="utf-8")
    assert {(item.kind, item.name) for item in verify.verify(record)[1]} == {
        ("input", "deals.csv"), ("output", "report.html")
    }  # fmt: skip


def test_the_record_is_found_where_latest_is_a_file_that_holds_the_path(tmp_path):
    folder = tmp_path / "out" / "runs" / "one"
    folder.mkdir(parents=True)
    told = dict.fromkeys(verify._NEEDED, "")
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
    (tmp_path / "out" / "latest").write_text("runs/one\n", encoding="utf-8")
    for given in (tmp_path / "out" / "latest", tmp_path / "out", folder):
        assert verify.read_record(given) == (told, tmp_path / "out")


def test_verify_wants_a_record_of_a_good_run(tmp_path):
    (tmp_path / "run.json").write_text('{"outcome": "failed"}')
    with pytest.raises(ReportError) as caught:
        verify.verify(tmp_path / "run.json")
    assert caught.value.exit_code == 11


# --- PDF -----------------------------------------------------------------------------------------------------------


def test_pdf_without_chromium_is_refused_before_a_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError) as caught:
        run_report(Request(template(tmp_path / "t.ipynb", "1"), {}, tmp_path / "out", pdf=True))
    assert caught.value.exit_code == 14 and "Install Chromium, or leave out --pdf" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(pdf.chromium() is None, reason="no Chromium on the PATH")
def test_pdf_is_made_the_same_every_time(tmp_path):
    notebook = template(tmp_path / "t.ipynb", "print('漏斗')")
    first, second = (run_report(Request(notebook, {}, tmp_path / "out", pdf=True)) for _ in range(2))
    assert (first / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert (first / "report.pdf").read_bytes() == (second / "report.pdf").read_bytes()


# --- the command line ----------------------------------------------------------------------------------------------


def test_a_refused_plan_shows_in_the_books(tmp_path, monkeypatch, capsys):
    """What was made stands; that it is all well is no longer said, until a plan is taken again."""
    monkeypatch.setenv("FUNNELKIT_FORK", "0")
    out, path = tmp_path / "o", tmp_path / "plan.yaml"
    path.write_text("reports: [{nam: x}]", encoding="utf-8")
    command = ["batch", str(path), "--out", str(out), "--lang", "en"]
    assert main(command) == 11 and not out.exists()
    run_batch([], out)
    assert load_json(out / "batch.json")["outcome"] == "ok"
    for rehearsal in ("--dry-run", "--list"):
        assert main([*command, rehearsal]) == 11 and load_json(out / "batch.json")["outcome"] == "ok"
    with publish.locked(out):
        assert main(command) == 11 and load_json(out / "batch.json")["outcome"] == "ok"  # another batch writes there
    assert main(command) == 11
    told = load_json(out / "batch.json")
    assert (told["outcome"], told["exit_code"], told["reason"], told["n"]) == ("refused", 11, "plan_unknown_key", 0)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "was refused (exit code 11)" in page and "unknown key" in page
    assert capsys.readouterr().err.count("unknown key") == 5
    run_batch([], out)
    assert load_json(out / "batch.json")["outcome"] == "ok" and "refused" not in (out / "index.html").read_text()


@pytest.mark.slow
def test_batch_command(tmp_path):
    template(tmp_path / "t.ipynb", "1 / x")
    path = plan(tmp_path, each={"x": [1, 0]})
    command = [sys.executable, "-m", "funnelkit", "batch", str(path), "--out", str(tmp_path / "o"), "--lang", "en"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 1 and "Good reports: 1 of 2" in found.stdout
    assert "x=0: the report was not published: cell cell-0 failed with ZeroDivisionError" in found.stderr
    shutil.rmtree(tmp_path / "o")
    path.write_text("{", encoding="utf-8")
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 11 and not (tmp_path / "o").exists()
