"""Stages watched in worlds with a known truth: few false alarms, and what breaks is found where it breaks."""

import numpy as np
import pytest

from funnelkit.stats.cusum import ALARMS, FALL, watch
from funnelkit.stats.hazards import OPEN, Spells
from funnelkit.stats.monitoring import AIMED_AT_STAGES, EVERY, PACE, PROMOTION, stage_flows
from tests.worlds import World, draw

# 8 % are won, 70 a month are decided; two years of baseline, one that is watched.
COMPANY = World(years=3.0, per_day=2.3)


def spells(world, rng):
    """Return the stays of a world's deals, without the detour over tables."""
    lives, now, rows = draw(world, rng), float(world.days), []
    entered, won = lives["entered"], len(world.advance)
    for stage in range(won):
        begun = np.flatnonzero(entered[:, stage] <= now)
        start, onward = entered[begun, stage], entered[begun, stage + 1]
        end = np.where(np.isnan(onward), lives["closed"][begun], onward)
        to = np.where(end > now, OPEN, np.where(np.isnan(onward), won + 1, stage + 1))
        rows.append((begun, np.full(len(begun), stage), start, start, np.minimum(end, now), to, entered[begun, 0]))
    return Spells(*(np.concatenate(parts) for parts in zip(*rows, strict=True)), won=won, as_of=now)


def signals(world, seed):
    """Return (stage, measure, side) of the signals that stand, and whether anything alarmed within the year."""
    rng = np.random.default_rng(seed)
    flows = stage_flows(spells(world, rng))
    signal = watch(flows.watched, rng, draws=1000, aimed=AIMED_AT_STAGES).signal & flows.enough[None, :, None]
    side, series = np.nonzero(signal[:, :, -1])
    return set(zip(flows.stage[series], flows.measure[series], side, strict=True)), signal.any()


STEADY_WORLDS = {
    "constant": COMPANY,
    "8 a day": COMPANY.but(per_day=8.0),
    "two years": World(),
    "shape 0.7": COMPANY.but(shape=0.7),
    "shape 3": COMPANY.but(shape=3.0),
    "seasonal": COMPANY.but(season=0.5),
    "growing": COMPANY.but(growth=3.0),
    "quarter end": COMPANY.but(quarter_end=0.7),
    "zombies": COMPANY.but(zombie=0.15),
    "back-filled": COMPANY.but(backfill=0.5),
    "losses faster": COMPANY.but(loss_speed=3.0),
    "amounts": COMPANY.but(amount_odds=(0.30, 0.12, 0.06, 0.03)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STEADY_WORLDS)
def test_worlds_without_a_change_raise_few_alarms(name, capsys):
    runs = 100
    false = [signals(STEADY_WORLDS[name], seed)[1] for seed in range(runs)]
    error = np.sqrt(0.05 * 0.95 / runs)
    with capsys.disabled():
        print(f"\nNothing changes, {name}: an alarm in a year in {sum(false)} of {runs} (standard error {error:.3f})")
    assert np.mean(false) <= ALARMS + 2 * error


def fall(stage, factor, days):
    return COMPANY.but(fall=(stage, factor, COMPANY.days - days)), (stage, PROMOTION, FALL)


def slow(stage):
    return COMPANY.but(slow=(stage, 4.0, COMPANY.days - 61.0)), (stage, PACE, FALL)


BROKEN = {
    "the last stage falls to a quarter, 3 months": (*fall(3, 0.25, 91.0), 0.8),
    "the last stage falls to half, 6 months": (*fall(3, 0.5, 182.0), 0.7),
    "the second stage falls to half, 6 months": (*fall(1, 0.5, 182.0), 0.7),
    "the first stage slows by 4, 2 months": (*slow(0), 0.8),
    "the third stage slows by 4, 2 months": (*slow(2), 0.8),
    "the last stage slows by 4, 2 months": (*slow(3), 0.8),
}


@pytest.mark.parametrize("runs", [8, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_is_found_where_it_breaks(name, runs, capsys):
    world, broken, least = BROKEN[name]
    found = [signals(world, seed)[0] for seed in range(runs)]
    others = [seen - {broken, (EVERY, *broken[1:])} for seen in found]
    power, wrong = np.mean([broken in seen for seen in found]), np.mean([bool(seen) for seen in others])
    error = np.sqrt(least * (1 - least) / runs)
    with capsys.disabled():
        print(f"\n{name}: named in {power:.2f} of {runs} (standard error {error:.3f}), another series in {wrong:.2f}")
    assert power >= least - 2 * error
    assert wrong <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)
