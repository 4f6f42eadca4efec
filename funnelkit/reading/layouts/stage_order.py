"""Order: which stage comes before which, as names, categories, histories, dates or chances show it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError, both, say
from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.layouts.columns import date_stem
from funnelkit.reading.layouts.outcomes import entries_of, holds_exit, leading, note_branches
from funnelkit.reading.layouts.presets import key, preset_data
from funnelkit.reading.layouts.stage_dates import wide_entries
from funnelkit.reading.sheet import Sheet

ALIKE = 0.9  # of a stage's deals must carry its chance, for the chances to be those of the stages


def order_stages(sheets: Sequence[Sheet], names: Sequence[str], won: Sequence[str] = ()) -> tuple[Sequence[str], str]:
    """Return (names in order with the won one, key of the reason); an order that is stated goes before what deals did.

    Raises DataError where nothing shows which of two stages comes first.
    """
    if len(names) < 2:
        return [*names, *won], "single"
    histories = [sheet for sheet in sheets if sheet.mapping.layout == "events"]
    entries = entries_of(histories) if histories else wide_entries(sheets, names)
    told = _said_order(sheets, names, entries is None)
    first = None if told or entries is None else _first_entries(entries)
    if told is None:
        scores = _filled_scores(sheets, names) if first is None else _entry_scores(first, names)
        told = _ranked(sheets, names, scores, won), "history" if histories else "dates"
    order, why = told
    if histories and entries is not None:
        note_branches(sheets, entries, order)
    if why == "leading":
        return _with_numbered(order, won), why
    return [*order, *won] if first is None else _with_entered(order, won, first), why


def _with_numbered(order: Sequence[str], won: Sequence[str]) -> list[str]:
    """Return numbered stages with the won one at its number, at the end where it has none."""
    marks = {name: found[0] for name in (*order, *won) if (found := leading(name))}
    return sorted((*order, *won), key=lambda name: marks.get(name, (1000, "")))


def _with_entered(order: Sequence[str], won: Sequence[str], first: pd.DataFrame) -> list[str]:
    """Return the stages with the won one before those that most deals enter after it; else it is the last."""
    if not won or key(won[0]) not in first:
        return [*order, *won]
    gaps = [first[key(won[0])] - first[key(name)] for name in order]
    place = max((n for n, gap in enumerate(gaps, 1) if (gap > 0).sum() >= (gap < 0).sum()), default=len(order))
    return [*order[:place], *won, *order[place:]]


def _said_order(sheets: Sequence[Sheet], names: Sequence[str], by_chance: bool) -> tuple[Sequence[str], str] | None:
    """Return (names in order, key of the reason) where names, categories or chances state it."""
    marks = {name: found[0] for name in names if (found := leading(name))}
    kinds = {mark[1] == "" for mark in marks.values()}
    if len(set(marks.values())) == len(names) and len(kinds) == 1:
        return sorted(names, key=lambda name: marks[name]), "leading"
    for sheet in sheets:
        kind: Any = sheet.cells("stage").dtype if sheet.has("stage") else None
        if isinstance(kind, pd.CategoricalDtype) and kind.ordered:
            place = {key(name): number for number, name in enumerate(kind.categories)}
            if all(key(name) in place for name in names):
                return sorted(names, key=lambda name: place[key(name)]), "categories"
    for why in ("place", "chance") if by_chance else ("place",):
        said = stated(sheets, names, why)
        if len(set(said.values())) == len(names) == len(said):
            return sorted(names, key=lambda name: said[name]), why
    return None


def _ranked(
    sheets: Sequence[Sheet], names: Sequence[str], scores: Mapping[str, object], won: Sequence[str]
) -> Sequence[str]:
    """Return the names by their scores; a tie is refused."""
    ranked = sorted(names, key=lambda name: scores[name])  # type: ignore[arg-type, return-value]
    tie = next(((one, other) for one, other in pairwise(ranked) if scores[one] == scores[other]), None)
    if tie:
        raise order_unknown(sheets[0].table.name, names, *tie, won=won)
    return ranked


def order_unknown(file: str, names: Sequence[str], one: str, other: str, won: Sequence[str] = ()) -> DataError:
    """Return the refusal that asks for the order of stages, and for the names that look like exits.

    `order` holds the order that the names propose, exits left out and the win last; nothing where they leave it open.
    """
    exits = [name for name in names if holds_exit(name)]
    listed, option = ", ".join(map(repr, exits)), ",".join(exits)
    told = both(lambda: say("errors.maybe_exits", names=listed, option=option)) if exits else ""
    order = usual_order([name for name in names if name not in exits])
    if order:
        order = (*order, *won)
        usual, exits_told = ",".join(order), told
        told = both(lambda: say("errors.maybe_order", order=usual) + str(exits_told))
    return DataError("stage_order_unknown", file=file, known=", ".join(names), one=one, other=other, exits=told,
                     order=order)  # fmt: skip


def usual_order(names: Sequence[str]) -> tuple[str, ...]:
    """Return names in the order in which such stages usually stand, numbers by size; nothing where some are open.

    >>> usual_order(["Negotiation", "Lead", "Proposal sent"]), usual_order(["10", "9"]), usual_order(["Lead", "Blue"])
    (('Lead', 'Proposal sent', 'Negotiation'), ('9', '10'), ())
    >>> usual_order(["Demo completed", "Demo scheduled"])
    ('Demo scheduled', 'Demo completed')
    """
    places: list[tuple[int, int] | None] = [(int(name), 0) if name.strip().isdecimal() else None for name in names]
    if None in places:
        places = [_usual_place(name) for name in names]
    known = [place for place in places if place is not None]
    if len(set(known)) < len(names):
        return ()
    return tuple(name for _, name in sorted(zip(known, names, strict=True)))


def _usual_place(name: str) -> tuple[int, int] | None:
    """Return (step of a usual pipeline, whether it is still to come, under way or done), None where no word says."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    words = [word for word in re.split(r"[\W_\d]+", plain) if word]
    sequence: Mapping[str, Any] = preset_data("generic")["sequence"]
    met = [number for number, begins in enumerate(sequence["steps"]) if any(_met(words, begin) for begin in begins)]
    coming, done = (any(_met(words, begin) for begin in sequence[part]) for part in ("coming", "done"))
    return (max(met), int(done) - int(coming)) if met else None


