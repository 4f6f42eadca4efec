"""Load: sources -> Pipeline. Rows in = good + quarantined + ignored, always; whatever was detected is said."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from funnelkit.language import DataError, nearest
from funnelkit.models import Funnel, custom
from funnelkit.pipeline import DEAL_COLUMNS, Finding, Pipeline, RowCounts
from funnelkit.reading.backfilled import mark_backfilled
from funnelkit.reading.cells.text import among
from funnelkit.reading.containers.detect import open_sources
from funnelkit.reading.containers.options import Bounds, ReadOptions, Source, Table, refuse_type
from funnelkit.reading.counts_table import read_counts
from funnelkit.reading.deals import build_deals, deal_events, name_sheet, set_duplicates_aside
from funnelkit.reading.entries import order_entries
from funnelkit.reading.findings import Journal
from funnelkit.reading.history import fill_deals, read_history, stand_still, time_first
from funnelkit.reading.ids import match_ids, number_rows, refuse_unnamed_states
from funnelkit.reading.join import join_lookups, lookup_sheet
from funnelkit.reading.layouts.change_messages import with_entries
from funnelkit.reading.layouts.columns import map_columns, need_stages
from funnelkit.reading.layouts.outcomes import declared_ends, find_ends, names_met, names_of
from funnelkit.reading.layouts.stage_dates import with_stage
from funnelkit.reading.layouts.stage_flags import with_flags
from funnelkit.reading.layouts.stage_names import (
    chance_ends,
    find_model,
    flagged_ends,
    given_model,
    is_one_step,
    merged_names,
    name_stages,
)
from funnelkit.reading.layouts.wide_counts import with_counts
from funnelkit.reading.limits import find_limits, told_limits
from funnelkit.reading.mapping import options_for, with_mapping
from funnelkit.reading.proposals import Proposal, ask, ask_with_likely, propose, with_maybe, with_missed
from funnelkit.reading.quarantine import merge_corrections, write_quarantine
from funnelkit.reading.sheet import Sheet, type_sheet


def read(
    *sources: Source, model: Funnel | str | None = None, stages: Sequence[str] | str | None = None,
    layout: str | None = None, preset: str | None = None, as_of: Any = None, join: Sequence[Source] = (),
    encoding: str | None = None, decimal: str | None = None, date_order: str | None = None, currency: str | None = None,
    timezone: str | None = None, delimiter: str | None = None, sheet: str | None = None, table: str | None = None,
    won: Sequence[str] | str | None = None, lost: Sequence[str] | str | None = None,
    void: Sequence[str] | str | None = None, map: Mapping[str, Any] | None = None, on: Mapping[str, str] | None = None,
    mapping: str | os.PathLike[str] | None = None, quarantine: str | os.PathLike[str] | None = None,
    collapse: bool = True, progress: Callable[[float], object] | None = None, bounds: Bounds | None = None,
) -> Pipeline:  # fmt: skip
    """Read deals, stage entries, both, or a table of counts. Whatever is detected is said in the findings.

    Parameters
    ----------
    *sources : path, URL, stream, DataFrame, Arrow table, dict of columns or list of dicts
        Files (CSV, TSV, TXT, xlsx, Parquet, SQLite, DuckDB), databases, tables. The same headers make one table.
    model, stages : Funnel, id or path of a model; names of the stages in order; by default both come from the data
    layout, preset, as_of : "deals", "events" or "counts"; system, such as "salesforce"; day the data are as of
    join, on : sources (accounts, products) put beside the deals; {column of the deals: column of such a source}
    won, lost, void, mapping : names that mean so, such as ["Cerrado ganado"]; path of a TOML file with such arguments
    encoding, decimal, date_order, currency, timezone, delimiter, sheet, table, map, collapse : optional
        How the sources are written: map is like {"stage": "Phase"}; `funnelkit.reading.ReadOptions` tells of each.
    quarantine, progress, bounds : path of a CSV for the quarantined rows; called with the share read; most to hold

    Returns
    -------
    Pipeline
        Faulty rows are quarantined and reported; `rows` counts them.

    Raises
    ------
    DataError
        Where a source cannot be read for what it is, stays ambiguous, or an argument is of another type.

    Examples
    --------
    >>> read({"id": ["a"], "stage": ["Won"], "date": ["2026-01-07"]}, stages=["Lead", "Won"]).deals["status"].tolist()
    ['won']
    """
    return _read_or_ask(with_mapping(**locals()))  # every argument as it came


def _read_or_ask(given: Mapping[str, Any]) -> Pipeline:
    sources = (*given["sources"], *given["join"])
    return ask_with_likely(lambda code: _read(**{**given, **code}), sources, given["encoding"])


def _read(
    sources: Sequence[Source], *, model: Funnel | str | None, stages: Sequence[str] | str | None, layout: str | None,
    preset: str | None, as_of: Any, join: Sequence[Source], bounds: Bounds | None, **how: Any,
) -> Pipeline:  # fmt: skip
    options = ReadOptions(**how, bounds=bounds or Bounds())
    if not sources:
        raise DataError("no_source")
    journal = Journal()
    declared = declared_ends(options.won, options.lost, options.void)
    funnel, notes = given_model(model, stages, declared, names_of(options.won))
    journal.findings.extend(notes)
    tables = [with_entries(table) for table in merge_corrections(open_sources(sources, options), options)]
    settings = options_for(tables, options)
    tables = [
        with_flags(with_counts(table, own, layout), own, layout) for table, own in zip(tables, settings, strict=True)
    ]
    tables = [with_stage(table, own, funnel, preset) for table, own in zip(tables, settings, strict=True)]
    sheets = map_sheets(tables, journal, settings, layout, preset)
    if isinstance(join, (str, os.PathLike, Mapping)) or not isinstance(join, Sequence):
        refuse_type("join", join, "sources")
    joined = merge_corrections(open_sources(join, options), options)
    lookups = [lookup_sheet(table, journal, options) for table in joined]
    del tables, joined
    for sheet in (*sheets, *lookups):
        sheet.joining = bool(lookups)
        take_structure(sheet)
    proposals = _proposals(sheets)
    if any(sheet.mapping.layout == "counts" for sheet in sheets):
        pipeline = read_counts(sheets, funnel, journal)
    else:
        pipeline = _read_deals(sheets, funnel, journal, preset=preset, as_of=as_of)
    pipeline = join_lookups(pipeline, lookups, sheets, journal)
    pipeline = replace(
        pipeline, mapping=proposals, limits=tuple(with_missed(limit, proposals) for limit in pipeline.limits)
    )
    if options.quarantine:
        write_quarantine([*sheets, *lookups], options.quarantine)
    return replace(pipeline, rows=_rows([*sheets, *lookups]), findings=journal.close())


def map_sheets(
    tables: Sequence[Table], journal: Journal, settings: Sequence[ReadOptions], layout: str | None, preset: str | None,
    *, every: bool = False,
) -> list[Sheet]:  # fmt: skip
    """Return the tables with their columns mapped; the layout given is that of the first table and its parts."""
    layouts = {tuple(table.cells.columns): layout for table in (tables if every else tables[:1])}
    sheets, errors = [], []
    unread, beside = [], len({tuple(table.cells.columns) for table in tables}) > 1
    for table, options in zip(tables, settings, strict=True):
        headers = tuple(table.cells.columns)
        try:
            mapping = map_columns(table, options, layouts.get(headers), preset, beside)
        except DataError as error:
            found: Any = error.values.get("found", {})
            errors.append(with_maybe(error, table, found))
            unread += propose(table, found, options)
            continue
        layouts[headers] = mapping.layout
        sheets.append(Sheet(table, mapping, journal, options))
    if errors:
        ask([*errors, *_untyped([sheet for sheet in sheets if sheet.mapping.layout != "counts"])],
            [*unread, *_proposals(sheets)])  # fmt: skip
    return sheets


def take_structure(sheet: Sheet) -> None:
    """Write down what opening and mapping the table found, and the rows that do not fit its header."""
    sheet.journal.findings.extend((*sheet.table.notes, *sheet.mapping.notes))
    for row in sheet.table.broken:
        sheet.journal.add(row.rule, "error", file=sheet.table.name, line=row.line, value=row.text[:200], **row.values)
    if not len(sheet.table.cells):
        sheet.journal.add("no_rows", "warn", file=sheet.table.name)


def _rows(sheets: Sequence[Sheet]) -> RowCounts:
    good = sum(int(sheet.good.sum()) for sheet in sheets)
    total, ignored = sum(s.table.rows_in for s in sheets), sum(s.table.blank + int(s.left_out.sum()) for s in sheets)
    return RowCounts(total, good, total - good - ignored, ignored)


def _read_deals(
    sheets: Sequence[Sheet], model: Funnel | None, journal: Journal, *, preset: str | None, as_of: Any
) -> Pipeline:
    """Read deals and stage entries."""
    need_stages(sheets, model is None or is_one_step(model))
    match_ids(sheets)
    _type_all(sheets, model, preset)
    _tell(sheets, 0.7)
    names = names_met(sheets)
    ends = find_ends(sheets, names, model, flagged_ends(sheets))
    if model is None:
        ends |= chance_ends(sheets, names, ends)
        try:
            model, notes = _model_of(sheets, preset, ends)
        except DataError as error:
            ask([error], _proposals(sheets))
        journal.findings.extend(notes)
    _name_stages(sheets, model, names, ends)
    set_duplicates_aside(sheets)
    _tell(sheets, 0.8)
    deals, events = _tables(sheets, model, journal)
    _tell(sheets, 0.95)
    total = _total(sheets, journal)
    once = float(deals["amount"].sum())
    if total is not None and once != total and all(sheet.mapping.layout == "events" for sheet in sheets):
        sums, column = {"total": f"{total:,.2f}", "deals": f"{once:,.2f}"}, sheets[0].mapping.columns.get("amount")
        journal.findings.append(Finding("amounts_of_rows", "note", sheets[0].table.name, None, column, values=sums))
    latest, given = _as_of(deals, events, as_of, journal)
    whole = Pipeline(
        model, deals, events, max(latest, given) if given is not None else latest, given is not None,
        layout="deals" if any(s.mapping.layout == "deals" for s in sheets) else "events", amount_total=total,
    )  # fmt: skip
    pipeline = whole if given is None else _cut(whole, given, journal)
    limits = (*find_limits(pipeline, journal), *told_limits(sheets))
    return mark_backfilled(replace(pipeline, limits=limits, sample=_sample(deals)), journal)


def _type_all(sheets: Sequence[Sheet], model: Funnel | None, preset: str | None) -> None:
    """Type the columns of all sheets; what stays open is asked together, also the order of stages."""
    errors = _untyped(sheets)
    if errors and model is None and all(sheet.mapping.layout == "deals" for sheet in sheets):
        try:
            flagged = flagged_ends(sheets)
            _model_of(sheets, preset, flagged | chance_ends(sheets, names_met(sheets), flagged))
        except DataError as error:
            errors.append(error)
    if errors:
        ask(errors, _proposals(sheets))


def _untyped(sheets: Sequence[Sheet]) -> list[DataError]:
    """Type the columns of these sheets; return what stays open."""
    errors = []
    for sheet in sheets:
        try:
            type_sheet(sheet)
            if not sheet.has("deal_id"):
                refuse_unnamed_states(sheet)
        except DataError as error:
            errors.append(error)
        if not sheet.has("deal_id"):
            sheet.frame["deal_id"] = number_rows(sheet, len(sheets) == 1)
    return errors


def _proposals(sheets: Sequence[Sheet]) -> tuple[Proposal, ...]:
    return tuple(row for sheet in sheets for row in propose(sheet.table, sheet.mapping.columns, sheet.options))


def _tell(sheets: Sequence[Sheet], share: float) -> None:
    if sheets[0].options.progress:
        sheets[0].options.progress(share)


def _model_of(
    sheets: Sequence[Sheet], preset: str | None, ends: Mapping[str, str]
) -> tuple[Funnel, tuple[Finding, ...]]:
    if not any(sheet.good.any() for sheet in sheets):
        return custom(["-"]), ()
    found = next((sheet.mapping.form.preset for sheet in sheets if sheet.mapping.form), None)
    return find_model(sheets, found or preset, ends)


def _name_stages(sheets: Sequence[Sheet], model: Funnel, names: Sequence[str], ends: Mapping[str, str]) -> None:
    naming, journal = name_stages(names, model, ends, sheets[0].declared), sheets[0].journal
    known = [text for stage in model.stages for text in dict.fromkeys((stage.id, stage.name.en, stage.name.zh))]
    for label, spellings in merged_names(naming, sheets[0].declared).items():
        journal.add("stage_merged", "warn", file=sheets[0].table.name, column=sheets[0].mapping.columns.get("stage"),
                    value=label, spellings=", ".join(map(repr, spellings)))  # fmt: skip
    for sheet in sheets:
        name_sheet(sheet, model, naming, lambda text: {"nearest": nearest(text, known)})


def _tables(sheets: Sequence[Sheet], model: Funnel, journal: Journal) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (deals, events) of all sheets together."""
    history = [sheet for sheet in sheets if sheet.mapping.layout == "events"]
    listed = [sheet for sheet in sheets if sheet.mapping.layout == "deals"]
    parts, told = [], None
    if history:
        entries, told = read_history(history, model, journal, history[0].options.collapse)
        parts.append(entries)
    built = [build_deals(sheet) for sheet in listed] or [_bare(told)]
    deals = built.pop() if len(built) == 1 else pd.concat(built, ignore_index=True)
    if told is not None and listed:
        still = stand_still(deals, told, history)
        told = pd.concat([told, still[["deal_id"]]], ignore_index=True)
        deals = _join_history(deals, told, journal, history[0].table.name)
        parts = [time_first(entries, deals), still]
    known = deals["deal_id"].iloc[:0] if told is None else told["deal_id"]
    place = 0
    for sheet in listed:
        parts += deal_events(sheet, model, known, place)
        place += len(sheet.kept)
    events, first = order_entries(parts, deals, model)
    deals["created_at"] = pd.to_datetime(deals["created_at"]).fillna(pd.Series(first, deals.index))
    return _finish(deals), events


