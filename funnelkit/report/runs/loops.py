"""What a plan must know of its data before a report runs: the values of a column, how many deals a filter keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from funnelkit.language import FunnelkitError, ReportError, fold
from funnelkit.report.runs.days import BAD_PARAMETER
from funnelkit.report.runs.run import Job, Request, prepare

if TYPE_CHECKING:
    from funnelkit.pipeline import Pipeline

MOST = 1_000
_KNOWN: dict[str, Pipeline] = {}  # what was read last: reports of one file are asked for one after another
_READ = ("model", "stages", "as_of", "mapping", "reading")


def loop_values(request: Request, column: str) -> list[str]:
    """Return the values of a column of the deals that a request is about, in order; blank ones have no report.

    Raises what reading raises, and ReportError (11) where the column has more than MOST values.
    """
    from funnelkit.report.sections.kept import find_column, keep_rows

    job = prepare(replace(request, pdf=False, export=None))
    pipeline = keep_rows(read_for(job), job.values.get("rows", ""))
    known = pipeline.deals[find_column(pipeline, column)].dropna()
    first: dict[str, str] = {}
    for value in known.value_counts().index.tolist():  # of several spellings the usual one names the report
        first.setdefault(fold(value), _text(value))
    if not 0 < len(first) <= MOST:
        raise ReportError("plan_loop", BAD_PARAMETER, column=column, n=len(first), most=MOST)
    return sorted(first.values(), key=str.casefold)


def kept_of(job: Job) -> tuple[int, int] | None:
    """Return (deals kept, deals in all) of a report with a filter; None for a template of other parameters, or none."""
    from funnelkit.report.sections.kept import keep_rows

    if not job.values.get("rows"):
        return None
    pipeline = read_for(job)
    return len(keep_rows(pipeline, job.values["rows"]).deals), len(pipeline.deals)


def read_for(job: Job) -> Pipeline:
    """Read what a report would read but for its filter, by the parameters that its template shares with the kit's."""
    from funnelkit.report.sections.source import read_source

    values = job.values
    settings = {name: values[name] for name in _READ if values.get(name)}
    ends = {kind: values[kind] for kind in ("won", "lost", "void") if values.get(kind)}
    key = repr((values.get("data"), settings, ends, job.stamps))
    if key not in _KNOWN:
        _KNOWN.clear()
        _KNOWN[key] = read_source(values.get("data") or (), ends=ends, **settings)
    return _KNOWN[key]


def problem_of(request: Request) -> tuple[Job | None, tuple[int, int] | None, FunnelkitError | None]:
    """Return (the checked request, deals kept and in all, what keeps it from being made) before anything starts."""
    job = None
    try:
        job = prepare(request)
        return job, kept_of(job), None
    except FunnelkitError as error:
        return job, None, error


def _text(value: Any) -> str:
    """Return a value as a filter says it: a day without its time, a whole number without a point."""
    if hasattr(value, "date"):
        return str(value.date())
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
