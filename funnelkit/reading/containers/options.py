"""Source: what a table is before it is understood, and the options of reading it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import IO, Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError, Record, both, check, fits, is_one_of, is_text, say
from funnelkit.pipeline import Finding


class ArrowTable(Protocol):
    """A table of polars, pyarrow, DuckDB and others: they hand their columns over in Arrow's form."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


Source: TypeAlias = (
    str | os.PathLike[str] | pd.DataFrame | ArrowTable | IO[bytes] | IO[str]
    | Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
)  # fmt: skip


@dataclass(frozen=True)
class Bounds:
    """What a source may hold at most: protection of memory, adjustable.

    Attributes
    ----------
    cell_characters : int
        Characters of a cell.
    archive_ratio, unpacked_bytes : int
        How many times its own size an archive may unpack to, and bytes.
    workbook_cells, columns, table_rows : int
        Filled cells of a workbook, columns of any table, rows of a database's table.
    """

    cell_characters: int = 100_000
    archive_ratio: int = 200
    unpacked_bytes: int = 2_000_000_000
    workbook_cells: int = 5_000_000
    columns: int = 2_000
    table_rows: int = 5_000_000


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source: the options of `read`, checked; None means to detect it and say so.

    Attributes
    ----------
    encoding, delimiter : str
        Of a text file, such as gb18030 and ";".
    decimal : str
        "." or ",".
    date_order : str
        dmy, mdy or ymd.
    currency, timezone : str
        Of cells that name none; times that do are converted to the zone.
    sheet, table : str
        Of a workbook, of a database.
    won, lost, void : str or list of str
        Names of stages or statuses that mean so, such as ["Cerrado ganado"]; a text parts them by commas.
    map : dict
        From the kit's column to the header of the source, such as {"stage": "Phase"}; of one file of several
        {"history.csv": {"stage": "new_stage"}}.
    on : dict
        From a column of the deals to the column of a joined table.
    quarantine : path
        Where to write the quarantined rows, as a CSV to correct. Given to `read` together with its source, each
        corrected row takes the place of its original.
    progress : callable
        Called with the share read, 0 to 1.
    collapse : bool
        Whether repeated entries into the same stage count once; False keeps them apart, as in event logs.
    bounds : Bounds
        What a source may hold at most.
    """

    encoding: str | None = None
    decimal: str | None = None
    date_order: str | None = None
    currency: str | None = None
    timezone: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    table: str | None = None
    won: str | Sequence[str] | None = None
    lost: str | Sequence[str] | None = None
    void: str | Sequence[str] | None = None
    map: Mapping[str, str | Mapping[str, str]] | None = None
    on: Mapping[str, str] | None = None
    quarantine: str | os.PathLike[str] | None = None
    progress: Callable[[float], object] | None = None
    collapse: bool = True
    bounds: Bounds = Bounds()

    def __post_init__(self) -> None:
        given = {option.name: getattr(self, option.name) for option in fields(self)}
        given = {name: value for name, value in given.items() if value is not None}
        check(given, _OPTIONS, lambda fault: refuse_type(fault.place, fault.value, fault.expected.wanted))


def _is_map(value: Any) -> bool:
    """Return True for a dict of texts, or of a dict of texts for a file."""
    return isinstance(value, Mapping) and all(is_text(name) or _is_map(name) for name in value.values())


# Each kind names the entry of reading.wanted that says what an option takes; those not listed take a text.
_NAMES = fits("names", lambda value: is_text(value) or (isinstance(value, Sequence) and all(map(is_text, value))))
_OPTIONS = Record(
    {
        "decimal": fits("decimal", is_one_of(".", ",")),
        "date_order": fits("date_order", is_one_of("dmy", "mdy", "ymd")),
        "won": _NAMES,
        "lost": _NAMES,
        "void": _NAMES,
        "map": fits("columns", _is_map),
        "on": fits("columns", lambda value: isinstance(value, Mapping) and all(map(is_text, value.values()))),
        "quarantine": fits("path", lambda value: isinstance(value, (str, os.PathLike))),
        "progress": fits("progress", callable),
        "collapse": fits("flag", lambda value: isinstance(value, bool)),
        "bounds": fits("bounds", lambda value: isinstance(value, Bounds)),
    },
    others=fits("text", is_text),
)


def refuse_type(name: str, value: object, wanted: str) -> None:
    """Raise DataError: the argument `name` is not what is wanted, a key of reading.wanted."""
    raise DataError(
        "option_type", name=name, value=repr(value)[:80], wanted=both(lambda: say(f"reading.wanted.{wanted}"))
    )


# What a report's parameter `reading` or a notebook may say; a share read and bounds are of the program that reads.
READING_OPTIONS = tuple(option.name for option in fields(ReadOptions) if option.name not in ("progress", "bounds"))


@dataclass(frozen=True)
class Broken:
    """A row whose cells do not fit the header."""

    line: int
    text: str
    rule: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One source as found. `cells` holds text, or typed cells (`kind` workbook, parquet, frame, database); `lines` the
    physical line of each row (of a DataFrame, Parquet file or database its number); `blank` counts empty lines."""

    name: str
    cells: pd.DataFrame
    lines: NDArray[np.signedinteger]
    kind: str = "text"
    blank: int = 0
    broken: tuple[Broken, ...] = ()
    notes: tuple[Finding, ...] = ()
    delimiter: str | None = None  # of delimited text
    dated: Mapping[str, str] = field(default_factory=dict)  # columns found to date stages: header -> stage

    @property
    def rows_in(self) -> int:
        """Return the number of rows of the source, the header left out."""
        return len(self.lines) + len(self.broken) + self.blank


def check_header(names: Iterable[str], name: str, line: int) -> None:
    """Refuse a header in which a name stands twice."""
    seen: set[str] = set()
    for header in names:
        if header in seen:
            raise DataError("header_twice", file=name, line=line, column=header)
        seen.add(header)
