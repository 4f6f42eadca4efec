"""Event logs as XES (IEEE 1849), for tools of process mining."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pandas as pd

from funnelkit.events.log_sources import LogColumns
from funnelkit.language import DataError, nearest
from funnelkit.pipeline import Pipeline
from funnelkit.reading import read

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<global scope="trace"><string key="concept:name" value=""/></global>
<global scope="event"><string key="concept:name" value=""/>
<date key="time:timestamp" value="1970-01-01T00:00:00+00:00"/></global>
<classifier name="Activity" keys="concept:name"/>
"""
_TRACE = "case:concept:name"
_KINDS = (
    ("date", pd.api.types.is_datetime64_any_dtype),
    ("boolean", pd.api.types.is_bool_dtype),
    ("int", pd.api.types.is_integer_dtype),
    ("float", pd.api.types.is_float_dtype),
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_xes(log: Any, path: str | Path, columns: LogColumns | Mapping[str, str] | None = None) -> Path:
    """Write an event log as XES: a trace an entity, an event a row, further columns as attributes.

    Parameters
    ----------
    log : Pipeline, DataFrame or what `read` takes; of a Pipeline what its deals say stands in their traces
    path : str or Path, the file to write; packed where it ends in .gz
    columns : LogColumns or dict, optional, the columns that say who, which step and when

    Returns
    -------
    Path

    Raises
    ------
    DataError
        For a log without such a column or with times that are none, before anything is written.

    Notes
    -----
    Times without a zone are written as UTC. `read` takes the file back. pm4py, which is not needed for this, knows a
    table by the names of XES: rename deal_id to case:concept:name, stage to concept:name, entered_at to time:timestamp.

    Examples
    --------
    >>> import tempfile
    >>> from funnelkit import sample
    >>> names = {"deal_id": "case:concept:name", "stage": "concept:name", "entered_at": "time:timestamp"}
    >>> sample().events.rename(columns=names).columns[:3].tolist()
    ['case:concept:name', 'concept:name', 'time:timestamp']
    >>> to_xes(sample(), f"{tempfile.mkdtemp()}/sample.xes").name
    'sample.xes'
    """
    return _write(Path(path), *_tables(log, LogColumns.of(columns)))


def _write(path: Path, events: pd.DataFrame, deals: pd.DataFrame | None) -> Path:
    """Write the file under another name, then rename it."""
    fresh = path.with_name(f".{path.name}.tmp")
    try:
        with fresh.open("wb") as raw, gzip.open(raw, "wb") if path.suffix == ".gz" else raw as file:
            for text in _written(events, deals):
                file.write(text.encode())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise DataError("log_unwritable", file=str(path), reason=error.strerror or str(error)) from None
    return path


def _tables(log: Any, where: LogColumns) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the events under the names of XES, in order of entity and time, and of a Pipeline the deals by id."""
    if not isinstance(log, (Pipeline, pd.DataFrame)):
        log, where = read(log, map=where.named or None), LogColumns()
    events = log.events if isinstance(log, Pipeline) else log
    names = {where.id: _TRACE, where.stage: "concept:name", where.at: "time:timestamp", "owner": "org:resource"}
    for name in (where.id, where.stage, where.at):
        if name not in events.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, events.columns))
    events = events.rename(columns=names)
    try:
        at = pd.to_datetime(events["time:timestamp"], format="ISO8601")
    except ValueError as error:
        raise DataError("log_unreadable", file=where.at, reason=str(error).splitlines()[0]) from None
    events = events.assign(**{"time:timestamp": at if at.dt.tz is not None else at.dt.tz_localize("UTC")})
    events = events[events[_TRACE].notna() & at.notna()]
    first = pd.Series(pd.factorize(events[_TRACE])[0], events.index)
    events = events.assign(_first=first).sort_values(["_first", "time:timestamp"], kind="stable").drop(columns="_first")
    return events, log.deals.set_index("deal_id") if isinstance(log, Pipeline) else None


def _written(events: pd.DataFrame, deals: pd.DataFrame | None) -> Iterator[str]:
    """Yield the parts of the file."""
    yield _HEAD
    cells = [_attributes(events[name], str(name)) for name in events.columns if name != _TRACE]
    said = [_attributes(deals[name], str(name)) for name in deals.columns] if deals is not None else []
    place = {} if deals is None else {name: number for number, name in enumerate(deals.index)}
    last: Any = object()
    for trace, *parts in zip(events[_TRACE].tolist(), *cells, strict=True):
        if trace != last:
            yield "" if last.__class__ is object else "</trace>\n"
            about = [column[place[trace]] for column in said] if trace in place else []
            yield f"<trace>{_attribute('string', 'concept:name', str(trace))}{''.join(about)}\n"
            last = trace
        yield f"<event>{''.join(parts)}</event>\n"
    yield "</trace>\n</log>\n" if len(events) else "</log>\n"


def _attributes(column: pd.Series[Any], key: str) -> list[str]:
    """Return each value of a column as an attribute, nothing for a missing one."""
    kind = next((name for name, fits in _KINDS if fits(column)), "string")
    missing, values = column.isna().tolist(), column.tolist()
    if kind == "date":
        values = [value if gone else value.isoformat() for value, gone in zip(values, missing, strict=True)]
    if kind == "boolean":
        values = [str(value).lower() for value in values]
    return ["" if gone else _attribute(kind, key, str(value)) for value, gone in zip(values, missing, strict=True)]


def _attribute(kind: str, key: str, value: str) -> str:
    return f"<{kind} key={_quoted(key)} value={_quoted(value)}/>"


def _quoted(text: str) -> str:
    """Return a text as the value of an attribute; signs that XML cannot hold become a mark."""
    return quoteattr(_NOT_XML.sub("\ufffd", text))
