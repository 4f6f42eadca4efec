"""Every fault leaves the old report and nothing behind, and is told: alone and in a batch."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="survivors are seen through /proc"),
]

sys.path.insert(0, str(HERE))
from batched import Batch, groups  # noqa: E402
from cases import FAULTS  # noqa: E402
from harness import Kit  # noqa: E402
from run import AT_ONCE, judged, old_reports, wrong  # noqa: E402

sys.path.remove(str(HERE))
ROOT = os.name == "posix" and os.geteuid() == 0


def _case(tool, faults):
    mounts = any(fault.free_kb is not None or fault.read_only for fault in faults)
    marks = [pytest.mark.skipif(mounts and not ROOT, reason="a small disk is mounted, which needs root")]
    name = faults[0].name if len(faults) == 1 else f"{len(faults)} faults of cells, deadline {faults[0].deadline_s} s"
    return pytest.param(tool, tuple(fault.name for fault in faults), id=f"{tool}-{name}", marks=marks)


CASES = [_case(Batch.name, group) for group in groups(FAULTS)] + [_case(Kit.name, [fault]) for fault in FAULTS]


@pytest.fixture(scope="module")
def running(request):
    """All chosen faults at work, some at the same time: most of them wait for a deadline or a start."""
    chosen = [item.callspec.params for item in request.session.items if item.name.startswith("test_fault[")]
    orders = [(case["tool"], case["names"]) for case in chosen]
    with old_reports([Kit.name]) as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        yield {order: pool.submit(judged, *order, folder) for order in orders}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("tool", "names"), CASES)
def test_fault(tool, names, running, record_property):
    _, found = running[tool, names].result()
    kept = [name for name, checks in found.items() if not wrong(checks)]
    record_property(f"faults, {tool}, as promised", (len(kept), len(names)))
    assert not {name: wrong(checks) for name, checks in found.items() if name not in kept}
