"""Planning: what a change of rates, volume or deal value brings, beside the baseline."""

import math

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest, number, percent, say

LEVERS = ("volume", "deal_value", "cycle_days")


def what_if(source, changes=None, volume=1000, deal_value=0.0, model=None, *, cycle_days=None):
    """Return the expected count of every stage with `changes` made, beside the baseline.

    `source` is a model (its default rates) or a rate table (stage, rate and n, as `rate_table` gives it); `model`
    names stages and tells what a win is, where `source` is a table. `volume` enter the first stage, `deal_value` is
    the mean value of a win. `changes` maps a stage (id, name, alias) to a new rate, and "volume", "deal_value" and
    "cycle_days" to new values.

    Returns stage, n_seen (decided cases that the baseline rate rests on; 0 where it is a model's default), rate_base,
    rate, n_base, n, n_more, value_base, value (money, in the row of the win only); with `cycle_days` (mean days from
    entry to win) also value_per_day_base and value_per_day, value / cycle (sales velocity). Counts are expected: that
    of the stage before times its rate. The win is entering the model's won stage, else the last stage. Raises
    CatalogError for an unknown stage, DataError for a rate or lever out of range (rates: 0 to 1; above only where
    counts may grow, as in influence) or not known.

    >>> from funnelkit.models import custom
    >>> rates = pd.DataFrame({"stage": ["Lead", "Offer"], "rate": [0.5, 1.0], "n": [40, 9]})
    >>> what_if(rates, {"Lead": 0.6}, 100, 10.0, custom(["Lead", "Offer"]))
       stage  n_seen  rate_base  rate  n_base      n  n_more  value_base  value
    0   Lead      40        0.5   0.6   100.0  100.0     0.0         NaN    NaN
    1  Offer       9        1.0   1.0    50.0   60.0    10.0       500.0  600.0
    """
    base, model = _base_rates(source, model)
    changed, levers = _split_changes(changes or {}, base, model)
    grows = model is not None and model.grows
    _check_levers({"volume": volume, "deal_value": deal_value}, levers, cycle_days)
    base["rate"] = [changed.get(stage, rate) for stage, rate in zip(base["stage"], base["rate_base"], strict=True)]
    won = _won_position(base, model)
    for name in ("rate_base", "rate"):
        _check_rates(base.iloc[:won], name, grows)
    base["n_base"] = _counts(base["rate_base"], volume)
    base["n"] = _counts(base["rate"], levers.get("volume", volume))
    base["n_more"] = base["n"] - base["n_base"]
    is_win = np.arange(len(base)) == won
    base["value_base"] = np.where(is_win, base["n_base"] * deal_value, np.nan)
    base["value"] = np.where(is_win, base["n"] * levers.get("deal_value", deal_value), np.nan)
    if cycle_days is not None:
        base["value_per_day_base"] = base["value_base"] / cycle_days
        base["value_per_day"] = base["value"] / levers.get("cycle_days", cycle_days)
    return base


def _check_levers(base, changed, cycle_days):
    for lever, value in {**base, **changed}.items():
        if lever != "cycle_days" and not 0 <= value < math.inf:
            raise DataError("bad_lever", name=lever, value=value)
    for days in (cycle_days, changed.get("cycle_days")):
        if days is not None and not 0 < days < math.inf:
            raise DataError("bad_cycle", value=days)
    if cycle_days is None and "cycle_days" in changed:
        raise DataError("no_base_cycle")


def _base_rates(source, model):
    """Return (stage, n_seen, rate_base) and the model, from a model or a rate table."""
    if hasattr(source, "stages"):
        rates = [np.nan if stage.rate is None else stage.rate for stage in source.stages]
        stage = pd.Categorical(source.stage_ids, categories=source.stage_ids, ordered=True)
        return pd.DataFrame({"stage": stage, "n_seen": 0, "rate_base": rates}), source
    for name in ("stage", "rate"):
        if name not in source:
            raise DataError("no_such_column", name=name, nearest=nearest(name, source.columns))
    seen = source["n"].to_numpy() if "n" in source else 0
    table = pd.DataFrame({"stage": source["stage"].array, "n_seen": seen, "rate_base": source["rate"].to_numpy(float)})
    return table, model


def _split_changes(changes, base, model):
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


def _won_position(base, model):
    names = [str(stage) for stage in base["stage"]]
    return names.index(model.won_stage) if model is not None and model.won_stage in names else len(names) - 1


def _check_rates(rows, column, grows):
    """Refuse what cannot be a rate; the last row before a win is the last one that matters."""
    for stage, rate in zip(rows["stage"], rows[column], strict=True):
        if pd.isna(rate):
            if column == "rate_base":
                continue  # a stage without a known rate is fine where a change gives one: "rate" is checked next
            raise DataError("what_if_rate_unknown", stage=stage)
        if not 0 <= rate < math.inf or (rate > 1 and not grows):
            raise DataError("rate_out_of_range", stage=stage, rate=rate)


def _counts(rates, volume):
    return volume * np.r_[1.0, np.cumprod(rates.to_numpy(float)[:-1])]


def describe_what_if(table):
    """Return the reading: how many are won, and for what value, beside the baseline."""
    won = table.loc[table["value"].last_valid_index()]
    values = {"n_base": number(won["n_base"], 1), "n": number(won["n"], 1), "more": f"{won['n_more']:+,.1f}",
              "value_base": number(won["value_base"]), "value": number(won["value"]),
              "value_more": f"{won['value'] - won['value_base']:+,.0f}"}  # fmt: skip
    share = won["n"] / table["n"].iloc[0] if table["n"].iloc[0] else math.nan
    known = say("planning.what_if.known" if pd.notna(won["n_base"]) else "planning.what_if.no_base", **values)
    words = say("planning.what_if.volume", n=number(table["n"].iloc[0]), share=percent(share)) + known
    if "value_per_day" not in table:
        return words
    pace = {"base": number(won["value_per_day_base"]), "now": number(won["value_per_day"])}
    return words + say("planning.what_if.pace", **pace)
