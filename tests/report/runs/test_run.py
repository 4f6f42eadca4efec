"""Reports: bad parameters never start a kernel, a bad run never replaces a good report, the page is self-contained."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from funnelkit.language import RUN
from funnelkit.language.errors import DataError, ReportError
from funnelkit.language.samples import sample_files, share
from funnelkit.report.kernels import processes
from funnelkit.report.pages.html import page
from funnelkit.report.runs import parameters, run
from tests.support.speech import spoken

SHARED = Path(__file__).parents[4] / "shared"
MAVEN = SHARED / "data" / "maven_crm" / "sales_pipeline.csv"


def template(folder, *sources, parameters="x: int = 1  # a number"):
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters")]
    cells += [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / "t.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def make(folder, *sources, values=None, **options):
    return run.run_report(run.Request(template(folder, *sources), values or {}, folder / "out", **options))


def status(folder):
    return json.loads((folder / "out" / "status.json").read_text(encoding="utf-8"))


@pytest.fixture
def no_kernel(monkeypatch):
    """Fail the test where a worker would start."""
    monkeypatch.setattr(run.pool.Workers, "start", lambda *args, **kwargs: pytest.fail("a worker was started"))


# --- parameters ----------------------------------------------------------------------------------------------------

DECLARED = {name: parameters.Parameter(name, name, None, "help") for name in ("str", "int", "float", "bool", "date")}
DECLARED |= {name: parameters.Parameter(name, name, None, "help") for name in ("list", "dict", "share", "amount")}
DECLARED |= {name: parameters.Parameter(name, name, None, "help") for name in ("week | month", "date | current")}


@pytest.mark.parametrize(
    ("kind", "value", "parsed"),
    [
        ("str", "012", "012"), ("str", "no", "no"), ("int", "12", 12), ("int", -3, -3), ("float", "0.5", 0.5),
        ("float", 2, 2.0), ("bool", "true", True), ("bool", False, False), ("date", "2026-02-28", "2026-02-28"),
        ("date", "", ""), ("list", "a,b", ["a", "b"]), ("list", '["a,b"]', ["a,b"]), ("dict", '{"a": 1}', {"a": 1}),
        ("share", "0.05", 0.05), ("share", 1, 1.0), ("amount", "2000000", 2e6), ("amount", 0, 0.0),
        ("week | month", "week", "week"), ("date | current", "current", "current"), ("date | current", "", ""),
        ("date | current", "2026-02-28", "2026-02-28"),
    ],
)  # fmt: skip
def test_values_become_their_declared_type(kind, value, parsed):
    assert parameters.check_values({kind: value}, DECLARED) == {kind: parsed}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("str", False), ("str", 12), ("int", "012"), ("int", "1.0"), ("int", True), ("int", "1e3"), ("float", "nan"),
        ("float", "inf"), ("float", float("inf")), ("float", "1e999"), ("bool", "no"), ("bool", 1),
        ("date", "2026-02-30"), ("date", "03/04/2026"), ("list", '[1, NaN]'), ("list", 3), ("dict", "[1]"),
        ("share", "2"), ("share", -0.1), ("share", "5%"), ("amount", -5), ("week | month", "fortnight"),
        ("week | month", ""), ("week | month", 1), ("date | current", "someday"),
    ],
)  # fmt: skip
def test_ill_typed_values_are_refused(kind, value):
    with pytest.raises(ReportError) as caught:
        parameters.check_values({kind: value}, DECLARED)
    assert caught.value.exit_code == 11
    assert f"parameter {kind} is a {kind} and cannot be" in str(caught.value)


def test_misspelt_name_names_the_nearest(no_kernel, tmp_path):
    with pytest.raises(ReportError) as caught:
        run.run_report(run.Request(share("report") / "en.ipynb", {"asof": "2026-01-01"}, tmp_path / "out"))
    assert caught.value.exit_code == 11
    assert str(caught.value).startswith("no parameter named 'asof'. Did you mean as_of? Declared: data, model")
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_code_is_only_an_unknown_name(no_kernel, tmp_path):
    with pytest.raises(ReportError) as caught:
        make(tmp_path, "1", values={"x; import os; os.abort(); y": "1"})
    assert caught.value.exit_code == 11


@pytest.mark.parametrize("line", ["x = 1", "x: int = f()", "import os", "x: Path = 1", 'x: "a|b" = "a"'])
def test_template_with_other_than_declarations_is_refused(line, no_kernel, tmp_path):
    with pytest.raises(ReportError) as caught:
        run.run_report(run.Request(template(tmp_path, parameters=line), {}, tmp_path / "out"))
    assert caught.value.exit_code == 11 and line in str(caught.value)


def test_missing_file_is_refused_before_a_kernel(no_kernel, tmp_path):
    with pytest.raises(DataError) as caught:
        make(tmp_path, "1", inputs=(tmp_path / "none.csv",))
    assert caught.value.exit_code == 2 and str(caught.value).endswith("none.csv: no such file. Check the path.")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_templates_declare_the_same_typed_commented_parameters(lang):
    notebook = nbformat.read(share("report") / f"{lang}.ipynb", as_version=4)
    declared = parameters.declared(notebook)
    assert {"data", "model", "stages", "as_of", "unit", "period", "segment", "people", "target"} < set(declared)
    assert all(parameter.help for parameter in declared.values())
    assert declared["lang"].default == lang
    other = nbformat.read(share("report") / "en.ipynb", as_version=4)
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in other.cells]
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.id != "parameters"]
    assert code == [cell.source for cell in other.cells if cell.cell_type == "code" and cell.id != "parameters"]


# --- runs ----------------------------------------------------------------------------------------------------------


def test_good_run_is_published_and_linked(tmp_path):
    target = make(tmp_path, "print(x)", values={"x": "5"})
    assert sorted(path.name for path in target.iterdir()) == [
        "notebook.ipynb",
        "report.html",
        "run.json",
        "summary.json",
    ]
    assert (tmp_path / "out" / "latest").resolve() == target
    record = json.loads((target / "run.json").read_text(encoding="utf-8"))
    assert (record["outcome"], record["exit_code"], record["parameters"]) == ("ok", 0, {"x": 5})
    assert "<pre>5\n</pre>" in (target / "report.html").read_text(encoding="utf-8")
    told = status(tmp_path)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(told.pop("at"))) < timedelta(minutes=5)
    assert told == {"outcome": "ok", "exit_code": 0, "reason": "ok", "run": f"runs/{target.name}"}


FAULTS = {
    "exception": ("1 / 0", 10, "ZeroDivisionError"),
    "bad data": ("from funnelkit.language import DataError\nraise DataError('no_such_file', file='f.csv')", 2, "f.csv"),
    "exit": ("import sys; sys.exit(0)", 10, "SystemExit: 0"),
    "kernel gone": ("import os; os._exit(0)", 13, "the kernel died in cell cell-1"),
    "endless": ("while True: pass", 12, "deadline of 12 s passed"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_run_keeps_the_good_report(fault, tmp_path):
    source, code, reason = FAULTS[fault]
    good = make(tmp_path, "1")
    before = {path.name: path.read_bytes() for path in good.iterdir()}
    with pytest.raises(ReportError) as caught:
        make(tmp_path, "0", source, "2", deadline_s=12 if fault == "endless" else 300)
    assert caught.value.exit_code == code
    assert reason in str(caught.value)
    assert (tmp_path / "out" / "latest").resolve() == good
    assert {path.name: path.read_bytes() for path in good.iterdir()} == before
    assert status(tmp_path)["exit_code"] == caught.value.exit_code
    assert not list((tmp_path / "out").glob(".staging-*"))


def test_second_writer_is_busy(tmp_path):
    from funnelkit.report.runs import publish

    with publish.locked(tmp_path), pytest.raises(ReportError) as caught, publish.locked(tmp_path):
        pass
    assert caught.value.exit_code == 16


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_cancelled_run_leaves_nothing_alive(tmp_path):
    long = f"4242.{os.getpid()}"  # no other run of this test has it
    source = f"import subprocess\nsubprocess.Popen(['sleep', '{long}'], start_new_session=True)\nwhile True: pass"
    path = template(tmp_path, source)
    assert processes.MARK != RUN  # the worker sets the second: a child that detaches is found by the first alone
    command = [sys.executable, "-m", "funnelkit", "report", str(path), "--out", str(tmp_path / "out"), "--lang", "en"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300  # a busy machine takes its time to start
    while not _running("sleep", long) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _running("sleep", long), "the notebook never started its child"
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=10)
    assert process.returncode == 15 and "cancelled by SIGTERM" in messages
    assert not _running("sleep", long)


def _running(*words):
    found = subprocess.run(["pgrep", "-fx", " ".join(words)], capture_output=True)
    return found.returncode == 0


def test_not_writable_target(tmp_path, monkeypatch):
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(ReportError) as caught:
        make(tmp_path, "1")
    assert caught.value.exit_code == 14 and "cannot be written" in str(caught.value)


# --- the page ------------------------------------------------------------------------------------------------------


def test_page_is_self_contained_and_harmless():
    hostile = "<script>alert(1)</script><img src=http://x/y.png onerror=alert(1)><a href='javascript:alert(1)'>a</a>"
    output = nbformat.v4.new_output(
        "display_data", {"text/html": hostile + "<table class=fk><tr><td>阶段</td></tr></table>"}
    )
    cell = nbformat.v4.new_code_cell("secret = 1", outputs=[output], execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 漏斗 <script>1</script>"), cell])
    html = spoken("zh", lambda: page(notebook, "标题 & <b>"))
    assert "<script" not in html and "onerror" not in html and "javascript:" not in html and "secret" not in html
    assert not re.search(r"""(src|href)=["']?https?:""", html) and "@import" not in html
    assert "default-src 'none'" in html and "<title>标题 &amp; &lt;b&gt;</title>" in html
    assert '<html lang="zh-CN">' in html and "font/otf;base64," in html
    assert len(html) < 60_000, "the font is cut to the page's characters"


