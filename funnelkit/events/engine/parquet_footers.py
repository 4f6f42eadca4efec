"""Footers: what Parquet files tell of an event log without being read: its facts, and where its entities lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

_TYPES = {
    "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT",
    "uint8": "UTINYINT", "uint16": "USMALLINT", "uint32": "UINTEGER", "uint64": "UBIGINT",
    "float": "FLOAT", "double": "DOUBLE", "bool": "BOOLEAN", "date32[day]": "DATE",
    "string": "VARCHAR", "large_string": "VARCHAR", "string_view": "VARCHAR",
    "timestamp[ms]": "TIMESTAMP", "timestamp[us]": "TIMESTAMP",
    "timestamp[ms, tz=UTC]": "TIMESTAMP WITH TIME ZONE", "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
_ROWS = 1 << 20  # rows that are worth reading at once
_LARGEST = 1 << 22  # row groups beyond this are left to DuckDB, which reads them bit by bit


@dataclass(frozen=True)
class Chunk:
    """Neighbouring row groups of one file that are read at once, with their least and largest id and latest time."""

    path: Path
    places: tuple[int, ...]
    n_rows: int
    low: Any
    high: Any
    last: pd.Timestamp


@dataclass(frozen=True)
class Footers:
    """What the footers tell of a log none of whose ids and times is missing."""

    n_rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    chunks: tuple[Chunk, ...]

    @property
    def readable(self) -> bool:
        """Return whether every chunk is small enough to be held in memory."""
        return all(chunk.n_rows <= _LARGEST for chunk in self.chunks)

    @property
    def edges(self) -> set[Any] | None:
        """Return the ids that may stand in two chunks of a log in order of its entities; None where it is in none."""
        pairs = list(zip(self.chunks, self.chunks[1:], strict=False))
        if any(one.high > other.low for one, other in pairs):
            return None
        return {one.high for one, other in pairs if one.high == other.low}


def column_types(paths: Sequence[Path]) -> dict[str, str] | None:
    """Return {column: DuckDB's name of its type} of Parquet files, None where only DuckDB itself can tell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Folders named year=2026 are columns to DuckDB.
    if not paths or any("=" in part for path in paths for part in path.absolute().parts):
        return None
    try:
        schemas = [pq.read_schema(path) for path in paths]
    except (OSError, pa.ArrowException):
        return None
    names = schemas[0].names
    same = all(schema.equals(schemas[0]) for schema in schemas) and len({name.lower() for name in names}) == len(names)
    plain = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in schemas[0].types]
    types = {name: _TYPES.get(str(kind), "") for name, kind in zip(names, plain, strict=True)}
    return types if same and "" not in types.values() else None


def has_missing(paths: Sequence[Path], name: str) -> bool | None:
    """Return whether a column has missing values, None where the footers do not tell."""
    import pyarrow.parquet as pq

    counts = []
    for footer in map(pq.read_metadata, paths):
        place = footer.schema.to_arrow_schema().get_field_index(name)
        for part in range(footer.num_row_groups):
            column = footer.row_group(part).column(place)
            stats = column.statistics if column.is_stats_set else None
            if column.path_in_schema != name or stats is None or not stats.has_null_count:
                return None
            counts.append(stats.null_count)
    return any(counts)


def read_footers(paths: Sequence[Path], who: str, moment: str) -> Footers | None:
    """Return the Footers, or None where they do not tell all of it: no statistics, missing ids, infinite times."""
    import pyarrow.parquet as pq

    groups = []
    for path in paths:
        footer = pq.read_metadata(path)
        places = {footer.schema.column(n).path: n for n in range(footer.num_columns)}
        for part in range(footer.num_row_groups):
            group = footer.row_group(part)
            ids, span = (_span(group.column(places[name])) for name in (who, moment))
            # Empty text is no id either, which the least value tells.
            times = None if ids is None or span is None or ids[0] == "" else _times(span)
            if ids is None or times is None:
                return None
            groups.append((Chunk(path, (part,), group.num_rows, *ids, times[1]), times[0]))
    if not groups:
        return None
    chunks, firsts = zip(*groups, strict=True)
    last = max(chunk.last for chunk in chunks)
    return Footers(sum(chunk.n_rows for chunk in chunks), min(firsts), last, tuple(_joined(chunks)))


def _span(column: Any) -> tuple[Any, Any] | None:
    """Return (least, largest) value of a column of a row group, None where one is missing or not told."""
    if not column.is_stats_set:
        return None
    stats = column.statistics
    return (stats.min, stats.max) if stats.has_min_max and stats.null_count == 0 else None


def _times(span: tuple[Any, Any]) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Return the span as Timestamps, or None where it has a zone or is infinite, which is no date."""
    try:
        times = (pd.Timestamp(span[0]), pd.Timestamp(span[1]))
    except (ValueError, OverflowError, TypeError):
        return None
    return None if times[0].tzinfo is not None else times


def _joined(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Join small neighbouring row groups of a file."""
    joined: list[Chunk] = []
    for chunk in chunks:
        last = joined[-1] if joined else None
        if last is None or last.path != chunk.path or last.n_rows + chunk.n_rows > _ROWS:
            joined.append(chunk)
            continue
        low, high, until = min(last.low, chunk.low), max(last.high, chunk.high), max(last.last, chunk.last)
        joined[-1] = Chunk(last.path, last.places + chunk.places, last.n_rows + chunk.n_rows, low, high, until)
    return joined
