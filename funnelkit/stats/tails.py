"""Durations: the chance of still being there after so many days, beyond what any deal has shown yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnelkit.stats.rates import Floats
from funnelkit.stats.survival import aalen_johansen, quantile

_Shape: TypeAlias = tuple[Floats, Floats, Floats, Floats]  # log density, its slope, log survival, its slope
_Logs: TypeAlias = tuple[Floats, Floats, Floats]  # of the days of exits, of those still there, of entries
LEAST_EXITS = 30
CLOSE_FIT = 10.0  # families whose AIC is within this of the best are all taken seriously
CAP_SHARE = 0.9


def _weibull(w: Floats) -> _Shape:
    power = np.exp(np.minimum(w, 700.0))
    return w - power, 1 - power, -power, -power


def _lognormal(w: Floats) -> _Shape:
    from scipy.special import log_ndtr

    density, stay = -0.5 * w**2 - 0.5 * np.log(2 * np.pi), log_ndtr(-w)
    return density, -w, stay, -np.exp(density - stay)


def _loglogistic(w: Floats) -> _Shape:
    stay = -np.logaddexp(0, w)
    odds = 1 / (1 + np.exp(-np.clip(w, -700, 700)))
    return w + 2 * stay, 1 - 2 * odds, stay, -odds


# log T = location + scale W. Each returns log density and log survival of W with their slopes. Light to heavy tail.
FAMILIES = {"weibull": _weibull, "lognormal": _lognormal, "loglogistic": _loglogistic}


@dataclass(frozen=True)
class Family:
    """One fitted family: its name, AIC, and nodes of (location, scale) with weights: the parameters' uncertainty."""

    name: str
    aic: float
    location: Floats
    scale: Floats
    weight: Floats
    cap: float = np.inf  # the longest time that the fit has looked at

    def stay(self, days: Floats) -> Floats:
        """Return P(still there after `days`), averaged over what the parameters may be."""
        with np.errstate(over="ignore"):
            w = (np.log(np.maximum(days, 1e-9))[:, None] - self.location) / self.scale
            stay = FAMILIES[self.name](w)[2]
            beyond = days > self.cap
            if beyond.any():
                # No time beyond the cap shows that deals leave ever faster there, as a light tail would have it; and a
                # Weibull that fits the bulk of a gamma bends too far up, so that half of its rise is believed.
                w_cap = (np.log(self.cap) - self.location) / self.scale
                density, _, at_cap, _ = FAMILIES[self.name](w_cap)
                hazard = np.exp(density - at_cap) / (self.scale * self.cap)
                steady = at_cap - (hazard - at_cap / self.cap) / 2 * (days[beyond, None] - self.cap)
                stay[beyond] = np.maximum(stay[beyond], steady)
            chance: Floats = np.exp(stay) @ self.weight
        return chance


def fit(days: ArrayLike, ended: ArrayLike, entry: ArrayLike | None = None) -> list[Family]:
    """Fit families of durations to times that ended or still run; keep those that fit about as well as the best.

    Parameters
    ----------
    days : array
    ended : array of bool
        False where the time still runs (censored).
    entry : array, optional
        From when on each was under observation (delayed entry).

    Returns
    -------
    list of Family

    Notes
    -----
    Maximum likelihood with censoring and delayed entry; a family is kept unless its AIC is far from the best. Times
    are cut at the age by which 90 % have left, so that a few that never leave do not bend the fit: what follows is
    extrapolated from how the bulk leaves.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> days = 20 * np.exp(0.6 * rng.standard_normal(400))
    >>> [family.name for family in fit(days, np.ones(400, bool))]
    ['lognormal', 'loglogistic']
    """
    days, ended, entry = _cut(np.asarray(days, float), np.asarray(ended, bool), entry)
    fits = [_fit_family(name, np.log(days), ended, entry) for name in FAMILIES]
    cap = float(days.max(initial=0.0))
    found = [replace(family, cap=cap) for family in fits if family is not None]
    best = min((family.aic for family in found), default=np.inf)
    return [family for family in found if family.aic <= best + CLOSE_FIT]


def _cut(days: Floats, ended: NDArray[Any], entry: ArrayLike | None) -> tuple[Floats, NDArray[Any], Floats]:
    """Drop what never came under observation, cut at the cap, keep zero-day stays inside the support."""
    entry = np.zeros(len(days)) if entry is None else np.asarray(entry, float)
    cap = quantile(aalen_johansen(days, ended.astype(int), 1, entry), CAP_SHARE)[0]
    cap = np.inf if np.isnan(cap) else cap
    kept = (entry <= days) & (entry < cap)
    days, ended, entry = days[kept], ended[kept], entry[kept]
    least = 0.5 if len(days) and np.all(days == np.round(days)) else 1e-2
    return np.clip(days, least, max(cap, least)), ended & (days <= cap), entry


def _fit_family(name: str, log_days: Floats, ended: NDArray[Any], entry: Floats) -> Family | None:
    """Maximise the likelihood over (location, log scale) by Newton's method with halved steps."""
    if not ended.any():
        return None
    logs, shape = (log_days[ended], log_days[~ended], np.log(entry[entry > 0])), FAMILIES[name]
    best = np.array([log_days[ended].mean(), np.log(log_days[ended].std() + 0.05)])
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(50):
            cost, slope = _cost(shape, best, logs)
            curve = _curvature(shape, best, logs)
            step = np.linalg.solve(curve, slope)
            while _cost(shape, best - step, logs)[0] > cost and np.abs(step).max() > 1e-9:
                step = step / 2
            best = best - step
            if np.abs(step).max() < 1e-6:
                break
    return _with_uncertainty(name, best, _curvature(shape, best, logs), 2 * _cost(shape, best, logs)[0] + 4)


