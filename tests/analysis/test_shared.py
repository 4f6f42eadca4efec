"""What every verb does alike: columns to split by, wrong types, displays of sentences, picture and table."""

from functools import cache

import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.analysis.shared import keys_of
from funnelkit.language import use_language
from funnelkit.language.errors import DataError

OF_PIPELINE = ("count_stages", "compare_periods", "time_in_stage", "outcome_curves", "promotion_cycle", "stuck_deals",
               "compare_cohorts", "review_people", "find_spells")  # fmt: skip
SPLIT = ("count_stages", "compare_periods", "time_in_stage", "outcome_curves", "promotion_cycle", "win_rate")
OF_TABLE = ("rate_table", "growth_table", "win_rate", "monitor", "split_losses", "churn_ratio")


@cache
def pipeline():
    made = fk.synthesize(rng=3, n_deals=400)
    return fk.read(made.deals, made.events, model=made.model, as_of=made.as_of)


@pytest.mark.parametrize("verb", OF_PIPELINE)
def test_what_is_no_pipeline_is_refused_in_words(verb):
    with pytest.raises(DataError, match=r"this takes a Pipeline, not DataFrame\."):
        getattr(fk, verb)(pd.DataFrame())


@pytest.mark.parametrize("verb", OF_TABLE)
def test_what_is_no_table_is_refused_in_words(verb):
    with pytest.raises(DataError, match=r"this takes a table \(a DataFrame\) or a Result, not list"):
        getattr(fk, verb)([1, 2])


@pytest.mark.parametrize("verb", SPLIT)
def test_one_column_or_a_list_of_them(verb):
    ask = getattr(fk, verb)
    pd.testing.assert_frame_equal(ask(pipeline(), by="team").table, ask(pipeline(), by=["team"]).table)
    assert {"team", "industry"} <= set(ask(pipeline(), by=["team", "industry"]).table.columns)
    with pytest.raises(DataError, match="no column named 'teem'"):
        ask(pipeline(), by=["industry", "teem"])


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("verb", [*OF_PIPELINE, "rate_table", "win_rate", "monitor"])
def test_answers_show_sentences_picture_and_table(verb, lang):
    use_language(lang)
    found = getattr(fk, verb)(pipeline())
    shown = found._repr_mimebundle_()
    assert all(sentence in shown["text/plain"] for sentence in found.sentences()) and found.sentences()
    assert ("<img" in shown["text/html"]) == bool(found.picture) and "<table" in shown["text/html"]


def test_keys_are_none_one_or_several():
    table = pd.DataFrame({"a": [1], "b": [2]})
    assert (keys_of(None, table), keys_of("a", table), keys_of(("a", "b"), table)) == ([], ["a"], ["a", "b"])
    with pytest.raises(DataError, match="no column named 3"):
        keys_of(3, table)