def _bare(told: pd.DataFrame) -> pd.DataFrame:
    """Return deals made of their history alone."""
    deals = told.rename(columns={"first_at": "created_at"} if "created_at" not in told else {})
    return deals.reindex(columns=list(dict.fromkeys([*DEAL_COLUMNS, *deals.columns])))


def _join_history(deals: pd.DataFrame, told: pd.DataFrame, journal: Journal, file: str) -> pd.DataFrame:
    """Complete the deals by their history; deals that only the history knows are added and reported."""
    strange = told[~among(told["deal_id"], deals["deal_id"])]
    without = int((~among(deals["deal_id"], told["deal_id"])).sum())
    deals = fill_deals(deals, told)
    if without:
        journal.add("deal_without_events", "warn", file=file, n=without)
    if len(strange):
        ids = ", ".join(strange["deal_id"].head(5))
        journal.add("event_without_deal", "warn", file=file, n=len(strange), ids=ids)
        deals = pd.concat([deals, _bare(strange).reindex(columns=deals.columns)], ignore_index=True)
    return deals


_HELPERS = frozenset(
    ("stage", "stage_status", "won_at", "lost_at", "void_at", "ended_at", "stage_changed_at", "is_won", "is_closed",
     "is_lost", "is_active", "is_deleted", "probability", "durations", "_said", "first_at", "_line")
)  # fmt: skip


