"""Charts of positioning: the perceptual map, the SPACE profile, adopters over time."""

import numpy as np

from funnelkit.charts.picture import Picture
from funnelkit.charts.planning import alt_rows
from funnelkit.charts.style import COLOURS, Chart, new_figure, style, wrap
from funnelkit.language import number, percent, say, width
from funnelkit.models import funnel

HALF = np.array([4.0, 2.9])  # half the plane's sides in inches: a unit is as long across as up, so distances compare
GROUPS = ("#1d4259", "#2f6690", "#6d9dc5", "#a9c5dd", "#c9ced6")  # adopter groups, early to late


def map_chart(found, *, ours=None):
    """Draw a perceptual map: products as points, attributes as arrows, the weighted needs as a thick arrow.

    Takes a `perceptual_map`; `ours` is our product's name, drawn in the accent colour. Returns a Chart whose axes
    carry the shares of variance that they show.
    """
    return MapPicture(ours=ours).chart(found)


class MapPicture(Picture):
    """A biplot; names that would cover each other are pushed apart, up and down."""

    def __init__(self, *, ours=None):
        super().__init__()
        self.ours = ours

    def _draw(self, found):
        figure = new_figure(8.6, 6.6)
        ax = figure.subplots()
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

    def _moving(self):
        return [self.points, *self.arrows, *self.names, self.axes[0].xaxis.label, self.axes[0].yaxis.label]

    def _move(self, found):
        table = found.table
        places = _scaled(table)
        self._place(table, places)
        unit = _unit(places)
        self.axes[0].set_xlim(-HALF[0] * unit, HALF[0] * unit)
        self.axes[0].set_ylim(-HALF[1] * unit, HALF[1] * unit)
        shares = [*found.explained, 0.0][:2]
        for axis, share, name in zip("xy", shares, ("right", "up"), strict=True):
            getattr(self.axes[0], f"set_{axis}label")(say(f"charts.position.axis_{name}", share=percent(share)))
        best = table.loc[table["score"].idxmax(), "name"]
        self.title = say("charts.position.map_title", name=best, shown=percent(sum(shares)))

    def _place(self, table, places):
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

    def _name(self, row):
        return say("charts.position.needs") if row["kind"] == "needs" else wrap(row["name"], 24)

    def _colour(self, row):
        if row["kind"] == "product":
            return COLOURS["accent" if row["name"] == self.ours else "ink"]
        return COLOURS["n_open"] if row["kind"] == "needs" else "#5b6773"

    def alt(self, found):
        """Return the alt text: the finding and where every product and attribute lies."""
        rows = found.table
        names = [self._name(row).replace("\n", " ") for row in rows.to_dict("records")]
        return alt_rows(self.title, names, [f"{x:.2f}, {y:.2f}" for x, y in rows[["x", "y"]].to_numpy()])


def _arrow(kind):
    if kind == "needs":
        return {"arrowstyle": "->", "color": COLOURS["n_open"], "linewidth": 3}
    return {"arrowstyle": "->", "color": "#9aa5b1", "linewidth": 1.2}


def _scaled(table):
    """Return places with the arrows stretched to a share of the products' reach; directions stay."""
    places = table[["x", "y"]].to_numpy(float).copy()
    products = (table["kind"] == "product").to_numpy()
    length = np.hypot(*places[products].T).max()
    attributes = (table["kind"] == "attribute").to_numpy()
    places[attributes] *= 0.85 * length / max(np.hypot(*places[attributes].T).max(), 1e-12)
    needs = (table["kind"] == "needs").to_numpy()
    places[needs] *= 0.7 * length / max(np.hypot(*places[needs].T).max(), 1e-12)
    return places


def _unit(places):
    """Return how much of the map's scale one inch shows, so that every place and its name lie within."""
    return float((np.abs(places) / HALF).max() * 1.25) or 1.0


def _apart(places, products, widths):
    """Return where names stand: above their point, beyond their arrow's end, moved where two would meet."""
    unit = _unit(places)
    length = np.maximum(np.hypot(*places.T), 1e-12)[:, None]
    beyond = places / length * np.column_stack([0.12 + 0.042 * np.array(widths), np.full(len(places), 0.2)]) * unit
    above = places + np.array([0, 0.19 * unit])
    spots = np.where(products[:, None], above, places + beyond)
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


def space_chart(result, ours):
    """Draw a `space_profile`: our rating and the best rival's on each dimension. Returns a Chart."""
    table = result.table
    items = {item.id: str(item.name) for item in funnel("pharma").topic("space").items}
    names = [items[name] for name in table["dimension"]]
    places = np.arange(len(table))
    with style():
        figure = new_figure(8.8, 4.0)
        ax = figure.subplots()
        ax.hlines(places, table["best_rival"], table["ours"], color="#c9ced6", linewidth=3, zorder=1)
        rival = say("charts.position.best_rival")
        ax.plot(table["best_rival"], places, "s", color=COLOURS["n_advanced"], markersize=11, label=rival)
        ax.plot(table["ours"], places, "o", color=COLOURS["accent"], markersize=6.5, label=str(ours))
        words = [_lead_text(row) for row in table.to_dict("records")]
        for place, row in table.iterrows():
            ax.text(max(row["ours"], row["best_rival"]) + 0.25, place, words[place], va="center", fontsize=9)
        ax.set_yticks(places, names)
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_xlim(*_room(table))
        ax.set_xlabel(say("charts.position.rating_axis"))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9, frameon=False)
        title = result.sentences()[0]
        figure.suptitle(wrap(title, 84), x=0.01, ha="left", fontsize=11.5)
    return Chart((ax,), alt_rows(title, names, words), table)


def _room(table):
    low, high = table[["ours", "best_rival"]].min().min(), table[["ours", "best_rival"]].max().max()
    return low - 0.6, high + 0.45 * max(high - low, 1) + 0.6


def _lead_text(row):
    values = {"ours": number(row["ours"], 1), "rival": row["rival"], "theirs": number(row["best_rival"], 1)}
    return say("charts.position.lead", **values, lead=f"{row['lead']:+.1f}")


def adopters_chart(result):
    """Draw `adopters`: how many adopt in each period, coloured by group. Returns a Chart."""
    table = result.table
    groups = funnel("pharma").topic("adopters").items
    with style():
        figure = new_figure(8.8, 4.2)
        ax = figure.subplots()
        for group, colour in zip(groups, GROUPS, strict=True):
            rows = table[table["group"] == group.id]
            name = say("charts.position.group", group=str(group.text), share=percent(group.share))
            ax.bar(rows["period"], rows["n_new"], color=colour, label=name)
        ax.set_xlabel(say("charts.position.period_axis"))
        ax.set_ylabel(say("charts.position.adopters_axis"))
        ax.yaxis.set_major_formatter(lambda value, _: number(value))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(fontsize=9, frameon=False)
        title = result.sentences()[0]
        figure.suptitle(wrap(title, 84), x=0.01, ha="left", fontsize=11.5)
    return Chart((ax,), result.reading(), table)
