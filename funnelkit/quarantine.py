"""Quarantine: the rows set aside, with their original text, physical line and reason, as a CSV to correct and load."""

import csv
from pathlib import Path

from funnelkit.errors import DataError
from funnelkit.pipeline import Finding

PLACE = ("quarantine_file", "quarantine_line", "quarantine_rule", "quarantine_reason", "quarantine_text")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def write_quarantine(sheets, path, lang="en"):
    """Write the rows set aside: where each stood and why, then its cells under the headers of the source.

    A row that did not fit its header has its text in `quarantine_text` and no cells. A cell that a spreadsheet would
    run as a formula is preceded by an apostrophe.
    """
    headers = list(dict.fromkeys(header for sheet in sheets for header in sheet.table.cells.columns))
    try:
        with Path(path).open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*PLACE, *headers])
            for sheet in sheets:
                writer.writerows(_broken_rows(sheet, lang))
                writer.writerows(_aside_rows(sheet, headers, lang))
    except OSError as error:
        raise DataError("quarantine_unwritable", file=str(path), reason=error.strerror) from None


def _broken_rows(sheet, lang):
    for row in sheet.table.broken:
        finding = Finding(row.rule, "error", sheet.table.name, row.line, value=row.text[:200], values=row.values)
        yield [sheet.table.name, row.line, row.rule, _shown(finding.message(lang)), _shown(row.text)]


def _aside_rows(sheet, headers, lang):
    reasons = {}
    for positions, rule, header, extra in sheet.reasons:
        for position in positions:
            text = None if header is None else sheet.text(position, header)
            line = int(sheet.table.lines[position])
            finding = Finding(rule, "error", sheet.table.name, line, header, text, extra(text) if extra else {})
            reasons.setdefault(int(position), []).append(finding)
    for position, findings in sorted(reasons.items()):
        cells = [_cell(sheet, position, header) for header in headers]
        rules = " ".join(finding.rule for finding in findings)
        reason = " ".join(finding.message(lang) for finding in findings)
        yield [sheet.table.name, int(sheet.table.lines[position]), rules, _shown(reason), "", *map(_shown, cells)]


def _cell(sheet, position, header):
    if header not in sheet.table.cells:
        return ""
    cell = sheet.table.cells[header].iloc[position]
    return "" if cell is None or cell != cell else str(cell)


def _shown(text):
    return f"'{text}" if text.startswith(_FORMULA) else text
