"""Tables: typed sheets -> the canonical deals and stage events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError, quoted
from funnelkit.models import Funnel
from funnelkit.pipeline import DEAL_COLUMNS, SOURCES, Limit
from funnelkit.reading.cells.text import Place, among, by_text, cell_text, repeated, same_text
from funnelkit.reading.ids import merge_lines, refuse_states
from funnelkit.reading.layouts.outcomes import ENDS, exit_word, holds_exit, note_closes_of_open, status_word
from funnelkit.reading.layouts.presets import key, preset_data
from funnelkit.reading.layouts.stage_dates import take_wide_dates
from funnelkit.reading.layouts.stage_durations import take_elapsed
from funnelkit.reading.layouts.stage_names import ONE_STEP, Naming, is_one_step
from funnelkit.reading.layouts.stage_times import take_times_in
from funnelkit.reading.sheet import Sheet, flag, read_time

_USUAL = 3  # rows with a word of a status column, and 2 % of them, for it to be no slip
_NO_TIME = np.datetime64("NaT", "us")
_OF_ENTRIES = ("deal_id", "stage", "status", "created_at", "closed_at", "stage_changed_at")


def name_sheet(sheet: Sheet, model: Funnel, naming: Naming, nearest: Callable[[str], dict[str, Any]]) -> None:
    """Give each row its stage and the status its stage name says; rows with a name unknown to the model go aside."""
    header = sheet.mapping.columns.get("stage")
    unknown = sheet.stage_names.isin(naming.unknown).to_numpy() & sheet.good
    place = {name: model.stage_ids.index(stage) for name, stage in naming.stage.items() if stage}
    codes = by_text(sheet.stage_names, place, -1)
    sheet.frame["stage"] = pd.Categorical.from_codes(codes, categories=model.stage_ids, ordered=True)
    if is_one_step(model) and (model.id == ONE_STEP or not sheet.has("stage")):
        codes = np.where(codes == -1, 0, codes)
        sheet.frame["stage"] = pd.Categorical.from_codes(codes, categories=model.stage_ids, ordered=True)
    sheet.frame["stage_status"] = by_text(sheet.stage_names, naming.status)
    if unknown.any():
        _settle_unknown(sheet, unknown, header, nearest)
    if sheet.mapping.layout == "deals":
        take_wide_dates(sheet, model)
        if "durations" in sheet.frame:
            take_elapsed(sheet, naming, model)
        else:
            take_times_in(sheet, model)
        _take_status(sheet, model)
        _take_close(sheet)
        return
    if len(sheet.before_names):
        unknown = sheet.before_names.isin(naming.unknown).to_numpy() & sheet.good
        sheet.set_aside(unknown, "stage_unknown", sheet.mapping.columns["stage_before"], nearest)
        sheet.frame["stage_before"] = sheet.before_names.map(naming.stage).astype("object")
    if sheet.mapping.form or "status" in sheet.frame:
        _take_row_outcomes(sheet, model)


def _settle_unknown(
    sheet: Sheet, unknown: NDArray[np.bool_], header: str | None, nearest: Callable[[str], dict[str, Any]]
) -> None:
    """Set rows of unknown stages aside, except those whose status says how they ended."""
    decided = unknown & _stated(sheet)
    if decided.any():
        names = ", ".join(sheet.stage_names[decided].unique()[:10])
        sheet.journal.add("stage_by_status", "warn", file=sheet.table.name, column=header, value=names,
                          n=int(decided.sum()))  # fmt: skip
    sheet.set_aside(unknown & ~decided, "stage_unknown", header, nearest)


def _status_meaning(sheet: Sheet, word: str) -> str | None:
    """Return the outcome that a word of a status column means."""
    return status_word(word, sheet.declared) or ("lost" if exit_word(word) else None)


def _take_row_outcomes(sheet: Sheet, model: Funnel) -> None:
    """Take the outcome that columns beside the stage say; a row that says won enters the won stage, from its own."""
    frame, said = sheet.frame, _outcomes(sheet)
    said = said.mask(said == "open")
    if not sheet.mapping.form:  # each row may carry what became of the deal: it is taken from the last
        order = frame["entered_at"].where(sheet.good).argsort(kind="stable")
        last = ~frame["deal_id"].iloc[order].duplicated(keep="last")
        said = said.where(last.reindex(said.index))
    first, then = (said, frame["stage_status"]) if "status" in frame else (frame["stage_status"], said)
    frame["stage_status"] = first.fillna(then)
    won = (said == "won") & frame["stage"].notna() & (frame["stage"] != model.won_stage)
    if model.won_stage and won.any():
        order = frame["entered_at"].argsort(kind="stable")
        again = won.iloc[order].groupby(frame["deal_id"].iloc[order]).shift(fill_value=False).reindex(won.index)
        for name, column in (("stage_before", "stage"), ("before_at", "entered_at")):
            blank = pd.Series(_NO_TIME if name == "before_at" else None, frame.index)
            frame[name] = frame.get(name, blank).mask(won & ~again, frame[column])
        frame.loc[won, "stage"] = model.won_stage


def _take_status(sheet: Sheet, model: Funnel) -> None:
    """Settle the status: an outcome in the status column, else what the stage name says, else the other columns, else
    open; a deleted deal is void."""
    frame, said = sheet.frame, sheet.frame["stage_status"]
    column = _outcomes(sheet)
    unknown = (said.isna() & column.isna() & _ended(frame)).to_numpy() & sheet.good
    if unknown.any():
        header = next(sheet.mapping.columns[name] for name in ("is_closed", "ended_at") if sheet.has(name))
        n = int(unknown.sum())
        sheet.journal.add("closed_without_outcome", "warn", file=sheet.table.name, column=header, n=n)
        column = column.mask(pd.Series(unknown, frame.index), "void")
        sheet.limits.append(Limit("outcome_unknown", {"n": n}))
    clash = (said.notna() & column.notna() & (said != column)).to_numpy()
    if clash.any():
        stated = _stated(sheet)
        column_of = sheet.mapping.columns
        place = column_of.get("status", column_of.get("stage"))
        sheet.warn(clash & stated, "status_contradicts", place)
        sheet.warn(clash & ~stated, "stage_contradicts", place)
        said = said.mask(clash & stated)
        left = clash & stated & (column != "won").to_numpy() & (frame["stage"] == model.won_stage).to_numpy()
        frame["stage"] = frame["stage"].mask(left)
    frame["_said"] = said.notna() | column.notna()
    frame["status"] = said.fillna(column).fillna("open").astype("str")
    deleted = flag(frame.get("is_deleted"), frame.index)
    if (deleted & sheet.good).any():
        header, n = sheet.mapping.columns["is_deleted"], int((deleted & sheet.good).sum())
        sheet.journal.add("deleted_deals", file=sheet.table.name, column=header, n=n)
        frame["status"] = frame["status"].mask(deleted, "void")


def _stated(sheet: Sheet) -> NDArray[np.bool_]:
    """Return which rows have an outcome in the status column itself."""
    frame = sheet.frame
    if "status" not in frame:
        return np.zeros(len(frame), dtype=bool)
    words: dict[str, str | None] = {text: _status_meaning(sheet, text) for text in frame["status"].dropna().unique()}
    found: NDArray[np.bool_] = np.isin(by_text(frame["status"], words, ""), ENDS)
    return found


def _outcomes(sheet: Sheet) -> pd.Series:
    """Return what the columns beside the stage say: the status column, else dates and flags of the outcome."""
    frame = sheet.frame
    column = pd.Series(None, frame.index, dtype="object")
    if "status" in frame:
        column = _status_column(sheet, column)
    for name, value in (("won_at", "won"), ("lost_at", "lost"), ("void_at", "void")):
        if name in frame and "status" not in sheet.mapping.columns and name not in _dated_ends(sheet):
            column = column.mask(column.isna() & frame[name].notna(), value)
    if "is_won" in frame:
        won, closed = (flag(frame.get(name), frame.index) for name in ("is_won", "is_closed"))
        column = column.mask(column.isna() & won, "won").mask(column.isna() & closed & ~won, "lost")
    if "is_lost" in frame:
        column = column.mask(column.isna() & frame["is_lost"], "lost")
    if "probability" in frame:
        column = _by_chance(frame, column)
    if "is_active" in frame:
        archived = frame["is_active"].notna() & ~flag(frame["is_active"], frame.index)
        column = column.mask(column.isna() & frame["stage_status"].isna() & archived, "lost")
    return column


def _by_chance(frame: pd.DataFrame, column: pd.Series) -> pd.Series:
    """A chance of 100 is a win; where the source also says when a deal was closed, 0 at the close is a loss."""
    chance = pd.to_numeric(frame["probability"].str.strip().str.removesuffix("%"), errors="coerce")
    if "ended_at" not in frame:
        return column.mask(column.isna() & (chance == 100), "won")
    ended = column.isna() & frame["ended_at"].notna()
    return column.mask(ended & (chance == 100), "won").mask(ended & (chance == 0), "lost")


def _status_column(sheet: Sheet, column: pd.Series) -> pd.Series:
    """Return the status column in the kit's words; one that holds no outcome is a segment."""
    frame, header = sheet.frame, sheet.mapping.columns["status"]
    words = {word: _status_meaning(sheet, word) for word in frame["status"].dropna().unique()}
    if sheet.mapping.layout == "events":
        return frame["status"].map(words).astype("object")
    if any(words.values()):
        words |= dict.fromkeys(_usual(sheet, [word for word, meant in words.items() if meant is None]), "open")
        column = pd.Series(by_text(frame["status"], words), frame.index)
        unknown = (frame["status"].notna() & column.isna()).to_numpy() & sheet.good
        sheet.set_aside(unknown, "status_unknown", header)
    elif words:
        told = frame["stage_status"].notna().any() or {"is_won", "won_at"} & set(frame)
        sheet.journal.add("status_is_segment", "note" if told else "warn", file=sheet.table.name, column=header)
        frame[_free(header)] = frame["status"]
    return column


