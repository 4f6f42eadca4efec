"""Large: a big UTF-8 text file block by block -> Table, in little memory; repetitive columns become categories.

Only what is plain is read here: where a quote, sign or line is out of the ordinary the answer is None, and the file is
read as any other, with the same result. Line numbers, broken rows and blank lines are those of `delimited`.
"""

import numpy as np
import pandas as pd

from funnelkit.reading.containers import csv
from funnelkit.reading.containers.options import Table

LARGEST_PLAIN = 32_000_000  # bytes of a file that is read in one go
BLOCK = 1 << 24
MOST_NAMES = 30_000  # different values of a column that is kept as categories
_MARK = b"\xef\xbb\xbf"


def read_large(path, options, notes):
    """Return the Table of a file of plain delimited text, None where reading it needs more care."""
    size = path.stat().st_size
    with path.open("rb") as file:
        blocks = _blocks(file)
        first = next(blocks, None)
        if first is None:
            return None
        try:
            reader = _Reader(first[:200_000].decode("utf-8", "ignore"), path.name, options)
            for block in _chain(first, blocks):
                if not reader.take(block):
                    return None
                if options.progress:
                    options.progress(file.tell() / size / 2)
        except (UnicodeDecodeError, _arrow_error()):
            return None
        file.seek(-min(size, 1000), 2)
        tail = file.read()
    return reader.table(notes, "" if tail.endswith(b"\n") else tail.decode("utf-8", "ignore"))


def _arrow_error():
    import pyarrow as pa

    return pa.ArrowInvalid


def _chain(first, rest):
    yield first
    yield from rest


def _blocks(file):
    """Yield the file's bytes in blocks that end with a line; line ends are one sign. None yielded: not plain."""
    held = b"" if (head := file.read(3)) == _MARK else head
    while chunk := file.read(BLOCK):
        cut = chunk.rfind(b"\n") + 1
        block, held = (held + chunk[:cut], chunk[cut:]) if cut else (b"", held + chunk)
        if block:
            yield block.replace(b"\r\n", b"\n") if b"\r" in block else block
    if held:
        yield held + b"\n"


class _Reader:
    """Takes blocks, keeps columns; `take` returns False where the file is not plain."""

    def __init__(self, sample, name, options):
        self.name, self.options, self.names = name, options, None
        self.skip, declared = csv._separator_line(sample)
        self.delimiter, self.notes = csv._delimiter(sample[self.skip :], name, options.delimiter or declared)
        self.columns, self.lines, self.broken, self.blank, self.number = [], [], [], 0, 0

    def take(self, block):
        """Read one block."""
        if b"\0" in block or b"\r" in block or ord(self.delimiter) > 127:
            return False
        data = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(data == csv._NEWLINE)
        starts = np.concatenate(([0], ends[:-1] + 1))
        if (ends - starts).max() > self.options.bounds.cell_characters:
            return False
        marks = data == ord(self.delimiter)
        if b'"' in block:
            outside = csv._outside(data, ends, ord(self.delimiter))
            if outside is None:
                return False
            marks &= outside
        widths = np.diff(np.searchsorted(np.flatnonzero(marks), ends), prepend=0) + 1
        empty = self._empty(data, starts, ends)
        body = ~empty
        if self.skip and not self.number:
            body[0] = empty[0] = False
        if self.names is None and not self._take_header(data, starts, ends, body, empty):
            return False
        self.blank += int(empty.sum())
        self._take_rows(data, starts, ends, widths, body)
        self.number += len(ends)
        return True

    def _take_header(self, data, starts, ends, body, empty):
        filled = np.flatnonzero(body)
        if not len(filled):
            return False
        i = int(filled[0])
        cells = csv._line_cells(data, starts, ends, i, self.delimiter)
        self.names = csv._headers(cells, self.name, i + 1, self.options)
        self.columns = [_Column() for _ in self.names]
        body[: i + 1] = empty[: i + 1] = False
        return True

    def _empty(self, data, starts, ends):
        """Return which lines hold nothing but separators, blanks and quotes around nothing."""
        plain = csv._SPACE.copy()
        plain[[ord(self.delimiter), csv._QUOTE]] = True
        doubtful = np.arange(len(starts))
        for offset in range(8):
            at = starts[doubtful] + offset
            inside = at < ends[doubtful]
            doubtful = doubtful[~inside | plain[data[np.minimum(at, len(data) - 1)]]]
        empty = np.zeros(len(starts), dtype=bool)
        for i in doubtful:
            empty[i] = not any(map(str.strip, csv._line_cells(data, starts, ends, i, self.delimiter)))
        return empty

    def _take_rows(self, data, starts, ends, widths, body):
        good = body & (widths == len(self.names))
        for i in np.flatnonzero(body & ~good):
            text = csv._line_text(data, starts, ends, i)
            self.broken.append(csv._misfit(self.number + i + 1, text, int(widths[i]), len(self.names)))
        rows = np.flatnonzero(good)
        if not len(rows):
            return
        self.lines.append((rows + self.number + 1).astype("int32" if self.number < 2**30 else "int64"))
        whole = len(rows) == rows[-1] - rows[0] + 1
        kept = data[starts[rows[0]] : ends[rows[-1]] + 1] if whole else data[np.repeat(good, ends - starts + 1)]
        for column, cells in zip(self.columns, csv.arrow_table(kept, len(self.names), self.delimiter), strict=True):
            column.take(cells)

    def table(self, notes, tail):
        """Return what was read as a Table; `tail` is the end of a text whose last line does not end."""
        if self.names is None or not self.lines:
            return None
        cells = pd.DataFrame({name: column.series() for name, column in zip(self.names, self.columns, strict=True)})
        lines = np.concatenate(self.lines)
        notes = [*notes, *self.notes]
        if tail:
            notes.append(csv.not_ended(self.name, int(lines[-1]), tail))
        return Table(self.name, cells, lines, "text", self.blank, tuple(self.broken), tuple(notes), self.delimiter)


class _Column:
    """The cells of a column so far: codes of categories while few values differ, else text."""

    def __init__(self):
        self.codes, self.known, self.texts = [], {}, []

    def take(self, cells):
        """Add the cells of one block."""
        if self.known is None:
            self.texts.append(cells)
            return
        coded = cells.combine_chunks().dictionary_encode()
        values = coded.dictionary.to_pylist() if len(coded.dictionary) <= MOST_NAMES else None
        if values is None or len(self.known.keys() | values) > MOST_NAMES or 4 * len(values) > max(len(cells), 400):
            self._spell_out()
            self.texts.append(cells)
            return
        codes = np.array([self.known.setdefault(value, len(self.known)) for value in values], dtype="int16")
        self.codes.append(codes[coded.indices.to_numpy(zero_copy_only=False)])

    def _spell_out(self):
        import pyarrow as pa

        names = pa.array(list(self.known), pa.string())
        self.texts = [pa.chunked_array([names.take(pa.array(codes))]) for codes in self.codes]
        self.codes, self.known = [], None

    def series(self):
        """Return the column; what was kept here is given up."""
        import pyarrow as pa

        if self.known is None:
            chunks = [pa.chunked_array([chunk.cast(pa.large_string()) for chunk in part.chunks]) for part in self.texts]
            self.texts = []
            whole = pa.chunked_array([chunk for part in chunks for chunk in part.chunks]).combine_chunks()
            return pd.Series(pd.array(whole, dtype=pd.StringDtype(na_value=np.nan)))
        names = pd.Index(list(self.known), dtype="str")
        codes, self.codes = np.concatenate(self.codes), []
        return pd.Series(pd.Categorical.from_codes(codes, names))
