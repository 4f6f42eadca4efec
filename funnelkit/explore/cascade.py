"""From a population to those who stay: how much of it seven levels leave, which is the weakest, what to do there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from funnelkit.explore.base import Explorable, Input, Judgement, in_both, module, rounded, said
from funnelkit.language import Text, number, percent
from funnelkit.models import Funnel, Stage, funnel, model_names
from funnelkit.planning import cascade, weakest_levels
from funnelkit.result import Result

POINTS = 0.05  # that the reveal adds to each level
HANDED = 10  # whole points to hand out in the challenge


class Cascade(Explorable):
    """How much do the levels leave? Sliders over `cascade` and `weakest_levels`.

    Parameters
    ----------
    ratios : mapping, optional
        Fraction kept at a level; input shares (covered population, patients) too. Others keep the model's default.
    population, price : float
        How many start; value of one who stays.
    model : str or Funnel
        A model of the catalogue or one's own.
    currency : str, optional
        ISO code of the price.

    Attributes
    ----------
    state : dict
        {level: ratio, "population": ..., "price": ..., "cost0": of raising the first level, ..., "guess": share}.
    result, weakest
        What `cascade` and `weakest_levels` find at the state; costs that differ count in the latter.
    challenge : Judgement

    Examples
    --------
    >>> panel = Cascade({"patients": 0.2}, population=50_000_000, price=1200)
    >>> panel.state = {"diagnosis-rate": 0.6}
    >>> round(panel.table["remaining"].iloc[-1]), panel.challenge.status
    (3188646, 'not_yet')
    """

    name = "cascade"
    _esm = module("cascade")

    def __init__(
        self,
        ratios: Mapping[str, Any] | None = None,
        *,
        population: float = 1_000_000,
        price: float = 100,
        model: str | Funnel = "pharma",
        currency: str | None = None,
    ) -> None:
        self._model = funnel(model)
        self._currency = currency
        start = cascade(ratios, population=population, price=price, model=self._model)
        kept = dict(zip(start.table["point"], start.table["ratio"], strict=True))
        levels = [stage for stage in self._model.stages if not stage.input]
        self._inputs = {stage.id: rounded(kept[stage.id]) for stage in self._model.stages if stage.input == "share"}
        rates = {stage.id: rounded(kept[stage.id]) for stage in levels}
        sizes = {"population": rounded(population), "price": rounded(price)}
        middle, best = levels[len(levels) // 2], _handed(rates)
        known = self._model.id in model_names()
        own = f", model=fk.custom({list(self._model.stage_ids)!r})"
        self._call = "" if self._model.id == "pharma" else f', model="{self._model.id}"' if known else own
        spec = {
            "stages": [_described(stage) for stage in levels], "shares": list(self._inputs.values()),
            "inputs": self._inputs, "points": POINTS, "layout": "rows", "currency": currency, "call": self._call,
            "presets": self.presets(
                {"preset_base": {}, "preset_even": dict.fromkeys(rates, 0.95), "preset_hole": {middle.id: 0.5}},
                level=middle.name,
            ),
            "challenge": self.goal(
                {"points": HANDED / 100, "share": best}, points=number(HANDED), share=percent(best, 2)
            ),
        }  # fmt: skip
        costs = {f"cost{at}": 1.0 for at in range(len(levels))}
        super().__init__(spec, _inputs(levels, sizes), {**rates, **sizes, **costs, "guess": 0.7})

    @property
    def rates(self) -> dict[str, float]:
        """Return the ratios that the card is at, by level."""
        return {stage["id"]: self.state[stage["id"]] for stage in self.spec["stages"]}

    @property
    def result(self) -> Result:
        """Return what `cascade` finds at the present state."""
        size = {name: self.state[name] for name in ("population", "price")}
        return cascade({**self._inputs, **self.rates}, **size, model=self._model, currency=self._currency)

    @property
    def weakest(self) -> Result:
        """Return what `weakest_levels` finds at the present state."""
        costs = {stage["id"]: self.state[f"cost{at}"] for at, stage in enumerate(self.spec["stages"])}
        return weakest_levels(self.result, costs if len(set(costs.values())) > 1 else None, points=POINTS)

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        rule, baseline = self.spec["challenge"]["rule"], self.spec["baseline"]
        raises = [ratio - baseline[level] for level, ratio in self.rates.items()]
        used = sum(max(0.0, raised) for raised in raises)
        sized = self.moved("population", "price")
        if not sized and not any(raises):
            return Judgement("start")
        if sized or used > rule["points"] + 1e-9:
            return Judgement("outside")
        return Judgement("done" if math.prod(self.rates.values()) >= rule["share"] * (1 - 1e-9) else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        kept = ", ".join(f'"{level}": {ratio!r}' for level, ratio in {**self._inputs, **self.rates}.items())
        size = ", ".join(f"{name}={self.state[name]!r}" for name in ("population", "price"))
        return f"import funnelkit as fk\n\nratios = {{{kept}}}\nfk.cascade(ratios, {size}{self._call})\n"


def _inputs(levels: list[Stage], sizes: Mapping[str, float]) -> list[Input]:
    found = [
        Input(name, said(f"explore.cascade.{name}"), 0, 5 * size or 100, 5 * size / 500 or 1,
              {"price": "money"}.get(name, "number"), "bar", most=1e12)
        for name, size in sizes.items()
    ]  # fmt: skip
    found += [Input(stage.id, stage.name, kind="percent") for stage in levels]
    found += [Input(f"cost{at}", stage.name, 0.1, 10, 0.1, place="more", most=1e9) for at, stage in enumerate(levels)]
    return [*found, Input("guess", said("explore.cascade.guess"), kind="percent", place="guess")]


def _described(stage: Stage) -> dict[str, Any]:
    return {"id": stage.id, "name": in_both(stage.name), "advice": in_both(_advice(stage))}


def _advice(stage: Stage) -> Text | str:
    """Return what to plan for a level, as `weakest_levels` says it."""
    if stage.message and stage.audience and stage.tools:
        parts = {name: getattr(stage, name) for name in ("push", "message", "audience", "tools")}
        return said("planning.cascade.advice", level=stage.name, **parts)
    return said("planning.cascade.advice_push", level=stage.name, push=stage.push) if stage.push else ""


def _handed(rates: Mapping[str, float]) -> float:
    """Return the share left when each point goes to the level that is lowest then, which keeps the most."""
    raised = dict(rates)
    for _ in range(HANDED):
        lowest = min(raised, key=lambda level: raised[level])
        raised[lowest] = min(1.0, round(raised[lowest] + 0.01, 12))
    return math.prod(raised.values())
