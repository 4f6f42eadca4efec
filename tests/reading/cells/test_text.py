"""Values: numbers, dates and texts out of cells; what stays ambiguous is an error that quotes both readings."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.reading.cells.dates import as_time
from funnelkit.reading.cells.numbers import as_number
from funnelkit.reading.cells.text import Place, among, as_id, cell_text, repeated


def column(values):
    return pd.Series(values, dtype="str")


def place(values):
    return Place("f.csv", "c", np.arange(2, len(values) + 2))


def numbers(values, **options):
    return as_number(column(values), place(values), **options)


def times(values, **options):
    return as_time(column(values), place(values), **options)


def broken(parsed):
    return {rule: np.flatnonzero(mask).tolist() for rule, mask in parsed.faults.items() if np.any(mask)}


# --- text ---


def test_ids_stay_text():
    assert as_id(column(["007", " 7 ", "1234567890123456789", "\ufeffA1\u200b"])).tolist() == [
        "007", "7", "1234567890123456789", "A1",
    ]  # fmt: skip
    assert as_id(pd.Series([7.0, 8, "x"], dtype="object")).tolist() == ["7", "8", "x"]


def test_blank_is_missing_and_words_for_missing_are_not():
    assert cell_text(column(["", " \u00a0", "NA", "None", "null", "x "])).isna().tolist() == [True] * 2 + [False] * 4


def test_among_equals_isin():
    ids, others = column(["a", "b", "c", "a"]), column(["c", "a", "z"])
    assert among(ids, others).tolist() == ids.isin(others).tolist()
    assert among(ids, others.iloc[:0]).tolist() == [False] * 4
    assert among(ids.iloc[:0], others).tolist() == []


# --- numbers ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-3.5", -3.5), ("1,234.50", 1234.5), ("1.234.567,8", 1234567.8), ("1 234,50", 1234.5),
        ("1'234.50", 1234.5), ("１２３．５", 123.5), ("(100)", -100), ("100-", -100), ("−5", -5), ("+5", 5),
        ("$1,234.50", 1234.5), ("USD 12.5", 12.5), ("12,50 €", 12.5), ("￥3.50", 3.5), ("1.5E+3", 1500), (".5", 0.5),
        ("1,234,567", 1234567), ("0.125", 0.125), ("1234.567", 1234.567),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text, value):
    parsed = numbers([text, ""])
    assert parsed.values[0] == pytest.approx(value) and np.isnan(parsed.values[1])
    assert not broken(parsed)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("inf", "not_finite"), ("NaN", "not_finite"), ("1e400", "not_finite"), ("abc", "not_a_number"),
        ("3k", "number_unit"), ("2M", "number_unit"), ("12%", "not_a_number"),
        ("1,23,4.5", "not_a_number"), ("12 34.5", "not_a_number"), ("--5", "not_a_number"), ("(5", "not_a_number"),
        ("2022-05-20", "not_a_number"), ("-", "not_a_number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_a_fault_of_its_row(text, rule):
    parsed = numbers(["1.5", text, "2"])
    assert broken(parsed) == {rule: [1]}
    assert parsed.values[[0, 2]].tolist() == [1.5, 2.0]


def test_percent_only_where_a_rate_is_read():
    assert numbers(["９０％", "45%", "0.5"], percent=True).values.tolist() == [0.9, 0.45, 0.5]


@pytest.mark.parametrize("values", [["1,234"], ["1.234", "2.500"], ["1,234", "12", "2,500"]])
def test_a_mark_that_could_be_two_things_is_refused(values):
    with pytest.raises(DataError) as caught:
        numbers(values)
    error = caught.value
    assert (error.key, error.values["line"], error.values["column"]) == ("decimal_ambiguous", 2, "c")
    assert "1234" in str(error) and "1.234" in str(error) and "--decimal" in str(error)
    assert "无法判定" in error.say("zh")


def test_one_proof_settles_the_column_and_a_declaration_settles_all():
    assert numbers(["1,234", "0.5"]).values.tolist() == [1234, 0.5]
    assert numbers(["1,234", "0,5"]).values.tolist() == [1.234, 0.5]
    assert numbers(["1,234"], decimal=".").values.tolist() == [1234]
    assert numbers(["1.234"], decimal=",").values.tolist() == [1234]
    assert numbers(["1.234"], decimal=".").values.tolist() == [1.234]


def test_two_marks_in_one_column_are_refused():
    with pytest.raises(DataError) as caught:
        numbers(["1.5", "2,5"])
    assert (caught.value.key, caught.value.values["line"]) == ("decimal_conflict", 3)


def test_currencies_named_in_cells():
    found = numbers(["€5", "5", "7 USD", "8元"]).found["currency"]
    assert found.fillna("-").tolist() == ["EUR", "-", "USD", "CNY"]


def test_typed_numbers_are_not_parsed_again():
    cells = pd.Series([1.234, 2, "1,234.50", None, Decimal("1.234"), np.inf], dtype="object")
    parsed = as_number(cells, place(cells))
    assert parsed.values.tolist()[:3] == [1.234, 2, 1234.5] and parsed.values[4] == 1.234
    assert broken(parsed) == {"not_finite": [5]}
    assert as_number(pd.Series([1, None], dtype="Int64"), place([1, 2])).values.tolist()[0] == 1.0


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=20), st.sampled_from([".", ","]))
def test_grouped_amounts_come_back(values, mark):
    texts = [f"{value:,.2f}".translate({44: "." if mark == "," else ",", 46: mark}) for value in values]
    assert numbers(texts).values.tolist() == [float(value) for value in values]


# --- dates ---


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022-05-20", "2022-05-20"), ("2022-05-20 23:30", "2022-05-20 23:30"),
        ("2022-05-20T23:30:01.5", "2022-05-20 23:30:01.5"),
        ("2022/5/20", "2022-05-20"), ("2022.05.20", "2022-05-20"), ("20220520", "2022-05-20"),
        ("2022年5月20日", "2022-05-20"), ("2022年5月20日 下午3:05", "2022-05-20 15:05"),
        ("２０２２－０５－２０", "2022-05-20"),
        ("20 May 2022", "2022-05-20"), ("20-May-2022", "2022-05-20"), ("May 20, 2022", "2022-05-20"),
        ("Sept 3rd, 2022 12:05 AM", "2022-09-03 00:05"), ("5/20/2022 1:05 PM", "2022-05-20 13:05"),
        ("20.05.2022", "2022-05-20"),
        ("2022-05-20T23:30:00Z", "2022-05-20 23:30"), ("2022-05-20T23:30:00+08:00", "2022-05-20 15:30"),
        ("1653089400", "2022-05-20 23:30"), ("1653089400000", "2022-05-20 23:30"),
    ],
)  # fmt: skip
def test_dates_as_people_write_them(text, moment):
    parsed = times([text, ""])
    assert parsed.values[0] == pd.Timestamp(moment) and parsed.values.isna()[1]
    assert parsed.values.dtype == "datetime64[us]" and not broken(parsed)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2022-02-30", "not_a_date"), ("soon", "not_a_date"), ("12", "not_a_date"), ("0001-01-01", "date_range"),
        ("9999-12-31", "date_range"), ("2022-05-20 25:00", "not_a_date"), ("13:00 PM 2022-05-20", "not_a_date"),
    ],
)  # fmt: skip
def test_what_is_no_date_is_a_fault_of_its_row(text, rule):
    assert broken(times(["2022-05-20", text])) == {rule: [1]}


def test_the_order_of_day_and_month_is_proven_or_refused():
    parsed = times(["3/4/2022", "12/25/2022"])
    assert parsed.values[0] == pd.Timestamp("2022-03-04")
    assert parsed.notes[0].rule == "date_order_found" and parsed.notes[0].values["order"] == "mdy"
    assert times(["3/4/2022", "25/12/2022"]).values[0] == pd.Timestamp("2022-04-03")
    assert times(["5/5/2022"]).values[0] == pd.Timestamp("2022-05-05")
    with pytest.raises(DataError) as caught:
        times(["5/5/2022", "03/04/2022"])
    error = caught.value
    assert (error.key, error.values["line"], error.values["value"]) == ("date_order_ambiguous", 3, "03/04/2022")
    assert "2022-04-03 (dmy)" in str(error) and "2022-03-04 (mdy)" in str(error) and "--date-order" in str(error)
    assert "无法判定" in error.say("zh")


def test_two_orders_in_one_column_are_refused_and_a_declared_one_faults_the_rows():
    with pytest.raises(DataError) as caught:
        times(["25/12/2022", "1/1/2022", "12/25/2022"])
    assert (caught.value.key, caught.value.values["line"]) == ("date_order_conflict", 4)
    assert broken(times(["25/12/2022", "12/25/2022"], order="dmy")) == {"not_a_date": [1]}


def test_two_digit_years_need_proof_too():
    assert times(["12/25/22"], order="mdy").values[0] == pd.Timestamp("2022-12-25")
    assert times(["99/12/25", "22/05/31"]).values.tolist() == [pd.Timestamp("1999-12-25"), pd.Timestamp("2022-05-31")]
    with pytest.raises(DataError):
        times(["22/05/20"])


def test_an_impossible_date_proves_nothing():
    with pytest.raises(DataError, match="03/04/2022"):
        times(["13/45/2022", "03/04/2022"])


def test_zones_are_converted_and_a_missing_one_faults_the_row():
    values = ["2022-05-20T23:30:00+08:00", "2022-05-20T23:30:00Z", "2022-05-20T23:30:00"]
    parsed = times(values)
    assert broken(parsed) == {"timezone_missing": [2]}
    assert parsed.notes[0].value == "UTC"
    local = times(values, timezone="Asia/Shanghai")
    assert not broken(local)
    assert local.values.astype(str).tolist() == ["2022-05-20 23:30:00", "2022-05-21 07:30:00", "2022-05-20 23:30:00"]
    with pytest.raises(DataError, match="Mars"):
        times(values, timezone="Mars/Base")


def test_workbook_cells_and_typed_columns():
    cells = pd.Series(
        [datetime.datetime(2022, 5, 20, 8), datetime.date(2022, 5, 21), 44703.5, "2022-05-23", None], dtype="object"
    )
    parsed = as_time(cells, place(cells), serial=True)
    assert parsed.values.dropna().astype(str).tolist() == [
        "2022-05-20 08:00:00", "2022-05-21 00:00:00", "2022-05-22 12:00:00", "2022-05-23 00:00:00",
    ]  # fmt: skip
    assert broken(as_time(cells, place(cells))) == {"not_a_date": [2]}
    zoned = pd.Series(pd.to_datetime(["2022-05-20T23:30:00+08:00"]))
    assert as_time(zoned, place([1])).values[0] == pd.Timestamp("2022-05-20 15:30")


@given(st.lists(st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2100, 1, 1)), min_size=1, max_size=20))
def test_iso_times_come_back_exactly(moments):
    assert times([moment.isoformat() for moment in moments]).values.tolist() == [pd.Timestamp(m) for m in moments]


@pytest.mark.parametrize("values", [["a", "b", "a", "中", "b", "c"], ["a", "b"], [], ["x"] * 5])
def test_texts_that_stand_more_than_once_are_the_same_by_hashes(values, monkeypatch):
    texts = pd.Series(values, dtype="str")
    plain = repeated(texts)
    monkeypatch.setattr("funnelkit.reading.cells.text.MANY", 0)
    assert repeated(texts).tolist() == plain.tolist() == [values.count(text) > 1 for text in values]


def test_times_of_day_and_spans_are_text_as_they_stand():
    cells = pd.Series([datetime.time(9, 30), datetime.datetime(2026, 1, 5), datetime.date(2026, 1, 5)], dtype=object)
    assert cell_text(cells).tolist() == ["09:30:00", "2026-01-05", "2026-01-05"]
