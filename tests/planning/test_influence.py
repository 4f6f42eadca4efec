import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelkit.analysis.rates import growth_table
from funnelkit.language.errors import DataError
from funnelkit.planning.influence import influence_counts, influence_loop

SHARE = st.floats(0.01, 1)


def test_counts_may_grow():
    counts = influence_counts([0.9, 0.5, 6], customers=200)
    assert counts.table["n_entered"].tolist() == [200, 180, 90, 540]
    assert growth_table(counts).table["factor"].iloc[2] == 6


@given(SHARE, st.lists(st.floats(0.1, 3), min_size=1, max_size=4), SHARE)
def test_path_is_the_geometric_sum(rate, factors, feed):
    """Closed form: potential in turn t is inflow x (1 + G + ... + G^(t-1))."""
    found = influence_loop(rate, factors, feed, inflow=50, turns=9)
    growth = rate * np.prod(factors) * feed
    expected = 50 * np.cumsum(growth ** np.arange(len(found.table)))
    assert found.values["growth"] == pytest.approx(growth)
    assert found.table["n_potential"].to_numpy() == pytest.approx(expected)
    assert found.table["n_customers_total"].iloc[-1] == pytest.approx(rate * expected.sum())


def test_settles_where_the_reading_says():
    found = influence_loop(0.5, [1.6], inflow=100, turns=200)
    assert found.table["n_potential"].iloc[-1] == pytest.approx(500)
    assert found.reading() == (
        "The loop settles: each potential customer brings 0.800 new ones by word of mouth, which is below 1. "
        "With 100 potential customers from outside per turn, there are 500.0 per turn in the long run; "
        "word of mouth adds 400.0%."
    )


def test_steady_at_one_and_explosion_above():
    steady = influence_loop(0.25, [4], inflow=10, turns=5)
    assert steady.table["n_potential"].tolist() == [10, 20, 30, 40, 50]
    assert steady.key == "planning.influence.steady"
    wild = influence_loop(0.5, [4], inflow=10, turns=1000)
    assert wild.key == "planning.influence.explodes"
    assert "doubles about every 1.0 turns" in wild.reading()
    assert np.isfinite(wild.table.to_numpy(float)).all()
    assert f"第 {len(wild.table)} 轮后终止" in wild.reading("zh")


@pytest.mark.parametrize("factor", [0.5, 2, 5])
def test_without_an_inflow_nothing_settles_or_runs_away(factor):
    found = influence_loop(0.5, [factor], inflow=0)
    assert not found.table["n_potential"].any()
    assert found.reading() == (
        "Nobody comes from outside, so there is nobody to pass the word on: the loop stays empty. "
        f"Each potential customer would bring {factor / 2:.3f} new ones by word of mouth."
    )
    assert "循环始终是空的" in found.reading("zh") and found.show("zh")


@given(SHARE, st.floats(0, 20), st.integers(0, 5000))
def test_a_market_is_never_exceeded(rate, factor, market):
    found = influence_loop(rate, [factor], inflow=70, turns=60, market=market)
    assert found.table["n_potential"].sum() <= market * (1 + 1e-12)
    assert (found.table >= 0).all(axis=None)


def test_used_up_market_is_said():
    found = influence_loop(0.5, [4], inflow=100, turns=10, market=1000)
    assert "The market of 1,000 people is used up in turn 3." in found.reading()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: influence_loop(1.2, [1]), "rate is 1.2. Write a number from 0 to 1."),
        (lambda: influence_loop(0.2, [-1]), "factors is -1. Write a number from 0 to 1e+15."),
        (lambda: influence_loop(0.2, [1], float("nan")), "feed is nan."),
        (lambda: influence_loop(0.2, [1], market="all"), "market is all."),
        (lambda: influence_loop(0.2, [1], turns=0), "turns is 0. Write a whole number from 1 to 1000."),
        (lambda: influence_counts([1, 2]), "2 factors are given. influence needs 3"),
    ],
)
def test_bad_input_is_refused(call, said):
    with pytest.raises(DataError) as caught:
        call()
    assert said in str(caught.value)
