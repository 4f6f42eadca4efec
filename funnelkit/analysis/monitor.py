"""Monitor: what has changed beyond chance? Observed minus expected, stage by stage, by cumulative sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from funnelkit.analysis.shared import insight
from funnelkit.analysis.stays import refuse_without_times
from funnelkit.analysis.watched_periods import LEAST_SHOWN, watch_periods
from funnelkit.language import Text, both, day, number, percent, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result, refuse_limits, table_of
from funnelkit.stats import (
    AIMED_AT_STAGES,
    ALARMS,
    EVERY,
    LEAST_EVENTS,
    LEAST_WINDOWS,
    OPEN,
    WINDOW_DAYS,
    Flows,
    Spells,
    Verdicts,
    change_points,
    days,
    stage_flows,
    stage_spells,
    watch,
)

MEASURES = ("pace", "promotion")
KINDS = {("pace", False): "slower", ("pace", True): "faster"} | {
    ("promotion", False): "fewer_promoted",
    ("promotion", True): "more_promoted",
}
Notes = tuple[tuple[str, Mapping[str, Any]], ...]


def monitor(source: Pipeline | Result | pd.DataFrame, baseline: Any = None, *, rng: Generator | None = None) -> Result:
    """Tell what has changed beyond chance, since when and how sure: a stage's pace, or the share that goes on.

    Parameters
    ----------
    source : Pipeline, Result or DataFrame
        Deals with stage times; or periods in order: k, n, and if known n_open (not yet decided) or mature.
    baseline : date or int, optional
        Where the past ends: a date, or, for a table, a number of periods. By default all but the last year (the last
        third of less than three); all but the last 12 periods, at most 24.
    rng : Generator, optional
        Of the simulated limits.

    Returns
    -------
    Result
        A row a series and 28 days: stage (missing: all), measure (pace: exits; promotion: upwards of n exits),
        period (first day), n_observed, n_expected, n, fall and rise (1: limit), p_value, higher, since, signal.
        For a table a row a period: k, n, rate, low, high, n_open, mature, in_baseline, n_expected, fall to signal.

    Raises
    ------
    LimitError, DataError
        Without stage times, open or lost deals; where k or n is missing, or k is above n.

    Notes
    -----
    Expected exits come from hazards by stage, exit and age of the baseline: a funnel that fills up or grows raises no
    alarm. Cumulative sums (Page 1954; Steiner and others 2000) have limits by simulation, the uncertainty of the
    baseline included: all together they raise a false alarm in at most 5 % of the years, or of 12 periods.

    Examples
    --------
    >>> monitor(pd.DataFrame({"k": [30, 28, 33, 31] * 3 + [9], "n": [100] * 13})).table["signal"].tolist()[-1]
    True
    """
    rng = rng or np.random.default_rng(0)
    if not isinstance(source, Pipeline):
        return watch_periods(table_of(source), baseline, rng)
    return _watch_stages(source, baseline, rng)


def _watch_stages(pipeline: Pipeline, baseline: Any, rng: Generator) -> Result:
    refuse_limits(pipeline, "monitor", "no_open_deals", "no_lost_deals")  # a past without its losses looks faster
    refuse_without_times(pipeline, "monitor")
    table, found = find_changes(pipeline, baseline, rng)
    return Result(
        table, *_read(table, found, pipeline.model), model=pipeline.model, picture="monitor_chart",
        shown=partial(_for_people, pipeline.model), findings=tuple(change.insight for change in found),
    )  # fmt: skip


def signal_dates(pipeline: Pipeline) -> dict[str, pd.Timestamp]:
    """Return since when the stages with a standing signal have changed, of the surest one of each.

    Parameters
    ----------
    pipeline : Pipeline
        With stage times.

    Returns
    -------
    dict
        {stage id: first day}, of `monitor` by its defaults.

    Raises
    ------
    AttributeError
        For what is no Pipeline.

    Notes
    -----
    Where a verb besides `monitor` dates a change of a stage, it takes this date.

    Examples
    --------
    >>> import funnelkit as fk
    >>> signal_dates(fk.sample())["solution-demo"].date().isoformat()
    '2025-07-15'
    """
    _, found = find_changes(pipeline, None, np.random.default_rng(0))
    return {change.insight.subject: change.since for change in reversed(found)}


def _table(flows: Flows, verdicts: Verdicts, model: Funnel) -> pd.DataFrame:
    series, windows = flows.watched.observed.shape
    judged = np.repeat(flows.enough, windows)

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        found = np.full(series * windows, np.nan)
        found[judged] = values.ravel()
        return found

    sums = verdicts.score / verdicts.limit[:, :, None]
    higher = sums[1] > sums[0]
    names = np.array([*model.stage_ids[: flows.stage.max() + 1], None], dtype=object)  # EVERY is the last
    starts = pd.to_datetime(flows.starts, unit="D").normalize()
    turned = change_points(flows.watched.take(flows.enough))
    since = pd.Series(spread(np.where(higher, turned[1], turned[0]).astype(float)))
    return pd.DataFrame({
        "stage": pd.Categorical(names[np.repeat(flows.stage, windows)], categories=model.stage_ids, ordered=True),
        "measure": np.array(MEASURES)[np.repeat(flows.measure, windows)], "period": np.tile(starts, series),
        "n_observed": flows.watched.observed.ravel(), "n_expected": flows.watched.expected.ravel(),
        "n": flows.watched.trials.ravel(), "fall": spread(sums[0]), "rise": spread(sums[1]),
        "p_value": spread(np.where(higher, verdicts.p_value[1], verdicts.p_value[0])),
        "higher": pd.array(spread(higher.astype(float)), dtype="boolean"),
        "since": since.map(pd.Series(starts)),
        "signal": pd.array(spread(1.0 * (sums.max(axis=0) > 1)), dtype="boolean"),
    })  # fmt: skip


@dataclass(frozen=True)
class StandingSignal:
    """A signal that stands: its finding, and key and values of the sentence that says it."""

    insight: Insight
    key: str
    values: Mapping[str, Any]
    since: pd.Timestamp


def find_changes(pipeline: Pipeline, baseline: Any, rng: Generator) -> tuple[pd.DataFrame, list[StandingSignal]]:
    """Return the table of `monitor`, and the signals that stand, the surest and largest first."""
    spells = stage_spells(pipeline)
    flows = stage_flows(spells, None if baseline is None else float(days([pd.Timestamp(baseline)])[0]))
    verdicts = watch(flows.watched.take(flows.enough), rng, aimed=AIMED_AT_STAGES)
    table = _table(flows, verdicts, pipeline.model)
    now = _since_change(table).assign(number=flows.stage, n_open=flows.n_open, n_usual=flows.n_usual)
    rows = now[now["signal"].fillna(False).to_numpy(dtype=bool)].to_dict("records")
    named = {(row["measure"], row["higher"]) for row in rows if row["number"] != EVERY}
    # Where the stages that moved are named, their sum says nothing more.
    rows = [row for row in rows if row["number"] != EVERY or (row["measure"], row["higher"]) not in named]
    changes = [_change(row, pipeline, spells) for row in rows]
    return table, sorted(changes, key=_weight)


def _weight(change: StandingSignal) -> tuple[float, float]:
    """Return by what signals are ordered: how sure, as far as that can be told, then how many deals."""
    evidence, n_deals = change.insight.evidence, change.insight.n_deals
    return max(evidence or 0.0, LEAST_SHOWN), -float(n_deals or 0)


def _since_change(table: pd.DataFrame) -> pd.DataFrame:
    """Return the last window of each series, in order, with the counts since its change."""
    windows = int((table["period"] == table["period"].iloc[0]).sum())
    series = np.arange(len(table)) // (len(table) // windows)
    latest = table.groupby(series).tail(1).reset_index(drop=True)
    since = latest["since"].fillna(table["period"].max())
    after = table[table["period"].to_numpy() >= since.to_numpy()[series]]
    sums = after[["n_observed", "n_expected", "n"]].groupby(series[after.index]).sum()
    return latest.assign(since=since, watched=table["period"].min(), **{name: sums[name] for name in sums})


def _since(row: dict[str, Any]) -> Text:
    """Return since when; of a change that the watch met at its very beginning, that it may be older."""
    key = "or_before" if row["since"] <= row["watched"] else "from_day"
    return both(lambda: say(f"analysis.monitor.{key}", day=day(row["since"])))


def _change(row: dict[str, Any], pipeline: Pipeline, spells: Spells) -> StandingSignal:
    kind, every = KINDS[row["measure"], bool(row["higher"])], row["number"] == EVERY
    pair = ("n_open", "n_usual") if row["measure"] == "pace" else ("n_observed", "n_expected")
    found, usual = (float(row[name]) for name in pair)
    told = _there_now(pipeline, row["stage"]) if row["measure"] == "pace" and not every else found
    values = {"stage": say_stage(pipeline.model, row["stage"]), "since": _since(row),
              "found": number(told), "usual": number(usual, 1), "n": number(row["n"]),
              "pace": percent(row["n_observed"] / max(row["n_expected"], 1e-9), 0),
              "p": percent(max(row["p_value"], LEAST_SHOWN))}  # fmt: skip
    there = (spells.stage == row["number"]) | every
    there &= spells.to == OPEN if row["measure"] == "pace" else spells.end > float(days([row["since"]])[0])
    amounts = pipeline.deals.get("amount", pd.Series(np.nan, index=pipeline.deals.index))
    mean = amounts.iloc[np.unique(spells.deal[there])].mean()
    gap = abs(found - usual)
    size = {"n_deals": round(told if row["measure"] == "pace" else row["n"]), "excess": gap}
    size |= {"amount": None if pd.isna(mean) else float(gap * mean)}
    size |= {"evidence": float(row["p_value"]), "found": float(told), "usual": usual}
    key = f"analysis.monitor.{kind}"
    return StandingSignal(
        insight(kind, "all" if every else row["stage"], key, values, **size), key, values, row["since"]
    )


def _there_now(pipeline: Pipeline, stage: str) -> int:
    """Return how many open deals are in a stage today: one that moved back still counts as further for the watch."""
    events, deals = pipeline.events.dropna(subset="entered_at"), pipeline.deals
    latest = events.sort_values("entered_at", kind="stable").groupby("deal_id", observed=True)["stage"].last()
    here = deals["deal_id"].map(latest.astype(object)).fillna(pipeline.model.stage_ids[0])
    return int(((deals["status"] == "open") & (here == stage)).sum())


def say_stage(model: Funnel, stage: Any) -> Any:
    """Return the stage's name in both languages; for none, the words for all stages together."""
    return both(lambda: say("analysis.monitor.all_stages")) if pd.isna(stage) else model.stage(stage).name


