import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.models import funnel
from funnelkit.planning.cascade import cascade, weakest_levels
from funnelkit.planning.sensitivity import sensitivity


def counted(k, n):
    table = pd.DataFrame({"stage": [chr(97 + place) for place in range(len(k))], "k": k, "n": n})
    return table.assign(rate=table["k"] / table["n"])


@given(st.lists(st.floats(0.05, 0.9), min_size=2, max_size=8))
def test_equal_relative_gains_are_worth_the_same_and_points_most_at_the_lowest(rates):
    table = sensitivity(pd.DataFrame({"stage": list("abcdefgh")[: len(rates)], "rate": rates}), 1000, 7).table
    assert np.allclose(table["gain_relative"], 700 * np.prod(rates))
    assert table["gain_points"].max() == pytest.approx(table.loc[np.argmin(rates), "gain_points"])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.integers(0, 5))
def test_gain_is_the_result_run_again_with_one_rate_raised(rates, place):
    place %= len(rates)
    raised = [*rates[:place], min(1, rates[place] + 0.05), *rates[place + 1 :]]
    found = sensitivity(pd.DataFrame({"stage": list("abcdef")[: len(rates)], "rate": rates}), 500, 3).table
    assert found["gain_points"].iloc[place] == pytest.approx(1500 * (np.prod(raised) - np.prod(rates)), abs=1e-9)


def test_agrees_with_the_cascade():
    ratios = {"diagnosis-rate": 0.6, "adherence": 0.4}
    mine = sensitivity(funnel("pharma"), 1_000_000, 100).table["gain_points"]
    assert mine.to_numpy() == pytest.approx(weakest_levels(cascade()).table["gain_sales"].astype(float).to_numpy())
    rows = cascade(ratios).table.tail(7).rename(columns={"point": "stage", "ratio": "rate"})
    assert sensitivity(rows, 1_000_000, 100).table["gain_points"].to_numpy() == pytest.approx(
        weakest_levels(cascade(ratios)).table["gain_sales"].astype(float).to_numpy(), abs=0.01
    )


def test_intervals_meet_the_delta_method_where_counts_are_large():
    """log(gain of 10%) = const + sum of log rates, so its variance is about sum of (1 - r) / k."""
    rates = counted([4000, 3000, 2500], [10_000, 5_000, 4_000])
    table = sensitivity(rates, 1000, draws=40_000, rng=np.random.default_rng(5)).table
    spread = 1.96 * np.sqrt(((1 - rates["rate"]) / rates["k"]).sum())
    assert np.log(table["gain_relative_high"] / table["gain_relative"]).to_numpy() == pytest.approx(spread, rel=0.05)
    assert np.log(table["gain_relative"] / table["gain_relative_low"]).to_numpy() == pytest.approx(spread, rel=0.05)


def test_intervals_cover_the_truth():
    """Over 150 worlds of known rates the interval of the gain holds the true gain about 95 times in 100."""
    rng, truth, n = np.random.default_rng(11), np.array([0.3, 0.6, 0.5]), np.array([200, 60, 36])
    held = 0
    for _ in range(150):
        table = sensitivity(counted(rng.binomial(n, truth), n), 1000, rng=rng, draws=500).table
        gain = 1000 * 0.05 * truth[1] * truth[2]
        held += table["gain_points_low"].iloc[0] <= gain <= table["gain_points_high"].iloc[0]
    assert 0.9 <= held / 150 <= 0.98


def test_few_counts_are_not_sure_and_many_are():
    few, many = counted([4, 6, 7], [10, 10, 10]), counted([4000, 6000, 7000], [10_000] * 3)
    assert "too small to be sure: a leads" in sensitivity(few).reading()
    assert "The samples are large enough to say so: a leads in 100%" in sensitivity(many).reading()
    assert sensitivity(many).table["p_best"].sum() == pytest.approx(1)
    assert "样本太少" in sensitivity(few).reading("zh")


def test_same_generator_same_numbers():
    rates = counted([4, 6], [10, 10])
    pd.testing.assert_frame_equal(sensitivity(rates).table, sensitivity(rates).table)


def test_cost_decides():
    rates = pd.DataFrame({"stage": ["a", "b"], "rate": [0.2, 0.5]})
    found = sensitivity(rates, costs={"a": 100, "b": 1})
    assert found.table["gain_per_cost"].tolist() == pytest.approx([0.25, 10])
    assert "A unit of cost would add the most at b: 10.0 wins" in found.reading()


def test_models_of_the_catalogue():
    table = sensitivity("industrial-8", 100).table
    assert table["stage"].tolist() == list(funnel("industrial-8").stage_ids[:-1])
    assert (table["gain_points"] > 0).all()
    grown = funnel("influence")
    rates = pd.DataFrame({"stage": grown.stage_ids, "rate": [0.9, 0.8, 3.0, np.nan]})
    assert sensitivity(rates, model=grown).table["gain_relative"].tolist() == pytest.approx([216] * 3)


@pytest.mark.parametrize(("model", "head"), [("pharma", ("Ratio", "比例")), ("simple-5", ("Rate", "升迁率"))])
def test_the_rate_is_named_as_its_model_names_it(model, head):
    stages = [stage.id for stage in funnel(model).stages][-4:-1]
    found = sensitivity(pd.DataFrame({"stage": stages, "rate": [0.5, 0.6, 0.7]}), 100, model=funnel(model))
    for lang, name in zip(("en", "zh"), head, strict=True):
        assert name in str(found.show(lang))


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from([0, 0.3, 1])), min_size=1, max_size=4))
def test_every_gain_lies_within_its_interval(counts):
    table = sensitivity(
        counted([round(n * share) for n, share in counts], [n for n, _ in counts]), 100, draws=200
    ).table
    for name in ("gain_relative", "gain_points"):
        assert table[name].between(table[f"{name}_low"], table[f"{name}_high"]).all()


def test_cap_and_zero():
    table = sensitivity(pd.DataFrame({"stage": ["a", "b", "c"], "rate": [1.0, 0.98, 0.0]}), 100).table
    assert table["gain_points"].tolist() == pytest.approx([0, 0, 4.9])
    assert table["gain_relative"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("rates", "options", "said"),
    [
        ({"stage": ["a"], "rate": [1.2]}, {}, "the rates are 1.2. Each must be a fraction from 0 to 1"),
        ({"stage": ["a", "b"], "rate": [np.nan, 0.2]}, {}, "the rates are nan, 0.2."),
        ({"stage": ["a"], "rates": [0.2]}, {}, "no column named 'rate'. Nearest: rates"),
        ({"stage": ["a"], "rate": [0.2]}, {"costs": {"b": 1}}, "no rate for a stage named 'b'. Nearest: a"),
        ({"stage": ["a"], "rate": [0.2]}, {"costs": {"a": 0}}, "costs[a] is 0. Write a number above 0."),
        ({"stage": ["a"], "rate": [0.2]}, {"volume": -1}, "volume is -1."),
        ({"stage": [], "rate": []}, {}, "the table holds no rate"),
    ],
)
def test_bad_input_is_refused(rates, options, said):
    with pytest.raises(DataError) as caught:
        sensitivity(pd.DataFrame(rates), **options)
    assert said in str(caught.value)
