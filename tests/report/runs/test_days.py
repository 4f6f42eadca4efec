"""Words for days: one resolver for as_of, period and target_date, by the day of the run."""

from datetime import date

import pytest

from funnelkit.language.errors import ReportError
from funnelkit.report.runs import days, parameters

DAYS = [
    ("2026-11-30", "today", "2026-11-30"), ("2026-11-30", "yesterday", "2026-11-29"),
    ("2026-11-30", "last-week-end", "2026-11-29"), ("2026-11-29", "last-week-end", "2026-11-22"),
    ("2026-12-01", "last-week-end", "2026-11-29"), ("2027-01-02", "last-week-end", "2026-12-27"),
    ("2026-11-30", "week-end", "2026-12-06"), ("2026-11-29", "week-end", "2026-11-29"),
    ("2026-11-30", "last-month-end", "2026-10-31"), ("2028-03-01", "last-month-end", "2028-02-29"),
    ("2026-11-30", "month-end", "2026-11-30"), ("2026-12-01", "month-end", "2026-12-31"),
    ("2026-01-15", "last-quarter-end", "2025-12-31"), ("2026-11-30", "quarter-end", "2026-12-31"),
    ("2026-01-15", "last-year-end", "2025-12-31"), ("2026-01-15", "year-end", "2026-12-31"),
]  # fmt: skip


@pytest.mark.parametrize(("today", "word", "wanted"), DAYS)
def test_words_mean_days_as_seen_from_the_day_of_the_run(today, word, wanted):
    declared = {
        "day": parameters.Parameter("day", "date", "", ""),
        "p": parameters.Parameter("p", "date | current", "", ""),
    }
    found = parameters.check_values({"day": word, "p": word}, declared, date.fromisoformat(today))
    assert found == {"day": wanted, "p": wanted}


@pytest.mark.parametrize("word", days.WORDS)
def test_every_word_ends_its_period(word):
    """A day that ends a week, month, quarter or year is followed by the first day of the next."""
    for today in (date(2026, 1, 1), date(2026, 12, 31), date(2028, 2, 29), date(2026, 11, 29)):
        found = days.named_day(word, today)
        after = date.fromordinal(found.toordinal() + 1)
        unit = word.removeprefix("last-").removesuffix("-end")
        firsts = {"week": after.weekday() == 0, "month": after.day == 1, "year": (after.month, after.day) == (1, 1)}
        firsts["quarter"] = (after.month % 3, after.day) == (1, 1)
        assert firsts.get(unit, True)
        assert found < today if word.startswith("last-") or word == "yesterday" else found >= today


def test_the_clock_can_be_set(monkeypatch):
    monkeypatch.setenv(days.CLOCK, "2026-02-03")
    assert days.clock() == date(2026, 2, 3) and days.clock("2026-03-04") == date(2026, 3, 4)
    monkeypatch.setenv(days.CLOCK, "tomorrow")
    with pytest.raises(ReportError, match="not 'tomorrow'"):
        days.clock()


@pytest.mark.parametrize("word", ["tomorrow", "last-weekend", "Today", "last-day-end", "2026-11-31"])
def test_other_words_are_refused_with_those_that_are_known(word):
    with pytest.raises(ReportError) as caught:
        parameters.check_values({"d": word}, {"d": parameters.Parameter("d", "date", "", "")})
    assert caught.value.exit_code == 11 and "last-week-end" in str(caught.value)
