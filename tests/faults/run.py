"""Do every fault to the kit, alone and in a batch, and to bare papermill: python tests/faults/run.py [WORD...].

Each fault is done in a process of its own, which adopts whatever a run leaves behind and so sees it; some go on at
the same time. A whole run writes RESULTS.md.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from batched import Batch, groups, judge_batch
from cases import FAULTS
from harness import Kit, Papermill, good_report, judge

from funnelkit.report.kernels.processes import adopt_orphans

RESULTS = Path(__file__).with_name("RESULTS.md")
TOOLS = {tool.name: tool for tool in (Kit, Batch, Papermill)}
AT_ONCE = 3
_LEGEND = (
    "After each fault: the exit code tells of it, the tool's own record agrees, the deadline is kept within 5 s, no",
    "process is left after 5 s, the old report is the same by sha256, a new run succeeds, no temporary file is left",
    "after it; in a batch, the good reports before and after it are made as well. Papermill is asked for no particular",
    "exit code, only for one that is not 0 where the run failed; its deadline is its own limit for a cell. It knows no",
    "batches. `python tests/faults/run.py` writes this file.",
)


def main(words):
    """Run the faults whose names hold one of the words, all without any; 0 where the kit kept every promise."""
    if words[:1] == ["--one"]:
        print(json.dumps(do(words[1], Path(words[2]), words[3:])))
        return 0
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    results = {name: {} for name in TOOLS}
    with old_reports(TOOLS) as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        for found in [pool.submit(judged, tool, names, folder) for tool, names in orders(chosen)]:
            tool, part = found.result()
            results[tool] |= part
            for name, checks in part.items():
                print(f"{tool:22} {name:50} {wrong(checks) or 'as promised'}", flush=True)
    text = table(chosen, results)
    print(text.partition("\n")[0])
    if not words:
        RESULTS.write_text(text, encoding="utf-8")
    return int(any(wrong(checks) for tool in (Kit, Batch) for checks in results[tool.name].values()))


def orders(faults, tools=tuple(TOOLS)):
    """Return (tool, names of faults) for each process, the longest first."""
    batches = [(Batch.name, [fault.name for fault in group]) for group in groups(faults)]
    alone = [(tool, [fault.name]) for fault in faults for tool in tools if tool != Batch.name]
    return [*(batches if Batch.name in tools else ()), *alone]


@contextlib.contextmanager
def old_reports(tools):
    """Make the good report of each tool that its faults start from; give the folder that holds them."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir="/tmp") as folder:
        for tool in {Kit if name == Batch.name else TOOLS[name] for name in tools}:
            good_report(tool, Path(folder))
        yield Path(folder)


def judged(tool, names, folder):
    """Do faults in a process of their own; return (tool, {fault: {check: True or what was wrong}})."""
    command = [sys.executable, str(Path(__file__)), "--one", tool, str(folder), *names]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        return tool, {name: {"bench": found.stderr.strip()[-1500:]} for name in names}
    return tool, json.loads(found.stdout)


def do(tool, folder, names):
    """Do these faults here, together where they are a batch's."""
    adopt_orphans()
    faults = [fault for fault in FAULTS if fault.name in names]
    if tool == Batch.name:
        return judge_batch(folder / Kit.name, faults)
    return {fault.name: judge(TOOLS[tool], folder / tool, fault) for fault in faults}


def wrong(checks):
    """Return what was not as promised as one line, empty where nothing was."""
    return "; ".join(f"{check}: {what}" for check, what in checks.items() if what is not True)


def counts(results, n):
    """Return {tool: "x of n"}: the faults after which everything was as promised."""
    return {tool: f"{sum(not wrong(checks) for checks in found.values())} of {n}" for tool, found in results.items()}


def table(chosen, results):
    """Return the table of all faults as Markdown, the counts first."""
    told = ", ".join(f"{tool} {count}" for tool, count in counts(results, len(chosen)).items())
    lines = [f"Faults after which everything was as promised: {told}.", ""]
    lines += ["| fault | funnelkit | funnelkit in a batch | bare papermill |", "|---|---|---|---|"]
    for fault in chosen:
        cells = [wrong(results[tool][fault.name]) or "as promised" for tool in TOOLS]
        lines.append(f"| {fault.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_LEGEND]) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
