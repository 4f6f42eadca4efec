"""Key accounts: classes follow weights and ranks, unknown figures are left out, borders are named."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.accounts import account_figures, rank_accounts
from funnelkit.language.errors import DataError
from funnelkit.pipeline import Limit
from funnelkit.result import LimitError
from funnelkit.synth.generate import as_pipeline, synthesize

FIGURES = pd.DataFrame({
    "account": ["A", "B", "C", "D"], "size": [1e9, 5.0, 4.0, 3.0], "need": ["high", "中", "low", "low"],
    "intent": [4, 3, 2, 1],
})  # fmt: skip


def test_classes_dates_and_order():
    found = rank_accounts(FIGURES, "2026-01-31", review_days={"low": 10})
    table = found.table.set_index("account")
    assert table["class"].astype(str).to_dict() == {"A": "high", "B": "medium", "C": "low", "D": "low"}
    assert table.loc["A", "score"] == 1.0
    assert table.loc["B", "score"] == pytest.approx((2 / 3 + 0.6 + 2 / 3) / 3)  # need: two tie for the last place
    assert table.loc["C", "score"] == pytest.approx((1 / 3 + 0 + 1 / 3) / 3)
    assert table["review_at"].astype(str).to_dict() == {
        "A": "2026-03-02", "B": "2026-05-01", "C": "2026-02-10", "D": "2026-02-10",
    }  # fmt: skip
    assert table["class"].is_monotonic_increasing


def test_weights_decide():
    figures = pd.DataFrame({"account": ["big", "mid", "keen"], "size": [3, 2, 1], "intent": [1, 2, 3]})
    by_size = rank_accounts(figures, "2026-01-31", weights={"size": 1}).table.set_index("account")
    by_intent = rank_accounts(figures, "2026-01-31", weights={"size": 0.1, "intent": 0.9}).table.set_index("account")
    assert by_size["class"].astype(str).to_dict() == {"big": "high", "mid": "medium", "keen": "low"}
    assert by_intent["class"].astype(str).to_dict() == {"big": "low", "mid": "medium", "keen": "high"}
    equal = rank_accounts(figures, "2026-01-31")
    assert set(equal.table["class"]) == {"medium"}
    assert equal.table.set_index("account")["stable"].loc["mid"] == 1.0
    assert equal.table.set_index("account")["stable"].loc["big"] < 1.0


def test_unknown_figures_leave_the_rest():
    figures = pd.DataFrame({"account": ["a", "b", "c"], "size": [3.0, np.nan, 1.0], "need": ["high", "high", None]})
    found = rank_accounts(figures, "2026-01-31")
    table = found.table.set_index("account")
    assert table.loc["b", "n_known"] == 1
    assert np.isnan(table.loc["b", "size_rank"])
    assert table.loc["c", "score"] == 0.0
    assert "For 2 accounts not every criterion is known" in found.reading()
    assert "2 家客户缺少部分指标" in found.reading("zh")


def test_strategies_differ_in_both_languages():
    found = rank_accounts(FIGURES, "2026-01-31")
    texts = {text for lang in ("en", "zh") for text in found.sentences(lang)[-3:]}
    assert len(texts) == 6
    assert found.sentences()[-1].startswith("Low: service at low cost")
    assert found.sentences("zh")[-3].startswith("高优先级：")


def test_a_pipeline_brings_its_own_figures_and_date():
    sample = as_pipeline(synthesize("b2b-8", 7))
    found = rank_accounts(sample)
    expected = rank_accounts(account_figures(sample), sample.as_of)
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert "高" in found.show("zh").text and "class_high" not in found.show().text


@pytest.mark.parametrize(("change", "text"), [
    ({"account": ["A", "A", "C", "D"]}, "'A' stands in two rows"),
    ({"need": ["high", "so-so", "low", "low"]}, "column need, account B: 'so-so'"),
])  # fmt: skip
def test_bad_tables(change, text):
    with pytest.raises(DataError, match=text):
        rank_accounts(FIGURES.assign(**change), "2026-01-31")


def test_bad_calls():
    with pytest.raises(DataError, match="no column named 'account'"):
        rank_accounts(FIGURES.drop(columns="account"), "2026-01-31")
    with pytest.raises(DataError, match="Give as_of"):
        rank_accounts(FIGURES)
    with pytest.raises(DataError, match="no row"):
        rank_accounts(FIGURES.iloc[:0], "2026-01-31")
    with pytest.raises(DataError, match="no column named 'sise'"):
        rank_accounts(FIGURES, "2026-01-31", weights={"sise": 1})
    with pytest.raises(DataError, match="weights are"):
        rank_accounts(FIGURES, "2026-01-31", weights={"size": -1, "need": 2})


def test_figures_of_a_pipeline():
    sample = as_pipeline(synthesize("b2b-8", 7))
    figures = account_figures(sample)
    deals = sample.deals
    assert figures["size"].sum() == pytest.approx(deals.loc[deals["status"].isin(["won", "open"]), "amount"].sum())
    assert figures["need"].sum() == pytest.approx(deals.loc[deals["status"] == "open", "amount"].sum())
    assert figures["n_won"].sum() == 139
    assert figures["intent"].between(0, 1).all()
    assert (figures.loc[figures["n_open"] == 0, "intent"] == 0).all()
    with pytest.raises(LimitError, match="ranking of accounts"):
        account_figures(type(sample)(sample.model, deals, sample.events, sample.as_of, limits=(Limit("no_amount"),)))
