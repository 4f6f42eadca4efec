"""Searches without an order of steps: any order within a window, and steps that each count for themselves."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from funnelkit.events.engine.arrays import NEVER, Array, Codes, Reached, Rows, Windows, count_before, first_of_tie

if TYPE_CHECKING:
    from funnelkit.events.rule import Rule

_Wanted: TypeAlias = tuple[int, int]  # the code of a step, and which of its occurrences


def any_order(rows: Rows, codes: Codes, rule: Rule) -> Reached:
    """Return how many different steps each entity did within one window, in any order.

    Every step event may open a window (the entity's first only under reentry first); depth is the most steps that
    one window holds, `path` their rows in time order.
    """
    at, entity, size = rows.at, rows.entity, len(codes)
    unit = entity if not _keeps(rows, rule) else _cut(rows)
    starts = np.arange(len(at))
    if rule.reentry == "first" and len(starts):
        starts = starts[np.r_[True, np.diff(entity) > 0]]
    found = Reached.none(rows.n_entities)
    found.path = np.full((rows.n_entities, size), -1)
    if not len(starts):
        return found
    windows = rule.windows_us(size - 1)
    reach = None if windows is None else windows[0]
    depth: Any = sum((_done(rows, unit, starts, want, reach) >= 0).astype("int8") for want in _wanted(codes, rule))
    complete = depth == size
    order = np.lexsort((np.where(complete, -starts, starts), depth, entity[starts]))
    who = entity[starts[order]]
    found.depth[who], found.start[who] = depth[order], starts[order]
    began = np.flatnonzero(found.depth > 0)
    rows_done = [_done(rows, unit, found.start[began], want, reach) for want in _wanted(codes, rule)]
    steps = np.sort(np.where(np.array(rows_done) < 0, len(at), rows_done), axis=0).T
    found.path[began] = np.where(steps == len(at), -1, steps)
    found.end[began] = found.path[began, found.depth[began] - 1]
    if reach is not None:
        running = starts if not _keeps(rows, rule) else starts[unit[starts] == _last_unit(rows)[entity[starts]]]
        found.until[entity[running]] = at[running] + reach
    return found


def _wanted(codes: Codes, rule: Rule) -> list[_Wanted]:
    """Return (code, which occurrence): the same name twice asks for two events, unless one counts for both."""
    return [(code, codes[:place].count(code) if rule.once else 0) for place, code in enumerate(codes)]


def _done(rows: Rows, unit: Array, starts: Array, want: _Wanted, reach: int | None) -> Array:
    """Return the row by which each start's window holds the wanted event, -1 where it does not."""
    code, occurrence = want
    places = np.flatnonzero(rows.step == code)
    if not len(places):
        return np.full(len(starts), -1)
    index = np.searchsorted(places, starts) + occurrence
    row = places[np.minimum(index, len(places) - 1)]
    fits = (index < len(places)) & (unit[row] == unit[starts])
    if reach is not None:
        fits &= rows.at[row] - rows.at[starts] <= reach
    return np.where(fits, row, -1)


def touch(rows: Rows, codes: Codes, rule: Rule) -> Reached:
    """Return which steps each entity touched, each step counting for itself, and from which it advanced.

    Backfill adds the steps before the furthest. Advanced means: touched a later step, whenever; in an open funnel
    (order ordered) the next step after this one, within the window. The last step counts as its own advance.
    """
    n, size = rows.n_entities, len(codes)
    reach = rule.windows_us(size - 1)
    kept = _kept(rows, rule, None if rule.order == "ordered" else reach)
    path = _first_rows(rows, kept, codes, rule)
    entered = path >= 0
    cut = np.zeros(n, dtype=bool)
    if rows.excluded is not None and rule.exclusion == "keep":
        cut[rows.excluded[0]] = True
    if rule.skip == "backfill":
        entered |= (np.cumsum(entered[:, ::-1], axis=1)[:, ::-1] > 0) & ~cut[:, None]
    until = np.full((n, size), NEVER)
    if rule.skip == "touch" and rule.order == "ordered":
        advanced = _follow(rows, kept, codes, rule, until)
    else:
        advanced = np.c_[np.cumsum(entered[:, ::-1], axis=1)[:, ::-1][:, 1:] > 0, np.zeros(n, bool)] & entered
        first = kept[np.r_[True, np.diff(rows.entity[kept]) > 0]] if len(kept) else kept
        if reach is not None:
            until[rows.entity[first]] = (rows.at[first] + reach[0])[:, None]
    until[cut] = NEVER
    advanced[:, -1] = entered[:, -1]
    ends = (np.full(n, -1), np.full(n, -1))
    ends[0][rows.entity[kept[::-1]]], ends[1][rows.entity[kept]] = kept[::-1], kept
    depth = np.where(entered.any(axis=1), entered.sum(axis=1), 0).astype("int8")
    return Reached(depth, *ends, until, path, entered, advanced)


def _kept(rows: Rows, rule: Rule, reach: Windows) -> Array:
    """Return the step rows that count: before an excluded event, and within the window of the entity's first."""
    kept: Array = rows.step >= 0
    if _keeps(rows, rule):
        before = count_before(rows.excluded, (rows.entity, rows.at), side="left")
        kept &= before == np.searchsorted(rows.excluded[0], rows.entity, side="left")
    kept = np.flatnonzero(kept)
    if reach is not None and len(kept):
        new = np.r_[True, np.diff(rows.entity[kept]) > 0]
        first = kept[np.maximum.accumulate(np.where(new, np.arange(len(kept)), 0))]
        kept = kept[rows.at[kept] - rows.at[first] <= reach[0]]
    return kept


def _first_rows(rows: Rows, kept: Array, codes: Codes, rule: Rule) -> Array:
    """Return the row by which each entity first touched each step (a name's second step: its second event)."""
    path = np.full((rows.n_entities, len(codes)), -1)
    for place, (code, occurrence) in enumerate(_wanted(codes, rule)):
        here = kept[rows.step[kept] == code]
        if len(here):
            new = np.flatnonzero(np.r_[True, np.diff(rows.entity[here]) > 0])
            nth = new + occurrence
            fits = nth < np.r_[new[1:], len(here)]
            path[rows.entity[here[new[fits]]], place] = here[nth[fits]]
    return path


def _follow(rows: Rows, kept: Array, codes: Codes, rule: Rule, until: Array) -> Array:
    """Return from which step each entity went on to the next, in order; note the deadline of each step."""
    advanced = np.zeros((rows.n_entities, len(codes)), dtype=bool)
    reach = rule.windows_us(len(codes) - 1)
    limit = _tie_limit(rows, rule)
    for place, (code, following) in enumerate(itertools.pairwise(codes)):
        previous, here = kept[rows.step[kept] == code], kept[rows.step[kept] == following]
        if reach is not None:
            until[rows.entity[previous], place] = rows.at[previous] + reach[place]
        if not len(previous) or not len(here):
            continue
        index = np.searchsorted(previous, limit[here]) - 1
        last = previous[np.maximum(index, 0)]
        fits = (index >= 0) & (rows.entity[last] == rows.entity[here])
        if reach is not None:
            fits &= rows.at[here] - rows.at[last] <= reach[place]
        advanced[rows.entity[here[fits]], place] = True
    return advanced


def _tie_limit(rows: Rows, rule: Rule) -> Array:
    if rule.ties == "strict":
        return first_of_tie(rows.entity, rows.at)
    if rule.ties == "grace":
        pairs = (rows.entity, rows.at)
        return count_before(pairs, (rows.entity, rows.at + round(rule.grace_s * 1e6)), side="right")
    return np.arange(len(rows.at))


def _keeps(rows: Rows, rule: Rule) -> bool:
    return bool(rule.exclude) and rule.exclusion == "keep" and rows.excluded is not None


def _cut(rows: Rows) -> Array:
    """Return the unit of each row: entities, cut at each excluded event."""
    ended = count_before(rows.excluded, (rows.entity, rows.at), side="left")
    return rows.entity.astype("int64") * (len(rows.excluded[0]) + 1) + ended


def _last_unit(rows: Rows) -> Array:
    entities = np.arange(rows.n_entities)
    total = np.searchsorted(rows.excluded[0], entities, side="right")
    return entities * (len(rows.excluded[0]) + 1) + total
