"""Lessons: notebooks in two editions, executed so that a run without a change gives the same bytes.

The notebooks of `notebooks/en` and `notebooks/zh` are the source. `build` executes them, `student` writes copies
without solutions, `confirm` records which English text each Chinese cell translates.
"""

import hashlib
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from funnelkit.language import LANGUAGES, FunnelkitError, nearest, say

FOLDER = Path(__file__).parents[2] / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
TAGS = ("parameters", "imports", "card", "exercise", "check", "solution", "widget")
LIMIT_S = 300  # longest that one cell may take


class LessonError(FunnelkitError):
    """A lesson that does not exist or does not run."""

    exit_code = 10


def names(folder=FOLDER):
    """Return the names of all lessons that have an edition in any language, in order."""
    return sorted({path.stem for lang in LANGUAGES for path in (folder / lang).glob("[0-9]*.ipynb")})


def read_lesson(name, lang, folder=FOLDER):
    """Return one edition of a lesson; LessonError names the nearest lessons where there is none."""
    import nbformat

    path = folder / lang / f"{name}.ipynb"
    if not path.is_file():
        raise LessonError("no_such_lesson", file=str(path), nearest=nearest(name, names(folder) or ["-"]))
    return nbformat.read(path, as_version=4)


def write_lesson(notebook, path):
    """Write a notebook by one rename: the path holds the old file or the new one, never part of one."""
    import nbformat

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


# --- building --------------------------------------------------------------------------------------------------------


def build(out=None, langs=LANGUAGES, chosen=(), folder=FOLDER):
    """Execute lessons and yield the path of each as it is written, in place unless `out` names another folder."""
    for name in chosen or names(folder):
        for lang in langs:
            notebook = execute(read_lesson(name, lang, folder), f"{lang}/{name}.ipynb", folder / lang)
            yield write_lesson(notebook, Path(out or folder) / lang / f"{name}.ipynb")


def execute(notebook, name, folder, parameters=None):
    """Return a notebook executed in `folder` and tidied; `parameters` replace those of its parameters cell.

    Raises LessonError with lesson, cell and the last line of the error.
    """
    from nbclient.exceptions import CellExecutionError

    if parameters:
        notebook = _with_parameters(notebook, parameters)
    try:
        with TemporaryDirectory(prefix="fk") as runtime:
            _client(notebook, folder, runtime).execute(env={**os.environ, "PYTHONHASHSEED": "0", "MPLBACKEND": "agg"})
    except CellExecutionError as error:
        failed = next((cell.id for cell in notebook.cells if _failed(cell)), "?")
        raise LessonError("lesson_failed", lesson=name, cell=failed, reason=f"{error.ename}: {error.evalue}") from None
    return tidy(notebook)


def _with_parameters(notebook, parameters):
    """Return the notebook with papermill's own cell of parameters; it wants the marks that its reader sets."""
    from papermill.parameterize import parameterize_notebook

    notebook.metadata.setdefault("papermill", {})
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    return parameterize_notebook(notebook, parameters)


def _client(notebook, folder, runtime):
    """Return a client whose kernel listens on sockets in `runtime`: ports, chosen by several at once, can clash."""
    from nbclient import NotebookClient
    from traitlets.config import Config

    manager = {} if sys.platform == "win32" else {"transport": "ipc", "connection_file": f"{runtime}/kernel.json"}
    return NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", record_timing=False, store_widget_state=False,
        resources={"metadata": {"path": str(folder)}}, config=Config({"KernelManager": manager}),
    )  # fmt: skip


def _failed(cell):
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def tidy(notebook):
    """Drop what differs from run to run: times, versions, widget state; join what one cell wrote in pieces."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.clear()
    notebook.metadata.update({"kernelspec": kernel, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        for key in ("execution", "papermill", "trusted", "collapsed"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = _tidy_outputs(cell.outputs)
    return notebook


def _tidy_outputs(outputs):
    kept = []
    for output in outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
            continue
        if "data" in output:
            output.data.pop(WIDGET_VIEW, None)
        kept.append(output)
    return kept


def student(out, langs=LANGUAGES, chosen=(), folder=FOLDER):
    """Write learners' copies, without solutions and outputs, and yield the path of each."""
    for name in chosen or names(folder):
        for lang in langs:
            notebook = without_solutions(read_lesson(name, lang, folder))
            yield write_lesson(notebook, Path(out) / lang / f"{name}.ipynb")


def without_solutions(notebook):
    """Return the notebook without its solution cells and without outputs."""
    notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


# --- two editions ----------------------------------------------------------------------------------------------------


def text_hash(source):
    """Return the hash that a translated cell records of the cell that it translates."""
    return hashlib.sha256(source.encode("utf-8")).hexdigest()[:16]


def confirm(name, cells=(), folder=FOLDER):
    """Record in the Chinese edition that its cells (all, or those named) translate the English ones as they are now.

    Returns the ids of the cells whose record changed. Call it after reading both, never to silence a test.
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


def differences(name, lang="en", folder=FOLDER):
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


def _difference(english, chinese):
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
    return None if english.source == chinese.source else "code"


def parameter_values(source):
    """Return the parameters of a cell but `lang`: {name: (type, default)}, whatever the language of its comments."""
    import ast

    rows = [node for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    return {
        row.target.id: (ast.unparse(row.annotation), ast.unparse(row.value)) for row in rows if row.target.id != "lang"
    }
