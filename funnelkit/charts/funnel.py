"""Charts of the funnel: counts with their rates, and rates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import pandas as pd

from funnelkit.analysis import growth_table, rate_table
from funnelkit.charts.style import (
    BACKING,
    COLOURS,
    GRID,
    Chart,
    Drawable,
    drawn,
    finish,
    new_figure,
    number_axis,
    percent_axis,
    rows_axis,
    stage_labels,
    stage_name,
    style,
    wrap,
)
from funnelkit.language import label, number, percent, rate_text, say
from funnelkit.models import Funnel

_COUNTED = ("k", "n", "n_won", "n_entered")  # the columns before these name the rows


def funnel_chart(found: Drawable, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw counts as a funnel: split into advanced, lost and open, beside the rate with its interval.

    Parameters
    ----------
    found : Result or DataFrame
        One segment of what `count_stages`, `count_events` or `growth_table` gives, or of a counts source.
    model : Funnel, optional
        Names the stages; that of the Result unless given.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names every count and rate.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    Where the model's counts may grow, or nobody says who was lost, the right side shows the factor to the next stage
    instead, without an interval: it is no share of a whole.

    Examples
    --------
    >>> from funnelkit import count_stages, sample
    >>> funnel_chart(count_stages(sample())).alt[:27]
    'Funnel chart with 8 stages.'
    """
    counts, model = drawn(found, model)
    return _funnel(counts, model, title or say("charts.funnel.funnel_title"))


def _funnel(counts: pd.DataFrame, model: Funnel | None, title: str) -> Chart:
    grows = (model is not None and model.grows) or "n_advanced" not in counts
    with style():
        figure = new_figure(9.6, 1.5 + 0.62 * len(counts))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        _draw_counts(left, counts, grows)
        words = _draw_growth(right, counts) if grows else _draw_rates(right, counts, model)
        rows_axis(left, stage_labels(counts, model))
        right.tick_params(axis="y", length=0, labelleft=False)
        finish(figure, title)
    return Chart((left, right), _funnel_alt(counts, model, words), counts)


def _draw_counts(ax: Any, counts: pd.DataFrame, grows: bool) -> None:
    """Stack advanced, open and lost; the count entered stands at the bar's end."""
    parts = ["n_entered"] if grows else ["n_advanced", "n_open", "n_lost"]
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
    number_axis(ax.xaxis)
    if len(parts) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8.5, frameon=False, handlelength=1.2)


def _draw_rates(ax: Any, counts: pd.DataFrame, model: Funnel | None) -> list[str]:
    """Draw the promotion rate with its Wilson interval as a point and a bar, its numbers beneath.

    A last stage whose entry is the win has nowhere to promote to: it says so instead of 100 %.
    """
    table = rate_table(counts).table
    words = [rate_text(row) for row in table.to_dict("records")]
    ends_won = model is not None and model.won_stage is not None and counts["stage"].iloc[-1] == model.won_stage
    if ends_won:
        words[-1] = say("charts.funnel.is_won")
    for place, row in enumerate(table.to_dict("records")):
        if row["n"] > 0 and not (ends_won and place == len(table) - 1):
            ax.plot(
                [row["low"], row["high"]],
                [place, place],
                color=COLOURS["n_advanced"],
                linewidth=2,
                solid_capstyle="butt",
            )
            ax.plot([row["rate"]], [place], "o", color=COLOURS["n_advanced"], markersize=6)
        ax.text(0.5, place + 0.3, words[place], va="center", ha="center", fontsize=8, bbox=BACKING)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel(wrap(say("charts.funnel.rate_axis"), 44))
    percent_axis(ax.xaxis)
    ax.grid(**GRID)
    return words


def _draw_growth(ax: Any, counts: pd.DataFrame) -> list[str]:
    """Draw the factor to the next stage; a line at 1 parts growth from loss."""
    table = growth_table(counts).table
    factors = table["factor"].tolist()
    words = [say("charts.funnel.factor", factor=number(factor, 2)) if pd.notna(factor) else "" for factor in factors]
    top = max(2.0, float(table["factor"].max()) * 1.25) if table["factor"].notna().any() else 2.0
    for place, factor in enumerate(factors):
        if pd.notna(factor):
            ax.plot([1, factor], [place + 0.5] * 2, color=COLOURS["n_advanced"], linewidth=2)
            ax.plot([factor], [place + 0.5], "o", color=COLOURS["n_advanced"], markersize=6)
            ax.text(factor, place + 0.24, words[place], va="center", ha="center", fontsize=8, bbox=BACKING)
    ax.axvline(1, color=COLOURS["accent"], linewidth=1, linestyle="--")
    ax.set_xlim(0, top)
    ax.set_xlabel(wrap(say("charts.funnel.factor_axis"), 44))
    return words


