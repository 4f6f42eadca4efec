"""The chain: how far each entity of a sorted event log comes under a Rule, in numpy, level by level.

Rows are sorted by (entity, held values, time, step). Rows of the first step start chains; a row of each further step
looks up the last surviving row of the step before it: the chain lives on if that row is of the same unit and within
the window, and it inherits that row's start. The latest usable start leaves the most time, and the last surviving row
before a row carries it, so a running last value suffices and each level costs one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from funnelkit.events.engine import any_order, strict_order
from funnelkit.events.engine.arrays import NEVER, UNDATED, Array, Codes, Pair, Reached, Rows, count_before, first_of_tie

if TYPE_CHECKING:
    from funnelkit.events.rule import Rule


def chain(rows: Rows, codes: Codes, rule: Rule, want_path: bool = False) -> Reached:
    """Return what each entity reached: an ordered, a free or a strict search, as the rule asks.

    `codes` are the steps' codes in order; a code may stand twice.
    """
    if rule.order == "strict" or rule.deduplicate:
        found = strict_order.search(rows, codes, rule)
    elif rule.skip != "drop":
        found = any_order.touch(rows, codes, rule)
    elif rule.order == "any":
        found = any_order.any_order(rows, codes, rule)
    else:
        found = _ordered(rows, codes, rule, want_path)
    if rule.exclude and rule.exclusion == "person":
        _remove_excluded(found, rows, rule, len(codes))
    return found


def _ordered(rows: Rows, codes: Codes, rule: Rule, want_path: bool) -> Reached:
    """Run the levels; group results by entity at the end where values are held."""
    group = rows.entity if rows.group is None else rows.group
    n = int(group[-1]) + 1 if len(group) else 0
    n = max(n, rows.n_entities) if rows.group is None else n
    unit, last_unit = _units(rows, rule, group, n)
    reach = rule.windows_us(len(codes) - 1)
    limit = _limits(rows, (group, unit), rule, codes)
    found = Reached.none(n)
    levels, previous, begun = [], _starts(rows, group, codes[0], rule), None
    begun = previous
    for level, code in enumerate(codes, 1):
        if level > 1:
            previous, begun = _next_level(rows, (previous, begun), (code, level), (unit, limit, reach, rule))
        _record(found, (previous, begun), (group, level, len(codes)))
        if reach and level < len(codes) and (level == 1 or rule.window_from == "previous"):
            _extend(found.until, (rows, previous, group, unit, last_unit), reach[level - 1])
        levels.append((previous, begun))
        if not len(previous):
            break
    if want_path:
        found.path = _path(levels, found, group, len(codes))
    return found if rows.group is None else _best_group(found, rows, len(codes))


def _starts(rows: Rows, group: Array, code: int, rule: Rule) -> Array:
    """Return the rows that may start a chain."""
    starts = np.flatnonzero(rows.step == code)
    if rule.reentry == "first" and len(starts):
        starts = starts[np.r_[True, np.diff(group[starts]) > 0]]
    return starts


def _next_level(rows: Rows, before: Pair, wanted: tuple[int, int], setting: tuple[Any, ...]) -> Pair:
    """Return the surviving rows of the next step and the row where the chain of each began."""
    (previous, begun), (code, level), (unit, limit, reach, rule) = before, wanted, setting
    here, found = _last_before(rows.step, previous, code, limit)
    last = previous[np.maximum(found, 0)]
    alive = np.flatnonzero((found >= 0) & (unit[last] == unit[here]))
    here, found, last = here[alive], found[alive], last[alive]
    if reach is None or not len(here):
        return here, begun[found]
    since = last if rule.window_from == "previous" else begun[found]
    fits = np.flatnonzero(rows.at[here] - rows.at[since] <= reach[level - 2])
    return here[fits], begun[found[fits]]


def _last_before(step: Array, previous: Array, code: int, limit: Array | None) -> Pair:
    """Return the rows of a step, and for each the place in `previous` of the last row before it, or -1.

    Without limits of their own the two kinds of rows are merged and counted, which is cheaper than so many searches.
    """
    both = step == code
    if limit is not None or not len(previous) or both[previous[0]]:
        here = np.flatnonzero(both)
        return here, np.searchsorted(previous, here if limit is None else limit[here]) - 1
    both[previous] = True
    merged = np.flatnonzero(both)
    ours = step[merged] == code
    count = np.cumsum(~ours, dtype="int32")
    places = np.flatnonzero(ours)
    return merged[places], count[places] - 1


def _record(found: Reached, survivors: Pair, place: tuple[Array, int, int]) -> None:
    """Note depth, start and end: the latest of a level (a later assignment holds), the first that completes."""
    (previous, begun), (group, level, size) = survivors, place
    if level == size:
        previous, begun = previous[::-1], begun[::-1]
    who = group[previous]
    found.depth[who], found.start[who], found.end[who] = level, begun, previous


def _extend(until: Array, running: tuple[Rows, Array, Array, Array, Array | None], reach: int) -> None:
    """Move deadlines on to the window of each group's latest row here, unless an excluded event ended its unit."""
    rows, previous, group, unit, last_unit = running
    kept = previous if last_unit is None else previous[unit[previous] == last_unit[group[previous]]]
    # Times rise along a group's rows: where it stands several times, the last assignment, the latest, holds.
    who = group[kept]
    until[who] = np.maximum(until[who], rows.at[kept] + reach)


