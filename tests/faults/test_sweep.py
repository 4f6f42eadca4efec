"""Runs killed at random instants: no read is torn, nothing is left. FUNNELKIT_KILLS=500 kills more of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="survivors are seen through /proc")
def test_random_kills_tear_no_read(record_property):
    command = [sys.executable, str(Path(__file__).with_name("sweep.py")), os.environ.get("FUNNELKIT_KILLS", "50")]
    found = subprocess.run(command, capture_output=True, text=True)
    record_property("crash sweep", found.stdout.strip())
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]
