"""Large: a big UTF-8 text file block by block -> Table, in little memory; repetitive columns become categories.

Only what is plain is read here: where a quote, sign or line is out of the ordinary the answer is None, and the file is
read as any other, with the same result. Lines are cut as `csv` cuts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.pipeline import Finding
from funnelkit.reading.containers.csv import find_delimiter, not_ended, separator_line
from funnelkit.reading.containers.csv_lines import LineCutter, Lines
from funnelkit.reading.containers.options import ReadOptions, Table

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST_PLAIN = 32_000_000  # bytes of a file that is read in one go
BLOCK = 1 << 24
_AT_ONCE = 2  # threads: more would hold more blocks
MOST_NAMES = 30_000  # different values of a column that is kept as categories
_MARK = b"\xef\xbb\xbf"


def read_large(path: Path, options: ReadOptions, notes: Iterable[Finding]) -> Table | None:
    """Return the Table of a file of plain delimited text, None where reading it needs more care."""
    import pyarrow as pa

    size = path.stat().st_size
    with path.open("rb") as file, ThreadPoolExecutor(_AT_ONCE) as pool:
        blocks = _blocks(file)
        first = next(blocks, None)
        if first is None:
            return None
        try:
            reader = _Reader(first[:200_000].decode("utf-8", "ignore"), path.name, options, pool)
            for lines in reader.lines(chain([first], blocks)):
                if lines is None or not reader.take(lines):
                    return None
                if options.progress:
                    options.progress(file.tell() / size / 2)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            return None
        file.seek(-min(size, 1000), 2)
        tail = file.read()
    return reader.table(notes, "" if tail.endswith(b"\n") else tail.decode("utf-8", "ignore"))


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the file's bytes in blocks that end with a line; line ends are one sign."""
    held = b"" if (head := file.read(3)) == _MARK else head
    while chunk := file.read(BLOCK):
        cut = chunk.rfind(b"\n") + 1
        block, held = (held + chunk[:cut], chunk[cut:]) if cut else (b"", held + chunk)
        if block:
            yield block.replace(b"\r\n", b"\n") if b"\r" in block else block
    if held:
        yield held + b"\n"


class _Reader:
    """Takes blocks, keeps columns; where the file is not plain, its lines are None or `take` returns False.

    Blocks are taken in their order; the next one is cut into lines meanwhile, and its columns are coded side by side.
    """

    def __init__(self, sample: str, name: str, options: ReadOptions, pool: ThreadPoolExecutor) -> None:
        self.name, self.most, self.pool = name, options.bounds.cell_characters, pool
        skip, declared = separator_line(sample)
        self.delimiter, self.notes = find_delimiter(sample[skip:], name, options.delimiter or declared)
        self.cutter = LineCutter(name, options, skips_first=bool(skip))
        self.columns: list[_Column] = []

    def lines(self, blocks: Iterable[bytes]) -> Iterator[Lines | None]:
        """Yield the lines of each block, one block ahead of who takes them."""
        ahead = None
        for block in blocks:
            behind, ahead = ahead, self.pool.submit(self._lines_of, block)
            if behind:
                yield behind.result()
        if ahead:
            yield ahead.result()

    def _lines_of(self, block: bytes) -> Lines | None:
        if b"\0" in block or b"\r" in block:
            return None
        lines = Lines.of(block, self.delimiter)
        return None if lines is None or len(lines.longer_than(self.most)) else lines

    def take(self, lines: Lines) -> bool:
        """Read the lines of one block."""
        table = self.cutter.cut(lines)
        if self.cutter.names is None:
            return False
        self.columns = self.columns or [_Column() for _ in self.cutter.names]
        if table is not None:
            list(self.pool.map(_Column.take, self.columns, table.columns))
        return True

    def table(self, notes: Iterable[Finding], tail: str) -> Table | None:
        """Return what was read as a Table; `tail` is the end of a text whose last line does not end."""
        cut = self.cutter
        if cut.names is None or not cut.lines:
            return None
        cells = pd.DataFrame({name: column.series() for name, column in zip(cut.names, self.columns, strict=True)})
        lines = np.concatenate(cut.lines)
        notes = [*notes, *self.notes]
        if tail:
            notes.append(not_ended(self.name, int(lines[-1]), tail))
        return Table(self.name, cells, lines, "text", cut.blank, tuple(cut.broken), tuple(notes), self.delimiter)


class _Column:
    """The cells of a column so far: codes of categories while few values differ, else text."""

    def __init__(self) -> None:
        self.codes: list[NDArray[np.int16]] = []
        self.known: dict[str, int] | None = {}
        self.texts: list[pa.ChunkedArray] = []

    def take(self, cells: pa.ChunkedArray) -> None:
        """Add the cells of one block."""
        if self.known is None:
            self.texts.append(cells)
            return
        coded = cells.combine_chunks().dictionary_encode()
        values = coded.dictionary.to_pylist() if len(coded.dictionary) <= MOST_NAMES else None
        if values is None or len(self.known.keys() | values) > MOST_NAMES or 4 * len(values) > max(len(cells), 400):
            self._spell_out(self.known)
            self.texts.append(cells)
            return
        codes = np.array([self.known.setdefault(value, len(self.known)) for value in values], dtype="int16")
        self.codes.append(codes[coded.indices.to_numpy(zero_copy_only=False)])

    def _spell_out(self, known: Iterable[str]) -> None:
        import pyarrow as pa

        names = pa.array(list(known), pa.string())
        self.texts = [pa.chunked_array([names.take(pa.array(codes))]) for codes in self.codes]
        self.codes, self.known = [], None

    def series(self) -> pd.Series:
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
