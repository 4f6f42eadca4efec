"""Check and load a CSV of many deals: python benchmarks/load_large.py [ROWS] [FOLDER] [--write].

Makes the file (deals with id, owner, stage, status, amount, dates and a segment; a few rows are faulty on purpose),
reads it in a process of its own, and prints seconds, the peak of memory, the bytes of the returned tables, and whether
every total is exact. Limits for 10 million rows on two cores: 60 s, 1 GB of memory beyond the returned tables.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

STAGES = ["Lead", "Qualified", "Offer", "Negotiation", "Won"]
BLOCK = 1_000_000
FAULTY = 9_973  # every so many rows the date is none
LIMIT_S, LIMIT_BYTES = 60, 1_000_000_000


def block(first, rows, rng):
    """Return rows of deals as text, as an export writes them."""
    number = np.arange(first, first + rows)
    stage = rng.integers(0, len(STAGES), rows)
    lost = (rng.random(rows) < 0.3) & (stage < len(STAGES) - 1)
    created = rng.integers(0, 1000, rows)
    closed = created + rng.integers(0, 90, rows)
    done = lost | (stage == len(STAGES) - 1)
    day = pa.array((np.datetime64("2022-01-01") + np.arange(1100)).astype("str"))
    cents = rng.integers(0, 5_000_000, rows)
    created_text = day.take(pa.array(created))
    created_text = pc.if_else(pa.array(number % FAULTY == FAULTY - 1), "2022-02-30", created_text)
    text = pc.binary_join_element_wise(
        pc.cast(pa.array(cents // 100), pa.string()),
        pc.utf8_lpad(pc.cast(pa.array(cents % 100), pa.string()), 2, "0"),
        ".",
    )
    status = np.where(lost, "lost", np.where(stage == len(STAGES) - 1, "won", "open"))
    good = number % FAULTY != FAULTY - 1
    totals = {"cents": int(cents[good].sum()), "won": int((status[good] == "won").sum()), "good": int(good.sum())}
    columns = {
        "deal_id": pc.binary_join_element_wise("D", pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), 9, "0"), "-"),
        "owner": pc.binary_join_element_wise("Agent", pc.cast(pa.array(rng.integers(0, 200, rows)), pa.string()), " "),
        "stage": pa.array(STAGES).take(pa.array(stage)),
        "status": pa.array(status),
        "amount": text,
        "created_at": created_text,
        "closed_at": pc.if_else(pa.array(done), day.take(pa.array(closed)), ""),
        "region": pa.array(["North", "South", "East", "West"]).take(pa.array(rng.integers(0, 4, rows))),
    }
    return pa.table(columns), totals


def make(path, rows):
    """Write the file and its true totals beside it."""
    rng, sums = np.random.default_rng(7), {"cents": 0, "won": 0, "good": 0}
    options = csv.WriteOptions(quoting_style="none")
    with path.open("wb") as stream:
        for first in range(0, rows, BLOCK):
            table, totals = block(first, min(BLOCK, rows - first), rng)
            options.include_header = first == 0
            csv.write_csv(table, stream, options)
            sums = {name: sums[name] + totals[name] for name in sums}
    path.with_suffix(".json").write_text(json.dumps({"rows": rows, **sums}))


def peak():
    """Return the most memory that this program has held; getrusage would count what its parent held as well."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) * 1024


def measure(path):
    """Read the file in this process; print the figures as JSON."""
    import resource

    from funnelkit.reading import read
    from funnelkit.report import Progress

    before = resource.getrusage(resource.RUSAGE_SELF)
    start_bytes, start = peak(), time.perf_counter()
    with Progress(True) as bar:
        pipeline = read(path, stages=STAGES, progress=lambda share: bar.show(int(100 * share), 100, "%"))
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    tables = sum(int(table.memory_usage(deep=True).sum()) for table in (pipeline.deals, pipeline.events))
    truth = json.loads(path.with_suffix(".json").read_text())
    rows, won = pipeline.rows, int((pipeline.deals["status"] == "won").sum())
    exact = (
        rows.rows_in == truth["rows"] and rows.good == truth["good"] == len(pipeline.deals) and won == truth["won"]
        and rows.quarantined == truth["rows"] - truth["good"] and round(pipeline.amount_total * 100) == truth["cents"]
    )  # fmt: skip
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": round(seconds, 1), "cpu_s": round(cpu, 1), "peak_bytes": peak(),
                      "start_bytes": start_bytes, "table_bytes": tables, "exact": exact,
                      "rows": rows.rows_in}))  # fmt: skip


def report(found, size):
    """Return the figures as a page."""
    beyond = found["peak_bytes"] - found["start_bytes"] - found["table_bytes"]
    rows = [
        ("rows", f"{found['rows']:,}"), ("file", f"{size / 1e6:,.0f} MB"), ("processors", str(os.cpu_count())),
        ("load on the machine at the end", f"{os.getloadavg()[0]:.1f}"), ("seconds", f"{found['seconds']}"),
        ("seconds of processor", f"{found['cpu_s']}"), ("peak of memory", f"{found['peak_bytes'] / 1e9:.2f} GB"),
        ("returned tables", f"{found['table_bytes'] / 1e9:.2f} GB"), ("beyond them", f"{beyond / 1e9:.2f} GB"),
        ("totals exact", "yes" if found["exact"] else "NO"),
        (f"within {LIMIT_S} s", "yes" if found["seconds"] <= LIMIT_S else "no"),
        (f"within {LIMIT_BYTES / 1e9:g} GB beyond", "yes" if beyond <= LIMIT_BYTES else "no"),
    ]  # fmt: skip
    head = ["# A large CSV: checked and loaded", "", "Written by `python benchmarks/load_large.py --write`.", ""]
    return "\n".join([*head, "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", type=lambda text: int(float(text)), default=10_000_000)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/large"))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="write the figures into benchmarks/LARGE.md")
    options = parser.parse_args()
    if options.measure:
        return measure(options.measure)
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"deals_{options.rows}.csv"
    if not path.with_suffix(".json").exists():
        make(path, options.rows)
    command = [sys.executable, __file__, "--measure", str(path)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    text = report(found, path.stat().st_size)
    print(text)
    if options.write:
        (Path(__file__).parent / "LARGE.md").write_text(text + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
