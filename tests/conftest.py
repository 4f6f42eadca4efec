"""Settings of every test: examples are drawn the same each time, and a slow machine is no failure."""

from hypothesis import settings

settings.register_profile("kit", deadline=None, derandomize=True)
settings.load_profile("kit")

# Programs beside the tests, not tests: the fault bench is run as a script and by
# tests/test_faults.py, the writers of vendors' layouts and the corpus by tests/test_roundtrip.py and tests/test_corpus.py.
collect_ignore = ["faults/cases.py", "faults/harness.py", "faults/run.py", "faults/sweep.py", "writers", "corpus"]
