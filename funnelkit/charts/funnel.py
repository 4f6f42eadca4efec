"""Charts of the funnel: counts with their rates, and rates side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis import growth_table, rate_table
from funnelkit.charts.style import (
    BACKING,
    COLOURS,
    GREY,
    GRID,
    Chart,
    Drawable,
    alt_text,
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
from funnelkit.language import in_a_sentence, joined, label, number, paragraph, percent, rate_text, say
from funnelkit.models import Funnel
from funnelkit.result import Result

_ENDS = (0.04, 0.08, 0.12, 0.2, 0.4, 0.6, 0.8, 1.0)  # of an axis of rates: a quarter of each is a whole percent
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
    Where counts grow from a stage to the next the right side shows the factor to it instead, without an interval: it is
    no share of a whole. A rate that the source does not carry is a hatched range between its bounds, or is left blank.

    Examples
    --------
    >>> from funnelkit import count_stages, sample
    >>> funnel_chart(count_stages(sample())).alt[:27]
    'Funnel chart with 8 stages.'
    """
    counts, model = drawn(found, model)
    grows = (model is not None and model.grows) or _grows(counts)
    # Of a Result the rates are those of its deals, which may be timed; of a table what its counts give.
    rates = None if grows else rate_table(found).table
    asked = say(f"charts.funnel.{'growth' if grows else 'funnel'}_title")
    return _funnel(counts, (rates, model), title or asked)


def _grows(counts: pd.DataFrame) -> bool:
    """Return whether counts that tell of nothing but entries grow from one stage to the next."""
    told = {"n_advanced", "n_lost"} & set(counts.columns)
    return not told and bool((counts["n_entered"].diff() > 0).any())


def _funnel(counts: pd.DataFrame, rated: tuple[pd.DataFrame | None, Funnel | None], title: str) -> Chart:
    rates, model = rated
    with style():
        figure = new_figure(9.6, 1.5 + 0.62 * len(counts))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        _draw_counts(left, counts)
        words = _draw_growth(right, counts) if rates is None else _draw_rates(right, rates, model)
        words += [""] * (len(counts) - len(words))  # deals lost nobody knows where have no rate
        rows_axis(left, stage_labels(_named(counts), model))
        right.tick_params(axis="y", length=0, labelleft=False)
        finish(figure, title)
    return Chart((left, right), _funnel_alt(_named(counts), model, words), counts)


def _named(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts with steps that may be left out called so."""
    if "is_optional" not in counts:
        return counts
    optional = [say("events.count.optional", step=step) for step in counts["stage"]]
    return counts.assign(stage=counts["stage"].astype(str).mask(counts["is_optional"], optional))


def _draw_counts(ax: Any, counts: pd.DataFrame) -> None:
    """Stack advanced, open and lost, as far as they are known; the count entered stands at the bar's end."""
    known = [part for part in ("n_advanced", "n_open", "n_lost") if part in counts and counts[part].notna().any()]
    parts = known or ["n_entered"]
    base = pd.Series(0, index=counts.index)
    for part in parts:
        colour = COLOURS["n_advanced" if part == "n_entered" else part]
        hatch = "///" if part == "n_open" else None
        ax.barh(
            range(len(counts)), counts[part], left=base, height=0.66, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0.6, label=label(part),
        )  # fmt: skip
        base = base + counts[part]
    rest = counts["n_entered"] - base  # lost somewhere: it shows in the first stage, and as a row of its own
    if known and (rest > 0).any() and "n_lost" in counts and counts["n_lost"].notna().any():
        ax.barh(
            range(len(counts)), rest, left=base, height=0.66, color="white", hatch="....", edgecolor=GREY,
            linewidth=0.6, label=label("stage_unknown"),
        )  # fmt: skip
    top = max(float(counts["n_entered"].max()), 1.0)
    for place, entered in enumerate(counts["n_entered"]):
        ax.text(entered + top * 0.015, place, number(entered), va="center", ha="left", fontsize=9)
    ax.set_xlim(0, top * 1.16)
    ax.set_xlabel(say("charts.funnel.count_axis"))
    number_axis(ax.xaxis)
    ax.locator_params(axis="x", nbins=5 if top >= 10_000 else 8)  # long numbers want room
    if len(parts) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8.5, frameon=False, handlelength=1.2)


def _draw_rates(ax: Any, table: pd.DataFrame, model: Funnel | None) -> list[str]:
    """Draw the promotion rates as points with intervals, their numbers beneath."""
    rows = table.to_dict("records")
    words = [_rate_words(row, model) for row in rows]
    for place, row in enumerate(rows):
        if not _is_win(row["stage"], model):
            _draw_rate(ax, row, place)
        ax.text(0.5, place + 0.3, words[place], va="center", ha="center", fontsize=8, bbox=BACKING)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel(wrap(_rate_axis(table), 44))
    percent_axis(ax.xaxis)
    ax.grid(**GRID)
    return words


