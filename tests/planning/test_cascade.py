from decimal import ROUND_HALF_UP, Decimal, localcontext

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelkit.language.errors import CatalogError, DataError
from funnelkit.models import custom, funnel
from funnelkit.planning.cascade import CRITERIA, cascade, cents, exact, level_advice, weakest_levels
from tests.support.speech import spoken

PHARMA = funnel("pharma")
LEVELS = [stage.id for stage in PHARMA.stages if stage.level]
RATIO = st.decimals(0, 1, places=4)
MONEY = st.decimals(0, 10**6, places=2)

MODEL = """
kind = "cascade"
name = { en = "Own", zh = "自定" }
summary = { en = "Own.", zh = "自定。" }
entity = { en = "person", zh = "人" }
[[stages]]
id = "all"
name = { en = "All", zh = "全部" }
input = "count"
[[stages]]
id = "heard"
name = { en = "Heard", zh = "听说" }
level = 2
rate = 0.5
push = { en = "say it louder", zh = "加强宣传" }
[[stages]]
id = "tried"
name = { en = "Tried", zh = "试用" }
level = 1
"""


def weak(found, criterion):
    return found.table.loc[found.table[criterion], "point"].tolist()


def test_defaults_leave_nine_tenths_to_the_seventh():
    table = cascade(population=10_000_000, price=1).table
    assert table["remaining"].iloc[-1] == 4_782_969
    assert table["sales"].iloc[-1] == Decimal("4782969.00")
    assert table["point"].tolist() == list(PHARMA.stage_ids)
    assert list(table) == ["point", "ratio", "count", "remaining", "price", "sales"]


@given(st.lists(RATIO, min_size=7, max_size=7), st.integers(0, 10**10), MONEY)
def test_agrees_with_decimals_multiplied_row_by_row(ratios, population, price):
    """An independent oracle: decimals with 200 digits, rounded only at the end."""
    table = cascade(dict(zip(LEVELS, ratios, strict=True)), population=population, price=price).table
    with localcontext() as context:
        context.prec = 200
        left = Decimal(population)
        for place, ratio in enumerate([1, 1, 1, *ratios]):
            assert table["count"].iloc[place] == float(left)
            left *= ratio
            assert table["sales"].iloc[place] == (left * price).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_each_row_starts_where_the_one_before_ended():
    table = cascade({"covered population": 0.5, "患者": 0.02, "诊断率": 0.6}, population=123_457).table
    assert table["count"].iloc[1:].tolist() == table["remaining"].iloc[:-1].tolist()
    assert table.set_index("point")["ratio"][["covered-population", "patients", "diagnosis-rate"]].tolist() == [
        0.5,
        0.02,
        0.6,
    ]


def test_money_that_floats_get_wrong():
    """A tenth of 0.35 is 0.035, which rounds up to 0.04; the float product 0.034999... would round down."""
    table = cascade({name: 0.1 if name == "adherence" else 1 for name in LEVELS}, population=1, price="0.35").table
    assert table["sales"].iloc[-1] == Decimal("0.04")
    assert cascade(population=8, price="0.125").table["price"].iloc[0] == Decimal("0.125")
    assert cents(exact("1e-30", "price")) == Decimal("0.00")


def test_any_number_of_levels_from_a_file(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(MODEL, encoding="utf-8")
    table = cascade({"tried": 0.25}, population=80, price=3, model=str(path)).table
    assert table["remaining"].tolist() == [80, 40, 10]
    found = weakest_levels(table, model=str(path))
    assert weak(found, "lowest_ratio") == ["tried"]
    assert "say it louder" in weakest_levels(table, {"heard": 0.1, "tried": 9}, model=str(path)).reading()
    bare = custom(["seen", "asked", "bought"])
    many = cascade(dict.fromkeys(bare.stage_ids, 0.5), population=8, model=bare).table
    assert many["remaining"].tolist() == [4, 2, 1]
    assert weak(weakest_levels(many, model=bare), "largest_loss") == ["seen"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ratios": {"diagnosis-rate": 90}}, "the ratio of Diagnosis rate is 90. Write a fraction from 0 to 1"),
        ({"ratios": {"diagnosis-rate": True}}, "the ratio of Diagnosis rate is True"),
        ({"ratios": {"diagnosis-rate": float("nan")}}, "the ratio of Diagnosis rate is nan"),
        ({"population": -1}, "the population is -1. Write a number from 0"),
        ({"population": "1,000"}, "the population is 1,000. Write a number from 0 to 10^15, without separators."),
        ({"price": float("inf")}, "the price is inf."),
        ({"price": None}, "the price is None."),
    ],
)
def test_bad_input_is_refused_by_name(values, said):
    with pytest.raises(DataError) as caught:
        cascade(**values)
    assert said in str(caught.value)


