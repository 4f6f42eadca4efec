"""The look of every chart, and Chart: what a chart function returns; `use`, which chooses language and style."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnelkit.language import (
    Lang,
    label,
    language,
    money,
    number,
    paragraph,
    percent,
    points,
    say,
    settings,
    use_language,
    width,
    wrap_text,
)
from funnelkit.models import Funnel
from funnelkit.result import Result, image, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT_FILE = Path(__file__).parent / "fonts" / "NotoSansSC-Regular-subset.otf"
FONTS = ["DejaVu Sans", "Noto Sans SC"]
COLOURS = {"n_advanced": "#2f6690", "n_open": "#e3a72f", "n_lost": "#c9ced6", "accent": "#b3261e", "ink": "#1f2933"}
GREY = "#7b8794"
DPI = 110
_ENDS = (".", "?", "!", "。", "？", "！")
BACKING: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
GRID: dict[str, Any] = {"axis": "x", "color": "#e4e7eb"}
Drawable = Result | pd.DataFrame
_UNSAID = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # of an SVG: the same picture, the same bytes
_IN_POINTS = re.compile(r'width="[\d.]+pt" height="[\d.]+pt"')


@dataclass(frozen=True)
class Chart:
    """A drawn chart: it shows itself as a picture that carries its words.

    Attributes
    ----------
    axes : tuple of matplotlib Axes
        The first is `ax`; the figure is `figure`.
    alt : str
        What the picture says, for those who cannot see it.
    table : DataFrame
        What it shows.
    """

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
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        buffer, figure = io.BytesIO(), self.figure
        with style():
            if figure.dpi == DPI:  # drawn once: savefig would draw it twice, first to find its layout
                FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
            else:
                figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()

    def svg(self) -> str:
        """Return the picture as SVG of the size of `png()`, its letters as outlines: faster drawn, sharp everywhere."""
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        buffer, figure = io.StringIO(), self.figure
        with style():
            FigureCanvasSVG(figure).print_svg(buffer, metadata=_UNSAID)  # type: ignore[no-untyped-call]
        text = buffer.getvalue()
        width_px, height_px = (round(DPI * inches) for inches in figure.get_size_inches())
        return _IN_POINTS.sub(f'width="{width_px}" height="{height_px}"', text[text.index("<svg") :], count=1)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": image(self), "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


@cache
def _register_font() -> None:
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(FONT_FILE))


def _settings() -> Any:
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
    """Draw within the kit's style; nothing outside the block changes.

    Returns
    -------
    context manager
        Within it Matplotlib has the kit's fonts (Chinese too), sizes and colours.

    Raises
    ------
    OSError
        Where the bundled font cannot be read.

    Notes
    -----
    A theme that a notebook has set changes no sizes within it: the layouts rely on them.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with style():
    ...     mpl.rcParams["font.family"]
    ['DejaVu Sans', 'Noto Sans SC']
    """
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

    Notes
    -----
    The choice holds for the process; display functions take `lang` for a single answer.

    Examples
    --------
    >>> use("en", style=False)
    """
    if lang is not None:
        use_language(lang)
    settings.currency = currency or settings.currency
    settings.calendar = calendar or settings.calendar
    if style or (style is None and lang is not None):
        _use_style()


def _use_style() -> None:
    import matplotlib as mpl

    mpl.rcParams.update(_theme() | _settings())


def fall_back() -> None:
    """Let Matplotlib take Chinese letters from the kit's font where its own has none; all else stays as it is."""
    import matplotlib as mpl

    _register_font()
    given = mpl.rcParams["font.family"]
    mpl.rcParams["font.family"] = [*given, *(name for name in FONTS[1:] if name not in given)]


def _theme() -> dict[str, Any]:
    """Return what `sns.set_theme(style="ticks", palette=...)` sets: seaborn's import takes longer than most charts."""
    from cycler import cycler

    colours = [COLOURS["n_advanced"], COLOURS["n_open"], COLOURS["accent"], "#5d7f5d"]
    sizes = {"major.size": 6.0, "major.width": 1.25, "minor.size": 4.0, "minor.width": 1.0, "color": ".15"}
    ticks = {f"{axis}tick.{name}": value for axis in "xy" for name, value in sizes.items()}
    return ticks | {
        "axes.prop_cycle": cycler(color=colours), "axes.axisbelow": True, "axes.linewidth": 1.25,
        "axes.titlesize": 12.0, "grid.color": ".8", "grid.linewidth": 1.0, "legend.fontsize": 11.0,
        "legend.title_fontsize": 12.0, "lines.solid_capstyle": "round", "patch.edgecolor": "w",
        "patch.force_edgecolor": True,
    }  # fmt: skip


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return a figure that belongs to nobody.

    Parameters
    ----------
    width_in, height_in : float
        Inches.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        For a size that is none.

    Notes
    -----
    No pyplot state: it is freed with its last reference.

    Examples
    --------
    >>> new_figure(3, 2).get_size_inches().tolist()
    [3.0, 2.0]
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")


