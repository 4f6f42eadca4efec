"""Times of one form: parsed at once or text by text, the answer is the same."""

import time

import numpy as np
import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.reading.cells import dates
from funnelkit.reading.cells.text import Place

FORMS = (
    "%Y-%m-%d", "%Y/%m/%d %H:%M", "%d.%m.%Y", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d-%m-%y",
    "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%f+02:00", "%Y-%m-%d %H:%M:%S UTC", "%d/%m/%Y %H:%M:%S.%f",
    "%m/%d/%y %I:%M%p",
)  # fmt: skip
ODD = ("", "31.02.2025", "2025-13-01", "2025-01-01 25:00", "01/01/2025 13:00 PM", "2025-01-01T10:00:00+28:00", "soon",
       "0000-00-00", "1.1.2025 10:60", "9999-12-31")  # fmt: skip


def both(texts, monkeypatch, **how):
    """Return what is found at once, and text by text; an error as its key and place."""
    answers = []
    for slow in (False, True):
        with monkeypatch.context() as patch:
            if slow:
                patch.setattr(dates, "_of_numbers", lambda *_: None)
                patch.setattr(dates, "_of_one_form", lambda *_, **__: None)
            place = Place("f.csv", "when", np.arange(2, len(texts) + 2))
            try:
                found = dates.as_time(pd.Series(texts, dtype="str"), place, **how)
            except DataError as error:
                answers.append((error.key, error.values))
                continue
            faults = {rule: mask.tolist() for rule, mask in found.faults.items() if mask.any()}
            answers.append((found.values.tolist(), faults, [note.message("en") for note in found.notes]))
    return answers


@pytest.mark.parametrize("zone", [None, "Asia/Shanghai"])
@pytest.mark.parametrize("form", FORMS)
def test_one_form_at_once_is_as_text_by_text(form, zone, monkeypatch):
    rng = np.random.default_rng(5)
    moments = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 10**14, 40), "us")
    texts = [moment.strftime(form) for moment in moments]
    for further in ([], *([odd] for odd in ODD), [texts[0]], list(ODD)):
        one, other = both([*texts, *further], monkeypatch, timezone=zone)
        assert repr(one) == repr(other)


@pytest.mark.parametrize("digits", [10, 13, 16, 19])
def test_times_since_1970_at_once_are_as_text_by_text(digits, monkeypatch):
    texts = [str(1_700_000_000_123_456_789 + 10**15 * n)[:digits] for n in range(20)]
    one, other = both(texts, monkeypatch, timezone="America/New_York")
    assert repr(one) == repr(other)


@pytest.mark.parametrize("texts", [["03/04/2022 10:00", "04/03/2022 11:00"], ["25/12/2022", "12/25/2022"]])
def test_an_order_that_stays_open_is_asked_for_in_the_same_words(texts, monkeypatch):
    one, other = both(texts, monkeypatch)
    assert one == other and one[0].startswith("date_order")


def test_day_numbers_of_a_spreadsheet_are_read_where_all_are_such():
    texts = pd.Series(["45678.5", "", "44927"], dtype="str")
    found = dates.as_time(texts, Place("f.csv", "when", np.arange(2, 5)))
    assert found.values.tolist() == [pd.Timestamp("2025-01-21 12:00"), pd.NaT, pd.Timestamp("2023-01-01")]
    assert [note.rule for note in found.notes] == ["serial_found"]


def test_a_date_behind_the_name_of_who_did_it_is_read_where_all_are_such():
    texts = pd.Series(["Ann Lee Mar 5, 2025 10:15 AM", "Bo Chen Mar 6, 2025 11:00 PM"], dtype="str")
    found = dates.as_time(texts, Place("f.xlsx", "Creation Log", np.arange(2, 4)))
    assert found.values.tolist() == [pd.Timestamp("2025-03-05 10:15"), pd.Timestamp("2025-03-06 23:00")]
    assert [note.rule for note in found.notes] == ["date_behind_words"]
    mixed = dates.as_time(pd.concat([texts, pd.Series(["soon"], dtype="str")]), Place("f", "c", np.arange(3)))
    assert mixed.values.isna().all()


def test_many_different_times_take_little_time():
    moments = pd.Series(pd.Timestamp("2023-01-31") + pd.to_timedelta(np.arange(100_000) * 61, "s"))
    texts = moments.dt.strftime("%d.%m.%Y %H:%M:%S")
    begin = time.process_time()
    found = dates.as_time(texts, Place("f.csv", "when", np.arange(len(texts))))
    assert time.process_time() - begin < 2  # text by text takes 3
    assert (found.values == moments).all()


@pytest.mark.parametrize(("text", "day"), [
    ("5. März 2025", "2025-03-05"), ("12 de marzo de 2025", "2025-03-12"), ("1er août 2025", "2025-08-01"),
    ("12-dic-2025", "2025-12-12"), ("3 févr. 2025 10:15", "2025-02-03 10:15"), ("14 июля 2025", "2025-07-14"),
    ("03-JAN-25", "2025-01-03"), ("2 de out. de 2025", "2025-10-02"), ("20. Mai 2022", "2022-05-20"),
])  # fmt: skip
def test_names_of_months_in_other_languages(text, day):
    found = dates.as_time(pd.Series([text], dtype="str"), Place("f.csv", "when", np.array([2])))
    assert found.values.iloc[0] == pd.Timestamp(day)
