"""What the periodic report is to look at: settings that do not fit the data are refused."""

import re

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis import data_end
from funnelkit.language import DataError
from funnelkit.language.samples import sample_files
from funnelkit.reading.read import read
from funnelkit.report import Scope, read_source
from funnelkit.report.runs.parameters import Parameter, check_values


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


def export_until(last, weekdays=range(5), hours=None, n=120):
    """Two deals on each working day up to the last, closed after a fortnight; with `hours`, at random times of day."""
    rng, rows = np.random.default_rng(0), []
    for day in pd.date_range(end=last, periods=n):
        for k in range(2 if day.day_of_week in weekdays else 0):
            made, closed = (
                when if hours is None else when + pd.Timedelta(hours=rng.uniform(8, 17))
                for when in (day, day + pd.Timedelta(days=14))
            )
            over = closed < pd.Timestamp(last)
            stage = ("Won", "Lost")[(day.day + k) % 3 > 0] if over else "Lead"
            rows.append((f"{day:%y%m%d}{k}", stage, made, closed if over else pd.NaT))
    frame = pd.DataFrame(rows, columns=["id", "stage", "created_at", "closed_at"])
    if hours is None:
        return frame
    exported = pd.Timestamp(last) + pd.Timedelta(hours=hours)
    return pd.concat(
        [
            frame[frame["created_at"] < exported],
            pd.DataFrame({"id": ["last"], "stage": ["Lead"], "created_at": [exported]}),
        ]
    )


def reported(frame, folder, unit="week", **how):
    """The last day of the period that a report of this export is about."""
    path = folder / "deals.csv"
    frame.to_csv(path, index=False)
    return f"{Scope(read_source([path], stages=['Lead', 'Won'], **how), unit).day:%m-%d}"


WEEKS = [
    ("2026-11-18", {}, "11-15"), ("2026-11-19", {}, "11-15"), ("2026-11-20", {}, "11-22"),  # Wednesday to Friday
    ("2026-11-21", {"weekdays": range(6)}, "11-22"), ("2026-11-20", {"weekdays": range(6)}, "11-15"),
    ("2026-11-20", {"weekdays": range(7)}, "11-15"), ("2026-11-21", {"weekdays": range(7)}, "11-15"),
    ("2026-11-22", {"weekdays": range(7)}, "11-22"), ("2026-11-20", {"n": 30}, "11-15"),  # what is free is not known
    ("2026-11-16", {"weekdays": (0,)}, "11-15"),  # entered once a week: nobody says that it is for all of it
    ("2026-11-20", {"hours": 16.9}, "11-22"), ("2026-11-20", {"hours": 9.0}, "11-15"),  # of the evening, of the morning
]  # fmt: skip


@pytest.mark.parametrize(("last", "export", "day"), WEEKS)
def test_a_week_is_over_with_its_last_working_day(last, export, day, tmp_path):
    assert reported(export_until(last, **export), tmp_path) == day


GIVEN = [
    ("week", "2026-11-20", "2026-11-20", "11-22"), ("week", "2026-11-19", "2026-11-20", "11-15"),
    ("week", "2026-11-19", "2026-11-21", "11-22"), ("week", "2026-11-20", "2026-11-30", "11-29"),
    ("month", "2026-05-29", "2026-05-29", "05-31"), ("month", "2026-05-28", "2026-05-28", "04-30"),
    ("month", "2026-07-30", "2026-07-30", "06-30"), ("month", "2026-07-31", "", "07-31"),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "last", "as_of", "day"), GIVEN)
def test_a_given_day_ends_the_period_after_its_last_working_day(unit, last, as_of, day, tmp_path):
    assert reported(export_until(last), tmp_path, unit, as_of=as_of) == day


@pytest.mark.parametrize("word", ["", "today", "yesterday", "last-week-end"])
def test_friday_export_reports_its_week_whichever_day_it_runs(word, tmp_path):
    """Where the word does not mean a day before Friday."""
    for today in pd.DatetimeIndex(["2026-11-20", "2026-11-21", "2026-11-23"]).date:
        declared = {"as_of": Parameter("as_of", "date", "", "")}
        as_of = check_values({"as_of": word}, declared, today)["as_of"]
        early = (word, today.weekday()) in {("yesterday", 4), *(("last-week-end", day) for day in (4, 5))}
        assert reported(export_until("2026-11-20"), tmp_path, as_of=as_of) == ("11-15" if early else "11-22")


def test_all_of_fridays_records_count_in_the_week_that_it_ends(tmp_path):
    path = tmp_path / "deals.csv"
    export_until("2026-11-20", hours=16.9).to_csv(path, index=False)
    pipeline = read_source([path], stages=["Lead", "Won"])
    assert data_end(pipeline) == pd.Timestamp("2026-11-21")


def test_a_part_of_an_export_has_the_week_of_the_whole(tmp_path):
    frame = export_until("2026-11-20")
    frame["region"] = np.where(np.arange(len(frame)) % 40, "North", "South")
    for region in ("North", "South"):
        assert reported(frame, tmp_path, rows=f"region = {region}") == "11-22"
