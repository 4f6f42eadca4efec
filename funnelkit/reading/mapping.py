"""Mapping: which column means what, for which file; read from a file, and proposed for one to be confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from funnelkit.language import DataError, nearest
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
