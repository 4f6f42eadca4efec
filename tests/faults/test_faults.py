"""Every fault leaves the old report and nothing behind, and is told: alone, in a batch, at random instants."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="survivors are seen through /proc"),
]

sys.path.insert(0, str(HERE))
from cases import FAULTS  # noqa: E402
from harness import template  # noqa: E402

sys.path.remove(str(HERE))


def needs_mount(fault):
    return fault.free_kb is not None or fault.read_only


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS if not needs_mount(fault)])
def test_fault(name):
    _judge(name)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="a small disk is mounted, which needs root")
@pytest.mark.parametrize("name", [fault.name for fault in FAULTS if needs_mount(fault)])
def test_fault_of_the_disk(name):
    _judge(name)


def _judge(name):
    """A process of its own, because it adopts what the run leaves behind."""
    found = subprocess.run([sys.executable, str(HERE / "run.py"), "--kit", name], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]


def test_faults_in_a_batch_stop_no_good_report(tmp_path):
    """All faults that a cell can cause stand in one plan among good reports; each ends as it does alone."""
    faults = [fault for fault in FAULTS if fault.batch]
    reports = [{"name": "good before", "template": str(template(tmp_path / "good.ipynb", ("1",), tmp_path))}]
    for i, fault in enumerate(faults):
        notebook = template(tmp_path / f"{i}.ipynb", fault.cells, tmp_path)
        reports.append({"name": f"fault {i}", "template": str(notebook)})
    reports.append({**reports[0], "name": "good after"})
    plan = tmp_path / "plan.yaml"
    plan.write_text(json.dumps({"reports": reports, "deadline_s": 60}), encoding="utf-8")
    command = [sys.executable, "-m", "funnelkit", "batch", str(plan), "--out", str(tmp_path / "out"), "--jobs", "2"]
    assert subprocess.run(command, capture_output=True).returncode == 1
    status = json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))
    codes = {report["name"]: (report["exit_code"], report["reason"]) for report in status["reports"]}
    assert codes.pop("good before") == codes.pop("good after") == (0, "ok")
    assert codes == {f"fault {i}": (fault.code, fault.reason) for i, fault in enumerate(faults)}


def test_random_kills_tear_no_read():
    kills = os.environ.get("FUNNELKIT_KILLS", "50")
    found = subprocess.run([sys.executable, str(HERE / "sweep.py"), kills], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]
