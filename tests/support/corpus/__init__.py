"""The project's own corpus of hostile files: made here, each with what a trustworthy loader answers.

A Table is a header with rows of text, written as CSV, workbook, Parquet and SQLite alike; a File is bytes as they
are. `outcome` is ok (nothing above a note), warn, quarantine or reject; `rule` the id of the finding that has to be
there, at `line` (of the CSV, whose header is line 1) and `column`, with `value` in its message. `good` and `bad` count
rows kept and quarantined, `total` is the sum of amounts.
"""

from dataclasses import dataclass, field

HEADER = ("id", "account", "stage", "date", "amount")
ROWS = (
    ("A1", "Acme", "Lead", "2022-05-20", "100.00"),
    ("A2", "Borealis", "MQL", "2022-05-21", "250.50"),
    ("A3", "Cobalt", "Won", "2022-05-22", "1000.25"),
)
TOTAL = 1350.75
STAGES = ("--stages", "Lead,MQL,Negotiation,Won")
DEALS = ("--layout", "deals", *STAGES)
EVENTS = ("--layout", "events", *STAGES)
COUNTS = ("--layout", "counts")


@dataclass(frozen=True)
class Expected:
    """What the loader has to answer."""

    outcome: str
    rule: str | None = None
    line: int | None = None
    column: str | None = None
    value: str | None = None
    good: int | None = None
    bad: int = 0
    total: float | None = None
    sample: str | None = None  # a text that must be among the first good rows, unchanged


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; `containers` are those in which the case can exist."""

    name: str
    header: tuple
    rows: tuple
    expected: Expected
    options: tuple = DEALS
    containers: tuple = ("csv", "xlsx", "parquet", "sqlite")


@dataclass(frozen=True)
class File:
    """A file of these bytes."""

    name: str
    content: bytes
    expected: Expected
    options: tuple = DEALS
    extra: dict = field(default_factory=dict)


def csv_bytes(header=HEADER, rows=ROWS, encoding="utf-8", mark=",", newline="\n"):
    """Return a table as delimited text, quoted where it must be."""

    def cell(text):
        return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in (mark, '"', "\n", "\r")) else text

    return "".join(mark.join(map(cell, row)) + newline for row in (header, *rows)).encode(encoding)
