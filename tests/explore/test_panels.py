"""Panels are sliders over plain functions: their code, run alone, gives the table on the screen."""

import csv
import io
import re
from base64 import b64decode

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from funnelkit.charts.picture import _fill, _is_block, png
from funnelkit.explore import panels, panels_funnel, widgets
from funnelkit.explore.panels_funnel import sample_rate
from funnelkit.language import use_language
from funnelkit.language.texts import LANGUAGES, say
from funnelkit.models import catalog, custom, funnel
from funnelkit.planning.allocate import allocate
from funnelkit.planning.cascade import cascade
from funnelkit.planning.influence import influence_loop
from funnelkit.planning.perceptual_map import perceptual_map
from funnelkit.planning.what_if import what_if
from funnelkit.result import table_of

RATINGS = pd.DataFrame(
    {"product": ["Ours", "A", "B"], "effect": [9.0, 5, 4], "price": [3.0, 4, 8], "safety": [6.0, 8, 5]}
)
STATES = pd.DataFrame({
    "state": ["search", "in-funnel", "best"], "n_open": [73, 106, 6], "n_valued": [73, 100, 6],
    "value_open": [44.0e6, 78.0e6, 3.0e6], "win_probability": [0.08, 0.16, 0.67],
    "win_probability_after": [0.16, 0.67, 0.86], "cost": [40.0, 24.0, 16.0],
})  # fmt: skip
SIMPLE = funnel("simple-5")
NAMES = {
    "allocate": allocate, "cascade": cascade, "influence_loop": influence_loop, "model": SIMPLE, "ratings": RATINGS,
    "perceptual_map": perceptual_map, "sample_rate": sample_rate, "source": SIMPLE, "states": STATES,
    "what_if": what_if,
}  # fmt: skip
MAKERS = {
    "cascade": lambda: panels.cascade_panel({"patients": 0.2}, population=50_000_000, price=1200),
    "explorer": lambda: panels_funnel.explorer_panel(SIMPLE, 100, 500.0, 40.0),
    "sample": lambda: panels_funnel.sample_panel(),
    "allocator": lambda: panels_funnel.allocator_panel(STATES, 3000.0),
    "loop": lambda: panels.loop_panel(0.3, [0.8, 0.5, 4.0], 0.4, market=5000),
    "map": lambda: panels.map_panel(RATINGS, {"effect": 3}, ours="Ours"),
}
each = pytest.mark.parametrize("lang", LANGUAGES)
kinds = pytest.mark.parametrize("kind", MAKERS)


def make(kind, lang="en"):
    use_language(lang)
    return MAKERS[kind]()


def figure_of(panel):
    return panel.picture.axes[0].figure


def move_all(panel):
    for control in panel.controls:
        panel.set(**{control.name: control.low + 0.7 * (control.high - control.low)})


@kinds
def test_code_reproduces_the_state(kind):
    panel = make(kind)
    for change in (lambda: None, lambda: move_all(panel)):
        change()
        alone = eval(panel.code(panel.values), NAMES)
        pd.testing.assert_frame_equal(table_of(alone), panel.table)


@kinds
def test_every_slider_changes_what_is_seen_and_reset_undoes_it(kind):
    panel = make(kind, "zh")
    first = panel.reading.value, panel.image.value
    for control in panel.controls:
        before = panel.reading.value
        panel.set(**{control.name: control.low + 0.31 * (control.high - control.low)})
        assert panel.reading.value != before, control.name
        assert panel.image.value[:8] == b"\x89PNG\r\n\x1a\n"
    panel.reset()
    assert (panel.reading.value, panel.image.value) == first


@kinds
def test_one_figure_for_the_life_of_the_panel(kind):
    panel = make(kind)
    figure = figure_of(panel)
    artists = len(figure.findobj())
    move_all(panel)
    assert figure_of(panel) is figure
    assert len(figure.findobj()) <= artists + 40, "ticks may differ; bars and lines may not pile up"


@kinds
def test_typed_values_move_and_bad_ones_are_refused_in_place(kind):
    panel = make(kind)
    control = panel.controls[0]
    box, before = panel.boxes[control.name], panel.reading.value
    for bad in ("much", "", "1e999", "-3", f"{control.high * control.scale + 1}", "<b>1</b>"):
        box.value = bad
        assert 'role="alert"' in panel.message.value and "<b>1" not in panel.message.value
        assert panel.reading.value == before
    box.value = f"{(control.low + 0.4 * (control.high - control.low)) * control.scale:.6g}"
    assert panel.message.value == "" and panel.reading.value != before
    assert panel.values[control.name] == pytest.approx(control.low + 0.4 * (control.high - control.low))


@kinds
@each
def test_every_control_is_labelled_in_its_language(kind, lang):
    panel = make(kind, lang)
    for control in panel.controls:
        assert panel.sliders[control.name].description == control.label != ""
        assert panel.boxes[control.name].tooltip
    assert panel.reset_button.description == say("explore.widgets.reset", lang)


