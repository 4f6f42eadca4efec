"""Ratings of products by physicians whose true means are known: invented data for positioning."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnelkit.language import say
from funnelkit.models import funnel

PRODUCTS = ("ours", "a", "b", "c")
# True mean of each product on safety, performance, appearance, convenience, economy, on a scale of 1 to 10.
MEANS = np.array(
    [[7.8, 7.2, 5.4, 8.7, 4.3], [6.3, 7.7, 8.2, 4.6, 5.2], [8.5, 5.4, 6.5, 5.9, 6.7], [6.1, 5.9, 4.8, 5.3, 8.4]]
)
SPREAD = 1.4


def rate_products(seed: int = 0, n_raters: int = 30) -> pd.DataFrame:
    """Generate what invented physicians say of four products.

    Parameters
    ----------
    seed : int
        Above 0 it moves the true means too, so that every learner has other products.
    n_raters : int

    Returns
    -------
    DataFrame
        rater, product, attribute (the five of SPACE, in the language in force), rating (1 to 10).

    Notes
    -----
    Each rating is the product's true mean and a normal error of 1.4 points, rounded and held to the scale.

    Examples
    --------
    >>> rate_products(n_raters=2).shape
    (40, 4)
    """
    rng = np.random.default_rng(seed)
    means = MEANS + (rng.normal(0, 1.0, MEANS.shape) if seed else 0)
    drawn = rng.normal(means, SPREAD, (n_raters, *MEANS.shape))
    names = [say(f"course.walks.product_{name}") for name in PRODUCTS]
    attributes = [str(item.name) for item in funnel("pharma").topic("space").items]
    index = pd.MultiIndex.from_product(
        [range(1, n_raters + 1), names, attributes], names=["rater", "product", "attribute"]
    )
    ratings = np.clip(np.rint(drawn), 1, 10).astype(int).ravel()
    return pd.DataFrame({"rating": ratings}, index=index).reset_index()
