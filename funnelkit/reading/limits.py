"""Limits: what a source cannot tell. Each is measured on the data; analyses refuse by the code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.pipeline import Limit, Pipeline
from funnelkit.reading.breaks import note_breaks
from funnelkit.reading.cells.text import among, arrow_text
from funnelkit.reading.findings import Journal
from funnelkit.reading.sheet import Sheet

SURPRISE = 10  # closes expected before the first one: under a steady process that is Exp(1), so P = exp(-10)
BULK = 20  # deals that enter a stage in the same second


def find_limits(pipeline: Pipeline, journal: Journal) -> tuple[Limit, ...]:
    """Return the limits of a deals or events source; `journal` gets warnings of late closes and of breaks."""
    found = [test(pipeline) for test in _TESTS]
    note_breaks(pipeline, journal)
    late = late_closes(pipeline.deals, pipeline.as_of)
    if late:
        found.append(Limit("closes_start_late", late))
        rule = "closes_start_late" + ("_cohorts" if late["months"] == 3 else "" if late["n_alike"] else "_alone")
        journal.add(rule, "warn", value=late["first_close"], **late)
    return tuple(limit for limit in found if limit)


def told_limits(sheets: Sequence[Sheet]) -> tuple[Limit, ...]:
    """Return the limits that reading met, and those that the form of a source has when it is read alone."""
    alone = len(sheets) == 1
    forms = [Limit(code) for sheet in sheets if alone and sheet.mapping.form for code in sheet.mapping.form.limits]
    return (*forms, *(limit for sheet in sheets for limit in sheet.limits))


def _no_history(pipeline: Pipeline) -> Limit | None:
    return Limit("no_history") if not (pipeline.events["source"] == "history").any() else None


def _one_date_per_stage(pipeline: Pipeline) -> Limit | None:
    return Limit("one_date_per_stage") if (pipeline.events["source"] == "wide").any() else None


def _first_entry_untimed(pipeline: Pipeline) -> Limit | None:
    """The first stage of a deal whose history begins with leaving it."""
    events = pipeline.events
    told = (events["source"] == "history").any()
    n = events.loc[events["entered_at"].isna() & (events["source"] == "inferred"), "deal_id"].nunique() if told else 0
    return Limit("first_entry_untimed", {"n": int(n)}) if n else None


def _history_starts_late(pipeline: Pipeline) -> Limit | None:
    """Left truncation: a deal was there for more than a day before its first recorded entry."""
    events = pipeline.events
    first = events.loc[events["source"] == "history"].groupby("deal_id")["entered_at"].min()
    if not len(first):
        return None
    begun = events.loc[events["source"] != "history", "deal_id"]
    deals = pipeline.deals[~among(pipeline.deals["deal_id"], begun)]
    late = deals["deal_id"].map(first) - deals["created_at"] > np.timedelta64(1, "D")
    n = int(late.sum())
    return Limit("history_starts_late", {"n": n, "n_deals": len(first)}) if n else None


def _days_only(pipeline: Pipeline) -> Limit | None:
    """All stage dates stand at midnight."""
    events = pipeline.events
    times = events.loc[events["source"] == "history", "entered_at"].dropna()
    return Limit("days_only") if len(times) and (times == times.dt.normalize()).all() else None


def _no_outcome(pipeline: Pipeline) -> Limit | None:
    status = pipeline.deals["status"]
    if len(status) and not status.isin(["won", "lost"]).any():
        return Limit("no_outcome")
    return None


def _no_lost_deals(pipeline: Pipeline) -> Limit | None:
    status = pipeline.deals["status"]
    n_won = int((status == "won").sum())
    return Limit("no_lost_deals", {"n_won": n_won}) if n_won and not (status == "lost").any() else None


def _no_open_deals(pipeline: Pipeline) -> Limit | None:
    """Only finished cases: no deal is open, or every case of a log ends in the same stage."""
    deals, events = pipeline.deals, pipeline.events
    if len(deals) < 2:
        return None
    if not (deals["status"] == "open").any():
        return Limit("no_open_deals", {"n": len(deals)})
    last = events.loc[events["source"] == "history"].drop_duplicates("deal_id", keep="last")["stage"]
    several = events["stage"].nunique() > 1
    if several and len(last) == len(deals) and len(deals) >= BULK and last.nunique() == 1:
        return Limit("no_open_deals", {"n": len(deals)})
    return None


def _stage_of_loss_unknown(pipeline: Pipeline) -> Limit | None:
    """A lost deal without any stage entry does not show where it was lost."""
    if _all_entered(pipeline):
        return None
    lost = pipeline.deals.loc[pipeline.deals["status"] == "lost", "deal_id"]
    unknown = int((~among(lost, pipeline.events["deal_id"])).sum())
    return Limit("stage_of_loss_unknown", {"n": unknown, "n_lost": len(lost)}) if unknown else None


def _all_entered(pipeline: Pipeline) -> bool:
    """Return True where every deal has an entry: entries stand together by deal, so that a change of id is a deal."""
    ids = arrow_text(pipeline.events["deal_id"])
    runs = len(ids) and 1 + (pc.sum(pc.not_equal(ids[1:], ids[:-1])).as_py() or 0)
    return runs == len(pipeline.deals)


def _untimed_deals(pipeline: Pipeline) -> Limit | None:
    deals = pipeline.deals
    untimed = int((deals["created_at"].isna() & deals["closed_at"].isna()).sum())
    return Limit("untimed_deals", {"n": untimed, "n_deals": len(deals)}) if untimed else None


def _untimed_closes(pipeline: Pipeline) -> Limit | None:
    closed = pipeline.deals["status"].isin(["won", "lost"])
    untimed = int((closed & pipeline.deals["closed_at"].isna()).sum())
    return Limit("untimed_closes", {"n": untimed, "n_closed": int(closed.sum())}) if untimed else None


def _bulk_edits(pipeline: Pipeline) -> Limit | None:
    """Many deals that enter a stage in the very same second were moved by a script or a list edit."""
    times = pipeline.events["entered_at"].dropna()
    clocked = times[times != times.dt.normalize()].dt.floor("s")
    if not len(clocked):
        return None
    counts = clocked.value_counts()
    bulk = counts[counts >= max(BULK, len(clocked) // 1000)]
    return (
        Limit("bulk_edits", {"n": int(bulk.sum()), "most": int(bulk.iloc[0]), "at": str(bulk.index[0])})
        if len(bulk)
        else None
    )


def _no_amount(pipeline: Pipeline) -> Limit | None:
    return Limit("no_amount") if len(pipeline.deals) and pipeline.deals["amount"].isna().all() else None


def _no_owner(pipeline: Pipeline) -> Limit | None:
    return Limit("no_owner") if len(pipeline.deals) and pipeline.deals["owner"].isna().all() else None


def _lost_value_zero(pipeline: Pipeline) -> Limit | None:
    """A lost deal that carries 0 hides what was lost: its amount is the revenue, not the size of the deal."""
    amount, status = pipeline.deals["amount"], pipeline.deals["status"]
    lost, won = amount[(status == "lost") & amount.notna()], amount[(status == "won") & amount.notna()]
    if len(lost) >= 5 and (lost == 0).mean() >= 0.95 and (won != 0).any():
        return Limit("lost_value_zero", {"n": int((lost == 0).sum()), "n_lost": len(lost)})
    return None


_TESTS = (
    _no_history, _one_date_per_stage, _first_entry_untimed, _history_starts_late, _days_only, _no_outcome,
    _no_lost_deals, _no_open_deals, _stage_of_loss_unknown, _untimed_deals, _untimed_closes, _bulk_edits, _no_amount,
    _no_owner, _lost_value_zero,
)  # fmt: skip


# --- closes that start late ------------------------------------------------------------------------------------------


def late_closes(deals: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, Any] | None:
    """Return figures about closes that are missing before the first one, None where nothing is missing.

    Deals that started later show how long a deal takes; by that, `expected` closes should have happened before the
    month of the first close. Returns first_start, first_close, expected, period (quarter), held (months of it that
    hold closes), n, k, rate of the period, and low, high: win rates of the same months in the later quarters.
    """
    timed = deals["created_at"].notna() & deals["status"].isin(["open", "won", "lost"])
    timed = deals.loc[timed, ["created_at", "closed_at", "status"]]
    closed = timed[timed["closed_at"].notna() & (timed["status"] != "open")]
    if len(closed) < 2 * SURPRISE:
        return None
    first_close, first_start = closed["closed_at"].min(), timed["created_at"].min()
    month = first_close.to_period("M").to_timestamp()
    early, later = timed[timed["created_at"] < month], timed[timed["created_at"] >= first_close]
    if len(early) < SURPRISE or len(later) < 2 * SURPRISE:
        return None
    expected = _expected_closes((month - early["created_at"]).dt.days.to_numpy(), *_durations(later, as_of))
    if expected < SURPRISE:
        return None
    return {
        "first_start": str(first_start.date()), "first_close": str(first_close.date()), "expected": round(expected),
        **_first_period(closed, first_close),
    }  # fmt: skip


def _durations(deals: pd.DataFrame, as_of: pd.Timestamp) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return (days from start to close or to the as-of date, is closed)."""
    end = deals["closed_at"].where(deals["status"] != "open").fillna(as_of)
    return (end - deals["created_at"]).dt.days.clip(lower=0).to_numpy(), (deals["status"] != "open").to_numpy()


