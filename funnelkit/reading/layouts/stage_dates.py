"""Wide: columns that date the entry into one stage each (`engage_date`, `Date entered Offer`), and what they tell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.models import Funnel
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.dates import as_time, is_date
from funnelkit.reading.cells.text import Parsed, Place, cell_text
from funnelkit.reading.containers.options import ReadOptions, Table
from funnelkit.reading.layouts.columns import assigned, date_stem, stem
from funnelkit.reading.layouts.evidence import holds, sample_texts
from funnelkit.reading.layouts.outcomes import status_word
from funnelkit.reading.layouts.presets import key
from funnelkit.reading.sheet import Sheet, read_time

# Headers that can only date the entry into a stage, whatever the stages are called.
_ENTERED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"hs_(?:v2_)?date_entered_(?P<name>.+)",
        r"date[ _]entered[ _:]+[\"'“「]?(?P<name>.+?)[\"'”」]?(?: ?\([^()]*\)[\"'”」]?)?",
        r"entered[ _](?P<name>.+?)(?:[ _](?:at|on|date|time))?",
        r"(?P<name>.+?)[ _](?:date[ _])?entered(?:[ _](?:at|on|date|time))?",
        r"进入[\"“「]?(?P<name>.+?)[\"”」]?(?:阶段)?的?(?:日期|时间)",
        r"(?P<name>.+?)(?:阶段)?的?进入(?:日期|时间)",
    )
)
_SAID = re.compile(r"(?i)(?:^|[\s_-])(?:date|time|datetime|timestamp|at|on|entered)(?=$|[\s_-])|(?:日期|时间)$")
NESTED = 0.95  # of the dates of a stage must stand beside one of the stage before, and not before it
_NO_STAGE = frozenset(
    map(key, ("at", "on", "by", "date", "time", "stage", "current stage", "阶段", "当前阶段", "in", "hs date", "last"))
)
_DATED = re.compile(r"\s*(?:\d{4}\s*[-/.年]|\d{1,2}[-/.]\d{1,2}[-/.]\d{2}|\d{8}\b|\d{10}$|\d{13}$)")


def dated_names(header: object) -> tuple[str, ...]:
    """Return the names that the stage dated by a header may have, most exact first; nothing where it dates no stage.

    >>> dated_names('Date entered "Offer made (Sales)"'), dated_names("hs_v2_date_entered_71_abc"), dated_names("Offer")
    (('Offer made',), ('71_abc', '71'), ())
    """
    plain = unicodedata.normalize("NFKC", str(header)).strip()
    for pattern in _ENTERED:
        match = pattern.fullmatch(plain)
        if match:
            names = [match["name"]]
            while pattern is _ENTERED[0] and "_" in names[-1]:  # ids of own stages come with a suffix
                names.append(names[-1].rpartition("_")[0])
            return () if key(names[0]) in _NO_STAGE else tuple(names)
    return ()


def stage_columns(sheet: Sheet) -> dict[str, tuple[str, ...]]:
    """Return {header: names} of the columns that date stages, by their name or as found, and hold a date."""
    told = {header: (name,) for header, name in sheet.table.dated.items()}
    found = {header: dated_names(header) or told.get(header, ()) for header in sheet.mapping.extra}
    return {header: names for header, names in found.items() if names and not sheet.is_blank(header).all()}


def wide_names(sheets: Sequence[Sheet], names: Sequence[str]) -> list[str]:
    """Return the stage names that only columns of dates tell, beside those met in the rows."""
    known = {text for name in names for text in (key(name), stem(name))}
    added: dict[str, str] = {}
    for sheet in sheets:
        if sheet.mapping.layout == "deals":
            for texts in stage_columns(sheet).values():
                if not any({key(text), stem(text)} & known for text in texts):
                    added.setdefault(key(texts[0]), texts[0])
    return list(added.values())


def wide_entries(sheets: Sequence[Sheet], names: Sequence[str]) -> pd.DataFrame | None:
    """Return (deal_id, name, entered_at) of the columns of dates; None unless each of `names` has its column."""
    known = {text: name for name in names for text in (stem(name), key(name))}
    parts, met = [], set()
    for sheet in sheets:
        for header, texts in stage_columns(sheet).items() if sheet.mapping.layout == "deals" else ():
            name = next((known[text] for each in texts for text in (key(each), stem(each)) if text in known), None)
            if name is not None:
                times = _times(sheet, header).values
                parts.append(pd.DataFrame({"deal_id": sheet.frame["deal_id"], "name": name, "entered_at": times}))
                met.add(name)
    return pd.concat(parts, ignore_index=True).dropna() if met == set(names) else None


def take_wide_dates(sheet: Sheet, model: Funnel) -> None:
    """Read the columns of stage dates into `frame["wide STAGE"]`; one that dates a loss tells when a deal closed."""
    stems = {stem(text): stage.id for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)}
    whole = {key(text): stage.id for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)}
    sheet.wide = {}
    for header in sorted(sheet.mapping.extra, key=lambda header: "v2" not in header.lower()):
        stage = _dated_stage(sheet.table, header, stems, whole, model)
        if stage is None or stage in sheet.wide.values():
            continue
        parsed = _times(sheet, header)
        sheet.accept(parsed, header)
        sheet.frame[f"wide {stage}"] = parsed.values
        sheet.wide[header] = stage
        if stage == model.won_stage:  # a win is dated by its stage, where nothing else dates it
            sheet.frame["won_at"] = sheet.frame.get("won_at", _none(sheet)).fillna(parsed.values)
            sheet.ends[header] = "won"
        n = int(parsed.values.notna().sum())
        sheet.journal.add("wide_dates", file=sheet.table.name, column=header, n=n, stage=stage)
    for word in ("lost", "void"):  # ends are no stages: their dates are those of the close
        for header in [header for header, stage in sheet.wide.items() if stage == word and word not in model.stage_ids]:
            sheet.frame[f"{word}_at"] = sheet.frame.get(f"{word}_at", _none(sheet)).fillna(
                sheet.frame.pop(f"wide {word}")
            )
            del sheet.wide[header]
            sheet.ends[header] = word


def _none(sheet: Sheet) -> pd.Series:
    return pd.Series(np.datetime64("NaT", "us"), sheet.frame.index)


def _times(sheet: Sheet, header: str) -> Parsed:
    return read_time(sheet, sheet.table.cells[header], Place(sheet.table.name, header, sheet.table.lines))


def _dated_stage(
    table: Table, header: str, stems: Mapping[str, str], whole: Mapping[str, str], model: Funnel
) -> str | None:
    """Return the stage that a column dates, `lost` or `void` where it dates such an end, None where it dates none."""
    for name in dated_names(header):
        word = status_word(name)
        found = whole.get(key(name)) or stems.get(stem(name)) or (model.won_stage if word == "won" else word)
        if found and found != "open":
            return found
    dated = stems.get(date_stem(header) or "")
    if dated or not _holds_dates(table.cells[header]):
        return dated
    word = status_word(header)
    return whole.get(key(header)) or (model.won_stage if word == "won" else word if word in ("lost", "void") else None)


def _holds_dates(cells: pd.Series) -> bool:
    """Return True where a column named as a stage holds dates."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return True
    text = cell_text(cells).dropna().head(20)
    return bool(len(text)) and all(_DATED.match(cell) for cell in text)


