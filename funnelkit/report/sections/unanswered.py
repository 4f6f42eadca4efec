"""Answered, unanswered: sections that found an answer stand in the flow, the others in one list at the end."""

from __future__ import annotations

import re
import sys

from funnelkit.language import FunnelkitError, Shown, bullets, note, paragraph, say
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.section import Unanswered
from funnelkit.result import LimitError, Refusal, Result

ADVISED = ("no_target", "no_evidence", "no_target_rates", "no_segment")  # parameters that the operator may set
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"])|(?<=[。！？])")


def answered(answer: Result) -> Result | None:
    """Return an answer, or None where there is none: the page then leaves its section out.

    Parameters
    ----------
    answer : Result
        Of `attempt`.

    Returns
    -------
    Result or None

    Raises
    ------
    AttributeError
        Never for a Result.

    Notes
    -----
    `unanswered` lists what was left out, and why.

    Examples
    --------
    >>> from funnelkit.language import DataError
    >>> answered(Refusal(DataError("no_target"))) is None
    True
    """
    return None if isinstance(answer, Refusal) else answer


def unanswered(pipeline: Pipeline, *answers: Result) -> Shown:
    """List the questions without an answer, each with the reason, and what else the source cannot tell.

    Parameters
    ----------
    pipeline : Pipeline
    *answers : Result
        Of `attempt`; those that found something are passed over.

    Returns
    -------
    Shown
        Advice to the operator, such as which parameter to set, goes to stderr.

    Raises
    ------
    AttributeError
        For what is no Pipeline.

    Notes
    -----
    A reason that several questions share is said once.

    Examples
    --------
    >>> import funnelkit as fk
    >>> unanswered(fk.sample()).text
    'Every question that was asked has an answer.'
    """
    asked: dict[str, list[str]] = {}
    for answer in answers:
        if isinstance(answer, Refusal):
            question = answer.section.question() if isinstance(answer, Unanswered) else ""
            asked.setdefault(_reason(answer.error), []).append(question)
            _advise(answer.error)
    lines = [paragraph([*filter(None, names), why]) for why, names in asked.items()]
    said = " ".join(asked)
    lines += [text for text in (limit.message() for limit in pipeline.limits) if text not in said]
    shown = bullets(lines) if lines else note(say("report.unanswered.none"), "good")
    return Shown(shown.html, shown.text, {"limits": [limit.as_dict() for limit in pipeline.limits]})


def _reason(error: FunnelkitError) -> str:
    """Return why there is no answer, without what to do about it: that is for the operator."""
    text = error.limit.message() if isinstance(error, LimitError) else _SENTENCE.split(error.say())[0]
    return text[0].upper() + text[1:]


def _advise(error: FunnelkitError) -> None:
    if error.key in ADVISED:
        print(say(f"report.advice.{error.key}"), file=sys.stderr)
    elif not isinstance(error, LimitError) and _reason(error) != error.say():
        print(error.say(), file=sys.stderr)
