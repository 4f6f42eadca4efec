"""The project's own corpus of hostile files: each is answered as a trustworthy loader answers, whatever holds it."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from funnelkit.cli import main
from tests.support.corpus import csv_bytes
from tests.support.corpus.files import FILES
from tests.support.corpus.tables import TABLES

EXIT = {"ok": 0, "warn": 0, "quarantine": 1, "reject": 2}
KEYS = ("file", "layout", "outcome", "rows_in", "rows_good", "rows_quarantined", "rows_ignored", "amount_total",
        "findings", "limits", "sample", "columns")  # fmt: skip
# Every message above a note tells what to do: one of its sentences or clauses begins with one of these.
REMEDY = re.compile(
    r"\b(?:nearest|known|known ones|sheets): |"
    r"(?:^|[.;:,] |\b(?:or|and) )(?:write|save|give|declare|check|correct|rename|export|fill|keep|close|log in|unpack|"
    r"split|name|compare|read|remove|copy|choose|put|open|raise|lower|install|use)\b",
    re.IGNORECASE,
)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a file made the loader use the network")

    monkeypatch.setattr(socket, "socket", refuse)


def write_table(case, kind, folder):
    """Write a table of the corpus into a container; return its path."""
    path = folder / f"{case.name}.{kind}"
    if kind == "csv":
        path.write_bytes(csv_bytes(case.header, case.rows))
    elif kind == "xlsx":
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("Data")
        for row in (case.header, *case.rows):
            cells = [openpyxl.cell.WriteOnlyCell(sheet, text) for text in row]
            for cell in cells:  # all are text, also what a spreadsheet would take for a formula
                cell.data_type = "s"
            sheet.append(cells)
        book.save(path)
    elif kind == "parquet":
        pd.DataFrame(case.rows, columns=case.header, dtype="str").to_parquet(path)
    else:
        names = ", ".join('"' + header.replace('"', '""') + '" TEXT' for header in case.header)
        with closing(sqlite3.connect(path)) as link:
            link.execute(f"CREATE TABLE deals ({names})")
            link.executemany(f"INSERT INTO deals VALUES ({', '.join('?' * len(case.header))})", case.rows)
            link.commit()
    return path


def expected_in(case, kind):
    """Lines are those of the file: typed sources have no header line, and a header's fault is called line 1."""
    line = case.expected.line
    if line is None or kind in ("csv", "xlsx") or case.expected.rule in ("no_column", "header_twice"):
        return case.expected
    return replace(case.expected, line=line - 1)


def answer(path, options, capsys):
    """Run `funnelkit check`; any exception is a fault of its own."""
    code = main(["check", str(path), *options, "--json", "--lang", "en"])
    return json.loads(capsys.readouterr().out), code


def judge(found, code, expected, rows_in=None):
    """Hold an answer against what is expected."""
    shown = f"{found['outcome']}: " + " | ".join(
        f"{item['rule']} L{item['line']} {item['message']}" for item in found["findings"] if item["severity"] != "note"
    )
    assert tuple(found) == KEYS
    assert (found["outcome"], code) == (expected.outcome, EXIT[expected.outcome]), shown
    good, aside, ignored = (found[f"rows_{kind}"] for kind in ("good", "quarantined", "ignored"))
    assert found["rows_in"] == good + aside + ignored
    if expected.outcome == "reject":
        assert (good, found["sample"]) == (0, [])
    else:
        assert (good, aside) == (expected.good, expected.bad), shown
        assert rows_in is None or found["rows_in"] == rows_in
        if expected.total is not None:
            assert found["amount_total"] == pytest.approx(expected.total, abs=1e-9)
    if expected.sample is not None:
        assert expected.sample in [cell for row in found["sample"] for cell in _texts(row)], found["sample"]
    if expected.rule is not None:
        _judge_finding(found, expected, shown)
    for item in found["findings"]:
        if item["severity"] != "note":
            assert REMEDY.search(item["message"]), f"no remedy: {item['message']}"


def _texts(row):
    return [str(cell).removesuffix("T00:00:00") for cell in row.values()]


