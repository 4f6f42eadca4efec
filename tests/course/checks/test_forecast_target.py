"""Checks of lesson 11: right answers pass, empty and typical wrong ones get the hint that is meant for them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from funnelkit.course.checks import forecast_target

DEALS = pd.DataFrame({
    "status": ["open", "open", "won", "lost", "void"], "amount": [300.0, 450.0, 200.0, 1000.0, np.nan],
})  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (1.5, "right"),
        (None, "empty"),
        ("much", "no_number"),
        (150, "coverage_percent"),
        (500 / 750, "coverage_inverse"),
        (1950 / 500, "coverage_all_deals"),
        (0.4, "coverage_won"),
        (2, "coverage_is_count"),
        (750, "coverage_is_value"),
        (9.9, "off"),
    ],
)
def test_coverage(answer, hint):
    found = forecast_target.check_coverage(answer, DEALS, 500)
    assert (found.hint, found.ok) == (hint, hint == "right")


def test_coverage_of_an_empty_funnel():
    assert forecast_target.check_coverage(0, DEALS[DEALS["status"] != "open"], 500).ok


PATHS = np.array([[10.0, 0, 30], [60, 10, 0], [0, 0, 55], [20, 20, 20], [5, 5, 5]])
MADE = SimpleNamespace(paths={"total": {"value": PATHS}, "open": {"value": PATHS * [1, 1, 0]}})


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.6, "right"),
        (None, "empty"),
        (60, "not_fraction"),
        (0.4, "chance_other"),
        (0.2, "chance_open_only"),
        (2 / 15, "chance_each_period"),
        (55 / 50, "chance_is_ratio"),
        (48 / 50, "chance_is_ratio"),
        (3, "chance_is_count"),
        (0.77, "off"),
    ],
)
def test_chance_of_an_amount(answer, hint):
    assert forecast_target.check_chance(answer, MADE, 50).hint == hint


def test_chance_from_the_last_period_only():
    total = np.array([[0.0, 60], [50, 20], [50, 20], [0, 0]])
    made = SimpleNamespace(paths={"total": {"value": total}, "open": {"value": total}})
    assert forecast_target.check_chance(0.25, made, 55).hint == "chance_other"
    assert forecast_target.check_chance(0.25, SimpleNamespace(paths={
        "total": {"value": np.array([[0.0, 60], [50, 20], [0, 0], [0, 0]])}, "open": {"value": np.zeros((4, 2))},
    }), 55).hint == "chance_last_period"  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (7, "right"),
        (None, "empty"),
        (6.5, "wins_not_whole"),
        (6, "wins_round_up"),
        (10, "wins_without_open"),
        (650, "wins_is_value"),
        (3.5, "wins_of_open"),
        (4, "wins_of_open"),
        (8, "off"),
    ],
)
def test_missing_wins(answer, hint):
    assert forecast_target.check_wins(answer, 1000, 350, 100).hint == hint


def test_no_wins_are_missing_where_the_open_deals_suffice():
    assert forecast_target.check_wins(0, 300, 350, 100).ok
