"""What the verbs of the forecast show: sentences, picture with its words and a table, in both languages."""

import numpy as np
import pandas as pd
import pytest

from funnelkit import forecast
from funnelkit.charts import backtest_chart, flow_chart, forecast_chart, pace_chart
from funnelkit.language import DataError, use_language
from funnelkit.reading import read
from funnelkit.synth import synthesize

UNTIL = "2026-03-31"


def rng():
    return np.random.default_rng(1)


@pytest.fixture(scope="module")
def pipeline():
    made = synthesize(rng=3, n_deals=400)
    return read(made.deals, made.events, model=made.model, as_of=made.as_of)


@pytest.fixture(scope="module")
def found(pipeline):
    return {
        "forecast_open": forecast.forecast_open(pipeline, UNTIL, unit="month", paths=200, rng=rng()),
        "backtest": forecast.backtest(pipeline, unit="month", n_origins=2, paths=100, rng=rng()),
        "health": forecast.health(pipeline, 1e6, UNTIL, rng=rng()),
        "solve_target": forecast.solve_target(pipeline, 1e6, "2026-12-31", rng=rng()),
        "check_target": forecast.check_target(pipeline, 1e6, UNTIL, rng=rng()),
        "calibrate": forecast.calibrate(pipeline),
        "compare_target_rates": forecast.compare_target_rates(pipeline, {pipeline.model.stage_ids[0]: 0.5}),
    }


VERBS = ("forecast_open", "backtest", "health", "solve_target", "check_target", "calibrate", "compare_target_rates")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("verb", VERBS)
def test_sentences_picture_and_table(found, verb, lang):
    use_language(lang)
    result = found[verb]
    bundle = result._repr_mimebundle_()
    html = bundle["text/html"]
    assert result.sentences() and all(sentence in bundle["text/plain"] for sentence in result.sentences())
    assert '<table class="fk">' in html
    assert ("<img" in html) == bool(result.picture)
    if result.picture:
        assert result.chart().alt in bundle["text/plain"]
    head = html.split("<thead>")[1].split("</thead>")[0]
    assert any("\u4e00" <= sign <= "\u9fff" for sign in head) == (lang == "zh")
    assert "_" not in head, "every column has a label"


@pytest.mark.parametrize(
    ("draw", "verb"), [(backtest_chart, "backtest"), (flow_chart, "health"), (pace_chart, "solve_target")]
)
def test_charts_take_a_result_or_its_table(found, pipeline, draw, verb):
    options = {} if verb == "backtest" else {"model": pipeline.model}
    # A table alone does not know the currency of its amounts.
    assert draw(found[verb]).alt.replace("CN¥", "") == draw(found[verb].table, **options).alt


def test_a_fan_needs_its_paths(found):
    with pytest.raises(DataError, match="takes the Result of `forecast_open`, not DataFrame"):
        forecast_chart(found["forecast_open"].table)


def test_a_plan_tells_the_odds_of_other_numbers_of_entries(found):
    plan = found["solve_target"]
    assert plan.chance(plan.entries) == plan.odds and plan.chance(0) == plan.odds_open
    assert plan.chance(2 * plan.entries) >= plan.odds >= plan.chance(plan.entries, first=60)


def test_segments_of_one_or_several_columns(pipeline):
    tables = [
        forecast.forecast_open(pipeline, UNTIL, by=by, paths=100, rng=rng()).table
        for by in ("owner", ["owner"], ["owner", "currency"])
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert tables[2]["mean"].notna().all()
    with pytest.raises(DataError, match="no column named 'ownr'"):
        forecast.forecast_open(pipeline, UNTIL, by=["owner", "ownr"])


@pytest.mark.parametrize("call", [
    lambda: forecast.forecast_open("deals.csv", UNTIL), lambda: forecast.backtest(None),
    lambda: forecast.calibrate("deals.csv"), lambda: forecast.health("deals.csv", 1, UNTIL),
    lambda: forecast.solve_target("deals.csv", 1, UNTIL), lambda: forecast.check_target("deals.csv", 1, UNTIL),
    lambda: forecast.compare_target_rates("deals.csv", {}),
])  # fmt: skip
def test_what_is_no_pipeline_is_refused(call):
    with pytest.raises(DataError, match="Pipeline"):
        call()
