"""Incidence: the share that ends in one way by an age, open ones censored, as a rate row with its horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnelkit.stats.rates import Floats, rate_columns, wilson
from funnelkit.stats.survival import Curves, aalen_johansen

WATCHED = 0.1  # share of the deals that are old enough to have reached the horizon
DONE = 0.998  # share of the exits seen up to there that have happened by the horizon


def choose_horizon(days: ArrayLike, cause: ArrayLike, watched: ArrayLike, entry: ArrayLike | None = None) -> float:
    """Choose the age at which an incidence is read.

    Parameters
    ----------
    days, cause, entry : array
        As `aalen_johansen` takes them; cause 1 is the one whose share is wanted.
    watched : array
        Age that each would have now, had it not ended.

    Returns
    -------
    float
        A whole number of days; NaN where nobody is watched.

    Notes
    -----
    The first age by which 99.8 % of all exits, and of those by cause 1, have happened, of the exits seen up to the
    greatest age that a tenth of the deals could have reached; beyond it too few are old enough to speak for all.

    Examples
    --------
    >>> choose_horizon([1, 2, 3, 9], [2, 1, 2, 0], [10, 10, 9, 9])
    3.0
    """
    days, cause, watched = np.asarray(days, float), np.asarray(cause, int), np.asarray(watched, float)
    if not len(days):
        return float("nan")
    oldest = np.sort(watched)[-int(np.ceil(WATCHED * len(watched)))]
    curves = aalen_johansen(days, cause, max(2, int(cause.max(initial=1))), entry)
    last = int(curves.at(oldest))
    if last < 0:
        return float(np.ceil(oldest))
    done = (1 - curves.stay[: last + 1], curves.left[: last + 1, 0])
    reached = max(int(np.argmax(part >= DONE * part[-1])) for part in done)
    return float(max(1.0, np.ceil(curves.days[reached])))


def incidence(
    days: ArrayLike, cause: ArrayLike, horizon: float, entry: ArrayLike | None = None
) -> dict[str, NDArray[Any]]:
    """Estimate the share that ends by cause 1 within a horizon, as a rate row.

    Parameters
    ----------
    days, cause, entry : array
        As `aalen_johansen` takes them: 1 and above are the ways to end, 0 still runs.
    horizon : float
        Days after the start.

    Returns
    -------
    dict of arrays
        The columns of `rate_columns`, one value each: k ended so within the horizon, n are those known by then, n_open
        those watched for a shorter time and still running. Basis incidence; unknown where nobody was watched so far.

    Notes
    -----
    Aalen-Johansen. The interval is Wilson's at the n whose binomial variance is that of the curve, p (1 - p) / se^2:
    where nothing is open it is that of k of n. Under delayed entry no bounds follow from the counts.

    Examples
    --------
    >>> row = incidence([1, 2, 3, 3], [1, 2, 1, 0], 3)
    >>> round(float(row["rate"]), 2), int(row["k"]), int(row["n"]), int(row["n_open"])
    (0.5, 2, 4, 0)
    """
    entry = np.broadcast_to(np.zeros(1) if entry is None else np.asarray(entry, float), np.shape(days))
    seen = entry <= np.asarray(days, float)
    days, cause, entry = np.asarray(days, float)[seen], np.asarray(cause, int)[seen], entry[seen]
    k, n_open = int(((cause == 1) & (days <= horizon)).sum()), int(((cause == 0) & (days < horizon)).sum())
    row = rate_columns(k, len(days) - n_open, n_open, "incidence", horizon)
    curves = aalen_johansen(days, cause, max(2, int(cause.max(initial=1))), entry)
    row |= dict(zip(("rate", "low", "high"), _share_at(curves, horizon, len(days)), strict=True))
    row["basis"] = np.asarray("unknown" if np.isnan(row["rate"]) else "incidence", dtype=object)
    if (entry > 0).any():
        row |= {"floor": np.asarray(np.nan), "ceiling": np.asarray(np.nan)}
    return row


def _share_at(curves: Curves, horizon: float, n: int) -> tuple[Floats, Floats, Floats]:
    """Return (share that left by cause 1, low, high) at an age, NaN where nobody was watched so far."""
    at = int(curves.at(horizon))
    if not n or (horizon > np.ceil(curves.follow_up) and (at < 0 or curves.stay[-1] > 1e-12)):
        return np.asarray(np.nan), np.asarray(np.nan), np.asarray(np.nan)
    share, error = (float(curves.left[at, 0]), float(curves.left_error[at, 0])) if at >= 0 else (0.0, 0.0)
    share = min(max(share, 0.0), 1.0)  # sums of many small steps miss the ends by a rounding error
    size = min(float(n), share * (1 - share) / error**2) if error > 0 else float(n)
    return np.asarray(share), *wilson(share * size, size)
