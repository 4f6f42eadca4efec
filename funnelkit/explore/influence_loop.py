"""Customers who bring customers: what one turn of the loop multiplies by, and where that leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from funnelkit.explore.base import Explorable, Input, Judgement, in_both, module, rounded, said
from funnelkit.language import Text
from funnelkit.models import funnel
from funnelkit.planning import influence_loop
from funnelkit.result import Result

CRITICAL = 1e-9


class InfluenceLoop(Explorable):
    """What has to be true for customers to bring customers? Sliders over `influence_loop`.

    Parameters
    ----------
    rate, factors, feed, inflow, turns, market
        As `influence_loop` takes them; without a market there is no slider for it.

    Attributes
    ----------
    state : dict
        {"rate", "feed", "factor0", ..., "inflow", "market", "turn" (the one shown), "guess"}.
    result, table
        What `influence_loop` finds at the state.
    challenge : Judgement

    Examples
    --------
    >>> panel = InfluenceLoop(0.25, [0.8, 0.5, 5.0], 0.6)
    >>> panel.state = {"factor2": 10.0}
    >>> round(panel.result.values["growth"], 3), panel.challenge.status
    (0.6, 'not_yet')
    """

    name = "influence_loop"
    _esm = module("influence_loop")

    def __init__(
        self,
        rate: float,
        factors: Sequence[float],
        feed: float = 1.0,
        *,
        inflow: float = 100,
        turns: int = 12,
        market: float | None = None,
    ) -> None:
        influence_loop(rate, factors, feed, inflow=inflow, turns=turns, market=market)  # refuses what cannot be
        self._turns = turns
        own = {f"factor{at}": rounded(factor) for at, factor in enumerate(factors)}
        baseline = {"rate": rounded(rate), "feed": rounded(feed), **own, "inflow": rounded(inflow), "turn": 1.0}
        baseline |= {} if market is None else {"market": rounded(market)}
        growth, loud = rate * math.prod(own.values()) * feed, list(own)[-1]
        stages = funnel("influence").stages
        spec = {
            "factors": list(own), "turns": turns, "market": market is not None, "baseline_growth": growth,
            "stations": [in_both(said("explore.influence_loop.station_potential")),
                         *(in_both(stage.name) for stage in stages[: len(own) + 1])],
            "presets": self.presets({
                "preset_base": {}, "preset_loud": {loud: 4 * baseline[loud]},
                "preset_sticky": {"rate": min(1.0, rounded(2 * baseline["rate"]))}, "preset_alone": {"inflow": 0.0},
            }),
            **({"challenge": self.goal({"levers": 1})} if 0 < growth < 1 else {}),
        }  # fmt: skip
        super().__init__(spec, _inputs(baseline, turns), {**baseline, "guess": ""})

    @property
    def result(self) -> Result:
        """Return what `influence_loop` finds at the present state."""
        state, factors = self.state, [self.state[name] for name in self.spec["factors"]]
        size = {"inflow": state["inflow"], "turns": self._turns, "market": state.get("market")}
        return influence_loop(state["rate"], factors, state["feed"], **size)

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        moved = self.moved("rate", "feed", "factor")
        outside = len(moved) > 1 or self.moved("inflow")
        if not moved and not outside:
            return Judgement("start")
        if outside:
            return Judgement("outside")
        return Judgement("done" if self.result.values["growth"] > 1 + CRITICAL else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        state, factors = self.state, [self.state[name] for name in self.spec["factors"]]
        market = f", market={state['market']!r}" if self.spec["market"] else ""
        size = f"inflow={state['inflow']!r}, turns={self._turns}{market}"
        return (
            f"import funnelkit as fk\n\nfk.influence_loop({state['rate']!r}, {factors!r}, {state['feed']!r}, {size})\n"
        )


def _inputs(baseline: dict[str, float], turns: int) -> list[Input]:
    stages = funnel("influence").stages
    found = [Input(name, said(f"explore.influence_loop.{name}"), kind="percent") for name in ("rate", "feed")]
    for at, (one, other) in enumerate(pairwise(stages)):
        if f"factor{at}" in baseline:
            label = said("explore.influence_loop.factor", one=one.name, other=other.name)
            found.append(Input(f"factor{at}", label, 0, max(10.0, 2 * baseline[f"factor{at}"]), 0.05, most=1e6))
    found.append(Input("inflow", said("explore.influence_loop.inflow"), 0, 1000, 10, place="bar", most=1e12))
    if "market" in baseline:
        label = said("explore.influence_loop.market")
        found.append(Input("market", label, 100, 1e6, place="bar", least=0, most=1e12, log=True))
    found.append(Input("turn", said("explore.influence_loop.turn"), 1, max(turns, 2), 1, place="bar", whole=True))
    options: list[tuple[str, Text | str]] = [("", said("explore.influence_loop.no_guess"))]
    options += [(one.id, one.label) for one in found[: 2 + sum(name.startswith("factor") for name in baseline)]]
    options += [("all", said("explore.influence_loop.all_alike"))]
    return [*found, Input("guess", said("explore.influence_loop.guess"), place="guess", options=options)]
