"""Load: sources -> Pipeline. Rows in = good + set aside + ignored, always; whatever was detected is said."""

from dataclasses import replace

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest
from funnelkit.models import custom
from funnelkit.pipeline import DEAL_COLUMNS, EVENT_COLUMNS, SOURCES, Pipeline, Rows
from funnelkit.reading.cells.text import among, as_text, by_text
from funnelkit.reading.containers.detect import open_source
from funnelkit.reading.containers.options import ReadOptions
from funnelkit.reading.counts_table import read_counts
from funnelkit.reading.deals import build_deals, deal_events, name_sheet, set_duplicates_aside
from funnelkit.reading.findings import Journal
from funnelkit.reading.history import fill_deals, read_history, stand_still, time_first
from funnelkit.reading.join import join_lookups, lookup_sheet
from funnelkit.reading.layouts.columns import map_columns, need_stages
from funnelkit.reading.layouts.stage_dates import with_stage
from funnelkit.reading.layouts.stage_names import find_model, flagged_ends, given_model, merged_names, name_stages
from funnelkit.reading.limits import find_limits, told_limits
from funnelkit.reading.quarantine import merge_corrections, write_quarantine
from funnelkit.reading.sheet import Sheet, type_sheet
from funnelkit.reading.summary import summary

__all__ = ["ReadOptions", "read", "summary"]
_NO_TIME = np.datetime64("NaT", "us")
_SOURCE = {name: number for number, name in enumerate(SOURCES)}


def read(*sources, model=None, stages=None, layout=None, preset=None, as_of=None, options=None, join=()):
    """Read one or more sources into a Pipeline: a deals table, a table of stage entries, both, or a table of counts.

    A source is the path of a CSV, TSV, TXT, xlsx, Parquet, SQLite or DuckDB file, the URL of a database, or a
    DataFrame; a quarantine file that was corrected stands beside its source. `join` takes sources of accounts,
    products and the like, put beside the deals. `model` is a Funnel, a catalogue id or the path of a model file;
    `stages` a list of stage names, or text: `A,B,C` or one of these; with neither, the stages are taken from the data
    and the order is said. `layout` (deals, events, counts) holds for the first source; sources with
    the same headers are parts of one table and have its layout. Faulty rows are set aside and
    reported; `Pipeline.rows` counts them. Raises DataError on a file that cannot be read for what it is.

    >>> table = pd.DataFrame({"id": ["a", "b"], "stage": ["Lead", "Won"], "date": ["2026-01-05", "2026-01-07"]})
    >>> pipeline = read(table, stages=["Lead", "Won"])
    >>> pipeline.deals["status"].tolist(), pipeline.as_of.date().isoformat()
    (['open', 'won'], '2026-01-07')
    """
    options = options or ReadOptions()
    if not sources:
        raise DataError("no_source")
    journal = Journal()
    model, notes = given_model(model, stages)
    journal.findings.extend(notes)
    tables = merge_corrections([open_source(source, options) for source in sources], options)
    tables = [with_stage(table, options, model, preset) for table in tables]
    sheets = _sheets(tables, journal, options, layout, preset)
    joined = merge_corrections([open_source(source, options) for source in join], options)
    lookups = [lookup_sheet(table, journal, options) for table in joined]
    del tables, joined
    for sheet in (*sheets, *lookups):
        sheet.joining = bool(lookups)
        _take_structure(sheet)
    if any(sheet.mapping.layout == "counts" for sheet in sheets):
        pipeline = read_counts(sheets, model, journal)
    else:
        pipeline = _read_deals(sheets, model, journal, preset=preset, as_of=as_of)
    pipeline = join_lookups(pipeline, lookups, sheets, journal)
    if options.quarantine:
        write_quarantine([*sheets, *lookups], options.quarantine)
    return replace(pipeline, rows=_rows([*sheets, *lookups]), findings=journal.close())


def _sheets(tables, journal, options, layout, preset):
    """Return the tables with their columns mapped; parts of one table, by their headers, have one layout."""
    layouts, sheets = {tuple(tables[0].cells.columns): layout}, []
    for table in tables:
        headers = tuple(table.cells.columns)
        mapping = map_columns(table, options, layouts.get(headers), preset, len(tables) > 1)
        layouts[headers] = mapping.layout
        sheets.append(Sheet(table, mapping, journal, options))
    return sheets