def _read(table: pd.DataFrame, found: list[StandingSignal], model: Funnel) -> tuple[str, Mapping[str, Any], Notes]:
    """Return (key, values, notes): the surest change first; else that there is none, or too little to say so."""
    latest = table[table["period"] == table["period"].max()]
    n_judged = int(latest["signal"].notna().sum())
    least = {"least": number(LEAST_EVENTS), "days": number(LEAST_WINDOWS * WINDOW_DAYS)}
    if not n_judged:
        return "analysis.monitor.too_few", least, ()
    first = table["period"].min()
    values = {"alarms": percent(ALARMS, 0), "n": number(n_judged), "first": both(lambda: day(first))}
    notes: Notes = ()
    unjudged = latest.loc[latest["signal"].isna() & latest["stage"].notna(), "stage"].unique()
    if len(unjudged):
        notes = (("analysis.monitor.unjudged", {**least, "stages": [model.stage(stage).name for stage in unjudged]}),)
    if not found:
        return "analysis.monitor.calm", values, notes
    rest = tuple((change.key, change.values) for change in found[1:])
    return found[0].key, found[0].values, (*rest, ("analysis.monitor.promise", values), *notes)


def _for_people(model: Funnel, table: pd.DataFrame) -> pd.DataFrame:
    """Return how each series stands now; what it did in every window is in the table."""
    rows = []
    for row in _since_change(table).to_dict("records"):
        verdict = "none" if pd.isna(row["signal"]) else "false"
        if verdict == "false" and row["signal"]:
            verdict = KINDS[row["measure"], bool(row["higher"])]
        rows.append({
            "stage": str(say_stage(model, row["stage"])), "measure": say(f"analysis.monitor.{row['measure']}"),
            "since": row["since"], "n_observed": number(row["n_observed"]),
            "n_expected": number(row["n_expected"], 1), "signal": say(f"analysis.monitor.is_{verdict}"),
        })  # fmt: skip
    return pd.DataFrame(rows)
