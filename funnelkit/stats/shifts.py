"""Shifts: has the level of a stage's exits changed for good at some time, when, and what is it since?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from funnelkit.stats.rates import Floats

CHANGED = 0.2  # prior chance that there was a change at all
LOGIT_SCALE, PACE_SCALE = 0.8, 0.8  # standard deviations of the changes of the log odds and of the log of the pace
STEPS = np.linspace(-2.4, 2.4, 81)
PRIOR = np.concatenate([np.exp(-((STEPS / scale) ** 2) / 2) for scale in (LOGIT_SCALE, PACE_SCALE)])
PRIOR = PRIOR / PRIOR.sum()


@dataclass(frozen=True)
class Shift:
    """What is known of a change: `share` (windows,), the posterior chance that it came just before each window (first
    place: that there was none), `weight` (windows, sizes) of each size of it, `before` and `after` (windows, 2, sizes)
    the levels of exits up and out on its two sides, `path` (2, windows) their mean level in each window."""

    share: Floats
    weight: Floats
    before: Floats
    after: Floats
    path: Floats

    @property
    def chance(self) -> float:
        """Return the posterior chance of a change."""
        return float(1 - self.share[0])

    @property
    def since(self) -> int:
        """Return the window before which the change most likely came."""
        return int(self.share[1:].argmax()) + 1 if len(self.share) > 1 else 0

    def level_before(self, kind: int) -> float:
        """Return the mean level of a kind of exit before the change, where it most likely came."""
        return float(self.before[self.since, kind] @ self.weight[self.since])

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw the present levels of the exits up and out n times, (n, 2)."""
        at = rng.choice(len(self.share), size=n, p=self.share)
        size = (self.weight[at].cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(max=len(PRIOR) - 1)
        return self.after[at, :, size]


def find_shift(observed: Floats, expected: Floats) -> Shift:
    """Find out whether the level of a stage's exits changed at some time, by Bayes' rule over all times.

    Parameters
    ----------
    observed, expected : array
        (2, windows): exits up and out. What is expected must be fitted to the same windows.

    Returns
    -------
    Shift

    Notes
    -----
    Single change point (Barnard 1959). Either the odds of leaving upwards change and the pace stays, or the pace of all
    exits changes and the odds stay. Given the exits in all, those up are binomial; given the total of the history,
    those since a time are. Log likelihoods are divided by the dispersion of the series, measured on neighbouring
    windows, which a single change hardly touches: a noisy series needs more to be believed.

    Examples
    --------
    >>> up, out = np.r_[np.full(12, 20.0), np.full(6, 8.0)], np.r_[np.full(12, 20.0), np.full(6, 32.0)]
    >>> found = find_shift(np.stack([up, out]), np.stack([np.full(18, 16.0), np.full(18, 24.0)]))
    >>> found.chance > 0.9, found.since
    (True, 12)
    """
    windows = observed.shape[1]
    seen, hoped = _both_sides(observed), _both_sides(expected)
    kinds = [_odds(seen, hoped, _dispersion(_odds_residual(observed, expected))),
             _pace(seen, hoped, _dispersion(_residual(observed.sum(axis=0), expected.sum(axis=0))))]  # fmt: skip
    score, before, after = (np.concatenate(parts, axis=-1) for parts in zip(*kinds, strict=True))
    top = score.max(axis=1, keepdims=True, initial=0)
    joint = np.r_[PRIOR[None], PRIOR * np.exp(score - top)]
    total = joint.sum(axis=1)
    evidence = np.log(total) + np.r_[0.0, top[:, 0]]
    evidence += np.log(np.r_[1 - CHANGED, np.full(windows - 1, CHANGED / max(windows - 1, 1))])
    share = np.exp(evidence - evidence.max())
    share, weight = share / share.sum(), joint / total[:, None]
    before, after = (np.r_[np.ones((1, 2, len(PRIOR))), one] for one in (before, after))
    return Shift(share, weight, before, after, _path(share, weight, before, after))


def _both_sides(counts: Floats) -> Floats:
    """Return the sums before and since each window but the first, (2 sides, 2 kinds, windows - 1, 1)."""
    since = counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:, None]
    return np.stack([counts.sum(axis=1)[:, None, None] - since, since])


def _odds(seen: Floats, hoped: Floats, dispersion: float) -> tuple[Floats, Floats, Floats]:
    """Return log likelihood ratio, levels before and levels since of changes of the log odds at each time."""
    n = seen.sum(axis=1)
    late = n[1] / np.maximum(n.sum(axis=0), 1e-9)
    usual = (hoped[:, 0] + 0.25) / (hoped.sum(axis=1) + 0.5)
    score, levels = np.zeros((late.shape[0], len(STEPS))), []
    for side, step in enumerate((-late * STEPS, (1 - late) * STEPS)):
        share = 1 / (1 + (1 / usual[side] - 1) * np.exp(-step))
        score += seen[side, 0] * np.log(share / usual[side]) + seen[side, 1] * np.log((1 - share) / (1 - usual[side]))
        levels.append(np.stack([share / usual[side], (1 - share) / (1 - usual[side])], axis=1))
    return score / dispersion, levels[0], levels[1]


def _pace(seen: Floats, hoped: Floats, dispersion: float) -> tuple[Floats, Floats, Floats]:
    """Return log likelihood ratio, levels before and levels since of changes of the pace at each time."""
    factor = np.exp(STEPS)
    (before, since), (hoped_before, hoped_since) = seen.sum(axis=1), hoped.sum(axis=1)
    usual = (hoped_since + 0.25) / (hoped_before + hoped_since + 0.5)
    share = factor * usual / (factor * usual + 1 - usual)
    score = since * np.log(share / usual) + before * np.log((1 - share) / (1 - usual))
    level = 1 / (factor * usual + 1 - usual)
    levels = [np.repeat(one[:, None], 2, axis=1) for one in (level, factor * level)]
    return score / dispersion, levels[0], levels[1]


def _residual(seen: Floats, hoped: Floats) -> Floats:
    found: Floats = (seen - hoped) / np.sqrt(hoped + 0.5)
    return found


def _odds_residual(seen: Floats, hoped: Floats) -> Floats:
    n, usual = seen.sum(axis=0), (hoped[0] + 0.25) / (hoped.sum(axis=0) + 0.5)
    found: Floats = (seen[0] - n * usual) / np.sqrt(n * usual * (1 - usual) + 0.5)
    return found


def _dispersion(residual: Floats) -> float:
    """Return how many times more a series swings than by chance, at least 1; only what is beyond chance counts."""
    if len(residual) < 2:
        return 1.0
    swing = float((np.diff(residual) ** 2).mean()) / 2
    return max(1.0, swing - float(np.sqrt(3 / len(residual))))


def _path(share: Floats, weight: Floats, before: Floats, after: Floats) -> Floats:
    """Return the mean level of each kind of exit in each window: before and since each time, by its chance."""
    early, late = (np.einsum("ksp,kp->ks", one, weight)[:, :, None] for one in (before, after))
    passed = np.arange(len(share))[None] >= np.arange(len(share))[:, None]  # (time of the change, window)
    found: Floats = np.einsum("k,ksw->sw", share, np.where(passed[:, None], late, early))
    return found
