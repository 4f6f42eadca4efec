"""Charts of what lies ahead: the fan of a forecast, its past record, the flow condition, the pace of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnelkit.charts.style import (
    COLOURS,
    GREY,
    Chart,
    alt_text,
    canvas,
    drawn,
    keep_ticks,
    legend_above,
    money_axis,
    number_axis,
    percent_axis,
    rows_axis,
    stage_labels,
    wrap,
)
from funnelkit.forecast import Forecast, first_forecast_day
from funnelkit.language import DataError, label, money, number, percent, say
from funnelkit.models import Funnel
from funnelkit.result import Result, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = ((0.95, "#dfe7ee"), (0.80, "#b4c8d8"), (0.50, "#86a6c0"))  # share of paths inside, and the band's colour
_GRID: dict[str, Any] = {"axis": "x", "color": "#e4e7eb"}


def forecast_chart(found: Forecast, title: str | None = None, target: float | None = None) -> Chart:
    """Draw a Forecast as a fan: won from now on by the end of each of its periods, with bands of 50, 80 and 95%.

    Parameters
    ----------
    found : Forecast
        Of `forecast_open`. Counts stand in for values where the source has none.
    target : float, optional
        A won value, drawn as a line; its odds go into the title.
    title : str, optional
        Instead of the chart's own.

    Returns
    -------
    Chart
        Its table has day, median, low_95 ... high_50 and open (cumulative); its alt text reads at most six days.

    Raises
    ------
    DataError
        For anything but a Forecast: a fan needs its paths.
    """
    if not isinstance(found, Forecast):
        raise DataError("needs_result", verb="forecast_open", found=type(found).__name__)
    measure = "value" if "value" in found.paths["total"] else "n_won"
    table, target = fan_table(found, measure), target if measure == "value" else None
    title = title or _fan_title(found, target)
    with canvas(9.8, 4.6, title) as ax:
        _draw_fan(ax, table, target)
        _fan_axes(ax, table, (measure, len(found.deals)), found.currency)
    return Chart((ax,), alt_text(title, _fan_rows(table, _writer(measure, found.currency))), table)


def _draw_fan(ax: Axes, table: pd.DataFrame, target: float | None) -> None:
    """Draw the bands, the two middle lines and the target; the dashed line is the middle of the open deals alone."""
    for band, colour in BANDS:
        ends = (table[f"low_{round(100 * band)}"], table[f"high_{round(100 * band)}"])
        shown = say("charts.forecast.band", band=round(100 * band))
        ax.fill_between(table["day"], *ends, color=colour, linewidth=0, label=shown)
    ax.plot(table["day"], table["median"], color=COLOURS["n_advanced"], label=say("charts.forecast.middle"))
    ax.plot(table["day"], table["open"], color=COLOURS["ink"], linestyle="--", linewidth=1.2,
            label=say("charts.forecast.open_middle"))  # fmt: skip
    if target is not None:
        ax.axhline(target, color=COLOURS["accent"], linewidth=1.4, label=say("charts.forecast.target"))


def fan_table(made: Forecast, measure: str = "value") -> pd.DataFrame:
    """Return the cumulative forecast.

    Parameters
    ----------
    made : Forecast
        Of `forecast_open`.
    measure : {"value", "n_won"}
        In money, or in deals.

    Returns
    -------
    DataFrame
        day, median, low and high of every band, open (median of the open deals). The first row is the day before the
        forecast begins, when nothing of it is won.
    """
    total, opened = (made.paths[part][measure].cumsum(axis=1) for part in ("total", "open"))
    ends = {f"{end}_{round(100 * band)}": np.quantile(total, q, axis=0) for band, _ in BANDS
            for end, q in (("low", (1 - band) / 2), ("high", (1 + band) / 2))}  # fmt: skip
    rows = pd.DataFrame({"day": made.ends["end"].to_numpy(), "median": np.median(total, axis=0), **ends})
    rows["open"] = np.median(opened, axis=0)
    start = pd.DataFrame({name: [0.0] for name in rows.columns}).assign(
        day=made.ends["start"].iloc[0] - pd.Timedelta(days=1)
    )
    return pd.concat([start, rows], ignore_index=True)


def _fan_title(made: Forecast, target: float | None) -> str:
    if target is None:
        return say("charts.forecast.fan_title")
    odds = percent(made.chance(target), 0)
    return say("charts.forecast.fan_title_target", target=money(target, made.currency), odds=odds)


def _fan_axes(ax: Axes, table: pd.DataFrame, what: tuple[str, int], currency: str | None) -> None:
    measure, n_open = what
    ax.set_xlim(table["day"].iloc[0], table["day"].iloc[-1])
    days = _apart(table["day"].tolist())
    ax.set_xticks(days, [f"{day:%Y-%m-%d}" for day in days], fontsize=9)
    _amounts(ax, measure, currency)
    ax.set_ylabel(wrap(say(f"charts.forecast.fan_{measure}"), 46))
    ax.set_xlabel(say("charts.forecast.fan_axis", n=number(n_open)))
    legend_above(ax, 3)


def _apart(days: list[pd.Timestamp]) -> list[pd.Timestamp]:
    """Return the days to name on the axis, from the last one back, none closer than an eighth of the whole."""
    least, kept = (days[-1] - days[0]) / 8, [days[-1]]
    for day in days[-2::-1]:
        if kept[-1] - day >= least:
            kept.append(day)
    return kept[::-1]


def _writer(measure: str, currency: str | None) -> Callable[[float], str]:
    """Return what writes an amount of a measure as people read it."""
    return partial(money, currency=currency) if measure == "value" else number


def _fan_rows(table: pd.DataFrame, write: Callable[[float], str]) -> list[tuple[str, str]]:
    ahead = table.iloc[1:]
    step = -(-len(ahead) // 6)
    rows = []
    for row in ahead.iloc[::-1].iloc[::step].iloc[::-1].to_dict("records"):
        values = {"median": write(row["median"]), "low": write(row["low_80"]), "high": write(row["high_80"])}
        values |= {"wide_low": write(row["low_95"]), "wide_high": write(row["high_95"])}
        name = say("charts.forecast.by_day", day=f"{row['day']:%Y-%m-%d}")
        rows.append((name, say("charts.forecast.fan_row", **values)))
    return rows


# --- the past record -------------------------------------------------------------------------------------------------


def backtest_chart(found: Result | pd.DataFrame, title: str | None = None, measure: str | None = None) -> Chart:
    """Draw a backtest: each past period's 80% band, what came, and what plain methods said.

    Parameters
    ----------
    found : Result or DataFrame
        Of `backtest`.
    measure : {"value", "n_won"}, optional
        Value where the source has amounts.
    title : str, optional
        Instead of the chart's own.

    Returns
    -------
    Chart
        A dot is inside the band, a diamond outside; the alt text names band and outcome of every period.
    """
    table, currency = table_of(found), None if isinstance(found, pd.DataFrame) else found.currency
    measure = measure or ("value" if (table["measure"] == "value").any() else "n_won")
    rows = table[(table["part"] == "total") & (table["measure"] == measure)]
    own, title = rows[rows["method"] == "forecast"], title or say("charts.forecast.past_title")
    names = [
        f"{first_forecast_day(origin, end):%Y-%m-%d}" for origin, end in zip(own["origin"], own["end"], strict=True)
    ]
    with canvas(9.8, 4.4, title) as ax:
        _draw_record(ax, rows, own)
        step = -(-len(names) // 8)
        ax.set_xticks(np.arange(len(own))[::step], names[::step], fontsize=9)
        _amounts(ax, measure, currency)
        ax.set_ylabel(wrap(say(f"charts.forecast.past_{measure}"), 46))
        ax.set_xlabel(say("charts.forecast.past_axis", n=number(len(own))))
        legend_above(ax, 3)
    write = _writer(measure, currency)
    said = [say("charts.forecast.past_row", low=write(row["low_80"]), high=write(row["high_80"]),
                actual=write(row["actual"])) for row in own.to_dict("records")]  # fmt: skip
    return Chart((ax,), alt_text(title, list(zip(names, said, strict=True))), rows)


def _draw_record(ax: Axes, rows: pd.DataFrame, own: pd.DataFrame) -> None:
    """Draw the bands, what plain methods said, and what came."""
    places, held = np.arange(len(own)), own["in_80"].to_numpy() == 1
    ax.bar(places, own["high_80"] - own["low_80"], bottom=own["low_80"], width=0.62, color=COLOURS["n_advanced"],
           alpha=0.3, label=say("charts.forecast.band_80"))  # fmt: skip
    _draw_plain(ax, rows, own["origin"].tolist())
    for on, marker, colour, key in ((held, "o", "n_advanced", "came_in"), (~held, "D", "accent", "came_out")):
        if on.any():
            ax.plot(places[on], own["actual"].to_numpy()[on], marker, color=COLOURS[colour], markersize=7,
                    linestyle="", clip_on=False, zorder=4, label=say(f"charts.forecast.{key}"))  # fmt: skip


def _amounts(ax: Axes, measure: str, currency: str | None) -> None:
    """Let the axis begin at 0 and write its numbers as people read them."""
    ax.set_ylim(0, None)
    if measure == "value" and currency:
        money_axis(ax.yaxis, currency)
    else:
        number_axis(ax.yaxis)
    keep_ticks(ax.yaxis, *ax.get_ylim())


def _draw_plain(ax: Axes, rows: pd.DataFrame, origins: list[Any]) -> None:
    for method, marker, colour in (("weighted", "^", COLOURS["n_open"]), ("seasonal", "x", GREY)):
        plain = rows[(rows["method"] == method) & rows["mean"].notna()]
        if len(plain):
            places = [origins.index(origin) for origin in plain["origin"]]
            ax.plot(places, plain["mean"], marker, color=colour, markersize=7, linestyle="",
                    label=say(f"charts.forecast.{method}"))  # fmt: skip


# --- the second condition --------------------------------------------------------------------------------------------


def flow_chart(found: Result | pd.DataFrame, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw the flow rows of `health`: promotions over those expected, of all stages and of each, in the usual range.

    Parameters
    ----------
    found : Result or DataFrame
        Of `health`.
    model : Funnel, optional
        Names the stages of a table.
    title : str, optional
        Instead of the chart's own.

    Returns
    -------
    Chart
        A diamond lies outside the range; a stage with too few to judge has a hollow dot and no range. The alt text
        names every count and verdict.
    """
    table, model = drawn(found, model)
    rows = table[table["condition"] == "flow"].reset_index(drop=True)
    title = title or say("charts.forecast.flow_title")
    with canvas(9.8, 1.8 + 0.46 * len(rows), title) as ax:
        names = [say("forecast.health.all_stages"), *stage_labels(rows.iloc[1:], model, 24)]
        words = [_flow_words(row) for row in rows.to_dict("records")]
        top = 1.08 * float(np.nanmax([*rows["figure"], *rows["high"], 1.0]))
        ax.axvline(1, color=COLOURS["ink"], linewidth=0.8)
        ax.barh(rows.index, rows["high"] - rows["low"], left=rows["low"], height=0.5, color=COLOURS["n_lost"])
        _draw_flow(ax, rows)
        _write_rows(ax, (names, words), top)
        percent_axis(ax.xaxis)
        ax.set_xlabel(wrap(say("charts.forecast.flow_axis"), 90))
        legend_above(ax, 3)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), rows)