def _expected_closes(ages: NDArray[np.int64], days: NDArray[np.int64], closed: NDArray[np.bool_]) -> float:
    """Return how many of deals of these ages should have closed before that age, by Kaplan and Meier on other deals."""
    times, first = np.unique(np.sort(days[closed]), return_index=True)
    if not len(times):
        return 0.0
    n_closed = np.diff(np.append(first, closed.sum()))
    at_risk = len(days) - np.searchsorted(np.sort(days), times, side="left")
    still_open = np.append(1.0, np.cumprod(1 - n_closed / at_risk))
    return float((1 - still_open[np.searchsorted(times, ages, side="left")]).sum())


def _first_period(closed: pd.DataFrame, first_close: pd.Timestamp) -> dict[str, Any]:
    """Compare the first quarter with closes to the same months of the later quarters."""
    quarter, month = closed["closed_at"].dt.to_period("Q"), (closed["closed_at"].dt.month - 1) % 3 + 1
    won = closed["status"] == "won"
    start = (first_close.month - 1) % 3 + 1
    inside = quarter == first_close.to_period("Q")
    alike = (month >= start) & ~inside
    rates = won[alike].groupby(quarter[alike]).agg(["mean", "size"])
    rest = won[~inside]
    return {
        "period": str(first_close.to_period("Q")), "held": list(range(start, 4)), "months": 4 - start,
        "n": int(inside.sum()), "k": int(won[inside].sum()), "rate": float(won[inside].mean()),
        "low": float(rates["mean"].min()) if len(rates) else float("nan"),
        "high": float(rates["mean"].max()) if len(rates) else float("nan"),
        "n_alike": int(alike.sum()),
        "rate_rest": float(rest.mean()) if len(rest) else float("nan"), "n_rest": len(rest),
    }  # fmt: skip
