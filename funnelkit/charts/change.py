"""Charts of change: against earlier periods and peers, the bridge from before to after, signal or noise, losses."""

import pandas as pd

from funnelkit.charts.style import COLOURS, Chart, drawn, new_figure, stage_labels, style, wrap
from funnelkit.language import change_text, number, percent, rate_text, say

GREY = "#7b8794"
_BACKING = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
_GRID = {"axis": "x", "color": "#e4e7eb"}


def finish(figure, title):
    """Set the title and fix the layout, so that every draw is alike."""
    figure.suptitle(wrap(title, 82), x=0.01, ha="left", fontsize=12.5)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def alt_text(title, rows):
    """Return the alt text: the title, then a sentence for each (name, words)."""
    said = [say("charts.change.alt_row", name=name, words=words) for name, words in rows]
    return " ".join(" ".join([title, *said]).split())


def keep_ticks(axis, low, high):
    """Keep the ticks from low to high only: those beyond are not drawn, yet take part in the layout."""
    axis.set_ticks([tick for tick in axis.get_ticklocs() if low <= tick <= high])


# --- against earlier periods -----------------------------------------------------------------------------------------


def compare_chart(found, model=None, title=None):
    """Draw the table of `compare_periods`: each stage's change with its interval, one panel a period compared with.

    A filled point is a clear change, a hollow one may be chance. Rows that cannot be compared say why. Returns a
    Chart whose alt text names every change.
    """
    table, model = drawn(found, model)
    groups = list(table.groupby("against", sort=False))
    title = title or say("charts.change.compare_title")
    with style():
        figure = new_figure(9.8, 1.7 + 0.56 * len(groups[0][1]))
        axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        ends = table[["change_low", "change_high"]].abs().max().max()
        reach = 1.08 * (ends if pd.notna(ends) and ends > 0 else 1.0)
        rows = []
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
        finish(figure, title)
    return Chart(tuple(axes), alt_text(title, rows), table)


def _draw_changes(ax, group, names):
    """Draw one panel; return (name, words) of each row."""
    rows = []
    ax.axvline(0, color=COLOURS["ink"], linewidth=0.8)
    for place, row in enumerate(group.to_dict("records")):
        words = _pair_words(row)
        if row["status"] == "compared" and pd.notna(row["change"]):
            colour = COLOURS["accent" if row["change"] < 0 else "n_advanced"] if row["clear"] else GREY
            ax.plot([row["change_low"], row["change_high"]], [place] * 2, color=colour, linewidth=2)
            ax.plot([row["change"]], [place], "o", color=colour, markersize=6, mfc=colour if row["clear"] else "white")
        ax.text(0, place + 0.33, words, va="center", ha="center", fontsize=7.5, bbox=_BACKING)
        known = row["status"] == "compared" and pd.notna(row["change"])
        said = say("charts.change.alt_change", change=change_text(row), words=words) if known else words
        rows.append((say("charts.change.alt_name", against=_against(row), stage=names[place]), said))
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}" if value else "0")
    ax.grid(**_GRID)
    return rows


def _against(row):
    return say(f"analysis.compare.{row['against']}")


def _pair_words(row):
    """Return the two rates with their n, or why there is nothing to compare."""
    if row["status"] != "compared":
        return say(f"charts.change.{row['status']}")
    if not row["n"] or not row["n_before"]:
        return say("charts.change.nobody")
    values = {"rate": percent(row["rate"]), "n": number(row["n"])}
    values |= {"before": percent(row["rate_before"]), "n_before": number(row["n_before"])}
    return say("charts.change.pair", **values)


# --- against peers ---------------------------------------------------------------------------------------------------


def peer_chart(table, model=None, title=None):
    """Draw the table of `compare_peers`: our rate and the peers', each with its interval, and the verdict beside."""
    title = title or say("charts.change.peers_title")
    with style():
        figure = new_figure(9.8, 1.9 + 0.8 * len(table))
        ax = figure.subplots()
        names, rows = stage_labels(table, model, 24), []
        ends = table[["high", "peer_high", "rate", "peer_rate"]].max().max()
        top = 1.06 * (float(ends) if pd.notna(ends) and ends > 0 else 1.0)
        for place, row in enumerate(table.to_dict("records")):
            words = _peer_words(row)
            label = place == 0
            _draw_rate(ax, row, place - 0.14, ("", COLOURS["n_advanced"], "o", label and say("labels.ours")))
            _draw_rate(ax, row, place + 0.14, ("peer_", GREY, "D", label and say("charts.change.peers")))
            ax.text(1.03 * top, place, "\n".join(words), va="center", ha="left", fontsize=8.5)
            rows.append((names[place].replace("\n", " "), say("result.between").join(words)))
        ax.set_yticks(range(len(table)), names)
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_xlim(0, 1.75 * top)
        keep_ticks(ax.xaxis, 0, top)
        ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
        ax.set_xlabel(say("charts.funnel.rate_axis"), loc="left")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8.5, frameon=False)
        ax.grid(**_GRID)
        finish(figure, title)
    return Chart((ax,), alt_text(title, rows), table)


def _draw_rate(ax, row, place, look):
    prefix, colour, marker, name = look
    rate, low, high = (row[f"{prefix}{part}"] for part in ("rate", "low", "high"))
    if pd.isna(rate):
        return
    ax.plot([low, high], [place] * 2, color=colour, linewidth=2)
    ax.plot([rate], [place], marker, color=colour, markersize=5.5, linestyle="", label=name or None)


