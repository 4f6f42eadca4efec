"""Rooms import downward only and through their doors, importing changes nothing heavy, and modules keep their size."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "funnelkit"
CONTRIBUTING = ROOT.parent / "CONTRIBUTING.md"
MODULES = sorted(ROOT.rglob("*.py"))
HEAVY = (
    "matplotlib",
    "seaborn",
    "scipy.stats",
    "ipywidgets",
    "papermill",
    "statsmodels",
    "duckdb",
    "nbconvert",
    "babel",
)
# The one upward way: a Result looks up its chart by name, when it is shown.
LATE = {("result", "charts")}


def rooms():
    """Return the rooms in the order of CONTRIBUTING's table: each may import those above it."""
    found = re.findall(r"^\| `(\w+)(?:\.py|/)` \|", CONTRIBUTING.read_text(encoding="utf-8"), flags=re.M)
    assert len(found) > 10
    return found


def room_of(path, root=ROOT):
    return path.relative_to(root).with_suffix("").parts[0]


def imports(source):
    """Yield (line, dotted name below funnelkit) of every import of the kit, also one that is spelled in a string."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "funnelkit":
            inner = node.module.partition(".")[2]
            yield from [(node.lineno, inner)] if inner else [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, "relative"
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, name.name[10:]) for name in node.names if name.name.startswith("funnelkit."))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "import_module":
            text = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
            if text.startswith("funnelkit."):
                yield node.lineno, text[10:]


def faults(source, room, order):
    """Return what is wrong with a module's imports: from a room below, or from inside another room."""
    wrong = []
    for line, name in imports(source):
        other = name.partition(".")[0]
        if other in ("doors", "__version__") or other == room or (room, other) in LATE:
            continue
        if other not in order:
            wrong.append(f"line {line}: {name} is no room of CONTRIBUTING's table")
        elif "." in name:
            wrong.append(f"line {line}: {name} is inside the room {other}: import it from funnelkit.{other}")
        elif room in order and order.index(other) > order.index(room):
            wrong.append(f"line {line}: {room} imports {other} from below")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_downward_through_doors(path):
    room = room_of(path)
    assert room in [*rooms(), "doors", "__init__", "__main__"], f"{room} stands in no row of CONTRIBUTING's table"
    assert faults(path.read_text(encoding="utf-8"), room, rooms()) == []


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("from funnelkit.charts import funnel_chart", "from below"),
        ("def f():\n    from funnelkit.report import page", "from below"),
        ("from funnelkit.stats.rates import wilson", "inside the room"),
        ("import funnelkit.stats.rates", "inside the room"),
        ("from importlib import import_module\nimport_module('funnelkit.charts')", "from below"),
        ("from funnelkit.cellar import wine", "no room"),
    ],
)
def test_the_test_of_rooms_sees_wrong_imports(source, word):
    assert [word in fault for fault in faults(source, "analysis", rooms())] == [True]
    assert (
        faults("from funnelkit.stats import wilson\nfrom funnelkit.analysis.count import x", "analysis", rooms()) == []
    )


def test_the_top_of_the_package_is_small():
    flat = sorted(path.name for path in ROOT.glob("*.py"))
    assert len(flat) <= 6, flat
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in ("__pycache__", "_share")}
    assert folders | {path.removesuffix(".py") for path in flat} == set(rooms()) | {"doors", "__init__", "__main__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_budget(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, "a module holds one idea in at most 400 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= 40, f"{node.name} has {lines} lines, at most 40"
            positional = [arg for arg in node.args.args if arg.arg not in ("self", "cls")]
            assert len(positional) <= 5, f"{node.name} takes {len(positional)} positional parameters, at most 5"


def test_no_public_class_or_function_has_the_name_of_another():
    homes = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                homes[node.name].append(path.relative_to(ROOT).as_posix())
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_no_import_cycles():
    graph = defaultdict(set)
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        graph[room_of(path)] |= {name.partition(".")[0] for _, name in imports(text)} - {room_of(path)}
    order = ["doors", *rooms()]
    for room in order:
        above = graph[room] - {other for one, other in LATE if one == room}
        assert all(order.index(other) < order.index(room) for other in above if other in order), room


@pytest.mark.parametrize("room", [room for room in rooms() if (ROOT / room / "__init__.pyi").is_file()] + [""])
def test_every_door_opens(room):
    """Each name of a stub is there, and a verb stays the verb once the module of its name is loaded."""
    name = f"funnelkit.{room}".rstrip(".")
    code = (
        f"import importlib, types\ndoor = importlib.import_module({name!r})\n"
        "for _ in range(2):\n"
        "    found = {name: getattr(door, name) for name in door.__all__}\n"
        "    assert set(dir(door)) == set(door.__all__)\n"
        "modules = [name for name, value in found.items() if isinstance(value, types.ModuleType)]\n"
        "print(modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    if room and "from . import" not in (ROOT / room / "__init__.pyi").read_text(encoding="utf-8"):
        assert run.stdout.strip() == "[]"


def test_import_loads_nothing_heavy():
    code = f"import sys, funnelkit; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_import_changes_no_global_state():
    code = (
        "import warnings, locale, pandas, matplotlib\n"
        "before = (list(warnings.filters), locale.setlocale(locale.LC_ALL))\n"
        "import funnelkit\n"
        "for name in funnelkit.__all__:\n    getattr(funnelkit, name)\n"
        "assert (list(warnings.filters), locale.setlocale(locale.LC_ALL)) == before"
    )
    run = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