def _draw_flow(ax: Axes, rows: pd.DataFrame) -> None:
    few, usual = rows["verdict"] == "too_few", rows["verdict"] == "moving"
    looks = (
        (usual, "o", COLOURS["n_advanced"], "flow_usual"),
        (~usual & ~few, "D", COLOURS["accent"], "flow_signal"),
        (few, "o", "white", "flow_few"),
    )
    for on, marker, fill, key in looks:
        if on.any():
            ax.plot(rows.loc[on, "figure"], rows.index[on], marker, mfc=fill, mec=GREY if key == "flow_few" else fill,
                    markersize=7, linestyle="", label=say(f"charts.forecast.{key}"))  # fmt: skip


def _flow_words(row: Mapping[Any, Any]) -> str:
    values = {"n": number(row["n"]), "expected": number(row["n_expected"], 1), "verdict": label(row["verdict"])}
    return say("charts.forecast.flow_row", **values)


def _write_rows(ax: Axes, texts: tuple[list[str], list[str]], top: float) -> None:
    """Name the rows on the left and write the words of each on the right."""
    names, words = texts
    for place, text in enumerate(words):
        ax.text(1.03 * top, place, text, va="center", fontsize=8.5)
    rows_axis(ax, names)
    ax.set_xlim(0, 1.7 * top)
    keep_ticks(ax.xaxis, 0, top)
    ax.grid(**_GRID)


