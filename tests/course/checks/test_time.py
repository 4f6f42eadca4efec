"""Checks of lesson 08: right answers pass, empty and typical wrong ones get the hint that is meant for them."""

import pandas as pd
import pytest

from funnelkit.course.checks import time

DAYS, ENDED = [5, 9, 14, 15, 21, 28, 30, 44], [True, True, False, True, False, True, False, True]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (28, "right"),
        (None, "empty"),
        ("long", "no_number"),
        (15, "median_finished"),
        (18, "median_as_ended"),
        (sum(DAYS) / 8, "median_mean"),
        (101 / 5, "median_mean"),
        (44, "off"),
    ],
)
def test_median_with_running_stays(answer, hint):
    found = time.check_median(answer, DAYS, ENDED)
    assert (found.hint, found.ok) == (hint, hint == "right")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.65, "right"),
        (None, "empty"),
        (65, "not_fraction"),
        (0.05, "best_is_raw"),
        (0.60, "best_open_only"),
        (0.125, "best_is_decided"),
        (0.9, "off"),
    ],
)
def test_best_case_of_a_cohort(answer, hint):
    assert time.check_best_case(answer, {"n": 100, "n_open": 60, "raw": 0.05}).hint == hint


def test_best_case_of_a_cohort_that_is_all_open():
    assert time.check_best_case(1.0, {"n": 10, "n_open": 10, "raw": 0.0}).hint == "right"


WAITS = pd.DataFrame({
    "stage": ["a", "a", "a", "a", "b"], "state": ["stuck", "late", "soon", "in_time", "late"],
    "amount": [1000.0, 200.0, 30.0, 400.0, 50_000.0],
})  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (1200, "right"),
        (None, "empty"),
        (2, "late_is_count"),
        (51_200, "late_all_stages"),
        (1630, "late_all_open"),
        (1230, "late_with_soon"),
        (7, "off"),
    ],
)
def test_value_of_late_deals(answer, hint):
    assert time.check_late_value(answer, WAITS, "a").hint == hint
