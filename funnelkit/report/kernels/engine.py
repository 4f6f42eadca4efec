"""The papermill engine of reports: papermill's own, which also tells how far it is and keeps what it has."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from papermill.engines import NBClientEngine, papermill_engines

NAME = "funnelkit"


class Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
    """One notebook at a time: `notebook` is as far as it is executed, `current` the id of the cell that runs."""

    folder = Path()
    notebook: Any = None
    current: str | None = None

    @classmethod
    def begin(cls, folder: Path) -> None:
        """Forget the last notebook; progress and partial results go to `folder`."""
        cls.folder, cls.notebook, cls.current = folder, None, None

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        """Run the cells as papermill does, noting each before it starts."""
        cls.notebook = nb_man.nb
        total, start = len(nb_man.nb.cells), nb_man.cell_start

        def cell_start(cell: Any, cell_index: int | None = None, **others: Any) -> Any:
            cls.current = cell.get("id", str(cell_index))
            _note(cls.folder, cell_index, total, cls.current or "")
            return start(cell, cell_index, **others)

        nb_man.cell_start = cell_start
        try:
            return super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            _note(cls.folder, total, total, "")

    @classmethod
    def save(cls) -> None:
        """Write the notebook as far as it is; a full disk is noticed when the whole is written."""
        if cls.notebook is None:
            return
        with contextlib.suppress(OSError, RuntimeError):
            temporary = cls.folder / ".notebook.tmp"
            temporary.write_text(json.dumps(cls.notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            temporary.replace(cls.folder / "notebook.ipynb")


def _note(folder: Path, done: int | None, total: int, cell: str) -> None:
    """Write how many cells are done of how many and which one runs, in one go: the command shows it as a bar."""
    descriptor = os.open(folder / "progress", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{done:6d} {total:6d} {cell[:64]:64}\n".encode())
    finally:
        os.close(descriptor)


def engine_name() -> str:
    """Register the engine with papermill, as its entry points do, and return its name."""
    papermill_engines.register(NAME, Engine)
    return NAME
