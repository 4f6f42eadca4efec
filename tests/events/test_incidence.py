"""Rates of a log that still runs: known truths, and the textbook's estimator beside the kit's."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from funnelkit.charts import funnel_chart
from funnelkit.events.count import count_events, step_rates
from funnelkit.events.incidence import curve, ratio
from funnelkit.events.rule import Rule
from funnelkit.stats import aalen_johansen

START, TRUTH, HORIZON = pd.Timestamp("2026-01-01"), 0.22, 30.0


def attribution(rng, n, span_days, shape=0.8, mean_days=6.0):
    """Return (log, end): starters uniform over the span, 22 % of whom convert within 30 days; the log is cut there."""
    began, delay = rng.uniform(0, span_days, n), rng.gamma(shape, mean_days / shape, n)
    converts = rng.random(n) < TRUTH / gamma.cdf(HORIZON, shape, scale=mean_days / shape)
    seen = converts & (began + delay <= span_days)
    who = np.r_[np.arange(n), np.flatnonzero(seen)]
    days = np.r_[began, (began + delay)[seen]]
    log = pd.DataFrame({"deal_id": who, "stage": np.where(np.arange(len(who)) < n, "click", "buy")})
    return log.assign(entered_at=START + pd.to_timedelta(days, unit="D")), START + pd.Timedelta(days=span_days)


def readings(n_logs, n, span_days, **world):
    """Return (rates, share of the intervals that hold the truth, rates as k / (n - open) gives them)."""
    rows, naive = [], []
    for seed in range(n_logs):
        log, end = attribution(np.random.default_rng([7, seed]), n, span_days, **world)
        row = count_events(log, ["click", "buy"], Rule(window="30d"), as_of=end).table.iloc[0]
        rows.append((row["rate"], row["low"] <= TRUTH <= row["high"]))
        naive.append(row["n_advanced"] / (row["n_entered"] - row["n_open"]))
    rates, held = np.array(rows, dtype=float).T
    return rates, held.mean(), np.array(naive)


def test_a_log_of_one_month_reads_its_truth():
    rates, _, naive = readings(10, 2_000, 31)
    assert rates.mean() == pytest.approx(TRUTH, abs=0.02) and naive.mean() > 0.6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "span_days", "world"),
    [
        (1_000, 30, {}),
        (1_000, 31, {"shape": 1.5, "mean_days": 10.0}),
        (1_000, 45, {"shape": 1.0, "mean_days": 8.0}),
        (1_000, 91, {}),
    ],
)
def test_logs_that_still_run_read_their_truth(n, span_days, world):
    rates, held, naive = readings(200, n, span_days, **world)
    error = rates.std() / np.sqrt(len(rates))
    print(f"{span_days} days: {rates.mean():.4f} +- {error:.4f}, intervals hold {held:.3f}, naive {naive.mean():.3f}")
    assert abs(rates.mean() - TRUTH) < 0.02 and 0.90 <= held <= 0.98


def test_basis_and_horizon_say_what_a_rate_is_over():
    log, end = attribution(np.random.default_rng(1), 500, 91)
    old = count_events(log, ["click", "buy"], Rule(window="30d"), as_of=end).table.iloc[0]
    began = log[log["stage"] == "click"]["entered_at"]
    assert old[["basis", "horizon_days"]].tolist() == ["matured", 30]
    assert old["n"] == (began <= end - pd.Timedelta(days=30)).sum()
    young = count_events(log, ["click", "buy"], Rule(window="80d"), as_of=end).table.iloc[0]
    assert young[["basis", "horizon_days", "n"]].tolist() == ["incidence", 80, 500]
    assert young["floor"] == young["n_advanced"] / 500 and young["ceiling"] > young["rate"] > young["floor"]


def test_incidence_is_the_product_limit():
    rng = np.random.default_rng(5)
    days, watched = np.where(rng.random(300) < 0.4, rng.integers(1, 40, 300), np.inf), rng.integers(1, 40, 300)
    came = days <= watched
    curves = aalen_johansen(np.minimum(days, watched), came.astype(int))
    ours = curve(days, watched.astype(float), 25.0)
    at = curves.at(25.0)
    assert ours.share == pytest.approx(1 - curves.stay[at])
    # Greenwood's error, from the influence of each entity.
    assert np.sqrt((ours.influence**2).sum()) / 300 == pytest.approx(curves.stay_error[at], rel=0.02)


def test_a_share_of_a_share_has_the_spread_of_its_trials():
    rng, shares, errors = np.random.default_rng(6), [], []
    for _ in range(300):
        first = np.where(rng.random(400) < 0.6, rng.exponential(5, 400), np.inf)
        second = np.where(rng.random(400) < 0.5, first + rng.exponential(5, 400), np.inf)
        watched = rng.uniform(0, 60, 400)
        first, second = (np.where(days <= watched, days, np.inf) for days in (first, second))
        share, low, high = ratio(curve(second, watched, 50.0), curve(first, watched, 50.0), 200)
        shares.append(share)
        errors.append((high - low) / (2 * 1.96))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.01)
    assert np.std(shares) == pytest.approx(np.mean(errors), rel=0.15)


def test_segments_have_rates_of_their_own_and_the_picture_shows_them():
    parts = []
    for place, team in enumerate("NS"):
        log, end = attribution(np.random.default_rng(place), 400, 31)
        parts.append(log.assign(team=team, deal_id=log["deal_id"] + 1000 * place))
    both, rule = pd.concat(parts), Rule(window="30d")
    found = count_events(both, ["click", "buy"], rule, by="team", as_of=end).table
    for place, part in enumerate(parts):
        alone = count_events(part, ["click", "buy"], rule, as_of=end)
        assert found["rate"].iloc[2 * place] == pytest.approx(alone.table["rate"].iloc[0])
    words = step_rates(alone).show("en").text
    chart = alone.chart()
    assert "all, each for the time observed" in words and f"{alone.table['rate'].iloc[0]:.1%}"[:4] in chart.alt
    assert funnel_chart(alone).alt == chart.alt


def test_nobody_watched_has_no_rate():
    log = pd.DataFrame({"deal_id": [1, 2], "stage": "A", "entered_at": START})
    found = count_events(log, "AB", Rule(window="7d"))
    assert found.table["basis"].tolist() == ["unknown", "unknown"] and np.isnan(found.table["rate"]).all()
    assert found.table[["floor", "ceiling"]].iloc[0].tolist() == [0, 1]
    assert "No step has a rate yet: nobody has been watched long enough." in found.sentences()
