"""Delimited text -> Table: delimiter, header, quotes, and for each row the physical line that it starts on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.csv_lines import LineCutter, Lines, header_names, misfit
from funnelkit.reading.containers.options import Broken, ReadOptions, Table
from funnelkit.reading.layouts.known import are_headers

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = (",", ";", "\t", "|")
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_CHUNK = 100_000
_ABOVE = 15  # lines in which a header is looked for
_TITLE = 2  # cells of a title at most
_WIDE = 3  # columns of a table that a line of one cell cannot be a cut row of
_NO_LINES = np.array([], dtype=np.int64)


def read_delimited(text: str, name: str, options: ReadOptions, notes: Iterable[Finding] = ()) -> Table:
    """Return the Table of delimited text. Rows that do not fit the header are `broken`, blank lines are counted.

    Raises DataError on text without a header, an unclosed quote, a repeated header, or a cell or width over the limit.
    """
    skip, declared = separator_line(text)
    text, remarks = _without_remarks(text, skip, name)
    text, above = _without_titles(text, skip, name)
    delimiter, found = find_delimiter(text[skip:], name, options.delimiter or declared)
    notes = [*notes, *remarks, *above, *found]
    table = _even(text, skip, delimiter, name, options)
    if table is None:
        table = _uneven(text, skip, delimiter, name, options)
    if not text.endswith(("\n", "\r")):
        last = int(table.lines[-1]) if len(table.lines) else 1
        notes.append(not_ended(name, last, text))
    table = _without_footer(table)
    notes = (*notes, *table.notes)
    return Table(name, table.cells, table.lines, "text", table.blank, table.broken, notes, delimiter)


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # splitlines would also part at a form feed within a cell


def _without_remarks(text: str, skip: int, name: str) -> tuple[str, tuple[Finding, ...]]:
    """Return (text with blank lines where remarks stood above the header, findings): lines of one cell behind a `#`."""
    lines = _LINE.findall(text[skip : skip + 100_000])[:_ABOVE]
    above = list(takewhile(lambda line: not line.strip() or _is_remark(line), lines))
    if not any(map(str.strip, above)) or len(above) == len(lines):
        return text, ()
    first = next(number for number, line in enumerate(above, 1 + bool(skip)) if line.strip())
    note = Finding("titles_above", "note", name, first, values={"header": len(above) + 1 + bool(skip)})
    return text[:skip] + "\n" * len(above) + text[skip + sum(map(len, above)) :], (note,)


def _is_remark(line: str) -> bool:
    return line.startswith("#") and all(len(_filled(line, mark)) < 2 for mark in DELIMITERS)


def _without_titles(text: str, skip: int, name: str) -> tuple[str, tuple[Finding, ...]]:
    """Return (text with blank lines where titles stood above the header, findings): the header is the first line most
    of whose cells are known as headers, where there is one among the first."""
    lines = _LINE.findall(text[skip : skip + 100_000])[:_ABOVE]
    found = ((number, mark) for number, line in enumerate(lines) for mark in DELIMITERS if _is_header(line, mark))
    place, mark = next(found, (0, ","))
    filled = [len(_filled(line, mark)) for line in lines[: place + 1]]
    titles = [number for number, n in enumerate(filled[:-1]) if n]
    if not titles or any(n > _TITLE or n >= filled[place] for n in filled[:-1]):  # rows stand above, not titles
        return text, ()
    begin = skip + sum(map(len, lines[:place]))
    first = titles[0] + 1 + bool(skip)
    note = Finding("titles_above", "note", name, first, values={"header": place + 1 + bool(skip)})
    return text[:skip] + "\n" * place + text[begin:], (note,)


def _filled(line: str, mark: str) -> list[str]:
    """Return the cells of a line that are not blank."""
    try:
        return [cell for cell in next(csv.reader([line], delimiter=mark), []) if cell.strip()]
    except csv.Error:
        return []


def _is_header(line: str, mark: str) -> bool:
    return mark in line and are_headers(_filled(line, mark))


def _without_footer(table: Table) -> Table:
    """Return the table without lines of one cell that stand below it, behind a blank line: what a report says of
    itself. They count as blank."""
    last = int(table.lines[-1]) if len(table.lines) else 0
    below = [row for row in table.broken if row.line > last]
    plain = all(row.rule == "row_width" and row.values.get("found") == 1 for row in below)
    if not below or not last or not plain or below[0].line == last + 1 or len(table.cells.columns) < _WIDE:
        return table
    shown = below[0].text[:80]
    note = Finding("footer_left_out", "note", table.name, below[0].line, None, shown, {"n": len(below)})
    kept = table.broken[: len(table.broken) - len(below)]
    return replace(table, broken=kept, blank=table.blank + len(below), notes=(*table.notes, note))


def not_ended(name: str, line: int, text: str) -> Finding:
    """Return the finding on a text whose last line does not end."""
    return Finding("no_final_newline", "warn", name, line, values={"text": text[-200:].splitlines()[-1][-60:]})


def separator_line(text: str) -> tuple[int, str | None]:
    """Return (characters to skip, delimiter) of the line `sep=;` that some spreadsheets write first."""
    first = text[:20].split("\n", 1)[0].rstrip("\r")
    if first.lower().startswith("sep=") and len(first) == 5:
        return text.index("\n") + 1 if "\n" in text else len(text), first[4]
    return 0, None


def find_delimiter(text: str, name: str, declared: str | None) -> tuple[str, tuple[Finding, ...]]:
    """Return (delimiter, findings): as declared, or the one that cuts the first lines into equally many cells."""
    if declared:
        declared = _NAMED.get(declared.lower(), declared)
        if len(declared) != 1 or declared in '"\r\n':
            raise DataError("delimiter_bad", file=name, value=declared)
        return declared, ()
    sample = text[:100_000].replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in sample.split("\n") if line.strip()][:30]
    scores = {mark: _evenness(lines, mark) for mark in DELIMITERS}
    best = sorted(scores, key=lambda mark: scores[mark], reverse=True)
    if scores[best[0]][1] < 2:
        return ",", ()
    if scores[best[0]] == scores[best[1]]:
        raise DataError("delimiter_ambiguous", file=name, line=1, value=lines[0][:80], one=best[0], other=best[1])
    return best[0], (Finding("delimiter_found", "note", name, value=best[0].replace("\t", "TAB")),)


def _evenness(lines: Sequence[str], mark: str) -> tuple[bool, int, float]:
    """Return (is usable, cells of the header, share of lines with as many) for ranking."""
    widths = [len(next(csv.reader([line], delimiter=mark), ())) for line in lines]
    if not widths or widths[0] < 2:
        return (False, 0, 0.0)
    share = sum(width == widths[0] for width in widths) / len(widths)
    return (share >= 0.5 or len(widths) < 4, widths[0], share)


# --- each row on a line of its own: whole columns at once --------------------------


def _even(text: str, skip: int, delimiter: str, name: str, options: ReadOptions) -> Table | None:
    """Read text in which no cell runs over lines; None where a quote stands elsewhere than at a cell's edge."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    lines = Lines.of((plain if plain.endswith("\n") else plain + "\n").encode(), delimiter)
    if lines is None:
        return None
    most = options.bounds.cell_characters
    for i in lines.longer_than(most):
        if _longest_cell(lines, i) > most:
            _refuse_long(name, i + 1, options)
    cutter = LineCutter(name, options, skips_first=bool(skip))
    cells = cutter.cut(lines)
    if cutter.names is None:
        raise DataError("empty_file", file=name)
    if cells is None:
        frame, numbers = pd.DataFrame({header: pd.Series([], dtype="str") for header in cutter.names}), _NO_LINES
    else:
        frame, numbers = _frame(cells.rename_columns(cutter.names)), cutter.lines[0]
    return Table(name, frame, numbers, "text", cutter.blank, tuple(cutter.broken))


