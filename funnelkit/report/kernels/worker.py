"""The process that executes one report: in a session of its own, it reads spec.json and leaves result.json.

It is separate so that a deadline, a signal or a crash of a kernel can never take the publishing process with it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from funnelkit.language import LANGUAGE, RUN, ReportError, use_language
from funnelkit.report.kernels.memory import LACKS, limited_children
from funnelkit.report.kernels.processes import die_with_parent
from funnelkit.report.runs.notebooks import (
    Numbers,
    drop_null_tags,
    heading,
    import_nbformat,
    take_numbers,
    tidy_notebook,
)

if TYPE_CHECKING:
    from funnelkit.report.kernels.engine import Engine

BAD_DATA, CELL_ERROR, KERNEL_DIED, CANNOT_WRITE, MEMORY_PASSED = 2, 10, 13, 14, 17
_DATA_ERRORS = ("DataError", "CatalogError", "RuleError")
_SAVE_EVERY_S = 5
_MOST_SHOWN_MB = 100  # by one cell: more opens in no browser, and whether it arrives in time is left to chance
_TOO_LARGE = {"exit_code": CELL_ERROR, "reason": "output_too_large", "detail": str(_MOST_SHOWN_MB)}
WARNINGS = "warnings.log"  # what the cells wrote to stderr: for the operator, not for the page


def work(folder: str | Path) -> int:
    """Execute FOLDER/spec.json; write notebook.ipynb, on success report.html and what else is asked for.

    Returns 0 where result.json tells the rest, 14 where the disk would not take it.
    """
    folder = Path(folder)
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    os.environ |= {LANGUAGE: spec["lang"], RUN: "1"}  # the kernel inherits them
    use_language(spec["lang"])
    try:
        result = _make(folder, spec)
    except ReportError as error:
        result = {"exit_code": error.exit_code, "reason": "bad_parameter", "detail": error.say()}
    except OSError as error:
        detail = error.strerror or str(error) or type(error).__name__
        result = {"exit_code": CANNOT_WRITE, "reason": getattr(error, "reason", "cannot_write"), "detail": detail}
        if not _write_result(folder, result):
            _make_room(folder)
    return 0 if _write_result(folder, result) else CANNOT_WRITE


def _make_room(folder: Path) -> None:
    """Give up what is half written, so that at least the reason finds a place on a full disk."""
    for name in ("notebook.ipynb", "report.html", "report.pdf"):
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)


def _write_result(folder: Path, result: Mapping[str, Any]) -> bool:
    try:
        (folder / "result.tmp").write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")
        (folder / "result.tmp").replace(folder / "result.json")
    except OSError:
        return False
    return True


def _make(folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    nbformat = import_nbformat()
    notebook = nbformat.read(spec["template"], as_version=4)
    drop_null_tags(notebook.cells)
    notebook, result = execute_report(notebook, spec)
    tidy_notebook(notebook)
    numbers = take_numbers(notebook)
    nbformat.write(notebook, folder / "notebook.ipynb")
    if result["exit_code"] == 0:
        _formats(notebook, numbers, folder, spec)
    return result


def _formats(notebook: Any, numbers: Numbers, folder: Path, spec: Mapping[str, Any]) -> None:
    """Write the page, the headline figures, the tables and, where asked for, the PDF."""
    from funnelkit.report.pages import export
    from funnelkit.report.pages.html import page
    from funnelkit.report.pages.outputs import warnings_of

    front = numbers.figures.pop("first_page", {"title": heading(notebook)})
    html = page(notebook, front["title"], spec["dates"])
    (folder / "report.html").write_text(html, encoding="utf-8")
    warnings = warnings_of(notebook)
    if warnings:
        (folder / WARNINGS).write_text(warnings, encoding="utf-8")
    summary = {**front, "language": spec["lang"], "dates": spec["dates"], "figures": numbers.figures}
    text = json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    export.write_tables(numbers.tables, folder, spec["export"])
    if spec["pdf"]:
        from funnelkit.report.pages.pdf import print_page

        print_page(folder / "report.html", folder / "report.pdf")


def execute_report(notebook: Any, spec: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Run a notebook through papermill over ipc sockets; return it with {exit_code, reason, error, cell, detail}."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from funnelkit.report.kernels.engine import Engine, engine_name

    logging.getLogger("papermill").setLevel(logging.WARNING)
    source = Path(spec["folder"]) / "template.ipynb"
    import_nbformat().write(notebook, source)
    Engine.begin(Path(spec["folder"]))
    failure = None
    with _saving_now_and_then(Engine), limited_children(spec["memory_mb"]):
        try:
            papermill.execute_notebook(
                str(source), None, parameters=spec["parameters"], kernel_name="python3",
                language="python", cwd=spec["cwd"],
                engine_name=engine_name(), progress_bar=False, log_output=False, config=_config(),
            )  # fmt: skip
        except papermill.PapermillExecutionError as error:
            failure = _cell_failure(error.ename, error.evalue)
        except CellTimeoutError:  # an OSError by descent: what the cell showed could not be taken over in time
            failure = {**_TOO_LARGE}
        except (DeadKernelError, RuntimeError) as error:  # RuntimeError: it died before its first answer
            failure = {"exit_code": KERNEL_DIED, "reason": "kernel_died", "detail": str(error)}
    source.unlink()
    executed = Engine.notebook or notebook
    if failure is None:
        failure = _unfinished(executed)
    if failure is None:
        return executed, {"exit_code": 0, "reason": "ok"}
    if spec["memory_mb"] and failure.get("error") in LACKS:
        failure |= {"exit_code": MEMORY_PASSED, "reason": "memory", "detail": str(spec["memory_mb"])}
    return executed, {"cell": Engine.current, **failure}


def _config() -> Any:
    from traitlets.config import Config

    transport = "tcp" if sys.platform == "win32" else "ipc"
    return Config(
        {"KernelManager": {"transport": transport, "client_factory": "funnelkit.report.kernels.client.Client"}}
    )


def _cell_failure(name: str, value: object) -> dict[str, Any]:
    """A cell's own exception may quote the data, so messages and logs name its kind; the notebook holds the rest."""
    bad_data = name in _DATA_ERRORS
    told = bad_data or name == "SystemExit"
    return {
        "exit_code": BAD_DATA if bad_data else CELL_ERROR, "reason": "bad_data" if bad_data else "cell_error",
        "error": name, "detail": str(value) if bad_data else f"{name}: {value}" if told else name,
    }  # fmt: skip


