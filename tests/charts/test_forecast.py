"""Charts of what lies ahead: labels fit in both languages, the fan and the marks stand where the numbers say."""

from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from funnelkit.charts import forecast
from funnelkit.forecast.backtest import backtest
from funnelkit.forecast.forecast import forecast_open
from funnelkit.forecast.health import VERDICTS
from funnelkit.language import money, use_language
from funnelkit.models.funnel import funnel
from funnelkit.reading.read import read
from funnelkit.synth.generate import synthesize
from tests.charts.test_funnel import EACH_MODEL, assert_inside, strict  # noqa: F401

EACH = pytest.mark.parametrize("lang", ["en", "zh"])


@cache
def pipeline():
    made = synthesize(rng=3, n_deals=1200)
    return read(made.deals, made.events, model=made.model, as_of=made.as_of)


@cache
def made(unit="month", until="2026-06-30"):
    return forecast_open(pipeline(), until, unit=unit, paths=400, rng=np.random.default_rng(1))


@cache
def record():
    return backtest(pipeline(), unit="month", n_origins=5, paths=100, rng=np.random.default_rng(1)).table


@EACH
@pytest.mark.parametrize(
    ("unit", "until"), [("month", "2026-06-30"), ("week", "2026-12-31"), (None, "2026-01-03"), (None, "2025-12-31")]
)
def test_fan_fits_from_one_period_to_a_year_of_weeks(unit, until, lang, strict):  # noqa: F811
    use_language(lang)
    chart = forecast.forecast_chart(made(unit, until), target=2_000_000)
    assert chart.png().startswith(b"\x89PNG")
    assert_inside(chart)
    boxes = [tick.get_window_extent() for tick in chart.ax.get_xticklabels()]
    assert not [one for one, other in pairwise(boxes) if one.overlaps(other)]


def test_fan_is_the_cumulative_forecast_and_ends_in_its_last_row():
    chart = forecast.forecast_chart(made(), target=5_000_000)
    table, paths = chart.table, made().paths["total"]["value"]
    assert table["day"].tolist() == [made().ends["start"].iloc[0] - pd.Timedelta(days=1), *made().ends["end"]]
    assert (table.drop(columns="day").iloc[0] == 0).all()
    whole = made().table
    last = whole[(whole["period"] == whole["period"].iloc[-1]) & (whole["part"] == "total")].set_index("measure")
    for name in ("median", "low_95", "high_95", "low_80", "high_80", "low_50", "high_50"):
        assert table[name].iloc[-1] == pytest.approx(last.loc["value", name])
        assert table[name].is_monotonic_increasing
    third = paths[:, :3].sum(axis=1)
    assert table["low_80"].iloc[3] == pytest.approx(np.quantile(third, 0.1))
    assert f"Probability of CN¥5,000,000: {100 * made().chance(5_000_000):.0f}%" in chart.alt
    assert f"By 2026-06-30: median {money(table['median'].iloc[-1], 'CNY')};" in chart.alt  # half a unit rounds up
    lines = {line.get_label(): line.get_ydata() for line in chart.ax.lines}
    np.testing.assert_allclose(lines["median"], table["median"])
    np.testing.assert_allclose(lines["median of today's open deals alone"], table["open"])
    assert set(lines["target"]) == {5_000_000}


@EACH
def test_fan_counts_deals_where_there_is_no_value(lang, strict):  # noqa: F811
    use_language(lang)
    full = made()
    counts = {part: {"n_won": measures["n_won"]} for part, measures in full.paths.items()}
    chart = forecast.forecast_chart(type(full)(full.table, full.key, full.values, paths=counts, ends=full.ends,
                                                    deals=full.deals), target=3)  # fmt: skip
    assert_inside(chart)
    assert chart.table["median"].iloc[-1] == np.median(full.paths["total"]["n_won"].sum(axis=1))
    assert len(chart.ax.lines) == 2, "a target is a value: none is drawn on counts"


@EACH
@pytest.mark.parametrize("measure", ["value", "n_won"])
def test_past_record_marks_what_the_band_held(measure, lang, strict):  # noqa: F811
    use_language(lang)
    table = record().copy()
    own = (table["method"] == "forecast") & (table["part"] == "total") & (table["measure"] == measure)
    table.loc[own, "in_80"] = [1.0, 0.0, 1.0, 1.0, 0.0]
    chart = forecast.backtest_chart(table, measure=measure)
    assert_inside(chart)
    marks = {line.get_marker(): line for line in chart.ax.lines}
    assert (list(marks["o"].get_xdata()), list(marks["D"].get_xdata())) == ([0, 2, 3], [1, 4])
    actual = table.loc[own, "actual"].tolist()
    assert marks["D"].get_ydata().tolist() == [actual[1], actual[4]]
    assert f"{actual[4]:,.0f}" in chart.alt
    bars = chart.ax.patches
    np.testing.assert_allclose([bar.get_y() for bar in bars], table.loc[own, "low_80"])
    np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in bars], table.loc[own, "high_80"])
    plain = table[(table["method"] == "weighted") & (table["measure"] == measure)]
    np.testing.assert_allclose(marks["^"].get_ydata(), plain["mean"])


def flow_of(model):
    """Return a table as `health` makes it, with every verdict, for the stages before the win."""
    stages = model.stage_ids[:-1]
    verdicts = (["slower", "moving", "too_few", "faster"] * len(stages))[: len(stages) + 1]
    rows = pd.DataFrame({"condition": "flow", "stage": [None, *stages], "n": 12_345, "n_expected": 11_111.1})
    rows = rows.assign(figure=[0.4, 1.1, 0.7, 2.4, *[1.0] * len(stages)][: len(rows)], low=0.8, high=1.3)
    rows.loc[[verdict == "too_few" for verdict in verdicts], ["low", "high"]] = np.nan
    top = pd.DataFrame({"condition": ["coverage"], "stage": [None], "figure": [3.0], "n": [9]})
    table = pd.concat([top, rows], ignore_index=True)
    table["verdict"] = pd.Categorical(["short", *verdicts], categories=VERDICTS)
    return table


@EACH_MODEL
def test_flow_fits_for_every_model(model, lang, strict):  # noqa: F811
    use_language(lang)
    chart = forecast.flow_chart(flow_of(model), model)
    assert_inside(chart)
    assert chart.alt.count("12,345") == len(model.stages)


def test_flow_marks_only_what_is_outside():
    table = flow_of(funnel("industrial-8"))
    chart = forecast.flow_chart(table, funnel("industrial-8"))
    marks = {(line.get_marker(), line.get_mfc() == "white"): list(line.get_ydata()) for line in chart.ax.lines}
    assert marks[("D", False)] == [0, 3, 4, 7]
    assert marks[("o", False)] == [1, 5] and marks[("o", True)] == [2, 6]
    assert "all stages: 12,345 of 11,111.1 expected: slower" in chart.alt


@EACH_MODEL
@pytest.mark.parametrize("needed", [71.25, np.nan])
def test_pace_fits_with_and_without_a_plan(model, needed, lang, strict):  # noqa: F811
    use_language(lang)
    table = pd.DataFrame({"stage": model.stage_ids, "per_week": needed, "past_per_week": 16.85})
    chart = forecast.pace_chart(table, model)
    assert_inside(chart)
    assert chart.alt.count("71.3") == (0 if np.isnan(needed) else len(model.stages))
    assert ("no number of new deals" in chart.alt or "多少新商机都不够" in chart.alt) == np.isnan(needed)
    assert [bar.get_width() for bar in chart.ax.patches] == [16.85] * len(model.stages)
