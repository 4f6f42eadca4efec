"""Proposals: for every column of a source what it is taken as, or could be, how sure that is, and its first values.

What stays open when a source is read is asked once, all of it together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias, TypeVar

import pandas as pd

from funnelkit.language import DataError, both, quoted, say
from funnelkit.pipeline import Limit
from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.containers.options import ReadOptions, Source, Table
from funnelkit.reading.layouts.columns import date_stem, stem
from funnelkit.reading.layouts.evidence import holds, likely, names_stages, sample_texts
from funnelkit.reading.layouts.outcomes import declared_ends, holds_exit, status_word
from funnelkit.reading.layouts.presets import key, preset_data
from funnelkit.reading.layouts.stage_dates import dated_names
from funnelkit.reading.layouts.stage_flags import flags_hint

Answer = TypeVar("Answer")
Proposal: TypeAlias = "dict[str, Any]"  # file, column, values, meaning, confidence, names
SHOWN = 3  # first values of a column
MOST_NAMES = 60  # of stages, in a proposal


def propose(table: Table, columns: Mapping[str, str], options: ReadOptions) -> list[Proposal]:
    """Return a proposal for each column of a table whose columns are mapped so.

    `confidence` is sure (declared, or named so), likely (by name and cells), perhaps (one word of the name fits), or
    none: kept as it is.
    """
    meaning = {header: name for name, header in columns.items()}
    declared = {header for header in (options.map or {}).values() if isinstance(header, str)}
    free = [header for header in table.cells.columns if header not in meaning]
    guesses: dict[str, str] = {}
    dealt = bool({"created_at", "closed_at"} & set(columns))  # a list of deals dates no entries
    for canonical in (name for name in _words() if not dealt or name != "entered_at"):
        for header in likely(table, free, canonical) if canonical not in columns else ():
            guesses.setdefault(header, canonical)
    if not {"stage", "status"} & {*columns, *guesses.values()}:
        guesses |= dict.fromkeys(names_stages(table, [name for name in free if name not in guesses])[:1], "stage")
    stages = None if "stage" not in columns else set(map(stem, sample_texts(table.cells[columns["stage"]]).unique()))
    found = []
    for header in table.cells.columns:
        values = list(cell_text(table.cells[header].head(1000)).dropna().unique()[:SHOWN])
        name: str | None = meaning.get(header)
        sure = "sure"
        if name is None:
            dated = date_stem(header)
            stage = dated_names(header) or (dated if stages is None or dated in stages else None)
            name, sure = ("stage_date", "likely") if stage and _are_dates(table, header) else (guesses.get(header), "")
            sure = sure or ("perhaps" if name else "none")
        elif header not in declared and not _named(name, header):
            sure = "likely"
        row = {"file": table.name, "column": header, "values": [value[:40] for value in values], "meaning": name,
               "confidence": sure}  # fmt: skip
        if name in ("stage", "status") and sure != "none":
            row["names"] = _names(table.cells[header], options)
        found.append(row)
    return found


def _named(canonical: str, header: str) -> bool:
    """Return True where a header is one of the names that this meaning has in any system."""
    raw = preset_data("generic")
    return any(key(header) in map(key, raw[part].get(canonical, ())) for part in ("columns", "events", "counts"))


def _are_dates(table: Table, header: str) -> bool:
    return holds("entered_at", table.cells[header], serial=table.kind == "workbook") is True


def _names(cells: pd.Series, options: ReadOptions) -> dict[str, str]:
    """Return {name met: its outcome, nothing where it is a stage}."""
    declared = declared_ends(options.won, options.lost, options.void)
    names = list(dict.fromkeys(sample_texts(cells)))[:MOST_NAMES]
    return {name: status_word(name, declared) or ("lost" if holds_exit(name) else "") for name in names}


def _words() -> Mapping[str, Sequence[str]]:
    words: Mapping[str, Sequence[str]] = preset_data("generic")["likely"]
    return words


_ABOUT = {"no_amount": "amount", "no_owner": "owner", "untimed_deals": "created_at", "untimed_closes": "closed_at"}


def with_missed(limit: Limit, proposals: Sequence[Proposal]) -> Limit:
    """Name the columns that may hold what the limit misses: not recognised is not the same as not there."""
    canonical = _ABOUT.get(limit.code)
    found = [row for row in proposals if row["meaning"] == canonical]
    if canonical is None or not found or any(row["confidence"] != "perhaps" for row in found):
        return limit
    names = quoted(row["column"] for row in found)
    return replace(limit, values={**limit.values, "maybe": names, "canonical": canonical})


def with_maybe(error: DataError, table: Table, columns: Mapping[str, str]) -> DataError:
    """Return an error about columns that are missing, with those that may hold what is missing."""
    if error.key != "no_column":
        return error
    problems = []
    for each in error.values.get("problems", (error,)):  # type: ignore[attr-defined]
        free = [header for header in table.cells.columns if header not in columns.values()]
        wanted = str(each.values["column"])
        fitting = likely(table, free, wanted) or (names_stages(table, free)[:1] if wanted == "stage" else [])
        found = quoted(fitting)
        told = both(lambda found=found: say("errors.maybe_column", maybe=found)) if fitting else ""  # type: ignore[misc]
        told = told or (flags_hint(table) if wanted == "stage" else "")
        problems.append(DataError("no_column", **{**each.values, "maybe": told}))
    return DataError("no_column", **{**problems[0].values, "problems": tuple(problems)})


# --- asked once ------------------------------------------------------------------------------------------------------


def ask(errors: Sequence[DataError], proposals: Sequence[Proposal] = ()) -> NoReturn:
    """Raise what has to be known before a source can be read: one error as it is, several as one that lists them."""
    problems = [each for error in errors for each in error.values.get("problems", (error,))]  # type: ignore[attr-defined]
    first = problems[0]
    if len(problems) == 1:
        raise DataError(first.key, **{**first.values, "proposals": tuple(proposals)})
    listed = both(lambda: "\n".join(f"  - {error}" for error in problems))
    file = first.values.get("file")
    raise DataError("questions", file=file, n=len(problems), listed=listed, problems=tuple(problems),
                    proposals=tuple(proposals))  # fmt: skip


def ask_with_likely(
    reading: Callable[[Mapping[str, Any]], Answer], sources: Sequence[Source], encoding: str | None
) -> Answer:
    """Read; where the encoding stays open, ask for it with all that would be asked next if it is the likely one."""
    try:
        return reading({})
    except DataError as error:
        likely: Any = error.values.get("likely")
        again = all(isinstance(source, (str, os.PathLike)) for source in sources)
        if not likely or not again or encoding:
            raise
        first = error
    try:
        found = reading({"encoding": likely, "quarantine": None, "progress": None})
    except DataError as further:
        problems: Any = further.values.get("problems", (further,))
        proposals: Any = further.values.get("proposals", ())
        ask([first, *problems], proposals)
    ask([first], getattr(found, "mapping", ()))
