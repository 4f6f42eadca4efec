"""The filter `rows` of a report: which deals it is about, written as a person says it, parsed and never run as code.

region = North and not (owner in (Ann, "Li Wei") or amount < 10000)
status != lost, closed_at >= 2026-01-01, account is not empty
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from funnelkit.language import ReportError
from funnelkit.report.runs.days import BAD_PARAMETER

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "「": "」"}
_SIGNS = str.maketrans("（），＝＜＞！≠≤≥", "(),=<>!≠≤≥")
_ALIKE = {"==": "=", "<>": "!=", "≠": "!=", "≤": "<=", "≥": ">="}
_WORDS = {"且": "and", "或": "or", "非": "not", "属于": "in"}
_KEYWORDS = ("and", "or", "not", "in", "is", "empty")
_TOKEN = re.compile(r"\s+|(?P<sign><=|>=|!=|<>|==|[=<>≠≤≥(),])|(?P<word>[^\s=<>≠≤≥(),!]+)")
_PLAIN = re.compile(r"[\w.-]+( [\w.-]+)*")
_DEEPEST = 50


@dataclass(frozen=True)
class Test:
    """One comparison: a column, `=`, `<`, `<=`, `>`, `>=`, `in` or `empty`, and the texts to compare with."""

    column: str
    sign: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    of: Condition


@dataclass(frozen=True)
class Both:
    """Two conditions, of which all (`and`) or one (`or`) must hold."""

    word: str
    left: Condition
    right: Condition


Condition: TypeAlias = Test | Not | Both


def parse_rows(text: str) -> Condition:
    """Return the condition that a filter says; raise ReportError (11) with the place where it cannot be read.

    >>> parse_rows("region = North America")
    Test(column='region', sign='=', values=('North America',))
    >>> parse_rows("region in (North, 'R and D') or amount is not empty").word
    'or'
    """
    return _Parser(text).whole()


def filter_word(value: str) -> str:
    """Return a value as a filter holds it: plain words as they are, others in quotes that they do not contain.

    >>> filter_word("North East"), filter_word("R and D")
    ('North East', '"R and D"')
    """
    words = {_WORDS.get(word, word).lower() for word in value.split(" ")}
    if _PLAIN.fullmatch(value) and not words & set(_KEYWORDS):
        return value
    ends = next(((a, b) for a, b in _QUOTES.items() if a not in value and b not in value), None)
    if ends is None:
        raise ReportError("rows_bad", BAD_PARAMETER, text=value, rest=value)
    return f"{ends[0]}{value}{ends[1]}"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.place, self.depth = text, 0, 0
        self.tokens = list(self._cut())

    def _cut(self) -> Iterator[tuple[str, str, int]]:
        """Yield (kind, text, place) of each token: sign, word, or quoted for what stood in quotes."""
        place = 0
        while place < len(self.text):
            close = _QUOTES.get(self.text[place])
            if close is not None:
                end = self.text.find(close, place + 1)
                if end < 0:
                    self.refuse(place)
                yield "quoted", self.text[place + 1 : end], place
                place = end + 1
                continue
            found = _TOKEN.match(self.text.translate(_SIGNS), place)
            if found is None:
                self.refuse(place)
            if found.lastgroup:
                yield found.lastgroup, found[0], place
            place = found.end()

    def refuse(self, place: int | None = None) -> NoReturn:
        if place is None:
            place = self.tokens[self.place][2] if self.place < len(self.tokens) else len(self.text)
        raise ReportError("rows_bad", BAD_PARAMETER, text=self.text[:200], rest=self.text[place : place + 40] or "–")

    def whole(self) -> Condition:
        found = self.any_of()
        if self.place < len(self.tokens):
            self.refuse()
        return found

    def peek(self) -> str:
        """Return the next sign or keyword, empty for a name, a value or the end."""
        if self.place >= len(self.tokens):
            return ""
        kind, text, _ = self.tokens[self.place]
        word = _WORDS.get(text, text).lower() if kind == "word" else _ALIKE.get(text, text)
        return word if kind == "sign" or (kind == "word" and word in _KEYWORDS) else ""

    def take(self, wanted: str) -> bool:
        if self.peek() != wanted:
            return False
        self.place += 1
        return True

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            self.refuse()

    def any_of(self) -> Condition:
        return self._joined("or", lambda: self._joined("and", self.one))

    def _joined(self, word: str, part: Callable[[], Condition]) -> Condition:
        found = part()
        while self.take(word):
            found = Both(word, found, part())
        return found

    def one(self) -> Condition:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.refuse()
        if self.take("not"):
            found: Condition = Not(self.one())
        elif self.take("("):
            found = self.any_of()
            self.need(")")
        else:
            found = self.test()
        self.depth -= 1
        return found

    def test(self) -> Condition:
        column = self.name()
        if self.take("is"):
            negative = self.take("not")
            self.need("empty")
            return Not(Test(column, "empty")) if negative else Test(column, "empty")
        negative = self.take("not")
        if self.take("in"):
            found = Test(column, "in", self.listed())
            return Not(found) if negative else found
        sign = self.peek()
        if negative or sign not in ("=", "!=", "<", "<=", ">", ">="):
            self.refuse()
        self.place += 1
        value = (self.name(),)
        return Not(Test(column, "=", value)) if sign == "!=" else Test(column, sign, value)

    def listed(self) -> tuple[str, ...]:
        self.need("(")
        found = [self.name()]
        while self.take(","):
            found.append(self.name())
        self.need(")")
        return tuple(found)

    def name(self) -> str:
        """Take a name or value: what stands in quotes, or the words up to the next sign or keyword."""
        if self.place < len(self.tokens) and self.tokens[self.place][0] == "quoted":
            self.place += 1
            return str(self.tokens[self.place - 1][1])
        first = self.place
        while self.place < len(self.tokens) and self.tokens[self.place][0] == "word" and not self.peek():
            self.place += 1
        if self.place == first:
            self.refuse()
        start, last = self.tokens[first][2], self.tokens[self.place - 1]
        return self.text[start : last[2] + len(last[1])]
