"""Event rows: an event log of any source, read as `read` reads it, without stages in order or deals made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers.detect import open_sources
from funnelkit.reading.containers.options import ReadOptions, Source
from funnelkit.reading.findings import Journal
from funnelkit.reading.layouts.change_messages import with_entries
from funnelkit.reading.layouts.columns import REQUIRED, lists_deals
from funnelkit.reading.mapping import options_for
from funnelkit.reading.proposals import ask_with_likely
from funnelkit.reading.quarantine import merge_corrections, write_quarantine
from funnelkit.reading.read import map_sheets, take_structure
from funnelkit.reading.sheet import Sheet, type_sheet


@dataclass(frozen=True)
class EventRows:
    """The rows of an event log.

    Attributes
    ----------
    rows : DataFrame
        The good rows under the headers of the source; id and stage are text, the time is a time without zone.
    headers : tuple of str
        Of id, stage and time.
    findings : tuple of Finding
        What was noticed; quarantined rows are among them.
    """

    rows: pd.DataFrame
    headers: tuple[str, str, str]
    findings: tuple[Finding, ...]


def read_events(*sources: Source, preset: str | None = None, **how: Any) -> EventRows:
    """Read an event log: one row an event, of any source that `read` reads.

    Parameters
    ----------
    *sources : as of `read`
    preset : str, optional
        System whose export it is.
    **how : options of `read` that say how a source is written, `map` and `quarantine` among them

    Returns
    -------
    EventRows
        Faulty rows are quarantined and reported.

    Raises
    ------
    DataError
        Where a source cannot be read, lacks a column, or holds no row that can be read.

    Examples
    --------
    >>> found = read_events({"deal_id": ["a"], "stage": ["Lead"], "entered_at": ["31.1.2026"]})
    >>> found.rows["entered_at"].iloc[0], found.headers
    (Timestamp('2026-01-31 00:00:00'), ('deal_id', 'stage', 'entered_at'))
    """
    options = ReadOptions(**how)
    return ask_with_likely(
        lambda code: _read_events(sources, preset, replace(options, **code), Journal()), sources, options.encoding
    )


def _read_events(sources: Sequence[Source], preset: str | None, options: ReadOptions, journal: Journal) -> EventRows:
    tables = [with_entries(table) for table in merge_corrections(open_sources(sources, options), options)]
    settings, sheets = options_for(tables, options), []
    for table, own in zip(tables, settings, strict=True):
        if lists_deals(table, own, preset):
            raise DataError("deals_are_no_log", file=table.name)
    for sheet in map_sheets(tables, journal, settings, "events", preset, every=True):
        needed = {name: sheet.mapping.columns[name] for name in REQUIRED["events"]}
        sheets.append(Sheet(sheet.table, replace(sheet.mapping, columns=needed), journal, options))
        take_structure(sheets[-1])
        type_sheet(sheets[-1])
    if options.quarantine:
        write_quarantine(sheets, options.quarantine)
    _refuse_unread(sheets)
    headers = tuple(sheets[0].mapping.columns[name] for name in REQUIRED["events"])
    rows = pd.concat([_rows(sheet, headers) for sheet in sheets], ignore_index=True)
    return EventRows(rows, (headers[0], headers[1], headers[2]), journal.close())


def _refuse_unread(sheets: list[Sheet]) -> None:
    """Refuse a log none of whose rows can be read: a table of zeros would look like an answer."""
    if any(sheet.good.any() for sheet in sheets):
        return
    reason = next(
        (finding for sheet in sheets for finding in sheet.journal.findings if finding.severity == "error"), None
    )
    if reason is not None:
        raise DataError("no_row_read", reason=reason.message())


def _rows(sheet: Sheet, headers: tuple[str, ...]) -> pd.DataFrame:
    """Return the good rows of a sheet with id, stage and time typed, under the headers of the first sheet."""
    own = {sheet.mapping.columns[name]: header for name, header in zip(REQUIRED["events"], headers, strict=True)}
    typed = {
        headers[0]: sheet.frame["deal_id"], headers[1]: sheet.stage_names, headers[2]: sheet.frame["entered_at"],
    }  # fmt: skip
    return sheet.table.cells.rename(columns=own).assign(**typed)[sheet.good]
