"""The semantics lab: one log, every preset, and the sentences agree with the numbers."""

import re

import numpy as np
import pandas as pd
import pytest

from funnelkit.events.compare_rules import compare_rules
from funnelkit.events.rule import PRESETS
from funnelkit.language import use_language
from funnelkit.language.texts import texts


@pytest.fixture(scope="module")
def log():
    rng, n = np.random.default_rng(1), 400
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 40 * 86400, n * 6), unit="s")
    return pd.DataFrame(
        {"deal_id": np.repeat(np.arange(n), 6), "stage": rng.choice(list("AABCX"), n * 6), "entered_at": at}
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_preset_has_a_row_and_a_true_sentence(log, lang):
    use_language(lang)
    found = compare_rules(log, "ABC")
    table = found.table
    assert table["rule"].tolist() == list(PRESETS)
    for row in table.itertuples():
        numbers = [
            int(number) for number in re.findall(r"(?<![\d.])\d+(?= (?:reach|more|fewer)| 个)", str(row.reading))
        ]
        difference = abs(row.C - table["C"].iloc[0])
        assert numbers == ([row.C, difference] if difference else [row.C]), row.reading
    assert table["C"].nunique() >= 6, "one data set, many answers"
    assert (table["n_open"] >= 0).all()
    most = table.loc[table["C"].idxmax(), "rule"]
    assert most in found.reading() and str(table["C"].max()) in found.reading()
    assert str(table["reading"].iloc[0]) in found.show().text


def test_one_window_for_all_that_have_one(log):
    table = compare_rules(log, "ABC", window="3d", exclude=["X"]).table.set_index("rule")
    assert str(table.loc["mixpanel", "window"]) == "3 days from the first step"
    assert str(table.loc["ga4_closed", "window"]) == "3 days from the previous step"
    assert str(table.loc["hubspot_any", "window"]) == "none"
    assert table.loc["posthog", "A"] < table.loc["mixpanel", "A"], "excluded persons leave the whole funnel"
    shown = table.dropna(subset="rate")
    assert (shown["rate"] == shown["k"] / shown["n"]).all()


def test_each_preset_is_explained():
    assert set(PRESETS) <= set(texts("events.rules"))
