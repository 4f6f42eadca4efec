"""Starter: a notebook of the user's own from a data file: mapping to confirm, checks, first funnel, next steps.

Where the file tells all, the notebook runs at once. Where it does not, what is proposed stands in the parameters, what
is not sure above them, and the notebook stops before reading until `confirmed` is set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit.course.drafts import Draft, draft
from funnelkit.language import DataError, Shown, label, say, show
from funnelkit.pipeline import Pipeline
from funnelkit.reading import ReadOptions, is_url, mapping_text, open_source, propose, without_password

_LOOK = """import funnelkit as fk
from funnelkit import report
from funnelkit.course import require_confirmed, save_mapping, show_mapping, show_names

fk.use(lang)
show_mapping(data, columns, reading)"""
_NAMES = "show_names(data, columns, reading, won=won, lost=lost, void=void)"
_READ = """require_confirmed(confirmed)
named = {"model": model or None, "stages": None if model else stages or None, "as_of": as_of or None}
ends = {"won": won or None, "lost": lost or None, "void": void or None}
how = {"layout": layout or None, "preset": preset or None, "join": join, "map": columns}
pipeline = fk.read(*data, **named, **ends, **how, **reading)
save_mapping(mapping, pipeline, columns, reading)"""
_FOLLOW = """steps = list(pipeline.model.stage_ids)
rule = fk.Rule(window=window, optional=steps[1:-1])
found = fk.journeys(pipeline, steps, rule, as_of=pipeline.as_of)
fk.plot.journey_chart(found)"""
_LOG_CELLS = (
    ("journeys", _FOLLOW),
    ("times", "fk.time_to_convert(found)"),
    ("trend", "fk.conversion_trend(found)"),
    ("dropped", "fk.dropped(found, steps[0])"),
)  # of an event log: each entity is followed
_CELLS = (
    ("quality", "report.data_quality(pipeline)"),
    ("limits", "report.unanswered(pipeline)"),
    ("funnel", "report.funnel_table(pipeline)"),
    ("chart", "fk.plot.funnel_chart(fk.count_stages(pipeline))"),
    ("win-rate", "fk.attempt(fk.win_rate, pipeline)"),
    ("segment", "fk.attempt(report.rate_segments, pipeline, segment)"),
)


def write_notebook(file: str | Path, out: str | Path | None = None, **reading: Any) -> Path:
    """Write a notebook that reads a file; wherever a table can be parsed, there is one.

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
        Where the file holds no table that can be parsed, none of its rows is good, or the notebook exists already;
        nothing is written.

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
    found = draft(file, reading, f"{path.stem}.mapping.toml")
    text = _document(found)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise DataError("notebook_exists", file=str(path)) from None
    except OSError as error:
        raise DataError("notebook_unwritable", file=str(path), reason=error.strerror) from None
    return path


def _stem(file: str | Path) -> str:
    if is_url(file):
        return without_password(file).rpartition("/")[2].partition("?")[0].replace("#", "_")
    return Path(file).stem


# --- what the notebook shows -----------------------------------------------------------------------------------------


def show_mapping(data: Sequence[str], columns: Mapping[str, str], reading: Mapping[str, Any]) -> Shown:
    """Show the columns of the first source: first values, what each is taken as, and how sure that is.

    Parameters
    ----------
    data, columns, reading
        The parameters of a new notebook.

    Returns
    -------
    Shown
        A table.
    """
    rows = []
    for row in _proposals(data, columns, reading):
        taken = row["meaning"] if row["confidence"] == "sure" or row["meaning"] == "stage_date" else None
        if row["column"] in columns.values():
            taken = next(name for name, header in columns.items() if header == row["column"])
        meaning = say("course.starter.stage_date") if taken == "stage_date" else taken and label(taken)
        other = "perhaps" if row["meaning"] not in (None, "stage_date") else "kept"
        kept = say(f"course.starter.{other}", meaning=label(row["meaning"])) if other == "perhaps" else None
        sure = say(f"course.starter.{row['confidence']}") if taken else ""
        rows.append((row["column"], ", ".join(row["values"]), meaning or kept or say("course.starter.kept"), sure))
    head = [say(f"course.starter.{name}") for name in ("column", "example", "meaning", "sureness")]
    return show(pd.DataFrame(rows, columns=head))