def _longest_cell(lines: Lines, i: int) -> int:
    try:
        return max(map(len, lines.cells(i)))
    except csv.Error:  # longer than the standard library reads at all
        return len(lines.text(i))


def _refuse_long(name: str, line: int, options: ReadOptions) -> NoReturn:
    raise DataError("cell_too_long", file=name, line=int(line), limit=options.bounds.cell_characters) from None


def _frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper=lambda kind: pd.StringDtype(na_value=np.nan))


# --- cells that run over lines: record by record ----------------------------------------------------------


class _Held:
    """Physical lines of text, kept while a record is being read so that its original text can be quoted."""

    def __init__(self, lines: Iterator[str], number: int) -> None:
        self.lines, self.number = lines, number
        self.held: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.number += 1
        self.held.append(line)
        return line

    def release(self) -> tuple[int, str]:
        """Return (first line number, text) of what was read since the last release."""
        text, first = "".join(self.held), self.number - len(self.held) + 1
        self.held = []
        return first, text


def _uneven(text: str, skip: int, delimiter: str, name: str, options: ReadOptions) -> Table:
    """Read text sign by sign. A row whose quotes are wrong within its own line is broken; an unclosed quote refuses."""
    old = csv.field_size_limit(options.bounds.cell_characters)
    try:
        return _records(text, skip, delimiter, name, options)
    finally:
        csv.field_size_limit(old)


