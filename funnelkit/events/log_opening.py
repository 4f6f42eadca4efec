"""Opening an event log: looked at where it is or read by the reader; its columns, and the facts of its rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, Self

import pandas as pd

from funnelkit.events.engine.parquet_batches import count_later
from funnelkit.events.engine.parquet_footers import Chunk, column_types, read_footers
from funnelkit.events.engine.sort_keys import THREADS
from funnelkit.events.log_sources import (
    LogColumns,
    literal,
    named_paths,
    needs_reader,
    open_log,
    parquet_paths,
    quote,
    read_rows,
)
from funnelkit.language import DataError, nearest
from funnelkit.pipeline import Finding
from funnelkit.reading import YEARS

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_NUMBERS = (*INTEGERS, "UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN")
BETWEEN, _JOINED = "\x1f", "funnelkit_segments"  # what parts the values of a breakdown by several columns
LOG = "funnelkit_log"  # what SQL calls the log
_ALL = "funnelkit_all"  # the log with the entities that are left out
_FACTS: tuple[str, ...] = ("n_rows", "rows_without_id", "rows_without_time", "rows_after_as_of", "latest")
_EPOCHS = {10**9: 1e6, 10**12: 1e3, 10**15: 1.0, 10**18: 1e-3}  # least number of a unit -> its microseconds
_NAMES = 500  # so many names of steps are looked through for the nearest


class OpenedLog:
    """An opened event log: checked columns, facts about it, and its rows as arrays.

    `source` is what `funnelkit.read` takes, a list of paths, an Arrow table or dataset, or a DuckDB relation
    (`connection.table("events")`). Parquet, plain CSV and tables are looked at where they are; what these do not say
    plainly, and every other file, goes through the reader, as `reading` says (its options). Use it as a context
    manager: files are read on its own connection. Entities with an event of `void` are left out.
    """

    def __init__(
        self,
        source: Any,
        columns: LogColumns | Mapping[str, str] | None = None,
        void: Sequence[str] = (),
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns, self.source, self.reading = LogColumns.of(columns), source, dict(reading or {})
        self.void = tuple(void)
        self.findings: tuple[Finding, ...] = ()  # what the reader said, where it read the log
        self.through_reader = False
        if needs_reader(source, self.reading):
            self._read()
        else:
            self._look()

    def _look(self) -> None:
        """Look at the log where it is; where it does not show the columns, the reader may know them by other names."""
        self.parquet, self.complete = parquet_paths(self.source), False  # complete: no id and no time is missing
        # Known once `facts` has been asked.
        self.as_of: pd.Timestamp | None = None
        self.span: tuple[int, int] | None = None
        self.footers: Any = None
        self.n_rows, self.epoch_us, self.even = 0, 0.0, True
        self.n_void: int | None = None
        self.values_of: dict[str, tuple[str, ...]] = {}
        try:
            whole = len(self.parquet) == len(named_paths(self.source))
            types = column_types(self.parquet) if whole else None
            self.types = types or dict(zip(self.relation.columns, map(str, self.relation.types), strict=True))
            for name in (self.columns.id, self.columns.stage, self.columns.at):
                self.require(name)
        except DataError:
            if self.through_reader or not self._may_be_read():
                raise
            self._read()
            return
        if self.types[self.columns.at].split("(")[0] in _NUMBERS:
            self.epoch_us = self._epoch(quote(self.columns.at))

    def _may_be_read(self) -> bool:
        """Return whether the reader may know more: of a text file, or where columns were not named by the caller."""
        text = bool(named_paths(self.source)) and not self.parquet
        seen = self.__dict__.get("types", {})
        named = any(name not in seen for name in self.columns.named.values())
        return text if not seen or len(seen) == 1 else not named

    def _read(self) -> None:
        """Let the reader read the log: any file, encoding and form of times; faulty rows are quarantined and told."""
        told = read_rows(self.source, self.columns.named, self.reading)
        self.source, self.findings, self.through_reader = told.rows, told.findings, True
        self.columns = LogColumns(*told.headers)
        self.__dict__.pop("relation", None)
        self._look()

    @cached_property
    def db(self) -> Any:
        """Return the log's own DuckDB connection, opened when it is first needed: Arrow reads many logs without.

        A session starts in the machine's time zone, in which texts without a zone would be read.
        """
        import duckdb

        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    @cached_property
    def relation(self) -> Any:
        """Return the log as DuckDB's relation."""
        return self.guard(lambda: open_log(self.db, self.source))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "db" in self.__dict__:
            self.db.close()

    def require(self, name: str) -> None:
        """Refuse a column that the log does not have, naming the nearest."""
        if name not in self.types:
            raise DataError("no_such_column", name=name, nearest=nearest(name, self.types))

    def join_columns(self, names: Sequence[str]) -> str:
        """Add a column that holds the texts of several, for a breakdown by all of them; return its name."""
        texts = ", ".join(f"coalesce(CAST({quote(name)} AS VARCHAR), '')" for name in names)
        self.relation = self.relation.project(f"*, concat_ws(chr({ord(BETWEEN)}), {texts}) AS {_JOINED}")
        # The files themselves have no such column.
        self.parquet, self.footers, self.types[_JOINED] = [], None, "VARCHAR"
        return _JOINED

    def query(self, sql: str) -> Any:
        """Run SQL over the log, which it calls LOG; return DuckDB's relation."""
        return self.relation.query(LOG, sql)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Say what cannot be read instead of how DuckDB or Arrow puts it."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, _reading_errors()):
                raise
            paths = ", ".join(map(str, named_paths(self.source))) or type(self.source).__name__
            raise DataError("log_unreadable", file=paths, reason=str(error).splitlines()[0]) from None

    def guard(self, action: Callable[[], Any]) -> Any:
        with self.guarded():
            return action()

    @property
    def who(self) -> str:
        """Return the SQL of the id: whole numbers as they are, else text, of which empty text is no id."""
        column = quote(self.columns.id)
        plain = self.types[self.columns.id] in INTEGERS or (self.complete and self.types[self.columns.id] == "VARCHAR")
        return column if plain else f"nullif(CAST({column} AS VARCHAR), '')"

    @property
    def what(self) -> str:
        """Return the SQL of the step's name."""
        return f"CAST({quote(self.columns.stage)} AS VARCHAR)"

    @property
    def moment(self) -> str:
        """Return the SQL of the time, missing where it is none or not finite."""
        column, kind = quote(self.columns.at), self.types[self.columns.at]
        if self.complete:
            return column
        if self.epoch_us:
            number = column if kind != "VARCHAR" else f"TRY_CAST({column} AS DOUBLE)"
            return f"make_timestamp(CAST(round({number} * {self.epoch_us}) AS BIGINT))"
        if kind in ("TIMESTAMP WITH TIME ZONE", "VARCHAR"):
            typed = column if kind != "VARCHAR" else self._zoned(column)
            return f"CASE WHEN isfinite({typed}) THEN make_timestamp(epoch_us({typed})) END"
        typed = column if kind == "TIMESTAMP" else f"TRY_CAST({column} AS TIMESTAMP)"
        return f"CASE WHEN isfinite({typed}) THEN {typed} END"

    def _zoned(self, column: str) -> str:
        """Return the SQL of a text as a time with zone, for it may carry an offset; without one it is UTC."""
        import duckdb

        plain = f"TRY_CAST({column} AS TIMESTAMPTZ)"
        if not isinstance(self.source, duckdb.DuckDBPyRelation):
            return plain
        # Its session has the zone that its owner set: what can take a Z has none of its own.
        utc = (f"TRY_CAST({column} || '{end}' AS TIMESTAMPTZ)" for end in ("Z", " 00:00:00Z"))
        return f"coalesce({', '.join(utc)}, {plain})"

    def facts(self, as_of: pd.Timestamp | None = None) -> dict[str, Any]:
        """Return {n_rows, rows_without_id, rows_without_time, rows_after_as_of, latest}; rows after it are left out.

        Where times are texts that are not plain, or the file breaks off, the reader reads the log first.
        """
        self.as_of = as_of
        try:
            found = self._facts()
        except DataError:
            if self.through_reader or self.parquet or not named_paths(self.source):
                raise
            self._read()
            return self.facts(as_of)
        if self.types[self.columns.at] == "VARCHAR" and not self.epoch_us and not self._times_are_plain(found):
            self.epoch_us = self._epoch(f"TRY_CAST({quote(self.columns.at)} AS DOUBLE)", strict=False)
            if not self.epoch_us:
                self._read()
            return self.facts(as_of)
        return found

    def _times_are_plain(self, found: Mapping[str, Any]) -> bool:
        """Return whether texts are times of one kind: in the reader's years, all with a zone or all without."""
        if found["rows_without_time"]:
            return False
        if self.span is None or not (YEARS[0] <= _year(self.span[0]) and _year(self.span[1]) <= YEARS[1]):
            return self.span is None
        if self.even:
            return True
        at = quote(self.columns.at)
        zoned = f"regexp_matches({at}, '([Zz]|[+-][0-9]{{2}}:?([0-9]{{2}})?)\\s*$') AND strlen({at}) > 10"
        sql = f"SELECT count(DISTINCT {zoned}) < 2 FROM {LOG} WHERE nullif({at}, '') IS NOT NULL"
        return bool(self.guard(lambda: self.query(sql).fetchall()[0][0]))

    def _facts(self) -> dict[str, Any]:
        self._leave_void_out()
        self.footers = self._footers()
        if self.footers is not None:
            self.complete, self.n_rows = True, self.footers.n_rows
            self.span = instant_us(self.footers.first), instant_us(self.footers.last)
            later = self.as_of is not None and self.footers.last > self.as_of
            n_later = self.guard(self._count_later) if later else 0
            return dict(zip(_FACTS, (self.n_rows, 0, 0, n_later, self.footers.last), strict=True))
        after = f"count(*) FILTER (WHERE moment > {self.until()})" if self.as_of is not None else "0"
        sql = (
            "SELECT count(*), count(*) - count(who), count(*) FILTER (WHERE who IS NOT NULL AND moment IS NULL), "
            f"{after}, max(moment), min(moment), min(size) = max(size) "
            f"FROM (SELECT {self.who} AS who, {self.moment} AS moment, {self._size()} AS size FROM {LOG})"
        )
        *found, first, self.even = self.guard(lambda: self.query(sql).fetchall()[0])
        facts = dict(zip(_FACTS, found, strict=True))
        self.n_rows = facts["n_rows"]
        if first is not None:
            self.span, facts["latest"] = (instant_us(first), instant_us(facts["latest"])), pd.Timestamp(facts["latest"])
        return facts

    def around(self, moment: pd.Timestamp) -> tuple[pd.Timestamp | None, int]:
        """Return the latest time up to a moment, None where there is none, and how many rows are later."""
        at = f"make_timestamp({instant_us(moment)})"
        facts = f"max(moment) FILTER (moment <= {at}), count(*) FILTER (moment > {at})"
        sql = f"SELECT {facts} FROM (SELECT {self.moment} AS moment FROM {LOG})"
        latest, n = self.guard(lambda: self.query(sql).fetchall()[0])
        return None if latest is None else pd.Timestamp(latest), int(n)

    def _size(self) -> str:
        """Return the SQL of how long the text of a time is: texts of one length are times of one kind."""
        return f"strlen(nullif({quote(self.columns.at)}, ''))" if self.types[self.columns.at] == "VARCHAR" else "0"

    def _leave_void_out(self) -> None:
        """Leave out the entities that have an event which makes them void, and count them."""
        if not self.void or self.n_void is not None:
            return
        listed = ", ".join(literal(name) for name in self.void)
        out = f"SELECT {self.who} FROM {LOG} WHERE {self.what} IN ({listed}) AND {self.who} IS NOT NULL"
        self.n_void = self.guard(lambda: len(self.query(f"SELECT DISTINCT * FROM ({out})").fetchall()))
        kept = f"SELECT * FROM {_ALL} WHERE {self.who} IS NULL OR {self.who} NOT IN ({out.replace(LOG, _ALL)})"
        self.relation, self.parquet = self.relation.query(_ALL, kept), []

    def _epoch(self, number: str, strict: bool = True) -> float:
        """Return how many microseconds the unit of times that are numbers has; refuse numbers that are no times.

        A unit is told by its digits: seconds have 10 from 2001 to 2286, milliseconds 13, and so on.
        """
        column = quote(self.columns.at)
        sql = (
            f"SELECT min({number}), max({number}), count({number}) = count(nullif(trim(CAST({column} AS VARCHAR)), ''))"
        )
        low, high, whole = self.guard(lambda: self.query(f"{sql} FROM {LOG}").fetchall()[0])
        if low is not None and whole:
            for size, unit_us in _EPOCHS.items():
                if size <= low and high < 10 * size:
                    return unit_us
        if strict and low is not None:
            raise DataError("time_is_number", column=self.columns.at, kind=self.types[self.columns.at], value=str(low))
        return 0

    def _count_later(self) -> int:
        if not self.footers.readable:
            sql = f"SELECT count(*) FROM {LOG} WHERE {self.moment} > {self.until()}"
            return int(self.query(sql).fetchall()[0][0])
        late = [chunk for chunk in self.footers.chunks if chunk.last > self.as_of]
        return sum(self.each(partial(count_later, moment=self.columns.at, until=instant_us(self.as_of)), late))

    def _footers(self) -> Any:
        """Return what the footers of Parquet files tell, None where they do not tell enough."""
        if not self.parquet or self.types[self.columns.at] != "TIMESTAMP":
            return None
        return self.guard(lambda: read_footers(self.parquet, self.columns.id, self.columns.at))

    def until(self) -> str:
        return f"make_timestamp({instant_us(self.as_of)})"

    def step_names(self) -> list[str]:
        """Return names of steps that the log holds, the most frequent first."""
        sql = f"SELECT {self.what} FROM {LOG} WHERE {self.what} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"
        return [row[0] for row in self.guard(lambda: self.query(f"{sql} LIMIT {_NAMES}").fetchall())]

    def each(self, action: Callable[[Chunk], Any], chunks: Sequence[Chunk]) -> list[Any]:
        """Return what an action gives for each chunk of Parquet files, read in threads."""
        with self.guarded(), ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(action, chunks))


def _year(instant: int) -> int:
    return int(pd.Timestamp(instant, unit="us").year)


def instant_us(moment: Any) -> int:
    """Return an instant as microseconds."""
    # In nanoseconds years before 1677 would not fit.
    us: Any = pd.Timestamp(moment).as_unit("us").asm8.astype("int64")
    return int(us)


def _reading_errors() -> tuple[type[BaseException], ...]:
    """Return the errors of reading; libraries that were not needed had none."""
    named = (("duckdb", "Error"), ("pyarrow", "ArrowException"))
    return OSError, *(getattr(sys.modules[module], name) for module, name in named if module in sys.modules)
