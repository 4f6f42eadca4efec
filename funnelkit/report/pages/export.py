"""The tables of a report for spreadsheets: CSV and XLSX without formulas, columns dropped or hashed."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from funnelkit.language import (
    Fault,
    Record,
    ReportError,
    check,
    close_names,
    fits,
    is_between,
    is_one_of,
    label,
    say,
    texts,
    width,
)
from funnelkit.pipeline import DEAL_COLUMNS
from funnelkit.report.runs.parameters import BAD_PARAMETER

Table: TypeAlias = Mapping[str, Any]  # {"columns": [names], "rows": [[values]]}
# A text that begins so is a formula to one spreadsheet or another; blanks and quotes before it do not help.
_FORMULA = re.compile(r"[\s\"'\ufeff\u200b-\u200f\u202a-\u202e\u2066-\u2069]*[=+\-@\t\r\n＝＋－＠]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CELL = 32_767  # characters a workbook's cell may hold
HIDDEN = "<"
# Columns of fractions and of money, as a workbook shows them.
_FRACTIONS = re.compile(
    r"(rate|low|high|floor|ceiling|share|level|chance|p_best|expected|shrunk|limit_(low|high)|stable|growth|gap)"
    r"|(rate|low|high)_before|change(_low|_high)?|(target|true)_rate"
)
_WHOLE_MONEY = "#,##0"
# Labels of the codes that columns hold.
_CODES = {"part": ("part_of_{}", "part_{}"), "state": ("is_{}",), "measure": ("measure_{}",), "against": ("{}",),
          "outcome": ("{}",), "verdict": ("{}",), "class": ("class_{}",)}  # fmt: skip
_MONEY = re.compile(r"amount|(?!p_)value|value_\w+|change|median|actual|(low|high)_(80|95)")
# Columns that count people or deals, and those that tell of a count that is hidden.
_COUNTS = re.compile(r"(k|n|rows|deals|[nk]_.*|.*_n|actual|entries|result)")
_RATES = re.compile(r".*(rate|low|high|share|floor|ceiling|value|amount).*")
# The same within texts: a rate with its n, a whole number, an interval or a percentage.
_N, _WHOLE, _TELLING = re.compile(r"n = ([\d,]+)"), re.compile(r"\d{1,3}(,\d{3})*"), re.compile(r"[%\[]")
_POLICY = Record({
    "columns": Record({}, others=fits("action", is_one_of("drop", "hash", "keep"))),
    "min_cell": fits("n", is_between(0)),
})  # fmt: skip
KEY = "FUNNELKIT_HASH_KEY"  # the environment variable that holds the secret


def check_policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return how tables are exported, {"columns": {name: drop|hash|keep}, "min_cell": n}, checked.

    Raises ReportError (11) where a key, an action or the threshold is none of these, or where there is no secret to
    hash with: without one a list of known names could be hashed and compared.
    """
    faults: list[Fault] = []
    columns, least = check(policy, _POLICY, faults.append).get("columns", {}), policy.get("min_cell", 0)
    if faults:
        raise ReportError("export_bad", BAD_PARAMETER, value=", ".join(map(_told, faults))[:200])
    if "hash" in columns.values() and not os.environ.get(KEY):
        raise ReportError("export_no_key", BAD_PARAMETER, key=KEY)
    return {"columns": dict(columns), "min_cell": least}


def _told(fault: Fault) -> str:
    """Return a fault as it was written: NAME=ACTION of a column, key=value, or the unknown key."""
    _, *column = fault.path
    return f"{column[0]}={fault.value}" if column else fault.place + f"={fault.value!r}" * (fault.code == "wrong")


