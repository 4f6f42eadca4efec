"""For whom are we the best? The perceptual map with the weight of each need to be moved."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.explore.base import Explorable, Input, Judgement, in_both, module, rounded, said
from funnelkit.language import number
from funnelkit.planning import mean_ratings, perceptual_map
from funnelkit.result import Result

TIE = 1e-12
MOST_MOVED = 3  # needs that the search for the challenge moves at once


class PositioningMap(Explorable):
    """For whom are we the best? A slider for the weight of each need, over `perceptual_map`.

    Parameters
    ----------
    ratings : DataFrame
        As `mean_ratings` takes them.
    weights : mapping, optional
        Weight of the need of an attribute, 0 to 10 (1 each without it).
    ours : str, optional
        Our product's name.

    Attributes
    ----------
    state : dict
        {"need0": weight of the first attribute, ...}.
    weights, result
        The weights by attribute, and what `perceptual_map` finds with them.
    challenge : Judgement
    """

    name = "positioning_map"
    _esm = module("positioning_map")

    def __init__(self, ratings: Any, weights: Mapping[str, float] | None = None, *, ours: str | None = None) -> None:
        wide = mean_ratings(ratings)
        perceptual_map(ratings, weights, ours=ours)  # refuses what cannot be
        self._ours, names = ours, [str(name) for name in wide.columns]
        self._frame = pd.DataFrame({"product": [str(name) for name in wide.index]})
        for place, name in enumerate(names):
            self._frame[name] = [rounded(value) for value in wide.iloc[:, place]]
        chosen = {name: float(dict(weights or {}).get(name, 1.0)) for name in names}
        baseline = {f"need{place}": rounded(chosen[name]) for place, name in enumerate(names)}
        values = self._frame[names].to_numpy(float)
        place = self._frame["product"].tolist().index(ours) if ours in set(self._frame["product"]) else -1
        spec: dict[str, Any] = {
            "products": self._frame["product"].tolist(), "attributes": names, "values": values.tolist(), "ours": place,
            "presets": _presets(names),
        }  # fmt: skip
        goal = _least_change(values, list(baseline.values()), place) if place >= 0 else None
        if goal is not None:
            text = said("explore.positioning_map.challenge_text", ours=ours, change=number(goal))
            spec["challenge"] = {"text": in_both(text), "rule": {"change": goal}}
        inputs = [Input(f"need{at}", name, 0, 10, 0.5, most=100) for at, name in enumerate(names)]
        super().__init__(spec, inputs, baseline)

    @property
    def weights(self) -> dict[str, float]:
        """Return the weight of each need, by attribute."""
        return {name: self.state[f"need{at}"] for at, name in enumerate(self.spec["attributes"])}

    @property
    def result(self) -> Result:
        """Return what `perceptual_map` finds at the present state."""
        return perceptual_map(self._frame, self.weights, ours=self._ours)

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        baseline = self.spec["baseline"]
        change = sum(abs(self.state[name] - baseline[name]) for name in baseline)
        if not change:
            return Judgement("start")
        if change > self.spec["challenge"]["rule"]["change"] + 1e-9:
            return Judgement("outside")
        weights = list(self.weights.values())
        first = sum(weights) > 0 and _is_first(np.array(self.spec["values"]), np.array(weights), self.spec["ours"])
        return Judgement("done" if first else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        rows = "".join(f'    "{name}": {self._frame[name].tolist()!r},\n' for name in self._frame)
        call = f"fk.perceptual_map(ratings, {self.weights!r})"
        return f"import pandas as pd\n\nimport funnelkit as fk\n\nratings = pd.DataFrame({{\n{rows}}})\n{call}\n"


def _is_first(values: Any, weights: Any, ours: int) -> bool:
    scores = values @ weights / weights.sum()
    return bool((np.delete(scores, ours) < scores[ours] - TIE).all())


def _least_change(values: Any, weights: list[float], ours: int) -> float | None:
    """Return the fewest whole points of weight that make ours the first, by trying; None where it is so already."""
    start = np.array(weights)
    if start.sum() > 0 and _is_first(values, start, ours):
        return None
    for total in range(1, 11):
        for steps in product(range(-total, total + 1), repeat=min(len(weights), MOST_MOVED)):
            if sum(map(abs, steps)) != total:
                continue
            for first in range(len(weights) - len(steps) + 1):
                moved = start.copy()
                moved[first : first + len(steps)] += steps
                if (moved >= 0).all() and (moved <= 10).all() and moved.sum() and _is_first(values, moved, ours):
                    return float(total)
    return None


def _presets(names: list[str]) -> list[dict[str, Any]]:
    """Return the customers to try: as it was, all needs alike, and each of the first two attributes above all."""
    found = [("preset_base", {}, ""), ("preset_alike", {f"need{at}": 5.0 for at in range(len(names))}, "")]
    for at, name in enumerate(names[:2]):
        found.append(("preset_one", {f"need{k}": 10.0 if k == at else 1.0 for k in range(len(names))}, name))
    return [
        {"name": in_both(said(f"explore.positioning_map.{key}", need=name)), "state": state}
        for key, state, name in found
    ]
