"""Counts: a table that already holds how many entered each stage, or the share that went on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest
from funnelkit.models import Funnel, custom
from funnelkit.pipeline import DEAL_COLUMNS, EVENT_COLUMNS, Limit, Pipeline
from funnelkit.reading.cells.numbers import as_number
from funnelkit.reading.cells.text import Parsed, Place, cell_text
from funnelkit.reading.findings import Journal
from funnelkit.reading.layouts.outcomes import status_word
from funnelkit.reading.layouts.presets import key, word_keys
from funnelkit.reading.layouts.stage_names import Naming, name_stages
from funnelkit.reading.sheet import Sheet, type_sheet

NUMBERS = ("n_entered", "n_advanced", "n_lost", "n_open", "value", "rate")


def read_counts(sheets: Sequence[Sheet], model: Funnel | None, journal: Journal) -> Pipeline:
    """Return a Pipeline whose `counts` is the table read: [period, segment], stage, n_entered ... or rate.

    Without a model the stages stand in the order of the file.
    """
    if len(sheets) > 1:
        raise DataError("counts_alone", file=sheets[0].table.name)
    sheet = sheets[0]
    type_sheet(sheet)
    total = sheet.stage_names.map(lambda name: key(name) in word_keys("total"), na_action="ignore")
    sheet.set_aside(total.fillna(False).astype(bool) & sheet.good, "totals_row", sheet.mapping.columns["stage"])
    for header in (*sheet.mapping.extra, *(sheet.mapping.columns[name] for name in ("segment",) if sheet.has(name))):
        sums = _sums_of(sheet, header)
        sheet.set_aside(sums & sheet.good, "totals_row", header)
    for name in NUMBERS:
        if sheet.has(name):
            _take_number(sheet, name)
    for name in ("period", "segment"):
        if sheet.has(name):
            sheet.frame[name] = cell_text(sheet.cells(name))
    names = list(sheet.stage_names[sheet.good].str.strip().drop_duplicates())
    if model is None:
        model = custom(
            names or ["-"], won_stage=next((n for n in names if status_word(n, sheet.declared) == "won"), None)
        )
        journal.add("stage_order_file", value=" > ".join(names))
    naming = name_stages(sheet.stage_names.dropna().unique(), model, sheet.declared)
    known = [text for stage in model.stages for text in dict.fromkeys((stage.id, stage.name.en, stage.name.zh))]
    unknown = sheet.stage_names.map(naming.stage).isna().to_numpy() & sheet.good
    sheet.set_aside(
        unknown, "stage_unknown", sheet.mapping.columns["stage"], lambda text: {"nearest": nearest(text, known)}
    )
    _set_contradictions_aside(sheet, naming)
    return _pipeline(sheet, model, naming)


def _sums_of(sheet: Sheet, header: str) -> pd.Series:
    """Return which rows are sums over the groups that a column tells, beside rows of those groups."""
    cells = cell_text(sheet.table.cells[header])
    found = cells.isin([text for text in cells.dropna().unique() if key(text) in word_keys("total")])
    return found & (cells.notna() & ~found).any()


def _set_contradictions_aside(sheet: Sheet, naming: Naming) -> None:
    """Quarantine rows of one stage that stand twice in a period and segment, and rows that count more out than in."""
    place = sheet.frame[[name for name in ("period", "segment") if name in sheet.frame]].copy()
    for header in sheet.mapping.extra:
        place[f"{header} (source)"] = cell_text(sheet.table.cells[header])
    place = place.assign(stage=sheet.stage_names.map(naming.stage))[sheet.good]
    twice = pd.Series(False, sheet.frame.index)
    twice[place.index] = place.duplicated(keep=False)
    sheet.set_aside(twice, "counts_twice", sheet.mapping.columns["stage"])
    parts = [name for name in ("n_advanced", "n_lost", "n_open") if sheet.has(name)]
    if sheet.has("n_entered") and parts:
        more = sheet.frame[parts].sum(axis=1) > sheet.frame["n_entered"]
        sheet.set_aside(more & sheet.good, "counts_do_not_add", sheet.mapping.columns["n_entered"])


def _take_number(sheet: Sheet, name: str) -> None:
    parsed = sheet.take(name, lambda cells, place: _number(cells, place, sheet.options.decimal, name))
    sheet.set_aside((parsed.values < 0).to_numpy() & sheet.good, "negative_count", sheet.mapping.columns[name])
    if name == "rate":
        _settle_scale(sheet)


def _number(cells: pd.Series, place: Place, decimal: str | None, name: str) -> Parsed:
    """Parse a column; of counts, which are whole, a mark that could be either parts thousands."""
    try:
        return as_number(cells, place, decimal, percent=name == "rate")
    except DataError as error:
        if error.key != "decimal_ambiguous" or not name.startswith("n_"):
            raise
        return as_number(cells, place, "." if "," in str(error.values["value"]) else ",")


def _settle_scale(sheet: Sheet) -> None:
    """Read rates above 1 as percent where all but 0 and 1 are such; refuse a column in which both scales stand."""
    rates, column = sheet.frame["rate"], sheet.mapping.columns["rate"]
    above, within = (rates > 1) & sheet.good, (rates > 0) & (rates < 1) & sheet.good
    if not above.any():
        return
    texts, at = cell_text(sheet.cells("rate")), int(np.flatnonzero(above)[0])
    file, line = sheet.table.name, int(sheet.table.lines[at])
    odd = within | ((rates > 100) & sheet.good)
    if odd.any():
        raise DataError(
            "rate_scales", file=file, line=line, column=column, value=texts.iloc[at], other=texts[odd].iloc[0]
        )
    sheet.journal.add("rates_in_percent", file=file, column=column, value=texts.iloc[at])
    sheet.frame["rate"] = rates / 100


def _pipeline(sheet: Sheet, model: Funnel, naming: Naming) -> Pipeline:
    frame = sheet.frame.copy()
    for header in sheet.mapping.extra:
        frame[header] = cell_text(sheet.table.cells[header])
    stages = sheet.stage_names.map(naming.stage)
    frame["stage"] = pd.Categorical(stages, categories=model.stage_ids, ordered=True)
    first = [column for column in frame.columns if column not in (*NUMBERS, "stage")]
    numbers = [column for column in NUMBERS if column in frame]
    counts = frame.loc[sheet.good, [*first, "stage", *numbers]].reset_index(drop=True)
    added = "value" if "value" in numbers else "rate" if numbers == ["rate"] else ""
    total = float(counts[added].sum()) if added else None  # counts of people are no amount
    deals = pd.DataFrame({column: pd.Series(dtype="object") for column in DEAL_COLUMNS})
    events = pd.DataFrame({column: pd.Series(dtype="object") for column in EVENT_COLUMNS})
    events["stage"] = pd.Categorical([], categories=model.stage_ids, ordered=True)
    return Pipeline(
        model, deals, events, pd.NaT, False, layout="counts", counts=counts, amount_total=total,
        sample=tuple(counts.head(5).to_dict("records")), limits=(Limit("counts_alone"),),
    )  # fmt: skip
