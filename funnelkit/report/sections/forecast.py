"""What will come in, how good were such forecasts, and can the target be reached?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelkit.charts import fan_table
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.section import Section
from funnelkit.result import Result, table_of


def _by_day(made: Any) -> pd.DataFrame:
    """Return the forecast's rows of all periods together, before them the totals from now to each period's end."""
    whole = made.table[made.table["period"] == made.table["period"].iloc[-1]]
    measure, start = "value" if (whole["measure"] == "value").any() else "n_won", made.ends["start"].iloc[0]
    rows = fan_table(made, measure).iloc[1:-1]
    names = [f"{start:%Y-%m-%d} - {day:%Y-%m-%d}" for day in rows["day"]]
    rows = rows.assign(period=names, start=start, end=rows["day"], part="total", measure=measure, mean=np.nan)
    return pd.concat([rows[whole.columns], whole], ignore_index=True) if len(rows) else whole


def _record(found: Result) -> pd.DataFrame:
    """Return the rows of all business; deals are counted, so theirs are whole numbers."""
    table = found.table
    rows = table[(table["part"] == "total") & (table["method"] == "forecast")]
    counted = rows["measure"] == "n_won"
    actual = [int(n) if whole else n for n, whole in zip(rows["actual"], counted, strict=True)]
    return rows.assign(actual=pd.Series(actual, index=rows.index, dtype=object), in_80=rows["in_80"].astype(bool))


def _need_target(pipeline: Pipeline, revenue: float, until: str, **_: Any) -> None:
    if not (revenue > 0 and until):
        raise DataError("no_target")


SECTIONS = (
    Section(
        "forecast", "forecast_open", "period start end part measure median low_80 high_80 low_95 high_95", answers=0,
        rows=_by_day, drawn=table_of, tests=False,
    ),
    Section(
        "backtest", "backtest", "origin end measure actual low_80 high_80 in_80", answers=0, rows=_record,
        drawn=table_of,
    ),
    Section("health", "health", "condition stage figure n low high verdict", answers=0, guard=_need_target),
    Section(
        "target", "solve_target", "stage k n rate low high n_open entries per_week past_per_week", answers=0,
        guard=_need_target,
    ),
)  # fmt: skip
