"""Stuck: which open deals have waited longer than chance explains, what they are worth, which come next."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnelkit.analysis.monitor import StandingSignal, find_changes
from funnelkit.analysis.shared import DAY, By, insight, keys_of, one_currency
from funnelkit.analysis.stays import spells_of
from funnelkit.analysis.typed_in import days_beyond_records
from funnelkit.language import DataError, Text, amount_in_words, both, label, number, percent
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result, refuse_limits
from funnelkit.stats import (
    LEAST_EXITS,
    aalen_johansen,
    expected_open,
    fit,
    quantile,
    snapshot_chance,
    stay_chance,
    usual_days,
)

FALSE_SHARE = 0.05
LATE = 0.1  # a deal is late when only one in ten would still be there
SOON_DAYS = 14
STATES = ("stuck", "late", "soon", "in_time", "too_few")
URGENT = ("stuck", "late", "soon")
_CARRIED = ("name", "account", "owner", "amount")


def stuck_deals(pipeline: Pipeline, by: By = None, *, since: Any = None, false_share: float = FALSE_SHARE) -> Result:
    """Find the open deals that have waited longer than chance explains, and those that come next.

    Parameters
    ----------
    pipeline : Pipeline
    by : str or list of str, optional
        Columns of the deals: a segment is judged by its own stays where at least 30 left the stage.
    since : date, optional
        Learn only from what was known then, to find what has slowed down after it.
    false_share : float
        Share of those named stuck that may be named wrongly, on average.

    Returns
    -------
    Result
        Table, most urgent and valuable first: deal_id, name, account, owner, amount, stage, [by], entered_at, age_days,
        n_left (stays that teach the stage), usual_days (half have left by then), still_here (share still there at this
        age), p_value (share of open deals at least this old), q_value, act_by (when only one in ten would still be
        there or none ever was), older_than_any, state: stuck, late (past act_by), soon (14 days), in_time, too_few.

    Raises
    ------
    LimitError, DataError
        Without stage times or open deals; where nobody is in any stage, or there is no column `by`.

    Notes
    -----
    Stays follow the heaviest tail that fits (Weibull, lognormal, log-logistic), none lighter than a constant hazard.
    Stuck is whom the procedure of Benjamini and Hochberg (1995) names; a larger slowed stage (`monitor`) leads.

    Examples
    --------
    >>> from funnelkit import read, synthesize
    >>> made = synthesize(rng=1, n_deals=300, stall=None)
    >>> found = stuck_deals(read(made.deals, made.events, model=made.model, as_of=made.as_of))
    >>> "stuck" in found.table["state"].tolist()
    False
    """
    return _search(pipeline, by, since, false_share)


def _search(pipeline: Pipeline, by: By, since: Any, false_share: float) -> Result:
    refuse_limits(pipeline, "stuck_deals", "no_open_deals")
    spells = spells_of(pipeline, "stuck_deals", by)
    learnt = spells if since is None else spells_of(pipeline.at(since), "stuck_deals", by)
    status = spells["deal_id"].map(pipeline.deals.set_index("deal_id")["status"])
    running = (spells["exit"] == "open") & (status == "open")
    if not running.any():
        raise DataError("nobody_waits")
    keys = ["stage", *keys_of(by, pipeline.deals)]
    judged = pd.concat(
        [
            _judge(group[running[group.index]], group, _lessons(learnt, keys, key))
            for key, group in spells.groupby(keys, observed=True, dropna=False, sort=False)
        ]
    )
    known = judged["p_value"].notna()
    judged.loc[known, "q_value"] = q_values(judged.loc[known, "p_value"], judged.loc[known, "share"].sum())
    table = _finish(judged, pipeline, keys[1:], false_share)
    slowed = _slowed_stages(pipeline, since)
    found = tuple(_insight(row, pipeline) for row in table[table["state"] == "stuck"].to_dict("records"))
    stalled = tuple(change.insight for change in slowed)
    return Result(
        table, *_read(table, pipeline, slowed, false_share), model=pipeline.model, picture="wait_chart",
        shown=partial(_for_people, keys[1:]), currency=pipeline.currency,
        findings=stalled + found if _stage_leads(slowed, len(found)) else found + stalled,
    )  # fmt: skip


def _slowed_stages(pipeline: Pipeline, since: Any) -> list[StandingSignal]:
    """Return the signals of `monitor` that call a stage a bottleneck; none where it refuses to judge."""
    if pipeline.limit("no_lost_deals"):
        return []
    return [change for change in find_changes(pipeline, since, np.random.default_rng(0))[1] if _is_bottleneck(change)]


def _is_bottleneck(change: StandingSignal) -> bool:
    """Return whether a stage, not all of them together, has slowed and holds more than is usual."""
    found = change.insight
    return found.kind == "slower" and found.subject != "all" and (found.found or 0.0) > (found.usual or 0.0)


def _stage_leads(slowed: list[StandingSignal], n_stuck: int) -> bool:
    """Return whether a stage that holds too many concerns more deals than those that are stuck one by one."""
    return bool(slowed) and (slowed[0].insight.excess or 0) >= n_stuck


def _for_people(keys: list[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the deals that ask for action, or all where none does."""
    urgent = table[table["state"].isin(URGENT)]
    rows = urgent if len(urgent) else table
    carried = [name for name in ("account", "owner", "amount") if name in rows]
    rows = rows.assign(status=[label(f"is_{state}") for state in rows["state"]])
    rows = rows.assign(usual_days=[number(days) for days in rows["usual_days"]])
    rows = rows.assign(age_days=[number(days) for days in rows["age_days"]])
    segments = [key for key in keys if key not in carried]
    return rows[["deal_id", *carried, *segments, "stage", "age_days", "usual_days", "act_by", "status"]]