# --- the pace of a plan ----------------------------------------------------------------------------------------------


def pace_chart(found: Result | pd.DataFrame, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw a plan of `solve_target`: entries a week that it needs, beside those of the last 13 weeks.

    Parameters
    ----------
    found : TargetPlan or DataFrame
        Of `solve_target`.
    model : Funnel, optional
        Names the stages of a table.
    title : str, optional
        Instead of the chart's own.

    Returns
    -------
    Chart
        A plan that no number of entries reaches has the past only. The alt text names both paces.
    """
    table, model = drawn(found, model)
    title = title or say("charts.forecast.pace_title")
    with canvas(9.8, 1.8 + 0.46 * len(table), title) as ax:
        names, places = stage_labels(table, model, 24), range(len(table))
        words = [_pace_words(row) for row in table.to_dict("records")]
        top = 1.08 * max(float(table[["per_week", "past_per_week"]].max().max()), 1e-9)
        ax.barh(places, table["past_per_week"], height=0.56, color=COLOURS["n_lost"],
                label=say("charts.forecast.pace_past"))  # fmt: skip
        ax.plot(table["per_week"], places, "D", color=COLOURS["n_advanced"], markersize=7, linestyle="",
                label=say("charts.forecast.pace_plan"))  # fmt: skip
        _write_rows(ax, (names, words), top)
        ax.xaxis.set_major_formatter(lambda value, _: number(value, 0 if top > 3 else 1))
        ax.set_xlabel(say("charts.forecast.pace_axis"))
        legend_above(ax, 2)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _pace_words(row: Mapping[Any, Any]) -> str:
    key = "pace_none" if pd.isna(row["per_week"]) else "pace_row"
    return say(f"charts.forecast.{key}", plan=number(row["per_week"], 1), past=number(row["past_per_week"], 1))
