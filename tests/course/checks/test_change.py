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
