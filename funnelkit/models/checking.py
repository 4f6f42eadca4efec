"""What a model file may hold: a reader and a checker that name file, key, what was found and what is expected."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from funnelkit.language import CatalogError, Text, both, nearest, say

Test = Callable[[Any], bool]
Shape = dict[str, Any]


def refuse(path: object, key: str, found: object, expected: object) -> NoReturn:
    """Raise the error of one wrong value; `found` and `expected` are Text or a value that needs no translation."""
    raise CatalogError("bad_model", file=str(path), key=key, found=found, expected=expected)


def told(name: str, /, **values: object) -> Text:
    """Return the entry `name` of texts/models.toml in both languages, with `values` filled in."""
    return both(lambda: say(f"models.catalogue.{name}", **values))


def _is_string(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _has_both(value: Any, test: Test) -> bool:
    return isinstance(value, dict) and set(value) == {"en", "zh"} and all(test(side) for side in value.values())


def _is_text(value: Any) -> bool:
    return _has_both(value, _is_string)


def _is_texts(value: Any) -> bool:
    lists = _has_both(value, lambda side: isinstance(side, list) and all(_is_string(text) for text in side))
    return lists and len(value["en"]) == len(value["zh"]) > 0


def _is_number(low: float, high: float, kinds: Any = (int, float)) -> Test:
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high


def _is_list_of(test: Test) -> Test:
    return lambda value: isinstance(value, list) and bool(value) and all(test(item) for item in value)


def _is_id(value: Any) -> bool:
    return _is_string(value) and value == value.strip()


def _is_one_of(*words: str) -> Test:
    return lambda value: isinstance(value, str) and value in words


# Each kind: (test, key of what is expected in texts/models.toml).
TEXT = (_is_text, "expected_text")
TEXTS = (_is_texts, "expected_texts")
ID = (_is_id, "expected_name")
IDS = (_is_list_of(_is_id), "expected_names")
RATE = (_is_number(0, 1), "expected_fraction")
GROWTH = (_is_number(0, 1e6), "expected_growth")
COUNT = (_is_number(0, 10**12, int), "expected_count")
COUNTS = (_is_list_of(COUNT[0]), "expected_counts")
LEVEL = (_is_number(1, 99, int), "expected_level")
YEARS = (_is_list_of(_is_number(1900, 2200, int)), "expected_years")
DAYS = (_is_number(0, 36525), "expected_days")
KIND = (_is_one_of("pipeline", "influence", "cascade"), "expected_kind")
MOMENT = (_is_one_of("stage", "leaving"), "expected_moment")
INPUT = (_is_one_of("count", "share"), "expected_input")
ANY = (lambda value: isinstance(value, dict), "expected_table")
ITEM = {"id": ID, "name": TEXT, "en": ID, "zh": ID, "remedy": TEXT, "share": RATE}
STATE = {"id": ID, "name": TEXT, "indicators": TEXTS}
TOPIC = {"id": ID, "title": TEXT, "items": [ITEM]}
STAGE = {
    "id": ID, "name": TEXT, "aliases": IDS, "level": LEVEL, "input": INPUT, "layer": TEXT, "phase": TEXT, "state": ID,
    "definition": TEXT, "entry": TEXT, "marker": TEXT, "conditions": TEXT, "tools": TEXTS, "information": TEXTS,
    "tasks": TEXTS, "tactics": TEXTS, "buyer": TEXT, "role": TEXT, "push": TEXT, "message": TEXT, "audience": TEXT,
    "rate": GROWTH, "count": COUNT, "duration_days": DAYS, "win_probability": RATE,
}  # fmt: skip
MODEL = {
    "id": ID, "kind": KIND, "name": TEXT, "summary": TEXT, "entity": TEXT, "won_stage": ID, "aliases": IDS,
    "win_probability_at": MOMENT, "own_choice": IDS, "states": [STATE], "stages": [STAGE], "topics": [TOPIC],
    "extra": ANY,
}  # fmt: skip
COMMON = {"topics": [TOPIC]}
LINE = {"id": ID, "name": TEXT, "values": COUNTS}
CASE = {
    "id": ID, "name": TEXT, "summary": TEXT, "measure": ID, "years": YEARS, "lines": [LINE], "notes": TEXTS,
    "topics": [TOPIC],
}  # fmt: skip
REQUIRED = {
    id(MODEL): ("name", "summary", "entity", "stages"), id(STAGE): ("id", "name"), id(STATE): ("id", "name"),
    id(TOPIC): ("id", "title", "items"), id(ITEM): ("en", "zh"), id(COMMON): ("topics",),
    id(LINE): ("id", "name", "values"), id(CASE): ("name", "summary", "measure", "years", "lines", "notes"),
}  # fmt: skip


def read_toml(path: Path) -> dict[str, Any]:
    """Return the table in a TOML file; an editor's byte order mark is no fault."""
    try:
        data = path.read_bytes()
        return tomllib.loads(data.decode("utf-8-sig"))
    except FileNotFoundError:
        raise CatalogError("model_not_found", file=str(path)) from None
    except OSError as error:
        raise CatalogError("model_unreadable", file=str(path), reason=error.strerror) from None
    except UnicodeDecodeError as error:
        raise CatalogError("model_not_utf8", file=str(path), line=data.count(b"\n", 0, error.start) + 1) from None
    except tomllib.TOMLDecodeError as error:
        # tomllib of Python 3.11 gives the place only within its message.
        reason, _, place = str(error).rpartition(" (at ")
        at = re.match(r"line (\d+), column (\d+)", place)
        line, column = at.groups() if at else (data.count(b"\n") + 1, 1)
        raise CatalogError("model_not_toml", file=str(path), line=line, column=column, reason=reason) from None


def check(raw: dict[str, Any], shape: Shape, path: object, where: str = "") -> None:
    """Refuse a table that lacks a required key, holds an unknown one, or a value of the wrong kind."""
    for key in raw:
        if key not in shape:
            refuse(path, where + key, told("found_unknown"), told("expected_key", keys=nearest(key, shape)))
    for key in REQUIRED[id(shape)]:
        if key not in raw:
            refuse(path, where + key, told("found_missing"), _expected(shape[key], key))
    for key, value in raw.items():
        kind = shape[key]
        if isinstance(kind, list):
            _check_rows(value, kind[0], path, where + key)
        elif not kind[0](value):
            refuse(path, where + key, _found(value), _expected(kind, key))
    if shape is MODEL and raw.get("kind") != "influence":
        _check_rates(raw["stages"], path)


def _check_rows(rows: Any, shape: Shape, path: object, where: str) -> None:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        refuse(path, where, _found(rows), told("expected_rows", key=where.rpartition(".")[2]))
    for number, row in enumerate(rows, 1):
        check(row, shape, path, f"{where}[{number}].")


def _check_rates(stages: list[dict[str, Any]], path: object) -> None:
    """More than 100% is legitimate in the influence funnel only."""
    for number, stage in enumerate(stages, 1):
        if stage.get("rate", 0) > 1:
            refuse(path, f"stages[{number}].rate", _found(stage["rate"]), told("expected_rate"))


def _expected(kind: Any, key: str) -> Text:
    return told("expected_rows", key=key) if isinstance(kind, list) else told(kind[1])


def _found(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
