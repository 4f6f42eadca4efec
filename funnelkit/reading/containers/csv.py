"""Delimited text -> Table: delimiter, header, quotes, and for each row the physical line that it starts on."""

import csv
import io

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.options import Broken, Table, check_header

DELIMITERS = (",", ";", "\t", "|")
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_CHUNK = 100_000
_NEWLINE, _QUOTE = 10, 34
_SPACE = np.array([chr(code).isspace() and code < 128 for code in range(256)])


def read_delimited(text, name, options, notes=()):
    """Return the Table of delimited text. Rows that do not fit the header are `broken`, blank lines are counted.

    Raises DataError on text without a header, an unclosed quote, a repeated header, or a cell or width over the limit.
    """
    skip, declared = _separator_line(text)
    delimiter, found = _delimiter(text[skip:], name, options.delimiter or declared)
    notes = [*notes, *found]
    table = _even(text, skip, delimiter, name, options)
    if table is None:
        table = _uneven(text, skip, delimiter, name, options)
    if not text.endswith(("\n", "\r")):
        last = int(table.lines[-1]) if len(table.lines) else 1
        notes.append(not_ended(name, last, text))
    notes = (*notes, *table.notes)
    return Table(name, table.cells, table.lines, "text", table.blank, table.broken, notes, delimiter)


def not_ended(name, line, text):
    """Return the finding on a text whose last line does not end."""
    return Finding("no_final_newline", "warn", name, line, values={"text": text[-200:].splitlines()[-1][-60:]})


def _separator_line(text):
    """Return (characters to skip, delimiter) of the line `sep=;` that some spreadsheets write first."""
    first = text[:20].split("\n", 1)[0].rstrip("\r")
    if first.lower().startswith("sep=") and len(first) == 5:
        return text.index("\n") + 1 if "\n" in text else len(text), first[4]
    return 0, None


def _delimiter(text, name, declared):
    """Return (delimiter, findings): as declared, or the one that cuts the first lines into equally many cells."""
    if declared:
        declared = _NAMED.get(declared.lower(), declared)
        if len(declared) != 1 or declared in '"\r\n':
            raise DataError("delimiter_bad", file=name, value=declared)
        return declared, ()
    sample = text[:100_000].replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in sample.split("\n") if line.strip()][:30]
    scores = {mark: _evenness(lines, mark) for mark in DELIMITERS}
    best = sorted(scores, key=scores.get, reverse=True)
    if scores[best[0]][1] < 2:
        return ",", ()
    if scores[best[0]] == scores[best[1]]:
        raise DataError("delimiter_ambiguous", file=name, line=1, value=lines[0][:80], one=best[0], other=best[1])
    return best[0], (Finding("delimiter_found", "note", name, value=best[0].replace("\t", "TAB")),)


def _evenness(lines, mark):
    """Return (is usable, cells of the header, share of lines with as many) for ranking."""
    widths = [len(next(csv.reader([line], delimiter=mark), ())) for line in lines]
    if not widths or widths[0] < 2:
        return (False, 0, 0.0)
    share = sum(width == widths[0] for width in widths) / len(widths)
    return (share >= 0.5 or len(widths) < 4, widths[0], share)


def _headers(cells, name, line, options):
    """Return the header's names; unnamed columns at the right end stay out, others are called by their number."""
    names = [cell.strip().strip("\ufeff") for cell in cells]
    if len(names) > options.bounds.columns:
        raise DataError("too_many_columns", file=name, n=len(names), limit=options.bounds.columns)
    names = [text or f"column {number}" for number, text in enumerate(names, 1)]
    check_header(names, name, line)
    return names


# --- each row on a line of its own: whole columns at once --------------------------