def _finish(deals: pd.DataFrame) -> pd.DataFrame:
    """Leave out the helper columns and settle the types."""
    kept = [column for column in deals.columns if column not in _HELPERS and not column.startswith("wide ")]
    result = deals[kept].reset_index(drop=True)
    times = dict.fromkeys(("created_at", "closed_at", "expected_close"), "datetime64[us]")
    texts = dict.fromkeys(("deal_id", "name", "account", "owner", "team", "currency", "status", "lost_reason"), "str")
    for column in times:
        result[column] = pd.to_datetime(result[column])
    return result.astype({**times, **texts, "amount": "float64"})


def _total(sheets: Sequence[Sheet], journal: Journal) -> float | None:
    """Return the sum of the good rows' amounts; None where there are none, or more than one currency."""
    listed = [sheet for sheet in sheets if sheet.mapping.layout == "deals"] or sheets
    rows = [rows[["amount", "currency"]] for rows in (s.good_rows() for s in listed if s.has("amount"))]
    if not rows:
        return None
    rows = pd.concat(rows)
    rows = rows[rows["amount"].notna()]
    found = sorted(rows["currency"].dropna().unique())
    if len(found) > 1 or (found and rows["currency"].isna().any()):
        column = next(
            sheet.mapping.columns[name] for sheet in listed for name in ("currency", "amount") if sheet.has(name)
        )
        names = ", ".join([*found, *(["-"] if rows["currency"].isna().any() else [])])
        journal.add("currencies_mixed", "warn", file=listed[0].table.name, column=column, value=names)
        return None
    return float(rows["amount"].sum())


