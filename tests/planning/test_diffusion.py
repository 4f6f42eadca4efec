import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.models import funnel
from funnelkit.planning.diffusion import adopters, life_cycle_guide
from tests.support.speech import spoken


@given(st.floats(0.001, 0.1), st.floats(0, 0.8))
def test_shares_solve_the_equation_of_bass(p, q):
    """dF/dt = (p + q F) (1 - F), integrated by small steps as an independent oracle."""
    share, step, wanted = 0.0, 0.002, []
    for count in range(1, 5001):
        middle = share + step / 2 * (p + q * share) * (1 - share)
        share += step * (p + q * middle) * (1 - middle)
        if count % 500 == 0:
            wanted.append(share)
    assert adopters(1, innovation=p, imitation=q, periods=10).table["share"].to_numpy() == pytest.approx(
        wanted, abs=1e-4
    )


def test_nobody_is_lost_and_groups_come_in_order():
    table = adopters(5000, periods=60).table
    assert table["n_new"].sum() == pytest.approx(table["n_total"].iloc[-1])
    assert table["n_total"].iloc[-1] == pytest.approx(5000, rel=1e-4)
    assert table["group"].is_monotonic_increasing
    items = funnel("pharma").topic("adopters").items
    assert [item.share for item in items] == [0.025, 0.135, 0.34, 0.34, 0.16]
    fine = adopters(1, innovation=0.0003, imitation=0.0038, periods=1000).table
    found = fine.groupby("group", observed=False)["n_new"].sum()
    assert found["early-adopters"] == pytest.approx(0.135, abs=0.002)
    assert found["early-majority"] == pytest.approx(0.34, abs=0.002)


def test_peak_is_where_the_formula_puts_it():
    table = adopters(1, innovation=0.0003, imitation=0.0038, periods=1000).table
    peak = np.log(0.0038 / 0.0003) / (0.0003 + 0.0038)
    assert table.loc[table["n_new"].idxmax(), "period"] == pytest.approx(peak, abs=1.5)


def test_readings():
    assert adopters().reading().startswith("Half of the market of 10,000 has adopted by period 7;")
    assert "Within 3 periods, only 15.1%" in adopters(periods=3).reading()
    assert "第 4 期轮到早期多数。" in adopters().reading("zh")


@pytest.mark.parametrize(
    "values",
    [
        {"market": -1},
        {"innovation": 0},
        {"imitation": float("nan")},
        {"periods": 0},
        {"periods": 2.5},
        {"market": "all"},
    ],
)
def test_bad_input_is_refused(values):
    (name,) = values
    with pytest.raises(DataError, match=f"{name} is {next(iter(values.values()))}"):
        adopters(**values)


def test_guide_holds_every_phase_in_both_languages():
    for lang, first in (("en", "Introduction"), ("zh", "导入期")):
        guide = spoken(lang, life_cycle_guide).table
        assert guide.shape == (4, 4)
        assert guide["phase"].iloc[0] == first
        assert guide.map(len).gt(2).all(axis=None)
