"""The look of every chart, and Chart: what a chart function returns; `use`, which chooses language and style."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnelkit.language import Lang, label, settings, use_language, width
from funnelkit.models import Funnel
from funnelkit.result import Result, image, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT_FILE = Path(__file__).parent / "fonts" / "NotoSansSC-Regular-subset.otf"
FONTS = ["DejaVu Sans", "Noto Sans SC"]
COLOURS = {"n_advanced": "#2f6690", "n_open": "#e3a72f", "n_lost": "#c9ced6", "accent": "#b3261e", "ink": "#1f2933"}
DPI = 110
BACKING = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}


@dataclass(frozen=True)
class Chart:
    """A drawn chart: `axes` (the first is `ax`), the alt text, and the table that it shows."""

    axes: tuple[Axes, ...]
    alt: str
    table: pd.DataFrame

    @property
    def ax(self) -> Axes:
        """Return the first axes."""
        return self.axes[0]

    @property
    def figure(self) -> Figure:
        """Return the matplotlib figure."""
        found: Any = self.axes[0].figure
        return found  # type: ignore[no-any-return]

    def png(self) -> bytes:
        """Return the picture as PNG bytes, the same for the same table and versions."""
        with style():
            buffer = io.BytesIO()
            self.figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": image(self), "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


@cache
def _register_font() -> None:
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(FONT_FILE))


def _settings() -> dict[str, Any]:
    _register_font()
    return {
        "font.family": FONTS, "axes.unicode_minus": False, "text.parse_math": False, "figure.dpi": DPI,
        "axes.edgecolor": "#9aa5b1", "text.color": COLOURS["ink"], "axes.labelcolor": COLOURS["ink"],
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left", "svg.hashsalt": "funnelkit",
        # A theme that a notebook has set must not change sizes that the layouts here rely on.
        **dict.fromkeys(("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), 10),
    }  # fmt: skip


@contextmanager
def style() -> Iterator[None]:
    """Draw within the kit's style; nothing outside the block changes."""
    import matplotlib as mpl

    with mpl.rc_context(_settings()):
        yield


def use(
    lang: Lang | None = None, *, currency: str | None = None, calendar: Any = None, style: bool | None = None
) -> None:
    """Choose, once for a notebook, how everything is shown.

    Parameters
    ----------
    lang : {"en", "zh"}, optional
        Language of sentences, labels, numbers and errors.
    currency : str, optional
        Of amounts whose source names none, such as "CNY".
    calendar : Calendar, optional
        Of comparisons that name none.
    style : bool, optional
        Whether one's own seaborn and Matplotlib pictures take the kit's fonts and colours; by default they do where
        a language is given. A bare `sns.set_theme()` afterwards would lose the Chinese font again.

    Raises
    ------
    DataError
        For a language that the kit does not speak.
    """
    if lang is not None:
        use_language(lang)
    settings.currency = currency or settings.currency
    settings.calendar = calendar or settings.calendar
    if style or (style is None and lang is not None):
        _use_style()


def _use_style() -> None:
    import matplotlib as mpl
    import seaborn as sns

    sns.set_theme(style="ticks", palette=[COLOURS["n_advanced"], COLOURS["n_open"], COLOURS["accent"], "#5d7f5d"])
    mpl.rcParams.update(_settings())


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return a figure that belongs to nobody: no pyplot state, freed with its last reference."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")


def finish(figure: Figure, title: str) -> None:
    """Set the title (regular weight: the Chinese face has no bold) and fix the layout, so that every draw is alike."""
    figure.suptitle(wrap(title, 78), x=0.01, ha="left", fontsize=13)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def wrap(text: str, columns: int, most: int = 3) -> str:
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


def _wrap_words(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns, break_long_words=True)


def _wrap_signs(text: str, columns: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for sign in text:
        if width(line + sign) > columns:
            lines, line = [*lines, line], ""
        line += sign
    return [*lines, line]


def stage_labels(table: pd.DataFrame, model: Funnel | None, columns: int = 22) -> list[str]:
    """Return the wrapped names of a table's stages."""
    return [wrap(stage_name(stage, model), columns) for stage in table["stage"]]


def stage_name(stage: str, model: Funnel | None) -> str:
    """Return what people call a stage; a row that is none of the model's, such as `overall`, bears its label."""
    known = model is not None and stage in model.stage_ids
    return str(model.stage(stage).name) if known else label(str(stage))


def drawn(found: Result | pd.DataFrame, model: Funnel | None = None) -> tuple[pd.DataFrame, Funnel | None]:
    """Return the table that a chart draws and the model that names its stages, of a Result or of a table."""
    return table_of(found), model if model is not None or not isinstance(found, Result) else found.model
