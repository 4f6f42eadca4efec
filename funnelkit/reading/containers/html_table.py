"""HTML tables: some systems (Bitrix24, Salesforce's reports) export a web page that is named as a workbook."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from funnelkit.pipeline import Finding
from funnelkit.reading.containers.csv_lines import header_names, misfit
from funnelkit.reading.containers.options import Broken, ReadOptions, Table
from funnelkit.reading.layouts.known import known_headers

_KNOWN = 2  # headers by which a table of a page is one of data, and the page no login


def read_html(text: str, name: str, options: ReadOptions) -> Table | None:
    """Return the Table of a page that holds just one table with known headers; None for any other page."""
    if "<tr" not in text.lower():
        return None
    page = _Page()
    page.feed(text)
    page.close()
    found = [rows for rows in page.tables if len(rows) > 1 and known_headers(rows[0][1]) >= _KNOWN]
    return _table(found[0], name, options) if len(found) == 1 else None


def _table(rows: list[tuple[int, list[str]]], name: str, options: ReadOptions) -> Table:
    first, header = rows[0]
    names = header_names(header, name, first, options)
    kept = [(line, cells) for line, cells in rows[1:] if len(cells) == len(names) and any(cells)]
    others = [(line, cells) for line, cells in rows[1:] if len(cells) != len(names) and any(cells)]
    broken: list[Broken] = [misfit(line, "\t".join(cells), len(cells), len(names)) for line, cells in others]
    columns = {header: pd.Series([cells[i] for _, cells in kept], dtype="str") for i, header in enumerate(names)}
    lines = np.array([line for line, _ in kept], dtype=np.int64)
    blank = len(rows) - 1 - len(kept) - len(broken)
    note = Finding("html_table", "note", name, first)
    return Table(name, pd.DataFrame(columns), lines, "text", blank, tuple(broken), (note,))


class _Page(HTMLParser):
    """Collects the rows of each table as (line, texts); tables inside cells are part of the cell."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[tuple[int, list[str]]]] = []
        self.depth = 0
        self.words: list[str] | None = None  # of the cell that is open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self.depth += 1
            if self.depth == 1:
                self.tables.append([])
        elif self.depth == 1 and tag == "tr":
            self._end_cell()
            self.tables[-1].append((self.getpos()[0], []))
        elif self.depth == 1 and tag in ("td", "th") and self.tables[-1]:
            self._end_cell()
            self.words = []
        elif tag == "br" and self.words is not None:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self.depth == 1 and tag in ("td", "th", "tr", "table"):
            self._end_cell()
        if tag == "table":
            self.depth = max(0, self.depth - 1)

    def handle_data(self, data: str) -> None:
        if self.words is not None:
            self.words.append(data)

    def _end_cell(self) -> None:
        if self.words is not None:
            self.tables[-1][-1][1].append("".join(self.words).replace("\xa0", " ").strip())
            self.words = None