@contextmanager
def canvas(width_in: float, height_in: float, title: str, *shape: int, **options: Any) -> Iterator[Any]:
    """Draw on what a new figure's `subplots` gives, in the kit's style; at the end the title and layout are set."""
    with style():
        figure = new_figure(width_in, height_in)
        yield figure.subplots(*shape, **options)
        finish(figure, title)


def finish(figure: Figure, title: str) -> None:
    """Set the title (regular weight: the Chinese face has no bold) and fix the layout, so that every draw is alike."""
    figure.suptitle(wrap(title, 80), x=0.01, ha="left", fontsize=12.5)
    engine: Any = figure.get_layout_engine()
    engine.execute(figure)  # without drawing anything: that is done when the picture is saved
    figure.set_layout_engine("none")


def alt_text(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return the alt text of a chart: the title, then a sentence for each row.

    Parameters
    ----------
    title : str
    rows : iterable of (name, words)

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For a row that is no pair.

    Notes
    -----
    A title without an end of its own gets a full stop; line breaks of wrapped names become blanks.

    Examples
    --------
    >>> alt_text("Who waits?", [("Lead", "3 open")])
    'Who waits? Lead: 3 open.'
    """
    said = [say("charts.change.alt_row", name=name, words=words) for name, words in rows]
    ended = title if title.endswith(_ENDS) else title + {"en": ".", "zh": "。"}[language()]
    return " ".join(paragraph([ended, *said]).split())


def keep_ticks(axis: Any, low: float, high: float) -> None:
    """Keep the ticks from low to high only: those beyond are not drawn, yet take part in the layout."""
    axis.set_ticks([tick for tick in axis.get_ticklocs() if low <= tick <= high])


def rows_axis(ax: Axes, names: Sequence[str], low: float = -0.5) -> None:
    """Name the rows of a chart from the top down."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, low)


def percent_axis(axis: Any) -> None:
    """Write the ticks of an axis of fractions as percent."""
    axis.set_major_formatter(lambda value, _: percent(value, 0))


def number_axis(axis: Any) -> None:
    """Write the ticks of an axis as numbers of the language, with as many decimals as tell them apart."""
    axis.set_major_formatter(lambda value, _: number(value, _decimals(axis.get_majorticklocs())))


def _decimals(ticks: Any) -> int:
    """Return how many decimals write ticks as they are, three at most.

    >>> _decimals([0, 1000]), _decimals([0, 2.5, 5]), _decimals([0.1, 0.25])
    (0, 1, 2)
    """
    return next((n for n in range(3) if all(abs(round(tick, n) - tick) < 1e-9 for tick in ticks)), 3)


def money_axis(axis: Any, currency: str | None) -> None:
    """Write the ticks of an axis as amounts of a currency."""
    axis.set_major_formatter(lambda value, _: money(value, currency, short=True))


def points_axis(axis: Any) -> None:
    """Write the ticks of an axis of changes of a rate as percentage points."""
    axis.set_major_formatter(lambda value, _: points(value).removesuffix(".0"))


def legend_above(ax: Axes, columns: int = 5, size: float = 8.5) -> None:
    """Set the legend above the axes, where it covers no mark."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize=size, frameon=False)


def wrap(text: str, columns: int, most: int = 3) -> str:
    """Break a label into at most `most` lines of `columns` terminal columns; a line begins with no closing sign.

    >>> wrap("solution demo and track record", 16)
    'solution demo\\nand track record'
    >>> wrap("方案展示与业绩说明", 12)
    '方案展示与业\\n绩说明'
    >>> wrap("abcdef" * 9, 10, most=2)
    'abcdefabcd\\nefabcdefa…'
    """
    if width(text) <= columns:
        return text
    lines = wrap_text(text, columns)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: -1 if width(lines[most - 1]) >= columns else None] + "…"]
    return "\n".join(lines)


def stage_labels(table: pd.DataFrame, model: Funnel | None, columns: int = 22) -> list[str]:
    """Return the wrapped names of a table's stages."""
    return [wrap(stage_name(stage, model), columns) for stage in table["stage"]]


def stage_name(stage: str, model: Funnel | None) -> str:
    """Return what people call a stage; a row that is none of the model's, such as `overall`, bears its label."""
    if model is not None and stage in model.stage_ids:
        return str(model.stage(stage).name)
    return label(str(stage))


def drawn(found: Result | pd.DataFrame, model: Funnel | None = None) -> tuple[pd.DataFrame, Funnel | None]:
    """Return the table that a chart draws and the model that names its stages, of a Result or of a table."""
    return table_of(found), model if model is not None or not isinstance(found, Result) else found.model
