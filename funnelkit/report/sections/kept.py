"""Which deals a report is about: the filter `rows` applied to what was read, with how many it kept and left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis import data_end
from funnelkit.language import DataError, close_names, fold, label, number
from funnelkit.pipeline import Finding, Pipeline
from funnelkit.report.first_page.workdays import RESUMES, resumes
from funnelkit.report.runs.rows import Both, Condition, Not, Test, parse_rows
from funnelkit.report.sections.alerted import newest_day

RULE = "rows_kept"
Mask = NDArray[np.bool_]


def keep_rows(pipeline: Pipeline, rows: str) -> Pipeline:
    """Return the pipeline of the deals that a filter keeps, with a finding that says how many those are.

    Raises DataError where there are no deals to choose from, or a column or value is not in the data.
    """
    if not rows.strip():
        return pipeline
    if pipeline.counts is not None:
        raise DataError("counts_only")
    kept = pipeline.deals[_holds(parse_rows(rows), pipeline)].copy()
    if kept.empty:
        raise DataError("rows_none", text=rows, n=len(pipeline.deals))
    ids = pipeline.events["deal_id"].astype(object).isin(kept["deal_id"].astype(object))
    values = {"kept": number(len(kept)), "left": number(len(pipeline.deals) - len(kept))}
    values["newest"] = newest_day(pipeline) or ""  # of the whole export: a small region may have had nothing for weeks
    values[RESUMES] = f"{resumes(pipeline, data_end(pipeline)):%Y-%m-%d}"
    total = None if pipeline.amount_total is None else float(kept["amount"].sum())
    return replace(
        pipeline, deals=kept, events=pipeline.events[ids].copy(), amount_total=total,
        sample=tuple(kept.head(5).to_dict("records")),
        findings=(*pipeline.findings, Finding(RULE, "note", value=rows, values=values)),
    )  # fmt: skip


def kept_line(pipeline: Pipeline) -> str:
    """Return the sentence on what the filter kept and left out, empty where there was none."""
    return next((finding.message() for finding in pipeline.findings if finding.rule == RULE), "")


def _holds(condition: Condition, pipeline: Pipeline) -> Mask:
    if isinstance(condition, Not):
        return ~_holds(condition.of, pipeline)
    if isinstance(condition, Both):
        left, right = _holds(condition.left, pipeline), _holds(condition.right, pipeline)
        return left & right if condition.word == "and" else left | right
    column = pipeline.deals[find_column(pipeline, condition.column)]
    blank: Mask = column.isna().to_numpy(dtype=bool)
    if condition.sign == "empty":
        return blank
    if pd.api.types.is_datetime64_any_dtype(column):
        return _compared(column.dt.normalize(), [_day(value, condition) for value in condition.values], condition)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return _compared(column, [_figure(value, condition) for value in condition.values], condition)
    if condition.sign not in ("=", "in"):
        raise DataError("rows_no_order", column=condition.column, sign=condition.sign)
    return _named(column, condition) & ~blank


def find_column(pipeline: Pipeline, name: str) -> str:
    """Return the column of the deals that a name means: its own, its label, or its heading in the source."""
    columns = [str(column) for column in pipeline.deals]
    known = {fold(label(column)): column for column in columns}
    known |= {fold(row["column"]): row["meaning"] for row in pipeline.mapping if row.get("meaning") in columns}
    known |= {fold(column): column for column in columns}
    found = known.get(fold(name))
    if found is None:
        close = close_names(name, columns) or columns
        raise DataError("rows_no_column", name=name, nearest=", ".join(close))
    return found


def _named(column: pd.Series[Any], condition: Test) -> Mask:
    """Compare names without case, width and blanks; one that no deal bears is a slip, not an empty report."""
    texts = column.astype(object)
    folded = {value: fold(value) for value in texts.dropna().unique()}
    for value in condition.values:
        if fold(value) not in folded.values():
            nearest = ", ".join(close_names(value, folded) or list(dict.fromkeys(map(str, folded)))[:10]) or "–"
            raise DataError("rows_no_value", column=condition.column, value=value, nearest=nearest)
    wanted = {fold(value) for value in condition.values}
    found: Mask = texts.map(folded).isin(wanted).to_numpy(dtype=bool)
    return found


def _compared(column: pd.Series[Any], values: list[Any], condition: Test) -> Mask:
    signs = {"<": column.lt, "<=": column.le, ">": column.gt, ">=": column.ge}
    told = signs[condition.sign](values[0]) if condition.sign in signs else column.isin(values)
    found: Mask = told.fillna(False).to_numpy(dtype=bool)
    return found


def _day(value: str, condition: Test) -> pd.Timestamp:
    try:
        return pd.Timestamp.fromisoformat(value)
    except ValueError:
        raise DataError("rows_bad_value", column=condition.column, value=value, wanted="2026-01-31") from None


def _figure(value: str, condition: Test) -> float:
    try:
        return float(value)
    except ValueError:
        raise DataError("rows_bad_value", column=condition.column, value=value, wanted="10000") from None
