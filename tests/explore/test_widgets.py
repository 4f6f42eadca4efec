"""Panels: moving a slider gives the same table as the function called with the slider's value."""

import subprocess
import sys

import ipywidgets
import pandas as pd
import pytest

from funnelkit.explore.widgets import Control, Panel, WhatIfPicture, view_result, what_if_panel
from funnelkit.language import use_language
from funnelkit.language.errors import DataError
from funnelkit.models.funnel import funnel
from funnelkit.planning import what_if
from funnelkit.stats.rates import rate_columns
from tests.support.speech import spoken

MODEL = funnel("industrial-8")
RATES = pd.DataFrame({"stage": MODEL.stage_ids, **rate_columns([70, 71, 68, 57, 66, 78, 85, 100], 100)})
STAGE = "solution-demo"


@pytest.fixture
def panel():
    return what_if_panel(RATES, STAGE, 1000, 5000.0, MODEL)


def twin(rate):
    return what_if(RATES, {STAGE: rate}, 1000, 5000.0, MODEL)


def test_slider_gives_the_table_of_its_headless_twin(panel):
    for percent in (0, 12.5, 57, 65, 100):
        panel.sliders["rate"].value = percent
        pd.testing.assert_frame_equal(panel.table, twin(percent / 100).table)
        pd.testing.assert_frame_equal(panel.compute(**panel.values).table, panel.table)
        assert panel.reading.value == view_result(twin(percent / 100)).html
        assert panel.boxes["rate"].value == f"{percent:g}"


@pytest.mark.parametrize("text", ["65", " 65 ", "65%", "６５", "65％", "6.5e1"])
def test_a_typed_number_moves_the_slider(panel, text):
    panel.boxes["rate"].value = text
    assert panel.sliders["rate"].value == 65 and panel.message.value == ""
    pd.testing.assert_frame_equal(panel.table, twin(0.65).table)


@pytest.mark.parametrize("text", ["140", "-1", "lots", "", "nan", "inf", "<script>alert(1)</script>"])
def test_what_cannot_be_is_refused_in_place(panel, text):
    panel.boxes["rate"].value = "60"
    panel.boxes["rate"].value = text
    assert 'role="alert"' in panel.message.value and "Write a number from 0 to 100." in panel.message.value
    assert "<script" not in panel.message.value
    assert panel.sliders["rate"].value == 60 and panel.boxes["rate"].value == text
    pd.testing.assert_frame_equal(panel.table, twin(0.60).table)
    panel.boxes["rate"].value = "61"
    assert panel.message.value == "" and panel.sliders["rate"].value == 61


def test_typing_the_present_value_again_clears_the_message(panel):
    panel.boxes["rate"].value = "lots"
    panel.boxes["rate"].value = "57"
    assert panel.message.value == ""


def test_reset_goes_back_to_the_baseline(panel):
    panel.set(rate=0.9)
    assert panel.values == {"rate": 0.9}
    panel.reset_button.click()
    assert panel.table["n_more"].abs().max() == 0
    assert panel.boxes["rate"].value == "57"


def test_one_figure_lives_and_its_artists_move(panel):
    figure, bars = panel.picture.axes[0].figure, list(panel.picture.bars)
    before = bytes(panel.image.value)
    panel.set(rate=0.9)
    assert panel.picture.axes[0].figure is figure and list(panel.picture.bars) == bars
    assert [bar.get_width() for bar in bars] == panel.table["n"].tolist()
    assert [text.get_text() for text in panel.picture.words] == [f"{n:,.0f}" for n in panel.table["n"]]
    assert panel.image.value != before and bytes(panel.image.value).startswith(b"\x89PNG")
    panel.reset()
    assert panel.image.value == before, "the same table gives the same picture"


def test_an_error_of_the_function_is_a_message_and_the_table_stays():
    def compute(rate):
        if rate > 0.5:
            raise DataError("bad_lever", name="rate", value=rate)
        return twin(rate)

    control = Control("rate", "Rate, %", 0, 1, 0.4, 0.01, scale=100)
    use_language("zh")
    panel = Panel(compute, [control], view_result, WhatIfPicture(MODEL))
    panel.set(rate=0.6)
    assert "rate 的值为 0.6。应为不小于 0 的数。" in panel.message.value
    pd.testing.assert_frame_equal(panel.table, twin(0.4).table)
    panel.set(rate=0.3)
    assert panel.message.value == ""


@pytest.mark.parametrize(("lang", "label"), [("en", "Promotion rate of Solution demo"), ("zh", "“业绩展示”的升迁率")])
def test_labels_are_there_for_screen_readers_in_the_language(lang, label):
    use_language(lang)
    panel = what_if_panel(RATES, STAGE, 1000, 5000.0, MODEL)
    slider, box = panel.sliders["rate"], panel.boxes["rate"]
    assert slider.description.startswith(label) and slider.tooltip == slider.description
    assert slider.description in box.tooltip and box.description
    assert panel.reset_button.description == {"en": "Reset", "zh": "重置"}[lang]


def test_no_output_widget_and_numbers_escaped(panel):
    kinds = set()

    def visit(widget):
        kinds.add(type(widget))
        for child in getattr(widget, "children", ()):
            visit(child)

    visit(panel.root)
    assert ipywidgets.Output not in kinds
    assert {ipywidgets.FloatSlider, ipywidgets.Text, ipywidgets.Image, ipywidgets.HTML, ipywidgets.Button} <= kinds


def test_live_panel_and_static_table_are_shown_together(panel):
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert bundle["text/html"] == view_result(panel.found).html
    assert "Solution demo and track record" in bundle["text/plain"]


def test_chart_for_pages_without_a_kernel():
    chart = spoken("zh", lambda: twin(0.65).chart())
    assert chart.png().startswith(b"\x89PNG") and "换一个升迁率" in chart.alt


def test_import_loads_no_ipywidgets():
    heavy = "('ipywidgets', 'matplotlib', 'seaborn')"
    code = f"import sys, funnelkit.explore.widgets; print([n for n in {heavy} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_start_between_two_steps_stays_exact_until_it_is_moved():
    """A browser puts its slider on the nearest step and reports that place: that is no move."""
    control = Control("rate", "Rate, %", 0, 1, 4 / 7, 0.01, scale=100)
    panel = Panel(twin, [control], view_result, WhatIfPicture(MODEL))
    for echo in (57.0, 57.00000000000001):
        panel.sliders["rate"].value = echo
        assert panel.values == {"rate": round(4 / 7, 12)} and panel.boxes["rate"].value == "57.14"
    panel.sliders["rate"].value = 58.0
    assert panel.values == {"rate": 0.58} and panel.boxes["rate"].value == "58"
    panel.sliders["rate"].value = 59.00000000000001
    assert panel.values == {"rate": 0.59}
    panel.reset()
    assert panel.values == {"rate": round(4 / 7, 12)}


@pytest.mark.parametrize(
    ("value", "text"), [(100_000_000.0, "100000000"), (1234.5, "1234.50"), (57.142857, "57.14"), (0.125, "0.125")]
)
def test_a_box_shows_no_power_of_ten(value, text):
    control = Control("rate", "Price", 0, 1e9, value, 0.001)
    panel = Panel(lambda rate: twin(0.5), [control], view_result, WhatIfPicture(MODEL))
    assert panel.boxes["rate"].value == text
    panel.boxes["rate"].value = text
    assert panel.values == {"rate": value}
