"""Lessons: notebooks in two editions, executed so that a run without a change gives the same bytes.

The notebooks of `notebooks/en` and `notebooks/zh` are the source. `build` executes them, `student` writes copies
without solutions, `confirm` records which English text each Chinese cell translates.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from funnelkit.language import LANGUAGES, FunnelkitError, Lang, nearest, say, share
from funnelkit.report import warm_kernels

FOLDER = share("lessons")
EXPLORABLE = "application/vnd.funnelkit.explorable+json"  # what a page needs to show an explorable without a kernel
SHOWN = ("text/html", "text/plain", "image/png", EXPLORABLE)  # what an output keeps: what people see, nothing beside it
TAGS = (
    "hook", "card", "parameters", "imports", "idea", "question", "notice", "work", "method", "mistake", "explore",
    "widget", "exercise", "check", "solution", "takeaways", "next", "fixed", "offline",
)  # fmt: skip
MODULES = ("funnelkit", "numpy", "pandas", "seaborn", "matplotlib", "anywidget", "ipywidgets")  # what lessons import
LIMIT_S = 300  # longest that one cell may take
_NOTES = re.compile(r"\s*<!--\s*(?:trainer|讲师)\b.*?-->", re.DOTALL)


class LessonError(FunnelkitError):
    """A lesson that does not exist or does not run."""

    exit_code = 10


def names(folder: Path = FOLDER) -> list[str]:
    """Return the names of all lessons that have an edition in any language, in order.

    Parameters
    ----------
    folder : Path
        With one folder of notebooks for each language.

    Returns
    -------
    list of str

    Examples
    --------
    >>> names(Path("no such folder"))
    []
    """
    return sorted({path.stem for lang in LANGUAGES for path in (folder / lang).glob("[0-9]*.ipynb")})


def read_lesson(name: str, lang: str, folder: Path = FOLDER) -> Any:
    """Return one edition of a lesson; LessonError names the nearest lessons where there is none."""
    import nbformat

    path = folder / lang / f"{name}.ipynb"
    if not path.is_file():
        raise LessonError("no_such_lesson", file=str(path), nearest=nearest(name, names(folder) or ["-"]))
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types


def write_lesson(notebook: Any, path: Path) -> Path:
    """Write a notebook by one rename: the path holds the old file or the new one, never part of one."""
    import nbformat

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        text = nbformat.writes(notebook) + "\n"  # type: ignore[no-untyped-call]
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


# --- building --------------------------------------------------------------------------------------------------------


def build(
    out: str | Path | None = None, langs: Sequence[str] = LANGUAGES, chosen: Sequence[str] = (), folder: Path = FOLDER
) -> Iterator[Path]:
    """Execute lessons and yield the path of each as it is written.

    Parameters
    ----------
    out : str or Path, optional
        Folder to write to; in place by default.
    langs : sequence of str
        Editions.
    chosen : sequence of str
        Names of lessons; all by default.
    folder : Path
        Where they are read.

    Yields
    ------
    Path

    Raises
    ------
    LessonError
        For a name that is none, or a cell that fails; what was there before stays.

    Notes
    -----
    A run without a change gives the same bytes on the same machine; on another processor pictures may differ in a few
    bytes, and nothing else: outputs hold no digit that is not shown.
    """
    with warm_kernels(MODULES) as environment:
        for name in chosen or names(folder):
            for lang in langs:
                lesson = read_lesson(name, lang, folder)
                notebook = execute(lesson, f"{lang}/{name}.ipynb", folder / lang, environment=environment)
                yield write_lesson(notebook, Path(out or folder) / lang / f"{name}.ipynb")


def execute(
    notebook: Any,
    name: str,
    folder: Path,
    parameters: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Any:
    """Return a notebook executed in `folder` and tidied; `parameters` replace those of its parameters cell.

    The kernel has this environment; one of `warm_kernels` spares it its imports. Raises LessonError with lesson, cell
    and the last line of the error.
    """
    from nbclient.exceptions import CellExecutionError

    if parameters:
        notebook = _with_parameters(notebook, parameters)
    try:
        with TemporaryDirectory(prefix="fk") as runtime:
            _client(notebook, folder, runtime).execute(env={**environment, "PYTHONHASHSEED": "0"})
    except CellExecutionError as error:
        failed = next((cell.id for cell in notebook.cells if _failed(cell)), "?")
        raise LessonError("lesson_failed", lesson=name, cell=failed, reason=f"{error.ename}: {error.evalue}") from None
    return tidy(notebook)


def _with_parameters(notebook: Any, parameters: Mapping[str, Any]) -> Any:
    """Return the notebook with papermill's own cell of parameters; it wants the marks that its reader sets."""
    from papermill.parameterize import parameterize_notebook

    notebook.metadata.setdefault("papermill", {})
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    return parameterize_notebook(notebook, parameters)