def _usual(sheet: Sheet, unknown: Sequence[str]) -> list[str]:
    """Return the unknown words of a status column that many rows have and none of which looks like an exit: what is
    neither won nor lost there goes on. Said loudly."""
    if not unknown:
        return []
    counts = sheet.frame["status"][sheet.good].value_counts().reindex(unknown, fill_value=0)
    enough = max(_USUAL, 0.02 * int(sheet.good.sum()))
    usual = [str(word) for word, n in counts.items() if n >= enough and not holds_exit(word)]
    if usual:
        names, n = quoted(usual), int(counts[usual].sum())
        sheet.journal.add("status_open", "warn", file=sheet.table.name, column=sheet.mapping.columns["status"],
                          value=usual[0], names=names, n_names=len(usual), n=n)  # fmt: skip
    return usual


def _dated_ends(sheet: Sheet) -> set[str]:
    """Return the columns made of dates of ends: a deal may have been lost once and be open again."""
    return {f"{word}_at" for word in sheet.ends.values()}


def _ended(frame: pd.DataFrame) -> pd.Series:
    """Return which deals are closed, whatever their outcome."""
    closed = flag(frame.get("is_closed"), frame.index)
    return closed | frame["ended_at"].notna() if "ended_at" in frame else closed


def _take_close(sheet: Sheet) -> None:
    """Settle when a deal closed. A close date of an open deal is its expected close; one before creation goes aside."""
    frame = sheet.frame
    for name in ("closed_at", "expected_close", "created_at"):
        if name not in frame:
            frame[name] = pd.Series(_NO_TIME, frame.index, dtype="datetime64[us]")
    ends = (("won_at", "won"), ("lost_at", "lost"), ("void_at", "void"))
    for name, status in (*ends, *(("ended_at", word) for word in ("won", "lost", "void"))):
        if name in frame:
            frame["closed_at"] = frame["closed_at"].mask(
                frame["closed_at"].isna() & (frame["status"] == status), frame[name]
            )
    early = ((frame["status"] == "open") & frame["closed_at"].notna()).to_numpy()
    if (early & sheet.good).any():
        note_closes_of_open(sheet, early & sheet.good)
        frame["expected_close"] = frame["expected_close"].mask(
            frame["expected_close"].isna() & early, frame["closed_at"]
        )
        frame["closed_at"] = frame["closed_at"].mask(early)
    day = frame["created_at"].dt.normalize()
    whole = (frame["closed_at"] == frame["closed_at"].dt.normalize()) | (frame["created_at"] == day)
    start = frame["created_at"].mask(whole, day)
    close = frame["closed_at"].mask(whole, frame["closed_at"].dt.normalize())
    backwards = (close < start).to_numpy() & sheet.good
    if backwards.any():
        columns = sheet.mapping.columns
        dated = (columns.get(name) for name in ("closed_at", "won_at", "lost_at", "ended_at"))
        place = next((name for name in (*dated, *sheet.ends) if name), columns.get("deal_id"))
        sheet.set_aside(backwards, "close_before_create", place)


