"""Forms: what systems call their columns, and by which headers an export of theirs is known. Data in presets/*.toml.

A preset holds aliases ([columns], [events]), stage names (`stages`, known in any source; `own_stages`, in its own, each
list ending with the win), codes of outcomes ([ends], of the status column [codes]), factors ([scale]), and [forms.*]:
tables the system exports. A form is met where all of its `needs`, one of its `any` and none of its `none` are headers,
and `prefix` begins some. It sets the layout, aliases of its own ([forms.x.columns]), the rows that count (`only`:
header -> values) and `limits` that it has alone.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from funnelkit.language import DataError, fold, nearest


@dataclass(frozen=True)
class Form:
    """One kind of table of one system."""

    preset: str
    name: str
    title: str
    layout: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()


@cache
def preset_data(name: str) -> dict[str, Any]:
    """Return presets/<name>.toml as a dict."""
    known = preset_names()
    name = re.sub(r"[\s_]+", "-", name.strip().casefold())
    if name not in known:
        raise DataError("no_such_preset", value=name, nearest=nearest(name, known))
    return tomllib.loads(
        files("funnelkit.reading.layouts").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
    )


@cache
def preset_names() -> tuple[str, ...]:
    """Return the names of the presets."""
    folder = files("funnelkit.reading.layouts").joinpath("presets")
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


# What a form or a sorted report adds to the name of a column.
_MARKS = re.compile(
    r"\((?:必填|选填|必須|필수|required|mandatory|optional|pflichtfeld|obligatorio|obligatoire|обязательное)\)|[↑↓▲▼△▽*]",
    re.IGNORECASE,
)


_SYSTEM = re.compile(r"^\s*(?:(?:deal|trato|affaire|negócio)\s+-|(?:deal|opportunity)\s*:)\s+", re.IGNORECASE)


def key(name: object) -> str:
    """Return a header or stage name for comparing: no case, width, blanks, nor the signs that only separate.

    >>> key("Deal - Close_Date *") == key("close date")
    True
    """
    plain = _SYSTEM.sub("", unicodedata.normalize("NFKC", str(name)))
    return re.sub(r"[_\-./()*:]", "", fold(_MARKS.sub("", plain))) or fold(plain)


@cache
def word_keys(kind: str) -> frozenset[str]:
    """Return the keys of the words that mean won, lost, void, open, or total."""
    return frozenset(map(key, preset_data("generic")["words"][kind]))


@cache
def preset_ends(name: str) -> dict[str, str]:
    """Return {key of a code or name: outcome} that only this system uses, such as 142."""
    return {key(text): kind for kind, texts in preset_data(name).get("ends", {}).items() for text in texts}


def find_form(headers: Sequence[str], preset_name: str | None = None, layout: str | None = None) -> Form | None:
    """Return the Form that most of the headers speak for, None where they speak for none.

    >>> find_form(["OpportunityId", "Field", "OldValue", "NewValue", "CreatedDate"]).title
    'Salesforce OpportunityFieldHistory'
    """
    keys = set(map(key, headers))
    best: tuple[int, Form | None] = (0, None)
    for name in (preset_name,) if preset_name else preset_names():
        if preset_name == "generic":  # by its headers alone
            break
        raw = preset_data(name)
        for form, rule in raw.get("forms", {}).items():
            score = _score(rule, headers, keys)
            if score > best[0] and layout in (None, rule["layout"]):
                best = (score, _form(raw, name, form, rule))
    return best[1]


def _score(rule: Mapping[str, Any], headers: Sequence[str], keys: set[str]) -> int:
    """Return how many headers speak for a form, 0 where it is not met."""
    needs, some, none = (set(map(key, rule.get(part, ()))) for part in ("needs", "any", "none"))
    begin = sum(str(header).strip().casefold().startswith(rule.get("prefix", "\0").casefold()) for header in headers)
    if needs - keys or none & keys or (some and not some & keys) or ("prefix" in rule and begin < 2):
        return 0
    return len(needs) + len(some & keys) + begin


def _form(raw: Mapping[str, Any], name: str, form: str, rule: Mapping[str, Any]) -> Form:
    title = f"{raw.get('title', '')} {rule.get('title', '')}".strip()
    limits = tuple(rule.get("limits", ()))
    return Form(name, form, title, rule["layout"], rule.get("columns", {}), rule.get("only", {}), limits)
