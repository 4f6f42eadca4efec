"""Blocks: the rows of Parquet files as pairs of integers, some row groups at a time; text ids are hashed.

A wave is (calls, share): calls that return lists of Rows, each of some entities, and may run at the same time, before
the next wave is asked for; and the share of the log that is done with them. Of a log in order of its entities each
chunk is counted as it is read, batch by batch; of any other, all is read and dealt into buckets first. Where there are
fewer chunks than threads, who asks for a call reads its batch, and the threads work on those before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from funnelkit.events.engine import sort_keys
from funnelkit.events.engine.arrays import Array, Pair, Rows
from funnelkit.events.engine.parquet_footers import Chunk, Footers
from funnelkit.events.engine.sort_keys import Layout
from funnelkit.events.engine.text_ids import hashes

_Read: TypeAlias = Callable[[], Iterable[Pair]]  # of (who, what)
Wave: TypeAlias = tuple[Iterable[Callable[[], Iterable[Rows]]], float]

BATCH_ROWS = 1 << 18  # rows read at once: their arrays stay in the cache, and the memory of one batch serves the next


@dataclass(frozen=True)
class Reading:
    """What to read of each chunk: columns (who, step, moment, segment or None), codes, up to when, which partition."""

    columns: tuple[str, str, str, str | None]
    codes: dict[str, int]
    layout: Layout
    until: int | None = None
    part: int = 0
    parts: int = 1
    hashed: bool = False  # ids are texts, for which hashes stand


def waves(footers: Footers, reading: Reading) -> Iterator[Wave]:
    """Yield the waves of Parquet files."""
    edges = None if reading.hashed else footers.edges
    if edges is None:
        n_rows = footers.n_rows / reading.parts
        reads = _calls(footers.chunks, partial(_reads, reading=reading, bits=sort_keys.bucket_bits(n_rows)))
        yield from dealt_waves(n_rows, reads, reading.layout)
        return
    apart: list[Pair] = []
    yield _calls(footers.chunks, partial(_ordered, reading=reading, edges=edges, apart=apart)), 0.9
    rest: list[_Read] = [lambda: [apart.pop()]] * len(apart)
    yield from dealt_waves(sum(len(who) for who, _ in apart), rest, reading.layout, 0.95)


def _calls(chunks: Sequence[Chunk], of_batches: Callable[..., Iterator[Any]]) -> Any:
    """Return a list of a call for each chunk; where these are fewer than the threads, an iterator of one a batch."""
    if len(chunks) < sort_keys.THREADS:
        return (call for chunk in chunks for call in of_batches(chunk, use_threads=True))
    return [partial(_one_by_one, of_batches, chunk) for chunk in chunks]


def _one_by_one(of_batches: Callable[..., Iterator[Any]], chunk: Chunk) -> Iterator[Any]:
    """Return what the calls of all batches of a chunk return."""
    return chain.from_iterable(call() for call in of_batches(chunk, use_threads=False))


def dealt_waves(n_rows: float, reads: Iterable[_Read], layout: Layout, share: float = 0.5) -> Iterator[Wave]:
    """Yield two waves: one deals what `reads` give into buckets, the other returns the Rows of each bucket."""
    bits, dealt = sort_keys.bucket_bits(n_rows), list[sort_keys.Dealt]()

    def deal(read: _Read) -> list[Rows]:
        for who, what in read():
            dealt.extend(sort_keys.deal(who, what, bits))
        return []

    # A list has a length, which tells how far the calls have come; a generator is asked for no more than is needed.
    yield (
        ([partial(deal, read) for read in reads] if isinstance(reads, list) else (partial(deal, r) for r in reads)),
        share,
    )
    yield [partial(sort_keys.bucket, dealt, place, layout) for place in range(1 << bits)], 1.0


def names_in(chunk: Chunk, name: str) -> set[str]:
    """Return the different texts of a column of a chunk, missing ones as empty text."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(chunk.path, read_dictionary=[name])
    found = set()
    for batch in file.iter_batches(BATCH_ROWS, row_groups=chunk.places, columns=[name], use_threads=False):
        found.update(batch.column(0).unique().to_pylist())
    return {text or "" for text in found}


def count_later(chunk: Chunk, moment: str, until: int) -> int:
    """Return how many rows of a chunk are later than an instant (us)."""
    import pyarrow.parquet as pq

    options = {"row_groups": chunk.places, "columns": [moment], "use_threads": False}
    batches = pq.ParquetFile(chunk.path).iter_batches(BATCH_ROWS, **options)
    return sum(int(np.count_nonzero(_instants(batch.column(0)) > until)) for batch in batches)


def _reads(chunk: Chunk, reading: Reading, bits: int, use_threads: bool) -> Iterator[_Read]:
    """Yield calls that return (who, what) of the rows of a batch of a chunk that are steps."""
    names = _Names.of(reading)
    size = max(BATCH_ROWS, sort_keys.piece_rows(bits))
    for batch in _batches(_file(chunk, reading), chunk.places, reading.columns, size, use_threads):
        yield partial(_read, batch, reading, names)


def _read(batch: Any, reading: Reading, names: tuple[_Names, _Names]) -> list[Pair]:
    return [_packed(_columns(batch, batch.column(reading.columns[0]), reading, names), reading.layout)]


