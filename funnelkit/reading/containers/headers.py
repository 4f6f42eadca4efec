"""Headers of two rows, and headers that stand again among the rows, as where files were put one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.pipeline import Finding
from funnelkit.reading.cells.text import arrow_text, cell_text
from funnelkit.reading.containers.options import Table
from funnelkit.reading.layouts.known import is_known
from funnelkit.reading.layouts.presets import key

_SUBITEMS = frozenset(
    map(key, ("subitems", "sub-items", "subelementos", "subitens", "sous-éléments", "unterelemente", "子项", "子任务"))
)
_INITIAL = f"(?i)^\\W*[{''.join(sorted({name[0] for name in _SUBITEMS}))}]"


def header_of_two(first: Sequence[Any], second: Sequence[Any]) -> list[str | None] | None:
    """Return the names of a header of two rows, in which some names of the first stand above several of the second and
    the others alone or merged down; None where the second row is no part of the header.

    >>> header_of_two(["Deal", "Date", None, "Owner"], [None, "Created", "Closed", None])
    ['Deal', 'Created', 'Closed', 'Owner']
    >>> header_of_two(["Deal", "Date", None], ["a", "2026-01-02", None])
    """
    width = max(len(first), len(second))
    above, below = ([*row, *[None] * (width - len(row))] for row in (first, second))
    if not all(is_blank(cell) or isinstance(cell, str) for cell in below):
        return None
    names: list[str | None] = []
    group, under = "", 0
    for place, (top, sub) in enumerate(zip(above, below, strict=True)):
        opens = place + 1 < width and is_blank(above[place + 1]) and not is_blank(below[place + 1])
        group = group if is_blank(top) else str(top).strip()
        if is_blank(top) or opens:
            if is_blank(sub) and not is_blank(top):
                return None
            names.append(None if is_blank(sub) else _under(group, str(sub).strip()))
            under += not is_blank(sub)
        elif is_blank(sub) or str(sub).strip() == group:
            names.append(group)
        else:
            return None
    return names if under > 1 and under < sum(name is not None for name in names) else None


def _under(group: str, name: str) -> str:
    """Return a name that stands under a group of names, with the group where only both together are known."""
    spaced = "" if any(sign >= "\u2e80" for sign in group + name) else " "
    both = (name, f"{group}{spaced}{name}", f"{name}{spaced}{group}")
    return next((found for found in both if is_known(found)), name)


def is_blank(cell: Any) -> bool:
    """Return True for a cell without a value."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


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