# --- no column for the stage -----------------------------------------------------------------------------------------


def with_stage(
    table: Table, options: ReadOptions, model: Funnel | None = None, preset_name: str | None = None
) -> Table:
    """Return the table; where it has no column for the stage but dates of stages, with one: the stage dated last."""
    columns = assigned(table, options, preset_name)
    if "stage" in columns or not {"deal_id", "name", "account", "owner", "amount"} & set(columns):
        return table
    further = [header for header in table.cells.columns if header not in columns.values()]
    named = ((header, _dated_name(table, header, model)) for header in further)
    dated = {header: name for header, name in named if name}
    nested = {} if len(dated) > 1 or model is not None else _nested(table, further, options)
    nested = nested or ({} if len(dated) > 1 else _with_ends(table, further, options))
    dated = nested or dated
    if len(dated) < 2 or "stage" in table.cells:
        return table
    told = Finding("stages_by_dates", "warn", table.name, 1, value=", ".join(nested), values={"n": len(nested)})
    moments = _moments(table, list(dated), options)
    latest = moments.shape[1] - 1 - moments[:, ::-1].argmax(axis=1)
    blank = (moments == np.iinfo("int64").min).all(axis=1)
    names = pd.Series(np.array(list(dated.values()), dtype=object)[latest], table.cells.index).mask(blank).astype("str")
    return replace(
        table, cells=table.cells.assign(stage=names), notes=(*table.notes, *([told] if nested else [])), dated=nested
    )


