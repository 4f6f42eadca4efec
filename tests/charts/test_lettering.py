import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from funnelkit.charts import lettering
from funnelkit.charts.style import DPI, style


@pytest.fixture(autouse=True)
def faces():
    with style():
        yield


def test_a_sign_that_no_face_has_is_left_to_matplotlib():
    assert lettering._face_of("A") == 0 and lettering._face_of("客") == 1 and lettering._face_of("\U00012000") is None
    text = Figure().text(0, 0, "A", va="top")
    assert lettering.is_plain(text)
    for change in ({"text": "\U00012000"}, {"rotation": 90}, {"va": "bottom"}):
        assert not lettering.is_plain(Figure().text(0, 0, **{"s": "A", "va": "top"} | _named(change)))


def _named(change):
    return {"s" if name == "text" else name: value for name, value in change.items()}


@pytest.mark.parametrize("start", [10, 10.25, 10.5, 10.75])
@pytest.mark.parametrize(
    ("words", "place", "size"),
    [("82.8% 478,297 patients; AVA To Tie, P. fi", 0, 9), ("诊断率最低（百分之六十）", 1, 12.5), ("a" * 60, 0, 12.5)],
)
def test_signs_one_by_one_are_pillows_line(words, place, size, start):
    """Pillow's own text of the whole line is the oracle: the same pixels, one level of grey aside."""
    wide, high = 900, 60
    own = Image.new("RGBA", (wide, high), "white")
    figure = Figure((wide / DPI, high / DPI), dpi=DPI)
    lettering.write_text(
        own, figure.text(start / wide, 0.5, words, fontsize=size, va="center", ha="left", color="#102030")
    )
    face, rows = lettering._face(place, size * DPI / 72), np.nonzero((np.asarray(own) < 255).any(axis=(1, 2)))[0]
    oracle = Image.new("RGBA", (wide, high), "white")
    ImageDraw.Draw(oracle).text((start, 30), words, fill="#102030", font=face, anchor="ls")
    found = np.nonzero((np.asarray(oracle) < 255).any(axis=(1, 2)))[0]
    shifted = np.roll(np.asarray(oracle), rows[0] - found[0], axis=0).astype(int)
    assert np.abs(np.asarray(own) - shifted).max() <= 1
