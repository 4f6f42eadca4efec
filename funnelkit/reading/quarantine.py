"""Quarantine: rows kept out, with their original text, physical line and reason, as a CSV to correct and load.

Loaded together with its source, each corrected row takes the place that its faulty original had.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.csv import DELIMITERS
from funnelkit.reading.containers.options import Broken, ReadOptions, Table
from funnelkit.reading.sheet import Sheet

PLACE = ("quarantine_file", "quarantine_line", "quarantine_rule", "quarantine_reason", "quarantine_text")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def write_quarantine(sheets: Sequence[Sheet], path: str | os.PathLike[str]) -> None:
    """Write the quarantined rows: where each stood and why, then its cells under the headers of the source.

    A row that did not fit its header has its text in `quarantine_text` and no cells. A cell that a spreadsheet would
    run as a formula is preceded by an apostrophe, which reading the file takes away again.
    """
    headers = list(dict.fromkeys(header for sheet in sheets for header in sheet.table.cells.columns))
    try:
        with Path(path).open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*PLACE, *headers])
            for sheet in sheets:
                writer.writerows(_broken_rows(sheet))
                writer.writerows(_aside_rows(sheet, headers))
    except OSError as error:
        raise DataError("quarantine_unwritable", file=str(path), reason=error.strerror) from None


def _broken_rows(sheet: Sheet) -> Iterator[list[Any]]:
    for row in sheet.table.broken:
        finding = Finding(row.rule, "error", sheet.table.name, row.line, value=row.text[:200], values=row.values)
        yield [sheet.table.name, row.line, row.rule, _shown(finding.message()), _shown(row.text)]


def _aside_rows(sheet: Sheet, headers: Sequence[str]) -> Iterator[list[Any]]:
    reasons: dict[int, list[Finding]] = {}
    for positions, rule, header, extra in sheet.reasons:
        for position in positions:
            text = None if header is None else sheet.text(position, header)
            line = int(sheet.table.lines[position])
            finding = Finding(rule, "error", sheet.table.name, line, header, text, extra(text) if extra else {})
            reasons.setdefault(int(position), []).append(finding)
    for position, findings in sorted(reasons.items()):
        cells = [_text(sheet.table.cells[h].at[position]) if h in sheet.table.cells else "" for h in headers]
        rules = " ".join(finding.rule for finding in findings)
        reason = " ".join(finding.message() for finding in findings)
        yield [sheet.table.name, int(sheet.table.lines[position]), rules, _shown(reason), "", *map(_shown, cells)]


def _text(cell: Any) -> str:
    return "" if cell is None or cell != cell else str(cell)


def _shown(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


# --- corrected rows --------------------------------------------------------------------------------------------------


def merge_corrections(tables: Sequence[Table], options: ReadOptions) -> list[Table]:
    """Return the tables with the rows of quarantine files in the places where their originals stood.

    Rows whose file is not among the tables make a table of their own. Raises DataError where a row names a line that
    its file does not have, or a file that stands twice among the tables.
    """
    result = [table for table in tables if not _is_quarantine(table)]
    rest = []
    for patch in filter(_is_quarantine, tables):
        cells = patch.cells.apply(lambda column: column.map(lambda cell: _unescaped(_text(cell))).astype("str"))
        for file, rows in cells.groupby("quarantine_file", sort=False):
            places = [number for number, table in enumerate(result) if table.name == file]
            if len(places) > 1:
                raise DataError("quarantine_twice", file=patch.name, value=file)
            if places:
                result[places[0]] = _patched(result[places[0]], rows, patch)
            else:
                rest.append(_apart(rows, patch, options, cells["quarantine_file"].nunique() > 1))
    return [*result, *rest]


def _is_quarantine(table: Table) -> bool:
    return set(PLACE) <= set(table.cells.columns)


def _unescaped(text: str) -> str:
    return text[1:] if _ESCAPED.match(text) else text


def _patched(table: Table, rows: pd.DataFrame, patch: Table) -> Table:
    """Return the table with these rows in their places."""
    headers = list(table.cells.columns)
    at = {int(line): position for position, line in enumerate(table.lines)}
    broken = {row.line: row for row in table.broken}
    changed, added, taken = {}, {}, set()
    for position, line in zip(rows.index, rows["quarantine_line"], strict=True):
        number = int(line) if line.isdecimal() else None
        if number in taken or (number not in at and number not in broken):
            where = {"line": int(patch.lines[position]), "column": "quarantine_line", "value": line}
            raise DataError("quarantine_place", file=patch.name, **where, source=table.name)
        taken.add(number)
        cells = [rows.at[position, header] if header in rows else "" for header in headers]
        if number in at:
            changed[at[number]] = cells
        elif any(map(str.strip, cells)):
            added[number] = cells
        else:
            text = rows.at[position, "quarantine_text"]
            parsed = _parsed(text, table.delimiter or "\t")
            if len(parsed) == len(headers):
                added[number] = parsed
            else:
                broken[number] = _misfit(broken[number], text, len(parsed), len(headers))
    left = tuple(row for line, row in sorted(broken.items()) if line not in added)
    note = Finding("corrected", "note", table.name, values={"n": len(taken), "source": patch.name})
    cells, lines = _with_rows(_with_cells(table.cells, changed), table.lines, added)
    return replace(table, cells=cells, lines=lines, broken=left, notes=(*table.notes, note))


def _with_cells(cells: pd.DataFrame, changed: Mapping[int, Sequence[str]]) -> pd.DataFrame:
    """Write corrected texts over the cells that they differ from; a cell left as it was keeps its type."""
    result = cells.copy()
    positions = list(changed)
    for number, header in enumerate(cells.columns):
        old = cells[header].iloc[positions]
        new = [
            (p, changed[p][number]) for p, cell in zip(positions, old, strict=True) if changed[p][number] != _text(cell)
        ]
        if new:
            column = (
                cells[header] if isinstance(cells[header].dtype, pd.StringDtype) else cells[header].astype("object")
            )
            column = column.copy()
            column.iloc[[position for position, _ in new]] = [text for _, text in new]
            result[header] = column
    return result


def _with_rows(
    cells: pd.DataFrame, lines: NDArray[np.signedinteger], added: Mapping[int, Sequence[str]]
) -> tuple[pd.DataFrame, NDArray[np.signedinteger]]:
    """Put further rows between the others, in the order of their lines."""
    if not added:
        return cells, lines
    more = pd.DataFrame(list(added.values()), columns=cells.columns, dtype="str")
    lines = np.concatenate([lines, np.array(list(added), dtype=np.int64)])
    order = np.argsort(lines, kind="stable")
    return pd.concat([cells, more], ignore_index=True).iloc[order].reset_index(drop=True), lines[order]


def _apart(rows: pd.DataFrame, patch: Table, options: ReadOptions, several: bool) -> Table:
    """Return a table of rows whose file is not here, under the headers that hold anything of them."""
    headers = [header for header in rows.columns if header not in PLACE]
    if several:
        headers = [header for header in headers if (rows[header].str.strip() != "").any()]
    cells, lines = rows[headers].reset_index(drop=True), patch.lines[rows.index]
    blank = (cells.apply(lambda column: column.str.strip()) == "").all(axis=1).to_numpy()
    added, broken = {}, []
    for position in np.flatnonzero(blank):
        text, line = rows["quarantine_text"].iloc[position], int(lines[position])
        fits = [
            parsed for mark in DELIMITERS if len(parsed := _parsed(text, options.delimiter or mark)) == len(headers)
        ]
        if len({tuple(parsed) for parsed in fits}) == 1:
            added[line] = fits[0]
        else:
            broken.append(Broken(line, text, "row_width", {"found": len(_parsed(text, ",")), "expected": len(headers)}))
    cells, lines = _with_rows(cells[~blank].reset_index(drop=True), lines[~blank], added)
    return replace(patch, cells=cells, lines=lines, broken=(*patch.broken, *broken))


def _misfit(old: Broken, text: str, found: int, expected: int) -> Broken:
    return old if text == old.text else Broken(old.line, text, "row_width", {"found": found, "expected": expected})


def _parsed(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
