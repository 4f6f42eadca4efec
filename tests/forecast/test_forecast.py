"""Forecast of the open pipeline: a known truth comes out, parts sum, deals beyond all experience are named, in time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnelkit.forecast.forecast import cut_periods, forecast_open
from funnelkit.language import percent
from funnelkit.language.errors import DataError
from funnelkit.pipeline import Limit
from funnelkit.reading.read import read
from funnelkit.result import LimitError
from funnelkit.synth.generate import as_pipeline, synthesize
from tests.support.histories import pipeline

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def sample():
    return as_pipeline(synthesize("b2b-8", 7))


@pytest.fixture(scope="module")
def made(sample):
    return forecast_open(sample, "2026-03-31", unit="month", by="industry", paths=4_000)


def exponential(n=6_000, seed=1):
    """Return two constant-hazard stages (Lead: up 0.02, out 0.03; Offer: up 0.05, out 0.05) over two years."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp("2024-01-01")
    born = rng.uniform(0, 730, n)
    stay = [rng.exponential(1 / 0.05, n), rng.exponential(1 / 0.10, n)]
    up = [rng.random(n) < 0.4, rng.random(n) < 0.5]
    offer, last = born + stay[0], born + stay[0] + np.where(up[0], stay[1], 0)
    closed, status = last < 730, np.where(last >= 730, "open", np.where(up[0] & up[1], "won", "lost"))
    when = lambda day: first + pd.to_timedelta(day, unit="D")  # noqa: E731
    deals = [(f"D{row}", status[row], when(born[row]), when(last[row]) if closed[row] else None, 1000.0)
             for row in range(n)]  # fmt: skip
    events = [(f"D{row}", "Lead", when(born[row])) for row in range(n)]
    events += [(f"D{row}", "Offer", when(offer[row])) for row in np.flatnonzero(up[0] & (offer < 730))]
    events += [(f"D{row}", "Won", when(last[row])) for row in np.flatnonzero(closed & up[0] & up[1])]
    return pipeline(deals, events), rng


def test_a_known_truth_comes_out():
    """Open and new wins of the next 90 days against the exact expectations of constant hazards."""
    history, _ = exponential()
    found = forecast_open(history, "2026-03-30", paths=4_000)
    table = found.table.set_index(["part", "measure"])
    a, b, h = 0.05, 0.10, 90.0
    from_offer = 0.5 * (1 - np.exp(-b * h))
    from_lead = 0.02 * 0.05 * ((1 - np.exp(-a * h)) / a - (1 - np.exp(-b * h)) / b) / (b - a)
    stage = found.deals["stage"].astype(str)
    expected = (stage == "Offer").sum() * from_offer + (stage == "Lead").sum() * from_lead
    mean = table.loc[("open", "n_won"), "mean"]
    assert mean == pytest.approx(expected, rel=0.08)
    days = np.linspace(0, h, 2_000)
    curve = 0.02 * 0.05 * ((1 - np.exp(-a * days)) / a - (1 - np.exp(-b * days)) / b) / (b - a)
    assert table.loc[("new", "n_won"), "mean"] == pytest.approx(6_000 / 730 * np.trapezoid(curve, days), rel=0.1)
    assert table.loc[("open", "value"), "mean"] == pytest.approx(1000 * mean)
    print(f"open wins {mean:.1f}, exact {expected:.1f}")


def test_periods_and_parts_sum(made):
    for measure in ("n_won", "value"):
        total = made.paths["open"][measure] + made.paths["new"][measure]
        assert np.array_equal(total, made.paths["total"][measure])
    means = made.table.pivot_table(index="period", columns=["part", "measure"], values="mean", observed=True)
    whole = made.table["period"].iloc[-1]
    assert whole == "2025-12-31 - 2026-03-31"
    assert means.drop(whole).sum().to_numpy() == pytest.approx(means.loc[whole].to_numpy())
    assert made.ends["period"].tolist() == ["2025-12", "2026-01", "2026-02", "2026-03"]
    gap = made.ends["start"].iloc[1:].to_numpy() - made.ends["end"].iloc[:-1].to_numpy()
    assert (gap == np.timedelta64(1, "D")).all()


def test_bands_are_nested(made):
    table = made.table
    order = ["low_95", "low_80", "low_50", "median", "high_50", "high_80", "high_95"]
    assert (np.diff(table[order].to_numpy(), axis=1) >= 0).all()


def test_chances_fit_the_mean(made):
    last = made.table.iloc[-6:].set_index(["part", "measure"])
    assert made.deals["chance"].between(0, 1).all()
    assert made.deals["chance"].sum() == pytest.approx(last.loc[("open", "n_won"), "mean"], rel=0.03)
    assert made.chance(0) == 1.0
    assert made.chance(last.loc[("total", "value"), "median"]) == pytest.approx(0.5, abs=0.02)


def test_same_numbers_again_and_input_untouched(sample):
    before = sample.deals.copy(), sample.events.copy()
    one, two = (forecast_open(sample, "2026-02-15", paths=500, rng=np.random.default_rng(3)) for _ in range(2))
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(sample.deals, before[0])
    pd.testing.assert_frame_equal(sample.events, before[1])


