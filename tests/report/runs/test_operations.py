"""Reports on a schedule: the week that ended, forty regions from one file, alerts, limits, and books that are true."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta

import nbformat
import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis import Calendar, compare_periods
from funnelkit.cli import main
from funnelkit.language.errors import DataError, ReportError
from funnelkit.report import Scope, attempt
from funnelkit.report.runs import days, loops, run
from funnelkit.report.runs.batch import run_batch
from funnelkit.report.runs.dry import listed, rehearse
from funnelkit.report.runs.plan import read_plan
from funnelkit.report.runs.publish import load_json
from funnelkit.report.sections import shared_answers, shared_read
from funnelkit.report.sections.source import read_source
from funnelkit.result import Result
from tests.worlds import STAGES, named
from tests.worlds.world import draw, tables

MONDAY = date(2026, 11, 30)
PARAMETERS = """data: list = []  # files
model: str = ""  # a model
stages: list = []  # stages
as_of: "date" = ""  # the day
rows: "rows" = ""  # a filter
x: int = 1  # a number"""
READ = """from funnelkit import report
import funnelkit as fk
pipeline = report.read_source(data, model, stages, as_of=as_of, rows=rows)"""


def template(path, *sources, parameters=PARAMETERS, tags=("parameters",)):
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": list(tags)}, id="parameters")]
    cells += [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def plan(folder, **content):
    path = folder / "plan.yaml"
    path.write_text(json.dumps({"template": "t.ipynb", **content}), encoding="utf-8")
    return path


def funnelkit(*words, **env):
    """Run the command line as cron would; return what it ended with and said."""
    command = [sys.executable, "-m", "funnelkit", *map(str, words), "--lang", "en"]
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env})
    return found.returncode, found.stdout + found.stderr


# --- the week that ended -------------------------------------------------------------------------------------------


def export(timed, regions=("North", "South"), until=date(2026, 11, 27)):
    """Return the export of a Friday: two deals a working day, each closed after two weeks."""
    clock = " 10:30" if timed else ""
    rows = []
    for back in range(70 * 7):
        day = until - timedelta(days=back)
        if day.weekday() < 5:
            closed = day + timedelta(days=14)
            for k in range(2):
                stage = ("Won", "Lost")[(back + k) % 3 > 0] if closed <= until else "Lead"
                end = f"{closed}{clock}" if closed <= until else ""
                region = regions[(back + k) % len(regions)]
                rows.append((f"{day:%y%m%d}{k}", stage, 100, f"{day}{clock}", end, region))
    columns = ["id", "stage", "amount", "created_at", "closed_at", "region"]
    return pd.DataFrame(rows[::-1], columns=columns)


@pytest.mark.parametrize("timed", [False, True], ids=["dates", "times"])
@pytest.mark.parametrize("word", ["today", "yesterday", "last-week-end"])
def test_an_export_of_friday_run_on_monday_reports_the_week_that_ended(word, timed, tmp_path):
    export(timed).to_csv(tmp_path / "deals.csv", index=False)
    day = days.named_day(word, MONDAY).isoformat()
    pipeline = read_source([tmp_path / "deals.csv"], stages=["Lead", "Won"], as_of=day)
    scope = Scope(pipeline, "week")
    assert scope.calendar.name(scope.calendar.number(scope.day)) == "2026-W48"
    from funnelkit import compare_periods

    found = compare_periods(pipeline, scope.calendar, on=scope.day).table.iloc[0]
    assert (found["period"], found["days"], found["days_before"], found["n_entered"]) == ("2026-W48", 7, 7, 10)


def test_a_sunday_with_deals_belongs_to_its_week(tmp_path):
    late = pd.DataFrame([("s", "Lead", 1, "2026-11-29 21:00", "", "North")], columns=export(True).columns)
    pd.concat([export(True), late]).to_csv(tmp_path / "deals.csv", index=False)
    pipeline = read_source([tmp_path / "deals.csv"], stages=["Lead", "Won"], as_of="2026-11-29")
    from funnelkit import compare_periods

    scope = Scope(pipeline, "week")
    found = compare_periods(pipeline, scope.calendar, on=scope.day).table.iloc[0]
    assert (found["period"], found["days"], found["n_entered"]) == ("2026-W48", 7, 11)


# --- plans over a column -------------------------------------------------------------------------------------------


