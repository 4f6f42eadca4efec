"""Charts of time: stays in each stage, won / lost / open by age, cohorts at equal age, who waits too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from funnelkit.charts.style import (
    COLOURS,
    GREY,
    GRID,
    Chart,
    Drawable,
    alt_text,
    canvas,
    drawn,
    keep_ticks,
    legend_above,
    number_axis,
    percent_axis,
    points_axis,
    rows_axis,
    stage_labels,
    wrap,
)
from funnelkit.language import joined, number, percent, say
from funnelkit.models import Funnel
from funnelkit.result import table_of

_STATES = {"stuck": ("D", "accent"), "late": ("s", "accent"), "soon": ("^", "n_open"), "in_time": ("o", "n_advanced")}


def stay_chart(found: Drawable, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw when a quarter, half, three quarters have left each stage.

    Parameters
    ----------
    found : Result or DataFrame
        What `time_in_stage` gives.
    model : Funnel, optional
        Names the stages; that of the Result unless given.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names every median.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    The thick line is the 95 % interval of the median, the hollow diamond the median of finished stays only, which is
    too short. Stages that nobody entered are left out.

    Examples
    --------
    >>> from funnelkit import sample, time_in_stage
    >>> "days (n =" in stay_chart(time_in_stage(sample())).alt
    True
    """
    table, model = drawn(found, model)
    return _stays(table, model, title or say("charts.change.stay_title"))


def _stays(table: pd.DataFrame, model: Funnel | None, title: str) -> Chart:
    rows = table[table["n"] > 0].reset_index(drop=True)
    with canvas(9.8, 1.7 + 0.46 * len(rows), title) as ax:
        names, words = stage_labels(rows, model, 24), [_stay_words(row) for row in rows.to_dict("records")]
        ends = rows[["p75_days", "high_days", "median_days", "median_completed_days"]].max().max()
        top = 1.08 * (float(ends) if pd.notna(ends) and ends > 0 else 1.0)
        looks = [say(f"charts.change.{name}") for name in ("quartiles", "median", "finished")]
        for place, row in enumerate(rows.to_dict("records")):
            shown = [None] * 3 if place else looks
            low, high, median = row["low_days"], row["high_days"], row["median_days"]
            ax.plot([row["p25_days"], row["p75_days"]], [place] * 2, color=GREY, linewidth=1.2, label=shown[0])
            ax.plot([low, high], [place] * 2, color=COLOURS["n_advanced"], linewidth=4)
            ax.plot([median], [place], "o", color=COLOURS["n_advanced"], markersize=6, label=shown[1])
            ax.plot([row["median_completed_days"]], [place], "D", mfc="none", mec=COLOURS["accent"], markersize=7,
                    linestyle="", label=shown[2])  # fmt: skip
            ax.text(1.03 * top, place, words[place], va="center", fontsize=8.5)
        _days_axis(ax, names, (0, 1.75 * top), top)
        ax.set_xlabel(say("charts.change.stay_axis"))
        legend_above(ax, 3)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _days_axis(ax: Any, names: Sequence[str], limits: tuple[float, float], top: float) -> None:
    rows_axis(ax, names)
    ax.set_xlim(*limits)
    keep_ticks(ax.xaxis, 0, top)
    number_axis(ax.xaxis)
    ax.grid(**GRID)


def _stay_words(row: dict[str, Any]) -> str:
    values = {"n": number(row["n"]), "n_open": number(row["n_open"]), "days": number(row["median_days"], 1)}
    values |= {"low": number(row["low_days"], 1), "high": number(row["high_days"], 1)}
    return say("charts.change.stay", **values)


def curve_chart(found: Drawable, title: str | None = None, ages: Sequence[float] = (90, 180, 270)) -> Chart:
    """Draw the shares won, lost and still open by age, with intervals.

    Parameters
    ----------
    found : Result or DataFrame
        What `outcome_curves` gives, without `by`.
    title : str, optional
    ages : sequence of float
        Those that the alt text reads.

    Returns
    -------
    Chart
        Its alt text reads the curves at `ages`, in days.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    Steps, as the estimate is one: nothing is known between two exits.

    Examples
    --------
    >>> from funnelkit import outcome_curves, sample
    >>> "After 90 days: Won" in curve_chart(outcome_curves(sample())).alt
    True
    """
    return _curves(table_of(found), title or say("charts.change.curve_title"), ages)


def _curves(table: pd.DataFrame, title: str, ages: Sequence[float]) -> Chart:
    looks = {"won": ("n_advanced", "-"), "lost": ("ink", "--"), "open": ("n_open", ":")}
    with canvas(9.8, 4.4, title) as ax:
        for name, (colour, line) in looks.items():
            label = say(f"labels.{name}")
            ax.step(table["days"], table[name], where="post", color=COLOURS[colour], linestyle=line, label=label)
            low, high = table[f"{name}_low"], table[f"{name}_high"]
            ax.fill_between(table["days"], low, high, step="post", color=COLOURS[colour], alpha=0.15, linewidth=0)
        ax.set_xlim(0, float(table["days"].max()) or 1.0)
        ax.set_ylim(0, 1)
        percent_axis(ax.yaxis)
        ax.set_xlabel(say("charts.change.age_axis"))
        ax.set_ylabel(wrap(say("charts.change.curve_axis", n=number(table["n"].iloc[0])), 52))
        keep_ticks(ax.xaxis, *ax.get_xlim())
        legend_above(ax, 3, 9)
    rows = [(say("charts.change.at_age", days=number(age)), _shares(table, age)) for age in ages
            if age <= table["days"].max()]  # fmt: skip
    return Chart((ax,), alt_text(title, rows), table)


