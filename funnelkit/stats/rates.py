"""Rates that carry their n: Wilson intervals, rate tables, win rates. What is not yet known is never a loss."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[Any]  # of floats: the stubs of numpy take what arithmetic gives for wider than float64

LEVEL = 0.95
RATE_COLUMNS = ("k", "n", "rate", "low", "high", "n_open", "floor", "ceiling", "basis", "horizon_days")
# What a rate is taken over: a curve at a horizon with the open ones censored; those whose whole window has passed; what
# happened in a calendar window, by age; those decided so far; of all, where losses are not recorded; nothing known.
BASES = ("incidence", "matured", "period", "decided", "share", "unknown")


def wilson(k: ArrayLike, n: ArrayLike, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Compute the Wilson score interval of k successes in n trials.

    Parameters
    ----------
    k, n : int or array
        Successes and trials.
    level : float
        Of the interval.

    Returns
    -------
    tuple of arrays
        (low, high), as fractions. Both are NaN where n is 0: nothing is known.

    Raises
    ------
    ValueError
        Unless 0 <= k <= n.

    Notes
    -----
    centre = (p + z^2/2n) / (1 + z^2/n), half width = z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n), without continuity
    correction (Wilson 1927).

    Examples
    --------
    >>> low, high = wilson(4238, 6711)
    >>> round(float(low), 6), round(float(high), 6)
    (0.619887, 0.642964)
    """
    k, n = np.broadcast_arrays(np.asarray(k, dtype=float), np.asarray(n, dtype=float))
    if np.any((k < 0) | (k > n)):
        raise ValueError("wilson needs 0 <= k <= n")
    return _wilson(k, n, level)


def _wilson(k: Floats, n: Floats, level: float) -> tuple[Floats, Floats]:
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    trials = np.where(n > 0, n, np.nan)
    p = k / trials
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2) * np.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    low = np.where(k == 0, np.where(n > 0, 0.0, np.nan), centre - half)
    high = np.where(k == n, np.where(n > 0, 1.0, np.nan), centre + half)
    return low, high


def newcombe(
    k: ArrayLike, n: ArrayLike, k_before: ArrayLike, n_before: ArrayLike, level: float = LEVEL
) -> tuple[Any, Any, Any]:
    """Compute the difference of two rates with its hybrid score interval.

    Parameters
    ----------
    k, n : int or array
        Successes and trials now.
    k_before, n_before : int or array
        Successes and trials before.
    level : float
        Of the interval.

    Returns
    -------
    tuple of arrays
        (change, low, high): k / n minus k_before / n_before, as fractions. NaN where either n is 0.

    Raises
    ------
    ValueError
        Unless 0 <= k <= n on both sides.

    Notes
    -----
    low = d - sqrt((p - l)^2 + (u0 - p0)^2), high = d + sqrt((u - p)^2 + (p0 - l0)^2) with the Wilson limits l, u of
    each rate (Newcombe 1998, method 10).

    Examples
    --------
    >>> [round(float(part), 4) for part in newcombe(56, 70, 48, 80)]
    [0.2, 0.0524, 0.3339]
    """
    (low, high), (low_0, high_0) = wilson(k, n, level), wilson(k_before, n_before, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, p_0 = np.asarray(k, dtype=float) / n, np.asarray(k_before, dtype=float) / n_before
    change = p - p_0
    return change, change - np.hypot(p - low, high_0 - p_0), change + np.hypot(high - p, p_0 - low_0)


def rate_columns(
    k: ArrayLike, n: ArrayLike, n_open: ArrayLike = 0, basis: ArrayLike = "decided", horizon_days: ArrayLike = np.nan
) -> dict[str, NDArray[Any]]:
    """Compute the columns of a rate row.

    Parameters
    ----------
    k, n : int or array
        Successes, and those whose outcome is known.
    n_open : int or array
        Those still undecided.
    basis : str or array
        One of BASES: what the rate is taken over.
    horizon_days : float or array
        Days after the start within which a success counts; NaN where there is no such end.

    Returns
    -------
    dict of arrays
        k, n, rate (k / n), low, high (Wilson), n_open, floor, ceiling, basis, horizon_days.

    Notes
    -----
    `floor` and `ceiling` are the rate if none or all of the undecided succeed: whatever they do, it ends up between.
    The rate is NaN where n is 0, and on the basis unknown.

    Examples
    --------
    >>> {name: float(value) for name, value in rate_columns(1, 2, 2).items() if name in ("rate", "floor", "ceiling")}
    {'rate': 0.5, 'floor': 0.25, 'ceiling': 0.75}
    """
    k, n, n_open, basis, horizon = np.broadcast_arrays(k, n, n_open, basis, np.asarray(horizon_days, dtype=float))
    k, n, n_open = (np.asarray(part, dtype="int64") for part in (k, n, n_open))
    basis, given = basis.astype(object), basis != "unknown"
    low, high = (np.where(given, end, np.nan) for end in wilson(k, n))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where((n > 0) & given, k / n, np.nan)
        floor, ceiling = (np.where(n + n_open > 0, part / (n + n_open), np.nan) for part in (k, k + n_open))
    return dict(zip(RATE_COLUMNS, (k, n, rate, low, high, n_open, floor, ceiling, basis, horizon.copy()), strict=True))
