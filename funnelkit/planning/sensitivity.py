"""Sensitivity: which stage helps the result most, per relative gain, per percentage point, per unit of cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator

from funnelkit.language import DataError, Text, amount_in_words, both, large, nearest, number, percent, say
from funnelkit.models import Funnel, funnel
from funnelkit.result import Result, table_of
from funnelkit.stats import leaders

LEVEL = 0.95
Gains = dict[str, Any]  # kind of gain -> (draws, stages)
GAINS = ("gain_relative", "gain_points", "gain_per_cost")


def sensitivity(
    rates: Any, volume: float = 1000, value: float = 1.0, *, relative: float = 0.1, points: float = 0.05,
    costs: Mapping[str, float] | None = None, model: Funnel | None = None, rng: Generator | None = None,
    draws: int = 4000, currency: str | None = None,
) -> Result:  # fmt: skip
    """Say what a better rate of each stage alone would add to the result, with intervals where counts are known.

    Parameters
    ----------
    rates, volume, value, model
        A model (default rates), or stage and rate, and k and n where counted. The result is volume x rates x value.
    relative, points, costs, rng, draws
        Each rate is raised to (1 + `relative`) times itself, and by `points` (a fraction), never beyond 1 unless counts
        may grow; `costs` maps a stage to the money that `points` more cost there.
    currency : str, optional
        ISO code of `value`; by default that of `fk.use`.

    Returns
    -------
    Result
        stage, rate, n (0 where not counted), cost, gain_relative, gain_points, gain_per_cost (of `points`), each with
        _low and _high (95 %), p_best (share of draws in which the stage gains most per cost).

    Notes
    -----
    Each rate is drawn from Beta(k + 1/2, n - k + 1/2) (Jeffreys), all stages together. DataError refuses a missing
    column, a rate out of range, a setting not above 0.

    Examples
    --------
    >>> sensitivity(pd.DataFrame({"stage": ["A", "B"], "rate": [0.2, 0.5]})).table["gain_points"].round(3).tolist()
    [25.0, 10.0]
    """
    size = (volume, value, relative, points, currency)
    return _gained(rates, size, costs, model, (np.random.default_rng(0) if rng is None else rng, draws))


def _gained(
    rates: Any,
    given: tuple[float, float, float, float, str | None],
    costs: Mapping[str, float] | None,
    model: Funnel | None,
    drawing: tuple[Generator, int],
) -> Result:
    rates, model = _rates(rates, model)
    table = rates[["stage", "rate", "n"]].copy()
    table["cost"] = _costs(costs, table["stage"], model)
    volume, value, relative, points, currency = given
    size = Size(
        _positive("volume", volume) * _positive("value", value), _positive("relative", relative),
        _positive("points", points), np.inf if model is not None and model.grows else 1.0,
        "worth" if value != 1 else "arrivals" if model is not None and model.won_stage is None else "wins", currency,
    )  # fmt: skip
    gains = _gains(table["rate"].to_numpy(float)[None, :], table["cost"].to_numpy(), size)
    drawn = _drawn_gains(rates, table["cost"].to_numpy(), size, drawing)
    table = table.assign(**_gain_columns(gains, drawn))
    return Result(
        table, "planning.sensitivity.baseline", {"baseline": _amount(size.worth * float(table["rate"].prod()), size)},
        _sentences(table, size, costs is not None, model), model=model, picture="tornado_chart",
        shown=partial(_for_people, "ratio" if model is not None and model.kind == "cascade" else "rate_now"),
    )  # fmt: skip


def _for_people(named: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: the rate, named as its model names it, and what more points there add."""
    rows = [
        {"stage": row["stage"], named: percent(row["rate"])}
        | ({"n": row["n"]} if row["n"] else {})
        | {"gain_points": _interval(row)}
        | ({} if pd.isna(row["p_best"]) else {"p_best": row["p_best"]})
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _interval(row: Mapping[Any, Any]) -> str:
    decimals = int(row["gain_points"] < 10_000)
    if pd.isna(row["gain_points_low"]):
        return number(row["gain_points"], decimals)
    ends = (number(row[f"gain_points_{end}"], decimals) for end in ("low", "high"))
    return f"{number(row['gain_points'], decimals)} [{', '.join(ends)}]"


class Size(NamedTuple):
    """What is varied: the worth of the first stage's volume, the two raises, the most that a rate may be, the units."""

    worth: float
    relative: float
    points: float
    most: float
    unit: str
    currency: str | None


def _amount(found: float, size: Size) -> Text:
    """Return a result or a gain with its unit: wins, arrivals at the last stage, or what these are worth."""
    said = partial(large, found) if found >= 10_000 else partial(number, found, 1)
    if size.unit == "worth" and (size.currency or found >= 10_000):
        said = partial(amount_in_words, found, size.currency)
    return both(lambda: say(f"planning.sensitivity.{size.unit}", n=said()))


def _rates(rates: Any, model: Funnel | None) -> tuple[pd.DataFrame, Funnel | None]:
    """Return (stage, rate, k, n) of the stages before the win, and the model."""
    if isinstance(rates, str) or hasattr(rates, "stages"):
        model = funnel(rates)
        known = [stage for stage in model.stages if stage.rate is not None]
        rates = pd.DataFrame({"stage": [stage.id for stage in known], "rate": [stage.rate for stage in known]})
    else:
        model = rates.model if model is None and isinstance(rates, Result) else model
        rates = table_of(rates)
    for name in ("stage", "rate"):
        if name not in rates:
            raise DataError("no_such_column", name=name, nearest=nearest(name, rates.columns))
    counted = {"k", "n"} <= set(rates.columns)
    found = pd.DataFrame({"stage": rates["stage"].astype(str).array, "rate": rates["rate"].to_numpy(float)})
    found["k"] = rates["k"].to_numpy(float) if counted else 0.0
    found["n"] = rates["n"].to_numpy(int) if counted else 0
    if model is not None and model.won_stage in found["stage"].tolist():
        found = found.iloc[: found["stage"].tolist().index(model.won_stage)]
    elif len(found) and pd.isna(found["rate"].iloc[-1]):
        found = found.iloc[:-1]  # the last stage leads nowhere
    if not len(found):
        raise DataError("sensitivity_no_rates")
    return found, model


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise DataError("sensitivity_setting", name=name, found=value)
    return value


def _costs(costs: Mapping[str, float] | None, stages: pd.Series[Any], model: Funnel | None) -> list[float]:
    costs = {(model.stage(name).id if model else name): cost for name, cost in (costs or {}).items()}
    for name, cost in costs.items():
        if name not in set(stages):
            raise DataError("sensitivity_stage", name=name, nearest=nearest(name, stages))
        _positive(f"costs[{name}]", cost)
    return [float(costs.get(stage, 1.0)) for stage in stages]


def _gains(rates: Any, costs: Any, size: Size) -> Gains:
    """Return each kind of gain for rows of rates (draws x stages): the result with one rate raised, less without."""
    if not np.all((rates >= 0) & (rates <= size.most) & np.isfinite(rates)):
        raise DataError("sensitivity_rate", found=", ".join(f"{rate:g}" for rate in rates[0]))
    ones = np.ones((len(rates), 1))
    before = np.cumprod(np.hstack([ones, rates[:, :-1]]), axis=1)
    after = np.cumprod(np.hstack([ones, rates[:, :0:-1]]), axis=1)[:, ::-1]
    others = size.worth * before * after
    points = others * (np.minimum(rates + size.points, size.most) - rates)
    relative = others * (np.minimum(rates * (1 + size.relative), size.most) - rates)
    return {"gain_relative": relative, "gain_points": points, "gain_per_cost": points / costs}


def _drawn_gains(rates: pd.DataFrame, costs: Any, size: Size, drawing: tuple[Generator, int]) -> Gains | None:
    """Return the gains of draws of the rates, or None where a rate is not counted (a factor of growth never is)."""
    if not (rates["n"] > 0).all() or size.most > 1:
        return None
    rng, draws = drawing
    k, n = rates["k"].to_numpy(), rates["n"].to_numpy()
    return _gains(rng.beta(k + 0.5, n - k + 0.5, size=(draws, len(rates))), costs, size)


def _gain_columns(gains: Gains, drawn: Gains | None) -> Gains:
    columns = {}
    for name in GAINS:
        gain = columns[name] = gains[name][0]
        low, high = np.quantile(drawn[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0) if drawn else (np.nan, np.nan)
        # Of a rate that is counted as 0 or 1, all draws may lie on one side of the gain.
        columns[f"{name}_low"], columns[f"{name}_high"] = np.minimum(low, gain), np.maximum(high, gain)
    return {**columns, "p_best": _best_share(drawn["gain_per_cost"]) if drawn else np.nan}


def _best_share(gains: Any) -> Any:
    return np.bincount(gains.argmax(axis=1), minlength=gains.shape[1]) / len(gains)


def _leaders(table: pd.DataFrame, name: str) -> list[str]:
    """Return the stages whose gain ties with the largest, but none where all tie."""
    best = table[name].max()
    tied = leaders(table[name].to_numpy())
    return [] if best <= 0 or len(tied) == len(table) > 1 else table["stage"].iloc[tied].tolist()


def _sentences(
    table: pd.DataFrame, size: Size, costed: bool, model: Funnel | None
) -> tuple[tuple[str, dict[str, Any]], ...]:
    values = {"relative": 100 * size.relative, "points": 100 * size.points}
    notes = []
    for name in GAINS if costed else GAINS[:2]:
        leaders = _leaders(table, name)
        names = tuple(_name(stage, model) for stage in leaders)
        kind, gain = name if leaders else f"{name}_none", _amount(table[name].max(), size)
        notes.append((f"planning.sensitivity.{kind}", {**values, "stages": names, "gain": gain}))
    if table["p_best"].notna().all():
        best = table.loc[table["p_best"].idxmax()]
        key = "planning.sensitivity.sure" if best["p_best"] >= LEVEL else "planning.sensitivity.unsure"
        notes.append((key, {"stage": _name(best["stage"], model), "share": _share(best["p_best"])}))
    elif size.most == 1:
        notes.append(("planning.sensitivity.not_counted", {}))
    return tuple(notes)


def _share(share: float) -> str:
    """Return a share of the draws; short of all of them it never reads 100%."""
    return percent(share, 0) if share == 1 else percent(min(share, 0.999))


def _name(stage: str, model: Funnel | None) -> Text | str:
    return model.stage(stage).name if model is not None else stage
