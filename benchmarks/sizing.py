"""Write the sizing page from measured figures: python benchmarks/sizing.py FIGURES.jsonl REPORT_CPU_S [--write].

FIGURES.jsonl holds what benchmarks/memory_limit.py prints for at least two sizes; REPORT_CPU_S is the processor time of
one report, as benchmarks/reports.py measures it on the template that is meant. `--write` puts the page into SIZING.md.
"""

import argparse
import json
import math
from pathlib import Path

WEEK_S, REPORTS, EVENTS = 7 * 86_400, 100_000, 10_000_000_000
PAGE = """# Sizing

Written by `python benchmarks/sizing.py`; measured on two cores that other work shared, so processor time is given.

## Counting

`funnelkit count` under ClickHouse's rule with a window of 30 days, 8 steps, whole-number ids, Parquet in time order,
in a process whose address space the operating system limits (`benchmarks/memory_limit.py ROWS FOLDER --limit-mb MB`).
The counts equal those of the same log counted part by part.

| events | limit MB | peak MB | CPU s | CPU s per million |
|---|---|---|---|---|
{rows}

Growth: processor time grows with the events to the power {growth:.2f} between the smallest and the largest of them,
start-up included.

**10 billion events** on one machine: {hours:.1f} hours of one processor at {slope:.2f} s per million, and
{reading:.0f} more for reading. A partition of entities holds as many rows as half of the memory left allows, 64 million
at most, and the files are read once for each: {passes} passes at about 0.05 s per million. So memory stays bounded and
reading grows with the square of the events; that breaks first. From about a billion events on, count where they lie:
`funnelkit count TABLE --engine spark://HOST:7077` makes one shuffle by entity, and a row a depth comes back. Tests
count 1 million events on two workers of 512 MB, also with one of them killed; larger clusters were not tried.

## Reports

{report:.1f} s of processor a report of the kit's own template: **100,000 reports a week** are {report_hours:.0f} hours
of processor, so {cores:.1f} cores that are never idle; {asked} cores at half load. On a scheduler:
`funnelkit batch PLAN.yaml --scheduler tcp://HOST:8786 --out FOLDER`, the folder under the same path everywhere.

- The batch's own work is 0.7 ms of processor a report (400 reports that do nothing). `batch.json` and the index page
  hold every report, so they are written at most a twentieth of the time. No browser shows 100,000 rows gladly:
  split the plan by region or team first.
- A shared folder breaks next: at ten files a report these are a million a week; `keep:` bounds the runs.
- A file that many reports share is read once on one machine, on a scheduler once by each worker.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("report_cpu_s", type=float)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    runs = [json.loads(line) for line in options.figures.read_text().splitlines() if line.startswith("{")]
    runs.sort(key=lambda run: run["rows"])
    if not all(run["same"] for run in runs):
        raise SystemExit("a count differs from that of its parts: its figures are worth nothing")
    few, many = runs[0], runs[-1]
    lines = [
        f"| {run['rows']:,} | {run['limit_mb']:,} | {run['peak_mb']:,} | {run['cpu_s']:.1f} | "
        f"{run['cpu_s'] / run['rows'] * 1e6:.2f} |"
        for run in runs
    ]
    slope = (many["cpu_s"] - few["cpu_s"]) / (many["rows"] - few["rows"]) * 1e6
    load = options.report_cpu_s * REPORTS
    growth = math.log(many["cpu_s"] / few["cpu_s"]) / math.log(many["rows"] / few["rows"])
    passes = math.ceil(EVENTS / 64e6)
    text = PAGE.format(
        rows="\n".join(lines), growth=growth, slope=slope, hours=slope * EVENTS / 1e6 / 3600, passes=passes,
        reading=passes * EVENTS / 1e6 * 0.05 / 3600, report=options.report_cpu_s, report_hours=load / 3600,
        cores=load / WEEK_S, asked=math.ceil(2 * load / WEEK_S),
    )  # fmt: skip
    print(text)
    if options.write:
        (Path(__file__).parent / "SIZING.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
