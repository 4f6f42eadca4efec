"""Monitoring: what left each stage, window by window, beside what the past expects of those who were there.

One set of baseline hazards by stage, exit and age tells what each window should bring; `cusum` judges the differences.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelkit.stats.cusum import YEAR_WINDOWS, Watched, dispersion
from funnelkit.stats.hazards import OPEN, OUT, UP, Hazards, Spells, _inside, _tally, fit_hazards
from funnelkit.stats.rates import Floats

WINDOW_DAYS = 28.0
PACE, PROMOTION = 0, 1
EVERY = -1  # all stages together
AIMED_AT_STAGES = 0.6  # of the chance of a false alarm: expectations by groups of ages, and dispersions, are estimates
LEAST_EVENTS, LEAST_WINDOWS = 30, 6  # of a baseline from which a series is judged


@dataclass(frozen=True)
class Flows:
    """Exits of the stages, window by window after the baseline, beside what the baseline expects.

    One row a series: `stage` (EVERY: all together) and `measure`: PACE counts exits of both kinds, PROMOTION those
    upwards among the exits. `starts` (windows,) are days since 1970.
    """

    stage: NDArray[Any]
    measure: NDArray[Any]
    starts: Floats
    watched: Watched
    enough: NDArray[np.bool_]  # (series,) rests on exits and windows enough to be judged
    n_open: Floats  # (series,) how many are in the stage now
    n_usual: Floats  # (series,) how many would be, of those who ever entered it, at the pace of the baseline


def stage_flows(spells: Spells, since: float | None = None) -> Flows:
    """Count what left each stage in windows of 28 days, and what the time before expects of those who were there.

    Parameters
    ----------
    spells : Spells
    since : float, optional
        Where the baseline ends, in days since 1970: by default a year before the data end, or, where the records are
        shorter than three years, the last third of them.

    Returns
    -------
    Flows

    Notes
    -----
    A window's expected exits are the sum over all who were in the stage of the baseline's hazard at the ages they went
    through. A funnel that is filling up, grows or has a season therefore expects what it should.

    Examples
    --------
    >>> import funnelkit as fk
    >>> stage_flows(fk.stats.stage_spells(fk.sample())).watched.observed.shape
    (16, 8)
    """
    edges, after = _windows(spells, since)
    hazards = fit_hazards(_known_at(spells, edges[len(edges) - 1 - after]))
    counts = [_stage_counts(hazards, spells, stage, edges) for stage in range(spells.won)]
    counts.append(_together(counts))
    rows, learnt = zip(*(series(one, after) for one in counts for series in (_pace, _promotion)), strict=True)
    watched = Watched(*(np.array(part) for part in zip(*rows, strict=True)))
    stage = np.repeat(np.r_[np.arange(spells.won), EVERY], 2)
    enough = (np.array(learnt) >= LEAST_EVENTS) & (len(edges) - 1 - after >= LEAST_WINDOWS)
    measure = np.tile([PACE, PROMOTION], len(counts))
    waiting = (np.repeat(part, 2) for part in _waiting(hazards, spells))
    return Flows(stage, measure, edges[-after - 1 : -1], watched, enough, *waiting)


@dataclass(frozen=True)
class _Counts:
    """Of one stage, or of all: exits and expected exits (2, windows, groups), chance to go UP and exits learnt from."""

    exits: Floats
    expected: Floats
    chance: Floats  # (groups,)
    learnt: Floats  # (2, groups)


def _together(counts: list[_Counts]) -> _Counts:
    return _Counts(*(np.concatenate([getattr(one, part.name) for one in counts], axis=-1) for part in fields(_Counts)))


def _windows(spells: Spells, since: float | None) -> tuple[Floats, int]:
    """Return the edges of the windows, the last ending with the data, and how many come after the baseline."""
    whole = max(int((spells.as_of - spells.seen.min(initial=spells.as_of)) // WINDOW_DAYS), 1)
    after = min(whole // 3, YEAR_WINDOWS) if since is None else int((spells.as_of - since) // WINDOW_DAYS)
    return spells.as_of - WINDOW_DAYS * np.arange(whole, -1, -1.0), int(np.clip(after, 1, whole))


def _known_at(spells: Spells, when: float) -> Spells:
    """Return the stays as they were known at a time."""
    known = spells.take((spells.start < when) & (spells.seen < when))
    later = known.end > when
    return replace(known, end=np.minimum(known.end, when), to=np.where(later, OPEN, known.to), as_of=when)


def _stage_counts(hazards: Hazards, spells: Spells, stage: int, edges: Floats) -> _Counts:
    here = spells.take(spells.stage == stage)
    groups, n = hazards.edges[stage], len(edges) - 1
    window = np.searchsorted(edges, here.end, side="left") - 1
    exits, at_risk = np.zeros((2, n, len(groups) - 1)), np.zeros((n, len(groups) - 1))
    for at in range(n):
        begin = np.maximum(edges[at], here.seen) - here.start
        end = np.minimum(edges[at + 1] - here.start, here.age)
        running = end > begin
        at_risk[at] = _inside(begin[running], end[running], groups).sum(axis=0)
        for kind in (UP, OUT):
            exits[kind, at] = _tally(here.age[(window == at) & (here.kind == kind)], groups)
    rate = hazards.rate(stage).T
    return _Counts(exits, rate[:, None] * at_risk, rate[UP] / rate.sum(axis=0), hazards.exits[stage].T)


def _waiting(hazards: Hazards, spells: Spells) -> tuple[Floats, Floats]:
    """Return how many are in each stage at the end, and how many the hazards expect there; the last place is all."""
    n_open = np.bincount(spells.stage[spells.to == OPEN], minlength=spells.won)
    usual = np.zeros(spells.won)
    for stage in range(spells.won):
        here = spells.stage == stage
        age, late = (spells.as_of - spells.start)[here], (spells.seen - spells.start)[here]
        hazard = sum(hazards.cumulative(stage, age, kind) - hazards.cumulative(stage, late, kind) for kind in (UP, OUT))
        usual[stage] = np.exp(-hazard).sum()
    return np.r_[n_open, n_open.sum()].astype(float), np.r_[usual, usual.sum()]


def _pace(counts: _Counts, after: int) -> tuple[Any, ...]:
    """Return the arrays of Watched for exits of both kinds, then how many the baseline has."""
    observed, expected = counts.exits.sum(axis=(0, 2)), counts.expected.sum(axis=0)
    by_group = expected[-after:].sum(axis=0)
    learnt = counts.learnt.sum(axis=0)
    # The error of the sum of expectations, each of which rests on its own age group's exits.
    baseline = by_group.sum() ** 2 / max(float((by_group**2 / (learnt + 0.5)).sum()), 1e-9)
    return _series(observed, expected.sum(axis=1), np.full(len(observed), np.nan), baseline, after), learnt.sum()


def _promotion(counts: _Counts, after: int) -> tuple[Any, ...]:
    """Return the same for exits upwards among the exits."""
    left = counts.exits.sum(axis=0)
    by_group = left[-after:].sum(axis=0)
    learnt = counts.learnt.sum(axis=0)
    baseline = by_group.sum() ** 2 / max(float((by_group**2 / (learnt + 1)).sum()), 1e-9)
    both = counts.learnt.sum(axis=1).min() > 0
    series = _series(counts.exits[UP].sum(axis=1), left @ counts.chance, left.sum(axis=1), baseline, after)
    return series, learnt.sum() if both else 0.0


def _series(observed: Floats, expected: Floats, trials: Floats, baseline: float, after: int) -> tuple[Any, ...]:
    spread = dispersion(*(part[:-after] for part in (observed, expected, trials)))
    variance = expected * (1 - np.nan_to_num(expected / np.where(trials > 0, trials, np.nan)))
    told = variance[:-after].mean() if len(variance) > after else 0.0
    return observed[-after:], expected[-after:], trials[-after:], max(baseline, 1.0), spread, told
