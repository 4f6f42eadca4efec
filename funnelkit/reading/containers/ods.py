"""OpenDocument spreadsheets -> rows of typed cells, sheet by sheet."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from funnelkit.reading.containers.markup import parse_markup

_MOST_REPEATED = 1_000_000  # cells that repetition may add to a file
_MOST_ROWS = 10_000_000


def ods_sheets(data: bytes, name: str) -> dict[str, Callable[[], Iterator[Sequence[Any]]]]:
    """Return {title: a call that gives its rows} of an ods file; nothing where it is another archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "content.xml" not in archive.namelist():
            return {}
        reader = _Reader()
        with archive.open("content.xml") as stream:
            parse_markup(stream, name, start=reader.start, end=reader.end, text=reader.text)
    return {title: lambda rows=rows: _rows(rows) for title, rows in reader.sheets.items()}  # type: ignore[misc]


def _rows(rows: Sequence[tuple[int, list[Any]]]) -> Iterator[Sequence[Any]]:
    """Yield each row as often as it stands there; blank rows at the end were dropped."""
    for times, cells in rows:
        for _ in range(times):
            yield cells


class _Reader:
    """Collects (times, cells) of each row; blank cells and rows count only where something follows them."""

    def __init__(self) -> None:
        self.sheets: dict[str, list[tuple[int, list[Any]]]] = {}
        self.rows: list[tuple[int, list[Any]]] = []
        self.cells: list[tuple[int, Any]] = []
        self.attributes: Mapping[str, str] = {}
        self.times, self.lines, self.repeated, self.paragraphs = 1, 0, 0, -1
        self.words: list[str] = []
        self.notes = 0  # inside comments of cells

    def start(self, tag: str, attributes: Mapping[str, str], _line: int) -> None:
        if tag == "table":
            self.rows = self.sheets.setdefault(attributes.get("table:name", ""), [])
        elif tag == "table-row":
            self.times, self.cells = int(attributes.get("table:number-rows-repeated", 1)), []
        elif tag in ("table-cell", "covered-table-cell"):
            self.attributes, self.words, self.paragraphs = attributes, [], 0
        elif tag == "annotation":
            self.notes += 1
        elif tag == "p" and not self.notes:
            self.words += ["\n"] * (self.paragraphs > 0)
            self.paragraphs += 1
        elif tag == "s" and not self.notes:
            self.words.append(" " * min(int(attributes.get("text:c", 1)), 1000))

    def text(self, text: str) -> None:
        if self.paragraphs > 0 and not self.notes:
            self.words.append(text)

    def end(self, tag: str) -> None:
        if tag == "annotation":
            self.notes -= 1
        elif tag in ("table-cell", "covered-table-cell"):
            times = int(self.attributes.get("table:number-columns-repeated", 1))
            self.cells.append((times, _value(self.attributes, "".join(self.words))))
            self.paragraphs = -1
        elif tag == "table-row":
            self._close_row()
        elif tag == "table":
            while self.rows and not self.rows[-1][1]:
                self.rows.pop()

    def _close_row(self) -> None:
        while self.cells and self.cells[-1][1] is None:
            self.cells.pop()
        width = sum(times for times, _ in self.cells)
        self.repeated += width * self.times - len(self.cells) if self.cells else 0
        self.lines += self.times
        if self.repeated > _MOST_REPEATED or self.lines > _MOST_ROWS:
            raise ValueError(f"{self.repeated} repeated cells, {self.lines} rows")
        self.rows.append((self.times, [value for times, value in self.cells for _ in range(times)]))


def _value(attributes: Mapping[str, str], text: str) -> Any:
    """Return the typed value of a cell: whole numbers as int, days as the time they begin."""
    kind, value = attributes.get("office:value-type"), attributes.get("office:value", "")
    if kind in ("float", "percentage", "currency") and value:
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if kind == "date":
        return dt.datetime.fromisoformat(attributes["office:date-value"].rstrip("Z")[:26])
    if kind == "boolean":
        return attributes.get("office:boolean-value") == "true"
    return text if text.strip() else None
