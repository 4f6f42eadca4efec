"""Records: the deals of a pipeline as arrays of days, for counts at and between any days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.alerted import newest_day
from funnelkit.stats import days

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
DAYS_OF_PAUSES, LEAST_SEEN = 365, 20  # records whose pauses are known: of a year, so many days
LATE_DAYS = 7  # an export may end so many days early
MIN_KNOWN = 0.8  # share of amounts, or of stages, that must be known for the rest to be told of all


@dataclass(frozen=True, eq=False)
class DealRecords:
    """All but void deals. `ended` is inf for open ones; `valued` tells whether their amounts can be added."""

    pipeline: Pipeline
    deals: pd.DataFrame
    created: Floats
    ended: Floats
    won: NDArray[np.bool_]
    valued: bool

    @classmethod
    def of(cls, pipeline: Pipeline) -> DealRecords:
        """Take the deals of a pipeline."""
        deals = pipeline.deals[pipeline.deals["status"] != "void"].reset_index(drop=True)
        is_open = (deals["status"] == "open").to_numpy()
        created, closed = days(deals["created_at"]), days(deals["closed_at"])
        ended = np.where(is_open, np.inf, np.where(np.isnan(closed), -np.inf, closed))
        valued = bool(deals["amount"].notna().any()) and deals["currency"].dropna().nunique() <= 1
        created = np.where(np.isnan(created), -np.inf, created)
        return cls(pipeline, deals, created, ended, (deals["status"] == "won").to_numpy(), valued)

    @cached_property
    def amounts(self) -> Floats:
        """The amounts, 0 where none is known."""
        found: Floats = np.nan_to_num(self.deals["amount"].to_numpy(dtype=float))
        return found

    def worth(self, of: Any) -> float | None:
        """Return the sum of the amounts of these deals, None where too few are known or they cannot be added."""
        known = self.deals["amount"].notna().to_numpy()[of]
        enough = not len(known) or known.mean() >= MIN_KNOWN
        return float(self.amounts[of].sum()) if self.valued and enough else None

    def mean_amount(self, of: Any) -> float:
        """Return the mean of the known amounts of these deals; NaN where none is known."""
        known = self.deals["amount"].to_numpy(dtype=float)[of] if self.valued else np.array([])
        known = known[~np.isnan(known)]
        return float(known.mean()) if len(known) else float("nan")

    def won_in(self, start: pd.Timestamp, stop: pd.Timestamp) -> NDArray[np.bool_]:
        """Tell which deals were won in [start, stop)."""
        first, last = days([start, stop])
        found: NDArray[np.bool_] = self.won & (self.ended >= first) & (self.ended < last)
        return found

    def new_in(self, start: pd.Timestamp, stop: pd.Timestamp) -> NDArray[np.bool_]:
        """Tell which deals were created in [start, stop)."""
        first, last = days([start, stop])
        found: NDArray[np.bool_] = (self.created >= first) & (self.created < last)
        return found

    def open_at(self, when: pd.Timestamp) -> NDArray[np.bool_]:
        """Tell which deals were open at a moment."""
        (moment,) = days([when])
        found: NDArray[np.bool_] = (self.created <= moment) & (self.ended > moment)
        return found

    def wins_by(self, edges: Sequence[pd.Timestamp] | pd.DatetimeIndex) -> Counts:
        """Count the wins between the edges."""
        at = np.sort(self.ended[self.won & np.isfinite(self.ended)])
        return np.diff(np.searchsorted(at, days(edges)))

    def lacks(self, *codes: str) -> bool:
        """Tell whether the source has one of these limits."""
        return any(map(self.pipeline.limit, codes))

    def quiet_days(self) -> tuple[pd.Timestamp, int] | None:
        """Return the day of the newest record and the days since, where records have never paused nearly as long."""
        newest = newest_day(self.pipeline)
        if newest is None or not self.pipeline.as_of_given:
            return None
        deals = self.pipeline.deals
        times = [self.pipeline.events["entered_at"], deals["closed_at"], deals["created_at"]]
        seen = pd.concat(times).dropna().dt.normalize().drop_duplicates().sort_values()
        seen = seen[seen > seen.max() - pd.Timedelta(days=DAYS_OF_PAUSES)]
        pause = int(seen.diff().max() / pd.Timedelta(days=1)) if len(seen) >= LEAST_SEEN else None
        since = (self.pipeline.as_of.normalize() - pd.Timestamp(newest)).days
        return (pd.Timestamp(newest), since) if pause is not None and since > max(LATE_DAYS, 2 * pause) else None

    @cached_property
    def whole(self) -> bool:
        """Whether deals that were open at a past time are all in the source: none that were lost, or are open, miss."""
        return not self.lacks("no_lost_deals", "no_open_deals", "no_outcome")

    @cached_property
    def timed(self) -> bool:
        """Whether the source times the stages."""
        no_history, dated = (self.pipeline.limit(code) for code in ("no_history", "one_date_per_stage"))
        return no_history is None or dated is not None

    @cached_property
    def _entries(self) -> pd.DataFrame:
        """The entries into stages, in order of deal and time: place of the deal, position of the stage, day, end."""
        events = self.pipeline.events
        place = pd.Series(np.arange(len(self.deals)), index=self.deals["deal_id"])
        found = pd.DataFrame({
            "deal": events["deal_id"].map(place).to_numpy(), "stage": events["stage"].cat.codes.to_numpy(),
            "start": days(events["entered_at"]),
        })  # fmt: skip
        found = found[found["deal"].notna() & (found["stage"] >= 0)]
        found["deal"] = found["deal"].astype("int64")
        found = found.sort_values(["deal", "start", "stage"], kind="stable", na_position="first", ignore_index=True)
        last = found["deal"] != found["deal"].shift(-1)
        found["end"] = np.where(last, self.ended[found["deal"]], found["start"].shift(-1))
        return found.assign(last=last)

    def stage_now(self) -> NDArray[np.int64]:
        """Return the position of the stage of each deal's last entry; the first where none is recorded."""
        found = np.zeros(len(self.deals), dtype=np.int64)
        latest = self._entries[self._entries["last"]]
        found[latest["deal"]] = latest["stage"]
        return found

    def open_by_stage(self, moments: Sequence[pd.Timestamp] | pd.DatetimeIndex) -> Counts:
        """Count the open deals by the stage of their last entry: a row a moment, a column a stage."""
        entries = self._entries
        stages = len(self.pipeline.model.stages)
        rows = []
        for moment in days(moments):
            there = (entries["start"] <= moment) & (entries["end"] > moment)
            rows.append(np.bincount(entries["stage"][there], minlength=stages)[:stages])
        return np.array(rows)

    def in_stage(self, place: int, when: pd.Timestamp) -> NDArray[np.int64]:
        """Return the positions of the deals that were in a stage at a moment."""
        entries, (moment,) = self._entries, days([when])
        there = (entries["stage"] == place) & (entries["start"] <= moment) & (entries["end"] > moment)
        found: NDArray[np.int64] = entries.loc[there, "deal"].to_numpy()
        return found

    def reached_in(self, start: pd.Timestamp, stop: pd.Timestamp) -> Counts:
        """Count by stage the deals that entered it, or a later one, for the first time in [start, stop).

        Where deals `skip` stages, a later one does not count.
        """
        first, last = days([start, stop])
        model, entries = self.pipeline.model, self._entries
        stages = len(model.stages)
        won_at = model.stage_ids.index(model.won_stage) if model.won_stage else stages - 1
        found = np.full((len(self.deals), stages), np.inf)
        np.minimum.at(found, (entries["deal"], entries["stage"]), entries["start"].fillna(np.inf))
        found[self.won, won_at] = np.minimum(found[self.won, won_at], self.ended[self.won])
        if not self.skip:
            found[:, 0] = np.minimum(found[:, 0], self.created)
            found = np.minimum.accumulate(found[:, ::-1], axis=1)[:, ::-1]
        counts: Counts = ((found >= first) & (found < last)).sum(axis=0)
        return counts

    def unrecorded(self) -> int:
        """Count the stages below a deal's furthest that it has passed without a record."""
        if not self.timed:
            return 0
        own = self._entries[["deal", "stage"]].drop_duplicates()
        by_deal = own.groupby("deal")["stage"].agg(["max", "size"])
        return int((by_deal["max"] + 1 - by_deal["size"]).sum())

    @cached_property
    def skip(self) -> bool:
        """Whether more stages are passed without a record than with one: then their order is not that of the deals."""
        return self.unrecorded() > len(self._entries[["deal", "stage"]].drop_duplicates())
