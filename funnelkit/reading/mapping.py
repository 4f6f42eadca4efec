"""Mapping: which column means what, for which file; read from a file, and proposed for one to be confirmed."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from funnelkit.language import DataError, FunnelkitError, nearest, say, tame_cell
from funnelkit.pipeline import Pipeline
from funnelkit.reading.containers.options import ReadOptions, Table
from funnelkit.reading.layouts.presets import key, preset_data, preset_names


def options_for(tables: Sequence[Table], options: ReadOptions) -> list[ReadOptions]:
    """Return the options of each table: of the mapped columns those that it has, or that are meant for it.

    Raises DataError where a mapped column is in no table, or a file or column of the kit is not known.
    """
    general, own = _split_map(options.map, tables)
    for canonical, header in general.items():
        if not any(_has(table, header) for table in tables):
            headers = [name for table in tables for name in table.cells.columns]
            raise DataError("no_mapped_column", file=tables[0].name, line=1, column=header, canonical=canonical,
                            nearest=nearest(header, headers))  # fmt: skip
    result = []
    for number, table in enumerate(tables):
        meant = {name: header for name, header in general.items() if _has(table, header)} | own.get(number, {})
        result.append(replace(options, map=meant or None))
    return result


def _has(table: Table, header: str) -> bool:
    return header in table.cells.columns or key(header) in map(key, table.cells.columns)


def _split_map(
    wanted: Mapping[str, str | Mapping[str, str]] | None, tables: Sequence[Table]
) -> tuple[dict[str, str], dict[int, dict[str, str]]]:
    """Return ({column: header} for all tables, {number of a table: {column: header}})."""
    general: dict[str, str] = {}
    own: dict[int, dict[str, str]] = {}
    for name, value in (wanted or {}).items():
        file, _, canonical = name.rpartition(":") if isinstance(value, str) else (name, "", "")
        for column, header in ({canonical: value} if isinstance(value, str) else value).items():
            _check_canonical(column)
            if not file:
                general[column] = header
                continue
            for number in _numbers_of(file, tables):
                own.setdefault(number, {})[column] = header
    return general, own


def _numbers_of(file: str, tables: Sequence[Table]) -> list[int]:
    """Return which tables a name of a file means: its own name, or that of the workbook that a sheet is of."""
    wanted = Path(file).name
    found = [n for n, table in enumerate(tables) if wanted in (table.name, table.name.partition("#")[0])]
    if not found:
        names = [table.name for table in tables]
        raise DataError("no_mapped_file", value=file, nearest=nearest(file, names))
    return found


def _check_canonical(column: str) -> None:
    if column not in canonical_names():
        raise DataError("no_such_canonical", value=column, nearest=nearest(column, sorted(canonical_names())))


@cache
def canonical_names() -> frozenset[str]:
    """Return the columns that a header can be mapped to."""
    found = {"before_at", "probability", "durations", "is_active", "is_deleted", "lost_stage", "void_at", "ended_at"}
    for name in preset_names():
        raw = preset_data(name)
        parts = [raw.get(part, {}) for part in ("columns", "events", "counts")]
        parts += [form.get("columns", {}) for form in raw.get("forms", {}).values()]
        found |= {canonical for part in parts for canonical in part}
    return frozenset(found)


# --- the file ---------------------------------------------------------------------------------------------------------

_SETTINGS = (
    "layout", "preset", "model", "stages", "won", "lost", "void", "as_of", "currency", "date_order", "decimal",
    "timezone", "encoding", "delimiter", "sheet", "table",
)  # fmt: skip


def read_mapping(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the arguments of `read` that a mapping file gives; what is left empty there is left out.

    Parameters
    ----------
    path : path
        A TOML file as `funnelkit check --write-mapping` writes it: settings, and tables of columns for each file.

    Returns
    -------
    dict

    Raises
    ------
    DataError
        Where it cannot be read, or holds what is no setting.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "mapping.toml")
    ...     _ = path.write_text('won = ["Signed"]\\n[columns."deals.csv"]\\nstage = "Phase"\\n')
    ...     read_mapping(path)
    {'won': ['Signed'], 'map': {'deals.csv': {'stage': 'Phase'}}}
    """
    try:
        raw = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError("mapping_unreadable", file=str(path), reason=str(error)) from None
    columns = raw.pop("columns", {})
    strange = next((name for name in raw if name not in _SETTINGS), None)
    if strange is not None or not isinstance(columns, dict):
        name = strange or "columns"
        raise DataError("mapping_setting", file=str(path), value=name, nearest=nearest(name, [*_SETTINGS, "columns"]))
    filled = {file: _filled(value) if isinstance(value, dict) else value for file, value in columns.items()}
    filled = _filled(filled)
    return {**_filled(raw), **({"map": filled} if filled else {})}


def _filled(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value not in ("", [], {})}


def with_mapping(*, mapping: str | os.PathLike[str] | None, **given: Any) -> dict[str, Any]:
    """Complete arguments of `read` by a mapping file; what is given otherwise goes before it.

    Parameters
    ----------
    mapping : path or None
        As `read_mapping` reads it.
    **given
        Keywords of `read`.

    Returns
    -------
    dict
        The keywords, `mapping` no longer among them.

    Raises
    ------
    DataError
        As `read_mapping`.

    Examples
    --------
    >>> with_mapping(mapping=None, won=["Signed"])
    {'won': ['Signed']}
    """
    if mapping is None:
        return given
    told = read_mapping(mapping)
    if given.get("stages") is not None or given.get("model") is not None:
        told = {name: value for name, value in told.items() if name not in ("stages", "model")}
    columns = {**told.pop("map", {}), **(given.get("map") or {})}
    return {**given, **{name: value for name, value in told.items() if given.get(name) in (None, ())},
            "map": columns or None}  # fmt: skip


