"""Engines that hold a log: Ibis connections by URL, Spark looked at before it starts, PostgreSQL by its driver."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from funnelkit.events.log import LogColumns
from funnelkit.language import DataError, FunnelkitError, nearest
from funnelkit.reading import postgresql_engine, shown

_NAMES = {"spark": "pyspark", "postgresql": "postgres"}  # URL schemes whose engine Ibis calls otherwise
_PORT = 7077  # of a Spark master
_WAIT_S = 5
_KINDS = {"INTEGER": "int64", "BIGINT": "int64", "SMALLINT": "int64", "DATE": "date"}


def warehouse_name(engine: Any) -> str:
    """Return the name of an engine as Ibis has it, of a URL before anything connects.

    >>> warehouse_name("spark://localhost:7077"), warehouse_name("duckdb://")
    ('pyspark', 'duckdb')
    """
    if not isinstance(engine, str):
        return str(engine.name)
    scheme = engine.partition(":")[0]
    return _NAMES.get(scheme, scheme)


def open_engine(engine: Any) -> Any:
    """Return the connection of a URL; any other object is one."""
    if not isinstance(engine, str):
        return engine
    if find_spec("ibis") is None:
        raise DataError("engine_needs", engine=shown(engine), package="Ibis", extra="spark")
    scheme = engine.partition("://")[0]
    if scheme in ("spark", "pyspark"):
        return _spark(engine)
    if scheme in ("postgres", "postgresql"):
        return Postgres(engine)
    import ibis

    return ibis.connect(engine)


def _spark(url: str) -> Any:
    """Return a session of the Spark whose master a URL names, or as Spark's own settings say for pyspark://."""
    if find_spec("pyspark") is None:
        raise DataError("engine_needs", engine=url, package="PySpark", extra="spark")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise DataError("engine_needs_java", engine=url)
    import ibis

    if url.startswith("pyspark"):
        return ibis.connect(url)
    host, _, port = url.removeprefix("spark://").rstrip("/").rpartition(":")
    if not port.isdigit():
        host, port = host or port, str(_PORT)
    try:  # Spark itself would try for a minute
        socket.create_connection((host, int(port)), _WAIT_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError("engine_unreachable", engine=url, host=host, port=port, reason=reason) from None
    from pyspark.sql import SparkSession

    return ibis.pyspark.connect(SparkSession.builder.master(f"spark://{host}:{port}").getOrCreate())


class Postgres:
    """PostgreSQL as an engine: Ibis writes the SQL, the driver that also reads tables from it runs it."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        try:
            self.engine = postgresql_engine(url)
        except ImportError as error:
            raise DataError("engine_needs", engine=shown(url), package=str(error.name), extra="sql") from None

    def table(self, name: str) -> Any:
        """Return the unbound Ibis table of a table or view, `schema.table` or from the search path."""
        import ibis
        from sqlalchemy import inspect

        schema, _, table = name.rpartition(".")
        columns = inspect(self.engine).get_columns(table, schema or None)
        kinds = {column["name"]: _kind(column["type"]) for column in columns}
        return ibis.table(kinds, name=table, database=schema or None)

    def execute(self, expression: Any) -> Any:
        """Run an expression; return a DataFrame, or the only value of one that is no table."""
        import ibis
        import pandas as pd
        from sqlalchemy import text

        sql = str(ibis.to_sql(expression, dialect="postgres")).replace(":", r"\:")
        with self.engine.connect() as connection:
            found = connection.execute(text(sql))
            rows = found.fetchall()
        if not isinstance(expression, ibis.expr.types.Table):
            return rows[0][0]
        schema = expression.schema()
        table = pd.DataFrame([tuple(row) for row in rows], columns=list(found.keys()))
        return table.astype({name: "float64" for name, kind in schema.items() if kind.is_numeric()})


def _kind(column: Any) -> str:
    """Return Ibis's name for the type of a PostgreSQL column; types that a count does not use are text to it."""
    name = str(column).split("(")[0].split(" ")[0]
    if name == "TIMESTAMP":
        return "timestamp('UTC')" if getattr(column, "timezone", False) else "timestamp"
    return _KINDS.get(name, "string")


def open_table(engine: Any, connection: Any, log: str, columns: LogColumns) -> Any:
    """Return the Ibis table of the log, its columns checked."""
    suffix = log.lower().rpartition(".")[2]
    reader = getattr(connection, {"csv": "read_csv", "parquet": "read_parquet"}.get(suffix, ""), None)
    with guarded("engine_refuses", engine, log=log):
        table = reader(log) if reader else connection.table(log)
    for name in (columns.id, columns.stage, columns.at):
        if name not in table.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, table.columns))
    return table


@contextmanager
def guarded(key: str, engine: Any, **values: Any) -> Iterator[None]:
    """Say under `key` what an engine, each of which raises its own kind of errors, could not do."""
    try:
        yield
    except FunnelkitError:
        raise
    except Exception as error:
        reason = _reason(error, engine)
        raise DataError(key, engine=shown(engine), reason=reason, **values) from None


def _reason(error: Exception, engine: Any) -> str:
    """Return the first line of an engine's message, without the password of its URL."""
    origin: Any = getattr(error, "orig", None) or error
    told = origin.args[0] if getattr(origin, "args", ()) else str(origin)
    text = str(told.get("M", "") if isinstance(told, dict) else told).strip() or type(error).__name__
    secret = str(engine).rpartition("@")[0].rpartition(":")[2]
    return text.splitlines()[0][:300].replace(secret, "***") if secret else text.splitlines()[0][:300]
