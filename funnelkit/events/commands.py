"""What `funnelkit count` answers beside the counts: times, trend, and who dropped out where; and fields of its rule."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit.events.conversion import conversion_trend, time_to_convert, time_trend
from funnelkit.events.journeys import Journeys, dropped, journeys
from funnelkit.events.rule import Rule
from funnelkit.events.search import Later
from funnelkit.events.warehouse import times_on, trend_on
from funnelkit.language import DataError, RuleError, number, say
from funnelkit.reading import shown
from funnelkit.result import Result

_FORMULA = r"[=+\-@\t\r]"  # what a spreadsheet would run
ANSWERS = ("journeys", "trend", "dropped")


def with_fields(rule: Rule, options: Any) -> Rule:
    """Return the rule with the fields that the options name.

    Parameters
    ----------
    rule : Rule
    options : Namespace

    Returns
    -------
    Rule

    Raises
    ------
    RuleError
        For fields that contradict each other.
    """
    held, optional = (
        tuple(name.strip() for name in (text or "").split(",") if name.strip())
        for text in (options.hold, options.optional)
    )
    given = {
        "optional": optional,
        "reentry": options.reentry,
        "attribute": options.attribute,
        "hold": held,
        "gap": options.gap,
    }
    return replace(rule, **{field: value for field, value in given.items() if value})


def engine_answers(options: Any, log: str, steps: list[str], rule: Rule, **how: Any) -> dict[str, Result]:
    """Return {answer: Result} of what the options ask for beside the counts, found where the log lies.

    Parameters
    ----------
    options : Namespace
    log, steps, rule, how
        As `count_on` takes them.

    Returns
    -------
    dict of str to Result

    Raises
    ------
    DataError, RuleError
        As of `times_on` and `trend_on`; for a list of the dropped, which does not leave the engine.
    """
    if options.dropped:
        raise RuleError("engine_option", engine=shown(options.engine), option="--dropped")
    answers: dict[str, Result] = {}
    if options.journeys:
        answers["times"] = times_on(options.engine, log, steps, rule, **how)
    if options.trend:
        answers["trend"] = trend_on(options.engine, log, steps, rule, unit=options.trend, **how)
    if options.trend and options.journeys:
        answers["time_trend"] = times_on(options.engine, log, steps, rule, unit=options.trend, **how)
    return answers


def more_answers(options: Any, log: Any, steps: list[str], rule: Rule, **how: Any) -> dict[str, Result]:
    """Return {answer: Result} of what the options ask for beside the counts; the file of the dropped is written.

    Parameters
    ----------
    options : Namespace
    log, steps, rule, how
        As `journeys` takes them.

    Returns
    -------
    dict of str to Result

    Raises
    ------
    DataError, RuleError
        As of `journeys`; where the file cannot be written.
    """
    if not any(getattr(options, name) for name in ANSWERS):
        return {}
    found = journeys(log, steps, rule, **how)
    answers: dict[str, Result] = {}
    if options.journeys:
        answers |= {"journeys": found, "times": time_to_convert(found)}
    if options.trend:
        answers["trend"] = conversion_trend(found, options.trend)
    if options.trend and options.journeys:
        answers["time_trend"] = time_trend(found, options.trend)
    if options.dropped:
        answers["dropped"] = _write_dropped(found, options.dropped)
    return answers


def _write_dropped(found: Journeys, path: str) -> Result:
    """Write who dropped out at each step but the last by one rename; return the counts by step."""
    parts = [
        dropped(found, step).table.assign(step=step)
        for step in dict.fromkeys(found.steps[:-1])
        if step not in found.rule.optional
    ]
    table = pd.concat(parts, ignore_index=True)[["step", "id", "reached_at", "since_days"]]
    text = table[["step", "id"]].astype(str)
    table[["step", "id"]] = text.where(~text.apply(lambda column: column.str.match(_FORMULA)), "'" + text)
    part = Path(f"{path}.{os.getpid()}.part")
    try:
        table.to_csv(part, index=False, float_format="%.3f")
        part.replace(path)
    except OSError as error:
        raise DataError("dropped_unwritable", file=path, reason=error.strerror or str(error)) from None
    finally:
        part.unlink(missing_ok=True)
    counts = table.groupby("step", sort=False).size().rename("n").reset_index()
    return Result(counts, "events.journeys.written", {"n": Later(number, len(table)), "file": path})


def answers_text(answers: Mapping[str, Result]) -> list[str]:
    """Return the answers as lines for a terminal.

    Parameters
    ----------
    answers : dict of str to Result

    Returns
    -------
    list of str
    """
    lines = []
    for name, answer in answers.items():
        table = [] if name in ("journeys", "dropped") else [answer.show(most=None).text]
        lines += ["", *table, *(say(key, **values) for key, values in _leading(answer))]
    return lines


def answers_json(answers: Mapping[str, Result]) -> dict[str, Any]:
    """Return the answers as JSON holds them: of each its rows, of journeys only how many there are.

    Parameters
    ----------
    answers : dict of str to Result

    Returns
    -------
    dict
    """
    found: dict[str, Any] = {}
    for name, answer in answers.items():
        if isinstance(answer, Journeys):
            through = int((answer.table["depth"] == len(answer.steps)).sum())
            n_open = int(answer.table["is_open"].sum())
            found[name] = {"n": len(answer.table), "n_through": through, "n_open": n_open}
        else:
            found[name] = json.loads(answer.table.to_json(orient="records", force_ascii=False, date_format="iso"))
    return found


def _leading(answer: Result) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the sentences that are no notes on the log: those stand below the counts already."""
    kept = [note for note in answer.notes if not note[0].startswith("events.notes.")]
    return [(answer.key, answer.values), *kept]
