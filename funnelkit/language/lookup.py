"""Names as people write them: compared without case, width and blanks; and the nearest of those that are known."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


def fold(name: object) -> str:
    """Return a name without letter case, width, blanks and invisible signs, for comparing.

    >>> fold("Ｗon\\u200b ") == fold("WON")
    True
    """
    plain = unicodedata.normalize("NFKC", str(name)).casefold()
    return "".join(sign for sign in plain if not sign.isspace() and unicodedata.category(sign) not in ("Cf", "Cc"))


def close_names(name: object, known: Iterable[object], least: float = 0.5) -> list[str]:
    """Return up to three of `known` that read like `name`, the nearest first; `least` is the likeness, 0 to 1."""
    by_fold = {fold(text): str(text) for text in known}
    return [by_fold[near] for near in difflib.get_close_matches(fold(name), list(by_fold), n=3, cutoff=least)]


def nearest(name: object, known: Iterable[object]) -> str:
    """Return up to three of `known` that read like `name`, joined for a message; all of them if none does.

    >>> nearest("stagez", ["stages", "states", "name"])
    'stages, states'
    """
    names = {fold(text): str(text) for text in known}.values()
    return ", ".join(close_names(name, names) or dict.fromkeys(names))
