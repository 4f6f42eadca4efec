"""Charts of event logs: how long conversion takes, its trend, odds of attributes, one log under many rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelkit.charts.style import (
    BACKING,
    COLOURS,
    GREY,
    GRID,
    Chart,
    Drawable,
    alt_text,
    canvas,
    legend_above,
    number_axis,
    percent_axis,
    rows_axis,
    wrap,
)
from funnelkit.language import label, number, percent, rate_text, say
from funnelkit.result import table_of

_HATCH: dict[str, Any] = {"facecolor": "none", "edgecolor": "#e3a72f", "hatch": "////", "linewidth": 0.8}


def convert_time_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw how long each step took: from a tenth to nine tenths of those who made it, and the median.

    Parameters
    ----------
    found : Result or DataFrame
        What `time_to_convert` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names every median.
    """
    return _times(table_of(found), title or say("charts.events.times_title"))


def _times(table: pd.DataFrame, title: str) -> Chart:
    rows = table[table["n"] > 0].reset_index(drop=True)
    by = list(table.columns[: table.columns.get_loc("stage")])
    names = [_row_name(row, by) for row in rows.to_dict("records")]
    words = [_time_words(row) for row in rows.to_dict("records")]
    with canvas(9.8, 1.7 + 0.46 * max(1, len(rows)), title) as ax:
        for place, row in enumerate(rows.to_dict("records")):
            ax.plot([row["p10_days"], row["p90_days"]], [place] * 2, color=GREY, linewidth=1.2,
                    label=None if place else say("charts.events.tenths"))  # fmt: skip
            ax.plot([row["p25_days"], row["p75_days"]], [place] * 2, color=COLOURS["n_advanced"], linewidth=5,
                    alpha=0.45, label=None if place else say("charts.events.quarters"))  # fmt: skip
            ax.plot([row["p50_days"]], [place], "o", color=COLOURS["n_advanced"],
                    label=None if place else say("charts.events.median"))  # fmt: skip
            ax.annotate(words[place], (1.01, place), xycoords=ax.get_yaxis_transform(), va="center", fontsize=8.5)
        rows_axis(ax, [wrap(name, 24) for name in names])
        ax.set_xlim(left=0)
        number_axis(ax.xaxis)
        ax.grid(**GRID)
        ax.set_xlabel(say("charts.events.days"))
        if len(rows):
            legend_above(ax, 3)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _row_name(row: dict[str, Any], by: list[str]) -> str:
    own = [str(row[name]) for name in by]
    stage = label("total") if row["stage"] == "total" else str(row["stage"])
    return " · ".join([*own, stage])


def _time_words(row: dict[str, Any]) -> str:
    return say("charts.events.time_row", n=number(row["n"]), days=number(row["p50_days"], 1))


def time_histogram_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw how many took how long, and below it the share that had arrived by each day.

    Parameters
    ----------
    found : Result or DataFrame
        What `time_histogram` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text says between which days half and nine tenths had arrived.
    """
    return _histogram(table_of(found), title or say("charts.events.histogram_title"))


def _histogram(table: pd.DataFrame, title: str) -> Chart:
    n = table["n"].to_numpy()
    share = np.r_[0.0, n.cumsum() / max(1, n.sum())]
    edges = np.r_[table["low_days"].to_numpy()[:1], table["high_days"].to_numpy()]
    with canvas(9.2, 5.0, title, 2, 1, sharex=True, height_ratios=(3, 2)) as (bars, curve):
        bars.bar(edges[:-1], n, np.diff(edges), align="edge", color=COLOURS["n_advanced"], edgecolor="white")
        bars.set_ylabel(say("charts.events.count"))
        number_axis(bars.yaxis)
        curve.plot(edges, share, color=COLOURS["n_advanced"], linewidth=1.8)
        for at in (0.5, 0.9):
            curve.axhline(at, color=GREY, linewidth=0.7, linestyle=":")
        curve.set_ylim(0, 1.02)
        curve.set_yticks([0, 0.5, 0.9, 1])
        percent_axis(curve.yaxis)
        curve.set_ylabel(wrap(say("charts.events.arrived"), 20))
        curve.set_xlabel(say("charts.events.days"))
        number_axis(curve.xaxis)
    rows = [(percent(at, 0), _by_day(edges, share, at)) for at in (0.5, 0.9)] if n.sum() else []
    return Chart((bars, curve), alt_text(title, [(say("charts.events.n"), number(n.sum())), *rows]), table)


def _by_day(edges: Any, share: Any, at: float) -> str:
    """Say in which bin the share is reached: where in it, the table does not tell."""
    place = int(np.argmax(share >= at - 1e-12))
    low, high = (number(float(edge), 1) for edge in edges[place - 1 : place + 1])
    return say("charts.events.by_day", low=low, high=high)


def trend_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw the conversion of each entry cohort: its rate with interval, and what is still open as open.

    Parameters
    ----------
    found : Result or DataFrame
        What `conversion_trend` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text reads every cohort.

    Notes
    -----
    Hatched from the share that has converted so far up to the share if everybody still open converts. A filled point
    is a cohort that is complete; of a hollow one the part that has had its whole window is known.
    """
    return _trend(table_of(found), title or say("charts.events.trend_title"))


