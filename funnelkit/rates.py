"""Rates that carry their n: Wilson intervals, rate tables, win rates. What is not yet known is never a loss."""

from statistics import NormalDist

import numpy as np
import pandas as pd

LEVEL = 0.95


def wilson(k, n, level=LEVEL):
    """Return (low, high), the Wilson score interval of k successes in n trials, as arrays of the shape of k.

    centre = (p + z^2/2n) / (1 + z^2/n), half width = z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n), without continuity
    correction (Wilson 1927). Where n is 0 nothing is known and both ends are NaN. Raises ValueError unless
    0 <= k <= n.

    >>> low, high = wilson(4238, 6711)
    >>> round(float(low), 6), round(float(high), 6)
    (0.619887, 0.642964)
    """
    k, n = np.broadcast_arrays(np.asarray(k, dtype=float), np.asarray(n, dtype=float))
    if np.any((k < 0) | (k > n)):
        raise ValueError("wilson needs 0 <= k <= n")
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    trials = np.where(n > 0, n, np.nan)
    p = k / trials
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2) * np.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    low = np.where(k == 0, np.where(n > 0, 0.0, np.nan), centre - half)
    high = np.where(k == n, np.where(n > 0, 1.0, np.nan), centre + half)
    return low, high


def newcombe(k, n, k_before, n_before, level=LEVEL):
    """Return (change, low, high): k / n minus k_before / n_before with its hybrid score interval, as arrays.

    low = d - sqrt((p - l)^2 + (u0 - p0)^2), high = d + sqrt((u - p)^2 + (p0 - l0)^2) with the Wilson limits l, u of
    each rate (Newcombe 1998, method 10). Where either n is 0 nothing is known and all three are NaN. Raises
    ValueError unless 0 <= k <= n on both sides.

    >>> [round(float(part), 4) for part in newcombe(56, 70, 48, 80)]
    [0.2, 0.0524, 0.3339]
    """
    (low, high), (low_0, high_0) = wilson(k, n, level), wilson(k_before, n_before, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, p_0 = np.asarray(k, dtype=float) / n, np.asarray(k_before, dtype=float) / n_before
    change = p - p_0
    return change, change - np.hypot(p - low, high_0 - p_0), change + np.hypot(high - p, p_0 - low_0)


def rate_columns(k, n, n_open=0):
    """Return the columns of a rate row: k, n, rate, low, high, n_open, floor, ceiling.

    `rate` is k / n over the n whose outcome is known, [low, high] its Wilson interval. `floor` and `ceiling` are the
    rate if none or all of the `n_open` still undecided succeed: whatever they do, the final rate lies between.
    """
    k, n, n_open = (np.asarray(part, dtype="int64") for part in np.broadcast_arrays(k, n, n_open))
    low, high = wilson(k, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(n > 0, k / n, np.nan)
        entered = n + n_open
        floor = np.where(entered > 0, k / entered, np.nan)
        ceiling = np.where(entered > 0, (k + n_open) / entered, np.nan)
    return {
        "k": k, "n": n, "rate": rate, "low": low, "high": high, "n_open": n_open, "floor": floor, "ceiling": ceiling,
    }  # fmt: skip


def rate_table(counts):
    """Return the promotion rate of every row of a counts table, over those who have left the stage.

    Takes [segment ...], stage, n_entered, n_advanced, n_lost, n_open; returns the leading columns with k, n, rate,
    low, high, n_open, floor, ceiling (see `rate_columns`). A stage that nobody has left has n = 0 and rate NaN.
    Tables of a model whose counts may grow (influence) have no n_lost: use `growth_table`.

    >>> counts = pd.DataFrame({"stage": ["Lead", "Offer"], "n_entered": [10, 4], "n_advanced": [4, 0],
    ...                        "n_lost": [4, 0], "n_open": [2, 4]})
    >>> rate_table(counts)[["stage", "k", "n", "rate", "n_open", "floor", "ceiling"]]
       stage  k  n  rate  n_open  floor  ceiling
    0   Lead  4  8   0.5       2    0.4      0.6
    1  Offer  0  0   NaN       4    0.0      1.0
    """
    lead = counts.columns[: counts.columns.get_loc("stage") + 1]
    known = counts["n_advanced"] + counts["n_lost"]
    return counts[lead].assign(**rate_columns(counts["n_advanced"], known, counts["n_open"]))


def growth_table(counts):
    """Return the factor from each stage's count to the next, for funnels whose counts may grow.

    Takes stage, n_entered; returns stage, n_entered, n_next, factor (may pass 1; NaN where nobody entered and for
    the last stage). A factor of people who bring other people is no share of a whole and has no binomial interval.

    >>> growth_table(pd.DataFrame({"stage": ["share", "spread"], "n_entered": [40, 120]}))
        stage  n_entered  n_next  factor
    0   share         40   120.0     3.0
    1  spread        120     NaN     NaN
    """
    entered = counts["n_entered"].astype("int64")
    following = entered.shift(-1)
    factor = following / entered.where(entered > 0)
    return pd.DataFrame({"stage": counts["stage"], "n_entered": entered, "n_next": following, "factor": factor})


def win_rate(deals, by=None):
    """Return won / (won + lost) of a deals table, one row or one for each value of the column `by`.

    Returns [by], n_won, n_lost, n_open, n_void, k, n, rate, low, high, floor, ceiling. Void deals are neither won
    nor lost and count nowhere else. Deals without a value of `by` form a row of their own, its value missing.

    >>> deals = pd.DataFrame({"status": ["won", "lost", "open", "won"], "team": ["N", "N", "S", "S"]})
    >>> win_rate(deals, "team")[["team", "n_won", "n_lost", "n_open", "rate"]]
      team  n_won  n_lost  n_open  rate
    0    N      1       1       0   0.5
    1    S      1       0       1   1.0
    """
    keys = [] if by is None else [by]
    flags = pd.DataFrame({f"n_{status}": deals["status"] == status for status in ("won", "lost", "open", "void")})
    if by is None:
        table = flags.sum().astype("int64").to_frame().T
    else:
        table = flags.groupby(deals[by], dropna=False, observed=True).sum().astype("int64").reset_index()
    rates = rate_columns(table["n_won"], table["n_won"] + table["n_lost"], table["n_open"])
    rates.pop("n_open")
    return table[[*keys, "n_won", "n_lost", "n_open", "n_void"]].assign(**rates)
