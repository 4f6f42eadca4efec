"""Kill the command at random instants while a reader polls the published report: python tests/faults/sweep.py [N]."""

import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from cases import Fault
from harness import GRACE_S, Bench, Kit, good_report, survivors, template

from funnelkit.report.kernels.processes import adopt_orphans, kill


class Reader(threading.Thread):
    """Read what is published over and over; count reads, and those that were not one whole report."""

    def __init__(self, out):
        super().__init__(daemon=True)
        self.out, self.reads, self.torn, self.stop = out, 0, [], False

    def run(self):
        while not self.stop:
            try:
                folder = (self.out / "latest").resolve(strict=True)
                outputs = json.loads((folder / "run.json").read_text(encoding="utf-8"))["outputs"]
                wrong = [name for name, known in outputs.items() if _hash(folder / name) != known]
            except (OSError, ValueError) as error:
                wrong = [repr(error)]
            self.reads += 1
            self.torn += wrong
            time.sleep(0.005)


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sweep(kills, rng):
    """Kill `kills` runs; return {"kills", "published", "reads", "torn", "alive", "disagree", "left over"}."""
    adopt_orphans()
    folder = Path(tempfile.mkdtemp(prefix="sweep-", dir="/tmp"))
    found = dict.fromkeys(("kills", "published", "reads", "torn", "alive", "disagree", "left over"), 0)
    try:
        good, fault = good_report(Kit, folder), Fault("sweep")
        with Bench(Kit, good, fault) as bench:
            calm = template(bench.home / "calm.ipynb", ("print(n)",), bench.out)
            started = time.monotonic()
            bench.start(calm, fault).wait()
            usual_s = time.monotonic() - started
            reader = Reader(bench.out)
            reader.start()
            for _ in range(kills):
                _kill_one(bench, calm, rng.uniform(0, 1.2 * usual_s), found)
            reader.stop = True
            reader.join()
            found |= {"reads": reader.reads, "torn": len(reader.torn)}
            bench.start(calm, fault).wait()
            scraps = [*Kit.scraps(bench.out), *bench.temporary.iterdir()]
            found["left over"] = len(scraps)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _kill_one(bench, notebook, after_s, found):
    before = (bench.out / "latest").readlink()
    run = bench.start(notebook, bench.fault)
    time.sleep(after_s)
    if run.poll() is None:
        kill(run.pid)
        found["kills"] += 1
    run.wait()
    found["alive"] += survivors(GRACE_S)
    latest = (bench.out / "latest").readlink()
    found["published"] += latest != before
    status = json.loads((bench.out / "status.json").read_text(encoding="utf-8"))
    found["disagree"] += status["outcome"] == "ok" and status["run"] != os.fspath(latest)


if __name__ == "__main__":
    result = sweep(int(sys.argv[1]) if len(sys.argv) > 1 else 50, random.Random(7))
    print(result)
    sys.exit(any(result[name] for name in ("torn", "alive", "disagree", "left over")))
