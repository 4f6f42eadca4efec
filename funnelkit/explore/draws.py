"""Seeded draws that the browser repeats to the last bit: for teaching; no figure of a report rests on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

LONGEST = 1 << 14  # draws that a sample may take: each has a stretch of its own, so that a longer one only goes on
SAMPLES = 100


def uniform(counter: ArrayLike) -> NDArray[np.float64]:
    """Return the numbers of mulberry32 at these places of its sequence, in [0, 1)."""
    state = (np.asarray(counter, dtype=np.uint64) * 0x6D2B79F5 & 0xFFFFFFFF).astype(np.uint32)
    mixed = (state ^ (state >> 15)) * (state | 1)
    mixed ^= mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)
    found: NDArray[np.float64] = (mixed ^ (mixed >> 14)) / 2.0**32
    return found


def draws_of(n: float, rate: float, draw: float, samples: int = SAMPLES) -> NDArray[np.bool_]:
    """Return which of `n` cases succeed, (samples, n), in the `draw`-th set of samples."""
    start = (round(draw) * SAMPLES + np.arange(samples)) * LONGEST
    return uniform(start[:, None] + np.arange(round(n))) < rate


def draw_samples(n: float, rate: float, *, draw: float = 1, samples: int = SAMPLES) -> pd.DataFrame:
    """Draw samples of decided deals from one true win rate, the same ones as the card `SmallSample`.

    Parameters
    ----------
    n : int
        Deals in each sample, at most 16,384.
    rate : float
        True win rate.
    draw : int
        Which draw: the same number gives the same deals.
    samples : int
        How many samples.

    Returns
    -------
    DataFrame
        One row per deal: sample (1, 2, ...), status (won, lost).

    Notes
    -----
    mulberry32, a generator with a counter for its state: good enough to teach with, not for simulation.

    Examples
    --------
    >>> draw_samples(3, 0.5, samples=2)["status"].tolist()
    ['lost', 'lost', 'lost', 'lost', 'lost', 'won']
    """
    won = draws_of(n, rate, draw, samples)
    status: Any = np.where(won.ravel(), "won", "lost")
    return pd.DataFrame({"sample": np.repeat(np.arange(1, samples + 1), won.shape[1]), "status": status})
