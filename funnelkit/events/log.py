"""An event log of any kind -> sorted arrays of the rows that a rule needs, whole or by entity partitions.

DuckDB (or, for Parquet, Arrow) reads and filters; keys bring the rows into order, bucket by bucket, or DuckDB's sort
where more is wanted than keys hold. A log of more rows than a limit is read in partitions of entities, so memory is
bounded by the partition, not by the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from funnelkit.events.engine.arrays import Pair, Rows, sorted_table_rows
from funnelkit.events.engine.parquet_batches import Reading, Wave, dealt_waves, names_in, waves
from funnelkit.events.engine.parquet_footers import has_missing
from funnelkit.events.engine.sort_keys import THREADS, Layout, layout_for
from funnelkit.events.log_opening import BETWEEN as BETWEEN
from funnelkit.events.log_opening import INTEGERS, LOG, OpenedLog, instant_us
from funnelkit.events.log_sources import LogColumns as LogColumns
from funnelkit.events.log_sources import literal, quote

_SEGMENTS = 1_000  # beyond so many values of a breakdown DuckDB's sort is cheaper than looking each up


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
    alternatives: tuple[tuple[str, ...], ...] = ()  # the events that count as each step, where not that of its name

    @property
    def names(self) -> tuple[str, ...]:
        """Return the different step names in order; a step's code is the position of its name among them."""
        return tuple(dict.fromkeys(self.steps))

    @property
    def codes(self) -> list[int]:
        """Return the code of each step."""
        return [self.names.index(step) for step in self.steps]

    @property
    def spelled(self) -> dict[str, int]:
        """Return {event: code of the step that it counts as}."""
        events = self.alternatives or tuple((step,) for step in self.steps)
        return {name: code for names, code in zip(events, self.codes, strict=True) for name in names}