def _take_structure(sheet):
    """Write down what opening and mapping the table found, and the rows that do not fit its header."""
    sheet.journal.findings.extend((*sheet.table.notes, *sheet.mapping.notes))
    for row in sheet.table.broken:
        sheet.journal.add(row.rule, "error", file=sheet.table.name, line=row.line, value=row.text[:200], **row.values)
    if not len(sheet.table.cells):
        sheet.journal.add("no_rows", "warn", file=sheet.table.name)


def _rows(sheets):
    good = sum(int(sheet.good.sum()) for sheet in sheets)
    total, ignored = sum(s.table.rows_in for s in sheets), sum(s.table.blank + int(s.left_out.sum()) for s in sheets)
    return Rows(total, good, total - good - ignored, ignored)


def _read_deals(sheets, model, journal, *, preset, as_of):
    """Read deals and stage entries."""
    need_stages(sheets)
    for sheet in sheets:
        type_sheet(sheet)
    _tell(sheets, 0.7)
    if model is None:
        model, notes = _model_of(sheets, preset)
        journal.findings.extend(notes)
    _name_stages(sheets, model, journal)
    set_duplicates_aside(sheets)
    _tell(sheets, 0.8)
    deals, events = _tables(sheets, model, journal)
    _tell(sheets, 0.95)
    total = _total(sheets, deals, journal)
    latest, given = _as_of(deals, events, as_of, journal)
    whole = Pipeline(
        model, deals, events, max(latest, given) if given is not None else latest, given is not None,
        layout="deals" if any(s.mapping.layout == "deals" for s in sheets) else "events", amount_total=total,
    )  # fmt: skip
    pipeline = whole if given is None else _cut(whole, given, journal)
    limits = (*find_limits(pipeline, journal), *told_limits(sheets))
    return replace(pipeline, limits=limits, sample=_sample(deals))


def _tell(sheets, share):
    if sheets[0].options.progress:
        sheets[0].options.progress(share)


def _model_of(sheets, preset):
    if not any(sheet.good.any() for sheet in sheets):
        return custom(["-"]), ()
    found = next((sheet.mapping.form.preset for sheet in sheets if sheet.mapping.form), None)
    return find_model(sheets, found or preset)


def _name_stages(sheets, model, journal):
    met = pd.concat([names for sheet in sheets for names in (sheet.stage_names, sheet.before_names)])
    naming = name_stages(met.dropna().unique(), model, flagged_ends(sheets))
    known = [text for stage in model.stages for text in dict.fromkeys((stage.id, stage.name.en, stage.name.zh))]
    for label, spellings in merged_names(naming, model).items():
        journal.add("stage_merged", "warn", file=sheets[0].table.name, column=sheets[0].mapping.columns.get("stage"),
                    value=label, spellings=", ".join(map(repr, spellings)))  # fmt: skip
    for sheet in sheets:
        name_sheet(sheet, model, naming, lambda text: {"nearest": nearest(text, known)})


def _tables(sheets, model, journal):
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
    events, first = _order(parts, deals, model)
    deals["created_at"] = pd.to_datetime(deals["created_at"]).fillna(pd.Series(first, deals.index))
    return _finish(deals), events


def _bare(told):
    """Return deals made of their history alone."""
    deals = told.rename(columns={"first_at": "created_at"} if "created_at" not in told else {})
    return deals.reindex(columns=list(dict.fromkeys([*DEAL_COLUMNS, *deals.columns])))


def _join_history(deals, told, journal, file):
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


def _order(parts, deals, model):
    """Return (stage entries in the order of deals and time, those without time last; each deal's first time)."""
    if not parts:
        parts = [pd.DataFrame({column: [] for column in EVENT_COLUMNS})]
    ids, ranked = deals["deal_id"], all("_rank" in part for part in parts)
    if not ranked:
        parts = [p.assign(deal_id=ids.take(p["_rank"]).array) if "_rank" in p else p for p in parts]
    events = _gather(parts, model)
    if ranked:
        rank = events.pop("_rank").to_numpy()
    else:
        ids = pd.concat([ids, events.pop("deal_id").astype("str")], ignore_index=True)
        rank = pd.factorize(ids)[0][len(deals) :]
    first = _first_times(events, rank, len(deals))
    order = _order_of(events, rank, model)
    place = rank[order] if ranked else order + len(deals)
    events = {"deal_id": ids.take(place).array, **{name: column.take(order).array for name, column in events.items()}}
    events["source"] = as_text(pd.Series(events["source"]))
    return pd.DataFrame(events, copy=False)[list(EVENT_COLUMNS)], first


