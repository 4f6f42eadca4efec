"""Can we promise this target? Target, date, new deals and their win rate, over the futures of `solve_target`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, log
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.explore.base import Explorable, Input, Judgement, module, rounded
from funnelkit.forecast import solve_target, target_outlooks
from funnelkit.language import day, number, percent
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result
from funnelkit.synth import sample

TARGETS = tuple(2 ** (part / 8) for part in range(-16, 9))  # of the target in hand
RATES = (0.5, 1.0, 1.5)  # of the past win rate of new deals
PARTS, LEAST, BEYOND = 48, 30, 1.3  # numbers of new deals of the grid: so many from a 30th of the slider on, then wider
PATHS = 5_000  # futures of a plan
LEAST_DAYS, QUARTERS, RECENT_DAYS, ODDS = 150, 3, 91, 0.8
MOST_ENTRIES = 20_000
STEPS = 20  # of which one is what the challenge tells apart
EDGE = 1e-3  # keeps the log odds of 0 and 1 finite
_LAID: list[tuple[Pipeline, Any, dict[str, Any]]] = []  # of the last two pipelines: seconds each


class TargetSolver(Explorable):
    """Can we promise this target by this date? Chances as `solve_target` finds them, by target, new deals and win rate.

    Parameters
    ----------
    pipeline : Pipeline, optional
        With amounts and stage times; the kit's sample without it.
    revenue : float
        The target in hand; the slider reaches from a quarter of it to twice as much.

    Attributes
    ----------
    state : dict
        {"revenue", "until" (end of a quarter), "entries" (new deals until then), "rates" (their win rate, 1 as in the
        past), "odds" (probability wanted), "guess"}.
    result : TargetPlan
        What `solve_target` finds; its `chance(entries, rates=...)` is the figure on the card.
    chance : float
        Of reaching the target: that of the plan at the card's grid of targets, new deals and rates, the log odds
        interpolated between.
    needed : float
        New deals at which that chance is the one wanted, NaN where none are enough.
    challenge : Judgement
    """

    name = "target_solver"
    _esm = module("target_solver")

    def __init__(self, pipeline: Pipeline | None = None, revenue: float = 20e6) -> None:
        self._source, self._pipeline = "fk.sample()" if pipeline is None else "pipeline", pipeline or _sample()
        ends = _ends(self._pipeline)
        days = [(pd.Timestamp(date) - self._pipeline.as_of.normalize()).days for date in ends]
        created = self._pipeline.deals["created_at"]
        pace = float((created > self._pipeline.as_of - pd.Timedelta(days=RECENT_DAYS)).sum()) / RECENT_DAYS * 7
        entries = float(round(pace * days[-1] / 7, -1))
        most = 3 * entries or 300.0
        grid = [rounded(part * revenue) for part in TARGETS], [_numbers(most, rate) for rate in RATES]
        step = rounded(revenue / STEPS)
        spec = {
            "dates": ends, "days": days, "pace": pace, "most": MOST_ENTRIES, "edge": EDGE, "futures": PATHS,
            "grid": {"revenue": grid[0], "entries": grid[1], "rates": list(RATES)},
            "chances": _laid(self._pipeline, grid, ends),
            "currency": self._pipeline.currency, "source": self._source,
            "presets": self.presets({
                "preset_base": {}, "preset_sooner": {"until": ends[-2]}, "preset_sure": {"odds": 0.95},
                "preset_more": {"revenue": rounded(1.5 * revenue)},
            }),
            "challenge": self.goal(
                {"odds": ODDS, "step": step}, share=percent(ODDS, 0), n=number(entries), step=number(step)
            ),
        }  # fmt: skip
        named = [(date, self.said("until_date", date=day(pd.Timestamp(date)))) for date in ends]
        controls = [
            Input("revenue", self.said("revenue"), grid[0][0], grid[0][-1], step, "money"),
            Input("until", self.said("until"), options=named),
            Input("entries", self.said("entries"), 0, most, 10, whole=True, most=MOST_ENTRIES),
            Input("rates", self.said("rates"), RATES[0], RATES[-1], kind="percent"),
            Input("odds", self.said("odds"), 0.5, 0.95, kind="percent"),
            Input("guess", self.said("guess"), 0, 1, kind="percent", place="guess"),
        ]
        baseline = {
            "revenue": rounded(revenue), "until": ends[-1], "entries": entries,
            "rates": 1.0, "odds": ODDS, "guess": 0.5,
        }  # fmt: skip
        super().__init__(spec, controls, baseline)

    @property
    def result(self) -> Result:
        """Return what `solve_target` finds."""
        revenue, until, odds = (self.state[name] for name in ("revenue", "until", "odds"))
        return solve_target(self._pipeline, revenue, until, odds=odds)

    def _chance(self, revenue: float, entries: float) -> float:
        """Return the chance between the points of the grid that lie around, where the log odds change evenly.

        Of two win rates those numbers of new deals lie side by side that win as many.
        """
        grid, rates, until = self.spec["grid"], self.state["rates"], self.state["until"]
        r, rate = _near(grid["rates"], rates)
        t, target = _near(grid["revenue"], revenue)
        lines = []
        for i in (r, r + 1):
            e, entry = _near(grid["entries"][i], entries * rates / grid["rates"][i])
            pairs = [[_log_odds(p) for p in self.spec["chances"][until][i][j][e : e + 2]] for j in (t, t + 1)]
            low, high = (one + entry * (other - one) for one, other in pairs)
            lines.append(low + target * (high - low))
        odds = exp(lines[0] + rate * (lines[1] - lines[0]))
        return min(max((odds * (1 + EDGE) - EDGE) / (1 + odds), 0.0), 1.0)

    @property
    def chance(self) -> float:
        """Return the chance of reaching the target."""
        return self._chance(self.state["revenue"], self.state["entries"])

    @property
    def needed(self) -> float:
        """Return the fewest new deals with which the chance is the one wanted; NaN where none are enough."""
        revenue, odds = self.state["revenue"], self.state["odds"] - 1e-9
        low, high = -1, MOST_ENTRIES
        if self._chance(revenue, high) < odds:
            return float("nan")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._chance(revenue, middle) >= odds else (middle, high)
        return float(high)

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        state, rule, fixed = self.state, self.spec["challenge"]["rule"], self.moved("until", "entries", "rates")
        if not fixed and not self.moved("revenue"):
            return Judgement("start")
        more, odds = min(state["revenue"] + rule["step"], self.spec["grid"]["revenue"][-1]), rule["odds"] - 1e-9
        if fixed or (more > state["revenue"] and self._chance(more, state["entries"]) >= odds):
            return Judgement("outside")
        return Judgement("done" if self.chance >= odds else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card; a pipeline of one's own is called `pipeline` there."""
        revenue, until, odds, entries, rates = (
            self.state[name] for name in ("revenue", "until", "odds", "entries", "rates")
        )
        call = f'plan = fk.solve_target({self._source}, {revenue!r}, "{until}", odds={odds!r})'
        return f"import funnelkit as fk\n\n{call}\nprint(plan.chance({entries!r}, rates={rates!r}))\nplan\n"


