"""Cascade: from a population to those who stay, level by level, and which level is the weakest.

Counts and money are computed as exact fractions of the decimals as written: 0.9 is nine tenths, not the float near it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import partial
from itertools import compress
from math import prod
from os import PathLike
from typing import Any

import pandas as pd

from funnelkit.language import DataError, amount_in_words, both, large, say
from funnelkit.models import Funnel, Stage, funnel
from funnelkit.result import Result, table_of

Model = str | PathLike[str] | Funnel  # a model's name, a TOML file, or the model
Notes = tuple[tuple[str, Mapping[str, Any]], ...]

CENT = Decimal("0.01")
CRITERIA = ("largest_loss", "lowest_ratio", "best_gain")
_ADVICE = ("push", "message", "audience", "tools")


def cascade(
    ratios: Mapping[str, Any] | None = None, *, population: Any = 1_000_000, price: Any = 100, model: Model = "pharma",
    currency: str | None = None,
) -> Result:  # fmt: skip
    """Follow a population level by level: how many each level keeps, and what they are worth.

    Parameters
    ----------
    ratios : mapping, optional
        Fraction kept at a level (id, name or alias), 0 to 1, inputs (covered population, patients) too; others keep the
        model's default, an input share without one is 1.
    population, price, model
        How many start, the value of one who stays, and a model's name, TOML file or Funnel.
    currency : str, optional
        ISO code of the price; by default that of `fk.use`.

    Returns
    -------
    Result
        point (stage ids), ratio, count (those who reach the row), remaining (count x ratio, the next row's count),
        price (Decimal), sales (remaining x price, Decimal, rounded half up to the cent).

    Raises
    ------
    CatalogError, DataError
        For a level that the model does not have; for a number out of range.

    Notes
    -----
    All figures are exact fractions of the decimals as written; only sales are rounded.

    Examples
    --------
    >>> cascade(population=10_000_000, price="1.50").table[["point", "remaining", "sales"]].tail(1).values.tolist()
    [['adherence', 4782969.0, Decimal('7174453.50')]]
    """
    return _cascaded(ratios or {}, exact(population, "population"), exact(price, "price"), funnel(model), currency)


def _cascaded(
    ratios: Mapping[str, Any], start: Fraction, worth: Fraction, model: Funnel, currency: str | None
) -> Result:
    given = {model.stage(name).id: value for name, value in ratios.items()}
    kept = [_row_ratio(stage, given) for stage in model.stages]
    reached = [start * prod(kept[:place]) for place in range(len(kept) + 1)]
    table = pd.DataFrame(
        {
            "point": pd.Categorical(model.stage_ids, categories=model.stage_ids, ordered=True),
            "ratio": [float(ratio) for ratio in kept],
            "count": [float(count) for count in reached[:-1]],
            "remaining": [float(count) for count in reached[1:]],
            "price": [_price(worth)] * len(kept),
            "sales": [cents(count * worth) for count in reached[1:]],
        }
    )
    rows = _level_rows(table, model)
    key, values = _summary(rows, currency) if rows["point"] else ("", {})
    return Result(table, key, values, model=model, picture="cascade_chart", currency=currency)


def _row_ratio(stage: Stage, given: Mapping[str, Any]) -> Fraction:
    if stage.input == "count":
        return Fraction(1)
    value = given.get(stage.id, stage.rate if stage.input is None else 1)
    if value is None:
        raise DataError("cascade_no_ratio", level=stage.name.en)
    ratio: Fraction | None = _fraction(value)
    if ratio is None or not 0 <= ratio <= 1:
        raise DataError("cascade_ratio", level=stage.name.en, found=value)
    return ratio


def _fraction(value: Any) -> Any:
    """Return a number, or its text, as the fraction it is written as; None where it is no finite number."""
    if isinstance(value, Fraction):
        return value
    try:
        written = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return Fraction(written) if written.is_finite() else None


def exact(value: Any, name: str) -> Fraction:
    """Return a number of at least 0 as a fraction; DataError names `name` (population, price, cost) otherwise."""
    found: Fraction | None = _fraction(value)
    if found is None or not 0 <= found <= 10**15:
        raise DataError(f"cascade_{name}", found=value)
    return found


def _price(worth: Fraction) -> Decimal:
    """Return the price as it was written, with two decimals at least: a tablet may cost 0.125."""
    price = Decimal(worth.numerator) / Decimal(worth.denominator)
    return price if int(price.as_tuple().exponent) < -2 else price.quantize(CENT)


def cents(amount: Fraction) -> Decimal:
    """Return a fraction of money (at least 0) as a Decimal, rounded half up to the cent.

    >>> cents(Fraction(1, 8))
    Decimal('0.13')
    """
    whole, rest = divmod(amount * 100, 1)
    return Decimal(int(whole) + (rest >= Fraction(1, 2))).scaleb(-2)


def weakest_levels(
    found: Result | pd.DataFrame, costs: Mapping[str, Any] | None = None, *, points: Any = 0.05, model: Any = None
) -> Result:
    """Say which level of a cascade is the weakest, by three criteria, and what to do about it.

    Parameters
    ----------
    found : Result or DataFrame
        Of `cascade`.
    costs : mapping, optional
        Money that raises a level's ratio by `points`; every level costs the same without it.
    points : number
        A fraction, such as 0.05; no ratio passes 1.
    model : str or Funnel, optional
        That of `found`, else pharma.

    Returns
    -------
    Result
        point, ratio, loss (who drop out there), gain_sales (added by `points` more, Decimal), cost, gain_per_cost, and
        the verdicts largest_loss, lowest_ratio, best_gain (True for every level that ties).

    Raises
    ------
    DataError
        For a cost or points not above 0.

    Notes
    -----
    The reading recommends push, message, audience and tools of the levels that stand out.

    Examples
    --------
    >>> levels = weakest_levels(cascade({"diagnosis rate": 0.6})).table
    >>> levels.loc[levels["lowest_ratio"], "point"].tolist()
    ['diagnosis-rate']
    """
    given = found.model if model is None and isinstance(found, Result) else model
    currency = found.currency if isinstance(found, Result) else None
    return _weakest(table_of(found), costs, points, funnel(given or "pharma"), currency)


def _weakest(
    table: pd.DataFrame, costs: Mapping[str, Any] | None, points: Any, model: Funnel, currency: str | None
) -> Result:
    spent = _costs(costs, model)
    rows = _level_rows(table, model)
    names, ratios, counts = rows["point"], rows["ratio"], rows["count"]
    gains = _gains(rows, _fraction(points))
    exact_gain = [gain / spent.get(name, 1) for gain, name in zip(gains, names, strict=True)]
    losses = [(1 - _fraction(ratio)) * _fraction(count) for ratio, count in zip(ratios, counts, strict=True)]
    columns = {
        "point": pd.Categorical(names, dtype=table["point"].dtype), "ratio": ratios,
        "loss": [count - left for count, left in zip(counts, rows["remaining"], strict=True)],
        "gain_sales": [cents(gain) for gain in gains], "cost": [float(spent.get(name, 1)) for name in names],
        "gain_per_cost": [float(gain) for gain in exact_gain], "largest_loss": _largest(losses),
        "lowest_ratio": [ratio == min(ratios) for ratio in ratios], "best_gain": _largest(exact_gain),
    }  # fmt: skip
    levels = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    said, shown = (*_summary(rows, currency), _verdicts(levels, model, costs, points, currency)), {"cost": "level_cost"}
    return Result(pd.DataFrame(columns), *said, model=model, names=shown, currency=currency)


def _level_rows(table: pd.DataFrame, model: Funnel) -> dict[str, list[Any]]:
    """Return the columns of a cascade's levels as lists: pandas is slow on ten rows, and a slider waits for them."""
    levels = [_is_level(model, point) for point in table["point"].tolist()]
    return {
        name: list(compress(table[name].tolist(), levels))
        for name in ("point", "ratio", "count", "remaining", "price", "sales")
    }


def _largest(values: list[Any]) -> list[bool]:
    """Return which values are the largest, none where all are 0."""
    most = max(values)
    return [value == most > 0 for value in values]


def _is_level(model: Funnel, point: str) -> bool:
    stage = model.stage(point)
    return stage.level is not None or (stage.input is None and all(other.level is None for other in model.stages))


def _costs(costs: Mapping[str, Any] | None, model: Funnel) -> dict[str, Fraction]:
    spent = {model.stage(name).id: exact(cost, "cost") for name, cost in (costs or {}).items()}
    for name, cost in spent.items():
        if cost == 0:
            raise DataError("cascade_cost", found=f"0 ({name})")
    return spent


def _gains(rows: dict[str, list[Any]], points: Any) -> list[Fraction]:
    """Return the added final sales if one level alone kept `points` more, for each level, as fractions."""
    if points is None or not 0 < points <= 1:
        raise DataError("cascade_points", found=points)
    ratios = [_fraction(ratio) for ratio in rows["ratio"]]
    worth = _fraction(rows["count"][0]) * Fraction(rows["price"][0])
    others = [prod(ratios[:place] + ratios[place + 1 :]) for place in range(len(ratios))]
    return [
        worth * rest * (min(ratio + points, Fraction(1)) - ratio) for ratio, rest in zip(ratios, others, strict=True)
    ]


def _summary(rows: dict[str, list[Any]], currency: str | None) -> tuple[str, dict[str, Any]]:
    start, left = float(rows["count"][0]), float(rows["remaining"][-1])
    share = 100 * left / start if start else 0.0
    return "planning.cascade.left", {
        "n": len(rows["count"]),
        "start": both(lambda: large(start, "人")),
        "left": both(lambda: large(left, "人")),
        "share": share,
        "sales": both(lambda: amount_in_words(rows["sales"][-1], currency)),
    }


def _verdicts(
    levels: list[dict[str, Any]], model: Funnel, costs: Mapping[str, Any] | None, points: Any, currency: str | None
) -> Notes:
    """Return the sentences of the three criteria, then one recommendation for each level that stands out."""
    notes: list[tuple[str, Mapping[str, Any]]] = []
    weak: list[str] = []
    for criterion in CRITERIA:
        rows = [level for level in levels if level[criterion]]
        if not rows or (len(rows) == len(levels) > 1):
            notes.append((f"planning.cascade.{criterion}_none", {"n": len(levels)}))
            continue
        first, names = rows[0], tuple(model.stage(row["point"]).name for row in rows)
        loss = both(partial(large, first["loss"], "人"))
        gain = both(partial(amount_in_words, first["gain_sales"], currency))
        values = {"ratio": 100 * first["ratio"], "loss": loss, "gain": gain}
        notes.append((f"planning.cascade.{criterion}", {**values, "levels": names, "points": 100 * float(points)}))
        weak += [row["point"] for row in rows if row["point"] not in weak]
    if costs is None:
        notes.append(("planning.cascade.equal_cost", {}))
    return (*notes, *(_advice_note(model.stage(point)) for point in weak if model.stage(point).push))


def _advice_note(stage: Stage) -> tuple[str, dict[str, Any]]:
    if stage.message and stage.audience and stage.tools:
        return "planning.cascade.advice", {"level": stage.name, **{name: getattr(stage, name) for name in _ADVICE}}
    return "planning.cascade.advice_push", {"level": stage.name, "push": stage.push}


def level_advice(points: Iterable[str], *, model: Model = "pharma") -> Result:
    """Say what to plan for levels of a cascade.

    Parameters
    ----------
    points, model
        Levels (id, name or alias) of a model.

    Returns
    -------
    Result
        point, push, message, audience, tools, as texts in the language in force.

    Raises
    ------
    CatalogError
        For a level that the model does not have.

    Notes
    -----
    Message, audience and tools of the catalogue are suggestions of this kit to start from.

    Examples
    --------
    >>> level_advice(["diagnosis-rate"]).table["push"].item()
    'talk with physicians about the harm of the disease and its diagnosis'
    """
    model = funnel(model)
    stages = [model.stage(point) for point in points]
    between = say("result.list_between")
    rows = []
    for stage in stages:
        texts = {name: getattr(stage, name) for name in _ADVICE}
        texts["tools"] = between.join(str(tool) for tool in stage.tools)
        rows.append({"point": stage.id, **{name: str(text or "") for name, text in texts.items()}})
    notes = tuple(_advice_note(stage) for stage in stages if stage.push)
    return Result(pd.DataFrame(rows, columns=["point", *_ADVICE]), notes=notes, model=model)