def _first_times(events, rank, n):
    """Return the first time that entries tell of each deal; none where an earlier entry of a history is not dated."""
    first = np.full(n, _NO_TIME)
    told, untimed = ((events["source"] == "history").to_numpy(), events["entered_at"].isna().to_numpy())
    timed = ~untimed & (events["source"] != "inferred").to_numpy()
    earliest = events.loc[timed, "entered_at"].groupby(rank[timed]).min()
    first[earliest.index] = earliest.to_numpy()
    if told.any() and untimed.any():
        first[np.intersect1d(rank[told], rank[untimed])] = _NO_TIME
    return first


def _order_of(events, rank, model):
    """Return the order of deals and time; only deals of several entries, often few, need their times."""
    order = np.argsort(rank, kind="stable")
    alike = rank[order[1:]] == rank[order[:-1]]
    several = np.flatnonzero(np.append(alike, False) | np.append(False, alike))[: len(order)]
    rows = order[several]
    keys = _time_keys(events.iloc[rows].reset_index(drop=True), rank[rows], model)
    order[several] = rows[np.lexsort((*keys, rank[rows]))]
    return order


def _gather(parts, model):
    """Return the parts together, which are given up: stages and sources as categories, for there are many entries."""
    alike = []
    while parts:
        part = parts.pop(0)
        if not isinstance(part["source"].dtype, pd.CategoricalDtype):
            stage = pd.Categorical(part["stage"].astype("object"), categories=model.stage_ids, ordered=True)
            times = pd.to_datetime(part["entered_at"]).astype("datetime64[us]")
            source = pd.Categorical.from_codes(by_text(part["source"].astype("str"), _SOURCE, -1), SOURCES)
            part = part.assign(stage=stage, entered_at=times, source=source)
        alike.append(part)
    return pd.concat(alike, ignore_index=True)


def _time_keys(events, rank, model):
    """Return the keys by which a deal's entries are in order, last key first. Those without time stand last; but in a
    history, which begins with them, first, and before a win, which ends them, just before it."""
    times, untimed = events["entered_at"], events["entered_at"].isna()
    if not untimed.any():
        return (times,)
    won = events["stage"] == model.won_stage
    place = times.where(won).groupby(rank).transform("min").fillna(pd.Timestamp.max.as_unit("us"))
    place = place.mask(np.isin(rank, rank[events["source"] == "history"]), pd.Timestamp.min.as_unit("us"))
    return won & np.isin(rank, rank[untimed]), times.fillna(place)


_HELPERS = frozenset(
    ("stage", "stage_status", "won_at", "lost_at", "void_at", "ended_at", "stage_changed_at", "is_won", "is_closed",
     "is_lost", "is_active", "is_deleted", "probability", "durations", "_said", "first_at", "_line")
)  # fmt: skip


def _finish(deals):
    """Leave out the helper columns and settle the types."""
    kept = [column for column in deals.columns if column not in _HELPERS and not column.startswith("wide ")]
    result = deals[kept].reset_index(drop=True)
    times = dict.fromkeys(("created_at", "closed_at", "expected_close"), "datetime64[us]")
    texts = dict.fromkeys(("deal_id", "name", "account", "owner", "team", "currency", "status", "lost_reason"), "str")
    for column in times:
        result[column] = pd.to_datetime(result[column])
    return result.astype({**times, **texts, "amount": "float64"})


def _total(sheets, deals, journal):
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


def _as_of(deals, events, given, journal):
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


def _given_date(given, columns):
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


def _day(time):
    return str(time.date()) if time == time.normalize() else str(time.floor("s"))


def _cut(pipeline, date, journal):
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


def _sample(deals):
    return tuple(deals.head(5).to_dict("records"))