def _trend(table: pd.DataFrame, title: str) -> Chart:
    rows = table.to_dict("records")
    names = [f"{row['cohort']:%Y-%m-%d}" for row in rows]
    with canvas(9.8, 4.2, title) as ax:
        top = _trend_top(table)
        for place, row in enumerate(rows):
            _cohort(ax, place, row)
            if row["n_open"] > 0 and row["ceiling"] > top:
                ends = say("charts.events.up_to", share=percent(row["ceiling"], 0))
                ax.text(place, top, ends, ha="center", va="top", fontsize=8, bbox=BACKING)
        _cohort_axis(ax, names)
        ax.set_ylim(0, top)
        percent_axis(ax.yaxis)
        ax.set_ylabel(wrap(say("charts.events.rate"), 34))
        _trend_legend(ax)
    return Chart((ax,), alt_text(title, list(zip(names, map(_cohort_words, rows), strict=True))), table)


def _trend_top(table: pd.DataFrame) -> float:
    """Return where the axis ends: the rates fill it; what is open of a young cohort, up to all of it, may go beyond."""
    ends, known = table[["high", "ceiling"]].max().max(), 1.6 * table[["high", "floor"]].max().max()
    top = min(1.08 * ends, known) if table["n"].any() and known > 0 else 1.08 * ends
    return min(1.02, float(top)) if top > 0 else 1.0


def _cohort(ax: Any, place: int, row: dict[str, Any]) -> None:
    if row["n_open"] > 0:
        ax.bar([place], [row["ceiling"] - row["floor"]], 0.7, bottom=row["floor"], **_HATCH)
    if row["n"] > 0:
        ax.plot([place] * 2, [row["low"], row["high"]], color="#8fb3cf", linewidth=4, solid_capstyle="butt")
        fill = COLOURS["n_advanced"] if row["is_mature"] else "white"
        ax.plot([place], [row["rate"]], "o", color=COLOURS["n_advanced"], mfc=fill, markersize=6)


