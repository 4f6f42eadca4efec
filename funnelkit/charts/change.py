"""Charts of change: against earlier periods and against peers, and the bridge from before to after."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis import Bridge
from funnelkit.charts.style import (
    BACKING,
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
from funnelkit.language import DataError, change_text, label, number, percent, rate_text, say, short_money
from funnelkit.models import Funnel
from funnelkit.result import table_of

# --- against earlier periods -----------------------------------------------------------------------------------------


def compare_chart(found: Drawable, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw each stage's change with its interval, one panel a period compared with.

    Parameters
    ----------
    found : Result or DataFrame
        What `compare_periods` gives.
    model : Funnel, optional
        Names the stages; that of the Result unless given.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names every change.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    A filled point is a clear change, a hollow one may be chance: the lines are the intervals that decide, wider than
    95 % where several changes are judged together. Rows that cannot be compared say why.

    Examples
    --------
    >>> from funnelkit import compare_periods, sample
    >>> compare_chart(compare_periods(sample())).alt.split("?")[0]
    'Which rates have changed clearly, and which only seem to'
    """
    table, model = drawn(found, model)
    return _compare(table, model, title or say("charts.change.compare_title"))


def _compare(table: pd.DataFrame, model: Funnel | None, title: str) -> Chart:
    groups = list(table.groupby("against", sort=False))
    with canvas(9.8, 1.7 + 0.56 * len(groups[0][1]), title, 1, len(groups), sharey=True, squeeze=False) as grid:
        axes = grid[0]
        ends = table[["change_low", "change_high"]].abs().max().max()
        reach = 1.08 * (ends if pd.notna(ends) and ends > 0 else 1.0)
        rows: list[tuple[str, str]] = []
        for ax, (against, group) in zip(axes, groups, strict=True):
            names = stage_labels(group, model, 20)
            rows += _draw_changes(ax, group, names)
            ax.set_xlim(-reach, reach)
            ax.set_title(say(f"analysis.compare.{against}"), fontsize=10, loc="left")
            ax.set_xlabel(say("charts.change.change_axis"))
            ax.set_yticks(range(len(group)), names)
            ax.set_ylim(len(group) - 0.4, -0.6)
        for ax in axes[1:]:
            ax.tick_params(axis="y", length=0, labelleft=False)
    return Chart(tuple(axes), alt_text(title, rows), table)


def _draw_changes(ax: Any, group: pd.DataFrame, names: list[str]) -> list[tuple[str, str]]:
    """Draw one panel; return (name, words) of each row."""
    rows = []
    ax.axvline(0, color=COLOURS["ink"], linewidth=0.8)
    for place, row in enumerate(group.to_dict("records")):
        words = _pair_words(row)
        if row["status"] == "compared" and pd.notna(row["change"]):
            colour = COLOURS["accent" if row["change"] < 0 else "n_advanced"] if row["clear"] else GREY
            ax.plot([row["change_low"], row["change_high"]], [place] * 2, color=colour, linewidth=2)
            ax.plot([row["change"]], [place], "o", color=colour, markersize=6, mfc=colour if row["clear"] else "white")
        ax.text(0, place + 0.33, words, va="center", ha="center", fontsize=7.5, bbox=BACKING)
        known = row["status"] == "compared" and pd.notna(row["change"])
        said = say("charts.change.alt_change", change=change_text(row), words=words) if known else words
        rows.append(
            (say("charts.change.alt_name", against=say(f"analysis.compare.{row['against']}"), stage=names[place]), said)
        )
    points_axis(ax.xaxis)
    ax.grid(**GRID)
    return rows


def _pair_words(row: dict[str, Any]) -> str:
    """Return the two rates with their n, or why there is nothing to compare."""
    values = {"rate": percent(row["rate"]), "n": number(row["n"])}
    values |= {"before": percent(row["rate_before"]), "n_before": number(row["n_before"])}
    return say(f"charts.change.{'pair' if row['status'] == 'compared' else row['status']}", **values)


# --- against peers ---------------------------------------------------------------------------------------------------