def test_unknown_or_missing_level_is_refused():
    with pytest.raises(CatalogError, match="no stage named 'diagnose' in model pharma"):
        cascade({"diagnose": 0.5})
    with pytest.raises(DataError, match="bought has no ratio"):
        cascade({"seen": 0.5}, model=custom(["seen", "bought"]))


@given(st.lists(st.decimals("0.05", 1, places=3), min_size=7, max_size=7), st.integers(0, 6))
def test_best_gain_is_what_a_second_run_of_the_cascade_says(ratios, place):
    given_ratios = dict(zip(LEVELS, ratios, strict=True))
    table = cascade(given_ratios, price=7).table
    found = weakest_levels(table, points="0.05").table
    raised = {**given_ratios, LEVELS[place]: min(ratios[place] + Decimal("0.05"), Decimal(1))}
    gained = cascade(raised, price=7).table["sales"].iloc[-1] - table["sales"].iloc[-1]
    assert abs(found["gain_sales"].iloc[place] - gained) <= Decimal("0.01")
    assert found.loc[found["best_gain"], "gain_sales"].max() == found["gain_sales"].max()


def test_three_criteria_can_name_three_levels():
    ratios = {"disease-awareness": 0.7, "product-value": 0.65, "adherence": 0.8}
    found = weakest_levels(cascade(ratios), {"disease-awareness": 50, "product-value": 40, "adherence": 2, **{
        name: 100 for name in LEVELS if name not in ratios}})  # fmt: skip
    assert [weak(found, criterion) for criterion in CRITERIA] == [
        ["disease-awareness"],
        ["product-value"],
        ["adherence"],
    ]
    reading = found.reading("zh")
    for name in ratios:
        assert PHARMA.stage(name).push.zh in reading
    assert "成本相同" not in reading


def test_ties_are_said_as_ties():
    found = weakest_levels(cascade())
    assert weak(found, "largest_loss") == ["disease-awareness"]
    assert weak(found, "lowest_ratio") == LEVELS
    assert "Lowest ratio: all 7 levels are equal." in found.reading()
    assert found.reading("zh").startswith("经过 7 层，起始人群只剩 47.83%")
    pair = weakest_levels(cascade({"diagnosis-rate": 0.5, "adherence": 0.5}))
    assert "Lowest ratio: 'Diagnosis rate' and 'Adherence', 50%." in pair.reading()


def test_nothing_to_gain_where_all_stay_or_nobody_comes():
    for ratios, population in ((dict.fromkeys(LEVELS, 1), 100), ({}, 0)):
        found = weakest_levels(cascade(ratios, population=population))
        assert weak(found, "best_gain") == []
        assert weak(found, "largest_loss") == []
        assert "no level of the 7 stands out" in found.reading()


def test_a_level_at_zero_is_where_the_gain_is():
    found = weakest_levels(cascade({"diagnosis-rate": 0}))
    assert weak(found, "best_gain") == ["diagnosis-rate"]
    assert found.table["gain_sales"].drop(2).eq(0).all()


@pytest.mark.parametrize("cost", [0, -3, "much"])
def test_a_cost_must_be_above_zero(cost):
    with pytest.raises(DataError, match="Write an amount above 0"):
        weakest_levels(cascade(), {"adherence": cost})
    with pytest.raises(DataError, match="Write percentage points as a fraction"):
        weakest_levels(cascade(), points=5)


def test_inputs_are_not_changed():
    table, ratios = cascade().table, {"诊断率": 0.6}
    before = table.copy()
    weakest_levels(table)
    cascade(ratios)
    pd.testing.assert_frame_equal(table, before)
    assert ratios == {"诊断率": 0.6}


def test_advice_is_complete_in_both_languages():
    for lang in ("en", "zh"):
        found = spoken(lang, lambda: level_advice(LEVELS))
        advice = found.table
        assert advice["push"].tolist() == [getattr(PHARMA.stage(level).push, lang) for level in LEVELS]
        assert len(found.sentences(lang)) == len(LEVELS)
        assert advice["point"].tolist() == LEVELS
        assert (advice.drop(columns="point").map(len) > 1).all(axis=None)
