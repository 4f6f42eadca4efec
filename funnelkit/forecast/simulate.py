"""Simulate: from a pipeline's history to paths of what its open deals and its new business bring, vectorised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator

from funnelkit.forecast.arrivals import Arrivals, draw_arrivals
from funnelkit.forecast.win_curves import Array, Draws, draw_hazards, entry_curves, exits_up, waiting_curves
from funnelkit.pipeline import Pipeline
from funnelkit.stats import (
    OPEN,
    OUT,
    UP,
    Hazards,
    Spells,
    days,
    draw_level,
    draw_nested_ratios,
    draw_own_levels,
    expected_exits,
    fit_hazards,
    mean_nested_ratios,
    stage_spells,
    windows,
)

By = str | Sequence[str] | None  # columns whose values have ratios of their own
Rng = Generator | None  # None: the same draws each time
DRAWS = 500  # draws of the parameters; each carries paths / DRAWS paths
SWING_EVENTS = 20
ROUNDS = 8  # of fitting hazards and ratios in turns; they settle after four or five
FEWEST_AMOUNTS = 20  # fewer won deals of a segment than this borrow the amounts of all


@dataclass(frozen=True)
class Book:
    """The open deals with a known time: row of the deals table, stage, age there, amount (NaN: unknown), segment."""

    deal: Array
    stage: Array
    age: Array
    amount: Array
    segment: Array
    beyond_stage: Array  # waited in the stage longer than anyone who ever left it
    beyond_cycle: Array  # older since the first stage than any deal was that ever closed

    @property
    def beyond(self) -> Array:
        """Return which deals are older than any that ever moved on or closed."""
        return self.beyond_stage | self.beyond_cycle


@dataclass(frozen=True)
class Fit:
    """What the history says: hazards with their spells, segments (names, number of each deal), amounts of wins."""

    spells: Spells
    hazards: Hazards
    ratio: Array  # (2, stages, segments): of the hazards up and out of each segment to these
    segments: list[Any]
    segment: Array  # of each row of the deals table
    amounts: list[Array]  # per segment: amounts of won deals
    every: Array  # amounts of all won deals
    longest_cycle: float

    def hoped(self, begin: Any, end: Any, kind: int) -> Array:
        """Return the exits of a kind that hazards and ratios expect of each spell between two times."""
        ratio = self.ratio[kind, self.spells.stage, self.segment[self.spells.deal]]
        hoped: Array = ratio * expected_exits(self.hazards, self.spells, begin, end, kind)
        return hoped


def fit_history(pipeline: Pipeline, by: By = None) -> Fit:
    """Fit the hazards of a pipeline, the segments of `by` and the amounts of its won deals.

    Parameters
    ----------
    pipeline : Pipeline
        With outcomes and stage times.
    by : str or list of str, optional
        Columns whose values have win ratios of their own.

    Returns
    -------
    Fit
        Spells, hazards, ratios of the segments and amounts.
    """
    spells = stage_spells(pipeline)
    deals = pipeline.deals
    names, segment = [None], np.zeros(len(deals), int)
    if by:
        segment, found = pd.factorize(_segments(deals, by), sort=True)
        names = list(found)
    amount = deals["amount"].to_numpy(float)
    won = (deals["status"] == "won").to_numpy() & (amount > 0)
    every = amount[won]
    own = [amount[won & (segment == number)] for number in range(len(names))]
    amounts = [part if len(part) >= FEWEST_AMOUNTS else every for part in own]
    cycle = days(deals["closed_at"]) - days(deals["created_at"])
    closed = deals["status"].isin(["won", "lost"]).to_numpy() & ~np.isnan(cycle)
    longest = float(cycle[closed].max()) if closed.any() else np.inf
    hazards, ratio = _fit_segments(spells, segment[spells.deal], len(names))
    return Fit(spells, hazards, ratio, names, segment, amounts, every, longest)


def _segments(deals: pd.DataFrame, by: str | Sequence[str]) -> pd.Series[Any]:
    """Return the segment of each deal; of several columns, their values side by side."""
    known = deals.astype("object").where(deals.notna(), "")
    return known[by] if isinstance(by, str) else known[list(by)].astype(str).agg(" / ".join, axis=1)


def _fit_segments(spells: Spells, segment: Array, size: int) -> tuple[Hazards, Array]:
    """Return the hazards of a deal of ratio 1 and the ratios of the segments to them, (2, stages, segments).

    Each is fitted given the other, in turns (maximum likelihood of two factors by iterative proportional fitting).
    Segments leave the funnel at different stages, so hazards of all together would be those of another mix in each.
    """
    hazards, ratio = fit_hazards(spells), np.ones((2, spells.won, size))
    for _ in range(ROUNDS if size > 1 else 0):
        pairs = [_segment_exits(spells, segment, hazards, kind, size) for kind in (UP, OUT)]
        ratio = np.stack([mean_nested_ratios(*pair) for pair in pairs])
        hazards = fit_hazards(spells, ratio[:, spells.stage, segment].T)
    return hazards, ratio


def _segment_exits(spells: Spells, segment: Array, hazards: Hazards, kind: int, size: int) -> tuple[Array, Array]:
    """Return the exits of a kind per stage and segment, and how many there would be at the ratio 1."""
    cell, shape = spells.stage * size + segment, (spells.won, size)
    hoped = expected_exits(hazards, spells, -np.inf, np.inf, kind)
    seen = np.bincount(cell[spells.kind == kind], minlength=spells.won * size)
    return seen.reshape(shape), np.bincount(cell, weights=hoped, minlength=spells.won * size).reshape(shape)


def open_book(pipeline: Pipeline, fit: Fit) -> Book:
    """Return the Book of a fitted pipeline; amounts that only closes reveal count as unknown."""
    spells = fit.spells
    here = np.flatnonzero(spells.to == OPEN)
    deal, stage = spells.deal[here], spells.stage[here]
    age = spells.as_of - spells.start[here]
    amount = pipeline.deals["amount"].to_numpy(float)[deal]
    if pipeline.limit("lost_value_zero"):
        amount = np.full_like(amount, np.nan)
    longest = np.array([fit.hazards.longest(number) for number in range(spells.won)])
    cycle = spells.as_of - spells.born[here]
    return Book(deal, stage, age, amount, fit.segment[deal], age > longest[stage], cycle > fit.longest_cycle)


@dataclass(frozen=True)
class Chances:
    """Drawn chances: `waiting` (draws, open deals, ends) of a win by each end; `expected` (draws, segments, ends), the
    expected wins of new business by each end; `arrivals` behind it."""

    waiting: Array
    expected: Array
    arrivals: Arrivals


@dataclass(frozen=True)
class Worlds:
    """Drawn futures: hazards, the levels of the exits up and out, (draws, stages, 1), that all deals share, and the
    ratios of the segments to them, (draws, stages, segments), of the exits up and out."""

    draws: Draws
    level: list[Array]
    ratio: list[Array]

    def exits_up(self, segment: int) -> tuple[Array, Array]:
        """Return what `curves.exits_up` gives for the deals of a segment (its number)."""
        pairs = zip(self.level, self.ratio, strict=True)
        return exits_up(self.draws, *(level * ratio[:, :, segment, None] for level, ratio in pairs))


def draw_worlds(fit: Fit, horizon: int, rng: Generator, n: int = DRAWS) -> Worlds:
    """Draw the hazards, levels and ratios of the next `horizon` days n times."""
    draws = draw_hazards(fit.hazards, rng, n, horizon)
    kinds = UP, OUT
    level = [draw_levels(fit, kind, horizon, rng, n) for kind in kinds]
    return Worlds(draws, level, [_segment_ratios(fit, kind, rng, n) for kind in kinds])


def draw_chances(fit: Fit, book: Book, ends: list[int], rng: Generator, worlds: Worlds) -> Chances:
    """Draw the chances of open deals and new business by `ends` (whole days from the as-of date) in each world.

    Each draw has its own factor of deals beyond all experience, too.
    """
    horizon, draws = int(max(ends)), worlds.draws
    n = len(draws.share)
    old = _old_ratio(fit, rng, n) if book.beyond_cycle.any() else None
    arrivals = draw_arrivals(_births(fit)[0], fit.spells.as_of, horizon, rng, n)
    mix = new_mix(fit, rng, n)
    waiting = np.zeros((n, len(book.deal), len(ends)), np.float32)
    expected = np.zeros((n, len(fit.segments), len(ends)))
    for number in range(len(fit.segments)):
        leave, stay = worlds.exits_up(number)
        curve = entry_curves(leave, draws.share, horizon)
        wins = _new_wins(np.einsum("s,nsh->nh", entry_mix(fit), curve), arrivals, ends)
        expected[:, number] = wins * mix[:, [number]]
        own = book.segment == number
        table = waiting_curves(leave, stay, draws.share, curve, ends)
        waiting[:, own] = _at_age(table, book.stage[own], np.minimum(book.age[own], draws.cap[book.stage[own]]))
    if old is not None:
        waiting[:, book.beyond_cycle] *= np.minimum(old, 1)[:, None, None].astype(np.float32)
    return Chances(waiting, expected, arrivals)


def _at_age(table: Array, stage: Array, age: Array) -> Array:
    """Return the chances of deals of some age, which lies between two whole days, (draws, deals, ends)."""
    day = age.astype(int)
    part = (age - day).astype(np.float32)[:, None]
    later = np.minimum(day + 1, table.shape[2] - 1)
    chance: Array = table[:, stage, day] * (1 - part) + table[:, stage, later] * part
    return chance


def draw_levels(fit: Fit, kind: int, horizon: int, rng: Generator, n: int) -> Array:
    """Draw the level of the exits of a kind in each stage, (n, stages, 1): one common to all stages times its own."""
    spells = fit.spells
    begun = spells.seen.min() if len(spells.seen) else spells.as_of - 1
    edges = windows(begun, spells.as_of, horizon)
    ended = spells.kind == kind
    stages = range(spells.won)
    seen = np.array([np.histogram(spells.end[ended & (spells.stage == stage)], edges)[0] for stage in stages])
    hoped = np.array([
        np.bincount(spells.stage, weights=fit.hoped(low, high, kind), minlength=spells.won)
        for low, high in pairwise(edges)
    ]).T  # fmt: skip
    ahead = horizon / (edges[1] - edges[0])
    common = draw_level(seen.sum(axis=0), hoped.sum(axis=0), ahead, rng, n)
    swing = (seen.sum(axis=0) + SWING_EVENTS) / (hoped.sum(axis=0) + SWING_EVENTS)
    own = draw_own_levels(seen, hoped * swing, ahead, rng, n)
    level: Array = (common * own).T[:, :, None]
    return level


def _segment_ratios(fit: Fit, kind: int, rng: Generator, n: int) -> Array:
    size = len(fit.segments)
    if size == 1:
        return np.ones((n, fit.spells.won, 1))
    seen = _segment_exits(fit.spells, fit.segment[fit.spells.deal], fit.hazards, kind, size)
    ratios: Array = draw_nested_ratios(*seen, rng, n)
    return ratios


def _old_ratio(fit: Fit, rng: Generator, n: int) -> Array:
    """Draw the factor on the exits up of deals older than any that closed: what they did against what was expected."""
    spells = fit.spells
    edge = spells.born + fit.longest_cycle
    seen = ((spells.kind == UP) & (spells.end > edge)).sum()
    hoped = fit.hoped(edge, np.inf, UP).sum()
    ratio: Array = rng.standard_gamma(seen + 0.5, size=n) / (hoped + 0.5)
    return ratio


def _births(fit: Fit) -> tuple[Array, Array, Array]:
    spells = fit.spells
    first = spells.start == spells.born
    return spells.born[first], spells.stage[first], fit.segment[spells.deal[first]]


def entry_mix(fit: Fit) -> Array:
    """Return the shares of the stages that new deals begin in."""
    entry = np.bincount(_births(fit)[1], minlength=fit.spells.won).astype(float)
    mix: Array = entry / max(entry.sum(), 1.0)
    return mix


def new_mix(fit: Fit, rng: Generator, n: int) -> Array:
    """Draw the shares of the segments among the new deals of the last year."""
    born, _, segment = _births(fit)
    recent = np.bincount(segment[born > fit.spells.as_of - 365], minlength=len(fit.segments))
    weight = rng.standard_gamma(recent + 1 / len(fit.segments), size=(n, len(fit.segments)))
    mix: Array = weight / weight.sum(axis=1, keepdims=True)
    return mix


def _new_wins(win: Array, arrivals: Arrivals, ends: list[int]) -> Array:
    """Return the expected wins by each end from the arrivals of each day, (draws, ends)."""
    middle = (win[:, :-1] + win[:, 1:]) / 2  # a day's arrivals come on average at its middle
    found = [np.einsum("nd,nd->n", arrivals.per_day[:, :end], middle[:, :end][:, ::-1]) for end in ends]
    return np.stack(found, axis=1)


def simulate_open(
    book: Book, chances: Chances, amounts: list[Array], rng: Generator, paths: int
) -> tuple[Array, Array]:
    """Return (won deals, won value) of the open deals in each path, cumulative by end: two (paths, ends) arrays."""
    n, deals, ends = chances.waiting.shape
    each = -(-paths // n)
    count, value = (np.zeros((n * each, ends)) for _ in range(2))
    known = ~np.isnan(book.amount)
    weight = np.stack([np.ones(deals), np.where(known, book.amount, 0)], axis=1).astype(np.float32)
    pool = _pool(amounts, book.segment[~known])
    for draw in range(n if deals else 0):
        luck = rng.random((each, deals), np.float32)
        rows = slice(draw * each, (draw + 1) * each)
        for end in range(ends):
            won = luck < chances.waiting[draw, :, end]
            both = won.astype(np.float32) @ weight
            count[rows, end], value[rows, end] = both[:, 0], both[:, 1]
        if not known.all():
            value[rows] += _unknown_value(luck[:, ~known], chances.waiting[draw][~known], pool, rng)
    return count, value


def _pool(amounts: list[Array], segment: Array) -> tuple[Array, Array, Array]:
    """Return all amounts in one row, and for each deal where those of its segment begin and how many they are."""
    sizes = np.array([len(one) for one in amounts])
    begin = np.r_[0, np.cumsum(sizes)[:-1]]
    return np.concatenate(amounts), begin[segment], sizes[segment]


def _unknown_value(luck: Array, chance: Array, pool: tuple[Array, Array, Array], rng: Generator) -> Array:
    """Return the value of wins whose amount is unknown: each has one amount, drawn from the won deals of its like."""
    path, deal = np.nonzero(luck < chance[:, -1])
    flat, begin, size = pool
    if not len(flat):
        return np.zeros((len(luck), chance.shape[1]))
    drawn = flat[begin[deal] + (rng.random(len(deal)) * size[deal]).astype(int)]
    lucky = luck[path, deal]
    return np.stack([
        np.bincount(path, weights=drawn * (lucky < chance[deal, end]), minlength=len(luck))
        for end in range(chance.shape[1])
    ], axis=1)  # fmt: skip


def simulate_new(chances: Chances, amounts: list[Array], rng: Generator, paths: int) -> tuple[Array, Array]:
    """Return (won deals, won value) of new business in each path, cumulative by end: two (paths, ends) arrays.

    Arrivals are Poisson and each wins or not on its own, so the wins by period are Poisson too (thinning).
    """
    n, segments, ends = chances.expected.shape
    each = -(-paths // n)
    count, value = (np.zeros((n * each, ends)) for _ in range(2))
    steps = np.maximum(np.diff(chances.expected, axis=2, prepend=0), 0)
    for segment in range(segments):
        wins = rng.poisson(np.repeat(steps[:, segment], each, axis=0))
        count += wins
        if len(amounts[segment]):
            value += _compound(wins, amounts[segment], rng)
    return count.cumsum(axis=1), value.cumsum(axis=1)


def _compound(wins: Array, amounts: Array, rng: Generator) -> Array:
    """Return the sum of as many drawn amounts as there are wins in each cell."""
    flat = wins.ravel()
    drawn = amounts[rng.integers(len(amounts), size=flat.sum())]
    return np.bincount(np.repeat(np.arange(len(flat)), flat), weights=drawn, minlength=len(flat)).reshape(wins.shape)