def _plain(html):
    """Return a page without the marks that keep numbers on one line."""
    return re.sub(r"</?span[^>]*>", "", html)


def test_page_keeps_numbers_days_and_intervals_on_one_line():
    text = "<p title='5% (n = 3)'>5.1% [2.0, 12.5] (n = 1,978) on 2026-11-20 （n = 7） [a, b] 12026-11-20</p>"
    output = nbformat.v4.new_output("display_data", {"text/html": text})
    cell = nbformat.v4.new_code_cell("1", outputs=[output], execution_count=1)
    html = page(nbformat.v4.new_notebook(cells=[cell]))
    found = re.findall(r'<span class="w">([^<]*)</span>', html)
    assert found == ["5.1%", "[2.0, 12.5]", "(n = 1,978)", "2026-11-20", "（n = 7）"]
    assert "5% (n = 3)" in html and "[a, b] 12026-11-20" in html


def test_page_keeps_words_of_a_table_whole_and_lets_long_ones_break():
    table = f"<table><tr><td>Prospecting</td><td>{'A' * 30}&amp;{'B' * 5}</td><td>{'德' * 30}</td></tr></table>"
    output = nbformat.v4.new_output("display_data", {"text/html": f"<p>{'C' * 30}</p>{table}"})
    html = page(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output], execution_count=1)]))
    assert f"<td>{'A' * 12}<wbr>{'A' * 12}<wbr>{'A' * 6}&amp;{'B' * 5}</td>" in html
    assert "<td>Prospecting</td>" in html and f"<td>{'德' * 30}</td>" in html and f"<p>{'C' * 30}</p>" in html


