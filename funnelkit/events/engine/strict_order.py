"""The exact search for strict order and deduplication: one pass over each entity's events, as windowFunnel does it.

These rules stop at the first event that violates them, which no vectorised level can know; about a second for a
million events.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from funnelkit.events.engine.arrays import NEVER, Codes, Reached, Rows, count_before

if TYPE_CHECKING:
    from funnelkit.events.rule import Rule

_Path: TypeAlias = tuple[int, ...]


def search(rows: Rows, codes: Codes, rule: Rule) -> Reached:
    """Return what each entity reached, with the row of each step of its chain (`path`)."""
    size, n = len(codes), rows.n_entities
    group = rows.entity if rows.group is None else rows.group
    found = Reached.none(n)
    found.path = np.full((n, size), -1)
    bounds = np.flatnonzero(np.r_[True, np.diff(group) != 0, True]) if len(group) else np.zeros(1, dtype=int)
    walk = _Walk(codes, rule)
    step, at, ended = rows.step.tolist(), rows.at.tolist(), _ended(rows, rule)
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        who = int(rows.entity[first])
        path, until = walk.run(step, at, ended, range(first, stop))
        if ended is not None and np.searchsorted(rows.excluded[0], who, side="right") > ended[stop - 1]:
            until = NEVER  # an excluded event after the last step
        _keep(found, who, (path, until), (at, size))
    return found


def _keep(found: Reached, who: int, outcome: tuple[_Path, int], given: tuple[list[int], int]) -> None:
    """Note the outcome of one group unless another group of the entity came further, or as far and later."""
    (path, until), (at, size) = outcome, given
    found.until[who] = max(found.until[who], until)
    depth = len(path)
    better = depth > found.depth[who]
    if depth and depth == found.depth[who]:
        held = at[found.end[who]]
        better = at[path[-1]] < held if depth == size else at[path[-1]] >= held
    if better:
        found.depth[who], found.start[who], found.end[who] = depth, path[0], path[-1]
        found.path[who] = -1
        found.path[who, :depth] = path


def _ended(rows: Rows, rule: Rule) -> Any:
    """Return how many excluded events came before each row, where these end a chain but keep its steps."""
    if not rule.exclude or rule.exclusion != "keep" or rows.excluded is None:
        return None
    return count_before(rows.excluded, (rows.entity, rows.at), side="left").tolist()


class _Walk:
    """One entity's events against the steps: `chains[i]` is the chain that last reached step i."""

    def __init__(self, codes: Codes, rule: Rule) -> None:
        self.size = len(codes)
        self.places = {code: [i for i, other in enumerate(codes) if other == code] for code in codes}
        if rule.once:  # an event counts for one step: for the furthest that it can
            self.places = {code: places[::-1] for code, places in self.places.items()}
        self.chains: list[_Path | None] = []
        self.best: _Path = ()
        self.began, self.count = False, -1
        self.rule, self.reach = rule, rule.windows_us(self.size - 1)

    def run(self, step: list[int], at: list[int], ended: Any, rows: range) -> tuple[_Path, int]:
        """Return (rows of the deepest chain, instant until which a window of it runs)."""
        self.chains = [None] * self.size
        self.began, self.best, self.count = False, (), -1
        for instant in _instants(rows, at, step, self.rule):
            if ended is not None and self._cut(ended[instant[0][0]]):
                return self.best, NEVER
            if self._apply(instant, at):
                return self.best, NEVER
        return self.best, self._until(at)

    def _cut(self, count: int) -> bool:
        """End the chains at an excluded event; return whether the search is over with them."""
        cut, self.count = self.began and count != self.count, count
        if cut:
            self.chains = [None] * self.size
        return cut and (self.rule.order == "strict" or self.rule.reentry == "first")

    def _apply(self, instant: list[tuple[int, int]], at: list[int]) -> bool:
        """Apply the events of an instant; return whether the search is over."""
        # Where equal times do not follow each other, all events of an instant see the chains as they were before it.
        seen = list(self.chains) if self.rule.ties == "strict" else self.chains
        for row, code in instant:
            used = False
            for place in self.places.get(code, (-1,)):
                if used and self.rule.once:
                    break
                over, used = self._event(row, place, seen, at)
                if over:
                    return True
        return False

    def _event(self, row: int, place: int, seen: list[_Path | None], at: list[int]) -> tuple[bool, bool]:
        """Apply one event as one step; return (the search is over, the event was used)."""
        strict, rule = self.rule.order == "strict", self.rule
        if place < 0:
            return strict and self.began, False
        if place == 0:
            if self.began and rule.reentry == "first" and not strict:
                return False, False
            self.began = True
            return self._hold(0, (row,)), True
        if rule.deduplicate and self.chains[place] is not None:
            return True, True
        before = seen[place - 1]
        if before is None:
            early = strict and self.began and self.chains[place - 1] is None
            return early and rule.reentry == "first", False
        since = before[-1] if rule.window_from == "previous" else before[0]
        if self.reach is None or at[row] - at[since] <= self.reach[place - 1]:
            return self._hold(place, (*before, row)), True
        return False, False

    def _hold(self, place: int, path: _Path) -> bool:
        self.chains[place] = path
        if len(path) >= len(self.best):
            self.best = path
        return len(path) == self.size

    def _until(self, at: list[int]) -> int:
        if self.reach is None or self.chains[0] is None:
            return NEVER
        if self.rule.window_from == "first":
            return at[self.chains[0][0]] + self.reach[0]
        running = zip(self.chains[:-1], self.reach, strict=True)
        return max(at[path[-1]] + reach for path, reach in running if path is not None)


def _instants(rows: range, at: list[int], step: list[int], rule: Rule) -> Iterable[list[tuple[int, int]]]:
    """Return the events one by one, or, where equal times do not follow each other, instant by instant."""
    if rule.ties != "strict":
        return ([(row, step[row])] for row in rows)
    groups: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        groups.setdefault(at[row], []).append((row, step[row]))
    return groups.values()
