"""Database: one table of a DuckDB, SQLite or PostgreSQL database -> Table. Read only; no name reaches SQL unseen.

Identifiers are those that the database's own catalogue lists, values are bound, and no password is ever shown.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeGuard
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.excel import typed_column
from funnelkit.reading.containers.options import Bounds, ReadOptions, Table, check_header

_Tables: TypeAlias = dict[tuple[str, str], tuple[str, bool]]  # (schema, table) -> title, is a view
KINDS = ("duckdb", "sqlite", "postgresql")
_CHUNK = 50_000
_HOME_SCHEMAS = ("", "main", "public")
_SSL = {"disable": None, "prefer": None, "require": True, "verify-ca": True, "verify-full": True}


class _Database(Protocol):
    """One database, read only."""

    def tables(self) -> _Tables: ...

    def columns(self, schema: str, table: str) -> list[str]: ...

    def rows(self, schema: str, table: str, columns: Sequence[str], most: int) -> Iterator[Sequence[Sequence[Any]]]: ...


def is_url(source: object) -> TypeGuard[str]:
    """Return True where a source is a URL rather than a path.

    Parameters
    ----------
    source : object
        Whatever is to be read.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_url("sqlite:///crm.db"), is_url("deals.csv")
    (True, False)
    """
    return isinstance(source, str) and "://" in source


def database_kind(head: bytes) -> str | None:
    """Return the kind of database file that begins with these bytes, None where it is none."""
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    return "duckdb" if head[8:12] == b"DUCK" else None


def shown(source: object) -> str:
    """Return a source as messages may show it: of a URL no password, no options.

    Parameters
    ----------
    source : object
        A path or URL.

    Returns
    -------
    str

    Examples
    --------
    >>> shown("postgresql://ann:secret@db.example/crm?sslmode=require#deals")
    'postgresql://ann@db.example/crm#deals'
    """
    if not is_url(source):
        return str(source)
    kind, _, rest = source.partition("://")
    rest, table = _fragment(rest)
    account, at, place = rest.rpartition("@")
    place = place.partition("?")[0]
    return f"{kind}://{account.partition(':')[0]}{at}{place}{'#' + table if table else ''}"


def without_password(url: str) -> str:
    """Return a URL that still leads to its table, the password taken out.

    Parameters
    ----------
    url : str
        The URL of a database.

    Returns
    -------
    str

    Examples
    --------
    >>> without_password("postgresql://ann:secret@db.example/crm?sslmode=require#deals")
    'postgresql://ann@db.example/crm?sslmode=require#deals'
    """
    kind, _, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    return f"{kind}://{account.partition(':')[0]}{at}{place}"


def _fragment(text: str) -> tuple[str, str | None]:
    """Return (text, table) of `text#table`; a sign # inside a password or a folder's name starts no table."""
    before, sign, table = text.rpartition("#")
    return (before, unquote(table)) if sign and not {"/", "@"} & set(table) else (text, None)


def open_database(source: str | Path, options: ReadOptions, kind: str | None = None) -> Table:
    """Return the Table of a table or view: of a URL, or of the path of a database file of this `kind`.

    The table is `options.table`, else what follows `#` in the URL, else the only one there is. Rows come in the order
    of the primary key. Raises DataError where the database cannot be read or holds more rows than the limit.
    """
    name, table = shown(source), None
    if kind is None:
        kind, _, rest = str(source).partition("://")
        rest, table = _fragment(rest)
        kind = {"postgres": "postgresql", "sqlite3": "sqlite"}.get(kind, kind)
        if kind not in KINDS:
            raise DataError("database_kind", value=name, known=", ".join(f"{kind}://" for kind in KINDS))
        source = rest if kind == "postgresql" else unquote(rest.partition("?")[0].removeprefix("/"))
    if kind != "postgresql" and not Path(source).is_file():
        key = "absolute_url" if "://" in name and Path(f"/{source}").is_file() else "no_such_file"
        raise DataError(key, file=name, url=f"{kind}:////{source}")
    name = name if kind == "postgresql" else Path(source).name
    try:
        with _OPEN[kind](source) as database:
            return _read(database, name.partition("#")[0], options.table or table, options)
    except DataError:
        raise
    except ImportError as error:
        raise DataError("database_driver", value=name, package=error.name) from None
    except Exception as error:  # each driver has its own types; whatever it was, the reading has ended
        raise DataError("database_unreadable", file=name, reason=_reason(error, source)) from None


def _reason(error: Any, source: str | Path) -> str:
    """Return the first line of a driver's message, without the password whatever its form."""
    error = getattr(error, "orig", None) or error
    told = error.args[0] if error.args else ""
    text = str(told.get("M", "") if isinstance(told, dict) else told).strip() or type(error).__name__
    text = text.splitlines()[0][:200]
    secret = str(source).rpartition("@")[0].partition(":")[2]
    for form in filter(None, {secret, unquote(secret), os.environ.get("PGPASSWORD", "")}):
        text = text.replace(form, "***")
    return text


