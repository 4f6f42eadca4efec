"""An event log of any kind -> sorted arrays of the rows that a rule needs, whole or by entity partitions.

DuckDB (or, for Parquet, Arrow) reads and filters; keys bring the rows into order, bucket by bucket, or DuckDB's sort
where more is wanted than keys hold. A log of more rows than a limit is read in partitions of entities, so memory is
bounded by the partition, not by the log.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit.events.engine.arrays import Pair, Rows, sorted_table_rows
from funnelkit.events.engine.parquet_batches import Reading, Wave, count_later, dealt_waves, names_in, waves
from funnelkit.events.engine.parquet_footers import Chunk, column_types, has_missing, read_footers
from funnelkit.events.engine.sort_keys import THREADS, Layout, layout_for
from funnelkit.events.log_sources import literal, named_paths, open_log, parquet_paths, quote
from funnelkit.language import DataError, nearest

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_NUMBERS = (*_INTEGERS, "UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN")
BETWEEN, _JOINED = "\x1f", "funnelkit_segments"  # what parts the values of a breakdown by several columns
LOG = "funnelkit_log"  # what SQL calls the log
_FACTS: tuple[str, ...] = ("n_rows", "rows_without_id", "rows_without_time", "rows_after_as_of", "latest")
_SEGMENTS = 1_000  # beyond so many values of a breakdown DuckDB's sort is cheaper than looking each up
_NAMES = 500  # so many names of steps are looked through for the nearest


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


@dataclass(frozen=True)
class Want:
    """What to read: steps, further events by role, further columns by role."""

    steps: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    foreign: bool = False  # also the events that are none of the steps
    by: str | None = None
    held: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    ids: bool = True  # whether the entities' own ids are wanted, or only how many there are

    @property
    def names(self) -> tuple[str, ...]:
        """Return the different step names in order; a step's code is the position of its name among them."""
        return tuple(dict.fromkeys(self.steps))

    @property
    def codes(self) -> list[int]:
        """Return the code of each step."""
        return [self.names.index(step) for step in self.steps]


