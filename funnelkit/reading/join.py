"""Join: further tables (accounts, products, teams) -> columns of the deals. No deal is lost, none is doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError, nearest
from funnelkit.pipeline import Pipeline
from funnelkit.reading.cells.text import as_id, cell_text
from funnelkit.reading.containers.options import ReadOptions, Table
from funnelkit.reading.findings import Journal
from funnelkit.reading.layouts.columns import ColumnMapping
from funnelkit.reading.layouts.presets import key
from funnelkit.reading.sheet import Sheet

ENOUGH = 0.5  # of the deals' different values: so many must be known where only the values tell the key


def lookup_sheet(table: Table, journal: Journal, options: ReadOptions) -> Sheet:
    """Return the Sheet of a table to be joined; all its columns are carried along."""
    return Sheet(table, ColumnMapping("lookup", {}, tuple(table.cells.columns)), journal, options)


def join_lookups(pipeline: Pipeline, lookups: Sequence[Sheet], sheets: Sequence[Sheet], journal: Journal) -> Pipeline:
    """Return the pipeline whose deals have the columns of the lookups, as text, beside their own.

    A value that differs from the lookup's only in case, width, blanks or separating signs is joined and reported; one
    that the lookup does not have is reported with the nearest name, and its deals keep blanks. Rows of a lookup that
    share a key go aside, an exact repetition once. Raises DataError where no column of a lookup is a key.
    """
    if lookups and pipeline.counts is not None:
        raise DataError("join_counts", file=lookups[0].table.name)
    deals = pipeline.deals
    for lookup in lookups:
        columns = _columns(sheets, pipeline.deals)
        column, header = _key_pair(lookup, columns, pipeline.deals)
        _settle(lookup, header)
        deals = _joined(deals, lookup, column, header, _Place(sheets, columns[column], journal))
    return replace(pipeline, deals=deals)


def _columns(sheets: Sequence[Sheet], deals: pd.DataFrame) -> dict[str, str]:
    """Return {column of the deals: header of the source} of the columns that a key can be in."""
    found: dict[str, str] = {}
    for sheet in sheets:
        for name, header in [
            *sheet.mapping.columns.items(),
            *zip(sheet.mapping.extra, sheet.mapping.extra, strict=True),
        ]:
            for column in (name, f"{name} (source)"):
                if column in deals.columns and pd.api.types.is_string_dtype(deals[column].dtype):
                    found.setdefault(column, header)
    return found


# --- the key ---------------------------------------------------------------------------------------------------------


def _key_pair(lookup: Sheet, columns: Mapping[str, str], deals: pd.DataFrame) -> tuple[str, str]:
    """Return (column of the deals, header of the lookup): as declared, else by name, else by the values."""
    headers = list(lookup.table.cells.columns)
    declared = _declared(lookup, columns, headers)
    if declared:
        return declared
    names = {key(text): column for column, header in reversed(list(columns.items())) for text in (column, header)}
    named = [(names[key(header)], header) for header in headers if key(header) in names]
    pairs = _ranked(lookup, deals, named)
    if not pairs:
        every = [(column, header) for column in columns if column != "deal_id" for header in headers]
        pairs = [pair for pair in _ranked(lookup, deals, every) if pair[0] >= ENOUGH]
    if not pairs and len(named) == 1:
        return named[0]  # nothing in common: every value will be reported with its nearest name
    if not pairs:
        raise DataError("no_join_key", file=lookup.table.name, known=", ".join(headers), columns=", ".join(columns))
    if len(pairs) > 1 and pairs[0][0] == pairs[1][0]:
        one, other = (f"{column}={header}" for _, column, header in pairs[:2])
        raise DataError("join_unclear", file=lookup.table.name, one=one, other=other)
    return pairs[0][1:]


def _declared(lookup: Sheet, columns: Mapping[str, str], headers: Sequence[str]) -> tuple[str, str] | None:
    by_key = {key(text): column for column, header in reversed(list(columns.items())) for text in (column, header)}
    for wanted, header in (lookup.options.on or {}).items():
        found = next((name for name in headers if key(name) == key(header)), None)
        if found is None:
            continue
        if key(wanted) not in by_key:
            raise DataError("no_such_column", name=wanted, nearest=nearest(wanted, list(columns)))
        return by_key[key(wanted)], found
    return None


def _ranked(lookup: Sheet, deals: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, str, str]]:
    """Return (score, column, header), best first: share of the deals' values known, times how few rows share a key."""
    known = {header: as_id(lookup.table.cells[header]).dropna() for header in {header for _, header in pairs}}
    wanted = {column: _keys(deals[column].dropna().unique()) for column in {column for column, _ in pairs}}
    scored = []
    for column, header in pairs:
        keys = _keys(known[header].unique())
        score = len(wanted[column] & keys) / max(len(wanted[column]), 1) * len(keys) / max(len(known[header]), 1)
        if score:
            scored.append((score, column, header))
    return sorted(scored, key=lambda row: -row[0])


