"""Numbers as people write them: groups of any country, a dash for no cents."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.reading.cells.numbers import as_number
from funnelkit.reading.cells.text import Place

PLACE = Place("deals.csv", "amount", np.arange(2, 4))


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("Rs. 48,87,000/-", 4_887_000, "INR"),
        ("₹ 1,23,45,678.50", 12_345_678.5, "INR"),
        ("1.250.000,- EUR", 1_250_000, "EUR"),
        ("1 200:-", 1200, None),
        ("Fr. 100.–", 100, "CHF"),
        ("12 500,-- Kč", 12_500, "CZK"),
        ("100-", -100, None),
        ("(1,200.5)", -1200.5, None),
    ],
)
def test_amounts_are_read_as_they_are_written(text, value, currency):
    parsed = as_number(pd.Series([text], dtype="str"), PLACE, money=currency)
    assert not any(mask.any() for mask in parsed.faults.values())
    assert parsed.values.tolist() == [value]
    if currency:
        assert parsed.found["currency"].tolist() == [currency]


@pytest.mark.parametrize("text", ["48,87,00", "4,8,87,000", "5,-3", "12/-5"])
def test_groups_that_no_country_writes_are_no_whole_number(text):
    parsed = as_number(pd.Series([text, "1,000.5"], dtype="str"), PLACE)
    assert parsed.faults["not_a_number"].tolist() == [True, False]


@pytest.mark.parametrize("header", ["金额", "受注金額（千円）", "금액"])
def test_where_no_script_has_decimal_commas_groups_of_three_are_groups(header):
    texts = pd.Series(["33,643", "1,250"], dtype="str")
    parsed = as_number(texts, Place("deals.csv", header, np.arange(2, 4)))
    assert parsed.values.tolist() == [33_643, 1250] and [note.rule for note in parsed.notes] == ["decimal_by_script"]
    with pytest.raises(DataError) as caught:
        as_number(texts, PLACE)
    assert caught.value.key == "decimal_ambiguous"
    declared = as_number(texts, Place("deals.csv", header, np.arange(2, 4)), decimal=",")
    assert declared.values.tolist() == [33.643, 1.25]
