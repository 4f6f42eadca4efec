"""History: what the forecast learns of closing season, late notes, amounts, and of deals beyond all experience."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis import history_spells, older_than_any, signal_dates, stuck_deals
from funnelkit.forecast import forecast_open
from funnelkit.forecast.amounts import amount_groups, draw_closing_factor, known_amounts
from funnelkit.forecast.closing import days_left, phase
from funnelkit.forecast.history import fit_history
from funnelkit.language import day
from funnelkit.pipeline import Limit
from funnelkit.stats import OUT, UP, expected_exits, expected_in_windows, stage_spells
from tests.support.histories import pipeline
from tests.worlds import World, named


@pytest.fixture(scope="module")
def constant():
    return named("constant").pipeline(np.random.default_rng(1))


def test_expected_exits_by_window_are_those_of_each_spell(constant):
    fit = fit_history(constant)
    spells, edges = fit.spells, np.linspace(fit.begun, fit.spells.as_of, 9)
    ratio = np.random.default_rng(2).uniform(0.5, 2, (2, len(spells.stage)))
    table = expected_in_windows(fit.hazards, spells, edges, ratio)
    for kind in (UP, OUT):
        for window in range(8):
            each = ratio[kind] * expected_exits(fit.hazards, spells, edges[window], edges[window + 1], kind)
            assert table[kind, :, window] == pytest.approx(np.bincount(spells.stage, each, spells.won))


def test_days_left_of_month_and_quarter():
    days = np.array(["2024-12-31", "2025-01-01", "2025-02-26", "2025-03-26"], "datetime64[D]").astype(float)
    assert days_left(days, "quarter").tolist() == [0, 89, 33, 5]
    assert days_left(days, "month").tolist() == [0, 30, 2, 5]
    assert phase(days, "quarter")[0] == 0


def test_the_season_is_found_where_wins_crowd_and_nowhere_else(constant):
    assert fit_history(constant).season is None
    fit = fit_history(named("quarter_end").pipeline(np.random.default_rng(3)))
    assert fit.season.unit == "quarter"
    assert 0.65 < fit.season.share < 0.9
    day = np.array(["2024-12-30", "2025-01-20"], "datetime64[D]").astype(float)
    end, middle = fit.season.factor(day)
    assert end > 8 * middle
    # Days of all phases in their shares bring as many wins as were seen.
    assert (fit.season.factor(np.arange(19_000.0, 20_000)) > 0).all()


def test_deals_typed_in_at_the_close_teach_no_waiting():
    """Half are noted when they close: the fit finds the stays of the others, as if the rest had never been."""
    history = named("backfilled").pipeline(np.random.default_rng(4))
    spells, at_once = history_spells(history)
    closed = (history.deals["status"] != "open").sum()
    assert len(at_once) == pytest.approx(closed / 2, rel=0.1)
    last = spells.take((spells.stage == 3) & (spells.to != -1))
    assert np.median(last.age) > 8  # of days; those typed in last minutes
    assert (stage_spells(history).age < 0.6).mean() > 0.3
    everyone = set(spells.deal) | set(at_once.deal)
    assert everyone == set(stage_spells(history).deal)
    assert at_once.won.mean() == pytest.approx(0.08, abs=0.03)


def test_stages_typed_in_later_leave_the_deal_where_it_was_seen():
    """Half note Offer minutes before the win: they are won from Lead, where they were known to be."""
    rows, events = [], []
    for number in range(60):
        day = pd.Timestamp("2025-01-01") + pd.Timedelta(days=4 * number)
        close = day + pd.Timedelta(days=40)
        rows.append((f"D{number}", "won", day, close, 10.0))
        offer = close - pd.Timedelta(minutes=3) if number % 2 else day + pd.Timedelta(days=20)
        events += [(f"D{number}", "Lead", close - pd.Timedelta(minutes=5) if number % 4 == 3 else day),
                   (f"D{number}", "Offer", offer), (f"D{number}", "Won", close)]  # fmt: skip
    spells, at_once = history_spells(pipeline(rows, events))
    assert not len(at_once)  # all were known by their creation
    late = spells.take(spells.deal % 2 == 1)
    assert (late.stage == 0).all() and (late.to == spells.won).all()
    assert late.age == pytest.approx(np.full(30, 40.0))
    assert (spells.take(spells.deal % 2 == 0).age == 20).all()


def test_quick_funnels_keep_their_same_day_moves():
    quick = World(stay_days=(0.4, 0.4, 0.4, 0.4), years=0.5).pipeline(np.random.default_rng(5))
    assert not len(history_spells(quick)[1])


def test_amounts_enter_where_they_matter(constant):
    assert not fit_history(constant).factors
    fit = fit_history(named("amount_strong").pipeline(np.random.default_rng(6)))
    up = fit.factors[0].ratio[UP, 3, :4]  # true: 2.35, 0.94, 0.47, then 0.24 for the two groups of the largest
    assert up[0] > 1.6 and up[2] < 0.8 and up[3] < 0.6
    assert np.abs(fit.factors[0].ratio[UP, 0, :5] - 1).max() < 0.3


def test_amounts_known_of_won_deals_only_tell_nothing(constant):
    won = (constant.deals["status"] == "won").to_numpy()
    only = replace(constant, deals=constant.deals.assign(amount=constant.deals["amount"].where(won)))
    assert known_amounts(only) is None
    assert known_amounts(replace(constant, limits=(Limit("lost_value_zero"),))) is None
    group, size = amount_groups(np.array([1.0, 2.0, 3.0, 4.0, np.nan]), 60)
    assert (group.tolist(), size) == ([0, 1, 2, 3, 4], 5)


@pytest.mark.slow
def test_amounts_cut_at_the_close_are_learnt():
    """Thirty histories each: drawn towards 1, the mean factor of edited worlds lies between that and the true .85."""
    rng, found = np.random.default_rng(7), {}
    for name in ("constant", "edited"):
        each = [draw_closing_factor(named(name).pipeline(rng), rng, 300).mean() for _ in range(30)]
        found[name], error = np.mean(each), np.std(each) / len(each) ** 0.5
        print(f"\n{name}: closed deals are worth {found[name]:.3f} of open ones (standard error {error:.3f})")
    assert found["constant"] == pytest.approx(1, abs=0.06)
    assert 0.8 < found["edited"] < 0.95


def test_a_deal_beyond_all_experience_gets_no_better_chance_than_any_younger_one(constant):
    """One deal in each stage, older than any that ever moved there: as likely as the least likely of the others."""
    deals, events = constant.deals, constant.events
    old, names = constant.as_of - pd.Timedelta(days=400), [f"OLD{place}" for place in range(4)]
    stale = deals.iloc[:4].assign(deal_id=names, status="open", created_at=old, closed_at=pd.NaT)
    rows = [(name, constant.model.stage_ids[place], old) for place, name in enumerate(names)]
    entered = events.iloc[:4].assign(deal_id=names, entered_at=old)
    entered["stage"] = pd.Categorical([row[1] for row in rows], categories=constant.model.stage_ids, ordered=True)
    aged = replace(constant, deals=pd.concat([deals, stale], ignore_index=True),
                   events=pd.concat([events, entered], ignore_index=True))  # fmt: skip
    found = forecast_open(aged, constant.as_of + pd.Timedelta(days=29), paths=400).deals
    is_old = found["deal_id"].str.startswith("OLD")
    assert found.loc[is_old, "beyond"].all()
    for _, same in found.groupby("stage", observed=True):
        mine, others = same[is_old.loc[same.index]], same[~is_old.loc[same.index]]
        assert (mine["chance"].to_numpy() <= others["chance"].min() + 1e-6).all()
    assert (found["chance_low"] <= found["chance_high"]).all()


@pytest.mark.parametrize("name", ["constant", "zombie", "backfilled"])
def test_forecast_and_stuck_deals_name_the_same_deals_older_than_any(name):
    """One definition: the pages add up the same deals, with the same money."""
    history = named(name).pipeline(np.random.default_rng(8))
    forecast = forecast_open(history, history.as_of + pd.Timedelta(days=30), paths=100)
    beyond = forecast.deals[forecast.deals["beyond"]]
    stuck = stuck_deals(history).table
    assert set(beyond["deal_id"]) == set(older_than_any(history))
    assert set(stuck.loc[stuck["older_than_any"], "deal_id"]) <= set(beyond["deal_id"])
    if name != "backfilled":  # there stays typed in at the close are none that could be judged
        assert set(stuck.loc[stuck["older_than_any"], "deal_id"]) == set(beyond["deal_id"])


@pytest.mark.parametrize("seed", [0, 1])
def test_forecast_and_monitor_date_one_shift_on_one_day(seed):
    """Left to itself the forecast looks further back, and finds another day for the same fall (seed 0)."""
    history = named("fallen").pipeline(np.random.default_rng(seed))
    found = forecast_open(history, history.as_of + pd.Timedelta(days=30), paths=100)
    watched = signal_dates(history)["Terms"]
    assert any(values.get("since") is not None and values["since"].en == day(watched) for _, values in found.notes)
