"""Charts: a table goes in, a Chart comes out, with its alt text. Labels, font and numbers follow the language."""

import pandas as pd

from funnelkit.analysis import growth_table, rate_table
from funnelkit.charts.style import (
    BACKING,
    COLOURS,
    Chart,
    drawn,
    finish,
    new_figure,
    stage_labels,
    stage_name,
    style,
    wrap,
)
from funnelkit.language import label, number, percent, rate_text, say


def funnel_chart(found, model=None, title=None):
    """Draw a counts table as a funnel: counts split into advanced, lost and open, beside the rate with its interval.

    Takes one segment of `count_stages`, `count_events` or a counts source. Where the model's counts may grow, the
    right side shows the factor to the next stage instead, without an interval. Returns a Chart whose alt text names
    every count and rate.
    """
    counts, model = drawn(found, model)
    grows = model is not None and model.grows
    with style():
        figure = new_figure(9.6, 1.5 + 0.62 * len(counts))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        _draw_counts(left, counts, grows)
        words = _draw_growth(right, counts) if grows else _draw_rates(right, counts, model)
        left.set_yticks(range(len(counts)), stage_labels(counts, model))
        left.set_ylim(len(counts) - 0.5, -0.5)
        right.tick_params(axis="y", length=0, labelleft=False)
        finish(figure, title or say("charts.funnel.funnel_title"))
    alt = _funnel_alt(counts, model, words)
    return Chart((left, right), alt, counts)


def _draw_counts(ax, counts, grows):
    """Stack advanced, open and lost; the count entered stands at the bar's end."""
    parts = ["n_entered"] if grows or "n_advanced" not in counts else ["n_advanced", "n_open", "n_lost"]
    base = pd.Series(0, index=counts.index)
    for part in parts:
        colour = COLOURS["n_advanced" if part == "n_entered" else part]
        hatch = "///" if part == "n_open" else None
        ax.barh(
            range(len(counts)), counts[part], left=base, height=0.66, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0.6, label=label(part),
        )  # fmt: skip
        base = base + counts[part]
    top = max(float(counts["n_entered"].max()), 1.0)
    for place, entered in enumerate(counts["n_entered"]):
        ax.text(entered + top * 0.015, place, number(entered), va="center", ha="left", fontsize=9)
    ax.set_xlim(0, top * 1.16)
    ax.set_xlabel(say("charts.funnel.count_axis"))
    ax.xaxis.set_major_formatter(lambda value, _: number(value))
    if len(parts) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8.5, frameon=False, handlelength=1.2)


def _draw_rates(ax, counts, model):
    """Draw the promotion rate with its Wilson interval as a point and a bar, its numbers beneath.

    A last stage whose entry is the win has nowhere to promote to: it says so instead of 100 %.
    """
    table = rate_table(counts).table
    words = [rate_text(row) for row in table.to_dict("records")]
    ends_won = model is not None and model.won_stage is not None and counts["stage"].iloc[-1] == model.won_stage
    if ends_won:
        words[-1] = say("charts.funnel.is_won")
    for place, row in enumerate(table.itertuples()):
        if row.n > 0 and not (ends_won and place == len(table) - 1):
            ax.plot(
                [row.low, row.high], [place, place], color=COLOURS["n_advanced"], linewidth=2, solid_capstyle="butt"
            )
            ax.plot([row.rate], [place], "o", color=COLOURS["n_advanced"], markersize=6)
        ax.text(0.5, place + 0.3, words[place], va="center", ha="center", fontsize=8, bbox=BACKING)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel(wrap(say("charts.funnel.rate_axis"), 44))
    ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
    ax.grid(axis="x", color="#e4e7eb")
    return words


def _draw_growth(ax, counts):
    """Draw the factor to the next stage; a line at 1 parts growth from loss."""
    table = growth_table(counts).table
    words = [
        say("charts.funnel.factor", factor=number(row.factor, 2)) if pd.notna(row.factor) else ""
        for row in table.itertuples()
    ]
    top = max(2.0, float(table["factor"].max()) * 1.25) if table["factor"].notna().any() else 2.0
    for place, row in enumerate(table.itertuples()):
        if pd.notna(row.factor):
            ax.plot([1, row.factor], [place + 0.5] * 2, color=COLOURS["n_advanced"], linewidth=2)
            ax.plot([row.factor], [place + 0.5], "o", color=COLOURS["n_advanced"], markersize=6)
            ax.text(row.factor, place + 0.24, words[place], va="center", ha="center", fontsize=8, bbox=BACKING)
    ax.axvline(1, color=COLOURS["accent"], linewidth=1, linestyle="--")
    ax.set_xlim(0, top)
    ax.set_xlabel(wrap(say("charts.funnel.factor_axis"), 44))
    return words


def _funnel_alt(counts, model, words):
    rows = [
        say("charts.funnel.funnel_alt_row", stage=stage_name(stage, model), n=number(entered), rate=text or "–")
        for stage, entered, text in zip(counts["stage"], counts["n_entered"], words, strict=True)
    ]
    return say("charts.funnel.funnel_alt", n=len(counts), rows=" ".join(rows))


def rate_chart(table, by, title=None, top=1.0):
    """Draw rate rows (one for each value of `by`) as points with intervals, their numbers beside them.

    `top` is the end of the axis, lower where all rates are low; an interval that reaches beyond it stretches it.
    """
    top = float(max(top, table["high"].max())) if table["n"].any() else float(top)
    with style():
        figure = new_figure(9.6, 1.3 + 0.42 * len(table))
        ax = figure.subplots()
        words = [rate_text(row) for row in table.to_dict("records")]
        names = [wrap(_segment_name(value), 26) for value in table[by]]
        for place, row in enumerate(table.itertuples()):
            if row.n > 0:
                ax.plot([row.low, row.high], [place] * 2, color=COLOURS["n_advanced"], linewidth=2)
                ax.plot([row.rate], [place], "o", color=COLOURS["n_advanced"], markersize=6)
            ax.text(1.05 * top, place, words[place], va="center", ha="left", fontsize=8.5)
        ax.set_yticks(range(len(table)), names)
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_xlim(-0.02 * top, 1.5 * top)
        ax.set_xticks([top * quarter / 4 for quarter in range(5)])
        ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0 if (25 * top).is_integer() else 1))
        ax.set_xlabel(say("charts.funnel.win_axis"))
        ax.grid(axis="x", color="#e4e7eb")
        finish(figure, title or say("charts.funnel.rates_title", by=label(by)))
    rows = "; ".join(f"{_segment_name(value)}: {text}" for value, text in zip(table[by], words, strict=True))
    return Chart((ax,), say("charts.funnel.rates_alt", by=label(by), rows=rows), table)


def _segment_name(value):
    return say("charts.funnel.no_segment") if pd.isna(value) or value == "" else str(value)
