"""Rows of an event log as sorted arrays, what a search over them found, and how rows compare in time."""

from dataclasses import dataclass, field

import numpy as np

NEVER = np.iinfo("int64").min  # a deadline that has always passed
UNDATED = np.iinfo("int64").max  # no deadline: without a window nobody is ever known to be lost


@dataclass
class Rows:
    """Event rows as arrays sorted by (entity, group, at, step); step -1 is an event that is none of the steps.

    `group` tells held values apart (None: one group an entity). `excluded` holds (entity, at) of excluded events in
    the same order. `segment` is the code of a breakdown value, `segments` their names, `ids` the entities' own ids.
    """

    entity: np.ndarray
    step: np.ndarray
    at: np.ndarray
    n_entities: int
    group: np.ndarray | None = None
    excluded: tuple[np.ndarray, np.ndarray] | None = None
    segment: np.ndarray | None = None
    segments: tuple[str, ...] = ()
    ids: object = None
    others: dict = field(default_factory=dict)


@dataclass
class Reached:
    """How far each entity came. `depth`: steps reached in order, 0 where it never began or was removed.

    `start` and `end`: rows where its chosen chain began and reached its depth: of complete chains the first to
    complete, else the latest of that depth. `until`: the latest instant (us) at which a window of it runs. `path`
    (where asked for): the row that first reached each step within that chain, -1 where none. Where every step counts
    for itself (skip), `entered`, `advanced` and `until` are matrices, entities by steps, and depth says who began.
    Where only the depth was asked for, start and end may be None.
    """

    depth: np.ndarray
    start: np.ndarray | None
    end: np.ndarray | None
    until: np.ndarray
    path: np.ndarray | None = None
    entered: np.ndarray | None = None
    advanced: np.ndarray | None = None


def first_of_tie(group, at):
    """Return for each row the first row of the same group and instant."""
    if not len(at):
        return np.arange(0)
    new = np.r_[True, (np.diff(group) != 0) | (np.diff(at) != 0)]
    return np.maximum.accumulate(np.where(new, np.arange(len(at)), 0))


def count_before(sorted_pairs, pairs, side="left"):
    """Return how many of `sorted_pairs` (entity, at) come before each of `pairs`, as searchsorted does for one key."""
    moments = np.unique(sorted_pairs[1])
    width = len(moments) + 1
    keys = sorted_pairs[0].astype("int64") * width + np.searchsorted(moments, sorted_pairs[1], side="right")
    # The rank of a moment is how many of the log's moments come before it (or up to it): pairs of up to that rank.
    rank = np.searchsorted(moments, pairs[1], side=side)
    return np.searchsorted(keys, pairs[0].astype("int64") * width + rank, side="right")
