"""The language in force, and every visible text of the kit in both: `say("labels.n_entered")`.

The texts stand in `texts/*.toml`, one file a room with a table for each of its subjects, each entry
`key = { en = "...", zh = "..." }`. A key is written `room.subject.key`. Values go into `{braces}` as `str.format` does:
`{n:deal is|deals are}` writes the form that fits the number, `{value!q}` a value in Chinese quotes, `{value!n}` the
names that share a place, `{value!d}` a date, `{value!t}` a date with its time, `{value!p}` the name of a period such as
2026-Q1.
"""

from __future__ import annotations

import os
import re
import string
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from funnelkit.language.terminal import tame

Lang = Literal["en", "zh"]
LANGUAGES: tuple[Lang, Lang] = ("en", "zh")
LANGUAGE = "FUNNELKIT_LANG"  # environment variable: the language that a process begins with
_scoped: ContextVar[Lang | None] = ContextVar("funnelkit_language", default=None)
# Jupyter may run each cell in a context of its own, which forgets what the cell before has set in a context variable:
# what `use_language` chooses holds for the process, what `speaking` chooses for its block and thread only.
MOST_NAMED = 3  # names that a sentence lists in full
_chosen: list[Lang | None] = [None]


def language() -> Lang:
    """Return the language in force: en or zh."""
    return _scoped.get() or _chosen[0] or ("zh" if os.environ.get(LANGUAGE) == "zh" else "en")


def use_language(lang: Lang | None) -> None:
    """Choose the language of everything shown from now on; None takes the choice back."""
    _chosen[0] = _known(lang) if lang is not None else None


@contextmanager
def speaking(lang: Lang | None) -> Iterator[None]:
    """Show what the block shows in `lang`; None leaves the language in force.

    >>> with speaking("zh"):
    ...     say("labels.n_entered")
    '进入数'
    """
    token = _scoped.set(_known(lang) if lang is not None else _scoped.get())
    try:
        yield
    finally:
        _scoped.reset(token)


def _known(lang: str) -> Lang:
    for known in LANGUAGES:
        if lang == known:
            return known
    from funnelkit.language.errors import DataError  # errors speak through this module

    raise DataError("no_such_language", found=repr(lang), known=", ".join(LANGUAGES))


class Text(NamedTuple):
    """One text in both languages; `str(text)` is that of the language in force.

    >>> str(Text("Lead", "线索")), Text("Lead", "线索").zh
    ('Lead', '线索')
    """

    en: str
    zh: str

    def __str__(self) -> str:
        return self.zh if language() == "zh" else self.en


def both(write: Callable[[], str]) -> Text:
    """Return what `write` gives in each language."""
    found = []
    for lang in LANGUAGES:
        with speaking(lang):
            found.append(str(write()))
    return Text(*found)


def as_text(value: dict[str, Any]) -> Text | tuple[Text, ...]:
    """Turn {en, zh} into Text, or {en: [...], zh: [...]} into a tuple of Text."""
    if isinstance(value["en"], list):
        return tuple(Text(en, zh) for en, zh in zip(value["en"], value["zh"], strict=True))
    return Text(value["en"], value["zh"])


@cache
def _file(room: str) -> dict[str, Any]:
    return tomllib.loads(files("funnelkit.language").joinpath("texts", f"{room}.toml").read_text(encoding="utf-8"))


def texts(group: str) -> dict[str, Any]:
    """Return the entries of a group of texts, such as `analysis.compare` or `labels`: key to {language: text}."""
    room, _, part = group.partition(".")
    found: dict[str, Any] = _file(room)[part] if part else _file(room)
    return found


def say(key: str, lang: Lang | None = None, /, **values: object) -> str:
    """Return the text of `key` in `lang` (default: the language in force), with `values` filled in.

    A sequence of values becomes one list of words. In Chinese a blank parts a Latin value from the text around it.

    >>> say("analysis.compare.previous", "zh"), say("analysis.people.mix", "zh", mix=["industry", "region"])
    ('上一期（环比）', '“按构成应有”的赢单率已按 industry 和 region 构成调整。')
    """
    group, _, name = key.rpartition(".")
    with speaking(lang):
        text: str = texts(group)[name][language()]
        return tame(_parted(_FORMS.vformat(text, (), values)))


