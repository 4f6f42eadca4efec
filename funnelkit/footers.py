"""Footers: what Parquet files tell of an event log without being read: its facts, and where its entities lie."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

_ROWS = 1 << 20  # rows that are worth reading at once
_LARGEST = 1 << 22  # row groups beyond this are left to DuckDB, which reads them bit by bit


@dataclass(frozen=True)
class Chunk:
    """Neighbouring row groups of one file that are read at once, with the least and largest id in them."""

    path: Path
    places: tuple[int, ...]
    n_rows: int
    low: object
    high: object


@dataclass(frozen=True)
class Footers:
    """What the footers tell of a log none of whose ids and times is missing."""

    n_rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    chunks: tuple[Chunk, ...]

    @property
    def readable(self):
        """Return whether every chunk is small enough to be held in memory."""
        return all(chunk.n_rows <= _LARGEST for chunk in self.chunks)

    @property
    def edges(self):
        """Return the ids that may stand in two chunks of a log in order of its entities; None where it is in none."""
        pairs = list(zip(self.chunks, self.chunks[1:], strict=False))
        if any(one.high > other.low for one, other in pairs):
            return None
        return {one.high for one, other in pairs if one.high == other.low}


def read_footers(paths, who, moment):
    """Return the Footers, or None where they do not tell all of it: no statistics, missing ids, infinite times."""
    import pyarrow.parquet as pq

    groups = []
    for path in paths:
        footer = pq.read_metadata(path)
        places = {footer.schema.column(n).path: n for n in range(footer.num_columns)}
        for part in range(footer.num_row_groups):
            group = footer.row_group(part)
            spans = [_span(group.column(places[name])) for name in (who, moment)]
            # Empty text is no id either, which the least value tells.
            if None in spans or spans[0][0] == "":
                return None
            times = _times(spans[1])
            if times is None:
                return None
            groups.append((Chunk(path, (part,), group.num_rows, *spans[0]), *times))
    if not groups:
        return None
    chunks, firsts, lasts = zip(*groups, strict=True)
    return Footers(sum(chunk.n_rows for chunk in chunks), min(firsts), max(lasts), tuple(_joined(chunks)))


def _span(column):
    """Return (least, largest) value of a column of a row group, None where one is missing or not told."""
    if not column.is_stats_set:
        return None
    stats = column.statistics
    return (stats.min, stats.max) if stats.has_min_max and stats.null_count == 0 else None


def _times(span):
    """Return the span as Timestamps, or None where it has a zone or is infinite, which is no date."""
    try:
        times = tuple(pd.Timestamp(moment) for moment in span)
    except (ValueError, OverflowError, TypeError):
        return None
    return None if times[0].tzinfo is not None else times


def _joined(chunks):
    """Join small neighbouring row groups of a file."""
    joined = []
    for chunk in chunks:
        last = joined[-1] if joined else None
        if last is None or last.path != chunk.path or last.n_rows + chunk.n_rows > _ROWS:
            joined.append(chunk)
            continue
        low, high = min(last.low, chunk.low), max(last.high, chunk.high)
        joined[-1] = Chunk(last.path, last.places + chunk.places, last.n_rows + chunk.n_rows, low, high)
    return joined