def _as_of(
    deals: pd.DataFrame, events: pd.DataFrame, given: Any, journal: Journal
) -> tuple[pd.Timestamp, pd.Timestamp | None]:
    """Return (latest date of the data that is not in the future, date given or None)."""
    now = pd.Timestamp.now()
    columns = (deals["created_at"], deals["closed_at"], events["entered_at"])
    later = sum(int((column > now).sum()) for column in columns)
    if later:
        journal.add("future_dates", "warn", n=later, value=str(max(column.max() for column in columns)))
    past = [column[column <= now] if later else column for column in columns]
    known = [time for time in (column.max() for column in past) if not pd.isna(time)]
    latest = max(known, default=now.normalize())
    if given is not None:
        return latest, _given_date(given, past)
    rule, severity = ("as_of_derived", "note") if known else ("as_of_today", "warn")
    journal.add(rule, severity, value=_day(latest))
    return latest, None


def _given_date(given: Any, columns: Sequence[pd.Series]) -> pd.Timestamp:
    """A day given without a time means the end of that day where the data have times on it."""
    try:
        date = pd.Timestamp(given)
    except (ValueError, TypeError):
        raise DataError("as_of_bad", value=str(given)) from None
    if pd.isna(date) or date.tzinfo is not None:
        raise DataError("as_of_bad", value=str(given))
    end = date + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
    within = any(((times > date) & (times <= end)).any() for times in columns)
    return end if date == date.normalize() and within else date


def _day(time: pd.Timestamp) -> str:
    return str(time.date()) if time == time.normalize() else str(time.floor("s"))


def _cut(pipeline: Pipeline, date: pd.Timestamp, journal: Journal) -> Pipeline:
    """Return what was known on the day given; say how much lies after it."""
    times = pd.concat([pipeline.events["entered_at"], pipeline.deals["closed_at"], pipeline.deals["created_at"]])
    later = int((times > date).sum())
    if not later:
        return replace(pipeline, as_of=date)
    known = pipeline.at(date)
    left = len(pipeline.deals) - len(known.deals)
    journal.add(
        "later_than_as_of", "warn", value=_day(date), n=int((pipeline.events["entered_at"] > date).sum()), deals=left
    )
    return known


def _sample(deals: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    return tuple(deals.head(5).to_dict("records"))
