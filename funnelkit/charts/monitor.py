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
from funnelkit.language import joined, number, percent, say
from funnelkit.models import Funnel

Flags = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def monitor_chart(found: Drawable, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw the cumulative sums of observed minus expected against their limits.

    Parameters
    ----------
    found : Result or DataFrame
        What `monitor` gives, of the stages or of a table whose first column names the periods.
    model : Funnel, optional
        Names the stages; that of the Result unless given.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names the signals.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    Falls are drawn downwards, rises upwards, in parts of the limit; beyond it the scale is logarithmic. Of a table of
    periods the rates stand above: hollow points are not mature yet and have no verdict, a diamond is a signal.

    Examples
    --------
    >>> from funnelkit import monitor
    >>> months = pd.DataFrame({"month": range(13), "k": [30, 28, 33, 31] * 3 + [12], "n": [100] * 13})
    >>> monitor_chart(monitor(months)).alt.split(". ")[1]
    'Signals: 12'
    """
    table, model = drawn(found, model)
    if "measure" in table.columns:
        return _stages(table, model, title or say("charts.change.monitor_title"))
    return _periods(table, title or say("charts.change.periods_title"))


def _stages(table: pd.DataFrame, model: Funnel | None, title: str) -> Chart:
    table = table.reset_index(drop=True)
    signals, told = [], []
    with canvas(9.8, 4.6, title) as ax:
        for (code, measure), own in table.groupby([table["stage"].cat.codes, "measure"], sort=False):
            heights = _heights(own)
            on = bool(own["signal"].fillna(False).iloc[-1])
            ax.plot(own["period"], heights, color=COLOURS["accent"] if on else GREY, linewidth=1.8 if on else 0.8,
                    zorder=3 if on else 2)  # fmt: skip
            if on:
                every = say("analysis.monitor.all_stages")
                stage = every if code < 0 else stage_name(str(own["stage"].iloc[-1]), model)
                words = {"stage": stage, "measure": say(f"analysis.monitor.{measure}")}
                signals.append((heights.iloc[-1], say("charts.change.series", **words)))
                told.append((heights.iloc[-1], say("charts.change.series_told", **words)))
        _limit_lines(ax)
        _name_lines(ax, table["period"], signals)
        ax.set_ylabel(wrap(say("charts.change.sum_axis"), 46))
    named = joined(name for _, name in sorted(told)) or say("charts.change.none")
    series = len(table) // max(table["period"].nunique(), 1)
    return Chart((ax,), say("charts.change.monitor_alt", title=title, n=number(series), signals=named), table)


def _heights(table: pd.DataFrame) -> pd.Series[Any]:
    """Return the larger of the two sums, a fall as a negative number."""
    fall, rise = table["fall"].astype(float), table["rise"].astype(float)
    return rise.where(rise > fall, -fall)


def _limit_lines(ax: Any) -> None:
    ax.axhline(0, color=COLOURS["ink"], linewidth=0.8)
    for at in (-1, 1):
        ax.axhline(at, color=COLOURS["ink"], linewidth=1, linestyle="--",
                   label=say("charts.change.limits") if at > 0 else None)  # fmt: skip
    low, high = ax.get_ylim()
    ax.set_yscale("symlog", linthresh=1, linscale=1)
    ticks = [
        at for at in (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100) if 1.2 * low <= at <= 1.2 * high or abs(at) <= 1
    ]
    ax.set_ylim(min(1.2 * low, -1.3), max(1.2 * high, 1.3))
    ax.set_yticks(ticks, [number(at) for at in ticks])
    ax.minorticks_off()
    legend_above(ax)


def _name_lines(ax: Any, periods: pd.Series[Any], signals: list[tuple[float, str]]) -> None:
    """Write the names of the lines beyond their limits beside their ends, apart from each other; dates below."""
    days = sorted(periods.unique())
    ax.set_xlim(days[0], days[-1] + max((days[-1] - days[0]) * 0.42, pd.Timedelta(days=1)))
    ax.set_xticks(days[:: -(-len(days) // 7)], [f"{at:%Y-%m-%d}" for at in days[:: -(-len(days) // 7)]], fontsize=8)
    place = ax.transData + ax.transAxes.inverted()
    last = -1.0
    for height, name in sorted(signals):
        last = max(place.transform((0, height))[1], last + 0.075)
        ax.text(0.71, last, wrap(name, 34), transform=ax.transAxes, fontsize=8.5, va="center", color=COLOURS["accent"])


def _periods(table: pd.DataFrame, title: str) -> Chart:
    names, table = table.iloc[:, 0].astype(str).tolist(), table.reset_index(drop=True)
    signal, mature = (table[name].fillna(False).to_numpy(dtype=bool) for name in ("signal", "mature"))
    with canvas(9.8, 5.4, title, 2, 1, sharex=True, height_ratios=(3, 2)) as (above, below):
        places = range(len(table))
        above.plot(places, table["rate"], color=GREY, linewidth=1, zorder=1)
        usual = table["n_expected"] / table["n"].where(table["n"] > 0)
        above.plot(places, usual, color=COLOURS["ink"], linewidth=1, label=say("charts.change.centre"))
        _draw_periods(above, table, (signal, mature))
        above.set_ylim(0, 1.15 * max(float(table["rate"].max()), 0.01))
        keep_ticks(above.yaxis, *above.get_ylim())
        percent_axis(above.yaxis)
        ns = {"low": number(table["n"].min()), "high": number(table["n"].max())}
        above.set_ylabel(wrap(say("charts.change.periods_axis", **ns), 30))
        legend_above(above)
        below.plot(places, _heights(table), "o-", color=COLOURS["accent"], linewidth=1.2, markersize=3)
        _limit_lines(below)
        below.set_ylabel(wrap(say("charts.change.sum_axis"), 24))
        step = -(-len(names) // 13)
        below.set_xticks(list(places)[::step], names[::step], fontsize=9)
    listed = {key: [name for name, on in zip(names, flags, strict=True) if on] or say("charts.change.none")
              for key, flags in (("signals", signal), ("young", ~mature))}  # fmt: skip
    alt = say("charts.change.periods_alt", title=title, n=len(table), centre=percent(usual.dropna().median()), **listed)
    return Chart((above, below), alt, table)


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
    >>> loss_chart(split_losses(losses)).alt[-52:]
    'order: 50.0% avoidable, 0.0% not, of 60; 30 to gain.'
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
