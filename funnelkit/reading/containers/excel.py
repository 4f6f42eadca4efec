"""Workbooks: one sheet of an xlsx, xls or ods file -> Table, cells typed as the workbook has them.

Calamine reads xls, and those xlsx files of which it loses nothing (`_plain`): it knows no formula without a value, no
error value, no date before 1900 and no whole number of more digits than a float, passes over document types, and takes
memory for each cell up to the farthest. The others are read by openpyxl, row by row.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.headers import header_of_two, is_blank
from funnelkit.reading.containers.merged import column_number, filled_down, merged_down
from funnelkit.reading.containers.ods import ods_sheets
from funnelkit.reading.containers.options import Broken, ReadOptions, Table, check_header
from funnelkit.reading.layouts.known import are_headers, known_headers

Rows: TypeAlias = Iterable[Sequence[Any]]
Sheets: TypeAlias = Mapping[str, Callable[[], Rows]]

XLS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOCKED = "EncryptedPackage".encode("utf-16-le")
_ABOVE = 15  # rows at most between the first that looks like a header and one that is known to be
_WIDE = 3  # columns of a table of which a row of one text is no deal
_HEAD = 50  # rows in which a sheet shows its header
_DENSE = 20_000_000  # cells up to the farthest that are taken into memory at once
_PART = re.compile(r"xl/worksheets/[^/]+\.xml")
_LOST = re.compile(rb"<f[ />]|\bt=[\"']e[\"']|<v>-[\d.]|<v>\d{16}")
_COLUMN, _ROW = re.compile(rb"\br=[\"']([A-Z]+)\d"), re.compile(rb"\br=[\"'][A-Z]*(\d+)[\"']")


def read_workbook(data: bytes, name: str, options: ReadOptions) -> Table:
    """Return the Table of the sheet asked for, or of the one whose headers say most; the others are named in a note.

    Raises DataError where it is no workbook, the sheet does not exist, or there are more cells than the limit.
    """
    if data.startswith(XLS) and _LOCKED in data:
        raise DataError("workbook_locked", file=name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of styles and extensions that it drops: not of cells
            plain = data.startswith(XLS) or _plain(data)
            sheets = _calamine_sheets(data) if plain else ods_sheets(data, name) or _openpyxl_sheets(data)
            title = _title(sheets, name, options)
            merged = {} if data.startswith(XLS) else merged_down(data, name, title)
            table = _sheet_table(filled_down(sheets[title](), merged) if merged else sheets[title](), name, options)
            assert table is not None  # the title is that of a sheet with a header
            others = ", ".join(other for other in sheets if other != title)
            found = Finding("sheet_found", "note", name, value=title, values={"others": others or "-"})
            table = replace(table, notes=(found, *_told_merged(name, merged), *table.notes))
            return table if plain else _without_uncomputed(table, data, title)
    except DataError:
        raise
    except Exception as error:  # a broken archive fails anywhere inside the parser, with any type
        raise DataError("workbook_broken", file=name, reason=f"{type(error).__name__}: {error}"[:200]) from None


def _told_merged(name: str, merged: Mapping[int, Sequence[Any]]) -> tuple[Finding, ...]:
    n = sum(map(len, merged.values()))
    return (Finding("merged_filled", "note", name, min(merged) + 1, values={"n": n}),) if n else ()


# --- sheets ----------------------------------------------------------------------------------------------------------


def _plain(data: bytes) -> bool:
    """Return True for an xlsx file of which calamine loses nothing, and no cell of which stands far out."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.namelist()
        if "xl/workbook.xml" not in parts or b"date1904" in archive.read("xl/workbook.xml"):
            return False
        sheets = [part for part in parts if _PART.fullmatch(part)]
        return not _declares_type(archive, parts) and all(_is_plain(archive, part) for part in sheets)


def _declares_type(archive: zipfile.ZipFile, parts: Sequence[str]) -> bool:
    """Return True where some XML declares a document type, which openpyxl refuses and calamine passes over."""
    return any(_holds(archive, part, b"<!DOCTYPE") for part in parts if part.endswith((".xml", ".rels")))


def _is_plain(archive: zipfile.ZipFile, part: str) -> bool:
    columns: set[bytes] = set()
    rows, tail = 1, b""
    with archive.open(part) as stream:
        while chunk := stream.read(1 << 20):
            block = tail + chunk
            if _LOST.search(block):
                return False
            columns.update(_COLUMN.findall(block))
            rows = max(rows, max(map(int, _ROW.findall(block)), default=1))
            tail = block[-100:]
    return rows * max(map(column_number, columns), default=1) <= _DENSE


