"""Win curves: the chance that a deal is won within so many days, from hazards drawn many times over, vectorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelkit.stats import OUT, UP, Hazards

Array = NDArray[Any]  # single precision where there are many, double elsewhere


@dataclass(frozen=True)
class Draws:
    """Hazards per day of age as drawn: `up` and `out` are (draws, stages, ages), and so is `jump`, the share of exits
    up that jump over the next stage; `share`, (draws, stages, won + 1), says to which stages they jump.

    The last `cap[stage]` of each stage stands for all later ages.
    """

    up: Array
    out: Array
    jump: Array
    share: Array
    cap: Array


def draw_hazards(hazards: Hazards, rng: np.random.Generator, n: int, horizon: int) -> Draws:
    """Draw the hazards n times and lay them out per whole day of age, `horizon` days beyond the last age group."""
    caps = np.array([int(np.ceil(hazards.longest(stage))) for stage in range(hazards.won)])
    size = int(caps.max()) + horizon + 1
    up, out, jump = (np.empty((n, hazards.won, size), np.float32) for _ in range(3))
    share = np.empty((n, hazards.won, hazards.won + 1), np.float32)
    for stage in range(hazards.won):
        rates, inside = hazards.draw(stage, rng, n), _days_inside(hazards.edges[stage], size)
        up[:, stage], out[:, stage] = rates[:, :, UP] @ inside, rates[:, :, OUT] @ inside
        jump[:, stage] = hazards.draw_jump(stage, rng, n) @ inside
        share[:, stage] = hazards.draw_share(stage, rng, n)
    return Draws(up, out, jump, share, caps)


def _days_inside(edges: Array, size: int) -> Array:
    """Return how much of each whole day of age lies in each age group, (groups, size).

    Groups begin anywhere in a day. Taking a day for its middle would lose the exits around the turn of the day, where
    they crowd when deals move in office hours.
    """
    day = np.arange(size)
    inside: Array = np.clip(np.minimum(edges[1:, None], day + 1) - np.maximum(edges[:-1, None], day), 0, 1)
    return inside


def exits_up(draws: Draws, up_factor: Array, out_factor: Array) -> tuple[Array, Array]:
    """Return (chance of leaving upwards at each day of age, chance of still being there).

    Both count from the entry into the stage. The first is (2, draws, stages, ages): to the next stage, and beyond; the
    other (draws, stages, ages). The factors, (draws, stages, 1), multiply the hazards.
    """
    up = draws.up * up_factor.astype(np.float32)
    total = up + draws.out * out_factor.astype(np.float32)
    stay = np.exp(-np.cumsum(total, axis=2, dtype=np.float32))
    before = np.concatenate([np.ones_like(stay[:, :, :1]), stay[:, :, :-1]], axis=2)
    leave = before * up / np.maximum(total, 1e-12) * -np.expm1(-total)
    beyond = leave * draws.jump
    return np.stack([leave - beyond, beyond]), before


def entry_curves(leave: Array, share: Array, horizon: int, last: Array | None = None) -> Array:
    """Return the chance of a win within 0..horizon days of entering each stage, (draws, stages, horizon + 1).

    Backwards from the last stage: leave the stage on some day, then win from the stage reached in the days left; a
    day's exits happen on average at its middle. `last` is that of the last stage where it is known otherwise.
    """
    _, n, stages, _ = leave.shape
    curve = np.zeros((n, stages + 1, horizon + 1), np.float32)
    curve[:, stages] = 1.0
    if last is not None:
        curve[:, stages - 1] = last
    for stage in reversed(range(stages - (last is not None))):
        onward = _onward(curve, share, stage)
        curve[:, stage, 1:] = sum(_convolve(leave[way, :, stage, :horizon], won) for way, won in enumerate(onward))
    return curve[:, :stages]


def _onward(curve: Array, share: Array, stage: int) -> list[Array]:
    """Return the chance of a win within j and a half days after leaving a stage to the next and beyond, (draws, days).

    Only the first of the two where nobody can jump, and both in one list.
    """
    ways = [curve[:, stage + 1]]
    if share[:, stage].any():
        ways.append(np.einsum("nd,ndh->nh", share[:, stage, stage + 2 :], curve[:, stage + 2 :]))
    return [(way[:, :-1] + way[:, 1:]).astype(float) / 2 for way in ways]


def _convolve(first: Array, second: Array) -> Array:
    """Return sum over a of first[a] second[h - a] for h = 0..size-1, row by row, by Fourier transform."""
    size = first.shape[1]
    width = 2 * size
    return np.fft.irfft(np.fft.rfft(first.astype(float), width) * np.fft.rfft(second, width), width)[:, :size]


def waiting_curves(leave: Array, stay: Array, share: Array, curves: list[Array]) -> Array:
    """Return the chance that a deal now `age` days in its stage is won by each of some ends.

    (draws, stages, ages, ends); `curves` are what `entry_curves` gives for each of the ends, in order of time.
    """
    from scipy.fft import next_fast_len

    _, n, stages, size = leave.shape
    ages = size - (curves[-1].shape[2] - 1)
    width = next_fast_len(size, real=True)  # no age and days ahead together reach beyond: nothing wraps around
    found = np.empty((n, stages, ages, len(curves)), np.float32)
    full = [np.concatenate([one, np.ones((n, 1, one.shape[2]), np.float32)], axis=1) for one in curves]
    for stage in range(stages):
        onward = [_onward(one, share, stage) for one in full]
        spectra = [np.fft.rfft(way.astype(float), width) for way in leave[: len(onward[0]), :, stage]]
        for number, ways in enumerate(onward):
            # Correlation: exits at age a + j, won from there in the end - j days that are left.
            kernels = [np.conj(np.fft.rfft(way[:, ::-1], width)) for way in ways]
            both = sum(spectrum * kernel for spectrum, kernel in zip(spectra, kernels, strict=True))
            found[:, stage, :, number] = np.fft.irfft(both, width)[:, :ages]
    found /= np.maximum(stay[:, :, :ages, None], 1e-9)
    return np.clip(found, 0, 1, out=found)


def closing_curves(up: Array, out: Array, season: Array, ends: list[int]) -> tuple[list[Array], Array]:
    """Return the chances of a win from the last stage, whose exits up follow a season of the days ahead.

    `up` and `out` are (draws, ages), `season` (draws, days). First, for each end, the chance by entering the stage so
    many days before it, (draws, end + 1); then that of the deals there now by each end, (draws, ages, ends).
    """
    horizon = int(max(ends))
    n, size = up.shape
    ages = size - horizon
    # A deal that enters in t days is one whose age is -t now: one row of ages holds those to come and those there.
    alive, won = np.ones((n, size), np.float32), np.zeros((n, size), np.float32)
    entry, now = {}, np.empty((n, ages, len(ends)), np.float32)
    for day in range(horizon):
        here = slice(horizon - day, size)
        rise = up[:, : ages + day] * season[:, day, None].astype(np.float32)
        total = rise + out[:, : ages + day]
        won[:, here] += alive[:, here] * rise / np.maximum(total, 1e-12) * -np.expm1(-total)
        alive[:, here] *= np.exp(-total)
        if day + 1 in ends:
            entry[day + 1] = won[:, horizon - day - 1 : horizon + 1].copy()
            now[:, :, ends.index(day + 1)] = won[:, horizon:]
    return [entry[end] for end in ends], now


def reach_curves(leave: Array, share: Array, entry: Array, horizon: int) -> Array:
    """Return the chance that a new deal has reached each stage within 0..horizon days, (stages + 1, horizon + 1).

    `leave` is (2, stages, ages), `share` (stages, stages + 1), `entry` the shares of the stages that deals begin in. A
    stage that is jumped over counts as reached. The last row is the win.
    """
    _, stages, _ = leave.shape
    arrive = np.zeros((stages + 1, horizon + 1))  # those who come to stand in the stage on each day
    arrive[:stages, 0] = entry
    reach = np.zeros_like(arrive)
    reach[:stages, 0] = entry[::-1].cumsum()[::-1]
    number = np.arange(stages + 1)
    for stage in range(stages):
        for way, to in zip(leave[:, stage, : horizon + 1], (number == stage + 1, share[stage]), strict=True):
            left = _convolve(way[None], arrive[None, stage])[0]
            after = np.r_[0, left[:-1]]  # who leaves within a day has left at its end, and on average at its middle
            arrive += to[:, None] * (left + after) / 2
            reach += np.where(number > stage, to[::-1].cumsum()[::-1], 0)[:, None] * after
    return reach.cumsum(axis=1)
