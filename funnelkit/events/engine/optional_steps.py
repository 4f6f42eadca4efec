"""Optional steps: looked up beside the chain of the others, which they neither lengthen nor break.

Whoever has an event of an optional step between the steps around it made that step. Where the next step is still to
come, the event must lie within the window that runs, and before an excluded event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from funnelkit.events.engine.arrays import UNDATED, Array, Codes, Pair, Reached, Rows, count_before

if TYPE_CHECKING:
    from funnelkit.events.rule import Rule


def add_optional(found: Reached, rows: Rows, steps: tuple[Codes, Sequence[bool]], rule: Rule) -> None:
    """Widen what was found of the other steps, with its path, to all: `steps` are (code, whether it is optional)."""
    codes, optional = steps
    required = np.flatnonzero(~np.array(optional))
    level = found.depth.astype("int64")
    path = np.full((len(level), len(codes)), -1, order="F")
    path[:, required] = found.path
    entered = path >= 0
    advanced = np.zeros_like(entered)
    before = np.cumsum(~np.array(optional))  # how many of the others have come up to each step
    for place, (code, is_optional) in enumerate(zip(codes, optional, strict=True)):
        if is_optional:
            made = _made(found, rows, (code, int(before[place])), rule)
            path[made[0], place] = made[1]
            entered[:, place] = path[:, place] >= 0
        else:
            entered[:, place] = level >= before[place]
        advanced[:, place] = entered[:, place] & (level > min(int(before[place]), len(required) - 1))
    found.path, found.entered, found.advanced = path, entered, advanced
    found.depth = np.r_[0, required + 1][level].astype("int8")


def _made(found: Reached, rows: Rows, step: tuple[int, int], rule: Rule) -> Pair:
    """Return the entities that made an optional step after the `before`-th of the others, and the first row of it."""
    code, before = step
    own, who = np.flatnonzero(rows.step == code), np.flatnonzero(found.depth >= before)
    if not len(own) or not len(who):
        return who[:0], own[:0]
    slack = {"strict": -1, "grace": round(rule.grace_s * 1e6)}.get(rule.ties, 0) if rule.gap is None else 0
    since = rows.at[found.path[who, before - 1]]
    limit = _limit(found, rows, (who, since, before), rule)
    onward = found.depth[who] > before
    limit[onward] = rows.at[found.path[who[onward], before]] + slack
    group = rows.entity if rows.group is None else rows.group
    units = group[found.start[who]]
    place = count_before((group[own], rows.at[own]), (units, since - slack), side="left")
    first = own[np.minimum(place, len(own) - 1)]
    fits = (place < len(own)) & (group[first] == units) & (rows.at[first] <= limit)
    return who[fits], first[fits]


def _limit(found: Reached, rows: Rows, reached: tuple[Array, Array, int], rule: Rule) -> Array:
    """Return the last instant at which the next step could come: the window's end, or the next excluded event."""
    who, since, before = reached
    n_required = found.path.shape[1]
    reach = rule.windows_us(n_required - 1)
    limit = np.full(len(who), UNDATED)
    if reach is not None:
        begun = since if rule.window_from == "previous" else rows.at[found.start[who]]
        limit = begun + reach[min(before, n_required - 1) - 1]
    if rows.excluded is not None and rule.exclusion == "keep" and len(rows.excluded[0]):
        place = count_before(rows.excluded, (who, since), side="left")
        following = np.minimum(place, len(rows.excluded[0]) - 1)
        ended = (place < len(rows.excluded[0])) & (rows.excluded[0][following] == who)
        limit = np.where(ended, np.minimum(limit, rows.excluded[1][following]), limit)
    return limit
