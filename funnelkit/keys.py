"""Keys: bring the rows of a log into (entity, time, step) order by sorting one packed integer a row.

Logs come in time order, or already by entity. Then one in-place sort of 64-bit keys, split over two threads, replaces
a general sort; a log in neither order is left to DuckDB.
"""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from funnelkit.rows import Rows

THREADS = min(4, os.cpu_count() or 1)
_BLOCK = 1 << 16
_SMALL = 100_000  # rows below which threads cost more than they save


@dataclass
class Columns:
    """Columns of a log in file order: who (whole number or 64-bit hash), code, at (us), segment code or None."""

    who: np.ndarray
    code: np.ndarray
    at: np.ndarray
    segment: np.ndarray | None = None
    segments: tuple[str, ...] = ()
    hashed: bool = False


def group(columns):
    """Return the rows as a list of Rows, one for each thread, or None where the log is in no order."""
    if not len(columns.at):
        return None
    if _rising(columns.who) or (columns.hashed and _in_runs(columns.who)):
        rows = _by_entity(columns)
        if rows is not None:
            return rows
    packed = _packed(columns)
    if packed is not None:
        return packed
    return _hashed(columns) if _rising(columns.at) else None


def _rising(values):
    """Return whether values never fall; a look at the head spares most logs the whole pass."""
    head = values[:10_000]
    return bool((head[1:] >= head[:-1]).all() and (values[1:] >= values[:-1]).all())


def _in_runs(who):
    """Return whether equal values stand together, as hashes of the ids of a log ordered by entity do."""
    head = who[:10_000]
    if np.count_nonzero(head[1:] != head[:-1]) > 0.8 * len(head):
        return False
    starts = who[np.flatnonzero(np.r_[True, who[1:] != who[:-1]])]
    return len(starts) < 0.8 * len(who) and len(np.unique(starts)) == len(starts)


def _bits(largest):
    return max(1, int(largest).bit_length())


def _by_entity(columns):
    """Return the rows of a log ordered by entity, split at an entity, or None where its times fall."""
    new = np.r_[True, columns.who[1:] != columns.who[:-1]]
    if not ((columns.at[1:] >= columns.at[:-1]) | new[1:]).all():
        return None
    starts = np.flatnonzero(new)
    cuts = [starts[place] for place in _even(len(starts), len(columns.at))[1:-1]]
    spans = list(zip([0, *cuts], [*cuts, len(columns.at)], strict=True))

    def one(span):
        part = slice(*span)
        segment = None if columns.segment is None else columns.segment[part].copy()
        return _rows(columns, columns.who[part], columns.code[part].copy(), columns.at[part], segment)

    return _each(one, spans)


@dataclass(frozen=True)
class Packing:
    """Where the parts of a key stand: (who - low) << shift | time << (bits below) | code | segment.

    `first` is the instant (us) that whole seconds count from, or `moments` the instants that ranks stand for.
    """

    low: int
    time_bits: int
    code_bits: int
    segments: tuple[str, ...] = ()
    first: int = 0
    moments: np.ndarray | None = None

    @property
    def segment_bits(self):
        """Return the width of the segment's code."""
        return _bits(len(self.segments)) if self.segments else 0

    @property
    def shift(self):
        """Return the width of all below the entity."""
        return self.time_bits + self.code_bits + self.segment_bits

    def fits(self, high):
        """Return whether entities up to `high` fit a key."""
        return _bits(high - self.low) + self.shift <= 63

    def unpack(self, part):
        """Return the Rows of sorted keys, which are used up, block by block: what is not the result stays in cache."""
        n, ids, last, entity = len(part), [], None, np.empty(len(part), dtype="int32")
        code, segment = np.empty(n, dtype="int8"), np.empty(n, dtype="int32") if self.segments else None
        n_entities = 0
        for start in range(0, n, _BLOCK):
            block = part[start : start + _BLOCK]
            who = block >> self.shift
            new = np.r_[who[0] != last if last is not None else True, who[1:] != who[:-1]]
            entity[start : start + _BLOCK] = np.cumsum(new, dtype="int32") + np.int32(n_entities - 1)
            ids.append(who[new] + self.low)
            last, n_entities = who[-1], n_entities + len(ids[-1])
            if segment is not None:
                segment[start : start + _BLOCK] = block & ((1 << self.segment_bits) - 1)
            code[start : start + _BLOCK] = (block >> self.segment_bits) & ((1 << self.code_bits) - 1)
            self._to_times(block)
        return Rows(entity, code, part, n_entities, segment=segment, segments=self.segments, ids=np.concatenate(ids))

    def _to_times(self, block):
        """Turn keys into instants (us), in place."""
        block &= (1 << self.shift) - 1
        block >>= self.code_bits + self.segment_bits
        if self.moments is not None:
            block[:] = self.moments[block]
            return
        block *= 1_000_000
        block += self.first


def unpack_sorted(keys, packing):
    """Sort packed keys in place; return the list of Rows."""
    return _sorted_parts(keys, packing.shift, packing.unpack)


