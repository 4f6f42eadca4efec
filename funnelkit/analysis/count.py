"""Count deals by the furthest stage that each reached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.shared import By, keys_of, one_currency
from funnelkit.language import number
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import WIN_LIMITS, Result, require_pipeline

STAGE_UNKNOWN = "stage_unknown"  # the row of the deals that were lost nobody knows where


@dataclass(frozen=True, eq=False, repr=False)
class StageCounts(Result):
    """Counts of a pipeline's stages, with the deals that they count: `rate_table` takes rates from their stays."""

    source: Pipeline | None = None
    by: tuple[str, ...] = ()


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
        Table: [by], stage (ordered categorical), n_entered = n_advanced + n_lost + n_open, value (sum of the amounts of
        those who entered; NaN where none is known). n_lost is NaN where the source records no losses; deals lost in a
        stage that it does not record are a last row, stage_unknown, and count as entered in the first stage only.

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
    return _stage_counts(pipeline, stage_counts(pipeline, by), tuple(keys_of(by, pipeline.deals)))


def _stage_counts(pipeline: Pipeline, table: pd.DataFrame, by: tuple[str, ...]) -> StageCounts:
    picture = "funnel_chart" if table.columns[0] == "stage" else ""
    return StageCounts(
        table, *_read(table, pipeline), model=pipeline.model, picture=picture, currency=pipeline.currency,
        source=pipeline if pipeline.counts is None else None, by=by,
    )  # fmt: skip


def stage_counts(pipeline: Pipeline, by: By = None) -> pd.DataFrame:
    """Return the table of `count_stages`."""
    if pipeline.counts is not None:
        return pipeline.counts.copy()
    keys = keys_of(by, pipeline.deals)
    kept = pipeline.deals["status"] != "void"
    deals = pipeline.deals[kept].assign(_furthest=furthest_stage(pipeline)[kept], _nowhere=lost_nowhere(pipeline)[kept])
    losses = not any(map(pipeline.limit, WIN_LIMITS))
    counted = partial(_count_one, model=pipeline.model, losses=losses, unknown=bool(deals["_nowhere"].any()))
    if not keys:
        return counted(deals)
    groups = deals.groupby(keys, dropna=False, observed=True, sort=True)
    parts = [counted(group).assign(**dict(zip(keys, key, strict=True))) for key, group in groups]
    columns = [*keys, *counted(deals.iloc[:0]).columns]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def lost_nowhere(pipeline: Pipeline) -> pd.Series[bool]:
    """Tell which deals were lost in a stage that the source does not record.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    Series of bool
        Aligned with `pipeline.deals`; all False without the limit `stage_of_loss_unknown`.

    Examples
    --------
    >>> from funnelkit import sample
    >>> lost_nowhere(sample()).any()
    np.False_
    """
    deals = pipeline.deals
    if pipeline.limit("stage_of_loss_unknown") is None:
        return pd.Series(False, index=deals.index)
    return (deals["status"] == "lost") & ~deals["deal_id"].isin(pipeline.events["deal_id"])


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


def _count_one(deals: pd.DataFrame, model: Funnel, losses: bool, unknown: bool) -> pd.DataFrame:
    """Count one group of deals whose `_furthest` is known; with losses at all, with a row of those lost nowhere."""
    size, nowhere = len(model.stages), deals["_nowhere"].to_numpy()
    furthest, status = deals["_furthest"].to_numpy(), deals["status"].to_numpy()
    at_stage = np.bincount(furthest, minlength=size)
    entered = at_stage[::-1].cumsum()[::-1]
    lost = np.bincount(furthest[(status == "lost") & ~nowhere], minlength=size)
    stays = (status == "open") | ((status == "won") & (furthest < size - 1))
    still_open = np.bincount(furthest[stays], minlength=size)
    unplaced = np.bincount(furthest[nowhere], minlength=size)
    amount = deals["amount"].to_numpy(dtype=float) if one_currency(deals) else np.full(len(deals), np.nan)
    value = np.bincount(furthest, weights=np.nan_to_num(amount), minlength=size)[::-1].cumsum()[::-1]
    known = np.bincount(furthest[~np.isnan(amount)], minlength=size)[::-1].cumsum()[::-1]
    counts = pd.DataFrame(
        {
            "stage": _stages(model.stage_ids, model, unknown),
            "n_entered": entered,
            "n_advanced": entered - lost - still_open - unplaced,
            "n_lost": lost if losses else np.full(size, np.nan),
            "n_open": still_open,
            "value": np.where((known > 0) | (entered == 0), value, np.nan),
        }
    )
    return pd.concat([counts, _unknown_row(amount[nowhere], model)], ignore_index=True) if unknown else counts


def _stages(values: Any, model: Funnel, unknown: bool) -> pd.Categorical:
    return pd.Categorical(values, [*model.stage_ids, *([STAGE_UNKNOWN] if unknown else [])], ordered=True)


def _unknown_row(amount: NDArray[np.float64], model: Funnel) -> pd.DataFrame:
    """Return the row of the deals that were lost nobody knows where."""
    n, value = len(amount), np.nansum(amount) if (~np.isnan(amount)).any() else np.nan
    row = {"n_entered": n, "n_advanced": 0, "n_lost": n, "n_open": 0, "value": value}
    return pd.DataFrame({"stage": _stages([STAGE_UNKNOWN], model, True), **row})


def _read(table: pd.DataFrame, pipeline: Pipeline) -> tuple[str, dict[str, Any]]:
    """Return key and values of the sentence: how many began, and how many reached the end."""
    if not len(table):
        return "", {}
    known = table[table["stage"] != STAGE_UNKNOWN]
    first, last = known["stage"] == known["stage"].iloc[0], known["stage"] == known["stage"].iloc[-1]
    values: dict[str, Any] = {"n": number(known.loc[first, "n_entered"].sum())}
    values |= {"stage": pipeline.model.stage(str(known["stage"].iloc[-1])).name}
    return "analysis.count.entered", values | {"reached": number(known.loc[last, "n_entered"].sum())}
