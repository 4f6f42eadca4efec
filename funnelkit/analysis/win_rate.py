"""The win rate of deals: the share won within a stated age, open deals counted for as long as they were watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from funnelkit.analysis.matured import matured_rates
from funnelkit.analysis.shared import By, keys_of, require_columns
from funnelkit.analysis.stays import timed_outcomes
from funnelkit.language import DataError, number, percent
from funnelkit.pipeline import Limit, Pipeline
from funnelkit.result import WIN_LIMITS, Result, gate_rates, row_words, table_of
from funnelkit.stats import RATE_COLUMNS, choose_horizon, incidence, rate_columns

TIMED_CLOSED, TIMED_OPEN = 0.95, 0.5  # least shares of closed and of open deals with known times for an incidence
STILL_OPEN = 0.03  # share of the deals open at the horizon from which on the reading names it
_STATUSES = ("won", "lost", "open", "void")
_OF_DEALS = {"n_lost": "lost"}  # of deals, not of a stage
_SHOWN = (
    "n_won", "n_lost", "n_open", "n_void", "k", "n", "rate", "low", "high", "floor", "ceiling", "basis", "horizon_days",
)  # fmt: skip
Said = tuple[str, Mapping[str, Any]]


def win_rate(deals: Pipeline | Result | pd.DataFrame, by: By = None, within: float | None = None) -> Result:
    """Give the share of deals that is won, in one row or one for each value of `by`.

    Parameters
    ----------
    deals : Pipeline, Result or DataFrame
        A Pipeline, or a table of deals with the column status (won, lost, open, void), which has no dates.
    by : str or list of str, optional
        Columns of the deals to split by; with `within` also "stage" or "state", counted from reaching it.
    within : float, optional
        The share won within so many days, of a matured cohort.

    Returns
    -------
    Result
        Table: [by], n_won, n_lost, n_open, n_void (deals), k (won within the horizon), n (known by then), rate, low,
        high (95 %), floor, ceiling (if none or all of those not yet known are won), basis, horizon_days (age in days).
        Deals without a value of `by` form a row of their own.

    Raises
    ------
    DataError : for a column that is missing, a source of counts

    Notes
    -----
    Basis incidence: Aalen-Johansen at the horizon of `choose_horizon`, open deals censored. won / (won + lost) would
    favour what ends fast. It stays where a source has no dates or no open deals (basis decided). Without losses there
    is no rate, only k of n so far (basis unknown). With `within` only deals watched for all these days count (matured).

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["won", "lost", "open", "won"], "team": ["N", "N", "S", "S"]})
    >>> win_rate(deals, "team").table["rate"].tolist()
    [0.5, 1.0]
    """
    if isinstance(deals, Pipeline):
        return _of_pipeline(deals, by) if within is None else matured_rates(deals, by, within)
    listed = table_of(deals)
    return _result(_decided(listed, by), [_closed_so_far(_decided(listed, None))])


def _of_pipeline(pipeline: Pipeline, by: By) -> Result:
    if pipeline.counts is not None:
        raise DataError("counts_only")
    table, whole = _decided(pipeline.deals, by), _decided(pipeline.deals, None)
    limit = next(filter(None, map(pipeline.limit, (*WIN_LIMITS, "no_open_deals"))), None)
    if limit is not None and limit.code in WIN_LIMITS:
        table, whole = (part.assign(**_without_open(gate_rates(pipeline, "win", part))) for part in (table, whole))
        return _result(table, [*_won_so_far(pipeline, whole), _why(limit)])
    if limit is not None:
        return _result(table, [_closed_so_far(whole), _why(limit)])
    times = timed_outcomes(pipeline)
    if not _mostly_timed(whole, times):
        return _result(table, [_closed_so_far(whole), ("analysis.rates.undated", {})])
    horizon = choose_horizon(times["days"], times["outcome"], times["watched_days"], times["entry_days"])
    keys = keys_of(by, pipeline.deals)
    row = pipeline.deals.groupby(keys, dropna=False, observed=True).ngroup()[times.index] if keys else 0
    return _result(
        _incidences(table, row, times, horizon), _within(whole, _incidences(whole, 0, times, horizon), times)
    )


def _result(table: pd.DataFrame, said: Sequence[Said]) -> Result:
    (key, values), *notes = said
    keys = list(table.columns[: table.columns.get_loc("n_won")])
    picture = "rate_chart" if keys else ""
    closed = (table["basis"] == "decided").any()
    names = {**_OF_DEALS, "rate": "win_rate" if closed else "win_rate_by_age"}
    return Result(table, key, values, notes, picture=picture, shown=[*keys, *_SHOWN], names=names)


def _decided(deals: pd.DataFrame, by: By) -> pd.DataFrame:
    """Return the table by the deals closed so far."""
    require_columns(deals, ("status",))
    keys = keys_of(by, deals)
    flags = pd.DataFrame({f"n_{status}": deals["status"] == status for status in _STATUSES})
    if keys:
        groups = flags.groupby([deals[key] for key in keys], dropna=False, observed=True)
        table = groups.sum().astype("int64").reset_index()
    else:
        table = flags.sum().astype("int64").to_frame().T
    rates = rate_columns(table["n_won"], table["n_won"] + table["n_lost"], table["n_open"])
    return table[[*keys, *flags]].assign(**_without_open(rates))


def _without_open(rates: dict[str, Any]) -> dict[str, Any]:
    """Return rate columns without n_open: this table counts the deals that are open now."""
    return {name: values for name, values in rates.items() if name != "n_open"}


def _mostly_timed(whole: pd.DataFrame, times: pd.DataFrame) -> bool:
    """Return whether the deals whose times are known can speak for all."""
    n_closed, n_open = whole["n_won"].iloc[0] + whole["n_lost"].iloc[0], whole["n_open"].iloc[0]
    n_timed = int((times["outcome"] > 0).sum())
    return bool(n_timed >= TIMED_CLOSED * n_closed and len(times) - n_timed >= TIMED_OPEN * n_open)


def _incidences(table: pd.DataFrame, row: ArrayLike, times: pd.DataFrame, horizon: float) -> pd.DataFrame:
    """Return the table with its rates read at one horizon from the curves of its rows; `row` is that of each deal."""
    groups = dict(list(times.groupby(np.broadcast_to(row, len(times)))))
    found = [groups.get(number, times.iloc[:0]) for number in range(len(table))]
    rates = [incidence(group["days"], group["outcome"], horizon, group["entry_days"]) for group in found]
    columns = {name: [rate[name].item() for rate in rates] for name in RATE_COLUMNS}
    return table.assign(**_without_open(columns))


def _closed_so_far(whole: pd.DataFrame) -> Said:
    row = whole.iloc[0]
    key = "won" if row["n_open"] else "won_all_closed"
    return f"analysis.rates.{key}", {"rate": row_words(row), "n_open": number(row["n_open"])}


def _within(decided: pd.DataFrame, whole: pd.DataFrame, times: pd.DataFrame) -> list[Said]:
    """Return what an incidence says, how many are open then, and why the share of the closed is another figure."""
    before, row = decided.iloc[0], whole.iloc[0]
    lost = incidence(
        times["days"], times["outcome"].map([0, 2, 1].__getitem__), row["horizon_days"], times["entry_days"]
    )
    still_open = 1 - row["rate"] - float(lost["rate"])
    values = {"rate": row_words(row), "days": number(row["horizon_days"]), "n_open": number(row["n_open"])}
    said: list[Said] = [("analysis.rates.won_within", values)]
    if still_open > STILL_OPEN:
        said.append(("analysis.rates.open_then", {"share": percent(still_open, 0)}))
    if percent(before["rate"]) != percent(row["rate"]):
        said.append(("analysis.rates.closed_differ", {"rate": percent(before["rate"]), "n": number(before["n"])}))
    return said


def _won_so_far(pipeline: Pipeline, whole: pd.DataFrame) -> list[Said]:
    """Return how many are won so far, of all and of the older half: a win rate does not follow."""
    row = whole.iloc[0]
    if row["n"] == 0:
        return [("analysis.rates.no_outcome", {})]
    said: list[Said] = [("analysis.rates.won_so_far", {"k": number(row["k"]), "n": number(row["n"])})]
    times = timed_outcomes(pipeline)
    if len(times):
        age = float(times["watched_days"].median())
        old = times[times["watched_days"] >= age]
        values = {"days": number(age), "k": number((old["outcome"] == 1).sum()), "n": number(len(old))}
        said.append(("analysis.rates.won_of_older", values))
    return said


def _why(limit: Limit) -> Said:
    return f"reading.limits.{limit.code}", limit.values
