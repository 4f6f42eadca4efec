"""The influence loop: customers create customers, and the spread feeds the purchase funnel again.

One turn of the loop multiplies by G = purchase rate x influence factors x feed. Below 1 it settles, above 1 it
explodes until the market is used up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from funnelkit.language import DataError, number
from funnelkit.models import Funnel, funnel
from funnelkit.result import Result

MOST = 1e12  # more than any market holds: a path ends there
CRITICAL = 1e-9


def influence_counts(factors: Sequence[float], customers: float = 100, model: str | Funnel = "influence") -> Result:
    """Count an influence funnel, which may grow from stage to stage.

    Parameters
    ----------
    factors : sequence of float
        From each stage to the next (0 or more, above 1 is growth), one fewer than the model has stages.
    customers, model
        How many at the first stage; whose stages.

    Returns
    -------
    Result
        stage, n_entered (whole customers), as `growth_table` takes them.

    Raises
    ------
    DataError
        For a wrong number of factors or one out of range.

    Notes
    -----
    Each count is the one before times its factor, rounded at the end.

    Examples
    --------
    >>> influence_counts([0.8, 0.5, 4]).table["n_entered"].tolist()
    [100, 80, 40, 160]
    """
    return _counted([_number("factors", factor) for factor in factors], customers, model)


def _counted(factors: list[float], customers: float, named: str | Funnel) -> Result:
    model = funnel(named)
    if len(factors) != len(model.stages) - 1:
        raise DataError("loop_factors", n=len(factors), expected=len(model.stages) - 1, model=model.id)
    counts = [_number("customers", customers)]
    for factor in factors:
        counts.append(counts[-1] * factor)
    stages = pd.Categorical(model.stage_ids, categories=model.stage_ids, ordered=True)
    table = pd.DataFrame({"stage": stages, "n_entered": [round(count) for count in counts]})
    values = {"n": number(counts[0]), "reached": number(counts[-1]), "stage": model.stages[-1].name}
    return Result(table, "planning.influence.counts", values, model=model, picture="funnel_chart")


def influence_loop(
    rate: float,
    factors: Sequence[float],
    feed: float = 1.0,
    *,
    inflow: float = 100,
    turns: int = 12,
    market: float | None = None,
) -> Result:
    """Follow the loop of purchase and influence over time: inflow, purchases, spread, and what it feeds back.

    Parameters
    ----------
    rate, feed : float
        Share of potential customers who buy; share of those reached who are potential customers of the next turn.
    factors : sequence of float
        What a buyer's word multiplies by; each may pass 1.
    inflow, turns, market
        New potential customers a turn from outside; how many turns; how many customers there can ever be.

    Returns
    -------
    Result
        turn, n_fed (from the loop), n_potential (inflow and fed), n_customers (purchases), n_spread,
        n_customers_total: expected values. `.values` holds growth (G).

    Notes
    -----
    The loop settles at inflow / (1 - G) potential customers a turn, grows steadily (G = 1) or explodes (doubling every
    log 2 / log G turns); without an inflow it stays empty. A path ends where it leaves every market behind. DataError
    refuses what is out of range.

    Examples
    --------
    >>> round(influence_loop(0.1, [0.8, 0.5, 5], feed=0.5).values["growth"], 3)
    0.1
    """
    return _loop((rate, feed), factors, inflow, turns, market)


def _loop(
    shares: tuple[float, float], factors: Sequence[float], inflow: float, turns: int, market: float | None
) -> Result:
    rate, feed = (_number(name, value, 1) for name, value in zip(("rate", "feed"), shares, strict=True))
    reach = math.prod(_number("factors", factor) for factor in factors)
    inflow, most = _number("inflow", inflow), math.inf if market is None else _number("market", market)
    if isinstance(turns, bool) or not isinstance(turns, int) or not 1 <= turns <= 1000:
        raise DataError("loop_turns", found=turns)
    table = _path(rate, reach, feed, (inflow, most), turns)
    key, values = _verdict(table, rate * reach * feed, inflow)
    return Result(table, key, values, _notes(table, turns, most), picture="loop_chart")


def _path(rate: float, reach: float, feed: float, supply: tuple[float, float], turns: int) -> pd.DataFrame:
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


def _verdict(table: pd.DataFrame, growth: float, inflow: float) -> tuple[str, dict[str, Any]]:
    """Return the leading sentence: empty, settled, steady or exploding."""
    values = {"growth": growth, "inflow": inflow, "customers": table["n_customers"].iloc[-1]}
    if not inflow:
        return "planning.influence.empty", values
    if abs(growth - 1) < CRITICAL:
        return "planning.influence.steady", values
    if growth < 1:
        level = inflow / (1 - growth)
        return "planning.influence.settles", {**values, "level": level, "extra": 100 * growth / (1 - growth)}
    return "planning.influence.explodes", {**values, "doubling": math.log(2) / math.log(growth)}


def _notes(table: pd.DataFrame, turns: int, most: float) -> tuple[tuple[str, dict[str, Any]], ...]:
    empty = table["n_potential"].cumsum() >= most * (1 - 1e-12)
    if empty.any():
        return (("planning.influence.used_up", {"market": most, "turn": int(table.loc[empty, "turn"].iloc[0])}),)
    if len(table) < turns:
        return (("planning.influence.ended", {"turn": len(table)}),)
    return ()


def _number(name: str, value: Any, most: float = 1e15) -> float:
    """Return a finite number from 0 to `most`, or refuse it by name."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= most:
        raise DataError("loop_number", name=name, found=value, most=f"{most:g}")
    return value
