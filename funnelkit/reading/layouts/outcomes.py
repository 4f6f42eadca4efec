"""Outcomes: names that mean won, lost or void, as declared, by words of many languages, or because they only end deals.

What is declared is taken. A word of the lists (presets/generic.toml) is taken and, where it stands behind a number or
is no English or Chinese one, said. A word that only looks like an exit ("Declined") is taken and said loudly; a stage
that looks like one by what follows it is proposed, never taken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import DataError, nearest
from funnelkit.pipeline import Finding
from funnelkit.reading.layouts.presets import key, preset_data, word_keys

if TYPE_CHECKING:
    from funnelkit.models import Funnel
    from funnelkit.reading.findings import Journal
    from funnelkit.reading.sheet import Sheet

ENDS = ("won", "lost", "void")
FEW = 0.2  # of the deals that a branch ends, at most so many have passed the stage that stands before it
_LEAD = re.compile(
    r"\s*(?:(?:阶段|stage\s|step\s|phase\s|fase\s|etapa?\s|étape\s|schritt\s|этап\s|第)?\s*[(\[]?(?P<number>\d{1,3})(?:\.\d+)*\s*%?\s*(?P<mark>[)\].、:\-–—_|]*)"
    r"|[(\[]?(?P<letter>[A-Za-z])(?:\s*[)\].、:|]+|\s+[-–—]))\s*(?P<rest>\S.*)",
    re.IGNORECASE,
)
_PIPELINE = re.compile(r"\s*C\d+:")  # Bitrix24 writes the number of the pipeline before its stages
_PARTED = re.compile(r"(?P<head>[^()\[\]]+?)\s*(?:[(\[](?P<inner>[^()\[\]]+)[)\]]|[-–—:/|,_]\s*(?P<tail>.+))")
_SHARE = re.compile(r"\s*[(\[]?\s*\d{1,3}\s*%\s*[)\]]?\s*$")


def leading(name: object) -> tuple[tuple[int, str], str] | None:
    """Return (what a name begins with, for ordering; the rest), None where it begins with no number or letter.

    >>> leading("6. Closed Lost"), leading("B) Offer"), leading("2nd call")
    (((6, ''), 'Closed Lost'), ((0, 'b'), 'Offer'), None)
    """
    plain = unicodedata.normalize("NFKC", str(name)).strip()
    found = _LEAD.fullmatch(plain)
    if not found or not any(sign.isalpha() for sign in found["rest"]):
        return None
    if found["number"] is None:
        return (0, found["letter"].lower()), found["rest"]
    glued = not found["mark"] and plain[found.start("rest") - 1].isdigit() and found["rest"][0].isascii()
    return None if glued else ((int(found["number"]), ""), found["rest"])


def bare(name: object) -> str:
    """Return a name without signs around it (an emoji), what leads, and the chance behind it."""
    plain = _without_signs(_PIPELINE.sub("", str(name)))
    found = leading(plain)
    return _SHARE.sub("", found[1] if found else plain)


def _without_signs(text: str) -> str:
    """Return a text without signs around it; a mark over the last letter, as Thai has it, is part of it."""
    begin, end = 0, len(text)
    while begin < end and not (text[begin].isalnum() or text[begin] in "_(["):
        begin += 1
    while end > begin and not (text[end - 1].isalnum() or text[end - 1] in "_)]%" or _is_mark(text, end - 1)):
        end -= 1
    return text[begin:end]


def _is_mark(text: str, at: int) -> bool:
    """Return True for a mark that a letter before it carries; the one that makes a sign an emoji is none."""
    return (
        unicodedata.category(text[at]) in ("Mn", "Mc") and at > 0 and (text[at - 1].isalpha() or _is_mark(text, at - 1))
    )


def status_word(name: object, declared: Mapping[str, str] | None = None) -> str | None:
    """Return won, lost, void or open where a stage or status name means it, as declared or by a word; else None.

    >>> status_word("6. Closed Lost"), status_word("Cerrado ganado"), status_word("A_DECLINED", {"adeclined": "lost"})
    ('lost', 'won', 'lost')
    """
    own = (declared or {}).get(key(name))
    return own or _word(str(name))


@cache
def _word(name: str) -> str | None:
    for text in dict.fromkeys((key(name), key(bare(name)), key(_behind_closed(name)))):
        for kind in (*ENDS, "open"):
            if text in word_keys(kind) or text in _foreign(kind):
                return kind
    return None


def _behind_closed(name: str) -> str:
    """Return what stands behind or, in brackets, beside a word for closed: the outcome of `Ended (Won)`."""
    found = _PARTED.fullmatch(bare(unicodedata.normalize("NFKC", name)))
    return (found["inner"] or found["tail"]) if found and key(found["head"]) in word_keys("closed") else ""


@cache
def _foreign(kind: str) -> frozenset[str]:
    return frozenset(map(key, preset_data("generic")["foreign"].get(kind, ())))


@cache
def _exits() -> frozenset[str]:
    return frozenset(map(key, preset_data("generic")["words"]["exit"]))


def exit_word(name: object) -> bool:
    """Return True where a name is a word for leaving without a deal, such as `Declined`."""
    return key(name) in _exits() or key(bare(name)) in _exits()


def holds_exit(name: object) -> bool:
    """Return True where one of the words of a name is such a word, or one for lost or void (`A_CANCELLED`)."""
    words = re.split(r"[^\w]+|_", unicodedata.normalize("NFKC", str(name)))
    return any(exit_word(word) or status_word(word) in ("lost", "void") for word in words if word)


def declared_ends(won: Any, lost: Any, void: Any) -> dict[str, str]:
    """Return {key of a name: won, lost or void} of what is declared; a text may hold several, parted by commas."""
    found: dict[str, str] = {}
    for kind, value in zip(ENDS, (won, lost, void), strict=True):
        for name in names_of(value):
            if found.setdefault(key(name), kind) != kind:
                raise DataError("outcome_twice", value=name, one=found[key(name)], other=kind)
    return found


def names_of(value: Any) -> list[str]:
    """Return the names in a text or list."""
    names = value.split(",") if isinstance(value, str) else [str(name) for name in value or ()]
    return [name.strip() for name in names if name.strip()]


# --- what the names of a source mean ----------------------------------------------------------------------------------


def find_ends(
    sheets: Sequence[Sheet], names: Sequence[str], model: Funnel | None, flagged: Mapping[str, str]
) -> dict[str, str]:
    """Return {key of a name met: its outcome}; what was not declared and is no plain word is said in the journal.

    `flagged` holds names whose deals are all flagged as closed, `model` the stages given, whose names stay stages.
    """
    declared, journal, file = sheets[0].declared, sheets[0].journal, sheets[0].table.name
    _note_unmet(sheets, names, journal)
    stages = {key(text) for stage in model.stages for text in (stage.id, *stage.name, *stage.aliases)} if model else ()
    ends, said, loud = dict(flagged), dict[str, list[str]](), dict[str, list[str]]()
    for name in map(str.strip, names):
        text = key(name)
        if text in ends:
            continue
        if text in declared:
            ends[text] = declared[text]
        elif text not in stages:
            word = status_word(name)
            if word in ENDS:
                ends[text] = word
                if not any(text in word_keys(kind) for kind in ENDS):
                    said.setdefault(word, []).append(name)
            elif word is None and exit_word(name) and _only_ends(sheets, name):
                ends[text] = "lost"
                loud.setdefault("lost", []).append(name)
    for rule, severity, groups in (("outcomes_read", "note", said), ("outcomes_proposed", "warn", loud)):
        for kind, found in groups.items():
            names_told = ", ".join(map(repr, found))
            journal.add(rule, severity, file=file, column=_header(sheets), value=found[0], kind=kind, names=names_told,
                        option=",".join(found))  # fmt: skip
    return ends


def names_met(sheets: Sequence[Sheet]) -> list[str]:
    """Return the different stage names of the good rows, as they are written."""
    parts = [names[s.good[: len(names)]].dropna().unique() for s in sheets for names in (s.stage_names, s.before_names)]
    return list(dict.fromkeys(str(name) for part in parts for name in part))


def _header(sheets: Sequence[Sheet]) -> str | None:
    return next((sheet.mapping.columns["stage"] for sheet in sheets if sheet.has("stage")), None)


def _note_unmet(sheets: Sequence[Sheet], names: Iterable[str], journal: Journal) -> None:
    """Warn of declared names that stand nowhere."""
    statuses = [name for s in sheets if "status" in s.frame for name in s.frame["status"].dropna().unique()]
    met = list(dict.fromkeys([*names, *statuses]))
    known = set(map(key, met))
    for name in dict.fromkeys(n for kind in ENDS for n in names_of(getattr(sheets[0].options, kind))):
        if key(name) not in known:
            near = nearest(name, met) if met else "-"
            journal.add("outcome_unmet", "warn", file=sheets[0].table.name, value=name, nearest=near)


def _only_ends(sheets: Sequence[Sheet], name: str) -> bool:
    """Return True unless histories show that deals go on after this name."""
    entries = entries_of([sheet for sheet in sheets if sheet.mapping.layout == "events"])
    if entries is None:
        return True
    last = ~entries["deal_id"].duplicated(keep="last")
    here = entries["name"] == key(name)
    return not here.any() or bool(last[here].mean() > 1 - FEW)


def entries_of(sheets: Sequence[Sheet]) -> pd.DataFrame | None:
    """Return (deal_id, name, entered_at) of the rows of histories in order; what a change left comes just before it."""
    parts = []
    for sheet in sheets:
        columns = ["deal_id", "entered_at"]
        parts.append(sheet.frame[columns].assign(name=sheet.stage_names, side=1)[sheet.good])
        if len(sheet.before_names):
            left = sheet.frame["before_at"].fillna(sheet.frame["entered_at"])
            before = sheet.frame[columns].assign(entered_at=left, name=sheet.before_names, side=0)
            parts.append(before[sheet.good & sheet.before_names.notna().to_numpy()])
    if not parts:
        return None
    rows = pd.concat(parts).sort_values(["entered_at", "side"], kind="stable")
    keys = {name: key(name) for name in rows["name"].dropna().unique()}
    return rows.assign(name=rows["name"].map(keys))


def note_branches(sheets: Sequence[Sheet], entries: pd.DataFrame, order: Sequence[str]) -> None:
    """Warn of a stage that only ends deals and that few reach by way of a stage that stands before it."""
    place = {key(name): number for number, name in enumerate(order)}
    stage = entries["name"].map(place).fillna(-1).to_numpy("int64")
    deal = pd.factorize(entries["deal_id"])[0]
    last = np.full(deal.max(initial=-1) + 1, -1)
    last[deal] = stage  # rows are in the order of time: the last one stays
    entered = np.zeros((len(last), len(order) + 1), dtype=bool)
    entered[deal, stage] = True
    for number, name in enumerate(order[2:], 2):
        here = entered[:, number]
        n = int(here.sum())
        missed = {one: int((here & ~entered[:, i]).sum()) for i, one in enumerate(order[1:number], 1)}
        worst = max(missed, key=lambda one: missed[one])
        enough = FEW if holds_exit(name) else 0.5
        if n and (last == number).sum() > (1 - FEW) * n and missed[worst] > enough * n:
            all_counted = int((here | entered[:, place[key(worst)]]).sum())
            sheets[0].journal.add(
                "stage_is_branch", "warn", file=sheets[0].table.name, column=_header(sheets), value=name,
                n=missed[worst], n_all=all_counted, stage=worst,
            )  # fmt: skip


def note_closes_of_open(sheet: Sheet, dated: NDArray[np.bool_]) -> None:
    """Say that close dates of open deals are expected ones; warn of stages all of whose deals have one where no deal of
    another open stage has, for those look like outcomes that no word explains."""
    file, column = sheet.table.name, sheet.mapping.columns["closed_at"]
    sheet.journal.add("close_is_expected", file=file, column=column, n=int(dated.sum()))
    still = (sheet.frame["status"] == "open").to_numpy() & sheet.good
    shares = pd.Series(dated[still]).groupby(sheet.stage_names[still].to_numpy()).mean()
    names = list(shares.index[shares == 1])
    if names and len(names) < len(shares) and not shares.between(0.0, 1.0, inclusive="neither").any():
        told = {"names": ", ".join(map(repr, names)), "option": ",".join(names)}
        found = Finding("stage_looks_closed", "warn", file, None, _header([sheet]), names[0], told)
        sheet.journal.findings.append(found)


def flag_texts() -> tuple[frozenset[str], frozenset[str]]:
    """Return (texts that say yes, texts that say no) in a column of flags."""
    words = preset_data("generic")["words"]
    return frozenset(map(str.casefold, words["yes"])), frozenset(map(str.casefold, words["no"]))


def is_flags(texts: pd.Series) -> bool:
    """Return True where all texts of a column say yes or no."""
    yes, no = flag_texts()
    found = texts.dropna().str.strip().str.casefold().unique()
    return bool(len(found)) and bool(np.isin(found, list(yes | no)).all())