def peer_chart(found: Drawable, model: Funnel | None = None, title: str | None = None) -> Chart:
    """Draw our rate and the peers', each with its interval, and the verdict beside.

    Parameters
    ----------
    found : Result or DataFrame
        What `compare_peers` gives.
    model : Funnel, optional
        Names the stages; that of the Result unless given.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names every rate and verdict.

    Raises
    ------
    DataError
        For what is neither Result nor table.

    Notes
    -----
    A stage that no peer speaks of shows ours alone.

    Examples
    --------
    >>> from funnelkit import compare_peers
    >>> ours = pd.DataFrame({"stage": ["target"], "k": [100], "n": [1000]})
    >>> peer_chart(compare_peers(ours, pd.DataFrame({"stage": ["target"], "rate": [0.22], "n": [4000]}))).alt[-22:]
    '000), low only for us.'
    """
    table, model = drawn(found, model)
    return _peers(table, model, title or say("charts.change.peers_title"))


def _peers(table: pd.DataFrame, model: Funnel | None, title: str) -> Chart:
    with canvas(9.8, 1.9 + 0.8 * len(table), title) as ax:
        names, rows = stage_labels(table, model, 24), []
        ends = table[["high", "peer_high", "rate", "peer_rate"]].max().max()
        top = 1.06 * (float(ends) if pd.notna(ends) and ends > 0 else 1.0)
        for place, row in enumerate(table.to_dict("records")):
            words = _peer_words(row)
            named = (say("labels.ours"), say("charts.change.peers")) if place == 0 else (None, None)
            _draw_rate(ax, row, place - 0.14, ("", COLOURS["n_advanced"], "o", named[0]))
            _draw_rate(ax, row, place + 0.14, ("peer_", GREY, "D", named[1]))
            ax.text(1.03 * top, place, "\n".join(words), va="center", ha="left", fontsize=8.5)
            rows.append((names[place].replace("\n", " "), say("result.between").join(words)))
        rows_axis(ax, names)
        ax.set_xlim(0, 1.75 * top)
        keep_ticks(ax.xaxis, 0, top)
        percent_axis(ax.xaxis)
        ax.set_xlabel(say("charts.funnel.rate_axis"), loc="left")
        legend_above(ax, 2)
        ax.grid(**GRID)
    return Chart((ax,), alt_text(title, rows), table)


def _draw_rate(ax: Any, row: dict[str, Any], place: float, look: tuple[str, str, str, str | None]) -> None:
    prefix, colour, marker, name = look
    rate, low, high = (row[f"{prefix}{part}"] for part in ("rate", "low", "high"))
    if pd.isna(rate):
        return
    ax.plot([low, high], [place] * 2, color=colour, linewidth=2)
    ax.plot([rate], [place], marker, color=colour, markersize=5.5, linestyle="", label=name)


def _peer_words(row: dict[str, Any]) -> list[str]:
    ours = say("charts.change.ours", rate=rate_text(row))
    if row["verdict"] == "no_peer":
        return [ours, label("peers_no_peer")]
    cases = "–" if pd.isna(row["n_peer_cases"]) else number(row["n_peer_cases"])
    theirs = say("charts.change.theirs", rate=percent(row["peer_rate"]), peers=row["n_peers"], n=cases)
    return [ours, theirs, label(f"peers_{row['verdict']}")]


# --- from before to after --------------------------------------------------------------------------------------------


def bridge_chart(
    found: Drawable, start: float | None = None, title: str | None = None, unit: str | None = None
) -> Chart:
    """Draw a bridge: a bar for the start, one for each part of the change, one for the end.

    Parameters
    ----------
    found : Result or DataFrame
        What `split_change` or `waterfall` gives, or a table: name, change and, where known, change_low, change_high.
    start : float, optional, the value before; a Result knows it
    title : str, optional
    unit : {"points" (of fractions), "count", "money"}, optional; a Result knows it, of a table it is points

    Returns
    -------
    Chart
        Its alt text names every part.

    Raises
    ------
    DataError
        For what is neither Result nor table, or a table without `start`.

    Notes
    -----
    Falls are hatched: the direction does not hang on colour.

    Examples
    --------
    >>> bridge_chart(pd.DataFrame({"name": ["mix", "rate"], "change": [-0.1, 0.02]}), 0.5).alt[-13:]
    'After: 42.0%.'
    """
    if isinstance(found, Bridge):
        table, start, unit = found.parts(), found.start if start is None else start, unit or found.unit
    else:
        table = table_of(found)
    if start is None:
        raise DataError("no_start")
    currency = found.currency if isinstance(found, Bridge) else None
    return _bridge(table, start, title or say("charts.change.bridge_title"), unit or "points", currency)


