"""Backtest: scores by hand, no look ahead, and calibrated bands on histories whose settings are drawn from seeds."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from math import comb

import numpy as np
import pandas as pd
import pytest

from funnelkit.forecast.backtest import _against, _coverage, backtest, crps, pinball, score_table, weighted_pipeline
from funnelkit.forecast.forecast import forecast_open
from funnelkit.language import number, percent
from funnelkit.language.errors import DataError
from funnelkit.synth.generate import as_pipeline, synthesize
from tests.support.histories import pipeline, random_history


@pytest.fixture(scope="module")
def sample():
    return as_pipeline(synthesize("b2b-8", 7))


@pytest.fixture(scope="module")
def scored(sample):
    return backtest(sample, n_origins=4, paths=400)


def test_crps_against_its_definition():
    rng = np.random.default_rng(1)
    sample, actual = rng.lognormal(size=200), 1.3
    brute = np.abs(sample - actual).mean() - np.abs(sample[:, None] - sample).mean() / 2
    assert crps(sample, actual) == pytest.approx(brute)
    normal = rng.standard_normal(200_000)
    assert crps(normal, 0.0) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), abs=3e-3)  # closed form


def test_the_true_quantile_has_the_least_pinball_loss():
    actual = np.random.default_rng(2).standard_normal(20_000)
    losses = {q: np.mean([pinball(q, one, 0.9) for one in actual]) for q in (0.9, 1.2816, 1.7)}
    assert min(losses, key=losses.get) == 1.2816


def test_no_row_after_the_origin_is_read(sample):
    """Scrambling all that happened later (other dates, outcomes, deals, order) leaves the forecast as it was."""
    origin, rng = pd.Timestamp("2025-07-01"), np.random.default_rng(3)
    deals, events = sample.deals.copy(), sample.events.copy()
    late = (deals["closed_at"] > origin).to_numpy()
    deals.loc[late, "status"] = rng.permutation(deals.loc[late, "status"].to_numpy())
    deals.loc[late, "closed_at"] = origin + pd.to_timedelta(rng.integers(1, 999, late.sum()), unit="h")
    deals.loc[late, "lost_reason"] = "scrambled"
    new = (deals["created_at"] > origin).to_numpy()
    deals.loc[new, "created_at"] = origin + pd.to_timedelta(rng.integers(1, 999, new.sum()), unit="h")
    deals.loc[new, "amount"] = rng.random(new.sum()) * 1e9
    after = (events["entered_at"] > origin).to_numpy()
    events.loc[after, "entered_at"] = origin + pd.to_timedelta(rng.integers(1, 999, after.sum()), unit="h")
    events.loc[after, "stage"] = rng.permutation(events.loc[after, "stage"].to_numpy())
    keep = ~(after & (rng.random(len(events)) < 0.3))
    scrambled = replace(sample, deals=deals, events=events[keep])
    assert late.sum() > 300 and after.sum() > 1_000
    one, two = (
        forecast_open(source.at(origin), "2025-09-30", by="industry", paths=500, rng=np.random.default_rng(4))
        for source in (sample, scrambled)
    )
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(one.deals.reset_index(drop=True), two.deals.reset_index(drop=True))
    plain = [weighted_pipeline(source.at(origin), pd.Timestamp("2025-10-01")) for source in (sample, scrambled)]
    assert plain[0] == plain[1]
    changed = deals.assign(closed_at=deals["closed_at"].where(late, deals["closed_at"] - pd.Timedelta(days=5)))
    other = forecast_open(replace(sample, deals=changed).at(origin), "2025-09-30", paths=500)
    assert not other.table["mean"].equals(forecast_open(sample.at(origin), "2025-09-30", paths=500).table["mean"])


def test_origins_do_not_overlap_and_actuals_are_counted_from_the_whole(sample, scored):
    own = scored.table[(scored.table["method"] == "forecast") & (scored.table["measure"] == "value")]
    total = own[own["part"] == "total"].reset_index(drop=True)
    assert (total["origin"].iloc[1:].to_numpy() > total["end"].iloc[:-1].to_numpy()).all()
    won = sample.deals[sample.deals["status"] == "won"]
    for row in total.itertuples():
        hit = won[(won["closed_at"] >= row.origin) & (won["closed_at"] < row.end + pd.Timedelta(days=1))]
        assert row.actual == pytest.approx(hit["amount"].sum())
    opened = own[own["part"] == "open"].reset_index(drop=True)
    assert (opened["actual"] <= total["actual"]).all()


def test_scores_are_means_of_the_rows(scored):
    scores = score_table(scored).table.set_index(["part", "measure", "method"])
    rows = scored.table[(scored.table["part"] == "total") & (scored.table["measure"] == "n_won")]
    rows = rows[rows["method"] == "forecast"]
    found = scores.loc[("total", "n_won", "forecast")]
    assert found["crps"] == pytest.approx(rows["crps"].mean())
    assert (found["n"], found["k_80"]) == (len(rows), rows["in_80"].sum())
    assert found["low"] < found["rate_80"] < found["high"] or found["rate_80"] in (0, 1)
    assert 0 < scores.loc[("total", "n_won", "weighted"), "n"] <= len(rows)


def test_weighted_pipeline_by_hand():
    deals = [("a", "won", "2025-01-01", "2025-02-01", 10.0), ("b", "lost", "2025-01-01", "2025-02-01", 10.0),
             ("c", "lost", "2025-01-01", "2025-02-01", 10.0), ("d", "open", "2025-11-01", None, 100.0),
             ("e", "open", "2025-11-01", None, 100.0)]  # fmt: skip
    events = [("a", "Offer", "2025-01-10"), ("b", "Offer", "2025-01-10"), ("c", "Lead", "2025-01-01"),
              ("d", "Lead", "2025-11-01"), ("e", "Offer", "2025-11-05")]  # fmt: skip
    history = pipeline(deals, events)
    assert weighted_pipeline(history, pd.Timestamp("2026-04-01")) == pytest.approx(100 / 3 + 100 / 2)
    assert weighted_pipeline(history, pd.Timestamp("2026-04-01"), "n_won") == pytest.approx(1 / 3 + 1 / 2)
    dated = replace(history, deals=history.deals.assign(expected_close=pd.to_datetime(
        [None, None, None, "2026-03-01", "2026-08-01"])))  # fmt: skip
    assert weighted_pipeline(dated, pd.Timestamp("2026-04-01")) == pytest.approx(100 / 3)


def test_the_weighted_pipeline_is_calibrated_on_earlier_periods_only(sample, scored):
    """By hand: what it said then, times what was won against it in each of the periods before."""
    rows = scored.table[(scored.table["measure"] == "value") & (scored.table["part"] == "total")]
    found = rows[rows["method"] == "weighted"].set_index("origin")["median"]
    starts = pd.date_range(end=found.index[-1], periods=9, freq="QS")
    said = [weighted_pipeline(sample.at(start), start + pd.DateOffset(months=3)) for start in starts]
    won = sample.deals[sample.deals["status"] == "won"]
    came = [won.loc[(won["closed_at"] >= start) & (won["closed_at"] < start + pd.DateOffset(months=3)), "amount"].sum()
            for start in starts]  # fmt: skip
    known = (np.array(said[:-1]) > 0) & (starts[:-1] >= sample.deals["closed_at"].min())
    ratio = np.array(came[:-1])[known] / np.array(said[:-1])[known]
    assert found.iloc[-1] == pytest.approx(said[-1] * np.median(ratio))


@pytest.mark.parametrize(("k", "n", "key"), [
    (2, 4, "few"), (5, 8, "rough"), (6, 8, "good"), (8, 8, "good"), (40, 60, "rough"), (48, 60, "good"),
    (60, 60, "wide"), (0, 5, "rough"),
])  # fmt: skip
def test_the_reading_of_coverage(k, n, key):
    found = _coverage(k, n)
    assert found[0] == f"forecast.forecast.coverage_{key}"
    if key == "rough":
        exact = sum(comb(n, j) * 0.8**j * 0.2 ** (n - j) for j in range(k + 1))
        assert found[1]["chance"] == percent(exact, 0)


def test_methods_are_told_apart_by_a_paired_interval():
    """Ten periods, most of the error common to both: the interval is Student's of the differences."""
    rng = np.random.default_rng(1)
    common = rng.uniform(50, 150, 10)
    gap = np.array([-3, -2, -4, -1, -3, -2, -3, -4, -2, -1.0])
    errors = pd.DataFrame({"forecast": common + gap, "weighted": common, "seasonal": common + rng.normal(0, 30, 10)})
    key, values = _against(errors, "weighted", number)
    assert key == "forecast.forecast.better"
    reach = 2.262157 * gap.std(ddof=1) / np.sqrt(10)
    assert (values["low"], values["high"]) == (number(2.5 - reach), number(2.5 + reach))
    assert _against(errors, "seasonal", number)[0] == "forecast.forecast.undecided"
    assert _against(errors.assign(weighted=common + 2 * gap), "weighted", number)[0] == "forecast.forecast.worse"
    assert _against(errors[:2], "weighted", number)[0] == "forecast.forecast.undecided"


