"""Check: the JSON's keys, the exit codes, the words; the corpus of hostile files where it is at hand."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from funnelkit.cli import main
from funnelkit.language.errors import DataError
from funnelkit.language.texts import texts
from funnelkit.reading.layouts.presets import preset_data, preset_names
from funnelkit.reading.read import read
from funnelkit.reading.summary import check_summary, check_text
from tests.support.speech import spoken

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
KEYS = ["file", "layout", "outcome", "rows_in", "rows_good", "rows_quarantined", "rows_ignored", "amount_total",
        "findings", "limits", "sample", "columns"]  # fmt: skip
FINDING = {"rule", "severity", "file", "line", "column", "value", "message"}
GOOD = "id,stage,date,amount\nA1,Lead,2026-01-01,10\nA2,Won,2026-01-02,5.5\n"


def check(capsys, tmp_path, text, *options):
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    code = main(["check", str(path), "--stages", "Lead,Won", "--lang", "en", *options])
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "outcome", "code"),
    [
        (GOOD, "ok", 0),
        (GOOD.rstrip(), "warn", 0),
        (GOOD + "A3,Led,2026-01-03,1\n", "quarantine", 1),
        (GOOD.replace("stage", "ablauf"), "reject", 2),
    ],
)
def test_json_has_the_keys_of_the_design_and_the_exit_code_of_its_outcome(capsys, tmp_path, text, outcome, code):
    exit_code, out = check(capsys, tmp_path, text, "--json")
    got = json.loads(out)
    assert list(got) == KEYS and (got["outcome"], exit_code) == (outcome, code)
    assert all(set(finding) == FINDING for finding in got["findings"])
    assert got["rows_in"] == got["rows_good"] + got["rows_quarantined"] + got["rows_ignored"]
    if outcome != "reject":
        assert got["amount_total"] == 15.5 and len(got["sample"]) == 2
        assert got["sample"][1]["status"] == "won" and got["sample"][0]["created_at"] == "2026-01-01T00:00:00"


def test_a_thousand_faults_of_a_kind_are_told_in_ten_lines_that_count_all(tmp_path):
    """What stands beyond the listed findings is counted, and nothing is said of how often one value occurs there."""
    path = tmp_path / "d.csv"
    rows = [f"B{i},L{i % 40},2026-01-03,1" for i in range(1000)] + ["C1,Won,2026-13-01,1", "C2,Won,2026-13-01,1"]
    path.write_text(GOOD + "\n".join(rows) + "\n", encoding="utf-8")
    told = check_text(check_summary(read(path, stages=["Lead", "Won"]), [path]))
    unknown = [line for line in told.splitlines() if "no stage is named" in line]
    assert len(unknown) == 10 and all("More of the same, for example in line " in line for line in unknown)
    (rest,) = [line for line in told.splitlines() if "more of this kind (stage_unknown)" in line]
    shown = sum(1 + len(line.split("in line ")[1].split(",")) for line in unknown)
    assert int(rest.split()[1].replace(",", "")) == 1000 - shown
    assert "'2026-13-01' is not a date; the row is quarantined. Write YYYY-MM-DD. The same in line 1005." in told


def test_people_read_a_summary_in_their_language(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(GOOD + "A3,Led,2026-01-03,1\n", encoding="utf-8")
    pipeline = read(path, stages=["Lead", "Won"])
    english = check_text(check_summary(pipeline, [path]))
    assert "3 rows: 2 good, 1 quarantined, 0 ignored." in english and "no stage is named 'Led'" in english
    assert "What this source cannot answer:" in english
    chinese = spoken("zh", lambda: check_text(check_summary(pipeline, [path])))
    assert "共 3 行：采用 2 行，隔离 1 行，忽略 0 行。" in chinese and "没有名为“Led”的阶段" in chinese


def test_what_is_shown_holds_no_control_signs(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("id,stage,note\nA\x1b[31m,Lead,x\nB,\x1b]0;t\x07,y\n", encoding="utf-8")
    text = check_text(check_summary(read(path, stages=["Lead"]), [path]))
    assert "\x1b" not in text and "\x07" not in text


def test_a_rejected_file_says_where_and_what_to_do(capsys, tmp_path):
    code, out = check(capsys, tmp_path, 'id,stage,amount\nA,Lead,"1,234"\n')
    assert code == 2 and "line 2, column amount" in out and "--decimal" in out
    error = DataError("no_such_file", file="x.csv")
    got = spoken("zh", lambda: check_summary(error, ["x.csv"]))
    assert got["findings"][0]["message"] == "x.csv：文件不存在。请检查路径。" and got["rows_in"] == 0


def test_options_reach_the_reader(capsys, tmp_path):
    text = "Nr;Phase;Tag;Wert\n1;Lead;03/04/2026;1.234\n"
    options = ["--map", "deal_id=Nr", "--map", "stage=Phase", "--map", "created_at=Tag", "--map", "amount=Wert",
               "--date-order", "dmy", "--decimal", ",", "--currency", "EUR", "--delimiter", ";", "--json",
               "--as-of", "2026-05-01", "--quarantine", str(tmp_path / "q.csv")]  # fmt: skip
    code, out = check(capsys, tmp_path, text, *options)
    row = json.loads(out)["sample"][0]
    assert code == 0 and (row["amount"], row["created_at"], row["currency"]) == (1234.0, "2026-04-03T00:00:00", "EUR")
    assert (tmp_path / "q.csv").exists()


def test_every_rule_used_has_its_sentence_in_both_languages():
    """Rules and errors are found in the source by their calls; each has a text that `format` accepts."""
    package = Path(sys.modules["funnelkit"].__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted((package / "reading").rglob("*.py")))
    errors = set(re.findall(r'DataError\(\s*"(\w+)"', source))
    rules = set(re.findall(r'(?:Finding|journal\.add|faults\[|rule == )\(?\s*"(\w+)"', source))
    rules |= set(re.findall(r'\.(?:set_aside|warn)\((?:[^"]|"\w+"\])*?, "(\w+)"', source))
    assert len(errors) > 30 and errors <= set(texts("errors"))
    assert len(rules) > 25 and rules <= set(texts("reading.findings")), rules - set(texts("reading.findings"))
    codes = set(re.findall(r'Limit\("(\w+)"', source))
    forms = (form for name in preset_names() for form in preset_data(name).get("forms", {}).values())
    codes |= {code for form in forms for code in form.get("limits", ())}
    assert codes == set(texts("reading.limits"))


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of hostile files is not in this checkout")
def test_the_corpus_is_answered_as_expected():
    command = [sys.executable, str(CORPUS / "judge.py"), str(CORPUS), sys.executable, "-m", "funnelkit", "check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.strip().splitlines()[-1] == "51 of 51 as expected", run.stdout


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of hostile files is not in this checkout")
def test_no_file_of_the_corpus_ends_in_anything_but_an_answer(tmp_path):
    spec = importlib.util.spec_from_file_location("corpus_make", CORPUS / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, content, options, *_ in module.CASES:
        path = tmp_path / name
        path.write_bytes(content)
        assert main(["check", str(path), *options, "--json", "--lang", "zh"]) in (0, 1, 2), name
