"""Charts: every label has its glyphs and fits, the numbers are in the alt text, the bytes are the same each time."""

import base64
import html
import logging
import re
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from funnelkit import charts
from funnelkit.analysis.win_rate import win_rate
from funnelkit.language import language, speaking, use_language
from funnelkit.models.funnel import catalog, custom, funnel
from tests.support.speech import spoken

# Each model in both languages; `make test` draws it in one of them, by turns.
EACH_MODEL = pytest.mark.parametrize(
    ("model", "lang"),
    [
        pytest.param(model, lang, id=f"{model.id}-{lang}", marks=() if (i + j) % 2 == 0 else pytest.mark.slow)
        for i, model in enumerate(catalog())
        for j, lang in enumerate(("en", "zh"))
    ],
)


def counts_of(model, top=1000):
    size = len(model.stages)
    entered = np.array([top * 7**i // 10**i for i in range(size)])
    advanced = np.r_[entered[1:], entered[-1] * 6 // 10]
    still_open = (entered - advanced) // 3
    return pd.DataFrame(
        {"stage": model.stage_ids, "n_entered": entered, "n_advanced": advanced, "n_open": still_open}
    ).assign(n_lost=entered - advanced - still_open)


@pytest.fixture
def strict(caplog):
    """Turn missing glyphs and layout troubles into failures: warnings, and log records inside mathtext."""
    caplog.set_level(logging.WARNING, logger="matplotlib")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield
    assert [record.getMessage() for record in caplog.records] == []


def assert_inside(chart):
    """No text reaches beyond the picture, and none of an axes' own texts overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(chart.figure)
    with charts.style():
        canvas.draw()
    frame, renderer = chart.figure.bbox, canvas.get_renderer()
    for ax in chart.axes:
        (low, high), ticks = ax.get_xlim(), ax.get_xticklabels()
        shown = [tick for tick in ticks if low <= tick.get_position()[0] <= high]
        labels = [*shown, *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label, *ax.texts]
        boxes = [(text, text.get_window_extent(renderer)) for text in labels if text.get_visible() and text.get_text()]
        for text, box in boxes:
            inside = box.x0 >= -1 and box.x1 <= frame.x1 + 1 and box.y0 >= -1 and box.y1 <= frame.y1 + 1
            assert inside, f"{text.get_text()!r} is cut: {box}"
        words = [(text, text.get_window_extent(renderer)) for text in [*ax.texts, *ax.get_yticklabels()]]
        for i, (text, box) in enumerate(words):
            for other, box2 in words[i + 1 :]:
                assert not box.overlaps(box2), f"{text.get_text()!r} overlaps {other.get_text()!r}"


@EACH_MODEL
def test_every_model_draws_in_both_languages(model, lang, strict):
    use_language(lang)
    chart = charts.funnel_chart(counts_of(model), model)
    assert chart.png().startswith(b"\x89PNG")
    assert_inside(chart)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_long_labels_fit(lang, strict):
    use_language(lang)
    long = [
        "A stage whose name was written by a committee that wanted everybody to be content",
        "Donaudampfschiffahrt" * 3,
    ]
    long.append("客户需求调研分析与整体解决方案设计评审确认阶段（含技术与商务两部分）")
    model = custom(long)
    assert_inside(charts.funnel_chart(counts_of(model, 12_345_678), model))


def test_alt_text_names_every_count_and_rate():
    model = funnel("industrial-8")
    counts = counts_of(model)
    alt = charts.funnel_chart(counts, model).alt
    assert alt.startswith("Funnel chart with 8 stages. Project initiation: 1,000 entered; promotion rate: 7")
    for stage, entered in zip(model.stages, counts["n_entered"], strict=True):
        assert f"{stage.name.en}: {entered:,} entered" in alt
    assert alt.endswith("entering it counts as a win."), "the last stage of this model has nowhere to promote to"
    chinese = spoken("zh", lambda: charts.funnel_chart(counts, model)).alt
    assert "项目立项：进入 1,000" in chinese and "。 " not in chinese


def test_widening_funnel_shows_factors_not_rates(strict):
    model = replace(custom(["favour", "share", "spread"]), kind="influence")
    counts = pd.DataFrame({"stage": model.stage_ids, "n_entered": [100, 140, 420]})
    chart = charts.funnel_chart(counts, model)
    widths = [bar.get_width() for bar in chart.ax.patches]
    assert widths == [100, 140, 420]
    assert chart.ax.get_xlim()[1] > 420
    assert "×1.40" in chart.alt and "×3.00" in chart.alt and "%" not in chart.alt
    assert_inside(chart)


def test_bars_are_split_into_advanced_open_lost():
    model = funnel("industrial-8")
    counts = counts_of(model)
    chart = charts.funnel_chart(counts, model)
    bars = np.array([bar.get_width() for bar in chart.ax.patches]).reshape(3, 8)
    assert (bars == counts[["n_advanced", "n_open", "n_lost"]].to_numpy().T).all()


def test_zero_and_all_open_stages_draw(strict):
    model = custom(["a", "b", "c"])
    counts = pd.DataFrame(
        {
            "stage": model.stage_ids,
            "n_entered": [3, 1, 0],
            "n_advanced": [1, 0, 0],
            "n_lost": [1, 0, 0],
            "n_open": [1, 1, 0],
        }
    )
    chart = charts.funnel_chart(counts, model)
    assert "n/a (0 entered)" in chart.alt and "not yet known (all 1 open)" in chart.alt
    assert_inside(chart)


def test_same_table_same_bytes_and_no_global_state():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    model = funnel("industrial-8")
    first, second = (spoken("zh", lambda: charts.funnel_chart(counts_of(model), model)) for _ in range(2))
    assert first.png() == second.png() == first.png()
    assert dict(mpl.rcParams) == before


def test_rate_chart_with_hostile_names(strict):
    names = ["<script>alert(1)</script>", "$\\bad$", "_hidden", "$$", None, "x" * 200]
    deals = pd.DataFrame({"status": ["won", "lost", "open"] * 6, "owner": names * 3})
    chart = spoken("zh", lambda: charts.rate_chart(win_rate(deals, "owner"), "owner"))
    assert_inside(chart)
    assert "_hidden" in chart.alt and "（未填写）" in chart.alt


def test_use_draws_chinese_in_ones_own_pictures(strict):
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        charts.use("zh")
        assert language() == "zh"
        figure = Figure()
        figure.subplots().set_title("阶段升迁率 − 2026")
        figure.canvas.draw()


def test_chart_displays_as_picture_with_alt():
    model = custom(["a <b>", 'c "d"'])
    chart = charts.funnel_chart(counts_of(model), model)
    bundle = chart._repr_mimebundle_()
    assert sorted(bundle) == ["text/html", "text/plain"]
    assert bundle["text/plain"] == chart.alt == repr(chart)
    shown = re.fullmatch(r'<img class="fk" alt="([^"]*)" src="data:image/png;base64,([^"]*)">', bundle["text/html"])
    assert html.unescape(shown[1]) == chart.alt and "<b>" not in bundle["text/html"]
    assert base64.b64decode(shown[2]) == chart.png()


def test_the_axis_of_rates_fits_them_and_names_what_they_are():
    few = pd.DataFrame({"shop": ["N", "S"], "k": [5, 9], "n": [60, 90], "rate": [5 / 60, 0.1]})
    few = few.assign(low=[0.036, 0.054], high=[0.18, 0.179])
    chart = charts.rate_chart(few)
    assert chart.ax.get_xticks()[-1] == pytest.approx(0.2)
    assert chart.alt.startswith("Do conversion rates differ by shop?")
    assert charts.rate_chart(few.assign(high=[0.97, 0.5])).ax.get_xticks()[-1] == pytest.approx(1.0)
    wide = few.assign(high=[0.905, 0.5])
    ends = [charts.rate_chart(rows, top=0.3).ax.get_xticks()[-1] for rows in (few, wide)]
    assert ends == pytest.approx([0.3, 1.0]), "an interval beyond the end given stretches it to a round one"
    won = charts.rate_chart(few.assign(n_won=few["k"])[["shop", "n_won", "k", "n", "rate", "low", "high"]])
    assert won.alt.startswith("Do win rates differ by shop?")


LONG_NAMES = {
    "zh": "华东大区渠道与战略客户联合销售部（含经销商支持）第{}组",
    "en": "Strategic accounts with support, Midlands, {}",
}


@pytest.mark.parametrize(("lang", "name"), LONG_NAMES.items())
def test_long_names_of_rows_keep_apart(lang, name):
    rows = pd.DataFrame({"team": [name.format(i) for i in range(12)], "n_won": 5, "k": 5, "n": 50})
    with speaking(lang):
        ax = charts.rate_chart(rows.assign(rate=0.1, low=0.05, high=0.2), by="team").ax
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(box.x0 >= 0 for box in boxes)
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))