class _Forms(string.Formatter):
    """`str.format` with a choice of forms (after 1 the first of `{n:deal is|deals are}`), Chinese quotes and dates."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        listed = isinstance(value, (list, tuple)) and not isinstance(value, Text)
        if conversion == "q":
            return quoted(value if listed else [value]).zh
        if conversion == "n":
            return named(value if listed else [value])
        value = joined(value) if isinstance(value, (list, tuple)) else value
        if conversion in ("d", "t", "p"):
            from funnelkit.language import formats, in_words  # which speak through this module

            return {"d": formats.day, "t": in_words.moment, "p": in_words.period_in_words}[conversion](value)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        one, choice, many = format_spec.partition("|")
        if not choice:
            written = format(value, format_spec)
            return _EDGE + tame(written) + _EDGE if language() == "zh" else written
        return one if str(value) == "1" else many


_FORMS = _Forms()
_EDGE = "\0"  # where a value meets the Chinese text around it; no text holds it
_BLANK = re.compile("(?<=[\u4e00-\u9fff])\0(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%])\0(?=[\u4e00-\u9fff])")


def _parted(text: str) -> str:
    """Return a filled text with a blank where a value of Latin letters or digits meets a Chinese sign."""
    return _BLANK.sub(" ", text).replace(_EDGE, "")


def joined(words: Iterable[object]) -> str:
    """Return words as a list in a sentence, or a Text in the language in force.

    >>> joined(["North"]), joined(["North", "South", "East"]), joined(["North", "South and East", "West"])
    ('North', 'North, South and East', 'North, South and East, and West')
    """
    names = [str(words)] if isinstance(words, Text) else [str(word) for word in words]
    if len(names) < 2:
        return "".join(names)
    first, last = str(texts("result")["between"][language()]).join(names[:-1]), names[-1]
    word = str(texts("result")["and"][language()])
    if any(word in name for name in names):  # a name with its own "and": the list shows where it ends
        word = str(texts("result")["and_after_and"][language()])
    elif language() == "zh":  # a blank parts Chinese from digits and Latin letters
        word = " " * _is_latin(first[-1:]) + word + " " * _is_latin(last[:1])
    return _quotes_side_by_side(first + word + last)


def _quotes_side_by_side(words: str) -> str:
    """Return a Chinese list without the sign between quotations, as the standard for punctuation has it."""
    return words.replace("”、“", "”“")


def _is_latin(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign == "%")


def quoted(words: Iterable[object]) -> Text:
    """Return words as a list of quotations; both languages escape what repr escapes.

    >>> quoted(["North", "South"])
    Text(en="'North', 'South'", zh='“North”“South”')
    """
    names = [repr(str(word)) for word in words]
    return Text(", ".join(names), "".join(f"“{name[1:-1]}”" for name in names))


def named(names: Iterable[object]) -> str:
    """Return who shares a place as a sentence names them: one, two or three, of more two and how many others.

    >>> named(["North"]), named(["North", "South"]), named(["North", "South", "East", "West"])
    ('North', "'North' and 'South'", "'North', 'South' and 2 others")
    """
    found = list(names)
    if len(found) == 1 and language() == "en":
        return str(found[0])
    shown = found if len(found) <= MOST_NAMED else found[:2]
    quotes = [str(name) if isinstance(name, int) else str(quoted([name])) for name in shown]
    if len(shown) < len(found):
        names = _quotes_side_by_side(say("result.between").join(quotes))
        return say("result.and_others", names=names, n=len(found) - len(shown))
    return joined(quotes)


def paragraph(sentences: Iterable[str]) -> str:
    """Return sentences as one paragraph: English parts them by a blank, Chinese does not."""
    return ("" if language() == "zh" else " ").join(sentences)


def in_a_sentence(column: object) -> str:
    """Return the label of a column without its capital; a column of one's own stays as it is written.

    >>> in_a_sentence("lost_reason"), in_a_sentence("Region of my own")
    ('lost reason', 'Region of my own')
    """
    named = label(column)
    return named if named == column else named[:1].lower() + named[1:]


def label(name: object, lang: Lang | None = None) -> str:
    """Return the label of a column, status or state; a name that the texts do not hold stays as it is.

    >>> label("owner"), label("Region of my own", "zh")
    ('Owner', 'Region of my own')
    """
    entry = texts("labels").get(name) if isinstance(name, str) else None
    return str(entry[lang or language()]) if entry else str(name)
