"""The bundled font shows every character that the kit itself can show: no page depends on the fonts of a machine."""

import json
import tomllib
from pathlib import Path

import matplotlib as mpl
import pytest
from fontTools.ttLib import TTFont

import funnelkit as fk
from funnelkit.charts.style import COLOURS, FONT_FILE, _settings, _use_style

ROOT = Path(__file__).parents[2]
EAST_ASIAN = 0x2E80  # what begins here comes from the bundled font, what lies before it from DejaVu Sans
SHOWN = (
    "funnelkit/language/texts/*.toml", "funnelkit/models/catalogue/*.toml", "funnelkit/reading/layouts/presets/*.toml",
    "funnelkit/synth/*.py", "funnelkit/course/checks/**/*", "data/*", "notebooks/**/*.ipynb", "notebooks/**/*.md",
)  # fmt: skip
PICTURE = "image/"

UNREADABLE = "\ufffd"  # what lesson 13 shows of a text read in the wrong encoding: any sign for it will do


@pytest.fixture(scope="module")
def covered():
    import matplotlib

    latin = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    east_asian = {sign for sign in TTFont(FONT_FILE).getBestCmap() if sign >= EAST_ASIAN}
    return east_asian | {sign for sign in TTFont(latin).getBestCmap() if sign < EAST_ASIAN}


def signs(path):
    """Return the characters of a file; of a notebook those of its cells and outputs, pictures left out."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join(_texts(json.loads(text)["cells"]))
    elif path.name == "generic.toml":  # words of other languages, read and never shown; its title is
        text = tomllib.loads(text).get("title", "")
    elif path.parent.name == "presets":  # words of outcomes in other languages are understood, never shown
        text = "\n".join(
            line for line in text.splitlines() if not line.startswith(("won = ", "lost = ", "void = ", "open = "))
        )
    elif path.suffix == ".json":
        text = "\n".join(_texts(json.loads(text)))
    return {sign for sign in text if sign.isprintable() and sign != UNREADABLE}


def _texts(node):
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        return [text for name, value in node.items() if not name.startswith(PICTURE) for text in _texts(value)]
    return [text for item in node for text in _texts(item)] if isinstance(node, list) else []


@pytest.mark.parametrize("pattern", SHOWN)
def test_every_character_that_the_kit_shows_is_in_its_fonts(pattern, covered):
    files = [path for path in ROOT.glob(pattern) if path.suffix in (".toml", ".py", ".csv", ".json", ".ipynb", ".md")]
    assert files
    absent = {sign: path.name for path in files for sign in signs(path) if ord(sign) not in covered}
    assert not absent


def test_characters_of_chinese_names_are_in_the_font(covered):
    """Names use the third level of the table of general standard characters, which GB 2312 lacks."""
    assert not {name for name in "叡彧旻芃喆珺璟堃祎玥瑄燚犇淼昇堃煊镕啰瞭" if ord(name) not in covered}
    assert sum(0x4E00 <= sign < 0xA000 or sign >= 0x20000 for sign in covered) > 8_105


def test_the_theme_is_seaborns_without_its_import():
    import seaborn as sns

    colours = [COLOURS["n_advanced"], COLOURS["n_open"], COLOURS["accent"], "#5d7f5d"]
    with mpl.rc_context():
        sns.set_theme(style="ticks", palette=colours)
        mpl.rcParams.update(_settings())
        wanted = dict(mpl.rcParams)
        mpl.rcdefaults()
        _use_style()
        differing = {name for name, value in wanted.items() if mpl.rcParams[name] != value}
        own = [mpl.colors.to_hex(part["color"]) for part in mpl.rcParams["axes.prop_cycle"]]
    assert own == colours
    assert differing <= {"image.cmap", "axes.prop_cycle", "font.sans-serif", "backend", "backend_fallback"}


def test_a_report_holds_lines_and_notebooks_pixels(monkeypatch):
    drawn = fk.plot.funnel_chart(fk.count_stages(fk.sample()))
    assert "data:image/png" in drawn._repr_mimebundle_()["text/html"]
    monkeypatch.setenv("FUNNELKIT_RUN", "1")
    assert "data:image/svg+xml" in drawn._repr_mimebundle_()["text/html"]
    assert drawn.svg() == drawn.svg() and drawn.svg().startswith("<svg") and 'width="1056"' in drawn.svg()
