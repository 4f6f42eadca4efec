"""Can we promise this target? Target, date and new deals, over thinned futures of `solve_target`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.explore.base import Explorable, Input, Judgement, module, rounded
from funnelkit.forecast import solve_target, target_outlooks
from funnelkit.language import day, number, percent
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result
from funnelkit.synth import sample

THINNED = 5  # every fifth of the draws: 1,000 of 5,000 futures
TARGETS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of the target in hand; between them the chance is interpolated
LEAST_DAYS, QUARTERS, RECENT_DAYS, ODDS = 150, 3, 91, 0.8
MOST_ENTRIES = 20_000
STEPS = 20  # of which one is what the challenge tells apart
_DRAWN: list[tuple[Pipeline, tuple[float, ...], dict[str, list[Any]]]] = []  # of the last two pipelines: seconds each


class TargetSolver(Explorable):
    """Can we promise this target by this date? New deals, date and target over the futures of `solve_target`.

    Parameters
    ----------
    pipeline : Pipeline, optional
        With amounts and stage times; the kit's sample without it.
    revenue : float
        The target in hand; the slider reaches from a quarter of it to twice as much.

    Attributes
    ----------
    state : dict
        {"revenue", "until" (end of a quarter), "entries" (new deals until then), "odds" (probability wanted), "guess"}.
    result : TargetPlan
        What `solve_target` finds.
    chance : float
        Of reaching the target, from 1,000 of its 5,000 futures.
    needed : float
        New deals at which that chance is the one wanted, NaN where none are enough.
    challenge : Judgement
    """

    name = "target_solver"
    _esm = module("target_solver")

    def __init__(self, pipeline: Pipeline | None = None, revenue: float = 20e6) -> None:
        self._source, self._pipeline = "fk.sample()" if pipeline is None else "pipeline", pipeline or _sample()
        targets = tuple(rounded(part * revenue) for part in TARGETS)
        self._futures = _futures(self._pipeline, targets)
        dates = list(self._futures)
        days = [(pd.Timestamp(date) - self._pipeline.as_of.normalize()).days for date in dates]
        created = self._pipeline.deals["created_at"]
        pace = float((created > self._pipeline.as_of - pd.Timedelta(days=RECENT_DAYS)).sum()) / RECENT_DAYS * 7
        entries = float(round(pace * days[-1] / 7, -1))
        step = rounded(revenue / STEPS)
        spec = {
            "dates": dates, "days": days, "targets": list(targets), "pace": pace, "most": MOST_ENTRIES,
            "currency": self._pipeline.currency, "source": self._source,
            "futures": {date: _told(outlooks) for date, outlooks in self._futures.items()},
            "presets": self.presets({
                "preset_base": {}, "preset_sooner": {"until": dates[-2]}, "preset_sure": {"odds": 0.95},
                "preset_more": {"revenue": targets[-2]},
            }),
            "challenge": self.goal(
                {"odds": ODDS, "step": step}, share=percent(ODDS, 0), n=number(entries), step=number(step)
            ),
        }  # fmt: skip
        named = [(date, self.said("until_date", date=day(pd.Timestamp(date)))) for date in dates]
        controls = [
            Input("revenue", self.said("revenue"), targets[0], targets[-1], step, "money"),
            Input("until", self.said("until"), options=named),
            Input("entries", self.said("entries"), 0, 3 * entries or 300, 10, whole=True, most=MOST_ENTRIES),
            Input("odds", self.said("odds"), 0.5, 0.95, kind="percent"),
            Input("guess", self.said("guess"), 0, 1, kind="percent", place="guess"),
        ]
        baseline = {"revenue": rounded(revenue), "until": dates[-1], "entries": entries, "odds": ODDS, "guess": 0.5}
        super().__init__(spec, controls, baseline)

    @property
    def result(self) -> Result:
        """Return what `solve_target` finds."""
        revenue, until, odds = (self.state[name] for name in ("revenue", "until", "odds"))
        return solve_target(self._pipeline, revenue, until, odds=odds)

    def _chance(self, revenue: float, entries: float) -> float:
        """Return the chance by the futures of the two targets that lie around."""
        targets, outlooks = self.spec["targets"], self._futures[self.state["until"]]
        at = min(max(int(np.searchsorted(targets, revenue, side="right")) - 1, 0), len(targets) - 2)
        share = (revenue - targets[at]) / (targets[at + 1] - targets[at])
        low, high = (outlook.odds(entries) for outlook in outlooks[at : at + 2])
        return float(low + share * (high - low))

    @property
    def chance(self) -> float:
        """Return the chance of reaching the target."""
        return self._chance(self.state["revenue"], self.state["entries"])

    @property
    def needed(self) -> float:
        """Return the fewest new deals with which the chance is the one wanted; NaN where none are enough."""
        revenue, odds = self.state["revenue"], self.state["odds"]
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
        state, rule, fixed = self.state, self.spec["challenge"]["rule"], self.moved("until", "entries")
        if not fixed and not self.moved("revenue"):
            return Judgement("start")
        more = min(state["revenue"] + rule["step"], self.spec["targets"][-1])
        if fixed or (more > state["revenue"] and self._chance(more, state["entries"]) >= rule["odds"]):
            return Judgement("outside")
        return Judgement("done" if self.chance >= rule["odds"] else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card; a pipeline of one's own is called `pipeline` there."""
        revenue, until, odds = (self.state[name] for name in ("revenue", "until", "odds"))
        call = f'fk.solve_target({self._source}, {revenue!r}, "{until}", odds={odds!r})'
        return f"import funnelkit as fk\n\n{call}\n"


@lru_cache(maxsize=1)
def _sample() -> Pipeline:
    return sample()


def _futures(pipeline: Pipeline, targets: tuple[float, ...]) -> dict[str, list[Any]]:
    """Return the thinned outlooks of every target, by the end of each of the next quarters that is far enough."""
    for known, of, found in _DRAWN:
        if known is pipeline and of == targets:
            return found
    begin = pipeline.as_of + pd.Timedelta(days=LEAST_DAYS)
    ends = [f"{end:%Y-%m-%d}" for end in pd.date_range(begin, periods=QUARTERS, freq="QE")]
    found = {end: [_thinned(one) for one in target_outlooks(pipeline, targets, end)] for end in ends}
    _DRAWN[:] = [*_DRAWN[-1:], (pipeline, targets, found)]
    return found


def _thinned(outlook: Any) -> Any:
    """Return an outlook of fewer draws, each with its mean chance of a win in time in place of the whole curve."""
    kept = outlook.draw % THINNED == 0
    win = outlook.win[::THINNED]
    mean = ((win[:, 1:] + win[:, :-1]) / 2).mean(axis=1)
    return replace(outlook, win=np.c_[mean, mean], needed=outlook.needed[kept], draw=outlook.draw[kept] // THINNED)


def _told(outlooks: Sequence[Any]) -> dict[str, Any]:
    """Return the futures as the module takes them: each draw's mean chance of a win in time, and the wins needed."""
    needed = [outlook.needed.astype(int).tolist() for outlook in outlooks]
    return {"mean": outlooks[0].win[:, 0].tolist(), "needed": needed}
