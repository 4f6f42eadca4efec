"""Worker: what ends a cell is told by its name."""

import json
import os
import subprocess
import sys

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError

from funnelkit.report.kernels.engine import Engine
from funnelkit.report.kernels.worker import execute_report


def test_a_cell_that_prints_faster_than_it_is_read_is_a_fault_of_the_cell(tmp_path, monkeypatch):
    """The timeout of the notebook client is an OSError by descent, and no fault of the disk."""

    def flooded(*_, **__):
        Engine.current = "c0"
        raise CellTimeoutError("no output")

    monkeypatch.setattr(papermill, "execute_notebook", flooded)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", id="c0")])
    spec = {"folder": str(tmp_path), "parameters": {}, "cwd": str(tmp_path), "memory_mb": None}
    _, result = execute_report(notebook, spec)
    assert (result["exit_code"], result["reason"], result["cell"]) == (10, "output_too_large", "c0")


@pytest.mark.parametrize(("shown", "reason"), [(99_000_000, "ok"), (101_000_000, "output_too_large")])
def test_what_no_page_can_hold_is_refused_however_fast_it_came(shown, reason, tmp_path, monkeypatch):
    output = nbformat.v4.new_output("stream", name="stdout", text="x" * shown)
    cells = [nbformat.v4.new_code_cell("1", id=name, execution_count=1) for name in ("c0", "c1")]
    cells[0].outputs = [output]
    notebook = nbformat.v4.new_notebook(cells=cells)

    def executed(*_, **__):
        Engine.notebook, Engine.current = notebook, "c1"

    monkeypatch.setattr(papermill, "execute_notebook", executed)
    spec = {"folder": str(tmp_path), "parameters": {}, "cwd": str(tmp_path), "memory_mb": None}
    _, result = execute_report(notebook, spec)
    assert result["reason"] == reason
    assert result.get("cell") == (None if reason == "ok" else "c0")


@pytest.mark.slow
def test_a_flood_of_output_names_its_cell(tmp_path):
    """20,000 flushed lines in one cell, as the process of a report meets them."""
    cells = [
        nbformat.v4.new_code_cell("n: int = 1  # n", id="parameters", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("for i in range(20_000): print('x' * 3_000, flush=True)", id="c0"),
    ]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "flood.ipynb")
    command = [sys.executable, "-m", "funnelkit", "report", "flood.ipynb", "--out", "out", "--lang", "en"]
    found = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=300)
    status = json.loads((tmp_path / "out" / "status.json").read_text(encoding="utf-8"))
    assert found.returncode in (0, 10, 12) and "disk" not in found.stderr
    assert found.returncode == 0 or status["cell"] == "c0"
