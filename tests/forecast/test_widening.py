"""Widening: misses widen the band, a good record leaves it, parts still sum."""

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.forecast import backtest, forecast_open
from funnelkit.forecast.widening import band_factor
from funnelkit.result import Refusal
from funnelkit.synth import sample


def record(misses):
    """Return a backtest whose actuals lie so many half widths from the median of 100 (band: 80 to 130)."""
    actual = [100 + miss * (30 if miss > 0 else 20) for miss in misses]
    same = {
        "part": "total",
        "measure": "value",
        "method": "forecast",
        "median": 100.0,
        "low_80": 80.0,
        "high_80": 130.0,
    }
    return pd.DataFrame([{**same, "actual": one} for one in actual])


def test_a_good_record_leaves_the_band_and_misses_widen_it():
    rng = np.random.default_rng(1)
    promised = rng.standard_normal(8) / 1.2816
    assert band_factor(record(promised), "value")[0] == pytest.approx(1, abs=0.15)
    factor, k, n = band_factor(record([2.0, -2.0, 0.5, 3.0, -1.5, 2.5, 0.2, 1.8]), "value")
    assert (k, n) == (2, 8)
    assert 1.2 < factor < 2.0
    assert band_factor(record([0.1] * 8), "value")[0] == 1.0  # never narrower


def test_a_long_record_gives_its_own_quantile():
    rng = np.random.default_rng(2)
    misses = 2 * rng.standard_normal(2_000) / 1.2816  # bands half as wide as they should be
    assert band_factor(record(misses), "value")[0] == pytest.approx(2, rel=0.08)


def test_on_average_bands_half_too_narrow_come_to_hold_more_often():
    """Coverage of the widened band over 500 records of eight periods: from .48 towards .80, never beyond."""
    rng = np.random.default_rng(3)
    factors = np.array([band_factor(record(2 * rng.standard_normal(8) / 1.2816), "value")[0] for _ in range(500)])
    held = np.mean(np.abs(2 * rng.standard_normal(500) / 1.2816) <= factors)
    print(f"\n80 % bands half as wide as they should be hold {held:.2f} after widening by eight periods")
    assert 0.55 < held <= 0.82


def test_the_forecast_is_widened_and_says_so():
    past = backtest(sample(), n_origins=2, paths=100)
    worse = past.table.assign(actual=past.table["median"] + 2 * (past.table["high_80"] - past.table["median"]))
    plain, wide = (forecast_open(sample(), "2026-03-31", unit="month", paths=400, record=one)
                   for one in (None, type(past)(worse, past.key, past.values)))  # fmt: skip
    ends = [made.table.set_index(["part", "measure"]).iloc[-6:].loc[("total", "value")] for made in (plain, wide)]
    assert ends[1]["high_80"] - ends[1]["low_80"] > 1.02 * (ends[0]["high_80"] - ends[0]["low_80"])
    assert ends[1]["median"] == pytest.approx(ends[0]["median"])
    for measure in ("value", "n_won"):
        parts = wide.paths["open"][measure] + wide.paths["new"][measure]
        assert parts == pytest.approx(wide.paths["total"][measure])
    assert ("times as wide" in wide.reading()) == (band_factor(worse, "value")[0] >= 1.05)


def test_the_verb_takes_what_backtest_gives_and_a_refusal_as_none():
    pipeline = fk.sample()
    tested = fk.attempt(fk.backtest, pipeline, unit="month", n_origins=8, paths=300)
    plain, wider = (fk.forecast_open(pipeline, "2026-01-31", paths=500, record=record) for record in (None, tested))
    width = [row["high_80"] - row["low_80"] for row in (plain.table.iloc[-1], wider.table.iloc[-1])]
    assert width[1] >= width[0]
    refused = fk.attempt(fk.backtest, pipeline.at("2024-01-15"))
    again = fk.forecast_open(pipeline, "2026-01-31", paths=500, record=refused)
    assert isinstance(refused, Refusal) and again.table.equals(plain.table)
