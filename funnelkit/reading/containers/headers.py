"""Headers that stand again among the rows, as where files were put one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.pipeline import Finding
from funnelkit.reading.cells.text import arrow_text, cell_text
from funnelkit.reading.containers.options import Table
from funnelkit.reading.layouts.presets import key

_SUBITEMS = frozenset(
    map(key, ("subitems", "sub-items", "subelementos", "subitens", "sous-éléments", "unterelemente", "子项", "子任务"))
)
_INITIAL = f"(?i)^\\W*[{''.join(sorted({name[0] for name in _SUBITEMS}))}]"


def without_repeated(table: Table) -> Table:
    """Return the table without rows that are its header once more, and titles right above them (of a board's groups).

    They count as blank, and a note tells of them.
    """
    headers = list(table.cells.columns)
    if table.kind in ("frame", "parquet", "database") or not len(table.cells) or len(headers) < 2:
        return table
    return _without_headers(_without_subitems(table), headers)


def _without_subitems(table: Table) -> Table:
    """Return the table without rows of subitems: a header of their own, whose first cell says so, and rows below it
    whose first cell is blank."""
    first = cell_text(table.cells.iloc[:, 0])
    begins = _are_subitems(first)
    if not begins.any():
        return table
    blank = first.isna().to_numpy()
    block = np.cumsum(~blank)  # a row that begins with something, and the rows below it that do not
    inside = np.isin(block, block[begins]) & (begins | blank)
    n, line = int(inside.sum()), int(table.lines[inside][0])
    note = Finding("subitems_left_out", "note", table.name, line, values={"n": n})
    cells = table.cells[~inside].reset_index(drop=True)
    return replace(table, cells=cells, lines=table.lines[~inside], blank=table.blank + n, notes=(*table.notes, note))


def _are_subitems(cells: pd.Series) -> NDArray[np.bool_]:
    """Return which cells say that subitems begin; only those with such an initial are compared one by one."""
    maybe = np.asarray(pc.fill_null(pc.match_substring_regex(arrow_text(cells), _INITIAL), False))
    words = [text for text in cells[maybe].drop_duplicates() if key(text) in _SUBITEMS]
    return cells.isin(words).to_numpy() if words else np.zeros(len(cells), dtype=bool)


def _without_headers(table: Table, headers: Sequence[str]) -> Table:
    same = np.ones(len(table.cells), dtype=bool)
    for header in headers:
        cells = table.cells[header][same]
        same[same] = (cells == header).to_numpy(bool) | _is_blank_name(header, cells)
        if not same.any():
            return table
    again = int(same.sum())
    same |= _titles(table.cells, same)
    n, line = int(same.sum()), int(table.lines[same][0])
    note = Finding("header_repeated", "note", table.name, line, values={"n": again})
    cells = table.cells[~same].reset_index(drop=True)
    return replace(table, cells=cells, lines=table.lines[~same], blank=table.blank + n, notes=(*table.notes, note))


def _titles(cells: pd.DataFrame, same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows hold a text in their first cell alone and stand right above a repeated header."""
    rows = np.flatnonzero(same)[np.flatnonzero(same) > 0] - 1
    found = np.zeros(len(cells), dtype=bool)
    if not len(rows):
        return found
    above = cells.iloc[rows].apply(lambda column: cell_text(column).notna())
    only = above.iloc[:, 0].to_numpy() & ~above.iloc[:, 1:].any(axis=1).to_numpy()
    found[rows[only]] = True
    return found


def _is_blank_name(header: str, cells: pd.Series) -> bool | NDArray[np.bool_]:
    """A column without a name is blank in the header."""
    return cells.isin(["", None]).to_numpy() if header.startswith("column ") else False
