"""Source: what a table is before it is understood, and the options of reading it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding


@dataclass(frozen=True)
class Bounds:
    """What a source may hold at most: protection of memory, adjustable."""

    cell_characters: int = 100_000
    archive_ratio: int = 200
    unpacked_bytes: int = 2_000_000_000
    workbook_cells: int = 5_000_000
    columns: int = 2_000
    table_rows: int = 5_000_000  # of a database's table


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source; None means: detect it and say so, or refuse where it stays ambiguous."""

    encoding: str | None = None
    decimal: str | None = None  # "." or ","
    date_order: str | None = None  # dmy, mdy or ymd
    currency: str | None = None  # of amounts that name none
    timezone: str | None = None  # of times that name none; times that do are converted to it
    delimiter: str | None = None
    sheet: str | None = None
    table: str | None = None  # of a database
    map: dict = field(default_factory=dict)  # canonical column -> header of the source
    on: dict = field(default_factory=dict)  # column of the deals -> column of a joined table
    quarantine: str | None = None  # path of a CSV that takes the rows set aside
    progress: object = None  # called with the share read, 0 to 1
    collapse: bool = True  # False keeps repeated entries into the same stage apart (event logs)
    bounds: Bounds = Bounds()


@dataclass(frozen=True)
class Broken:
    """A row whose cells do not fit the header."""

    line: int
    text: str
    rule: str
    values: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One source as found. `cells` holds text, or typed cells (`kind` workbook, parquet, frame, database); `lines` the
    physical line of each row (of a DataFrame, Parquet file or database its number); `blank` counts empty lines."""

    name: str
    cells: pd.DataFrame
    lines: np.ndarray
    kind: str = "text"
    blank: int = 0
    broken: tuple[Broken, ...] = ()
    notes: tuple[Finding, ...] = ()
    delimiter: str | None = None  # of delimited text

    @property
    def rows_in(self):
        """Return the number of rows of the source, the header left out."""
        return len(self.lines) + len(self.broken) + self.blank


def check_header(names, name, line):
    """Refuse a header in which a name stands twice."""
    seen = set()
    for header in names:
        if header in seen:
            raise DataError("header_twice", file=name, line=line, column=header)
        seen.add(header)
