"""Charts of ways through an event log: where journeys end, the ways between two steps, events by position."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from funnelkit.charts.style import BACKING, COLOURS, GREY, Chart, Drawable, alt_text, canvas, percent_axis, wrap
from funnelkit.events import Journeys
from funnelkit.language import number, percent, say
from funnelkit.result import Result, table_of

_WAYS = 12  # drawn one by one; the rest would be hairlines
_PLACES = 7  # columns of events between the two steps
_END = "\x00"  # the last step, apart from an event of any name
_ROWS = 12  # events of a matrix

# (column, event) to [where the next band arrives, where the next one leaves, bottom], from the top down
_Places: TypeAlias = dict[tuple[int, str], list[float]]


def journey_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw where journeys go: at each step a bar, of which bands lead on, down (no further) and stay open.

    Parameters
    ----------
    found : Result or DataFrame
        What `journeys` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text says of each step how many reached it, went no further, and are open.
    """
    steps: list[str] = list(getattr(found, "steps", ()))
    optional = found.rule.optional if isinstance(found, Journeys) else ()
    return _journey(table_of(found), steps, optional, title or say("charts.events.journey_title"))


def _journey(table: pd.DataFrame, steps: list[str], optional: Sequence[str], title: str) -> Chart:
    steps = steps or [str(place) for place in range(1, 1 + sum(name.startswith("at_") for name in table.columns))]
    places = [place for place, step in enumerate(steps, 1) if step not in optional]
    at = [table["depth"] == place for place in places]
    n_open = [int((here & table["is_open"]).sum()) for here in at]
    ended = [int(here.sum()) - still for here, still in zip(at, n_open, strict=True)]
    reached = [int((table["depth"] >= place).sum()) for place in places]
    whole, needed = max(1, reached[0] if reached else 0), [steps[place - 1] for place in places]
    with canvas(max(8.0, 1.9 * len(places)), 4.4, title) as ax:
        for place, n in enumerate(reached):
            ax.bar(place, n / whole, 0.16, bottom=1 - n / whole, color=COLOURS["ink"])
            if place + 1 < len(reached):
                _bands(ax, place, (reached[place + 1] / whole, n_open[place] / whole, ended[place] / whole))
        made = _optional_words(ax, table, steps, places)
        names = [f"{wrap(step, 20)}\n{number(n)}" for step, n in zip(needed, reached, strict=True)]
        ax.set_xticks(range(len(names)), names, fontsize=9)
        ax.set_xlim(-0.3, len(names) - 0.5)
        ax.set_ylim(-0.42, 1.02)
        ax.set_yticks([])
        ax.spines[["left", "bottom"]].set_visible(False)
        _band_legend(ax)
    words = [
        say("charts.events.journey_row", n=number(n), ended=number(no), n_open=number(still))
        for n, no, still in zip(reached, [*ended[:-1], 0], [*n_open[:-1], 0], strict=True)
    ]
    return Chart((ax,), alt_text(title, [*zip(needed, words, strict=True), *made]), table)


def _optional_words(ax: Any, table: pd.DataFrame, steps: list[str], places: list[int]) -> list[tuple[str, str]]:
    """Write beside the bars who made each step that may be left out; return (step, words)."""
    rows = []
    for place in range(len(places) - 1):
        between = range(places[place] + 1, places[place + 1])
        here = [(say("events.count.optional", step=steps[at - 1]), table[f"at_{at}"].count()) for at in between]
        rows += [(step, say("charts.events.made", n=number(n))) for step, n in here]
        if here:
            said = "\n".join(wrap(f"{step} {number(n)}", 30) for step, n in here)
            ax.text(place + 0.5, 0.98, said, ha="center", va="top", fontsize=8, bbox=BACKING)
    return rows


def _bands(ax: Any, place: int, shares: tuple[float, float, float]) -> None:
    """Draw the bands from one bar to the next: onward at the top, open and ended bent down."""
    onward, still, no_further = shares
    left, right, top = place + 0.08, place + 0.92, 1.0
    ax.fill_between([left, right], [top - onward] * 2, [top] * 2, color=COLOURS["n_advanced"], alpha=0.55, linewidth=0)
    below = top - onward
    for share, colour, fall in ((still, COLOURS["n_open"], 0.12), (no_further, COLOURS["n_lost"], 0.3)):
        x = np.linspace(left, left + 0.62, 40)
        bent = below - fall * (1 - np.cos(np.pi * (x - left) / 0.62)) / 2
        if share > 0:
            ax.fill_between(x, bent - share, bent, color=colour, alpha=0.85, linewidth=0)
        below -= share


def _band_legend(ax: Any) -> None:
    from matplotlib.patches import Patch

    names = ("n_advanced", "n_open", "n_lost")
    ax.legend([Patch(color=COLOURS[name]) for name in names], [say(f"charts.events.band_{name}") for name in names],
              loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8.5, frameon=False)  # fmt: skip


