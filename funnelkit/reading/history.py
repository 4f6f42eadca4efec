"""History: rows of stage entries -> events in order, and what they say about each deal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from funnelkit.language import Text, both, say
from funnelkit.models import Funnel
from funnelkit.pipeline import EVENT_COLUMNS, Limit
from funnelkit.reading.cells.text import among, cell_text
from funnelkit.reading.findings import Journal
from funnelkit.reading.layouts.outcomes import FEW
from funnelkit.reading.sheet import Sheet, flag

NAMED = 5  # ids that a finding names
_PRIVATE = ["_deal", "_line", "_left", "stage_status", "stage_before", "before_at", "left_at"]


def read_history(
    sheets: Sequence[Sheet], model: Funnel, journal: Journal, collapse: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (events, deals) of the events sheets.

    events: EVENT_COLUMNS and the further columns of the source; repeated entries into the stage a deal is already in
    are collapsed. deals: deal_id, status, closed_at, first_at, and of every other column the last value that is known.
    """
    rows = pd.concat([_rows(sheet) for sheet in sheets], ignore_index=True)
    rows["stage"] = pd.Categorical(rows["stage"], categories=model.stage_ids, ordered=True)
    rows["_deal"] = pd.factorize(rows["deal_id"])[0]
    if _newest_first(rows):
        rows = rows.iloc[::-1]
    rows = _ends_last(rows.sort_values(["_deal", "entered_at"], kind="stable", ignore_index=True))
    deals, rows = _ended_as_declared(_last_known(rows, model), rows, model, sheets)
    if "left_at" in rows:
        deals = _gone(rows, deals, model, sheets)
    if "stage_before" in rows:
        rows, deals = _with_left(rows, deals, sheets)
    if "ended_at" in rows:
        deals = _ended(deals, journal, sheets)
    if "is_deleted" in rows:
        deals = _void_deleted(deals, journal, sheets)
    file = sheets[0].table.name
    entered = rows[rows["stage"].notna()]
    events = _collapsed(entered, journal, file) if collapse else entered
    _note_backward(events, journal, file)
    _note_reopened(rows, deals, journal, file)
    source = np.where(events["entered_at"].isna(), "inferred", "history")
    events = events.drop(columns=_PRIVATE, errors="ignore").assign(source=source)
    further = [column for column in events.columns if column not in EVENT_COLUMNS]
    return events[[*EVENT_COLUMNS, *further]].reset_index(drop=True), deals


def _rows(sheet: Sheet) -> pd.DataFrame:
    frame = sheet.frame.assign(_line=sheet.table.lines)
    for header in sheet.mapping.extra:
        frame[header if header not in frame else f"{header} (source)"] = cell_text(sheet.table.cells[header])
    return frame[sheet.good]


def _newest_first(rows: pd.DataFrame) -> bool:
    """Return True where the rows of most deals stand latest first: then rows of the same instant do so too."""
    step = rows["entered_at"].diff()[rows["_deal"].diff() == 0]
    return bool((step < pd.Timedelta(0)).sum() > (step > pd.Timedelta(0)).sum())


def _ends_last(rows: pd.DataFrame) -> pd.DataFrame:
    """Return sorted rows with an outcome behind the stages that its deal first enters at the same instant."""
    ends = rows["stage_status"].notna()
    alike = (rows[["_deal", "entered_at"]].shift(-1) == rows[["_deal", "entered_at"]]).all(axis=1)
    if not (ends & alike).any():
        return rows
    again = rows.duplicated(["_deal", "stage"])
    at_end = ends.groupby([rows["_deal"], rows["entered_at"]]).transform("any")
    late = at_end & (ends | again)
    return (
        rows.assign(_late=late)
        .sort_values(["_deal", "entered_at", "_late"], kind="stable", ignore_index=True)
        .drop(columns="_late")
    )


