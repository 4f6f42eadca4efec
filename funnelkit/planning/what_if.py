"""What-if: what a change of rates, volume or deal value brings, beside the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError, Text, amount_in_words, both, large, nearest, number, percent
from funnelkit.models import Funnel
from funnelkit.result import Result, table_of

LEVERS = ("volume", "deal_value", "cycle_days")
Changes = dict[str, float]
SHOWN = ("stage", "n_seen", "rate_base", "rate", "n_base", "n", "n_more")


def what_if(
    source: Any,
    changes: Mapping[str, float] | None = None,
    volume: float = 1000,
    deal_value: float = 0.0,
    model: Funnel | None = None,
    *,
    cycle_days: float | None = None,
    currency: str | None = None,
) -> Result:
    """Return the expected count of every stage with `changes` made, beside the baseline.

    Parameters
    ----------
    source, model
        A model (its default rates), or stage, rate and n as `rate_table` gives them; the model names their stages.
    changes : mapping, optional
        New rate of a stage (id, name, alias); new "volume", "deal_value" and "cycle_days".
    volume, deal_value, cycle_days, currency
        How many enter the first stage; mean value of a win; mean days from entry to win; ISO code of the value.

    Returns
    -------
    Result
        stage, n_seen (decided cases behind the baseline rate), rate_base, rate, n_base, n, n_more, value_base, value
        (money, in the row of the win); with `cycle_days` also value_per_day_base and value_per_day.

    Notes
    -----
    Counts are expected: that of the stage before times its rate. The win is entering the model's won stage, else the
    last stage. CatalogError or DataError refuse an unknown stage, and a rate or lever out of range.

    Examples
    --------
    >>> rates = pd.DataFrame({"stage": ["Lead", "Offer"], "rate": [0.5, 1.0], "n": [40, 9]})
    >>> what_if(rates, {"Lead": 0.6}, volume=100).table["n"].tolist()
    [100.0, 60.0]
    """
    return _changed(source, dict(changes or {}), (volume, deal_value), model, (cycle_days, currency))


def _changed(
    source: Any,
    changes: dict[str, float],
    size: tuple[float, float],
    model: Funnel | None,
    units: tuple[float | None, str | None],
) -> Result:
    (volume, deal_value), (cycle_days, currency) = size, units
    table, model = _base_rates(source, model)
    changed, levers = _split_changes(changes, table, model)
    _check_levers({"volume": volume, "deal_value": deal_value}, levers, cycle_days)
    table["rate"] = [changed.get(stage, rate) for stage, rate in zip(table["stage"], table["rate_base"], strict=True)]
    won = _won_position(table, model)
    for name in ("rate_base", "rate"):
        _check_rates(table.iloc[:won], name, model is not None and model.grows)
    table["n_base"] = _counts(table["rate_base"], volume)
    table["n"] = _counts(table["rate"], levers.get("volume", volume))
    table["n_more"] = table["n"] - table["n_base"]
    is_win = np.arange(len(table)) == won
    table["value_base"] = np.where(is_win, table["n_base"] * deal_value, np.nan)
    table["value"] = np.where(is_win, table["n"] * levers.get("deal_value", deal_value), np.nan)
    if cycle_days is not None:
        table["value_per_day_base"] = table["value_base"] / cycle_days
        table["value_per_day"] = table["value"] / levers.get("cycle_days", cycle_days)
    key, values, notes = _words(table, won, model, currency)
    shown = SHOWN if table["n_seen"].any() else tuple(name for name in SHOWN if name != "n_seen")
    names = {"n": "count"}
    return Result(
        table, key, values, notes, model=model, picture="what_if_chart", shown=shown, names=names, currency=currency
    )


def _words(
    table: pd.DataFrame, won: int, model: Funnel | None, currency: str | None
) -> tuple[str, dict[str, Any], Any]:
    """Return the reading: how many are won, and for what value, or how many reach the end, beside the baseline."""
    last, n = table.iloc[won], table["n"].iloc[0]
    share = percent(last["n"] / n) if n else "–"
    if model is not None and model.won_stage is None and not last["value"]:  # a value would make the end a win
        whole = {"n": _counted(n), "share": share, "stage": model.stage(last["stage"]).name}
        counts = {"reached": _count(last["n"]), "base": _count(last["n_base"])}
        as_base = math.isclose(last["n"], last["n_base"])
        return "planning.what_if.reach_as_base" if as_base else "planning.what_if.reach", {**whole, **counts}, ()
    values: dict[str, Any] = {
        "n_base": _count(last["n_base"]),
        "n": _count(last["n"]),
        "more": both(lambda: ("+" if last["n_more"] >= 0 else "") + _count(last["n_more"])),
        "value_base": _amount(last["value_base"], currency),
        "value": _amount(last["value"], currency),
        "value_more": _amount(last["value"] - last["value_base"], currency, "+"),
    }
    as_base = math.isclose(last["n"], last["n_base"]) and math.isclose(last["value"], last["value_base"])
    way = "no_base" if pd.isna(last["n_base"]) else "as_base" if as_base else "known"
    notes: list[tuple[str, dict[str, Any]]] = [(f"planning.what_if.{way}", values)]
    if "value_per_day" in table:
        pace = {"base": last["value_per_day_base"], "now": last["value_per_day"]}
        pace = {name: _amount(value, currency) if currency else number(value) for name, value in pace.items()}
        notes.append(("planning.what_if.pace", pace))
    return "planning.what_if.volume", {"n": _counted(n), "share": share}, tuple(notes)


def _counted(n: float) -> Text:
    return both(lambda: large(n, "个"))


def _count(n: float) -> str:
    """Return a number of deals, with one decimal where it is not whole."""
    return number(n, 0 if pd.isna(n) or abs(n - round(n)) < 0.05 else 1)


def _amount(value: float, currency: str | None, sign: str = "") -> Text:
    said = partial(amount_in_words, value, currency) if currency else partial(large, value)
    return both(lambda: (sign if value >= 0 else "") + said())


def _check_levers(base: dict[str, float], changed: dict[str, float], cycle_days: float | None) -> None:
    for lever, value in {**base, **changed}.items():
        if lever != "cycle_days" and not 0 <= value < math.inf:
            raise DataError("bad_lever", name=lever, value=value)
    for days in (cycle_days, changed.get("cycle_days")):
        if days is not None and not 0 < days < math.inf:
            raise DataError("bad_cycle", value=days)
    if cycle_days is None and "cycle_days" in changed:
        raise DataError("no_base_cycle")


def _base_rates(source: Any, model: Funnel | None) -> tuple[pd.DataFrame, Funnel | None]:
    """Return (stage, n_seen, rate_base) and the model, from a model or a rate table."""
    if hasattr(source, "stages"):
        rates = [np.nan if stage.rate is None else stage.rate for stage in source.stages]
        stage = pd.Categorical(source.stage_ids, categories=source.stage_ids, ordered=True)
        return pd.DataFrame({"stage": stage, "n_seen": 0, "rate_base": rates}), source
    model = source.model if model is None and isinstance(source, Result) else model
    given = table_of(source)
    for name in ("stage", "rate"):
        if name not in given:
            raise DataError("no_such_column", name=name, nearest=nearest(name, given.columns))
    seen = given["n"].to_numpy() if "n" in given else 0
    table = pd.DataFrame({"stage": given["stage"].array, "n_seen": seen, "rate_base": given["rate"].to_numpy(float)})
    return table, model


def _split_changes(changes: dict[str, float], base: pd.DataFrame, model: Funnel | None) -> tuple[Changes, Changes]:
    """Return ({stage: rate}, {lever: value}), the stages as the table names them."""
    stages, levers = {}, {}
    known = [str(stage) for stage in base["stage"]]
    for name, value in changes.items():
        if name in LEVERS:
            levers[name] = value
            continue
        stage = model.stage(name).id if model is not None else name
        if stage not in known:
            raise DataError("no_such_change", name=name, nearest=nearest(name, [*known, *LEVERS]))
        stages[stage] = value
    return stages, levers


def _won_position(base: pd.DataFrame, model: Funnel | None) -> int:
    names = [str(stage) for stage in base["stage"]]
    return names.index(model.won_stage) if model is not None and model.won_stage in names else len(names) - 1


def _check_rates(rows: pd.DataFrame, column: str, grows: bool) -> None:
    """Refuse what cannot be a rate; the last row before a win is the last one that matters."""
    for stage, rate in zip(rows["stage"], rows[column], strict=True):
        if pd.isna(rate):
            if column == "rate_base":
                continue  # a stage without a known rate is fine where a change gives one: "rate" is checked next
            raise DataError("what_if_rate_unknown", stage=stage)
        if not 0 <= rate < math.inf or (rate > 1 and not grows):
            raise DataError("rate_out_of_range", stage=stage, rate=rate)


def _counts(rates: Any, volume: float) -> Any:
    return (volume * np.r_[1.0, np.cumprod(rates.to_numpy(float)[:-1])]).round(9)
