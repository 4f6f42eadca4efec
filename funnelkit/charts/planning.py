"""Charts of planning: cascade, what-if, which stage helps most, influence loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnelkit.charts.picture import Found, StagedChart
from funnelkit.charts.style import (
    COLOURS,
    Chart,
    alt_text,
    drawn,
    legend_above,
    new_figure,
    number_axis,
    percent_axis,
    rows_axis,
    stage_labels,
    style,
    wrap,
)
from funnelkit.language import DataError, number, paragraph, percent, say, width
from funnelkit.models import Funnel, funnel
from funnelkit.result import Result, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def cascade_chart(
    found: Found, model: Funnel | None = None, *, weak: Sequence[str] | None = None, source: str | None = None
) -> Chart:
    """Draw a cascade: at each level those who stay and those who drop out, its ratio, and the conclusion as title.

    Parameters
    ----------
    found : Result or DataFrame
        Of `cascade`. Rows before the first level (population, cover) are named in the axis, for their scale would hide
        the levels.
    model : Funnel, optional
        Names the levels of a table; pharma without it.
    weak : sequence of str, optional
        Levels to mark; those of the lowest ratio without it.
    source : str, optional
        Where the ratios come from.

    Returns
    -------
    Chart
        Its alt text names every level.
    """
    model = drawn(found, model)[1]
    return _CascadeChart(model, weak=_lowest_levels if weak is None else weak, source=source).chart(found)


def _lowest_levels(rows: pd.DataFrame) -> list[str]:
    """Return the levels of the lowest ratio."""
    ratios = rows["ratio"].tolist()
    return list(compress(rows["point"].tolist(), [ratio == min(ratios) for ratio in ratios]))


class _CascadeChart(StagedChart):
    """The cascade with its weak levels marked; `weak` may be a function of the table's levels."""

    def __init__(
        self,
        model: Funnel | None = None,
        *,
        weak: Sequence[str] | Callable[[pd.DataFrame], Sequence[str]] = (),
        source: str | None = None,
    ) -> None:
        super().__init__()
        self.model = model or funnel("pharma")
        self.weak = weak if callable(weak) else lambda table: weak
        self.source = source or say("charts.planning.source_assumed")

    def _levels(self, found: Found) -> pd.DataFrame:
        table = table_of(found)
        return table[[self.model.stage(point).input is None for point in table["point"].tolist()]]

    def _draw(self, found: Found) -> None:
        rows = self._levels(found)
        ax = new_figure(9.2, 1.9 + 0.46 * len(rows)).subplots()
        places = range(len(rows))
        keep, drop = (say(f"charts.planning.{name}") for name in ("stay", "drop"))
        self.stays = ax.barh(places, 1.0, height=0.62, color=COLOURS["n_advanced"], label=keep)
        self.drops = ax.barh(places, 1.0, height=0.62, color=COLOURS["n_lost"], label=drop)
        self.words = [ax.text(0, place, "", va="center", fontsize=9) for place in places]
        rows_axis(ax, stage_labels(rows.rename(columns={"point": "stage"}), self.model, 26))
        ax.set_xlim(0, 1.42)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
        percent_axis(ax.xaxis)
        ax.set_xlabel(say("charts.planning.cascade_axis", n=number(1e15), source=self.source))
        legend_above(ax, 2)
        self.axes = (ax,)

    def _move(self, found: Found) -> None:
        rows = self._levels(found)
        weak = list(self.weak(rows))
        weak = weak if len(weak) < len(rows) else []
        points, counts, remaining = (rows[name].tolist() for name in ("point", "count", "remaining"))
        start = counts[0]
        base = start or 1.0
        texts = self.axes[0].get_yticklabels()
        for place, row_text in enumerate(self._row_texts(rows)):
            stay, reach = remaining[place] / base, counts[place] / base
            self.stays[place].set_width(stay)
            self.drops[place].set_x(stay)
            self.drops[place].set_width(reach - stay)
            colour = COLOURS["accent"] if points[place] in weak else COLOURS["ink"]
            self.words[place].set_text(row_text)
            self.words[place].set_x(reach + 0.012)
            self.words[place].set_color(colour)
            texts[place].set_color(colour)
        self.axes[0].set_xlabel(say("charts.planning.cascade_axis", n=number(start), source=self.source), fontsize=9)
        self.title = self._headline(rows, weak, base)

    def _row_texts(self, rows: pd.DataFrame) -> list[str]:
        pairs = zip(rows["ratio"].tolist(), rows["remaining"].tolist(), strict=True)
        return [say("charts.planning.cascade_row", ratio=percent(ratio), n=number(n)) for ratio, n in pairs]

    def _headline(self, rows: pd.DataFrame, weak: list[str], base: float) -> str:
        share = percent(rows["remaining"].iloc[-1] / base, 2)
        names = [self.model.stage(point).name for point in weak]
        if names:
            key = "charts.planning.cascade_title" if len(names) == 1 else "charts.planning.cascade_title_tied"
            return say(key, share=share, level=names[0], levels=names)
        return say("charts.planning.cascade_title_even", share=share, n=len(rows))

    def alt(self, found: Found) -> str:
        """Return the alt text: the conclusion, then every level."""
        rows = self._levels(found)
        names = [str(self.model.stage(point).name) for point in rows["point"]]
        return alt_text(self.title, list(zip(names, self._row_texts(rows), strict=True)))


