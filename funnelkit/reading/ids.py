"""Ids: which column says which deal a row is about, where two files use two systems of ids or one has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.language import DataError, quoted
from funnelkit.reading.cells.text import arrow_text, as_id, cell_text
from funnelkit.reading.layouts.evidence import holds
from funnelkit.reading.layouts.outcomes import status_word
from funnelkit.reading.layouts.presets import key
from funnelkit.reading.sheet import Sheet

ENOUGH = 0.5  # of the ids of a history must be among those of the deals, for a column to be taken as the key
_SAMPLE = 2000  # ids of a history that are looked up
_STATES = 10  # rows, and half of all, that say different things of one deal: then none of them is a deal
_MOVED = 0.9  # share of the deals with several rows that are told to have moved, where rows are states


def match_ids(sheets: Sequence[Sheet]) -> None:
    """Where no id of a history is one of the deals, take the pair of columns that matches; refuse where none does."""
    deals = [sheet for sheet in sheets if sheet.mapping.layout == "deals" and sheet.has("deal_id")]
    logs = [sheet for sheet in sheets if sheet.mapping.layout == "events"]
    for log in logs if deals else ():
        wanted = _some(log, log.mapping.columns["deal_id"])
        if not len(wanted) or not any(len(sheet.table.cells) for sheet in deals):
            continue
        if any(_share(wanted, sheet, sheet.mapping.columns["deal_id"]) > 0 for sheet in deals):
            continue
        pairs = [pair for sheet in deals for pair in _pairs(sheet, log)]
        share, sheet, column, other = max(pairs, key=lambda pair: pair[0], default=(0.0, deals[0], "", ""))
        mapped = {"column": deals[0].mapping.columns["deal_id"], "other": log.mapping.columns["deal_id"]}
        if share < ENOUGH:
            known = ", ".join(_shared(deals, log)) or "-"
            raise DataError("ids_do_not_match", file=deals[0].table.name, source=log.table.name, **mapped, known=known)
        _set_id(sheet, column)
        _set_id(log, other)
        sheet.journal.add("ids_matched", file=sheet.table.name, column=column, value=mapped["column"], other=other,
                          source=log.table.name, share=share)  # fmt: skip


def _shared(deals: Sequence[Sheet], log: Sheet) -> list[str]:
    """Return the headers that both have."""
    keys = {key(header) for header in log.table.cells.columns}
    return [header for sheet in deals for header in sheet.table.cells.columns if key(header) in keys]


def _some(sheet: Sheet, header: str) -> Any:
    """Return some different ids of a column."""
    return pc.unique(arrow_text(as_id(sheet.table.cells[header].iloc[: 20 * _SAMPLE]))).drop_null()[:_SAMPLE]


def _share(wanted: Any, sheet: Sheet, header: str) -> float:
    """Return the share of these ids that stand in a column."""
    ids = arrow_text(as_id(sheet.table.cells[header]))
    found = pc.unique(ids.filter(pc.is_in(ids, value_set=pa.array(wanted, pa.large_string()))))
    return len(found) / len(wanted)


def _pairs(deals: Sheet, log: Sheet) -> list[tuple[float, Sheet, str, str]]:
    """Return (share, sheet, its column, column of the history) of pairs of columns, of the deals only those of keys."""
    used = {header for name, header in log.mapping.columns.items() if name not in ("deal_id", "account")}
    keys = [header for header in deals.table.cells.columns if _is_key(deals.table.cells[header])]
    found = []
    for other in log.table.cells.columns:
        wanted = _some(log, other) if other not in used else ()
        found += [(_share(wanted, deals, column), deals, column, other) for column in keys if len(wanted) > 1]
    return found


def _is_key(cells: pd.Series) -> bool:
    ids = as_id(cells).dropna()
    return len(ids) > 0 and ids.nunique() >= 0.99 * len(ids)


def _set_id(sheet: Sheet, header: str) -> None:
    """Make a column the id; what was it before is carried along."""
    columns = {name: column for name, column in sheet.mapping.columns.items() if column != header}
    old = columns.get("deal_id")
    extra = [name for name in sheet.mapping.extra if name != header]
    if old is not None:
        extra.append(old)
    sheet.mapping = replace(sheet.mapping, columns={**columns, "deal_id": header}, extra=tuple(extra))


# --- rows that are states of deals ------------------------------------------------------------------------------------


def refuse_states(sheet: Sheet, header: str, rows: NDArray[np.bool_], files: Sequence[str] = ()) -> None:
    """Refuse a list most of whose rows say different things of the same deal: it is a log, read as a list by mistake,
    or one of several exports of the same deals.

    `rows` are those of the sheet that share what stands in the column `header`, `files` what is read together.
    """
    if rows.sum() < max(_STATES, ENOUGH * int(sheet.good.sum())):
        return
    cells = sheet.table.cells[rows]
    deals = cell_text(cells[header])
    dated = [name for name in cells if holds("entered_at", cells[name], serial=sheet.table.kind == "workbook")]
    moved = [name for name in dated if (cell_text(cells[name]).groupby(deals).nunique() > 1).mean() > ENOUGH]
    values = {"file": sheet.table.name, "column": header, "n": int(rows.sum()), "rows": len(sheet.good)}
    if len(files) > 1 and deals.is_unique:
        raise DataError("deals_in_several_files", **values, files=", ".join(dict.fromkeys(files)))
    if not moved:
        raise DataError("rows_are_states", **values)
    raise DataError("rows_are_entries", **values, times=quoted(moved), first=moved[0])


def refuse_unnamed_states(sheet: Sheet) -> None:
    """Refuse a list without ids in which most deals, known by name, account, owner and amount, stand in several stages
    and end once at the most."""
    if sheet.mapping.layout != "deals" or not (sheet.has("name") and sheet.has("stage")):
        return
    told = [name for name in ("name", "account", "owner", "amount") if sheet.has(name)]
    named = pd.DataFrame({name: cell_text(sheet.cells(name)) for name in told}, sheet.frame.index)
    deal = named.groupby(told, sort=False, dropna=False).ngroup()
    known = sheet.good & named["name"].notna()
    several = deal.where(known).duplicated(keep=False) & known
    stages, deal = sheet.stage_names[several], deal[several]
    ends = stages.map({name: status_word(name, sheet.declared) is not None for name in stages.dropna().unique()})
    moved = (stages.groupby(deal).nunique() > 1) & (ends.eq(True).groupby(deal).sum() <= 1)
    if len(moved) and moved.mean() >= _MOVED:
        refuse_states(sheet, sheet.mapping.columns["name"], several.to_numpy())


# --- rows of one deal ------------------------------------------------------------------------------------------------


def merge_lines(sheets: Sequence[Sheet], owner: Any, places: Any, ids: pd.Series) -> Any:
    """Make one deal of rows that share an id and differ only in further columns and the amount; return which rows
    that settles. Row n stands at `places[n]` of sheet `owner[n]`; the sheets have the same headers.

    Where the amounts of any such deal differ they are of its lines, and are added up; else each is the deal's.
    """
    sheet, deal = sheets[int(owner[0])], pd.factorize(ids)[0]
    rows = _picked(sheets, owner, places, lambda each: each.table.cells).astype("str")
    groups = rows.groupby(deal, sort=False)
    amount = sheet.mapping.columns.get("amount")
    free = [header for header in sheet.mapping.extra if header not in sheet.wide and header not in sheet.ends]
    fixed = [header for header in rows.columns if header not in (*free, amount)]
    differs = groups[list(rows.columns)].transform("nunique") > 1
    alike = ~differs[fixed].any(axis=1).to_numpy() & differs[free].any(axis=1).to_numpy()
    if not alike.any():
        return alike
    summed = amount is not None and bool(differs.loc[alike, amount].any())
    told = [header for header in free if differs.loc[alike, header].any()]
    first = pd.Series(np.arange(len(rows))).groupby(deal, sort=False).transform("first").to_numpy()
    kept = np.flatnonzero(alike & (first == np.arange(len(rows))))
    if summed:
        amounts = _picked(sheets, owner, places, lambda each: each.frame[["amount"]])["amount"]
        total = amounts[alike].groupby(first[alike]).sum(min_count=1)
        for number in np.unique(owner[kept]):
            mine = kept[owner[kept] == number]
            sheets[number].frame.loc[places[mine], "amount"] = total[mine].to_numpy()
    _join_texts(sheets, owner, places, (first, alike), told)
    for number in np.unique(owner):
        dropped = places[alike & (first != np.arange(len(rows))) & (owner == number)]
        sheets[number].good[dropped] = False
        sheets[number].left_out[dropped] = True
    rule = "lines_summed" if summed else "lines_merged"
    at = int(np.flatnonzero(alike)[0])
    begin = sheets[int(owner[at])].table
    sheet.journal.add(
        rule, "warn", file=begin.name, line=int(begin.lines[places[at]]), column=told[0], n=len(kept),
        rows=int(alike.sum()), columns=", ".join(told),
    )  # fmt: skip
    return alike


def _picked(sheets: Sequence[Sheet], owner: Any, places: Any, part: Callable[[Sheet], pd.DataFrame]) -> pd.DataFrame:
    """Return rows of several sheets under the headers of the first, in their order."""
    parts = [part(sheets[number]).iloc[places[owner == number]] for number in np.unique(owner)]
    order = np.argsort(np.concatenate([np.flatnonzero(owner == number) for number in np.unique(owner)]))
    return pd.concat([each[parts[0].columns] for each in parts], ignore_index=True).iloc[order].reset_index(drop=True)


def _join_texts(sheets: Sequence[Sheet], owner: Any, places: Any, grouped: Any, headers: Sequence[str]) -> None:
    """Write the different texts of a deal's lines into its first row; `grouped` is (first row of each, which rows)."""
    first, alike = grouped
    texts = _picked(sheets, owner, places, lambda each: each.table.cells)[list(headers)][alike]
    for number in np.unique(owner[first[alike]]):
        cells = sheets[number].table.cells.copy()
        for header in headers:
            joined = texts[header].astype("object").groupby(first[alike]).agg(_joined)
            mine = joined[owner[joined.index] == number]
            column = cells[header].astype("object").to_numpy(copy=True)
            column[places[mine.index]] = mine.to_numpy()
            kind = "str" if pd.api.types.is_string_dtype(cells[header].dtype) else "object"
            cells[header] = pd.Series(column, cells.index, dtype=kind)
        sheets[number].table = replace(sheets[number].table, cells=cells)


def _joined(group: pd.Series) -> str:
    return "; ".join(dict.fromkeys(map(str, group.dropna())))


def number_rows(sheet: Sheet, alone: bool) -> pd.Series:
    """Return ids of rows without one: their line in the file, after its name where there are several files."""
    lines = pd.Series(np.asarray(sheet.table.lines), sheet.table.cells.index).astype("str")
    sheet.journal.add("id_made", file=sheet.table.name)
    return lines if alone else f"{sheet.table.name}:" + lines
