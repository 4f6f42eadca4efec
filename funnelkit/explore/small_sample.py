"""How much does a small sample tell? One sample's interval, and how many of a hundred such intervals miss the truth."""

from __future__ import annotations

from statistics import NormalDist

import pandas as pd

from funnelkit.analysis import win_rate
from funnelkit.explore.base import Explorable, Input, Judgement, module, rounded
from funnelkit.explore.draws import SAMPLES, draw_samples, draws_of
from funnelkit.language import number, percent
from funnelkit.result import Result
from funnelkit.stats import LEVEL, rate_columns, wilson

LEAST, MOST, DRAWS = 5, 5000, 200
HALF = 0.05  # the half width that the challenge asks for
SHOWN = 10  # samples in the table and picture of places without a kernel


class SmallSample(Explorable):
    """How far can a rate from a small sample be trusted? Sliders over `win_rate` of drawn deals.

    Parameters
    ----------
    n : int
        Deals in a sample, 5 to 5,000.
    rate : float
        True win rate.
    draw : int
        Which draw to begin with.

    Attributes
    ----------
    state : dict
        {"n", "rate", "draw", "guess" (how many of 100 intervals miss)}.
    result : Result
        What `win_rate` finds in the first ten samples.
    samples : DataFrame
        All 100: k, n, rate, low, high, missed.
    challenge : Judgement

    Examples
    --------
    >>> panel = SmallSample(n=20, rate=0.3)
    >>> panel.state = {"n": 320}
    >>> panel.challenge.status, len(panel.samples)
    ('done', 100)
    """

    name = "small_sample"
    _esm = module("small_sample")

    def __init__(self, n: int = 20, rate: float = 0.3, *, draw: int = 1) -> None:
        baseline = {"n": float(n), "rate": rounded(rate), "draw": float(draw), "guess": 20.0}
        spec = {
            "z2": NormalDist().inv_cdf((1 + LEVEL) / 2) ** 2, "samples": SAMPLES, "shown": SHOWN,
            "presets": self.presets({
                "preset_base": {}, "preset_few": {"n": 5.0, "rate": 0.6}, "preset_more": {"n": 50.0, "rate": 0.6},
                "preset_many": {"n": 1000.0, "rate": 0.6},
            }),
            "challenge": self.goal({"half": HALF}, points=number(100 * HALF), rate=percent(rate, 0)),
        }  # fmt: skip
        controls = [
            Input("n", self.said("n"), LEAST, MOST, 1, log=True, whole=True),
            Input("rate", self.said("rate"), kind="percent"),
            Input("draw", self.said("draw"), 1, DRAWS, 1, whole=True),
            Input("guess", self.said("guess"), 0, SAMPLES, 1, place="guess", whole=True),
        ]
        super().__init__(spec, controls, baseline)

    @property
    def result(self) -> Result:
        """Return what `win_rate` finds in the first ten samples."""
        state = self.state
        return win_rate(draw_samples(state["n"], state["rate"], draw=state["draw"], samples=SHOWN), "sample")

    @property
    def samples(self) -> pd.DataFrame:
        """Return all samples: k, n, rate, low, high, missed (the interval leaves out the true rate)."""
        state = self.state
        k = draws_of(state["n"], state["rate"], state["draw"]).sum(axis=1)
        table = pd.DataFrame(rate_columns(k, round(state["n"])))[["k", "n", "rate", "low", "high"]]
        return table.assign(missed=(table["low"] > state["rate"]) | (table["high"] < state["rate"]))

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        n, rate = self.state["n"], self.state["rate"]
        if not self.moved("n", "rate"):
            return Judgement("start")
        if self.moved("rate") or _half(n - 1, rate) <= HALF:
            return Judgement("outside")
        return Judgement("done" if _half(n, rate) <= HALF else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        n, rate, draw = (self.state[name] for name in ("n", "rate", "draw"))
        drawn = f"draw_samples({n!r}, {rate!r}, draw={draw!r}, samples={SHOWN})"
        return f'import funnelkit as fk\nfrom funnelkit.explore import draw_samples\n\nfk.win_rate({drawn}, "sample")\n'


def _half(n: float, rate: float) -> float:
    """Return half the width of the interval of a sample whose share is the true rate."""
    low, high = wilson(n * rate, n)
    return float(high - low) / 2
