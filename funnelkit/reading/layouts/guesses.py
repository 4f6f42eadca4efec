"""Guesses: columns taken by what their cells hold, where their name alone does not say enough; each is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from funnelkit.pipeline import Finding
from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.containers.options import Table
from funnelkit.reading.layouts.evidence import (
    DATES,
    FLAGS,
    few_names,
    holds,
    holds_outcomes,
    likely,
    sample_texts,
    spoken,
)
from funnelkit.reading.layouts.outcomes import exit_word, status_word
from funnelkit.reading.layouts.presets import key

_FEW_BLANKS = 0.05  # of the events without an id are faults of their rows


def tells_outcome(columns: Mapping[str, str], table: Table) -> bool:
    """Return True where columns beside the stage say which deals were won."""
    if {"is_won", "won_at"} & set(columns):
        return True
    words = sample_texts(table.cells[columns["status"]]).unique() if "status" in columns else ()
    return any(status_word(word) in ("won", "lost") for word in words)


def fit_of(canonical: str, table: Table, header: str) -> int | None:
    """Return 0 where cells of a column can be of this meaning, 1 where none can; None where it is out of question."""
    found = holds(canonical, table.cells[header], serial=table.kind == "workbook")
    if found is not False:
        return 0
    is_flag = canonical in DATES and holds("is_closed", table.cells[header])
    return None if canonical in FLAGS or is_flag else 1


_GUESSED = ("amount", "owner", "account", "created_at", "closed_at", "deal_id")


def guessed(table: Table, columns: dict[str, str], aliases: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Take a column whose name says what is wanted beside words that decorate, if it is the only one; say so."""
    used, notes = set(columns.values()), []
    said = {header: spoken(header) for header in table.cells.columns if header not in used}
    for canonical in _GUESSED:
        names = set(aliases.get(canonical, ()))
        found = [header for header, text in said.items() if text and text in names and header not in used]
        found = [header for header in found if fit_of(canonical, table, header) == 0]
        if canonical in columns or len(found) != 1:
            continue
        columns[canonical] = found[0]
        used.add(found[0])
        notes.append(_taken(table, found[0], canonical))
    outcomes = [header for header in table.cells.columns if header not in used and holds_outcomes(table.cells[header])]
    if len(outcomes) == 1 and not {"status", "is_won"} & set(columns):
        columns["status"] = outcomes[0]
        notes.append(_taken(table, outcomes[0], "status"))
    return notes


def id_without_blanks(table: Table, columns: dict[str, str], names: Sequence[str]) -> list[Finding]:
    """Where some events lack the id taken, as those of visitors who have not signed in, take one that none lacks."""
    header = columns.get("deal_id")
    blank = int(cell_text(table.cells[header]).isna().sum()) if header else 0
    if not header or blank <= _FEW_BLANKS * len(table.cells):
        return []
    by_key = {key(other): other for other in reversed(list(table.cells.columns)) if other not in columns.values()}
    for other in (by_key[name] for name in names if name in by_key and "session" not in name):
        if cell_text(table.cells[other]).notna().all():
            columns["deal_id"] = other
            return [Finding("id_without_blanks", "warn", table.name, 1, header, other, {"n": blank})]
    return []


def stage_by_cells(table: Table, columns: dict[str, str], declared: Mapping[str, str]) -> list[Finding]:
    """Take the one column that is called like stages (`Phase`) and whose cells read so.

    Where none is called so, it may be a status that holds names of stages beside outcomes.
    """
    free = [header for header in likely(table, list(table.cells.columns), "stage") if header not in columns.values()]
    apart = tells_outcome(columns, table)
    found = [header for header in free if few_names(table.cells[header], apart)]
    if not free and "status" in columns and "status" not in declared:
        texts = sample_texts(table.cells[columns["status"]])
        strange = texts[[status_word(text) is None and not exit_word(text) for text in texts]]
        if strange.nunique() > 1 and few_names(texts, True) and not {"is_won", "won_at"} & set(columns):
            found = [columns.pop("status")]
    if len(found) != 1:
        return []
    columns["stage"] = found[0]
    return [_taken(table, found[0], "stage")]


def _taken(table: Table, header: str, canonical: str) -> Finding:
    return Finding("column_taken", "note", table.name, 1, header, canonical, {"canonical": canonical})
