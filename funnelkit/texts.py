"""Every visible text of the kit, in both languages: `say("labels.n_entered", "zh")`.

The texts stand in `texts/*.toml`, one table a file, each entry `key = { en = "...", zh = "..." }`. A key is written
`file.key`. Values go into `{braces}` as `str.format` does it.
"""

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")


@cache
def texts(group):
    """Return the entries of `texts/<group>.toml` as a dict of key to {language: text}."""
    return tomllib.loads(files("funnelkit").joinpath("texts", f"{group}.toml").read_text(encoding="utf-8"))


def say(key, lang="en", /, **values):
    """Return the text of `key` in `lang`, with `values` filled in.

    >>> say("labels.n_entered", "zh")
    '进入数'
    """
    group, name = key.split(".", 1)
    return texts(group)[name][lang].format(**values)


def label(name, lang="en"):
    """Return the label of a column, status or stage state; a name that the catalogue does not hold stays as it is.

    >>> label("owner", "en"), label("Region of my own", "zh")
    ('Owner', 'Region of my own')
    """
    entry = texts("labels").get(name)
    return entry[lang] if entry else str(name)
