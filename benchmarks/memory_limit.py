"""Count a log larger than the memory allowed: python benchmarks/memory_limit.py [ROWS] [FOLDER] [--limit-mb 2048].

Makes a log in time order (four Parquet files), runs `funnelkit count` on it in a process whose memory the operating
system limits (RLIMIT_AS: every byte of address space, code and libraries included), and compares the counts with those
of the same log counted part by part, each file of entities of its own. Prints one line of JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from make_logs import STAGES, make, write

PARTS = 4


def make_files(rows, folder):
    """Write the log twice: by parts of entities, and the whole in time order."""
    import duckdb

    (folder / "by_part").mkdir(parents=True, exist_ok=True)
    first = 0
    for part in range(PARTS):
        entity, *others = make(rows // PARTS, 100 + part)
        columns = (entity + first, *others)
        first += int(entity[-1]) + 1
        order = np.argsort(columns[2], kind="stable")
        write(folder / "by_part" / f"{part}.parquet", columns, order, False)
    db = duckdb.connect()
    db.execute(f"SET memory_limit = '4GB'; SET temp_directory = '{folder}/spill'; SET threads = 2")
    files = f"read_parquet('{folder}/by_part/*.parquet')"
    edges = [row[0] for row in db.execute(f'SELECT unnest(quantile_disc("at", {_shares()})) FROM {files}').fetchall()]
    (folder / "in_time").mkdir(exist_ok=True)
    for part, (low, high) in enumerate(pairwise(edges)):
        last = "<=" if part == PARTS - 1 else "<"
        where = f"\"at\" >= '{low}' AND \"at\" {last} '{high}'"
        target = folder / "in_time" / f"{part}.parquet"
        options = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 1048576"
        db.execute(f"COPY (SELECT * FROM {files} WHERE {where} ORDER BY \"at\") TO '{target}' ({options})")


def _shares():
    return [part / PARTS for part in range(PARTS + 1)]


def count(files, limit_mb=None):
    """Return (counts, seconds, CPU seconds, peak MB) of `funnelkit count` in a process under a limit."""
    command = [sys.executable, "-m", "funnelkit", "count", *map(str, files), "--steps", ",".join(STAGES), "--rule",
               "clickhouse", "--window", "30d", "--id", "id", "--stage", "stage", "--at", "at", "--json"]  # fmt: skip

    def limit():
        if limit_mb:
            resource.setrlimit(resource.RLIMIT_AS, (limit_mb << 20, limit_mb << 20))

    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=limit, text=True)
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"funnelkit count ended with {os.waitstatus_to_exitcode(status)}")
    seconds, cpu = time.perf_counter() - start, used.ru_utime + used.ru_stime
    rows = json.loads(said)["rows"]
    return [row["n_entered"] for row in rows], seconds, cpu, used.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", type=lambda text: int(float(text)), default=100_000_000)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/memory"))
    parser.add_argument("--limit-mb", type=int, default=2048)
    options = parser.parse_args()
    folder = options.folder / str(options.rows)
    if not (folder / "made").exists():
        make_files(options.rows, folder)
        (folder / "made").touch()
    counts, seconds, cpu, peak = count(sorted((folder / "in_time").glob("*.parquet")), options.limit_mb)
    parts = [count([path])[0] for path in sorted((folder / "by_part").glob("*.parquet"))]
    figures = {"rows": options.rows, "limit_mb": options.limit_mb, "peak_mb": round(peak), "seconds": round(seconds, 1),
               "cpu_s": round(cpu, 1), "same": counts == np.sum(parts, axis=0).tolist(), "counts": counts}  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