# --- duplicates ------------------------------------------------------------------------------------------------------


def set_duplicates_aside(sheets: Sequence[Sheet]) -> None:
    """Of rows that stand twice one is kept; deals that share an id but differ all go aside."""
    kept = [sheet for sheet in sheets if sheet.good.any()]
    if not kept:
        return
    ids = pd.concat([sheet.frame.loc[sheet.good, "deal_id"] for sheet in kept], ignore_index=True)
    twice = np.flatnonzero(repeated(ids))
    if not len(twice):
        return
    owner = np.repeat(np.arange(len(kept)), [int(sheet.good.sum()) for sheet in kept])[twice]
    place = np.concatenate([np.flatnonzero(sheet.good) for sheet in kept])[twice]
    rows = pd.DataFrame({"id": ids.iloc[twice].array, "layout": np.array([s.mapping.layout for s in kept])[owner]})
    alike = rows.duplicated(keep=False).to_numpy()
    owner, place, rows = owner[alike], place[alike], rows[alike]
    exact = _same_rows(kept, owner, place)
    deals = (rows["layout"] == "deals").to_numpy() & ~exact
    conflict = np.zeros(len(rows), dtype=bool)
    conflict[deals] = rows.loc[deals, "id"].duplicated(keep=False)
    if conflict.any() and len({tuple(sorted(kept[number].table.cells.columns)) for number in owner[conflict]}) == 1:
        at = np.flatnonzero(conflict)
        conflict[at[merge_lines(kept, owner[at], place[at], rows["id"].iloc[at])]] = False
    older = _older(kept, owner, place, rows["id"], conflict)
    conflict &= ~older
    conflict[conflict] = rows.loc[conflict, "id"].duplicated(keep=False)
    for number, sheet in enumerate(kept):
        if conflict.any() and sheet.mapping.layout == "deals":
            rows = np.zeros(len(sheet.good), dtype=bool)
            rows[place[conflict & (owner == number)]] = True
            refuse_states(sheet, sheet.mapping.columns["deal_id"], rows, [each.table.name for each in kept])
        for mask, rule in ((exact, "duplicate_row"), (older, "older_state"), (conflict, "duplicate_id")):
            aside = np.zeros(len(sheet.good), dtype=bool)
            aside[place[mask & (owner == number)]] = True
            sheet.set_aside(aside, rule, sheet.mapping.columns.get("deal_id"))


