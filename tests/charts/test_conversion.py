"""Charts of event logs: labels fit in both languages, alt texts hold the numbers, what is open is drawn as open."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.charts import conversion, flows
from funnelkit.events import (
    Rule,
    attribute_odds,
    compare_rules,
    conversion_trend,
    count_events,
    journeys,
    paths_between,
    step_matrix,
    time_histogram,
    time_to_convert,
    time_trend,
)
from funnelkit.language import use_language
from tests.charts.test_funnel import assert_inside, strict  # noqa: F401

STEPS = ["view a product", "put it into the basket", "订单付款"]
RULE = Rule(window="30d")


@pytest.fixture(scope="module")
def log():
    """Return 400 visitors over four months: two in three go on within days, some by way of other events."""
    rng = np.random.default_rng(5)
    rows = []
    for who in range(400):
        at, source = rng.uniform(0, 120), ("mail", "search", "$x$ <b>")[who % 3]
        for step in STEPS:
            rows.append((who, step, at, source))
            if rng.random() < 0.3:
                rows.append((who, "help page", at + 0.01, source))
            at += rng.gamma(2, 2)
            if rng.random() > (0.8 if source == "mail" else 0.55) or at > 120:
                break
    table = pd.DataFrame(rows, columns=["deal_id", "stage", "day", "source"])
    return table.assign(entered_at=pd.Timestamp("2026-01-01") + pd.to_timedelta(table.pop("day"), unit="D"))


@pytest.fixture(scope="module")
def found(log):
    return journeys(log, STEPS, RULE, attributes="source")


@pytest.fixture
def results(log, found):
    return {
        "journeys": found,
        "times": time_to_convert(found, "source"),
        "histogram": time_histogram(found),
        "trend": conversion_trend(found),
        "time trend": time_trend(found),
        "odds": attribute_odds(found, "source"),
        "rules": compare_rules(log, STEPS, window="30d", rules=["default", "hubspot_any", "ga4_open"]),
        "paths": paths_between(log, found, STEPS[0], STEPS[2]),
        "matrix": step_matrix(log, found, STEPS[0], STEPS[2], 3),
    }


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_result_draws_itself_within_its_picture(results, lang, strict):  # noqa: F811
    use_language(lang)
    for name, result in results.items():
        chart = result.chart()
        assert_inside(chart)
        assert len(chart.alt) > 40 and chart.png(), name


def test_the_open_part_of_a_trend_is_drawn_as_open(results):
    trend = results["trend"].table
    chart = conversion.trend_chart(results["trend"])
    hatched = [bar for bar in chart.ax.patches if bar.get_hatch()]
    is_open = trend[trend["n_open"] > 0]
    assert len(hatched) == len(is_open) > 0
    np.testing.assert_allclose([bar.get_y() for bar in hatched], is_open["floor"])
    np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in hatched], is_open["ceiling"])
    filled = [line for line in chart.ax.lines if line.get_marker() == "o" and line.get_mfc() != "white"]
    assert len(filled) == trend["is_mature"].sum()


def test_bars_and_curve_are_the_histogram(results):
    table = results["histogram"].table
    chart = conversion.time_histogram_chart(table)
    np.testing.assert_allclose([bar.get_height() for bar in chart.axes[0].patches], table["n"])
    np.testing.assert_allclose(chart.axes[1].lines[0].get_ydata()[1:], table["n"].cumsum() / table["n"].sum())


def test_bars_of_journeys_are_how_many_reached_each_step(results):
    found = results["journeys"]
    heights = [bar.get_height() for bar in flows.journey_chart(found).ax.patches]
    reached = [(found.table["depth"] >= place).mean() for place in (1, 2, 3)]
    np.testing.assert_allclose(heights, reached)


def test_ways_and_matrix_agree_on_who_went_straight(results):
    ways, matrix = results["paths"].table, results["matrix"].table
    straight = ways.loc[ways["path"] == "", "n"].sum()
    first = matrix[(matrix["position"] == 1) & (matrix["event"] == STEPS[2])]
    assert first["n"].tolist() == [straight] or not straight
    np.testing.assert_allclose(matrix.groupby("position")["share"].sum(), 1)
    assert f"{straight:,}, " in flows.path_chart(results["paths"]).alt


def test_clear_values_are_filled(results):
    table = results["odds"].table
    chart = conversion.odds_chart(table)
    points = [line for line in chart.ax.lines if line.get_marker() == "o"]
    assert [line.get_mfc() != "white" for line in points] == (table["q_value"] < 0.05).tolist()
    assert (table["q_value"] < 0.05).any(), "mail converts better by construction"


def test_nothing_to_draw_is_no_picture_and_no_crash():
    log = pd.DataFrame({"deal_id": [1], "stage": ["A"], "entered_at": pd.to_datetime(["2026-01-01"])})
    found = journeys(log, ["A", "B"], RULE)
    for result in (time_to_convert(found), time_histogram(found), conversion_trend(found), time_trend(found), found):
        assert result._repr_mimebundle_()["text/plain"]
    assert paths_between(log, found, "A", "B")._repr_mimebundle_()


def test_steps_that_may_be_left_out_are_named_so(log, strict):  # noqa: F811
    rule = Rule(window="30d", optional=STEPS[1])
    chart = journeys(log, STEPS, rule).chart()
    assert_inside(chart)
    assert f"{STEPS[1]} (optional)" in chart.alt and len(chart.ax.get_xticks()) == len(STEPS) - 1
    assert f"{STEPS[1]} (optional)" in count_events(log, STEPS, rule).chart().alt


def test_short_times_have_ticks_and_days_that_tell_them_apart():
    table = pd.DataFrame({"low_days": [0.0, 0.5, 1.0], "high_days": [0.5, 1.0, 1.5], "n": [40, 40, 20]})
    chart = conversion.time_histogram_chart(table)
    chart.axes[0].figure.canvas.draw()
    ticks = [tick.get_text() for tick in chart.axes[1].get_xticklabels()]
    assert len(set(ticks)) == len(ticks) > 3
    assert (
        "50%: reached between day 0.5 and day 1.0" in chart.alt
        and "90%: reached between day 1.0 and day 1.5" in chart.alt
    )


def test_a_matrix_of_many_events_keeps_the_last_step_and_adds_up():
    rows = [(0, "A", 0.0), (0, "B", 9.0)]
    for who in range(1, 31):
        rows += [(who, "A", 0.0), (who, f"event {who % 20:02d}", 1.0), (who, "B", 9.0)]
    log = pd.DataFrame(rows, columns=["deal_id", "stage", "day"])
    log["entered_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(log.pop("day"), unit="D")
    found = journeys(log, ["A", "B"])
    chart = flows.step_matrix_chart(step_matrix(log, found, "A", "B", 2))
    names = [tick.get_text() for tick in chart.ax.get_yticklabels()]
    assert len(names) == 12 and names[-2:] == ["other events", "B"]
    np.testing.assert_allclose(np.asarray(chart.ax.images[0].get_array()).sum(axis=0), 1)
    assert "After A" in chart.alt and "from A to B" in paths_between(log, found, "A", "B").chart().alt


def test_a_cohort_that_may_yet_convert_whole_does_not_flatten_the_rates(results):
    chart = results["trend"].chart()
    table = results["trend"].table
    top = chart.ax.get_ylim()[1]
    assert table["high"].max() < top <= 1.6 * table[["high", "floor"]].max().max() + 1e-9
    beyond = table.loc[(table["n_open"] > 0) & (table["ceiling"] > top), "ceiling"]
    assert sum(text.get_text().startswith("to ") for text in chart.ax.texts) == len(beyond)
