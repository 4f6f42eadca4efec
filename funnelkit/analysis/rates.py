"""Promotion rates, growth factors and win rates as tables: one row a stage or segment, always with its n."""

import pandas as pd

from funnelkit.stats import rate_columns


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