def _calamine_sheets(data: bytes) -> Sheets:
    import python_calamine as calamine

    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    work = calamine.SheetTypeEnum.WorkSheet

    def rows(title: str) -> Iterator[Sequence[Any]]:
        return (list(map(_of_calamine, row)) for row in book.get_sheet_by_name(title).iter_rows())

    return {
        sheet.name: lambda title=sheet.name: rows(title)  # type: ignore[misc]
        for sheet in book.sheets_metadata if sheet.typ == work
    }  # fmt: skip


def _of_calamine(cell: Any) -> Any:
    """Return a cell as openpyxl has it: whole numbers as int, days as the time they begin."""
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    if isinstance(cell, dt.date) and not isinstance(cell, dt.datetime):
        return dt.datetime(cell.year, cell.month, cell.day)
    return None if cell == "" else cell


def _openpyxl_sheets(data: bytes) -> Sheets:
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)

    def rows(title: str) -> Iterator[Sequence[Any]]:
        book[title].reset_dimensions()
        yield from book[title].iter_rows(values_only=True)

    return {sheet.title: lambda title=sheet.title: rows(title) for sheet in book.worksheets}  # type: ignore[misc]


def _title(sheets: Sheets, name: str, options: ReadOptions) -> str:
    """Return the name of the sheet asked for, or of the one most of whose headers are known; the first of equals."""
    if options.sheet is not None and options.sheet not in sheets:
        raise DataError("no_such_sheet", file=name, value=options.sheet, known=", ".join(sheets))
    chosen = [options.sheet] if options.sheet is not None else list(sheets)
    known: dict[str, int] = {}
    for title in chosen:
        head = list(islice(sheets[title](), _HEAD if len(chosen) > 1 else None))
        place = _header_place(head)
        if place is None and len(head) == _HEAD:  # the sheet begins further down
            known[title] = 0
        elif place is not None:
            known[title] = known_headers([str(cell) for cell in head[place] if not is_blank(cell)])
        if len(chosen) == 1 and known:
            break
    if not known:
        raise DataError("empty_file", file=name)
    return max(known, key=lambda title: known[title])


# --- one sheet -------------------------------------------------------------------------------------------------------


def _header_place(head: Sequence[Sequence[Any]]) -> int | None:
    """Return which row is the header: the first with two cells, else the first with any; titles stand above it.

    Where most cells of a row further down are known as headers, and none of those above, it is that one.
    """
    filled = [sum(not is_blank(cell) for cell in row) for row in head]
    two = next((place for place, n in enumerate(filled) if n > 1), None)
    if two is None:
        return next((place for place, n in enumerate(filled) if n), None)
    shown = [[str(cell) for cell in row if not is_blank(cell)] for row in head[two : two + _ABOVE]]
    return next((two + place for place, cells in enumerate(shown) if are_headers(cells)), two)


def _sheet_table(rows: Rows, name: str, options: ReadOptions) -> Table | None:
    """Read one sheet row by row; None where it holds nothing. Cells are counted as they come."""
    rows = iter(rows)
    head: list[Sequence[Any]] = list(islice(rows, _HEAD))
    while head and _header_place(head) is None and (row := next(rows, None)) is not None:
        head.append(row)
    place = _header_place(head)
    if place is None:
        return None
    two = header_of_two(head[place], head[place + 1]) if place + 1 < len(head) else None
    names = _names(two or head[place], name, place + 1, options)
    titles = [place for place, row in enumerate(head[:place]) if not all(map(is_blank, row))]
    notes: tuple[Finding, ...] = (
        (Finding("titles_above", "note", name, titles[0] + 1, values={"header": place + 1}),) if titles else ()
    )
    if two:
        notes += (Finding("header_of_two", "note", name, place + 1),)
        place += 1
    kept, lines, broken, blank = _body([*head[place + 1 :]], rows, place + 2, names, name=name, options=options)
    below = _footer(kept, lines) if len(names) >= _WIDE else 0
    if below:
        shown = next(str(cell) for cell in kept[-below] if not is_blank(cell))[:80]
        notes += (Finding("footer_left_out", "note", name, lines[-below], None, shown, {"n": below}),)
        kept, lines, blank = kept[:-below], lines[:-below], blank + below
    frame = pd.DataFrame({header: typed_column([row[i] for row in kept]) for i, header in enumerate(names)})
    return Table(name, frame, np.array(lines, dtype=np.int64), "workbook", blank, tuple(broken), notes)


