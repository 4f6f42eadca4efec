"""Win curves: the chance that a deal is won within so many days, from hazards drawn many times over, vectorised."""

from dataclasses import dataclass

import numpy as np

from funnelkit.hazard import OUT, UP


@dataclass(frozen=True)
class Draws:
    """Hazards per day of age as drawn: `up` and `out` are (draws, stages, ages), `share` (draws, stages, won + 1).

    The last `cap[stage]` of each stage stands for all later ages.
    """

    up: np.ndarray
    out: np.ndarray
    share: np.ndarray
    cap: np.ndarray


def draw_hazards(hazards, rng, n, horizon):
    """Draw the hazards n times and lay them out per whole day of age, `horizon` days beyond the last age group."""
    caps = np.array([int(np.ceil(hazards.longest(stage))) for stage in range(hazards.won)])
    size = int(caps.max()) + horizon + 1
    up, out = (np.empty((n, hazards.won, size), np.float32) for _ in range(2))
    share = np.empty((n, hazards.won, hazards.won + 1), np.float32)
    for stage in range(hazards.won):
        rates = hazards.draw(stage, rng, n)
        group = np.searchsorted(hazards.edges[stage], np.arange(size) + 0.5, side="right") - 1
        up[:, stage], out[:, stage] = rates[:, group, UP], rates[:, group, OUT]
        share[:, stage] = hazards.draw_share(stage, rng, n)
    return Draws(up, out, share, caps)


def exits_up(draws, up_factor, out_factor):
    """Return (chance of leaving upwards at each day of age, chance of still being there), (draws, stages, ages).

    Both count from the entry into the stage. The factors, (draws, stages, 1), multiply the hazards.
    """
    up = draws.up * up_factor.astype(np.float32)
    total = up + draws.out * out_factor.astype(np.float32)
    stay = np.exp(-np.cumsum(total, axis=2, dtype=np.float32))
    before = np.concatenate([np.ones_like(stay[:, :, :1]), stay[:, :, :-1]], axis=2)
    return before * up / np.maximum(total, 1e-12) * -np.expm1(-total), before


def entry_curves(leave, share, horizon):
    """Return the chance of a win within 0..horizon days of entering each stage, (draws, stages, horizon + 1).

    Backwards from the last stage: leave the stage on some day, then win from the stage reached in the days left; a
    day's exits happen on average at its middle.
    """
    n, stages, _ = leave.shape
    curve = np.zeros((n, stages + 1, horizon + 1), np.float32)
    curve[:, stages] = 1.0
    for stage in reversed(range(stages)):
        onward = _onward(curve, share, stage)
        curve[:, stage, 1:] = _convolve(leave[:, stage, :horizon], onward)
    return curve[:, :stages]


def _onward(curve, share, stage):
    """Return the chance of a win within j and a half days after leaving a stage upwards, (draws, horizon)."""
    mixed = np.einsum("nd,ndh->nh", share[:, stage, stage + 1 :], curve[:, stage + 1 :])
    return (mixed[:, :-1] + mixed[:, 1:]).astype(float) / 2


def _convolve(first, second):
    """Return sum over a of first[a] second[h - a] for h = 0..size-1, row by row, by Fourier transform."""
    size = first.shape[1]
    width = 2 * size
    return np.fft.irfft(np.fft.rfft(first.astype(float), width) * np.fft.rfft(second, width), width)[:, :size]


def waiting_curves(leave, stay, share, curve, ends):
    """Return the chance that a deal now `age` days in its stage is won within each of `ends` days.

    (draws, stages, ages, ends); `curve` is what `entry_curves` gave for a horizon of at least max(ends).
    """
    n, stages, size = leave.shape
    horizon = curve.shape[2] - 1
    full = np.concatenate([curve, np.ones((n, 1, horizon + 1), np.float32)], axis=1)
    ages = size - horizon
    width = int(2 ** np.ceil(np.log2(size + horizon)))
    found = np.empty((n, stages, ages, len(ends)), np.float32)
    for stage in range(stages):
        onward = _onward(full, share, stage)
        spectrum = np.fft.rfft(leave[:, stage].astype(float), width)
        for number, end in enumerate(ends):
            # Correlation: exits at age a + j, won from there in the end - j days that are left.
            kernel = np.conj(np.fft.rfft(onward[:, :end][:, ::-1], width))
            found[:, stage, :, number] = np.fft.irfft(spectrum * kernel, width)[:, :ages]
    found /= np.maximum(stay[:, :, :ages, None], 1e-9)
    return np.clip(found, 0, 1, out=found)


def reach_curves(leave, share, entry, horizon):
    """Return the chance that a new deal has reached each stage within 0..horizon days, (stages + 1, horizon + 1).

    `leave` is (stages, ages), `share` (stages, stages + 1), `entry` the shares of the stages that deals begin in. A
    stage that is jumped over counts as reached. The last row is the win.
    """
    stages = len(leave)
    arrive = np.zeros((stages + 1, horizon + 1))  # those who come to stand in the stage on each day
    arrive[:stages, 0] = entry
    reach = np.zeros_like(arrive)
    reach[:stages, 0] = entry[::-1].cumsum()[::-1]
    for stage in range(stages):
        left = _convolve(leave[None, stage, : horizon + 1], arrive[None, stage])[0]
        after = np.r_[0, left[:-1]]  # who leaves within a day has left at its end, and on average at its middle
        arrive += share[stage][:, None] * (left + after) / 2
        onward = np.where(np.arange(stages + 1) > stage, share[stage][::-1].cumsum()[::-1], 0)
        reach += onward[:, None] * after
    return reach.cumsum(axis=1)
