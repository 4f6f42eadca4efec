"""Charts that watch: signals and young periods have marks of their own, losses show both parts."""

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.analysis.losses import split_losses, synthesize_losses
from funnelkit.analysis.monitor import monitor as watch
from funnelkit.charts import monitor
from funnelkit.language import use_language
from tests.charts.test_funnel import assert_inside, strict  # noqa: F401

EACH = pytest.mark.parametrize("lang", ["en", "zh"])


def months(size=20, drop=18, young=1):
    table = pd.DataFrame({"period": [f"2024-{at + 1:02d}" for at in range(size)], "n": 100, "k": 30})
    table["k"] += np.arange(size) % 3
    table.loc[drop, "k"] = 5
    return table.assign(n_open=[0] * (size - young) + [60] * young)


@EACH
def test_periods_mark_signals_and_young_ones(lang, strict):  # noqa: F811
    use_language(lang)
    chart = monitor.monitor_chart(watch(months()))
    assert_inside(chart)
    diamonds, hollow = ([line for line in chart.ax.lines if line.get_marker() == "D"],
                        [line for line in chart.ax.lines if line.get_mfc() == "white"])  # fmt: skip
    assert [list(line.get_xdata()) for line in (*diamonds, *hollow)] == [[18], [19]]
    assert "2024-19" in chart.alt and "2024-20" in chart.alt


def test_periods_without_a_verdict_mark_no_signal(strict):  # noqa: F811
    chart = monitor.monitor_chart(watch(months(8, 6, 0)))
    assert not [line for line in chart.ax.lines if line.get_marker() == "D"]
    assert "Signals: none." in chart.alt


@EACH
def test_stages_name_the_lines_beyond_their_limits(lang, strict):  # noqa: F811
    use_language(lang)
    found = watch(fk.sample())
    chart = monitor.monitor_chart(found)
    assert_inside(chart)
    coloured = [line for line in chart.ax.lines if line.get_linewidth() == 1.8]
    assert len(coloured) == len(found.findings) == len(chart.ax.texts) == 2
    assert all(min(line.get_ydata()) < -1 for line in coloured)
    assert "16" in chart.alt and str(found.model.stage("solution-confirmed").name) in chart.alt


@EACH
def test_losses_show_reach_and_beyond(lang, strict):  # noqa: F811
    use_language(lang)
    losses, _ = synthesize_losses(np.random.default_rng(7), 12_345_678)
    empty = pd.DataFrame(
        {"link": ["一个名字特别长的环节，谁也到不了那里"], "n": 0, "reason": "-", "n_lost": 0, "within": True}
    )
    found = split_losses(pd.concat([losses, empty], ignore_index=True))
    table, chart = found.table, monitor.loss_chart(found)
    assert_inside(chart)
    widths = [bar.get_width() for bar in chart.ax.patches]
    assert widths == pytest.approx([*table["within"].fillna(0), *table["beyond"].fillna(0)])
    assert "22." in chart.alt and "12,345,678" in chart.alt