def write_tables(tables: Mapping[str, Table], folder: Path, policy: Mapping[str, Any]) -> None:
    """Write FOLDER/tables/<cell>.csv and FOLDER/tables.xlsx of {cell id: table}; nothing where there is none."""
    policy = check_policy(policy)
    _refuse_misspelt(policy["columns"], {name for table in tables.values() for name in table["columns"]})
    found = {name: protect(table, policy) for name, table in tables.items()}
    found = {name: table for name, table in found.items() if table["columns"]}
    if not found:
        return
    (folder / "tables").mkdir()
    for name, table in found.items():
        (folder / "tables" / f"{_plain_name(name)}.csv").write_text(csv_text(table), encoding="utf-8-sig", newline="")
    (folder / "tables.xlsx").write_bytes(workbook(found))


def _refuse_misspelt(columns: Mapping[str, str], shown: set[str]) -> None:
    """Raise ReportError (11) for a name that is almost a column's: what it was to protect would be exported."""
    known = sorted(shown | set(DEAL_COLUMNS))
    for name in sorted(set(columns) - set(known)):
        near = close_names(name, known, least=0.75)
        if near:
            raise ReportError("export_misspelt", BAD_PARAMETER, name=name, nearest=near[0])


def _plain_name(name: str) -> str:
    return re.sub(r"[^\w-]", "_", name)[:64]


def protect(table: Table, policy: Mapping[str, Any]) -> Table:
    """Return a table with its columns dropped, hashed or kept, and rows of few hidden.

    A row in which some count, or the rest of n that k leaves, is above 0 and below `min_cell` keeps its names; its
    counts read "<5", its rates, amounts and intervals are emptied, for they would give the count away. A text such as
    "50.0% [9.5, 90.5] (n = 2)" is both.
    """
    actions, least = policy["columns"], policy["min_cell"]
    kept = [i for i, name in enumerate(table["columns"]) if actions.get(name) != "drop"]
    names = [table["columns"][i] for i in kept]
    rows = []
    for row in table["rows"]:
        cells = [_hashed(row[i]) if actions.get(table["columns"][i]) == "hash" else row[i] for i in kept]
        counts = [n for name, cell in zip(names, cells, strict=True) for n in _counts(name, cell)]
        small = any(0 < n < least for n in (*counts, *_rests(dict(zip(names, cells, strict=True)))))
        rows.append([_hide(name, cell, least) for name, cell in zip(names, cells, strict=True)] if small else cells)
    return {"columns": names, "rows": rows}


def _rests(row: Mapping[str, Any]) -> list[int]:
    """Return n minus k for each pair of them in a row."""
    pairs = [(row.get(f"k{end}"), row.get(f"n{end}")) for end in ("", "_before")]
    return [n - k for k, n in pairs if isinstance(k, int) and isinstance(n, int)]


def _counts(name: str, cell: Any) -> list[int]:
    """Return the counts that a cell tells, as a number or within its text."""
    if isinstance(cell, str):
        whole = [cell] if _COUNTS.fullmatch(name) and _WHOLE.fullmatch(cell) else []
        return [int(text.replace(",", "")) for text in (*_N.findall(cell), *whole) if text.strip(",")]
    return [cell] if isinstance(cell, int) and not isinstance(cell, bool) and _COUNTS.fullmatch(name) else []


def _hide(name: str, cell: Any, least: int) -> Any:
    counts = _counts(name, cell)
    if counts:
        return f"{HIDDEN}{least}" if min(counts) < least else None
    telling = isinstance(cell, float) or (isinstance(cell, str) and _TELLING.search(cell))
    return None if telling or _RATES.fullmatch(name) else cell


def _hashed(value: Any) -> str | None:
    """Return a text that stands for a value: the same each time for the same secret, which others cannot guess."""
    if value is None:
        return None
    key = os.environ.get(KEY, "").encode()
    return "id-" + hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()[:12]


