"""The look of every chart, and Chart: what a chart function returns."""

import io
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from funnelkit.language import label, width

FONT_FILE = Path(__file__).parent / "fonts" / "NotoSansSC-Regular-subset.otf"


FONTS = ["DejaVu Sans", "Noto Sans SC"]


COLOURS = {"n_advanced": "#2f6690", "n_open": "#e3a72f", "n_lost": "#c9ced6", "accent": "#b3261e", "ink": "#1f2933"}


DPI = 110


BACKING = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}


@dataclass(frozen=True)
class Chart:
    """A drawn chart: `axes` (the first is `ax`), the alt text, and the table that it shows."""

    axes: tuple
    alt: str
    table: pd.DataFrame

    @property
    def ax(self):
        """Return the first axes."""
        return self.axes[0]

    @property
    def figure(self):
        """Return the matplotlib figure."""
        return self.axes[0].figure

    def png(self):
        """Return the picture as PNG bytes, the same for the same table and versions."""
        with style():
            buffer = io.BytesIO()
            self.figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


@cache
def _register_font():
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(FONT_FILE))


def _settings():
    _register_font()
    return {
        "font.family": FONTS, "axes.unicode_minus": False, "text.parse_math": False, "figure.dpi": DPI,
        "axes.edgecolor": "#9aa5b1", "text.color": COLOURS["ink"], "axes.labelcolor": COLOURS["ink"],
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left", "svg.hashsalt": "funnelkit",
        # A theme that a notebook has set must not change sizes that the layouts here rely on.
        **dict.fromkeys(("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), 10),
    }  # fmt: skip


@contextmanager
def style():
    """Draw within the kit's style; nothing outside the block changes."""
    import matplotlib as mpl

    with mpl.rc_context(_settings()):
        yield


def use_style(lang="en"):
    """Set seaborn's theme with the kit's fonts for one's own pictures in a notebook; returns `lang` for the cell.

    A bare `sns.set_theme()` afterwards would lose the Chinese font again.
    """
    import matplotlib as mpl
    import seaborn as sns

    sns.set_theme(style="ticks", palette=[COLOURS["n_advanced"], COLOURS["n_open"], COLOURS["accent"], "#5d7f5d"])
    mpl.rcParams.update(_settings())
    return lang


def new_figure(width_in, height_in):
    """Return a figure that belongs to nobody: no pyplot state, freed with its last reference."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")


def finish(figure, title):
    """Set the title (regular weight: the Chinese face has no bold) and fix the layout, so that every draw is alike."""
    figure.suptitle(wrap(title, 78), x=0.01, ha="left", fontsize=13)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def wrap(text, columns, most=3):
    """Break a label into at most `most` lines of `columns` terminal columns; Chinese breaks between any two signs.

    >>> wrap("solution demo and track record", 16)
    'solution demo\\nand track record'
    >>> wrap("方案展示与业绩说明", 12)
    '方案展示与业\\n绩说明'
    >>> wrap("abcdef" * 9, 10, most=2)
    'abcdefabcd\\nefabcdefa…'
    """
    if width(text) <= columns:
        return text
    lines = _wrap_words(text, columns) if width(text) < 1.5 * len(text) else _wrap_signs(text, columns)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: -1 if width(lines[most - 1]) >= columns else None] + "…"]
    return "\n".join(lines)


def _wrap_words(text, columns):
    return textwrap.wrap(text, columns, break_long_words=True)


def _wrap_signs(text, columns):
    lines, line = [], ""
    for sign in text:
        if width(line + sign) > columns:
            lines, line = [*lines, line], ""
        line += sign
    return [*lines, line]


def stage_labels(table, model, lang, columns=22):
    """Return the wrapped names of a table's stages."""
    return [wrap(stage_name(stage, model, lang), columns) for stage in table["stage"]]


def stage_name(stage, model, lang):
    known = model is not None and stage in model.stage_ids
    return model.stage(stage).name[lang] if known else label(str(stage), lang)
