"""Allocation meets an independent optimum, states are counted as a reader would count them."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from funnelkit import read
from funnelkit.charts import allocation_chart
from funnelkit.language.errors import DataError
from funnelkit.language.samples import sample_files
from funnelkit.models.funnel import custom, funnel
from funnelkit.pipeline import Pipeline
from funnelkit.planning.allocate import allocate, state_table
from funnelkit.stats.rates import wilson

MODEL = funnel("industrial-8")


@pytest.fixture(scope="module")
def sample():
    return read(*sample_files(), model="industrial-8")


def rows(**columns):
    base = {"state": ["search", "in-funnel", "best"], "n_open": [73, 106, 6], "value_open": [44.0e6, 78.0e6, 3.0e6],
            "win_probability": [0.08, 0.16, 0.67], "win_probability_after": [0.16, 0.67, 0.86],
            "cost": [40.0, 24.0, 16.0]}  # fmt: skip
    return pd.DataFrame({**base, **columns})


def by_linear_programme(table, budget):
    """Return the best expected value that any division of the budget brings."""
    valued = table.get("n_valued", table["n_open"])
    gain = (table["win_probability_after"] - table["win_probability"]) * (table["value_open"] / valued) / table["cost"]
    least = table.get("least", pd.Series(0.0, index=table.index)).fillna(0)
    usable = table["n_open"] * table["cost"]
    most = table.get("most", usable).fillna(usable).clip(upper=usable)
    bounds = list(zip(least, most, strict=True))
    found = linprog(-gain.fillna(0), A_ub=np.ones((1, len(table))), b_ub=[budget], bounds=bounds)
    return -found.fun if found.success else None


def test_allocation_is_the_optimum_of_a_linear_programme():
    rng = np.random.default_rng(5)
    infeasible = 0
    for _ in range(200):
        n = rng.integers(1, 7)
        chance = np.sort(rng.random((n, 2)), axis=1)
        chance[:1] = chance[:1, ::-1]  # the first row loses by a push
        table = pd.DataFrame({
            "state": [f"s{k}" for k in range(n)], "n_open": rng.integers(0, 40, n), "value_open": rng.random(n) * 1e6,
            "win_probability": chance[:, 0], "win_probability_after": chance[:, 1], "cost": rng.random(n) * 30 + 1,
        })  # fmt: skip
        table["value_open"] = table["value_open"].where(table["n_open"] > 0, 0.0)
        usable = table["n_open"] * table["cost"]
        table["least"] = np.where(rng.random(n) < 0.3, usable * rng.random(n), np.nan)
        table["most"] = np.where(rng.random(n) < 0.3, table["least"].fillna(0) + usable * rng.random(n), np.nan)
        budget = float(rng.random() * usable.sum() * 1.3)
        best = by_linear_programme(table, budget)
        if best is None:
            infeasible += 1
            with pytest.raises(DataError, match="minima add up"):
                allocate(table, budget)
            continue
        given = allocate(table, budget).table
        assert given["value_won_more"].sum() == pytest.approx(best, rel=1e-9, abs=1e-6)
        assert given["hours"].sum() <= budget + 1e-6
        assert (given["n_pushed"] <= table["n_open"] + 1e-9).all()
        assert (given["hours"] >= table["least"].fillna(0) - 1e-9).all()
        assert (given["hours"] <= table["most"].fillna(np.inf) + 1e-9).all()
    assert 0 < infeasible < 150, "both kinds were met"


def test_effort_goes_first_where_an_hour_gains_most():
    given = allocate(rows(), 3000).table
    assert given["hours"].tolist() == [3000 - 106 * 24 - 6 * 16, 106 * 24, 6 * 16]
    assert given["n_pushed"].tolist() == [9.0, 106.0, 6.0]
    gain = (0.67 - 0.16) * 78.0e6 / 106 / 24
    assert given["gain_per_unit"][1] == pytest.approx(gain)
    assert given["value_won_more"][1] == pytest.approx(gain * 106 * 24)
    assert given["n_won_more"].tolist() == pytest.approx([9 * 0.08, 106 * 0.51, 6 * 0.19])
    assert given["share_budget"].sum() == pytest.approx(1)


def test_what_brings_nothing_is_left_over():
    assert allocate(rows(), 1e6).table["hours"].sum() == 73 * 40 + 106 * 24 + 6 * 16
    worse = rows(win_probability_after=[0.05, 0.10, 0.50])
    assert allocate(worse, 3000).table["hours"].sum() == 0
    assert allocate(rows(least=[80.0, np.nan, np.nan]), 100).table["hours"].tolist() == [80.0, 20.0, 0.0]
    assert allocate(rows(most=[np.nan, 240.0, np.nan]), 300).table["hours"].tolist() == [0.0, 240.0, 60.0]
    assert allocate(rows(), 0).table["hours"].tolist() == [0, 0, 0]


def test_money_is_a_budget_too_and_nothing_is_changed_in_place():
    table = rows()
    before = table.copy()
    assert "money" in allocate(table, 500.0, unit="money").table
    pd.testing.assert_frame_equal(table, before)


def test_unknown_amounts_do_not_thin_the_mean():
    half = rows(n_valued=[73, 53, 6])
    assert allocate(half, 100).table["gain_per_unit"][1] == pytest.approx(
        2 * allocate(rows(), 100).table["gain_per_unit"][1]
    )
    assert allocate(rows(n_valued=[73, 0, 6], value_open=[44.0e6, 0.0, 3.0e6]), 100).table["gain_per_unit"][1] == 0


@pytest.mark.parametrize(
    ("table", "budget", "message"),
    [
        (rows().drop(columns="cost"), 10, "no column named 'cost'"),
        (rows(), -1, "the budget is -1. Give a number of at least 0."),
        (rows(), float("nan"), "the budget is nan"),
        (rows(), float("inf"), "the budget is inf"),
        (rows(cost=[40.0, 0.0, 16.0]), 10, "row in-funnel, column cost: 0.0 is out of range"),
        (rows(win_probability=[0.1, 1.2, 0.3]), 10, "row in-funnel, column win_probability: 1.2 is out of range"),
        (rows(value_open=[1.0, 1.0, np.nan]), 10, "row best, column value_open: nan"),
        (rows(least=[0.0, 0.0, 97.0]), 500, "row best: at least 97 is asked for, but it can use 96 at most"),
        (rows(least=[50.0, 60.0, 0.0]), 100, "the minima add up to 110, more than the budget of 100"),
    ],
)
def test_bad_input_says_what_and_where(table, budget, message):
    with pytest.raises(DataError, match=message):
        allocate(table, budget)


def test_states_of_the_sample_by_plain_counting(sample):
    table = state_table(sample).table
    furthest = sample.events["stage"].cat.codes.groupby(sample.events["deal_id"]).max()
    deals = sample.deals.assign(furthest=sample.deals["deal_id"].map(furthest))
    for row, first, last, after in zip(table.itertuples(), (0, 2, 5), (1, 4, 7), (2, 5, 6), strict=True):
        mine = deals[(deals["status"] == "open") & deals["furthest"].between(first, last)]
        assert (row.n_open, row.n_valued, row.value_open) == (len(mine), len(mine), pytest.approx(mine["amount"].sum()))
        for start, rate in ((first, row.win_probability), (after, row.win_probability_after)):
            closed = deals[deals["status"].isin(["won", "lost"]) & (deals["furthest"] >= start)]
            assert rate == pytest.approx((closed["status"] == "won").mean())
        assert (row.low, row.high) == tuple(float(end) for end in wilson(row.k, row.n))
        assert row.basis == "data"
    assert table["n_open"].sum() == (deals["status"] == "open").sum()


def small(statuses, stage="negotiation", currency="CNY"):
    ids = [str(k) for k in range(len(statuses))]
    deals = pd.DataFrame({"deal_id": ids, "status": statuses, "amount": 5.0, "currency": currency})
    stages = pd.Categorical([stage] * len(ids), categories=MODEL.stage_ids, ordered=True)
    return Pipeline(MODEL, deals, pd.DataFrame({"deal_id": ids, "stage": stages}), pd.Timestamp("2026-01-01"))


def test_few_closed_deals_give_way_to_the_model_and_say_so():
    table = state_table(small(["won"] * 6 + ["lost"] * 3 + ["open"])).table
    assert table["n"].tolist() == [9, 9, 9] and table["basis"].tolist() == ["model"] * 3
    assert table["win_probability"].tolist() == [0.05, 0.20, 0.65]
    assert table["win_probability_after"].tolist() == [0.20, 0.65, 0.85]
    assert state_table(small(["won"] * 6 + ["lost"] * 4)).table["basis"].tolist() == ["data"] * 3
    assert state_table(small(["open"])).table["n"].tolist() == [0, 0, 0], "nobody closed is no error"


def test_states_need_a_model_with_states_and_one_currency():
    pipeline = small(["open", "open"])
    pipeline.deals["currency"] = ["CNY", "EUR"]
    with pytest.raises(DataError, match=r"several currencies \(CNY, EUR\)"):
        state_table(pipeline)
    bare = custom(["Lead", "Offer"])
    deals = pd.DataFrame({"deal_id": [], "status": [], "amount": [], "currency": []})
    stage = pd.Categorical([], categories=bare.stage_ids, ordered=True)
    empty = Pipeline(bare, deals, pd.DataFrame({"deal_id": [], "stage": stage}), pd.Timestamp("2026-01-01"))
    with pytest.raises(DataError, match="model custom has no states"):
        state_table(empty)


def test_reading_in_both_languages():
    given = allocate(rows(), 3000, model=MODEL)
    english = given.sentences()
    assert english[0].startswith("In funnel: 2,544 hours (84.8% of the budget) move 106 of 106 open deals on;")
    assert "each hour brings 15,637 in expected value" in english[0]
    assert english[-1].startswith("In all, 3,000 hours bring an expected ") and "upper bound" in english[-1]
    assert "In funnel: 2,544 hours move 106 of 106 deals" in allocation_chart(given).alt
    chinese = given.sentences("zh")
    assert chinese[2].startswith("客户搜索：投入 360 小时（占预算 12.0%），推进 73 个进行中商机里的 9 个")
    left = allocate(rows(), 6000, model=MODEL).sentences()
    assert left[-1] == "440 hours are left unspent: no open deal could gain from them."
    held = allocate(rows().assign(most=[100, 500, 90]), 3000, model=MODEL).sentences()
    assert held[-1] == "2,310 hours are left over: this plan doesn't use them."
    assert allocate(rows(), 0, "money").sentences()[-1].startswith("In all, 0 of money bring an expected 0 more wins")


@pytest.mark.parametrize(
    ("unit", "heads"), [("hours", "Hours per deal, Gain per hour"), ("money", "Cost per deal, Gain per unit")]
)
def test_the_heads_name_the_unit_that_is_spent(unit, heads):
    given = allocate(rows(), 3000, unit, currency="EUR")
    assert ", ".join(column.label for column in given.columns[-7:-5]) == heads
    assert ("€15,637</td>" in given._repr_mimebundle_()["text/html"]) == (unit == "hours")
    assert "gain_per_unit" in given.table
