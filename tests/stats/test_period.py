import numpy as np
import pytest

from funnelkit.stats.hazards import OPEN, Spells
from funnelkit.stats.period import period_rates
from funnelkit.stats.survival import aalen_johansen
from tests.worlds import World, draw


def lives(world, rng):
    """Return the stays of a world's deals as arrays, without reading files."""
    drawn, end = draw(world, rng), float(world.days)
    row, stage = np.nonzero(drawn["entered"][:, :4] <= end)
    start, onward = drawn["entered"][row, stage], drawn["entered"][row, stage + 1]
    stop = np.where(np.isnan(onward), drawn["closed"][row], onward)
    to = np.where(stop > end, OPEN, np.where(np.isnan(onward), 5, stage + 1))
    born = drawn["entered"][row, 0]
    return Spells(row, stage, start, start, np.minimum(stop, end), to, born, 4, end)


def one_stage(start, end, to, as_of):
    start = np.asarray(start, dtype=float)
    zeros = np.zeros(len(start), dtype=int)
    return Spells(zeros, zeros, start, start, np.asarray(end, dtype=float), np.asarray(to), start, 1, as_of)


def test_a_window_of_all_time_is_the_curve_of_all_deals():
    spells = lives(World(years=1), np.random.default_rng(1))
    found = period_rates(spells, [(-1.0, spells.as_of + 1)])[0]
    for stage in range(4):
        here = spells.stage == stage
        cause = np.where(spells.to[here] == OPEN, 0, np.where(spells.to[here] == 5, 2, 1))
        curve = aalen_johansen((spells.end - spells.start)[here], cause, 2)
        assert found.rate[stage + 1] == pytest.approx(curve.left[-1, 0], abs=1e-4)
        error = np.sqrt(found.rate[stage + 1] * (1 - found.rate[stage + 1]) / found.worth[stage + 1])
        assert error == pytest.approx(curve.left_error[-1, 0], rel=0.03)
    assert found.rate[0] == pytest.approx(found.rate[1:].prod(), abs=1e-12)
    assert found.n[1:].tolist() == [int(((spells.to != OPEN) & (spells.stage == stage)).sum()) for stage in range(4)]


def test_deals_count_from_the_age_at_which_the_window_finds_them():
    # Ten that began 20 days ago and left at 25 days of age, half of them up; ten that began in the window and stay.
    spells = one_stage([-20.0] * 10 + [1.0] * 10, [5.0] * 10 + [10.0] * 10, [1] * 5 + [2] * 5 + [OPEN] * 10, 10.0)
    found = period_rates(spells, [(0.0, 10.0)])[0]
    assert found.rate[1] == pytest.approx(0.5) and found.n[1] == 10 and found.known[1]
    # Whoever is still there as the window closes has not been at risk on the day after it, as bare dates would have it.
    early = one_stage([0.0] * 8, [3.0] * 4 + [5.0] * 4, [1] * 4 + [2] * 4, 9.0)
    assert period_rates(early, [(0.0, 3.0)])[0].n.tolist() == [0, 0]


def test_an_age_that_the_window_has_not_seen_is_that_of_the_history():
    rng = np.random.default_rng(2)
    start = np.r_[rng.uniform(0, 300, 600), 389.0]
    end = start + np.r_[rng.exponential(20, 600), 0.5]
    to = np.r_[rng.integers(1, 3, 600), 2]
    found = period_rates(one_stage(start, np.minimum(end, 400), np.where(end > 400, OPEN, to), 400.0), [(388.0, 395.0)])
    # One deal alone, lost on its first day, would end the curve at 0; the window has seen almost nothing.
    assert found[0].rate[0] == pytest.approx(0.5, abs=0.06)
    assert not found[0].known[1] and found[0].worth[0] == pytest.approx(found[0].n[0])


def test_jumps_lead_past_a_stage():
    start, born = np.zeros(100), np.repeat([0.0, -1.0], [60, 40])  # those in stage 1 began in stage 0
    stage, to = np.repeat([0, 1], [60, 40]), np.r_[[1] * 40, [2] * 20, [2] * 10, [3] * 30]
    spells = Spells(np.arange(100), stage, start, start, start + 1, to, born, 2, 5.0)
    found = period_rates(spells, [(-2.0, 5.0)])[0]
    assert found.rate[0] == pytest.approx(20 / 60 + 40 / 60 * 10 / 40)
    assert found.win[1] == pytest.approx(found.rate[0])


@pytest.mark.parametrize("histories", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_neither_quick_losses_nor_a_doubled_intake_move_the_rate(histories, capsys):
    """A month right after the intake doubles, losses three times faster than wins: truth 8 %."""
    world = World(years=1.25, loss_speed=3.0, doubled_at=426.0)
    rng, found, decided = np.random.default_rng(3), [], []
    for _ in range(histories):
        rates = period_rates(lives(world, rng), [(426.0, 456.0)])[0]
        found.append(rates.rate[0])
        decided.append(rates.k[0] / rates.n[0])
    mean, error = np.mean(found), np.std(found) / np.sqrt(histories)
    with capsys.disabled():
        print(f"\nIntake doubled: period {mean:.4f} +- {error:.4f}, decided {np.mean(decided):.4f}, truth 0.08")
    assert abs(mean - world.win_rate) < 3 * error + 0.002
    assert np.mean(decided) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("per_day", [1.0, 4.0])
def test_the_interval_of_a_months_rate_covers(per_day, capsys):
    from funnelkit.stats.rates import wilson

    world, rng, hits, known, runs = World(per_day=per_day), np.random.default_rng(4), 0, 0, 600
    for _ in range(runs):
        rates = period_rates(lives(world, rng), [(world.days - 30.0, float(world.days))])[0]
        if rates.known[0] and rates.n[0]:
            low, high = wilson(rates.rate[0] * rates.worth[0], rates.worth[0])
            known, hits = known + 1, hits + bool(low <= world.win_rate <= high)
    error = np.sqrt(0.05 * 0.95 / known)
    with capsys.disabled():
        print(
            f"\nA month at {per_day:g} deals a day: coverage {hits / known:.3f} +- {error:.3f}, known {known} of {runs}"
        )
    assert 0.95 - 3 * error <= hits / known <= 0.985
