"""Run the peers side by side: python benchmarks/compare.py FOLDER [--runs 5] [--tasks F1,F2] [--peers chdb,polars].

Every run is a process of its own; the runs of all peers interleave, so a busy moment meets all. Answers are compared
before times. Prints medians and ratios to funnelkit; `--write` puts the table into benchmarks/RESULTS.md. A peer that
needs an environment of its own is named with its interpreter: --interpreter retentioneering=PATH.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
TASKS = {
    "funnelkit": ("F1", "F2", "F3", "F4", "F5"), "chdb": ("F1", "F2"), "polars": ("F1",), "pandas": ("F1", "F3", "F4"),
    "retentioneering": ("F5",),
}  # fmt: skip
INTERPRETERS = {}


def once(peer, task, path):
    command = [INTERPRETERS.get(peer, sys.executable), str(HERE / f"peer_{peer}.py"), task, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{peer} {task} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(task, path, peers, runs):
    """Return [(peer, {wall_s, cpu_s, memory_mb})], medians of interleaved runs; refuse answers that differ."""
    peers = [peer for peer in peers if task in TASKS[peer]]
    found = {peer: [] for peer in peers}
    for _ in range(runs):
        for peer in peers:
            found[peer].append(once(peer, task, path))
    answers = {run["answer"] for results in found.values() for run in results}
    if len(answers) > 1:
        raise SystemExit(f"answers differ: { {peer: results[0]['shown'] for peer, results in found.items()} }")
    parts = ("wall_s", "cpu_s", "memory_mb")
    return [(peer, {part: median(run[part] for run in results) for part in parts}) for peer, results in found.items()]


def lines(path, task, rows):
    base = dict(rows)["funnelkit"]
    for peer, row in rows:
        cells = [f"{row[part]:.2f}" if part != "memory_mb" else f"{row[part]:.0f}" for part in row]
        ratios = [f"{base[part] / row[part]:.2f}" if row[part] else "" for part in row]
        yield f"| {path.parent.name} | {path.stem} | {task} | {peer} | {' | '.join(cells)} | {' | '.join(ratios)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tasks", default="F1,F2,F3,F4")
    parser.add_argument("--files", default="time_int,entity_int,time_text")
    parser.add_argument("--peers", default="chdb,polars,pandas")
    parser.add_argument("--interpreter", action="append", default=[], metavar="PEER=PATH")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    INTERPRETERS.update(pair.split("=", 1) for pair in options.interpreter)
    head = "| rows | file | task | peer | wall s | CPU s | memory MB | wall ratio | CPU ratio | memory ratio |"
    table = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    for folder in options.folders:
        for name in options.files.split(","):
            for task in options.tasks.split(","):
                if task != "F1" and name != "time_int":
                    continue
                path = folder / f"{name}.parquet"
                table += lines(path, task, compare(task, path, ["funnelkit", *options.peers.split(",")], options.runs))
                print(table[-1], flush=True)
    after = os.getloadavg()[0]
    shape = f"{date.today()}, {os.cpu_count()} cores, {memory:.0f} GB, load {load:.1f} before, {after:.1f} after"
    text = f"\n## {shape}, medians of {options.runs} interleaved runs\n\n" + "\n".join(table) + "\n"
    if options.write:
        with (HERE / "RESULTS.md").open("a", encoding="utf-8") as file:
            file.write(text)
    print(text)


if __name__ == "__main__":
    main()
