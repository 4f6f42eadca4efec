"""Survival: Aalen-Johansen curves of competing exits with ties, delayed entry and intervals, on bare arrays."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnelkit.stats.rates import LEVEL, Floats, wilson


@dataclass(frozen=True)
class Curves:
    """Step curves at the times with exits: still open `stay`, and the share that left by each `cause` so far."""

    days: Floats  # (m,) distinct times of an exit
    n_at_risk: NDArray[np.int64]  # (m,)
    exits: Floats  # (m, causes) exits at each time
    stay: Floats  # (m,)
    left: Floats  # (m, causes); stay + left.sum(1) is 1
    stay_error: Floats  # standard errors
    left_error: Floats
    follow_up: float  # the longest time that any deal was watched; later nothing is known

    def at(self, days: ArrayLike) -> NDArray[Any]:
        """Return the row number that holds at each of `days` (-1 before the first exit)."""
        return np.searchsorted(self.days, days, side="right") - 1


def aalen_johansen(days: ArrayLike, cause: ArrayLike, n_causes: int = 1, entry: ArrayLike | None = None) -> Curves:
    """Estimate the curves of competing exits.

    Parameters
    ----------
    days : array
        Time under observation, (n,).
    cause : array of int
        How each ended: 1 to n_causes, 0 where it still runs.
    n_causes : int
    entry : array, optional
        When each came under observation; by default at 0 (delayed entry).

    Returns
    -------
    Curves

    Notes
    -----
    At each time t the deals at risk are those with entry <= t <= days; S(t) = prod (1 - d/Y), and cause j adds
    S(t-) d_j / Y (Aalen and Johansen 1978). Exits at the same time are taken together, so ties are exact. The error
    of S is Greenwood's; that of a cause is the delta-method variance of Dinse and Larson (1986), in the form of
    Marubini and Valsecchi (1995, p. 341): sum (F(t)-F_i)^2 d/(Y(Y-d)) + sum S^2 (Y-d_j) d_j / Y^3
    - 2 sum (F(t)-F_i) S d_j / Y^2.

    Examples
    --------
    >>> curves = aalen_johansen([1, 2, 2, 3], [1, 1, 2, 0], 2)
    >>> curves.stay.tolist(), curves.left.tolist()
    ([0.75, 0.25], [[0.25, 0.0], [0.5, 0.25]])
    """
    days, cause = np.asarray(days, dtype=float), np.asarray(cause, dtype=int)
    entry = np.zeros(len(days)) if entry is None else np.asarray(entry, dtype=float)
    seen = entry <= days
    return _curves(days[seen], cause[seen], entry[seen], n_causes)


def _curves(days: Floats, cause: NDArray[np.int64], entry: Floats, n_causes: int) -> Curves:
    """Estimate the curves of those that came under observation."""
    times, place = np.unique(days[cause > 0], return_inverse=True)
    exits = np.zeros((len(times), n_causes))
    np.add.at(exits, (place, cause[cause > 0] - 1), 1)
    at_risk = np.searchsorted(np.sort(entry), times, side="right") - np.searchsorted(np.sort(days), times, side="left")
    total = exits.sum(axis=1)
    stay = np.cumprod(1 - total / at_risk)
    before = np.concatenate([[1.0], stay[:-1]])
    left = np.cumsum(before[:, None] * exits / at_risk[:, None], axis=0)
    stay_error, left_error = _errors(at_risk, exits, before, left)
    return Curves(times, at_risk, exits, stay, left, stay * stay_error, left_error, days.max() if len(days) else np.nan)


def _errors(at_risk: NDArray[np.int64], exits: Floats, before: Floats, left: Floats) -> tuple[Floats, Floats]:
    """Return Greenwood's relative error of S and the standard errors of the causes, by running sums."""
    y, total = at_risk.astype(float), exits.sum(axis=1)
    # Where all at risk leave, every later step is 0, so that its (infinite) term never counts.
    hazard = np.divide(total, y * (y - total), out=np.zeros_like(y), where=y > total)
    a, b = hazard[:, None], before[:, None] ** 2 * (y[:, None] - exits) * exits / y[:, None] ** 3
    c = before[:, None] * exits / y[:, None] ** 2

    def total_of(part: Floats) -> Floats:
        return np.cumsum(part, axis=0)

    variance = left**2 * total_of(a) - 2 * left * total_of(a * left) + total_of(a * left**2)
    variance += total_of(b) - 2 * left * total_of(c) + 2 * total_of(c * left)
    return np.sqrt(np.cumsum(hazard)), np.sqrt(np.maximum(variance, 0.0))


