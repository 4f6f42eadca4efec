"""Where the figures come from: the data read, what was left out and why, what the source cannot tell."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit import __version__
from funnelkit.analysis import data_end
from funnelkit.language import DataError, Shown, bullets, nearest, note, number, percent, sample_files, say
from funnelkit.pipeline import Finding, Pipeline
from funnelkit.reading import READING_OPTIONS
from funnelkit.report.first_page.workdays import DAY, resumes
from funnelkit.report.sections.alerted import newest_day
from funnelkit.report.sections.kept import keep_rows, kept_line
from funnelkit.report.sections.shared_answers import remember
from funnelkit.report.sections.shared_read import read_once

_READING = (*READING_OPTIONS, "preset")


def read_source(
    data: Sequence[Any] = (), model: str = "", stages: Sequence[str] = (), *, as_of: str = "", rows: str = "",
    ends: Mapping[str, Sequence[str]] | None = None, mapping: str = "", reading: Mapping[str, Any] | None = None,
) -> Pipeline:  # fmt: skip
    """Read a report's data; empty parameters mean what they mean to `read`, no data means the sample.

    Parameters
    ----------
    data : list of str
        Paths of the files.
    model, stages, as_of
        As `fk.read` takes them; empty for what it would find.
    ends, mapping, reading : dict, str, dict
        The names that mean won, lost and void; path of a mapping file; further keywords of `fk.read`.
    rows : str
        A filter such as `region = North`: the deals to keep.

    Returns
    -------
    Pipeline

    Raises
    ------
    DataError
        Where `reading` names what is no keyword of `fk.read`, or a file cannot be read for what it is.

    Examples
    --------
    >>> read_source().model.id
    'industrial-8'
    """
    if not data:
        data, model = sample_files(), model or "industrial-8"
    for name in reading or {}:
        if name not in _READING:
            near, known = nearest(name, _READING), ", ".join(_READING)
            raise DataError("no_such_reading", name=name, nearest=near, known=known)
    named = {kind: list(names) for kind, names in (ends or {}).items() if names}
    how = {"model": model or None, "stages": list(stages) or None, "as_of": as_of or None, **(reading or {}), **named}
    return _asked_for(rows, *read_once(data, how | ({"mapping": mapping} if mapping else {})))


def _asked_for(rows: str, pipeline: Pipeline, key: str | None) -> Pipeline:
    """Return the deals wanted, as of a whole day, known again within a batch."""
    return remember(keep_rows(_whole_day(pipeline), rows), key, rows)


def _whole_day(pipeline: Pipeline) -> Pipeline:
    """A report's as-of date is a day, all of it: nothing that happened on it means so, not that the day is missing.

    So is the day of the last record, where the next is no working day.
    """
    if pipeline.counts is not None:
        return pipeline
    end = data_end(pipeline)
    if pipeline.as_of_given:
        whole = end == pipeline.as_of
    else:
        whole = end == pipeline.as_of.normalize() and resumes(pipeline, end) > end + DAY
    return replace(pipeline, as_of=end + DAY - pd.Timedelta(microseconds=1)) if whole else pipeline


def day_text(pipeline: Pipeline) -> str:
    """Return the day that the data are as of; a table of counts has none."""
    return "-" if pipeline.as_of is pd.NaT else f"{pipeline.as_of:%Y-%m-%d}"


def provenance(data: Sequence[Any], pipeline: Pipeline) -> Shown:
    """Return what the report was made from: files, rows, model, dates, the kit's version."""
    files = [Path(path).name for path in data] or [path.name for path in sample_files()]
    values = {"files": ", ".join(files), "rows": number(pipeline.rows.rows_in), "version": __version__}
    values |= {"model": str(pipeline.model.name), "as_of": day_text(pipeline)}
    return note(say("report.source.made_from", **values))


LOUD = ("warn", "error")
EXAMPLES = 3  # findings of one rule that the page tells; all of them are in the figures


def require_clean(pipeline: Pipeline, max_quarantine: float) -> None:
    """Raise DataError where a larger share of the rows than `max_quarantine` had to be quarantined."""
    rows = pipeline.rows
    if rows.quarantined > max_quarantine * rows.rows_in:
        raise DataError("too_much_quarantined", n=rows.quarantined, rows_in=rows.rows_in, most=percent(max_quarantine))


def data_quality(pipeline: Pipeline) -> Shown:
    """Return the data-quality banner: rows in, left out and why, the as-of date, what was noticed."""
    rows = pipeline.rows
    share_out = rows.quarantined / rows.rows_in if rows.rows_in else 0.0
    lines = [
        say("report.quality.rows", rows_in=number(rows.rows_in), good=number(rows.good),
            quarantined=number(rows.quarantined), share=percent(share_out), ignored=number(rows.ignored)),
    ]  # fmt: skip
    lines += [line for line in [kept_line(pipeline)] if line]
    if day_text(pipeline) != "-":
        how = "given" if pipeline.as_of_given else "derived"
        lines.append(say(f"report.quality.as_of_{how}", as_of=day_text(pipeline)))
        if not pipeline.as_of_given:
            print(say("report.advice.as_of", as_of=day_text(pipeline)), file=sys.stderr)
    loud = [finding for finding in pipeline.findings if finding.severity in LOUD]
    lines += [finding.message() for finding in _examples(loud)]
    shown = bullets(lines, "warn" if loud else "good")
    findings = [finding.as_dict() for finding in pipeline.findings]
    facts = {"rows": vars(rows), "as_of": day_text(pipeline), "newest": newest_day(pipeline), "findings": findings}
    return Shown(shown.html, shown.text, facts)


def _examples(findings: Sequence[Finding]) -> list[Finding]:
    """Return the first findings of each rule, and for each rule with more of them how many."""
    told: list[Finding] = []
    rest: Counter[str] = Counter()
    for finding in findings:
        if finding.rule == "more":
            rest[finding.values["rule"]] += finding.values["n"]
        elif sum(other.rule == finding.rule for other in told) < EXAMPLES:
            told.append(finding)
        else:
            rest[finding.rule] += 1
    return told + [Finding("more", "warn", values={"rule": rule, "n": number(n)}) for rule, n in rest.items()]