def test_a_loop_has_a_report_of_each_value_but_blank_ones(tmp_path):
    deals = export(False, ("North", "north ", "R&D", "a/b", "or", None, "北方", "North"))
    deals.to_csv(tmp_path / "d.csv", index=False)
    template(tmp_path / "t.ipynb")
    content = {"data": {"all": "d.csv"}, "parameters": {"stages": ["Lead", "Won"]}, "for_each": "Region"}
    items = read_plan(plan(tmp_path, **content, rows="amount >= 1"), tmp_path / "out")
    assert [item.name for item in items] == ["a/b", "North", "or", "R&D", "北方"]
    kept = {item.name: loops.problem_of(item.request)[1] for item in items}
    expected = deals["region"].replace({"north ": "North"}).value_counts().to_dict()
    assert {name: n for name, (n, _) in kept.items()} == expected
    assert items[3].request.values["rows"] == '(amount >= 1) and (Region = "R&D")'


def test_a_data_set_that_cannot_be_read_fails_alone(tmp_path):
    export(False).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "bad.csv").write_bytes(b"\0\0\0")
    template(tmp_path / "t.ipynb", "1")
    content = {"data": {"good": "d.csv", "bad": "bad.csv"}, "parameters": {"stages": ["Lead", "Won"]}}
    items = read_plan(plan(tmp_path, **content, for_each="region"), tmp_path / "out")
    assert [(item.name, item.error is None) for item in items] == [
        ("good North", True),
        ("good South", True),
        ("bad", False),
    ]
    assert isinstance(items[2].error, DataError)
    found = run_batch(items[:1] + items[2:], tmp_path / "out", others=items[1:2])
    assert [(one.name, one.outcome, one.exit_code) for one in found] == [("good North", "ok", 0), ("bad", "failed", 2)]
    told = load_json(tmp_path / "out" / "batch.json")
    assert [(one["name"], one["outcome"]) for one in told["others"]] == [("good South", "waiting")]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.index("bad.csv") < page.index("good South") < page.index("good North")
    assert "Reports: 3; good: 1; failed: 1; not finished: 1." in page
    assert "Asked for this time: 2; as before: 1." in page