def _funnel_alt(counts: pd.DataFrame, model: Funnel | None, words: Sequence[str]) -> str:
    rows = [
        say("charts.funnel.funnel_alt_row", stage=stage_name(stage, model), n=number(entered), rate=text or "–")
        for stage, entered, text in zip(counts["stage"], counts["n_entered"], words, strict=True)
    ]
    return say("charts.funnel.funnel_alt", n=len(counts), rows=" ".join(rows))


def rate_chart(
    found: Drawable, by: str | Sequence[str] | None = None, title: str | None = None, top: float = 1.0
) -> Chart:
    """Draw rates side by side as points with intervals, their numbers beside them.

    Parameters
    ----------
    found : Result or DataFrame
        What `rate_table` or `win_rate` gives, or any table with k, n, rate, low, high.
    by : str or list of str, optional
        Columns that name the rows; by default those before the counts.
    title : str, optional
    top : float
        End of the axis, lower where all rates are low; an interval that reaches beyond it stretches it.

    Returns
    -------
    Chart
        Its alt text names every rate.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    Rows keep the order of the table: no ranking of chance.

    Examples
    --------
    >>> from funnelkit import win_rate
    >>> deals = pd.DataFrame({"status": ["won", "lost"], "team": ["N", "S"]})
    >>> rate_chart(win_rate(deals, "team")).alt[:21]
    'Win rates by Team. N:'
    """
    table, model = drawn(found)
    keys = [by] if isinstance(by, str) else list(by or takewhile(lambda name: name not in _COUNTED, table.columns))
    return _rates(table, (keys, model), title, top)


def _rates(table: pd.DataFrame, rows: tuple[list[str], Funnel | None], title: str | None, top: float) -> Chart:
    keys, model = rows
    top = float(max(top, table["high"].max())) if table["n"].any() else float(top)
    what = "stage_rates" if "stage" in keys else "rates"
    named = say("result.between").join(label(key) for key in keys)
    segments = [_segment_name(values, model) for values in table[keys].itertuples(index=False)]
    # Entering the stage of the win is the win: it promotes to nothing, so it shows no 100 %.
    wins = [_is_win(stage, model) for stage in table["stage"]] if "stage" in keys else [False] * len(table)
    with style():
        figure = new_figure(9.6, 1.3 + 0.42 * len(table))
        ax = figure.subplots()
        rated = table.to_dict("records")
        words = [say("charts.funnel.is_won") if won else rate_text(row) for won, row in zip(wins, rated, strict=True)]
        for place, row in enumerate(rated):
            if row["n"] > 0 and not wins[place]:
                ax.plot([row["low"], row["high"]], [place] * 2, color=COLOURS["n_advanced"], linewidth=2)
                ax.plot([row["rate"]], [place], "o", color=COLOURS["n_advanced"], markersize=6)
            ax.text(1.05 * top, place, words[place], va="center", ha="left", fontsize=8.5)
        rows_axis(ax, [wrap(name, 26) for name in segments])
        ax.set_xlim(-0.02 * top, 1.5 * top)
        ax.set_xticks([top * quarter / 4 for quarter in range(5)])
        ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0 if (25 * top).is_integer() else 1))
        ax.set_xlabel(say(f"charts.funnel.{'rate' if 'stage' in keys else 'win'}_axis"))
        ax.grid(**GRID)
        finish(figure, title or say(f"charts.funnel.{what}_title", by=named))
    said = "; ".join(f"{name}: {text}" for name, text in zip(segments, words, strict=True))
    return Chart((ax,), say(f"charts.funnel.{what}_alt", by=named, rows=said), table)


def _is_win(stage: Any, model: Funnel | None) -> bool:
    return model is not None and stage == model.won_stage == model.stage_ids[-1]


def _segment_name(values: Sequence[Any], model: Funnel | None) -> str:
    names = [say("charts.funnel.no_segment") if pd.isna(value) or value == "" else str(value) for value in values]
    if model is not None:
        names = [stage_name(name, model) if name in model.stage_ids else name for name in names]
    return " / ".join(names)
