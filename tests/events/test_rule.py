"""Rule: every field is checked, contradictions are refused, presets are what they say."""

from dataclasses import fields, replace

import pandas as pd
import pytest

from funnelkit.events.rule import PRESETS, Rule, parse_window, preset, refuse_unsupported
from funnelkit.language import use_language
from funnelkit.language.errors import RuleError


@pytest.mark.parametrize(
    ("text", "hours"), [("30d", 720), ("12h", 12), ("90m", 1.5), ("45s", 0.0125), ("2w", 336), ("1.5d", 36)]
)
def test_windows_are_read(text, hours):
    assert parse_window(text) == pd.Timedelta(hours=hours)


@pytest.mark.parametrize("bad", ["30", "d", "-3d", "0d", "30 days", "", "1d,x"])
def test_a_bad_window_is_refused(bad):
    with pytest.raises(RuleError, match="is not a length of time above zero"):
        parse_window(bad)


@pytest.mark.parametrize("field", ["order", "window_from", "reentry", "ties", "skip", "exclusion", "attribute"])
def test_a_value_that_is_no_choice_is_refused(field):
    with pytest.raises(RuleError, match=f"rule field {field}: 'odd' is none of"):
        Rule(**{field: "odd"})


CONTRADICTIONS = [
    {"order": "any", "window_from": "previous"},
    {"ties": "grace"},
    {"grace_s": 2},
    {"skip": "touch", "window": "3d"},
    {"skip": "touch", "reentry": "latest"},
    {"skip": "backfill", "order": "strict"},
    {"skip": "backfill", "window_from": "previous"},
    {"order": "any", "hold": "x"},
    {"order": "any", "deduplicate": True},
    {"order": "any", "ties": "grace", "grace_s": 1},
    {"order": "strict", "ties": "grace", "grace_s": 1},
    {"order": "strict", "hold": "x"},
    {"order": "strict", "attribute": "step"},
    {"deduplicate": True, "ties": "grace", "grace_s": 1},
    {"window": "1d,2d"},
]


@pytest.mark.parametrize("values", CONTRADICTIONS, ids=str)
def test_contradictions_are_refused(values):
    with pytest.raises(RuleError, match="contradict each other"):
        Rule(**values)


def test_presets_of_the_design_are_all_there():
    names = "posthog mixpanel amplitude clickhouse clickhouse_strict_order clickhouse_strict_order_reentry"
    names += " clickhouse_strict_deduplication clickhouse_strict_increase ga4_closed ga4_open hubspot_all hubspot_any"
    assert set(f"default {names} bitrix24".split()) == set(PRESETS)
    assert len({tuple(getattr(rule, field.name) for field in fields(Rule)) for rule in PRESETS.values()}) == 13


def test_a_preset_takes_a_window_and_exclusions():
    assert preset("mixpanel").window == pd.Timedelta(days=7)
    assert preset("mixpanel", "none").window is None
    assert preset("ga4_closed", "1d,2d").windows_us(2) == (86_400_000_000, 172_800_000_000)
    assert preset("bitrix24", exclude=("Lost",)).exclude == ("Lost",)
    assert replace(preset("posthog"), exclude="Lost").exclude == ("Lost",)
    with pytest.raises(RuleError, match=r"no rule named 'clikhouse'\. Known: clickhouse"):
        preset("clikhouse")


def test_an_engine_refuses_what_it_does_not_count():
    refuse_unsupported(Rule(window="3d"), "engine", {})
    with pytest.raises(RuleError, match="engine spark does not count rules with ties='strict'"):
        refuse_unsupported(Rule(ties="strict"), "spark", {"ties": ("progress",)})


def test_a_rule_says_what_it_means():
    rule = preset("mixpanel", exclude=("Refund",))
    assert repr(rule).splitlines() == [
        "The steps come in order; other events may come in between.",
        "Window: 7 days from the first step, its end included.",
        "A chain starts at the first event of step 1.",
        "Events up to 2 s apart count in either order.",
        "One of these events ends the chain, and the steps before it count: Refund.",
    ]
    use_language("zh")
    bundle = replace(rule, window="36h", hold=("team", "site"))._repr_mimebundle_()
    assert "<li>窗口：自第一步起 1.5 天，含最后一刻。</li>" in bundle["text/html"]
    assert "全程取值须相同：team、site。" in bundle["text/plain"]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_preset_says_itself_in_a_few_lines(name, lang):
    use_language(lang)
    assert 2 <= len(PRESETS[name].sentences()) <= 7
    assert all(sentence.endswith((".", "。")) for sentence in PRESETS[name].sentences())