def test_one_report_made_again_leaves_the_list_of_all(tmp_path, capsys):
    """The line, the books and the list after `--only` speak of the whole plan: made now, as before, failed before."""
    export(False).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "bad.csv").write_bytes(b"\0\0\0")
    template(tmp_path / "t.ipynb", "1")
    content = {"data": {"good": "d.csv", "bad": "bad.csv"}, "parameters": {"stages": ["Lead", "Won"]}}
    path, out = plan(tmp_path, **content, for_each="region"), tmp_path / "out"
    assert main(["batch", str(path), "--out", str(out)]) == 1
    first = load_json(out / "batch.json")
    assert (first["n"], first["n_asked"], first["n_done"], first["n_failed"]) == (3, 3, 3, 1)
    capsys.readouterr()
    assert main(["batch", str(path), "--out", str(out), "--only", "good South"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Good reports: 1 of the 1 asked for, out of 3 in the plan; the other 2 stand as before.")
    told = load_json(out / "batch.json")
    assert (told["outcome"], told["n"], told["n_asked"], told["n_done"], told["n_failed"]) == ("ok", 3, 1, 3, 1)
    assert {one["name"]: one["outcome"] for one in [*told["reports"], *told["others"]]} == {
        "good South": "ok", "good North": "kept", "bad": "failed",
    }  # fmt: skip
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "Reports: 3; good: 2; failed: 1; not finished: 0." in page
    assert "Asked for this time: 1; as before: 2." in page and 'class="fk fk-warn">Reports' in page


def test_a_column_with_too_many_values_is_no_loop(tmp_path, monkeypatch):
    export(False).to_csv(tmp_path / "d.csv", index=False)
    template(tmp_path / "t.ipynb")
    monkeypatch.setattr(loops, "MOST", 10)
    content = {"data": {"all": "d.csv"}, "parameters": {"stages": ["Lead", "Won"]}, "for_each": "id"}
    (item,) = read_plan(plan(tmp_path, **content), tmp_path / "out")
    assert isinstance(item.error, (ReportError, DataError))


def test_a_rehearsal_says_what_would_be_made_and_what_is_wrong(tmp_path):
    export(False).to_csv(tmp_path / "d.csv", index=False)
    template(tmp_path / "t.ipynb")
    content = {
        "data": {"all": "d.csv"}, "parameters": {"stages": ["Lead", "Won"], "as_of": "last-week-end"},
        "reports": [
            {"name": "n", "data": "all", "rows": "region = North"},
            {"name": "x", "data": "all", "rows": "region = Est"},
        ],
    }  # fmt: skip
    items = read_plan(plan(tmp_path, **content), tmp_path / "out", today=MONDAY)
    told = [rehearse(item) for item in items]
    assert "as_of = 2026-11-29 (last-week-end)" in told[0][0] and told[0][1] is None
    assert "rows: 350 of 700 deals" in told[1][0] and "d.csv" in told[1][0]
    assert "PROBLEM: parameter rows: no deal has 'Est'" in told[2][0] and told[2][1].exit_code == 2
    assert not (tmp_path / "out").exists() and next(listed(items, ["make"])) == "make all  # never made"


def test_reports_of_a_batch_read_a_file_once(tmp_path, monkeypatch):
    export(False).to_csv(tmp_path / "d.csv", index=False)
    monkeypatch.setenv(shared_read.FOLDER, str(tmp_path))
    read = shared_read.read
    monkeypatch.setattr(shared_read, "read", lambda *args, **how: calls.append(1) or read(*args, **how))
    calls = []
    found = [
        read_source([tmp_path / "d.csv"], stages=["Lead", "Won"], rows=f"region = {name}")
        for name in ("North", "South")
    ]
    assert len(calls) == 1 and [len(one.deals) for one in found] == [350, 350]
    read_source([tmp_path / "d.csv"], stages=["Lead", "Won"], as_of="2026-10-01")
    (tmp_path / "d.csv").write_text((tmp_path / "d.csv").read_text().replace("North", "Nord"))
    assert "Nord" in read_source([tmp_path / "d.csv"], stages=["Lead", "Won"]).deals["region"].tolist()
    assert len(calls) == 3


def test_reports_of_a_batch_ask_and_draw_once_what_is_the_same(tmp_path, monkeypatch):
    """The same question on the same data: a changed argument, pipeline or answer is asked or drawn anew."""
    export(False).to_csv(tmp_path / "d.csv", index=False)
    asked, drawn = [], []
    monkeypatch.setattr(shared_answers, "once", lambda path, make: asked.append(path.name) or once(path, make))
    once = shared_read.once
    monkeypatch.setattr(Result, "_drawn", lambda self: drawn.append(1))

    def report():
        pipeline = read_source([tmp_path / "d.csv"], stages=["Lead", "Won"])
        return pipeline, attempt(compare_periods, pipeline, Calendar("month"))

    _, alone = report()
    alone = alone._repr_mimebundle_()
    assert not asked
    monkeypatch.setenv(shared_read.FOLDER, str(tmp_path))
    shown = [report()[1]._repr_mimebundle_() for _ in range(2)]
    assert shown == [alone, alone] and len(drawn) == 2  # alone, and once for both
    assert asked[:2] == asked[2:] and len(set(asked)) == 2
    pipeline, answer = report()
    attempt(compare_periods, pipeline, Calendar("week"))
    answer.table.iloc[0, 0] = "changed"
    assert answer._repr_mimebundle_() != alone
    pipeline.deals.loc[pipeline.deals.index[:50], "owner"] = "changed"
    attempt(compare_periods, pipeline, Calendar("month"))
    assert len(set(asked)) == 5
    attempt(lambda pipeline: alone, pipeline)  # a cell's own function may be another one in the next report
    assert len(set(asked)) == 5


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
def test_a_report_that_wants_more_memory_fails_and_says_so(tmp_path):
    template(tmp_path / "t.ipynb", "import numpy as np", "block = np.ones(200_000_000)", parameters="x: int = 1")
    request = run.Request(tmp_path / "t.ipynb", {}, tmp_path / "out", memory_mb=400)
    with pytest.raises(ReportError, match="cell cell-1 wanted more than the 400 MB that memory_mb allows") as caught:
        run.run_report(request)
    status = load_json(tmp_path / "out" / "status.json")
    assert caught.value.exit_code == 17 and (status["reason"], status["cell"]) == ("memory", "cell-1")


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (lambda cells: cells[1].update(source="for"), 10, "cell cell-0 failed with SyntaxError"),
        (lambda cells: cells[1].update(source="%nomagic"), 10, "cell cell-0 failed with"),
        (lambda cells: cells[0].update(source="%matplotlib inline"), 11, "%matplotlib inline"),
    ],
    ids=["syntax", "magic", "magic among parameters"],
)
def test_a_fault_of_the_template_is_a_failure_that_names_the_cell(spoil, code, said, tmp_path):
    path = template(tmp_path / "t.ipynb", "1", parameters="x: int = 1")
    content = json.loads(path.read_text(encoding="utf-8"))
    spoil(content["cells"])
    path.write_text(json.dumps(content), encoding="utf-8")
    (item,) = read_plan(plan(tmp_path, each={"x": [1]}), tmp_path / "out")
    (found,) = run_batch([item], tmp_path / "out")
    assert (found.outcome, found.exit_code) == ("failed", code) and said in str(found.error)
    assert load_json(tmp_path / "out" / "batch.json")["exit_code"] == 1


