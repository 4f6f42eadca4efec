"""Which attributes go with conversion: odds ratios with their false discovery rate."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.conversion import require_attribute
from funnelkit.events.engine.arrays import Array
from funnelkit.events.journeys import Journeys, as_journeys
from funnelkit.events.search import Later
from funnelkit.language import number
from funnelkit.result import Result
from funnelkit.stats import LEVEL, leaders

FALSE_SHARE = 0.05  # of the rows that are called clear, so many are expected to be chance


def attribute_odds(found: Journeys, attributes: str | Sequence[str], level: float = LEVEL) -> Result:
    """Compare the odds of conversion between those with a value of an attribute and all others.

    Parameters
    ----------
    found : Journeys, what `journeys` found with these attributes
    attributes : str or list of str
    level : float, of the intervals

    Returns
    -------
    Result
        Table: attribute, value, k, n (converted, of how many with the value), k_other, n_other, odds_ratio, low, high,
        p_value, q_value; the clearest first.

    Raises
    ------
    DataError
        Where `found` holds no such attribute.

    Notes
    -----
    Only entities that have had their whole window by the as-of date count, all without a window. Odds ratio of the
    two-by-two table with 1/2 added to each cell (Haldane-Anscombe), Woolf's interval on its logarithm; q_value is
    Benjamini and Hochberg's (1995) over all rows: among the rows with q_value below 0.05 about 5 % are expected to be
    chance. An association is no cause.

    Examples
    --------
    >>> from funnelkit.events import journeys
    >>> log = pd.DataFrame({"deal_id": [1, 1, 2], "stage": ["A", "B", "A"], "team": ["N", "N", "S"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-02"])})
    >>> found = journeys(log, ["A", "B"], attributes=["team"])
    >>> attribute_odds(found, "team").table[["value", "k", "n", "odds_ratio"]].round(2)
      value  k  n  odds_ratio
    0     N  1  1        9.00
    1     S  0  1        0.11
    """
    return _odds_of(as_journeys(found), [attributes] if isinstance(attributes, str) else attributes, level)


def _odds_of(found: Journeys, attributes: Sequence[str], level: float) -> Result:
    table = _table(found, attributes, level)
    notes: list[tuple[str, dict[str, Any]]] = [("events.odds.no_cause", {})]
    shown = ["attribute", "value", "k", "n", "odds_ratio", "q_value"]
    names = {"value": "attribute_value", "k": "n_converted"}
    picture = "odds_chart" if table["odds_ratio"].notna().any() else ""
    return Result(table, *_read(table), notes, picture=picture, shown=shown, names=names)


def _table(found: Journeys, attributes: Sequence[str], level: float) -> pd.DataFrame:
    table = found.matured
    through = (table["depth"] == len(found.steps)).to_numpy()
    rows = []
    for name in attributes:
        require_attribute(table, name)
        values = table[name].astype("object").where(table[name].notna(), "").to_numpy()
        for value in sorted(set(values), key=str):
            has = values == value
            cells = (int(through[has].sum()), int(has.sum()), int(through[~has].sum()), int((~has).sum()))
            rows.append({"attribute": name, "value": value, **_odds(cells, level)})
    columns = ["attribute", "value", "k", "n", "k_other", "n_other", "odds_ratio", "low", "high", "p_value"]
    odds = pd.DataFrame(rows, columns=columns)
    odds["q_value"] = benjamini_hochberg(odds["p_value"].to_numpy(dtype=float))
    return odds.sort_values(["q_value", "p_value"], ignore_index=True)


def _read(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """Return the sentence on how many differ beyond chance, and on the clearest."""
    if not table[["n", "n_other"]].to_numpy().any():
        return "events.count.no_rates", {}
    values: dict[str, Any] = {"n": len(table), "n_clear": int((table["q_value"] < FALSE_SHARE).sum())}
    if not (table["q_value"] < FALSE_SHARE).any():
        return "events.odds.none", values
    apart = np.abs(np.log(table["odds_ratio"])) / np.log(table["high"] / table["low"])  # p-values end at 0
    tied = table.iloc[leaders(apart)]
    row = tied.iloc[0]
    pairs = tied[["attribute", "k", "n", "k_other", "n_other"]].to_numpy().tolist()
    alike = pd.Series([(name, *sorted([(k, n), (k_other, n_other)])) for name, k, n, k_other, n_other in pairs])
    others = tied[~alike.duplicated().to_numpy()]  # the other of two values tells the same difference
    if len(others) > 1:
        return "events.odds.found_tied", values | {
            "values": [f"{name} {value}" for name, value in zip(others["attribute"], others["value"], strict=True)]
        }
    values |= {"attribute": str(row["attribute"]), "value": str(row["value"])}
    return "events.odds.found", values | {name: Later(number, row[name], 2) for name in ("odds_ratio", "low", "high")}


def _odds(cells: tuple[int, int, int, int], level: float) -> dict[str, Any]:
    k, n, k_other, n_other = cells
    if not n or not n_other:
        ratio, low, high, p = (np.nan,) * 4
    else:
        a, b, c, d = (cell + 0.5 for cell in (k, n - k, k_other, n_other - k_other))
        log_ratio, error = np.log(a * d / (b * c)), np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        z = NormalDist().inv_cdf((1 + level) / 2)
        ratio, low, high = (float(np.exp(log_ratio + side * z * error)) for side in (0, -1, 1))
        p = 2 * (1 - NormalDist().cdf(abs(log_ratio) / error))
    return {"k": k, "n": n, "k_other": k_other, "n_other": n_other, "odds_ratio": ratio, "low": low, "high": high} | {
        "p_value": p
    }


def benjamini_hochberg(p: Array) -> Array:
    """Return the adjusted p values that hold the false discovery rate; NaN stays and is not counted.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    adjusted, known = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")[::-1]]
    scale = len(known) / np.arange(len(known), 0, -1)
    adjusted[order] = np.minimum.accumulate(np.minimum(p[order] * scale, 1.0))
    return adjusted