def _bridge(table: pd.DataFrame, start: float, title: str, unit: str, currency: str | None) -> Chart:
    axis = say(f"charts.change.bridge_{unit}") + (f" ({currency})" if currency else "")
    parts = table.to_dict("records")
    end = start + table["change"].sum()
    with canvas(9.8, 4.3, title) as ax:
        names = [say("charts.change.before"), *(row["name"] for row in parts), say("charts.change.after")]
        words = [_level_words(start, unit), *(_part_words(row, unit) for row in parts), _level_words(end, unit)]
        tops = _draw_bridge(ax, parts, start)
        span = max(*tops, 1e-12) - min(0.0, *tops)
        for place, (top, text) in enumerate(zip(tops, words, strict=True)):
            ax.text(place, top + 0.02 * span, text, ha="center", va="bottom", fontsize=8.5)
        columns = max(8, 118 // len(names))
        ax.set_xticks(range(len(names)), [wrap(name, columns) for name in names], fontsize=8.5)
        low, high = ax.get_ylim()
        ax.set_ylim(low, max(high, *tops) + 0.13 * span)
        keep_ticks(ax.yaxis, *ax.get_ylim())
        _value_axis(ax.yaxis, unit)
        ax.set_ylabel(axis)
        ax.axhline(0, color=COLOURS["ink"], linewidth=0.8)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _draw_bridge(ax: Any, parts: list[dict[str, Any]], start: float) -> list[float]:
    """Draw the bars; return the height at which each one's words stand."""
    ax.bar([0], [start], width=0.62, color=GREY)
    level, tops = start, [start]
    for place, row in enumerate(parts, 1):
        after = level + row["change"]
        fall = row["change"] < 0
        ax.bar(
            [place], [abs(row["change"])], bottom=min(level, after), width=0.62, edgecolor="white",
            color=COLOURS["accent" if fall else "n_advanced"], hatch="///" if fall else None,
        )  # fmt: skip
        ax.plot([place - 0.69, place + 0.31], [level] * 2, color=COLOURS["ink"], linewidth=0.7)
        top = max(level, after)
        if pd.notna(row.get("change_low")):
            ends = [level + row["change_low"], level + row["change_high"]]
            ax.plot([place + 0.2] * 2, ends, color=COLOURS["ink"], linewidth=1.6)
            top = max(top, *ends)
        level, tops = after, [*tops, top]
    ax.bar([len(parts) + 1], [level], width=0.62, color=COLOURS["n_advanced"])
    ax.plot([len(parts) + 0.31, len(parts) + 0.69], [level] * 2, color=COLOURS["ink"], linewidth=0.7)
    return [*tops, max(level, 0.0)]


def _level_words(value: float, unit: str) -> str:
    if unit == "money":
        return _signed(value, unit).removeprefix("+")
    return percent(value) if unit == "points" else number(value, 1)


def _value_axis(axis: Any, unit: str) -> None:
    if unit == "money":
        axis.set_major_formatter(lambda value, _: short_money(value, None))  # the axis is labelled with the currency
    else:
        (percent_axis if unit == "points" else number_axis)(axis)


def _signed(value: float, unit: str) -> str:
    if unit == "money":
        return ("+" if value > 0 else "\u2212" if value < 0 else "") + short_money(abs(value), None)
    return ("+" if value > 0 else "") + number(value, 1)


def _part_words(row: dict[str, Any], unit: str) -> str:
    if unit == "points":
        return change_text(row).replace(" [", "\n[")
    text = _signed(row["change"], unit)
    if pd.notna(row.get("change_low")):
        text += f"\n[{_signed(row['change_low'], unit)}, {_signed(row['change_high'], unit)}]"
    return text