def _met(words: Sequence[str], begin: str) -> bool:
    """Return True where a word begins so; in scripts without blanks (Chinese, Japanese, Korean), where one holds it."""
    return any(begin in word if begin[0] >= "\u2e80" else word.startswith(begin) for word in words)


def stated(sheets: Sequence[Sheet], names: Sequence[str], what: str) -> dict[str, float]:
    """Return the chance of a win, or the place in the pipeline, of each name whose rows nearly all carry the same."""
    known = set(map(key, preset_data("generic")["signs"][what]))
    found: dict[str, float] = {}
    for sheet in sheets:
        header = next((header for header in sheet.table.cells.columns if key(header).rstrip("%") in known), None)
        if what == "chance":
            header = sheet.mapping.columns.get("probability", header)
        if header is None or (what == "chance" and sheet.mapping.layout != "deals"):
            continue
        values = pd.to_numeric(cell_text(sheet.table.cells[header]).str.strip().str.rstrip("%"), errors="coerce")
        frame = pd.DataFrame({"name": sheet.stage_names.map(key, na_action="ignore"), "chance": values})
        groups = frame[sheet.good].dropna().groupby("name")["chance"]
        typical = groups.agg(lambda chances: chances.mode().iloc[0] if len(chances) else np.nan)
        alike = frame["chance"].eq(frame["name"].map(typical))[sheet.good].groupby(frame["name"]).mean()
        found |= {name: typical[key(name)] for name in names if alike.get(key(name), 0.0) >= ALIKE}
    return found


def _filled_scores(sheets: Sequence[Sheet], names: Sequence[str]) -> dict[str, float]:
    """Return for each name how many of the columns with stage dates its rows have filled, on average, to 0.05."""
    totals, rows = dict.fromkeys(map(key, names), 0.0), dict.fromkeys(map(key, names), 0)
    for sheet in sheets:
        dates = [header for header in sheet.mapping.extra if date_stem(header)]
        filled = (
            sum((~sheet.is_blank(header)).astype(float) for header in dates) if dates else np.zeros(len(sheet.good))
        )
        frame = pd.DataFrame({"name": sheet.stage_names.map(key, na_action="ignore").to_numpy(), "filled": filled})
        for name, group in frame[sheet.good].groupby("name")["filled"]:
            if name in totals:
                totals[name] += group.sum()
                rows[name] += len(group)
    return {name: round(totals[key(name)] / max(rows[key(name)], 1) * 20) / 20 for name in names}


def _first_entries(entries: pd.DataFrame) -> pd.DataFrame:
    """Return a row a deal, a column a stage: the place in the log at which it first entered it."""
    frame = entries.assign(name=entries["name"].map({name: key(name) for name in entries["name"].dropna().unique()}))
    frame = frame.sort_values("entered_at", kind="stable")
    frame["order"] = np.arange(len(frame))
    return frame.groupby(["deal_id", "name"])["order"].min().unstack()


def _entry_scores(first: pd.DataFrame, names: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Return for each name (how many others it follows in most of the cases that have both, its mean place in a case).

    The first is Copeland's count of pairwise majorities; the place, from 0 to 1, decides where it is level.
    """
    places = first.rank(axis=1).sub(1).div((first.notna().sum(axis=1) - 1).clip(lower=1), axis=0).mean()
    score = dict.fromkeys(names, 0)
    for one, other in combinations(names, 2):
        gap = first[key(one)] - first[key(other)]
        later = int(np.sign((gap > 0).sum() - (gap < 0).sum()))
        score[one] += later
        score[other] -= later
    return {name: (score[name], places[key(name)]) for name in names}
