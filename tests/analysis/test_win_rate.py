"""The win rate recovers the truth of worlds where losses come faster than wins, however young the records."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight

from funnelkit.analysis import win_rate
from funnelkit.analysis.stays import timed_outcomes
from funnelkit.language import DataError
from funnelkit.models import custom
from funnelkit.pipeline import Pipeline
from funnelkit.reading import read
from funnelkit.stats import choose_horizon, incidence, rate_columns
from tests.worlds import STAGES, World
from tests.worlds.world import START, draw, tables

FAST = World(loss_speed=3.0)
WORLDS = {
    "one year": FAST.but(years=1.0),
    "two years": FAST,
    "one year, intake doubled": FAST.but(years=1.0, doubled_at=275.0),
    "two years, intake doubled": FAST.but(doubled_at=640.0),
    "300 deals": FAST.but(years=1.0, per_day=300 / 365.25),
    "long tails": FAST.but(years=1.0, shape=0.7),
    "slow": FAST.but(years=1.0, stay_days=(30.0, 45.0, 55.0, 40.0)),
    "growing": FAST.but(growth=3.0),
    "quarter end": FAST.but(quarter_end=0.7),
}


def quick_pipeline(world, rng):
    """Return what `World.pipeline` reads, without reading: texts and findings are not what these tests are about."""
    deals, events = tables(world, draw(world, rng))
    stage = pd.Categorical(events["stage"], categories=STAGES, ordered=True)
    events = events.assign(stage=stage, source="history").sort_values(["deal_id", "entered_at"], kind="stable")
    return Pipeline(custom(STAGES, won_stage="Won"), deals, events, world.as_of)


def closes(world, rng):
    """Return a Pipeline that holds no more than when deals began and how they ended, which is all that a win needs."""
    lives = draw(world, rng)
    born, closed = lives["entered"][:, 0], lives["closed"]
    known = born <= world.days
    over = (closed <= world.days)[known]
    status = np.where(~over, "open", np.where(lives["won"][known], "won", "lost"))
    times = {"created_at": born[known], "closed_at": np.where(over, closed[known], np.nan)}
    times = {name: START + pd.to_timedelta(at, unit="D") for name, at in times.items()}
    deals = pd.DataFrame({"deal_id": np.arange(len(over)), "status": status, **times})
    return Pipeline(custom(STAGES, won_stage="Won"), deals, pd.DataFrame(), world.as_of)


def histories(world, n, seed):
    """Return rate, low, high, horizon, standard error and k / (won + lost) of n histories."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        row = win_rate(closes(world, rng)).table.iloc[0]
        raw = row["n_won"] / (row["n_won"] + row["n_lost"])
        rows.append((row["rate"], row["low"], row["high"], row["horizon_days"], (row["high"] - row["low"]) / 3.92, raw))
    return pd.DataFrame(rows, columns=["rate", "low", "high", "days", "se", "raw"])


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_the_win_rate_is_the_truth(name, record_property):
    world = WORLDS[name]
    found, truth = histories(world, 200, 11), world.win_rate
    covered = ((found["low"] <= truth) & (truth <= found["high"])).mean()
    record_property(
        f"win rate, {name}",
        f"truth {truth:.4f}, mean {found['rate'].mean():.4f} (se {found['rate'].std() / 200**0.5:.4f}; won of closed "
        f"{found['raw'].mean():.4f}), 95% interval holds {covered:.3f} "
        f"(se {(covered * (1 - covered) / 200) ** 0.5:.3f}), horizon {found['days'].median():.0f} days",
    )
    assert abs(found["rate"].mean() - truth) < 0.02 * truth / 0.08
    assert 0.90 <= covered <= 0.98 + (0.95 * 0.05 / 200) ** 0.5  # nine worlds are looked at: one may be lucky


@pytest.mark.slow
@pytest.mark.parametrize("years", [1.0, 2.0])
def test_doubling_the_intake_does_not_move_the_win_rate(years, record_property):
    steady, doubled = FAST.but(years=years), FAST.but(years=years, doubled_at=365.25 * years - 90)
    before, after = histories(steady, 200, 12), histories(doubled, 200, 13)
    moved = after["rate"].mean() - before["rate"].mean()
    record_property(
        f"win rate, intake doubled after {years:.0f} y less a quarter",
        f"moves by {moved:+.4f} (won of closed: {after['raw'].mean() - before['raw'].mean():+.4f}); "
        f"standard error of one {after['se'].mean():.4f}",
    )
    assert abs(moved) < 2 * after["se"].mean()


def test_the_win_rate_is_near_the_truth_in_a_few_histories():
    """Ten histories of one year: mean within three standard errors, where won / (won + lost) is far below."""
    found = histories(WORLDS["one year"], 10, 14)
    assert abs(found["rate"].mean() - 0.08) < 3 * found["rate"].std() / 10**0.5
    assert found["raw"].mean() < 0.0745
    assert ((found["low"] < 0.08) & (found["high"] > 0.08)).sum() >= 7


