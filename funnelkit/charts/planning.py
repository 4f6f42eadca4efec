"""Charts of planning: the cascade, which stage helps most, the influence loop. Each keeps one figure and moves it.

A picture's `update(table)` moves the artists of its one figure and returns PNG bytes, for panels; the `_chart`
functions return the same picture as a Chart, for pages without a kernel.
"""

import pandas as pd

from funnelkit.charts.picture import Picture
from funnelkit.charts.style import COLOURS, Chart, new_figure, stage_labels, style, wrap
from funnelkit.language import number, percent, say, width
from funnelkit.models import funnel
from funnelkit.planning import describe_what_if


def cascade_chart(table, model=None, *, weak=(), source=None):
    """Draw a cascade: at each level those who stay and those who drop out, its ratio, and the conclusion as title.

    Takes the table of `cascade`; rows before the first level (population, cover) are named in the axis, for their
    scale would hide the levels. `weak` are the levels to mark, `source` says where the ratios come from. Returns a
    Chart whose alt text names every level.
    """
    return CascadePicture(model, weak=weak, source=source).chart(table)


class CascadePicture(Picture):
    """The cascade with its weak levels marked; `weak` may be a function of the table's levels."""

    def __init__(self, model=None, *, weak=(), source=None):
        super().__init__()
        self.model = model or funnel("pharma")
        self.weak = weak if callable(weak) else lambda table: weak
        self.source = source or say("charts.planning.source_assumed")

    def _levels(self, table):
        return table[[self.model.stage(point).input is None for point in table["point"].tolist()]]

    def _draw(self, table):
        rows = self._levels(table)
        figure = new_figure(9.2, 1.9 + 0.46 * len(rows))
        ax = figure.subplots()
        places = range(len(rows))
        keep, drop = (say(f"charts.planning.{name}") for name in ("stay", "drop"))
        self.stays = ax.barh(places, 1.0, height=0.62, color=COLOURS["n_advanced"], label=keep)
        self.drops = ax.barh(places, 1.0, height=0.62, color=COLOURS["n_lost"], label=drop)
        self.words = [ax.text(0, place, "", va="center", fontsize=9) for place in places]
        ax.set_yticks(places, stage_labels(rows.rename(columns={"point": "stage"}), self.model, 26))
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlim(0, 1.42)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
        ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
        ax.set_xlabel(say("charts.planning.cascade_axis", n=number(1e15), source=self.source))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8.5, frameon=False)
        self.axes = (ax,)

    def _moving(self):
        return [*self.stays, *self.drops, *self.words, self.axes[0].xaxis.label]

    def _move(self, table):
        rows = self._levels(table)
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

    def _row_texts(self, rows):
        pairs = zip(rows["ratio"].tolist(), rows["remaining"].tolist(), strict=True)
        return [say("charts.planning.cascade_row", ratio=percent(ratio), n=number(n)) for ratio, n in pairs]

    def _headline(self, rows, weak, base):
        share = percent(rows["remaining"].iloc[-1] / base, 2)
        if len(weak) in (1, 2):
            names = say("result.between").join(str(self.model.stage(point).name) for point in weak)
            return say("charts.planning.cascade_title", share=share, level=names)
        return say("charts.planning.cascade_title_even", share=share, n=len(rows))

    def alt(self, table):
        """Return the alt text: the conclusion, then every level."""
        rows = self._levels(table)
        names = [str(self.model.stage(point).name) for point in rows["point"]]
        return alt_rows(self.title, names, self._row_texts(rows))


class WhatIfPicture(Picture):
    """Counts by stage beside the baseline; the axis follows a bar that outgrows it."""

    def __init__(self, model):
        super().__init__()
        self.model, self.title = model, say("explore.widgets.what_if_title")

    def _draw(self, table):
        figure = new_figure(8.4, 1.5 + 0.46 * len(table))
        ax = figure.subplots()
        places = range(len(table))
        base, changed = (say(f"explore.widgets.{name}") for name in ("baseline", "changed"))
        ax.barh(places, table["n_base"], height=0.78, color="none", edgecolor=COLOURS["ink"], linewidth=1, label=base)
        self.bars = ax.barh(places, table["n"], height=0.52, color=COLOURS["n_advanced"], label=changed)
        self.words = [ax.text(0, place, "", va="center", fontsize=9) for place in places]
        ax.set_yticks(places, stage_labels(table, self.model))
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_xlabel(say("charts.funnel.count_axis"))
        ax.xaxis.set_major_formatter(lambda value, _: number(value))
        ax.legend(loc="lower right", fontsize=9, frameon=False)
        self.axes = (ax,)

    def _moving(self):
        return [*self.bars, *self.words]

    def _move(self, table):
        top = max(float(table[["n", "n_base"]].max().max()), 1.0)
        self.axes[0].set_xlim(0, top * 1.12)
        for bar, text, count in zip(self.bars, self.words, table["n"], strict=True):
            bar.set_width(count)
            text.set_text(number(count))
            text.set_x(count + top * 0.015)

    def alt(self, table):
        """Return the alt text: the title and what the change does."""
        return f"{self.title} {describe_what_if(table)}"


