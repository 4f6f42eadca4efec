"""Breaks in the records: imports and clear-ups, whose dates many deals share, and stages that were redefined."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from funnelkit.language import Text, both, joined
from funnelkit.models import Stage
from funnelkit.pipeline import Pipeline
from funnelkit.reading.findings import Journal

LEAST_DEALS, LEAST_DAYS = 50, 20
TIMES_USUAL = 10  # as many as a usual day has: a trade fair or the end of a quarter brings a few times as many
LEAST_MISSING = 30  # entries that a stage lacks before its first or after its last, at its own pace
APART_DAYS = 45  # between the last entry into an old stage and the first into the new one
DAY = pd.Timedelta(days=1)


def note_breaks(pipeline: Pipeline, journal: Journal) -> None:
    """Warn of days on which far more deals than usual were created or lost, and of stages put in place of others."""
    deals = pipeline.deals
    lost = deals["status"] == "lost"
    for rule, times in (("created_in_bulk", deals["created_at"]), ("lost_in_bulk", deals.loc[lost, "closed_at"])):
        counts = times.dropna().dt.normalize().value_counts()
        usual = float(counts.median()) if len(counts) >= LEAST_DAYS else float("inf")
        for day, n in counts[counts >= max(LEAST_DEALS, TIMES_USUAL * usual)].items():
            journal.add(rule, "warn", value=str(pd.Timestamp(str(day)).date()), n=int(n), usual=round(usual))
    _note_replaced(pipeline, journal)


def _note_replaced(pipeline: Pipeline, journal: Journal) -> None:
    """Find stages that are never entered after a day about which others are entered for the first time."""
    events = pipeline.events
    times = events.loc[events["source"] == "history", ["stage", "entered_at"]].dropna()
    found = times.groupby("stage", observed=True)["entered_at"].agg(["min", "max", "size"])
    pace = found["size"] / ((found["max"] - found["min"]) / DAY).clip(lower=1.0)
    old = found[pace * ((times["entered_at"].max() - found["max"]) / DAY) >= LEAST_MISSING]
    new = found[pace * ((found["min"] - times["entered_at"].min()) / DAY) >= LEAST_MISSING]
    new, old = new.drop(index=old.index, errors="ignore"), old.drop(index=new.index, errors="ignore")
    if not len(old) or not len(new) or abs((new["min"].min() - old["max"].max()) / DAY) > APART_DAYS:
        return
    last, first = str(old["max"].max().date()), str(new["min"].min().date())
    before, after = ([stage for stage in pipeline.model.stages if stage.id in rows.index] for rows in (old, new))
    ids = [stage.id for stage in (*before, *after)]
    journal.add("stages_replaced", "warn", value=first, old=_names(before), new=_names(after), last=last, first=first,
                stages=ids)  # fmt: skip


def _names(stages: Sequence[Stage]) -> Text:
    return both(lambda: joined(stage.name for stage in stages))
