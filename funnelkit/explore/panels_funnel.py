"""Panels over any funnel model: the explorer, the small-sample demonstrator, the allocator of hours by state."""

import pandas as pd

from funnelkit.charts import COLOURS, AllocationPicture, LivePicture, WhatIfPicture, alt_text, new_figure
from funnelkit.explore.widgets import Control, Panel, joined_below, view_result
from funnelkit.language import bullets, note, number, percent, rate_text, say, show
from funnelkit.models import funnel
from funnelkit.planning import allocate, sensitivity, what_if
from funnelkit.result import table_of
from funnelkit.stats import rate_columns

# --- explorer: any model ---------------------------------------------------------------------------------------------


def explorer_panel(source, volume=100, deal_value=1.0, cycle_days=30.0, *, model=None):
    """Return a Panel over `what_if` of any model: a slider for every rate, the volume, the value and the cycle.

    `source` is a model with default rates or a rate table (then `model` names its stages). The reading also says
    which stage helps most at the rates that the sliders stand at. Without a value (0) neither it nor the cycle has a
    slider. Its headless twin is `what_if(source, changes, volume, deal_value, model, cycle_days=...)`.
    """
    model = model or getattr(source, "model", None) or source
    base = what_if(source, None, volume, deal_value, model, cycle_days=cycle_days).table
    rated = base[base["rate_base"].notna() & (base["stage"].astype(str) != model.won_stage)]
    most = 10.0 if model.grows else 1.0
    labels = [say("explore.widgets.rate", stage=str(model.stage(stage).name)) for stage in rated["stage"]]
    controls = [
        Control(str(stage), label, 0, most, rate, 0.01, 100)
        for stage, label, rate in zip(rated["stage"], labels, rated["rate_base"], strict=True)
    ]
    levers = {"volume": volume} | ({"deal_value": deal_value, "cycle_days": cycle_days} if deal_value else {})
    for name, start in levers.items():
        least = float(start) / 100 if name == "cycle_days" else 0.0
        label = say(f"explore.widgets.{name}")
        controls.append(Control(name, label, least, 5 * float(start), float(start), float(start) / 100))

    def compute(**changes):
        return what_if(source, changes, volume, deal_value, model, cycle_days=cycle_days)

    def code(values):
        return f"what_if(source, {values!r}, {volume!r}, {deal_value!r}, model, cycle_days={cycle_days!r})"

    return Panel(compute, controls, view_explorer, WhatIfPicture(model), code=code)


def view_explorer(found):
    """Return reading, table, and which stage helps most, ready to display."""
    table, model = found.table, found.model
    parts = [view_result(found)]
    stages = table[["stage", "rate"]].dropna()
    if model.won_stage is not None and len(stages) == len(table):
        stages = stages[stages["stage"].astype(str) != model.won_stage]
    if (stages["rate"] > 0).all() and len(stages):
        parts.append(bullets(sensitivity(stages, table["n"].iloc[0] or 1, model=model).sentences()[2:3]))
    return joined_below(*parts)


# --- small samples ---------------------------------------------------------------------------------------------------


def sample_rate(n, rate):
    """Return the rate row of `n` cases of which the share `rate` went on, to the nearest case: k, n, rate, low, high.

    >>> sample_rate(20, 0.5)[["k", "n", "rate"]].iloc[0].tolist()
    [10.0, 20.0, 0.5]
    """
    n = round(n)
    return pd.DataFrame(rate_columns([round(n * rate)], [n]))


def sample_panel(n=20, rate=0.5, *, most=1000):
    """Return a Panel over `sample_rate`, its headless twin: n moves, the interval breathes."""
    controls = [
        Control("n", say("explore.widgets.sample_n"), 1, float(most), float(n), 1),
        Control("rate", say("explore.widgets.sample_rate"), 0, 1, rate, 0.01, 100),
    ]

    def code(values):
        return f"sample_rate({values['n']!r}, {values['rate']!r})"

    return Panel(sample_rate, controls, view_sample, SamplePicture(), code=code)


def view_sample(table):
    """Return what so many cases tell, ready to display."""
    row = table.iloc[0]
    values = {"rate": rate_text(row), "width": number(100 * (row["high"] - row["low"]), 1)}
    return joined_below(
        note(say("explore.widgets.sample_says", **values)), show(table[["k", "n", "rate", "low", "high"]])
    )


class SamplePicture(LivePicture):
    """One rate with its interval on the line from 0 to 100%."""

    def _draw(self, table):
        figure = new_figure(8.4, 2.2)
        ax = figure.subplots()
        (self.bar,) = ax.plot(
            [0, 1], [0, 0], color=COLOURS["n_advanced"], linewidth=7, solid_capstyle="butt", alpha=0.45
        )
        (self.dot,) = ax.plot([0.5], [0], "o", color=COLOURS["n_advanced"], markersize=11)
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-1, 1)
        ax.set_yticks([])
        ax.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
        ax.set_xlabel(say("explore.widgets.sample_axis"))
        self.axes = (ax,)

    def _moving(self):
        return [self.bar, self.dot]

    def _move(self, table):
        row = table.iloc[0]
        self.bar.set_xdata([row["low"], row["high"]])
        self.dot.set_xdata([row["rate"]])
        self.title = say("explore.widgets.sample_title", rate=rate_text(row))

    def alt(self, table):
        """Return the alt text: the rate, its interval, its n."""
        return alt_text(self.title, [(say("explore.widgets.sample_axis"), rate_text(table.iloc[0]))])


# --- allocation of hours ---------------------------------------------------------------------------------------------


def allocator_panel(states, budget, unit="hours", *, model=None):
    """Return a Panel over `allocate`: the budget, and the cost of moving one deal on in each state.

    `states` as `state_table` gives them, with their cost. Its headless twin is
    `allocate(states.assign(cost=[...]), budget, unit)`.
    """
    states, model = table_of(states), model or funnel("industrial-8")
    named = {state.id: str(state.name) for state in model.states}
    controls = [
        Control("budget", say("explore.widgets.budget"), 0, 5 * float(budget), float(budget), float(budget) / 100)
    ]
    for place, row in enumerate(states.to_dict("records")):
        label = say("explore.widgets.cost_of", state=named.get(row["state"], row["state"]))
        controls.append(Control(f"cost{place}", label, 1, 10 * float(row["cost"]), float(row["cost"]), 1))

    def arguments(values):
        return [values[f"cost{place}"] for place in range(len(states))], values["budget"]

    def compute(**values):
        costs, given = arguments(values)
        return allocate(states.assign(cost=costs), given, unit, model)

    def code(values):
        costs, given = arguments(values)
        return f"allocate(states.assign(cost={costs!r}), {given!r}, {unit!r})"

    return Panel(compute, controls, view_result, AllocationPicture(model), code=code)