def write_mapping(path: str | os.PathLike[str], result: Pipeline | FunnelkitError) -> None:
    """Write a mapping file.

    Parameters
    ----------
    path : path
    result : Pipeline or FunnelkitError
        What was read, or the error that ended the reading.

    Raises
    ------
    DataError
        Where the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from funnelkit.reading import read
    >>> with TemporaryDirectory() as folder:
    ...     write_mapping(f"{folder}/mapping.toml", read({"id": ["a"], "stage": ["Won"]}, stages=["Lead", "Won"]))
    """
    try:
        Path(path).write_text(mapping_text(result), encoding="utf-8")
    except OSError as error:
        raise DataError("mapping_unwritable", file=str(path), reason=error.strerror) from None


def mapping_text(result: Pipeline | FunnelkitError) -> str:
    """Return the text of a mapping file that says what was taken, or has the places to fill in.

    Parameters
    ----------
    result : Pipeline or FunnelkitError
        What was read, or the error that ended the reading.

    Returns
    -------
    str
        TOML.

    Examples
    --------
    >>> from funnelkit.reading import read
    >>> deals = {"id": ["a"], "stage": ["Won"], "Rep Name": ["Ann"]}
    >>> print(mapping_text(read(deals, stages=["Lead", "Won"])))  # doctest: +ELLIPSIS
    # Mapping...
    """
    failed = isinstance(result, FunnelkitError)
    found: Any = result.values.get("proposals", ()) if isinstance(result, FunnelkitError) else result.mapping
    problems: Any = result.values.get("problems", (result,)) if isinstance(result, FunnelkitError) else ()
    lines = [f"# {line}" for line in say("reading.mapping.head").splitlines()]
    if not failed and isinstance(result, Pipeline):
        lines.append(f"layout = {_toml(result.layout)}")
    lines += _asked_lines(problems)
    lines += _outcome_lines(found, None if failed else result, problems)
    for file in dict.fromkeys(row["file"] for row in found):
        lines += ["", f"[columns.{_toml(file)}]"]
        rows = [row for row in found if row["file"] == file]
        missing = [each.values["column"] for each in problems
                   if each.key == "no_column" and each.values.get("file") == file]  # fmt: skip
        lines += [f'{name} = ""  # {say("reading.mapping.fill")}' for name in missing if not _only(rows, name)]
        lines += [_column_line(row, rows) for row in rows]
    return "\n".join(lines) + "\n"


def _asked_lines(problems: Sequence[Any]) -> Iterator[str]:
    """Yield the settings that problems ask for, of an encoding the likely one."""
    keys = [each.key for each in problems]
    likely = next((each.values.get("likely") or "" for each in problems if each.key == "encoding_unclear"), None)
    if likely is not None:
        yield f"encoding = {_toml(likely)}  # {say('reading.mapping.perhaps')}"
    if any(name.startswith("date_order") for name in keys):
        yield f'date_order = ""  # {say("reading.mapping.fill")}: dmy, mdy, ymd'
    if any(name.startswith("decimal") for name in keys):
        yield f'decimal = ""  # {say("reading.mapping.fill")}: ".", ","'


def _outcome_lines(found: Sequence[Mapping[str, Any]], result: Any, problems: Sequence[Any]) -> Iterator[str]:
    """Yield the stages in order, as far as known, and the names of each outcome."""
    names: dict[str, str] = {}
    for row in found:
        names |= row.get("names", {})
    stages = [name for row in found if row["meaning"] == "stage" for name, kind in row.get("names", {}).items()
              if kind in ("", "open")]  # fmt: skip
    if result is not None:
        stages = [str(stage.name) for stage in result.model.stages]
        yield f"stages = {_toml(stages)}"
    elif usual := next((each.values["order"] for each in problems if each.values.get("order")), None):
        yield f"stages = {_toml(usual)}  # {say('reading.mapping.order_proposed')}"
    else:
        yield f"stages = []  # {say('reading.mapping.order')}: {_toml(list(dict.fromkeys(stages)))}"
    for kind in ("won", "lost", "void"):
        yield f"{kind} = {_toml([name for name, meant in names.items() if meant == kind])}"


def _only(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Return True where one column alone may be of this meaning."""
    return [row["meaning"] for row in rows].count(name) == 1


def _column_line(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a column with its first values: as taken or proposed, or as kept."""
    shown = tame_cell(", ".join(row["values"]))
    confidence = "stage_date" if row["meaning"] == "stage_date" else row["confidence"]
    comment = "# " + say(f"reading.mapping.{confidence}") + ": " + shown
    if row["meaning"] in (None, "stage_date"):
        return f"# {_toml(row['column'])}  {comment}"
    line = f"{row['meaning']} = {_toml(row['column'])}  {comment}"
    return line if row["confidence"] != "perhaps" or _only(rows, row["meaning"]) else f"# {line}"


def _toml(value: Any) -> str:
    """Return a text or list of texts as TOML writes it, which is as JSON does."""
    return json.dumps(value, ensure_ascii=False)
