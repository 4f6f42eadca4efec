"""Promotion rates, growth factors and win rates as tables: one row a stage or segment, always with its n."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from funnelkit.analysis.count import stage_counts
from funnelkit.analysis.shared import By, keys_of, require_columns
from funnelkit.language import number
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, rate_words, table_of
from funnelkit.stats import rate_columns

_STATUSES = ("won", "lost", "open", "void")
_OF_DEALS = {"rate": "win_rate", "n_lost": "lost"}  # of deals, not of a stage


def rate_table(counts: Pipeline | Result | pd.DataFrame) -> Result:
    """Give the promotion rate of every stage, over those who have left it.

    Parameters
    ----------
    counts : Pipeline, Result or DataFrame
        A Pipeline, or counts: [segment ...], stage, n_entered, n_advanced, n_lost, n_open.

    Returns
    -------
    Result
        Table: [segment ...], stage, k (advanced), n (left), rate, low, high (95 % Wilson interval), n_open, floor,
        ceiling (the rate if none or all of the open advance). A stage that nobody has left has n = 0 and rate NaN.

    Raises
    ------
    DataError
        Where a column is missing. Counts of a model that may grow have no n_lost: `growth_table` takes them.

    Notes
    -----
    Those still in the stage are in neither k nor n: an open deal is no loss.

    Examples
    --------
    >>> counts = pd.DataFrame({"stage": ["Lead", "Offer"], "n_entered": [10, 4], "n_advanced": [4, 0],
    ...                        "n_lost": [4, 0], "n_open": [2, 4]})
    >>> rate_table(counts).table[["stage", "k", "n", "rate", "n_open", "floor", "ceiling"]]
       stage  k  n  rate  n_open  floor  ceiling
    0   Lead  4  8   0.5       2    0.4      0.6
    1  Offer  0  0   NaN       4    0.0      1.0
    """
    table, model = _counted(counts)
    require_columns(table, ("stage", "n_advanced", "n_lost", "n_open"))
    return _promotion_rates(table, model)


def _counted(counts: Pipeline | Result | pd.DataFrame) -> tuple[pd.DataFrame, Funnel | None]:
    if isinstance(counts, Pipeline):
        return stage_counts(counts), counts.model
    return table_of(counts), counts.model if isinstance(counts, Result) else None


def _promotion_rates(counts: pd.DataFrame, model: Funnel | None) -> Result:
    lead = list(counts.columns[: list(counts.columns).index("stage") + 1])
    known = counts["n_advanced"] + counts["n_lost"]
    table = counts[lead].assign(**rate_columns(counts["n_advanced"], known, counts["n_open"]))
    key, values = "analysis.rates.nobody_left", {}
    seen = table[table["n"] > 0]
    if len(seen):
        row = seen.loc[seen["rate"].idxmin()]
        stage = model.stage(str(row["stage"])).name if model is not None else str(row["stage"])
        values = {"stage": [*map(str, row[lead[:-1]]), stage], "rate": rate_words(row["k"], row["n"])}
        key = "analysis.rates.lowest"
    picture = "rate_chart" if lead == ["stage"] else ""
    return Result(table, key, values, model=model, picture=picture, shown=partial(_for_people, lead, model))


def _for_people(lead: list[str], model: Funnel | None, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rates; entering the stage of the win is the win, so a last one promotes to nothing."""
    rates = table[["k", "n", "rate", "low", "high"]].astype({"k": "Int64", "n": "Int64"})
    if model is not None and model.won_stage == model.stage_ids[-1]:
        rates[table["stage"] == model.won_stage] = pd.NA
    return table[lead].join(rates).assign(n_open=table["n_open"])


def growth_table(counts: Pipeline | Result | pd.DataFrame) -> Result:
    """Give the factor from each stage's count to the next, for funnels whose counts may grow.

    Parameters
    ----------
    counts : Pipeline, Result or DataFrame
        A Pipeline, or counts: stage, n_entered.

    Returns
    -------
    Result
        Table: stage, n_entered, n_next, factor (may pass 1; NaN where nobody entered and for the last stage).

    Raises
    ------
    DataError
        Where a column is missing.

    Notes
    -----
    A factor of people who bring other people is no share of a whole and has no binomial interval.

    Examples
    --------
    >>> growth_table(pd.DataFrame({"stage": ["share", "spread"], "n_entered": [40, 120]})).table
        stage  n_entered  n_next  factor
    0   share         40   120.0     3.0
    1  spread        120     NaN     NaN
    """
    table, model = _counted(counts)
    require_columns(table, ("stage", "n_entered"))
    entered = table["n_entered"].astype("int64")
    following = entered.shift(-1)
    factor = following / entered.where(entered > 0)
    found = pd.DataFrame({"stage": table["stage"], "n_entered": entered, "n_next": following, "factor": factor})
    return Result(found, *_read_growth(found, model), model=model, picture="funnel_chart")


def _read_growth(table: pd.DataFrame, model: Funnel | None) -> tuple[str, dict[str, Any]]:
    known = table[table["factor"].notna()]
    if not len(known):
        return "analysis.rates.no_growth", {}
    row = known.loc[known["factor"].idxmax()]
    stage = model.stage(str(row["stage"])).name if model is not None else str(row["stage"])
    return "analysis.rates.growth", {"stage": stage, "factor": number(row["factor"], 2)}


def win_rate(deals: Pipeline | Result | pd.DataFrame, by: By = None) -> Result:
    """Give won / (won + lost) of deals, in one row or one for each value of `by`.

    Parameters
    ----------
    deals : Pipeline, Result or DataFrame
        A Pipeline, or a table of deals with the column status (won, lost, open, void).
    by : str or list of str, optional
        Columns of the deals to split by.

    Returns
    -------
    Result
        Table: [by], n_won, n_lost, n_open, n_void, k, n, rate, low, high (95 % Wilson interval), floor, ceiling (the
        rate if none or all of the open are won). Deals without a value of `by` form a row of their own.

    Raises
    ------
    DataError
        Where a column is missing.

    Notes
    -----
    Void deals are neither won nor lost and count nowhere else.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["won", "lost", "open", "won"], "team": ["N", "N", "S", "S"]})
    >>> win_rate(deals, "team").table[["team", "n_won", "n_lost", "n_open", "rate"]]
      team  n_won  n_lost  n_open  rate
    0    N      1       1       0   0.5
    1    S      1       0       1   1.0
    """
    return _win_rates(deals.deals if isinstance(deals, Pipeline) else table_of(deals), by)


def _win_rates(deals: pd.DataFrame, by: By) -> Result:
    require_columns(deals, ("status",))
    keys = keys_of(by, deals)
    flags = pd.DataFrame({f"n_{status}": deals["status"] == status for status in _STATUSES})
    whole = flags.sum().astype("int64")
    if keys:
        groups = flags.groupby([deals[key] for key in keys], dropna=False, observed=True)
        table = groups.sum().astype("int64").reset_index()
    else:
        table = whole.to_frame().T
    rates = rate_columns(table["n_won"], table["n_won"] + table["n_lost"], table["n_open"])
    rates.pop("n_open")
    table = table[[*keys, *flags]].assign(**rates)
    words = rate_words(whole["n_won"], whole["n_won"] + whole["n_lost"])
    values = {"rate": words, "n_open": number(whole["n_open"])}
    shown = [*keys, *flags, "k", "n", "rate", "low", "high"]
    picture = "rate_chart" if keys else ""
    return Result(table, "analysis.rates.won", values, picture=picture, shown=shown, names=_OF_DEALS)