def _judge_finding(found, expected, shown):
    """Hold the finding of the expected rule: where it points, and that its sentence says so."""
    items = [item for item in found["findings"] if item["rule"] == expected.rule]
    assert items, f"no {expected.rule} in: {shown}"
    fits = [item for item in items if expected.line in (None, item["line"])]
    assert fits, f"line {[item['line'] for item in items]}, expected {expected.line}"
    item = fits[0]
    if expected.column is not None:
        assert item["column"] is not None and item["column"].casefold() == expected.column.casefold()
        assert item["column"] in item["message"]
    if expected.line is not None:
        assert f"line {expected.line}" in item["message"]
    if expected.value is not None:
        shown = expected.value if len(expected.value) <= 200 else expected.value[:200]
        assert shown in item["message"] or repr(shown)[1:-1] in item["message"], item["message"]
    if item["file"] is not None and item["severity"] != "note":
        assert item["file"].partition("#")[0] in item["message"]


# A sample of the corpus runs with the fast tests, the rest of it with the slow ones.
FORMS = [
    pytest.param(case, kind, id=f"{case.name}-{kind}", marks=[] if number % 15 == 0 else [pytest.mark.slow])
    for number, (case, kind) in enumerate((case, kind) for case in TABLES for kind in case.containers)
]
CONTENTS = [
    pytest.param(case, id=case.name, marks=[] if number % 5 == 0 else [pytest.mark.slow])
    for number, case in enumerate(FILES)
]


@pytest.mark.parametrize(("case", "kind"), FORMS)
def test_a_hostile_table_is_answered_alike_in_every_container(case, kind, tmp_path, capsys):
    path = write_table(case, kind, tmp_path)
    found, code = answer(path, case.options, capsys)
    judge(found, code, expected_in(case, kind), len(case.rows))


@pytest.mark.parametrize("case", CONTENTS)
def test_a_hostile_file_is_answered(case, tmp_path, capsys):
    path = tmp_path / case.name
    path.write_bytes(case.content)
    found, code = answer(path, case.options, capsys)
    judge(found, code, case.expected)


def test_the_corpus_is_as_large_as_promised_and_each_case_has_its_own_name():
    names = [case.name for case in (*TABLES, *FILES)]
    assert len(names) == len(set(names)) >= 60
    assert len(FORMS) + len(FILES) > 2 * len(names)


# --- paths ---


def test_what_is_no_file_is_refused_at_once(tmp_path, capsys):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "gone.csv")
    paths = ["folder.csv", "nowhere.csv", "missing.csv", "a" * 300 + ".csv", "nul\0.csv"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        paths.append("pipe.csv")
    for name in paths:
        found, code = answer(tmp_path / name, (), capsys)
        assert (found["outcome"], code) == ("reject", 2), name
        assert REMEDY.search(found["findings"][0]["message"]), found["findings"][0]["message"]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there are no endless devices here")
def test_an_endless_device_is_refused(capsys):
    found, code = answer("/dev/zero", (), capsys)
    assert (found["outcome"], code) == ("reject", 2)


@pytest.mark.parametrize(
    "name", ["--json.csv", "$(touch x).csv", "a;b&c.csv", "two\nlines.csv", "北京 报表.csv", "=1+1.csv"]
)
def test_a_file_name_is_only_a_name(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(csv_bytes())
    found, code = answer(f"./{name}", ("--stages", "Lead,MQL,Won"), capsys)
    assert (found["outcome"], code, found["rows_good"]) == ("ok", 0, 3)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [name]


# --- for people, and as a program ---


@pytest.mark.slow
def test_people_see_no_control_signs_and_both_languages_answer(tmp_path, capsys):
    for case in FILES:
        path = tmp_path / case.name
        path.write_bytes(case.content)
        assert main(["check", str(path), *case.options, "--lang", "zh"]) == EXIT[case.expected.outcome]
        text = capsys.readouterr().out
        assert all(sign.isprintable() or sign == "\n" for sign in text), case.name


def test_the_program_ends_with_the_exit_code_and_prints_no_traceback(tmp_path):
    for name in ("surrogate.csv", "laughs.xlsx", "comma-in-cell.csv"):
        case = next(case for case in FILES if case.name == name)
        path = tmp_path / name
        path.write_bytes(case.content)
        command = [sys.executable, "-m", "funnelkit", "check", str(path), *case.options]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert run.returncode == EXIT[case.expected.outcome]
        assert "Traceback" not in run.stdout + run.stderr