def test_export_holds_table_and_picture():
    panel = make("cascade")
    panel.set(**{"diagnosis-rate": 0.6})
    panel.show_files()
    files = dict(re.findall(r'download="funnelkit\.(\w+)" href="data:[\w/]+;base64,([^"]+)"', panel.extra.value))
    assert b64decode(files["png"]) == panel.image.value
    rows = list(csv.DictReader(io.StringIO(b64decode(files["csv"]).decode("utf-8-sig"))))
    assert [row["sales"] for row in rows] == [str(sales) for sales in panel.table["sales"]]
    panel.set(**{"diagnosis-rate": 0.7})
    assert panel.extra.value == "", "links of another state would mislead"


def test_csv_takes_no_name_for_a_formula():
    data = widgets.csv_bytes(pd.DataFrame({"name": ["=1+1", "ok", None], "n": [-1, 2, 3]})).decode("utf-8-sig")
    assert data.splitlines() == ["name,n", "'=1+1,-1", "ok,2", ",3"]


def test_names_are_escaped():
    wide = RATINGS.assign(product=["<script>", "A&B", "$x$"])
    panel = panels.map_panel(wide)
    assert "<script>" not in panel.reading.value and "&lt;script&gt;" in panel.reading.value
    panel.show_code()
    assert "&#x27;" in panel.extra.value and "<script>" not in panel.extra.value


def test_all_weights_zero_is_refused_and_the_last_map_stays():
    panel = make("map", "zh")
    for control in panel.controls[:-1]:
        panel.set(**{control.name: 0})
    before = panel.reading.value
    panel.set(**{panel.controls[-1].name: 0})
    assert "权重全部为 0" in panel.message.value and panel.reading.value == before


def test_a_cascade_of_ones_own_has_its_own_sliders():
    model = custom(["seen", "asked", "bought"])
    panel = panels.cascade_panel({"seen": 0.5, "asked": 0.4, "bought": 0.2}, model=model)
    assert [control.name for control in panel.controls] == ["seen", "asked", "bought", "population", "price"]
    alone = eval(panel.code(panel.values), {**NAMES, "model": model})
    pd.testing.assert_frame_equal(alone.table, panel.table)


def test_explorer_takes_every_model_with_rates():
    """A slider for each known rate below the win; a model whose counts may grow lets them pass 100%."""
    for model in catalog():
        rates = [stage.rate for stage in model.stages if stage.rate is not None]
        if rates and model.kind == "pipeline":
            panel = panels_funnel.explorer_panel(model)
            assert len(panel.controls) >= 3 + 1
            assert len(panel.table) == len(model.stages)
    influence = funnel("influence")
    rates = pd.DataFrame({"stage": influence.stage_ids, "rate": [0.9, 0.5, 4.0, None], "n": 0})
    panel = panels_funnel.explorer_panel(rates, model=influence)
    panel.set(share=6.0)
    assert panel.table["n"].iloc[-1] == pytest.approx(100 * 0.9 * 0.5 * 6)


def test_interval_breathes_with_n():
    widths = []
    panel = make("sample")
    for n in (5, 50, 500):
        panel.set(n=n)
        widths.append(panel.table["high"].iloc[0] - panel.table["low"].iloc[0])
    assert widths == sorted(widths, reverse=True) and widths[0] > 5 * widths[2]


# What a panel paints fast is what Matplotlib draws in full: the complete draw of the same figure is the oracle.


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), float)


def blurred(image, size=8):
    """Return the means of squares of `size` pixels: text that is a pixel off stays near, text elsewhere does not."""
    high, wide = (side // size * size for side in image.shape[:2])
    return image[:high, :wide].reshape(high // size, size, wide // size, size, 3).mean(axis=(1, 3))


@each
@kinds
def test_the_fast_picture_is_the_full_one(kind, lang):
    panel = make(kind, lang)
    start = blurred(pixels(panel.image.value))
    move_all(panel)
    fast, full = pixels(panel.image.value), pixels(panel.picture.chart(panel.found).png())
    assert fast.shape == full.shape
    off = np.abs(blurred(fast) - blurred(full))
    assert off.max() < 45 and off.mean() < 0.5
    assert np.abs(start - blurred(full)).max() > 100, "a picture that had not moved would fail"


def test_bars_are_filled_pixel_for_pixel():
    """Matplotlib's own draw of each bar, on the same ground, is the oracle."""
    with mpl.rc_context({"patch.force_edgecolor": False}):  # `fk.use` of another test draws white edges
        panel = make("cascade")
    move_all(panel)
    picture = panel.picture
    for bar in (*picture.stays, *picture.drops):
        ground = next(iter(picture.grounds.values()))
        canvas = np.asarray(picture.canvas.buffer_rgba())
        picture.canvas.restore_region(ground)
        bar.draw(picture.canvas.get_renderer())
        full = canvas.copy()
        picture.canvas.restore_region(ground)
        assert _is_block(bar) and (full != canvas).any()
        _fill(canvas, bar)
        assert (full == canvas).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (640, 11)])
def test_png_keeps_every_pixel(size):
    colours = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.open(io.BytesIO(png(Image.fromarray(colours))))
    image.verify()
    assert (image.size, image.mode) == (size, "RGB")
    assert (pixels(png(Image.fromarray(colours))) == colours).all()
