"""Words of the first page: money, days and periods in the short form that one line has room for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from funnelkit.analysis import Calendar
from funnelkit.language import NBSP, currency_word, language, number, percent, say, scale_of, short_money, symbol_of

MINUS = "\u2212"
MOST_WAN = 1e9  # up to it a column of amounts counts in 万: in 亿 most of its cells would be 0.1


def money_words(value: float, currency: str | None) -> str:
    """Return an amount as a sentence has it: CNY 23.9 M; 2,393 万元."""
    if language() == "zh":
        unit, word, decimals = scale_of(value)
        return f"{number(value / unit, decimals)}{NBSP}{word}{currency_word(currency)}"
    return short_money(value, currency)


def money_figure(low: float, currency: str | None, high: float | None = None) -> str:
    """Return an amount, or a range of amounts, as a figure has it: CNY 0.3–3.3 M; ¥27万～332万."""
    if language() == "zh":
        parts = []
        for value in (low,) if high is None else (low, high):
            unit, word, decimals = scale_of(value)
            parts.append(number(value / unit, decimals) + word)
        return symbol_of(currency) + "～".join(dict.fromkeys(parts))
    if high is None:
        return money_words(low, currency)
    unit, word, decimals = scale_of(high)
    text = "–".join(dict.fromkeys(number(value / unit, decimals) for value in (low, high)))
    return NBSP.join(part for part in (currency or "", text, word) if part)


@dataclass(frozen=True)
class ColumnUnit:
    """The unit in which a column of amounts is told: its size, decimals and word."""

    size: float
    decimals: int
    word: str
    currency: str | None

    @classmethod
    def of(cls, values: Iterable[float], currency: str | None) -> ColumnUnit:
        """Choose the unit that fits the largest amount."""
        size, word, decimals = scale_of(max(map(abs, values), default=0.0))
        if word == "亿":
            whole = max(map(abs, values)) < MOST_WAN
            size, word, decimals = (1e4, "万", 0) if whole else (size, word, 1)
        decimals = decimals or int(size == 1 and 0 < max(map(abs, values), default=0.0) < 10)
        return cls(size, decimals, word, currency)

    @property
    def name(self) -> str:
        """The unit as the head of the column names it."""
        if language() == "zh":
            return self.word + currency_word(self.currency)
        return " ".join(part for part in (self.currency or "", self.word) if part)

    def cell(self, value: float) -> str:
        """Return an amount as the column shows it."""
        least = 10.0**-self.decimals
        if 0 < value / self.size < least / 2:
            return "<" + number(least, self.decimals)
        return number(value / self.size, self.decimals)

    def whole(self, value: float) -> str:
        """Return an amount with its unit, as it stands alone."""
        if language() == "zh":
            return symbol_of(self.currency) + self.cell(value) + self.word
        return NBSP.join(part for part in (self.currency or "", self.cell(value), self.word) if part)


def signed(change: float) -> str:
    """Return a whole number with its sign."""
    return number(0) if round(change) == 0 else ("+" if change > 0 else MINUS) + number(abs(change))


def share_words(rate: float) -> str:
    """Return a rate as a line has it: whole percent, one decimal below ten."""
    return percent(rate, 0 if rate == 0 or round(rate, 3) >= 0.0995 else 1)


def range_words(low: float, high: float) -> str:
    """Return a range of counts."""
    if round(low) == round(high):
        return number(low)
    return f"{number(low)}{'～' if language() == 'zh' else '–'}{number(high)}"


def _babel(when: pd.Timestamp, pattern: str) -> str:
    from babel.dates import format_date

    return str(format_date(date(when.year, when.month, when.day), pattern, locale="en"))


def day_words(when: pd.Timestamp, now: pd.Timestamp) -> str:
    """Return a day, with its year where that is another than now's."""
    if language() == "zh":
        text = f"{when.month} 月 {when.day} 日"
        return text if when.year == now.year else f"{when.year} 年 {text}"
    return _babel(when, "d MMM" if when.year == now.year else "d MMM y")


def month_words(when: pd.Timestamp, year: bool = False, short: bool = False) -> str:
    """Return a month, with its year or not."""
    if language() == "zh":
        return f"{when.year} 年 {when.month} 月" if year else f"{when.month} 月"
    return _babel(when, ("MMM" if short else "MMMM") + (" y" if year else ""))


def months_words(start: pd.Timestamp, stop: pd.Timestamp) -> str:
    """Return the months from start up to, not including, stop: July 2024 – June 2025."""
    last = stop - pd.Timedelta(days=1)
    dash = "～" if language() == "zh" else " – "
    return month_words(start, year=True) + dash + month_words(last, year=True)


def span_words(start: pd.Timestamp, stop: pd.Timestamp) -> str:
    """Return the days from start up to, not including, stop: 1–30 December 2025."""
    last = stop - pd.Timedelta(days=1)
    if language() == "zh":
        first = f"{start.year} 年 {start.month} 月 {start.day} 日"
        if start.year != last.year:
            return f"{first}～{last.year} 年 {last.month} 月 {last.day} 日"
        return f"{first}～" + (f"{last.day} 日" if start.month == last.month else f"{last.month} 月 {last.day} 日")
    if start.year != last.year:
        return f"{_babel(start, 'd MMMM y')} – {_babel(last, 'd MMMM y')}"
    if start.month != last.month:
        return f"{_babel(start, 'd MMMM')} – {_babel(last, 'd MMMM y')}"
    return f"{start.day}–{_babel(last, 'd MMMM y')}"


def period_words(calendar: Calendar, start: pd.Timestamp, year: bool, short: bool = False) -> str:
    """Return a period: December (2025), week 50 (of 2025), Q4 (2025), 2025."""
    if calendar.unit == "month":
        return month_words(start, year, short)
    name = calendar.name(int(calendar.number(start)))
    whole, _, part = name.partition("-")
    if calendar.unit == "year":
        return say("report.first_page.period_year", year=whole)
    key = f"report.first_page.period_{calendar.unit}" + ("_of" if year else "")
    return say(key, year=whole, number=part.lstrip("WQ").lstrip("0"))


def stage_words(name: Any) -> str:
    """Return the name of a stage as a sentence has it: within “ ” in Chinese."""
    return f"“{name}”" if language() == "zh" else str(name)


def deals_words(n: float) -> str:
    """Return so many deals."""
    return say("report.first_page.deals", n=number(n))
