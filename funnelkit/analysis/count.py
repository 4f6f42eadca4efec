"""Count deals by the furthest stage that each reached."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis.shared import By, keys_of
from funnelkit.language import number
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, require_pipeline


def count_stages(pipeline: Pipeline, by: By = None) -> Result:
    """Count how many deals entered each stage, and of these advanced, were lost there, or are still open.

    Parameters
    ----------
    pipeline : Pipeline
    by : str or list of str, optional
        Columns of the deals to split by.

    Returns
    -------
    Result
        Table: [by], stage (ordered categorical), n_entered, n_advanced, n_lost, n_open, value (sum of the amounts of
        those who entered; NaN where no amount is known). n_entered = n_advanced + n_lost + n_open. Stages that nobody
        reached are rows of zeros.

    Raises
    ------
    DataError
        Where there is no column `by`.

    Notes
    -----
    A deal counts in every stage up to the furthest it reached, so a skipped stage counts as entered. A won deal has
    advanced from the last stage that it entered unless later stages follow (customer care), where it is still open.
    Void deals are left out. A counts source gives its own table.

    Examples
    --------
    >>> from funnelkit import read
    >>> pipeline = read(pd.DataFrame({"deal_id": ["a", "b"], "stage": ["Offer", "Lead"]}), stages=["Lead", "Offer"])
    >>> count_stages(pipeline).table["n_entered"].tolist()
    [2, 1]
    """
    require_pipeline(pipeline)
    table = stage_counts(pipeline, by)
    picture = "funnel_chart" if table.columns[0] == "stage" else ""
    return Result(table, *_read(table, pipeline), model=pipeline.model, picture=picture, currency=pipeline.currency)


def stage_counts(pipeline: Pipeline, by: By = None) -> pd.DataFrame:
    """Return the table of `count_stages`."""
    if pipeline.counts is not None:
        return pipeline.counts.copy()
    keys = keys_of(by, pipeline.deals)
    kept = pipeline.deals["status"] != "void"
    deals = pipeline.deals[kept].assign(_furthest=furthest_stage(pipeline)[kept])
    if not keys:
        return _count_one(deals, pipeline.model)
    groups = deals.groupby(keys, dropna=False, observed=True, sort=True)
    parts = [_count_one(group, pipeline.model).assign(**dict(zip(keys, key, strict=True))) for key, group in groups]
    columns = [*keys, *_count_one(deals.iloc[:0], pipeline.model).columns]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def furthest_stage(pipeline: Pipeline) -> pd.Series[Any]:
    """Return the position of the furthest stage that each deal reached.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    Series of int64
        Positions from 0 on, aligned with `pipeline.deals`.

    Raises
    ------
    AttributeError
        For what is no Pipeline.

    Notes
    -----
    A won deal has reached at least the model's won stage, or the last stage where it names none. A deal without any
    event is in the first stage: it entered the funnel, and nothing shows more.

    Examples
    --------
    >>> from funnelkit import read
    >>> pipeline = read(pd.DataFrame({"deal_id": ["a", "b"], "stage": ["Offer", "Lead"]}), stages=["Lead", "Offer"])
    >>> furthest_stage(pipeline).tolist()
    [1, 0]
    """
    events, deals, model = pipeline.events, pipeline.deals, pipeline.model
    reached = events["stage"].cat.codes.groupby(events["deal_id"]).max()
    furthest = deals["deal_id"].map(reached).fillna(0).astype("int64")
    won = model.stage_ids.index(model.won_stage) if model.won_stage else len(model.stages) - 1
    return furthest.where(deals["status"] != "won", furthest.clip(lower=won))


def _count_one(deals: pd.DataFrame, model: Funnel) -> pd.DataFrame:
    """Count one group of deals whose `_furthest` is known."""
    size = len(model.stages)
    furthest, status = deals["_furthest"].to_numpy(), deals["status"].to_numpy()
    at_stage = np.bincount(furthest, minlength=size)
    entered = at_stage[::-1].cumsum()[::-1]
    lost = np.bincount(furthest[status == "lost"], minlength=size)
    stays = (status == "open") | ((status == "won") & (furthest < size - 1))
    still_open = np.bincount(furthest[stays], minlength=size)
    amount = deals["amount"].to_numpy(dtype=float)
    value = np.bincount(furthest, weights=np.nan_to_num(amount), minlength=size)[::-1].cumsum()[::-1]
    known = np.bincount(furthest[~np.isnan(amount)], minlength=size)[::-1].cumsum()[::-1]
    return pd.DataFrame(
        {
            "stage": pd.Categorical(model.stage_ids, categories=model.stage_ids, ordered=True),
            "n_entered": entered,
            "n_advanced": entered - lost - still_open,
            "n_lost": lost,
            "n_open": still_open,
            "value": np.where((known > 0) | (entered == 0), value, np.nan),
        }
    )


def _read(table: pd.DataFrame, pipeline: Pipeline) -> tuple[str, dict[str, Any]]:
    """Return key and values of the sentence: how many began, and how many reached the end."""
    if not len(table):
        return "", {}
    first, last = table["stage"] == table["stage"].iloc[0], table["stage"] == table["stage"].iloc[-1]
    values: dict[str, Any] = {"n": number(table.loc[first, "n_entered"].sum())}
    values |= {"stage": pipeline.model.stage(str(table["stage"].iloc[-1])).name}
    return "analysis.count.entered", values | {"reached": number(table.loc[last, "n_entered"].sum())}
