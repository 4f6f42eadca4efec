"""The small-sample card: its generator, the coverage of its intervals, and one way through the challenge."""

import numpy as np
import pytest
from scipy.stats import binom

from funnelkit.explore import SmallSample, draw_samples
from funnelkit.explore.draws import draws_of, uniform
from funnelkit.stats import wilson


def one_by_one(counter):
    """mulberry32 in whole numbers of Python, as published: the state is advanced, then mixed."""
    state = counter * 0x6D2B79F5 % 2**32
    mixed = (state ^ state >> 15) * (state | 1) % 2**32
    mixed ^= (mixed + (mixed ^ mixed >> 7) * (mixed | 61)) % 2**32
    return (mixed ^ mixed >> 14) % 2**32 / 2**32


def test_the_generator_is_mulberry32_and_spreads_evenly():
    places = [0, 1, 2, 3, 10**6, 2**31, 2**32 - 1, 2**33 + 5]
    assert uniform(places).tolist() == [one_by_one(place) for place in places]
    counts = np.histogram(uniform(np.arange(200_000)), 20, (0, 1))[0]
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 45, "chi-square with 19 degrees of freedom"


def test_a_longer_sample_goes_on_where_the_shorter_ended():
    short, long = draws_of(20, 0.3, 4), draws_of(500, 0.3, 4)
    assert (long[:, :20] == short).all() and not (draws_of(20, 0.3, 5) == short).all()
    assert draw_samples(7, 0.5, samples=3).groupby("sample").size().tolist() == [7, 7, 7]


@pytest.mark.parametrize("n", [20, 200])
def test_as_many_intervals_miss_as_the_binomial_distribution_says(n):
    """Over 30 draws of 100 intervals each, within four standard errors of the exact share."""
    panel, missed = SmallSample(n), 0
    for draw in range(1, 31):
        panel.state = {"draw": draw}
        missed += int(panel.samples["missed"].sum())
    low, high = wilson(np.arange(n + 1), n)
    exact = binom.pmf(np.arange(n + 1), n, 0.3)[(low > 0.3) | (high < 0.3)].sum()
    assert abs(missed / 3000 - exact) < 4 * np.sqrt(exact * (1 - exact) / 3000)


def test_on_average_over_true_rates_five_of_a_hundred_miss():
    """What the card says when it reveals: exact shares for rates from 0.5 to 99.5 %, small n and large."""
    rates = np.linspace(0.005, 0.995, 199)
    for n in (10, 20, 50, 500):
        low, high = wilson(np.arange(n + 1), n)
        left_out = (low > rates[:, None] + 1e-12) | (high < rates[:, None] - 1e-12)
        assert abs((binom.pmf(np.arange(n + 1), n, rates[:, None]) * left_out).sum(axis=1).mean() - 0.05) < 0.006


def test_the_challenge_is_met_at_one_n_only():
    panel, met, kinds = SmallSample(), [], []
    for n in [*range(5, 300, 5), *range(300, 340), *range(340, 5001, 50)]:
        panel.state = {"n": n}
        kinds.append(panel.challenge.status)
        met += [n] if panel.challenge.met else []
    assert len(met) == 1 and kinds[-1] == "outside"
    panel.state = {"n": met[0], "rate": 0.99}
    assert panel.challenge.status == "outside"
