"""The glossary's terms in the text of a lesson: the first mention of each leads to the glossary."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from functools import cache
from html import escape

from funnelkit.language import language, share

# Names of columns and everyday words: explained in the glossary, not linked wherever they occur in a sentence.
_PLAIN = {
    "deal_id", "entered_at", "created_at", "closed_at", "amount", "owner", "team", "account", "status", "won", "lost",
    "open", "void", "n_entered", "n_advanced", "n_lost", "n_open", "value", "low", "high", "as_of", "layout", "deals",
    "events", "counts", "finding", "limit", "rule", "step", "point", "ratio", "count", "remaining", "price", "sales",
    "model", "tasks", "loss", "run", "flow", "volume", "window",
}  # fmt: skip
_TEXT = re.compile(r"(<[^>]+>)")
_CLOSED = ("a", "code", "h1", "h2", "h3", "h4", "th", "summary", "label")


@dataclass(frozen=True)
class Term:
    """A row of the glossary in the language in force, and its name in the other one."""

    key: str
    name: str
    other: str
    meaning: str

    @property
    def address(self) -> str:
        """Where the glossary's page explains it."""
        return f"glossary.html#{self.key}"


@cache
def _rows() -> list[dict[str, str]]:
    with (share("data") / "glossary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def glossary_terms() -> list[Term]:
    """Return the glossary's terms in the language in force, in the glossary's order."""
    lang, other = ("zh", "en") if language() == "zh" else ("en", "zh")
    return [Term(row["term"], row[lang], row[other], row[f"meaning_{lang}"]) for row in _rows()]


@dataclass
class Terms:
    """The terms that a lesson has not mentioned yet, and those that it has."""

    met: dict[str, Term] = field(default_factory=dict)

    def linked(self, html: str) -> str:
        """Return text in which the first mention of each term is a link to the glossary."""
        depth, parts = 0, []
        for part in _TEXT.split(html):
            tag = re.match(r"<(/?)(\w+)", part)
            if tag and tag[2] in _CLOSED:
                depth += -1 if tag[1] else 1
            parts.append(part if tag or depth or not part.strip() else self._sentence(part))
        return "".join(parts)

    def _sentence(self, text: str) -> str:
        """Link the terms of one run of text; one within another's link is left to a later mention."""
        for term in _by_length(language()):
            found = None if term.key in self.met else _pattern(term.name).search(text)
            if found and text.count("<a ", 0, found.start()) == text.count("</a>", 0, found.start()):
                self.met[term.key] = term
                link = f'<a class="term" href="{escape(term.address)}">{found[0]}</a>'
                text = text[: found.start()] + link + text[found.end() :]
        return text


@cache
def _by_length(lang: str) -> list[Term]:
    """Return the terms to link, the longest first: a promotion rate is no rate."""
    return sorted((term for term in glossary_terms() if term.key not in _PLAIN), key=lambda term: -len(term.name))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """Return what finds a term outside of tags; an English one as a whole word, also in the plural."""
    word = rf"\b{re.escape(name)}s?\b" if name.isascii() else re.escape(name)
    return re.compile(rf"(?<![\w-]){word}(?![^<]*>)" if name.isascii() else rf"{word}(?![^<]*>)", re.IGNORECASE)
