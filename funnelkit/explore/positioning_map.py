"""For whom are we the best? The perceptual map with the weight of each need to be moved."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.explore.base import Explorable, Input, Judgement, module, rounded
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
        {"need0": weight of the first attribute, ..., "ours0": our rating on it, ...}.
    weights, result
        The weights by attribute, and what `perceptual_map` finds with them and with our ratings.
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
        tops = [
            self.presets({"preset_one": {need: 10.0 if need == top else 1.0 for need in baseline}}, need=name)[0]
            for top, name in zip(list(baseline)[:2], names, strict=False)
        ]
        spec: dict[str, Any] = {
            "products": self._frame["product"].tolist(), "attributes": names, "values": values.tolist(), "ours": place,
            "presets": self.presets({"preset_base": {}, "preset_alike": dict.fromkeys(baseline, 5.0)}) + tops,
        }  # fmt: skip
        goal = _least_change(values, list(baseline.values()), place) if place >= 0 else None
        if goal is not None:
            spec["challenge"] = self.goal({"change": goal}, ours=ours, change=number(goal))
        inputs = [Input(f"need{at}", name, 0, 10, 0.5, most=100) for at, name in enumerate(names)]
        if place >= 0:
            low, high = min(0.0, np.floor(values.min())), max(10.0, np.ceil(values.max()))
            inputs += [Input(f"ours{at}", name, low, high, 0.1, place="more") for at, name in enumerate(names)]
            baseline |= {f"ours{at}": rounded(value) for at, value in enumerate(values[place])}
        super().__init__(spec, inputs, baseline)

    @property
    def ratings(self) -> pd.DataFrame:
        """Return the products' ratings, ours as they stand on the card."""
        frame, names = self._frame.copy(), self.spec["attributes"]
        if self.spec["ours"] >= 0:
            frame.loc[self.spec["ours"], names] = [self.state[f"ours{at}"] for at in range(len(names))]
        return frame

    @property
    def weights(self) -> dict[str, float]:
        """Return the weight of each need, by attribute."""
        return {name: self.state[f"need{at}"] for at, name in enumerate(self.spec["attributes"])}

    @property
    def result(self) -> Result:
        """Return what `perceptual_map` finds at the present state."""
        return perceptual_map(self.ratings, self.weights, ours=self._ours)

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        if not self.moved():
            return Judgement("start")
        change = sum(abs(self.state[name] - self.spec["baseline"][name]) for name in self.moved("need"))
        if self.moved("ours") or change > self.spec["challenge"]["rule"]["change"] + 1e-9:
            return Judgement("outside")
        weights = list(self.weights.values())
        first = sum(weights) > 0 and _is_first(np.array(self.spec["values"]), np.array(weights), self.spec["ours"])
        return Judgement("done" if first else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        rows = "".join(f'    "{name}": {column.tolist()!r},\n' for name, column in self.ratings.items())
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