def test_same_inputs_same_bytes(tmp_path):
    first, second = (make(tmp_path, "import funnelkit\n{'a', 'b', 'c'}") for _ in range(2))
    for name in ("notebook.ipynb", "report.html"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_report_on_the_sample(lang, tmp_path):
    target = run.run_report(run.Request(share("report") / f"{lang}.ipynb", {}, tmp_path, lang))
    record = json.loads((target / "summary.json").read_text(encoding="utf-8"))
    truth = {"n_won": 139, "n_lost": 1657, "n_open": 185, "n_void": 19}
    assert {name: record["figures"][name] for name in truth} == truth
    html = (target / "report.html").read_text(encoding="utf-8")
    assert "9.3% [7.9, 10.8]" in _plain(html) and html.count("<img") == html.count('alt="') >= 2
    assert "No description" not in html
    assert "vnd.funnelkit" not in (target / "notebook.ipynb").read_text(encoding="utf-8"), "a hidden number"
    assert set(pd.read_csv(target / "tables" / "people.csv")) >= {"k", "n", "rate", "expected"}
    deals = pd.read_csv(sample_files()[0], dtype=str)
    personal = {name for column in ("name", "account", "owner") for name in deals[column].dropna()}
    for path in (target / "run.json", target / "summary.json", tmp_path / "status.json"):
        text = path.read_text(encoding="utf-8")
        assert len(personal) > 100 and not [name for name in personal if name in text], path.name


@pytest.mark.skipif(not MAVEN.exists(), reason="shared/data is not beside this checkout")
def test_report_on_real_input(tmp_path):
    values, inputs = run.report_values(None, {"as_of": "2017-12-31"}, {"data": [str(MAVEN)]})
    target = run.run_report(run.Request(share("report") / "en.ipynb", values, tmp_path, inputs=inputs))
    figures = json.loads((target / "summary.json").read_text(encoding="utf-8"))["figures"]
    assert (figures["n_won"], figures["n_lost"], figures["n_open"]) == (4238, 2473, 2089)
    rate = figures["win_rate"]
    assert (rate["k"], rate["n"], rate["basis"]) == (2453, 4032, "period"), "the closes of July to December"
    assert rate["months"] == 6, "closes begin in March: ten months make no rate over twelve"
    finding = next(item for item in figures["findings"] if item["rule"] == "closes_start_late")
    assert all(day in finding["message"] for day in ("2017Q1", "1 March 2017", "20 October 2016"))
    html = (target / "report.html").read_text(encoding="utf-8")
    assert "52.9% [51.8, 54.0]" in _plain(html) and "6,711 deals closed so far, 63.2%" in _plain(html)
    assert "1 March 2017" in _plain(html)
    assert not re.search(r">\s*(nan|NaT|None)\b", html)


@pytest.mark.slow
def test_template_runs_under_plain_papermill(tmp_path):
    command = [sys.executable, "-m", "papermill", str(share("report") / "en.ipynb"), str(tmp_path / "p.ipynb")]
    run_ = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert run_.returncode == 0, run_.stderr[-2000:]
    assert "139" in (tmp_path / "p.ipynb").read_text(encoding="utf-8")


def test_page_cuts_what_is_too_long_and_says_so():
    lines = "".join(f"line {i}\n" for i in range(300_000))
    outputs = [nbformat.v4.new_output("stream", text=lines)]
    outputs.append(
        nbformat.v4.new_output("display_data", {"text/html": "<p>" + "x" * 6_000_000, "text/plain": "short"})
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=outputs, execution_count=1)])
    html = page(notebook)
    assert "line 1999\n" in html and "line 2000\n" not in html and len(html) < 200_000
    assert "cut here: 300,000 lines" in html and "short" in html
    assert notebook.cells[0].outputs[0].text == lines, "the notebook keeps all of it"