def _trend_legend(ax: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = [
        Line2D([], [], marker="o", linestyle="", color=COLOURS["n_advanced"], mfc=fill)
        for fill in (COLOURS["n_advanced"], "white")
    ]
    words = [say(f"charts.events.{name}") for name in ("complete", "partly", "still_open")]
    ax.legend([*marks, Patch(**_HATCH)], words, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8.5,
              frameon=False)  # fmt: skip


def _cohort_words(row: dict[str, Any]) -> str:
    bounds = {"floor": percent(row["floor"]), "ceiling": percent(row["ceiling"])}
    if not row["n"]:
        return say("charts.events.cohort_open", **bounds)
    if row["is_mature"]:
        return rate_text(row)
    return say("charts.events.cohort_partly", rate=rate_text(row), n_open=number(row["n_open"]))


def time_trend_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw how long the whole funnel took each entry cohort: one in ten to nine in ten, the middle half, the median.

    Parameters
    ----------
    found : Result or DataFrame
        What `time_trend` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text reads every cohort.

    Notes
    -----
    A hollow point is a cohort of which only a part has had its whole window.
    """
    return _time_trend(table_of(found), title or say("charts.events.time_trend_title"))


def _time_trend(table: pd.DataFrame, title: str) -> Chart:
    rows = table.to_dict("records")
    names, blue = [f"{row['cohort']:%Y-%m-%d}" for row in rows], COLOURS["n_advanced"]
    with canvas(9.8, 4.2, title) as ax:
        for place, row in enumerate(rows):
            if row["n"] > 0:
                ax.plot([place] * 2, [row["p10_days"], row["p90_days"]], color=GREY, linewidth=1.2)
                ax.plot([place] * 2, [row["p25_days"], row["p75_days"]], color="#8fb3cf", linewidth=5)
                ax.plot([place], [row["p50_days"]], "o", color=blue, mfc=blue if row["is_mature"] else "white")
        _cohort_axis(ax, names)
        ax.set_ylim(bottom=0)
        number_axis(ax.yaxis)
        ax.set_ylabel(say("charts.events.days"))
        _time_legend(ax, hollow=bool((~table["is_mature"] & (table["n"] > 0)).any()))
    words = [_time_words(row) if row["n"] else "–" for row in rows]
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _cohort_axis(ax: Any, names: list[str]) -> None:
    every = -(-len(names) // 12) or 1
    ax.set_xticks(range(len(names))[::every], names[::every], fontsize=8, rotation=30, ha="right")
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_xlabel(say("charts.events.cohort_axis"))
    ax.grid(axis="y", color="#e4e7eb")
    ax.set_axisbelow(True)


def _time_legend(ax: Any, hollow: bool) -> None:
    from matplotlib.lines import Line2D

    blue = COLOURS["n_advanced"]
    marks = [Line2D([], [], color=GREY, linewidth=1.2), Line2D([], [], color="#8fb3cf", linewidth=5)]
    marks += [Line2D([], [], marker="o", linestyle="", color=blue, mfc=fill) for fill in (blue, "white")[: 1 + hollow]]
    words = [say(f"charts.events.{name}") for name in ("tenths", "quarters", "median", "partly")[: len(marks)]]
    ax.legend(marks, words, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=8.5, frameon=False)


def odds_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw the odds ratio of each value of an attribute with its interval, on a logarithmic axis.

    Parameters
    ----------
    found : Result or DataFrame
        What `attribute_odds` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text reads every value.

    Notes
    -----
    Filled points differ from the others after allowance for the number of values (q below 0.05), hollow ones do not.
    At most 20 rows, the clearest.
    """
    return _odds(table_of(found), title or say("charts.events.odds_title"))


def _odds(table: pd.DataFrame, title: str) -> Chart:
    rows = table[table["odds_ratio"].notna()].head(20).to_dict("records")
    several = len({row["attribute"] for row in rows}) > 1
    values = [str(row["value"]) or say("charts.funnel.no_segment") for row in rows]
    names = [f"{row['attribute']}: {value}" if several else value for row, value in zip(rows, values, strict=True)]
    words = [_odds_words(row) for row in rows]
    with canvas(9.8, 1.6 + 0.42 * max(1, len(rows)), title) as ax:
        ax.axvline(1, color=COLOURS["ink"], linewidth=0.9)
        for place, row in enumerate(rows):
            ax.plot([row["low"], row["high"]], [place] * 2, color="#8fb3cf", linewidth=4, solid_capstyle="butt")
            fill = COLOURS["n_advanced"] if row["q_value"] < 0.05 else "white"
            ax.plot([row["odds_ratio"]], [place], "o", color=COLOURS["n_advanced"], mfc=fill)
            ax.annotate(words[place], (1.01, place), xycoords=ax.get_yaxis_transform(), va="center", fontsize=8.5)
        rows_axis(ax, [wrap(name, 26) for name in names])
        _odds_axis(ax, [value for row in rows for value in (row["low"], row["high"])])
        ax.set_xlabel(say("charts.events.odds_axis"))
        ax.grid(**GRID)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _odds_axis(ax: Any, ends: list[float]) -> None:
    low, high = min([0.5, *ends]) / 1.15, max([2.0, *ends]) * 1.15
    ax.set_xscale("log")
    ticks = [at for at in (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000) if low <= at <= high]
    ax.set_xticks(ticks, [f"{at:g}" for at in ticks])
    ax.minorticks_off()
    ax.set_xlim(low, high)


def _odds_words(row: dict[str, Any]) -> str:
    ends = {name: number(row[name], 2) for name in ("odds_ratio", "low", "high")}
    return say("charts.events.odds_row", k=number(row["k"]), n=number(row["n"]), **ends)


def rules_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw how many reach the last step under each rule.

    Parameters
    ----------
    found : Result or DataFrame
        What `compare_rules` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text reads every rule.
    """
    return _rules(table_of(found), title)


def _rules(table: pd.DataFrame, title: str | None) -> Chart:
    steps = list(table.columns[table.columns.get_loc("window") + 1 : table.columns.get_loc("k")])
    title = title or say("charts.events.rules_title", step=steps[-1])
    names, last = table["rule"].tolist(), table[steps[-1]].tolist()
    with canvas(9.2, 1.5 + 0.36 * len(names), title) as ax:
        ax.barh(range(len(names)), last, color=[COLOURS["n_advanced"], *["#8fb3cf"] * (len(names) - 1)], height=0.66)
        for place, n in enumerate(last):
            ax.annotate(number(n), (n, place), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
        rows_axis(ax, [wrap(name, 34) for name in names])
        ax.set_xlim(0, 1.12 * (max(last) or 1))
        number_axis(ax.xaxis)
        ax.set_xlabel(say("charts.events.rules_axis", step=steps[-1]))
        ax.grid(**GRID)
        ax.set_axisbelow(True)
    return Chart((ax,), alt_text(title, [(name, number(n)) for name, n in zip(names, last, strict=True)]), table)
