"""Levels: how much results of equal windows of time have swung around what was expected, and how the next may."""

import numpy as np

SPREADS = np.array([0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7])
NOISE_SCALE, DRIFT_SCALE = 0.15, 0.10  # scales of the half-normal priors of noise and drift (log scale, per window)
NONE = 0.5  # prior chance that there is no noise, and that there is no drift
PRIOR_SERIES = 1.0
WINDOW_DAYS, LEAST_WINDOWS = 91, 8
CONCENTRATIONS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096], float)


def draw_level(observed, expected, ahead, rng, n):
    """Draw n factors on what is expected of the next `ahead` windows together, from the swings of past windows.

    Local-level model on y = log((O + 0.5) / (E + 0.5)), whose chance part has the variance 1 / (E + 0.5): the level
    drifts from window to window (random walk) and each window has noise of its own. Both spreads are unknown: their
    posterior on a grid, half of its prior on "none", is carried into the draws (Harvey 1989, chapter 4). Over k
    windows the noise averages out to 1 / k of its variance, the drift adds up to (k + 1) (2k + 1) / 6k. What is
    expected must be fitted to the same windows; its own uncertainty is not in the draws.
    """
    noise, drift = (part.ravel() for part in np.meshgrid(SPREADS, SPREADS, indexing="ij"))
    prior = _log_prior(noise, NOISE_SCALE) + _log_prior(drift, DRIFT_SCALE)
    score, level, variance = _filter(observed, expected, noise, drift)
    return _draw(_share(prior + score), (level, variance, noise, drift), ahead, rng, n)


def draw_own_levels(observed, expected, ahead, rng, n):
    """Draw n factors for each of several series (rows), whose levels drift apart; returns (series, n).

    As `draw_level` without noise. How likely a drift of each size is, is learned from all series together (empirical
    Bayes by a few steps of expectation-maximisation; the prior weighs as much as one series), so that many steady
    series make each other sure, and one that drifts is still followed.
    """
    none, prior = np.zeros_like(SPREADS), np.exp(_log_prior(SPREADS, DRIFT_SCALE))
    fits = [_filter(*pair, none, SPREADS) for pair in zip(observed, expected, strict=True)]
    mix = prior
    for _ in range(30):
        mix = (PRIOR_SERIES * prior + sum(_share(np.log(mix) + fit[0]) for fit in fits)) / (PRIOR_SERIES + len(fits))
    return np.array([
        _draw(_share(np.log(mix) + score), (level, variance, none, SPREADS), ahead, rng, n)
        for score, level, variance in fits
    ])  # fmt: skip


def _filter(observed, expected, noise, drift):
    """Return (log likelihood, level, variance) of every pair of spreads after the past windows (Kalman filter)."""
    # What is expected was fitted to the same windows: where nothing drifts the level is 1, and where it drifts it
    # began as far from that as a random walk does from its mean. A start of its own would count the uncertainty of the
    # fit a second time.
    score, level, variance = np.zeros_like(noise), np.zeros_like(noise), drift**2 * len(observed) / 3
    for seen, hoped in zip(observed, expected, strict=True):
        variance = variance + drift**2
        miss = np.log((seen + 0.5) / (hoped + 0.5)) - level
        total = variance + noise**2 + 1 / (hoped + 0.5)
        score -= (np.log(total) + miss**2 / total) / 2
        level, variance = level + variance / total * miss, variance * (1 - variance / total)
    return score, level, variance


def _share(log_weight):
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()


def _draw(share, state, ahead, rng, n):
    """Draw the factor of the next `ahead` windows from states weighed by `share`."""
    level, variance, noise, drift = state
    pick, k = rng.choice(len(share), size=n, p=share), max(ahead, 1.0)
    spread = np.sqrt(variance + drift**2 * (k + 1) * (2 * k + 1) / (6 * k) + noise**2 / k)[pick]
    return np.exp(level[pick] + spread * rng.standard_normal(n))


def _log_prior(spread, scale):
    """Return the log prior of each spread: NONE on 0, the rest half-normal on the grid's other values."""
    shape = -((spread / scale) ** 2) / 2
    rest = np.exp(-((SPREADS[1:] / scale) ** 2) / 2).sum()
    return np.where(spread == 0, np.log(NONE), np.log(1 - NONE) - np.log(rest) + shape)


def draw_ratios(observed, expected, rng, n):
    """Draw n times the ratio of true to expected of each group, drawn towards 1 as far as the groups are alike.

    Ratio ~ Gamma(c, c), observed ~ Poisson(ratio * expected); the concentration c has the highest marginal likelihood
    of a grid (empirical Bayes). Returns (n, groups).
    """
    seen, hoped = np.asarray(observed, float), np.asarray(expected, float)
    best = _concentration(seen, hoped)
    return rng.standard_gamma(best + seen, size=(n, len(seen))) / (best + hoped)


def mean_ratios(observed, expected):
    """Return the mean of what `draw_ratios` draws, (groups,)."""
    best = _concentration(observed, expected)
    return (best + observed) / (best + expected)


def draw_nested_ratios(observed, expected, rng, n):
    """Draw n times the ratios of groups in several rows, (rows, groups); returns (n, rows, groups).

    A group's ratio over all rows times the row's own, which is drawn towards 1 as far as the rows are alike.
    """
    total = observed.sum(axis=0), expected.sum(axis=0)
    group = draw_ratios(*total, rng, n)[:, None]
    best = _concentration(observed.ravel(), (mean_ratios(*total) * expected).ravel())
    return group * rng.standard_gamma(best + observed, size=(n, *observed.shape)) / (best + group * expected)


def mean_nested_ratios(observed, expected):
    """Return about the mean of what `draw_nested_ratios` draws, (rows, groups)."""
    group = mean_ratios(observed.sum(axis=0), expected.sum(axis=0))
    return group * mean_ratios(observed.ravel(), (group * expected).ravel()).reshape(observed.shape)


def _concentration(seen, hoped):
    """Return the concentration of the grid that makes the ratios seen likeliest."""
    from scipy.special import gammaln

    grid, hoped = CONCENTRATIONS[:, None], np.maximum(hoped, 1e-9)
    fit = (
        gammaln(grid + seen)
        - gammaln(grid)
        + grid * np.log(grid / (grid + hoped))
        + seen * np.log(hoped / (grid + hoped))
    )
    return CONCENTRATIONS[fit.sum(axis=1).argmax()]


def windows(first, as_of, horizon):
    """Return the edges of equal windows that end at `as_of` and do not begin before `first`, in order of time.

    As long as `horizon` days, but never longer than a quarter or an eighth of the span, so that swings can be seen.
    """
    span = max(as_of - first, 1.0)
    length = min(horizon, max(WINDOW_DAYS, 1), span / LEAST_WINDOWS)
    return as_of - length * np.arange(int(span / length + 1e-9), -1, -1)