# --- forked and started alike --------------------------------------------------------------------------------------

PICTURE = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()"


def test_chinese_letters_of_a_bare_picture_are_drawn(tmp_path):
    found = make(tmp_path, PICTURE.replace("plt.show()", "plt.title('漏斗 wins')\nplt.show()"))
    assert not (found / "warnings.log").exists(), "Matplotlib warns of each letter that no font has"
    assert "image/png" in (found / "notebook.ipynb").read_text(encoding="utf-8")


def outputs(notebook):
    """Return the outputs of a notebook's cells, without the metadata that a tool adds."""
    cells = nbformat.read(notebook, as_version=4).cells
    return [[dict(output, metadata={}) for output in cell.outputs] for cell in cells if cell.cell_type == "code"]


@pytest.mark.slow
def test_forked_kernel_gives_the_outputs_of_plain_papermill(tmp_path):
    sources = (PICTURE, "import pandas as pd\npd.DataFrame({'a': [1]})", "import random, sys\nprint(sys.argv[1:2], x)")
    path = template(tmp_path, *sources)
    target = make(tmp_path, *sources)
    command = [sys.executable, "-m", "papermill", str(path), str(tmp_path / "p.ipynb")]
    subprocess.run(command, check=True, capture_output=True)
    plain, own = outputs(tmp_path / "p.ipynb"), outputs(target / "notebook.ipynb")
    assert plain == own and "image/png" in plain[1][0]["data"]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kernels are forked on Linux only")
