"""Headline figures, the funnel as a table, and the first page that sums the answers up."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis import count_stages, rate_table, win_rate
from funnelkit.language import DataError, Shown, bullets, label, note, number, percent, rate_text, raw, say, show
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.section import Answer, stage_names
from funnelkit.result import Result

MIN_VALUED = 0.95


def headline(pipeline: Pipeline) -> Shown:
    """Return the headline figures: won, lost, open, void, win rate with its interval, won value by currency."""
    if pipeline.counts is not None:
        return note(say("report.headline.no_deals"))
    found = win_rate(pipeline)
    row = found.table.iloc[0]
    values = _values_by_currency(pipeline.deals[pipeline.deals["status"] == "won"])
    no = (None, None, None)  # ends and n, which only the rates have
    bounds = say("report.headline.win_rate_bounds"), None, row["floor"], row["ceiling"], None
    rows = [
        *[(label(status), int(row[f"n_{status}"]), *no) for status in ("won", "lost", "open", "void")],
        (say("report.headline.win_rate"), row["rate"], row["low"], row["high"], int(row["n"])),
        *([bounds] if row["floor"] < row["ceiling"] else []),
        *[(say("report.headline.won_value", currency=name).strip(), value, *no) for name, value in values.items()],
    ]
    # As objects: counts stay whole numbers beside the rates.
    table = pd.DataFrame(rows, columns=["figure", "result", "low", "high", "n"], dtype=object)
    told = [number(value) for value in table["result"]]
    told[4] = rate_text(row)
    if rows[5:] and rows[5] is bounds:
        told[5] = f"{percent(row['floor'])} – {percent(row['ceiling'])}"
    shown, read = show(pd.DataFrame({"figure": table["figure"], "result": told})), bullets(found.sentences())
    figures = {f"n_{status}": int(row[f"n_{status}"]) for status in ("won", "lost", "open", "void")}
    rate = {part: _json_number(row[part]) for part in ("k", "n", "rate", "low", "high", "horizon_days")}
    facts = {**figures, "win_rate": rate | {"basis": row["basis"]}, "won_value": values}
    facts["limits"] = [limit.as_dict() for limit in pipeline.limits]
    return Shown(shown.html + read.html, f"{shown.text}\n{read.text}", facts, raw(table))


def _json_number(value: Any) -> int | float | None:
    """Return a plain number; NaN, which JSON lacks, is None. Rates keep six decimals."""
    if pd.isna(value):
        return None
    return int(value) if float(value).is_integer() and value > 1 else round(float(value), 6)


def _values_by_currency(deals: pd.DataFrame) -> dict[str, float]:
    """Return {currency: sum of amounts}: money is never added across currencies."""
    known = deals[deals["amount"].notna()]
    sums = known.groupby(known["currency"].fillna(""), observed=True)["amount"].sum()
    return {str(name): round(float(value), 2) for name, value in sums.items()}


def funnel_table(pipeline: Pipeline) -> Shown:
    """Return the funnel as a table: counts and promotion rate of every stage, and the value where amounts are known."""
    counted = count_stages(pipeline)
    counts = counted.table
    if not _amounts_known(pipeline):
        counts = counts.drop(columns="value", errors="ignore")
    try:
        rates = rate_table(counted)
    except DataError:  # counts that grow have no shares
        return show(counts, model=pipeline.model)
    columns = rates.table[["k", "n", "rate", "low", "high", "floor", "ceiling", "basis", "horizon_days"]]
    columns = columns.astype({"k": "Int64", "n": "Int64"}).reindex(counts.index)  # lost nobody knows where: no rate
    if pipeline.model.won_stage == pipeline.model.stage_ids[-1]:
        wins = counts["stage"] == pipeline.model.won_stage  # entering the last stage is the win: it promotes to nothing
        columns = columns.mask(wins)
    table = pd.concat([counts, columns], axis=1)
    named = table.copy()
    named.insert(1, "stage_name", stage_names(table["stage"], pipeline.model))
    shown, read = show(table, model=pipeline.model, currency=pipeline.currency), bullets(rates.sentences())
    return Shown(shown.html + read.html, f"{shown.text}\n{read.text}", table=raw(named))


def _amounts_known(pipeline: Pipeline) -> bool:
    """A sum over amounts that are mostly blank, or 0 for every lost deal, would pass for the value of a stage."""
    amounts = pipeline.deals["amount"]
    known = len(amounts) > 0 and amounts.notna().mean() >= MIN_VALUED
    return bool(known) and pipeline.limit("lost_value_zero") is None


def first_page(*answers: Result) -> Shown:
    """Return one sentence for each question that found an answer: what goes beyond chance first, the surest before.

    Parameters
    ----------
    *answers : Result
        What `attempt` returned; a Refusal gets no line. Those that found nothing keep their order.

    Returns
    -------
    Shown

    Examples
    --------
    >>> first_page().text
    'The source supports none of the analyses; each section below says why.'
    """
    lines = []
    for answer in sorted(answers, key=_chance):
        section = answer.section if isinstance(answer, Answer) else None
        if section is not None and section.answers is not None:
            said = answer.sentences()
            best = said[min(section.answers, len(said) - 1)]
            lines.append(say("report.headline.answer", ask=section.question(), answer=best))
    if not lines:
        return note(say("report.headline.no_summary"), "warn")
    shown = bullets(lines, "good")
    return Shown(shown.html, shown.text, {"summary": lines})


def _chance(answer: Result) -> float:
    """Return how likely the surest finding of an answer is by chance alone; 1 where it found nothing."""
    if not isinstance(answer, Answer) or answer.section is None or not answer.section.tests:
        return 1.0
    return min((found.evidence for found in answer.findings if found.evidence is not None), default=1.0)