def _insight(row: dict[str, Any], pipeline: Pipeline) -> Insight:
    values = {"deal": row["deal_id"], "stage": pipeline.model.stage(row["stage"]).name, "days": number(row["age_days"])}
    amount = None if pd.isna(row.get("amount")) else float(row["amount"])
    size = {"n_deals": 1, "amount": amount, "evidence": float(row["p_value"])}
    size |= {"found": float(row["age_days"]), "usual": float(row["usual_days"])}
    values |= {"usual": number(row["usual_days"])}
    return insight("stuck", row["deal_id"], "analysis.stuck.waits", values, **size)


def q_values(p_values: ArrayLike, expected: float) -> NDArray[np.float64]:
    """Return the false discovery rate at which each deal is first named.

    Benjamini and Hochberg's procedure, with the number of deals that should be open, were none stuck, in the place of
    the number that are: at the limit p it expects `expected` x p deals beyond chance, and compares them with those
    there are. The number of open deals in each tail is Poisson, and count over expectation a martingale from the
    bulk to the tail, so that the false share stays below the limit (the argument of Storey, Taylor and Siegmund 2004).

    >>> q_values([0.001, 0.2, 0.9], 3).round(3).tolist()
    [0.003, 0.3, 0.9]
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    place = np.searchsorted(p[order], p[order], side="right")
    sorted_q = np.minimum.accumulate((p[order] * expected / place)[::-1])[::-1]
    found = np.empty(len(p))
    found[order] = np.minimum(sorted_q, 1.0)
    return found


def _lessons(learnt: pd.DataFrame, keys: list[str], key: tuple[Any, ...]) -> pd.DataFrame:
    """Return the stays that teach this stage and segment: its own where enough have left, else the whole stage's."""
    stage = own = learnt[learnt["stage"] == key[0]]
    for name, value in zip(keys[1:], key[1:], strict=True):
        own = own[own[name].eq(value) if pd.notna(value) else own[name].isna()]
    return own if len(keys) == 1 or (own["exit"] != "open").sum() >= LEAST_EXITS else stage


def _judge(running: pd.DataFrame, group: pd.DataFrame, lessons: pd.DataFrame) -> pd.DataFrame:
    """Return the running stays with chances and usual times; unknown where too few have left."""
    left = lessons["exit"] != "open"
    running = running.assign(n_left=int(left.sum()), usual_days=np.nan, late_days=np.nan, still_here=np.nan)
    running = running.assign(p_value=np.nan, q_value=np.nan, share=np.nan)
    if not len(running) or left.sum() < LEAST_EXITS:
        return running
    families = fit(lessons["days"], left, lessons["entry_days"])
    if not families:  # all left on the day they came: there is no time to learn from
        return running
    # `group` is every stay of the stage, ended or not: each had its chance to be open today.
    begun = group["days"].where(group["exit"] == "open", (running["left_at"].max() - group["entered_at"]) / DAY)
    seen = group["entry_days"] <= group["days"]
    ages, entries, days = begun[seen], group.loc[seen, "entry_days"], running["days"].to_numpy()
    expected = expected_open(families, ages, entries)[0][0]
    running = running.assign(share=expected / len(running), still_here=stay_chance(families, days))
    half, tenth = _usual(lessons, families, 0.5), _usual(lessons, families, LATE)
    running = running.assign(usual_days=half, late_days=tenth)
    return running.assign(p_value=snapshot_chance(families, days, ages, entries))


def _usual(lessons: pd.DataFrame, families: Any, share: float) -> float:
    """Return after how many days only a share would still be there: of the fit, unless the stays themselves deny it.

    Where many never leave no curve of one piece follows both those that do and the rest; the Kaplan-Meier quantile
    does, and `time_in_stage` shows the same.
    """
    curves = aalen_johansen(lessons["days"], (lessons["exit"] != "open").astype(int), 1, lessons["entry_days"])
    seen, low, high = quantile(curves, 1 - share)
    fitted = usual_days(families, share)
    return fitted if np.isnan(seen) or not (fitted < low or fitted > high) else seen


