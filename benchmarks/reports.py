"""Reports: what a run costs besides its cells, against papermill: python benchmarks/reports.py [--reports N].

`funnelkit batch` with two jobs, sequential papermill and `funnelkit batch` with one job take turns, so that other work
on the machine falls on all of them alike. Papermill starts each report anew, so a few of the batch's reports, evenly
chosen, tell what one takes: the median of them. A report's cost is its wall clock minus its cells' own time, and that
own time is the same for all: what the cells, pictures included, take in a process that has the imports.
"""

import argparse
import base64
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np

from funnelkit.language import FIGURES, RUN, TABLE, share
from funnelkit.report import descendants, load_json

FULL = (
    ("The kit's own report on the sample, by five columns: what the reports have in common is asked once", "segment",
     ["industry", "region", "source", "owner", "team"]),
    ("The kit's own report on the sample, as of five days: nothing is in common", "as_of",
     ["2025-12-31", "2025-11-30", "2025-10-31", "2025-09-30", "2025-08-31"]),
)  # fmt: skip
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


def _now():
    """Return the clock and the processors' time of all ended children: the second is steady on a busy machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter(), used.ru_utime + used.ru_stime])


def papermill(template, folder, numbers, name):
    """Run papermill once for each number, one after the other; return the seconds of each, clock and processors.

    Its cells are told that they are of a report, so that they show what those of a batch show.
    """
    spent = []
    for n in numbers:
        command = [sys.executable, "-m", "papermill", str(template), str(folder / f"{n}.ipynb"), "--no-progress-bar"]
        started = _now()
        subprocess.run(
            [*command, "-p", name, str(n)], check=True, capture_output=True, cwd=folder, env=os.environ | {RUN: "1"}
        )
        spent.append(_now() - started)
    return spent


def batch(template, folder, numbers, name, jobs):
    """Run `funnelkit batch` for the numbers; return seconds by the clock and of the processors."""
    command = _batch_command(folder, template, {name: list(numbers)}, jobs)
    started = _now()
    subprocess.run(command, check=True, capture_output=True)
    return _now() - started


def _batch_command(folder, template, each, jobs):
    """Write a plan and return the command that makes its reports below FOLDER/jobs-N."""
    plan = folder / f"plan-{jobs}.yaml"
    content = {"template": str(template), "each": each, "deadline_s": 7200}
    plan.write_text(json.dumps(content), encoding="utf-8")
    out = folder / f"jobs-{jobs}"
    return [sys.executable, "-m", "funnelkit", "batch", str(plan), "--out", str(out), "--jobs", str(jobs)]


def cells_time(template, folder):
    """Return the median seconds (clock, processor) of the cells where the imports are done, of three runs."""
    code = [cell.source for cell in nbformat.read(template, as_version=4).cells if cell.cell_type == "code"]
    command = [sys.executable, "-c", _PROGRAM, json.dumps(code)]
    found = subprocess.run(command, check=True, capture_output=True, cwd=folder, env=os.environ | {RUN: "1"})
    return np.median(json.loads(found.stdout.splitlines()[-1])[1:], axis=0)


_PROGRAM = """
import json, os, sys, time
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell, times = InteractiveShell.instance(), []
for _ in range(4):
    clock, used = time.perf_counter(), time.process_time()
    with capture_output():
        for source in json.loads(sys.argv[1]):
            shell.run_cell(source).raise_error()
    times.append([time.perf_counter() - clock, time.process_time() - used])
print(json.dumps(times))
"""


def outputs(path):
    """Return the outputs of a notebook's cells, without counters that count runs; pictures as their bytes."""
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", []):
            found.append([_comparable(output) for output in cell.outputs])
    return found


def _comparable(output):
    data = {kind: shown for kind, shown in output.get("data", {}).items() if kind not in (FIGURES, TABLE)}
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


def race(template, name, numbers, few):
    """Run the three in turns, papermill for `few` of the numbers; return the seconds of a report and what differs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        folder, n = Path(home), len(numbers)
        chosen = [numbers[round(i)] for i in np.linspace(0, n - 1, few)]
        first, second = chosen[: (few + 1) // 2], chosen[(few + 1) // 2 :]
        plain = papermill(template, folder, first, name)
        two = batch(template, folder, numbers, name, 2) / n
        one = batch(template, folder, numbers, name, 1) / n
        plain += papermill(template, folder, second, name)
        spent = {"papermill": np.median(plain, axis=0), "1 job": one, "2 jobs": two}
        return spent, compare(folder, name, chosen), cells_time(template, folder)


def lines_of(title, spent, compared, own, counts):
    """Return the table of one race as Markdown lines."""
    times = f"the cells' own time {own[0]:.3f} s a report, {own[1]:.3f} s of a processor"
    found = [f"**{title}**: batches of {counts[0]} reports, papermill on {counts[1]} of them; {times}.", ""]
    head = (
        "runner",
        "s",
        "overhead s",
        "to papermill's",
        "whole to papermill's",
        "CPU s",
        "CPU overhead to papermill's",
    )
    found += [f"| {' | '.join(head)} |", "|---|---|---|---|---|---|---|"]
    base = spent["papermill"] - own
    for runner, each in spent.items():
        over, whole = each - own, each[0] / spent["papermill"][0]
        found.append(
            f"| {runner} | {each[0]:.2f} | {over[0]:.3f} | {over[0] / base[0]:.3f} | {whole:.3f} | {each[1]:.2f} "
            f"| {over[1] / base[1]:.3f} |"
        )
    return [*found, "", f"Cells compared with papermill's: {compared[0]}, different: {compared[1]}.", ""]


def memory(template, n, jobs=4):
    """Run many reports in one batch; return (good reports, most memory in MB per fifth of the batch)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        folder, taken = Path(home), []
        command = _batch_command(folder, template, {"region": list(range(n))}, jobs)
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None:
            taken.append(_long_lived(run.pid))
            time.sleep(0.5)
        good = sum(result["outcome"] == "ok" for result in load_json(folder / f"jobs-{jobs}" / "batch.json")["reports"])
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
    parser.add_argument("--full", type=int, default=5, help="reports on the kit's own template")
    parser.add_argument("--many", type=int, default=40)
    parser.add_argument("--papermill", type=int, default=5, help="reports of the small template that papermill makes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        small = small_template(Path(home) / "small.ipynb")
        load = os.getloadavg()[0]
        text = ["# Reports against papermill", "", f"{os.cpu_count()} cores, load {load:.1f} at the start.", ""]
        few = min(options.papermill, options.reports)
        race_small = race(small, "region", list(range(options.reports)), few)
        text += lines_of("Small template (pandas, seaborn, a table, a chart)", *race_small, (options.reports, few))
        for title, name, values in FULL if options.full else ():
            values = values[: options.full]
            text += lines_of(title, *race(share("report") / "en.ipynb", name, values, 2), (len(values), 2))
        if options.many:
            good, peaks = memory(small, options.many)
            told = ", ".join(map(str, peaks))
            text += [f"{options.many} reports with 4 jobs: {good} good. Memory of the command and the"]
            text += [f"preloaded parent, highest in each fifth of the batch: {told} MB.", ""]
    text += ["`python benchmarks/reports.py` writes this file."]
    RESULTS.write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
