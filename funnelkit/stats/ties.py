"""Who leads: all that share the largest or the smallest of some values, so that a sentence names no one alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

TIE = 1e-9  # values as close as this, of their size, are the same
LAST_BITS = 1e-12  # what sums of values of the size of 1 may be off


def leaders(values: ArrayLike, *, least: bool = False) -> list[int]:
    """Return the places of all values that share the largest.

    Parameters
    ----------
    values : array_like
        NaN never leads.
    least : bool
        Look for the smallest instead.

    Returns
    -------
    list of int
        In the order of `values`; empty where no value is known.

    Examples
    --------
    >>> leaders([0.5, 0.3, 0.1 + 0.2], least=True)
    [1, 2]
    """
    found = np.asarray(values, dtype=float)
    if not (~np.isnan(found)).any():
        return []
    best = np.nanmin(found) if least else np.nanmax(found)
    places: list[int] = np.flatnonzero(np.isclose(found, best, rtol=TIE, atol=LAST_BITS)).tolist()
    return places