class Log:
    """An opened event log: checked columns, facts about it, and its rows as arrays.

    `source` is the path of a CSV or Parquet file or a list of them, a DataFrame, an Arrow table or dataset, or a
    DuckDB relation (`connection.table("events")`). Use it as a context manager: files are read on its own connection.
    """

    def __init__(self, source: Any, columns: LogColumns | Mapping[str, str] | None = None) -> None:
        self.columns, self.source = LogColumns.of(columns), source
        self.parquet, self.complete = parquet_paths(source), False  # complete: no id and no time is missing
        # Known once `facts` has been asked.
        self.as_of: pd.Timestamp | None = None
        self.span: tuple[int, int] | None = None
        self.footers: Any = None
        self.n_rows = 0
        self._known: dict[str, tuple[str, ...]] = {}
        types = column_types(self.parquet) if len(self.parquet) == len(named_paths(source)) else None
        self.types = types or dict(zip(self.relation.columns, map(str, self.relation.types), strict=True))
        for name in (self.columns.id, self.columns.stage, self.columns.at):
            self.require(name)
        if self.types[self.columns.at].split("(")[0] in _NUMBERS:
            raise DataError("time_is_number", column=self.columns.at, kind=self.types[self.columns.at])

    @cached_property
    def db(self) -> Any:
        """Return the log's own DuckDB connection, opened when it is first needed: Arrow reads many logs without."""
        import duckdb

        return duckdb.connect()

    @cached_property
    def relation(self) -> Any:
        """Return the log as DuckDB's relation."""
        return self._guard(lambda: open_log(self.db, self.source))

    def __enter__(self) -> Log:
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
        self.parquet, self.types[_JOINED] = [], "VARCHAR"  # the files themselves have no such column
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
            name = self.source if isinstance(self.source, (str, Path)) else "log"
            raise DataError("log_unreadable", file=str(name), reason=str(error).splitlines()[0]) from None

    def _guard(self, action: Callable[[], Any]) -> Any:
        with self.guarded():
            return action()

    @property
    def who(self) -> str:
        """Return the SQL of the id: whole numbers as they are, else text, of which empty text is no id."""
        column = quote(self.columns.id)
        plain = self.types[self.columns.id] in _INTEGERS or (self.complete and self.types[self.columns.id] == "VARCHAR")
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
        if kind in ("TIMESTAMP WITH TIME ZONE", "VARCHAR"):
            # Text may carry an offset, which only a time with zone reads; text without one is UTC here.
            typed = column if kind != "VARCHAR" else f"TRY_CAST({column} AS TIMESTAMPTZ)"
            return f"CASE WHEN isfinite({typed}) THEN make_timestamp(epoch_us({typed})) END"
        typed = column if kind == "TIMESTAMP" else f"TRY_CAST({column} AS TIMESTAMP)"
        return f"CASE WHEN isfinite({typed}) THEN {typed} END"

    def facts(self, as_of: pd.Timestamp | None = None) -> dict[str, Any]:
        """Return {n_rows, rows_without_id, rows_without_time, rows_after_as_of, latest}; rows after it are left out."""
        self.as_of = as_of
        self.footers = self._footers()
        if self.footers is not None:
            self.complete, self.n_rows = True, self.footers.n_rows
            self.span = _us(self.footers.first), _us(self.footers.last)
            later = as_of is not None and self.footers.last > as_of
            n_later = self._guard(self._count_later) if later else 0
            return dict(zip(_FACTS, (self.n_rows, 0, 0, n_later, self.footers.last), strict=True))
        after = f"count(*) FILTER (WHERE moment > {self._until()})" if as_of is not None else "0"
        sql = (
            "SELECT count(*), count(*) - count(who), count(*) FILTER (WHERE who IS NOT NULL AND moment IS NULL), "
            f"{after}, max(moment), min(moment) FROM (SELECT {self.who} AS who, {self.moment} AS moment FROM {LOG})"
        )
        *found, first = self._guard(lambda: self.query(sql).fetchall()[0])
        facts = dict(zip(_FACTS, found, strict=True))
        self.n_rows = facts["n_rows"]
        if first is not None:
            self.span, facts["latest"] = (_us(first), _us(facts["latest"])), pd.Timestamp(facts["latest"])
        return facts

    def _count_later(self) -> int:
        if not self.footers.readable:
            sql = f"SELECT count(*) FROM {LOG} WHERE {self.moment} > {self._until()}"
            return int(self.query(sql).fetchall()[0][0])
        late = [chunk for chunk in self.footers.chunks if chunk.last > self.as_of]
        return sum(self._each(partial(count_later, moment=self.columns.at, until=_us(self.as_of)), late))

    def _footers(self) -> Any:
        """Return what the footers of Parquet files tell, None where they do not tell enough."""
        if not self.parquet or self.types[self.columns.at] != "TIMESTAMP":
            return None
        return self._guard(lambda: read_footers(self.parquet, self.columns.id, self.columns.at))

    def _until(self) -> str:
        return f"make_timestamp({_us(self.as_of)})"

    def step_names(self) -> list[str]:
        """Return names of steps that the log holds, the most frequent first."""
        sql = f"SELECT {self.what} FROM {LOG} WHERE {self.what} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"
        return [row[0] for row in self._guard(lambda: self.query(f"{sql} LIMIT {_NAMES}").fetchall())]

    def waves(self, want: Want, part: int = 0, parts: int = 1) -> Iterator[Wave]:
        """Yield the rows that `want` asks for, of all entities or of one partition of them.

        What is yielded are waves (blocks.py): calls that may run at the same time, and how much of all is then done.
        """
        layout = self.layout(want)
        if layout is None:
            yield [lambda: [self.sorted_rows(want, part, parts)]], 1.0
        elif self._arrow_reads(want):
            columns = (self.columns.id, self.columns.stage, self.columns.at, want.by)
            codes = {name: code for code, name in enumerate(want.names)}
            until = None if self.as_of is None else _us(self.as_of)
            yield from waves(self.footers, Reading(columns, codes, layout, until, part, parts))
        else:
            reads = self._reads(want, layout, part, parts)
            yield from dealt_waves(self.n_rows / parts, reads, layout)

    def layout(self, want: Want) -> Layout | None:
        """Return the Layout of rows that keys can sort, None where only DuckDB's general sort brings what is wanted."""
        beside = want.foreign or want.excluded or want.held or want.others
        if beside or self.span is None or (want.ids and self.types[self.columns.id] not in _INTEGERS):
            return None
        segments = self._values(want.by) if want.by else ()
        return layout_for(len(want.names), self.span, segments) if len(segments) <= _SEGMENTS else None

    def is_text(self, name: str) -> bool:
        """Return whether a column of Parquet files is text and nowhere missing; to ask it of others costs a scan."""
        if not self.parquet or self.types[name] != "VARCHAR":
            return False
        missing = self._guard(lambda: has_missing(self.parquet, name))
        sql = f"SELECT 1 FROM {LOG} WHERE {quote(name)} IS NULL LIMIT 1"
        return not (self._guard(lambda: self.query(sql).fetchall()) if missing is None else missing)

    def _arrow_reads(self, want: Want) -> bool:
        """Return whether the Parquet files can be read chunk by chunk without DuckDB."""
        texts = [self.columns.stage, *([want.by] if want.by else [])]
        whole = self.types[self.columns.id] in _INTEGERS and all(self.types[name] == "VARCHAR" for name in texts)
        return self.footers is not None and whole and self.footers.readable

    def _usable(self, part: int, parts: int) -> str:
        """Return the SQL of which rows count: with id and time, up to the as-of date, of the partition."""
        usable = ["who IS NOT NULL AND moment IS NOT NULL"] if not self.complete else []
        usable += [f"hash(who) % {parts} = {part}"] if parts > 1 else []
        usable += [f"moment <= {self._until()}"] if self.as_of is not None else []
        return " AND ".join(usable) or "true"

    def _coded(self, want: Want, segments: Sequence[str]) -> str:
        """Return the SQL of who, moment, code of the step, code of the segment."""
        names = ", ".join(literal(name) for name in want.names)
        segment = ""
        if want.by:
            listed = ", ".join(literal(name) for name in segments)
            segment = f", list_position([{listed}], coalesce(CAST({quote(want.by)} AS VARCHAR), '')) - 1 AS segment"
        code = f"CAST(list_position([{names}], {self.what}) - 1 AS BIGINT) AS code"
        return f"SELECT {self.who} AS who, {self.moment} AS moment{segment}, {code} FROM {LOG}"

    def _reads(self, want: Want, layout: Layout, part: int, parts: int) -> Iterator[Callable[[], Iterator[Pair]]]:
        """Yield calls that return (who, what) of a block of the step rows, as DuckDB reads them."""
        import pyarrow

        who = "who" if self.types[self.columns.id] in _INTEGERS else "hash(who)"
        what = f"((epoch_us(moment) - {layout.first}) << {layout.below}) | (code << {layout.segment_bits})"
        sql = (
            f"SELECT {who} AS who, {what}{' | segment' if want.by else ''} AS what "
            f"FROM ({self._coded(want, layout.segments)}) WHERE code IS NOT NULL AND {self._usable(part, parts)}"
        )
        for batch in pyarrow.RecordBatchReader.from_stream(self.query(sql)):
            yield partial(_integers, batch)

    def _values(self, name: str) -> tuple[str, ...]:
        """Return the different values of a column as sorted text, missing ones as empty text."""
        if name not in self._known:
            sql = f"SELECT DISTINCT coalesce(CAST({quote(name)} AS VARCHAR), '') FROM {LOG} ORDER BY 1"
            if self.footers is not None and self.footers.readable and self.types[name] == "VARCHAR":
                found = sorted(set().union(*self._each(partial(names_in, name=name), self.footers.chunks)))
            else:
                found = [row[0] for row in self._guard(lambda: self.query(sql).fetchall())]
            self._known[name] = tuple(found)
        return self._known[name]

    def _each(self, action: Callable[[Chunk], Any], chunks: Sequence[Chunk]) -> list[Any]:
        """Return what an action gives for each chunk of Parquet files, read in threads."""
        with self.guarded(), ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(action, chunks))

    def sorted_rows(self, want: Want, part: int = 0, parts: int = 1) -> Rows:
        """Return the rows sorted by DuckDB, with all that `want` asks for."""
        code = "CASE what " + " ".join(f"WHEN {literal(name)} THEN {n}" for n, name in enumerate(want.names)) + " "
        code += "ELSE -1 END" if want.foreign else "END"
        held = "".join(f", CAST({quote(name)} AS VARCHAR) AS held{n}" for n, name in enumerate(want.held))
        others = "".join(f", {quote(name)} AS other{n}" for n, name in enumerate(want.others))
        segment = f", coalesce(CAST({quote(want.by)} AS VARCHAR), '') AS segment" if want.by else ""
        typed = f"SELECT {self.who} AS who, {self.what} AS what, {self.moment} AS moment{held}{segment}{others}"
        names = [f"held{n}" for n in range(len(want.held))]
        keys = ["who", *names, "at_us", "code", *(["segment"] if want.by else [])]
        inner = f"SELECT *, {code} AS code, epoch_us(moment) AS at_us FROM ({typed} FROM {LOG}) "
        inner += f"WHERE {self._usable(part, parts)}"
        where = "".join(f" AND {name} IS NOT NULL" for name in names)
        extra = "".join(f", {name}" for name in names) + (", segment" if want.by else "")
        extra += "".join(f", other{n}" for n in range(len(want.others)))
        sql = f"SELECT who, CAST(code AS TINYINT) AS code, at_us{extra} FROM ({inner}) "
        sql += f"WHERE code IS NOT NULL{where} ORDER BY {', '.join(keys)}"
        table = self._guard(lambda: self.query(sql).to_arrow_table())
        excluded = None
        if want.excluded:
            listed = ", ".join(literal(name) for name in want.excluded)
            sql = f"SELECT who, at_us FROM ({inner}) WHERE what IN ({listed}) ORDER BY who, at_us"
            excluded = self._guard(lambda: self.query(sql).to_arrow_table())
        return sorted_table_rows(table, excluded, want)

    def held_missing(self, want: Want) -> int:
        """Return how many rows of the steps lack a held value and so stand in no chain."""
        lacking = " OR ".join(f"{quote(name)} IS NULL" for name in want.held)
        listed = ", ".join(literal(name) for name in want.names)
        sql = f"SELECT count(*) FROM {LOG} WHERE ({lacking}) AND {self.what} IN ({listed})"
        return int(self._guard(lambda: self.query(sql).fetchall()[0][0]))


def _reading_errors() -> tuple[type[BaseException], ...]:
    """Return the errors of reading; libraries that were not needed had none."""
    named = (("duckdb", "Error"), ("pyarrow", "ArrowException"))
    return OSError, *(getattr(sys.modules[module], name) for module, name in named if module in sys.modules)


def _us(moment: Any) -> int:
    return int(pd.Timestamp(moment).value // 1000)


def _integers(batch: Any) -> Iterator[Pair]:
    """Yield (who, what) of a batch as arrays."""
    who, what = (batch.column(place).to_numpy() for place in (0, 1))
    yield who.astype("int64", copy=False) if who.dtype.kind == "i" else who.view("int64"), what