def packing_for(want, bounds, segments):
    """Return the Packing of keys made where the log is read, or None where the parts do not fit.

    `bounds`: least and largest id, first and last instant (us).
    """
    low, high, first, last = bounds
    first -= first % 1_000_000
    bits = _bits((last - first) // 1_000_000)
    packing = Packing(low, bits, _bits(len(want.names) - 1), segments, first)
    return packing if packing.fits(high) else None


def _packed(columns):
    """Sort keys of entity, time, step and segment; return None where they do not fit 63 bits.

    Time is whole seconds where all times are, else the rank of the moment, which a log in time order gives for free.
    """
    if columns.hashed:
        return None
    ranks, moments, first = _seconds(columns.at), None, int(columns.at.min())
    if ranks is None and not _rising(columns.at):
        return None
    if ranks is None:
        ranks, moments = _moments(columns.at)
    bits = (_bits(ranks.max()), _bits(columns.code.max()))
    packing = Packing(int(columns.who.min()), *bits, columns.segments, first, moments)
    if not packing.fits(int(columns.who.max())):
        return None
    keys = ranks
    keys <<= packing.code_bits
    keys |= columns.code
    if columns.segment is not None:
        keys <<= packing.segment_bits
        keys |= columns.segment
    who = columns.who - packing.low
    who <<= packing.shift
    keys |= who
    del who, ranks
    columns.who = columns.at = columns.code = columns.segment = None  # the keys hold all of it
    return unpack_sorted(keys, packing)


def _seconds(at):
    """Return the seconds since the first instant, or None where times have fractions of them."""
    first = int(at.min())
    if ((at[:1000] - first) % 1_000_000).any():
        return None
    since = at - first
    seconds = since // 1_000_000
    since -= seconds * 1_000_000
    return None if since.any() else seconds


def _moments(at):
    """Return (rank of each moment, the moments) of a log in time order."""
    later = at[1:] != at[:-1]
    ranks = np.empty(len(at), dtype="int64")
    ranks[0] = 0
    np.cumsum(later, out=ranks[1:])
    return ranks, at[np.r_[True, later]]


def _hashed(columns):
    """Sort keys of the hash's upper bits and the row number, then gather; rows of equal upper bits are told apart."""
    n = len(columns.at)
    row_bits = _bits(n)
    mixed = columns.who.view("uint64") if columns.hashed else columns.who.view("uint64") * np.uint64(0x9E3779B97F4A7C15)
    keys = (mixed >> np.uint64(row_bits)) << np.uint64(row_bits)
    keys |= np.arange(n, dtype="uint64")

    def one(part):
        order = (part & np.uint64((1 << row_bits) - 1)).view("int64")
        full = mixed[order]
        _part_collisions(full, order, row_bits)
        segment = None if columns.segment is None else columns.segment[order]
        return _rows(columns, full, columns.code[order], columns.at[order], segment)

    return _sorted_parts(keys, row_bits, one)


def _part_collisions(full, order, row_bits):
    """Put rows whose hashes share the upper bits, but differ, into order of the whole hash (in place)."""
    shift = np.uint64(row_bits)
    ends = np.flatnonzero(full[1:] != full[:-1])
    shared = np.unique(full[ends[(full[ends] >> shift) == (full[ends + 1] >> shift)]] >> shift)
    upper = full >> shift if len(shared) else None
    for value in shared:
        first, stop = np.searchsorted(upper, [value, value + np.uint64(1)])
        inner = np.argsort(full[first:stop], kind="stable")
        full[first:stop], order[first:stop] = full[first:stop][inner], order[first:stop][inner]


def _sorted_parts(keys, shift, finish):
    """Sort keys in parallel parts that no entity straddles, and finish each."""
    cuts = _even(len(keys), len(keys))
    inner = cuts[1:-1]
    if len(inner):
        keys.partition(inner)
    spans = list(itertools.pairwise(cuts))
    _each(lambda span: keys[slice(*span)].sort(), spans)
    kind = keys.dtype.type
    # An entity that straddles a cut belongs to the part after it.
    edges = [int(np.searchsorted(keys, kind((int(keys[cut]) >> shift) << shift))) for cut in inner]
    spans = zip([0, *edges], [*edges, len(keys)], strict=True)
    return _each(lambda span: finish(keys[slice(*span)]), [span for span in spans if span[1] > span[0]])


def _even(n, size):
    parts = THREADS if size >= _SMALL else 1
    return [n * part // parts for part in range(parts + 1)]


def _each(action, items):
    if len(items) == 1:
        return [action(items[0])]
    with ThreadPoolExecutor(len(items)) as threads:
        return list(threads.map(action, items))


def _rows(columns, who, code, at, segment):
    """Order the steps of equal times, then assemble."""
    fix_ties(who, at, code, segment)
    new = np.r_[True, who[1:] != who[:-1]]
    return _assemble(new, code, at, (segment, columns.segments), who[new])


def _assemble(new, code, at, segment, ids):
    entity = np.cumsum(new, dtype="int32")
    entity -= 1
    return Rows(entity, code, at, len(ids), segment=segment[0], segments=segment[1], ids=ids)


def fix_ties(who, at, code, segment):
    """Put rows of one entity and instant into the order of the steps, in place; rows are sorted by (who, at).

    Events of one step at one instant come in the order of their segments, so that the answer is always the same.
    """
    rank = code if segment is None else code.astype("int64") * (int(segment.max()) + 1) + segment
    falls = np.flatnonzero(rank[1:] < rank[:-1])
    wrong = falls[(at[falls] == at[falls + 1]) & (who[falls] == who[falls + 1])] + 1
    if not len(wrong):
        return
    same = (who[1:] == who[:-1]) & (at[1:] == at[:-1])
    tie = np.cumsum(np.r_[True, ~same], dtype="int32")
    marked = np.zeros(tie[-1] + 1, dtype=bool)
    marked[tie[wrong]] = True
    rows = np.flatnonzero(marked[tie])
    order = rows[np.lexsort((rank[rows], tie[rows]))]
    code[rows] = code[order]
    if segment is not None:
        segment[rows] = segment[order]