# --- shows ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_forty_regions_from_one_file_one_of_them_broken(tmp_path):
    regions = [f"Region {i:02d}" for i in range(40)]
    export(True, regions).to_csv(tmp_path / "d.csv", index=False)
    broken = "assert 'Region 07' not in rows, 'broken'"
    template(tmp_path / "t.ipynb", READ, broken, "report.data_quality(pipeline)")
    content = {"data": {"all": "d.csv"}, "parameters": {"stages": ["Lead", "Won"], "as_of": "last-week-end"}}
    path, out = plan(tmp_path, **content, for_each="region"), tmp_path / "out"
    code, said = funnelkit("batch", path, "--out", out, "--jobs", 2, FUNNELKIT_TODAY=str(MONDAY))
    assert code == 1 and "Good reports: 39 of 40" in said
    told = load_json(out / "batch.json")
    assert (told["outcome"], told["exit_code"], told["n_done"], told["n_failed"]) == ("failed", 1, 40, 1)
    assert [one["name"] for one in told["reports"]] == regions and not told["running"] and not told["waiting"]
    for one in told["reports"]:
        status = load_json(out / one["folder"] / "status.json")
        assert (status["outcome"], status["exit_code"]) == (one["outcome"], one["exit_code"]) and status["at"]
    figures = load_json(out / "Region 03" / "latest" / "summary.json")["figures"]
    assert figures["as_of"] == "2026-11-29" and figures["newest"] == "2026-11-27"
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.index("Region 07") < page.index("Region 00") and "AssertionError" in page
    assert "as_of" in (out / "Region 03" / "latest" / "report.html").read_text(encoding="utf-8")
    runs = {name: len(list((out / name / "runs").glob("*"))) for name in regions if name != "Region 07"}

    deals = pd.read_csv(tmp_path / "d.csv", dtype=str, keep_default_na=False)
    again = funnelkit("batch", path, "--out", out, "--retry", FUNNELKIT_TODAY=str(MONDAY))
    assert again[0] == 1 and load_json(out / "batch.json")["n_failed"] == 1
    kept = [one["outcome"] for one in load_json(out / "batch.json")["reports"]]
    assert kept.count("kept") == 39, "nothing but the failed one is made again from the same bytes"
    assert {name: len(list((out / name / "runs").glob("*"))) for name in runs} == runs
    deals.iloc[:-1].to_csv(tmp_path / "d.csv", index=False)
    only = funnelkit("batch", path, "--out", out, "--retry", "--only", "Region 03", FUNNELKIT_TODAY=str(MONDAY))
    told = load_json(out / "batch.json")
    assert only[0] == 0 and [one["outcome"] for one in told["reports"]] == ["ok"] and len(told["others"]) == 39


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("constant", 0), ("slowed", 3)])
def test_a_mail_is_due_where_a_stage_is_stalled_and_only_there(name, code, tmp_path):
    world = named(name)
    deals, events = tables(world, draw(world, np.random.default_rng([3, 1])))
    deals.to_csv(tmp_path / "deals.csv", index=False)
    events.to_csv(tmp_path / "events.csv", index=False)
    words = ["report", "--data", tmp_path / "deals.csv", tmp_path / "events.csv", "-p", f"stages={','.join(STAGES)}"]
    words += ["-p", f"as_of={world.as_of.date()}", "--alert", "signal", "--alert", "stuck", "--alert", "data"]
    found, said = funnelkit(*words, "--out", tmp_path / "out")
    told = load_json(tmp_path / "out" / "latest" / "alert.json")
    assert (found, told["exit_code"], told["alert"]) == (code, code, code == 3), said
    assert load_json(tmp_path / "out" / "status.json")["exit_code"] == 0, "the report itself is good"
    if code:
        assert {alert["alert"] for alert in told["alerts"]} == {"signal", "stuck"} and "Offer" in told["subject"]
        assert "Offer" in (tmp_path / "out" / "latest" / "mail.html").read_text(encoding="utf-8")
