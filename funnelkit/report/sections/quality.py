"""Can the data be trusted? Rows in, left out and why, the as-of date, what was noticed; what the source cannot tell."""

from __future__ import annotations

from funnelkit.language import DataError, Shown, bullets, note, number, percent, say
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.source import day_text

LOUD = ("warn", "error")


def require_clean(pipeline: Pipeline, max_quarantine: float) -> None:
    """Raise DataError where a larger share of the rows than `max_quarantine` had to be set aside."""
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
    if day_text(pipeline) != "-":
        how = "given" if pipeline.as_of_given else "derived"
        lines.append(say(f"report.quality.as_of_{how}", as_of=day_text(pipeline)))
    loud = [finding for finding in pipeline.findings if finding.severity in LOUD]
    lines += [finding.message() for finding in loud]
    shown = bullets(lines, "warn" if loud else "good")
    findings = [finding.as_dict() for finding in pipeline.findings]
    facts = {"rows": vars(rows), "as_of": day_text(pipeline), "findings": findings}
    return Shown(shown.html, shown.text, facts)


def source_limits(pipeline: Pipeline) -> Shown:
    """Return what the source cannot tell."""
    if not pipeline.limits:
        return note(say("report.quality.no_limits"), "good")
    return bullets([limit.message() for limit in pipeline.limits])
