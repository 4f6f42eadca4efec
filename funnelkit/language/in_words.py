"""Amounts, times and periods as a sentence says them; tables and axes have those of `formats`."""

from __future__ import annotations

import re
from typing import Any

from funnelkit.language.formats import DASH, day, money, number, scale_of, settings
from funnelkit.language.texts import language

_PERIOD = re.compile(r"(FY)?(\d{4})(?:-?([QW]?)(\d{1,2}))?")


def amount_in_words(value: Any, currency: str | None = None) -> str:
    """Return an amount as a sentence says it: in Chinese in 万 or 亿 with the word of the currency.

    Parameters
    ----------
    value : number or None
    currency : str, optional
        An ISO code; by default that of `fk.use`, else the amount is a plain number.

    Returns
    -------
    str

    Examples
    --------
    >>> from funnelkit.language import speaking
    >>> with speaking("zh"):
    ...     amount_in_words(23_930_000, "CNY"), amount_in_words(5_812, "CNY"), amount_in_words(447_000)
    ('2,393 万元', '5,812 元', '45 万')
    """
    plain = money(value, currency)
    if language() == "en" or plain == DASH:
        return plain
    size, word, decimals = scale_of(float(value))
    text = number(float(value) / size, min(decimals, 1))
    unit = word + currency_word(currency or settings.currency)
    return f"{text} {unit}" if unit else text


def currency_word(currency: str | None) -> str:
    """Return the word of a currency after an amount in a Chinese sentence, nothing for none."""
    if not currency or currency == "CNY":
        return "元" if currency else ""
    from babel.numbers import get_currency_name

    return str(get_currency_name(currency, locale="zh_CN"))


def moment(when: Any) -> str:
    """Return a date with its time as the language writes it; one at midnight without the time.

    Parameters
    ----------
    when : datetime, Timestamp or str

    Returns
    -------
    str

    Examples
    --------
    >>> moment("2026-05-12 09:30:00"), moment("2026-05-12")
    ('12 May 2026, 09:30', '12 May 2026')
    """
    if day(when) == DASH:
        return DASH
    import pandas as pd

    found = pd.Timestamp(when)
    if found == found.normalize():
        return day(found)
    clock = f"{found:%H:%M:%S}".removesuffix(":00")
    return day(found) + (" " if language() == "zh" else ", ") + clock


def period_in_words(name: Any) -> str:
    """Return the name of a period as a sentence says it: in Chinese its year, quarter, month or week in words.

    Parameters
    ----------
    name : str
        As a calendar names it, such as 2026-Q1.

    Returns
    -------
    str

    Examples
    --------
    >>> from funnelkit.language import speaking
    >>> with speaking("zh"):
    ...     [period_in_words(name) for name in ("2026", "2026-03", "2026-W05", "FY2026-Q4")]
    ['2026 年', '2026 年 3 月', '2026 年第 5 周', '2026 财年第四季度']
    >>> period_in_words("2026-Q1")
    '2026-Q1'
    """
    found = _PERIOD.fullmatch(str(name)) if language() == "zh" else None
    if found is None:
        return str(name)
    fiscal, year, kind, part = found.groups()
    year = f"{year} 财年" if fiscal else f"{year} 年"
    if part is None:
        return year
    if kind == "Q":
        return f"{year}第{'一二三四'[int(part) - 1]}季度"
    return f"{year}第 {int(part)} 周" if kind == "W" else f"{year} {int(part)} 月"
