"""Panels of the walks: pharma cascade, influence loop, perceptual map. Each is sliders over one plain function.

A panel's `code` is its headless twin written out: the call that gives the same table.
"""

from itertools import compress

from funnelkit.charts import CascadePicture, LoopPicture, MapPicture
from funnelkit.explore.widgets import Control, Panel
from funnelkit.language import bullets, say, show
from funnelkit.models import funnel
from funnelkit.planning import cascade, influence_loop, mean_ratings, perceptual_map, weakest_levels


def joined(*parts):
    """Return several things to display as one, below each other."""
    return type(parts[0])("".join(part.html for part in parts), "\n".join(part.text for part in parts))


# --- pharma cascade --------------------------------------------------------------------------------------------------


def cascade_panel(ratios=None, *, population=1_000_000, price=100, model="pharma"):
    """Return a Panel over `cascade` with a slider for each level's ratio, the population and the price.

    Its headless twin is `cascade(ratios, population=..., price=...)`; `weakest_levels` reads it.
    """
    model = funnel(model) if isinstance(model, str) else model
    start = cascade(ratios, population=population, price=price, model=model)
    kept = dict(zip(start["point"], start["ratio"], strict=True))
    shares = {stage.id: kept[stage.id] for stage in model.stages if stage.input == "share"}
    labels = {
        stage.id: say("explore.widgets.ratio_of", level=str(stage.name)) for stage in model.stages if not stage.input
    }
    controls = [Control(name, label, 0, 1, kept[name], 0.01, 100) for name, label in labels.items()]
    controls += [
        Control(name, say(f"explore.widgets.{name}"), 0, 10 * float(top), float(top), float(top) / 100)
        for name, top in (("population", population), ("price", price))
    ]

    def arguments(values):
        levels = {name: value for name, value in values.items() if name not in ("population", "price")}
        return {**shares, **levels}, {name: values[name] for name in ("population", "price")}

    def compute(**values):
        levels, money = arguments(values)
        return cascade(levels, **money, model=model)

    def code(values):
        levels, money = arguments(values)
        named = "" if model.id == "pharma" else ", model=model"
        return f"cascade({levels!r}, population={money['population']!r}, price={money['price']!r}{named})"

    picture = cascade_picture(model)
    return Panel(compute, controls, lambda table: view_cascade(table, model), picture, code=code)


def cascade_picture(model):
    """Return the cascade's picture, its levels of the lowest ratio marked."""

    def lowest(levels):
        ratios = levels["ratio"].tolist()
        return list(compress(levels["point"].tolist(), [ratio == min(ratios) for ratio in ratios]))

    return CascadePicture(model, weak=lowest)


def view_cascade(table, model):
    """Return what a cascade says and its table, ready to display."""
    return joined(bullets(weakest_levels(table, model=model).sentences()), show(table, model=model))


# --- influence loop --------------------------------------------------------------------------------------------------

LOOP = {"rate": (0.0, 1.0, 0.005, 100), "feed": (0.0, 1.0, 0.01, 100), "inflow": (0.0, 1000.0, 10.0, 1)}


def loop_panel(rate, factors, feed=1.0, *, inflow=100, turns=12, market=None):
    """Return a Panel over `influence_loop`: purchase rate, feed, inflow, and one slider for each factor.

    Its headless twin is `influence_loop(rate, factors, feed, inflow=..., turns=..., market=...)`.
    """
    stages = funnel("influence").stages
    start = {"rate": rate, "feed": feed, "inflow": float(inflow)}
    controls = [
        Control(name, say(f"explore.widgets.loop_{name}"), low, high, start[name], step, scale)
        for name, (low, high, step, scale) in LOOP.items()
    ]
    for place, factor in enumerate(factors):
        one, other = (str(stages[at].name) for at in (place, place + 1))
        label = say("explore.widgets.loop_factor", one=one, other=other)
        controls.append(Control(f"factor{place}", label, 0.0, 10.0, factor, 0.05))

    def arguments(values):
        chosen = [values[f"factor{place}"] for place in range(len(factors))]
        return (values["rate"], chosen, values["feed"]), {"inflow": values["inflow"], "turns": turns, "market": market}

    def compute(**values):
        given, named = arguments(values)
        return influence_loop(*given, **named)

    def code(values):
        given, named = arguments(values)
        parts = [*map(repr, given), *(f"{name}={value!r}" for name, value in named.items())]
        return f"influence_loop({', '.join(parts)})"

    return Panel(compute, controls, lambda found: view_loop(found), LoopPicture(), code=code)


def view_loop(found):
    """Return what a loop does and its path, ready to display."""
    return joined(bullets(found.sentences()), show(found.table.round(1)))


# --- perceptual map --------------------------------------------------------------------------------------------------


def map_panel(ratings, weights=None, *, ours=None):
    """Return a Panel over `perceptual_map` with a slider for the weight of each need, 0 to 10.

    Its headless twin is `perceptual_map(ratings, weights)`.
    """
    wide = mean_ratings(ratings)
    start = dict.fromkeys(wide.columns, 1.0) | dict(weights or {})
    controls = [
        Control(name, say("explore.widgets.weight", need=name), 0.0, 10.0, float(start[name]), 0.5)
        for name in wide.columns
    ]

    def compute(**chosen):
        return perceptual_map(ratings, chosen)

    def code(values):
        return f"perceptual_map(ratings, {values!r})"

    return Panel(compute, controls, lambda found: view_map(found), MapPicture(ours=ours), code=code)


def view_map(found):
    """Return what a map says and its products by score, ready to display."""
    products = found.table[found.table["kind"] == "product"].sort_values("score", ascending=False, kind="stable")
    table = products[["name", "score"]].rename(columns={"name": "product"})
    return joined(bullets(found.sentences()), show(table))
