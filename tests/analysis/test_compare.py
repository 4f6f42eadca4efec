from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.compare import compare_periods
from funnelkit.analysis.periods import Calendar
from funnelkit.language.errors import DataError
from funnelkit.reading.read import read
from funnelkit.result import LimitError
from funnelkit.synth.generate import synthesize

MAVEN = Path(__file__).parents[3] / "shared" / "data" / "maven_crm"


@pytest.fixture(scope="module")
def sample():
    made = synthesize(rng=7, n_deals=3000, stall=None)
    return read(made.deals, made.events, model=made.model, as_of=made.as_of)


def row(found, against, stage="overall"):
    table = found.table
    return table[(table["against"] == against) & (table["stage"] == stage)].iloc[0]


def test_the_planted_drop_is_found_against_last_year_and_nothing_else(sample):
    found = compare_periods(sample, Calendar("quarter"), on="2025-11-15")
    clear = found.table[found.table["clear"] & (found.table["stage"] != "overall")]
    assert clear[["against", "stage"]].values.tolist() == [["year_before", "solution-demo"]]
    assert "Solution demo and track record" in found.reading() and "同比" in found.reading("zh")


def test_a_partial_month_meets_as_many_days(sample):
    month = sample.at("2025-11-17 00:00")
    found = row(compare_periods(month), "previous")
    assert (found["period"], found["days"], found["period_before"], found["days_before"]) == (
        "2025-11",
        16,
        "2025-10",
        16,
    )
    made = sample.deals["created_at"]
    assert found["n_entered_before"] == ((made >= "2025-10-01") & (made < "2025-10-17")).sum()
    working = row(compare_periods(month, working=True), "year_before")
    assert working["days"] == working["days_before"] == 10


def test_counts_are_those_of_the_window(sample):
    found = row(compare_periods(sample, on="2025-03-10"), "previous")
    deals = sample.deals[sample.deals["status"].isin(["won", "lost"])]
    inside = deals["closed_at"].dt.to_period("M").astype(str)
    assert found["n"] == (inside == "2025-03").sum() and found["n_before"] == (inside == "2025-02").sum()
    assert found["k"] == (deals.loc[inside == "2025-03", "status"] == "won").sum()


def test_entered_basis_judges_both_windows_at_the_same_age(sample):
    found = row(compare_periods(sample.at("2025-09-20 00:00"), basis="entered"), "previous", "project-initiation")
    assert found["n"] + found["n_open"] == found["n_entered"]
    assert found["n_before"] < found["n_entered_before"]


def test_no_history_and_too_early_are_named(sample):
    found = compare_periods(sample, Calendar("quarter"), on="2024-05-01")
    assert row(found, "previous")["status"] == "too_early" and row(found, "year_before")["status"] == "no_history"
    assert "2023-Q2 is not wholly in the data" in found.reading() and "2023-Q2 不完整" in found.reading("zh")
    assert not found.table["clear"].any()


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
    assert "2017-Q1 is not wholly in the data, whose records begin on 2017-03-01" in found.reading()
    last = compare_periods(pipeline, Calendar("quarter"))
    assert (row(last, "previous")["k"], row(last, "previous")["n_before"]) == (1196, 2047)


def test_growth_interval_covers_equal_counts():
    from funnelkit.analysis.compare import _growth

    rng = np.random.default_rng(2)
    now, before = (pd.Series(rng.poisson(400, 4000)) for _ in range(2))
    _, low, high = _growth(now, before)
    assert 0.93 <= ((low <= 0) & (high >= 0)).mean() <= 0.97


def test_refusals(sample):
    with pytest.raises(DataError, match="Known: decided, entered"):
        compare_periods(sample, basis="x")
    with pytest.raises(DataError, match="2027-01 lies after the data"):
        compare_periods(sample, on="2027-01-05")
    won = read(pd.DataFrame({"id": ["a", "b"], "stage": ["Won", "Won"], "created_at": ["2026-01-01", "2026-01-02"],
                             "closed_at": ["2026-01-05", "2026-01-06"]}), stages=["Lead", "Won"])  # fmt: skip
    with pytest.raises(LimitError, match="survivorship"):
        compare_periods(won)
