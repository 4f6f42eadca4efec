"""Charts of change: labels fit in both languages, the alt text holds the numbers, the marks stand where they should."""

import numpy as np
import pandas as pd
import pytest

from funnelkit import charts
from funnelkit.analysis.change import split_change
from funnelkit.analysis.losses import split_losses, synthesize_losses
from funnelkit.analysis.monitor import control_limits
from funnelkit.analysis.peers import compare_peers
from funnelkit.charts import change
from funnelkit.language import use_language
from funnelkit.models.funnel import catalog, funnel
from tests.charts.test_funnel import assert_inside, strict  # noqa: F401

EACH = pytest.mark.parametrize("lang", ["en", "zh"])


def compared(model, status="compared"):
    """Return a table as `compare_periods` makes it, with a clear fall in the last row."""
    size = len(model.stages) + 1
    rows = pd.DataFrame({"stage": ["overall", *model.stage_ids], "k": 40, "n": 12_345, "k_before": 50})
    change = np.linspace(0.1, -0.3, size)
    rows = rows.assign(n_before=10_321, rate=0.4, rate_before=0.4 - change, change=change, status=status)
    rows = rows.assign(change_low=change - 0.2, change_high=change + 0.2, clear=change < -0.25)
    return pd.concat([rows.assign(against=against) for against in ("previous", "year_before")], ignore_index=True)


@EACH
@pytest.mark.parametrize("model", catalog(), ids=lambda model: model.id)
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


@EACH
@pytest.mark.parametrize("status", ["no_history", "too_early", "no_counterpart"])
def test_what_cannot_be_compared_says_why(status, lang, strict):  # noqa: F811
    use_language(lang)
    table = compared(funnel("selling-5"), status)
    table.loc[0, ["status", "n", "change", "change_low", "change_high"]] = ["compared", 0, np.nan, np.nan, np.nan]
    chart = change.compare_chart(table, funnel("selling-5"))
    assert_inside(chart)
    assert not [line for line in chart.ax.lines if line.get_marker() == "o"]
    first = {"en": "nothing decided in one of the two", "zh": "其中一期没有已决对象"}
    assert first[lang] in chart.alt


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
    verdicts = {"en": ["low with us alone", "too few", "n/a", "no figure"], "zh": ["只有我方", "太少", "0", "没有同行"]}
    for text, words in zip(chart.ax.texts, verdicts[lang], strict=True):
        assert words in text.get_text()
    assert "10.0% [8.3, 12.0]" in chart.alt and "22.0%" in chart.alt


BEFORE = pd.DataFrame({"segment": ["A", "B"], "k": [200, 50], "n": [500, 500]})
AFTER = pd.DataFrame({"segment": ["A", "B"], "k": [85, 90], "n": [200, 800]})


@EACH
def test_bridge_leads_from_before_to_after(lang, strict):  # noqa: F811
    use_language(lang)
    table = split_change(BEFORE, AFTER, "segment").table
    table = table.rename(columns={"low": "change_low", "high": "change_high"}).assign(name=table["part"])
    chart = change.bridge_chart(table, 0.25)
    assert_inside(chart)
    bars = chart.ax.patches
    assert [bar.get_height() for bar in bars] == pytest.approx([0.25, 0.091875, 0.016875, 0.175])
    assert [bar.get_y() for bar in bars] == pytest.approx([0, 0.158125, 0.158125, 0])
    for words in ("25.0%", "-9.2 [-11.0, -7.4]", "+1.7 [-1.9, +5.3]", "17.5%"):
        assert words in chart.alt


@EACH
def test_bridge_of_money_crosses_zero_and_takes_long_names(lang, strict):  # noqa: F811
    use_language(lang)
    names = ["new business of the whole of last year", "amount changes", "客户需求调研后取消", "won", "lost"]
    table = pd.DataFrame({"name": names, "change": [5e6, -2.5e6, -6e6, 1e6, -3e6]})
    chart = change.bridge_chart(table, 1e6, unit="money")
    assert_inside(chart)
    assert chart.ax.patches[-1].get_height() == pytest.approx(-4.5e6) and "-4,500,000" in chart.alt


def months(size=20, drop=18, young=1):
    table = pd.DataFrame({"period": [f"2024-{at + 1:02d}" for at in range(size)], "n": 100, "k": 30})
    table["k"] += np.arange(size) % 3
    table.loc[drop, "k"] = 5
    return table.assign(n_open=[0] * (size - young) + [60] * young)


@EACH
def test_control_chart_marks_signals_and_young_periods(lang, strict):  # noqa: F811
    use_language(lang)
    chart = change.control_chart(control_limits(months()).table)
    assert_inside(chart)
    diamonds, hollow = ([line for line in chart.ax.lines if line.get_marker() == "D"],
                        [line for line in chart.ax.lines if line.get_mfc() == "white"])  # fmt: skip
    assert [list(line.get_xdata()) for line in (*diamonds, *hollow)] == [[18], [19]]
    assert "2024-19" in chart.alt and "2024-20" in chart.alt


def test_control_chart_without_a_verdict_marks_no_signal(strict):  # noqa: F811
    chart = change.control_chart(control_limits(months(8, 6, 0)).table)
    assert not [line for line in chart.ax.lines if line.get_marker() == "D"]
    assert "Signals: –." in chart.alt


@EACH
def test_losses_show_reach_and_beyond(lang, strict):  # noqa: F811
    use_language(lang)
    losses, _ = synthesize_losses(np.random.default_rng(7), 12_345_678)
    empty = pd.DataFrame(
        {"link": ["一个名字特别长的环节，谁也到不了那里"], "n": 0, "reason": "-", "n_lost": 0, "within": True}
    )
    table = split_losses(pd.concat([losses, empty], ignore_index=True)).table
    chart = change.loss_chart(table)
    assert_inside(chart)
    widths = [bar.get_width() for bar in chart.ax.patches]
    assert widths == pytest.approx([*table["within"].fillna(0), *table["beyond"].fillna(0)])
    assert "22." in chart.alt and "12,345,678" in chart.alt


@EACH
def test_rates_that_are_all_low_get_an_axis_of_their_own(lang, strict):  # noqa: F811
    use_language(lang)
    rows = pd.DataFrame({"span": ["a", "b"], "k": [1, 0], "n": [100, 0], "rate": [0.01, np.nan]})
    rows = rows.assign(low=[0.002, np.nan], high=[0.054, np.nan], n_open=0)
    chart = charts.rate_chart(rows, "span", top=0.04)
    assert_inside(chart)
    assert chart.ax.get_xticks()[-1] == pytest.approx(0.054), "an interval stretches the axis"
    assert charts.rate_chart(rows, "span", top=0.2).ax.get_xticks()[-1] == pytest.approx(0.2)


def test_charts_leave_the_table_as_it_was():
    table = compared(funnel("selling-5"))
    copy = table.copy()
    change.compare_chart(table, funnel("selling-5"))
    pd.testing.assert_frame_equal(table, copy)
