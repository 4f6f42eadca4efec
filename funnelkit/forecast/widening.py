"""Widening: a forecast's band made as wide as its own past misses say, little by little as the record grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.result import Result, table_of

Array = NDArray[np.float64]
PROMISED = 16  # periods in which the band is taken to have held as promised, beside those of the record
FARTHEST = 5.0  # a miss counts as no more than this many half bands
BAND = 0.8


def band_factor(record: Result | pd.DataFrame, measure: str) -> tuple[float, int, int]:
    """Return by how much to widen the bands of a measure, at least 1, and how many of how many periods were held.

    Conformal prediction (Vovk, Gammerman and Shafer 2005): each past miss is measured in half widths of its own 80 %
    band, and the band is widened to the 80 % quantile of these. Few periods say little of a quantile, so 16 that went
    as a normal distribution promises stand beside them.
    """
    from scipy.special import ndtri

    table = table_of(record)
    rows = table[(table["part"] == "total") & (table["measure"] == measure) & (table["method"] == "forecast")]
    actual, median, low, high = rows[["actual", "median", "low_80", "high_80"]].to_numpy(dtype=float).T
    reach = np.where(actual >= median, high - median, median - low)
    miss = np.abs(actual - median)
    past = np.minimum(np.divide(miss, reach, where=reach > 0, out=np.where(miss > 0, FARTHEST, 0.0)), FARTHEST)
    promised = ndtri(0.5 + (np.arange(PROMISED) + 0.5) / PROMISED / 2) / ndtri((1 + BAND) / 2)
    return max(1.0, float(np.quantile(np.r_[past, promised], BAND))), int((past <= 1).sum()), len(past)


def widen(paths: dict[str, dict[str, Array]], record: Any) -> dict[str, tuple[float, int, int]]:
    """Widen the paths of all measures in place around the median of the total; return the factors by measure.

    All parts and periods of a path grow or shrink alike, so that parts still sum.
    """
    found = {measure: band_factor(record, measure) for measure in paths["total"]}
    for measure, (factor, _, _) in found.items():
        whole = paths["total"][measure].sum(axis=1)
        middle = np.median(whole)
        wished = np.maximum(middle + factor * (whole - middle), 0)
        scale = np.divide(wished, whole, where=whole > 0, out=np.ones_like(whole))[:, None]
        for part in paths.values():
            part[measure] = part[measure] * scale
    return found