def _read(database: _Database, name: str, wanted: str | None, options: ReadOptions) -> Table:
    tables = database.tables()
    place, others = _choose(tables, wanted, name)
    columns = database.columns(*place)
    title = tables[place][0]
    name = f"{name}#{title}"
    if len(columns) > options.bounds.columns:
        raise DataError("too_many_columns", file=name, n=len(columns), limit=options.bounds.columns)
    check_header(columns, name, 1)
    cells = _frame(database.rows(*place, columns, options.bounds.table_rows + 1), columns, name, options.bounds)
    note = Finding("table_found", "note", name, value=title, values={"others": ", ".join(others) or "-"})
    return Table(name, cells, np.arange(1, len(cells) + 1), "database", notes=(note,))


def _choose(tables: _Tables, wanted: str | None, name: str) -> tuple[tuple[str, str], list[str]]:
    """Return ((schema, table) of the catalogue, names of the others)."""
    titles = {title: place for place, (title, _) in tables.items()}
    if wanted is None:
        stored = [title for title, is_view in tables.values() if not is_view] or list(titles)
        if len(stored) != 1:
            raise DataError("table_needed", file=name, known=", ".join(titles) or "-")
        wanted = stored[0]
    folded = {title.casefold(): title for title in titles}
    title = wanted if wanted in titles else folded.get(wanted.casefold())
    if title is None:
        raise DataError("no_such_table", file=name, value=wanted, nearest=nearest(wanted, list(titles)) or "-")
    return titles[title], [other for other in titles if other != title]


def _title(schema: str, table: str) -> str:
    return table if schema in _HOME_SCHEMAS else f"{schema}.{table}"


def _frame(
    chunks: Iterable[Sequence[Sequence[Any]]], columns: Sequence[str], name: str, bounds: Bounds
) -> pd.DataFrame:
    """Return the rows as typed cells, column by column."""
    parts, n = [], 0
    for rows in chunks:
        n += len(rows)
        if n > bounds.table_rows:
            raise DataError("too_many_rows", file=name, limit=bounds.table_rows)
        cells = [[_plain(cell) for cell in column] for column in zip(*rows, strict=True)]
        if any(isinstance(cell, str) and len(cell) > bounds.cell_characters for column in cells for cell in column):
            raise DataError("cell_too_long", file=name, line=n, limit=bounds.cell_characters)
        parts.append(pd.DataFrame(dict(zip(columns, map(typed_column, cells), strict=True))))
    if not parts:
        return pd.DataFrame({column: pd.Series([], dtype="str") for column in columns})
    return pd.concat(parts, ignore_index=True)


def _plain(cell: Any) -> Any:
    """Return a cell of a type that the reader of values does not know as text."""
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return "0x" + bytes(cell).hex()
    if isinstance(cell, (dict, list, tuple)):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return str(cell) if isinstance(cell, (time, timedelta)) else cell


# --- DuckDB ----------------------------------------------------------------------------------------------------------