def _moments(table: Table, headers: Sequence[str], options: ReadOptions) -> NDArray[np.int64]:
    """Return the times of columns, one beside the other."""
    order, zone, serial = options.date_order, options.timezone, table.kind == "workbook"
    places = ((table.cells[header], Place(table.name, header, table.lines)) for header in headers)
    times = [as_time(cells, place, order, zone, serial) for cells, place in places]
    return np.column_stack([parsed.values.to_numpy(dtype="datetime64[us]").astype("int64") for parsed in times])


def _nested(table: Table, headers: Sequence[str], options: ReadOptions) -> dict[str, str]:
    """Return {header: name} of columns such as `Demo Date` that fill up one after another, as those of stages do: each
    has fewer dates than the one before, only where that has one, and none earlier. Nothing where they do not."""
    found = {header: _SAID.sub("", header).strip(" _-") for header in headers if date_stem(header)}
    kept = [header for header in found if found[header] and holds("entered_at", table.cells[header])]
    return {header: found[header] for header in kept} if _fill_up(table, kept, options) else {}


def _with_ends(table: Table, headers: Sequence[str], options: ReadOptions) -> dict[str, str]:
    """Return {header: name} of columns of dates called like stages (`Demo`), which fill up one after another, beside
    such of outcomes (`Won`, `Lost`). Nothing where there are none."""
    kept = [header for header in headers if key(header) not in _NO_STAGE and _are_dates(table.cells[header])]
    ends = [header for header in kept if status_word(header) in ("won", "lost")]
    stages = [header for header in kept if header not in ends]
    return {header: header for header in kept} if ends and _fill_up(table, stages, options) else {}


def _are_dates(cells: pd.Series) -> bool:
    texts = sample_texts(cells)
    return pd.api.types.is_datetime64_any_dtype(cells.dtype) or (len(texts) > 0 and all(map(is_date, texts)))


def _fill_up(table: Table, kept: Sequence[str], options: ReadOptions) -> bool:
    """Return True where each of these columns has fewer dates than the one before, only beside such, none earlier."""
    if len(kept) < 2:
        return False
    try:
        moments = _moments(table, kept, options)
    except DataError:  # the order of day and month is asked for where the columns are read
        return False
    missing = np.iinfo("int64").min
    ranked = moments[:, np.argsort(-(moments != missing).sum(axis=0), kind="stable")]
    filled, both = ranked != missing, (ranked[:, 1:] != missing) & (ranked[:, :-1] != missing)
    fewer = np.diff(filled.sum(axis=0)) < 0
    held = (both.sum(axis=0) >= NESTED * filled[:, 1:].sum(axis=0)) & (
        ((ranked[:, 1:] >= ranked[:, :-1]) & both).sum(axis=0) >= NESTED * both.sum(axis=0)
    )
    return bool((fewer & held).all() and filled.any())


def _dated_name(table: Table, header: str, model: Funnel | None) -> str | None:
    """Return the stage's name that a column dates, None where it dates none."""
    names = dated_names(header)
    if model is None:
        return names[0] if names and not cell_text(table.cells[header]).isna().all() else None
    stems = {stem(text): stage.id for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)}
    whole = {key(text): stage.id for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)}
    return _dated_stage(table, header, stems, whole, model)