def _shares(table: pd.DataFrame, age: float) -> str:
    row = table[table["days"] <= age].iloc[-1]
    said = [f"{say(f'labels.{name}')} {percent(row[name])}" for name in ("won", "lost", "open")]
    return say("result.between").join(said)


def cohort_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw each cohort's raw rate, and its change at equal age against earlier ones.

    Parameters
    ----------
    found : Result or DataFrame
        What `compare_cohorts` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names the raw rates and the cohorts that differ clearly.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    Above, what people look at; below, the fair comparison with its interval, filled where it is clear. Cohorts that
    cannot be compared have no point below.

    Examples
    --------
    >>> from funnelkit import compare_cohorts, sample
    >>> len(cohort_chart(compare_cohorts(sample())).axes)
    2
    """
    return _cohorts(table_of(found), title or say("charts.change.cohort_title"))


def _cohorts(table: pd.DataFrame, title: str) -> Chart:
    places, names = range(len(table)), table["cohort"].astype(str).tolist()
    with canvas(9.8, 5.2, title, 2, 1, sharex=True) as (above, below):
        above.bar(places, table["raw"], width=0.7, color=COLOURS["n_lost"])
        above.set_ylabel(wrap(say("charts.change.raw_axis"), 28))
        percent_axis(above.yaxis)
        below.axhline(0, color=COLOURS["ink"], linewidth=0.8)
        for place, row in enumerate(table.to_dict("records")):
            colour = COLOURS["accent"] if row["clear"] else COLOURS["n_advanced"]
            below.plot([place] * 2, [row["change_low"], row["change_high"]], color=colour, linewidth=2)
            below.plot(
                [place], [row["change"]], "o", color=colour, markersize=6, mfc=colour if row["clear"] else "white"
            )
        points_axis(below.yaxis)
        below.set_ylabel(wrap(say("charts.change.equal_axis"), 28))
        step = -(-len(names) // 12)
        below.set_xticks(list(places)[::step], names[::step], fontsize=9)
        for ax in (above, below):
            keep_ticks(ax.yaxis, *ax.get_ylim())
        ns = {"low": number(table["n"].min()), "high": number(table["n"].max())}
        below.set_xlabel(say("charts.change.cohort_axis", **ns))
    clear = joined(table.loc[table["clear"], "cohort"]) or say("charts.change.none")
    values = {"first": percent(table["raw"].iloc[0]), "last": percent(table["raw"].iloc[-1]), "clear": clear}
    return Chart((above, below), say("charts.change.cohort_alt", title=title, n=len(table), **values), table)


def wait_chart(found: Drawable, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw every open deal at the days it has waited, beside the usual time of its stage.

    Parameters
    ----------
    found : Result or DataFrame
        What `stuck_deals` gives.
    model : Funnel, optional
        Names the stages; that of the Result unless given.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names, for each stage, how many wait and how many too long.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    Markers tell the state: stuck, late, soon, in time. Stages without open deals are left out.

    Examples
    --------
    >>> from funnelkit import sample, stuck_deals
    >>> wait_chart(stuck_deals(sample())).alt.startswith("Which open deals")
    True
    """
    table, model = drawn(found, model)
    return _waits(table, model, title or say("charts.change.wait_title"))


def _waits(table: pd.DataFrame, model: Funnel | None, title: str) -> Chart:
    groups = [(stage, group) for stage, group in table.groupby("stage", observed=True) if len(group)]
    with canvas(9.8, 1.7 + 0.5 * len(groups), title) as ax:
        names = stage_labels(pd.DataFrame({"stage": [stage for stage, _ in groups]}), model, 24)
        top = 1.06 * max(float(table["age_days"].max()), 1.0)
        words = [_wait_words(group) for _, group in groups]
        for place, (_, group) in enumerate(groups):
            usual = group["usual_days"].iloc[0]
            ax.plot([usual] * 2, [place - 0.36, place + 0.36], color=COLOURS["ink"], linewidth=1.4,
                    label=None if place else say("charts.change.usual_time"))  # fmt: skip
            ax.text(1.03 * top, place, words[place], va="center", fontsize=8.5)
        _draw_waits(ax, table, [stage for stage, _ in groups])
        _days_axis(ax, names, (0, 1.5 * top), top)
        ax.set_xlabel(say("charts.change.wait_axis"))
        legend_above(ax)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _draw_waits(ax: Any, table: pd.DataFrame, stages: list[Any]) -> None:
    place = table["stage"].astype("str").map({str(stage): at for at, stage in enumerate(stages)})
    state = table["state"].astype("str").replace("too_few", "in_time")
    for name, (marker, colour) in _STATES.items():
        on = state == name
        if on.any():
            ax.plot(table.loc[on, "age_days"], place[on], marker, color=COLOURS[colour], markersize=5, alpha=0.75,
                    linestyle="", label=say(f"charts.change.wait_{name}"))  # fmt: skip


def _wait_words(group: pd.DataFrame) -> str:
    late = group["state"].isin(["stuck", "late"]).sum()
    return say("charts.change.wait", n=number(len(group)), days=number(group["usual_days"].iloc[0]), late=number(late))
