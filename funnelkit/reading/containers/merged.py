"""Merged cells of an xlsx sheet: what stands in the first of them holds for the rows below that they cover."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from funnelkit.reading.containers.markup import parse_markup

_REF = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})\"")


def merged_down(data: bytes, name: str, title: str) -> dict[int, list[tuple[int, int]]]:
    """Return {first row: [(column, last row)]} of the ranges of a sheet that cover several rows; rows from 0."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        part = _part_of(archive, name, title)
        if part is None:
            return {}
        found: dict[int, list[tuple[int, int]]] = {}
        tail = b""
        with archive.open(part) as stream:
            while chunk := stream.read(1 << 20):
                block = tail + chunk
                for match in _REF.finditer(block):
                    first, last = int(match[2]) - 1, int(match[4]) - 1
                    if last > first:
                        found.setdefault(first, []).append((column_number(match[1]) - 1, last))
                tail = block[-200:]
    return {row: list(dict.fromkeys(ranges)) for row, ranges in found.items()}


def filled_down(rows: Iterable[Sequence[Any]], ranges: Mapping[int, Sequence[tuple[int, int]]]) -> Iterator[list[Any]]:
    """Yield rows with the value of a merged cell in each row that it covers."""
    held: dict[int, tuple[int, Any]] = {}
    for number, row in enumerate(rows):
        cells = list(row)
        held = {column: (last, value) for column, (last, value) in held.items() if number <= last}
        for column, (_, value) in held.items():
            cells += [None] * (column + 1 - len(cells))
            if cells[column] in (None, ""):
                cells[column] = value
        for column, last in ranges.get(number, ()):
            if column < len(cells):
                held[column] = (last, cells[column])
        yield cells


def _part_of(archive: zipfile.ZipFile, name: str, title: str) -> str | None:
    """Return the part of the archive that holds a sheet."""
    ids: dict[str, str] = {}
    parts: dict[str, str] = {}

    def sheet(tag: str, attributes: Mapping[str, str], _: int) -> None:
        if tag == "sheet":
            link = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            ids[attributes.get("name", "")] = link

    def relation(tag: str, attributes: Mapping[str, str], _: int) -> None:
        if tag == "Relationship":
            parts[attributes.get("Id", "")] = posixpath.join("/xl", attributes.get("Target", "")).lstrip("/")

    try:
        for file, start in (("xl/workbook.xml", sheet), ("xl/_rels/workbook.xml.rels", relation)):
            with archive.open(file) as stream:
                parse_markup(stream, name, start=start, end=lambda _: None)
    except KeyError:
        return None
    part = posixpath.normpath(parts.get(ids.get(title, ""), "-"))
    return part if part in archive.namelist() else None


def column_number(letters: bytes) -> int:
    """Return the number of a column of a sheet, from 1.

    >>> column_number(b"A"), column_number(b"AB")
    (1, 28)
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
