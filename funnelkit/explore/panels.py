"""Panels of the walks: pharma cascade, influence loop, perceptual map. Each is sliders over one plain function.

A panel's `code` is its headless twin written out: the call that gives the same table.
"""

from funnelkit.charts import CascadePicture, LoopPicture, MapPicture, lowest_levels
from funnelkit.explore.widgets import Control, Panel, joined_below, view_result
from funnelkit.language import bullets, say
from funnelkit.models import funnel
from funnelkit.planning import cascade, influence_loop, mean_ratings, perceptual_map, weakest_levels

# --- pharma cascade --------------------------------------------------------------------------------------------------


def cascade_panel(ratios=None, *, population=1_000_000, price=100, model="pharma"):
    """Return a Panel over `cascade` with a slider for each level's ratio, the population and the price.

    Its headless twin is `cascade(ratios, population=..., price=...)`; `weakest_levels` reads it.
    """
    model = funnel(model)
    start = cascade(ratios, population=population, price=price, model=model).table
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

    return Panel(compute, controls, view_cascade, CascadePicture(model, weak=lowest_levels), code=code)


def view_cascade(found):
    """Return what a cascade's weakest levels say and its table, ready to display."""
    return joined_below(bullets(weakest_levels(found).sentences()), found.show())


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

    return Panel(compute, controls, view_result, LoopPicture(), code=code)


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

    return Panel(compute, controls, view_result, MapPicture(ours=ours), code=code)