def test_started_worker_gives_the_same_bytes_as_a_forked_one(tmp_path, monkeypatch):
    assert run.pool.can_fork(), "the kernel provisioner is not installed: run `make setup` again"
    forked = make(tmp_path, PICTURE)
    monkeypatch.setenv("FUNNELKIT_FORK", "0")
    started = make(tmp_path, PICTURE)
    for name in ("notebook.ipynb", "report.html"):
        assert (forked / name).read_bytes() == (started / name).read_bytes()


@pytest.mark.slow
def test_each_forked_kernel_is_a_fresh_process(tmp_path):
    """Nothing of one report is seen by the next, and their random numbers differ."""
    source = "import os, random\nimport numpy as np\nprint(os.getpid(), np.random.random(), random.random(), hasattr(os, 'leak'))"  # noqa: E501
    with run.pool.Workers(["numpy"]) as crew:
        path = template(tmp_path, *source.splitlines(), "os.leak = 1")
        targets = [run.run_report(run.Request(path, {}, tmp_path / f"o{i}"), crew) for i in range(3)]
    words = [outputs(target / "notebook.ipynb")[3][0]["text"].split() for target in targets]
    assert all(len({row[column] for row in words}) == 3 for column in range(3))
    assert [row[3] for row in words] == ["False"] * 3


# --- status ----------------------------------------------------------------------------------------------------------


def test_refusal_is_in_the_status_where_reports_exist(no_kernel, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ReportError):
        make(tmp_path, "1", values={"y": "1"})
    found = status(tmp_path)
    assert datetime.fromisoformat(found.pop("at")).tzinfo is not None
    assert found == {"outcome": "failed", "exit_code": 11, "reason": "bad_parameter", "run": None}


def test_a_failure_speaks_of_a_good_report_only_where_there_is_one(tmp_path):
    with pytest.raises(ReportError, match="There is no report yet; what there is of this run is in"):
        make(tmp_path, "raise ValueError(1)")
    make(tmp_path, "1")
    with pytest.raises(ReportError, match="The last good report is untouched"):
        make(tmp_path, "raise ValueError(1)")


def test_status_and_logs_hold_no_value_of_the_data(tmp_path):
    with pytest.raises(ReportError, match="failed with ValueError") as caught:
        make(tmp_path, "import sys; print('Anna Schmidt', file=sys.stderr)", "raise ValueError('Anna Schmidt')")
    assert (status(tmp_path)["error"], status(tmp_path)["cell"]) == ("ValueError", "cell-1")
    failed = next((tmp_path / "out" / "failed").iterdir())
    assert "Anna" in (failed / "notebook.ipynb").read_text(encoding="utf-8"), "the details are for who may read them"
    others = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "notebook.ipynb"]
    assert {path.name for path in others} >= {"status.json", "run.json"}
    assert not [path for path in others if b"Anna" in path.read_bytes()] and "Anna" not in str(caught.value)


def test_record_holds_no_quotation_of_the_data(tmp_path):
    finding = {"rule": "conflict", "severity": "warn", "line": 4, "value": "Anna Schmidt", "message": "Anna"}
    shown = {"application/vnd.funnelkit.figures+json": {"n": 3, "summary": ["Anna leads"], "findings": [finding]}}
    target = make(tmp_path, f"from IPython.display import display\ndisplay({shown!r}, raw=True)")
    assert "Anna" in (target / "summary.json").read_text(encoding="utf-8")
    record = (target / "run.json").read_text(encoding="utf-8")
    assert "Anna" not in record
    kept = {"rule": "conflict", "severity": "warn", "line": 4}
    assert json.loads(record)["figures"] == {"n": 3, "findings": [kept]}