def _body(
    head: Rows, rest: Rows, first: int, names: Sequence[str], *, name: str, options: ReadOptions
) -> tuple[list[list[Any]], list[int], list[Broken], int]:
    """Return (rows that fit the header, their lines, rows that do not, blank lines between)."""
    rows: list[list[Any]] = []
    lines: list[int] = []
    broken: list[Broken] = []
    blank, pending, cells = 0, 0, 0
    for number, row in enumerate((row for part in (head, rest) for row in part), first):
        filled = [position for position, cell in enumerate(row) if not is_blank(cell)]
        if not filled:
            pending += 1
            continue
        cells += len(filled)
        if cells > options.bounds.workbook_cells:
            raise DataError("too_many_cells", file=name, line=number, limit=options.bounds.workbook_cells)
        blank, pending = blank + pending, 0
        if filled[-1] >= len(names):
            text = "\t".join("" if cell is None else str(cell) for cell in row[: filled[-1] + 1])
            broken.append(Broken(number, text, "row_width", {"found": filled[-1] + 1, "expected": len(names)}))
            continue
        rows.append([*row, *[None] * (len(names) - len(row))][: len(names)])
        lines.append(number)
    return rows, lines, broken, blank


def _footer(rows: Sequence[Sequence[Any]], lines: Sequence[int]) -> int:
    """Return how many rows of one text stand below the table, behind a blank line: what a report says of itself."""
    n = next((n for n, row in enumerate(reversed(rows)) if _only_text(row) is None), len(rows))
    ends = len(rows) - n
    return n if n and ends and lines[ends] > lines[ends - 1] + 1 else 0


def _only_text(row: Sequence[Any]) -> str | None:
    """Return the one cell of a row, None where it has several or a number."""
    filled = [cell for cell in row if not is_blank(cell)]
    return filled[0] if len(filled) == 1 and isinstance(filled[0], str) else None


def _names(row: Sequence[Any], name: str, line: int, options: ReadOptions) -> list[str]:
    last = max(position for position, cell in enumerate(row) if not is_blank(cell))
    if last >= options.bounds.columns:
        raise DataError("too_many_columns", file=name, n=last + 1, limit=options.bounds.columns)
    names = [f"column {n}" if is_blank(cell) else str(cell).strip() for n, cell in enumerate(row[: last + 1], 1)]
    check_header(names, name, line)
    return names


def typed_column(cells: Sequence[Any]) -> pd.Series:
    """Return text where all cells are text or blank, else the cells as objects."""
    if all(cell is None or isinstance(cell, str) for cell in cells):
        return pd.Series(["" if cell is None else cell for cell in cells], dtype="str")
    return pd.Series(cells, dtype="object")


# --- formulas that were never computed -------------------------------------------------------------------------------


def _without_uncomputed(table: Table, data: bytes, title: str) -> Table:
    """Quarantine the rows with a formula whose value no spreadsheet program ever computed: it would look blank."""
    import openpyxl

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheets = [part for part in archive.namelist() if part.startswith("xl/worksheets/")]
        if not any(_holds(archive, part, b"<f") for part in sheets):
            return table
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
    sheet, headers = book[title], list(table.cells.columns)
    sheet.reset_dimensions()
    place = {int(line): row for row, line in enumerate(table.lines)}
    broken: dict[int, Broken] = {}
    for number, row in enumerate(sheet.iter_rows(), 1):
        for cell, header in zip(row, headers, strict=False):
            if number in place and cell.data_type == "f" and is_blank(table.cells[header].iloc[place[number]]):
                text = "\t".join("" if other.value is None else str(other.value) for other in row)
                broken.setdefault(number, Broken(number, text, "no_cached_value", {"column": header}))
    kept = ~np.isin(table.lines, list(broken))
    return replace(
        table, cells=table.cells[kept].reset_index(drop=True), lines=table.lines[kept],
        broken=tuple(sorted((*table.broken, *broken.values()), key=lambda row: row.line)),
    )  # fmt: skip


def _holds(archive: zipfile.ZipFile, part: str, text: bytes) -> bool:
    with archive.open(part) as stream:
        tail = b""
        while chunk := stream.read(1 << 20):
            if text in tail + chunk:
                return True
            tail = chunk[-len(text) :]
    return False
