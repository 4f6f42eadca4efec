"""Wide counts: tables of counts with a column a period, or a column a stage -> a row a stage and period."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.cells.calendars import month_of
from funnelkit.reading.cells.dates import is_date
from funnelkit.reading.cells.numbers import as_number, is_number
from funnelkit.reading.cells.text import Place, cell_text
from funnelkit.reading.containers.options import ReadOptions, Table
from funnelkit.reading.layouts.evidence import sample_texts
from funnelkit.reading.layouts.presets import key, preset_data, word_keys

_YEAR = r"(?:(?:19|20)\d\d|['’]?\d\d)"
_PERIOD = re.compile(
    rf"(?:{_YEAR}\s*[-/. ]?\s*)?(?:Q[1-4]|[1-4]Q|T[1-4]|H[12]|(?:W|KW|CW|Week|Woche|Semaine|Semana|Sem\.?)\s*\d{{1,2}})"
    rf"(?:\s*[-/. ]?\s*{_YEAR})?|(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])|(?:0?[1-9]|1[0-2])[-/.](?:19|20)\d\d|"
    r"(?:19|20)\d\d|"
    r"(?:(?:19|20)\d\d\s*年\s*)?(?:(?:0?[1-9]|1[0-2])\s*月(?:份)?|第?[一二三四1-4]\s*季度|第?\d{1,2}\s*周)|(?:19|20)\d\d\s*年",
    re.IGNORECASE,
)
_MONTH = re.compile(rf"(?P<name>[^\W\d_]{{3,10}})\.?(?:[\s,./-]*{_YEAR})?")
_FEWEST = 3  # stages for columns of counts that shrink from left to right to be a funnel
_NOT_COUNTS = re.compile(
    r"(?i)率|占比|环比|同比|%|\brate\b|conv|\bcvr\b|ratio|taux|tasa|taxa|quote|конверс|平均|avg|average|ø"
)


def with_counts(table: Table, options: ReadOptions, layout: str | None = None) -> Table:
    """Return the table; one with the counts of each period, or of each stage, in a column of its own with a row each.

    Columns are stages only where a column of periods stands beside them and no count exceeds the one to its left.
    """
    headers = list(table.cells.columns)
    ids = set(map(key, preset_data("generic")["columns"]["deal_id"]))
    if layout not in (None, "counts") or options.map or not len(table.cells) or any(key(h) in ids for h in headers):
        return table
    return _of_periods(table, headers, options) or _of_stages(table, headers, options) or table


def _of_periods(table: Table, headers: Sequence[str], options: ReadOptions) -> Table | None:
    periods = [header for header in headers if is_period(header) and _are_numbers(table.cells[header])]
    names = [header for header in headers if key(header) in _called("stage")]
    first = headers[0]
    if len(periods) < 2:
        return None
    if not names and first not in periods and not _are_numbers(table.cells[first]):
        names = [first] if _shrinks(_counts(table, periods, options), axis=0) else []
    return _long(table, periods, "period", names[0]) if names and names[0] not in periods else None


def _of_stages(table: Table, headers: Sequence[str], options: ReadOptions) -> Table | None:
    over = [header for header in headers if key(header) in _called("period") or _are_periods(table.cells[header])]
    if not over or any(key(header) in _called("stage") for header in headers):
        return None
    columns = preset_data("generic")["columns"]
    money = {key(name) for name in columns["amount"]}
    stages = [
        header for header in headers
        if header not in over and key(header) not in money and _may_count(table, header)
    ]  # fmt: skip
    if len(stages) < _FEWEST or not _shrinks(_counts(table, stages, options), axis=1):
        return None
    return _long(table, stages, "stage", over[0])


def is_period(header: str) -> bool:
    """Return True for the name of a month, quarter, week or year, or a date.

    >>> [is_period(text) for text in ("Jan 2025", "2025-01", "2025年1月", "Q1", "KW 12", "Lead", "Margin")]
    [True, True, True, True, True, False, False]
    """
    plain = unicodedata.normalize("NFKC", str(header)).strip()
    month = _MONTH.fullmatch(plain)
    return bool(_PERIOD.fullmatch(plain) or (month and month_of(month["name"])) or is_date(plain))


def _called(name: str) -> frozenset[str]:
    raw = preset_data("generic")
    return frozenset(map(key, [*raw["counts"].get(name, ()), *raw["columns"].get(name, ())]))


def _are_numbers(cells: pd.Series) -> bool:
    texts = sample_texts(cells)
    return len(texts) > 0 and all(map(is_number, texts))


def _are_periods(cells: pd.Series) -> bool:
    texts = sample_texts(cells)
    return len(texts) > 1 and all(map(is_period, texts))


def _may_count(table: Table, header: str) -> bool:
    """Return True for a column of numbers unless they are shares, averages or sums, by its name or its cells."""
    if not _are_numbers(table.cells[header]):
        return False
    said = _NOT_COUNTS.search(unicodedata.normalize("NFKC", header)) or key(header) in word_keys("total")
    return not said and not sample_texts(table.cells[header]).str.contains("%", regex=False).any()


def _counts(table: Table, headers: Sequence[str], options: ReadOptions) -> np.ndarray:
    """Return the counts of these columns; nothing where a mark in them stays undecided."""
    try:
        places = ((table.cells[header], Place(table.name, header, table.lines)) for header in headers)
        parsed = [as_number(cells, place, options.decimal).values.to_numpy("float64") for cells, place in places]
    except DataError:
        return np.empty((0, len(headers)))
    return np.column_stack(parsed)


def _shrinks(counts: np.ndarray, axis: int) -> bool:
    """Return True where no count exceeds the one before it."""
    return bool(len(counts) and counts.shape[axis] > 1 and not (np.diff(counts, axis=axis) > 0).any())


def _long(table: Table, wide: Sequence[str], name: str, beside: str) -> Table | None:
    """Return the table with a row for each cell of the columns `wide`; shares and sums beside them are left out."""
    others = [header for header in table.cells.columns if header not in wide and header != beside]
    kept = [beside, *(header for header in others if not _are_numbers(table.cells[header]))]
    if {name, "n_entered"} & set(kept):
        return None
    cells = table.cells.melt(id_vars=kept, value_vars=list(wide), var_name=name, value_name="n_entered")
    cells = cells[cell_text(cells["n_entered"]).notna()]
    left = ", ".join(header for header in others if header not in kept) or "-"
    values = {"n": len(wide), "left": left}
    told = Finding(f"counts_by_{name}", "note", table.name, 1, value=", ".join(wide), values=values)
    lines = np.tile(table.lines, len(wide))[cells.index]
    return replace(table, cells=cells.reset_index(drop=True), lines=lines, notes=(*table.notes, told))
