"""Change messages: what a system sent whenever a deal changed (webhooks), kept as they came -> a row an entry.

A message holds the whole deal as it then was, beside `meta` (what happened to what) and `previous`. Since when the deal
stands where it does is read from the deal itself, so a message about another change, and the first one kept of an
old deal, tell it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.containers.options import Table

_STATES = ("current.", "data.")  # before the fields of the deal, where a program has flattened the messages
_BEFORE = "previous."
_ABOUT = ("meta.entity", "meta.object")
_ENVELOPE = ("meta.", _BEFORE, "matches_filters")
_ENVELOPE_FIELDS = ("previous", "current", "data", "v", "retry", "event", "meta")
_CLOSED = {"won": ("won_time", "close_time"), "lost": ("lost_time", "close_time")}
_STANDING = ("stage_change_time", "add_time")


def with_entries(table: Table) -> Table:
    """Return a table of Pipedrive's change messages as one of stage entries, in the order of the changes; another table
    as it is."""
    about = next((name for name in _ABOUT if name in table.cells), None)
    cells = table.cells.rename(columns=_bare(list(table.cells.columns)))
    if about is None or not {"meta.action", "meta.timestamp", "stage_id"} <= set(cells.columns):
        return table
    deals = cell_text(cells[about]).eq("deal").fillna(False)
    deleted = cell_text(cells["meta.action"]).isin(["delete", "deleted"]) & deals
    state = _state(cells, deals, deleted)
    entered = _since(state, cells).mask(~deals)
    order = _first_filled(state, ["update_time", "meta.timestamp"], cells).argsort(kind="stable")
    entered = _never_back(entered.iloc[order], cell_text(state["id"]).iloc[order]) if "id" in state else entered
    gone = pd.Series("", cells.index, dtype="str").mask(deleted, "true")
    made = state.assign(**{"message about": cell_text(cells[about]), "since": entered, "is_deleted": gone})
    return replace(table, cells=made.iloc[order].reset_index(drop=True), lines=table.lines[order.to_numpy()])


def _bare(headers: Sequence[str]) -> dict[str, str]:
    """Return {header: field of the deal} of flattened messages."""
    found = {header: header.removeprefix(state) for state in _STATES for header in headers if header.startswith(state)}
    return {header: field for header, field in found.items() if field not in headers}


def _state(cells: pd.DataFrame, deals: pd.Series, deleted: pd.Series) -> pd.DataFrame:
    """Return the fields of the deal in each message; one that was deleted is as it was before."""
    names = [name for name in cells if not name.startswith(_ENVELOPE) and name not in _ENVELOPE_FIELDS]
    fields = {}
    for name in names:
        column = cells[name]
        before = cells.get(_BEFORE + name)
        if before is not None and deleted.any():
            column = column.astype("object").mask(deleted & cell_text(column).isna(), before.astype("object"))
        if name == "stage_id" or cell_text(column)[deals].notna().any():
            fields[name] = column
    return pd.DataFrame(fields, cells.index)


def _since(state: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """Return since when the deal has been what a message says: in its stage, won, lost, or open again."""
    known = [name for name in _STANDING if name in state]
    since = _first_filled(state, known or ["update_time", "meta.timestamp"], cells)
    status = cell_text(state["status"]) if "status" in state else pd.Series(None, state.index, dtype="str")
    for word, names in _CLOSED.items():
        closed = _first_filled(state, [*names, "update_time"], cells)
        since = since.mask(status.eq(word) & closed.notna(), closed)
    if _BEFORE + "status" in cells:
        again = status.eq("open") & cell_text(cells[_BEFORE + "status"]).isin(list(_CLOSED))
        since = since.mask(again, _first_filled(state, ["update_time", *_STANDING], cells))
    return since


def _first_filled(state: pd.DataFrame, names: Sequence[str], cells: pd.DataFrame) -> pd.Series:
    """Return of each row the first of these columns that is filled, as text."""
    found = pd.Series(None, state.index, dtype="str")
    for name in names:
        column = state[name] if name in state else cells.get(name)
        if column is not None:
            found = found.fillna(cell_text(column))
    return found


def _never_back(times: pd.Series, ids: pd.Series) -> pd.Series:
    """Return times as texts that sort, none earlier than one that an earlier message of the same deal told."""
    texts = sorted(times.dropna().unique())
    place = times.map({text: number for number, text in enumerate(texts)})
    latest = place.groupby(ids).cummax()
    return latest.map(dict(enumerate(texts))).astype("str").reindex(times.index)
