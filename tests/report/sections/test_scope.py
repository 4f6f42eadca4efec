"""What the periodic report is to look at: settings that do not fit the data are refused."""

import re

import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.language.samples import sample_files
from funnelkit.reading.read import read
from funnelkit.report import Scope


@pytest.fixture(scope="module")
def sample():
    return read(*sample_files(), model="industrial-8")


def test_last_full_period_is_the_default(sample):
    assert Scope(sample, "month").day == pd.Timestamp("2025-12-31")  # no record of its last day, yet it is over
    assert Scope(sample, "week").day == pd.Timestamp("2025-12-28")
    assert Scope(sample, "month").until == pd.Timestamp("2026-01-31")
    assert Scope(sample, "month", "current").day.to_period("M") == pd.Period("2025-12")
    assert Scope(sample, "quarter", "2025-05-05").day == pd.Timestamp("2025-05-05")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"segment": "nope"}, "parameter segment: the data have no column 'nope'. Columns: deal_id"),
        ({"people": "nope"}, "parameter people: the data have no column 'nope'"),
        ({"evidence": "none.csv"}, "none.csv: no such file"),
        ({"period": "2026-03-01"}, "2026-03-01 lies after the data, which end on 2025-12-29"),
    ],
)
def test_settings_that_do_not_fit_the_data_are_refused(sample, settings, message):
    with pytest.raises(DataError, match=re.escape(message)):
        Scope(sample, **settings)


@pytest.mark.parametrize(("as_of", "day"), [("2025-12-31", "2025-12-31"), ("2025-12-29", "2025-11-30")])
def test_a_given_day_decides_which_period_is_over(as_of, day):
    assert Scope(read(*sample_files(), model="industrial-8", as_of=as_of)).day == pd.Timestamp(day)


def test_running_period_is_none_of_the_future(sample):
    Scope(sample, period="2025-12-31")


def test_day_before_all_data_is_refused():
    with pytest.raises(DataError, match="no deal that was known on 2020-01-01"):
        Scope(read(*sample_files(), model="industrial-8", as_of="2020-01-01"))
