"""Notebooks as documents: a template read before anything starts, an executed notebook made the same every time."""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from funnelkit.language import DataError

# Modules whose import does nothing but define: they may be imported before the process that needs them is forked.
PRELOADABLE = {
    "funnelkit", "matplotlib", "numpy", "pandas", "seaborn", "scipy", "duckdb", "pyarrow", "statsmodels", "openpyxl",
}  # fmt: skip
_TEMPORARY = re.compile(r"/[^\s\"'<>]*/ipykernel_\d+/")


def import_nbformat() -> Any:
    """Import nbformat without its validator's check of international addresses, whose grammar takes seconds to build.

    No notebook holds a value that is checked by it; a later import of that module finds it as ever.
    """
    slow = "rfc3987_syntax"
    blocked = slow not in sys.modules
    if blocked:
        sys.modules[slow] = None  # type: ignore[assignment]  # None means: not to be had
    try:
        import nbformat
    finally:
        if blocked:
            del sys.modules[slow]
    return nbformat


def read_template(path: Path) -> SimpleNamespace:
    """Return a template's cells and metadata; raise DataError where the file is missing or not a Python notebook."""
    return load_template(path)[0]


def load_template(path: Path) -> tuple[SimpleNamespace, bytes]:
    """Return what `read_template` does, and the bytes that it was read from: the file may change meanwhile."""
    try:
        found = path.read_bytes()
        content = json.loads(found.decode("utf-8"))
        cells = [SimpleNamespace(**{**cell, "source": _text(cell["source"])}) for cell in content["cells"]]
        drop_null_tags(cells)
        language = content["metadata"].get("kernelspec", {}).get("language") or "python"
        if content["nbformat"] != 4 or not all(isinstance(cell.metadata, dict) for cell in cells):
            raise ValueError("nbformat 4 is needed")
    except OSError:
        raise DataError("no_such_file", file=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("template_unreadable", file=str(path), reason=str(error).splitlines()[0]) from None
    if language.lower() != "python":
        raise DataError("template_language", file=str(path), language=str(language))
    return SimpleNamespace(cells=cells, metadata=content["metadata"]), found


def drop_null_tags(cells: Any) -> None:
    """Take `tags: null`, as some editors write it, for no tags."""
    for cell in cells:
        if cell.metadata.get("tags", ()) is None:
            del cell.metadata["tags"]


def _text(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source)


def imports(notebook: Any) -> list[str]:
    """Return the modules that a template's cells import at their top level and that may be preloaded, in order."""
    found: dict[str, None] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:  # magics, or a mistake that its cell will report
            continue
        for node in tree.body:
            found |= dict.fromkeys(_names(node))
    return [name for name in found if name.split(".")[0] in PRELOADABLE]


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def tidy_notebook(notebook: Any) -> Any:
    """Drop times, paths and widget state: the same inputs and versions give the same notebook bytes."""
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        for output in cell.get("outputs", []):
            _without_temporary_paths(output)
    return notebook


def _without_temporary_paths(output: Any) -> None:
    """A traceback or warning names the file in which the kernel keeps a cell; its path differs in every run."""
    if isinstance(output.get("text"), str):
        output["text"] = _TEMPORARY.sub("ipykernel/", output["text"])
    if "traceback" in output:
        output["traceback"] = [_TEMPORARY.sub("ipykernel/", line) for line in output["traceback"]]


def heading(notebook: Any) -> str:
    """Return the first heading, the page's title."""
    lines = (str(line) for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    return next((line.lstrip("# ") for line in lines if line.startswith("#")), "funnelkit")


@dataclass(frozen=True)
class Numbers:
    """What the cells of a run sent for machines: headline `figures`, and `tables` by cell id."""

    figures: dict[str, Any]
    tables: dict[str, Any]


def take_numbers(notebook: Any) -> Numbers:
    """Take the numbers for machines out of a run's outputs: the notebook then holds what people see and no more."""
    from funnelkit.language import FIGURES, TABLE  # with them come pandas and Babel

    found = Numbers({}, {})
    for cell in notebook.cells:
        shown = [output["data"] for output in cell.get("outputs", []) if "data" in output]
        tables = [data.pop(TABLE) for data in shown if TABLE in data]
        found.tables.update({cell.id if i == 0 else f"{cell.id}-{i + 1}": table for i, table in enumerate(tables)})
        for data in shown:
            found.figures.update(data.pop(FIGURES, {}))
    return found
