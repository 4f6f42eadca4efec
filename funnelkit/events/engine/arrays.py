"""Rows of an event log as sorted arrays, what a search over them found, and how rows compare in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Maybe: TypeAlias = Any  # an Array, or None where a rule has no use for it: the rule tells, which no type checker sees
Pair: TypeAlias = tuple[Array, Array]
Codes: TypeAlias = Sequence[int]
Windows: TypeAlias = tuple[int, ...] | None

NEVER = np.iinfo("int64").min  # a deadline that has always passed
UNDATED = np.iinfo("int64").max  # no deadline: without a window nobody is ever known to be lost


@dataclass
class Rows:
    """Event rows as arrays sorted by (entity, group, at, step); step -1 is an event that is none of the steps.

    `group` tells held values apart (None: one group an entity). `excluded` holds (entity, at) of excluded events in
    the same order. `segment` is the code of a breakdown value, `segments` their names, `ids` the entities' own ids.
    """

    entity: Array
    step: Array
    at: Array
    n_entities: int
    group: Maybe = None
    excluded: Maybe = None
    segment: Maybe = None
    segments: tuple[str, ...] = ()
    ids: Any = None
    others: dict[str, Any] = field(default_factory=dict)


@dataclass
class Reached:
    """How far each entity came. `depth`: steps reached in order, 0 where it never began or was removed.

    `start` and `end`: rows where its chosen chain began and reached its depth: of complete chains the first to
    complete, else the latest of that depth. `until`: the latest instant (us) at which a window of it runs. `path`
    (where asked for): the row that first reached each step within that chain, -1 where none. Where every step counts
    for itself (skip), `entered`, `advanced` and `until` are matrices, entities by steps, and depth says who began.
    Where only the depth was asked for, start and end may be None; end also where the rule has no use for it.
    """

    depth: Array
    start: Maybe
    end: Maybe
    until: Array
    path: Maybe = None
    entered: Maybe = None
    advanced: Maybe = None

    @classmethod
    def none(cls, n: int) -> Reached:
        """Return that of n entities none has begun."""
        return cls(np.zeros(n, dtype="int8"), np.full(n, -1), np.full(n, -1), np.full(n, NEVER))


def first_of_tie(group: Array, at: Array) -> Array:
    """Return for each row the first row of the same group and instant."""
    if not len(at):
        return np.arange(0)
    new = np.r_[True, (np.diff(group) != 0) | (np.diff(at) != 0)]
    return np.maximum.accumulate(np.where(new, np.arange(len(at)), 0))


def count_before(sorted_pairs: Pair, pairs: Pair, side: Literal["left", "right"] = "left") -> Array:
    """Return how many of `sorted_pairs` (entity, at) come before each of `pairs`, as searchsorted does for one key."""
    moments = np.unique(sorted_pairs[1])
    width = len(moments) + 1
    keys = sorted_pairs[0].astype("int64") * width + np.searchsorted(moments, sorted_pairs[1], side="right")
    # The rank of a moment is how many of the log's moments come before it (or up to it): pairs of up to that rank.
    rank = np.searchsorted(moments, pairs[1], side=side)
    return np.searchsorted(keys, pairs[0].astype("int64") * width + rank, side="right")


def sorted_table_rows(table: Any, excluded: Any, want: Any) -> Rows:
    """Turn a sorted Arrow table of what a Want asks for into Rows."""
    who = table.column("who").combine_chunks()
    entity, ids = _dense(who)
    rows = Rows(entity, table.column("code").to_numpy(), table.column("at_us").to_numpy(), len(ids), ids=ids)
    if want.held:
        changed = np.zeros(max(len(entity), 1), dtype=bool)
        for place in range(len(want.held)):
            codes = table.column(f"held{place}").combine_chunks().dictionary_encode().indices.to_numpy()
            changed[1:] |= np.diff(codes) != 0
        changed[1:] |= np.diff(entity) != 0
        rows.group = np.cumsum(changed[: len(entity)]).astype("int64")
    if want.by:
        segment = table.column("segment").combine_chunks().dictionary_encode()
        names = segment.dictionary.to_pylist()
        rank = np.argsort(np.argsort(np.array(names, dtype=str))) if names else np.array([], dtype=int)
        rows.segments = tuple(sorted(names))
        rows.segment = rank[segment.indices.to_numpy()] if names else np.array([], dtype=int)
    for place, name in enumerate(want.others):
        rows.others[name] = table.column(f"other{place}")
    if excluded is not None:
        rows.excluded = _excluded(excluded, ids)
    return rows


def _dense(who: Any) -> Pair:
    """Return (entity number of each row, ids): rows are sorted by id."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(who):
        return np.array([], dtype="int64"), np.array([], dtype=object)
    if pa.types.is_integer(who.type):
        values = who.to_numpy()
        new = np.r_[True, np.diff(values) != 0]
        return np.cumsum(new) - 1, values[new]
    new = np.r_[True, pc.not_equal(who[1:], who[:-1]).to_numpy(zero_copy_only=False)]
    return np.cumsum(new) - 1, who.filter(pa.array(new)).to_numpy(zero_copy_only=False)


def _excluded(table: Any, ids: Array) -> Pair:
    """Return (entity, at) of the excluded events of entities that also have steps."""
    if not len(ids) or not len(table):
        return np.array([], dtype="int64"), np.array([], dtype="int64")
    number = pd.Index(ids).get_indexer(table.column("who").to_pandas())
    known = number >= 0
    return number[known], table.column("at_us").to_numpy()[known]
