"""Every visible text of the kit, in both languages: `say("labels.n_entered", "zh")`.

The texts stand in `texts/*.toml`, one file a room with a table for each of its subjects, each entry
`key = { en = "...", zh = "..." }`. A key is written `room.subject.key`. Values go into `{braces}` as `str.format` does.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

LANGUAGES = ("en", "zh")


class Text(NamedTuple):
    """One text in both languages; `text["zh"]` and `text.zh` are the same."""

    en: str
    zh: str

    def __getitem__(self, lang):
        return getattr(self, lang) if isinstance(lang, str) else tuple.__getitem__(self, lang)


def as_text(value):
    """Turn {en, zh} into Text, or {en: [...], zh: [...]} into a tuple of Text."""
    if isinstance(value["en"], list):
        return tuple(Text(en, zh) for en, zh in zip(value["en"], value["zh"], strict=True))
    return Text(value["en"], value["zh"])


@cache
def _file(room):
    return tomllib.loads(files("funnelkit.language").joinpath("texts", f"{room}.toml").read_text(encoding="utf-8"))


def texts(group):
    """Return the entries of a group of texts, such as `analysis.compare` or `labels`: key to {language: text}."""
    room, _, part = group.partition(".")
    return _file(room)[part] if part else _file(room)


def say(key, lang="en", /, **values):
    """Return the text of `key` in `lang`, with `values` filled in.

    >>> say("analysis.compare.previous", "zh")
    '上一期（环比）'
    """
    group, _, name = key.rpartition(".")
    return texts(group)[name][lang].format(**values)


def label(name, lang="en"):
    """Return the label of a column, status or stage state; a name that the catalogue does not hold stays as it is.

    >>> label("owner", "en"), label("Region of my own", "zh")
    ('Owner', 'Region of my own')
    """
    entry = texts("labels").get(name)
    return entry[lang] if entry else str(name)
