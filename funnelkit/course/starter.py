"""Starter: a notebook of the user's own from a data file: mapping, checks, first funnel, next steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit.language import DataError, Shown, label, language, say, show
from funnelkit.models import model_names
from funnelkit.pipeline import Pipeline
from funnelkit.reading import (
    READING_OPTIONS,
    ReadOptions,
    cell_text,
    date_stem,
    is_url,
    map_columns,
    open_source,
    read,
    without_password,
)

_OTHERS = ("encoding", "decimal", "date_order", "currency", "timezone", "delimiter", "sheet", "table")
_READ = """import funnelkit as fk
from funnelkit import report
from funnelkit.course import show_mapping

fk.use(lang)
named = {"model": model or None, "stages": None if model else stages or None, "as_of": as_of or None}
how = {"layout": layout or None, "preset": preset or None, "join": join, "map": columns}
pipeline = fk.read(*data, **named, **how, **reading)
show_mapping(data, columns, reading)"""
_CELLS = (
    ("quality", "report.data_quality(pipeline)"),
    ("limits", "report.source_limits(pipeline)"),
    ("funnel", "report.funnel_table(pipeline)"),
    ("chart", "fk.plot.funnel_chart(fk.count_stages(pipeline))"),
    ("headline", "report.headline(pipeline)"),
    ("segment", "report.segment_table(pipeline, segment)"),
)


def write_notebook(file: str | Path, out: str | Path | None = None, **reading: Any) -> Path:
    """Read a file and write a notebook that reads it the same way.

    Parameters
    ----------
    file : str or Path
        A file, or a database's URL.
    out : str or Path, optional
        Where to write it; by default in the current folder under the file's name.
    **reading
        The keywords of `read`.

    Returns
    -------
    Path
        Of the notebook.

    Raises
    ------
    DataError
        Where the file cannot be read, none of its rows is good, or the notebook exists already; nothing is written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from funnelkit.language import sample_files
    >>> with TemporaryDirectory() as folder:
    ...     write_notebook(sample_files()[0], f"{folder}/mine.ipynb", stages="industrial-8").name
    'mine.ipynb'
    """
    return _write(file, Path(out) if out else Path(f"{_stem(file)}.ipynb"), reading)


def _write(file: str | Path, path: Path, reading: Mapping[str, Any]) -> Path:
    if path.exists():
        raise DataError("notebook_exists", file=str(path))
    pipeline = read(file, **reading)
    if not pipeline.rows.good:
        raise DataError("nothing_to_start", file=str(file), n=pipeline.rows.quarantined)
    text = _document(_values(file, pipeline, reading), _cells(pipeline))
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise DataError("notebook_exists", file=str(path)) from None
    except OSError as error:
        raise DataError("notebook_unwritable", file=str(path), reason=error.strerror) from None
    return path


def _stem(file: str | Path) -> str:
    return (
        without_password(file).rpartition("/")[2].partition("?")[0].replace("#", "_")
        if is_url(file)
        else Path(file).stem
    )


def _values(file: str | Path, pipeline: Pipeline, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the notebook: what was found while reading."""
    model = pipeline.model.id if pipeline.model.id in model_names() else _model_file(reading.get("stages"))
    names = [] if model else [str(stage.name) for stage in pipeline.model.stages]
    stated = {name: reading.get(name) for name in _OTHERS} | {"on": reading.get("on") or None}
    return {
        "data": [_place(file)], "join": [_place(source) for source in reading.get("join") or ()],
        "columns": _mapping(file, reading, pipeline.layout), "layout": pipeline.layout,
        "preset": reading.get("preset") or "", "model": model, "stages": names,
        "as_of": f"{pipeline.as_of:%Y-%m-%d}" if reading.get("as_of") else "",
        "reading": {name: value for name, value in stated.items() if value is not None}, "segment": "",
        "lang": language(),
    }  # fmt: skip


def _model_file(stages: Any) -> str:
    """Return the path of a model file that was given as the stages, else nothing."""
    given = isinstance(stages, str) and "," not in stages and Path(stages).is_file()
    return str(Path(stages).resolve()) if given else ""


def _place(source: str | Path) -> str:
    """Return where a source is, from any folder; a password stays out."""
    return without_password(source) if is_url(source) else str(Path(source).resolve())


def _mapping(file: str | Path, reading: Mapping[str, Any], layout: str) -> dict[str, str]:
    """Return {canonical name: header}; empty where the columns alone do not tell, for some exports are rearranged."""
    options = ReadOptions(**{name: reading[name] for name in READING_OPTIONS if name in reading})
    try:
        return map_columns(open_source(file, options), options, layout, reading.get("preset")).columns
    except DataError:
        return {}


def show_mapping(data: Sequence[str], columns: Mapping[str, str], reading: Mapping[str, Any]) -> Shown:
    """Return a table of the first source's columns: what each is taken as, and its first value."""
    table = open_source(data[0], ReadOptions(**reading))
    meaning = {header: label(name) for name, header in columns.items()}
    rows = []
    for header in table.cells.columns:
        known = cell_text(table.cells[header].head(1000)).dropna()
        value = str(known.iloc[0])[:60] if len(known) else ""
        other = say("course.starter.stage_date" if date_stem(header) else "course.starter.kept")
        rows.append((header, meaning.get(header, other), value))
    head = [say(f"course.starter.{name}") for name in ("column", "meaning", "example")]
    return show(pd.DataFrame(rows, columns=head))


def _cells(pipeline: Pipeline) -> Sequence[tuple[str, str]]:
    """Return the cells that this source can fill: a table of counts has no deals, and seldom who advanced."""
    if pipeline.counts is None:
        return _CELLS
    can = {"quality", "limits", "funnel", *(["chart"] if "n_advanced" in pipeline.counts else [])}
    return [cell for cell in _CELLS if cell[0] in can]


# --- the document ----------------------------------------------------------------------------------------------------


def _document(values: Mapping[str, Any], steps: Sequence[tuple[str, str]]) -> str:
    from funnelkit.report import import_nbformat

    nbformat = import_nbformat()
    new = nbformat.v4
    cells = [
        new.new_markdown_cell(say("course.starter.title"), id="title"),
        new.new_markdown_cell(say("course.starter.parameters"), id="parameters-title"),
        new.new_code_cell(_parameters(values), id="parameters", metadata={"tags": ["parameters"]}),
        new.new_markdown_cell(say("course.starter.mapping"), id="read-title"),
        new.new_code_cell(_READ, id="read"),
    ]
    for name, code in steps:
        cells.append(new.new_markdown_cell(say(f"course.starter.{name}"), id=f"{name}-title"))
        cells.append(new.new_code_cell(code, id=name))
    cells.append(new.new_markdown_cell(say("course.starter.next"), id="next"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = new.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    return str(nbformat.writes(notebook)) + "\n"


def _parameters(values: Mapping[str, Any]) -> str:
    """Return the cell of parameters: each a literal, so that nothing of the data is ever run."""
    texts = {"segment": "segment_name"}
    lines = (
        f"{name}: {type(value).__name__} = {value!r}  # {say(f'course.starter.{texts.get(name, name)}')}"
        for name, value in values.items()
    )
    return "\n".join(lines)