def tornado_chart(table, by="gain_points", model=None, title=None):
    """Draw a sensitivity table: what each stage alone would add, largest on top, with intervals where there are any.

    `by` is gain_relative, gain_points or gain_per_cost. Returns a Chart.
    """
    rows = table.sort_values(by, ascending=False, kind="stable").reset_index(drop=True)
    with style():
        figure = new_figure(9.2, 1.6 + 0.46 * len(rows))
        ax = figure.subplots()
        places = range(len(rows))
        ax.barh(places, rows[by], height=0.62, color=COLOURS["n_advanced"])
        top = float(rows[[by, f"{by}_high"]].max().max()) or 1.0
        words = [_gain_text(row, by) for row in rows.to_dict("records")]
        for place, row in rows.iterrows():
            if pd.notna(row[f"{by}_low"]):
                ax.plot([row[f"{by}_low"], row[f"{by}_high"]], [place] * 2, color=COLOURS["ink"], linewidth=1.6)
            end = max(row[by], row[f"{by}_high"]) if pd.notna(row[f"{by}_high"]) else row[by]
            ax.text(end + top * 0.015, place, words[place], va="center", fontsize=8.5)
        ax.set_yticks(places, stage_labels(rows, model, 26))
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlim(0, top * (1.15 + 0.016 * max(map(width, words))))
        ax.xaxis.set_major_formatter(lambda value, _: number(value))
        ax.xaxis.get_major_locator().set_params(nbins=5)
        counted = "counted" if rows[f"{by}_low"].notna().any() else "assumed"
        ax.set_xlabel(say(f"charts.planning.{by}_axis") + say(f"charts.planning.axis_{counted}"))
        shown = title or say(f"charts.planning.{by}_title")
        figure.suptitle(wrap(shown, 82), x=0.01, ha="left", fontsize=12.5)
    names = stage_labels(rows, model, 999)
    return Chart((ax,), alt_rows(shown, names, words), table)


def alt_rows(title, names, words):
    """Return the alt text: the title, then each name with its words."""
    rows = [say("charts.planning.alt_row", name=name, words=text) for name, text in zip(names, words, strict=True)]
    return " ".join([title, *rows])


def _gain_text(row, by):
    values = {"gain": number(row[by]), "n": number(row["n"])}
    if pd.isna(row[f"{by}_low"]):
        return say("charts.planning.gain", **values)
    ends = {end: number(row[f"{by}_{end}"]) for end in ("low", "high")}
    return say("charts.planning.gain_counted", **values, **ends)


def loop_chart(result):
    """Draw an `influence_loop` result: potential customers and purchases, turn by turn. Returns a Chart."""
    return LoopPicture().chart(result)


class LoopPicture(Picture):
    """Two lines over the turns; the title says whether the loop settles or explodes."""

    def _draw(self, result):
        figure = new_figure(9.2, 4.2)
        ax = figure.subplots()
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

    def _moving(self):
        return [self.potential, self.bought, self.level, self.legend]

    def _move(self, result):
        table, level = result.table, result.values.get("level")
        self.potential.set_data(table["turn"], table["n_potential"])
        self.bought.set_data(table["turn"], table["n_customers"])
        self.level.set_ydata([level or 0] * 2)
        for part in (self.level, self.legend.get_texts()[2], self.legend.legend_handles[2]):
            part.set_visible(level is not None)
        top = max(float(table["n_potential"].max()), level or 0, 1.0)
        self.axes[0].set_ylim(0, top * 1.3)
        self.axes[0].set_xlim(0.5, len(table) + 0.5)
        kind = result.key.rpartition(".")[2]
        self.title = say(f"charts.planning.loop_{kind}", growth=number(result.values["growth"], 2))

    def alt(self, result):
        """Return the alt text: the finding and the reading."""
        return f"{self.title} {result.reading()}"