def path_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw the ways between two steps as bands from event to event, as wide as their share.

    Parameters
    ----------
    found : Result or DataFrame
        What `paths_between` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text reads every way.

    Notes
    -----
    The twelve most frequent ways; the share of those left out is in the axis title. Events after the seventh of a way
    are drawn as one.
    """
    ends = _ends(found)
    return _path(table_of(found), ends, title or say("charts.events.path_title", **ends))


def _ends(found: Drawable) -> dict[str, str]:
    """Return the names of the two steps, as far as they are known."""
    known = found.values if isinstance(found, Result) else {}
    return {name: str(known.get(name, say(f"charts.events.{name}_step"))) for name in ("first", "last")}


def _path(table: pd.DataFrame, ends: dict[str, str], title: str) -> Chart:
    rows = table.head(_WAYS).to_dict("records")
    total = sum(row["share"] for row in rows)
    # Drawn as shares of what is drawn: where ways are many, those of all would be hairlines.
    ways = [([ends["first"], *_events(row["path"]), _END], row["share"] / total) for row in rows]
    longest = max([2, *(len(way) for way, _ in ways)])
    with canvas(min(12.0, 3.2 + 1.7 * longest), 4.6, title) as ax:
        places = _nodes(ax, ways, ends["last"], total)
        lowest = min([0.0, *(bottom for _, _, bottom in places.values())])
        _ribbons(ax, ways, places)
        ax.set_xlim(-0.4, longest - 0.4)
        ax.set_xticks([])
        ax.set_ylim(lowest - 0.03, 1.3)
        ax.set_yticks([])
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.set_xlabel(say("charts.events.path_axis", n=number(len(rows)), share=percent(total)))
    words = [(row["path"] or say("events.paths.direct"), _way_words(row)) for row in rows]
    return Chart((ax,), alt_text(title, words), table)


def _events(path: str) -> list[str]:
    events = path.split(" > ") if path else []
    return events if len(events) <= _PLACES else [*events[: _PLACES - 1], "…"]


def _way_words(row: dict[str, Any]) -> str:
    return say("charts.events.path_row", n=number(row["n"]), share=percent(row["share"]))


def _nodes(ax: Any, ways: list[tuple[list[str], float]], last: str, total: float) -> _Places:
    """Draw the nodes column by column, the largest at the top, with their share of all; return where each stands."""
    weight: dict[int, Counter[str]] = defaultdict(Counter)
    for way, share in ways:
        for column, event in enumerate(way):
            weight[column][event] += share  # type: ignore[assignment]
    places = {}
    for column, events in weight.items():
        top = 1.2
        for event, share in sorted(events.items(), key=lambda pair: (-pair[1], pair[0])):
            ax.bar(column, share, 0.12, bottom=top - share, color=COLOURS["ink"] if event == _END else GREY)
            name = last if event == _END else event
            ax.annotate(f"{wrap(name, 19, most=1)} {_short(share * total)}", (column, top), (0, 2),
                        textcoords="offset points", ha="center", fontsize=8, va="bottom")  # fmt: skip
            places[column, event] = [top, top, top - share]
            top -= share + 0.12
    return places


def _ribbons(ax: Any, ways: list[tuple[list[str], float]], places: _Places) -> None:
    flows: dict[tuple[int, str, str], float] = defaultdict(float)
    for way, share in ways:
        for column, (one, other) in enumerate(pairwise(way)):
            flows[column, one, other] += share
    for (column, one, other), share in sorted(flows.items(), key=lambda pair: (pair[0][0], -pair[1])):
        start, end = places[column, one], places[column + 1, other]
        x = np.linspace(column + 0.06, column + 0.94, 40)
        bend = (1 - np.cos(np.pi * (x - column - 0.06) / 0.88)) / 2
        top = start[1] + (end[0] - start[1]) * bend
        colour = COLOURS["n_advanced"] if other == _END else "#8fb3cf"
        ax.fill_between(x, top - share, top, color=colour, alpha=0.5, linewidth=0)
        start[1] -= share
        end[0] -= share


def step_matrix_chart(found: Drawable, title: str | None = None) -> Chart:
    """Draw which events stand at which position after a step: a row an event, a column a position.

    Parameters
    ----------
    found : Result or DataFrame
        What `step_matrix` gives.
    title : str, optional

    Returns
    -------
    Chart
        Its alt text names the most frequent event of each position.
    """
    ends = _ends(found)
    return _matrix(table_of(found), ends, title or say("charts.events.matrix_title", **ends))


def _matrix(table: pd.DataFrame, ends: dict[str, str], title: str) -> Chart:
    shares = _shares(table, ends["last"])
    with canvas(max(6.4, 3.6 + 0.9 * shares.shape[1]), 1.8 + 0.4 * len(shares), title) as ax:
        drawn = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(shares.to_numpy()):
            if share > 0:
                colour = "white" if share > 0.6 else COLOURS["ink"]
                ax.text(column, row, _short(share), ha="center", va="center", fontsize=8.5, color=colour)
        ax.set_yticks(range(len(shares)), [wrap(str(event), 26) for event in shares.index])
        ax.set_xticks(range(shares.shape[1]), [number(position) for position in shares.columns])
        ax.set_xlabel(say("charts.events.matrix_axis", **ends))
        bar = ax.figure.colorbar(drawn, ax=ax)
        percent_axis(bar.ax.yaxis)
    rows = [
        (say("charts.events.position", position=number(position)), _top_words(shares[position]))
        for position in shares.columns
    ]
    return Chart((ax,), alt_text(title, rows), table)


def _shares(table: pd.DataFrame, last: str) -> pd.DataFrame:
    """Return event by position, the last step at the bottom; of many events the rarest are one row, above it."""
    shares = table.pivot_table(index="event", columns="position", values="share", sort=False, fill_value=0.0)
    shares = shares.sort_index(axis=1)
    arrived = shares[shares.index == last]
    others = shares.drop(index=arrived.index)
    rare = others.sum(axis=1).sort_values(ascending=False, kind="stable").index[_ROWS - 2 :]
    if len(rare) > 1:
        folded = others.loc[rare].sum().to_frame(say("charts.events.others")).T
        others = pd.concat([others.drop(index=rare), folded])
    return pd.concat([others, arrived]).rename_axis("event")


def _short(share: float) -> str:
    return percent(share, 0) if share >= 0.005 else "<1%"


def _top_words(shares: pd.Series[Any]) -> str:
    return say("charts.events.top", event=str(shares.idxmax()), share=percent(float(shares.max())))