def _finish(judged: pd.DataFrame, pipeline: Pipeline, keys: list[str], false_share: float) -> pd.DataFrame:
    """Add what a person needs to act, and put the urgent first."""
    deals = pipeline.deals.set_index("deal_id")
    act_by = judged["entered_at"] + pd.to_timedelta(judged["late_days"].round(), unit="D")
    beyond = days_beyond_records(pipeline)
    unseen = pipeline.as_of - pd.to_timedelta(judged["deal_id"].map(beyond), unit="D")
    act_by = act_by.mask(unseen < act_by, unseen)  # beyond the records a curve promises what nobody has seen
    wait = (act_by - pipeline.as_of) / DAY
    stuck = judged["q_value"] <= false_share
    act_by = act_by.mask(stuck & (wait > 0), pipeline.as_of)  # a deal that is stuck cannot wait for its tenth part
    conditions = [judged["p_value"].isna(), stuck, wait <= 0, wait <= SOON_DAYS]
    state = np.select(conditions, ["too_few", "stuck", "late", "soon"], "in_time")
    judged = judged.assign(older_than_any=judged["deal_id"].isin(beyond.index))
    judged = judged.assign(act_by=act_by.dt.normalize(), state=pd.Categorical(state, categories=STATES, ordered=True))
    judged = judged.assign(**{name: judged["deal_id"].map(deals[name]) for name in _CARRIED if name in deals.columns})
    carried = [name for name in _CARRIED if name in deals.columns]
    lead = ["deal_id", *carried, "stage", *(key for key in keys if key not in carried)]
    columns = [*lead, "entered_at", "days", "n_left", "usual_days", "still_here", "p_value", "q_value", "act_by"]
    columns += ["older_than_any", "state"]
    judged = judged.sort_values(["state", "amount", "p_value"], ascending=[True, False, True], kind="stable")
    return judged[columns].rename(columns={"days": "age_days"}).reset_index(drop=True)


def _read(
    table: pd.DataFrame, pipeline: Pipeline, slowed: list[StandingSignal], false_share: float
) -> tuple[str, Mapping[str, Any], tuple[tuple[str, Mapping[str, Any]], ...]]:
    """Return (key, values, notes): how many are stuck, where, what is at stake, which come next."""
    table = table if one_currency(pipeline.deals) else table.assign(amount=np.nan)  # sums of several are none
    groups = {state: table[table["state"] == state] for state in STATES}
    stuck = groups["stuck"]
    notes: list[tuple[str, Mapping[str, Any]]] = []
    values: dict[str, Any] = {"n": number(len(stuck)), "n_open": number(len(table)), "share": percent(false_share, 0)}
    values |= {"value": _worth(stuck, pipeline.currency), "n_unvalued": number(int(stuck["amount"].isna().sum()))}
    values["stages"] = [pipeline.model.stage(stage).name for stage in stuck["stage"].astype("str").unique()]
    if stuck["amount"].notna().any() and stuck["amount"].isna().any():
        notes.append(("analysis.stuck.unvalued", {"n": values["n_unvalued"]}))
    old = table[table["older_than_any"]]
    late, soon, unjudged = groups["late"].drop(old.index, errors="ignore"), groups["soon"], groups["too_few"]
    if len(late) or len(soon):
        counted = {"late": number(len(late)), "soon": number(len(soon)), "days": SOON_DAYS}
        notes.append(_valued("analysis.stuck.next", pd.concat([late, soon]), counted, pipeline.currency))
    further = [_valued("analysis.stuck.older", old, {"n": number(len(old))}, pipeline.currency)] if len(old) else []
    if len(unjudged):
        further.append(("analysis.stuck.too_few", {"n": number(len(unjudged)), "least": LEAST_EXITS}))
    stalled = [(change.key, change.values) for change in slowed]
    leads, n_usual = _stage_leads(slowed, len(stuck)), len(table[~table.index.isin(old.index.union(unjudged.index))])
    single = _valued("analysis.stuck.found", stuck, values, pipeline.currency)[0]
    if not len(stuck):
        single = "analysis.stuck.none_alone" if leads else "analysis.stuck.none"
    if leads:
        return *stalled[0], (*stalled[1:], (single, values), *notes, *further)
    if len(stuck) or not further:
        return single, values, (*stalled, *notes, *further)
    # Of waits that no record shows nobody can say that they are usual: they lead, the others are spoken of apart.
    rest = [("analysis.stuck.none_other", {"n": number(n_usual)})] if n_usual else []
    return *further[0], (*further[1:], *rest, *stalled, *notes)


def _valued(key: str, deals: pd.DataFrame, values: dict[str, Any], currency: str | None) -> tuple[str, dict[str, Any]]:
    """Return a sentence that tells what deals are worth; where that is not known, the one that leaves it out."""
    known = deals["amount"].notna().any()
    return (key, values | {"value": _worth(deals, currency)}) if known else (f"{key}_unvalued", values)


def _worth(deals: pd.DataFrame, currency: str | None) -> Text:
    """Return the sum of the amounts in words; a dash where none is known."""
    worth = deals["amount"].sum(min_count=1 if len(deals) else 0)
    return both(lambda: amount_in_words(worth, currency))