def _client(notebook: Any, folder: Path, runtime: str) -> Any:
    """Return a client whose kernel listens on sockets in `runtime`: ports, chosen by several at once, can clash."""
    from nbclient import NotebookClient
    from traitlets.config import Config

    manager = {"client_factory": "funnelkit.report.kernels.client.Client"}
    if sys.platform != "win32":
        manager |= {"transport": "ipc", "connection_file": f"{runtime}/kernel.json"}
    return NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", record_timing=False, store_widget_state=False,
        resources={"metadata": {"path": str(folder)}}, config=Config({"KernelManager": manager}),
    )  # fmt: skip


def _failed(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def tidy(notebook: Any) -> Any:
    """Keep of each output what people see, drop what differs from run to run, join what one cell wrote in pieces."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.clear()
    notebook.metadata.update({"kernelspec": kernel, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        for key in ("execution", "papermill", "trusted", "collapsed"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = _tidy_outputs(cell.outputs)
    return notebook


def _tidy_outputs(outputs: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
            continue
        if "data" in output:
            output.data = {kind: output.data[kind] for kind in SHOWN if kind in output.data}
        kept.append(output)
    return kept


def student(
    out: str | Path, langs: Sequence[str] = LANGUAGES, chosen: Sequence[str] = (), folder: Path = FOLDER
) -> Iterator[Path]:
    """Write learners' copies, without solutions and outputs, and yield the path of each.

    Parameters
    ----------
    out : str or Path
        Folder to write to.
    langs, chosen, folder
        As `build` takes them.

    Yields
    ------
    Path
    """
    for name in chosen or names(folder):
        for lang in langs:
            notebook = without_solutions(read_lesson(name, lang, folder))
            yield write_lesson(notebook, Path(out) / lang / f"{name}.ipynb")


def without_solutions(notebook: Any) -> Any:
    """Return the notebook as a learner gets it: no solution cells, no outputs, and no trainer's notes."""
    notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:  # a note names the right answer of a vote, and the mistake to expect in an exercise
            cell.source = _NOTES.sub("", cell.source)
    return notebook


# --- two editions ----------------------------------------------------------------------------------------------------


def text_hash(source: str) -> str:
    """Return the hash that a translated cell records of the cell that it translates."""
    return hashlib.sha256(source.encode("utf-8")).hexdigest()[:16]


def confirm(name: str, cells: Sequence[str] = (), folder: Path = FOLDER) -> list[str]:
    """Record in the Chinese edition that its cells translate the English ones as they are now.

    Call it after reading both, never to silence a test.

    Parameters
    ----------
    name : str
        The lesson.
    cells : sequence of str
        Ids of its text cells; all by default.
    folder : Path
        With one folder of notebooks for each language.

    Returns
    -------
    list of str
        Ids of the cells whose record changed.

    Raises
    ------
    LessonError
        For a lesson or cell that does not exist.
    """
    english = {cell.id: cell.source for cell in read_lesson(name, "en", folder).cells}
    chinese = read_lesson(name, "zh", folder)
    ids = [cell.id for cell in chinese.cells if cell.cell_type == "markdown"]
    for cell_id in cells or ids:
        if cell_id not in english or cell_id not in ids:
            raise LessonError("no_such_cell", lesson=name, cell=cell_id, nearest=nearest(cell_id, ids))
    changed = []
    for cell in chinese.cells:
        if cell.id in (cells or ids):
            record = {"translates": text_hash(english[cell.id])}
            if cell.metadata.get("funnelkit") != record:
                cell.metadata["funnelkit"] = record
                changed.append(cell.id)
    if changed:
        write_lesson(chinese, folder / "zh" / f"{name}.ipynb")
    return changed


def differences(name: str, lang: Lang = "en", folder: Path = FOLDER) -> list[str]:
    """Return what keeps the two editions of a lesson from being in step, one sentence each, naming file and cell."""
    english, chinese = (read_lesson(name, edition, folder).cells for edition in ("en", "zh"))
    file = f"zh/{name}.ipynb"
    ids = [[cell.id for cell in cells] for cells in (english, chinese)]
    if ids[0] != ids[1]:
        first = next((pair for pair in zip(*ids, strict=False) if pair[0] != pair[1]), None)
        place = " / ".join(first) if first else (ids[0] + ids[1])[min(map(len, ids))]
        return [say("course.lessons.order", lang, file=file, cell=place)]
    found = []
    for ours, theirs in zip(english, chinese, strict=True):
        key = _difference(ours, theirs)
        if key:
            found.append(say(f"course.lessons.{key}", lang, file=file, cell=ours.id, name=name))
    return found


def _difference(english: Any, chinese: Any) -> str | None:
    if english.cell_type != chinese.cell_type:
        return "kind"
    if english.metadata.get("tags", []) != chinese.metadata.get("tags", []):
        return "tags"
    if english.cell_type == "markdown":
        recorded = chinese.metadata.get("funnelkit", {}).get("translates")
        return None if recorded == text_hash(english.source) else "stale"
    if "parameters" in english.metadata.get("tags", []):
        same = parameter_values(english.source) == parameter_values(chinese.source)
        return None if same else "parameters"
    return None if same_code(english.source, chinese.source) else "code"


def same_code(english: str, chinese: str) -> bool:
    """Return True where two cells differ in comments and visible words only.

    The syntax trees are equal but for string literals; one that differs has a Chinese sign or names the language. In
    an f-string the words may stand in another order, with the same values in the same formats.

    >>> same_code('print(f"{n} of {k:.1%}")  # all', 'print(f"{k:.1%}（共 {n}）")  # 全部')
    True
    >>> same_code('table["n_won"]', 'table["n_lost"]'), same_code('f"{n:.1%}"', 'f"比率 {n:.2%}"')
    (False, False)
    """
    ours, theirs = _words_apart(english), _words_apart(chinese)
    pairs = zip(ours[1], theirs[1], strict=False)
    return ours[0] == theirs[0] and all(a == b or not b.isascii() or b == re.sub("en$", "zh", a) for a, b in pairs)


def _words_apart(source: str) -> tuple[str, list[str]]:
    """Return the syntax tree as text without its string literals, and these in order."""
    reader = _Words()
    tree = reader.visit(ast.parse(source))
    return ast.dump(tree), reader.found


class _Words(ast.NodeTransformer):
    """Takes string literals out of a tree; of an f-string the values stay, in the order of their code."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if not isinstance(node.value, str):
            return node
        self.found.append(node.value)
        return ast.Constant("")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        values = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        return ast.JoinedStr(sorted(values, key=ast.dump))


def parameter_values(source: str) -> dict[str, tuple[str, str]]:
    """Return the parameters of a cell: {name: (type, default)}, whatever the language of its comments.

    >>> parameter_values("volume: int = 100  # people on the list")
    {'volume': ('int', '100')}
    """
    rows = [node for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    return {ast.unparse(row.target): (ast.unparse(row.annotation), ast.unparse(row.value or row)) for row in rows}
