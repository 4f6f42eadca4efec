"""What if a rate were better? Any funnel with rates: a slider for each stage, the volume, the value of a win."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from funnelkit.analysis import count_stages, rate_table, win_rate
from funnelkit.explore.base import Explorable, Input, Judgement, State, in_both, module, rounded
from funnelkit.language import DataError, Text, both, label, number, percent
from funnelkit.models import Funnel, Stage, custom, model_names
from funnelkit.pipeline import Pipeline
from funnelkit.planning import sensitivity, what_if
from funnelkit.result import Result

LEVERS = ("volume", "deal_value", "cycle_days")
POINTS = 0.05  # that the reveal adds to each stage
MOST_FACTOR = 10.0  # of a slider where counts may grow
TIE = 1 - 1e-9
TO_THE_END = {  # challenges of a funnel whose last stage is no win
    "challenge_one": "challenge_one_end",
    "challenge_target": "challenge_target_end",
    "challenge_met": "challenge_met_end",
}


class WhatIf(Explorable):
    """Which stage is worth the effort? Sliders over `what_if`, beside a funnel that follows.

    Parameters
    ----------
    source : Funnel, Result or DataFrame
        A model with default rates, or stage and rate as `rate_table` gives them.
    volume, deal_value, cycle_days : float, optional
        How many enter; mean value of a win (0: not shown); mean days from entry to win.
    model : Funnel, optional
        Names the stages of a table.
    target : float, optional
        Wins to reach: the challenge is to get there without a larger volume.
    currency : str, optional
        ISO code of the values.

    Attributes
    ----------
    state : dict
        {stage: rate, "volume": ..., "deal_value": ..., "guess": stage or ""}.
    rates : Series
        The rates that the card is at, by stage.
    result, table
        What `what_if` finds there.
    challenge : Judgement

    Examples
    --------
    >>> panel = WhatIf(pd.DataFrame({"stage": ["Lead", "Offer", "Won"], "rate": [0.5, 0.4, None]}), volume=100)
    >>> panel.state = {"Offer": 0.5}
    >>> panel.table["n"].tolist(), panel.challenge.status
    ([100.0, 50.0, 25.0], 'outside')
    """

    name = "what_if"
    _esm = module("what_if")

    def __init__(
        self,
        source: Any,
        volume: float = 1000,
        deal_value: float = 0.0,
        *,
        model: Funnel | None = None,
        cycle_days: float | None = None,
        target: float | None = None,
        currency: str | None = None,
    ) -> None:
        levers = {"volume": rounded(volume)} | ({"deal_value": rounded(deal_value)} if deal_value else {})
        if deal_value and cycle_days is not None:
            levers["cycle_days"] = rounded(cycle_days)
        base = what_if(source, None, volume, deal_value, model, cycle_days=cycle_days)
        self._model, table = base.model, base.table
        stages = [str(stage) for stage in table["stage"]]
        won = stages.index(str(self._model.won_stage)) if self._model is not None and self._wins else len(stages) - 1
        rates = {stage: rounded(rate) for stage, rate in zip(stages[:won], table["rate_base"], strict=False)}
        self._base = pd.DataFrame({"stage": stages, "rate": [*rates.values(), *table["rate_base"].iloc[won:]]})
        self._levers, self._currency = levers, currency
        most = MOST_FACTOR if self._model is not None and self._model.grows else 1.0
        baseline: dict[str, Any] = {**rates, **levers, "guess": ""}
        spec = {
            "stages": [
                {"id": stage, "name": in_both(self._named(stage)), "rate": None if math.isnan(rate) else rounded(rate)}
                for stage, rate in zip(stages, table["rate_base"], strict=True)
            ],
            "won": won, "points": POINTS, "most": most, "levers": list(levers), "layout": "rows", "currency": currency,
            "last": in_both(self._named(stages[won])) if won + 1 == len(stages) else None,
            "presets": self.presets(_tried(rates, levers), stage=self._named(list(rates)[-1])),
            "setup": self._setup(), "call": self._call(),
            **({"wins": "wins", "won_rate": "win_rate", "finding": "finding_wins"} if self._wins
               else {"wins": "arrivals", "won_rate": "reach_rate", "finding": "finding_arrivals"}),
        }  # fmt: skip
        if goal := self._goal(rates, levers["volume"], most, target):
            spec["challenge"] = goal
        super().__init__(spec, self._sliders(rates, most), baseline)

    @classmethod
    def of(cls, pipeline: Pipeline, *, target: float | None = None) -> WhatIf:
        """Return the card of one's own funnel: its rates to the win, how many entered, the mean amount of its wins."""
        entered = count_stages(pipeline).table["n_entered"].iloc[0]
        won = pipeline.deals.loc[pipeline.deals["status"] == "won", "amount"].dropna()
        value = float(won.mean()) if len(won) else 0.0
        rates, model, one_step = _to_the_win(pipeline)
        panel = cls(rates, float(entered), value, model=model, target=target, currency=pipeline.currency)
        if one_step:
            panel.spec = {**panel.spec, "remark": in_both(cls.said("one_step"))}
        return panel

    @property
    def _wins(self) -> bool:
        return self._model is not None and self._model.won_stage in self._model.stage_ids

    def _named(self, stage: str) -> Text | str:
        return stage if self._model is None else self._model.stage(stage).name

    def _sliders(self, rates: Mapping[str, float], most: float) -> list[Input]:
        found = [
            Input(name, self.said(name), 0, 5 * start or 100,
                    5 * start / 500 or 1, "money" if name == "deal_value" else "number", place="bar", most=1e12)
            for name, start in self._levers.items()
        ]  # fmt: skip
        found += [Input(stage, self._named(stage), 0, most, 0.01, "percent") for stage in rates]
        options = [("", self.said("no_guess")), *((stage, self._named(stage)) for stage in rates)]
        return [*found, Input("guess", self.said("guess"), place="guess", options=options)]

    def _goal(
        self, rates: Mapping[str, float], volume: float, most: float, target: float | None
    ) -> dict[str, Any] | None:
        """Return a goal with one way through where the rates allow it: one rate, few points, the best stage only."""
        rule, base = {"rates": 1, "fixed": list(LEVERS[:1])}, volume * math.prod(rates.values())
        if target is not None:
            if not (math.isfinite(target) and target > 0):
                raise DataError("sensitivity_setting", name="target", found=target)
            rule |= {"wins": rounded(target), "rates": len(rates), "points": most}
            wins = number(target, 0 if target >= 100 or target % 1 == 0 else 1)
            key = "challenge_met" if base >= target else "challenge_target"
            return self.goal(rule, key if self._wins else TO_THE_END[key], wins=wins)
        if not base > 0:
            return None
        points, gain = _reach(list(rates.values()), most)
        rule |= {"wins": base * (1 + gain), "points": points}
        key = "challenge_one" if self._wins else TO_THE_END["challenge_one"]
        return self.goal(rule, key, gain=percent(gain, 0), points=number(100 * points))

    def _setup(self) -> str:
        rates = [None if math.isnan(rate) else rate for rate in self._base["rate"]]
        frame = f'pd.DataFrame({{"stage": {self._base["stage"].tolist()!r}, "rate": {rates!r}}})'
        return f"import pandas as pd\n\nimport funnelkit as fk\n\nrates = {frame}"

    def _call(self) -> str:
        parts = [repr(self._levers["volume"]), repr(self._levers.get("deal_value", 0.0))]
        if self._model is not None:
            known = self._model.id in model_names()
            own = f"fk.custom({list(self._model.stage_ids)!r}, won_stage={self._model.won_stage!r})"
            parts.append(f'fk.funnel("{self._model.id}")' if known else own)
        if "cycle_days" in self._levers:
            parts.append(f"cycle_days={self._levers['cycle_days']!r}")
        if self._currency is not None:
            parts.append(f'currency="{self._currency}"')
        return ", ".join(parts)

    @property
    def rates(self) -> pd.Series[float]:
        """Return the rates that the card is at, by stage."""
        names = [name for name in self.state if name not in (*LEVERS, "guess")]
        return pd.Series([self.state[name] for name in names], names, name="rate", dtype=float)

    @property
    def _changes(self) -> dict[str, float]:
        return {name: self.state[name] for name in self.moved()}

    @property
    def result(self) -> Result:
        """Return what `what_if` finds at the present state."""
        volume, value, days = (self._levers.get(name) for name in LEVERS)
        model, currency = self._model, self._currency
        changes, size = self._changes, (volume or 0.0, value or 0.0)
        return what_if(self._base, changes, *size, model, cycle_days=days, currency=currency)

    @property
    def gains(self) -> pd.Series[float]:
        """Return what five points more of each stage alone would add, by stage, as `sensitivity` finds it."""
        rates = self.rates.rename_axis("stage").reset_index()
        found = sensitivity(rates, self.state["volume"], points=POINTS, model=self._model).table
        return pd.Series(found["gain_points"].to_numpy(), found["stage"], name="gain_points")

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        rule, baseline, table = self.spec["challenge"]["rule"], self.spec["baseline"], self.result.table
        apart = [abs(rate - baseline[stage]) for stage, rate in self.rates.items()]
        levers = set(self.moved()) & set(self._levers)
        moved, points = sum(change > 1e-12 for change in apart), max(apart, default=0.0)
        if not moved and not levers:
            return Judgement("start")
        if levers & set(rule["fixed"]) or moved > rule["rates"] or points > rule["points"] + 1e-9:
            return Judgement("outside")
        return Judgement("done" if table["n"].iloc[self.spec["won"]] >= rule["wins"] * TIE else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        changes = ", ".join(f'"{name}": {value!r}' for name, value in self._changes.items())
        return f"{self.spec['setup']}\nfk.what_if(rates, {{{changes}}}, {self.spec['call']})\n"


def _to_the_win(pipeline: Pipeline) -> tuple[pd.DataFrame, Funnel, bool]:
    """Return stages and rates, the win last, their model, and whether it is one step: not every rate is known."""
    found, model = rate_table(pipeline).table, pipeline.model
    if model.kind != "pipeline":
        return found, model, False  # layers of an audience: nothing is won at their end
    rates, stages, won = dict(zip(found["stage"], found["rate"], strict=True)), list(model.stages), model.won_stage
    last = found.iloc[-1]
    if won is None and last["n"] and last["k"] == last["n"] and not last["n_open"]:
        won = stages[-1].id  # whoever is there has won
    elif won is None:
        stages.append(Stage(id=(won := "won"), name=both(lambda: label("won"))))  # their order ends before it
    way = stages[: [stage.id for stage in stages].index(won)]
    one_step = any(math.isnan(rates[stage.id]) for stage in way)
    if one_step:
        whole = win_rate(pipeline).table["rate"].iloc[0]
        stages, way, rates = [stages[0], stages[len(way)]], stages[:1], {stages[0].id: whole}
    if tuple(stages) != model.stages or won != model.won_stage:
        model = replace(custom(()), stages=tuple(stages), won_stage=won)
    names = [stage.id for stage in stages]
    return pd.DataFrame({"stage": names, "rate": [rates.get(name) for name in names]}, dtype=object), model, one_step


def _tried(rates: Mapping[str, float], levers: Mapping[str, float]) -> dict[str, State]:
    """Return what to try with one click: stricter entry, half more entries, the last stage harder."""
    stages = list(rates)
    tried: dict[str, State] = {"preset_base": {}, "preset_more": {"volume": 1.5 * levers["volume"]}}
    if len(stages) > 1:
        strict = {"volume": rounded(levers["volume"] * 0.7), stages[1]: rounded(min(rates[stages[1]] / 0.7, 1.0))}
        tried |= {"preset_strict": strict, "preset_hard": {stages[-1]: rounded(rates[stages[-1]] * 0.75)}}
    return tried


def _reach(rates: list[float], most: float) -> tuple[float, float]:
    """Return (points, relative gain): a whole percentage that the best stage reaches and the second does not."""
    found = (0.06, 0.01)
    for points in (6, 5, 8, 4, 10, 3):
        gains = sorted((100 * (min(rate + points / 100, most) / rate - 1) for rate in rates), reverse=True)
        goal = math.floor(gains[0] + 1e-9)
        if goal > (gains[1] if len(gains) > 1 else 0):
            return points / 100, goal / 100
        if points == 6 and goal:
            found = (0.06, goal / 100)
    return found
