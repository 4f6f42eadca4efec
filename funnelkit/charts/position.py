"""Charts of positioning: the perceptual map, the SPACE profile, adopters over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.charts.picture import Found, StagedChart
from funnelkit.charts.style import (
    COLOURS,
    Chart,
    alt_text,
    legend_above,
    new_figure,
    number_axis,
    rows_axis,
    style,
    wrap,
)
from funnelkit.language import DataError, number, percent, points, say, width
from funnelkit.models import funnel
from funnelkit.planning import PerceptualMap
from funnelkit.result import Result, table_of
from funnelkit.stats import leaders

HALF = np.array([4.0, 2.9])  # half the plane's sides in inches: a unit is as long across as up, so distances compare
GROUPS = ("#1d4259", "#2f6690", "#6d9dc5", "#a9c5dd", "#c9ced6")  # adopter groups, early to late


def map_chart(found: PerceptualMap, *, ours: str | None = None) -> Chart:
    """Draw a perceptual map: products as points, attributes as arrows, the weighted needs as a thick arrow.

    Parameters
    ----------
    found : PerceptualMap
        Of `perceptual_map`.
    ours : str, optional
        Our product's name, drawn in the accent colour; that of `found` without it.

    Returns
    -------
    Chart
        Its axes carry the shares of variance that they show.

    Raises
    ------
    DataError
        For a table alone, which does not hold the shares.
    """
    if not isinstance(found, PerceptualMap):
        raise DataError("needs_result", verb="perceptual_map", found=type(found).__name__)
    return _MapChart(ours=ours or found.values.get("ours")).chart(found)


class _MapChart(StagedChart):
    """A biplot; names that would cover each other are pushed apart, up and down."""

    def __init__(self, *, ours: str | None = None) -> None:
        super().__init__()
        self.ours = ours

    def _draw(self, found: PerceptualMap) -> None:
        ax = new_figure(8.6, 6.6).subplots()
        ax.axhline(0, color="#e4e7eb", linewidth=1, zorder=0)
        ax.axvline(0, color="#e4e7eb", linewidth=1, zorder=0)
        kinds = found.table["kind"]
        self.points = ax.scatter([], [], s=60, zorder=3)
        self.arrows = [ax.annotate("", (0, 0), (0, 0), arrowprops=_arrow(kind)) for kind in kinds if kind != "product"]
        self.names = [ax.text(0, 0, "", fontsize=9.5, ha="center", va="center", zorder=4) for _ in kinds]
        ax.set_xlabel(" ")
        ax.set_ylabel(" ")
        ax.set_xticks([])
        ax.set_yticks([])
        self.axes = (ax,)

    def _move(self, found: PerceptualMap) -> None:
        table = found.table
        places = _scaled(table)
        self._place(table, places)
        unit = _unit(places)
        self.axes[0].set_xlim(-HALF[0] * unit, HALF[0] * unit)
        self.axes[0].set_ylim(-HALF[1] * unit, HALF[1] * unit)
        shares = [*found.explained, 0.0][:2]
        for axis, share, name in zip("xy", shares, ("right", "up"), strict=True):
            getattr(self.axes[0], f"set_{axis}label")(say(f"charts.position.axis_{name}", share=percent(share)))
        best = table["name"].iloc[leaders(table["score"].to_numpy())].tolist()
        key = "charts.position.map_title" if len(best) == 1 else "charts.position.map_title_tied"
        self.title = say(key, name=best[0], names=best, shown=percent(sum(shares)))

    def _place(self, table: pd.DataFrame, places: NDArray[np.float64]) -> None:
        products = (table["kind"] == "product").to_numpy()
        self.points.set_offsets(places[products])
        names = table.loc[products, "name"]
        self.points.set_facecolor([COLOURS["accent" if name == self.ours else "n_advanced"] for name in names])
        for arrow, end in zip(self.arrows, places[~products], strict=True):
            arrow.xy = tuple(end)
        spots = _apart(places, products, [width(self._name(row)) for row in table.to_dict("records")])
        for text, row, spot in zip(self.names, table.to_dict("records"), spots, strict=True):
            text.set_text(self._name(row))
            text.set_position(spot)
            text.set_color(self._colour(row))

    def _name(self, row: Mapping[Any, Any]) -> str:
        return say("charts.position.needs") if row["kind"] == "needs" else wrap(row["name"], 24)

    def _colour(self, row: Mapping[Any, Any]) -> str:
        if row["kind"] == "product":
            return COLOURS["accent" if row["name"] == self.ours else "ink"]
        return COLOURS["n_open"] if row["kind"] == "needs" else "#5b6773"

    def alt(self, found: PerceptualMap) -> str:
        """Return the alt text: the finding and where every product and attribute lies."""
        rows = found.table
        names = [self._name(row).replace("\n", " ") for row in rows.to_dict("records")]
        places = [say("result.between").join([number(x, 2), number(y, 2)]) for x, y in rows[["x", "y"]].to_numpy()]
        return alt_text(self.title, list(zip(names, places, strict=True)))


def _arrow(kind: str) -> dict[str, Any]:
    if kind == "needs":
        return {"arrowstyle": "->", "color": COLOURS["n_open"], "linewidth": 3}
    return {"arrowstyle": "->", "color": "#9aa5b1", "linewidth": 1.2}


def _scaled(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return places with the arrows stretched to a share of the products' reach; directions stay."""
    places: NDArray[np.float64] = table[["x", "y"]].to_numpy(float).copy()
    products = (table["kind"] == "product").to_numpy()
    length = np.hypot(*places[products].T).max()
    attributes = (table["kind"] == "attribute").to_numpy()
    places[attributes] *= 0.85 * length / max(np.hypot(*places[attributes].T).max(), 1e-12)
    needs = (table["kind"] == "needs").to_numpy()
    places[needs] *= 0.7 * length / max(np.hypot(*places[needs].T).max(), 1e-12)
    return places