def test_reading_and_refusal(sample, scored):
    assert "Of 4 past periods" in scored.reading()
    assert "加权管线" in scored.reading("zh")
    with pytest.raises(DataError, match="no complete year has 20 won deals before it"):
        backtest(sample.at("2024-12-31"), unit="year")


def _history(seed):
    table = backtest(random_history(seed), paths=2_000, rng=np.random.default_rng(seed)).table
    return table.assign(seed=seed)


@pytest.mark.slow
def test_bands_hold_and_the_forecast_beats_plain_methods_on_fifty_histories():
    """Show 6: seeds 1 to 50, eight non-overlapping quarters each (2024 and 2025), settings by `random_settings`."""
    with ProcessPoolExecutor(2) as pool:
        table = pd.concat(pool.map(_history, range(1, 51)), ignore_index=True)
    total = table[table["part"] == "total"]
    for measure in ("value", "n_won"):
        rows = total[total["measure"] == measure]
        own = rows[rows["method"] == "forecast"]
        held = {band: own[f"in_{band}"].mean() for band in (50, 80, 95)}
        score = rows.pivot_table(index="seed", columns="method", values="crps")
        others = ("weighted", "seasonal", "past_windows")
        better = {other: (score["forecast"] < score[other]).mean() for other in others}
        print(f"\n{measure}: {len(own)} outcomes, bands held {held}, better CRPS than {better}")
        print(f"bias {own['mean'].sum() / own['actual'].sum():.3f}, mean CRPS {score.mean().round(1).to_dict()}")
        assert len(own) >= 400
        if measure == "value":
            assert 0.75 <= held[80] <= 0.85
        assert better["weighted"] >= 0.9
        assert better["seasonal"] >= 0.9
