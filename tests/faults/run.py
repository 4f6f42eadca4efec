"""Do every fault to the kit and to bare papermill and write RESULTS.md: python tests/faults/run.py [NAME...]."""

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cases import FAULTS
from harness import Kit, Papermill, good_report, judge

from funnelkit.report.processes import adopt_orphans

RESULTS = Path(__file__).with_name("RESULTS.md")
_LEGEND = (
    "After each fault: the exit code tells of it, the tool's own record agrees, the deadline is kept within 5 s, no",
    "process is left after 5 s, the old report is the same by sha256, a new run succeeds, no temporary file is left",
    "after it. Papermill is asked for no particular exit code, only for one that is not 0 where the run failed; its",
    "deadline is its own limit for a cell. `python tests/faults/run.py` writes this file.",
)


def main(words):
    """Run the faults of these names, or whose names hold one of the words; a whole run writes the table.

    With --kit first, bare papermill is left out.
    """
    alone = words[:1] == ["--kit"]
    words = words[alone:]
    adopt_orphans()  # whatever a run leaves behind becomes a child of this process and is seen
    chosen = [fault for fault in FAULTS if fault.name in words]
    chosen = chosen or [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    tools = (Kit,) if alone else (Kit, Papermill)
    results = {}
    try:
        good = {tool: good_report(tool, folder) for tool in tools}
        for fault in chosen:
            for tool in tools:
                found = judge(tool, good[tool], fault)
                results[fault.name, tool] = found
                wrong = "; ".join(f"{check}: {what}" for check, what in found.items() if what is not True)
                print(f"{tool.name:10} {fault.name:45} {wrong or 'as promised'}", flush=True)
    finally:
        shutil.rmtree(folder)
    text = table(chosen, tools, results) if not alone else ""
    print(text.partition("\n")[0])
    if not words and not alone:
        RESULTS.write_text(text, encoding="utf-8")
    return int(any(what is not True for (_, tool), found in results.items() if tool is Kit for what in found.values()))


def table(chosen, tools, results):
    """Return the table of all faults as Markdown, the counts first."""
    counts = {}
    for tool in tools:
        kept = [all(what is True for what in results[fault.name, tool].values()) for fault in chosen]
        counts[tool] = f"{tool.name} {sum(kept)} of {len(kept)}"
    lines = [f"Faults after which everything was as promised: {', '.join(counts.values())}.", ""]
    lines += ["| fault | funnelkit | bare papermill |", "|---|---|---|"]
    for fault in chosen:
        cells = []
        for tool in tools:
            wrong = [f"{check}: {what}" for check, what in results[fault.name, tool].items() if what is not True]
            cells.append("; ".join(wrong) or "as promised")
        lines.append(f"| {fault.name} | {cells[0]} | {cells[1]} |")
    lines += ["", *_LEGEND]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
