"""The sections of the report: each takes a Pipeline and returns something to show, or says why it cannot."""

import difflib
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd

from funnelkit import __version__
from funnelkit.analysis import count_stages, rate_table, win_rate
from funnelkit.charts import funnel_chart, rate_chart
from funnelkit.language import (
    DataError,
    Shown,
    bullets,
    label,
    note,
    number,
    percent,
    rate_text,
    raw,
    sample_files,
    say,
    show,
)
from funnelkit.reading import ReadOptions, read

MAX_SEGMENTS = 30
MIN_VALUED = 0.95
LOUD = ("warn", "error")


def open_pipeline(data=(), model="", stages=(), as_of="", reading=None):
    """Read a report's data; empty parameters mean what they mean to `read`, no data means the sample."""
    if not data:
        data, model = sample_files(), model or "industrial-8"
    options = _options(reading) if reading else None
    return read(*data, model=model or None, stages=list(stages) or None, as_of=as_of or None, options=options)


def _options(reading):
    """Return how to read from the parameter of that name; raise DataError where it names what is none."""
    known = [part.name for part in fields(ReadOptions) if part.name not in ("progress", "bounds")]
    for name in reading:
        if name not in known:
            nearest = ", ".join(difflib.get_close_matches(name, known, n=1, cutoff=0.4) or known)
            raise DataError("no_such_reading", name=name, nearest=nearest, known=", ".join(known))
    return ReadOptions(**reading)


def require_clean(pipeline, max_quarantine):
    """Raise DataError where a larger share of the rows than `max_quarantine` had to be set aside."""
    rows = pipeline.rows
    if rows.quarantined > max_quarantine * rows.rows_in:
        raise DataError("too_much_quarantined", n=rows.quarantined, rows_in=rows.rows_in, most=percent(max_quarantine))


def quality(pipeline):
    """Return the data-quality banner: rows in, left out and why, the as-of date, what was noticed."""
    rows = pipeline.rows
    share_out = rows.quarantined / rows.rows_in if rows.rows_in else 0.0
    lines = [
        say("report.report.rows", rows_in=number(rows.rows_in), good=number(rows.good),
            quarantined=number(rows.quarantined), share=percent(share_out), ignored=number(rows.ignored)),
    ]  # fmt: skip
    if pipeline.as_of is not pd.NaT:  # a table of counts has no day
        how = "given" if pipeline.as_of_given else "derived"
        lines.append(say(f"report.report.as_of_{how}", as_of=_day(pipeline.as_of)))
    loud = [finding for finding in pipeline.findings if finding.severity in LOUD]
    lines += [finding.message() for finding in loud]
    shown = bullets(lines, "warn" if loud else "good")
    findings = [finding.as_dict() for finding in pipeline.findings]
    facts = {"rows": vars(rows), "as_of": _day(pipeline.as_of), "findings": findings}
    return Shown(shown.html, shown.text, facts)


def _day(time):
    return "-" if time is pd.NaT else f"{time:%Y-%m-%d}"


def headline(pipeline):
    """Return the headline figures: won, lost, open, void, win rate with its interval, won value by currency."""
    if pipeline.counts is not None:
        return note(say("report.report.no_deals"))
    row = win_rate(pipeline.deals).iloc[0]
    won = pipeline.deals[pipeline.deals["status"] == "won"]
    values = _values_by_currency(won)
    no = (None, None, None)  # ends and n, which only the rates have
    table = pd.DataFrame(
        [
            *[(label(status), int(row[f"n_{status}"]), *no) for status in ("won", "lost", "open", "void")],
            (say("report.report.win_rate"), row["rate"], row["low"], row["high"], int(row["n"])),
            (say("report.report.win_rate_bounds"), None, row["floor"], row["ceiling"], None),
            *[(say("report.report.won_value", currency=name).strip(), value, *no) for name, value in values.items()],
        ],
        columns=["figure", "result", "low", "high", "n"],
        dtype=object,  # counts stay whole numbers beside the rates
    )
    told = [number(value) for value in table["result"]]
    told[4:6] = [rate_text(row), f"{percent(row['floor'])} – {percent(row['ceiling'])}"]
    shown = show(pd.DataFrame({"figure": table["figure"], "result": told}))
    figures = {f"n_{status}": int(row[f"n_{status}"]) for status in ("won", "lost", "open", "void")}
    rate = {part: _json_number(row[part]) for part in ("k", "n", "rate", "low", "high")}
    facts = {**figures, "win_rate": rate, "won_value": values, "limits": [x.as_dict() for x in pipeline.limits]}
    return replace(shown, figures=facts, table=raw(table))


