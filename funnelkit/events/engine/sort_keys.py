"""Keys: bring the rows of a log into (entity, time, step) order by sorting one packed integer a row.

Rows come in blocks, in any order, as two integers each: `who`, a whole-number id or a 64-bit hash of it, and `what`,
time, step and segment packed. Blocks are dealt into buckets by a hash of who; each bucket is small enough for the
processor's cache and is sorted and searched by itself, so threads share nothing and a log costs 16 bytes a row.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import Array, Rows

Dealt: TypeAlias = tuple[Array, Array, Array]

THREADS = min(4, os.cpu_count() or 1)
BUCKET_ROWS = 300_000
_MOST_BITS = 12
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: multiplied by it, near ids are far apart


@dataclass(frozen=True)
class Layout:
    """Where the parts of `what` stand: time << below | code << segment_bits | segment.

    Times are ticks of `unit` microseconds since the instant `first`, or places among the instants `moments`.
    """

    first: int
    time_bits: int
    code_bits: int
    segments: tuple[str, ...] = ()
    unit: int = 1
    moments: Array | None = None

    @property
    def segment_bits(self) -> int:
        """Return the width of the segment's code."""
        return _bits(len(self.segments)) if self.segments else 0

    @property
    def below(self) -> int:
        """Return the width of all below the time."""
        return self.code_bits + self.segment_bits

    @property
    def bits(self) -> int:
        """Return the width of it all."""
        return self.time_bits + self.below

    def pack(self, at: Array, code: Array, segment: Array | None = None) -> Array:
        """Return `what` of instants (us, used up), codes and segments."""
        at -= self.first
        at <<= self.code_bits
        at |= code
        if segment is not None:
            at <<= self.segment_bits
            at |= segment
        return at

    def unpack(self, keys: Array, low: int, names: Array | None) -> Rows:
        """Return the Rows of sorted keys, which are used up; ids are `low` and more, or `names`, which are in order."""
        who = keys >> self.bits
        new = np.r_[True, who[1:] != who[:-1]]
        entity = new.astype("int32")
        np.cumsum(entity, out=entity)
        entity -= 1
        ids = who.take(np.flatnonzero(new)) + low if names is None else names
        keys &= (1 << self.bits) - 1
        segment = (keys & ((1 << self.segment_bits) - 1)).astype("int32") if self.segments else None
        keys >>= self.segment_bits
        code = (keys & ((1 << self.code_bits) - 1)).astype("int8")
        keys >>= self.code_bits
        at = keys if self.moments is None else self.moments[keys]
        at *= self.unit
        at += self.first
        return Rows(entity, code, at, len(ids), segment=segment, segments=self.segments, ids=ids)


def layout_for(n_codes: int, span: tuple[int, int], segments: tuple[str, ...]) -> Layout | None:
    """Return the Layout of the times between two instants (us), or None where they do not fit."""
    first, last = span
    layout = Layout(first, _bits(last - first), _bits(n_codes - 1), segments)
    return layout if layout.bits <= 62 else None


def bucket_bits(n_rows: float) -> int:
    """Return of how many bits of a hash the buckets of so many rows are made."""
    return min(_MOST_BITS, max(0, int(n_rows / BUCKET_ROWS)).bit_length())


def piece_rows(bits: int) -> int:
    """Return how many rows to deal at once: about 1,000 a bucket; it takes half the time where they fit the cache."""
    return 1 << (10 + bits)


def deal(who: Array, what: Array, bits: int) -> list[Dealt]:
    """Return [(who, what, where each bucket ends)] of the pieces of a block, rows in order of their buckets."""
    if not bits or not len(who):
        return [(who, what, np.full(1 << bits, len(who)))]
    size = min(piece_rows(bits), len(who))
    return [_deal(who[first : first + size], what[first : first + size], bits) for first in range(0, len(who), size)]


def _deal(who: Array, what: Array, bits: int) -> Dealt:
    bucket = ((who.view("uint64") * _MIX) >> np.uint64(64 - bits)).astype("uint8" if bits <= 8 else "uint16")
    order = np.argsort(bucket, kind="stable")
    who, what, bucket = (part.take(order, mode="clip") for part in (who, what, bucket))
    return who, what, np.searchsorted(bucket, np.arange(1 << bits, dtype=bucket.dtype), side="right")


def partition_of(who: Array, parts: int) -> Array:
    """Return the number of each row's partition of entities; it tells nothing of the bucket."""
    return ((who.view("uint64") * _MIX) & np.uint64(0xFFFFFFFF)) % np.uint64(parts)


