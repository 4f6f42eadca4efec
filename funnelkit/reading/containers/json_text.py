"""JSON -> Table: an array of records, records under a name, columns, or one record a line (JSON lines).

What is nested one level deep becomes columns: `owner.name`; the records' own wrapping (`properties`, `fields`) leaves
no trace. A list of events inside a record (visits and their actions) becomes a row an event, and so does the history of
a property. Names that another table of the document has for ids take their place. Else what is nested deeper stays as
text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.excel import typed_column
from funnelkit.reading.containers.options import Broken, ReadOptions, Table
from funnelkit.reading.layouts.known import known_headers

_Row: TypeAlias = tuple[int, dict[str, Any]]  # physical line, record

# Members that only wrap the fields of a record.
_WRAPPERS = frozenset(("properties", "fields", "attributes", "values", "data", "event_properties", "eventProperties"))
# Members that list what happened to a record, an event each.
_EVENTS = ("actionDetails", "events", "history", "stageHistory", "stage_history", "transitions", "stageChanges")
# A member that holds the changes of each property of a record.
_HISTORY = "propertiesWithHistory"
# Members that name a record of another table, and that hold its place among the others.
_LABELS = ("name", "label", "display_name", "title")
_PLACES = ("position", "display_order", "displayOrder", "order")
# Members that list the records of a page, and what else a page says.
_PAGES = ("results", "records", "data", "items", "value", "values", "deals", "opportunities", "list")
_PAGING = frozenset((
    "paging", "next", "previous", "done", "totalsize", "total", "count", "nextrecordsurl", "success", "meta", "links",
    "additional_data", "has_more", "hasmore", "offset", "limit", "page", "info", "status", "@odata.context",
    "@odata.nextlink", "related_objects", "code", "message", "msg", "errcode", "errmsg", "time", "result",
))  # fmt: skip
_KNOWN = 3  # headers that must be known for a table to be taken before others
_START = re.compile(r"\s*(?:\{|\[\s*[\[{\]])")
_SPACE = re.compile(r"[ \t\r\n]*")


def looks_like_json(text: str) -> bool:
    """Return True where a text begins as a record, or as an array of records or rows."""
    return _START.match(text) is not None


def read_json(text: str, name: str, options: ReadOptions, notes: Sequence[Finding] = ()) -> Table:
    """Return the Table of JSON text. A line of JSON lines that is no record is `broken`.

    Raises DataError where the text is no JSON, holds no table or several, and where a limit is passed.
    """
    walker = _Walker(text, name)
    broken: list[Broken] = []
    if _is_lines(text):
        rows, blank = _line_records(text, broken)
    else:
        rows, blank = walker.records(options.table), 0
        notes = (*notes, *walker.notes)
    rows = list(_unnested(rows))
    columns: dict[str, list[Any]] = {}
    for number, (line, record) in enumerate(rows):
        for header, value in _flat(record):
            cells = columns.setdefault(header, [])
            cells.extend([None] * (number - len(cells)))
            cells.append(value)
            if isinstance(value, str) and len(value) > options.bounds.cell_characters:
                raise DataError("cell_too_long", file=name, line=line, limit=options.bounds.cell_characters)
        if len(columns) > options.bounds.columns:
            raise DataError("too_many_columns", file=name, n=len(columns), limit=options.bounds.columns)
    if not columns and not broken:
        raise DataError("empty_file", file=name)
    filled = {header: typed_column([*cells, *[None] * (len(rows) - len(cells))]) for header, cells in columns.items()}
    lines = np.array([line for line, _ in rows], dtype=np.int64)
    return Table(name, pd.DataFrame(filled, index=range(len(rows))), lines, "json", blank, tuple(broken), tuple(notes))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice!r} stands twice in one record")
    return record


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=lambda _: None)  # NaN is no value


# --- one record a line -----------------------------------------------------------------------------------------------


def _is_lines(text: str) -> bool:
    """Return True where the first filled line is a whole record and others follow."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.strip():
        return False
    try:
        return isinstance(_DECODER.decode(first.strip()), dict)
    except (ValueError, RecursionError):
        return rest.lstrip().startswith("{") and first.rstrip().endswith("}")


def _line_records(text: str, broken: list[Broken]) -> tuple[list[_Row], int]:
    """Return (records, blank lines); lines that are none go to `broken`."""
    rows: list[_Row] = []
    blank = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            blank += 1
            continue
        try:
            record = _DECODER.decode(line.strip())
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            rows.append((number, record))
        else:
            broken.append(Broken(number, line.rstrip("\r"), "row_json"))
    return rows, blank - text.endswith("\n")


# --- one document ----------------------------------------------------------------------------------------------------