def harmless(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: texts get an apostrophe, typed numbers stay.

    >>> harmless("=1+1"), harmless("＝1"), harmless(-5), harmless("Müller")
    ("'=1+1", "'＝1", -5, 'Müller')
    """
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub("", value)[: _CELL - 1]
    return f"'{text}" if _FORMULA.match(text) else text


def csv_text(table: Table) -> str:
    """Return a table as CSV, each text harmless and whole numbers and fractions as they are."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([harmless(name) for name in table["columns"]])
    writer.writerows([["" if cell is None else harmless(cell) for cell in row] for row in table["rows"]])
    return buffer.getvalue()


def sheet_of(table: Table) -> Table:
    """Return a table as a workbook shows it: stages by their names alone, headers in the language in force."""
    names = list(table["columns"])
    kept = [i for i, name in enumerate(names) if not (name == "stage" and "stage_name" in names)]
    forms = formats_of(table)
    heads = ["stage" if names[i] == "stage_name" else names[i] for i in kept]
    heads = ["amount" if name == "change" and form == _WHOLE_MONEY else name
             for name, form in zip(heads, forms, strict=True)]  # fmt: skip
    rows = [[_word(names[i], row[i]) for i in kept] for row in table["rows"]]
    return {"columns": [label(name) if name in texts("labels") else name for name in heads], "rows": rows}


def _word(column: str, value: Any) -> Any:
    """Return the word for a code where people have one."""
    found = [form.format(value) for form in _CODES.get(column, ()) if form.format(value) in texts("labels")]
    return label(found[0]) if found else value


def formats_of(table: Table) -> list[str | None]:
    """Return the number format of each column as `sheet_of` leaves it: of fractions percent, of money whole units."""
    found = []
    for i, name in enumerate(table["columns"]):
        if name == "stage" and "stage_name" in table["columns"]:
            continue
        numbers = [row[i] for row in table["rows"] if isinstance(row[i], (int, float)) and not isinstance(row[i], bool)]
        fraction = _FRACTIONS.fullmatch(name) and numbers and all(-1 <= value <= 1 for value in numbers)
        found.append("0.0%" if fraction else _WHOLE_MONEY if _MONEY.fullmatch(name) else None)
    return found


def workbook(found: Mapping[str, Table]) -> bytes:
    """Return a workbook for people as bytes, the same for the same tables: no time, texts typed as texts."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    taken: set[str] = set()
    called = texts("report.sheets")
    for name, raw in found.items():
        table, forms = sheet_of(raw), formats_of(raw)
        sheet = book.create_sheet(_sheet_name(say(f"report.sheets.{name}") if name in called else name, taken))
        for r, row in enumerate([table["columns"], *table["rows"]], start=1):
            for c, value in enumerate(row, start=1):
                if value is not None:
                    cell = sheet.cell(r, c)
                    cell.value = harmless(value)
                    cell.data_type = "s" if isinstance(value, str) else cell.data_type
                    cell.number_format = forms[c - 1] or cell.number_format
        _set_widths(sheet, table)
        sheet.freeze_panes = "A2"
    buffer = io.BytesIO()
    book.save(buffer)
    return _same_bytes(buffer)


def _set_widths(sheet: Any, table: Table) -> None:
    """Make each column as wide as its longest text, within reason."""
    from openpyxl.utils import get_column_letter

    for c, column in enumerate(zip(table["columns"], *table["rows"], strict=True), start=1):
        longest = max(width(str(value)) if isinstance(value, str) else 10 for value in column)
        sheet.column_dimensions[get_column_letter(c)].width = min(max(longest + 2, 8), 48)


def _sheet_name(name: str, taken: set[str]) -> str:
    base = re.sub(r"[\[\]:*?/\\']", "_", name)[:28] or "table"
    found, n = base, 1
    while found.casefold() in taken:
        n += 1
        found = f"{base}-{n}"
    taken.add(found.casefold())
    return found


def _same_bytes(buffer: io.BytesIO) -> bytes:
    """Write the archive again with fixed times, within its list of properties too."""
    target = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", content)
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return target.getvalue()
