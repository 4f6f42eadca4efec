"""Charts that watch: signal or noise period by period, losses within reach and beyond it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.charts.style import (
    COLOURS,
    GREY,
    Chart,
    Drawable,
    alt_text,
    canvas,
    drawn,
    keep_ticks,
    legend_above,
    percent_axis,
    rows_axis,
    stage_name,
    wrap,
)
from funnelkit.language import number, percent, say
from funnelkit.models import Funnel
from funnelkit.result import table_of

Flags = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def control_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw each period's rate, the limits of its usual variation, and the signals.

    Parameters
    ----------
    found : Result or DataFrame
        What `control_limits` gives; the first column names the periods.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names centre, signals and what is not mature.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    Hollow points are not mature yet and have no verdict; a diamond is a signal.

    Examples
    --------
    >>> from funnelkit import control_limits
    >>> months = pd.DataFrame({"month": range(13), "k": [30, 28, 33, 31] * 3 + [12], "n": [100] * 13})
    >>> control_chart(control_limits(months)).alt.split(". ")[1]
    'Signals: 12'
    """
    return _control(table_of(found), title or say("charts.change.control_title"))


def _control(table: pd.DataFrame, title: str) -> Chart:
    names = table.iloc[:, 0].astype(str).tolist()
    signal, mature = (table[name].fillna(False).to_numpy(dtype=bool) for name in ("signal", "mature"))
    with canvas(9.8, 4.2, title) as ax:
        places = range(len(table))
        ax.plot(places, table["rate"], color=GREY, linewidth=1, zorder=1)
        ax.step(places, table["lower"], where="mid", color=COLOURS["accent"], linewidth=1, linestyle="--")
        limits = say("charts.change.limits")
        ax.step(places, table["upper"], where="mid", color=COLOURS["accent"], linewidth=1, linestyle="--", label=limits)
        ax.plot(places, table["centre"], color=COLOURS["ink"], linewidth=1, label=say("charts.change.centre"))
        _draw_periods(ax, table, (signal, mature))
        step = -(-len(names) // 13)
        ax.set_xticks(list(places)[::step], names[::step], fontsize=9)
        ax.set_ylim(0, 1.15 * float(table[["rate", "upper"]].max().max()))
        keep_ticks(ax.yaxis, *ax.get_ylim())
        percent_axis(ax.yaxis)
        ns = {"low": number(table["n"].min()), "high": number(table["n"].max())}
        ax.set_ylabel(wrap(say("charts.change.control_axis", **ns), 46))
        legend_above(ax)
    listed = {key: say("result.between").join(name for name, on in zip(names, flags, strict=True) if on) or "–"
              for key, flags in (("signals", signal), ("young", ~mature))}  # fmt: skip
    alt = say("charts.change.control_alt", title=title, n=len(table), centre=percent(table["centre"].iloc[0]), **listed)
    return Chart((ax,), alt, table)


def _draw_periods(ax: Any, table: pd.DataFrame, flags: Flags) -> None:
    signal, mature = flags
    looks = (
        (mature & ~signal, "o", COLOURS["n_advanced"], COLOURS["n_advanced"], "usual"),
        (signal, "D", COLOURS["accent"], COLOURS["accent"], "signal"),
        (~mature, "o", "white", GREY, "young"),
    )
    for on, marker, fill, edge, key in looks:
        if on.any():
            places = [place for place, shown in enumerate(on) if shown]
            ax.plot(places, table["rate"].to_numpy()[on], marker, mfc=fill, mec=edge, markersize=6, linestyle="",
                    label=say(f"charts.change.{key}"))  # fmt: skip


def loss_chart(found: Drawable, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw the share lost at each link within our reach and beyond it.

    Parameters
    ----------
    found : Result or DataFrame
        What `split_losses` gives.
    model : Funnel, optional
        Names the stages; that of the Result unless given.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names the words beside the bars.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    The words name both shares, n, and how many more would reach the end if the part within reach stopped.

    Examples
    --------
    >>> from funnelkit import split_losses
    >>> losses = pd.DataFrame({"link": ["order"], "n": [60], "n_lost": [30], "reason": ["bill"], "within": [True]})
    >>> loss_chart(split_losses(losses)).alt[-49:]
    'order: 50.0% and 0.0% of 60; would bring 30 more.'
    """
    table, model = drawn(found, model)
    return _losses(table, model, title or say("charts.change.loss_title"))


def _losses(table: pd.DataFrame, model: Funnel | None, title: str) -> Chart:
    with canvas(9.8, 1.6 + 0.48 * len(table), title) as ax:
        places, words = range(len(table)), [_loss_words(row) for row in table.to_dict("records")]
        near, far = table["within"].fillna(0), table["beyond"].fillna(0)
        within, beyond = (say(f"charts.change.{name}") for name in ("within", "beyond"))
        ax.barh(places, near, height=0.62, color=COLOURS["accent"], label=within)
        ax.barh(
            places, far, left=near, height=0.62, color=COLOURS["n_lost"], hatch="///", edgecolor="white", label=beyond
        )
        top = max(float((near + far).max()), 0.01)
        for place, text in enumerate(words):
            ax.text(near.iloc[place] + far.iloc[place] + 0.015 * top, place, text, va="center", fontsize=8.5)
        names = [wrap(stage_name(link, model), 24) for link in table["link"]]
        rows_axis(ax, names)
        ax.set_xlim(0, 1.85 * top)
        keep_ticks(ax.xaxis, 0, 1.05 * top)
        percent_axis(ax.xaxis)
        ax.set_xlabel(say("charts.change.loss_axis"))
        legend_above(ax, 2)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _loss_words(row: dict[str, Any]) -> str:
    if not row["n"]:
        return say("language.present.rate_none")
    values = {"within": percent(row["within"]), "beyond": percent(row["beyond"])}
    return say("charts.change.loss", n=number(row["n"]), regained=number(row["regained"]), **values)