@lru_cache(maxsize=1)
def _sample() -> Pipeline:
    return sample()


def _ends(pipeline: Pipeline) -> list[str]:
    """Return the ends of the next quarters that are far enough."""
    begin = pipeline.as_of + pd.Timedelta(days=LEAST_DAYS)
    return [f"{end:%Y-%m-%d}" for end in pd.date_range(begin, periods=QUARTERS, freq="QE")]


def _numbers(most: float, rate: float) -> list[float]:
    """Return the numbers of new deals of the grid at a win rate: with few of them the chance changes fastest."""
    parts = [LEAST ** (part / PARTS - 1) for part in range(PARTS + 1)]
    while parts[-1] * most < MOST_ENTRIES:
        parts.append(parts[-1] * BEYOND)
    whole = sorted({float(round(part * most / rate)) for part in parts} | {0.0})
    return [*(one for one in whole if one < MOST_ENTRIES), float(MOST_ENTRIES)]


def _near(nodes: Sequence[float], value: float) -> tuple[int, float]:
    """Return the place of the node below a value, and how far the value is on the way to the next."""
    at = min(max(int(np.searchsorted(nodes, value, side="right")) - 1, 0), len(nodes) - 2)
    return at, min((value - nodes[at]) / (nodes[at + 1] - nodes[at]), 1.0)


def _log_odds(p: float) -> float:
    return log((p + EDGE) / (1 - p + EDGE))


def _laid(pipeline: Pipeline, grid: tuple[list[float], list[list[float]]], ends: Sequence[str]) -> dict[str, Any]:
    """Return the chances of the grid, by date: lists by rate of lists by target of those by number of new deals."""
    for known, of, found in _LAID:
        if known is pipeline and of == grid:
            return found
    found = {end: _chances(target_outlooks(pipeline, grid[0], end), grid[1]) for end in ends}
    _LAID[:] = [*_LAID[-1:], (pipeline, grid, found)]
    return found


def _chances(outlooks: Sequence[Any], numbers: Sequence[Sequence[float]]) -> list[list[list[float]]]:
    """Return `Outlook.odds` of each rate, target and number of new deals: one table of wins serves all targets."""
    from scipy.sparse import csr_array

    win, draw = outlooks[0].win, outlooks[0].draw
    mean = ((win[:, 1:] + win[:, :-1]) / 2).mean(axis=1)[:, None]
    needed = np.array([np.maximum(outlook.needed, 0) for outlook in outlooks]).astype(int)
    most = int(needed.max())
    cells, rows = draw * (most + 1) + needed, np.arange(len(needed)).repeat(len(draw))
    paths = csr_array((np.ones(cells.size), (rows, cells.ravel())), shape=(len(needed), len(mean) * (most + 1)))
    found: list[list[list[float]]] = []
    for rate, entries in zip(RATES, numbers, strict=True):
        p = np.minimum(rate * mean, 1 - 1e-12)
        short = np.array([paths @ _fewer_wins(p, n, most).ravel() for n in entries]) / len(draw)
        found.append((1 - short.T).round(8).tolist())
    return found


def _fewer_wins(p: Any, n: float, most: int) -> Any:
    """Return the chance of fewer than 0 to `most` wins in n deals, one row per p: sums of binomial terms."""
    from scipy.special import gammaln, xlogy

    k = np.arange(min(int(n), most) + 1)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    terms = np.exp(ways + xlogy(k, p) + (n - k) * np.log1p(-p))
    below = np.ones((len(p), most + 1))
    below[:, 0] = 0
    below[:, 1 : len(k) + 1] = terms.cumsum(axis=1)[:, :most]
    return below
