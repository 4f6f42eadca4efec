"""Checks of the walks' exercises: right answers pass, empty and typical wrong ones get the hint meant for them."""

import pandas as pd
import pytest

from funnelkit.course.checks import first_funnel, layers, pharma_target, start, word_of_mouth
from funnelkit.course.checks.verdict import check_number
from funnelkit.language import LANGUAGES, use_language
from funnelkit.models.funnel import funnel
from funnelkit.planning.cascade import cascade, weakest_levels
from tests.support.speech import spoken

TABLE = cascade({"diagnosis rate": 0.6, "adherence": 0.8}, population=1_000_000).table
LEFT = TABLE["remaining"].iloc[-1]
COSTS = {"disease-awareness": 30, "visit-rate": 9, "diagnosis-rate": 12, "treatment-regimen": 7, "product-value": 7,
         "differentiated-advantage": 7, "adherence": 2}  # fmt: skip
LEVELS = weakest_levels(TABLE, COSTS).table


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (LEFT / 2, "right"), (None, "empty"), ("many", "no_number"), (LEFT, "halved_same"), (500_000, "halved_start"),
        (LEFT * 0.5**7, "halved_all"), (LEFT / 2e6, "halved_share"), (LEFT / 3, "off"),
    ],
)  # fmt: skip
def test_halved(answer, hint):
    assert pharma_target.check_halved(answer, TABLE).hint == hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.9686, "right"), (0.8 ** (1 / 7), "right"), (None, "empty"), (0.8, "ratio_is_whole"),
        (1 - 0.2 / 7, "ratio_losses_added"), (96.86, "ratio_in_percent"), (0.8**7, "ratio_power_turned"), (0.95, "off"),
    ],
)  # fmt: skip
def test_equal_ratio(answer, hint):
    assert pharma_target.check_equal_ratio(answer, 0.8, 7).hint == hint


def test_best_level():
    hints = {name: pharma_target.check_best_level(name, LEVELS).hint for name in LEVELS["point"]}
    assert hints["adherence"] == "right"
    assert hints["diagnosis-rate"] == "level_lowest"
    assert hints["product-value"] == "level_other"
    assert pharma_target.check_best_level(None, LEVELS).hint == "empty"
    assert spoken("zh", lambda: pharma_target.check_best_level("诊断率", LEVELS)).text.startswith(
        "请写一层的标识（id）：disease-awareness"
    )
    dear = weakest_levels(
        TABLE, COSTS | {"adherence": 40, "visit-rate": 1.9, "treatment-regimen": 1.8, "diagnosis-rate": 1.9}
    )
    assert pharma_target.check_best_level("treatment-regimen", dear.table).hint == "level_cheapest"
    even = weakest_levels(cascade(), COSTS).table
    assert pharma_target.check_best_level("disease-awareness", even).hint == "level_lowest"


def test_hints_exist_in_both_languages():
    for lang in LANGUAGES:
        use_language(lang)
        assert pharma_target.check_halved(LEFT, TABLE).text


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.25, "right"), (None, "empty"), (0.1, "share_of_first"), (25, "share_in_percent"), (4, "share_turned"),
        (0.5, "share_one_step"), (0.3, "off"),
    ],
)  # fmt: skip
def test_share(answer, hint):
    assert first_funnel.check_share(answer, [100, 70, 40, 20, 10]).hint == hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [(209, "right"), (None, "empty"), (208, "list_not_whole"), (208.33, "off"), (25 * 12 / 100, "list_turned")],
)
def test_list(answer, hint):
    assert first_funnel.check_list(answer, [100, 70, 40, 20, 12], 25).hint == hint


def test_bottleneck():
    rates = pd.DataFrame({"stage": ["a", "b", "c"], "rate": [0.7, 0.5, 0.5]})
    hints = {name: first_funnel.check_bottleneck(name, rates).hint for name in ("a", "b", "c", "x", None)}
    assert hints == {"a": "bottleneck_loss", "b": "right", "c": "right", "x": "stage_unknown", None: "empty"}
    worse = pd.DataFrame({"stage": ["a", "b", "c"], "rate": [0.7, 0.5, 0.4]})
    assert spoken("zh", lambda: first_funnel.check_bottleneck("b", worse)).text == "另有一个阶段的升迁率更低。"


