"""Journeys: one pass of a rule over a log that keeps when each entity reached each step, and who dropped out where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.events.engine.arrays import NEVER, Reached, Rows
from funnelkit.events.engine.sort_keys import THREADS
from funnelkit.events.log import LogColumns
from funnelkit.events.rule import Rule, as_rule
from funnelkit.events.search import Later, Search
from funnelkit.events.tally import first_chances, still_open
from funnelkit.language import DataError, RuleError, day, nearest, number
from funnelkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Journeys(Result):
    """When each entity that began reached each step: a Result that the further verbs of event logs start from.

    Attributes
    ----------
    table : DataFrame
        One row an entity: id, depth (place of the last step reached, optional ones passed over), is_open (it may come
        further: a window of it still runs at `as_of`, or there is none), at_1 ... at_k (times of the steps),
        attributes at the first step; began_at (when it first could begin) where chains may start again.
    steps : tuple of str
    rule : Rule
    as_of : Timestamp or None
    log_columns : LogColumns
    """

    steps: tuple[str, ...] = field(default=(), kw_only=True)
    rule: Rule = field(default_factory=Rule, kw_only=True)
    as_of: pd.Timestamp | None = field(default=None, kw_only=True)
    log_columns: LogColumns = field(default_factory=LogColumns, kw_only=True)

    def place(self, step: str) -> int:
        """Return the position (from 1) of a step's name; refuse another name, with the nearest."""
        if step not in self.steps:
            raise DataError("no_such_step", name=str(step), nearest=nearest(step, self.steps))
        return self.steps.index(step) + 1

    def place_before(self, place: int) -> int:
        """Return the position of the step before one, optional steps passed over; 0 where there is none."""
        steps = enumerate(self.steps[: place - 1], 1)
        return max((at for at, step in steps if step not in self.rule.optional), default=0)

    @property
    def matured(self) -> pd.DataFrame:
        """Return the rows that have had their whole window by `as_of`, whatever came of it; all without a window."""
        mature = self.is_mature(self.table)
        return self.table if mature.all() else self.table[mature]

    def is_mature(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which rows began a whole window before `as_of`."""
        whole = self.rule.whole_us(self.rule.transitions(self.steps))
        if whole is None or self.as_of is None:
            return np.ones(len(table), dtype=bool)
        latest = np.datetime64(self.as_of - pd.Timedelta(whole, unit="us"), "us")
        found: NDArray[np.bool_] = table[self.began].to_numpy() <= latest
        return found

    @property
    def began(self) -> str:
        """Return the column of when an entity began: where chains may start again, their start depends on their end."""
        return "began_at" if "began_at" in self.table else "at_1"


def journeys(
    log: Any, steps: Iterable[object], rule: Rule | str | None = None, *,
    columns: LogColumns | Mapping[str, str] | None = None, attributes: str | Sequence[str] = (), as_of: Any = None,
    reading: Mapping[str, Any] | None = None, partition_rows: int | None = None,
) -> Journeys:  # fmt: skip
    """Follow each entity of an event log: when it reached each step under a rule.

    Parameters
    ----------
    log, steps, rule, columns, as_of, reading : as of `count_events`
    attributes : str or list of str, columns of the log wanted beside the times: their values at the first step
    partition_rows : int, rows that are searched at once, which bounds the memory

    Returns
    -------
    Journeys
        Table, one row an entity that began: id, depth, is_open, at_1 ... at_k, began_at where it may differ from at_1,
        attributes.

    Raises
    ------
    DataError, RuleError : for a log that cannot be read or lacks a column; where steps count for themselves (skip)

    Notes
    -----
    The times are those of the chosen chain: of complete ones the first to complete, else the latest of that depth.

    Examples
    --------
    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "B"], "entered_at": ["2026-01-01", "2026-01-09"]})
    >>> journeys(log, ["A", "B"], Rule(window="7d")).table[["id", "depth", "is_open"]]
       id  depth  is_open
    0   1      1    False
    """
    options: dict[str, Any] = {"columns": columns, "as_of": as_of, "reading": reading, "partition_rows": partition_rows}
    return _follow(log, steps, rule, attributes, **options)


def _follow(
    log: Any, steps: Iterable[object], rule: Rule | str | None, attributes: str | Sequence[str], **options: Any
) -> Journeys:
    rule, attributes = as_rule(rule), (attributes,) if isinstance(attributes, str) else tuple(attributes)
    if rule.skip != "drop":  # then there is no chain
        raise RuleError("rule_unsupported", engine="journeys", field="skip", value=repr(rule.skip))
    with Search(log, steps, rule, others=attributes, **options) as search:
        parts = list(search.parts(want="path", turn=partial(_entities, search)))
        names = list(parts[0])
        with ThreadPoolExecutor(THREADS) as threads:  # fresh memory is filled by both processors
            found = threads.map(lambda name: _whole([part.pop(name) for part in parts]), names)
            table = pd.DataFrame(dict(zip(names, found, strict=True)), copy=False)
        return _followed(table, search)


def _followed(table: pd.DataFrame, search: Search) -> Journeys:
    """Return the Journeys of a table, with the sentence that reads it."""
    steps, through = search.want.steps, table["depth"] == len(search.want.steps)
    values: dict[str, Any] = {"n": Later(number, len(table)), "through": Later(number, through.sum())}
    values |= {"n_open": Later(number, table["is_open"].sum()), "first": steps[0], "last": steps[-1]}
    key = "events.journeys.found" if len(table) else "events.count.nobody"
    about: dict[str, Any] = {
        "steps": steps,
        "rule": search.rule,
        "as_of": search.as_of,
        "log_columns": search.log.columns,
    }
    shown = partial(_journeys_for_people, steps)
    return Journeys(table, key, values, search.notes(), picture="journey_chart", shown=shown, **about)


def _journeys_for_people(steps: Sequence[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with each time under the name of its step."""
    twice = len(set(steps)) < len(steps)
    names = {f"at_{place}": f"{step} ({place})" if twice else step for place, step in enumerate(steps, 1)}
    return _ids_as_text(table).rename(columns=names)


