"""Grouped rows of a formatted report: a value stands once above its group, sums stand below it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from funnelkit.pipeline import Finding
from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.containers.options import Table
from funnelkit.reading.layouts.presets import key as key_of
from funnelkit.reading.layouts.presets import word_keys

_SORTED = re.compile(r"\s*[↑↓]$")  # a report marks so by which columns it is grouped


def ungrouped(table: Table) -> Table:
    """Return the table with each group's value in all of its rows, without the sums below them; a note tells of both.

    Only columns on the left whose header says that the report is sorted by them are looked at.
    """
    if table.kind in ("frame", "parquet", "database") or not len(table.cells):
        return table
    marked = [header for header in table.cells.columns if _SORTED.search(str(header))]
    headers = [header for header, first in zip(table.cells.columns, marked, strict=False) if header == first]
    texts = {header: cell_text(table.cells[header]) for header in headers}
    if not headers or not _are_groups(texts[headers[0]]):
        return table
    sums = np.zeros(len(table.cells), dtype=bool)
    begins = np.zeros(len(table.cells), dtype=bool)
    cells = table.cells.copy()
    for header in headers:
        begins = begins | texts[header].notna().to_numpy()  # an outer group ends the inner ones
        block = np.cumsum(begins)
        head = texts[header].where(begins).groupby(block).transform("first")
        sums |= head.map(key_of, na_action="ignore").isin(word_keys("total")).to_numpy()
        cells[header] = pd.Series(head, cells.index)
    n, line = int((~sums).sum()), int(table.lines[0])
    values = {"columns": ", ".join(map(str, headers)), "sums": int(sums.sum()), "n": n}
    note = Finding("groups_filled", "note", table.name, line, values=values)
    return replace(table, cells=cells[~sums].reset_index(drop=True), lines=table.lines[~sums],
                   blank=table.blank + int(sums.sum()), notes=(*table.notes, note))  # fmt: skip


def _are_groups(texts: pd.Series) -> bool:
    """Return True where each value stands once and most rows are below one, unlike a list with some empty cells."""
    words = word_keys("total")
    found = [text for text in texts.dropna() if key_of(text) not in words]
    return len(set(found)) == len(found) > 0 and int(texts.isna().sum()) >= len(found)
