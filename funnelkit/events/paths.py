"""The ways that entities took from one step to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.journeys import Journeys, as_journeys
from funnelkit.events.log import Log, LogColumns
from funnelkit.events.log_opening import LOG
from funnelkit.events.search import Later
from funnelkit.language import number, percent, say
from funnelkit.result import Result
from funnelkit.stats import leaders


def paths_between(log: Any, found: Journeys, first: str, last: str, limit: int = 20) -> Result:
    """Find the ways that entities took from one step to another, the most frequent first.

    Parameters
    ----------
    log : path, list of paths, DataFrame, Arrow table, DuckDB relation or Pipeline
        The log that `found` was made from.
    found : Journeys
        What `journeys` found.
    first, last : str
        Names of two steps.
    limit : int
        Rows of the table; shares are of all.

    Returns
    -------
    Result
        Table: path (the events between, in order, joined by " > "; empty where none lies between), n, share, p50_days.

    Raises
    ------
    DataError
        Where there is no such step.

    Notes
    -----
    All events of the log between the two times count, steps or not.

    Examples
    --------
    >>> from funnelkit.events import journeys
    >>> log = pd.DataFrame({"deal_id": [1, 1, 1], "stage": ["A", "x", "B"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"])})
    >>> paths_between(log, journeys(log, ["A", "B"]), "A", "B").table
      path  n  share  p50_days
    0    x  1    1.0       2.0
    """
    return _read_paths(_paths(log, as_journeys(found), first, last), first, last, limit)


def _read_paths(grouped: pd.DataFrame, first: str, last: str, limit: int) -> Result:
    values: dict[str, Any] = {"n": Later(number, grouped["n"].sum()), "first": first, "last": last}
    if len(grouped):
        top, tied = grouped.iloc[0], [Later(_way, path) for path in grouped["path"].iloc[leaders(grouped["n"])]]
        values |= {
            "path": tied[0],
            "paths": tied,
            "share": Later(percent, top["share"]),
            "n_paths": Later(number, len(grouped)),
        }
    kind = "none" if not len(grouped) else "found" if len(tied) == 1 else "found_tied"
    key = f"events.paths.{kind}"
    return Result(grouped.head(limit), key, values, picture="path_chart", shown=_paths_for_people)


def _paths_for_people(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(path=[_way(path) for path in table["path"]])


def _way(path: str) -> str:
    return path or say("events.paths.direct")


def _paths(log: Any, found: Journeys, first: str, last: str) -> pd.DataFrame:
    one, two = found.place(first), found.place(last)
    spans = found.table[["id", f"at_{one}", f"at_{two}"]].dropna()
    spans.columns = pd.Index(["id", "since", "until"])
    spans = spans[spans["until"] >= spans["since"]]
    between = _between(log, found.log_columns, spans)
    days = (spans["until"] - spans["since"]).to_numpy() / np.timedelta64(1, "D")
    table = pd.DataFrame({"path": [between.get(one, "") for one in spans["id"].astype(str)], "days": days})
    grouped = table.groupby("path", sort=False)["days"].agg(n="size", p50_days="median").reset_index()
    grouped = grouped.assign(share=grouped["n"] / max(1, len(table)))
    grouped = grouped.sort_values(["n", "path"], ascending=[False, True], ignore_index=True)
    return grouped[["path", "n", "share", "p50_days"]]


def _between(log: Any, columns: LogColumns, spans: pd.DataFrame) -> dict[str, str]:
    """Return {id as text: events strictly between its two times}."""
    import duckdb

    # A relation of another connection cannot be joined with the spans there.
    source = log.to_arrow_table() if isinstance(log, duckdb.DuckDBPyRelation) else log
    with Log(source, columns) as opened:
        opened.facts()  # which tells how its times are to be read
        opened.db.register("spans", spans.assign(id=spans["id"].astype(str)))
        events = (
            f"SELECT CAST({opened.who} AS VARCHAR) AS who, {opened.what} AS what, {opened.moment} AS moment FROM {LOG}"
        )
        rows = opened.query(
            f"SELECT who, string_agg(what, ' > ' ORDER BY moment, what) FROM ({events}) JOIN spans ON who = id "
            "WHERE moment > since AND moment < until AND what IS NOT NULL GROUP BY who"
        ).fetchall()
    return dict(rows)


def step_matrix(log: Any, found: Journeys, first: str, last: str, positions: int = 6) -> Result:
    """Count which event stands at which position on the way from one step to another.

    Parameters
    ----------
    log, found, first, last
        As of `paths_between`.
    positions : int
        How many events after `first` are counted.

    Returns
    -------
    Result
        Table: position (1 is the event right after `first`), event, n, share of all who went from `first` to `last`.
        Who has arrived stays at `last`, so that the shares of a position add up to 1.

    Raises
    ------
    DataError
        Where there is no such step.

    Examples
    --------
    >>> from funnelkit.events import journeys
    >>> log = pd.DataFrame({"deal_id": [1, 1, 1, 2, 2], "stage": ["A", "x", "B", "A", "B"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-01",
    ...                                                    "2026-01-02"])})
    >>> step_matrix(log, journeys(log, ["A", "B"]), "A", "B", 2).table
       position event  n  share
    0         1     B  1    0.5
    1         1     x  1    0.5
    2         2     B  2    1.0
    """
    return _matrix(_paths(log, as_journeys(found), first, last), first, last, positions)


def _matrix(grouped: pd.DataFrame, first: str, last: str, positions: int) -> Result:
    counted: dict[tuple[int, str], int] = {}
    for path, n in zip(grouped["path"], grouped["n"], strict=True):
        events = path.split(" > ") if path else []
        for position in range(1, positions + 1):
            event = events[position - 1] if position <= len(events) else last
            counted[position, event] = counted.get((position, event), 0) + int(n)
    rows = [(position, event, n) for (position, event), n in counted.items()]
    rows.sort(key=lambda row: (row[0], -row[2], row[1]))
    table = pd.DataFrame(rows, columns=["position", "event", "n"])
    whole = int(grouped["n"].sum())
    values: dict[str, Any] = {"n": Later(number, whole), "first": first, "last": last}
    if len(table):
        first_events = table[table["position"] == 1]
        tied = first_events["event"].iloc[leaders(first_events["n"])].tolist()
        values |= {"event": tied[0], "events": tied, "share": Later(percent, table["n"].iloc[0] / whole)}
    kind = "none" if not len(table) else "matrix" if len(tied) == 1 else "matrix_tied"
    key = f"events.paths.{kind}"
    return Result(table.assign(share=table["n"] / max(1, whole)), key, values, picture="step_matrix_chart")
