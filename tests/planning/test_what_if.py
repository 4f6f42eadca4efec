"""What-if: worked numbers, an independent product, refusal of what cannot be a rate."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.language.errors import CatalogError, DataError
from funnelkit.models.funnel import catalog, custom, funnel
from funnelkit.planning.what_if import what_if

MODEL = funnel("industrial-8")


def rates(values, n=100):
    return pd.DataFrame({"stage": [f"S{k}" for k in range(len(values))], "rate": values, "n": n})


def test_the_worked_numbers_of_the_opportunity_funnel():
    """100, 70, 40, 20, 10: the catalogue's rates lead from each count to the next."""
    found = what_if(funnel("simple-5"), volume=100)
    table = found.table
    assert table["n"].tolist() == pytest.approx([100, 70, 40, 20, 10], abs=1e-9)
    assert table["n_more"].tolist() == [0] * 5 and table["n_seen"].tolist() == [0] * 5


def test_counts_are_the_product_of_the_rates():
    rng = np.random.default_rng(3)
    for _ in range(50):
        base, new = rng.random(6), rng.random(6)
        changed = {f"S{k}": new[k] for k in range(6) if rng.random() < 0.5}
        found = what_if(rates(base), changed, 250, 40.0)
        table = found.table
        used = [changed.get(f"S{k}", base[k]) for k in range(6)]
        for k in range(6):
            assert table["n_base"][k] == pytest.approx(250 * np.prod(base[:k]))
            assert table["n"][k] == pytest.approx(250 * np.prod(used[:k]))
        assert table["value"][5] == pytest.approx(table["n"][5] * 40)
        assert table["value_base"][5] == pytest.approx(table["n_base"][5] * 40)
        assert table["value"][:5].isna().all()


def test_volume_and_value_are_levers():
    found = what_if(MODEL, {"volume": 1200, "deal_value": 50.0}, 1000, 40.0)
    table = found.table
    won = table.iloc[-1]
    assert won["n"] == pytest.approx(1.2 * won["n_base"])
    assert won["value"] == pytest.approx(1.2 * 1.25 * won["value_base"])


def test_the_win_is_the_won_stage_even_where_others_follow():
    model = funnel("execution-4")
    found = what_if(model, {stage.id: 0.5 for stage in model.stages}, 80, 1.0)
    table = found.table
    won = model.stage_ids.index(model.won_stage)
    assert won < len(model.stages) - 1
    assert table["value"].last_valid_index() == won and table["value"][won] == 80 * 0.5**won


def test_stages_by_any_name_and_the_table_that_rates_rest_on():
    found = what_if(rates([0.5, 1.0]).assign(stage=["negotiation", "contract-signed"]), {"商务谈判": 0.75}, 8, 1, MODEL)
    table = found.table
    assert table["n"].tolist() == [8, 6] and table["n_seen"].tolist() == [100, 100]
    assert table["n_more"].tolist() == [0, 2]


def test_a_missing_rate_is_asked_for_and_may_be_given():
    with pytest.raises(DataError, match=r"no rate is known for stage S0\. Give one in `changes`"):
        what_if(rates([np.nan, 1.0]))
    found = what_if(rates([np.nan, 1.0]), {"S0": 0.5}, 10, 2.0)
    table = found.table
    assert table["n"].tolist() == [10, 5] and np.isnan(table["n_base"][1])
    assert found.reading() == "Of 10 that enter, 50.0% are won. That is 5 wins, worth 10; the baseline is not known."
    assert what_if(rates([0.5, np.nan])).table["n"].tolist() == [1000, 500], "the rate of the last stage plays no part"


@pytest.mark.parametrize("rate", [-0.1, 1.01, float("inf"), 65])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(DataError, match="stage negotiation: the rate is"):
        what_if(MODEL, {"negotiation": rate})


def test_growth_is_legitimate_in_the_influence_funnel_only():
    growing = [model.id for model in catalog() if model.grows]
    assert growing == ["influence"]
    model = funnel("influence")
    changes = dict.fromkeys(model.stage_ids[:-1], 1.5)
    found = what_if(model, changes, 100)
    table = found.table
    assert table["n"].tolist() == pytest.approx([100 * 1.5**k for k in range(len(model.stages))])
    with pytest.raises(DataError, match="above 1 only where the model's counts may grow"):
        what_if(rates([0.5, 0.5]), {"S0": 1.5})


def test_wrong_names_and_levers_are_named():
    with pytest.raises(
        CatalogError, match=r"no stage named 'negotiatoin' in model industrial-8\. Nearest: Negotiation"
    ):
        what_if(MODEL, {"negotiatoin": 0.5})
    with pytest.raises(DataError, match=r"nothing named 'volum' can be changed\. Nearest: volume"):
        what_if(rates([0.5, 1]), {"volum": 5})
    with pytest.raises(DataError, match=r"volume is -1\. Give a number of at least 0"):
        what_if(MODEL, volume=-1)
    with pytest.raises(DataError, match="deal_value is nan"):
        what_if(MODEL, {"deal_value": float("nan")})
    with pytest.raises(DataError, match="no column named 'rate'"):
        what_if(rates([0.5, 1]).drop(columns="rate"))


def test_input_is_not_changed():
    table, changes = rates([0.5, 1.0]), {"S0": 0.6, "volume": 5}
    before = table.copy()
    what_if(table, changes, model=custom(["S0", "S1"]))
    pd.testing.assert_frame_equal(table, before)
    assert changes == {"S0": 0.6, "volume": 5}


def test_reading_in_both_languages():
    found = what_if(rates([0.5, 1.0]), {"S0": 0.6}, 100, 1000.0)
    assert found.reading() == (
        "Of 100 that enter, 60.0% are won. That is 60 wins instead of 50 (+10), worth 60,000 instead of 50,000 "
        "(+10,000)."
    )
    assert found.reading("zh") == (
        "进入漏斗 100 个，其中赢单占 60.0%。赢单 60 单，基准为 50 单（+10）；价值 6 万，基准为 5 万（+1 万）。"
    )
    assert what_if(rates([0.5, 1.0]), volume=0).reading().startswith("Of 0 that enter, – are won.")
    assert "Sample size" in found.show().text, "of rates that were counted"
    assert "Sample size" not in what_if(funnel("simple-5")).show().text, "assumed rates have none"


def test_cycle_gives_value_per_day():
    """Sales velocity by hand: 10 wins of 50 in 20 days are 25 a day; in 10 days twice as much."""
    source = funnel("simple-5")
    found = what_if(source, {"cycle_days": 10}, 100, 50.0, cycle_days=20)
    table = found.table
    won = table.iloc[-1]
    assert won["value_per_day_base"] == pytest.approx(25)
    assert won["value_per_day"] == pytest.approx(50)
    assert "Value won per day of the cycle: 50, baseline 25." in found.reading()
    assert "value_per_day" not in what_if(source).table


@pytest.mark.parametrize(("changes", "cycle_days"), [({}, 0), ({"cycle_days": -1}, 20), ({"cycle_days": 10}, None)])
def test_cycle_must_be_above_zero_and_have_a_base(changes, cycle_days):
    with pytest.raises(DataError, match="cycle"):
        what_if(funnel("simple-5"), changes, cycle_days=cycle_days)
