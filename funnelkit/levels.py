"""Levels: how much results of equal windows of time have swung around what was expected, and how the next may."""

import numpy as np

SPREADS = np.array([0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7])
NOISE_SCALE, DRIFT_SCALE = 0.15, 0.10  # scales of the half-normal priors of noise and drift (log scale, per window)
START_SPREAD = 0.5
CONCENTRATIONS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096], float)


def draw_level(observed, expected, rng, n, noise_scale=NOISE_SCALE):
    """Draw n factors on what is expected of the next window, from the swings of past windows in order of time.

    Local-level model on y = log((O + 0.5) / (E + 0.5)), whose chance part has the variance 1 / (E + 0.5): the level
    drifts from window to window (random walk) and each window has noise of its own. Both spreads are unknown: their
    posterior on a grid, under half-normal priors, is carried into the draws (Harvey 1989, chapter 4).
    """
    noise, drift = (part.ravel() for part in np.meshgrid(SPREADS, SPREADS, indexing="ij"))
    score = -((noise / max(noise_scale, 1e-9)) ** 2 + (drift / DRIFT_SCALE) ** 2) / 2
    level, variance = np.zeros_like(noise), np.full_like(noise, START_SPREAD**2)
    for seen, hoped in zip(observed, expected, strict=True):
        variance = variance + drift**2
        miss = np.log((seen + 0.5) / (hoped + 0.5)) - level
        total = variance + noise**2 + 1 / (hoped + 0.5)
        score -= (np.log(total) + miss**2 / total) / 2
        level, variance = level + variance / total * miss, variance * (1 - variance / total)
    weight = np.exp(score - score.max())
    pick = rng.choice(len(weight), size=n, p=weight / weight.sum())
    spread = np.sqrt(variance + drift**2 + noise**2)[pick]
    return np.exp(level[pick] + spread * rng.standard_normal(n))


def draw_ratios(observed, expected, rng, n):
    """Draw n times the ratio of true to expected of each group, drawn towards 1 as far as the groups are alike.

    Ratio ~ Gamma(c, c), observed ~ Poisson(ratio * expected); the concentration c has the highest marginal likelihood
    of a grid (empirical Bayes). Returns (n, groups).
    """
    from scipy.special import gammaln

    seen, hoped = np.asarray(observed, float), np.maximum(np.asarray(expected, float), 1e-9)
    grid = CONCENTRATIONS[:, None]
    fit = (
        gammaln(grid + seen)
        - gammaln(grid)
        + grid * np.log(grid / (grid + hoped))
        + seen * np.log(hoped / (grid + hoped))
    )
    best = CONCENTRATIONS[fit.sum(axis=1).argmax()]
    return rng.standard_gamma(best + seen, size=(n, len(seen))) / (best + hoped)


def windows(first, as_of, length, least=4):
    """Return the edges of equal windows that end at `as_of` and do not begin before `first`, in order of time.

    Windows are as long as `length` days, or shorter where fewer than `least` of that length fit.
    """
    span = max(as_of - first, 1.0)
    length = min(length, span / least)
    return as_of - length * np.arange(int(span / length + 1e-9), -1, -1)
