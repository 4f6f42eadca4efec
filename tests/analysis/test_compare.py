from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.analysis.compare import _growth, compare_periods
from funnelkit.analysis.periods import Calendar
from funnelkit.language.errors import DataError
from funnelkit.reading.read import read
from funnelkit.result import LimitError
from funnelkit.stats import period_rates, stage_spells
from funnelkit.synth.generate import synthesize
from tests.worlds import STAGES, draw, named
from tests.worlds.world import tables

MAVEN = Path(__file__).parents[3] / "shared" / "data" / "maven_crm"
LAST = "2024-12-15"  # a day in the last full month of the worlds


@pytest.fixture(scope="module")
def sample():
    made = synthesize(rng=7, n_deals=3000, stall=None)
    return read(made.deals, made.events, model=made.model, as_of=made.as_of)


def row(found, against, stage="overall"):
    table = found.table
    return table[(table["against"] == against) & (table["stage"] == stage)].iloc[0]


def test_the_planted_drop_is_found_against_last_year_and_no_other_stage(sample):
    found = compare_periods(sample, Calendar("quarter"), on="2025-11-15")
    clear = found.table[found.table["clear"] & (found.table["stage"] != "overall")]
    assert clear[["against", "stage"]].values.tolist() == [["year_before", "solution-demo"]]
    assert "Solution demo and track record, compared with 2024-Q4" in found.reading() and "同比" in found.reading("zh")
    insight = next(each for each in found.findings if each.subject == "solution-demo")
    fallen = clear.iloc[0]
    assert insight.kind == "rate_fall" and insight.evidence == fallen["p_value"] < 1 - fallen["level"]
    assert (insight.found, insight.usual) == (fallen["rate"], fallen["rate_before"])
    assert insight.n_deals == round(-fallen["change"] * fallen["n_entered"]) and insight.amount > 0


def test_no_verdict_contradicts_the_interval_beside_it(sample):
    """A clear change has an interval that excludes 0, and no other has; the level is that of the family's step."""
    for day in ("2024-11-15", "2025-03-15", "2025-08-15", "2025-11-15"):
        for unit in ("month", "quarter"):
            table = compare_periods(sample, Calendar(unit), on=day).table
            table = table[table["status"] == "compared"]
            excludes = (table["change_low"] > 0) | (table["change_high"] < 0)
            assert excludes.tolist() == table["clear"].tolist() == (table["p_value"] < 1 - table["level"]).tolist()
            whole = table[table["stage"] == "overall"]
            assert whole["level"].min() >= (0.975 - 1e-12 if len(whole) == 2 else 0.95)
            stages = table[table["stage"] != "overall"]
            assert stages["level"].max() == pytest.approx(1 - 0.05 / len(stages))


def test_a_month_without_a_win_says_so_beside_the_rate_by_age():
    """The rate of a period is what its pace would come to; what was counted in it stands in the same sentence."""
    found = compare_periods(fk.sample(), on="2025-11-30")
    row = found.table.iloc[0]
    assert row["k"] == 0 and row["rate"] > 0.03
    assert f"Counted directly, 0 of {row['n']} closed deals were won" in found.reading()
    assert "赢单 0 单" in found.reading("zh")


def test_rates_are_those_of_period_analysis(sample):
    found = compare_periods(sample, on="2025-03-10")
    now, then = row(found, "previous"), row(found, "previous", "negotiation")
    days = [pd.Timestamp(day).timestamp() / 86400 for day in ("2025-03-01", "2025-04-01")]
    spells = stage_spells(sample)
    kept = spells.take((sample.deals["status"] != "void").to_numpy()[spells.deal])
    expected = period_rates(kept, [tuple(days)])[0]
    assert (now["rate"], now["basis"], now["horizon_days"]) == (expected.rate[0], "period", expected.horizon[0])
    assert then["rate"] == expected.rate[7] and then["n"] == expected.n[7]
    assert now["low"] < now["rate"] == now["floor"] <= now["ceiling"] < now["high"]
    # A window has the same rate whatever it is compared with.
    assert compare_periods(sample, on="2025-04-10").table["rate_before"].iloc[0] == now["rate"]


def test_a_partial_month_meets_as_many_days(sample):
    month = sample.at("2025-11-17 00:00")
    found = row(compare_periods(month), "previous")
    periods = found[["period", "days", "period_before", "days_before"]].tolist()
    assert periods == ["2025-11", 16, "2025-10", 16]
    made = sample.deals["created_at"]
    assert found["n_entered_before"] == ((made >= "2025-10-01") & (made < "2025-10-17")).sum()
    working = row(compare_periods(month, working=True), "year_before")
    assert working["days"] == working["days_before"] == 10


