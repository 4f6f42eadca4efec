"""Did the rate change, or was it luck? Months drawn from one rate, some of which fall, and an interval that decides."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis import win_rate
from funnelkit.explore.base import Explorable, Input, Judgement, State, module, rounded
from funnelkit.explore.draws import uniform
from funnelkit.language import percent
from funnelkit.result import Result
from funnelkit.stats import LEVEL, newcombe, rate_columns

MONTHS, AFTER = 24, 6  # where the rate falls, it does so for the last six months
ROUNDS, LEAST, MOST = 40, 10, 500
LONGEST = 1 << 9  # draws that a month may take
COINS = 1 << 24  # where in the sequence the coins stand: beyond all months
SHARE, POINT = 0.8, 0.01
GUESSES = {"": "guess_none", "changed": "guess_changed", "luck": "guess_luck"}


class SignalOrNoise(Explorable):
    """Did the win rate fall, or is it luck? Sliders over `win_rate` by month and `newcombe`.

    Parameters
    ----------
    n : int
        Deals a month, 10 to 500.
    rate : float
        True win rate.
    size : float
        By how much the true rate falls in those rounds in which it does.
    round_ : int
        Which round to begin with, 1 to 40.

    Attributes
    ----------
    state : dict
        {"n", "rate", "size", "months" (the last ones, held against those before), "round", "guess"}.
    result : Result
        What `win_rate` finds month by month.
    change : dict
        What `newcombe` finds: k, n, k_before, n_before, change, low, high.
    rounds : DataFrame
        All 40: changed (the truth), signal (the interval lies below 0), falls (two falls in a row).
    challenge : Judgement

    Examples
    --------
    >>> panel = SignalOrNoise()
    >>> panel.rounds.groupby("changed")[["signal", "falls"]].sum().values.tolist()
    [[1, 11], [12, 7]]
    """

    name = "signal_or_noise"
    _esm = module("signal_or_noise")

    def __init__(self, n: int = 40, rate: float = 0.3, size: float = 0.08, *, round_: int = 1) -> None:
        baseline = {"n": float(n), "rate": rounded(rate), "size": rounded(size), "months": float(AFTER)}
        rule = {"share": SHARE, "point": POINT}
        spec = {
            "z2": NormalDist().inv_cdf((1 + LEVEL) / 2) ** 2, "after": AFTER, "rounds": ROUNDS, "coins": COINS,
            "dates": _months(),
            "presets": self.presets({
                "preset_base": {}, "preset_few": {"n": 10.0}, "preset_many": {"n": 400.0, "size": 0.03},
                "preset_none": {"size": 0.0},
            }),
            "challenge": self.goal(rule, share=percent(SHARE, 0)),
        }  # fmt: skip
        controls = [
            Input("n", self.said("n"), LEAST, MOST, 1, log=True, whole=True),
            Input("rate", self.said("rate"), 0.05, 0.95, kind="percent"),
            Input("size", self.said("size"), 0, 0.3, kind="percent"),
            Input("months", self.said("months"), 2, 12, 1, whole=True),
            Input("round", self.said("round"), 1, ROUNDS, 1, whole=True),
            Input("guess", self.said("guess"), place="guess", options=self.options(GUESSES)),
        ]
        super().__init__(spec, controls, {**baseline, "round": float(round_), "guess": ""})

    @property
    def result(self) -> Result:
        """Return what `win_rate` finds month by month."""
        state = self.state
        return win_rate(draw_months(state["n"], state["rate"], state["size"], round_=state["round"]), "month")

    @property
    def change(self) -> dict[str, float]:
        """Return what `newcombe` finds between the last months and those before."""
        won, last = _won(self.state)[round(self.state["round"]) - 1], round(self.state["months"])
        counts = [won[-last:].sum(), last * self.state["n"], won[:-last].sum(), (MONTHS - last) * self.state["n"]]
        named: dict[str, float] = dict(zip(("k", "n", "k_before", "n_before"), map(float, counts), strict=True))
        return named | dict(zip(("change", "low", "high"), map(float, newcombe(*counts)), strict=True))

    @property
    def rounds(self) -> pd.DataFrame:
        """Return the truth of every round, and what the interval and the rule of two falls say."""
        return _rounds(self.state)

    @property
    def monthly(self) -> pd.DataFrame:
        """Return k, n, rate, low and high of every month of the round."""
        won = _won(self.state)[round(self.state["round"]) - 1]
        return pd.DataFrame(rate_columns(won, round(self.state["n"])))[["k", "n", "rate", "low", "high"]]

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        state, fixed = self.state, self.moved("n", "rate", "months")
        if not fixed and not self.moved("size"):
            return Judgement("start")
        if fixed or _found({**state, "size": max(0.0, state["size"] - POINT)}) >= SHARE:
            return Judgement("outside")
        return Judgement("done" if _found(state) >= SHARE else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card, and the interval of the change."""
        n, rate, size, round_ = (self.state[name] for name in ("n", "rate", "size", "round"))
        counts = ", ".join(repr(self.change[name]) for name in ("k", "n", "k_before", "n_before"))
        return (
            "import funnelkit as fk\nfrom funnelkit.explore import draw_months\n\n"
            f"months = draw_months({n!r}, {rate!r}, {size!r}, round_={round_!r})\n"
            f'print(fk.newcombe({counts}))\nfk.win_rate(months, "month")\n'
        )


