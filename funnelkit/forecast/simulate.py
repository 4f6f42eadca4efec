"""Simulate: from a pipeline's history to paths of what its open deals and its new business bring, vectorised."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from funnelkit.forecast.arrivals import Arrivals, draw_arrivals
from funnelkit.forecast.win_curves import Draws, draw_hazards, entry_curves, exits_up, waiting_curves
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

DRAWS = 500  # draws of the parameters; each carries paths / DRAWS paths
SWING_EVENTS = 20
ROUNDS = 8  # of fitting hazards and ratios in turns; they settle after four or five
FEWEST_AMOUNTS = 20  # fewer won deals of a segment than this borrow the amounts of all


@dataclass(frozen=True)
class Book:
    """The open deals with a known time: row of the deals table, stage, age there, amount (NaN: unknown), segment."""

    deal: np.ndarray
    stage: np.ndarray
    age: np.ndarray
    amount: np.ndarray
    segment: np.ndarray
    beyond_stage: np.ndarray  # waited in the stage longer than anyone who ever left it
    beyond_cycle: np.ndarray  # older since the first stage than any deal was that ever closed

    @property
    def beyond(self):
        """Return which deals are older than any that ever moved on or closed."""
        return self.beyond_stage | self.beyond_cycle


@dataclass(frozen=True)
class Fit:
    """What the history says: hazards with their spells, segments (names, number of each deal), amounts of wins."""

    spells: Spells
    hazards: Hazards
    ratio: np.ndarray  # (2, stages, segments): of the hazards up and out of each segment to these
    segments: list
    segment: np.ndarray  # of each row of the deals table
    amounts: list  # per segment: amounts of won deals
    every: np.ndarray  # amounts of all won deals
    longest_cycle: float

    def hoped(self, begin, end, kind):
        """Return the exits of a kind that hazards and ratios expect of each spell between two times."""
        ratio = self.ratio[kind, self.spells.stage, self.segment[self.spells.deal]]
        return ratio * expected_exits(self.hazards, self.spells, begin, end, kind)


def fit_history(pipeline, by=None):
    """Fit the hazards, the segments of column `by` and the amounts of won deals of a pipeline."""
    spells = stage_spells(pipeline)
    deals = pipeline.deals
    names, segment = [None], np.zeros(len(deals), int)
    if by is not None:
        segment, found = pd.factorize(deals[by].astype("object").where(deals[by].notna(), ""), sort=True)
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


def _fit_segments(spells, segment, size):
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


def _segment_exits(spells, segment, hazards, kind, size):
    """Return the exits of a kind per stage and segment, and how many there would be at the ratio 1."""
    cell, shape = spells.stage * size + segment, (spells.won, size)
    hoped = expected_exits(hazards, spells, -np.inf, np.inf, kind)
    seen = np.bincount(cell[spells.kind == kind], minlength=spells.won * size)
    return seen.reshape(shape), np.bincount(cell, weights=hoped, minlength=spells.won * size).reshape(shape)


def open_book(pipeline, fit):
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

    waiting: np.ndarray
    expected: np.ndarray
    arrivals: Arrivals


@dataclass(frozen=True)
class Worlds:
    """Drawn futures: hazards, the levels of the exits up and out, (draws, stages, 1), that all deals share, and the
    ratios of the segments to them, (draws, stages, segments), of the exits up and out."""

    draws: Draws
    level: list
    ratio: list

    def exits_up(self, segment):
        """Return what `curves.exits_up` gives for the deals of a segment (its number)."""
        pairs = zip(self.level, self.ratio, strict=True)
        return exits_up(self.draws, *(level * ratio[:, :, segment, None] for level, ratio in pairs))


def draw_worlds(fit, horizon, rng, n=DRAWS):
    """Draw the hazards, levels and ratios of the next `horizon` days n times."""
    draws = draw_hazards(fit.hazards, rng, n, horizon)
    kinds = UP, OUT
    level = [draw_levels(fit, kind, horizon, rng, n) for kind in kinds]
    return Worlds(draws, level, [_segment_ratios(fit, kind, rng, n) for kind in kinds])


def draw_chances(fit, book, ends, rng, worlds):
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


def _at_age(table, stage, age):
    """Return the chances of deals of some age, which lies between two whole days, (draws, deals, ends)."""
    day = age.astype(int)
    part = (age - day).astype(np.float32)[:, None]
    later = np.minimum(day + 1, table.shape[2] - 1)
    return table[:, stage, day] * (1 - part) + table[:, stage, later] * part


def draw_levels(fit, kind, horizon, rng, n):
    """Draw the level of the exits of a kind in each stage, (n, stages, 1): one common to all stages times its own."""
    spells = fit.spells
    begun = spells.seen.min() if len(spells.seen) else spells.as_of - 1
    edges = windows(begun, spells.as_of, horizon)
    ended = spells.kind == kind
    seen = [np.histogram(spells.end[ended & (spells.stage == stage)], edges)[0] for stage in range(spells.won)]
    hoped = [
        np.bincount(spells.stage, weights=fit.hoped(low, high, kind), minlength=spells.won)
        for low, high in pairwise(edges)
    ]
    seen, hoped = np.array(seen), np.array(hoped).T
    ahead = horizon / (edges[1] - edges[0])
    common = draw_level(seen.sum(axis=0), hoped.sum(axis=0), ahead, rng, n)
    swing = (seen.sum(axis=0) + SWING_EVENTS) / (hoped.sum(axis=0) + SWING_EVENTS)
    own = draw_own_levels(seen, hoped * swing, ahead, rng, n)
    return (common * own).T[:, :, None]


def _segment_ratios(fit, kind, rng, n):
    size = len(fit.segments)
    if size == 1:
        return np.ones((n, fit.spells.won, 1))
    seen = _segment_exits(fit.spells, fit.segment[fit.spells.deal], fit.hazards, kind, size)
    return draw_nested_ratios(*seen, rng, n)


def _old_ratio(fit, rng, n):
    """Draw the factor on the exits up of deals older than any that closed: what they did against what was expected."""
    spells = fit.spells
    edge = spells.born + fit.longest_cycle
    seen = ((spells.kind == UP) & (spells.end > edge)).sum()
    hoped = fit.hoped(edge, np.inf, UP).sum()
    return rng.standard_gamma(seen + 0.5, size=n) / (hoped + 0.5)


def _births(fit):
    spells = fit.spells
    first = spells.start == spells.born
    return spells.born[first], spells.stage[first], fit.segment[spells.deal[first]]


def entry_mix(fit):
    """Return the shares of the stages that new deals begin in."""
    entry = np.bincount(_births(fit)[1], minlength=fit.spells.won).astype(float)
    return entry / max(entry.sum(), 1.0)


def new_mix(fit, rng, n):
    """Draw the shares of the segments among the new deals of the last year."""
    born, _, segment = _births(fit)
    recent = np.bincount(segment[born > fit.spells.as_of - 365], minlength=len(fit.segments))
    weight = rng.standard_gamma(recent + 1 / len(fit.segments), size=(n, len(fit.segments)))
    return weight / weight.sum(axis=1, keepdims=True)


def _new_wins(win, arrivals, ends):
    """Return the expected wins by each end from the arrivals of each day, (draws, ends)."""
    middle = (win[:, :-1] + win[:, 1:]) / 2  # a day's arrivals come on average at its middle
    found = [np.einsum("nd,nd->n", arrivals.per_day[:, :end], middle[:, :end][:, ::-1]) for end in ends]
    return np.stack(found, axis=1)


def simulate_open(book, chances, amounts, rng, paths):
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


def _pool(amounts, segment):
    """Return all amounts in one row, and for each deal where those of its segment begin and how many they are."""
    sizes = np.array([len(one) for one in amounts])
    begin = np.r_[0, np.cumsum(sizes)[:-1]]
    return np.concatenate(amounts), begin[segment], sizes[segment]


def _unknown_value(luck, chance, pool, rng):
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


def simulate_new(chances, amounts, rng, paths):
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


def _compound(wins, amounts, rng):
    """Return the sum of as many drawn amounts as there are wins in each cell."""
    flat = wins.ravel()
    drawn = amounts[rng.integers(len(amounts), size=flat.sum())]
    return np.bincount(np.repeat(np.arange(len(flat)), flat), weights=drawn, minlength=len(flat)).reshape(wins.shape)
