"""Numbers, money and dates as people of each language read them. One place for every format."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

from funnelkit.language.texts import language, say

DASH, NBSP, MINUS = "–", "\u00a0", "\u2212"
RUN = "FUNNELKIT_RUN"  # environment variable of a report's kernel
_EN, _ZH = ((1e9, "B"), (1e6, "M"), (1e3, "K")), ((1e8, "亿"), (1e4, "万"))
_LOCALES = {"en": "en_GB", "zh": "zh_CN"}


@dataclass
class _Settings:
    currency: str | None = None
    calendar: Any = None


settings = _Settings()  # what `fk.use` chose, for the process


@cache
def _locale(lang: str) -> Any:
    from babel import Locale  # loads its tables, which the import of the kit does not need

    return Locale.parse(_LOCALES[lang])


@cache
def _pattern(pattern: str) -> Any:
    from babel.numbers import parse_pattern

    return parse_pattern(pattern)


def _missing(value: Any) -> bool:
    if value is None or type(value) in (int, float):
        return value is None or not math.isfinite(value)
    import pandas as pd  # which a command that only supervises does without

    return bool(pd.isna(value)) or (isinstance(value, float) and math.isinf(value))


def _rounded(value: Any, decimals: int) -> Decimal:
    """Round halves away from zero, as people do: 63.15 is 63.2 (the float below it would give 63.1); never -0."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(round(float(value), decimals + 9)))
    found = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return found if found else abs(found)


def _apply(value: Decimal, decimals: int, form: str = "{}") -> str:
    digits = "#,##0" + ("." + "0" * decimals if decimals else "")
    return _signed(str(_pattern(form.format(digits)).apply(value, _locale(language()))))


def _signed(text: str) -> str:
    """Write the minus as the language does: Chinese sets the mathematical sign, which is as wide as a plus."""
    return text.replace("-", MINUS, 1) if language() == "zh" else text


def number(value: Any, decimals: int = 0) -> str:
    """Return a number with thousands separators; a missing one is a dash.

    Parameters
    ----------
    value : number or None
    decimals : int, default 0

    Returns
    -------
    str

    Examples
    --------
    >>> number(6711), number(None), number(1234.5, 2), number(-0.0)
    ('6,711', '–', '1,234.50', '0')
    """
    return DASH if _missing(value) else _apply(_rounded(value, decimals), decimals)


def percent(rate: Any, decimals: int = 1) -> str:
    """Return a fraction as percent for people; a missing one is a dash.

    Parameters
    ----------
    rate : float or None
        A fraction: 0.5 is 50%.
    decimals : int, default 1

    Returns
    -------
    str

    Notes
    -----
    Halves are rounded away from zero.

    Examples
    --------
    >>> percent(0.6315), percent(float("nan"))
    ('63.2%', '–')
    """
    if _missing(rate):
        return DASH
    return _apply(_rounded(float(rate) * 100, decimals) / 100, decimals, "{}%")


def points(change: Any) -> str:
    """Return a difference of rates in percentage points, with its sign.

    Parameters
    ----------
    change : float or None
        A difference of fractions: 0.02 is 2 points.

    Returns
    -------
    str

    Examples
    --------
    >>> points(0.0166), points(-0.092), points(-0.0001)
    ('+1.7', '-9.2', '0.0')
    """
    if _missing(change):
        return DASH
    found = _rounded(float(change) * 100, 1)
    return _signed(f"{found:+,}") if found else "0.0"


def is_report() -> bool:
    """Return whether this is the kernel of a report."""
    return os.environ.get(RUN) == "1"


def scale_of(value: float) -> tuple[float, str, int]:
    """Return the unit that an amount is told in, its word, and how many decimals it then has."""
    size = abs(value)
    if language() == "zh":
        for unit, word in _ZH:
            if size >= unit:
                return unit, word, 2 if word == "亿" else int(size < 10 * unit)
        return 1.0, "", 0
    for unit, word in _EN:
        if size >= 0.9995 * unit:
            return unit, word, 0 if word == "K" else 1
    return 1.0, "", 0


def large(value: Any, unit: str = "") -> str:
    """Return a whole number as a sentence says it: in Chinese with 万 and 亿 from ten thousand on.

    Parameters
    ----------
    value : number or None
    unit : str, optional
        What a Chinese sentence counts, such as 人; English needs none.

    Returns
    -------
    str

    Examples
    --------
    >>> large(4_782_969, "人")
    '4,782,969'
    """
    if language() == "en" or _missing(value):
        return number(value)
    size, word, _ = scale_of(float(value))
    found = float(value) / size
    text = number(found, int(word != "" and abs(found) < 100 and round(found, 1) % 1 != 0))
    return f"{text} {word}{unit}" if word or unit else text