def _curvature(shape: Callable[[Floats], _Shape], at: Floats, logs: _Logs) -> Floats:
    """Return the second derivatives, made positive so that a step always goes downhill."""
    rows = [(_cost(shape, at + move, logs)[1] - _cost(shape, at - move, logs)[1]) / 2e-4 for move in 1e-4 * np.eye(2)]
    value, vector = np.linalg.eigh((np.array(rows) + np.array(rows).T) / 2)
    curve: Floats = vector @ np.diag(np.maximum(np.abs(value), 1e-6)) @ vector.T
    return curve


def _cost(shape: Callable[[Floats], _Shape], parameters: Floats, logs: _Logs) -> tuple[float, Floats]:
    """Return minus the log likelihood and its gradient; left-truncated times count given that they got that far."""
    location, scale = parameters[0], np.exp(parameters[1])
    total, by_location, by_scale = -len(logs[0]) * parameters[1], 0.0, -float(len(logs[0]))
    for part, sign, density in zip(logs, (1, 1, -1), (True, False, False), strict=True):
        w = (part - location) / scale
        value, slope = shape(w)[:2] if density else shape(w)[2:]
        total += sign * value.sum()
        by_location -= sign * slope.sum() / scale
        by_scale -= sign * (slope * w).sum()
    return -total, -np.array([by_location, by_scale])


def _with_uncertainty(name: str, best: Floats, curve: Floats, aic: float) -> Family:
    """Spread the parameters over the normal approximation at the maximum (Gauss-Hermite nodes, 7 x 7)."""
    root = np.linalg.cholesky(np.linalg.inv(curve))
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2) @ root.T + best
    weight = np.outer(weights, weights).ravel()
    return Family(name, aic, grid[:, 0], np.exp(grid[:, 1]), weight / weight.sum())


def stay_chance(families: Sequence[Family], days: ArrayLike) -> Floats:
    """Compute the chance of still being there, by the family that leaves most room for long stays.

    Parameters
    ----------
    families : list of Family
    days : array

    Returns
    -------
    array
        P(still there after `days`).

    Examples
    --------
    >>> families = fit(np.arange(1.0, 101.0), np.ones(100, bool))
    >>> bool(stay_chance(families, [200.0])[0] < 0.1)
    True
    """
    chance: Floats = np.max([family.stay(np.asarray(days, float)) for family in families], axis=0)
    return chance


def usual_days(families: Sequence[Family], share: float) -> float:
    """Find the days after which only a share is still there.

    Parameters
    ----------
    families : list of Family
    share : float

    Returns
    -------
    float

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> families = fit(20 * np.exp(0.6 * rng.standard_normal(400)), np.ones(400, bool))
    >>> round(usual_days(families, 0.5))
    19
    """
    low, high = np.log(1e-2), np.log(1e6)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if stay_chance(families, np.exp([middle]))[0] <= share else (middle, high)
    return float(np.exp(high))


def snapshot_chance(
    families: Sequence[Family], days: ArrayLike, ages: ArrayLike, entry_ages: ArrayLike = 0.0
) -> Floats:
    """Compute the chance that a deal open at a snapshot is at least so old, if nothing is stuck.

    Parameters
    ----------
    families : list of Family
    days : array
        Ages asked about.
    ages : array
        How long before the snapshot each deal began.
    entry_ages : array or float
        Ages at which each is known to have been there (closes recorded late).

    Returns
    -------
    array
        The chance for each of `days`.

    Notes
    -----
    Deals that began `ages` days before the snapshot are each still open with probability S(age), so the one open deal
    picked at random began at age a with probability S(a) / sum S. Hence P(age >= d) = sum over ages >= d of S(a) /
    sum over all ages of S(a). With beginnings spread evenly this is the equilibrium (stationary renewal) distribution,
    integral from d to infinity of S / mean stay; S itself is the distribution of full stays, not of the ages of open
    ones, which are longer: a snapshot meets long stays more often. A deal known to be there at its entry age counts
    S(a) / S(entry age).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> families = fit(20 * np.exp(0.6 * rng.standard_normal(400)), np.ones(400, bool))
    >>> snapshot_chance(families, [0, 20, 60], np.arange(365)).round(3).tolist()
    [1.0, 0.264, 0.027]
    """
    above, ages = expected_open(families, ages, entry_ages)
    # A hair of slack: a deal's own age counts whatever the rounding.
    chance: Floats = np.minimum(above[np.searchsorted(ages, np.asarray(days, float) - 1e-9)] / above[0], 1.0)
    return chance


def expected_open(families: Sequence[Family], ages: ArrayLike, entry_ages: ArrayLike = 0.0) -> tuple[Floats, Floats]:
    """Compute how many deals at least so old should be open.

    Parameters
    ----------
    families : list of Family
    ages : array
        How long before the snapshot each deal began.
    entry_ages : array or float
        Ages at which each is known to have been there.

    Returns
    -------
    tuple of arrays
        (expected, ages): ages in order, and how many at least that old should be open; a 0 at the end.

    Examples
    --------
    >>> families = fit(np.arange(1.0, 101.0), np.ones(100, bool))
    >>> expected, ages = expected_open(families, [30, 10])
    >>> ages.tolist(), len(expected)
    ([10.0, 30.0], 3)
    """
    ages = np.asarray(ages, float)
    weight = stay_chance(families, ages)
    if np.any(entry_ages):
        weight = weight / np.maximum(stay_chance(families, np.zeros(len(ages)) + np.asarray(entry_ages, float)), 1e-300)
    order = np.argsort(ages)
    return np.append(np.cumsum(weight[order][::-1])[::-1], 0.0), ages[order]
