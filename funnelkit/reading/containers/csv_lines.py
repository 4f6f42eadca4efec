"""Delimited text cut whole columns at a time, where each row is one line: numpy counts the cells, arrow cuts them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from funnelkit.language import DataError
from funnelkit.reading.containers.options import Broken, ReadOptions, check_header

if TYPE_CHECKING:
    import pyarrow as pa

_NEWLINE, _QUOTE = 10, 34
_SPACE = np.array([chr(code).isspace() and code < 128 for code in range(256)])
_FEW = 8  # bytes by which nearly every line shows that it is not empty


@dataclass(frozen=True)
class Lines:
    """A block of whole lines as bytes: where each starts and ends, and which bytes part its cells."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    marks: NDArray[np.bool_]
    delimiter: str

    @classmethod
    def of(cls, block: bytes, delimiter: str) -> Lines | None:
        """Return the lines of a block; None where a quote opens or closes elsewhere than at a cell's edge.

        Then only reading character by character tells.
        """
        if ord(delimiter) > 127:
            return None
        data = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(data == _NEWLINE)
        marks = data == ord(delimiter)
        if b'"' in block:
            outside = _outside(data, ends, ord(delimiter))
            if outside is None:
                return None
            marks &= outside
        return cls(data, np.concatenate(([0], ends[:-1] + 1)), ends, marks, delimiter)

    def longer_than(self, most: int) -> NDArray[np.int64]:
        """Return the places of the lines with more bytes than this."""
        return np.flatnonzero(self.ends - self.starts > most)

    def text(self, i: int) -> str:
        """Return a line as it stands."""
        return self.data[self.starts[i] : self.ends[i]].tobytes().decode()

    def cells(self, i: int) -> list[str]:
        """Return the cells of a line."""
        return next(csv.reader([self.text(i)], delimiter=self.delimiter), [])

    def widths(self) -> NDArray[np.int64]:
        """Return how many cells each line has."""
        return np.diff(np.searchsorted(np.flatnonzero(self.marks), self.ends), prepend=0) + 1

    def empty(self) -> NDArray[np.bool_]:
        """Return which lines hold nothing but separators, spaces and quotes around nothing."""
        plain = _SPACE.copy()
        plain[[ord(self.delimiter), _QUOTE]] = True
        empty = self.starts == self.ends
        doubtful = np.flatnonzero(~empty)
        for offset in range(_FEW):
            at = self.starts[doubtful] + offset
            inside = at < self.ends[doubtful]
            doubtful = doubtful[~inside | plain[self.data[np.minimum(at, len(self.data) - 1)]]]
        for i in map(int, doubtful):
            bare = bool(plain[self.data[self.starts[i] : self.ends[i]]].all())
            empty[i] = bare and not any(map(str.strip, self.cells(i)))
        return np.asarray(empty, dtype=bool)

    def only(self, wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Return the bytes of these lines, of which there must be one."""
        rows = np.flatnonzero(wanted)
        if len(rows) == rows[-1] - rows[0] + 1:
            return self.data[self.starts[rows[0]] : self.ends[rows[-1]] + 1]
        return self.data[np.repeat(wanted, self.ends - self.starts + 1)]


def _outside(data: NDArray[np.uint8], ends: NDArray[np.int64], mark: int) -> NDArray[np.bool_] | None:
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


class LineCutter:
    """Cuts block after block: the first filled line is the header, a line of another width is broken.

    `names` is None until the header was met; `lines` holds the line numbers of the rows that fit.
    """

    def __init__(self, name: str, options: ReadOptions, *, skips_first: bool) -> None:
        self.name, self.options, self.skips_first = name, options, skips_first
        self.names: list[str] | None = None
        self.lines: list[NDArray[np.signedinteger]] = []
        self.broken: list[Broken] = []
        self.blank = self.number = 0

    def cut(self, lines: Lines) -> pa.Table | None:
        """Return the cells of the rows that fit the header, None where there are none."""
        empty = lines.empty()
        body = ~empty
        if self.skips_first and not self.number:
            body[0] = empty[0] = False
        if self.names is None and not self._take_header(lines, body, empty):
            return None
        assert self.names is not None
        widths, first = lines.widths(), self.number + 1
        good = body & (widths == len(self.names))
        for i in map(int, np.flatnonzero(body & ~good)):
            self.broken.append(misfit(first + i, lines.text(i), int(widths[i]), len(self.names)))
        self.blank += int(empty.sum())
        self.number += len(lines.ends)
        rows = np.flatnonzero(good)
        if not len(rows):
            return None
        self.lines.append((rows + first).astype("int32" if first < 2**30 else "int64"))
        return _arrow_table(lines.only(good), len(self.names), lines.delimiter)

    def _take_header(self, lines: Lines, body: NDArray[np.bool_], empty: NDArray[np.bool_]) -> bool:
        filled = np.flatnonzero(body)
        if not len(filled):
            return False
        i = int(filled[0])
        self.names = header_names(lines.cells(i), self.name, i + 1, self.options)
        body[: i + 1] = empty[: i + 1] = False
        return True


def header_names(cells: Sequence[str], name: str, line: int, options: ReadOptions) -> list[str]:
    """Return the header's names; unnamed columns are called by their number."""
    names = [cell.strip().strip("\ufeff") for cell in cells]
    if len(names) > options.bounds.columns:
        raise DataError("too_many_columns", file=name, n=len(names), limit=options.bounds.columns)
    names = [text or f"column {number}" for number, text in enumerate(names, 1)]
    check_header(names, name, line)
    return names


def misfit(line: int, text: str, found: int, expected: int) -> Broken:
    """Return a row with another number of cells than the header."""
    return Broken(int(line), text, "row_width", {"found": found, "expected": expected})


def _arrow_table(data: NDArray[np.uint8], width: int, delimiter: str) -> pa.Table:
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
