"""Charts of time: labels fit in both languages, the alt text holds the numbers, the marks stand where they should."""

import html
from functools import cache

import numpy as np
import pytest

from funnelkit.analysis.cohorts import compare_cohorts
from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.stuck import stuck_deals
from funnelkit.analysis.time import outcome_curves, time_in_stage
from funnelkit.charts import time
from funnelkit.language import use_language
from funnelkit.reading.read import read
from funnelkit.synth.generate import synthesize
from tests.charts.test_funnel import assert_inside, strict  # noqa: F401

EACH = pytest.mark.parametrize("lang", ["en", "zh"])


@cache
def pipeline():
    made = synthesize(rng=3, n_deals=500)
    return read(made.deals, made.events, model=made.model, as_of=made.as_of)


@EACH
def test_stays_show_both_medians(lang, strict):  # noqa: F811
    use_language(lang)
    table = time_in_stage(pipeline()).table
    chart = time.stay_chart(table, pipeline().model)
    assert_inside(chart)
    entered = table[table["n"] > 0]
    for marker, column in (("o", "median_days"), ("D", "median_completed_days")):
        marks = [line.get_xdata()[0] for line in chart.ax.lines if line.get_marker() == marker]
        np.testing.assert_allclose(marks, entered[column])
    assert f"{entered['median_days'].iloc[0]:.1f} [" in chart.alt


@EACH
def test_curves_stand_in_their_bands(lang, strict):  # noqa: F811
    use_language(lang)
    curves = outcome_curves(pipeline())
    chart = time.curve_chart(curves.table, ages=(90, 99_999))
    assert_inside(chart)
    assert len(chart.ax.lines) == 3 and len(chart.ax.collections) == 3
    won = curves.at(90)["won"].iloc[0]
    assert f"{100 * won:.1f}%" in chart.alt and "99,999" not in chart.alt


@EACH
@pytest.mark.parametrize("unit", ["month", "quarter", "week"])
def test_cohorts_above_and_below(unit, lang, strict):  # noqa: F811
    use_language(lang)
    table = compare_cohorts(pipeline(), Calendar(unit)).table
    chart = time.cohort_chart(table)
    assert_inside(chart)
    assert [bar.get_height() for bar in chart.axes[0].patches] == pytest.approx(table["raw"].tolist())
    assert str(len(table)) in chart.alt


def test_cohorts_fill_only_clear_ones():
    table = compare_cohorts(pipeline(), Calendar("quarter")).table.assign(clear=False)
    table.loc[2, "clear"] = True
    points = [line for line in time.cohort_chart(table).axes[1].lines if line.get_marker() == "o"]
    assert [line.get_mfc() != "white" for line in points] == table["clear"].tolist()


@EACH
def test_every_open_deal_has_a_mark(lang, strict):  # noqa: F811
    use_language(lang)
    table = stuck_deals(pipeline()).table
    chart = time.wait_chart(table, pipeline().model)
    assert_inside(chart)
    marks = [line for line in chart.ax.lines if line.get_marker() in {"o", "s", "^", "D"}]
    assert sum(len(line.get_xdata()) for line in marks) == len(table)
    assert len(chart.ax.texts) == table["stage"].nunique()


def test_states_have_marks_of_their_own(strict):  # noqa: F811
    table = stuck_deals(pipeline()).table
    table["state"] = (["stuck", "late", "soon", "in_time", "too_few"] * len(table))[: len(table)]
    chart = time.wait_chart(table, pipeline().model)
    shown = {line.get_marker(): len(line.get_xdata()) for line in chart.ax.lines}
    counts = table["state"].value_counts()
    assert (shown["D"], shown["s"], shown["^"]) == (counts["stuck"], counts["late"], counts["soon"])
    assert shown["o"] == counts["in_time"] + counts["too_few"]


@EACH
@pytest.mark.parametrize("verb", [time_in_stage, outcome_curves, compare_cohorts, stuck_deals])
def test_a_result_draws_itself_with_its_model(verb, lang, strict):  # noqa: F811
    use_language(lang)
    found = verb(pipeline())
    chart = found.chart()
    assert_inside(chart)
    assert f'alt="{html.escape(chart.alt)}"' in found._repr_mimebundle_()["text/html"]
