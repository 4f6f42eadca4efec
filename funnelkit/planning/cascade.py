"""Cascade: from a population to those who stay, level by level, and which level is the weakest.

Counts and money are computed as exact fractions of the decimals as written: 0.9 is nine tenths, not the float near it.
"""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import compress
from math import prod

import pandas as pd

from funnelkit.language import DataError, say
from funnelkit.models import funnel
from funnelkit.result import Result

CENT = Decimal("0.01")
CRITERIA = ("largest_loss", "lowest_ratio", "best_gain")
_ADVICE = ("push", "message", "audience", "tools")


def cascade(ratios=None, *, population=1_000_000, price=100, model="pharma"):
    """Return the cascade's table: how many each level keeps, and what they are worth.

    `ratios` maps a level's id, name or alias to its fraction in [0, 1], inputs (covered population, patients) too;
    others keep the model's default, an input share without one is 1. `model` is a model's name, a TOML file or a
    Funnel with any number of levels. Returns point (ordered categorical of stage ids), ratio, count (those who reach
    the row), remaining (count x ratio, the next row's count), price (value of one patient, Decimal) and sales
    (remaining x price, Decimal, rounded half up to the cent). Raises DataError for a number out of range and
    CatalogError for a level that the model does not have.

    >>> table = cascade(population=10_000_000, price="1.50")
    >>> table[["point", "count", "remaining", "sales"]].tail(2)
                          point      count  remaining       sales
    8  differentiated-advantage  5904900.0  5314410.0  7971615.00
    9                 adherence  5314410.0  4782969.0  7174453.50
    """
    model = _model(model)
    given = {model.stage(name).id: value for name, value in (ratios or {}).items()}
    kept = [_row_ratio(stage, given) for stage in model.stages]
    start, worth = exact(population, "population"), exact(price, "price")
    reached = [start * prod(kept[:place]) for place in range(len(kept) + 1)]
    points = pd.Categorical(model.stage_ids, categories=model.stage_ids, ordered=True)
    return pd.DataFrame(
        {
            "point": points,
            "ratio": [float(ratio) for ratio in kept],
            "count": [float(count) for count in reached[:-1]],
            "remaining": [float(count) for count in reached[1:]],
            "price": [_price(worth)] * len(kept),
            "sales": [cents(count * worth) for count in reached[1:]],
        }
    )


def _model(model):
    return funnel(model) if isinstance(model, str) or hasattr(model, "__fspath__") else model


def _row_ratio(stage, given):
    if stage.input == "count":
        return Fraction(1)
    value = given.get(stage.id, stage.rate if stage.input is None else 1)
    if value is None:
        raise DataError("cascade_no_ratio", level=stage.name.en)
    ratio = _fraction(value)
    if ratio is None or not 0 <= ratio <= 1:
        raise DataError("cascade_ratio", level=stage.name.en, found=value)
    return ratio


def _fraction(value):
    """Return a number, or its text, as the fraction it is written as; None where it is no finite number."""
    if isinstance(value, Fraction):
        return value
    try:
        written = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return Fraction(written) if written.is_finite() else None


def exact(value, name):
    """Return a number of at least 0 as a fraction; DataError names `name` (population, price, cost) otherwise."""
    found = _fraction(value)
    if found is None or not 0 <= found <= 10**15:
        raise DataError(f"cascade_{name}", found=value)
    return found


def _price(worth):
    """Return the price as it was written, with two decimals at least: a tablet may cost 0.125."""
    price = Decimal(worth.numerator) / Decimal(worth.denominator)
    return price if price.as_tuple().exponent < -2 else price.quantize(CENT)


def cents(amount):
    """Return a fraction of money (at least 0) as a Decimal, rounded half up to the cent.

    >>> cents(Fraction(1, 8))
    Decimal('0.13')
    """
    whole, rest = divmod(amount * 100, 1)
    return Decimal(int(whole) + (rest >= Fraction(1, 2))).scaleb(-2)


