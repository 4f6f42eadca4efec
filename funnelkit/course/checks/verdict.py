"""Verdict: what a check says of an answer, and the three kinds of check that most lessons need."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from funnelkit.language import note, say

_CHINESE_DAY = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日")


@dataclass(frozen=True, repr=False)
class Verdict:
    """The verdict on an answer, shown in the language that was in force when it was given.

    Attributes
    ----------
    ok : bool
        Whether the answer is right.
    hint : str
        The hint that was given: a key of `texts/course.toml`, table `checks`; "right" where the answer is.
    text : str
        The hint's words. They never give the answer away.
    """

    ok: bool
    hint: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        shown = note(self.text, "good" if self.ok else "warn")
        return {"text/html": shown.html, "text/plain": shown.text}

    def __repr__(self) -> str:
        return self.text


def verdict(hint: str, /, **values: Any) -> Verdict:
    """Return the Verdict of this hint; `right` is the one that is ok."""
    return Verdict(hint == "right", hint, say(f"course.checks.{hint}", **values))


def check_number(
    answer: Any, right: float, wrong: Sequence[tuple[float, str]] = (), tolerance: float = 0.005
) -> Verdict:
    """Judge a number against the right one.

    Parameters
    ----------
    answer : number, text or None
        What was answered; None is empty.
    right : float
        The right answer.
    wrong : sequence of (float, str)
        Typical mistakes, each with its hint, looked up in order; after them the wrong sign and percent for a fraction.
    tolerance : float
        Relative, and absolute where the right answer is 0.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> check_number(50, 0.5, [(50, "not_fraction")]).hint
    'not_fraction'
    """
    if answer is None:
        return verdict("empty")
    if isinstance(answer, str) and answer.strip().endswith(("%", "％")):
        return verdict("percent_text")
    try:
        value = float(answer if not isinstance(answer, bool) else "")
    except (TypeError, ValueError):
        return verdict("no_number", found=type(answer).__name__)
    if not math.isfinite(value):
        return verdict("no_number", found=str(value))
    if _close(value, right, tolerance):
        return verdict("right")
    typical = [*wrong, (-right, "wrong_sign"), *([(100 * right, "not_fraction")] if abs(right) < 1 else [])]
    other = "rounded" if is_rounded(value, right) else "off"
    return verdict(next((hint for mistake, hint in typical if _close(value, mistake, tolerance)), other))


def is_rounded(value: float, right: float) -> bool:
    """Return whether a number is the right one with too few decimals: from one on with none, else with one or two."""
    decimals = (0, 1) if abs(right) >= 1 else (1, 2)
    return value not in (0, 1) and any(math.isclose(value, round(right, n)) for n in decimals)


def _close(value: float, other: float, tolerance: float) -> bool:
    return math.isclose(value, other, rel_tol=tolerance, abs_tol=tolerance if other == 0 else 0.0)


def check_day(answer: Any, judge: Callable[[pd.Timestamp], str]) -> Verdict:
    """Judge a day.

    Parameters
    ----------
    answer : date, text or None
        What was answered; None is empty.
    judge : callable
        Takes the day, returns the hint.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> check_day("2026-02-30", lambda day: "right").hint
    'no_date'
    """
    if answer is None:
        return verdict("empty")
    if not isinstance(answer, (str, date)):
        return verdict("no_date", found=type(answer).__name__)
    try:
        moment = pd.Timestamp(_CHINESE_DAY.sub(r"\1-\2-\3", answer) if isinstance(answer, str) else answer)
    except ValueError:
        moment = pd.NaT
    if pd.isna(moment):
        return verdict("no_date", found=str(answer))
    return verdict(judge(moment.tz_localize(None).normalize()))


def check_choices(
    answer: Any, right: Mapping[str, str], known: Collection[str], hint: Callable[[str, str], str]
) -> Verdict:
    """Judge {name: word} name by name; the first wrong one is named.

    Parameters
    ----------
    answer : dict or None
        What was answered; None, {} or a dict of nothing else than None is empty.
    right : mapping of str to str
        The right word of each name.
    known : collection of str
        The words to choose from.
    hint : callable
        Takes the word given and the right one, returns the hint.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> check_choices({"P": "down"}, {"P": "up"}, ("up", "down"), lambda given, word: "off").hint
    'off'
    """
    if answer is None or (isinstance(answer, dict) and all(word is None for word in answer.values())):
        return verdict("empty")
    if not isinstance(answer, dict):
        return verdict("no_choices", found=type(answer).__name__)
    answer = _named_as(right, answer)
    for item, word in right.items():
        if answer.get(item) is None:
            return verdict("choice_missing", item=item)
        given = str(answer[item]).strip().lower()
        if given not in known:
            return verdict("no_choice", item=item, known=list(known))
        if given != word:
            return verdict(hint(given, word), item=item)
    extra = [str(item) for item in answer if item not in right]
    return verdict("choice_unknown", item=extra[0]) if extra else verdict("right")


def _named_as(right: Mapping[str, str], answer: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return an answer under the names of the right one, however they are written: small, or with blanks."""
    names = {name.casefold(): name for name in right}
    return {names.get(str(item).strip().casefold(), item): word for item, word in answer.items()}
