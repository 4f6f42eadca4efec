"""XES event logs (IEEE 1849) -> Table: a row an event; `case:` begins the names of what its trace says."""

from __future__ import annotations

import gzip
import io
import re
import sys
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.reading.containers.markup import parse_markup
from funnelkit.reading.containers.options import ReadOptions, Table

_VALUES = frozenset(("string", "date", "int", "float", "boolean", "id"))
_GZIP = b"\x1f\x8b"
_LOG = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>|\s)*<(?:\w+:)?log\b", re.DOTALL
)


def is_xes(head: bytes) -> bool:
    """Return True where a file's first bytes, also packed by gzip, begin an event log."""
    if head.startswith(_GZIP):
        try:
            with gzip.open(io.BytesIO(head)) as stream:
                head = stream.read1(20_000)
        except (OSError, EOFError, ValueError):
            return False
    return _LOG.match(head) is not None


def read_xes(stream: IO[bytes], size: int, name: str, options: ReadOptions) -> Table:
    """Return the Table of an event log of `size` bytes, parsed as it is read.

    Raises DataError where it is no whole XML, declares a document type, holds no event, or passes a limit.
    """
    packed = stream.read(2) == _GZIP
    stream.seek(0)
    log = _Log(name, options)
    source: Any = _Bounded(gzip.GzipFile(fileobj=stream), size, name, options) if packed else stream
    try:
        parse_markup(source, name, start=log.start, end=log.end)
    except (OSError, EOFError) as error:
        raise DataError("archive_broken", file=name, reason=str(error)) from None
    if not log.lines:
        raise DataError("empty_file", file=name)
    columns = {header: pd.Series(cells, dtype="str") for header, cells in log.filled().items()}
    return Table(name, pd.DataFrame(columns), np.array(log.lines, dtype=np.int64), "xes")


class _Bounded:
    """An unpacked stream that ends with an error where it holds more than the limits allow."""

    def __init__(self, stream: Any, packed: int, name: str, options: ReadOptions) -> None:
        self.stream, self.name, self.bounds = stream, name, options.bounds
        self.left = min(self.bounds.unpacked_bytes, self.bounds.archive_ratio * packed)

    def read(self, n: int) -> bytes:
        data: bytes = self.stream.read(n)
        self.left -= len(data)
        if self.left < 0:
            raise DataError(
                "archive_too_large", file=self.name, ratio=self.bounds.archive_ratio, size=self.bounds.unpacked_bytes
            )
        return data


class _Log:
    """Collects the events; an attribute inside another attribute says nothing about stages and is passed over."""

    def __init__(self, name: str, options: ReadOptions) -> None:
        self.name, self.bounds = name, options.bounds
        self.columns: dict[str, list[str | None]] = {}
        self.lines: list[int] = []
        self.trace: dict[str, str] = {}
        self.event: dict[str, str] | None = None
        self.traces = self.depth = 0  # depth: of attributes, within one trace or event
        self.inside = False

    def start(self, tag: str, attributes: Mapping[str, str], line: int) -> None:
        if tag == "trace":
            self.trace, self.inside, self.traces = {}, True, self.traces + 1
        elif tag == "event":
            self.event = {}
            self.lines.append(line)
            if len(self.lines) > self.bounds.table_rows:
                raise DataError("too_many_rows", file=self.name, limit=self.bounds.table_rows)
        else:
            self.depth += 1
            if tag in _VALUES and self.depth == (2 if self.inside or self.event is not None else 0):
                self._take(attributes, line)

    def _take(self, attributes: Mapping[str, str], line: int) -> None:
        key, value = attributes.get("key", ""), attributes.get("value", "")
        if len(value) > self.bounds.cell_characters:
            raise DataError("cell_too_long", file=self.name, line=line, limit=self.bounds.cell_characters)
        value = sys.intern(value) if len(value) < 40 else value
        if self.event is None:
            self.trace[f"case:{key}"] = value
        else:
            self.event[key] = value

    def end(self, tag: str) -> None:
        if tag == "event":
            self._close_event()
        elif tag == "trace":
            self.inside = False
        else:
            self.depth -= 1

    def _close_event(self) -> None:
        number = len(self.lines) - 1
        if self.inside:
            self.trace.setdefault("case:concept:name", str(self.traces))
        for key, value in {**self.trace, **(self.event or {})}.items():
            cells = self.columns.get(key)
            if cells is None:
                cells = self.columns[key] = []
                if len(self.columns) > self.bounds.columns:
                    n = len(self.columns)
                    raise DataError("too_many_columns", file=self.name, n=n, limit=self.bounds.columns)
            cells.extend([None] * (number - len(cells)))
            cells.append(value)
        self.event = None

    def filled(self) -> dict[str, list[str | None]]:
        """Return the columns, each with a cell for every event; those of the trace are first."""
        n = len(self.lines)
        return {header: [*cells, *[None] * (n - len(cells))] for header, cells in self.columns.items()}