def _older(
    sheets: Sequence[Sheet],
    owner: NDArray[np.int64],
    place: NDArray[np.int64],
    ids: pd.Series,
    doubted: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return which of the rows `doubted` show a deal as it was before another of them, as their last changes tell."""
    changed = np.full(len(owner), np.datetime64("NaT", "us"))
    known = set(map(key, preset_data("generic")["signs"]["modified"]))
    for number, sheet in enumerate(sheets):
        header = next((header for header in sheet.table.cells.columns if key(header) in known), None)
        here = doubted & (owner == number)
        if header is not None and here.any():
            cells = sheet.table.cells[header].iloc[place[here]]
            where = Place(sheet.table.name, header, sheet.table.lines[place[here]])
            try:
                changed[here] = read_time(sheet, cells, where).values.to_numpy()
            except DataError:  # the order of day and month is open
                continue
    times = pd.DataFrame({"id": ids.to_numpy(), "at": changed})[doubted]
    groups = times.groupby("id")["at"]
    last = groups.transform("max")
    once = times["at"].eq(last).groupby(times["id"]).transform("sum").eq(1)
    whole = groups.transform("count").eq(groups.transform("size"))
    older = np.zeros(len(owner), dtype=bool)
    older[doubted] = (times["at"].lt(last) & once & whole).to_numpy()
    return older


def _same_rows(sheets: Sequence[Sheet], owner: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of these rows repeat an earlier one cell by cell."""
    rows = [sheet.table.cells.iloc[place[owner == number]] for number, sheet in enumerate(sheets)]
    same: NDArray[np.bool_] = pd.concat(rows, ignore_index=True).astype("str").duplicated().to_numpy()
    return same


# --- deals and events ------------------------------------------------------------------------------------------------


def build_deals(sheet: Sheet) -> pd.DataFrame:
    """Return the deals of a deals sheet: canonical columns, then the further columns of the source as text.

    The sheet's own columns are given up one by one, so that a large table is not held twice.
    """
    good = slice(None) if sheet.good.all() else sheet.good
    columns = {}
    for name in dict.fromkeys([*DEAL_COLUMNS, *sheet.frame]):
        columns[name] = _column(sheet.frame, name)[good].array
        if name in sheet.frame:
            del sheet.frame[name]
    for header in sheet.mapping.extra:
        if header not in sheet.wide and header not in sheet.ends:
            columns[_free(header)] = cell_text(sheet.table.cells[header])[good].array
    sheet.settle(pd.DataFrame(columns, copy=False))
    return sheet.kept


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of the deals, blank where the source has none."""
    if name in frame:
        return frame[name]
    if name == "amount":
        return pd.Series(np.nan, frame.index)
    if name in ("created_at", "closed_at", "expected_close"):
        return pd.Series(_NO_TIME, frame.index, dtype="datetime64[us]")
    return same_text(None, len(frame)).set_axis(frame.index)


def _free(header: str) -> str:
    """Return a header that does not hide a canonical column."""
    return header if header not in DEAL_COLUMNS else f"{header} (source)"


def deal_events(sheet: Sheet, model: Funnel, with_history: pd.Series, first: int = 0) -> list[pd.DataFrame]:
    """Return the stage entries that a deals sheet shows: of dated columns (wide), of its stage (inferred); `_rank`
    is the place of the deal among all, which stands for its id; the first has `first`."""
    needed = [name for name in sheet.kept if name in _OF_ENTRIES or name.startswith("wide ")]
    frame = sheet.kept[needed].assign(_rank=np.arange(first, first + len(sheet.kept), dtype="int32"))
    told = among(frame["deal_id"], with_history) if len(with_history) else np.zeros(len(frame), dtype=bool)
    del frame["deal_id"]
    parts = []
    for stage in sheet.wide.values():
        times = frame[f"wide {stage}"].dropna()
        parts.append(_entries(frame.loc[times.index], stage, times, "wide", model))
    for stage, undated in sheet.undated.items():
        rows = frame[undated[sheet.good] & (frame["stage"] != stage).fillna(True).to_numpy(bool) & ~told]
        parts.append(_entries(rows, stage, pd.Series(_NO_TIME, rows.index), "inferred", model))
    wide = {stage: frame[f"wide {stage}"].notna().to_numpy() for stage in sheet.wide.values()}
    code, none = frame["stage"].cat.codes.to_numpy(), np.zeros(len(frame), dtype=bool)
    for number, stage in enumerate(model.stage_ids):
        rows = frame[(code == number) & ~told & ~wide.get(stage, none)]
        parts.append(_entries(rows, stage, _best_time(rows, stage, model), "inferred", model))
    if model.won_stage:
        elsewhere = (code != model.stage_ids.index(model.won_stage)) & ~told & ~wide.get(model.won_stage, none)
        missing = frame[(frame["status"] == "won").to_numpy() & elsewhere]
        parts.append(_entries(missing, model.won_stage, missing["closed_at"], "inferred", model))
    return [part for part in parts if len(part)]


def _best_time(rows: pd.DataFrame, stage: str, model: Funnel) -> pd.Series:
    """Return when the current stage was entered, as far as known."""
    if stage == model.won_stage:
        return rows["closed_at"]
    time = (
        rows["stage_changed_at"]
        if "stage_changed_at" in rows
        else pd.Series(_NO_TIME, rows.index, dtype="datetime64[us]")
    )
    return time.fillna(rows["created_at"]) if stage == model.stage_ids[0] else time


def _entries(rows: pd.DataFrame, stage: str, times: pd.Series, source: str, model: Funnel) -> pd.DataFrame:
    n = len(rows)
    coded = pd.Categorical.from_codes(np.full(n, model.stage_ids.index(stage)), model.stage_ids, ordered=True)
    known = pd.Categorical.from_codes(np.full(n, SOURCES.index(source)), SOURCES)
    times, rank = times.to_numpy(), rows["_rank"].to_numpy()
    return pd.DataFrame({"stage": coded, "entered_at": times, "source": known, "_rank": rank})
