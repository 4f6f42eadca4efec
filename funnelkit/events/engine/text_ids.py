"""Hashes of texts: an Arrow column of text ids as 64-bit numbers, eight bytes of all rows at a time.

Texts of up to eight bytes never share a hash; of longer ones any two do by a chance of about one in 2**64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funnelkit.events.engine.arrays import Array

_ROWS = 1 << 13  # rows at once: their arrays stay in the fastest cache
_MIX, _SPREAD = np.uint64(0x9FB21C651E98DF25), np.uint64(0xD6E8FEB86659FD93)  # odd, so nothing is lost by them
_WORD = np.uint64(64)


def hashes(column: Any, kept: Array) -> Array:
    """Return the hash of some rows' texts, none of which is missing."""
    import pyarrow as pa

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    width = "int32" if pa.types.is_string(column.type) else "int64"
    begins = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1]
    first, last = int(begins[0]), int(begins[-1])
    words = np.zeros((last - first >> 3) + 2, dtype="uint64")  # one more than there is text: a word may reach into it
    if data is not None:
        words.view("uint8")[: last - first] = np.frombuffer(data, "uint8")[first:last]
    begins = begins - first
    found = np.empty(len(kept), dtype="uint64")
    for row in range(0, len(kept), _ROWS):
        some = kept[row : row + _ROWS]
        begin = begins.take(some).astype("int64", copy=False)
        found[row : row + _ROWS] = _hashes(words, begin, begins.take(some + 1) - begin)
    return found.view("int64")


def _hashes(words: Array, begin: Array, size: Array) -> Array:
    """Return the hashes of texts given by their first byte and their size."""
    found = size.view("uint64") * _SPREAD
    who, least = None, int(size.min())
    place: Array = begin >> 3
    # By how many bits a word of the text lies within two aligned words.
    down: Array = ((begin & 7) << 3).view("uint64")
    up: Array = _WORD - down
    here: Array = words.take(place)
    for done in range(0, int(size.max()), 8):
        if done >= least:  # the others go on
            longer = np.flatnonzero(size > done)
            who = longer if who is None else who[longer]
            place, size, here, down, up = (part.take(longer) for part in (place, size, here, down, up))
            least = int(size.min())
        place += 1
        following = words.take(place)
        word = here >> down
        word |= following << up
        if done + 8 > least:  # what stands beyond the text's end goes
            word <<= (np.maximum(done + 8 - size, 0) << 3).view("uint64")
        if who is None:
            _mix(found, word)
        else:
            found[who] = _mix(found[who], word)
        here = following
    return found


def _mix(found: Array, word: Array) -> Array:
    """Take the next word into hashes, in place."""
    found ^= word
    found *= _MIX
    found ^= found >> np.uint64(32)
    found *= _SPREAD
    return found
