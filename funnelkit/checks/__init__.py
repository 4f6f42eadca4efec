"""Checks of exercises: an answer goes in, a Result comes out that says right, or what is wrong, in the language.

A module a lesson; its functions recompute the right answer from the lesson's own tables, so that they hold for any
data and parameters. A hint never gives the answer away.
"""

import math
from dataclasses import dataclass

from funnelkit.present import note
from funnelkit.texts import say


@dataclass(frozen=True)
class Result:
    """The verdict on an answer: `ok`, the `hint` that was given (a key of texts/checks.toml), and its words."""

    ok: bool
    hint: str
    text: str

    def _repr_mimebundle_(self, include=None, exclude=None):
        shown = note(self.text, "good" if self.ok else "warn")
        return {"text/html": shown.html, "text/plain": shown.text}


def result(hint, lang="en", /, **values):
    """Return the Result of this hint; `right` is the one that is ok."""
    return Result(hint == "right", hint, say(f"checks.{hint}", lang, **values))


def check_number(answer, right, wrong=(), lang="en", tolerance=0.005):
    """Judge a number against the right one; `wrong` are (value, hint) of typical mistakes, looked up in order.

    The tolerance is relative, and absolute where the right answer is 0. An answer of None is empty.
    """
    if answer is None:
        return result("empty", lang)
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return result("no_number", lang, found=type(answer).__name__)
    if not math.isfinite(value):
        return result("no_number", lang, found=str(value))
    if _close(value, right, tolerance):
        return result("right", lang)
    hint = next((hint for typical, hint in wrong if _close(value, typical, tolerance)), "off")
    return result(hint, lang)


def _close(value, other, tolerance):
    return math.isclose(value, other, rel_tol=tolerance, abs_tol=tolerance if other == 0 else 0.0)
