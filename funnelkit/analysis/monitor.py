"""Control: is a rate's latest move a signal, or the noise it always had? Laney's p' chart with a maturity mask."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnelkit.analysis.shared import insight, require_columns, span
from funnelkit.language import DataError, percent, rate_text, say
from funnelkit.result import Insight, Result, table_of
from funnelkit.stats import rate_columns

SIGMAS = 3.0
MOST_BASELINE = 24
LEAST_BASELINE = 12  # with fewer the limits themselves are too uncertain to speak
OPEN_ALLOWED = 0.05  # a period is mature when at most this share of it is undecided
Reading = tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]


def control_limits(periods: Result | pd.DataFrame, baseline: int | None = None) -> Result:
    """Tell signal from noise: each period's rate with the limits within which it varies when nothing has changed.

    Parameters
    ----------
    periods : Result or DataFrame
        One row a period, in order: k, n, and if known n_open (not yet decided) or mature (True or False).
    baseline : int, optional
        How many mature periods fix centre and spread: by default all but the latest, at most 24.

    Returns
    -------
    Result
        Table: the leading columns, k, n, rate, low, high (Wilson), n_open, mature, in_baseline, centre, lower, upper
        (limits), z, signal (True, False; missing where it cannot be judged).

    Raises
    ------
    DataError
        Where k or n is missing, or k is above n.

    Notes
    -----
    Laney's p' chart (2002): z_i = (p_i - p) / sqrt(p (1-p) / n_i); sigma_z = mean |z_i - z_(i-1)| / 1.128 over the
    baseline, at least 1; limits p +- 3 sigma_z sqrt(p (1-p) / n_i), kept within 0 to 1. Periods that are not mature
    get no verdict; with fewer than 12 mature baseline periods there is none at all.

    Examples
    --------
    >>> months = pd.DataFrame({"k": [30, 28, 33, 31, 29, 30, 32, 27, 30, 31, 29, 30, 12], "n": [100] * 13})
    >>> control_limits(months).table[["rate", "lower", "signal"]].round(3).tail(2).values.tolist()
    [[0.3, 0.163, False], [0.12, 0.163, True]]
    """
    return _judge(table_of(periods), baseline)


def _judge(table: pd.DataFrame, baseline: int | None) -> Result:
    require_columns(table, ("k", "n"))
    if ((table["k"] < 0) | (table["k"] > table["n"])).any():
        raise DataError("k_above_n")
    rates = rate_columns(table["k"], table["n"], table.get("n_open", 0))
    mature = _mature(table, rates)
    size = _baseline_size(int(mature.sum()), baseline)
    in_baseline = mature & (np.cumsum(mature) <= size)
    enough = bool(in_baseline.sum() >= LEAST_BASELINE)
    centre, sigma = laney(rates["k"][in_baseline], rates["n"][in_baseline])
    lower, upper, z = control_lines(rates["k"], rates["n"], centre, sigma)
    outside = (rates["rate"] < lower) | (rates["rate"] > upper)
    signal = pd.array(pd.Series(outside, dtype="boolean").where(mature & enough))
    lead = table.drop(columns=[name for name in (*rates, "mature") if name in table.columns])
    kept = {name: rates[name] for name in ("k", "n", "rate", "low", "high", "n_open")}
    found = lead.assign(**kept, mature=mature, in_baseline=in_baseline, centre=centre, lower=lower, upper=upper)
    found = found.assign(z=z, signal=signal)
    names = lead.iloc[:, 0].astype(str) if len(lead.columns) else pd.Series([str(at + 1) for at in range(len(lead))])
    shown = partial(_for_people, [str(name) for name in lead.columns])
    findings = _findings(found, names)
    return Result(found, *_reading(found, enough, names), picture="control_chart", shown=shown, findings=findings)


def _for_people(lead: list[str], table: pd.DataFrame) -> pd.DataFrame:
    rows = table.astype({"signal": "object"}).to_dict("records")
    usual = [span(percent(row["lower"]), percent(row["upper"])) for row in rows]
    verdicts = [
        say(f"analysis.monitor.signal_{'none' if pd.isna(row['signal']) else str(bool(row['signal'])).lower()}")
        for row in rows
    ]
    return table[lead].assign(rate_now=[rate_text(row) for row in rows], usual_range=usual, signal=verdicts)


def _findings(table: pd.DataFrame, names: pd.Series[Any]) -> tuple[Insight, ...]:
    found = []
    for name, row in zip(names, table.to_dict("records"), strict=True):
        if row["signal"] is True:
            values = {
                "period": name,
                "rate": rate_text(row),
                "low": percent(row["lower"]),
                "high": percent(row["upper"]),
            }
            kind = "signal_below" if row["rate"] < row["lower"] else "signal_above"
            found.append(insight(kind, name, "analysis.monitor.outside", values, n_deals=int(row["n"])))
    return tuple(found)


def _mature(table: pd.DataFrame, rates: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which periods can be judged: somebody was decided, and nearly everybody."""
    if "mature" in table.columns:
        mature = table["mature"].to_numpy(dtype=bool)
    else:
        mature = rates["n_open"] <= OPEN_ALLOWED * (rates["n"] + rates["n_open"])
    return np.asarray(mature & (rates["n"] > 0))


def _baseline_size(n_mature: int, baseline: int | None) -> int:
    return min(n_mature - 1, MOST_BASELINE) if baseline is None else int(baseline)


def laney(successes: ArrayLike, trials: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (centre, sigma_z) of the baseline; the last axis is time, so that many series go at once.

    >>> centre, sigma = laney(np.array([30, 50, 30, 50]), np.array([100, 100, 100, 100]))
    >>> round(float(centre), 2), round(float(sigma), 2)
    (0.4, 3.62)
    """
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = k.sum(axis=-1, keepdims=True) / n.sum(axis=-1, keepdims=True)
        z = (k / n - centre) / np.sqrt(centre * (1 - centre) / n)
        moves = np.abs(np.diff(z, axis=-1))
        sigma = moves.sum(axis=-1, keepdims=True) / max(moves.shape[-1], 1) / 1.128
    # The spread of a share cannot be below the binomial one: less is luck of a short baseline. So sigma is at least 1.
    return centre[..., 0], np.fmax(sigma, 1.0)[..., 0]


def control_lines(
    successes: ArrayLike, trials: ArrayLike, centre: ArrayLike, sigma: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (lower, upper, z) of every period."""
    k, n = np.asarray(successes), np.asarray(trials, dtype=float)
    middle, spread = np.asarray(centre)[..., None], np.asarray(sigma)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(middle * (1 - middle) / n)
        z = (k / n - middle) / (error * spread)
    reach = SIGMAS * spread * error
    return np.clip(middle - reach, 0, 1), np.clip(middle + reach, 0, 1), z


def _reading(table: pd.DataFrame, enough: bool, names: pd.Series[Any]) -> Reading:
    """Return (key, values, notes): signal, no signal or too few points."""
    young = names[~table["mature"].to_numpy()].tolist()
    notes: tuple[tuple[str, dict[str, Any]], ...] = (
        (("analysis.monitor.immature", {"periods": young}),) if young else ()
    )
    n_baseline = int(table["in_baseline"].sum())
    if not enough:
        return "analysis.monitor.too_few", {"n": n_baseline, "least": LEAST_BASELINE}, notes
    judged = table["signal"].fillna(False).to_numpy(dtype=bool)
    fresh = ~table["in_baseline"].to_numpy() & table["mature"].to_numpy()
    values: dict[str, Any] = {"centre": percent(table["centre"].iloc[0]), "n": n_baseline, "judged": int(fresh.sum())}
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
