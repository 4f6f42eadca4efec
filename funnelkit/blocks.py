"""Blocks: the rows of Parquet files with whole-number ids as pairs of integers, some row groups at a time.

A wave is (calls, share): calls that return lists of Rows, each of some entities, and may run at the same time, before
the next wave is asked for; and the share of the log that is done with them. Of a log in order of its entities each
chunk is counted as it is read; of any other, all is read and dealt into buckets first.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from funnelkit import keys


@dataclass(frozen=True)
class Reading:
    """What to read of each chunk: columns (who, step, moment, segment or None), codes, up to when, which partition."""

    columns: tuple[str, str, str, str | None]
    codes: dict
    layout: keys.Layout
    until: int | None = None
    part: int = 0
    parts: int = 1


def waves(footers, reading):
    """Yield the waves of Parquet files."""
    edges = footers.edges
    if edges is None:
        reads = [partial(read, chunk, reading) for chunk in footers.chunks]
        yield from dealt_waves(footers.n_rows / reading.parts, reads, reading.layout)
        return
    apart = []
    yield [partial(_ordered, chunk, reading, edges & {chunk.low, chunk.high}, apart) for chunk in footers.chunks], 1.0
    if apart:
        who, what = (np.concatenate(parts) for parts in zip(*apart, strict=True))
        yield [partial(keys.group, who, what, reading.layout)], 1.0


def dealt_waves(n_rows, reads, layout):
    """Yield two waves: one deals what `reads` return into buckets, the other returns the Rows of each bucket."""
    bits, dealt = keys.bucket_bits(n_rows), []

    def deal(read):
        dealt.extend(keys.deal(*read(), bits))
        return []

    calls = [partial(deal, read) for read in reads] if isinstance(reads, list) else (partial(deal, r) for r in reads)
    yield calls, 0.5
    yield [partial(keys.bucket, dealt, place, layout) for place in range(1 << bits)], 1.0


def _ordered(chunk, reading, edges, apart):
    """Return Rows of the entities that are in this chunk only; put the rows of others apart."""
    columns = _columns(chunk, reading)
    if edges:
        if (columns[0][1:] < columns[0][:-1]).any():
            columns = _taken(columns, np.argsort(columns[0], kind="stable"))
        first = np.searchsorted(columns[0], chunk.low, side="right") if chunk.low in edges else 0
        last = np.searchsorted(columns[0], chunk.high) if chunk.high in edges else len(columns[0])
        last = max(first, last)
        ends = np.r_[0:first, last : len(columns[0])]
        apart.append(_packed(_taken(columns, ends), reading.layout))
        columns = _taken(columns, slice(first, last))
    pieces = keys.presorted(columns, reading.layout.segments)
    return keys.group(*_packed(columns, reading.layout), reading.layout) if pieces is None else pieces


def read(chunk, reading):
    """Return (who, what) of the rows of a chunk that are steps."""
    return _packed(_columns(chunk, reading), reading.layout)


def _packed(columns, layout):
    return columns[0], layout.pack(*columns[1:])


def _taken(columns, rows):
    return [None if column is None else column[rows] for column in columns]


def _columns(chunk, reading):
    """Return (who, instant, code, segment or None) of the rows of a chunk that are steps, as arrays of their own."""
    import pyarrow.parquet as pq

    named, wanted = [name for name in reading.columns[1::2] if name], [name for name in reading.columns if name]
    file = pq.ParquetFile(chunk.path, read_dictionary=named)
    table = file.read_row_groups(chunk.places, columns=wanted, use_threads=False)
    id_name, step, moment, by = reading.columns
    code = _codes(table.column(step), reading.codes, "int8")
    kept = code >= 0
    who, at = table.column(id_name).to_numpy(), _instants(table.column(moment))
    if reading.until is not None:
        kept &= at <= reading.until
    kept = np.flatnonzero(kept)
    who = who[kept].astype("int64", copy=False)
    if reading.parts > 1:
        ours = keys.partition_of(who, reading.parts) == reading.part
        who, kept = who[ours], kept[ours]
    segment = None
    if by:
        places = {name: place for place, name in enumerate(reading.layout.segments)}
        segment = _codes(table.column(by), places, "int32", missing=places.get("", -1))[kept]
    return who, at[kept], code[kept], segment


def _codes(column, codes, dtype, missing=-1):
    """Return the code of each row of a column of names, -1 where it has none."""
    import pyarrow as pa

    parts = []
    for chunk in column.chunks:
        chunk = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        of_name = [codes.get(name, -1) if name is not None else missing for name in chunk.dictionary.to_pylist()]
        # The last one is for rows without a name.
        table = np.array([*of_name, missing], dtype=dtype)
        indices = chunk.indices.fill_null(len(of_name)) if chunk.indices.null_count else chunk.indices
        parts.append(table[indices.to_numpy()])
    return np.concatenate(parts) if parts else np.array([], dtype=dtype)


def _instants(column):
    """Return the times as microseconds."""
    import pyarrow as pa

    at = column if column.type == pa.timestamp("us") else column.cast(pa.timestamp("us"))
    return at.to_numpy().view("int64")
