"""Mix: whether other deals than usual are why fewer of them move on from a stage, and which ones fill it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import Text, both, number, say
from funnelkit.pipeline import Pipeline
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.first_page.spans import Spans
from funnelkit.report.first_page.stages import StageFacts
from funnelkit.report.first_page.words import share_words
from funnelkit.report.sections.segments import own_segments
from funnelkit.stats import OPEN, change_p_value, days, stage_spells

LEAST_OF_SEGMENT = 10  # of those who left in the usual months: below it a segment has no usual rate
LEAST_SHARE = 0.25  # of those who left lately, in segments that have one: else the column is another one by now
LEAST_EXPLAINED = 1 / 3  # of the change
BY_CHANCE = 0.1  # what is left within the segments counts where chance makes it less often
FILLED = 0.001  # that a segment has so many of the deals in a stage at its usual share there
OUTCOME = 0.001  # a segment whose deals all moved on, or none, by less chance than this: it tells how they ended


@dataclass(frozen=True)
class Mix:
    """The segment that cost most of the rate, its share of those who left, its usual share; what the mix explains."""

    name: str
    share: float
    usual: float
    explained: float


def explaining_mix(pipeline: Pipeline, spans: Spans, stage: str) -> Mix | None:
    """Return the mix that explains a good part of a stage's change, None where rates within segments changed as well.

    Each segment column of the source is tried: at the usual rates of its segments, what would lately have moved on?
    A segment that is new has no usual rate, it takes the one it has: to bring it in is a matter of the mix.
    """
    found = [_mix(*pair) for pair in _counts(pipeline, spans, stage)]
    return max((one for one in found if one is not None), key=lambda one: one.explained, default=None)


def filled_by(records: DealRecords, spans: Spans, facts: StageFacts) -> tuple[Text, float] | None:
    """Return which segment most deals in a stage belong to, where beyond its usual share there, and by what chance."""
    most = crowding_segment(records, spans, records.pipeline.model.stage_ids.index(facts.stage.id))
    if most is None:
        return None
    name, k, share, chance = most
    told = {"name": name, "k": number(k), "n": number(facts.n_open), "usual": share_words(share)}
    return both(lambda: say("report.first_page.mostly", **told)), chance


def crowding_segment(records: DealRecords, spans: Spans, place: int) -> tuple[str, int, float, float] | None:
    """Return the segment of most deals in a stage, their number, its usual share there, and by what chance so many."""
    from scipy.special import bdtrc

    here = np.flatnonzero((records.stage_now() == place) & (records.deals["status"] == "open").to_numpy())
    ends = pd.date_range(spans.usual[0], spans.usual[1], freq="MS")[1:]
    before = np.concatenate([records.in_stage(place, end) for end in ends])
    found: list[tuple[str, int, float, float]] = []
    for column in own_segments(records.pipeline) if len(here) and len(before) else ():
        values = records.deals[column]
        counts = values.iloc[here].value_counts()
        if not len(counts) or counts.iloc[0] <= len(here) / 2:
            continue
        name, k = counts.index[0], int(counts.iloc[0])
        share = float((values.iloc[before] == name).mean())
        found.append((str(name), k, share, float(bdtrc(k - 1, len(here), share))))
    surest = min(found, key=lambda one: one[-1], default=None)
    return surest if surest is not None and surest[-1] < FILLED else None


def _counts(pipeline: Pipeline, spans: Spans, stage: str) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield, of each segment column, k of n by segment: lately and in the usual months."""
    spells = stage_spells(pipeline)
    left = (spells.stage == pipeline.model.stage_ids.index(stage)) & (spells.to != OPEN)
    left &= (pipeline.deals["status"] != "void").to_numpy()[spells.deal]
    deal, end, up = spells.deal[left], spells.end[left], spells.to[left] <= spells.won
    for column in own_segments(pipeline):
        frame = pd.DataFrame({"segment": pipeline.deals[column].to_numpy()[deal], "up": up})
        now, usual = (
            frame[(end >= first) & (end < last)].groupby("segment", dropna=False)["up"].agg(k="sum", n="size")
            for first, last in map(days, (spans.recent, spans.usual))
        )
        yield now.astype(float), usual.astype(float).reindex(now.index, fill_value=0.0)


def _mix(now: pd.DataFrame, usual: pd.DataFrame) -> Mix | None:
    if not now["n"].sum() or not usual["n"].sum():
        return None
    before, rate = usual["k"].sum() / usual["n"].sum(), now["k"].sum() / now["n"].sum()
    old = (usual["n"] >= LEAST_OF_SEGMENT).to_numpy()
    if _tells_outcome(usual, before) or now.loc[old, "n"].sum() < LEAST_SHARE * now["n"].sum() or rate == before:
        return None
    own, usually = now["k"] / now["n"].clip(lower=1), usual["k"] / usual["n"].clip(lower=1)
    expected = now["n"] * usually.where(old, own)
    explained = (before - expected.sum() / now["n"].sum()) / (before - rate)
    if explained < LEAST_EXPLAINED or _changed_within(now[old], usual[old]):
        return None
    shares, past = now["n"] / now["n"].sum(), usual["n"] / usual["n"].sum()
    cost = (shares - past) * (usually.where(old, own) - before) * np.sign(rate - before)
    name: Any = cost.idxmax()
    return None if pd.isna(name) else Mix(str(name), float(shares[name]), float(past[name]), min(float(explained), 1.0))


def _tells_outcome(usual: pd.DataFrame, rate: float) -> bool:
    """Tell whether a segment holds only deals that ended one way: a reason for the loss is no kind of deal."""
    none, every = (1 - rate) ** usual["n"], rate ** usual["n"]
    return bool((((usual["k"] == 0) & (none < OUTCOME)) | ((usual["k"] == usual["n"]) & (every < OUTCOME))).any())


def _changed_within(now: pd.DataFrame, usual: pd.DataFrame) -> bool:
    """Tell whether the rates within the segments changed, taken together at the weights of the recent deals."""
    weights = now["n"] / now["n"].sum()
    rates = [(part["k"] + 0.5) / (part["n"] + 1) for part in (now, usual)]
    means = [float((weights * rate).sum()) for rate in rates]
    worth = [  # trials of one rate that would be as sure
        mean * (1 - mean) / float((weights**2 * rate * (1 - rate) / part["n"].clip(lower=1)).sum())
        for mean, rate, part in zip(means, rates, (now, usual), strict=True)
    ]
    return bool(change_p_value((means[0], means[1]), (worth[0], worth[1])) < BY_CHANCE)
