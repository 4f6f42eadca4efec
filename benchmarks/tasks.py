"""What each peer is asked: F1 counts, F2 by segment, F3 median gaps by segment, F4 monthly cohorts, F5 F1 without a
window. Shared by all."""

import hashlib
import json
import resource
import sys
import time

STEPS = [f"stage_{n}" for n in range(8)]
WINDOW_DAYS = 30
AS_OF = "2026-01-15"


def run(answers):
    """Run one task of a peer's {task: function(path)} and print {answer, wall_s, cpu_s, memory_mb} as JSON.

    Memory is the peak beyond what the process held once its imports were done.
    """
    task, path = sys.argv[1:3]
    base = _peak_mb()
    wall, cpu = time.perf_counter(), _cpu()
    answer = answers[task](path)
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    digest = hashlib.sha256(json.dumps(answer, default=str).encode()).hexdigest()[:12]
    found = {"answer": digest, "shown": str(answer)[:160], "wall_s": wall, "cpu_s": cpu, "memory_mb": _peak_mb() - base}
    print(json.dumps(found))


def _cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
