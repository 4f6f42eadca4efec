"""What changed beyond chance is named with stage, exit and time; what did not raises no alarm."""

import re

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.analysis.monitor import monitor, signal_dates
from funnelkit.language import both, day
from funnelkit.language.errors import DataError
from funnelkit.pipeline import Limit
from funnelkit.result import LimitError
from tests import worlds
from tests.worlds import World

# 8 % are won, 70 a month are decided; two years of baseline, one that is watched.
COMPANY = World(years=3.0, per_day=2.3)


def named(world, seed):
    """Return the stages and kinds of the signals that stand, and whether any window of any series alarmed."""
    found = monitor(world.pipeline(np.random.default_rng(seed)))
    return [(change.kind, change.subject) for change in found.findings], found.table["signal"].fillna(False).any()


def fall(stage, factor, days):
    return COMPANY.but(fall=(stage, factor, COMPANY.days - days))


def slow(stage, days):
    return COMPANY.but(slow=(stage, 4.0, COMPANY.days - days))


# How often, over many histories, stands in tests/stats/test_monitoring.py: there without the reading of tables.
def test_a_fall_and_a_stall_are_found_and_calm_stays_calm():
    assert named(fall(1, 0.25, 91), 1)[0] == [("fewer_promoted", "Talk")]
    assert named(slow(2, 61), 2)[0][0] == ("slower", "Offer")
    assert named(COMPANY, 3) == ([], False)


def test_the_sample_names_its_stalled_stage_and_the_fall_of_its_demo():
    found = monitor(fk.sample())
    assert [(change.kind, change.subject) for change in found.findings] == [
        ("fewer_promoted", "solution-demo"), ("slower", "solution-confirmed"),
    ]  # fmt: skip
    since = found.table[found.table["signal"].fillna(False)].groupby("stage", observed=True)["since"].last()
    planted = pd.Series({"solution-confirmed": pd.Timestamp("2025-08-01"), "solution-demo": pd.Timestamp("2025-07-01")})
    assert ((since - planted).abs() <= pd.Timedelta(days=28)).all()
    fallen, stalled = found.findings
    assert stalled.found > 3 * stalled.usual and fallen.found < 0.7 * fallen.usual
    assert all(change.evidence < 0.001 and change.amount > 0 for change in found.findings)
    assert re.search(r"Bottleneck: since about \d+ August 2025, ", found.reading())
    assert re.search(r"瓶颈：约自 2025 年 8 月 \d+ 日起", found.reading("zh"))


def test_expected_exits_add_up_to_the_observed_over_the_baseline_pace():
    """Without a change observed and expected agree, series by series, within four standard errors."""
    table = monitor(COMPANY.pipeline(np.random.default_rng(5))).table
    sums = table.groupby([table["stage"].cat.codes, "measure"])[["n_observed", "n_expected"]].sum()
    error = np.sqrt(sums["n_expected"] * (1 + 13 / 26))
    assert ((sums["n_observed"] - sums["n_expected"]).abs() < 4 * error).all()


@pytest.mark.parametrize("days", [1, 30, 150])
def test_little_history_is_answered_with_what_is_needed(days):
    world = World(years=days / 365.25, per_day=1.0)
    found = monitor(world.pipeline(np.random.default_rng(1)))
    assert found.reading().startswith("Too little to judge: a series needs 30 exits")
    assert "数据太少" in found.reading("zh")
    assert found.table["signal"].isna().all() and not found.findings


def test_a_source_without_times_is_refused():
    pipeline = World(years=0.3, per_day=1.0).pipeline(np.random.default_rng(1))
    with pytest.raises(LimitError, match="the monitor cannot be derived"):
        monitor(pipeline.__class__(**{**vars(pipeline), "limits": (Limit("no_history"),)}))


def series(rates, n=400):
    names = [f"m{at + 1}" for at in range(len(rates))]
    return pd.DataFrame({"month": names, "k": (np.array(rates) * n).astype(int), "n": n})


STEADY = [0.30, 0.32, 0.28, 0.31, 0.29, 0.30, 0.33, 0.28, 0.30, 0.31, 0.29, 0.30, 0.31]


def test_the_three_sentences():
    calm, drop, short = monitor(series(STEADY)), monitor(series([*STEADY, 0.15])), monitor(series(STEADY[:8]))
    assert calm.reading().startswith("No signal after the baseline (periods judged: 1)") and not calm.findings
    assert "无信号" in calm.reading("zh")
    assert drop.reading().startswith("Signal: since m14 the rate is below what it was: 60 of 400, compared with 120.2")
    assert "有信号：自 m14" in drop.reading("zh")
    assert short.reading().startswith("Too few points: 7 mature") and "数据点太少" in short.reading("zh")
    assert drop.table["signal"].tolist()[-1] and short.table["signal"].isna().all()
    assert [(change.kind, change.subject, change.n_deals) for change in drop.findings] == [("rate_below", "m14", 400)]


def test_a_change_that_the_watch_met_at_its_beginning_may_be_older():
    """A stage that fell before the watch began: the date is the first that was looked at, and is said to be that."""
    history = worlds.named("fallen").pipeline(np.random.default_rng(0))
    found = monitor(history, signal_dates(history)["Terms"])
    first = both(lambda: day(found.table["period"].min()))
    assert f"since about {first.en} or earlier" in str(found.findings[0]).replace("Since", "since")
    assert f"{first.zh}（或更早）" in found.reading("zh")


def test_immature_periods_have_no_verdict():
    young = series([*STEADY, 0.02]).assign(n_open=[0] * 13 + [200])
    found = monitor(young)
    assert pd.isna(found.table["signal"].iloc[-1]) and not found.table["mature"].iloc[-1]
    assert found.reading().startswith("No signal") and "Not yet mature, shown without a verdict: m14" in found.reading()


def test_a_signal_that_has_passed_is_told_as_such():
    table = series([*STEADY[:12], 0.12, *STEADY, 0.33])
    found = monitor(table, 12)
    assert found.table["signal"].iloc[12] and not found.table["signal"].iloc[-1]
    assert found.reading().startswith("No signal") and "A signal that has passed since: m13" in found.reading()


def test_the_baseline_is_the_last_two_years_before_the_last_twelve_periods():
    found = monitor(series(STEADY * 4)).table
    assert np.flatnonzero(found["in_baseline"]).tolist() == list(range(16, 40))
    assert np.flatnonzero(found["signal"].notna()).tolist() == list(range(40, 52))


def test_empty_months_and_bad_tables():
    gap = series(STEADY + STEADY)
    gap.loc[5, ["k", "n"]] = 0
    assert pd.isna(monitor(gap).table["rate"].iloc[5]) and pd.isna(monitor(gap).table["signal"].iloc[5])
    assert monitor(pd.DataFrame({"k": [], "n": []})).table.empty
    with pytest.raises(DataError, match="no column named 'n'"):
        monitor(pd.DataFrame({"k": [1]}))
    with pytest.raises(DataError, match="more successes"):
        monitor(pd.DataFrame({"k": [5], "n": [4]}))
