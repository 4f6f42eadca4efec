import pickle
from importlib import import_module

import pandas as pd
import pytest

from funnelkit.language.errors import DataError
from funnelkit.language.texts import Text, language
from funnelkit.result import LimitError, Result, refuse_limits

language_texts = import_module("funnelkit.language.texts")


class Limit:
    """Stands in for a Limit whose code has no text yet."""

    code = "no_times"

    def message(self, lang=None):
        return {"en": "There are no times.", "zh": "没有时间。"}[lang or language()]


class Source:
    def limit(self, code):
        return Limit() if code == "no_times" else None


def test_reading_joins_the_sentences_in_each_language(monkeypatch):
    texts = {
        "one": {"en": "{n} deals in {stage}.", "zh": "{stage}有 {n} 个商机。"},
        "two": {"en": "See {names}.", "zh": "见{names}。"},
    }
    original = language_texts.texts
    monkeypatch.setattr(language_texts, "texts", lambda group: texts if group == "a" else original(group))
    values = {"n": 2, "stage": Text("Offer", "报价")}
    found = Result(pd.DataFrame(), "a.one", values, (("a.two", {"names": ("A", Text("B", "乙"))}),))
    assert found.reading() == "2 deals in Offer. See A, B."
    assert found.reading("zh") == "报价有 2 个商机。见A、乙。"


def test_refusal_says_analysis_and_reason_in_both_languages():
    with pytest.raises(LimitError) as caught:
        refuse_limits(Source(), "time_in_stage", "no_deals", "no_times")
    assert str(caught.value) == "the time in stage cannot be made from this source. There are no times."
    assert caught.value.say("zh") == "此数据来源无法支持阶段耗时。没有时间。"
    assert isinstance(caught.value, DataError)
    assert caught.value.exit_code == 2


def test_refusal_survives_pickling():
    error = pickle.loads(pickle.dumps(LimitError("time_in_stage", Limit())))
    assert str(error) == "the time in stage cannot be made from this source. There are no times."


def test_no_limit_no_refusal():
    assert refuse_limits(Source(), "time_in_stage", "no_deals") is None
