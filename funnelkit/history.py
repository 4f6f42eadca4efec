"""History: rows of stage entries -> events in order, and what they say about each deal."""

import numpy as np
import pandas as pd

from funnelkit.pipeline import EVENT_COLUMNS
from funnelkit.values import among, as_text

NAMED = 5  # ids that a finding names


def read_history(sheets, model, journal, collapse=True):
    """Return (events, deals) of the events sheets.

    events: EVENT_COLUMNS and the further columns of the source; repeated entries into the stage a deal is already in
    are collapsed. deals: deal_id, status, closed_at, first_at, and of every other column the last value that is known.
    """
    rows = pd.concat([_rows(sheet) for sheet in sheets], ignore_index=True)
    rows["stage"] = pd.Categorical(rows["stage"], categories=model.stage_ids, ordered=True)
    rows["_deal"] = pd.factorize(rows["deal_id"])[0]
    rows = rows.sort_values(["_deal", "entered_at"], kind="stable", ignore_index=True)
    deals = _last_known(rows, model)
    file = sheets[0].table.name
    rows = rows[rows["stage"].notna()]
    events = _collapsed(rows, journal, file) if collapse else rows
    _note_backward(events, model, journal, file)
    _note_reopened(rows, deals, journal, file)
    events = events.drop(columns=["_deal", "_line", "stage_status"]).assign(source="history")
    further = [column for column in events.columns if column not in EVENT_COLUMNS]
    return events[[*EVENT_COLUMNS, *further]].reset_index(drop=True), deals


def _rows(sheet):
    frame = sheet.frame.assign(_line=sheet.table.lines)
    for header in sheet.mapping.extra:
        frame[header if header not in frame else f"{header} (source)"] = as_text(sheet.table.cells[header])
    return frame[sheet.good]


def _last_known(rows, model):
    """Return one row a deal, in order of first appearance: its outcome, and the last known value of each column."""
    groups = rows.groupby("_deal", sort=True)
    last = groups.tail(1).set_index("_deal")
    won_at = model.stage_ids.index(model.won_stage) if model.won_stage else len(model.stages)
    status = last["stage_status"].fillna("open").astype("object")
    after_won = (last["stage"].cat.codes > won_at) & (status == "open")
    status = status.mask(after_won, "won")
    deals = pd.DataFrame(
        {"deal_id": last["deal_id"], "status": status.astype("str"), "first_at": groups["entered_at"].min()}
    )
    ended = rows[rows["stage_status"].notna()].groupby("_deal")["entered_at"].max()
    deals["closed_at"] = ended.reindex(deals.index).where(deals["status"] != "open")
    skipped = {"deal_id", "stage", "entered_at", "stage_status", "_deal", "_line", "status", "closed_at"}
    for column in rows.columns:
        if column not in skipped:
            deals[column] = groups[column].last()
    return deals.reset_index(drop=True)


def _collapsed(rows, journal, file):
    """Leave out entries into the stage that the deal is in already: a row is written for other changes too."""
    same = (rows["stage"].cat.codes.diff() == 0) & (rows["_deal"].diff() == 0)
    if same.any():
        journal.add("stage_repeated", file=file, line=rows["_line"][same].iloc[0], n=int(same.sum()))
    return rows[~same]


def _note_backward(events, model, journal, file):
    """Warn of deals that move to an earlier stage; they are kept as they are."""
    back = (events["stage"].cat.codes.diff() < 0) & (events["_deal"].diff() == 0)
    if back.any():
        ids = list(events["deal_id"][back].drop_duplicates())
        journal.add("backward_moves", "warn", file=file, line=events["_line"][back].iloc[0], n=int(back.sum()),
                    deals=len(ids), ids=_named(ids))  # fmt: skip


def _note_reopened(rows, deals, journal, file):
    """Warn of deals that are open although an earlier row closed them."""
    closed = rows.loc[rows["stage_status"].notna(), "deal_id"]
    ids = list(deals.loc[(deals["status"] == "open") & among(deals["deal_id"], closed), "deal_id"])
    if ids:
        journal.add("reopened", "warn", file=file, n=len(ids), ids=_named(ids))


def _named(ids):
    return ", ".join(ids[:NAMED]) + (" ..." if len(ids) > NAMED else "")


def fill_deals(deals, told):
    """Return deals completed by what their history tells: outcome, close, creation, values the deals table lacks."""
    told = told.set_index("deal_id").reindex(deals["deal_id"]).reset_index(drop=True)
    result = deals.reset_index(drop=True).copy()
    ended = (result["status"] == "open") & told["status"].notna() & (told["status"] != "open") & ~result["_said"]
    result["status"] = result["status"].mask(ended, told["status"])
    closed = result["status"] != "open"
    result["closed_at"] = result["closed_at"].fillna(told["closed_at"].where(closed))
    result["created_at"] = result["created_at"].fillna(told["first_at"])
    for column in set(told.columns) & set(result.columns) - {"status", "closed_at", "created_at", "deal_id"}:
        result[column] = result[column].fillna(
            told[column].astype(result[column].dtype) if told[column].notna().any() else np.nan
        )
    return result
