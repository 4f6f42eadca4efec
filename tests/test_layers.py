"""Layers import downward only, importing changes nothing heavy, and modules keep to their size."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "funnelkit"
# A module may import its own layer's earlier modules and lower layers. One line a layer, lowest first.
LAYERS = (
    ("texts", "errors", "grid", "words", "schema", "catalog", "share", "rule", "hooks", "check"),
    ("pipeline", "source", "files", "delimited", "large", "workbook", "database", "journal", "sheet", "dates", "values",
     "forms", "columns", "wide", "stages"),
    ("elapsed", "tables", "history", "counts", "quarantine", "join", "limits", "load", "synth_text", "synth_b2b",
     "synth", "synth_ratings"),
    # counting a log: rows scanned and sorted, then a chain, a strict machine or a loose search over them
    ("sql", "rows", "keys", "opening", "footers", "blocks", "scan", "chain", "depths", "machine", "loose", "search",
     "rates", "result", "periods", "spells"),
    ("count", "expression", "semantics", "conversion", "compare", "peers", "split", "bridge", "control", "leak"),
    ("survival", "durations", "timing", "stuck"),
    ("levels", "arrivals", "hazard", "curves", "simulate", "forecast", "backtesting", "calibration", "goal"),
    ("plan", "pharma", "loop", "tornado", "target", "review", "people", "conditions", "smart", "accounts",
     "position", "diffusion", "statement"),
    ("present", "plot", "lettering", "picture", "plot_plan", "plot_position", "plot_time", "plot_change",
     "plot_forecast", "catalog_text"),
    ("checks", "widgets", "panels", "panels_funnel", "server", "report"),
    ("lessons", "starter", "cli", "__main__", "__init__"),
)  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path for path in ROOT.rglob("*.py"))
HEAVY = ("matplotlib", "seaborn", "scipy.stats", "ipywidgets", "papermill", "statsmodels", "duckdb", "nbconvert")


def unit(path):
    """Return the layer table's name of a file: its module, or the sub-package it is in."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "funnelkit":
            tail = node.module.split(".")[1:]
            yield from ([tail[0]] if tail else [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("funnelkit."))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_downward(path):
    name = unit(path)
    assert name in LEVEL, f"{name} stands in no layer: add it to LAYERS here and to the README's table"
    upward = [other for other in imported(path) if other in LEVEL and LEVEL[other] > LEVEL[name]]
    assert not upward, f"{name} (layer {LEVEL[name]}) imports {upward} from above"


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


def test_no_import_cycles():
    graph = {}
    for path in MODULES:
        graph.setdefault(unit(path), set()).update(set(imported(path)) - {unit(path)})
    done, active = set(), []

    def visit(name):
        assert name not in active, f"cycle: {' -> '.join([*active, name])}"
        if name not in done:
            active.append(name)
            for other in graph.get(name, ()):
                visit(other)
            active.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_import_loads_nothing_heavy():
    code = f"import sys, funnelkit; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_exist():
    import funnelkit

    for name in funnelkit.__all__:
        assert getattr(funnelkit, name) is not None


def test_import_changes_no_global_state():
    code = (
        "import warnings, locale, pandas, matplotlib\n"
        "before = (list(warnings.filters), locale.setlocale(locale.LC_ALL))\n"
        "import funnelkit; from funnelkit import catalog, count, rates, plot, present\n"
        "assert (list(warnings.filters), locale.setlocale(locale.LC_ALL)) == before"
    )
    run = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