def _with_left(rows: pd.DataFrame, deals: pd.DataFrame, sheets: Sequence[Sheet]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (rows and what they say was left, deals): of untimed sides only the first of a deal tells anything new.

    The first stage of a deal has no time in such a log: it is that of the creation, where a row states it. Where a row
    left another stage than the one entered before, rows in between are missing.
    """
    earlier = rows["stage"].astype("object").shift().where(rows["_deal"].diff() == 0)
    untimed = rows["stage_before"].notna() & rows["before_at"].isna()
    gaps = int((untimed & earlier.notna() & (earlier != rows["stage_before"])).sum())
    if gaps:
        sheets[0].limits.append(Limit("history_gaps", {"n": gaps}))
    begin = ~rows["_deal"].duplicated()
    left = rows[rows["stage_before"].notna() & (begin | rows["before_at"].notna())]
    since = left["before_at"].fillna(left["created_at"]) if "created_at" in left else left["before_at"]
    stage = pd.Categorical(left["stage_before"], categories=rows["stage"].cat.categories, ordered=True)
    left = left.assign(stage=stage, entered_at=since, stage_status=None, _left=True)
    both = pd.concat([left, rows.assign(_left=False)]).sort_index(kind="stable")
    both = both.sort_values(["_deal", "entered_at"], kind="stable", ignore_index=True, na_position="first")
    first = both.drop_duplicates("_deal").set_index("deal_id")["entered_at"]
    return both, deals.assign(first_at=first.reindex(deals["deal_id"]).to_numpy())


def _last_known(rows: pd.DataFrame, model: Funnel) -> pd.DataFrame:
    """Return one row a deal, in order of first appearance: its outcome, and the last known value of each column."""
    groups = rows.groupby("_deal", sort=True)
    last = groups.tail(1).set_index("_deal")
    status = last["stage_status"].fillna("open").astype("object")
    after_won = (last["stage"].cat.codes > _won_place(model)) & (status == "open")
    status = status.mask(after_won, "won")
    deals = pd.DataFrame(
        {"deal_id": last["deal_id"], "status": status.astype("str"), "first_at": groups["entered_at"].min()}
    )
    ended = rows[rows["stage_status"].notna()].groupby("_deal")["entered_at"].max()
    if "closed_at" in rows:  # of a deal that was closed when first seen, only its close date says when
        unseen = groups["stage_status"].nth(0).notna().set_axis(last.index)
        ended = ended.mask(unseen.reindex(ended.index), groups["closed_at"].last())
    deals["closed_at"] = ended.reindex(deals.index).where(deals["status"] != "open")
    if "closed_at" in rows and "expected_close" not in rows:  # a close date is the expected one until the deal closes
        before = rows["closed_at"].where(rows["stage_status"].isna())
        deals["expected_close"] = before.groupby(rows["_deal"]).last()
    skipped = {"deal_id", "stage", "entered_at", "status", "closed_at", *_PRIVATE}
    for column in rows.columns:
        if column not in skipped:
            deals[column] = groups[column].last()
    return deals.reset_index(drop=True)


def _ended_as_declared(
    deals: pd.DataFrame, rows: pd.DataFrame, model: Funnel, sheets: Sequence[Sheet]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (deals, rows) of a log of activities: what follows a declared outcome there reopens nothing.

    It is one where more than a few of the deals with such an outcome go on; in a history of stages few are reopened.
    Of what follows, stages behind the won one stay those of a won deal.
    """
    ends = rows[rows["stage_status"].isin(set(sheets[0].declared.values()))]
    last = ends.drop_duplicates("_deal", keep="last").set_index("_deal")
    on = (deals["status"] == "open") & deals.index.isin(last.index)
    if on.sum() <= FEW * len(last):
        return deals, rows
    told = last.loc[deals.index[on]]
    sheets[0].journal.add("goes_on_ended", "warn", file=sheets[0].table.name, n=len(told), n_all=len(last),
                          ids=_named(list(told["deal_id"])))  # fmt: skip
    deals.loc[on, "status"], deals.loc[on, "closed_at"] = told["stage_status"], told["entered_at"]
    place = pd.Series(ends.index, ends["_deal"]).groupby(level=0).max()[told.index]
    behind = (rows["stage"].cat.codes > _won_place(model)) & rows["_deal"].map(told["stage_status"]).eq("won")
    return deals, rows[~((rows.index > rows["_deal"].map(place)) & ~behind)].reset_index(drop=True)


def _won_place(model: Funnel) -> int:
    return model.stage_ids.index(model.won_stage) if model.won_stage else len(model.stages)


def _gone(rows: pd.DataFrame, deals: pd.DataFrame, model: Funnel, sheets: Sequence[Sheet]) -> pd.DataFrame:
    """Deals that left a stage for no other are lost from then on, unless it is the last one."""
    last = rows.drop_duplicates("_deal", keep="last").reset_index(drop=True)
    n_stages = len(model.stages) - 1
    gone = last["left_at"].notna() & (last["stage"].cat.codes < n_stages) & (deals["status"] == "open")
    if gone.any():
        header = next(sheet.mapping.columns["left_at"] for sheet in sheets if sheet.has("left_at"))
        n, file = int(gone.sum()), sheets[0].table.name
        sheets[0].journal.add("left_for_nowhere", "warn", file=file, column=header, n=n)
    status, closed = deals["status"].mask(gone, "lost"), deals["closed_at"].mask(gone, last["left_at"])
    return deals.assign(status=status, closed_at=closed)


def _void_deleted(deals: pd.DataFrame, journal: Journal, sheets: Sequence[Sheet]) -> pd.DataFrame:
    """Deals that their source has deleted are neither won nor lost."""
    deleted = flag(deals["is_deleted"], deals.index)
    if deleted.any():
        header = next(sheet.mapping.columns["is_deleted"] for sheet in sheets if sheet.has("is_deleted"))
        journal.add("deleted_deals", file=sheets[0].table.name, column=header, n=int(deleted.sum()))
    return deals.assign(status=deals["status"].mask(deleted, "void"))


def _ended(deals: pd.DataFrame, journal: Journal, sheets: Sequence[Sheet]) -> pd.DataFrame:
    """Deals with a closing date but no outcome are neither won nor lost, as far as the source tells."""
    unknown = (deals["status"] == "open") & deals["ended_at"].notna()
    if unknown.any():
        header = next(sheet.mapping.columns["ended_at"] for sheet in sheets if sheet.has("ended_at"))
        n = int(unknown.sum())
        journal.add("closed_without_outcome", "warn", file=sheets[0].table.name, column=header, n=n)
        sheets[0].limits.append(Limit("outcome_unknown", {"n": n}))
    status = deals["status"].mask(unknown, "void")
    return deals.assign(status=status, closed_at=deals["closed_at"].fillna(deals["ended_at"].where(status != "open")))


def _collapsed(rows: pd.DataFrame, journal: Journal, file: str) -> pd.DataFrame:
    """Leave out entries into the stage that the deal is in already: a row is written for other changes too."""
    same = (rows["stage"].cat.codes.diff() == 0) & (rows["_deal"].diff() == 0)
    said = same & ~rows["_left"] & ~rows["_left"].shift(fill_value=False) if "_left" in rows else same
    if said.any():
        journal.add("stage_repeated", file=file, line=rows["_line"][said].iloc[0], n=int(said.sum()))
    return rows[~same]


def _note_backward(events: pd.DataFrame, journal: Journal, file: str) -> None:
    """Warn of deals that move to an earlier stage; they are kept as they are."""
    back = (events["stage"].cat.codes.diff() < 0) & (events["_deal"].diff() == 0)
    if back.any():
        ids = list(events["deal_id"][back].drop_duplicates())
        journal.add("backward_moves", "warn", file=file, line=events["_line"][back].iloc[0], n=int(back.sum()),
                    deals=len(ids), ids=_named(ids))  # fmt: skip


def _note_reopened(rows: pd.DataFrame, deals: pd.DataFrame, journal: Journal, file: str) -> None:
    """Warn of deals that are open although an earlier row closed them."""
    closed = rows.loc[rows["stage_status"].notna(), "deal_id"]
    ids = list(deals.loc[(deals["status"] == "open") & among(deals["deal_id"], closed), "deal_id"])
    if ids:
        journal.add("reopened", "warn", file=file, n=len(ids), ids=_named(ids))


def _named(ids: Sequence[str]) -> Text:
    def listed() -> str:
        more = say("reading.findings.and_more") if len(ids) > NAMED else ""
        return say("result.between").join(map(str, ids[:NAMED])) + more

    return both(listed)


def time_first(entries: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Return entries in which the undated first stage of a deal is entered at its creation, where deals tell it."""
    created = deals.set_index("deal_id")["created_at"]
    since = pd.Series(created.reindex(entries["deal_id"]).to_numpy("datetime64[us]"), entries.index)
    early = since <= entries.groupby("deal_id")["entered_at"].transform("min").fillna(since)
    times = entries["entered_at"].fillna(since.where(early))
    return entries.assign(entered_at=times, source=entries["source"].mask(times.notna(), "history"))


def stand_still(deals: pd.DataFrame, told: pd.DataFrame, sheets: Sequence[Sheet]) -> pd.DataFrame:
    """Return the entries of open deals that a log of changes does not name: they stand where they began.

    Only of deals created since the log began, for older rows of it may be gone.
    """
    logs = all(sheet.mapping.form and "unmoved_deals_missing" in sheet.mapping.form.limits for sheet in sheets)
    begin = min(sheet.frame["entered_at"].min() for sheet in sheets)
    still = (deals["status"] == "open") & (deals["created_at"] >= begin) & ~among(deals["deal_id"], told["deal_id"])
    rows = deals[still & deals["stage"].notna() & logs]
    return rows[["deal_id", "stage"]].assign(entered_at=rows["created_at"], source="history")


def fill_deals(deals: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Return deals completed by what their history tells: outcome, close, creation, values the deals table lacks."""
    told = told.set_index("deal_id").reindex(deals["deal_id"]).reset_index(drop=True)
    result = deals.reset_index(drop=True).copy()
    ended = (result["status"] == "open") & told["status"].notna() & (told["status"] != "open") & ~result["_said"]
    result["status"] = result["status"].mask(ended, told["status"])
    closed = result["status"] != "open"
    same_day = (result["closed_at"] == told["closed_at"].dt.normalize()) & closed
    result["closed_at"] = result["closed_at"].mask(same_day).fillna(told["closed_at"].where(closed))
    result["created_at"] = result["created_at"].fillna(told["first_at"])
    for column in set(told.columns) & set(result.columns) - {"status", "closed_at", "created_at", "deal_id"}:
        result[column] = result[column].fillna(
            told[column].astype(result[column].dtype) if told[column].notna().any() else np.nan
        )
    return result
