"""What the details must not say: sums of two currencies, a lead of one stage, a rhythm sold as a rise."""

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit import report
from funnelkit.analysis.compare import went_otherwise
from funnelkit.language import DataError, money


@pytest.fixture(scope="module")
def two_currencies():
    rng, n = np.random.default_rng(4), 60
    created = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(n), unit="D")
    deals = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(n)], "account": [f"a{i % 9}" for i in range(n)], "created_at": created,
        "stage": rng.choice(["Lead", "Offer", "Won", "Lost"], n), "amount": rng.integers(10, 90, n) * 100,
        "currency": np.where(np.arange(n) % 3, "EUR", "USD"), "expected_close": created,
    })  # fmt: skip
    return fk.read(deals, stages=["Lead", "Offer", "Won"], as_of="2026-05-01")


def test_amounts_of_two_currencies_are_never_added(two_currencies):
    assert fk.count_stages(two_currencies).table["value"].isna().all()
    assert "Value" not in report.funnel_table(two_currencies).text
    with pytest.raises(DataError, match="EUR, USD"):
        report.key_accounts(two_currencies)
    assert "(" not in report.slipped_closes(two_currencies).reading()


def test_each_currency_by_itself_is_added(two_currencies):
    table = fk.count_stages(two_currencies, "currency").table
    assert table.groupby("currency")["value"].max().notna().all()


def test_one_stage_has_no_bottleneck():
    deals = pd.DataFrame({"deal_id": list("abcd"), "stage": ["Open", "Won", "Won", "Lost"]})
    with pytest.raises(DataError, match="one stage"):
        report.find_bottleneck(fk.read(deals, stages=["Open", "Won"]))


def test_a_change_that_the_count_denies_is_found():
    counted = pd.DataFrame({"k": [511, 40], "n": [651, 100], "k_before": [503, 20], "n_before": [635, 100]})
    assert went_otherwise(counted, np.array([0.076, 0.2])).tolist() == [True, False]


def test_money_is_short_in_a_report_alone(monkeypatch):
    assert money(23_912_000, "CNY") == "CN¥23,912,000"
    monkeypatch.setenv("FUNNELKIT_RUN", "1")
    assert (money(23_912_000, "CNY"), money(23_912_000), money(None, "CNY")) == ("CNY\xa023.9\xa0M", "23.9\xa0M", "–")