def bucket(dealt: Sequence[Dealt], place: int, layout: Layout) -> list[Rows]:
    """Return the Rows of one bucket of dealt blocks, as a list of one, or of none where it is empty."""
    if not dealt:
        return []
    spans = [slice(ends[place - 1] if place else 0, ends[place]) for _, _, ends in dealt]
    who, what = (np.concatenate([block[n][span] for block, span in zip(dealt, spans, strict=True)]) for n in (0, 1))
    return group(who, what, layout)


def group(who: Array, what: Array, layout: Layout) -> list[Rows]:
    """Return [the Rows of the entities], sorted by (entity, time, step, segment); both arrays are used up."""
    if not len(who):
        return []
    low, names = int(who.min()), None
    width = _bits(int(who.max()) - low)
    if width + layout.bits > 63:
        what, layout = _whole_seconds(what, layout)
    if width + layout.bits > 63:
        low, (who, names, width) = 0, _numbered(who, 63 - layout.bits)
    if width + layout.bits > 63:
        what, layout = _ranked(what, layout)
    who -= low
    who <<= layout.bits
    who |= what
    del what
    if (who[1:] < who[:-1]).any():
        who.sort()
    return [layout.unpack(who, low, names)]


def _numbered(who: Array, most: int) -> tuple[Array, Array, int]:
    """Return a number of each id, the ids in order of these numbers, and their width, `most` where that is enough.

    Of hashes the first bits are enough, but for one bucket in some twenty: to see that is five times as fast as to
    number them.
    """
    ordered = np.sort(who.view("uint64"))
    names = ordered[np.r_[True, ordered[1:] != ordered[:-1]]]
    beyond = np.uint64(64 - most)
    if (np.diff(names >> beyond) > 0).all():
        return (who.view("uint64") >> beyond).view("int64"), names.view("int64"), most
    numbers, names = pd.factorize(who)
    return numbers, names, _bits(len(names) - 1)


def presorted(columns: Sequence[Any], segments: tuple[str, ...]) -> Rows | None:
    """Return the Rows of columns (who, at, code, segment) in order of (entity, time), None where they are in no order.

    The arrays become theirs.
    """
    who, at, code, segment = columns
    if (who[1:] < who[:-1]).any():
        return None
    new = np.r_[True, who[1:] != who[:-1]][: len(who)]
    if ((at[1:] < at[:-1]) & ~new[1:]).any():
        return None
    entity = new.astype("int32")
    np.cumsum(entity, out=entity)
    entity -= 1
    _fix_ties(new, at, code, segment)
    ids = who.take(np.flatnonzero(new))
    return Rows(entity, code, at, len(ids), segment=segment, segments=segments, ids=ids)


def _fix_ties(new: Array, at: Array, code: Array, segment: Array | None) -> None:
    """Put the rows of one entity and instant into the order of their steps, then segments, in place."""
    rank = code if segment is None else code.astype("int64") * (int(segment.max()) + 1) + segment
    tied = at[1:] == at[:-1]
    tied &= ~new[1:]
    wrong = np.flatnonzero(tied & (rank[1:] < rank[:-1]))
    if not len(wrong):
        return
    # Of a run of tied rows, all from its first to its last are sorted.
    tie = np.flatnonzero(tied)
    run = np.cumsum(np.r_[True, np.diff(tie) > 1])
    marked = np.zeros(run[-1] + 1, dtype=bool)
    marked[run[np.searchsorted(tie, wrong)]] = True
    tie, run = tie[marked[run]], run[marked[run]]
    begins = np.r_[True, np.diff(run) > 0]
    rows, run = np.r_[tie[begins], tie + 1], np.r_[run[begins], run]
    order = rows[np.lexsort((rank[rows], run))]
    rows.sort()
    code[rows] = code[order]
    if segment is not None:
        segment[rows] = segment[order]


def _whole_seconds(what: Array, layout: Layout) -> tuple[Array, Layout]:
    """Return what and layout in seconds where all times are whole ones, else as they are."""
    below = what & ((1 << layout.below) - 1)
    since = what >> layout.below
    seconds = since // 1_000_000
    if (seconds * 1_000_000 != since).any():
        return what, layout
    seconds <<= layout.below
    seconds |= below
    return seconds, replace(layout, unit=1_000_000, time_bits=_bits(((1 << layout.time_bits) - 1) // 1_000_000))


def _ranked(what: Array, layout: Layout) -> tuple[Array, Layout]:
    """Return what and layout with the places of times among all different ones."""
    moments, place = np.unique(what >> layout.below, return_inverse=True)
    place = (place << layout.below) | (what & ((1 << layout.below) - 1))
    return place, replace(layout, moments=moments, time_bits=_bits(len(moments) - 1))


def _bits(largest: int) -> int:
    return max(1, int(largest).bit_length())
