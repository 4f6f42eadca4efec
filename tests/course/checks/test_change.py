"""Checks of lesson 09: right answers pass, empty and typical wrong ones get the hint that is meant for them."""

import pandas as pd
import pytest

from funnelkit.course.checks import change

OLD = pd.DataFrame({"segment": ["C", "D"], "k": [60, 30], "n": [200, 300]})
NEW = pd.DataFrame({"segment": ["C", "D"], "k": [99, 22], "n": [300, 200]})


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.2 * (0.315 - 0.105), "right"),
        (None, "empty"),
        ("a lot", "no_number"),
        (4.2, "not_fraction"),
        (0.2 * (0.30 - 0.10), "mix_old_rates"),
        (0.2 * (0.33 - 0.11), "mix_new_rates"),
        (0.5 * 0.03 + 0.5 * 0.01, "mix_is_rate"),
        (121 / 500 - 90 / 500, "mix_is_total"),
        (-0.042, "mix_sign"),
        (0.1, "off"),
    ],
)
def test_mix(answer, hint):
    found = change.check_mix(answer, OLD, NEW, "segment")
    assert (found.hint, found.ok) == (hint, hint == "right")


ROW = pd.Series({"centre": 0.5, "n": 100})  # the error is 0.05


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.5 - 3 * 1.6 * 0.05, "right"),
        (None, "empty"),
        (26, "not_fraction"),
        (0.5 - 3 * 0.05, "limit_no_sigma"),
        (0.5 + 3 * 1.6 * 0.05, "limit_upper"),
        (0.5 - 2 * 1.6 * 0.05, "limit_two"),
        (3 * 1.6 * 0.05, "limit_no_centre"),
        (0.9, "off"),
    ],
)
def test_lower_limit(answer, hint):
    assert change.check_lower_limit(answer, ROW, 1.6).hint == hint


def test_a_limit_below_zero_is_zero():
    low = pd.Series({"centre": 0.05, "n": 20})
    assert change.check_lower_limit(0, low, 1.0).hint == "right"
    assert change.check_lower_limit(0.05 - 3 * (0.05 * 0.95 / 20) ** 0.5, low, 1.0).hint == "limit_no_sigma"


LINK = pd.Series({"regained": 30.0, "n_within": 100, "n_lost": 140})


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (15, "right"),
        (None, "empty"),
        (30, "half_is_all"),
        (50, "half_not_end"),
        (100, "half_not_end"),
        (70, "half_beyond"),
        (21, "half_beyond"),
        (1, "off"),
    ],
)
def test_half_regained(answer, hint):
    assert change.check_half_regained(answer, LINK).hint == hint