def show_names(
    data: Sequence[str], columns: Mapping[str, str], reading: Mapping[str, Any], *, won: Sequence[str] = (),
    lost: Sequence[str] = (), void: Sequence[str] = (),
) -> Shown:  # fmt: skip
    """Show the names in the columns of stage and status of the first source, and what each is taken as.

    Parameters
    ----------
    data, columns, reading, won, lost, void
        The parameters of a new notebook.

    Returns
    -------
    Shown
        A table.
    """
    how = {**reading, "won": list(won), "lost": list(lost), "void": list(void)}
    rows = []
    for row in _proposals(data, columns, how):
        if row["column"] not in (columns.get("stage"), columns.get("status")):
            continue
        stage = "goes_on" if row["column"] == columns.get("stage") else "no_outcome"
        for name, end in row.get("names", {}).items():
            meaning = label(end) if end and end != "open" else say(f"course.starter.{stage}")
            rows.append((row["column"], name, meaning))
    head = [say(f"course.starter.{name}") for name in ("column", "name", "meaning")]
    return show(pd.DataFrame(rows, columns=head))


def _proposals(
    data: Sequence[str], columns: Mapping[str, str], reading: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    options = ReadOptions(**{**reading, "map": dict(columns)})
    return propose(open_source(data[0], options), columns, options)


def require_confirmed(confirmed: bool) -> None:
    """Stop a new notebook until its user has said that columns, outcomes and order are right.

    Parameters
    ----------
    confirmed : bool

    Raises
    ------
    DataError
        Where it is False.
    """
    if not confirmed:
        raise DataError("mapping_unconfirmed")


def save_mapping(path: str, pipeline: Pipeline, columns: Mapping[str, str], reading: Mapping[str, Any]) -> None:
    """Write what was confirmed as a mapping file for `report`, `check` and `count`; say where it is.

    Parameters
    ----------
    path : str
    pipeline : Pipeline
    columns, reading
        The parameters of a new notebook.

    Raises
    ------
    DataError
        Where the file cannot be written.
    """
    taken = set(columns.values())
    rows = [
        row if row["column"] in taken else {**row, "meaning": None, "confidence": "none"} for row in pipeline.mapping
    ]
    lines = mapping_text(replace(pipeline, mapping=tuple(rows))).splitlines()
    n_head = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    own = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in reading.items() if name != "on"]
    try:
        Path(path).write_text("\n".join([*lines[:n_head], *own, *lines[n_head:]]) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError("notebook_unwritable", file=path, reason=error.strerror) from None
    print(say("course.starter.saved", file=path))


# --- the document ----------------------------------------------------------------------------------------------------


def _steps(found: Draft) -> list[tuple[str, str]]:
    """Return the cells that this source can fill: a table of counts has no deals, and seldom who advanced."""
    start = [("mapping", _LOOK), *([("outcomes", _NAMES)] if found.has_names else []), ("read", _READ)]
    if found.counts is None:
        return [*start, *_CELLS, *(_LOG_CELLS if "window" in found.values else ())]
    can = {"quality", "limits", "funnel", *(["chart"] if "n_advanced" in found.counts else [])}
    return [*start, *(cell for cell in _CELLS if cell[0] in can)]


def _document(found: Draft) -> str:
    from funnelkit.report import import_nbformat

    nbformat = import_nbformat()
    new = nbformat.v4
    cells = [
        new.new_markdown_cell(say("course.starter.title"), id="title"),
        new.new_markdown_cell(_before(found), id="parameters-title"),
        new.new_code_cell(_parameters(found.values), id="parameters", metadata={"tags": ["parameters"]}),
    ]
    for name, code in _steps(found):
        cells.append(new.new_markdown_cell(say(f"course.starter.{name}"), id=f"{name}-title"))
        cells.append(new.new_code_cell(code, id=name))
    cells.append(new.new_markdown_cell(say("course.starter.next"), id="next"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = new.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    return str(nbformat.writes(notebook)) + "\n"


def _before(found: Draft) -> str:
    """Return what stands above the parameters: what was found, or what has to be confirmed, and why."""
    if found.values["confirmed"]:
        return say("course.starter.parameters")
    texts = "\n".join(f"- `{' '.join(text.replace('`', '´').split())}`" for text in found.open)
    return say("course.starter.to_confirm", open=texts)


def _parameters(values: Mapping[str, Any]) -> str:
    """Return the cell of parameters: each a literal, so that nothing of the data is ever run."""
    texts = {"segment": "segment_name", "mapping": "mapping_file"}
    lines = (
        f"{name}: {type(value).__name__} = {value!r}  # {say(f'course.starter.{texts.get(name, name)}')}"
        for name, value in values.items()
    )
    return "\n".join(lines)