def weakest_levels(table, costs=None, *, points=0.05, model="pharma"):
    """Say which level of a cascade is the weakest, by three criteria, and what to do about it.

    Takes the table of `cascade`; `costs` maps a level to the money that raises its ratio by `points` (a fraction,
    never beyond 100 %), every level costing the same without it. Returns a Result whose table holds for each level:
    point, ratio, loss (patients who drop out there), gain_sales (added sales of `points` more, Decimal), cost,
    gain_per_cost, and the verdicts largest_loss, lowest_ratio, best_gain (True for every level that ties). The
    reading recommends push, message, audience and tools. Raises DataError for a cost that is not above 0.

    >>> found = weakest_levels(cascade({"diagnosis rate": 0.6}))
    >>> found.table.loc[found.table["lowest_ratio"], "point"].tolist()
    ['diagnosis-rate']
    """
    model = _model(model)
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
    return Result(pd.DataFrame(columns), *_summary(rows), _verdicts(levels, model, costs, points))


def _level_rows(table, model):
    """Return the columns of a cascade's levels as lists: pandas is slow on ten rows, and a slider waits for them."""
    levels = [_is_level(model, point) for point in table["point"].tolist()]
    return {
        name: list(compress(table[name].tolist(), levels))
        for name in ("point", "ratio", "count", "remaining", "price", "sales")
    }


def _largest(values):
    """Return which values are the largest, none where all are 0."""
    most = max(values)
    return [value == most > 0 for value in values]


def _is_level(model, point):
    stage = model.stage(point)
    return stage.level is not None or (stage.input is None and all(other.level is None for other in model.stages))


def _costs(costs, model):
    spent = {model.stage(name).id: exact(cost, "cost") for name, cost in (costs or {}).items()}
    for name, cost in spent.items():
        if cost == 0:
            raise DataError("cascade_cost", found=f"0 ({name})")
    return spent


def _gains(rows, points):
    """Return the added final sales if one level alone kept `points` more, for each level, as fractions."""
    if points is None or not 0 < points <= 1:
        raise DataError("cascade_points", found=points)
    ratios = [_fraction(ratio) for ratio in rows["ratio"]]
    worth = _fraction(rows["count"][0]) * Fraction(rows["price"][0])
    others = [prod(ratios[:place] + ratios[place + 1 :]) for place in range(len(ratios))]
    return [
        worth * rest * (min(ratio + points, Fraction(1)) - ratio) for ratio, rest in zip(ratios, others, strict=True)
    ]


def _summary(rows):
    start, left = float(rows["count"][0]), float(rows["remaining"][-1])
    share = 100 * left / start if start else 0.0
    return "planning.cascade.left", {
        "n": len(rows["count"]),
        "start": start,
        "left": left,
        "share": share,
        "sales": rows["sales"][-1],
    }


def _verdicts(levels, model, costs, points):
    """Return the sentences of the three criteria, then one recommendation for each level that stands out."""
    notes, weak = [], []
    for criterion in CRITERIA:
        rows = [level for level in levels if level[criterion]]
        if not rows or (len(rows) == len(levels) > 1):
            notes.append((f"planning.cascade.{criterion}_none", {"n": len(levels)}))
            continue
        first, names = rows[0], tuple(model.stage(row["point"]).name for row in rows)
        values = {"ratio": 100 * first["ratio"], "loss": first["loss"], "gain": first["gain_sales"]}
        notes.append((f"planning.cascade.{criterion}", {**values, "levels": names, "points": 100 * float(points)}))
        weak += [row["point"] for row in rows if row["point"] not in weak]
    if costs is None:
        notes.append(("planning.cascade.equal_cost", {}))
    return (*notes, *(_advice_note(model.stage(point)) for point in weak if model.stage(point).push))


def _advice_note(stage):
    if stage.message and stage.audience and stage.tools:
        return "planning.cascade.advice", {"level": stage.name, **{name: getattr(stage, name) for name in _ADVICE}}
    return "planning.cascade.advice_push", {"level": stage.name, "push": stage.push}


def level_advice(points, *, model="pharma"):
    """Return what to plan for these levels: point, push, message, audience, tools, as texts.

    Message, audience and tools of the catalogue are suggestions of this kit to start from.

    >>> level_advice(["diagnosis-rate"])["push"].item()
    '与医生沟通疾病危害和诊断方法'
    """
    model = _model(model)
    between = say("result.list_between")
    rows = []
    for stage in map(model.stage, points):
        texts = {name: getattr(stage, name) for name in _ADVICE}
        texts["tools"] = between.join(str(tool) for tool in stage.tools)
        rows.append({"point": stage.id, **{name: _side(text) for name, text in texts.items()}})
    return pd.DataFrame(rows, columns=["point", *_ADVICE])


def _side(text):
    return "" if text is None else text if isinstance(text, str) else str(text)
