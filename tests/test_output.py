"""What a command prints may meet a full disk or a reader that has gone: one sentence or none, never a traceback."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from funnelkit.cli import build_parser, main
from funnelkit.language import speaking

FULL = Path("/dev/full")
LOST = "could not be written (No space left on device). Make room there, or send the output elsewhere, and run again."
# What each command is asked, of a folder that `made` has furnished; all print something and end with 0.
ASKED = {
    "models": [["models"], ["models", "industrial-8"]],
    "synth": [["synth", "b2b-8", "--seed", "1", "--out", "{}/synth"]],
    "check": [["check", "{}/deals.csv", "--stages", "A,B"], ["check", "{}/deals.csv", "--stages", "A,B", "--json"]],
    "new": [["new", "{}/deals.csv", "--stages", "A,B", "--out", "{}/new.ipynb"]],
    "count": [["count", "{}/log.csv", "--steps", "A,B"], ["count", "{}/log.csv", "--steps", "A,B", "--json"]],
    "report": [["report", "{}/t.ipynb", "--out", "{}/report"], ["report", "{}/t.ipynb", "--dry-run"]],
    "batch": [["batch", "{}/plan.yaml", "--out", "{}/batch"], ["batch", "{}/plan.yaml", "--list"]],
    "verify": [["verify", "{}/report/latest/run.json"]],
    "rerun": [["rerun", "{}/report/latest/run.json", "--out", "{}/rerun"]],
    "lessons": [["lessons", "student", "01_what_a_funnel_is", "--out", "{}/student"]],
}
WORDS = [words for asked in ASKED.values() for words in asked]
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("output")
    (folder / "deals.csv").write_text("deal_id,stage,created_at\n1,A,2026-01-05\n2,B,2026-01-06\n")
    (folder / "log.csv").write_text("deal_id,stage,entered_at\n1,A,2026-01-05\n1,B,2026-01-06\n2,A,2026-01-06\n")
    cell = nbformat.v4.new_code_cell("x: int = 1  # a number", metadata={"tags": ["parameters"]}, id="parameters")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "t.ipynb")
    (folder / "plan.yaml").write_text("template: t.ipynb\nreports: [{name: one}]\n")
    return folder


def test_no_command_is_left_out():
    with speaking("en"):
        parser = build_parser()
    (parts,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    assert set(ASKED) == set(parts.choices)


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_output_on_a_full_disk_is_told_in_one_sentence(words, made, monkeypatch, capsys):
    words = [word.format(made) for word in words]
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = main([*words, "--lang", "en"])
    told = capsys.readouterr().err.splitlines()
    assert code == 14, told
    assert told[-1] == f"funnelkit: what this command printed {LOST}"
    assert not [line for line in told if "Traceback" in line or "OSError" in line]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["report", "--help"]], ids=" ".join)
def test_so_is_help(words, monkeypatch, capsys):
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(words) == 14
    assert capsys.readouterr().err.strip() == f"funnelkit: what this command printed {LOST}"


def test_the_reason_of_a_failure_comes_first(made, monkeypatch, capsys):
    (made / "bad.csv").write_text("a,b\n1,2\n")
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = main(["check", str(made / "bad.csv"), "--lang", "zh"])
    assert code == 2 and "命令的输出无法写入" in capsys.readouterr().err


def start(*words, **streams):
    command = [sys.executable, "-m", "funnelkit", *map(str, words), "--lang", "en"]
    return subprocess.Popen(command, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams})


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_interpreter_has_nothing_to_add(unbuffered):
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with FULL.open("w") as full, start("models", stdout=full, env=env) as run:
        told = run.stderr.read().decode().splitlines()
    assert (run.returncode, told) == (14, [f"funnelkit: what this command printed {LOST}"])


def test_a_reader_that_has_gone_hears_nothing_and_changes_nothing(made):
    for words, code in ((["models"], 0), (["check", made / "none.csv"], 2), (["report", "--help"], 0)):
        with start(*words) as run:
            run.stdout.close()
            assert (run.stderr.read(), run.wait()) == (b"", code), words


def test_without_a_place_for_messages_the_code_still_tells(made):
    with FULL.open("w") as full, start("report", made / "none.ipynb", "--out", made / "none", stderr=full) as run:
        assert run.stdout.read() == b""
    assert run.returncode == 2
