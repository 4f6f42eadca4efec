"""Checks of lesson 04: right answers pass, empty and typical wrong ones get the hint that is meant for them."""

import pandas as pd
import pytest

from funnelkit.course.checks import check_choices, reading
from funnelkit.language import LANGUAGES, say, use_language

RATE = 20 / 32
OPEN = [
    (RATE, "right"),
    (None, "empty"),
    ("half", "no_number"),
    (100 * RATE, "not_fraction"),
    (20 / 40, "open_as_lost"),
    (28 / 40, "open_as_advanced"),
    (1 - RATE, "share_lost"),
    (0.9, "off"),
]


@pytest.mark.parametrize(("answer", "hint"), OPEN)
def test_rate_with_open_ones(answer, hint):
    found = reading.check_open_rate(answer, 40, 20, 8)
    assert (found.hint, found.ok) == (hint, hint == "right")


# December 2025: 6 in the first 10 days; November: 7, 9 in all; December 2024: 4, 10 in all.
DAYS = {
    "2025-12": [1, 2, 3, 4, 9, 10],
    "2025-11": [1, 2, 3, 4, 5, 9, 10, 11, 30],
    "2024-12": [1, 2, 9, 10, *range(11, 17)],
}
DEALS = pd.DataFrame({"created_at": pd.to_datetime([f"{m}-{d:02d} 12:00" for m, days in DAYS.items() for d in days])})
GROWTH = [
    (6 / 4 - 1, "right"),
    (None, "empty"),
    (50, "not_fraction"),
    (6 / 4, "growth_ratio"),
    (4 / 6 - 1, "growth_turned"),
    (2, "growth_count"),
    (6 / 10 - 1, "whole_month"),
    (6 / 7 - 1, "other_month"),
    (0.1, "off"),
]


@pytest.mark.parametrize(("answer", "hint"), GROWTH)
def test_growth_over_the_year(answer, hint):
    assert reading.check_year_growth(answer, DEALS, pd.Timestamp("2025-12-29"), 10).hint == hint


OURS = pd.DataFrame({"stage": ["P", "Q", "R"], "k": [3, 318, 33], "n": [20, 2000, 300]})
PEERS = pd.DataFrame({"stage": ["P", "Q", "R"], "rate": [0.20, 0.15, 0.20]})
RIGHT = {"P": "too_few", "Q": "industry", "R": "ours"}
VERDICTS = [
    (RIGHT, "right"),
    ({**RIGHT, "R": " Ours "}, "right"),
    (None, "empty"),
    (["ours"], "no_choices"),
    ({"P": "too_few"}, "choice_missing"),
    ({**RIGHT, "X": "ours"}, "choice_unknown"),
    ({**RIGHT, "Q": "theirs"}, "no_choice"),
    ({**RIGHT, "P": "industry"}, "peer_industry"),
    ({**RIGHT, "P": "ours"}, "peer_ours"),
    ({**RIGHT, "Q": "ahead"}, "peer_ahead"),
    ({**RIGHT, "R": "too_few"}, "peer_too_few"),
]


@pytest.mark.parametrize(("answer", "hint"), VERDICTS)
def test_peer_verdicts(answer, hint):
    assert reading.check_peer_verdicts(answer, OURS, PEERS).hint == hint


@pytest.mark.parametrize("lang", LANGUAGES)
def test_hints_name_the_item_and_escape_it(lang):
    use_language(lang)
    found = check_choices({"<b>": "maybe"}, {"<b>": "yes"}, ("yes", "no"), str)
    assert found.text == say("course.checks.no_choice", lang, item="<b>", known=["yes", "no"])
    assert "&lt;b&gt;" in found._repr_mimebundle_()["text/html"]
