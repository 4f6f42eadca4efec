"""The process in which one learner's answers are checked: cells in order, a line on the channel after each check.

Started by `grade` with the number of the channel's file descriptor; the run folder is its working directory.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TextIO

from funnelkit.course.classroom.sandbox import confine, forbid


def check_answers() -> None:
    """Confine this process, then run the cells of spec.json."""
    folder = Path.cwd()
    confine(folder)
    channel = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    cells = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    run_cells(cells, folder, channel)


def run_cells(cells: list[dict[str, str]], folder: Path, channel: TextIO) -> None:
    """Run cells in one namespace; what an answer raises is told in the place of its check."""
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda *shown, **how: None}
    broken: dict[str, str] = {}
    sealed: dict[tuple[str, str], tuple[Any, Any]] | None = None
    for cell in cells:
        exercise = cell["exercise"]
        if cell["kind"] == "answer" and sealed is None:
            _load_first()
            forbid(folder)
            sealed = _kit(names, cells)
        if exercise in broken:
            continue
        _tell(channel, at=cell["id"], exercise=exercise)
        if cell["kind"] == "check" and sealed is not None and _replaced(sealed, names):
            _tell(channel, tampered=exercise)
            return
        try:
            found = _run(cell["source"], names, wanted=cell["kind"] == "check")
        except BaseException as error:  # an answer may raise SystemExit too
            broken[exercise] = f"{type(error).__name__}: {error}"[:300]
            _tell(channel, done=exercise, state="error", hint="error", text=broken[exercise])
            continue
        if cell["kind"] == "check":
            ok, hint, text = bool(getattr(found, "ok", False)), str(getattr(found, "hint", "")), str(found)
            _tell(channel, done=exercise, state="right" if ok else "wrong", hint=hint, text=text)
    _tell(channel, end=True)


def _load_first() -> None:
    """Load what draws before answers are watched, where a lesson has tables to draw: it asks the system for fonts."""
    if "pandas" in sys.modules:
        import_module("matplotlib.pyplot")


def _kit(names: dict[str, Any], cells: list[dict[str, str]]) -> dict[tuple[str, str], tuple[Any, Any]]:
    """Return what of the kit an answer could replace, with its code: what a lesson took from it, and its checks."""
    checks = import_module("funnelkit.course.checks")
    for cell in cells:
        for name in re.findall(r"\bchecks\.(\w+)", cell["source"]) if cell["kind"] == "check" else []:
            getattr(checks, name)
    places = {name: vars(sys.modules[name]) for name in sys.modules if name.startswith("funnelkit.course.checks")}
    return {
        (place, name): (value, getattr(value, "__code__", None))
        for place, held in {"": names, **places}.items()
        for name, value in held.items()
        if _of_kit(value)
    }


def _of_kit(value: Any) -> bool:
    """Return whether a value is code of the kit; what its verbs found is the learner's to name anew."""
    if not isinstance(value, (FunctionType, ModuleType, type)):
        return False
    return str(getattr(value, "__module__", None) or getattr(value, "__name__", "")).startswith("funnelkit")


def _replaced(kept: dict[tuple[str, str], tuple[Any, Any]], names: dict[str, Any]) -> bool:
    """Return whether anything of the kit is another now; a module that was loaded again is as it was."""
    for (place, name), (value, code) in kept.items():
        held = vars(sys.modules[place]) if place in sys.modules else names if not place else {name: value}
        now = held.get(name)
        same = now is value or _identity(now) == _identity(value)
        if not same or getattr(now, "__code__", None) != code:
            return True
    return False


def _identity(value: Any) -> tuple[Any, Any, Any]:
    return type(value), getattr(value, "__module__", None), getattr(value, "__qualname__", None)


def _run(source: str, names: dict[str, Any], wanted: bool) -> Any:
    """Run a cell; of a check, return the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if wanted and tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None


def _tell(channel: TextIO, **said: Any) -> None:
    channel.write(json.dumps(said) + "\n")
    channel.flush()


if __name__ == "__main__":
    check_answers()
