"""The sample: 2,000 invented deals of an industrial funnel, with their history."""

from __future__ import annotations

from funnelkit.language import sample_files
from funnelkit.pipeline import Pipeline
from funnelkit.reading import read


def sample() -> Pipeline:
    """Read the sample data that come with the kit.

    Returns
    -------
    Pipeline
        2,000 deals of the model industrial-8 from 2024 and 2025, with the history of their stages.

    Notes
    -----
    The files are those that `synthesize("b2b-8", 7)` writes; data/truth.json holds the truth behind them.

    Examples
    --------
    >>> len(sample().deals)
    2000
    """
    return read(*sample_files(), model="industrial-8")