@pytest.mark.parametrize("basis", ["period", "decided"])
def test_counts_are_those_of_the_window(sample, basis):
    found = row(compare_periods(sample, on="2025-03-10", basis=basis), "previous")
    deals = sample.deals[sample.deals["status"].isin(["won", "lost"])]
    inside = deals["closed_at"].dt.to_period("M").astype(str)
    assert found["n"] == (inside == "2025-03").sum() and found["n_before"] == (inside == "2025-02").sum()
    assert found["k"] == (deals.loc[inside == "2025-03", "status"] == "won").sum()
    assert basis == "period" or found["rate"] == found["k"] / found["n"]


def test_entered_basis_judges_both_windows_at_the_same_age(sample):
    found = row(compare_periods(sample.at("2025-09-20 00:00"), basis="entered"), "previous", "project-initiation")
    assert found["n"] + found["n_open"] == found["n_entered"]
    assert found["n_before"] < found["n_entered_before"]


def test_no_history_and_too_early_are_named(sample):
    found = compare_periods(sample, Calendar("quarter"), on="2024-05-01", basis="decided")
    assert row(found, "previous")["status"] == "too_early" and row(found, "year_before")["status"] == "no_history"
    assert "2023-Q2 is not wholly in the data" in found.reading() and "2023 年第二季度不完整" in found.reading("zh")
    assert not found.table["clear"].any()


def test_the_first_months_of_the_records_are_not_taken_for_a_rate():
    """In the first month nobody can have reached the end; by age the second already tells the truth, if vaguely."""
    pipeline = named("constant").pipeline(np.random.default_rng(1))
    found = row(compare_periods(pipeline, on="2023-03-15"), "previous")
    assert found["status"] in ("compared", "not_enough")
    plain = row(compare_periods(pipeline, on="2023-03-15", basis="entered"), "previous")
    assert plain["rate"] < 0.02
    assert found["status"] == "not_enough" or found["low"] < 0.08 < found["high"]


def test_too_few_moves_are_said_with_their_number():
    rng = np.random.default_rng(1)
    created = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.r_[rng.integers(0, 300, 300), 310, 350], unit="D")
    table = pd.DataFrame({"id": np.arange(302).astype(str), "created_at": created})
    table["closed_at"] = created + pd.to_timedelta(rng.integers(20, 40, 302), unit="D")
    table["stage"] = np.where(rng.random(302) < 0.4, "Won", "Lost")
    table.loc[table["closed_at"] > "2025-12-25", ["stage", "closed_at"]] = ["Lead", None]
    found = compare_periods(read(table, stages=["Lead", "Won"], as_of="2025-12-25"))
    assert row(found, "previous")["status"] == "not_enough" and np.isnan(row(found, "previous")["change"])
    assert "too few deals" in found.reading() and "太少" in found.reading("zh")


def test_where_wins_crowd_at_quarter_ends_a_month_meets_the_same_of_the_quarter_before():
    pipeline = named("quarter_end").but(years=2.01).pipeline(np.random.default_rng(5))
    found = compare_periods(pipeline, on=LAST)
    before = row(found, "quarter_before")
    assert before["period_before"] == "2024-09" and "previous" not in set(found.table["against"])
    assert "Wins crowd at the end of quarters" in found.reading() and "季度末" in found.reading("zh")
    whole = compare_periods(pipeline, Calendar("quarter"), on=LAST)
    assert row(whole, "previous")["period_before"] == "2024-Q3" and "Whole quarters can be compared" in whole.reading()


def test_a_source_that_times_nothing_is_compared_by_what_was_decided():
    rng = np.random.default_rng(1)
    closed = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 364, 600), unit="D")
    table = pd.DataFrame({"id": np.arange(600).astype(str), "stage": np.where(rng.random(600) < 0.4, "Won", "Lost")})
    found = compare_periods(read(table.assign(closed_at=closed), stages=["Lead", "Won"], as_of="2025-12-31"))
    assert set(found.table["basis"]) == {"decided"} and "shares of those decided" in found.reading()


def test_segments_are_compared_within_one_family(sample):
    found = compare_periods(sample, Calendar("quarter"), on="2025-11-15", by="team")
    whole = found.table[found.table["stage"] == "overall"]
    assert whole["team"].nunique() == 3 and len(whole) == 6
    alone = compare_periods(sample, Calendar("quarter"), on="2025-11-15")
    for name in ("n_entered", "k", "n"):
        summed = found.table.groupby(["against", "stage"], observed=True)[name].sum()
        assert summed.to_dict() == alone.table.set_index(["against", "stage"])[name].to_dict()


def test_week_53_has_no_counterpart():
    rng = np.random.default_rng(1)
    created = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 700, 900), unit="D")
    table = pd.DataFrame({"id": np.arange(900).astype(str), "stage": np.where(rng.random(900) < 0.4, "Won", "Lost")})
    table = table.assign(created_at=created, closed_at=created + pd.Timedelta(days=3))
    found = compare_periods(read(table, stages=["Lead", "Won"], as_of="2026-12-31"), Calendar("week"), on="2026-12-29")
    assert row(found, "year_before")["status"] == "no_counterpart"
    assert "2026-W53 has no counterpart" in found.reading()


