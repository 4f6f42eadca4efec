"""Evidence: units of headers and cells, and what names and cells of columns show."""

import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.reading import read
from funnelkit.reading.layouts.evidence import holds, spoken, unit_of


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("金额（元）", ("金额", 1, "CNY")), ("合同金额（万元）", ("合同金额", 1e4, "CNY")),
        ("金额/万元", ("金额", 1e4, "CNY")),
        ("预计金额(亿元)", ("预计金额", 1e8, "CNY")), ("金额(万)", ("金额", 1e4, None)),
        ("Amount (k€)", ("Amount", 1e3, "EUR")),
        ("Amount USD", ("Amount", 1, "USD")), ("Amount in EUR", ("Amount", 1, "EUR")), ("Revenue ($M)", None),
        ("Umsatz (TEUR)", ("Umsatz", 1e3, "EUR")), ("Deal size (thousands)", ("Deal size", 1e3, None)),
        ("Amount", None), ("Close date (actual)", None), ("Product Family", None), ("阶段（当前）", None),
    ],
)  # fmt: skip
def test_units_of_headers(header, unit):
    found = unit_of(header)
    assert (found and (found.bare, found.factor, found.currency)) == unit


def test_what_a_header_says_beside_decoration():
    assert [spoken(name) for name in ("Opportunity Amount USD", "Rep Name", "createdOn", "Deal Name", "Amount")] == [
        "amount", "rep", "created", "", "",
    ]  # fmt: skip


def test_what_cells_can_be():
    dates, flags, words = (pd.Series(values) for values in (["x", "2026-01-01"], ["0", "1"], ["red", None]))
    assert holds("closed_at", dates) and holds("closed_at", flags) is False and holds("closed_at", words) is False
    assert holds("is_closed", flags) and holds("is_closed", dates) is False
    assert holds("amount", pd.Series(["$40,000", "n/a"])) and holds("amount", words) is False
    assert holds("amount", pd.Series([None, None])) is None and holds("owner", words) is None


@pytest.mark.parametrize(
    ("header", "cells", "total", "currency"),
    [
        ("合同金额（万元）", ["12.5", "30"], 425_000, "CNY"), ("金额（元）", ["1,200.50", "3000"], 4200.5, "CNY"),
        ("金额", ["10万", "1.2亿"], 120_100_000, None), ("金额", ["3.5万元", "5000元"], 40_000, "CNY"),
        ("Amount", ["$40,000", "$1,250"], 41_250, "$"), ("Amount", ["€ 1.250", "€ 3"], 1253, "EUR"),
        ("Amount EUR", ["5", "6"], 11, "EUR"),
    ],
)  # fmt: skip
def test_amounts_with_units(header, cells, total, currency):
    found = read(pd.DataFrame({"id": [1, 2], "stage": ["Lead", "Won"], header: cells}), stages=["Lead", "Won"])
    assert found.amount_total == pytest.approx(total, abs=1e-9) and found.currency == currency


def test_rates_have_one_scale():
    with pytest.raises(DataError) as caught:
        read(pd.DataFrame({"stage": ["a", "b", "c"], "rate": ["0.9", "0.9", "90.0"]}))
    assert caught.value.key == "rate_scales" and "90.0" in str(caught.value) and caught.value.values["line"] == 3
    percent = read(pd.DataFrame({"stage": ["a", "b"], "rate": [90, 57.1]}))
    assert percent.counts["rate"].tolist() == pytest.approx([0.9, 0.571])
    assert read(pd.DataFrame({"stage": ["a", "b"], "rate": [0.9, 1]})).counts["rate"].tolist() == [0.9, 1]