def _ids_as_text(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(id=table["id"].astype("str"))


def as_journeys(found: Any) -> Journeys:
    """Return what `journeys` found; refuse anything else."""
    if isinstance(found, Journeys):
        return found
    raise DataError("no_journeys", found=type(found).__name__)


def _entities(search: Search, rows: Rows, reached: Reached) -> dict[str, Any]:
    """Return the columns of one partition."""
    began = np.flatnonzero(reached.depth > 0)
    through = reached.depth[began] == len(search.want.steps)
    is_open = still_open(reached, began, search) & ~through
    table: dict[str, Any] = {
        "id": np.asarray(rows.ids)[began],
        "depth": reached.depth[began].astype(int),
        "is_open": is_open,
    }
    for place in range(reached.path.shape[1]):
        path = reached.path[:, place].take(began)
        at = rows.at.take(path, mode="clip") if len(rows.at) else path.astype("int64")
        np.copyto(at, NEVER, where=path < 0)
        table[f"at_{place + 1}"] = at.view("datetime64[us]")
    if search.rule.reentry == "latest" or rows.group is not None or search.rule.order == "any":
        table["began_at"] = first_chances(rows, search)[began].view("datetime64[us]")
    for name, values in rows.others.items():
        table[name] = values.take(reached.start[began]).to_pandas().array
    if rows.segment is not None:
        codes = rows.segment[reached.start[began]]
        table[str(search.want.by)] = pd.Series(list(rows.segments), dtype="str").take(codes).array
    return table


def _whole(parts: Sequence[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    plain = all(isinstance(part, np.ndarray) for part in parts)
    return np.concatenate(parts) if plain else pd.concat(map(pd.Series, parts), ignore_index=True).array


def dropped(found: Journeys, step: str) -> Result:
    """List who came to a step and no further, and is known not to: the ids for follow-up, the latest first.

    Parameters
    ----------
    found : Journeys
        What `journeys` found.
    step : str

    Returns
    -------
    Result
        Table: id, reached_at, since_days (to the as-of date), attributes.

    Raises
    ------
    DataError
        Where there is no such step, or `found` is not of `journeys`.

    Notes
    -----
    Who may still advance is not here: `found.table` holds them with is_open. Without a window, and without events
    that end an entity as lost, nobody's time is ever over: then these have not advanced by the as-of date.

    Examples
    --------
    >>> log = pd.DataFrame({"deal_id": [1, 2], "stage": ["A", "A"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-09"])})
    >>> dropped(journeys(log, ["A", "B"], Rule(window="7d")), "A").table[["id", "since_days"]]
       id  since_days
    0   1         8.0
    """
    table = _dropped(as_journeys(found), step)
    values = {"n": Later(number, len(table)), "step": step, "as_of": Later(day, found.as_of)}
    key = "events.journeys.dropped" if found.rule.ends else "events.journeys.not_yet"
    if found.rule.ends and found.rule.optional and step not in found.rule.optional:
        key = "events.journeys.dropped_needed"
    return Result(table, key, values, shown=_ids_as_text)


def _dropped(found: Journeys, step: str) -> pd.DataFrame:
    place = found.place(step)
    depth = found.place_before(place) if step in found.rule.optional else place
    here = (found.table["depth"] == depth) & found.table[f"at_{place}"].notna()
    table = found.table[here & (~found.table["is_open"] | (not found.rule.ends))]
    if place == len(found.steps):
        table = table.iloc[:0]
    own = [
        name for name in table.columns if name not in ("depth", "is_open", "began_at") and not name.startswith("at_")
    ]
    out = table[own].assign(reached_at=table[f"at_{place}"])
    out["since_days"] = (found.as_of - out["reached_at"]) / pd.Timedelta(days=1) if found.as_of is not None else np.nan
    out = out.sort_values(["reached_at", "id"], ascending=[False, True], ignore_index=True)
    return out[["id", "reached_at", "since_days", *[name for name in own if name != "id"]]]
