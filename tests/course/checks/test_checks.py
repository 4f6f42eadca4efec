"""Checks: right answers pass, empty and typical wrong ones get the hint that is meant for them."""

import re

import pandas as pd
import pytest

from funnelkit.course.checks import (
    check_controls,
    check_near_border,
    check_number,
    check_wins_of_person,
    eight_step,
    project_sales,
)  # fmt: skip
from funnelkit.course.checks.verdict import check_day
from funnelkit.language import LANGUAGES, texts, use_language
from funnelkit.models.funnel import funnel

MODEL = funnel("industrial-8")
STATES = pd.DataFrame({
    "state": ["search", "in-funnel", "best"], "n_open": [73, 106, 6], "n_valued": [73, 100, 6],
    "value_open": [44.0e6, 78.0e6, 3.0e6], "win_probability": [0.08, 0.16, 0.67],
    "win_probability_after": [0.16, 0.67, 0.86], "cost": [40.0, 24.0, 16.0],
})  # fmt: skip
GAIN = (0.67 - 0.16) * 78.0e6 / 100 / 24


@pytest.mark.parametrize(
    ("answer", "right", "hint"),
    [
        (0.93, 0.9277, "right"), (0.9, 0.9277, "rounded"), (0.04, 0.042, "rounded"), (0.05, 0.042, "off"),
        (17, 16.83, "rounded"), (16.8, 16.83, "right"), (0, 0.042, "off"), (1, 0.96, "off"), (240, 237, "off"),
    ],
)  # fmt: skip
def test_a_number_with_too_few_decimals_is_called_rounded(answer, right, hint):
    assert check_number(answer, right).hint == hint


@pytest.mark.parametrize("answer", ["25%", "25.0 %", "25％"])
def test_a_percent_sign_in_a_text_is_named(answer):
    assert check_number(answer, 0.25).hint == "percent_text"


def test_names_may_be_small_and_days_chinese():
    found = check_controls({"a": "team", " B": "method", "C": "management", "d": "team"})
    assert found.ok
    assert check_day("2026 年 4 月 30 日", lambda day: "right" if f"{day:%m-%d}" == "04-30" else "off").ok


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (GAIN, "right"),
        (GAIN * 1.001, "right"),
        (f"{GAIN:.2f}", "right"),
        (None, "empty"),
        ("much", "no_number"),
        ([GAIN], "no_number"),
        (float("nan"), "no_number"),
        (GAIN * 100, "gain_of_all"),
        (GAIN * 100 * 24, "gain_of_all"),
        (GAIN * 24, "gain_per_deal"),
        (0.67 * 78.0e6 / 100 / 24, "gain_not_difference"),
        (0.16 * 78.0e6 / 100 / 24, "gain_not_difference"),
        (-GAIN, "gain_sign"),
        (GAIN * 1.02, "off"),
        (0, "off"),
    ],
)
def test_gain_of_an_hour(answer, hint):
    found = eight_step.check_gain(answer, STATES, "in-funnel")
    assert (found.hint, found.ok) == (hint, hint == "right")


EVIDENCE = pd.DataFrame(
    [
        ("P", "solution-design", "solution-design", None),
        ("Q", "negotiation", "negotiation", True),
        ("R", "negotiation", "project-evaluation", False),
        ("R", "negotiation", "negotiation", True),
    ],
    columns=["deal_id", "stage", "gate", "met"],
)
RIGHT = {"P": "stay", "Q": "advance", "R": "move_back"}


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (RIGHT, "right"),
        ({**RIGHT, "P": " Stay "}, "right"),
        (None, "empty"),
        ({}, "empty"),
        (["stay"], "no_choices"),
        ({"P": None, "Q": None, "R": None}, "empty"),
        ({**RIGHT, "Q": None}, "choice_missing"),
        ({"P": "stay"}, "choice_missing"),
        ({**RIGHT, "X": "stay"}, "choice_unknown"),
        ({**RIGHT, "Q": "go"}, "no_choice"),
        ({**RIGHT, "P": "advance"}, "stay_not_advance"),
        ({**RIGHT, "P": "move_back"}, "stay_not_move_back"),
        ({**RIGHT, "Q": "stay"}, "advance_not_stay"),
        ({**RIGHT, "Q": "move_back"}, "advance_not_move_back"),
        ({**RIGHT, "R": "advance"}, "move_back_not_advance"),
        ({**RIGHT, "R": "stay"}, "move_back_not_stay"),
    ],
)
def test_verdicts(answer, hint):
    assert project_sales.check_verdicts(answer, EVIDENCE, MODEL).hint == hint


def test_hints_never_hold_the_answer():
    for lang in LANGUAGES:
        use_language(lang)
        found = eight_step.check_gain(GAIN * 24, STATES, "in-funnel")
        assert f"{GAIN:,.0f}" not in found.text and f"{GAIN:.0f}" not in found.text


def test_every_hint_is_used_and_displays_in_both_languages():
    from pathlib import Path

    import funnelkit.course.checks

    source = "".join(
        path.read_text(encoding="utf-8") for path in Path(funnelkit.course.checks.__file__).parent.glob("*.py")
    )
    verdicts = {f"{a}_not_{b}" for a in ("advance", "stay", "move_back") for b in ("advance", "stay", "move_back")}
    built = tuple(re.findall(r'f"([a-z_]+)\{', source))  # keys put together, such as f"peer_{whose}"
    unused = {key for key in texts("course.checks") if f'"{key}"' not in source and not key.startswith(built)}
    assert unused <= verdicts
    for lang, word in (("en", "Right."), ("zh", "正确。")):
        use_language(lang)
        bundle = check_number(2, 2)._repr_mimebundle_()
        assert bundle["text/plain"] == word and "fk-good" in bundle["text/html"]
    assert "fk-warn" in check_number(3, 2)._repr_mimebundle_()["text/html"]


def test_an_answer_becomes_no_markup():
    shown = project_sales.check_verdicts({**RIGHT, "<b>X": "stay"}, EVIDENCE, MODEL)._repr_mimebundle_()["text/html"]
    assert "<b>" not in shown and "&lt;b&gt;X" in shown


@pytest.mark.parametrize(
    ("answer", "hint"),
    [(1, "right"), (None, "empty"), ([1], "no_number"), (3, "border_turned"), (4, "border_all"), (0.25, "border_share"),
     (2, "off"), ("one", "no_number")],
)  # fmt: skip
def test_accounts_near_a_border(answer, hint):
    assert check_near_border(answer, pd.DataFrame({"stable": [1.0, 0.79, 0.8, 0.95]})).hint == hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (20.0, "right"), ("20", "right"), (None, "empty"), ({}, "no_number"), (2000, "wins_percent"),
        (10, "wins_found"), (0.2, "wins_rate"), (100 * (0.1 + 0.4) / 2, "wins_mean_of_rates"), (15, "wins_mean"),
        (7, "off"),
    ],
)  # fmt: skip
def test_wins_to_expect(answer, hint):
    review = pd.DataFrame({"owner": ["Li", "Wu"], "k": [10, 20], "n": [100, 50]})
    assert check_wins_of_person(answer, review, "Li").hint == hint


def test_which_control_a_measure_is():
    right = {"A": "team", "B": "method", "C": "management", "D": "team"}
    assert check_controls(right).ok and check_controls(None).hint == "empty"
    assert check_controls(["team"]).hint == "no_choices"
    for item, wanted in right.items():
        other = "method" if wanted != "method" else "team"
        assert check_controls({**right, item: other}).hint == f"control_{wanted}"
