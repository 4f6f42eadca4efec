"""Workdays: on which weekdays a business records anything, so that a week that ends on Friday is known to be over."""

from __future__ import annotations

import pandas as pd

from funnelkit.pipeline import Pipeline

RESUMES = "resumes"  # of a finding: the day of `resumes`, of the whole export where a filter keeps a part of it
DAY = pd.Timedelta(days=1)
PATTERN_DAYS = 364  # the weekdays of the past year count
FEW_WEEKS = 8  # a weekday with records in fewer weeks than this cannot show that another is free
MOST_FREE = 3
FREE_SHARE = 0.25  # of the weeks in which the busiest weekday has records: working Saturdays before a long holiday
EARLY_SHARE, EARLY_CHANCE = 0.5, 0.05  # a day that ended with so early a record would be rare, or half a day


def resumes(pipeline: Pipeline, end: pd.Timestamp) -> pd.Timestamp:
    """Return the first working day that the data may lack, where `end` is the first day that they do not hold whole.

    After a last record of Friday afternoon that is Monday, if this business records nothing at weekends.
    """
    for finding in pipeline.findings:
        if RESUMES in finding.values:
            return pd.Timestamp(finding.values[RESUMES])
    deals = pipeline.deals
    times = pd.concat([pipeline.events["entered_at"], deals["closed_at"], deals["created_at"]]).dropna()
    times = times[times <= pipeline.as_of].drop_duplicates()
    times = times[times > times.max() - pd.Timedelta(days=PATTERN_DAYS)]
    if times.empty:
        return end
    free, first = _free(times), times.max().normalize()
    if _is_late(times):
        first += DAY
    if (end - DAY).day_of_week in free:
        first = max(first, end)
    while first.day_of_week in free:
        first += DAY
    return first


def _free(times: pd.Series[pd.Timestamp]) -> set[int]:
    """Return the weekdays (Monday is 0) with records in hardly any week; none where too little is known."""
    days = times.dt.normalize().drop_duplicates()
    weeks = days.dt.day_of_week.value_counts().reindex(range(7), fill_value=0)
    busiest = weeks.max()
    found = {int(day) for day, n in weeks.items() if n <= FREE_SHARE * busiest}
    return found if busiest >= FEW_WEEKS and len(found) <= MOST_FREE else set()


def _is_late(times: pd.Series[pd.Timestamp]) -> bool:
    """Tell whether the day of the last record is all but over, by the hours of the others; bare dates hold all of it.

    Of a day's n records the last comes before all but a share s of the hours with the chance (1 - s) ** n.
    """
    days = times.dt.normalize()
    of_day = times - days
    later = float((of_day > times.max() - days.max()).mean())
    return later <= EARLY_SHARE and (1 - later) ** (len(times) / days.nunique()) >= EARLY_CHANCE
