import math
import pickle
from dataclasses import dataclass
from importlib import import_module

import pandas as pd
import pytest

from funnelkit.language.errors import DataError
from funnelkit.language.texts import Text, language
from funnelkit.models import custom
from funnelkit.pipeline import Pipeline
from funnelkit.result import LimitError, Result, gate_rates, refuse_limits, row_words
from funnelkit.stats import rate_columns

language_texts = import_module("funnelkit.language.texts")


@dataclass(frozen=True)
class Limit:
    """Stands in for a Limit whose code has no text yet."""

    code: str

    def message(self, lang=None):
        return {"en": "There are no times.", "zh": "没有时间。"}[lang or language()]


def source(code="no_times"):
    """Return a Pipeline whose only limit is this one."""
    nothing = pd.DataFrame({"deal_id": [], "currency": []})
    return Pipeline(custom(["Lead"]), nothing, nothing, pd.Timestamp("2026-01-01"), limits=(Limit(code),))


def test_reading_joins_the_sentences_in_each_language(monkeypatch):
    texts = {
        "one": {"en": "{n} deals in {stage}.", "zh": "{stage}有 {n} 个商机。"},
        "two": {"en": "See {names}.", "zh": "见{names}。"},
    }
    original = language_texts.texts
    monkeypatch.setattr(language_texts, "texts", lambda group: texts if group == "a" else original(group))
    values = {"n": 2, "stage": Text("Offer", "报价")}
    found = Result(pd.DataFrame(), "a.one", values, (("a.two", {"names": ("A", Text("B", "乙"))}),))
    assert found.reading() == "2 deals in Offer. See A and B."
    assert found.reading("zh") == "报价有 2 个商机。见 A 和乙。"


def test_refusal_says_analysis_and_reason_in_both_languages():
    with pytest.raises(LimitError) as caught:
        refuse_limits(source(), "time_in_stage", "no_deals", "no_times")
    assert str(caught.value) == "the time in stage cannot be derived from this source. There are no times."
    assert caught.value.say("zh") == "此数据源无法支持阶段耗时的计算。没有时间。"
    assert isinstance(caught.value, DataError)
    assert caught.value.exit_code == 2


def test_refusal_survives_pickling():
    error = pickle.loads(pickle.dumps(LimitError("time_in_stage", Limit("no_times"))))
    assert str(error) == "the time in stage cannot be derived from this source. There are no times."


def test_no_limit_no_refusal():
    assert refuse_limits(source(), "time_in_stage", "no_deals") is None


def test_what_is_no_pipeline_is_refused_with_what_is_wanted():
    with pytest.raises(DataError) as caught:
        refuse_limits("deals.csv", "time_in_stage", "no_times")
    assert str(caught.value) == (
        'this takes a Pipeline, not str. Read the data first: pipeline = fk.read("deals.csv").'
    )
    assert caught.value.say("zh").startswith("此处需要 Pipeline，而不是 str。")


def test_figures_by_hand_stand_beside_those_of_the_table():
    found = Result(pd.DataFrame({"stage": ["a", "b"], "rate": [0.5, 0.25]}), "result.between")
    same = found.against([0.5, 0.25], "rate")
    assert same.table["difference"].tolist() == [0.0, 0.0]
    assert same.reading() == "Computed by hand and by the kit: the same in every row."
    assert found.against([0.5, 0.3], "rate").reading() == "By hand: 30.0% instead of 25.0% for b, 5.0 points too high."
    assert found.against([0.5, 0.2], "open deals counted as lost").reading() == (
        "Open deals counted as lost: 20.0% instead of 25.0% for b, 5.0 points too low."
    )
    assert found.against([0.5, 0.25], name="the shortcut").reading() == "The shortcut: the same in every row."
    large = Result(pd.DataFrame({"value": [1e7 / 3]}), "result.between")
    assert large.against([round(1e7 / 3, 6)], "value").reading() == same.reading(), "rounded by hand"
    some = "Computed by hand and by the kit: the same in each row computed by hand."
    assert found.against([0.5, float("nan")]).reading() == some, "what has no figure is not compared"
    with pytest.raises(DataError, match="Give one for each row"):
        found.against([0.5], "rate")
    with pytest.raises(DataError, match="rate"):
        found.against([0.5, 0.25], "rat")


def test_a_result_shows_sentence_and_table_and_escapes_them():
    found = Result(pd.DataFrame({"owner": ["<b>Li</b>"], "n_won": [2]}), "result.same_by_hand", {})
    shown = found._repr_mimebundle_()
    assert "<b>Li" not in shown["text/html"] and "&lt;b&gt;Li" in shown["text/html"]
    assert shown["text/plain"].splitlines()[0] == "Computed by hand and by the kit: the same in every row."
    assert set(shown) == {"text/html", "text/plain"}, "no numbers beyond what is shown"


def test_a_long_table_says_how_much_it_leaves_out():
    found = Result(pd.DataFrame({"n_won": range(50)}))
    assert "30 more rows" in found._repr_mimebundle_()["text/plain"] and len(found.table) == 50


def gated(code, of, n_unknown=0):
    """Return the one row of a rate, 6 of 8 with 2 open, behind the gate, and how it reads in both languages."""
    row = {name: value.item() for name, value in gate_rates(source(code), of, rate_columns(6, 8, 2), n_unknown).items()}
    return row, row_words(row)


def test_the_gate_leaves_what_a_source_can_carry():
    row, words = gated("no_times", "win")
    assert (row["rate"], row["basis"], words.en) == (0.75, "decided", "75.0% [40.9, 92.9] (n = 8)")


@pytest.mark.parametrize("of", ["win", "stage"])
def test_without_losses_the_gate_leaves_how_many_so_far(of):
    row, words = gated("no_lost_deals", of)
    assert (row["k"], row["n"], row["n_open"], row["basis"]) == (6, 10, 2, "unknown")
    assert all(math.isnan(row[name]) for name in ("rate", "low", "high", "floor", "ceiling"))
    assert (words.en, words.zh) == ("6 of 10 so far", "10 个中目前 6 个")


def test_without_outcomes_no_win_is_known():
    row, words = gated("no_outcome", "win")
    assert (row["k"], row["n"], row["basis"], words.en, words.zh) == (0, 0, "unknown", "not known", "无法得知")


def test_losses_of_an_unknown_stage_bound_its_rate():
    """All three lost here: 6 of 13; none lost here and all open ones go on: 13 - 2 of 13 were left without them."""
    row, words = gated("stage_of_loss_unknown", "stage", 3)
    assert (row["k"], row["n"], row["n_open"], row["basis"]) == (6, 8, 2, "unknown")
    assert (row["floor"], row["ceiling"]) == (6 / 13, 11 / 13)
    assert math.isnan(row["rate"])
    assert (words.en, words.zh) == ("not known: 46.2% to 84.6%", "无法得知：在 46.2% 与 84.6% 之间")
    assert gated("stage_of_loss_unknown", "win")[0]["rate"] == 0.75  # overall stands


def test_the_gate_takes_a_table_and_gives_every_row():
    table = pd.DataFrame({"team": ["N", "S"], **rate_columns([1, 3], [2, 3], 1)})
    found = table.assign(**gate_rates(source("no_lost_deals"), "win", table))
    assert found[["k", "n"]].values.tolist() == [[1, 3], [3, 4]]
    assert found["rate"].isna().all()