def _unit(places: NDArray[np.float64]) -> float:
    """Return how much of the map's scale one inch shows, so that every place and its name lie within."""
    return float((np.abs(places) / HALF).max() * 1.25) or 1.0


def _apart(places: NDArray[np.float64], products: NDArray[np.bool_], widths: list[int]) -> NDArray[np.float64]:
    """Return where names stand: above their point, beyond their arrow's end, moved where two would meet."""
    unit = _unit(places)
    length = np.maximum(np.hypot(*places.T), 1e-12)[:, None]
    beyond = places / length * np.column_stack([0.12 + 0.042 * np.array(widths), np.full(len(places), 0.2)]) * unit
    above = places + np.array([0, 0.19 * unit])
    spots: NDArray[np.float64] = np.where(products[:, None], above, places + beyond)
    gap = np.array([1.3, 0.21]) * unit
    for place in np.flatnonzero(~products):
        covered = (np.abs(places[products] - spots[place]) < gap * [0.6, 0.8]).all(axis=1)
        if covered.any():
            spots[place, 1] = places[products][covered, 1].min() - gap[1]
    order = np.argsort(spots[:, 1], kind="stable")
    for at, place in enumerate(order):
        for other in order[:at]:
            if (np.abs(spots[place] - spots[other]) < gap).all():
                spots[place, 1] = spots[other, 1] + gap[1]
    return spots


def space_chart(found: Found, ours: str | None = None, title: str | None = None) -> Chart:
    """Draw a SPACE profile: our rating and the best rival's on each dimension.

    Parameters
    ----------
    found : Result or DataFrame
        Of `space_profile`.
    ours : str, optional
        Our product's name; that of `found` without it.
    title : str, optional
        Instead of the chart's own.

    Returns
    -------
    Chart
        Its alt text names both ratings of every dimension.
    """
    table, title = table_of(found), title or _headline(found, "space_title")
    ours = ours or (found.values["ours"] if isinstance(found, Result) else say("labels.ours"))
    items: Any = funnel("pharma").topic("space").items
    known = {item.id: str(item.name) for item in items}
    names = [known[name] for name in table["dimension"]]
    words = [_lead_text(row) for row in table.to_dict("records")]
    with style():
        figure = new_figure(8.8, 4.0)
        ax = figure.subplots()
        _draw_ratings(ax, table, str(ours), words)
        rows_axis(ax, names)
        ax.set_xlim(*_room(table))
        ax.set_xlabel(say("charts.position.rating_axis"))
        legend_above(ax, 2, 9)
        figure.suptitle(wrap(title, 84), x=0.01, ha="left", fontsize=11.5)
    return Chart((ax,), alt_text(title, list(zip(names, words, strict=True))), table)


def _draw_ratings(ax: Any, table: pd.DataFrame, ours: str, words: list[str]) -> None:
    places = np.arange(len(table))
    ax.hlines(places, table["best_rival"], table["ours"], color="#c9ced6", linewidth=3, zorder=1)
    rival = say("charts.position.best_rival")
    ax.plot(table["best_rival"], places, "s", color=COLOURS["n_advanced"], markersize=11, label=rival)
    ax.plot(table["ours"], places, "o", color=COLOURS["accent"], markersize=6.5, label=ours)
    for place, (one, other) in enumerate(zip(table["ours"], table["best_rival"], strict=True)):
        ax.text(max(one, other) + 0.25, place, words[place], va="center", fontsize=9)


def _headline(found: Found, key: str) -> str:
    """Return the leading sentence of a Result as a title; a table has a general one."""
    return found.sentences()[0] if isinstance(found, Result) else say(f"charts.position.{key}")


def _room(table: pd.DataFrame) -> tuple[float, float]:
    low, high = table[["ours", "best_rival"]].min().min(), table[["ours", "best_rival"]].max().max()
    return low - 0.6, high + 0.45 * max(high - low, 1) + 0.6


def _lead_text(row: Mapping[Any, Any]) -> str:
    values = {"ours": number(row["ours"], 1), "rival": row["rival"], "theirs": number(row["best_rival"], 1)}
    return say("charts.position.lead", **values, lead=points(row["lead"] / 100))


def adopters_chart(found: Found, title: str | None = None) -> Chart:
    """Draw how many adopt in each period, coloured by group.

    Parameters
    ----------
    found : Result or DataFrame
        Of `adopters`.
    title : str, optional
        Instead of the chart's own.

    Returns
    -------
    Chart
        Its alt text is the reading of a Result; of a table the adopters of every group.
    """
    table, title = table_of(found), title or _headline(found, "adopters_title")
    groups: Any = funnel("pharma").topic("adopters").items
    sizes = []
    with style():
        figure = new_figure(8.8, 4.2)
        ax = figure.subplots()
        for group, colour in zip(groups, GROUPS, strict=True):
            rows = table[table["group"] == group.id]
            name = say("charts.position.group", group=str(group.text), share=percent(group.share))
            ax.bar(rows["period"], rows["n_new"], color=colour, label=name)
            sizes.append((str(group.text), number(rows["n_new"].sum())))
        ax.set_xlabel(say("charts.position.period_axis"))
        ax.set_ylabel(say("charts.position.adopters_axis"))
        number_axis(ax.yaxis)
        locator: Any = ax.xaxis.get_major_locator()
        locator.set_params(integer=True)
        ax.legend(fontsize=9, frameon=False)
        figure.suptitle(wrap(title, 84), x=0.01, ha="left", fontsize=11.5)
    return Chart((ax,), found.reading() if isinstance(found, Result) else alt_text(title, sizes), table)
