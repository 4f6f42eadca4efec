"""Goal: "revenue R by date D" turned into entries per stage and per week, with the odds; or why it is out of reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from funnelkit.analysis import column, count_stages, rate_table, refuse_without_times
from funnelkit.forecast.forecast import REFUSED, cut_periods
from funnelkit.forecast.history import By, fit_history
from funnelkit.forecast.notes import Notes, amount_text
from funnelkit.forecast.outlook import Outlook, check_asked, outlook
from funnelkit.forecast.simulate import Rng
from funnelkit.forecast.win_curves import Array
from funnelkit.language import both, day, number, percent, rate_text
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, refuse_limits
from funnelkit.stats import OPEN, stage_spells, won_position

OVERLOAD = 1.25  # a plan that asks for more than this multiple of the past pace is flagged
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False, repr=False)
class TargetPlan(Result):
    """A back-solved target: `table` per stage, and the figures of its verdict.

    Attributes
    ----------
    schedule : DataFrame
        week (its first day), stage, entries of the plan; the stage "won" has the wins.
    entries : float
        Into the first stage in all (NaN: out of reach).
    odds, odds_open : float
        That the plan reaches the target, and that the open deals do alone.
    latest_start : Timestamp
        Last day on which an entry can still be won in time.
    verdict : str
        open_suffices, reachable, beyond_capacity or too_late.
    outlook : Outlook
        What `chance` of other numbers of entries is read off.
    """

    schedule: pd.DataFrame = field(default_factory=pd.DataFrame)
    entries: float = np.nan
    odds: float = np.nan
    odds_open: float = np.nan
    latest_start: Any = pd.NaT
    verdict: str = "reachable"
    outlook: Outlook | None = None

    def chance(self, entries: float, first: int = 0, *, rates: float = 1.0) -> float:
        """Return the chance that new deals reach the target.

        Parameters
        ----------
        entries : float
            New deals in all, spread evenly.
        first : int
            Days until the first of them begins.
        rates : float
            Their win rate, as a multiple of that of the past.

        Returns
        -------
        float
            Share of the futures that reach it.
        """
        if self.outlook is None:
            raise ValueError("a plan without an outlook")
        return self.outlook.odds(entries, first, rates)


class Asked(NamedTuple):
    """What a target asks for: revenue, its date, the odds, and the most entries a week that the team can take."""

    revenue: float
    until: Any
    odds: float
    capacity: float | None


def solve_target(
    pipeline: Pipeline,
    revenue: float,
    until: Any,
    *,
    odds: float = 0.8,
    capacity_per_week: float | None = None,
    with_open: bool = True,
    by: By = None,
    rng: Rng = None,
) -> TargetPlan:
    """Solve "revenue by date" for the entries per stage and per week that reach it with the odds asked for.

    Parameters
    ----------
    pipeline, revenue, until, odds, capacity_per_week, with_open, by, rng
        What to reach by when, how surely; most entries the team can take; count the open deals; as of `forecast_open`.

    Returns
    -------
    TargetPlan
        stage, k, n, rate, low, high (promotion so far), n_open (deals there now), entries (new ones by `until`),
        per_week, past_per_week (of the last 13 weeks).

    Raises
    ------
    LimitError, DataError
        As `forecast_open`, without amounts, for a revenue or odds that cannot be.

    Notes
    -----
    P(reached) = mean over draws of P(Binomial(entries, chance of a win in time) >= wins needed).

    Examples
    --------
    >>> from funnelkit import sample
    >>> solve_target(sample(), 10e6, "2026-03-31").verdict
    'too_late'
    """
    return _solve(pipeline, Asked(revenue, until, odds, capacity_per_week), (with_open, by), rng)


def _solve(pipeline: Pipeline, asked: Asked, given: tuple[bool, By], rng: Rng) -> TargetPlan:
    (with_open, by), rng = given, rng or np.random.default_rng(0)
    refuse_limits(pipeline, "solve_target")  # what is no Pipeline is said first
    check_asked(asked.revenue, asked.odds)
    refuse_limits(pipeline, "solve_target", *REFUSED, "no_amount")
    refuse_without_times(pipeline, "solve_target")
    horizon = int(cut_periods(pipeline, asked.until)["day"].iloc[-1])
    for name in [by] if isinstance(by, str) else by or ():
        column(pipeline, name)
    fit = fit_history(pipeline, by)
    view = outlook(pipeline, fit, (asked.revenue, horizon), rng, with_open=with_open)
    entries, verdict = _entries(view, asked, horizon)
    first = cut_periods(pipeline, asked.until)["start"].iloc[0]
    last = _latest_day(view, asked, horizon)
    table, schedule = _rows(pipeline, view, (entries, horizon))
    most = entries if np.isfinite(entries) else (asked.capacity or 0) * horizon / 7
    found = {
        "entries": entries, "odds": view.odds(most), "odds_open": view.odds(0),
        "latest_start": pd.NaT if np.isnan(last) else first + int(last) * _DAY, "verdict": verdict, "outlook": view,
    }  # fmt: skip
    return TargetPlan(
        table, f"forecast.target.{verdict}", _values(pipeline, found, asked, horizon), _notes(table, found), schedule,
        **found, model=pipeline.model, picture="pace_chart", shown=_for_people, currency=pipeline.currency,
    )  # fmt: skip


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: the rate so far, deals there now, what the plan needs."""
    rows = [
        {
            "stage": row["stage"],
            "rate_now": rate_text({"n_open": 0, **row}),
            "n_open": row["n_open"],
            "entries": number(row["entries"]),
            "per_week": number(row["per_week"], 1),
            "past_per_week": number(row["past_per_week"], 1),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _entries(view: Outlook, asked: Asked, horizon: int) -> tuple[float, str]:
    """Return the fewest entries that reach the odds (NaN: none can) and the verdict."""
    odds, capacity = asked.odds, asked.capacity
    if view.odds(0) >= odds:
        return 0.0, "open_suffices"
    if horizon < view.lag_days:
        return np.nan, "too_late"
    most = 1e9 if capacity is None else capacity * horizon / 7
    low, high = 0.0, max(1.0, float(view.needed.mean()))
    while view.odds(high) < odds and high < most:
        low, high = high, min(high * 2, most)
    if view.odds(high) < odds:
        return np.nan, "too_late" if capacity is None else "beyond_capacity"
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if view.odds(middle) >= odds else (middle, high)
    return float(np.ceil(high)), "reachable"


def _latest_day(view: Outlook, asked: Asked, horizon: int) -> float:
    """Return the last day (counted from the first day ahead) on which starting can still do, NaN if none can."""
    odds, capacity = asked.odds, asked.capacity
    if capacity is None:
        return horizon - view.lag_days
    if view.odds(capacity * horizon / 7) < odds:
        return np.nan
    low, high = 0, horizon
    while low < high:
        middle = (low + high + 1) // 2
        enough = view.odds(capacity * (horizon - middle) / 7, middle) >= odds
        low, high = (middle, high) if enough else (low, middle - 1)
    return low


def _rows(pipeline: Pipeline, view: Outlook, plan: tuple[float, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table per stage and the schedule: entries of new deals per stage and week."""
    entries, horizon = plan
    won, ids = won_position(pipeline.model), pipeline.model.stage_ids
    rates = rate_table(count_stages(pipeline)).table.iloc[:won][["stage", "k", "n", "rate", "low", "high"]]
    # Entries spread evenly: those who reach a stage by the date are the mean of the curve over the days left.
    middle = (view.reach[:, 1:] + view.reach[:, :-1]) / 2
    cumulative = entries / horizon * np.c_[np.zeros(won + 1), middle.cumsum(axis=1)]
    spells = stage_spells(pipeline)
    here = np.bincount(spells.stage[spells.to == OPEN], minlength=won)
    recent = spells.start >= spells.as_of - 91
    table = rates.assign(
        n_open=here,
        entries=cumulative[:won, -1],
        per_week=cumulative[:won, -1] / horizon * 7,
        past_per_week=np.bincount(spells.stage[recent], minlength=won) / 13,
    ).reset_index(drop=True)
    return table, _schedule(pipeline, cumulative, (ids[:won], horizon))


def _schedule(pipeline: Pipeline, cumulative: Array, size: tuple[Any, int]) -> pd.DataFrame:
    """Return week (its first day), stage and entries of each week of the plan; the last row of a week is the wins."""
    stages, horizon = size
    first = cut_periods(pipeline, pipeline.as_of + horizon * _DAY)["start"].iloc[0]
    edges = np.unique(np.r_[np.arange(0, horizon, 7), horizon])
    steps = np.diff(cumulative[:, edges], axis=1)
    names = [*stages, "won"]
    weeks = [first + int(edge) * _DAY for edge in edges[:-1]]
    return pd.DataFrame(
        {
            "week": np.repeat(pd.DatetimeIndex(weeks), len(names)),
            "stage": pd.Categorical(names * len(weeks), categories=names, ordered=True),
            "entries": steps.T.ravel(),
        }
    )


def _values(pipeline: Pipeline, found: dict[str, Any], asked: Asked, horizon: int) -> dict[str, Any]:
    start = found["latest_start"]
    return {
        "revenue": amount_text("value", asked.revenue, pipeline.currency),
        "until": both(lambda: day(asked.until)), "odds": percent(asked.odds, 0),
        "entries": number(found["entries"]), "per_week": number(found["entries"] / horizon * 7, 1),
        "odds_open": percent(found["odds_open"], 0), "reached": percent(found["odds"], 0), "days": number(horizon),
        "latest": both(lambda: day(start)), "capacity": number(asked.capacity, 1),
    }  # fmt: skip


def _notes(table: pd.DataFrame, found: dict[str, Any]) -> Notes:
    """Warn where the plan asks for more than the past pace."""
    first = table.iloc[0]
    if found["entries"] > 0 and first["past_per_week"] > 0:
        ratio = first["per_week"] / first["past_per_week"]
        key = "forecast.target.overload" if ratio > OVERLOAD else "forecast.target.pace"
        return ((key, {"ratio": number(ratio, 1), "past": number(first["past_per_week"], 1)}),)
    return ()