def short_money(value: float, currency: str | None) -> str:
    """Return an amount as a report has it: CNY 23.9 M; ¥2,393万."""
    unit, word, decimals = scale_of(value)
    text = number(value / unit, decimals)
    if language() == "zh":
        sign, text = (MINUS, text[1:]) if text.startswith(MINUS) else ("", text)
        return sign + symbol_of(currency) + text + word
    return NBSP.join(part for part in (currency or "", text, word) if part)


def symbol_of(currency: str | None) -> str:
    """Return the symbol of a currency in Chinese text, nothing for none."""
    if not currency:
        return ""
    from babel.numbers import get_currency_symbol

    return str(get_currency_symbol(currency, locale="zh_CN"))


def money(value: Any, currency: str | None = None, *, short: bool = False) -> str:
    """Return an amount in its currency, as the language writes it; a missing one is a dash.

    Parameters
    ----------
    value : number or None
    currency : str, optional
        An ISO code; by default that of `fk.use`, else the amount is a plain number.
    short : bool, default False
        Three digits and the word of the language for the rest.

    Returns
    -------
    str

    Examples
    --------
    >>> money(1234567, "CNY"), money(120_000_000, "CNY", short=True), money(99)
    ('CN¥1,234,567', 'CN¥120M', '99')
    """
    unit = currency or settings.currency
    if is_report() and not _missing(value):
        return short_money(value, unit)
    if _missing(value) or not unit:
        return number(value)
    from babel.numbers import format_compact_currency, format_currency

    amount, locale = _rounded(value, 0), _locale(language())
    if short and abs(amount) >= 1000:
        figures = max(0, 2 - math.floor(math.log10(abs(amount))) % (4 if language() == "zh" else 3))
        found = format_compact_currency(amount, unit, locale=locale, fraction_digits=figures)
        return _signed(str(found))
    return _signed(str(format_currency(amount, unit, "¤#,##0", locale=locale, currency_digits=False)))


def day(when: Any) -> str:
    """Return a date as the language writes it; a missing one is a dash.

    Parameters
    ----------
    when : date, Timestamp or str

    Returns
    -------
    str

    Examples
    --------
    >>> day(date(2026, 5, 12))
    '12 May 2026'
    """
    if _missing(when):
        return DASH
    import pandas as pd
    from babel.dates import format_date

    found = pd.Timestamp(when)
    form = "y 年 M 月 d 日" if language() == "zh" else "long"
    return str(format_date(date(found.year, found.month, found.day), form, locale=_locale(language())))


def rate_text(row: Mapping[str, Any]) -> str:
    """Return one rate row (k, n, rate, low, high, n_open) as text: the rate, its interval, its n.

    Where the source carries no rate (basis unknown), it is what is known instead: floor to ceiling, or k of n.

    >>> rate_text({"k": 1, "n": 2, "rate": 0.5, "low": 0.0945, "high": 0.9055, "n_open": 0})
    '50.0% [9.5, 90.6] (n = 2)'
    >>> rate_text({"k": 0, "n": 0, "rate": float("nan"), "low": float("nan"), "high": float("nan"), "n_open": 0})
    'n/a (0 entered)'
    >>> rate_text({"k": 6, "n": 24, "rate": float("nan"), "basis": "unknown"})
    '6 of 24 so far'
    """
    if row.get("basis") == "unknown":
        return _unknown_rate(row)
    if row["n"] == 0:
        if row.get("basis") == "share":
            return DASH  # the last of plain counts: none follows
        n_open = int(row.get("n_open", 0))
        if n_open:
            return say("language.present.rate_all_open", n=number(n_open))
        return say("language.present.rate_none")
    if _missing(row["rate"]):
        return DASH  # of a last step: none follows
    low, high = (percent(row[end]).removesuffix("%") for end in ("low", "high"))
    return say("language.present.rate", rate=percent(row["rate"]), low=low, high=high, n=number(row["n"]))


def _unknown_rate(row: Mapping[str, Any]) -> str:
    if not _missing(row.get("floor")):
        ends = {end: percent(row[end]) for end in ("floor", "ceiling")}
        return say("language.present.rate_bounded", **ends)
    if row["n"]:
        return say("language.present.rate_so_far", k=number(row["k"]), n=number(row["n"]))
    return say("language.present.rate_unknown")


def change_text(row: Mapping[str, Any]) -> str:
    """Return a change of a rate (change, change_low, change_high) as points with its interval.

    >>> change_text({"change": -0.287, "change_low": -0.423, "change_high": -0.134})
    '-28.7 [-42.3, -13.4]'
    """
    if _missing(row.get("change_low")):
        return points(row["change"])
    return f"{points(row['change'])} [{points(row['change_low'])}, {points(row['change_high'])}]"
