"""Promotion rates and growth factors as tables: one row a stage, always with its n."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from funnelkit.analysis.count import STAGE_UNKNOWN, StageCounts, count_stages, stage_counts
from funnelkit.analysis.shared import require_columns
from funnelkit.analysis.stage_incidence import with_incidences
from funnelkit.language import DataError, Text, both, number, percent, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, gate_rates, rates_so_far, row_words, table_of
from funnelkit.stats import RATE_COLUMNS, leaders, rate_columns

Said = tuple[str, dict[str, Any]]


def rate_table(counts: Pipeline | Result | pd.DataFrame) -> Result:
    """Give the promotion rate of every stage: the share of those who enter it that goes on.

    Parameters
    ----------
    counts : a Pipeline, a Result of counts, or a table of [segment ...], stage, n_entered, n_advanced, n_lost, n_open
        Of a table, n_entered alone may do, or n_advanced and n_lost.

    Returns
    -------
    Result
        Table: [segment ...], stage, k (advanced), n (whose fate is known), rate, low, high (95 %), n_open, floor,
        ceiling (the rate if none or all of the open advance), basis, horizon_days (in the stage).

    Raises
    ------
    DataError : where counts are missing, or grow from a stage to the next, which is no share (see `growth_table`)

    Notes
    -----
    Where stays are timed the rate is the Aalen-Johansen share that advances by the horizon, open ones censored
    (incidence); else k / n of those who left (decided), or of all who entered where a table tells no more (share).
    Lost deals whose stage is not recorded leave bounds, a source without losses k of n so far (unknown).

    Examples
    --------
    >>> counts = pd.DataFrame({"stage": ["Lead", "Offer"], "n_entered": [10, 4], "n_advanced": [4, 0],
    ...                        "n_lost": [4, 0], "n_open": [2, 4]})
    >>> rate_table(counts).table[["stage", "k", "n", "rate", "n_open", "floor", "ceiling"]]
       stage  k  n  rate  n_open  floor  ceiling
    0   Lead  4  8   0.5       2    0.4      0.6
    1  Offer  0  0   NaN       4    0.0      1.0
    """
    found = count_stages(counts) if isinstance(counts, Pipeline) else counts
    return _promotion_rates(table_of(found), found if isinstance(found, Result) else None)


def _counted(counts: Pipeline | Result | pd.DataFrame) -> tuple[pd.DataFrame, Funnel | None]:
    if isinstance(counts, Pipeline):
        return stage_counts(counts), counts.model
    return table_of(counts), counts.model if isinstance(counts, Result) else None


def _promotion_rates(counts: pd.DataFrame, found: Result | None) -> Result:
    require_columns(counts, ("stage",))
    model = found.model if found is not None else None
    lead = list(counts.columns[: list(counts.columns).index("stage") + 1])
    stages = counts[counts["stage"] != STAGE_UNKNOWN].reset_index(drop=True)
    table = stages[lead].assign(**_rates_of_counts(stages, lead[:-1]))
    if isinstance(found, StageCounts):
        table = with_incidences(table, found)
    table = table.assign(**gate_rates(None, "stage", table, _lost_nowhere(counts, stages, lead[:-1], model)))
    picture = "rate_chart" if lead == ["stage"] else ""
    shown = partial(_for_people, lead, model)
    return Result(table, *_read(table, lead, model), model=model, picture=picture, shown=shown)


def _rates_of_counts(counts: pd.DataFrame, keys: list[str]) -> dict[str, Any]:
    """Return the rate columns that counts alone give; those of an event log stand beside its counts."""
    own = list(rate_columns(0, 0))
    if set(own) <= set(counts.columns):
        return {name: counts[name].to_numpy() for name in own}
    n_open = counts.get("n_open", 0)
    if {"n_advanced", "n_lost"} <= set(counts.columns):
        left = counts["n_advanced"] + counts["n_lost"].fillna(0)
        decided = rate_columns(counts["n_advanced"], left, n_open)
        so_far = rates_so_far(counts["n_advanced"], left, n_open)
        unknown = counts["n_lost"].isna()
        return {name: np.where(unknown, so_far[name], decided[name]) for name in decided}
    if "n_entered" not in counts:
        raise DataError("counts_needed", found=", ".join(map(str, counts.columns)))
    entered = counts["n_entered"].astype("int64")
    known = entered - n_open
    if "n_advanced" in counts:
        k = counts["n_advanced"]
    elif "n_lost" in counts:
        k = known - counts["n_lost"]
    else:
        after = entered.groupby([counts[key] for key in keys], dropna=False).shift(-1) if keys else entered.shift(-1)
        k, known = after.fillna(0).astype("int64"), known.where(after.notna(), 0)
    if (k > known).any():
        stage = str(counts["stage"][k > known].iloc[0])
        raise DataError("counts_grow", stage=stage, k=number(k[k > known].iloc[0]), n=number(known[k > known].iloc[0]))
    return rate_columns(k, known, n_open, "decided" if {"n_open", "n_lost"} & set(counts.columns) else "share")


def _lost_nowhere(counts: pd.DataFrame, stages: pd.DataFrame, keys: list[str], model: Funnel | None) -> ArrayLike:
    """Return for each row of `stages` how many lost deals of its group may have been lost there or elsewhere."""
    rows = counts[counts["stage"] == STAGE_UNKNOWN]
    if not len(rows) or "n_lost" not in rows:
        return 0
    if keys:
        n = stages[keys].merge(rows[[*keys, "n_lost"]], on=keys, how="left")["n_lost"].fillna(0).to_numpy()
    else:
        n = np.full(len(stages), rows["n_lost"].sum())
    won = model.won_stage if model is not None else None
    before = stages["stage"].cat.codes < model.stage_ids.index(won) if model is not None and won else n >= 0
    return np.where(before, n, 0)  # what is won was not lost


def _read(table: pd.DataFrame, lead: list[str], model: Funnel | None) -> tuple[str, dict[str, Any], list[Said]]:
    """Return what the rates say: the lowest, then over what they are taken."""
    known = table[table["rate"].notna() & ~_is_win(table, model)]
    notes: list[Said] = []
    horizons = table.loc[table["basis"] == "incidence", "horizon_days"]
    if len(horizons):
        ends = dict.fromkeys(number(days) for days in (horizons.min(), horizons.max()))
        key = f"analysis.rates.stage_incidence{'_each' if len(ends) > 1 else ''}"
        notes.append((key, {"days": both(lambda: say("analysis.rates.through").join(ends))}))
    if (table["basis"] == "share").any():
        notes.append(("analysis.rates.stage_share", {}))
    if ((table["basis"] == "unknown") & table["floor"].notna()).any():
        notes.append(("analysis.rates.stage_bounds", {}))
    if not len(known):
        return "analysis.rates.nobody_left" if not table["n"].any() else "analysis.rates.none_known", {}, notes
    lowest = known.iloc[leaders(known["rate"].to_numpy(), least=True)]
    row = lowest.iloc[0]
    names = [[*map(str, one[lead[:-1]]), _name(one, model)] for _, one in lowest.iterrows()]
    if len(names) == 1:
        return "analysis.rates.lowest", {"stage": names[0], "rate": row_words(row)}, notes
    stages = [both(partial(_joined, parts)) for parts in names]
    return "analysis.rates.lowest_tied", {"stages": stages, "rate": both(lambda: percent(row["rate"]))}, notes


def _joined(parts: list[Text | str]) -> str:
    return " / ".join(map(str, parts))


def _name(row: pd.Series[Any], model: Funnel | None) -> Text | str:
    return model.stage(str(row["stage"])).name if model is not None else str(row["stage"])


def _is_win(table: pd.DataFrame, model: Funnel | None) -> pd.Series[bool]:
    """Return the rows of a last stage whose entry is the win: it promotes to nothing."""
    won = model.won_stage if model is not None and model.won_stage == model.stage_ids[-1] else None
    return table["stage"].astype(str) == won


def _for_people(lead: list[str], model: Funnel | None, table: pd.DataFrame) -> pd.DataFrame:
    rates = table[list(RATE_COLUMNS)].astype({"k": "Int64", "n": "Int64"})
    rates.loc[_is_win(table, model), ["k", "n"]] = pd.NA
    open_now = rates.pop("n_open").where(table["basis"] != "share")
    shown = table[lead].join(rates)
    return shown.assign(n_open=open_now) if open_now.notna().any() else shown


def growth_table(counts: Pipeline | Result | pd.DataFrame) -> Result:
    """Give the factor from each stage's count to the next, for funnels whose counts may grow.

    Parameters
    ----------
    counts : Pipeline, Result or DataFrame
        A Pipeline, or counts: stage, n_entered.

    Returns
    -------
    Result
        Table: stage, n_entered, n_next, factor (may pass 1; NaN where nobody entered and for the last stage).

    Raises
    ------
    DataError
        Where a column is missing.

    Notes
    -----
    A factor of people who bring other people is no share of a whole and has no binomial interval.

    Examples
    --------
    >>> growth_table(pd.DataFrame({"stage": ["share", "spread"], "n_entered": [40, 120]})).table
        stage  n_entered  n_next  factor
    0   share         40   120.0     3.0
    1  spread        120     NaN     NaN
    """
    table, model = _counted(counts)
    require_columns(table, ("stage", "n_entered"))
    entered = table["n_entered"].astype("int64")
    following = entered.shift(-1)
    factor = following / entered.where(entered > 0)
    found = pd.DataFrame({"stage": table["stage"], "n_entered": entered, "n_next": following, "factor": factor})
    return Result(found, *_read_growth(found, model), model=model, picture="funnel_chart")


def _read_growth(table: pd.DataFrame, model: Funnel | None) -> tuple[str, dict[str, Any]]:
    known = table[table["factor"].notna()]
    if not len(known):
        return "analysis.rates.no_growth", {}
    most = known.iloc[leaders(known["factor"].to_numpy())]
    stages, factor = [_name(row, model) for _, row in most.iterrows()], most["factor"].iloc[0]
    kind = "growth" if factor > 1 else "growth_none"
    return f"analysis.rates.{kind}", {"stages": stages, "factor": number(factor, 2)}