def _json_number(value):
    """Return a plain number; NaN, which JSON lacks, is None. Rates keep six decimals."""
    if pd.isna(value):
        return None
    return int(value) if float(value).is_integer() and value > 1 else round(float(value), 6)


def _values_by_currency(deals):
    """Return {currency: sum of amounts}: money is never added across currencies."""
    known = deals[deals["amount"].notna()]
    sums = known.groupby(known["currency"].fillna(""), observed=True)["amount"].sum()
    return {str(name): round(float(value), 2) for name, value in sums.items()}


def funnel_table(pipeline):
    """Return the funnel as a table: counts and promotion rate of every stage, and the value where amounts are known."""
    counts = count_stages(pipeline).table
    if not _amounts_known(pipeline):
        counts = counts.drop(columns="value", errors="ignore")
    if pipeline.model.grows or "n_advanced" not in counts:
        return show(counts, model=pipeline.model)
    rates = rate_table(counts)[["k", "n", "rate", "low", "high"]].astype({"k": "Int64", "n": "Int64"})
    if pipeline.model.won_stage == pipeline.model.stage_ids[-1]:
        rates.iloc[-1] = pd.NA  # entering the last stage is the win: it promotes to nothing
    table = pd.concat([counts, rates], axis=1)
    named = table.copy()
    named.insert(1, "stage_name", [str(pipeline.model.stage(stage).name) for stage in table["stage"]])
    return replace(show(table, model=pipeline.model), table=raw(named))


def _amounts_known(pipeline):
    """A sum over amounts that are mostly blank, or 0 for every lost deal, would pass for the value of a stage."""
    amounts = pipeline.deals["amount"]
    return pipeline.limit("lost_value_zero") is None and len(amounts) > 0 and amounts.notna().mean() >= MIN_VALUED


def funnel_picture(pipeline):
    """Return the funnel as a chart."""
    return funnel_chart(count_stages(pipeline))


def segment_column(pipeline, wanted=""):
    """Return the column to split by: the wanted one, else the first of team, a segment column, owner that fits.

    A column fits that has between 2 and MAX_SEGMENTS different values. Returns None where none does.
    """
    if wanted:
        return wanted
    return next((name for name in ("team", *own_segments(pipeline), "owner") if _splits(pipeline.deals, name)), None)


def own_segments(pipeline):
    """Return the source's own columns that split the deals into 2 to MAX_SEGMENTS groups."""
    return [name for name in pipeline.deals if name not in _STANDARD and _splits(pipeline.deals, name)]


def _splits(deals, name):
    return name in deals and 2 <= deals[name].nunique() <= MAX_SEGMENTS


_STANDARD = (
    "deal_id", "name", "account", "owner", "team", "amount", "currency", "created_at", "status", "closed_at",
    "expected_close", "lost_reason",
)  # fmt: skip


def segment_table(pipeline, segment=""):
    """Return the win rate of every segment as a table, or why there is none."""
    return _by_segment(pipeline, segment, lambda table, by: show(table, names=_OF_DEALS))


_OF_DEALS = {"rate": "win_rate", "n_lost": "lost"}  # of deals, not of a stage


def segment_picture(pipeline, segment=""):
    """Return the win rate of every segment as a chart, or why there is none."""
    return _by_segment(pipeline, segment, lambda table, by: rate_chart(table, by))


def _by_segment(pipeline, segment, draw):
    by = segment_column(pipeline, segment)
    if pipeline.counts is not None or by is None:
        return note(say("report.report.no_segment", most=MAX_SEGMENTS))
    if by not in pipeline.deals:
        return note(say("report.report.unknown_segment", name=by, known=", ".join(pipeline.deals.columns)), "warn")
    table = win_rate(pipeline.deals, by)
    if len(table) > MAX_SEGMENTS + 1:
        return note(say("report.report.many_segments", name=by, n=number(len(table)), most=MAX_SEGMENTS), "warn")
    return draw(table.drop(columns=["floor", "ceiling"]), by)


def limits(pipeline):
    """Return what the source cannot tell."""
    if not pipeline.limits:
        return note(say("report.report.no_limits"), "good")
    return bullets([limit.message() for limit in pipeline.limits])


def provenance(data, pipeline):
    """Return what the report was made from: files, rows, model, dates, the kit's version."""
    files = [Path(path).name for path in data] or [path.name for path in sample_files()]
    values = {"files": ", ".join(files), "rows": number(pipeline.rows.rows_in), "version": __version__}
    values |= {"model": str(pipeline.model.name), "as_of": _day(pipeline.as_of)}
    return note(say("report.report.provenance", **values))