def _limits(rows: Rows, parts: Pair, rule: Rule, codes: Codes) -> Array | None:
    """Return for each row the first row too late to come before it, or None where that is the row itself."""
    group, unit = parts
    repeated = len(set(codes)) < len(codes)
    if rule.gap is not None:
        soonest = rows.at - round(rule.gap.total_seconds() * 1e6)
        return count_before((group, rows.at), (group, soonest), side="right")
    if rule.ties == "strict":
        return first_of_tie(group, rows.at)
    if rule.ties == "grace":
        later = count_before((group, rows.at), (group, rows.at + round(rule.grace_s * 1e6)), side="right")
        return np.minimum(later, np.searchsorted(unit, unit, side="right"))
    if repeated and not rule.once:
        return count_before((group, rows.at), (group, rows.at), side="right")
    return None


def _units(rows: Rows, rule: Rule, group: Array, n: int) -> tuple[Array, Array | None]:
    """Return (unit of each row, last unit of each group): chains stay within a unit, which an excluded event ends."""
    if not rule.exclude or rule.exclusion != "keep" or rows.excluded is None:
        return group, None
    ended = count_before(rows.excluded, (rows.entity, rows.at), side="left")
    # Counts of excluded events rise along an entity's rows, so (group, count) numbers its units.
    base = len(rows.excluded[0]) + 1
    unit = group.astype("int64") * base + ended
    entity_of = np.zeros(n, dtype="int64")
    entity_of[group] = rows.entity
    total = np.searchsorted(rows.excluded[0], entity_of, side="right")
    return unit, np.arange(n, dtype="int64") * base + total


def _path(levels: list[Pair], found: Reached, group: Array, size: int) -> Array:
    """Return for each group the row that first reached each step within its chosen chain."""
    path = np.full((len(found.depth), size), -1, order="F")
    for level, (rows, begun) in enumerate(levels):
        own = rows[begun == found.start[group[rows]]][::-1]
        path[group[own], level] = own
    return path


def _best_group(found: Reached, rows: Rows, size: int) -> Reached:
    """Return the result of each entity: that of its deepest group, of equals the first to complete, else the last."""
    n_groups = len(found.depth)
    entity = np.zeros(n_groups, dtype="int64")
    entity[rows.group] = rows.entity
    moment = np.where(found.end >= 0, rows.at[np.maximum(found.end, 0)] if len(rows.at) else 0, 0)
    moment = np.where(found.depth == size, -moment, moment)
    order = np.lexsort((moment, found.depth, entity))
    best = Reached.none(rows.n_entities)
    np.maximum.at(best.until, entity, found.until)
    who = entity[order]
    best.depth[who], best.start[who], best.end[who] = found.depth[order], found.start[order], found.end[order]
    if found.path is not None:
        best.path = np.full((rows.n_entities, size), -1)
        best.path[who] = found.path[order]
    return best


def _remove_excluded(found: Reached, rows: Rows, rule: Rule, size: int) -> None:
    """Set to 0 the depth of entities with an excluded event within their chosen chain."""
    began = np.flatnonzero(found.depth > 0)
    if rows.excluded is None or not len(began) or not len(rows.excluded[0]):
        return
    through = found.depth[began] == size if found.entered is None else np.zeros(len(began), dtype=bool)
    last = rows.at[found.end[began]]
    # A complete chain is open to exclusion before its end; another until its window closes, or ever without one.
    final = np.where(through, last - 1, UNDATED)
    windows = rule.windows_us(size - 1)
    if windows is not None:
        step = np.minimum(found.depth[began], size - 1) - 1
        since = last if rule.window_from == "previous" else rows.at[found.start[began]]
        final = np.where(through, final, since + np.array(windows)[step])
    first = count_before(rows.excluded, (began, rows.at[found.start[began]]), side="left")
    beyond = count_before(rows.excluded, (began, final), side="right")
    out = began[beyond > first]
    found.depth[out], found.until[out] = 0, NEVER
    if found.entered is not None:
        found.entered[out], found.advanced[out] = False, False
