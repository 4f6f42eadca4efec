"""Small event logs: lives of named events by day, and exponential ones whose truth is known."""

import numpy as np
import pandas as pd

from funnelkit.events.log import LogColumns

COLUMNS = LogColumns("who", "what", "moment")
START = pd.Timestamp("2026-01-01")


def make(*lives, **attributes):
    """Return a log: each life is a list of (day, event)."""
    rows = [(who, name, START + pd.Timedelta(days=day)) for who, life in enumerate(lives) for day, name in life]
    log = pd.DataFrame(rows, columns=["who", "what", "moment"])
    return log.assign(**{name: [values[who] for who in log["who"]] for name, values in attributes.items()})


def exponential(rng, n, rates, days):
    """Return a log of n entities that make each step with its rate after exponential times of that mean."""
    at, alive, parts = rng.uniform(0, 300, n), np.ones(n, bool), []
    for place, (rate, mean) in enumerate(zip([1.0, *rates], [0, *days], strict=True)):
        alive &= rng.random(n) < rate
        at = at + rng.exponential(mean, n) if mean else at
        moment = START + pd.to_timedelta(at[alive], unit="D")
        parts.append(pd.DataFrame({"who": np.flatnonzero(alive), "what": "ABC"[place], "moment": moment}))
    return pd.concat(parts, ignore_index=True)