def _peer_words(row):
    ours = say("charts.change.ours", rate=rate_text(row))
    if row["verdict"] == "no_peer":
        return [ours, say("charts.change.verdict_no_peer")]
    cases = "–" if pd.isna(row["n_peer_cases"]) else number(row["n_peer_cases"])
    theirs = say("charts.change.theirs", rate=percent(row["peer_rate"]), peers=row["n_peers"], n=cases)
    return [ours, theirs, say(f"charts.change.verdict_{row['verdict']}")]


# --- from before to after --------------------------------------------------------------------------------------------


def bridge_chart(table, start, title=None, unit="points"):
    """Draw a bridge: a bar for the start, one for each part of the change, one for the end.

    Takes name (as people read it), change and, where known, change_low and change_high: whiskers on the part's bar.
    `start` is the value before; `unit` is points (fractions are read as percentage points), count or money. Returns
    a Chart whose alt text names every part.
    """
    points = unit == "points"
    write = (lambda value: percent(value)) if points else (lambda value: number(value, 0 if unit == "money" else 1))
    title = title or say("charts.change.bridge_title")
    parts = table.to_dict("records")
    end = start + table["change"].sum()
    with style():
        figure = new_figure(9.8, 4.3)
        ax = figure.subplots()
        names = [say("charts.change.before"), *(row["name"] for row in parts), say("charts.change.after")]
        words = [write(start), *(_part_words(row, points, unit) for row in parts), write(end)]
        tops = _draw_bridge(ax, parts, start)
        span = max(*tops, 1e-12) - min(0.0, *tops)
        for place, (top, text) in enumerate(zip(tops, words, strict=True)):
            ax.text(place, top + 0.02 * span, text, ha="center", va="bottom", fontsize=8.5)
        columns = max(8, 118 // len(names))
        ax.set_xticks(range(len(names)), [wrap(name, columns) for name in names], fontsize=8.5)
        low, high = ax.get_ylim()
        ax.set_ylim(low, max(high, *tops) + 0.13 * span)
        keep_ticks(ax.yaxis, *ax.get_ylim())
        ax.yaxis.set_major_formatter(lambda value, _: percent(value, 0) if points else number(value))
        ax.set_ylabel(say(f"charts.change.bridge_{unit}"))
        ax.axhline(0, color=COLOURS["ink"], linewidth=0.8)
        finish(figure, title)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _draw_bridge(ax, parts, start):
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


def _part_words(row, points, unit):
    if points:
        return change_text(row).replace(" [", "\n[")
    decimals = 0 if unit == "money" else 1
    text = f"{row['change']:+,.{decimals}f}"
    if pd.notna(row.get("change_low")):
        text += f"\n[{row['change_low']:+,.{decimals}f}, {row['change_high']:+,.{decimals}f}]"
    return text


# --- signal or noise -------------------------------------------------------------------------------------------------


def control_chart(table, title=None):
    """Draw the table of `control_limits`: each period's rate, the limits of its usual variation, signals marked.

    The first column names the periods. Hollow points are not mature yet and have no verdict; a diamond is a signal.
    Returns a Chart whose alt text names centre, signals and what is not mature.
    """
    title = title or say("charts.change.control_title")
    names = table.iloc[:, 0].astype(str).tolist()
    signal, mature = (table[name].fillna(False).to_numpy(dtype=bool) for name in ("signal", "mature"))
    with style():
        figure = new_figure(9.8, 4.2)
        ax = figure.subplots()
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
        ax.yaxis.set_major_formatter(lambda value, _: percent(value, 0))
        ns = {"low": number(table["n"].min()), "high": number(table["n"].max())}
        ax.set_ylabel(wrap(say("charts.change.control_axis", **ns), 46))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, fontsize=8.5, frameon=False)
        finish(figure, title)
    listed = {key: say("result.between").join(name for name, on in zip(names, flags, strict=True) if on) or "–"
              for key, flags in (("signals", signal), ("young", ~mature))}  # fmt: skip
    alt = say("charts.change.control_alt", title=title, n=len(table), centre=percent(table["centre"].iloc[0]), **listed)
    return Chart((ax,), alt, table)


def _draw_periods(ax, table, flags):
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


# --- losses within reach and beyond ----------------------------------------------------------------------------------


def loss_chart(table, title=None):
    """Draw the table of `split_losses`: at each link the share lost within our reach and beyond it.

    The words beside a bar name both shares, n, and how many more would reach the end if the part within reach
    stopped. Returns a Chart whose alt text names them too.
    """
    title = title or say("charts.change.loss_title")
    with style():
        figure = new_figure(9.8, 1.6 + 0.48 * len(table))
        ax = figure.subplots()
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
        names = [wrap(str(link), 24) for link in table["link"]]
        ax.set_yticks(places, names)
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_xlim(0, 1.85 * top)
        keep_ticks(ax.xaxis, 0, 1.05 * top)
        ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
        ax.set_xlabel(say("charts.change.loss_axis"))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8.5, frameon=False)
        finish(figure, title)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _loss_words(row):
    if not row["n"]:
        return say("language.present.rate_none")
    values = {"within": percent(row["within"]), "beyond": percent(row["beyond"])}
    return say("charts.change.loss", n=number(row["n"]), regained=number(row["regained"]), **values)