def what_if_chart(found: Found, model: Funnel | None = None) -> Chart:
    """Draw a what-if: the counts by stage, beside the baseline.

    Parameters
    ----------
    found : Result or DataFrame
        Of `what_if`.
    model : Funnel, optional
        Names the stages of a table.

    Returns
    -------
    Chart
        Its alt text says what the change does.
    """
    return _WhatIfChart(drawn(found, model)[1]).chart(found)


class _WhatIfChart(StagedChart):
    """Counts by stage beside the baseline; the axis reaches as far as the longest bar."""

    def __init__(self, model: Funnel | None) -> None:
        super().__init__()
        self.model, self.title = model, say("charts.planning.what_if_title")

    def _draw(self, found: Found) -> None:
        table = table_of(found)
        ax = new_figure(8.4, 1.5 + 0.46 * len(table)).subplots()
        places = range(len(table))
        base, changed = (say(f"charts.planning.{name}") for name in ("baseline", "changed"))
        ax.barh(places, table["n_base"], height=0.78, color="none", edgecolor=COLOURS["ink"], linewidth=1, label=base)
        self.bars = ax.barh(places, table["n"], height=0.52, color=COLOURS["n_advanced"], label=changed)
        self.words = [ax.text(0, place, "", va="center", fontsize=9) for place in places]
        rows_axis(ax, stage_labels(table, self.model))
        ax.set_xlabel(say("charts.funnel.count_axis"))
        number_axis(ax.xaxis)
        ax.legend(loc="lower right", fontsize=9, frameon=False)
        self.axes = (ax,)

    def _move(self, found: Found) -> None:
        table = table_of(found)
        top = max(float(table[["n", "n_base"]].max().max()), 1.0)
        self.axes[0].set_xlim(0, top * 1.12)
        for bar, text, count in zip(self.bars, self.words, table["n"], strict=True):
            bar.set_width(count)
            text.set_text(number(count))
            text.set_x(count + top * 0.015)

    def alt(self, found: Any) -> str:
        """Return the alt text: the title and what the change does."""
        if isinstance(found, Result):
            return paragraph([self.title, found.reading()])
        names = stage_labels(found, self.model, 999)
        return alt_text(self.title, list(zip(names, map(number, found["n"]), strict=True)))


def tornado_chart(
    found: Found, by: str = "gain_points", model: Funnel | None = None, title: str | None = None
) -> Chart:
    """Draw what each stage alone would add, largest on top, with intervals where there are any.

    Parameters
    ----------
    found : Result or DataFrame
        Of `sensitivity`.
    by : {"gain_points", "gain_relative", "gain_per_cost"}
        Which gain to draw.
    model : Funnel, optional
        Names the stages of a table.
    title : str, optional
        Instead of the chart's own.

    Returns
    -------
    Chart
        Its alt text names gain, interval and n of every stage.
    """
    table, model = drawn(found, model)
    rows = table.sort_values(by, ascending=False, kind="stable").reset_index(drop=True)
    shown = title or say(f"charts.planning.{by}_title")
    words = [_gain_text(row, by) for row in rows.to_dict("records")]
    with style():
        figure = new_figure(9.2, 1.6 + 0.46 * len(rows))
        ax = figure.subplots()
        _draw_gains(ax, rows, by, words)
        rows_axis(ax, stage_labels(rows, model, 26))
        number_axis(ax.xaxis)
        locator: Any = ax.xaxis.get_major_locator()
        locator.set_params(nbins=5)
        counted = "counted" if rows[f"{by}_low"].notna().any() else "assumed"
        ax.set_xlabel(say(f"charts.planning.{by}_axis") + say(f"charts.planning.axis_{counted}"))
        figure.suptitle(wrap(shown, 82), x=0.01, ha="left", fontsize=12.5)
    return Chart((ax,), alt_text(shown, list(zip(stage_labels(rows, model, 999), words, strict=True))), table)