def _records(text: str, skip: int, delimiter: str, name: str, options: ReadOptions) -> Table:
    lines = _Held(iter(io.StringIO(text[skip:], newline="")), 1 if skip else 0)
    store: _Store | None = None
    numbers, broken, blank = [], [], 0
    for first, raw, cells in _each(lines, delimiter, name, options):
        if cells is not None and not any(cell.strip() for cell in cells):
            blank += store is not None
        elif store is None:
            if cells is None:
                raise DataError("quote_broken", file=name, line=first, value=raw.strip()[:80])
            store = _Store(header_names(cells, name, first, options))
        elif cells is None:
            broken.append(Broken(first, raw.rstrip("\r\n"), "row_quote"))
        elif len(cells) != len(store.names):
            broken.append(misfit(first, raw.rstrip("\r\n"), len(cells), len(store.names)))
        else:
            store.add(cells)
            numbers.append(first)
    if store is None:
        raise DataError("empty_file", file=name)
    return Table(name, store.frame(), np.array(numbers, dtype=np.int64), "text", blank, tuple(broken))


def _each(lines: _Held, delimiter: str, name: str, options: ReadOptions) -> Iterator[tuple[int, str, list[str] | None]]:
    """Yield (first line, original text, cells) of each record; cells are None where its quotes are wrong."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = None
            if "limit" in str(error) and len(lines.held) == 1:
                _refuse_long(name, lines.number, options)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            if len(lines.held) > 1:
                first, raw = lines.release()
                raise DataError("quote_unclosed", file=name, line=first, value=raw.splitlines()[0][:80]) from None
        first, raw = lines.release()
        yield first, raw, cells


class _Store:
    """Columns of text built chunk by chunk, so that no more than one chunk stands in memory as Python objects."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.rows: list[list[str]] = []
        self.parts: list[pa.Table] = []

    def add(self, cells: list[str]) -> None:
        """Take one row."""
        self.rows.append(cells)
        if len(self.rows) == _CHUNK:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        columns = zip(*self.rows, strict=True) if self.rows else [[] for _ in self.names]
        self.parts.append(pa.table([pa.array(column, pa.string()) for column in columns], names=self.names))
        self.rows = []

    def frame(self) -> pd.DataFrame:
        """Return all rows."""
        import pyarrow as pa

        if self.rows or not self.parts:
            self._flush()
        return _frame(pa.concat_tables(self.parts))
