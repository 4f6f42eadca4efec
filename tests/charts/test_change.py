"""Charts of change: labels fit in both languages, the alt text holds the numbers, the marks stand where they should."""

import numpy as np
import pandas as pd
import pytest

from funnelkit import charts
from funnelkit.analysis.change import split_change
from funnelkit.analysis.peers import compare_peers
from funnelkit.analysis.rates import rate_table
from funnelkit.analysis.waterfall import waterfall
from funnelkit.charts import change
from funnelkit.language import use_language
from funnelkit.language.errors import DataError
from funnelkit.models.funnel import funnel
from funnelkit.reading.read import read
from funnelkit.synth.generate import synthesize
from tests.charts.test_funnel import EACH_MODEL, assert_inside, strict  # noqa: F401

EACH = pytest.mark.parametrize("lang", ["en", "zh"])


def compared(model, status="compared"):
    """Return a table as `compare_periods` makes it, with a clear fall in the last row."""
    size = len(model.stages) + 1
    rows = pd.DataFrame({"stage": ["overall", *model.stage_ids], "k": 40, "n": 12_345, "k_before": 50})
    change = np.linspace(0.1, -0.3, size)
    rows = rows.assign(n_before=10_321, rate=0.4, rate_before=0.4 - change, change=change, status=status)
    rows = rows.assign(change_low=change - 0.2, change_high=change + 0.2, clear=change < -0.25)
    return pd.concat([rows.assign(against=against) for against in ("previous", "year_before")], ignore_index=True)


@EACH_MODEL
def test_comparison_fits_for_every_model(model, lang, strict):  # noqa: F811
    use_language(lang)
    chart = change.compare_chart(compared(model), model)
    assert chart.png().startswith(b"\x89PNG")
    assert_inside(chart)


def test_comparison_marks_clear_changes_only():
    model = funnel("industrial-8")
    chart = change.compare_chart(compared(model), model)
    points = [line for line in chart.ax.lines if line.get_marker() == "o"]
    assert [line.get_mfc() == "white" for line in points] == [True] * 8 + [False]
    assert points[-1].get_xdata()[0] == pytest.approx(-0.3)
    assert "Contract signed, against the previous period (MoM): -30.0 [-50.0, -10.0] points, 40.0% (n = 12,345)" in (
        chart.alt
    )


@pytest.mark.parametrize(("lang", "minus"), [("en", "-"), ("zh", "\u2212")])
def test_ticks_of_changes_have_the_sign_of_the_language(lang, minus):
    use_language(lang)
    ax = change.compare_chart(compared(funnel("selling-5")), funnel("selling-5")).ax
    said = [ax.xaxis.get_major_formatter()(value, 0) for value in (-0.4, 0, 0.025)]
    assert said == [f"{minus}40", "0", "+2.5"]


@EACH
@pytest.mark.parametrize("status", ["no_history", "too_early", "no_counterpart", "not_enough"])
def test_what_cannot_be_compared_says_why(status, lang, strict):  # noqa: F811
    use_language(lang)
    table = compared(funnel("selling-5"), status)
    chart = change.compare_chart(table, funnel("selling-5"))
    assert_inside(chart)
    assert not [line for line in chart.ax.lines if line.get_marker() == "o"]
    if status == "not_enough":
        few = {"en": "too few to compare: 12,345 after 10,321", "zh": "数量太少，无法比较：10,321 → 12,345"}
        assert few[lang] in chart.alt


@EACH
def test_peers_show_both_rates_and_the_verdict(lang, strict):  # noqa: F811
    use_language(lang)
    model = funnel("project-7")
    steps = ["find-opportunity", "confirm-intent", "negotiate", "win-approval"]
    ours = pd.DataFrame({"stage": steps, "k": [100, 17, 0, 5], "n": [1000, 100, 0, 10]})
    peers = pd.DataFrame({"stage": [*steps[:2], steps[1], steps[2]], "rate": [0.22, 0.18, 0.15, 1.0]})
    table = compare_peers(ours, peers.assign(n=[4000, 500, 700, 90]), model=model).table
    chart = change.peer_chart(table, model)
    assert_inside(chart)
    verdicts = {"en": ["low only for us", "too few", "n/a", "no figure"], "zh": ["只有我方", "太少", "0", "没有同行"]}
    for text, words in zip(chart.ax.texts, verdicts[lang], strict=True):
        assert words in text.get_text()
    assert "10.0% [8.3, 12.0]" in chart.alt and "22.0%" in chart.alt