def _draw_gains(ax: Axes, rows: pd.DataFrame, by: str, words: list[str]) -> None:
    """Draw bar, interval and words of each stage."""
    top = float(rows[[by, f"{by}_high"]].max().max()) or 1.0
    ax.barh(range(len(rows)), rows[by], height=0.62, color=COLOURS["n_advanced"])
    for place, row in enumerate(rows.to_dict("records")):
        low, high = row[f"{by}_low"], row[f"{by}_high"]
        if pd.notna(low):
            ax.plot([low, high], [place] * 2, color=COLOURS["ink"], linewidth=1.6)
        end = max(row[by], high) if pd.notna(high) else row[by]
        ax.text(end + top * 0.015, place, words[place], va="center", fontsize=8.5)
    ax.set_xlim(0, top * (1.15 + 0.016 * max(map(width, words))))


def _gain_text(row: Mapping[Any, Any], by: str) -> str:
    values = {"gain": number(row[by]), "n": number(row["n"])}
    if pd.isna(row[f"{by}_low"]):
        return say("charts.planning.gain", **values)
    ends = {end: number(row[f"{by}_{end}"]) for end in ("low", "high")}
    return say("charts.planning.gain_counted", **values, **ends)


def loop_chart(found: Result) -> Chart:
    """Draw an influence loop: potential customers and purchases, turn by turn.

    Parameters
    ----------
    found : Result
        Of `influence_loop`.

    Returns
    -------
    Chart
        Its alt text is the finding and the reading.

    Raises
    ------
    DataError
        For a table alone, which does not tell where the loop settles.
    """
    if not isinstance(found, Result) or "growth" not in found.values:
        raise DataError("needs_result", verb="influence_loop", found=type(found).__name__)
    return _LoopChart().chart(found)


class _LoopChart(StagedChart):
    """Two lines over the turns; the title says whether the loop settles or explodes."""

    def _draw(self, found: Result) -> None:
        ax = new_figure(9.2, 4.2).subplots()
        potential, bought, level = (say(f"charts.planning.{name}") for name in ("potential", "bought", "level"))
        (self.potential,) = ax.plot([], [], "o-", color=COLOURS["n_advanced"], markersize=4, label=potential)
        (self.bought,) = ax.plot([], [], "s--", color=COLOURS["n_open"], markersize=4, label=bought)
        self.level = ax.axhline(0, color=COLOURS["accent"], linewidth=1, linestyle=":", label=level)
        ax.set_xlabel(say("charts.planning.turn_axis"))
        ax.set_ylabel(say("charts.planning.people_axis"))
        ax.yaxis.set_major_formatter(lambda value, _: number(value, 0 if value == int(value) else 1))
        self.legend = ax.legend(loc="upper left", fontsize=9, frameon=False)
        ax.set_ylim(0, 1e6)
        self.axes = (ax,)

    def _move(self, found: Result) -> None:
        table, level = found.table, found.values.get("level")
        self.potential.set_data(table["turn"], table["n_potential"])
        self.bought.set_data(table["turn"], table["n_customers"])
        self.level.set_ydata([level or 0] * 2)
        parts: tuple[Any, ...] = (self.level, self.legend.get_texts()[2], self.legend.legend_handles[2])
        for part in parts:
            part.set_visible(level is not None)
        top = max(float(table["n_potential"].max()), level or 0, 1.0)
        self.axes[0].set_ylim(0, top * 1.3)
        self.axes[0].set_xlim(0.5, len(table) + 0.5)
        kind = found.key.rpartition(".")[2]
        self.title = say(f"charts.planning.loop_{kind}", growth=number(found.values["growth"], 2))

    def alt(self, found: Result) -> str:
        """Return the alt text: the reading, which says what the title does."""
        return found.reading()
