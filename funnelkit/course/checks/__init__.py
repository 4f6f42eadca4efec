"""Checks of exercises: an answer goes in, a Result comes out that says right, or what is wrong, in the language.

A module a lesson; its functions recompute the right answer from the lesson's own tables, so that they hold for any
data and parameters. A hint never gives the answer away.
"""

import math
from dataclasses import dataclass

from funnelkit.language import note, say


@dataclass(frozen=True)
class Result:
    """The verdict on an answer: `ok`, the `hint` that was given (a key of texts/checks.toml), and its words."""

    ok: bool
    hint: str
    text: str

    def _repr_mimebundle_(self, include=None, exclude=None):
        shown = note(self.text, "good" if self.ok else "warn")
        return {"text/html": shown.html, "text/plain": shown.text}


def result(hint, /, **values):
    """Return the Result of this hint; `right` is the one that is ok."""
    return Result(hint == "right", hint, say(f"course.checks.{hint}", **values))


def check_number(answer, right, wrong=(), tolerance=0.005):
    """Judge a number against the right one; `wrong` are (value, hint) of typical mistakes, looked up in order.

    The tolerance is relative, and absolute where the right answer is 0. An answer of None is empty.
    """
    if answer is None:
        return result("empty")
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return result("no_number", found=type(answer).__name__)
    if not math.isfinite(value):
        return result("no_number", found=str(value))
    if _close(value, right, tolerance):
        return result("right")
    hint = next((hint for typical, hint in wrong if _close(value, typical, tolerance)), "off")
    return result(hint)


def _close(value, other, tolerance):
    return math.isclose(value, other, rel_tol=tolerance, abs_tol=tolerance if other == 0 else 0.0)


def check_choices(answer, right, known, hint):
    """Judge {name: word} against `right`, name by name; `hint(given, word)` is the hint for the first wrong one.

    `known` are the words to choose from. An answer that is None or empty is empty.
    """
    if not answer:
        return result("empty")
    if not isinstance(answer, dict):
        return result("no_choices", found=type(answer).__name__)
    for item, word in right.items():
        if answer.get(item) is None:
            return result("choice_missing", item=item)
        given = str(answer[item]).strip().lower()
        if given not in known:
            return result("no_choice", item=item, known=", ".join(known))
        if given != word:
            return result(hint(given, word), item=item)
    extra = [str(item) for item in answer if item not in right]
    return result("choice_unknown", item=extra[0]) if extra else result("right")
