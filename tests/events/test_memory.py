"""A log larger than the memory allowed: partitions follow what is left, and the counts stay what they were."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from funnelkit.events.engine import memory

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "memory_limit.py"


def test_partitions_follow_the_memory_left(monkeypatch):
    monkeypatch.setattr(memory, "_left", lambda: iter([8 << 30, 1 << 30]))
    assert memory.rows_that_fit(64_000_000, 20) == (1 << 30) // 2 // 20
    assert memory.rows_that_fit(5_000_000, 20) == 5_000_000
    monkeypatch.setattr(memory, "_left", lambda: iter([1_000]))
    assert memory.rows_that_fit(64_000_000, 20) == 1_000_000, "smaller partitions would cost more than they save"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no such files")
def test_linux_tells_what_psutil_tells(monkeypatch):
    told, known = memory._system(), memory._psutil()
    assert told == pytest.approx(known, rel=0.2, abs=64 << 20), "available, address space, data"
    monkeypatch.setattr(memory, "Path", lambda path: Path("/none") / path.lstrip("/"))
    monkeypatch.setattr(memory, "_psutil", lambda: (1, 2, 3))
    assert memory._system() == (1, 2, 3), "where the files are not, psutil is asked"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS binds on Linux only")
def test_five_million_events_within_650_mb_of_address_space(tmp_path):
    command = [sys.executable, str(BENCHMARK), "5e6", str(tmp_path), "--limit-mb", "650"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=400).stdout)
    assert found["same"] and found["counts"][-1] > 0 and found["peak_mb"] < 400
