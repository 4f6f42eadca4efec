"""Depths: how deep each entity comes where nothing else is asked, all entities side by side, one row of each at a time.

For each step an entity keeps when the latest chain that came so far began. A row of step j takes over what is kept for
the step before it: no earlier start could leave more time, and one that has expired stays so. Counting needs no more;
the chain (chain.py), which also knows rows and paths, takes two to three times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funnelkit.events.engine.arrays import NEVER, Codes, Pair, Reached, Rows

if TYPE_CHECKING:
    from funnelkit.events.rule import Rule

_ROWS_PER_TURN = 800  # a turn costs as much whatever it is over as so many rows cost the chain
_MOST_TURNS = 1 << 15
_FAR = 1 << 61  # times beyond this (us) could leave 64 bits when one is taken from another


def depths(rows: Rows, codes: Codes, rule: Rule) -> Reached | None:
    """Return the Reached of an ordered search without start, end and path; None where only the chain can tell.

    `codes` are the steps' codes in order.
    """
    plain = rule.order == "ordered" and rule.skip == "drop" and rule.ties == "progress" and not rule.deduplicate
    plain = plain and not rule.exclude and rule.window_from == "first" and rows.group is None and rule.gap is None
    if not plain or list(codes) != list(range(len(codes))) or not len(rows.at):
        return None
    first = np.flatnonzero(np.r_[True, rows.entity[1:] != rows.entity[:-1]])
    sizes = np.diff(first, append=len(rows.at))
    low, high = int(rows.at.min()), int(rows.at.max())
    turns_pay = sizes.max() <= min(len(rows.at) // _ROWS_PER_TURN, _MOST_TURNS)
    if not turns_pay or len(first) < rows.n_entities or max(-low, high) > _FAR:
        return None
    span = high - low
    windows = rule.windows_us(len(codes) - 1)
    reach = span if windows is None else min(span, windows[0])
    # The largest entities stand first, so that those with a row left are always the foremost.
    order = np.argsort((int(sizes.max()) - sizes).astype("uint16"), kind="stable")
    depth, begun = _turns(rows, (first[order], sizes), (len(codes), reach, low - span - 1), rule.reentry == "first")
    until = np.full(len(first), NEVER)
    if windows is not None:
        until[order] = np.where(begun >= low, begun + windows[0], NEVER)
    found = np.empty(len(first), dtype="int8")
    found[order] = depth
    return Reached(found, None, None, until)


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
