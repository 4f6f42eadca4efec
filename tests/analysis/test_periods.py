import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.periods import Calendar, data_end
from funnelkit.language.errors import DataError


@pytest.mark.parametrize("calendar", [Calendar("week"), Calendar("month"), Calendar("quarter"), Calendar("year"),
                                      Calendar("quarter", 4), Calendar("year", 7), Calendar("month", 4)])  # fmt: skip
def test_periods_follow_each_other_without_gap(calendar):
    days = pd.date_range("2019-12-25", "2027-01-10")
    numbers = calendar.number(days.to_numpy())
    assert set(np.diff(numbers)) == {0, 1}
    for number in np.unique(numbers)[1:-1]:
        inside = days[numbers == number]
        assert (inside[0], inside[-1]) == (calendar.start(number), calendar.start(number + 1) - pd.Timedelta(days=1))


def test_weeks_are_pandas_iso_weeks():
    week = Calendar("week")
    for day in pd.date_range("2019-12-20", "2027-01-20"):
        year, number, _ = day.isocalendar()
        assert week.name(week.number(day)) == f"{year}-W{number:02d}"


def test_fiscal_quarters_are_pandas_fiscal_quarters():
    calendar = Calendar("quarter", fiscal_start=4)
    for day in pd.date_range("2024-01-01", "2026-12-31", freq="11D"):
        expected = day.to_period("Q-MAR")
        assert calendar.name(calendar.number(day)) == f"FY{expected.qyear}-Q{expected.quarter}"


def test_week_53_has_no_counterpart_and_others_do():
    week = Calendar("week")
    assert week.year_before(week.number("2026-12-31")) is None  # 2026-W53; 2025 has 52 weeks
    assert week.name(week.year_before(week.number("2026-06-10"))) == "2025-W24"
    assert Calendar("month").year_before(Calendar("month").number("2026-02-03")) == Calendar("month").number(
        "2025-02-03"
    )


def test_working_days_know_holidays_and_made_up_days():
    calendar = Calendar(holidays=("2026-10-01", "2026-10-02"), workdays=("2026-10-10",))
    days = calendar.days("2026-10-01", "2026-10-13")
    assert [str(day)[-2:] for day in days[calendar.is_working(days)]] == ["05", "06", "07", "08", "09", "10", "12"]


def test_like_part_never_leaves_its_period():
    month = Calendar("month")
    start, stop = month.like(month.number("2026-02-10"), 31)
    assert (str(start.date()), str(stop.date())) == ("2026-02-01", "2026-03-01")


def test_unknown_units_are_refused_in_words():
    with pytest.raises(DataError, match="Known: week, month, quarter, year"):
        Calendar("fortnight")
    with pytest.raises(DataError, match="1 to 12"):
        Calendar("year", 0)


def test_the_last_day_of_bare_dates_is_complete():
    from funnelkit.reading.read import read

    table = pd.DataFrame({"id": ["a"], "stage": ["Won"], "created_at": ["2026-01-01"], "closed_at": ["2026-01-05"]})
    bare = read(table, stages=["Lead", "Won"], as_of="2026-01-31")
    timed = read(table.assign(closed_at="2026-01-05 10:00"), stages=["Lead", "Won"], as_of="2026-01-31")
    assert (str(data_end(bare).date()), str(data_end(timed).date())) == ("2026-02-01", "2026-01-31")
