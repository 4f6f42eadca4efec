"""Checks of lesson 08: right answers pass, empty and typical wrong ones get the hint that is meant for them."""

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