class Log(OpenedLog):
    """An opened event log, and its rows as arrays."""

    def waves(self, want: Want, part: int = 0, parts: int = 1) -> Iterator[Wave]:
        """Yield the rows that `want` asks for, of all entities or of one partition of them.

        What is yielded are waves (blocks.py): calls that may run at the same time, and how much of all is then done.
        """
        layout = self.layout(want)
        if layout is None:
            yield [lambda: [self.sorted_rows(want, part, parts)]], 1.0
        elif self._arrow_reads(want):
            columns = (self.columns.id, self.columns.stage, self.columns.at, want.by)
            until = None if self.as_of is None else instant_us(self.as_of)
            hashed = self.types[self.columns.id] == "VARCHAR"
            yield from waves(self.footers, Reading(columns, want.spelled, layout, until, part, parts, hashed))
        else:
            reads = self._reads(want, layout, part, parts)
            yield from dealt_waves(self.n_rows / parts, reads, layout)

    def layout(self, want: Want) -> Layout | None:
        """Return the Layout of rows that keys can sort, None where only DuckDB's general sort brings what is wanted."""
        beside = want.foreign or want.excluded or want.held or want.others
        if beside or self.span is None or (want.ids and self.types[self.columns.id] not in INTEGERS):
            return None
        segments = self._values(want.by) if want.by else ()
        return layout_for(len(want.names), self.span, segments) if len(segments) <= _SEGMENTS else None

    def is_text(self, name: str) -> bool:
        """Return whether a column of Parquet files is text and nowhere missing; to ask it of others costs a scan."""
        if not self.parquet or self.types[name] != "VARCHAR":
            return False
        missing = self.guard(lambda: has_missing(self.parquet, name))
        sql = f"SELECT 1 FROM {LOG} WHERE {quote(name)} IS NULL LIMIT 1"
        return not (self.guard(lambda: self.query(sql).fetchall()) if missing is None else missing)

    def _arrow_reads(self, want: Want) -> bool:
        """Return whether the Parquet files can be read chunk by chunk without DuckDB."""
        texts = [self.columns.stage, *([want.by] if want.by else [])]
        if self.footers is None or not self.footers.readable or any(self.types[name] != "VARCHAR" for name in texts):
            return False
        # DuckDB reads and hashes texts faster than Arrow and numpy do, but no row group in more than one thread.
        few = self.types[self.columns.id] == "VARCHAR" and len(self.footers.chunks) < THREADS
        return few or self.types[self.columns.id] in INTEGERS

    def _usable(self, part: int, parts: int) -> str:
        """Return the SQL of which rows count: with id and time, up to the as-of date, of the partition."""
        usable = ["who IS NOT NULL AND moment IS NOT NULL"] if not self.complete else []
        usable += [f"hash(who) % {parts} = {part}"] if parts > 1 else []
        usable += [f"moment <= {self.until()}"] if self.as_of is not None else []
        return " AND ".join(usable) or "true"

    def _coded(self, want: Want, segments: Sequence[str]) -> str:
        """Return the SQL of who, moment, code of the step, code of the segment, of the rows that are steps."""
        names = ", ".join(literal(name) for name in want.spelled)
        segment = ""
        if want.by:
            listed = ", ".join(literal(name) for name in segments)
            segment = f", list_position([{listed}], coalesce(CAST({quote(want.by)} AS VARCHAR), '')) - 1 AS segment"
        place, codes = f"list_position([{names}], {self.what})", list(want.spelled.values())
        code = f"{place} - 1" if codes == list(range(len(codes))) else f"list_extract({codes}, {place})"
        code = f"CAST({code} AS BIGINT) AS code"
        # By its list of names the scan itself passes over the other rows; that the code is null it could not know.
        where = f"{self.what} IN ({names})"
        return f"SELECT {self.who} AS who, {self.moment} AS moment{segment}, {code} FROM {LOG} WHERE {where}"

    def _reads(self, want: Want, layout: Layout, part: int, parts: int) -> Iterator[Callable[[], Iterator[Pair]]]:
        """Yield calls that return (who, what) of a block of the step rows, as DuckDB reads them."""
        import pyarrow

        who = "who" if self.types[self.columns.id] in INTEGERS else "hash(who)"
        what = f"((epoch_us(moment) - {layout.first}) << {layout.below}) | (code << {layout.segment_bits})"
        sql = (
            f"SELECT {who} AS who, {what}{' | segment' if want.by else ''} AS what "
            f"FROM ({self._coded(want, layout.segments)}) WHERE {self._usable(part, parts)}"
        )
        for batch in pyarrow.RecordBatchReader.from_stream(self.query(sql)):
            yield partial(_integers, batch)

    def _values(self, name: str) -> tuple[str, ...]:
        """Return the different values of a column as sorted text, missing ones as empty text."""
        if name not in self.values_of:
            sql = f"SELECT DISTINCT coalesce(CAST({quote(name)} AS VARCHAR), '') FROM {LOG} ORDER BY 1"
            if self.footers is not None and self.footers.readable and self.types[name] == "VARCHAR":
                found = sorted(set().union(*self.each(partial(names_in, name=name), self.footers.chunks)))
            else:
                found = [row[0] for row in self.guard(lambda: self.query(sql).fetchall())]
            self.values_of[name] = tuple(found)
        return self.values_of[name]

    def sorted_rows(self, want: Want, part: int = 0, parts: int = 1) -> Rows:
        """Return the rows sorted by DuckDB, with all that `want` asks for."""
        code = "CASE what " + " ".join(f"WHEN {literal(name)} THEN {n}" for name, n in want.spelled.items()) + " "
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
        table = self.guard(lambda: self.query(sql).to_arrow_table())
        excluded = None
        if want.excluded:
            listed = ", ".join(literal(name) for name in want.excluded)
            sql = f"SELECT who, at_us FROM ({inner}) WHERE what IN ({listed}) ORDER BY who, at_us"
            excluded = self.guard(lambda: self.query(sql).to_arrow_table())
        return sorted_table_rows(table, excluded, want)

    def held_missing(self, want: Want) -> int:
        """Return how many rows of the steps lack a held value and so stand in no chain."""
        lacking = " OR ".join(f"{quote(name)} IS NULL" for name in want.held)
        listed = ", ".join(literal(name) for name in want.spelled)
        sql = f"SELECT count(*) FROM {LOG} WHERE ({lacking}) AND {self.what} IN ({listed})"
        return int(self.guard(lambda: self.query(sql).fetchall()[0][0]))


def _integers(batch: Any) -> Iterator[Pair]:
    """Yield (who, what) of a batch as arrays."""
    who, what = (batch.column(place).to_numpy() for place in (0, 1))
    yield who.astype("int64", copy=False) if who.dtype.kind == "i" else who.view("int64"), what
