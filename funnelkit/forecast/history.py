"""History: what a pipeline's past says of the pace of its deals, and of what tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from funnelkit.analysis import NOBODY, AtOnce, data_end, history_spells, longest_cycle
from funnelkit.forecast.amounts import amount_groups, draw_closing_factor, known_amounts
from funnelkit.forecast.closing import Season, find_season
from funnelkit.pipeline import Pipeline
from funnelkit.stats import (
    OPEN,
    OUT,
    UP,
    WINDOW_DAYS,
    Hazards,
    Shift,
    Spells,
    days,
    draw_nested_ratios,
    draw_ratios,
    expected_exits,
    expected_in_windows,
    find_shift,
    fit_hazards,
    mean_nested_ratios,
    mean_ratios,
    ratio_evidence,
    windows,
)

Array = NDArray[Any]
By = str | Sequence[str] | None  # columns whose values have ratios of their own
ROUNDS, FEW_ROUNDS = 5, 2  # of fitting hazards and ratios in turns; amounts alone, much alike in all, settle soon
FEWEST_AMOUNTS = 20  # fewer won deals of a segment than this borrow the amounts of more
EVIDENCE = 3.0  # log Bayes factor from which deals are told apart by amount: 20 to 1
CLOSING_DRAWS = 1_000


@dataclass(frozen=True)
class Factor:
    """What tells deals apart: the group of each row of the deals table, how many there are, the group left at 1, and
    `ratio` (2, stages, groups) of the hazards up and out to those of all."""

    code: Array
    size: int
    plain: int
    ratio: Array

    def of(self, spells: Spells) -> Array:
        """Return the ratios of each spell, (2, spells)."""
        found: Array = self.ratio[:, spells.stage, self.code[spells.deal]]
        return found


@dataclass(frozen=True)
class Fit:
    """What the history says. A segment is what all factors together tell apart: `pairs` (segments, factors) are its
    groups, `segment` its number of each row of the deals table; `amounts` are those of won deals of each segment, and
    at last of those that come and go at once; `starts` is the day from which on is forecast."""

    spells: Spells
    hazards: Hazards
    factors: list[Factor]
    pairs: Array
    segment: Array
    amounts: list[Array]
    every: Array  # amounts of all won deals
    longest_cycle: float
    starts: float
    closing: Array  # draws of what closed deals are worth against the amounts that open ones carry
    at_once: AtOnce = NOBODY
    season: Season | None = None
    shifts: list[Shift] = field(default_factory=list)  # one a stage
    monthly: tuple[Array, Array] = (np.zeros(0), np.zeros(0))  # exits seen, and expected at one level, by `shift_edges`

    @property
    def ratio(self) -> Array:
        """Return the ratios of the hazards of each spell to those of all, (2, spells)."""
        found: Array = np.prod([factor.of(self.spells) for factor in self.factors], axis=0)
        return np.ones((2, len(self.spells.stage))) * found

    @property
    def shift_edges(self) -> Array:
        """Return the edges of the windows in which a shift of the level is looked for."""
        return windows(self.begun, self.spells.as_of, WINDOW_DAYS)

    @property
    def begun(self) -> float:
        """Return the first day of which exits are known."""
        return float(self.spells.seen.min()) if len(self.spells.seen) else self.spells.as_of - 1

    def hoped(self, begin: Any, end: Any, kind: int) -> Array:
        """Return the exits of a kind that hazards and ratios expect of each spell between two times."""
        hoped: Array = self.ratio[kind] * expected_exits(self.hazards, self.spells, begin, end, kind)
        return hoped

    def steady(self, edges: Array) -> Array:
        """Return the exits (2, stages, windows) expected had the level of no stage ever changed."""
        ratio = self.ratio
        found = expected_in_windows(self.hazards, self.spells, edges, ratio)
        if self.season is not None:
            last = self.spells.stage == self.spells.won - 1
            cells = np.union1d(edges, np.arange(np.ceil(edges[0]), edges[-1]))
            own = expected_in_windows(self.hazards, self.spells.take(last), cells, ratio[:, last])[UP, -1]
            found[UP, -1] = _into(own * self.season.factor(cells[:-1]), cells, edges)
        return found

    def expected(self, edges: Array) -> Array:
        """Return the exits (2, stages, windows) expected at the level that each stage had then."""
        inner = self.shift_edges
        cells = np.union1d(edges, inner[(inner > edges[0]) & (inner < edges[-1])])
        place = np.clip(np.searchsorted(inner, cells[:-1], side="right") - 1, 0, len(inner) - 2)
        level = np.stack([shift.path[:, place] for shift in self.shifts], axis=1)
        return _into(self.steady(cells) * level, cells, edges)

    def seen(self, edges: Array) -> Array:
        """Return the exits (2, stages, windows) that were seen."""
        spells, n = self.spells, len(edges) - 1
        over = np.flatnonzero((spells.kind != OPEN) & (spells.end >= edges[0]) & (spells.end <= edges[-1]))
        window = np.minimum(np.searchsorted(edges, spells.end[over], side="right") - 1, n - 1)
        cell = (spells.kind[over] * spells.won + spells.stage[over]) * n + window
        return np.bincount(cell, minlength=2 * spells.won * n).reshape(2, spells.won, n)

    def births(self) -> tuple[Array, Array, Array]:
        """Return when each deal began, in which stage, and its segment."""
        first = self.spells.start == self.spells.born
        return self.spells.born[first], self.spells.stage[first], self.segment[self.spells.deal[first]]

    def draw_ratios(self, kind: int, rng: Generator, n: int) -> Array:
        """Draw the ratios of the segments, (n, stages, segments)."""
        found = np.ones((n, self.spells.won, len(self.pairs)))
        for number, factor in enumerate(self.factors):
            seen, hoped = _group_exits(self.spells, self.hazards, (self.factors, number), kind)
            drawn = np.ones((n, *seen.shape))
            if factor.plain < 0:
                drawn = draw_nested_ratios(seen, hoped, rng, n)
            else:  # amounts may matter in one stage alone, so each has a spread of its own
                for stage, row in enumerate(zip(seen[:, : factor.plain], hoped[:, : factor.plain], strict=True)):
                    drawn[:, stage, : factor.plain] = draw_ratios(*row, rng, n)
            found *= drawn[:, :, self.pairs[:, number]]
        return found


def _into(values: Array, cells: Array, edges: Array) -> Array:
    """Sum the values of cells into the windows that they lie in."""
    return np.add.reduceat(values, np.searchsorted(cells, edges[:-1]), axis=-1)


def fit_history(pipeline: Pipeline, by: By = None, *, by_amount: bool = True) -> Fit:
    """Fit the hazards of a pipeline, what tells its deals apart, its closing season and shifts of its level.

    Parameters
    ----------
    pipeline : Pipeline
        With outcomes and stage times.
    by : str or list of str, optional
        Columns whose values have win ratios of their own.
    by_amount : bool
        Tell deals apart by their amount too where there is evidence.

    Returns
    -------
    Fit
    """
    spells, at_once = history_spells(pipeline)
    closing = draw_closing_factor(pipeline, np.random.default_rng(0), CLOSING_DRAWS)
    factors = [*_by_column(pipeline, spells, by), *(_by_amount(pipeline, spells, closing.mean()) if by_amount else ())]
    hazards, factors = _fit_factors(spells, factors)
    codes = np.stack([np.zeros(len(pipeline.deals), int), *(factor.code for factor in factors)], axis=1)
    pairs, segment = np.unique(codes, axis=0, return_inverse=True)
    amounts, every = _won_amounts(pipeline, (codes, pairs, segment.ravel()), at_once)
    fit = Fit(
        spells, hazards, factors, pairs[:, 1:], segment.ravel(), amounts, every, longest_cycle(pipeline),
        float(days([data_end(pipeline)])[0]), closing, at_once,
    )  # fmt: skip
    fit = replace(fit, season=find_season(spells, hazards, fit.ratio))
    seen, hoped = fit.seen(fit.shift_edges), fit.steady(fit.shift_edges)
    shifts = [find_shift(seen[:, stage], hoped[:, stage]) for stage in range(spells.won)]
    return replace(fit, shifts=shifts, monthly=(seen, hoped))


def _by_column(pipeline: Pipeline, spells: Spells, by: By) -> list[Factor]:
    """Return the columns asked for as a factor; of several, their values side by side."""
    if not by:
        return []
    known = pipeline.deals.astype("object").where(pipeline.deals.notna(), "")
    names = known[by] if isinstance(by, str) else known[list(by)].astype(str).agg(" / ".join, axis=1)
    code, values = pd.factorize(names, sort=True)
    return [Factor(code, len(values), -1, np.ones((2, spells.won, len(values))))]


def _by_amount(pipeline: Pipeline, spells: Spells, closing: float) -> list[Factor]:
    """Return the amount as a factor where the chances differ by it."""
    amount = known_amounts(pipeline)
    if amount is None:
        return []
    status = pipeline.deals["status"].to_numpy()
    code, size = amount_groups(np.where(status == "open", amount * closing, amount), int((status == "won").sum()))
    factor = Factor(code, size, size - 1, np.ones((2, spells.won, size)))
    return [factor] if size > 2 and _matters(spells, factor) else []


def _matters(spells: Spells, factor: Factor) -> bool:
    """Say whether the exits of any stage, or of all together, differ between the groups."""
    hazards = fit_hazards(spells)
    for kind in (UP, OUT):
        seen, hoped = (one[:, : factor.plain] for one in _group_exits(spells, hazards, ([factor], 0), kind))
        rows = [(seen.sum(axis=0), hoped.sum(axis=0)), *zip(seen, hoped, strict=True)]
        if max(ratio_evidence(*row) for row in rows) >= EVIDENCE:
            return True
    return False


def _fit_factors(spells: Spells, factors: list[Factor]) -> tuple[Hazards, list[Factor]]:
    """Return the hazards of a deal of ratio 1, and the factors with their ratios to these.

    Each is fitted given the others, in turns (maximum likelihood of several factors by iterative proportional fitting).
    Groups leave the funnel at different stages, so hazards of all together would be those of another mix in each.
    """
    hazards = fit_hazards(spells)
    for _ in range(ROUNDS if any(factor.plain < 0 for factor in factors) else FEW_ROUNDS if factors else 0):
        for number, factor in enumerate(factors):
            pairs = [_group_exits(spells, hazards, (factors, number), kind) for kind in (UP, OUT)]
            ratio = np.stack([mean_nested_ratios(*pair) for pair in pairs])
            if factor.plain >= 0:
                ratio[:] = 1
                for kind, (seen, hoped) in enumerate(pairs):
                    rows = zip(seen[:, : factor.plain], hoped[:, : factor.plain], strict=True)
                    ratio[kind, :, : factor.plain] = [mean_ratios(*row) for row in rows]
            factors = [*factors[:number], replace(factor, ratio=ratio), *factors[number + 1 :]]
        hazards = fit_hazards(spells, np.prod([factor.of(spells) for factor in factors], axis=0).T)
    return hazards, factors


def _group_exits(spells: Spells, hazards: Hazards, which: tuple[list[Factor], int], kind: int) -> tuple[Array, Array]:
    """Return the exits of a kind per stage and group of a factor, and how many there would be at its ratio 1."""
    factors, number = which
    factor = factors[number]
    hoped = expected_exits(hazards, spells, -np.inf, np.inf, kind)
    for other in (*factors[:number], *factors[number + 1 :]):
        hoped = hoped * other.of(spells)[kind]
    cell, shape = spells.stage * factor.size + factor.code[spells.deal], (spells.won, factor.size)
    seen = np.bincount(cell[spells.kind == kind], minlength=spells.won * factor.size)
    return seen.reshape(shape), np.bincount(cell, weights=hoped, minlength=spells.won * factor.size).reshape(shape)


def _won_amounts(pipeline: Pipeline, which: tuple[Array, Array, Array], at_once: AtOnce) -> tuple[list[Array], Array]:
    """Return the amounts of the won deals of each segment (few borrow those of their last factor, or of all), of those
    that came and went at once, and of all."""
    codes, pairs, segment = which
    amount = pipeline.deals["amount"].to_numpy(float)
    won = (pipeline.deals["status"] == "won").to_numpy() & (amount > 0)
    found = []
    for number, groups in enumerate(pairs):
        for like in (segment == number, codes[:, -1] == groups[-1], won):
            own = amount[won & like]
            if len(own) >= FEWEST_AMOUNTS:
                break
        found.append(own)
    if len(at_once):
        quick = np.isin(np.arange(len(won)), at_once.deal[at_once.won]) & won
        found.append(amount[quick] if quick.sum() >= FEWEST_AMOUNTS else amount[won])
    return found, amount[won]


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