def _ordered(
    chunk: Chunk, reading: Reading, edges: set[Any], apart: list[Pair], use_threads: bool
) -> Iterator[Callable[[], Iterable[Rows]]]:
    """Yield calls that return Rows of the entities that are in this batch of a chunk only.

    Rows of others go apart, or all if the chunk is in no order.
    """
    file, edges = _file(chunk, reading), edges & {chunk.low, chunk.high}
    ids = file.read_row_groups(chunk.places, columns=reading.columns[:1], use_threads=False).column(0).to_numpy()
    in_order = not (ids[1:] < ids[:-1]).any()
    names, first = _Names.of(reading), 0
    for batch in _batches(file, chunk.places, reading.columns[1:], BATCH_ROWS, use_threads):
        last = first + batch.num_rows
        low, high = ids[first], ids[last - 1]
        shared = edges & {low, high}
        shared |= {low} if first and ids[first - 1] == low else set()
        shared |= {high} if last < len(ids) and ids[last] == high else set()
        ends = (low, high, shared) if in_order else None
        yield partial(_of_batch, (batch, ids[first:last]), ends, (reading, names), apart)
        first = last


def _of_batch(
    rows: tuple[Any, Array], ends: tuple[Any, Any, set[Any]] | None, setting: tuple[Any, Any], apart: list[Pair]
) -> Iterable[Rows]:
    columns, layout = _columns(*rows, *setting), setting[0].layout
    if ends is None:
        apart.append(_packed(columns, layout))
        return []
    return _within(columns, ends[:2], ends[2], (layout, apart))


def _within(
    columns: Sequence[Any], ends: tuple[Any, Any], shared: set[Any], setting: tuple[Any, ...]
) -> Iterator[Rows]:
    """Yield Rows of columns in order of who; rows of the entities that are `shared` with neighbours go apart."""
    (low, high), (layout, apart), n = ends, setting, len(columns[0])
    if shared:
        first = np.searchsorted(columns[0], low, side="right") if low in shared else 0
        last = max(first, np.searchsorted(columns[0], high) if high in shared else n)
        apart.append(_packed(_taken(columns, np.r_[0:first, last:n]), layout))
        columns = _taken(columns, slice(first, last))
    rows = sort_keys.presorted(columns, layout.segments)
    yield from sort_keys.group(*_packed(columns, layout), layout) if rows is None else [rows]


def _packed(columns: Sequence[Any], layout: Layout) -> Pair:
    return columns[0], layout.pack(*columns[1:])


def _taken(columns: Sequence[Any], rows: Any) -> list[Any]:
    return [None if column is None else column[rows] for column in columns]


def _file(chunk: Chunk, reading: Reading) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(chunk.path, read_dictionary=[name for name in reading.columns[1::2] if name])


def _batches(file: Any, places: Sequence[int], columns: Sequence[str | None], size: int, use_threads: bool) -> Any:
    """Return an iterator over batches of some columns of row groups."""
    wanted = [name for name in columns if name]
    return file.iter_batches(size, row_groups=places, columns=wanted, use_threads=use_threads)


def _columns(batch: Any, who: Any, reading: Reading, names: tuple[_Names, _Names]) -> tuple[Any, ...]:
    """Return (who, instant, code, segment or None) of the rows of a batch that are steps, as arrays of their own.

    `who` are their ids, as an array or as a column, which texts must be.
    """
    _, step, moment, by = reading.columns
    code, at = names[0].codes(batch.column(step)), _instants(batch.column(moment))
    kept: Array = code >= 0
    if reading.until is not None:
        kept &= at <= reading.until
    kept = np.flatnonzero(kept)
    if reading.hashed:
        who = hashes(who, kept)
    else:
        who = (who if isinstance(who, np.ndarray) else who.to_numpy()).take(kept).astype("int64", copy=False)
    if reading.parts > 1:
        ours = sort_keys.partition_of(who, reading.parts) == reading.part
        who, kept = who[ours], kept[ours]
    return who, at.take(kept), code.take(kept), names[1].codes(batch.column(by)).take(kept) if by else None


class _Names:
    """Codes of the names in a column; the last dictionary is remembered, for the next batch often has the same."""

    def __init__(self, known: Mapping[str, int], dtype: str, missing: int = -1) -> None:
        self.known, self.dtype, self.missing = known, dtype, missing
        self.last: tuple[Any, Any] | None = None  # its table of codes beside it

    @classmethod
    def of(cls, reading: Reading) -> tuple[_Names, _Names]:
        """Return those of the steps and of the segments."""
        places = {name: place for place, name in enumerate(reading.layout.segments)}
        return cls(reading.codes, "int8"), cls(places, "int32", places.get("", -1))

    def codes(self, column: Any) -> Array:
        """Return the code of each row, -1 where its name has none."""
        import pyarrow as pa

        column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        last = self.last
        if last is None or not last[0].equals(column.dictionary):
            texts = column.dictionary.to_pylist()
            of_name = [self.known.get(name, -1) if name is not None else self.missing for name in texts]
            # The last one is for rows without a name.
            self.last = last = column.dictionary, np.array([*of_name, self.missing], dtype=self.dtype)
        indices, table = column.indices, last[1]
        indices = indices.fill_null(len(table) - 1) if indices.null_count else indices
        codes: Array = table.take(indices.to_numpy())
        return codes


def _instants(column: Any) -> Array:
    """Return the times as microseconds."""
    import pyarrow as pa

    at = column if column.type == pa.timestamp("us") else column.cast(pa.timestamp("us"))
    instants: Array = at.to_numpy(zero_copy_only=False).view("int64")
    return instants
