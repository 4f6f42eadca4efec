"""The process that executes one report: started in a session of its own, it reads spec.json and leaves result.json.

It is separate so that a deadline, a signal or a crash of a kernel can never take the publishing process with it.
"""

import json
import logging
import sys
from pathlib import Path

import nbformat

from funnelkit.present import FIGURES
from funnelkit.report.page import page

CELL_ERROR, DEADLINE, KERNEL_DIED, BAD_DATA = 10, 12, 13, 2


def main(folder):
    """Execute FOLDER/spec.json; write notebook.ipynb, on success report.html, and result.json."""
    folder = Path(folder)
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    notebook, result = execute(nbformat.read(spec["template"], as_version=4), spec)
    tidy(notebook)
    nbformat.write(notebook, folder / "notebook.ipynb")
    if result["exit_code"] == 0:
        html = page(notebook, spec["lang"], heading(notebook))
        (folder / "report.html").write_text(html, encoding="utf-8")
        result["figures"] = figures(notebook)
    (folder / "result.json").write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")


def execute(notebook, spec):
    """Run a notebook through papermill over ipc sockets; return it with {exit_code, reason, cell}."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.WARNING)
    transport = "tcp" if sys.platform == "win32" else "ipc"
    source = Path(spec["folder"]) / "template.ipynb"
    output = Path(spec["folder"]) / "notebook.ipynb"
    nbformat.write(notebook, source)
    result = {"exit_code": 0, "reason": "ok", "cell": None}
    try:
        papermill.execute_notebook(
            str(source), str(output), parameters=spec["parameters"], kernel_name="python3", cwd=spec["cwd"],
            progress_bar=spec["progress"], log_output=False, config=Config({"KernelManager": {"transport": transport}}),
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        code = BAD_DATA if error.ename in ("DataError", "CatalogError") else CELL_ERROR
        result = {"exit_code": code, "reason": f"{error.ename}: {error.evalue}", "cell": error.cell_index}
    except DeadKernelError as error:
        result = {"exit_code": KERNEL_DIED, "reason": str(error), "cell": None}
    executed = nbformat.read(output if output.exists() else source, as_version=4)
    unrun = [i for i, cell in enumerate(executed.cells) if _never_ran(cell)]
    if result["exit_code"] == 0 and unrun:
        # sys.exit() in a cell ends a kernel politely, and papermill then calls the run complete.
        result = {"exit_code": KERNEL_DIED, "reason": "cells never ran", "cell": unrun[0]}
    source.unlink()
    return executed, result


def _never_ran(cell):
    return cell.cell_type == "code" and bool(cell.source.strip()) and cell.execution_count is None


def tidy(notebook):
    """Drop times, paths and widget state: the same inputs and versions give the same notebook bytes."""
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
    return notebook


def heading(notebook):
    """Return the first heading, the page's title."""
    lines = (line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    return next((line.lstrip("# ") for line in lines if line.startswith("#")), "funnelkit")


def figures(notebook):
    """Return the figures that cells put into their outputs for machines, merged."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found |= output.get("data", {}).get(FIGURES, {})
    return found


if __name__ == "__main__":
    main(sys.argv[1])
