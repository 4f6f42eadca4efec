"""Shifts: a change of level is found with its time and size, and steady series stay quiet."""

import numpy as np
import pytest

from funnelkit.stats.shifts import find_shift


def fitted(rng, level):
    """Return counts of mean `level` (series, windows) and what a fit to their total expects."""
    seen = rng.poisson(level).astype(float)
    return seen, np.repeat(seen.mean(axis=1, keepdims=True), seen.shape[1], axis=1)


def test_a_fall_is_found_and_the_level_since_is_right():
    rng = np.random.default_rng(1)
    level = np.array([[30.0] * 18 + [15.0] * 6, [30.0] * 18 + [45.0] * 6])
    chances, since, up = [], [], []
    for _ in range(40):
        seen, hoped = fitted(rng, level)
        found = find_shift(seen, hoped)
        chances.append(found.chance)
        since.append(found.since)
        up.append(found.draw(rng, 500).mean(axis=0) * hoped[:, 0])
    assert np.mean(np.array(chances) > 0.9) > 0.95
    assert np.median(since) == 18
    assert np.mean(up, axis=0) == pytest.approx([15, 45], rel=0.1)


def test_steady_series_have_no_shift_and_noisy_ones_hardly():
    rng = np.random.default_rng(2)
    steady = [find_shift(*fitted(rng, np.full((2, 24), 10.0))).chance for _ in range(200)]
    noise = [np.full((2, 24), 30.0) * rng.gamma(10, 0.1, (2, 24)) for _ in range(200)]
    noisy = [find_shift(*fitted(rng, level)).chance for level in noise]
    steady, noisy = (np.mean(np.array(one) > 0.5) for one in (steady, noisy))
    print(f"\nof 200 series a shift is held likely in {steady:.3f}, of 200 noisy ones in {noisy:.3f}")
    assert steady <= 0.03
    assert noisy <= 0.1


def test_one_window_and_no_exits_are_no_error():
    for windows in (1, 2, 8):
        found = find_shift(np.zeros((2, windows)), np.zeros((2, windows)))
        assert found.chance <= 0.3
        assert found.path == pytest.approx(np.ones((2, windows)), rel=0.3)
        assert np.isfinite(found.draw(np.random.default_rng(1), 5)).all()
