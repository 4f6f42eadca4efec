"""Depths: how deep each entity comes under plain rules, all entities side by side, one row of each at a time.

Where only the depth is asked, an entity keeps for each step when the latest chain that came so far began. A row of
step j takes over what is kept for the step before it: no earlier start could leave more time, and one that has expired
stays so. Where chains begin once, an entity keeps only which step it wants next, and the rows of its path are known.
The chain (chain.py), which knows all rules, takes two to three times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funnelkit.events.engine.arrays import NEVER, Array, Codes, Pair, Reached, Rows

if TYPE_CHECKING:
    from funnelkit.events.rule import Rule

_ROWS_PER_TURN = 800  # a turn costs as much whatever it is over as so many rows cost the chain
_MOST_TURNS = 1 << 15
_FAR = 1 << 61  # times beyond this (us) could leave 64 bits when one is taken from another
_OVER = 127  # the step wanted next by an entity whose window has closed: none has this code


def depths(rows: Rows, codes: Codes, rule: Rule) -> Reached | None:
    """Return the Reached of an ordered search without start, end and path; None where only the chain can tell.

    `codes` are the steps' codes in order.
    """
    entities = _side_by_side(rows, codes, rule)
    if entities is None:
        return None
    order, row, sizes = entities
    low = int(rows.at.min())
    span = int(rows.at.max()) - low
    windows = rule.windows_us(len(codes) - 1)
    reach = span if windows is None else min(span, windows[0])
    depth, begun = _turns(rows, (row, sizes), (len(codes), reach, low - span - 1), rule.reentry == "first")
    until = np.full(len(order), NEVER)
    if windows is not None:
        until[order] = np.where(begun >= low, begun + windows[0], NEVER)
    found = np.empty(len(order), dtype="int8")
    found[order] = depth
    return Reached(found, None, None, until)


def first_touches(rows: Rows, codes: Codes, rule: Rule) -> Reached | None:
    """Return the Reached, path included but no end, where chains begin once; None where only the chain can tell."""
    if rule.reentry != "first" or rule.attribute != "first" or len(codes) >= _OVER:
        return None
    entities = _side_by_side(rows, codes, rule)
    if entities is None:
        return None
    order, row, sizes = entities
    windows = rule.windows_us(len(codes) - 1)
    touched, begun = _touch(rows, (row, sizes), len(codes), None if windows is None else windows[0])
    depth, path = np.empty(len(order), dtype="int8"), np.empty((len(order), len(codes)), dtype="int64", order="F")
    for level, found in enumerate(touched):
        path[order, level] = found
    depth[order] = (touched >= 0).sum(axis=0, dtype="int8")
    until = np.full(len(order), NEVER)
    if windows is not None:
        until[order] = np.where(begun == NEVER, NEVER, begun + windows[0])
    return Reached(depth, path[:, 0], None, until, path)


def _side_by_side(rows: Rows, codes: Codes, rule: Rule) -> tuple[Array, Array, Array] | None:
    """Return the entities' order by size, the first row of each in that order, all sizes; None where turns do not pay.

    The largest entities stand first, so that those with a row left are always the foremost.
    """
    plain = rule.order == "ordered" and rule.skip == "drop" and rule.ties == "progress" and not rule.deduplicate
    plain = plain and not rule.exclude and rule.window_from == "first" and rows.group is None and rule.gap is None
    if not plain or list(codes) != list(range(len(codes))) or not len(rows.at):
        return None
    first = np.flatnonzero(np.r_[True, rows.entity[1:] != rows.entity[:-1]])
    sizes = np.diff(first, append=len(rows.at))
    turns_pay = sizes.max() <= min(len(rows.at) // _ROWS_PER_TURN, _MOST_TURNS)
    if not turns_pay or len(first) < rows.n_entities or max(-int(rows.at.min()), int(rows.at.max())) > _FAR:
        return None
    order = np.argsort((int(sizes.max()) - sizes).astype("uint16"), kind="stable")
    return order, first[order], sizes


def _turns(rows: Rows, entities: Pair, setting: tuple[int, int, int], first_only: bool) -> Pair:
    """Return (depth, start of the chain that began last) of the entities, given by the first row and sizes of all."""
    (row, sizes), (n_steps, reach, never) = entities, setting
    n = len(row)
    left = n - np.cumsum(np.bincount(sizes))
    kept = np.full((n_steps + 1) * n, never)  # kept[0] is the time of the row itself, with which a chain begins
    depth, places = np.zeros(n, dtype="int8"), np.arange(n)
    for alive in left[:-1]:
        here = row[:alive]
        step, at = rows.step.take(here, mode="clip"), rows.at.take(here, mode="clip")
        here += 1
        kept[:alive] = at
        place = step.astype("int64")
        place *= n
        place += places[:alive]
        begun = kept.take(place, mode="clip")
        place += n
        if first_only:
            again = np.flatnonzero((step == 0) & (kept[n : n + alive] != never))
            begun[again] = kept[n + again]
        kept[place] = begun
        at -= begun
        step += 1
        step *= at <= reach
        np.maximum(depth[:alive], step, out=depth[:alive])
    return depth, kept[n : 2 * n]


def _touch(rows: Rows, entities: Pair, size: int, reach: int | None) -> Pair:
    """Return (rows of the steps' first touches, steps by entities, -1 where none; instants at which they began)."""
    (row, sizes), n = entities, len(entities[0])
    touched, want, begun = np.full(size * n, -1), np.zeros(n, dtype="int8"), np.full(n, NEVER)
    for alive in (n - np.cumsum(np.bincount(sizes)))[:-1]:
        here = row[:alive]
        step = rows.step.take(here, mode="clip")
        who = np.flatnonzero(step == want[:alive])
        step, found = step.take(who, mode="clip"), here.take(who, mode="clip")
        here += 1
        want[who] = step + 1
        if reach is not None:
            at, first = rows.at.take(found, mode="clip"), np.flatnonzero(step == 0)
            begun[who[first]] = at[first]
            late = np.flatnonzero(at - begun.take(who, mode="clip") > reach)
            want[who[late]], found[late] = _OVER, -1
        place = step.astype("int64")
        place *= n
        place += who
        touched[place] = found
    return touched.reshape(size, n), begun