def _unfinished(notebook: Any) -> dict[str, Any] | None:
    """Return the failure of a run that papermill calls complete: sys.exit(), far too much shown, cells left."""
    for cell in notebook.cells:
        errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        if errors and "raises-exception" not in cell.metadata.get("tags", []):
            return _cell_failure(errors[0].ename, errors[0].evalue)
        if len(json.dumps(cell.get("outputs", []))) > _MOST_SHOWN_MB * 1_000_000:
            return {**_TOO_LARGE, "cell": cell.get("id")}
    if any(_never_ran(cell) for cell in notebook.cells):
        return {"exit_code": KERNEL_DIED, "reason": "kernel_died", "detail": "cells never ran"}
    return None


def _never_ran(cell: Any) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip()) and cell.execution_count is None


@contextlib.contextmanager
def _saving_now_and_then(engine: type[Engine]) -> Iterator[None]:
    """Write the notebook as far as it is every few seconds: a run that is killed leaves what it had."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    old = signal.signal(signal.SIGALRM, lambda *_: engine.save())
    signal.setitimer(signal.ITIMER_REAL, 2, _SAVE_EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def work_alone(folder: str, parent: str) -> NoReturn:
    """Execute FOLDER/spec.json in a process of its own, which ends with the command `parent`."""
    die_with_parent(int(parent))
    sys.exit(work(folder))