def _keys(values: Iterable[object]) -> set[str]:
    return {key(value) for value in values}


# --- the rows --------------------------------------------------------------------------------------------------------


def _settle(lookup: Sheet, header: str) -> None:
    """Set rows without a key aside, repetitions once, and rows that share a key but differ all."""
    lookup.frame["key"] = as_id(lookup.table.cells[header])
    lookup.set_aside(lookup.frame["key"].isna(), "required", header)
    same = lookup.table.cells.astype("str").duplicated().to_numpy() & lookup.good
    lookup.set_aside(same, "duplicate_row", header)
    twice = np.zeros(len(lookup.good), dtype=bool)
    twice[lookup.good] = lookup.frame["key"][lookup.good].duplicated(keep=False)
    lookup.set_aside(twice, "duplicate_id", header)


class _Place:
    """Where the values of a column of the deals stand first, for messages."""

    def __init__(self, sheets: Sequence[Sheet], header: str, journal: Journal) -> None:
        self.sheet = next(sheet for sheet in sheets if header in sheet.table.cells)
        self.header, self.journal = header, journal
        self.first: dict[str, int] | None = None

    def note(self, rule: str, severity: str, value: str, **values: Any) -> None:
        """Note a finding about a value."""
        if self.first is None:
            texts = cell_text(self.sheet.table.cells[self.header]).str.strip().drop_duplicates()
            self.first = dict(zip(texts, self.sheet.table.lines[texts.index], strict=True))
        file, line = self.sheet.table.name, self.first.get(value)
        self.journal.add(rule, severity, file=file, line=line, column=self.header, value=value, **values)


def _joined(deals: pd.DataFrame, lookup: Sheet, column: str, header: str, place: _Place) -> pd.DataFrame:
    """Return the deals with the lookup's columns beside their own."""
    good = lookup.frame["key"][lookup.good]
    exact = dict(zip(good, good.index, strict=True))
    loose = _loose(exact, lookup.frame["key"].dropna().unique())
    counts = deals[column].str.strip().value_counts(sort=False)
    rows, found = {}, 0
    for value, n in counts.items():
        row = exact.get(value)
        if row is None and (row := loose.get(key(value))) is not None:
            place.note("join_spelling", "warn", value, n=int(n), other=good[row], source=lookup.table.name)
        elif row is None:
            near = nearest(value, list(exact)) if exact else "-"
            place.note("join_unmatched", "warn", value, n=int(n), nearest=near, source=lookup.table.name)
            continue
        rows[value] = row
        found += int(n)
    place.journal.add(
        "joined", file=lookup.table.name, column=header, n=found, n_deals=len(deals), other=place.header,
        blank=len(deals) - int(counts.sum()), unused=len(exact) - len(set(rows.values())),
    )  # fmt: skip
    taken = deals[column].str.strip().map(rows).astype("float64").fillna(-1).astype("int64").to_numpy()
    return deals.assign(**_taken(deals, lookup, header, taken))


def _loose(exact: Mapping[str, int], every: Iterable[str]) -> dict[str, int]:
    """Return the rows by loosened key; a key that two spellings share, good or quarantined, stands for neither."""
    spellings = Counter(map(key, every))
    return {key(value): row for value, row in exact.items() if spellings[key(value)] == 1}


def _taken(deals: pd.DataFrame, lookup: Sheet, header: str, rows: NDArray[np.int64]) -> dict[str, pd.Series]:
    """Return {column: values} of the lookup for these rows of it, -1 for none."""
    stem, result = Path(lookup.table.name).stem, {}
    for name in lookup.mapping.extra:
        if name != header:
            texts = np.append(cell_text(lookup.table.cells[name]).to_numpy(dtype=object), np.nan)
            free = name if name not in deals.columns else f"{name} ({stem})"
            result[free] = pd.Series(texts[rows], deals.index, dtype="str")
    return result
