"""Hazards: spells follow the furthest stage, and known hazards come out again, delayed entry included."""

import numpy as np
import pytest

from funnelkit.pipeline import Limit
from funnelkit.stats.hazards import OPEN, OUT, UP, Spells, expected_exits, fit_hazards, stage_spells
from tests.support.histories import pipeline

DAY = 20_000.0


def rows(spells):
    return [
        (int(deal), int(stage), float(age), int(to))
        for deal, stage, age, to in zip(spells.deal, spells.stage, spells.age, spells.to, strict=True)
    ]


def test_spells_of_the_furthest_stage():
    deals = [
        ("won", "won", "2025-01-01", "2025-01-31", 1), ("lost", "lost", "2025-01-01", "2025-01-11", 1),
        ("open", "open", "2025-12-21", None, 1), ("back", "open", "2025-12-01", None, 1),
        ("void", "void", "2025-01-01", "2025-01-03", 1), ("undated", "open", None, None, 1),
        ("untimed close", "lost", "2025-01-01", None, 1), ("no events", "lost", "2025-01-01", "2025-01-06", 1),
        ("same day", "lost", "2025-01-01", "2025-01-01", 1),
    ]  # fmt: skip
    events = [
        ("won", "Lead", "2025-01-01"), ("won", "Offer", "2025-01-11"), ("won", "Won", "2025-01-31"),
        ("lost", "Lead", "2025-01-01"), ("open", "Lead", "2025-12-21"), ("back", "Lead", "2025-12-01"),
        ("back", "Offer", "2025-12-11"), ("back", "Lead", "2025-12-15"), ("void", "Lead", "2025-01-01"),
        ("undated", "Lead", None), ("untimed close", "Lead", "2025-01-01"), ("same day", "Lead", "2025-01-01"),
    ]  # fmt: skip
    found = rows(stage_spells(pipeline(deals, events)))
    assert found == [
        (0, 0, 10.0, 1), (0, 1, 20.0, 2), (1, 0, 10.0, 3), (2, 0, 10.0, OPEN), (3, 0, 10.0, 1), (3, 1, 20.0, OPEN),
        (4, 0, 2.0, 3), (7, 0, 5.0, 3), (8, 0, 0.5, 3),
    ]  # fmt: skip


def test_skipped_stage_and_win_without_an_event():
    deals = [("a", "won", "2025-01-01", "2025-01-21", 1), ("b", "won", "2025-01-01", "2025-01-06", 1)]
    events = [("a", "Lead", "2025-01-01"), ("a", "Won", "2025-01-21"), ("b", "Lead", "2025-01-01")]
    assert rows(stage_spells(pipeline(deals, events))) == [(0, 0, 20.0, 2), (1, 0, 5.0, 2)]


def test_spells_that_ended_before_closes_are_recorded_are_left_out():
    deals = [("old", "open", "2025-01-01", None, 1), ("seen", "lost", "2025-02-20", "2025-03-02", 1)]
    events = [("old", "Lead", "2025-01-01"), ("old", "Offer", "2025-01-05"), ("seen", "Lead", "2025-02-20")]
    limit = Limit("closes_start_late", {"first_close": "2025-03-01"})
    spells = stage_spells(pipeline(deals, events, limits=(limit,)))
    assert rows(spells) == [(0, 1, 360.0, OPEN), (1, 0, 10.0, 3)]
    assert (spells.seen - spells.start).tolist() == [55.0, 9.0]


def exponential_spells(rng, n, *, entry=0.0):
    """Return spells of one stage with hazards up 0.02 and out 0.03 a day, watched for 60 days, entered late."""
    up, out = rng.exponential(1 / 0.02, n), rng.exponential(1 / 0.03, n)
    end = np.minimum(np.minimum(up, out), 60)
    to = np.where(end == 60, OPEN, np.where(up < out, 1, 2))
    begin = rng.uniform(0, entry, n) if entry else np.zeros(n)
    kept = end > begin
    deal, start = np.arange(kept.sum()), np.full(kept.sum(), DAY)
    return Spells(
        deal, np.zeros(len(deal), int), start, start + begin[kept], start + end[kept], to[kept], start, 1, DAY + 60
    )


@pytest.mark.parametrize("entry", [0.0, 40.0])
def test_known_hazards_come_out(entry):
    spells = exponential_spells(np.random.default_rng(1), 40_000, entry=entry)
    hazards = fit_hazards(spells)
    rates = hazards.rate(0)[:-1]  # the last group lies beyond what was seen
    assert rates[:, UP] == pytest.approx(0.02, rel=0.12)
    assert rates[:, OUT] == pytest.approx(0.03, rel=0.12)
    total = [expected_exits(hazards, spells, -np.inf, np.inf, kind).sum() for kind in (UP, OUT)]
    assert total == pytest.approx([(spells.kind == UP).sum(), (spells.kind == OUT).sum()], rel=1e-2)


def test_those_beyond_all_experience_are_judged_by_their_like():
    rng = np.random.default_rng(2)
    spells = exponential_spells(rng, 2_000)
    n = 1_000  # a thousand more that have waited for 300 days after the last exit
    extra = {"stage": np.zeros(n, int), "end": np.full(n, DAY + 60), "to": np.full(n, OPEN), "deal": np.arange(n)}
    extra |= {name: np.full(n, DAY - 300) for name in ("start", "seen", "born")}
    late = Spells(**{name: np.r_[getattr(spells, name), more] for name, more in extra.items()}, won=1, as_of=DAY + 60)
    rates = fit_hazards(late).rate(0)
    assert rates[-1].sum() < 1e-5 < 0.005 < rates[0].sum()
    drawn = fit_hazards(late).draw(0, rng, 4_000)
    assert drawn[:, 0].mean(axis=0) == pytest.approx(rates[0], rel=0.02)


def test_those_who_wait_longer_jump_more_often():
    rng = np.random.default_rng(4)
    n = 8_000
    age, zero = rng.uniform(0.5, 40, n), np.zeros(n, int)
    to = np.where(rng.random(n) < np.where(age > 20, 0.3, 0.0), 2, 1)
    start = np.full(n, DAY)
    hazards = fit_hazards(Spells(np.arange(n), zero, start, start, start + age, to, start, 3, DAY + 60))
    drawn, edges = hazards.draw_jump(0, rng, 2_000).mean(axis=0), hazards.edges[0]
    assert drawn[edges[1:] <= 19] == pytest.approx(0, abs=1e-3)
    assert drawn[:-1][edges[:-2] >= 21] == pytest.approx(0.3, abs=0.06)
    assert hazards.draw_share(0, rng, 5) == pytest.approx(np.tile([0, 0, 1, 0], (5, 1)))
    assert not hazards.draw_jump(1, rng, 5).any()


def test_a_stage_without_exits_borrows_from_all():
    spells = exponential_spells(np.random.default_rng(3), 500)
    hazards = fit_hazards(Spells(spells.deal, spells.stage, spells.start, spells.seen, spells.end,
                                 np.where(spells.to == 2, 3, spells.to), spells.born, 2, spells.as_of))  # fmt: skip
    assert hazards.rate(1).shape == (1, 2)
    assert (hazards.rate(1) > 0).all()
    assert hazards.longest(1) == 0.0