def test_it_is_the_cumulative_incidence_of_statsmodels():
    pipeline = quick_pipeline(FAST.but(years=1.0, per_day=2.0), np.random.default_rng(1))
    row, times = win_rate(pipeline).table.iloc[0], timed_outcomes(pipeline)
    theirs = CumIncidenceRight(times["days"].to_numpy(), times["outcome"].to_numpy())
    at = np.searchsorted(theirs.times, row["horizon_days"], side="right") - 1
    assert row["rate"] == pytest.approx(theirs.cinc[0][at], abs=1e-12)
    assert row["floor"] <= row["rate"] <= row["ceiling"]
    assert row["n"] + (times["outcome"].eq(0) & (times["days"] < row["horizon_days"])).sum() == len(times)


def test_with_nothing_open_before_the_horizon_it_is_k_of_n_with_wilsons_interval():
    row, plain = incidence([1, 2, 2, 3, 5, 9], [1, 2, 1, 2, 2, 0], 5), rate_columns(2, 6)
    for name in ("k", "n", "rate", "low", "high", "n_open"):
        assert float(row[name]) == pytest.approx(float(plain[name]), abs=1e-12), name


def test_the_horizon_is_where_wins_and_closes_are_done_of_what_a_tenth_could_reach():
    days, cause = np.r_[np.arange(1, 100), 300.0], np.r_[np.full(98, 2), 1, 1]
    watched = np.full(100, 400.0)
    assert choose_horizon(days, cause, watched) == 300  # the second win of two is no hundredth
    watched[:] = 150
    assert choose_horizon(np.minimum(days, 150), np.where(days > 150, 0, cause), watched) == 99
    assert np.isnan(choose_horizon([], [], []))
    assert choose_horizon([3.0, 4.0], [0, 0], [3.0, 4.0]) == 4  # nothing has ended yet


def deals_of(rows, **how):
    return read(pd.DataFrame(rows, columns=["deal_id", "stage", "created_at", "closed_at", "team"]), **how)


def closed_and_open():
    rows = [(f"w{i}", "Won", "2026-01-05", "2026-02-05", "N") for i in range(4)]
    rows += [(f"l{i}", "Lost", "2026-01-05", "2026-01-15", "N") for i in range(4)]
    return [*rows, *((f"o{i}", "Lead", "2026-02-01", None, "S") for i in range(4))]


def test_segments_share_one_horizon_and_one_that_is_too_young_has_bounds_only():
    table = win_rate(deals_of(closed_and_open(), stages=["Lead", "Won"]), "team").table.set_index("team")
    assert table["horizon_days"].nunique() == 1
    assert table.loc["N", ["k", "n", "rate", "basis"]].tolist() == [4, 8, 0.5, "incidence"]
    assert (table.loc["S", "basis"], table.loc["S", "floor"], table.loc["S", "ceiling"]) == ("unknown", 0, 1)
    assert np.isnan(table.loc["S", "rate"])


def test_without_dates_the_closed_ones_are_taken_and_that_is_said():
    rows = [(*row[:2], None, None, row[4]) for row in closed_and_open()]
    found = win_rate(deals_of(rows, stages=["Lead", "Won"]))
    assert found.table.loc[0, ["k", "n", "rate", "basis"]].tolist() == [4, 8, 0.5, "decided"]
    assert "Of the deals closed so far, 50.0%" in found.reading() and "no date" in found.reading()
    assert "没有" not in found.reading("zh").split("。")[0]


def test_without_open_deals_the_closed_ones_are_taken_and_that_is_said():
    found = win_rate(deals_of(closed_and_open()[:8], stages=["Lead", "Won"]))
    assert found.table.loc[0, "basis"] == "decided"
    assert "those under way seem to be left out" in found.reading()


def test_without_losses_no_segment_has_a_rate_and_the_age_is_told():
    rows = [row for row in closed_and_open() if row[1] != "Lost"]
    found = win_rate(deals_of(rows, stages=["Lead", "Won"]), "team")
    assert found.table[["k", "n"]].values.tolist() == [[4, 4], [0, 4]]
    assert found.table[["rate", "low", "high", "floor", "ceiling"]].isna().all(axis=None)
    assert set(found.table["basis"]) == {"unknown"}
    assert "Won so far: 4 of 8 deals" in found.reading()
    assert "(the 4 that began at least 18 days before the end of the data), 4 were won" in found.reading()
    assert "4 of 4 so far" in found.show().text and "%" not in found.show().text + found.chart().alt


def test_a_source_without_outcomes_has_no_win_rate():
    rows = [row for row in closed_and_open() if row[1] == "Lead"]
    row = win_rate(deals_of(rows, stages=["Lead", "Won"])).table.iloc[0]
    assert (row["basis"], row["n"]) == ("unknown", 0) and np.isnan(row["rate"])


def test_a_table_of_counts_has_no_deals_to_win():
    with pytest.raises(DataError, match="table of counts"):
        win_rate(read(pd.DataFrame({"stage": ["Lead", "Won"], "count": [10, 2]}), layout="counts"))
