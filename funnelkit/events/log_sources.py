"""A DuckDB relation over any kind of log, the files that one names, and names as DuckDB's SQL writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline

_PARQUET = (".parquet", ".pq")


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
    return db.read_csv(names, header=True, all_varchar=True)


def quote(name: str) -> str:
    """Return a column's name as SQL, its quotation marks doubled."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
