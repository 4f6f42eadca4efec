"""The funnel as a table: counts and promotion rate of every stage, and its value where amounts are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelkit.analysis import count_stages, rate_table
from funnelkit.language import DataError, Shown, bullets, raw, show
from funnelkit.pipeline import Pipeline
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.sections.section import stage_names

MIN_VALUED = 0.95


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
    table = _with_open_now(pd.concat([counts, columns], axis=1), pipeline)
    named = table.copy()
    named.insert(1, "stage_name", stage_names(table["stage"], pipeline.model))
    seen = table.drop(columns="n_open") if "n_open_now" in table else table
    shown, read = show(seen, model=pipeline.model, currency=pipeline.currency), bullets(rates.sentences())
    return Shown(shown.html + read.html, f"{shown.text}\n{read.text}", table=raw(named))


def _with_open_now(table: pd.DataFrame, pipeline: Pipeline) -> pd.DataFrame:
    """Add where the open deals are now, as the first page counts them: those that moved back have been further."""
    if pipeline.counts is not None or "n_open" not in table or table["n_open"].isna().all():
        return table
    records = DealRecords.of(pipeline)
    there = records.stage_now()[(records.deals["status"] == "open").to_numpy()]
    now = pd.Series(np.bincount(there, minlength=len(pipeline.model.stages)), index=list(pipeline.model.stage_ids))
    table = table.copy()
    table.insert(table.columns.get_loc("n_open") + 1, "n_open_now", table["stage"].astype(str).map(now).astype("Int64"))
    return table


def _amounts_known(pipeline: Pipeline) -> bool:
    """A sum over amounts that are mostly blank, or 0 for every lost deal, would pass for the value of a stage."""
    amounts = pipeline.deals["amount"]
    known = len(amounts) > 0 and amounts.notna().mean() >= MIN_VALUED
    known &= pipeline.deals["currency"].dropna().nunique() <= 1
    return bool(known) and pipeline.limit("lost_value_zero") is None