def test_maven_first_quarter_is_no_base():
    if not MAVEN.exists():
        pytest.skip("needs the maven_crm data of the shared folder")
    pipeline = read(MAVEN / "sales_pipeline.csv", as_of="2017-12-31")
    found = compare_periods(pipeline, Calendar("quarter"), on="2017-05-01")
    assert row(found, "previous")["status"] == "no_history"
    assert "2017-Q1 is not wholly in the data, whose records begin on 1 March 2017" in found.reading()
    last = compare_periods(pipeline, Calendar("quarter"))
    assert (row(last, "previous")["k"], row(last, "previous")["n_before"]) == (1196, 2047)


def test_growth_interval_covers_equal_counts():
    rng = np.random.default_rng(2)
    now, before = (pd.Series(rng.poisson(400, 4000)) for _ in range(2))
    _, low, high = _growth(now, before)
    assert 0.93 <= ((low <= 0) & (high >= 0)).mean() <= 0.97


def test_refusals(sample):
    with pytest.raises(DataError, match="Known: period, decided, entered"):
        compare_periods(sample, basis="x")
    with pytest.raises(DataError, match="2027-01 lies after the data"):
        compare_periods(sample, on="2027-01-05")
    won = read(pd.DataFrame({"id": ["a", "b"], "stage": ["Won", "Won"], "created_at": ["2026-01-01", "2026-01-02"],
                             "closed_at": ["2026-01-05", "2026-01-06"]}), stages=["Lead", "Won"])  # fmt: skip
    with pytest.raises(LimitError, match="survivorship"):
        compare_periods(won)


# --- figures of merit ------------------------------------------------------------------------------------------------


def histories_of(world, n, seed):
    """Yield n pipelines of a world: the first is read, the others have its form and their own deals and events."""
    rng = np.random.default_rng(seed)
    first = world.pipeline(rng)
    yield first
    ids = dict(zip(STAGES, first.model.stage_ids, strict=True))
    for _ in range(n - 1):
        deals, events = tables(world, draw(world, rng))
        deals = deals.reindex(columns=first.deals.columns)
        stage = pd.Categorical(events["stage"].map(ids), first.model.stage_ids, ordered=True)
        yield replace(first, deals=deals, events=events.assign(stage=stage, source="history"))


def verdicts(world, histories, bases=("period",), seed=6, calendar=None):
    """Return for each basis in how many histories the overall verdict is a fall, any change, and any stage's clear."""
    found = {basis: np.zeros(3, dtype=int) for basis in bases}
    for pipeline in histories_of(world, histories, seed):
        for basis in bases:
            table = compare_periods(pipeline, calendar, on=LAST, basis=basis).table
            whole, fall = table["stage"] == "overall", table["change"] < 0
            clear = [table["clear"] & whole & fall, table["clear"] & whole, table["clear"] & ~whole]
            found[basis] += [each.any() for each in clear]
    return found


@pytest.mark.parametrize("name", ["constant", "seasonal", "growing", "quarter_end"])
@pytest.mark.parametrize("histories", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_a_constant_truth_is_not_called_a_change(name, histories, capsys):
    falls, changes, stages = verdicts(named(name).but(years=2.01), histories)["period"]
    error = np.sqrt(0.05 * 0.95 / histories)
    with capsys.disabled():
        print(f"\n{name}: of {histories} histories {changes} called a change ({falls} a fall), {stages} of a stage "
              f"({changes / histories:.3f}, {stages / histories:.3f}; se {error:.3f})")  # fmt: skip
    assert changes <= max(2, (0.05 + 2 * error) * histories)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["month", "quarter"])
def test_power_against_a_fall_to_half(unit, capsys):
    """The last stage falls to half as the last full period begins: MoM or YoY called a fall."""
    world = named("constant").but(years=2.01, fall=(3, 0.5, {"month": 700.0, "quarter": 639.0}[unit]))
    found = verdicts(world, 100, ("period", "decided"), 7, Calendar(unit))
    falls = {basis: int(counts[0]) for basis, counts in found.items()}
    with capsys.disabled():
        print(f"\nFall to half, last {unit}: found in {falls} of 100 histories (se 5; seed 7)")
    assert falls["period"] >= falls["decided"] - 10


@pytest.mark.parametrize("rows", [0, 3])
def test_small_and_empty_frames_are_answered(rows):
    """Also by segment, where there is none; without dates of creation by what was decided."""
    table = pd.DataFrame({
        "id": ["a", "b", "c"], "stage": ["Won", "Lost", "Lead"], "region": ["N", "S", "S"],
        "created_at": pd.to_datetime(["2025-03-01", "2025-03-09", "2025-04-01"]),
        "closed_at": pd.to_datetime(["2025-04-01", "2025-04-02", None]),
    }).iloc[:rows]  # fmt: skip
    for given in (table, table.drop(columns="created_at")):
        pipeline = read(given, stages=["Lead", "Won"], as_of="2025-04-30")
        for by in (None, "region"):
            found = compare_periods(pipeline, by=by)
            assert not found.table["clear"].any() and found.reading() and found.reading("zh")
