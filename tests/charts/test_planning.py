"""Charts of planning and positioning: what they show is the table, nothing is cut off, alt texts speak."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from funnelkit.charts.planning import _CascadeChart, cascade_chart, loop_chart, tornado_chart
from funnelkit.charts.position import adopters_chart, map_chart, space_chart
from funnelkit.charts.style import style
from funnelkit.language import use_language
from funnelkit.language.texts import LANGUAGES
from funnelkit.models import funnel
from funnelkit.planning.cascade import cascade
from funnelkit.planning.diffusion import adopters
from funnelkit.planning.influence import influence_loop
from funnelkit.planning.perceptual_map import perceptual_map, space_profile
from funnelkit.planning.sensitivity import sensitivity
from funnelkit.synth.ratings import rate_products

CJK = re.compile(r"[\u4e00-\u9fff]")


def charts(lang):
    use_language(lang)
    ratings = rate_products()
    ours = ratings["product"].iloc[0]
    rates = pd.DataFrame(
        {"stage": ["first-contact", "needs-analysis"], "k": [40, 9], "n": [100, 12], "rate": [0.4, 0.75]}
    )
    selling = funnel("selling-5")
    big = sensitivity(rates, 1e9, 7.0, model=selling).table
    return {
        "cascade": cascade_chart(cascade({"diagnosis-rate": 0.6}), weak=["diagnosis-rate"]),
        "tornado": tornado_chart(big, "gain_points", selling),
        "assumed": tornado_chart(sensitivity("industrial-8").table, "gain_relative", funnel("industrial-8")),
        "settles": loop_chart(influence_loop(0.3, [0.8, 0.5, 6], turns=15)),
        "explodes": loop_chart(influence_loop(0.5, [4], turns=12)),
        "map": map_chart(perceptual_map(ratings), ours=ours),
        "space": space_chart(space_profile(ratings, ours), ours),
        "adopters": adopters_chart(adopters()),
    }


@pytest.fixture(scope="module", params=LANGUAGES)
def drawn(request):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a missing glyph is a warning
        made = charts(request.param)
        for chart in made.values():
            chart.png()
    return request.param, made


def test_alt_texts_speak_the_language(drawn):
    lang, made = drawn
    for name, chart in made.items():
        assert len(chart.alt) > 40, name
        assert bool(CJK.search(chart.alt)) == (lang == "zh"), name


def test_no_text_leaves_the_picture(drawn):
    _, made = drawn
    for name, chart in made.items():
        figure = chart.figure
        with style():
            renderer = figure._get_renderer()
            page = figure.bbox
            texts = [
                *chart.ax.texts,
                *chart.ax.get_yticklabels(),
                chart.ax.xaxis.label,
                chart.ax.yaxis.label,
                *figure.texts,
            ]
            for text in texts:
                if text.get_visible() and text.get_text().strip():
                    box = text.get_window_extent(renderer)
                    assert box.x0 >= -1 and box.x1 <= page.x1 + 1, f"{name}: {text.get_text()!r}"
                    assert box.y0 >= -1 and box.y1 <= page.y1 + 1, f"{name}: {text.get_text()!r}"


def test_names_on_the_map_do_not_cover_each_other(drawn):
    _, made = drawn
    chart = made["map"]
    with style():
        renderer = chart.figure._get_renderer()
        boxes = [text.get_window_extent(renderer) for text in chart.ax.texts if text.get_text()]
    for place, box in enumerate(boxes):
        assert not [other for other in boxes[:place] if box.overlaps(other)]


def test_cascade_bars_are_the_table():
    table = cascade({"diagnosis-rate": 0.6}, population=500)
    picture = _CascadeChart(weak=["diagnosis-rate"])
    picture.chart(table)
    rows = table.table.tail(7)
    assert [bar.get_width() for bar in picture.stays] == pytest.approx((rows["remaining"] / 500).tolist())
    ends = [bar.get_x() + bar.get_width() for bar in picture.drops]
    assert ends == pytest.approx((rows["count"] / 500).tolist())
    assert "31.89%" in picture.title and "Diagnosis rate" in picture.title
    assert "Diagnosis rate: 60.0% stay, 243 people." in picture.alt(table)


def test_cascade_without_anybody_is_drawn():
    assert "0.00%" in cascade_chart(cascade(population=0)).alt


def test_tornado_is_ordered_and_names_n(drawn):
    _, made = drawn
    widths = [bar.get_width() for bar in made["tornado"].ax.patches]
    assert widths == sorted(widths, reverse=True)
    assert "n = 100" in made["tornado"].alt


def test_loop_shows_where_it_settles_only_if_it_does(drawn):
    _, made = drawn
    assert [line.get_visible() for line in made["settles"].ax.lines] == [True, True, True]
    assert [line.get_visible() for line in made["explodes"].ax.lines] == [True, True, False]
    assert np.allclose(made["settles"].ax.lines[2].get_ydata(), 100 / (1 - 0.72))