def test_input_that_changes_during_the_run_is_no_report(tmp_path):
    source = tmp_path / "d.csv"
    source.write_text("a\n1\n")
    declared = "data: list = []"
    path = template(tmp_path, f"open({str(source)!r}, 'a').write('2\\n')", parameters=declared)
    with pytest.raises(ReportError) as caught:
        run.run_report(run.Request(path, {"data": [str(source)]}, tmp_path / "out", inputs=(source,)))
    assert caught.value.exit_code == 2 and "d.csv changed while it was being read" in str(caught.value)


def test_a_template_that_changes_meanwhile_is_run_as_it_was_hashed(tmp_path):
    path = template(tmp_path, "1")
    job = run.prepare(run.Request(path, {}, tmp_path / "out"))
    path.write_text("half a noteb")
    (tmp_path / "staging").mkdir()
    run._give_orders(job, {}, tmp_path / "staging")
    assert run.sha256(tmp_path / "staging" / "template.ipynb") == job.identity["template"]


def test_an_input_that_is_gone_at_the_end_is_named_as_changed(tmp_path):
    """It was told as a folder that cannot be written."""
    source = tmp_path / "d.csv"
    source.write_text("a\n1\n")
    path = template(tmp_path, "1", parameters="data: list = []")
    job = run.prepare(run.Request(path, {"data": [str(source)]}, tmp_path / "out", inputs=(source,)))
    assert run.stamp(job.stamps) == job.stamps and run._changed(job) == []
    source.unlink()
    assert run.stamp(job.stamps) != job.stamps and run._changed(job) == ["d.csv"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("unit", "fortnight"), ("lang", "fr"), ("period", "someday"), ("target", "-5"), ("max_quarantine", "2")],
)
def test_settings_that_are_none_are_refused_before_a_kernel(name, value, no_kernel, tmp_path):
    with pytest.raises(ReportError) as caught:
        run.run_report(run.Request(share("report") / "en.ipynb", {name: value}, tmp_path / "out"))
    assert caught.value.exit_code == 11 and f"parameter {name} is a" in str(caught.value)


def test_chinese_run_says_in_chinese_why_its_data_are_bad(tmp_path):
    source = "from funnelkit.language import DataError\nraise DataError('no_such_file', file='a.csv')"
    with pytest.raises(ReportError) as caught:
        make(tmp_path, source, lang="zh")
    assert caught.value.exit_code == 2 and "报告未发布：a.csv：文件不存在。请检查路径。" in caught.value.say("zh")


def test_reason_of_the_system_is_said_in_the_language(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError) as caught:
        run.run_report(run.Request(template(tmp_path, "1"), {}, tmp_path / "file" / "out"))
    assert "(Not a directory)" in str(caught.value) and "（不是文件夹）" in caught.value.say("zh")


def test_template_in_another_language_is_refused(no_kernel, tmp_path):
    path = template(tmp_path, "1")
    path.write_text(path.read_text().replace('"language": "python"', '"language": "R"'))
    with pytest.raises(DataError, match="is a notebook for R"):
        run.run_report(run.Request(path, {}, tmp_path / "out"))


def test_command_that_supervises_loads_nothing_heavy():
    """Two processes of a batch import what the cells need: the preloaded parent does, the command need not."""
    code = "import sys, funnelkit.cli, funnelkit.report.runs.batch, funnelkit.report.runs.plan\n"
    code += "from funnelkit.language import number\nassert number(3.5) == '4'  # as the list of reports does\n"
    code += "print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"pandas", "numpy", "matplotlib", "papermill", "nbformat"} & set(found.stdout.split())


def test_url_as_data_is_refused_without_its_password(tmp_path):
    with pytest.raises(DataError) as caught:
        run.report_values(None, {}, {"data": ["postgresql://me:secret@host/db#deals"]})
    assert caught.value.exit_code == 2 and "secret" not in str(caught.value)