def test_start():
    counts = pd.DataFrame({"n_entered": [90, 40], "n_advanced": [40, 0], "n_lost": [30, 0]})
    hints = {n: start.check_entered(n, counts).hint for n in (90, 40, 130, None, 7)}
    assert hints == {90: "right", 40: "entered_last", 130: "entered_sum", None: "empty", 7: "off"}
    hints = {n: start.check_decided(n, counts).hint for n in (70, 90, 40, 30, None)}
    assert hints == {70: "right", 90: "decided_with_open", 40: "decided_half", 30: "decided_half", None: "empty"}


def test_layers():
    model = funnel("purchase-aidma")
    right = {"P": "bofu", "Q": "TOFU ", "R": "mofu"}
    assert layers.check_layers(right, model).hint == "right"
    assert layers.check_layers({"P": None, "Q": None, "R": None}, model).hint == "empty"
    assert layers.check_layers(["bofu"], model).hint == "no_choices"
    assert layers.check_layers(right | {"Q": "bofu"}, model).hint == "layer_late"
    assert layers.check_layers(right | {"P": "tofu"}, model).hint == "layer_early"
    assert layers.check_layers(right | {"R": "top"}, model).hint == "no_choice"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (5, "right"),
        (None, "empty"),
        (0.05, "points_fraction"),
        (-5, "points_sign"),
        (-19, "points_pooled"),
        (19, "points_pooled"),
        (6, "off"),
    ],
)
def test_points(answer, hint):
    seen = pd.DataFrame({"layer": ["tofu", "tofu", "bofu", "bofu"], "kind": ["articles", "features"] * 2,
                         "k": [80, 3, 20, 40], "n": [1000, 100, 100, 100]})  # fmt: skip
    pooled = 100 * (43 / 200 - 100 / 1100)
    answer = {-19: -pooled, 19: pooled}.get(answer, answer)
    assert layers.check_points(answer, seen).hint == hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (1.2, "right"),
        (None, "empty"),
        (0.3, "growth_with_rate"),
        (2.0, "growth_no_feed"),
        (3.78, "growth_added"),
        (5, "growth_largest"),
        (1, "off"),
    ],
)
def test_growth(answer, hint):
    assert word_of_mouth.check_growth(answer, [0.8, 0.5, 5], 0.6, 0.25).hint == hint


@pytest.mark.parametrize(
    ("answer", "hint"), [(200, "right"), (None, "empty"), (150, "level_one_turn"), (100, "level_only_fed"), (1, "off")]
)
def test_level(answer, hint):
    assert word_of_mouth.check_level(answer, 100).hint == hint


@pytest.mark.parametrize("entered", [[2, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
def test_a_list_too_short_for_a_purchase_has_checks_as_well(entered):
    assert first_funnel.check_share(entered[-1] / max(entered[2], 1), entered).hint == "right"
    assert first_funnel.check_list(25 * entered[0], entered, 25).hint == "right"


@pytest.mark.parametrize(
    ("answer", "hint"), [(True, "no_number"), (-0.4, "wrong_sign"), (40, "not_fraction"), (0.6, "off")]
)
def test_any_number_has_its_sign_and_its_percent_named(answer, hint):
    assert check_number(answer, 0.4).hint == hint


@pytest.mark.parametrize(
    "answer",
    [["enquiry"], 3, 0.5, pd.DataFrame({"stage": ["enquiry"]}), {"stage": "enquiry"}],
    ids=lambda a: type(a).__name__,
)
def test_a_name_is_wanted_and_something_else_is_given(answer):
    rates = pd.DataFrame({"stage": ["list", "enquiry"], "rate": [0.7, 0.5]})
    found = first_funnel.check_bottleneck(answer, rates)
    assert found.hint == "no_name" and type(answer).__name__ in found.text


@pytest.mark.parametrize(
    "answer", [["tofu"], "tofu", 3, pd.DataFrame({"P": ["tofu"]}), pd.Series(["tofu"])], ids=lambda a: type(a).__name__
)
def test_a_choice_is_wanted_and_something_else_is_given(answer):
    found = layers.check_layers(answer, funnel("purchase-aidma"))
    assert found.hint == "no_choices" and type(answer).__name__ in found.text


@pytest.mark.parametrize(
    "answer",
    [[0.5], "half", pd.DataFrame({"rate": [0.5, 1]}), {"rate": 0.5}, float("nan")],
    ids=lambda a: type(a).__name__,
)
def test_a_number_is_wanted_and_something_else_is_given(answer):
    assert first_funnel.check_share(answer, [100, 70, 40, 20, 10]).hint == "no_number"