def _draw_rate(ax: Any, row: Mapping[Any, Any], place: int) -> None:
    """Draw one rate with its interval, or the bounds of one that is not known as a hatched range."""
    if pd.notna(row["rate"]):
        ax.plot([row["low"], row["high"]], [place] * 2, color=COLOURS["n_advanced"], linewidth=2, solid_capstyle="butt")
        ax.plot([row["rate"]], [place], "o", color=COLOURS["n_advanced"], markersize=6)
    elif row.get("basis") == "unknown" and pd.notna(row["floor"]):
        ax.barh(
            place, row["ceiling"] - row["floor"], left=row["floor"], height=0.22, color="white", hatch="////",
            edgecolor=GREY, linewidth=0.8,
        )  # fmt: skip


def _rate_words(row: Mapping[Any, Any], model: Funnel | None) -> str:
    """Return a rate as text; a last stage whose entry is the win has nowhere to promote to and says so."""
    return say("charts.funnel.is_won") if _is_win(row.get("stage"), model) else rate_text(row)


def _rate_axis(table: pd.DataFrame) -> str:
    """Return the words of the axis: what the rates are, and over what they are taken."""
    of = "rate" if "stage" in table else "win"
    basis = table["basis"].value_counts().idxmax() if "basis" in table and len(table) else "decided"
    named = basis in ("incidence", "unknown", "matured") or (basis == "share" and of == "rate")
    days = number(table["horizon_days"].max()) if basis in ("incidence", "matured") else ""
    return say(f"charts.funnel.{of}_axis{f'_{basis}' if named else ''}", days=days)


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
    """Return what the chart shows, stage by stage; one without a rate or factor has its count only."""
    rows = []
    for stage, entered, text in zip(counts["stage"], counts["n_entered"], words, strict=True):
        kind = "won" if _is_win(stage, model) else "factor" if text.startswith("×") else "row"
        kind = "end" if text in ("", "–") else kind
        values = {"stage": stage_name(stage, model), "n": number(entered), "rate": text}
        rows.append(say(f"charts.funnel.funnel_alt_{kind}", **values))
    return say("charts.funnel.funnel_alt", n=len(counts), rows=paragraph(rows))


def rate_chart(
    found: Drawable, by: str | Sequence[str] | None = None, title: str | None = None, top: float | None = None
) -> Chart:
    """Draw rates side by side as points with intervals, their numbers beside them.

    Parameters
    ----------
    found : Result or DataFrame
        What `rate_table` or `win_rate` gives, or any table with k, n, rate, low, high.
    by : str or list of str, optional
        Columns that name the rows; by default those before the counts.
    title : str, optional
    top : float, optional
        End of the axis; by default, and where an interval goes beyond it, a round one above the highest interval.

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
    >>> rate_chart(win_rate(deals, "team")).alt[:33]
    'Do win rates differ by team? N: 1'
    """
    table, model = drawn(found)
    keys = [by] if isinstance(by, str) else list(by or takewhile(lambda name: name not in _COUNTED, table.columns))
    won = isinstance(found, Result) or "n_won" in table
    return _rates(table, (keys, model), title or _rates_title(keys, won), top)


def _rates_title(keys: Sequence[str], won: bool) -> str:
    """Return what rates are asked about: win rates where the kit computed them or the wins are counted beside them."""
    what = "stage_rates" if "stage" in keys else "rates" if won else "conversion_rates"
    return say(f"charts.funnel.{what}_title", by=joined(map(in_a_sentence, keys)))


def _end_of_axis(table: pd.DataFrame, top: float | None) -> float:
    """Return where the axis of rates ends: a round share that every interval, and every unknown rate, stays below."""
    most = float(np.nanmax([0.0, *table["high"], *table.get("ceiling", table["high"])[table["rate"].isna()]]))
    return top if top is not None and most <= top else next((end for end in _ENDS if most <= end), max(most, 1.0))


def _rates(table: pd.DataFrame, rows: tuple[list[str], Funnel | None], title: str, top: float | None) -> Chart:
    keys, model = rows
    top = _end_of_axis(table, top)
    segments = [_segment_name(values, model) for values in table[keys].itertuples(index=False)]
    with style():
        figure = new_figure(9.6, 1.3 + 0.42 * len(table))
        ax = figure.subplots()
        rated = table.to_dict("records")
        words = [_rate_words(row, model) for row in rated]
        for place, row in enumerate(rated):
            if not _is_win(row.get("stage"), model):
                _draw_rate(ax, row, place)
            ax.text(1.05 * top, place, words[place], va="center", ha="left", fontsize=8.5)
        rows_axis(ax, [wrap(name, 26, most=2) for name in segments])  # a row has room for two lines
        ax.set_xlim(-0.02 * top, 1.5 * top)
        ax.set_xticks([top * quarter / 4 for quarter in range(5)])
        ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0 if (25 * top).is_integer() else 1))
        ax.set_xlabel(_rate_axis(table))
        ax.grid(**GRID)
        finish(figure, title)
    return Chart((ax,), alt_text(title, zip(segments, words, strict=True)), table)


def _is_win(stage: Any, model: Funnel | None) -> bool:
    return model is not None and stage == model.won_stage == model.stage_ids[-1]


def _segment_name(values: Sequence[Any], model: Funnel | None) -> str:
    names = [say("charts.funnel.no_segment") if pd.isna(value) or value == "" else str(value) for value in values]
    if model is not None:
        states = {state.id: str(state.name) for state in model.states}
        names = [stage_name(name, model) if name in model.stage_ids else states.get(name, name) for name in names]
    return " / ".join(names)