def draw_months(n: float, rate: float, size: float = 0.0, *, round_: float = 1) -> pd.DataFrame:
    """Draw the decided deals of 24 months, the same ones as the card `SignalOrNoise`.

    Parameters
    ----------
    n : int
        Deals a month, at most 500.
    rate : float
        True win rate.
    size : float
        By how much it falls in the last six months, in those rounds in which it does.
    round_ : int
        Which round, 1 to 40: the same number gives the same deals.

    Returns
    -------
    DataFrame
        One row per deal: month (2024-01, ...), status (won, lost).

    Notes
    -----
    A coin decides for each round whether the rate falls. Draws are those of `draw_samples`: for teaching only.

    Examples
    --------
    >>> draw_months(10, 0.3).groupby("month")["status"].apply(lambda status: (status == "won").sum()).tolist()[:4]
    [2, 4, 1, 3]
    """
    state = {"n": n, "rate": rate, "size": size}
    won = _drawn(state)[round(round_) - 1].ravel()
    status: Any = np.where(won, "won", "lost")
    return pd.DataFrame({"month": np.repeat(_months(), round(n)), "status": status})


def _months() -> list[str]:
    return [f"{month}" for month in pd.period_range("2024-01", periods=MONTHS, freq="M")]


def _changed() -> NDArray[np.bool_]:
    """Return in which rounds the true rate falls."""
    return uniform(COINS + np.arange(1, ROUNDS + 1)) < 0.5


def _drawn(state: State) -> NDArray[np.bool_]:
    """Return which deals are won: (rounds, months, n)."""
    lower = max(0.0, state["rate"] - state["size"])
    fallen = _changed()[:, None] & (np.arange(MONTHS) >= MONTHS - AFTER)
    start = (np.arange(1, ROUNDS + 1)[:, None] * MONTHS + np.arange(MONTHS)) * LONGEST
    rates = np.where(fallen, lower, state["rate"])[..., None]
    won: NDArray[np.bool_] = uniform(start[..., None] + np.arange(round(state["n"]))) < rates
    return won


def _won(state: State) -> NDArray[np.int64]:
    return _counted(state["n"], state["rate"], state["size"])


@lru_cache(maxsize=64)
def _counted(n: float, rate: float, size: float) -> NDArray[np.int64]:
    won: NDArray[np.int64] = _drawn({"n": n, "rate": rate, "size": size}).sum(axis=2)
    return won


def _rounds(state: State) -> pd.DataFrame:
    won, last = _won(state), round(state["months"])
    n = last * state["n"], (MONTHS - last) * state["n"]
    high = newcombe(won[:, -last:].sum(axis=1), n[0], won[:, :-last].sum(axis=1), n[1])[2]
    fell = np.diff(won[:, -last - 1 :], axis=1) < 0
    return pd.DataFrame({"changed": _changed(), "signal": high < 0, "falls": (fell[:, 1:] & fell[:, :-1]).any(axis=1)})


def _found(state: State) -> float:
    """Return the share of the true changes that the interval finds."""
    rounds = _rounds(state)
    return float(rounds["signal"][rounds["changed"]].mean())
