"""What a model file may hold: a reader and a checker that name file, key, what was found and what is expected."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NoReturn

from funnelkit.language import (
    CatalogError,
    Fault,
    Record,
    Records,
    Text,
    both,
    check,
    fits,
    is_between,
    is_list_of,
    is_one_of,
    say,
)


def refuse(path: object, key: str, found: object, expected: object) -> NoReturn:
    """Raise the error of one wrong value; `found` and `expected` are Text or a value that needs no translation."""
    raise CatalogError("bad_model", file=str(path), key=key, found=found, expected=expected)


def told(name: str, /, **values: object) -> Text:
    """Return the entry `name` of texts/models.toml in both languages, with `values` filled in."""
    return both(lambda: say(f"models.catalogue.{name}", **values))


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_id(value: Any) -> bool:
    return _is_filled(value) and value == value.strip()


def _is_text(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"en", "zh"} and all(_is_filled(side) for side in value.values())


def _is_texts(value: Any) -> bool:
    both_sides = isinstance(value, dict) and set(value) == {"en", "zh"}
    return both_sides and all(map(is_list_of(_is_filled), value.values())) and len(value["en"]) == len(value["zh"])


# Each kind names the entry of texts/models.toml that says what is expected.
TEXT = fits("expected_text", _is_text)
TEXTS = fits("expected_texts", _is_texts)
ID = fits("expected_name", _is_id)
IDS = fits("expected_names", is_list_of(_is_id))
RATE = fits("expected_fraction", is_between(0, 1, (int, float)))
GROWTH = fits("expected_growth", is_between(0, 1e6, (int, float)))
COUNT = fits("expected_count", is_between(0, 10**12))
COUNTS = fits("expected_counts", is_list_of(is_between(0, 10**12)))
LEVEL = fits("expected_level", is_between(1, 99))
YEARS = fits("expected_years", is_list_of(is_between(1900, 2200)))
DAYS = fits("expected_days", is_between(0, 36525, (int, float)))
KIND = fits("expected_kind", is_one_of("pipeline", "influence", "cascade"))
MOMENT = fits("expected_moment", is_one_of("stage", "leaving"))
MISSED = fits("expected_missed", is_one_of("stay", "back"))
INPUT = fits("expected_input", is_one_of("count", "share"))
ANY = fits("expected_table", lambda value: isinstance(value, dict))
ITEM = Record({"id": ID, "name": TEXT, "en": ID, "zh": ID, "remedy": TEXT, "share": RATE}, ("en", "zh"))
STATE = Record({"id": ID, "name": TEXT, "indicators": TEXTS}, ("id", "name"))
TOPIC = Record({"id": ID, "title": TEXT, "items": Records(ITEM)}, ("id", "title", "items"))
STAGE = Record(
    {
        "id": ID, "name": TEXT, "aliases": IDS, "level": LEVEL, "input": INPUT, "layer": TEXT, "phase": TEXT,
        "state": ID, "definition": TEXT, "entry": TEXT, "marker": TEXT, "conditions": TEXT, "tools": TEXTS,
        "information": TEXTS, "tasks": TEXTS, "tactics": TEXTS, "buyer": TEXT, "role": TEXT, "push": TEXT,
        "message": TEXT, "audience": TEXT, "rate": GROWTH, "count": COUNT, "duration_days": DAYS,
        "win_probability": RATE, "missed": MISSED,
    },
    ("id", "name"),
)  # fmt: skip
MODEL = Record(
    {
        "id": ID, "kind": KIND, "name": TEXT, "summary": TEXT, "entity": TEXT, "won_stage": ID, "aliases": IDS,
        "win_probability_at": MOMENT, "own_choice": IDS, "states": Records(STATE), "stages": Records(STAGE),
        "topics": Records(TOPIC), "extra": ANY,
    },
    ("name", "summary", "entity", "stages"),
)  # fmt: skip
COMMON = Record({"topics": Records(TOPIC)}, ("topics",))
LINE = Record({"id": ID, "name": TEXT, "values": COUNTS}, ("id", "name", "values"))
CASE = Record(
    {
        "id": ID, "name": TEXT, "summary": TEXT, "measure": ID, "years": YEARS, "lines": Records(LINE), "notes": TEXTS,
        "topics": Records(TOPIC),
    },
    ("name", "summary", "measure", "years", "lines", "notes"),
)  # fmt: skip


def read_model_file(path: Path, shape: Record) -> dict[str, Any]:
    """Return the table in a TOML file; refuse one that lacks a required key, or holds an unknown or wrong one."""

    def refuse_fault(fault: Fault) -> NoReturn:
        key = str(fault.path[-1])
        if fault.code == "unknown":
            refuse(path, fault.place, told("found_unknown"), told("expected_key", keys=fault.nearest))
        found = told("found_missing") if fault.code == "missing" else _found(fault.value)
        refuse(path, fault.place, found, told(fault.expected.wanted, key=key))

    raw: dict[str, Any] = check(_read_toml(path), shape, refuse_fault)
    return raw


def _read_toml(path: Path) -> dict[str, Any]:
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


def _found(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
