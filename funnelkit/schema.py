"""What a model file may hold: a small checker that names file, key, what was found and what is expected."""

import unicodedata
from typing import NamedTuple

from funnelkit.errors import CatalogError


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


def fold(name):
    """Return a name without letter case, width, blanks and invisible signs, for comparing.

    >>> fold("Ｗon\\u200b ") == fold("WON")
    True
    """
    plain = unicodedata.normalize("NFKC", str(name)).casefold()
    return "".join(sign for sign in plain if not sign.isspace() and unicodedata.category(sign) not in ("Cf", "Cc"))


def _is_text(value):
    return (
        isinstance(value, dict)
        and set(value) == {"en", "zh"}
        and all(isinstance(v, str) and v.strip() for v in value.values())
    )


def _is_texts(value):
    if not (isinstance(value, dict) and set(value) == {"en", "zh"}):
        return False
    if not all(
        isinstance(side, list) and all(isinstance(v, str) and v.strip() for v in side) for side in value.values()
    ):
        return False
    return len(value["en"]) == len(value["zh"]) > 0


def _is_number(low, high):
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_id(value):
    return isinstance(value, str) and bool(value) and value == value.strip()


def _is_ids(value):
    return isinstance(value, list) and all(_is_id(item) for item in value)


# Each kind: (test, what is expected).
TEXT = (_is_text, 'a text in both languages, { en = "...", zh = "..." }')
TEXTS = (_is_texts, "lists of the same length in both languages, { en = [...], zh = [...] }")
ID = (_is_id, "a name without blanks around it")
IDS = (_is_ids, "a list of names")
RATE = (_is_number(0, 1), "a fraction from 0 to 1")
GROWTH = (_is_number(0, 1e6), "a number of at least 0 (above 1 only in influence funnels)")
COUNT = (_is_number(0, 1e12), "a number of at least 0")
KIND = (lambda value: value in ("pipeline", "influence", "cascade"), "pipeline, influence or cascade")
ANY = (lambda value: isinstance(value, dict), "a table")

ITEM = {"en": ID, "zh": ID, "remedy": TEXT}
STATE = {"id": ID, "name": TEXT, "indicators": TEXTS}
TOPIC = {"id": ID, "title": TEXT, "items": [ITEM]}
STAGE = {
    "id": ID, "name": TEXT, "aliases": IDS, "layer": TEXT, "state": ID, "definition": TEXT, "entry": TEXT,
    "marker": TEXT, "conditions": TEXT, "tools": TEXTS, "information": TEXTS, "tasks": TEXTS, "tactics": TEXTS,
    "buyer": TEXT, "role": TEXT, "push": TEXT, "message": TEXT, "audience": TEXT, "rate": GROWTH, "count": COUNT,
    "duration_days": COUNT, "win_probability": RATE,
}  # fmt: skip
MODEL = {
    "id": ID, "kind": KIND, "name": TEXT, "summary": TEXT, "entity": TEXT, "won_stage": ID, "aliases": IDS,
    "own_choice": IDS, "states": [STATE], "stages": [STAGE], "topics": [TOPIC], "extra": ANY,
}  # fmt: skip
REQUIRED = {id(MODEL): ("name", "summary", "entity", "stages"), id(STAGE): ("id", "name"), id(STATE): ("id", "name"),
            id(TOPIC): ("id", "title", "items"), id(ITEM): ("en", "zh")}  # fmt: skip


def check(raw, shape, path, where=""):
    """Refuse a table that lacks a required key, holds an unknown one, or a value of the wrong kind."""
    for key in REQUIRED[id(shape)]:
        if key not in raw:
            _refuse(path, where + key, "missing", _expected(shape[key]))
    for key, value in raw.items():
        if key not in shape:
            _refuse(path, where + key, "unknown key", ", ".join(shape))
        kind = shape[key]
        if isinstance(kind, list):
            _check_rows(value, kind[0], path, where + key)
        elif not kind[0](value):
            _refuse(path, where + key, repr(value)[:80], kind[1])
    if shape is MODEL and raw.get("kind") != "influence":
        _check_rates(raw["stages"], path)


def _check_rows(rows, shape, path, where):
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        _refuse(path, where, repr(rows)[:80], "one or more tables")
    for number, row in enumerate(rows, 1):
        check(row, shape, path, f"{where}[{number}].")


def _check_rates(stages, path):
    """More than 100 % is legitimate in the influence funnel only."""
    for number, stage in enumerate(stages, 1):
        if stage.get("rate", 0) > 1:
            _refuse(path, f"stages[{number}].rate", repr(stage["rate"]), RATE[1])


def _expected(kind):
    return "one or more tables" if isinstance(kind, list) else kind[1]


def _refuse(path, key, found, expected):
    raise CatalogError("bad_model", file=str(path), key=key, found=found, expected=expected)
