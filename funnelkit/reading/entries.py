"""Entries: the stage entries of all tables together, in the order of deals and time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.models import Funnel
from funnelkit.pipeline import EVENT_COLUMNS, SOURCES
from funnelkit.reading.cells.text import by_text, cell_text

_NO_TIME = np.datetime64("NaT", "us")
_SOURCE = {name: number for number, name in enumerate(SOURCES)}


def order_entries(
    parts: list[pd.DataFrame], deals: pd.DataFrame, model: Funnel
) -> tuple[pd.DataFrame, NDArray[np.datetime64]]:
    """Return (stage entries in the order of deals and time, those without time last; each deal's first time)."""
    if not parts:
        parts = [pd.DataFrame({column: [] for column in EVENT_COLUMNS})]
    ids, ranked = deals["deal_id"], all("_rank" in part for part in parts)
    if not ranked:
        parts = [p.assign(deal_id=ids.take(p["_rank"]).array) if "_rank" in p else p for p in parts]
    events = _gather(parts, model)
    if ranked:
        rank = events.pop("_rank").to_numpy()
    else:
        ids = pd.concat([ids, events.pop("deal_id").astype("str")], ignore_index=True)
        rank = pd.factorize(ids)[0][len(deals) :]
    first = _first_times(events, rank, len(deals))
    order = _order_of(events, rank, model)
    place = rank[order] if ranked else order + len(deals)
    events = {"deal_id": ids.take(place).array, **{name: column.take(order).array for name, column in events.items()}}
    events["source"] = cell_text(pd.Series(events["source"]))
    return pd.DataFrame(events, copy=False)[list(EVENT_COLUMNS)], first


def _first_times(events: pd.DataFrame, rank: NDArray[np.intp], n: int) -> NDArray[np.datetime64]:
    """Return the first time that entries tell of each deal; none where an earlier entry of a history is not dated."""
    first = np.full(n, _NO_TIME)
    told, untimed = ((events["source"] == "history").to_numpy(), events["entered_at"].isna().to_numpy())
    timed = ~untimed & (events["source"] != "inferred").to_numpy()
    earliest = events.loc[timed, "entered_at"].groupby(rank[timed]).min()
    first[earliest.index] = earliest.to_numpy()
    if told.any() and untimed.any():
        first[np.intersect1d(rank[told], rank[untimed])] = _NO_TIME
    return first


def _order_of(events: pd.DataFrame, rank: NDArray[np.intp], model: Funnel) -> NDArray[np.intp]:
    """Return the order of deals and time; only deals of several entries, often few, need their times."""
    order = np.argsort(rank, kind="stable")
    alike = rank[order[1:]] == rank[order[:-1]]
    several = np.flatnonzero(np.append(alike, False) | np.append(False, alike))[: len(order)]
    rows = order[several]
    keys = _time_keys(events.iloc[rows].reset_index(drop=True), rank[rows], model)
    order[several] = rows[np.lexsort((*keys, rank[rows]))]
    return order


def _gather(parts: list[pd.DataFrame], model: Funnel) -> pd.DataFrame:
    """Return the parts together, which are given up: stages and sources as categories, for there are many entries."""
    alike = []
    while parts:
        part = parts.pop(0)
        if not isinstance(part["source"].dtype, pd.CategoricalDtype):
            stage = pd.Categorical(part["stage"].astype("object"), categories=model.stage_ids, ordered=True)
            times = pd.to_datetime(part["entered_at"]).astype("datetime64[us]")
            source = pd.Categorical.from_codes(by_text(part["source"].astype("str"), _SOURCE, -1), SOURCES)
            part = part.assign(stage=stage, entered_at=times, source=source)
        alike.append(part)
    return pd.concat(alike, ignore_index=True)


def _time_keys(events: pd.DataFrame, rank: NDArray[np.intp], model: Funnel) -> tuple[pd.Series, ...]:
    """Return the keys by which a deal's entries are in order, last key first. Those without time stand last; but in a
    history, which begins with them, first, and before a win, which ends them, just before it."""
    times, untimed = events["entered_at"], events["entered_at"].isna()
    if not untimed.any():
        return (times,)
    won = events["stage"] == model.won_stage
    place = times.where(won).groupby(rank).transform("min").fillna(pd.Timestamp.max.as_unit("us"))
    place = place.mask(np.isin(rank, rank[events["source"] == "history"]), pd.Timestamp.min.as_unit("us"))
    return won & np.isin(rank, rank[untimed]), times.fillna(place)
