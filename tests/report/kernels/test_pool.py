"""Workers: what stands in the operator's folder, and a parent that cannot start, cost no report."""

import asyncio
import json
import os
import subprocess
import sys

import nbformat
import pytest

from funnelkit.report.kernels import pool, provisioner

MAIN = "import sys\nfrom funnelkit.cli import main\nsys.exit(main(['batch', 'plan.json', '--out', 'o']))"


def small(folder, **cells):
    made = [nbformat.v4.new_code_cell("n: int = 1  # n", id="parameters", metadata={"tags": ["parameters"]})]
    made += [nbformat.v4.new_code_cell(source, id=name) for name, source in cells.items()]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=kernel), folder / "small.ipynb")


def test_commands_are_parsed_without_the_libraries_of_tables():
    program = "import sys; from funnelkit.cli import build_parser; build_parser(); print({'pandas'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("module", ["prefork", "worker"])
def test_a_file_of_the_folder_stands_in_for_no_library(module, tmp_path):
    """A timeit.py, a random.py: python -m would import them before the library's own."""
    for name in ("json", "timeit", "queue", "tempfile"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    command = pool._command(module, "os.getpid")
    assert command[1] == "-c" and f"funnelkit.report.kernels.{module}" in command[2]
    program = (
        command[2].partition(f"from funnelkit.report.kernels.{module}")[0] + "import json, timeit, queue, tempfile"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_a_batch_among_files_named_as_libraries(tmp_path):
    (tmp_path / "timeit.py").write_text("raise SystemExit(9)\n")
    (tmp_path / "fontTools.py").write_text("raise SystemExit(9)\n")
    small(tmp_path, one="print(n)")
    (tmp_path / "plan.json").write_text(json.dumps({"template": "small.ipynb", "each": {"n": [1, 2]}}))
    program = "import sys; sys.path.pop(0)\n" + MAIN
    found = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert json.loads((tmp_path / "o" / "batch.json").read_text())["outcome"] == "ok"


@pytest.mark.slow
@pytest.mark.skipif(not pool.can_fork(), reason="nothing is forked here")
def test_a_parent_that_cannot_start_is_done_without(tmp_path):
    """Its library is broken, or there is no memory for it: each report is a process of its own, and is made."""
    broken = "from funnelkit.report.kernels import pool\nold = pool._command\n"
    broken += (
        "def command(module, *words):\n    return old(module, *words)[:2] + ['exit(1)'] if module == 'prefork' else "
    )
    broken += f"old(module, *words)\npool._command = command\n{MAIN}"
    small(tmp_path, one="print(n)")
    (tmp_path / "plan.json").write_text(json.dumps({"template": "small.ipynb", "each": {"n": [1]}}))
    found = subprocess.run(
        [sys.executable, "-c", broken], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert json.loads((tmp_path / "o" / "batch.json").read_text())["reports"][0]["outcome"] == "ok"


@pytest.mark.skipif(not pool.can_fork(), reason="nothing is forked here")
def test_a_parent_killed_at_this_moment_costs_the_next_report_nothing(tmp_path, monkeypatch):
    """A cell of another report kills the parent while this one is being ordered: that was told as a full disk."""

    def refuse(*_):
        raise ConnectionRefusedError(111, "Connection refused")

    started = []
    monkeypatch.setattr(pool.Workers, "_ensure_forge", lambda self: None)
    monkeypatch.setattr(pool, "Forked", refuse)
    monkeypatch.setattr(pool.subprocess, "Popen", lambda command, **_: started.append(command[2]))
    with pool.Workers() as crew:
        crew.start(tmp_path)
    assert "worker import work_alone" in started[0]


@pytest.mark.skipif(not pool.can_fork(), reason="nothing is forked here")
def test_a_kernel_whose_parent_is_gone_is_started_as_usual(tmp_path, monkeypatch):
    usual = []

    async def launch(self, cmd, **kwargs):
        usual.append(kwargs["env"][pool.SOCKET])
        return {}

    monkeypatch.setattr(provisioner.LocalProvisioner, "launch_kernel", launch)
    env = {pool.SOCKET: str(tmp_path / "gone")}
    fork = provisioner.ForkProvisioner.__new__(provisioner.ForkProvisioner)
    asyncio.run(fork.launch_kernel([sys.executable, "-m", "ipykernel_launcher"], env=env))
    assert usual == [env[pool.SOCKET]]
