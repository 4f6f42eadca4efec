"""Reports: what a run costs besides its cells, against papermill: python benchmarks/reports.py [--reports N].

Sequential papermill, `funnelkit batch` with one job and with two take turns in blocks, so that other work on the
machine falls on all of them alike. A report's cost is its wall clock minus its cells' own time, and that own time is
the same for all: what the cells take in a process that has the imports (measured in a forked kernel by the cells).
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from funnelkit.report.batch import read_json
from funnelkit.report.processes import descendants
from funnelkit.share import share

RESULTS = Path(__file__).with_name("REPORTS.md")
SMALL = (
    "import time\nbegun = time.perf_counter()",
    "import matplotlib.pyplot as plt\nimport pandas as pd\nimport seaborn as sns",
    "frame = pd.DataFrame({'stage': list('abcde'), 'n': [90, 70, 40, 20 + region, 5]})\nframe",
    "axes = sns.barplot(frame, x='stage', y='n')\nplt.show()",
)


def small_template(path):
    """Write the small template: pandas and seaborn, one table, one chart."""
    source = "region: int = 0  # makes each report another"
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]}, id="parameters")]
    cells += [nbformat.v4.new_code_cell(text, id=f"cell-{i}") for i, text in enumerate(SMALL)]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), path)
    return path


def papermill(template, folder, numbers, name):
    """Run papermill once for each number, one after the other; return seconds."""
    started = time.perf_counter()
    for n in numbers:
        command = [sys.executable, "-m", "papermill", str(template), str(folder / f"{n}.ipynb"), "--no-progress-bar"]
        subprocess.run([*command, "-p", name, str(n)], check=True, capture_output=True, cwd=folder)
    return time.perf_counter() - started


def batch(template, folder, numbers, name, jobs):
    """Run `funnelkit batch` for the numbers; return seconds."""
    plan = folder / f"plan-{jobs}-{numbers[0]}.yaml"
    value = {"template": str(template), "each": {name: list(numbers)}}
    plan.write_text(json.dumps(value), encoding="utf-8")
    out = folder / f"jobs-{jobs}"
    started = time.perf_counter()
    command = [sys.executable, "-m", "funnelkit", "batch", str(plan), "--out", str(out), "--jobs", str(jobs)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def cells_time(template, folder, name):
    """Return the median seconds that the cells take where the imports are done: the code run twice in one process."""
    code = [cell.source for cell in nbformat.read(template, as_version=4).cells if cell.cell_type == "code"]
    program = (
        "import os, sys, time, json\nos.environ['MPLBACKEND'] = 'agg'\n"
        "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()\n"
        "from IPython.utils.capture import capture_output\ntimes = []\n"
        "for i in range(6):\n    started = time.perf_counter()\n    with capture_output():\n"
        "        for source in json.loads(sys.argv[1]):\n            result = shell.run_cell(source)\n"
        "            if result.error_in_exec: raise result.error_in_exec\n"
        "    times.append(time.perf_counter() - started)\nprint(json.dumps(times))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, json.dumps(code)], check=True, capture_output=True, cwd=folder
    )
    return statistics.median(json.loads(found.stdout.splitlines()[-1])[1:])


def outputs(path):
    """Return the outputs of a notebook's cells, without counters that count runs; pictures as their bytes."""
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", []):
            found.append([_comparable(output) for output in cell.outputs])
    return found


def _comparable(output):
    data = dict(output.get("data", {}))
    if "image/png" in data:
        data["image/png"] = base64.b64decode(data["image/png"])
    return output.output_type, data, output.get("text")


def compare(folder, name, numbers):
    """Return (cells compared, cells that differ) of papermill's notebooks and both batches'."""
    same = different = 0
    for n in numbers:
        plain = outputs(folder / f"{n}.ipynb")
        for jobs in (1, 2):
            own = outputs(folder / f"jobs-{jobs}" / f"{name}={n}" / "latest" / "notebook.ipynb")
            equal = [a == b for a, b in zip(plain, own, strict=True)]
            same, different = same + sum(equal), different + len(equal) - sum(equal)
    return same + different, different


def race(template, name, numbers, block):
    """Run the three in turns over blocks of numbers; return {runner: seconds}, cells compared and differing."""
    spent = dict.fromkeys(("papermill", "1 job", "2 jobs"), 0.0)
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        folder = Path(home)
        for i in range(0, len(numbers), block):
            part = numbers[i : i + block]
            spent["2 jobs"] += batch(template, folder, part, name, 2)
            spent["papermill"] += papermill(template, folder, part, name)
            spent["1 job"] += batch(template, folder, part, name, 1)
        compared = compare(folder, name, numbers)
        own = cells_time(template, folder, name)
    return spent, compared, own


def lines_of(title, spent, compared, own, n):
    """Return the table of one race as Markdown lines."""
    base = spent["papermill"] / n - own
    found = [f"**{title}**: {n} reports, the cells' own time {own:.3f} s a report.", ""]
    found += [
        "| runner | s a report | overhead, s | overhead to papermill's | whole to papermill's |",
        "|---|---|---|---|---|",
    ]
    for runner, seconds in spent.items():
        each, whole = seconds / n, seconds / spent["papermill"]
        found.append(f"| {runner} | {each:.2f} | {each - own:.3f} | {(each - own) / base:.3f} | {whole:.3f} |")
    return [*found, "", f"Cells compared with papermill's: {compared[0]}, different: {compared[1]}.", ""]


def memory(template, n, jobs=4):
    """Run many reports in one batch; return (good reports, most memory in MB per fifth of the batch)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        folder, taken = Path(home), []
        plan = folder / "plan.yaml"
        plan.write_text(json.dumps({"template": str(template), "each": {"region": list(range(n))}}), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "funnelkit",
            "batch",
            str(plan),
            "--out",
            str(folder / "o"),
            "--jobs",
            str(jobs),
        ]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None:
            taken.append(_long_lived(run.pid))
            time.sleep(0.5)
        good = sum(result["outcome"] == "ok" for result in read_json(folder / "o" / "batch.json")["reports"])
    step = max(len(taken) // 5, 1)
    return good, [max(taken[i : i + step]) for i in range(0, step * 5, step)]


def _long_lived(pid):
    """Return the resident MB of the command and the preloaded parent, which live as long as the batch."""
    total = 0
    for one in [pid, *descendants(pid)[:1]]:
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total // 1_000_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reports", type=int, default=40)
    parser.add_argument("--full", type=int, default=6, help="reports on the kit's own template")
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--block", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        small = small_template(Path(home) / "small.ipynb")
        load = os.getloadavg()[0]
        text = ["# Reports against papermill", "", f"{os.cpu_count()} cores, load {load:.1f} at the start.", ""]
        race_small = race(small, "region", list(range(options.reports)), options.block)
        text += lines_of("Small template (pandas, seaborn, a table, a chart)", *race_small, options.reports)
        if options.full:
            segments = ["industry", "region", "source", "owner", "team", "product"][: options.full]
            race_full = race(share("report") / "en.ipynb", "segment", segments, len(segments))
            text += lines_of("The kit's own report on the sample", *race_full, len(segments))
        if options.many:
            good, peaks = memory(small, options.many)
            told = ", ".join(map(str, peaks))
            text += [
                f"{options.many} reports with 4 jobs: {good} good. Memory of the command and the preloaded parent,"
            ]
            text += [f"highest in each fifth of the batch: {told} MB.", ""]
    text += ["`python benchmarks/reports.py` writes this file."]
    RESULTS.write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
