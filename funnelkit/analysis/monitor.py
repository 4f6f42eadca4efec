"""Control: is a rate's latest move a signal, or the noise it always had? Laney's p' chart with a maturity mask."""

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest, percent
from funnelkit.result import Result
from funnelkit.stats import rate_columns

SIGMAS = 3.0
MOST_BASELINE = 24
LEAST_BASELINE = 12  # with fewer the limits themselves are too uncertain to speak
OPEN_ALLOWED = 0.05  # a period is mature when at most this share of it is undecided


def control_limits(table, baseline=None):
    """Return each period's rate with the limits within which it varies when nothing has changed (Laney's p' chart).

    Takes one row a period, in order: k, n, and if known n_open (entered, not yet decided) or mature (True or False).
    The first `baseline` mature periods (by default all but the latest, at most 24) fix the centre and the spread.
    Returns the given leading columns with k, n, rate, low, high (Wilson), mature, in_baseline, centre, lower, upper
    (limits), z and signal (True, False; missing where it cannot be judged). z_i = (p_i - p) / sqrt(p (1-p) / n_i);
    sigma_z = mean |z_i - z_(i-1)| / 1.128 over the baseline, at least 1; limits p +- 3 sigma_z sqrt(p (1-p) / n_i),
    kept within 0 to 1 (Laney 2002). Periods that are not mature are shown without a verdict; with fewer than 12
    mature baseline periods there is none at all. Raises DataError on missing columns.

    >>> months = pd.DataFrame({"k": [30, 28, 33, 31, 29, 30, 32, 27, 30, 31, 29, 30, 12], "n": [100] * 13})
    >>> control_limits(months).table[["rate", "lower", "signal"]].round(3).tail(2).values.tolist()
    [[0.3, 0.163, False], [0.12, 0.163, True]]
    """
    for name in ("k", "n"):
        if name not in table.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, table.columns))
    if ((table["k"] < 0) | (table["k"] > table["n"])).any():
        raise DataError("k_above_n")
    rates = rate_columns(table["k"], table["n"], table.get("n_open", 0))
    mature = _mature(table, rates)
    size = _baseline_size(int(mature.sum()), baseline)
    in_baseline = mature & (np.cumsum(mature) <= size)
    enough = in_baseline.sum() >= LEAST_BASELINE
    centre, sigma = laney(rates["k"][in_baseline], rates["n"][in_baseline])
    lower, upper, z = limits(rates["k"], rates["n"], centre, sigma)
    outside = (rates["rate"] < lower) | (rates["rate"] > upper)
    signal = pd.array(np.where(mature & enough, outside, None), dtype="boolean")
    lead = table.drop(columns=[name for name in (*rates, "mature") if name in table.columns])
    kept = {name: rates[name] for name in ("k", "n", "rate", "low", "high", "n_open")}
    found = lead.assign(**kept, mature=mature, in_baseline=in_baseline, centre=centre, lower=lower, upper=upper)
    return Result(found.assign(z=z, signal=signal), *_reading(found.assign(signal=signal), enough, lead.columns))


def _mature(table, rates):
    """Return which periods can be judged: somebody was decided, and nearly everybody."""
    if "mature" in table.columns:
        return table["mature"].to_numpy(dtype=bool) & (rates["n"] > 0)
    return (rates["n"] > 0) & (rates["n_open"] <= OPEN_ALLOWED * (rates["n"] + rates["n_open"]))


def _baseline_size(n_mature, baseline):
    return min(n_mature - 1, MOST_BASELINE) if baseline is None else int(baseline)


def laney(k, n):
    """Return (centre, sigma_z) of the baseline; the last axis is time, so that many series go at once.

    >>> centre, sigma = laney(np.array([30, 50, 30, 50]), np.array([100, 100, 100, 100]))
    >>> round(float(centre), 2), round(float(sigma), 2)
    (0.4, 3.62)
    """
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = k.sum(axis=-1, keepdims=True) / n.sum(axis=-1, keepdims=True)
        z = (k / n - centre) / np.sqrt(centre * (1 - centre) / n)
        moves = np.abs(np.diff(z, axis=-1))
        sigma = moves.sum(axis=-1, keepdims=True) / max(moves.shape[-1], 1) / 1.128
    # The spread of a share cannot be below the binomial one: less is luck of a short baseline. So sigma is at least 1.
    return centre[..., 0], np.fmax(sigma, 1.0)[..., 0]


def limits(k, n, centre, sigma):
    """Return (lower, upper, z) of every period."""
    centre, sigma, n = np.asarray(centre)[..., None], np.asarray(sigma)[..., None], np.asarray(n, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(centre * (1 - centre) / n)
        z = (np.asarray(k) / n - centre) / (error * sigma)
    reach = SIGMAS * sigma * error
    return np.clip(centre - reach, 0, 1), np.clip(centre + reach, 0, 1), z


def _reading(table, enough, lead):
    """Return (key, values, notes): signal, no signal or too few points."""
    names = table[lead[0]].astype(str) if len(lead) else pd.Series([str(at + 1) for at in range(len(table))])
    young = names[~table["mature"].to_numpy()].tolist()
    notes = (("analysis.monitor.immature", {"periods": young}),) if young else ()
    n_baseline = int(table["in_baseline"].sum())
    if not enough:
        return "analysis.monitor.too_few", {"n": n_baseline, "least": LEAST_BASELINE}, notes
    judged = table["signal"].fillna(False).to_numpy(dtype=bool)
    fresh = ~table["in_baseline"].to_numpy() & table["mature"].to_numpy()
    values = {"centre": percent(table["centre"].iloc[0]), "n": n_baseline, "judged": int(fresh.sum())}
    unstable = names[judged & ~fresh].tolist()
    if unstable:
        notes += (("analysis.monitor.unstable", {"periods": unstable}),)
    if not (judged & fresh).any():
        return "analysis.monitor.no_signal", values, notes
    at = np.flatnonzero(judged & fresh)[0]
    row = table.iloc[at]
    below = row["rate"] < row["lower"]
    values |= {"period": names.iloc[at], "periods": names[judged & fresh].tolist()}
    values |= {"rate": percent(row["rate"]), "limit": percent(row["lower" if below else "upper"])}
    return f"analysis.monitor.{'below' if below else 'above'}", values, notes
