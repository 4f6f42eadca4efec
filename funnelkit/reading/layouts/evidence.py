"""Evidence: what the name and the cells of a column show about it: dates, numbers, flags, a unit in the header."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from funnelkit.reading.cells.dates import is_date
from funnelkit.reading.cells.numbers import is_number
from funnelkit.reading.cells.text import cell_text
from funnelkit.reading.layouts.outcomes import holds_exit, is_flags, status_word
from funnelkit.reading.layouts.presets import key, preset_data

if TYPE_CHECKING:
    from funnelkit.reading.containers.options import Table

DATES = frozenset(
    ("created_at", "closed_at", "won_at", "lost_at", "void_at", "ended_at", "stage_changed_at", "expected_close",
     "entered_at", "before_at", "left_at")
)  # fmt: skip
NUMBERS = frozenset(("amount", "value", "n_entered", "n_advanced", "n_lost", "n_open", "rate"))
FLAGS = frozenset(("is_won", "is_closed", "is_lost"))
MOST_STAGES = 30  # that a column nobody named so may hold
_SAMPLE = 1000  # cells from the start of a column, and as many spread over the rest


def sample_texts(cells: pd.Series) -> pd.Series:
    """Return some cells of a column as text, those at its start and some of the rest; blanks are left out."""
    step = max(1, (len(cells) - _SAMPLE) // _SAMPLE)
    part = pd.concat([cells.iloc[:_SAMPLE], cells.iloc[_SAMPLE::step]]) if len(cells) > _SAMPLE else cells
    return cell_text(part).dropna().str.strip()


def holds(canonical: str, cells: pd.Series, *, serial: bool = False) -> bool | None:
    """Return whether any cell can be what a column of this meaning holds; None where all are blank or all can.

    `serial` is True in workbooks, whose dates may be day numbers. A column of flags is never one of dates.
    """
    if canonical not in DATES | NUMBERS | FLAGS:
        return None
    texts = sample_texts(cells)
    if not len(texts):
        return None
    if canonical in FLAGS:
        return is_flags(texts)
    found = texts.unique()[:300]
    if canonical in NUMBERS:
        return any(map(is_number, found))
    if is_flags(texts):
        return False
    return any(is_date(text) or (serial and is_number(text)) for text in found)


def likely(table: Table, headers: Sequence[str], canonical: str) -> list[str]:
    """Return those of these columns that look like one of this meaning, by a word of their name and by their cells."""
    found = []
    words: Sequence[str] = preset_data("generic")["likely"].get(canonical, ())
    for header in headers:
        plain = unicodedata.normalize("NFKC", header)
        tokens = set(re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).casefold()))
        named = any(word in tokens or (not word.isascii() and word in plain.casefold()) for word in words)
        fits = holds(canonical, table.cells[header], serial=table.kind == "workbook") if named else False
        if named and canonical == "deal_id" and len(table.cells) > 1:  # an id tells rows apart
            fits = None if sample_texts(table.cells[header]).nunique() > 1 else False
        if fits or (fits is None and canonical not in DATES | NUMBERS):
            found.append(header)
    return found


def names_stages(table: Table, headers: Sequence[str]) -> list[str]:
    """Return those of these columns whose cells read like stages: few texts, often repeated, one of them an outcome."""
    found = []
    for header in headers:
        texts = sample_texts(table.cells[header])
        names = texts.unique()
        if 2 <= len(names) <= MOST_STAGES and 3 * len(names) <= len(texts) and not is_flags(texts):
            ends = [status_word(name) in ("won", "lost") or holds_exit(name) for name in names]
            found += [header] if any(ends) else []
    return found


def few_names(cells: pd.Series, outcomes_apart: bool) -> bool:
    """Return True where the texts of a column are few names that recur, one an outcome unless those stand apart."""
    texts = sample_texts(cells)
    names = texts.unique()
    if not 2 <= len(names) <= min(MOST_STAGES, len(texts) / 2) or is_flags(texts) or all(map(_is_value, names)):
        return False
    return (outcomes_apart and len(names) > 2) or any(
        status_word(name) in ("won", "lost") or holds_exit(name) for name in names
    )


def _is_value(text: str) -> bool:
    return is_number(text) or is_date(text)


def holds_outcomes(cells: pd.Series) -> bool:
    """Return True where all texts of a column are words for outcomes or for open deals, and one of them for a win."""
    texts = sample_texts(cells).unique()
    kinds = {status_word(text) for text in texts[:20]} if len(texts) <= 20 else {None}
    return "won" in kinds and None not in kinds and len(texts) > 1


# --- what a header says ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """The unit in a header: what stands before it, the factor to whole money, the currency."""

    bare: str
    text: str
    factor: float
    currency: str | None


_ENCLOSED = re.compile(r"(?P<bare>.*\S)\s*[(\[【](?P<unit>[^()\[\]【】]{1,20})[)\]】]\s*")
_BEHIND = re.compile(r"(?P<bare>.*?\S)(?:\s*[/_,:;-]\s*|\s+in\s+|\s+)(?P<unit>[^\s/_,:;-]{1,12})\s*", re.IGNORECASE)
_UNIT = re.compile(
    r"(?:单位[::]?)?(?P<factor>百万|千万|[万亿千]|'?000'?s?|thousands?|millions?|billions?|tsd\.?|mio\.?|mrd\.?|mln|mn|bn|"
    r"mm|[kmt](?=\s*(?:$|us\$|[$€£¥]|[a-z]{3}$)))?\s*(?:of\s+)?(?P<money>us\$|[$€£¥₩₹₽]|[^\W\d_]{1,4}\.?)?",
    re.IGNORECASE,
)
_FACTORS = {
    "千": 1e3, "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "000": 1e3, "k": 1e3, "t": 1e3, "tsd": 1e3,
    "thousand": 1e3, "m": 1e6, "mm": 1e6, "mn": 1e6, "mio": 1e6, "mln": 1e6, "million": 1e6, "mrd": 1e9, "bn": 1e9,
    "billion": 1e9,
}  # fmt: skip
_MONEY = {
    "元": "CNY", "人民币": "CNY", "rmb": "CNY", "美元": "USD", "美金": "USD", "欧元": "EUR", "日元": "JPY",
    "円": "JPY", "원": "KRW", "zł": "PLN", "kč": "CZK", "tl": "TRY",
    "港元": "HKD", "港币": "HKD", "英镑": "GBP", "us$": "USD", "€": "EUR", "£": "GBP", "₩": "KRW", "₹": "INR",
    "₽": "RUB", "$": "$", "¥": "¥", "руб": "RUB", "euro": "EUR", "eur": "EUR",
} | {code: code.upper() for code in (
    "usd", "cny", "gbp", "jpy", "hkd", "chf", "cad", "aud", "nzd", "sek", "nok", "dkk", "pln", "czk", "huf", "ron",
    "rub", "uah", "try", "inr", "brl", "mxn", "ars", "clp", "cop", "pen", "krw", "twd", "sgd", "thb", "myr", "idr",
    "php", "vnd", "zar", "ils", "aed", "sar", "kzt")}  # fmt: skip


@cache
def money_of(text: str) -> str:
    """Return the currency that a cell of a column of currencies names, as it stands there where it is not known.

    >>> money_of("usd"), money_of("US Dollar : USD"), money_of("RMB"), money_of("€"), money_of("Pts")
    ('USD', 'USD', 'CNY', 'EUR', 'PTS')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    codes = {code for code in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", plain) if code.lower() in _MONEY}
    return _MONEY.get(plain.lower()) or (_MONEY[codes.pop().lower()] if len(codes) == 1 else plain.upper())


@cache
def unit_of(header: str) -> Unit | None:
    """Return the Unit in a header, None where it has none.

    >>> unit_of("合同金额（万元）").factor, unit_of("Amount in EUR").currency, unit_of("Close date (actual)")
    (10000.0, 'EUR', None)
    """
    plain = unicodedata.normalize("NFKC", header).strip()
    for pattern in (_ENCLOSED, _BEHIND):
        match = pattern.fullmatch(plain)
        unit = match and _UNIT.fullmatch(match["unit"].strip())
        if not match or not unit or not unit[0]:
            continue
        money = _MONEY.get((unit["money"] or "").lower().rstrip("."))
        factor = (unit["factor"] or "").lower().strip("'.").removesuffix("s") if unit["factor"] else ""
        if (unit["money"] and money is None) or (pattern is _BEHIND and money is None):
            continue
        return Unit(match["bare"], match["unit"].strip(), _FACTORS.get(factor, 1.0), money)
    return None


@cache
def spoken(header: str) -> str:
    """Return the key of what a header says beside words that only decorate (`Deal`, `Name`, `on`, a currency).

    >>> spoken("Opportunity Amount USD"), spoken("Rep Name"), spoken("createdOn")
    ('amount', 'rep', 'created')
    """
    unit = unit_of(header)
    plain = unicodedata.normalize("NFKC", unit.bare if unit else header)
    words = re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain))
    noise = set(preset_data("generic")["signs"]["noise"])
    kept = [word for word in words if word and word.casefold() not in noise]
    return key(" ".join(kept)) if kept and len(kept) < len(words) + bool(unit) else ""