class _Duck:
    """A DuckDB file, without access to anything outside it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def tables(self) -> _Tables:
        found = self.connection.execute(
            "SELECT table_schema, table_name, table_type FROM information_schema.tables "
            "WHERE table_catalog = current_database() ORDER BY ALL"
        ).fetchall()
        return {(schema, name): (_title(schema, name), kind == "VIEW") for schema, name, kind in found}

    def columns(self, schema: str, table: str) -> list[str]:
        return list(self._kinds(schema, table))

    def _kinds(self, schema: str, table: str) -> dict[str, str]:
        described = self.connection.execute(f"DESCRIBE {_quoted(schema)}.{_quoted(table)}")
        return {name: kind for name, kind, *_ in described.fetchall()}

    def rows(self, schema: str, table: str, columns: Sequence[str], most: int) -> Iterator[Sequence[Sequence[Any]]]:
        key = self.connection.execute(
            "SELECT constraint_column_names FROM duckdb_constraints() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? AND constraint_type = 'PRIMARY KEY'", [schema, table],
        ).fetchone()  # fmt: skip
        utc = "CASE WHEN isfinite({0}) THEN make_timestamp(epoch_us({0})) END"  # DuckDB itself would want pytz
        zoned = {name for name, kind in self._kinds(schema, table).items() if kind == "TIMESTAMP WITH TIME ZONE"}
        listed = ", ".join((utc if name in zoned else "{0}").format(_quoted(name)) for name in columns)
        order = f" ORDER BY {', '.join(map(_quoted, key[0]))}" if key else ""
        query = f"SELECT {listed} FROM {_quoted(schema)}.{_quoted(table)}{order} LIMIT ?"
        result = self.connection.execute(query, [most])
        while rows := result.fetchmany(_CHUNK):
            yield rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _open_duckdb(path: str | Path) -> Iterator[_Database]:
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false", "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false", "lock_configuration": "true",
    }  # fmt: skip
    with closing(duckdb.connect(str(path), read_only=True, config=settings)) as connection:
        yield _Duck(connection)


# --- SQLite and PostgreSQL, through SQLAlchemy -----------------------------------------------------------------------


class _Alchemy:
    """A connection of SQLAlchemy; its inspector lists the catalogue, its constructs quote every name."""

    def __init__(self, connection: Any) -> None:
        from sqlalchemy import inspect

        self.connection, self.inspector = connection, inspect(connection)

    def tables(self) -> _Tables:
        schemas = [name for name in self.inspector.get_schema_names() if name not in ("information_schema", "temp")]
        found: _Tables = {}
        for schema in schemas:
            for is_view, names in enumerate((self.inspector.get_table_names, self.inspector.get_view_names)):
                found |= {(schema, name): (_title(schema, name), bool(is_view)) for name in sorted(names(schema))}
        return found

    def columns(self, schema: str, table: str) -> list[str]:
        return [column["name"] for column in self.inspector.get_columns(table, schema)]

    def rows(self, schema: str, table: str, columns: Sequence[str], most: int) -> Iterator[Sequence[Sequence[Any]]]:
        # Columns without a declared type: the driver's own values, whatever SQLite holds under a type's name.
        from sqlalchemy import column, select
        from sqlalchemy import table as named
        from sqlalchemy.sql import quoted_name

        source = named(quoted_name(table, True), schema=quoted_name(schema, True))
        key = self.inspector.get_pk_constraint(table, schema).get("constrained_columns") or []
        query: Any = select(*(column(quoted_name(name, True)) for name in columns)).select_from(source)
        query = query.order_by(*(column(quoted_name(name, True)) for name in key)).limit(most)
        yield from self.connection.execution_options(stream_results=True).execute(query).partitions(_CHUNK)


@contextmanager
def _open_sqlite(path: str | Path) -> Iterator[_Database]:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    with _connected(create_engine("sqlite://", creator=lambda: _sqlite(Path(path)), poolclass=NullPool)) as database:
        yield database


def _sqlite(path: Path) -> sqlite3.Connection:
    """Connect so that the file and its folder stay as they are and nothing that the schema names is run."""
    with path.open("rb") as file:
        journaled = file.read(20)[18:20] == b"\2\2"
    quiet = journaled and not path.with_name(f"{path.name}-wal").exists()  # else reading would write files beside it
    address = f"file:{quote(str(path.resolve()))}?mode=ro{'&immutable=1' if quiet else ''}"
    connection = sqlite3.connect(address, uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000_000)
    for setting in ("query_only = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def postgresql_engine(url: str) -> Any:
    """Return the SQLAlchemy engine of a PostgreSQL URL, for reading only; nothing connects yet.

    Parameters
    ----------
    url : str
        Without a password in it, PGPASSWORD is used.

    Returns
    -------
    sqlalchemy.Engine

    Raises
    ------
    DataError
        For options other than sslmode.
    ImportError
        Where the extra `sql` is not installed.

    Examples
    --------
    >>> postgresql_engine("postgresql://ann@db.example/crm").url.host
    'db.example'
    """
    import pg8000  # noqa: F401  (named in the message where it is missing)
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.pool import NullPool

    address = make_url(f"postgresql+pg8000://{url.partition('://')[2]}")
    unknown = set(address.query) - {"sslmode"}
    mode = str(address.query.get("sslmode", "prefer"))
    if unknown or mode not in _SSL:
        raise DataError("database_option", value=", ".join(sorted(unknown)) or "sslmode", known=", ".join(_SSL))
    settings = {"timeout": 30, "application_name": "funnelkit", "ssl_context": _SSL[mode]}
    if address.password is None and os.environ.get("PGPASSWORD"):
        address = address.set(password=os.environ["PGPASSWORD"])
    return create_engine(
        address.set(query={}), connect_args=settings, poolclass=NullPool, hide_parameters=True,
        isolation_level="REPEATABLE READ", execution_options={"postgresql_readonly": True},
    )  # fmt: skip


@contextmanager
def _open_postgresql(rest: str) -> Iterator[_Database]:
    from sqlalchemy import text

    with _connected(postgresql_engine(f"postgresql://{rest}")) as database:
        database.connection.execute(text("SET LOCAL lock_timeout = '30s'"))
        yield database


@contextmanager
def _connected(engine: Any) -> Iterator[_Alchemy]:
    try:
        with engine.connect() as connection:
            yield _Alchemy(connection)
    finally:
        engine.dispose()


_OPEN: dict[str, Callable[[Any], AbstractContextManager[_Database]]] = {
    "duckdb": _open_duckdb,
    "sqlite": _open_sqlite,
    "postgresql": _open_postgresql,
}