class _Walker:
    """Walks through one document to its records and keeps the physical line of each."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self.at, self.counted, self.line = 0, 0, 1
        self.notes: tuple[Finding, ...] = ()

    def records(self, wanted: str | None) -> list[_Row]:
        """Return the records of the document."""
        self._skip()
        if self.text[self.at] == "[":
            rows = self._array()
        else:
            start = self.line
            tables, rest = self._members("")
            rows = self._chosen(tables, wanted) if tables else self._columns(rest, start)
        self._skip()
        if self.at < len(self.text):
            self._refuse(self.at, "text after the end")
        return rows

    def _chosen(self, tables: Mapping[str, list[_Row]], wanted: str | None) -> list[_Row]:
        chosen = wanted if wanted is not None else _most_known(tables)
        if chosen is None or chosen not in tables:
            raise DataError("json_tables", file=self.name, known=", ".join(tables))
        others = ", ".join(name for name in tables if name != chosen) or "-"
        rows, notes = _named(tables[chosen], {name: rows for name, rows in tables.items() if name != chosen}, self.name)
        self.notes = (Finding("table_found", "note", self.name, value=chosen, values={"others": others}), *notes)
        return rows

    def _columns(self, record: Mapping[str, Any], line: int) -> list[_Row]:
        """Return the rows of a record of columns: lists, or dicts by the same row names; another record is one row."""
        values = list(record.values())
        if values and all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
            return [(line, dict(zip(record, cells, strict=True))) for cells in zip(*values, strict=True)]
        if len(values) > 1 and all(isinstance(value, dict) for value in values):
            names = {tuple(value) for value in values}
            if len(names) == 1 and len(next(iter(names))):
                return [(line, {header: cells[row] for header, cells in record.items()}) for row in names.pop()]
        return [(line, dict(record))] if record else []

    def _members(self, prefix: str) -> tuple[dict[str, list[_Row]], dict[str, Any]]:
        """Return (tables by name, other members) of an object; tables stand in it or one level deeper."""
        tables: dict[str, list[_Row]] = {}
        rest: dict[str, Any] = {}
        self.at += 1
        while self._skip() != "}":
            member = self._value()
            if not isinstance(member, str) or self._skip() != ":":
                self._refuse(self.at, "':' is missing")
            if member in rest or f"{prefix}{member}" in tables:
                self._refuse(self.at, f"{member!r} stands twice in one record")
            self.at += 1
            if self._skip() == "[" and re.match(r"\[\s*\{", self.text[self.at : self.at + 200]):
                tables[f"{prefix}{member}"] = self._array()
            elif self._skip() == "{" and not prefix:
                start = self.at
                inner, _ = self._members(f"{member}.")
                if inner:
                    tables.update(inner)
                else:
                    self.at = start
                    rest[member] = self._value()
            else:
                rest[member] = self._value()
            self._next("}")
        self.at += 1
        return tables, rest

    def _array(self) -> list[_Row]:
        """Return the records of an array; of an array of rows the first is the header."""
        rows: list[_Row] = []
        header: list[str] | None = None
        self.at += 1
        while self._skip() != "]":
            line = self._line()
            value = self._value()
            if isinstance(value, list) and header is None and not rows:
                header = [str(cell) for cell in value]
            elif isinstance(value, list) and header is not None and len(value) <= len(header):
                rows.append((line, dict(zip(header, value, strict=False))))
            elif isinstance(value, dict) and header is None:
                rows.append((line, value))
            else:
                raise DataError("json_no_record", file=self.name, line=line, value=json.dumps(value)[:80])
            self._next("]")
        self.at += 1
        return rows

    def _skip(self) -> str:
        """Go to the next sign that is no space; return it, nothing at the end."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def _next(self, end: str) -> None:
        """Go past the comma after a member or record, or to the end of them."""
        sign = self._skip()
        if sign not in (",", end):
            self._refuse(self.at, f"',' or '{end}' is missing")
        self.at += sign == ","

    def _value(self) -> Any:
        try:
            value, self.at = _DECODER.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            self._refuse(error.pos, error.msg)
        except (ValueError, RecursionError) as error:
            self._refuse(self.at, "nested too deep" if isinstance(error, RecursionError) else str(error))
        return value

    def _line(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def _refuse(self, at: int, reason: str) -> None:
        line = self.text.count("\n", 0, at) + 1
        place = at - self.text.rfind("\n", 0, at)
        raise DataError("json_broken", file=self.name, line=line, place=place, reason=reason)


def _most_known(tables: Mapping[str, Sequence[_Row]]) -> str | None:
    """Return the name of the only table, or of the one far more of whose headers are known than of any other."""
    scores = {name: known_headers([header for header, _ in _flat(rows[0][1])]) for name, rows in tables.items() if rows}
    ranked = sorted(scores, key=lambda name: scores[name], reverse=True)
    if len(tables) == 1 or len(ranked) == 1:
        return next(iter(ranked or tables))
    return ranked[0] if ranked and scores[ranked[0]] >= max(_KNOWN, 2 * scores[ranked[1]]) else None


def _named(rows: list[_Row], others: Mapping[str, Sequence[_Row]], file: str) -> tuple[list[_Row], tuple[Finding, ...]]:
    """Return (records with the names that other tables have for their ids, what was noted): the name of stage 7 where a
    table of stages tells it, with its place there."""
    notes = []
    headers = dict.fromkeys(name for _, record in rows for name in record if name.endswith(("_id", "Id")))
    for header in headers:
        table = next((name for name in others if _refers(header, name)), None)
        records = {str(record.get("id")): record for _, record in others[table]} if table else {}
        labels = {mark: label for mark, record in records.items() if (label := _filled(record, _LABELS)) is not None}
        marks = {str(record[header]) for _, record in rows if record.get(header) is not None}
        if not marks or marks - set(labels):
            continue
        place = f"{header.removesuffix('_id').removesuffix('Id')}_order"
        ranks = {mark: rank for mark, record in records.items() if (rank := _filled(record, _PLACES)) is not None}
        told = ranks if ranks.keys() >= marks and not any(place in record for _, record in rows) else {}
        rows = [
            (line, {**record, header: labels.get(mark), **({place: told[mark]} if mark in told else {})})
            for line, record in rows
            for mark in [str(record.get(header))]
        ]
        notes.append(Finding("names_looked_up", "note", file, None, header, table))
    return rows, tuple(notes)


def _refers(header: str, table: str) -> bool:
    """Return True for `deal_stage_id` and `deal_stages` or `stages`."""
    thing = re.sub(r"_?id$", "", header, flags=re.IGNORECASE).replace("_", "").casefold()
    things = table.rpartition(".")[2].replace("_", "").casefold()
    singular = re.sub(r"(?:(?<=i)es|s)$", "", things).removesuffix("i") if things.endswith("ies") else things[:-1]
    return things.endswith("s") and len(singular) > 3 and thing.endswith(singular)


def _filled(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


# --- records -> cells ------------------------------------------------------------------------------------------------


def _unpaged(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield the records of pages, as a program stores one answer of an API after another; others as they are."""
    for line, record in rows:
        name = next((name for name in _PAGES if _are_records(record.get(name))), None)
        if name is None or set(map(str.lower, record)) - {name} - _PAGING:
            yield line, record
        else:
            yield from ((line, inner) for inner in record[name])


def _unnested(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield a row for each event of a record that lists its events, with what the record says; others as they are."""
    for line, record in _unpaged(rows):
        if isinstance(record.get(_HISTORY), dict):
            yield from _changes(line, record)
            continue
        name = next((name for name in _EVENTS if _are_records(record.get(name))), None)
        if name is None:
            yield line, record
            continue
        for event in record[name]:
            outer = {key if key not in event else f"outer.{key}": cell for key, cell in record.items() if key != name}
            yield line, {**outer, **event}


def _changes(line: int, record: Mapping[str, Any]) -> Iterator[_Row]:
    """Yield a row for each change of a property; the record itself where it tells of none."""
    outer = {name: cell for name, cell in record.items() if name != _HISTORY}
    changes = [(name, change) for name, told in record[_HISTORY].items() if _are_records(told) for change in told]
    if not changes:
        yield line, outer
    for name, change in changes:
        yield line, {**outer, "Record ID": record.get("id"), "Property name": name, **change}


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _flat(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (header, cell) of a record."""
    for name, value in record.items():
        if not isinstance(value, dict) or not value or all(key.lstrip("-").isdigit() for key in value):
            yield name, _cell(value)
            continue
        for key, inner in value.items():
            bare = name in _WRAPPERS and key not in record
            if bare and isinstance(inner, dict):
                yield from _deep(key, inner)
            else:
                yield (key if bare else f"{name}.{key}"), _cell(inner)


def _deep(name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (header, cell) of what a wrapper holds, such as the deal that a message is about, to its last member."""
    if all(key.lstrip("-").isdigit() for key in value):
        yield name, _cell(dict(value))
        return
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _deep(f"{name}.{key}", inner)
        else:
            yield f"{name}.{key}", _cell(inner)


def _cell(value: Any) -> Any:
    """Return a cell: a list of texts as one text, of an id and its label the label, what is nested as JSON."""
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], str):
            return value[1]
        if all(isinstance(item, str) for item in value):
            return ", ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