def _even(text, skip, delimiter, name, options):
    """Read text in which no cell runs over lines: numpy counts the cells of each line, arrow cuts the lines that fit.

    Returns None where a quote opens or closes elsewhere than at a cell's edge: then only reading sign by sign tells.
    """
    if ord(delimiter) > 127:
        return None
    plain = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    data = np.frombuffer((plain if plain.endswith("\n") else plain + "\n").encode(), np.uint8)
    ends = np.flatnonzero(data == _NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    outside = _outside(data, ends, ord(delimiter)) if '"' in plain else True
    if outside is None:
        return None
    marks = (data == ord(delimiter)) & outside
    widths = np.add.reduceat(marks, starts, dtype=np.int64) + 1
    for i in np.flatnonzero(ends - starts > options.bounds.cell_characters):
        if _longest_cell(_line_text(data, starts, ends, i), delimiter) > options.bounds.cell_characters:
            _refuse_long(name, i + 1, options)
    quotes = data == _QUOTE
    empty = np.add.reduceat(marks | _SPACE[data] | quotes, starts, dtype=np.int64) == ends - starts + 1
    for i in np.flatnonzero(empty & (np.add.reduceat(quotes, starts, dtype=np.int64) > 0)):
        empty[i] = not any(map(str.strip, _line_cells(data, starts, ends, i, delimiter)))
    filled = np.flatnonzero(~empty & (np.arange(len(starts)) >= bool(skip)))
    if not len(filled):
        raise DataError("empty_file", file=name)
    first = int(filled[0])
    names = _headers(_line_cells(data, starts, ends, first, delimiter), name, first + 1, options)
    body = (np.arange(len(starts)) > first) & ~empty
    good = body & (widths == len(names))
    broken = tuple(
        _misfit(i + 1, _line_text(data, starts, ends, i), widths[i], len(names)) for i in np.flatnonzero(body & ~good)
    )
    cells = _arrow_cells(data[np.repeat(good, ends - starts + 1)], names, delimiter)
    return Table(name, cells, np.flatnonzero(good) + 1, "text", int(empty[first:].sum()), broken)


def _outside(data, ends, mark):
    """Return which bytes are outside quotes; None unless every quote opens or closes a cell of its own line."""
    quotes = np.flatnonzero(data == _QUOTE)
    inside = np.bitwise_xor.accumulate((data == _QUOTE).view(np.uint8))
    if inside[ends].any():
        return None
    edges = np.zeros(256, dtype=bool)
    edges[[mark, _NEWLINE, _QUOTE]] = True
    opens, closes = quotes[::2], quotes[1::2]
    regular = edges[data[opens - 1]] | (opens == 0)
    return inside == 0 if regular.all() and edges[data[closes + 1]].all() else None


def _line_text(data, starts, ends, i):
    return data[starts[i] : ends[i]].tobytes().decode()


def _line_cells(data, starts, ends, i, delimiter):
    return next(csv.reader([_line_text(data, starts, ends, i)], delimiter=delimiter), [])


def _longest_cell(line, delimiter):
    try:
        return max(map(len, next(csv.reader([line], delimiter=delimiter))))
    except csv.Error:  # longer than the standard library reads at all
        return len(line)


def _misfit(line, text, found, expected):
    return Broken(int(line), text, "row_width", {"found": found, "expected": expected})


def _refuse_long(name, line, options):
    raise DataError("cell_too_long", file=name, line=int(line), limit=options.bounds.cell_characters) from None


def _arrow_cells(data, names, delimiter):
    if not len(data):
        return pd.DataFrame({header: pd.Series([], dtype="str") for header in names})
    return _frame(arrow_table(data, len(names), delimiter).rename_columns(names))


def arrow_table(data, width, delimiter):
    """Return the cells of lines that all have `width` of them, as text."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    keys = [str(number) for number in range(width)]
    return arrow_csv.read_csv(
        pa.py_buffer(np.ascontiguousarray(data)),
        arrow_csv.ReadOptions(column_names=keys, block_size=1 << 24),
        arrow_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False),
        arrow_csv.ConvertOptions(column_types=dict.fromkeys(keys, pa.string()), strings_can_be_null=False),
    )


def _frame(table):
    return table.to_pandas(types_mapper=lambda kind: pd.StringDtype(na_value=np.nan))


# --- cells that run over lines: record by record ----------------------------------------------------------


class _Lines:
    """Physical lines of text, kept while a record is being read so that its original text can be quoted."""

    def __init__(self, lines, number):
        self.lines, self.number, self.held = lines, number, []

    def __iter__(self):
        return self

    def __next__(self):
        line = next(self.lines)
        self.number += 1
        self.held.append(line)
        return line

    def release(self):
        """Return (first line number, text) of what was read since the last release."""
        text, first = "".join(self.held), self.number - len(self.held) + 1
        self.held = []
        return first, text


def _uneven(text, skip, delimiter, name, options):
    """Read text sign by sign. A row whose quotes are wrong within its own line is broken; an unclosed quote refuses."""
    old = csv.field_size_limit(options.bounds.cell_characters)
    try:
        return _records(text, skip, delimiter, name, options)
    finally:
        csv.field_size_limit(old)


def _records(text, skip, delimiter, name, options):
    lines = _Lines(iter(io.StringIO(text[skip:], newline="")), 1 if skip else 0)
    names, store, numbers, broken, blank = None, None, [], [], 0
    for first, raw, cells in _each(lines, delimiter, name, options):
        if cells is not None and not any(cell.strip() for cell in cells):
            blank += names is not None
        elif names is None:
            if cells is None:
                raise DataError("quote_broken", file=name, line=first, value=raw.strip()[:80])
            names = _headers(cells, name, first, options)
            store = _Store(names)
        elif cells is None:
            broken.append(Broken(first, raw.rstrip("\r\n"), "row_quote"))
        elif len(cells) != len(names):
            broken.append(_misfit(first, raw.rstrip("\r\n"), len(cells), len(names)))
        else:
            store.add(cells)
            numbers.append(first)
    if names is None:
        raise DataError("empty_file", file=name)
    return Table(name, store.frame(), np.array(numbers, dtype=np.int64), "text", blank, tuple(broken))


def _each(lines, delimiter, name, options):
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

    def __init__(self, names):
        self.names, self.rows, self.parts = names, [], []

    def add(self, cells):
        """Take one row."""
        self.rows.append(cells)
        if len(self.rows) == _CHUNK:
            self._flush()

    def _flush(self):
        import pyarrow as pa

        columns = zip(*self.rows, strict=True) if self.rows else [[] for _ in self.names]
        self.parts.append(pa.table([pa.array(column, pa.string()) for column in columns], names=self.names))
        self.rows = []

    def frame(self):
        """Return all rows."""
        import pyarrow as pa

        if self.rows or not self.parts:
            self._flush()
        return _frame(pa.concat_tables(self.parts))
