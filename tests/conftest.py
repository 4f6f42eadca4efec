"""Settings of every test: examples are drawn the same each time, a slow machine is no failure, its zone is not UTC."""

import os
import time

import pytest
from hypothesis import settings

from funnelkit.language import use_language

settings.register_profile("kit", deadline=None, derandomize=True)
settings.load_profile("kit")

if hasattr(time, "tzset") and "TZ" not in os.environ:  # a machine in UTC would hide what depends on the zone
    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()


@pytest.fixture(autouse=True)
def english_afterwards():
    """Let no test choose the language of the next."""
    yield
    use_language(None)


# Programs beside the tests, not tests: the fault bench is run as a script and by
# tests/faults/test_faults.py, the writers of vendors' layouts and the corpus by test_roundtrip.py, test_corpus.py.
collect_ignore = [
    "faults/cases.py",
    "faults/batched.py",
    "faults/harness.py",
    "faults/run.py",
    "faults/sweep.py",
    "support/writers",
    "support/corpus",
]


def pytest_terminal_summary(terminalreporter):
    """Print what tests recorded to be seen: counts (kept, of) added up, other figures as they are."""
    counts, lines = {}, []
    for report in (report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])):
        for name, value in getattr(report, "user_properties", []):
            if isinstance(value, str):
                lines.append(f"{name}: {value}")
            else:
                counts[name] = [sum(pair) for pair in zip(counts.get(name, (0, 0)), value, strict=True)]
    for line in [*(f"{name}: {kept} of {n}" for name, (kept, n) in counts.items()), *lines]:
        terminalreporter.write_line(line)
