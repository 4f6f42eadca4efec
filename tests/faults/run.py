"""Do every fault to the kit, alone and in a batch, and to bare papermill: run.py [--minutes M] [WORD...].

Each fault is done in a process of its own, which adopts whatever a run leaves behind and so sees it; some go on at
the same time. Words choose faults by their names. With --minutes only those are done that out/faults.json does not
know yet, and none is begun later than that. Once the record knows every fault as it is now, RESULTS.md is written
from it; without the file everything begins anew.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from batched import Batch, groups, judge_batch
from cases import FAULTS
from harness import Kit, Papermill, good_report, judge

from funnelkit.report.kernels.processes import adopt_orphans

RESULTS = Path(__file__).with_name("RESULTS.md")
RECORD = Path(__file__).parents[2] / "out" / "faults.json"
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
    timed = words[:1] == ["--minutes"]
    until = time.monotonic() + float(words[1]) * 60 if timed else float("inf")
    words = words[2:] if timed else words
    known = noted() if timed else {tool: {} for tool in TOOLS}
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    due = [(tool, names) for tool, names in orders(chosen) if not set(names) <= set(known[tool])]
    kept = True
    with old_reports(TOOLS) as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        for found in [pool.submit(judged, tool, names, folder, until) for tool, names in due]:
            tool, part = found.result()
            note(tool, part)
            kept &= tool == Papermill.name or not any(map(wrong, part.values()))
            for name, checks in part.items():
                print(f"{tool:22} {name:50} {wrong(checks) or 'as promised'}", flush=True)
    results = noted()
    unknown = [f"{fault.name} ({tool})" for tool in TOOLS for fault in FAULTS if fault.name not in results[tool]]
    if unknown:
        print(f"{len(unknown)} are still to be done, such as {unknown[0]}")
    else:
        RESULTS.write_text(table(FAULTS, results), encoding="utf-8")
        print(RESULTS.read_text(encoding="utf-8").partition("\n")[0])
    return int(not kept)


def note(tool, part):
    """Add what was found to the record, each fault with what it is now."""
    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    for fault in FAULTS:
        if fault.name in part:
            known.setdefault(tool, {})[fault.name] = {"fault": repr(fault), "found": part[fault.name]}
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(known, indent=1), encoding="utf-8")


def noted():
    """Return {tool: {fault: what was found}} of the record; what has changed since is left out."""
    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    current = {fault.name: repr(fault) for fault in FAULTS}
    return {
        tool: {
            name: entry["found"] for name, entry in known.get(tool, {}).items() if entry["fault"] == current.get(name)
        }
        for tool in TOOLS
    }


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


def judged(tool, names, folder, until=float("inf")):
    """Do faults in a process of their own, none after `until`; return (tool, {fault: {check: True or wrong}})."""
    if time.monotonic() > until:
        return tool, {}
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
