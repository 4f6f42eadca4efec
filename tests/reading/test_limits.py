"""Limits: each is measured; closes that start late are found, and not where nothing is missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnelkit.language.texts import texts
from funnelkit.reading.limits import late_closes
from funnelkit.reading.read import read

DATA = Path(__file__).parents[3] / "shared" / "data"
STAGES = ["Lead", "Offer", "Won"]
real_data = pytest.mark.skipif(not DATA.exists(), reason="real data sets are not in this checkout")


def codes(rows, **options):
    pipeline = read(pd.DataFrame(rows), stages=STAGES, **options)
    return {limit.code: limit for limit in pipeline.limits}


def simulate(rng, n=600, days=720, median_days=45.0, cut=None, growth=1.0):
    """Deals started at a steady or growing pace, log-normal time to close, open ones at the end; `cut` hides what
    closed before that day."""
    start = days * rng.random(n) ** (1 / growth)
    take = rng.lognormal(np.log(median_days), 0.7, n)
    won = rng.random(n) < 0.4
    first = pd.Timestamp("2024-01-01")
    deals = pd.DataFrame({"created_at": first + pd.to_timedelta(start.astype(int), "D")})
    close = first + pd.to_timedelta((start + take).astype(int), "D")
    as_of = first + pd.Timedelta(days=days)
    closed = close <= as_of
    deals["closed_at"] = pd.Series(close).where(closed)
    deals["status"] = np.where(closed, np.where(won, "won", "lost"), "open")
    if cut is not None:
        deals = deals[~(deals["closed_at"] < first + pd.Timedelta(days=cut))]
    return deals, as_of


@pytest.mark.parametrize("growth", [1.0, 2.0])
def test_ordinary_data_do_not_seem_to_start_late(growth):
    rng = np.random.default_rng(7)
    for _ in range(60):
        n, median = int(rng.integers(60, 4000)), float(rng.uniform(5, 200))
        assert late_closes(*simulate(rng, n, median_days=median, growth=growth)) is None


def test_closes_hidden_before_a_day_are_found_and_their_number_is_about_right():
    rng = np.random.default_rng(8)
    for cut in (91, 121, 152):
        deals, as_of = simulate(rng, 2000, cut=cut)
        whole, _ = simulate(np.random.default_rng(8), 2000)
        late = late_closes(deals, as_of)
        assert late is not None and pd.Timestamp(late["first_close"]) >= pd.Timestamp("2024-01-01") + pd.Timedelta(
            days=cut
        )
        assert late["expected"] >= 10 and late["months"] == 4 - int(late["held"][0])
    assert len(whole) == 2000


def test_month_end_closing_is_no_gap():
    rng = np.random.default_rng(9)
    deals, as_of = simulate(rng, 2000, median_days=20)
    deals["closed_at"] = (deals["closed_at"] + pd.offsets.MonthEnd(0)).where(deals["closed_at"].notna())
    assert late_closes(deals, as_of) is None


@real_data
def test_maven_closes_start_late():
    pipeline = read(DATA / "maven_crm" / "sales_pipeline.csv", as_of="2017-12-31")
    finding = next(f for f in pipeline.findings if f.rule == "closes_start_late")
    values = finding.values
    assert finding.severity == "warn" and pipeline.limit("closes_start_late").values == values
    assert (values["first_start"], values["first_close"]) == ("2016-10-20", "2017-03-01")
    assert (values["period"], values["held"], values["months"]) == ("2017Q1", [3], 1)
    assert (values["k"], values["n"]) == (531, 647) and values["rate"] == pytest.approx(531 / 647)
    assert (round(values["low"], 2), round(values["high"], 2)) == (0.78, 0.83)
    english, chinese = finding.message("en"), finding.message("zh")
    days = {
        english: ("1 March 2017", "20 October 2016", "2017Q1"),
        chinese: ("2017 年 3 月 1 日", "2016 年 10 月 20 日", "2017 年第一季度"),
    }
    for text, written in days.items():
        assert all(part in text for part in (*written, "82%", "78%", "83%", "647"))
    assert "month 3" in english and "第 3 个月" in chinese


@real_data
def test_maven_tells_what_it_cannot_tell():
    pipeline = read(DATA / "maven_crm" / "sales_pipeline.csv", as_of="2017-12-31")
    assert {limit.code for limit in pipeline.limits} == {
        "no_history", "one_date_per_stage", "untimed_deals", "lost_value_zero", "closes_start_late",
    }  # fmt: skip
    assert pipeline.limit("untimed_deals").values == {"n": 500, "n_deals": 8800}
    assert pipeline.limit("lost_value_zero").values == {"n": 2473, "n_lost": 2473}


def test_each_limit_shows_in_data_made_for_it():
    current = codes({"id": [1, 2], "stage": ["Won", "Lead"]})
    assert {"no_history", "no_lost_deals", "untimed_deals", "untimed_closes", "no_amount", "no_owner"} <= set(current)
    assert "no_outcome" in codes({"id": [1, 2], "stage": ["Offer", "Lead"]})
    finished = codes({"id": [1, 2], "stage": ["Won", "Lost"], "owner": ["a", "b"], "amount": [1, 2]})
    assert {"no_open_deals", "stage_of_loss_unknown"} <= set(finished)
    assert not {"no_amount", "no_owner", "no_lost_deals"} & set(finished)
    assert finished["stage_of_loss_unknown"].values == {"n": 1, "n_lost": 1}


def test_a_history_that_always_ends_alike_lacks_its_open_cases():
    rows = [(i, stage, f"2026-01-{day:02d}") for i in range(30) for day, stage in ((1 + i % 5, "Lead"), (9, "Offer"))]
    ids, stages, days = zip(*rows, strict=True)
    assert "no_open_deals" in codes({"id": ids, "stage": stages, "entered": days})
    short = [row for row in rows if row[:2] != (3, "Offer")]
    ids, stages, days = zip(*short, strict=True)
    assert "no_open_deals" not in codes({"id": ids, "stage": stages, "entered": days})


def test_bulk_edits_need_the_same_second():
    seconds = ["2026-01-05 10:00:00"] * 25
    found = codes({"id": range(25), "stage": ["Lead"] * 25, "entered": seconds})
    assert found["bulk_edits"].values == {"n": 25, "most": 25, "at": "2026-01-05 10:00:00"}
    spread = [f"2026-01-05 10:00:{i:02d}" for i in range(25)]
    assert "bulk_edits" not in codes({"id": range(25), "stage": ["Lead"] * 25, "entered": spread})
    assert "bulk_edits" not in codes({"id": range(25), "stage": ["Lead"] * 25, "entered": ["2026-01-05"] * 25})


def test_every_limit_has_both_languages():
    assert {"no_history", "one_date_per_stage", "no_lost_deals", "closes_start_late"} <= set(texts("reading.limits"))
    assert all(set(entry) == {"en", "zh"} and all(entry.values()) for entry in texts("reading.limits").values())
