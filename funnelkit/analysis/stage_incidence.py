"""Stage incidence: the share of those who enter a stage that advances within a horizon, by the times of stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.count import STAGE_UNKNOWN, StageCounts, lost_nowhere
from funnelkit.pipeline import Pipeline
from funnelkit.result import WIN_LIMITS
from funnelkit.stats import OPEN, RATE_COLUMNS, UP, choose_horizon, incidence, stage_spells

TIMED = 0.9  # least share of those counted in a stage whose stay there has times


def with_incidences(rates: pd.DataFrame, counts: StageCounts) -> pd.DataFrame:
    """Return the rates of counts, those of stages whose stays are timed as incidences at one horizon a stage."""
    pipeline = counts.source
    if pipeline is None or any(map(pipeline.limit, WIN_LIMITS)):
        return rates
    if pipeline.limit("no_history") and not pipeline.limit("one_date_per_stage"):
        return rates
    stays = _stays(pipeline)
    kept = pipeline.deals[pipeline.deals["status"] != "void"]
    group = kept.groupby(list(counts.by), dropna=False, observed=True).ngroup() if counts.by else kept["status"].eq("")
    stays["group"] = stays["deal"].map(group.astype(int))
    found = dict(list(stays.groupby(["stage", "group"])))
    horizons = {
        stage: choose_horizon(part["days"], part["cause"], part["watched_days"], part["entry_days"])
        for stage, part in stays.groupby("stage")
    }
    stages = rates["stage"].astype(str)
    place = (stages == stages.iloc[0]).cumsum() - 1 if len(rates) else stages
    rows = rates.to_dict("records")
    for row, stage, number, n in zip(rows, stages, place, _entered(counts), strict=True):
        key = (pipeline.model.stage_ids.index(stage), number)
        if key in found and found[key]["seen"].sum() >= TIMED * n:
            part = found[key]
            read = incidence(part["days"], part["cause"], horizons[key[0]], part["entry_days"])
            row |= {name: read[name].item() for name in RATE_COLUMNS}
    return rates.assign(**{name: [row[name] for row in rows] for name in RATE_COLUMNS})


def _entered(counts: StageCounts) -> pd.Series[int]:
    return counts.table.loc[counts.table["stage"] != STAGE_UNKNOWN, "n_entered"]


def _stays(pipeline: Pipeline) -> pd.DataFrame:
    """Return deal (its index), stage, days, cause (0 open, 1 advanced, 2 lost), entry_days, watched_days, seen.

    One row for each stage that a deal counts in: a stage that it skipped is passed at once, and so is one before its
    first known entry, which is not `seen`.
    """
    spells, deals = stage_spells(pipeline), pipeline.deals
    counted = ((deals["status"] != "void") & ~lost_nowhere(pipeline)).to_numpy()
    spells = spells.take(counted[spells.deal])
    first = np.r_[True, spells.deal[1:] != spells.deal[:-1]][: len(spells.deal)]
    stays = pd.DataFrame(
        {
            "deal": spells.deal, "stage": spells.stage, "days": spells.age,
            "cause": np.where(spells.kind == OPEN, 0, np.where(spells.kind == UP, 1, 2)),
            "entry_days": spells.seen - spells.start, "watched_days": spells.as_of - spells.start, "seen": True,
        }
    )  # fmt: skip
    skipped = np.where(spells.kind == UP, spells.to - spells.stage - 1, 0)
    parts = [stays, _passed(stays, spells.stage + 1, skipped, True)]
    parts.append(_passed(stays, np.zeros_like(spells.stage), np.where(first, spells.stage, 0), False))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(deal=deals.index.to_numpy()[found["deal"].to_numpy()])


def _passed(stays: pd.DataFrame, begin: NDArray[Any], n: NDArray[Any], seen: bool) -> pd.DataFrame:
    """Return rows of stages passed at once: `n` of them from `begin` on, for each stay."""
    row = np.repeat(np.arange(len(stays)), n)
    number = np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)
    return stays.iloc[row].assign(stage=begin[row] + number, days=0.0, cause=1, entry_days=0.0, seen=seen)
