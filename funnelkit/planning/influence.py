"""The influence loop: customers create customers, and the spread feeds the purchase funnel again.

One turn of the loop multiplies by G = purchase rate x influence factors x feed. Below 1 it settles, above 1 it
explodes until the market is used up.
"""

import math

import pandas as pd

from funnelkit.language import DataError
from funnelkit.models import funnel
from funnelkit.result import Result

MOST = 1e12  # more than any market holds: a path ends there
CRITICAL = 1e-9


def influence_counts(factors, customers=100, model="influence"):
    """Return the counts of an influence funnel, which may grow from stage to stage.

    `factors` are those from each stage to the next (0 or more, above 1 is growth), one fewer than the model has
    stages. Returns stage (ordered categorical), n_entered, as `growth_table` and `funnel_chart` take them; counts are
    rounded to whole customers. Raises DataError for a wrong number of factors or one out of range.

    >>> influence_counts([0.8, 0.5, 4])["n_entered"].tolist()
    [100, 80, 40, 160]
    """
    model = funnel(model) if isinstance(model, str) else model
    factors = [_number("factors", factor) for factor in factors]
    if len(factors) != len(model.stages) - 1:
        raise DataError("loop_factors", n=len(factors), expected=len(model.stages) - 1, model=model.id)
    counts = [_number("customers", customers)]
    for factor in factors:
        counts.append(counts[-1] * factor)
    stages = pd.Categorical(model.stage_ids, categories=model.stage_ids, ordered=True)
    return pd.DataFrame({"stage": stages, "n_entered": [round(count) for count in counts]})


def influence_loop(rate, factors, feed=1.0, *, inflow=100, turns=12, market=None):
    """Follow the loop of purchase and influence over time: inflow, purchases, spread, and what it feeds back.

    Each turn `inflow` new potential customers come from outside besides those the last turn's spread fed in; the
    share `rate` buys; every buyer's word multiplies by `factors` (each may pass 1); the share `feed` of those reached
    become potential customers of the next turn. `market` limits how many can ever be potential customers.

    Returns a Result: turn, n_fed (from the loop), n_potential (inflow and fed), n_customers (purchases), n_spread,
    n_customers_total, expected values. Its values hold growth (G), and the reading says whether the loop settles (at
    inflow / (1 - G) potential customers a turn), grows steadily (G = 1) or explodes (doubling every log 2 / log G
    turns); a path ends where it leaves every market behind. Raises DataError for a number out of range.

    >>> found = influence_loop(0.1, [0.8, 0.5, 5], feed=0.5, inflow=100)
    >>> round(found.values["growth"], 3), found.table["n_potential"].round(1).tolist()[-1]
    (0.1, 111.1)
    """
    rate, feed = (_number(name, value, 1) for name, value in {"rate": rate, "feed": feed}.items())
    factors = [_number("factors", factor) for factor in factors]
    inflow, most = _number("inflow", inflow), math.inf if market is None else _number("market", market)
    if isinstance(turns, bool) or not isinstance(turns, int) or not 1 <= turns <= 1000:
        raise DataError("loop_turns", found=turns)
    reach = math.prod(factors)
    table = _path(rate, reach, feed, (inflow, most), turns)
    return Result(table, *_verdict(table, rate * reach * feed, inflow, most), _notes(table, turns, most))


def _path(rate, reach, feed, supply, turns):
    inflow, left = supply
    rows, fed, total = [], 0.0, 0.0
    for turn in range(1, turns + 1):
        potential = min(inflow + fed, left)
        left -= potential
        customers = potential * rate
        spread, total = customers * reach, total + customers
        rows.append((turn, fed, potential, customers, spread, total))
        fed = spread * feed
        if fed > MOST:
            break
    names = ["turn", "n_fed", "n_potential", "n_customers", "n_spread", "n_customers_total"]
    return pd.DataFrame(rows, columns=names)


def _verdict(table, growth, inflow, most):
    """Return the leading sentence: settled, steady or exploding."""
    values = {"growth": growth, "inflow": inflow, "customers": table["n_customers"].iloc[-1]}
    if abs(growth - 1) < CRITICAL:
        return "planning.influence.steady", values
    if growth < 1:
        level = inflow / (1 - growth)
        return "planning.influence.settles", {**values, "level": level, "extra": 100 * growth / (1 - growth)}
    return "planning.influence.explodes", {**values, "doubling": math.log(2) / math.log(growth)}


def _notes(table, turns, most):
    empty = table["n_potential"].cumsum() >= most * (1 - 1e-12)
    if empty.any():
        return (("planning.influence.used_up", {"market": most, "turn": int(table.loc[empty, "turn"].iloc[0])}),)
    if len(table) < turns:
        return (("planning.influence.ended", {"turn": len(table)}),)
    return ()


def _number(name, value, most=1e15):
    """Return a finite number from 0 to `most`, or refuse it by name."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not known or not 0 <= value <= most:
        raise DataError("loop_number", name=name, found=value, most=f"{most:g}")
    return value
