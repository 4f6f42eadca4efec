"""Workbooks: one sheet of an xlsx file -> Table, cells typed as the workbook has them."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.options import Broken, ReadOptions, Table, check_header


def read_workbook(data: bytes, name: str, options: ReadOptions) -> Table:
    """Return the Table of the sheet asked for, or of the first that holds anything; the others are named in a note.

    Raises DataError where it is no workbook, the sheet does not exist, or there are more cells than the limit.
    """
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of styles and extensions that it drops: not of cells
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            sheets = {sheet.title: sheet for sheet in book.worksheets}
            if options.sheet is not None and options.sheet not in sheets:
                raise DataError("no_such_sheet", file=name, value=options.sheet, known=", ".join(sheets))
            table, title = _first_table(sheets, name, options)
            return _without_uncomputed(table, data, title)
    except DataError:
        raise
    except Exception as error:  # a broken archive fails anywhere inside the parser, with any type
        raise DataError("workbook_broken", file=name, reason=f"{type(error).__name__}: {error}"[:200]) from None


def _first_table(sheets: Mapping[str, Any], name: str, options: ReadOptions) -> tuple[Table, str]:
    chosen = [options.sheet] if options.sheet is not None else list(sheets)
    for title in chosen:
        table = _sheet_table(sheets[title], name, options)
        if table is not None:
            others = ", ".join(other for other in sheets if other != title)
            note = Finding("sheet_found", "note", name, value=title, values={"others": others or "-"})
            table = Table(name, table.cells, table.lines, "workbook", table.blank, table.broken, (note,))
            return table, title
    raise DataError("empty_file", file=name)


def _without_uncomputed(table: Table, data: bytes, title: str) -> Table:
    """Set aside the rows with a formula whose value no spreadsheet program ever computed: it would look blank."""
    import openpyxl

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheets = [part for part in archive.namelist() if part.startswith("xl/worksheets/")]
        if not any(_holds_formula(archive, part) for part in sheets):
            return table
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
    sheet, headers = book[title], list(table.cells.columns)
    sheet.reset_dimensions()
    place = {int(line): row for row, line in enumerate(table.lines)}
    broken: dict[int, Broken] = {}
    for number, row in enumerate(sheet.iter_rows(), 1):
        for cell, header in zip(row, headers, strict=False):
            if number in place and cell.data_type == "f" and _is_blank(table.cells[header].iloc[place[number]]):
                text = "\t".join("" if other.value is None else str(other.value) for other in row)
                broken.setdefault(number, Broken(number, text, "no_cached_value", {"column": header}))
    kept = ~np.isin(table.lines, list(broken))
    return replace(
        table, cells=table.cells[kept].reset_index(drop=True), lines=table.lines[kept],
        broken=tuple(sorted((*table.broken, *broken.values()), key=lambda row: row.line)),
    )  # fmt: skip


def _holds_formula(archive: zipfile.ZipFile, part: str) -> bool:
    with archive.open(part) as stream:
        tail = b""
        while chunk := stream.read(1 << 20):
            if b"<f" in tail + chunk:
                return True
            tail = chunk[-1:]
    return False


def _sheet_table(sheet: Any, name: str, options: ReadOptions) -> Table | None:
    """Read one sheet row by row; None where it holds nothing. Cells are counted as they come."""
    sheet.reset_dimensions()
    names, rows, lines, broken, blank, cells = None, [], [], [], 0, 0
    pending = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        filled = [position for position, cell in enumerate(row) if not _is_blank(cell)]
        if not filled:
            pending += 1
            continue
        if names is None:
            names, pending = _names(row, filled, name, number, options), 0
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
    if names is None:
        return None
    frame = pd.DataFrame({header: typed_column([row[i] for row in rows]) for i, header in enumerate(names)})
    return Table(name, frame, np.array(lines, dtype=np.int64), "workbook", blank, tuple(broken))


def _names(row: Sequence[Any], filled: Sequence[int], name: str, line: int, options: ReadOptions) -> list[str]:
    if filled[-1] >= options.bounds.columns:
        raise DataError("too_many_columns", file=name, n=filled[-1] + 1, limit=options.bounds.columns)
    cells = row[: filled[-1] + 1]
    names = [f"column {n}" if _is_blank(cell) else str(cell).strip() for n, cell in enumerate(cells, 1)]
    check_header(names, name, line)
    return names


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def typed_column(cells: Sequence[Any]) -> pd.Series:
    """Return text where all cells are text or blank, else the cells as objects."""
    if all(cell is None or isinstance(cell, str) for cell in cells):
        return pd.Series(["" if cell is None else cell for cell in cells], dtype="str")
    return pd.Series(cells, dtype="object")
