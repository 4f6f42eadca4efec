"""Signal or noise? The win rate of the closes of each full period against its own past."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelkit.analysis import control_limits, data_end
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.change import closed_by_period
from funnelkit.report.sections.scope import Scope
from funnelkit.report.sections.section import Section
from funnelkit.result import Result

LATEST_PERIODS = 13


def watch_win_rate(pipeline: Pipeline, scope: Scope) -> Result:
    """Judge the win rate of the closes of each full period against its own past.

    Parameters
    ----------
    pipeline : Pipeline
    scope : Scope
        Calendar and the last period.

    Returns
    -------
    Result
        Table: period, k, n (closes), rate, low, high, centre, lower, upper (fractions), signal, as `control_limits`.

    Raises
    ------
    DataError
        Where nothing is closed.

    Examples
    --------
    >>> from funnelkit.language import sample_files
    >>> from funnelkit.reading import read
    >>> pipeline = read(*sample_files(), model="industrial-8")
    >>> watch_win_rate(pipeline, Scope(pipeline, "quarter")).table["period"].tail(2).tolist()
    ['2025-Q2', '2025-Q3']
    """
    calendar = scope.calendar
    table = closed_by_period(pipeline, calendar)
    if table.empty:
        raise DataError("period_without_closes", period=calendar.name(calendar.number(data_end(pipeline))))
    every = pd.RangeIndex(table["number"].min(), int(calendar.number(scope.day)) + 1)
    table = table.set_index("number").reindex(every, fill_value=0)
    late = pipeline.limit("closes_start_late") is not None
    periods = pd.DataFrame({"period": [calendar.name(number) for number in every], "k": table["k"].to_numpy()})
    first_is_partial = late or calendar.start(int(every[0])) < pipeline.deals["closed_at"].min().normalize()
    mature = np.r_[not first_is_partial, np.ones(max(len(every) - 1, 0), dtype=bool)]
    return control_limits(periods.assign(n=table["n"].to_numpy(), mature=mature[: len(periods)]))


def _latest(found: Result) -> pd.DataFrame:
    return found.table.tail(LATEST_PERIODS)


def _drawn(found: Result) -> pd.DataFrame:
    return found.table[found.table["n"] > 0].tail(2 * LATEST_PERIODS)


SECTIONS = (
    Section(
        "signal", "watch_win_rate", "period k n rate low high centre lower upper signal", answers=0, rows=_latest,
        drawn=_drawn,
    ),
)  # fmt: skip
