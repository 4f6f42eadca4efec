"""Simulate: from a pipeline's history to paths of what its open deals and its new business bring, vectorised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from funnelkit.forecast.arrivals import Arrivals, draw_arrivals
from funnelkit.forecast.history import Array, Book, Fit
from funnelkit.forecast.win_curves import Draws, closing_curves, draw_hazards, entry_curves, exits_up, waiting_curves
from funnelkit.stats import OUT, UP, draw_level, draw_own_levels, windows

Rng = Generator | None  # None: the same draws each time
DRAWS, LEAST_DRAWS = 400, 60  # draws of the parameters; each carries paths / DRAWS paths; many segments share them
SWING_EVENTS = 20


@dataclass(frozen=True)
class Chances:
    """Drawn chances: `waiting` (draws, open deals, ends) of a win by each end; `expected` (draws, segments, ends), the
    expected wins of new business by each end, at last of deals that come and go at once; `arrivals` behind it; `value`
    (draws,) what a win brings against the amount that the open deal carries."""

    waiting: Array
    expected: Array
    arrivals: Arrivals
    value: Array


@dataclass(frozen=True)
class Worlds:
    """Drawn futures: hazards, the levels of the exits up and out, (draws, stages, 1), that all deals share, the ratios
    of the segments to them, (draws, stages, segments), and the closing season of each day (None: there is none)."""

    draws: Draws
    level: list[Array]
    ratio: list[Array]
    season: Array | None = None

    def exits_up(self, segment: int) -> tuple[Array, Array]:
        """Return what `win_curves.exits_up` gives for the deals of a segment (its number)."""
        return exits_up(self.draws, *self._factors(segment))

    def curves(self, segment: int, ends: list[int], waiting: bool = True) -> tuple[list[Array], Array]:
        """Return the chances of a win by each end: of entering each stage so many days before it, (draws, stages,
        days), and of the deals there now, (draws, stages, ages, ends), by age."""
        leave, stay = self.exits_up(segment)
        share, horizon = self.draws.share, int(max(ends))
        if self.season is None:
            whole = entry_curves(leave, share, horizon)
            found = waiting_curves(leave, stay, share, [whole[:, :, : end + 1] for end in ends]) if waiting else None
            return [whole[:, :, : end + 1] for end in ends], found if found is not None else np.zeros(0)
        last = len(self.level[0][0]) - 1
        up, out = (rate[:, last] * factor[:, last] for rate, factor in
                   zip((self.draws.up, self.draws.out), self._factors(segment), strict=True))  # fmt: skip
        ages = leave.shape[3] - horizon if waiting else 1
        closing, now = closing_curves(up[:, : ages + horizon], out[:, : ages + horizon], self.season, ends)
        entries = [entry_curves(leave, share, end, one) for end, one in zip(ends, closing, strict=True)]
        if not waiting:
            return entries, np.zeros(0)
        found = waiting_curves(leave, stay, share, entries)
        found[:, last, : now.shape[1]] = now
        return entries, found

    def _factors(self, segment: int) -> list[Array]:
        pairs = zip(self.level, self.ratio, strict=True)
        return [level * ratio[:, :, segment, None] for level, ratio in pairs]


def n_draws(fit: Fit, paths: int) -> int:
    """Return how many draws of the parameters so many paths need: a tenth, fewer where there are many segments."""
    return min(max(DRAWS // len(fit.pairs), LEAST_DRAWS), max(paths // 10, 1))


def draw_worlds(fit: Fit, horizon: int, rng: Generator, n: int = DRAWS) -> Worlds:
    """Draw the hazards, levels, ratios and the closing season of the next `horizon` days n times."""
    draws = draw_hazards(fit.hazards, rng, n, horizon)
    shift = np.stack([one.draw(rng, n) for one in fit.shifts], axis=1)
    level = [one * shift[:, :, kind, None] for kind, one in enumerate(draw_levels(fit, horizon, rng, n))]
    season = None if fit.season is None else fit.season.draw(fit.starts + np.arange(horizon), rng, n)
    return Worlds(draws, level, [fit.draw_ratios(kind, rng, n) for kind in (UP, OUT)], season)


def draw_chances(fit: Fit, book: Book, ends: list[int], rng: Generator, worlds: Worlds) -> Chances:
    """Draw the chances of open deals and new business by `ends` (whole days from the as-of date) in each world.

    Each draw has its own factor of deals beyond all experience, too.
    """
    horizon, cap = int(max(ends)), worlds.draws.cap
    n, segments = len(worlds.draws.share), len(fit.pairs)
    arrivals = draw_arrivals(fit.births()[0], fit.spells.as_of, horizon, rng, n)
    mix, entry = new_mix(fit, rng, n), entry_mix(fit)
    waiting = np.zeros((n, len(book.deal), len(ends)), np.float32)
    expected = np.zeros((n, segments + (len(fit.at_once) > 0), len(ends)))
    for number in range(segments):
        own = book.segment == number
        curves, table = worlds.curves(number, ends, bool(own.any()))
        wins = [_new_wins(np.einsum("s,nsh->nh", entry, curve), arrivals) for curve in curves]
        expected[:, number] = np.stack(wins, axis=1) * mix[:, [number]]
        if own.any():
            stage = book.stage[own]
            found = _at_age(table, stage, np.minimum(book.age[own], cap[stage]))
            lowest = np.stack([table[:, one, : cap[one] + 1].min(axis=1) for one in range(fit.spells.won)], axis=1)
            # Nobody older ever moved: nothing says that the chance is above the lowest of those who are younger.
            waiting[:, own] = np.where(book.beyond[own, None], np.minimum(found, lowest[:, stage]), found)
    if book.beyond_cycle.any():
        waiting[:, book.beyond_cycle] *= np.minimum(_old_ratio(fit, rng, n), 1)[:, None, None].astype(np.float32)
    if len(fit.at_once):
        quick = draw_arrivals(fit.at_once.at[fit.at_once.won], fit.spells.as_of, horizon, rng, n).per_day
        expected[:, -1] = np.stack([quick[:, :end].sum(axis=1) for end in ends], axis=1)
    return Chances(waiting, expected, arrivals, rng.choice(fit.closing, size=n))


def _at_age(table: Array, stage: Array, age: Array) -> Array:
    """Return the chances of deals of some age, which lies between two whole days, (draws, deals, ends)."""
    day = age.astype(int)
    part = (age - day).astype(np.float32)[:, None]
    later = np.minimum(day + 1, table.shape[2] - 1)
    chance: Array = table[:, stage, day] * (1 - part) + table[:, stage, later] * part
    return chance


def draw_levels(fit: Fit, horizon: int, rng: Generator, n: int) -> list[Array]:
    """Draw the levels of the exits up and out of each stage, (n, stages, 1) each: one common to all times its own."""
    edges = windows(fit.begun, fit.spells.as_of, horizon)
    ahead, found = horizon / (edges[1] - edges[0]), []
    for seen, hoped in zip(fit.seen(edges), fit.expected(edges), strict=True):
        common = draw_level(seen.sum(axis=0), hoped.sum(axis=0), ahead, rng, n)
        swing = (seen.sum(axis=0) + SWING_EVENTS) / (hoped.sum(axis=0) + SWING_EVENTS)
        found.append((common * draw_own_levels(seen, hoped * swing, ahead, rng, n)).T[:, :, None])
    return found


def _old_ratio(fit: Fit, rng: Generator, n: int) -> Array:
    """Draw the factor on the exits up of deals older than any that closed: what they did against what was expected."""
    spells = fit.spells
    edge = spells.born + fit.longest_cycle
    seen = ((spells.kind == UP) & (spells.end > edge)).sum()
    hoped = fit.hoped(edge, np.inf, UP).sum()
    ratio: Array = rng.standard_gamma(seen + 0.5, size=n) / (hoped + 0.5)
    return ratio


def entry_mix(fit: Fit) -> Array:
    """Return the shares of the stages that new deals begin in."""
    entry = np.bincount(fit.births()[1], minlength=fit.spells.won).astype(float)
    mix: Array = entry / max(entry.sum(), 1.0)
    return mix


def new_mix(fit: Fit, rng: Generator, n: int) -> Array:
    """Draw the shares of the segments among the new deals of the last year."""
    born, _, segment = fit.births()
    recent = np.bincount(segment[born > fit.spells.as_of - 365], minlength=len(fit.pairs))
    weight = rng.standard_gamma(recent + 1 / len(fit.pairs), size=(n, len(fit.pairs)))
    mix: Array = weight / weight.sum(axis=1, keepdims=True)
    return mix


def _new_wins(win: Array, arrivals: Arrivals) -> Array:
    """Return the expected wins by an end from the arrivals of each day before it, (draws,)."""
    middle = (win[:, :-1] + win[:, 1:]) / 2  # a day's arrivals come on average at its middle
    found: Array = np.einsum("nd,nd->n", arrivals.per_day[:, : middle.shape[1]], middle[:, ::-1])
    return found


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
            count[rows, end], value[rows, end] = both[:, 0], both[:, 1] * chances.value[draw]
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
