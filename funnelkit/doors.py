"""Doors of the rooms: what a room's stub (`__init__.pyi`) names is public and loads its module at first use.

The stub is the only list: editors and type checkers read it as it stands, and this module reads it at import.
"""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A package whose public names stay what the door says.

    The import system binds every loaded submodule to its package. Where a verb has the name of its module
    (`backtest`, `cascade`), that would put the module in the verb's place.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in self.__dict__.get("__all__", ())):
            super().__setattr__(name, value)


def open_door(room: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of the package `room`, as its stub names them."""
    package = sys.modules[room]
    homes = _homes(Path(str(package.__file__)).with_suffix(".pyi"))
    package.__class__ = _Room

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module, attribute = homes[name]
        found = import_module(f"{room}.{module}" if module else f"{room}.{attribute}")
        value = getattr(found, attribute) if module else found
        package.__dict__[name] = value
        return value

    return load, lambda: sorted(homes), sorted(homes)


def _homes(stub: Path) -> dict[str, tuple[str, str]]:
    """Return {public name: (module below the room, name there)}; no module where the name is itself a module."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1]
    homes = {alias.asname or alias.name: (node.module or "", alias.name) for node in imports for alias in node.names}
    for node in tree.body:  # plot = charts
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Name):
            homes[node.targets[0].id] = homes[node.value.id]
    return homes
