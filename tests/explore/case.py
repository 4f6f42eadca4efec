"""What a test needs to know of an explorable."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Case:
    """`make()` gives the card that the browser tests look at; `states(rng, n)` yields cards at random states.

    `expected(card)` is {key of the module's `compute`: Python's value}; `solution` solves the challenge of `make()`;
    `verb` is what the copied Python calls, `space()` the names that it takes as known; `tolerance` is absolute, for
    what a decomposition leaves open.
    """

    make: Callable
    states: Callable
    expected: Callable
    solution: dict
    verb: str
    tolerance: float = 1e-300
    space: Callable = dict


def whatever(values):
    """Return numbers as JSON holds them: None for what is not a number."""
    return [None if pd.isna(value) else float(value) for value in np.ravel(values)]