def interval(share: ArrayLike, error: ArrayLike, n: ArrayLike, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Compute the interval of shares on a curve: symmetric on the log(-log) scale, so never outside 0 to 1.

    Parameters
    ----------
    share, error : array
        Shares, and their standard errors.
    n : array
        At risk there.
    level : float

    Returns
    -------
    tuple of arrays
        (low, high).

    Notes
    -----
    Where the curve is still at 0 or 1 its error says nothing; Wilson's limit for 0 or all of `n` stands in.

    Examples
    --------
    >>> low, high = interval(np.array([0.0, 0.3]), np.array([0.0, 0.05]), np.array([40, 40]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.206], [0.088, 0.399])
    """
    share, error, n = (np.asarray(part, dtype=float) for part in np.broadcast_arrays(share, error, n))
    z = NormalDist().inv_cdf((1 + level) / 2)
    inside = (share > 1e-12) & (share < 1 - 1e-12)
    safe = np.where(inside, share, 0.5)
    reach = np.exp(z * error / (safe * -np.log(safe)))
    low, high = safe**reach, safe ** (1 / reach)
    edge_low, edge_high = wilson(np.where(share > 0.5, n, 0), n, level)
    low, high = np.where(inside, low, edge_low), np.where(inside, high, edge_high)
    unknown = np.isnan(share)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def quantile(curves: Curves, share: float = 0.5, level: float = LEVEL) -> tuple[float, float, float]:
    """Find when a share has left, by any exit.

    Parameters
    ----------
    curves : Curves
    share : float
    level : float

    Returns
    -------
    tuple of float
        (days, low, high); NaN where the data do not reach that far.

    Notes
    -----
    The interval holds the times at which the curve's own interval covers 1 - share (Brookmeyer and Crowley 1982, on
    the log(-log) scale).

    Examples
    --------
    >>> quantile(aalen_johansen([1, 2, 3, 4], [1, 1, 1, 1]))[0]
    2.0
    """
    low, high = interval(curves.stay, curves.stay_error, curves.n_at_risk, level)
    first, begin, end = (_first(curves.days, edge <= 1 - share + 1e-12) for edge in (curves.stay, low, high))
    return first, begin, end


def cause_quantile(curves: Curves, cause: int, share: float = 0.5, level: float = LEVEL) -> tuple[float, float, float]:
    """Find when a share of those who ever leave by a cause has left; none of the rest counts.

    Parameters
    ----------
    curves : Curves
    cause : int
        From 1.
    share : float
    level : float

    Returns
    -------
    tuple of float
        (days, low, high); NaN where nobody left by the cause.

    Notes
    -----
    "Ever" means by the end of follow-up. The interval holds the times t at which F(t) - share F(end) is within its
    error of 0; the error takes both together, by the terms of `aalen_johansen`.

    Examples
    --------
    >>> cause_quantile(aalen_johansen([1, 2, 3, 4, 5], [1, 1, 2, 1, 0], 2), 1)[0]
    2.0
    """
    if not curves.exits[:, cause - 1].any():
        return float("nan"), float("nan"), float("nan")
    return _cause_quantile(curves, cause, share, level)


def _cause_quantile(curves: Curves, cause: int, share: float, level: float) -> tuple[float, float, float]:
    f, exits, y = curves.left[:, cause - 1], curves.exits[:, cause - 1], curves.n_at_risk.astype(float)
    rows = np.unique(np.linspace(0, len(f) - 1, 500).round().astype(int))
    passed = np.arange(len(f)) <= rows[:, None]
    before = np.concatenate([[1.0], curves.stay[:-1]])
    own = before * (passed - share)
    other = passed * (f[rows, None] - f) - share * (f[-1] - f)
    total = curves.exits.sum(axis=1)
    hazard = np.divide(total, y * (y - total), out=np.zeros_like(y), where=y > total)
    variance = other**2 @ hazard + own**2 @ (exits * (y - exits) / y**3) - 2 * (own * other) @ (exits / y**2)
    reach = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(np.maximum(variance, 0.0))
    gap = f[rows] - share * f[-1]
    begin, end = (_first(curves.days[rows], edge) for edge in (gap + reach >= 0, gap - reach > 0))
    return _first(curves.days, f >= share * f[-1] - 1e-12), begin, end


def _first(days: Floats, reached: NDArray[Any]) -> float:
    return float(days[np.argmax(reached)]) if reached.any() else float("nan")
