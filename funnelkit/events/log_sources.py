"""A DuckDB relation over any kind of log, the files that one names, and names as DuckDB's SQL writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.reading import EventRows, is_url, read_events

_PARQUET = (".parquet", ".pq")
_PLAIN = (*_PARQUET, ".csv")


@dataclass(frozen=True)
class LogColumns:
    """The names of the columns of an event log.

    Attributes
    ----------
    id : str
        Who: the deal, person or case.
    stage : str
        Which stage or event.
    at : str
        When.
    """

    id: str = "deal_id"
    stage: str = "stage"
    at: str = "entered_at"

    @property
    def named(self) -> dict[str, str]:
        """Return the columns that are not the usual ones, by their names in the kit's tables."""
        given = {str(item.default): str(getattr(self, item.name)) for item in fields(self)}
        return {name: header for name, header in given.items() if header != name}

    @classmethod
    def of(cls, columns: LogColumns | Mapping[str, str] | None) -> LogColumns:
        """Return the columns as given, as a dict names them, or the usual ones."""
        if columns is None or isinstance(columns, cls):
            return columns or cls()
        known = [item.name for item in fields(cls)]
        if not isinstance(columns, Mapping):
            raise DataError("columns_no_dict", found=type(columns).__name__, known=", ".join(known))
        for name in columns:
            if name not in known:
                raise DataError("no_such_log_column", name=str(name), known=", ".join(known))
        return cls(**columns)


def needs_reader(source: Any, reading: Mapping[str, Any]) -> bool:
    """Return whether only the reader can read a source: a file of another kind, or where options tell how to."""
    if any(value not in (None, (), [], {}) for value in reading.values()):
        return not isinstance(source, Pipeline)
    if paths := named_paths(source):
        return any(is_url(str(path)) or path.suffix.lower() not in _PLAIN for path in paths)
    return isinstance(source, (Mapping, list, tuple)) or hasattr(source, "read")


def read_rows(source: Any, columns: Mapping[str, str], reading: Mapping[str, Any]) -> EventRows:
    """Return the rows of a log as the reader reads them."""
    import duckdb

    if isinstance(source, duckdb.DuckDBPyRelation):
        source = source.df()
    paths = named_paths(source)
    options = {name: value for name, value in reading.items() if value is not None}
    options["map"] = {**options.get("map", {}), **columns}
    return read_events(*(paths or [source]), **options)


def open_log(db: Any, source: Any) -> Any:
    """Return a DuckDB relation over the source."""
    import duckdb

    if isinstance(source, duckdb.DuckDBPyRelation):
        return source
    if isinstance(source, pd.DataFrame):
        return db.from_df(source)
    if paths := named_paths(source):
        return _open_files(db, paths)
    if isinstance(source, Pipeline):
        return db.from_df(source.events)
    try:
        return db.from_arrow(source)
    except (duckdb.Error, TypeError):
        raise DataError("no_such_log", kind=type(source).__name__) from None


def named_paths(source: Any) -> list[Path]:
    """Return the paths that a source names, none where it is no file."""
    if isinstance(source, (str, Path)):
        return [Path(source)]
    named = isinstance(source, (list, tuple)) and all(isinstance(path, (str, Path)) for path in source)
    return [Path(path) for path in source] if named else []


def parquet_paths(source: Any) -> list[Path]:
    """Return the Parquet files that a source names."""
    return [path for path in named_paths(source) if path.suffix.lower() in _PARQUET]


def _open_files(db: Any, paths: Sequence[Path]) -> Any:
    for path in paths:
        if not path.is_file():
            raise DataError("no_such_file", file=str(path))
    parquet = {path.suffix.lower() in _PARQUET for path in paths}
    if len(parquet) > 1:
        raise DataError("mixed_files", files=", ".join(str(path) for path in paths))
    names = [str(path) for path in paths]
    if parquet.pop():
        return db.read_parquet(names)
    # No dialect in which faulty rows would fit: these are the reader's.
    return db.read_csv(names, header=True, all_varchar=True, skiprows=0, quotechar='"', escapechar='"')


def quote(name: str) -> str:
    """Return a column's name as SQL, its quotation marks doubled."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