BEFORE = pd.DataFrame({"segment": ["A", "B"], "k": [200, 50], "n": [500, 500]})
AFTER = pd.DataFrame({"segment": ["A", "B"], "k": [85, 90], "n": [200, 800]})


@EACH
def test_bridge_leads_from_before_to_after(lang, strict):  # noqa: F811
    use_language(lang)
    found = split_change(BEFORE, AFTER, "segment")
    chart = change.bridge_chart(found)
    assert chart.alt == change.bridge_chart(found.parts(), 0.25).alt
    assert_inside(chart)
    bars = chart.ax.patches
    assert [bar.get_height() for bar in bars] == pytest.approx([0.25, 0.091875, 0.016875, 0.175])
    assert [bar.get_y() for bar in bars] == pytest.approx([0, 0.158125, 0.158125, 0])
    for words in ("25.0%", "-9.2 [-11.0, -7.4]", "+1.7 [-1.9, +5.3]", "17.5%"):
        assert (words.replace("-", "−") if lang == "zh" else words) in chart.alt


@EACH
def test_bridge_of_money_crosses_zero_and_takes_long_names(lang, strict):  # noqa: F811
    use_language(lang)
    names = ["new business of the whole of last year", "amount changes", "客户需求调研后取消", "won", "lost"]
    table = pd.DataFrame({"name": names, "change": [5e6, -2.5e6, -6e6, 1e6, -3e6]})
    chart = change.bridge_chart(table, 1e6, unit="money")
    assert_inside(chart)
    assert chart.ax.patches[-1].get_height() == pytest.approx(-4.5e6)
    assert ("\u2212450万" if lang == "zh" else "\u22124.5\xa0M") in chart.alt.replace(" ", "\xa0")


@EACH
def test_rates_that_are_all_low_get_an_axis_of_their_own(lang, strict):  # noqa: F811
    use_language(lang)
    rows = pd.DataFrame({"span": ["a", "b"], "k": [1, 0], "n": [100, 0], "rate": [0.01, np.nan]})
    rows = rows.assign(low=[0.002, np.nan], high=[0.054, np.nan], n_open=0)
    chart = charts.rate_chart(rows, "span", top=0.04)
    assert_inside(chart)
    assert chart.ax.get_xticks()[-1] == pytest.approx(0.08), "an interval beyond the end moves it to a round one"
    assert charts.rate_chart(rows, "span", top=0.2).ax.get_xticks()[-1] == pytest.approx(0.2)


def test_a_bridge_from_nowhere_is_refused():
    with pytest.raises(DataError, match="Give start, the value before"):
        change.bridge_chart(pd.DataFrame({"name": ["mix"], "change": [0.1]}))
    with pytest.raises(DataError, match="this takes a table"):
        change.compare_chart([1, 2])


@EACH
def test_a_waterfall_draws_itself_in_money(lang, strict):  # noqa: F811
    use_language(lang)
    made = synthesize(rng=3, n_deals=300)
    pipeline = read(made.deals, made.events, model=made.model, as_of=made.as_of)
    found = waterfall(pipeline.at(made.as_of - pd.Timedelta(days=60)), pipeline)
    chart = found.chart()
    assert_inside(chart)
    levels = found.table.set_index("part")["change"]
    assert [chart.ax.patches[at].get_height() for at in (0, -1)] == pytest.approx(
        [levels["opening"], levels["closing"]]
    )


@EACH
def test_rates_of_stages_bear_their_names(lang, strict):  # noqa: F811
    use_language(lang)
    made = synthesize(rng=3, n_deals=300)
    pipeline = read(made.deals, made.events, model=made.model, as_of=made.as_of)
    chart = rate_table(pipeline).chart()
    assert_inside(chart)
    assert str(pipeline.model.stages[0].name) in chart.alt
    assert "100.0%" not in chart.alt, "entering the stage of the win is the win"


def test_charts_leave_the_table_as_it_was():
    table = compared(funnel("selling-5"))
    copy = table.copy()
    change.compare_chart(table, funnel("selling-5"))
    pd.testing.assert_frame_equal(table, copy)
