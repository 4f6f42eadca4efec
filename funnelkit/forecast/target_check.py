"""Smart: is a target measurable, time-bound, feasible yet challenging, within the team's means, based on history?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator

from funnelkit.analysis import count_stages, rate_table
from funnelkit.forecast.forecast import Reading, cut_periods, forecast_open
from funnelkit.forecast.simulate import Rng
from funnelkit.forecast.target import OVERLOAD, Asked, TargetPlan, solve_target
from funnelkit.language import DataError, Text, both, number, percent, points, rate_text, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, refuse_limits, require_pipeline
from funnelkit.stats import RATE_COLUMNS

CRITERIA = ("measurable", "time_bound", "feasible", "challenging", "resources", "history")
VERDICTS = ("met", "not_met", "unclear")
FEASIBLE, SURE = 0.2, 0.8  # a target with lower odds at the past pace is a wish, one with higher odds no challenge
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False, repr=False)
class TargetCheck(Result):
    """The criteria of a target, with the plan that they quote."""

    plan: TargetPlan | None = None


def check_target(
    pipeline: Pipeline,
    revenue: float,
    until: Any,
    *,
    odds: float = 0.8,
    capacity_per_week: float | None = None,
    rng: Rng = None,
) -> Result:
    """Check a target against the SMART criteria, each with a figure, what it is compared with, and a verdict.

    Parameters
    ----------
    pipeline, revenue, until, odds, capacity_per_week, rng
        As of `solve_target`.

    Returns
    -------
    Result
        criterion, figure, benchmark, verdict (met, not_met, unclear).

    Raises
    ------
    LimitError, DataError
        What `forecast_open` and `solve_target` raise.

    Notes
    -----
    measurable: share of won deals with an amount, at least 0.95. time_bound: met where `until` ends a month. feasible,
    challenging: odds at the past pace, at least 0.2 and at most 0.8. resources: entries a week that are needed against
    the capacity, or 1.25 times the past pace. history: revenue over that of the best past window of this length.

    Examples
    --------
    >>> from funnelkit import sample
    >>> check_target(sample(), 10e6, "2026-03-31").table["verdict"].tolist()
    ['met', 'met', 'not_met', 'met', 'not_met', 'met']
    """
    asked = Asked(revenue, until, odds, capacity_per_week)
    return _criteria(pipeline, asked, rng or np.random.default_rng(0))


def _criteria(pipeline: Pipeline, asked: Asked, rng: Generator) -> Result:
    refuse_limits(pipeline, "check_target", "no_amount")
    revenue, until, odds, capacity = asked
    state = rng.bit_generator.state
    usual = forecast_open(pipeline, until, rng=rng).chance(revenue)
    rng.bit_generator.state = state  # both odds are those that the two verbs give by themselves
    plan = solve_target(pipeline, revenue, until, odds=odds, capacity_per_week=capacity, rng=rng)
    won = pipeline.deals[pipeline.deals["status"] == "won"]
    last = pd.Timestamp(until).normalize()
    valued = float((won["amount"] > 0).mean()) if len(won) else np.nan
    left = int(cut_periods(pipeline, until)["day"].iloc[-1])
    rows = [
        ("measurable", valued, 0.95, "met" if valued >= 0.95 else "not_met"),
        ("time_bound", left, np.nan, "met" if (last + _DAY).day == 1 else "unclear"),
        ("feasible", usual, FEASIBLE, "met" if usual >= FEASIBLE else "not_met"),
        ("challenging", usual, SURE, "met" if usual <= SURE else "not_met"),
        ("resources", *_resources(plan, capacity)),
        ("history", *_history(won, revenue, (pipeline.as_of, left))),
    ]
    table = pd.DataFrame(rows, columns=["criterion", "figure", "benchmark", "verdict"])
    table["criterion"] = pd.Categorical(table["criterion"], categories=CRITERIA, ordered=True)
    table["verdict"] = pd.Categorical(table["verdict"], categories=VERDICTS)
    return TargetCheck(table, *_read(table, plan), model=pipeline.model, shown=_for_people, plan=plan)


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return the criteria as people read them, each figure and what is asked of it in words with their unit."""
    rows = [
        {
            "criterion": say(f"forecast.target_check.{row['criterion']}"),
            "figure": _in_words("figure", row),
            "benchmark": _in_words("benchmark", row),
            "verdict": _verdict(row["verdict"], "criterion_met"),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _in_words(side: str, row: dict[Any, Any]) -> str:
    """Return a figure or its benchmark in words; a dash for a figure that is not known."""
    name, decimals = row["criterion"], {"time_bound": 0, "resources": 1, "history": 2}
    n = number(row[side], decimals[name]) if name in decimals else percent(row[side], 0)
    known = side == "benchmark" or not pd.isna(row[side])
    return say(f"forecast.target_check.{side}_{name}", n=n) if known else n


def _resources(plan: TargetPlan, capacity: float | None) -> tuple[float, float, str]:
    """Return the entries a week that are asked for, what the team can take, and the verdict."""
    first = plan.table.iloc[0]
    most = capacity if capacity is not None else OVERLOAD * first["past_per_week"]
    needed = first["per_week"]
    if np.isnan(needed):
        return np.nan, most, "not_met"
    return needed, most, "met" if needed <= most else "not_met"


def _history(won: pd.DataFrame, revenue: float, time: tuple[pd.Timestamp, int]) -> tuple[float, float, str]:
    """Return the revenue over the best past window as long as the time left, 1, and the verdict."""
    as_of, left = time
    age = ((as_of - won["closed_at"]) / _DAY).dropna()
    n = int(age.max() // left) if len(age) else 0
    if n < 2:
        return np.nan, 1.0, "unclear"
    window = (age // left).astype(int)
    total = won.loc[age.index, "amount"].groupby(window).sum().reindex(range(n), fill_value=0)
    ratio = float(revenue / total.max()) if total.max() > 0 else np.inf
    return ratio, 1.0, "met" if ratio <= 1 else "unclear"


def _read(table: pd.DataFrame, plan: TargetPlan) -> Reading:
    names = {
        verdict: [_name(one) for one in table.loc[table["verdict"] == verdict, "criterion"]] for verdict in VERDICTS
    }
    figures = table.set_index("criterion")
    notes: list[tuple[str, Any]] = [
        (f"forecast.target_check.{verdict}", {"criteria": found})
        for verdict, found in names.items()
        if verdict != "met" and found
    ]
    needed, most = figures.loc["resources", ["figure", "benchmark"]]
    if figures.loc["resources", "verdict"] == "not_met" and not np.isnan(needed):
        notes.append(("forecast.target_check.overload", {"needed": number(needed, 1), "most": number(most, 1)}))
    notes.append((plan.key, plan.values))
    values = {"n": number((table["verdict"] == "met").sum()), "of": number(len(table)),
              "odds": percent(figures.loc["feasible", "figure"], 0)}  # fmt: skip
    return "forecast.target_check.summary", values, tuple(notes)


def _name(criterion: str) -> Text:
    return both(lambda: say(f"forecast.target_check.{criterion}"))


def compare_target_rates(pipeline: Pipeline, targets: Mapping[str, float]) -> Result:
    """Compare each stage's target rate with the actual promotion rate.

    Parameters
    ----------
    pipeline : Pipeline
        With outcomes.
    targets : mapping
        Rate set for each stage, 0 to 1.

    Returns
    -------
    Result
        stage, target_rate, k, n, rate, low, high, n_open, floor, ceiling, basis, horizon_days (as `rate_table` has
        them), gap (rate - target_rate), verdict: met (the whole interval at or above the target), missed (all of it
        below), no_evidence (the interval holds the target, or there is none), no_deals.

    Raises
    ------
    CatalogError, DataError
        For an unknown stage; for a rate outside 0 to 1.

    Examples
    --------
    >>> from funnelkit import sample
    >>> found = compare_target_rates(sample(), {"negotiation": 0.5})
    >>> found.table[["target_rate", "k", "n", "verdict"]].values.tolist()
    [[0.5, 139, 162, 'met']]
    """
    require_pipeline(pipeline)
    model = pipeline.model
    given = {model.stage(name).id: float(rate) for name, rate in dict(targets).items()}
    for stage, rate in given.items():
        if not 0 <= rate <= 1:
            raise DataError("bad_target_rate", stage=stage, found=repr(rate))
    return _against_targets(pipeline, given)


def _against_targets(pipeline: Pipeline, given: dict[str, float]) -> Result:
    model = pipeline.model
    rates = rate_table(count_stages(pipeline)).table
    lead = [*rates.columns[: list(rates.columns).index("stage")], "stage"]  # counts may come by period
    table = rates.loc[rates["stage"].isin(given), [*lead, *RATE_COLUMNS]].reset_index(drop=True)
    table["stage"] = pd.Categorical(table["stage"].astype("str"), categories=model.stage_ids, ordered=True)
    table.insert(len(lead), "target_rate", table["stage"].astype("str").map(given).astype(float))
    table["gap"] = table["rate"] - table["target_rate"]
    verdict = np.select(
        [table["n"] == 0, table["low"] >= table["target_rate"], table["high"] < table["target_rate"]],
        ["no_deals", "met", "missed"], "no_evidence",
    )  # fmt: skip
    table["verdict"] = pd.Categorical(verdict, categories=("met", "missed", "no_evidence", "no_deals"))
    none = [both(lambda: say("forecast.target_check.none"))]
    stages: dict[str, Any] = {
        one: [model.stage(name).name for name in table.loc[table["verdict"] == one, "stage"].unique()] or none
        for one in ("met", "missed", "no_evidence")
    }
    return Result(table, "forecast.target_check.rates", stages, model=model, shown=_rates_for_people)


def _rates_for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return target and actual rate as people read them, their gap in points."""
    rows = [
        {
            "stage": row["stage"],
            "target_rate": row["target_rate"],
            "rate_now": rate_text(row),
            "gap": points(row["gap"]),
            "verdict": _verdict(row["verdict"], "target_met"),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _verdict(verdict: str, met: str) -> str:
    return met if verdict == "met" else verdict  # show names it