def test_reading_in_both_languages(made):
    english, chinese = made.reading("en"), made.reading("zh")
    last = made.table.iloc[-6:].set_index(["part", "measure"]).loc[("total", "value")]
    for text, form, size, until in (
        (english, "CN¥{:,.0f}", 1, "31 March 2026"),
        (chinese, "{:,.0f} 万元", 10_000, "2026 年 3 月 31 日"),
    ):
        assert form.format(last["low_80"] / size) in text
        assert form.format(last["high_80"] / size) in text
        assert until in text
        assert "185" in text
        assert "{" not in text
    assert "new business" not in chinese


def test_a_deal_older_than_any_that_closed_is_named_and_not_given_the_average():
    history, _ = exponential(2_000)
    old, names = pd.Timestamp("2023-01-01"), [f"OLD{row}" for row in range(300)]
    stale = history.deals.iloc[:300].assign(deal_id=names, status="open", created_at=old, closed_at=pd.NaT)
    deals = pd.concat([history.deals, stale], ignore_index=True)
    entered = history.events[history.events["stage"] == "Lead"].iloc[:300].assign(deal_id=names, entered_at=old)
    events = pd.concat([history.events, entered], ignore_index=True)
    found = forecast_open(type(history)(history.model, deals, events, history.as_of), "2026-03-31", paths=1_000)
    stale = found.deals["deal_id"].str.startswith("OLD")
    assert found.deals.loc[stale, "beyond"].all()
    assert found.deals.loc[stale, "chance"].max() < 0.002
    assert found.deals.loc[~stale, "chance"].mean() > 0.1
    assert "in their stage longer than any deal" in found.reading() and "300,000" in found.reading()
    assert "在漏斗中停留的时间超过所有已结束的商机" in found.reading("zh")
    others = percent(found.deals.loc[~stale, "chance"].mean())
    assert f" (mean of the other open deals: {others}). Ask" in found.reading()
    kept = deals[(deals["status"] != "open") | deals["deal_id"].isin(names)]
    entered = events[events["deal_id"].isin(kept["deal_id"])]
    alone = forecast_open(type(history)(history.model, kept, entered, history.as_of), "2026-03-31", paths=1_000)
    assert alone.deals["beyond"].all() and "300 of the 300 open deals" in alone.reading()
    assert "mean of the other" not in alone.reading() and "其余进行中" not in alone.reading("zh")


def test_maven_names_its_stale_deals():
    path = SHARED / "maven_crm" / "sales_pipeline.csv"
    if not path.exists():
        pytest.skip("the shared data of maven_crm are not here")
    crm = read(path)
    found = forecast_open(crm, "2018-03-31", paths=2_000)
    assert (int(found.deals["beyond"].sum()), len(found.deals)) == (1291, 1589)
    beyond = found.deals[found.deals["beyond"]]
    assert beyond["chance"].sum() < 2  # 63 % of them would be 815
    assert found.deals.loc[~found.deals["beyond"], "chance"].mean() > 0.15
    text = found.reading()
    assert "1,291 of the 1,589 open deals" in text
    assert "500 open deals carry no date" in text
    assert "amounts are what closed deals earned" in text
    print(f"maven_crm: {beyond['chance'].sum():.2f} wins expected of 1,291 stale deals until 2018-03-31")


@pytest.mark.parametrize("code", ["no_outcome", "no_lost_deals", "no_open_deals", "no_history"])
def test_refusals_name_the_limit(sample, code):
    limited = type(sample)(sample.model, sample.deals, sample.events, sample.as_of, limits=(Limit(code, {
        "n": 1, "n_won": 1}),))  # fmt: skip
    with pytest.raises(LimitError) as caught:
        forecast_open(limited, "2026-03-31")
    assert "the forecast" in str(caught.value)
    assert "预测" in caught.value.say("zh")


def test_errors_say_what_to_do(sample):
    with pytest.raises(DataError, match=r"2025-12-30 is not ahead: the data end before 2025-12-31"):
        forecast_open(sample, "2025-12-30")
    with pytest.raises(DataError, match="no column named 'industri'"):
        forecast_open(sample, "2026-01-31", by="industri")
    mixed = sample.deals.assign(currency=np.where(np.arange(len(sample.deals)) % 2, "CNY", "EUR"))
    with pytest.raises(DataError, match="CNY, EUR"):
        forecast_open(type(sample)(sample.model, mixed, sample.events, sample.as_of), "2026-01-31")


def test_no_amounts_leave_counts(sample):
    bare = sample.deals.assign(amount=np.nan)
    found = forecast_open(type(sample)(sample.model, bare, sample.events, sample.as_of, limits=(Limit("no_amount"),)),
                          "2026-03-31", paths=500)  # fmt: skip
    assert set(found.table["measure"]) == {"n_won"}
    assert "no amounts" in found.reading()


def test_bare_dates_know_the_whole_last_day():
    history, _ = exponential(200)
    whole = type(history)(
        history.model,
        history.deals.assign(created_at=history.deals["created_at"].dt.normalize(),
                             closed_at=history.deals["closed_at"].dt.normalize()),
        history.events.assign(entered_at=history.events["entered_at"].dt.normalize()), history.as_of)  # fmt: skip
    assert cut_periods(history, "2026-01-31")["start"].iloc[0] == pd.Timestamp("2025-12-31")
    assert cut_periods(whole, "2026-01-31")["start"].iloc[0] == pd.Timestamp("2026-01-01")


def test_without_a_date_the_next_quarter_is_forecast(sample):
    made = forecast_open(sample, paths=50)
    assert made.table["end"].max() == pd.Timestamp("2026-03-31")
    assert forecast_open(sample, "2026-03-31", paths=50).table.equals(made.table)
