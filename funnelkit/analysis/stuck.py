"""Stuck: which open deals have waited longer than chance explains, what they are worth, which come next."""

import numpy as np
import pandas as pd

from funnelkit.analysis.stays import find_spells
from funnelkit.language import DataError, number, percent
from funnelkit.result import Result, refuse_limits
from funnelkit.stats import LEAST_EXITS, expected_open, fit, snapshot_chance, stay_chance, usual_days

FALSE_SHARE = 0.05
LATE = 0.1  # a deal is late when only one in ten would still be there
SOON_DAYS = 14
STATES = ("stuck", "late", "soon", "in_time", "too_few")
_DAY = pd.Timedelta(days=1)
_CARRIED = ("name", "account", "owner", "amount")


def stuck_deals(pipeline, by=None, *, since=None, false_share=FALSE_SHARE):
    """Return every open deal with the chance that it is still in its stage after so long, and what is stuck.

    How deals leave a stage (of a segment `by`, where at least 30 left it there) is learnt from finished and running
    stays; with `since` only from what was known on that date, to find what has slowed down after it. The chance is
    extrapolated by the heaviest of the tails (Weibull, lognormal, log-logistic) that fit. Among all deals
    open today a deal is `stuck` when Benjamini and Hochberg's procedure (1995) on `p_value` says so, so that on
    average at most `false_share` of those named are false. The table has deal_id, name, account, owner, amount,
    stage, [by], entered_at, age_days, n_left (stays that ended and teach the stage), usual_days (half have left by
    then), still_here (share still there at this age), p_value (share of open deals at least this old, see
    `durations.snapshot_chance`), q_value, act_by (date when only one in ten would still be there), older_than_any
    (than every deal that left so far) and state: stuck, late (past act_by), soon (act_by within 14 days), in_time,
    too_few (nothing can be said); the most urgent and valuable first. Raises LimitError without stage times or open
    deals, DataError where nobody is in any stage.

    >>> from funnelkit.reading import read
    >>> from funnelkit.synth import synthesize
    >>> made = synthesize(rng=1, n_deals=300, stall=None)
    >>> found = stuck_deals(read(made.deals, made.events, model=made.model, as_of=made.as_of))
    >>> "stuck" in found.table["state"].tolist()
    False
    """
    refuse_limits(pipeline, "stuck_deals", "no_open_deals")
    spells = find_spells(pipeline, "stuck_deals", by)
    learnt = spells if since is None else find_spells(pipeline.at(since), "stuck_deals", by)
    status = spells["deal_id"].map(pipeline.deals.set_index("deal_id")["status"])
    running = (spells["exit"] == "open") & (status == "open")
    if not running.any():
        raise DataError("nobody_waits")
    keys = ["stage"] if by is None else ["stage", by]
    groups = spells.groupby(keys, observed=True, dropna=False, sort=False)
    judged = pd.concat([_judge(group[running[group.index]], group, _lessons(learnt, key)) for key, group in groups])
    known = judged["p_value"].notna()
    judged.loc[known, "q_value"] = q_values(judged.loc[known, "p_value"], judged.loc[known, "share"].sum())
    table = _finish(judged, pipeline, by, false_share)
    return Result(table, *_read(table, pipeline, _crowded(judged), false_share))


def q_values(p_values, expected):
    """Return the false discovery rate at which each deal is first named.

    Benjamini and Hochberg's procedure, with the number of deals that should be open, were none stuck, in the place of
    the number that are: at the limit p it expects `expected` x p deals beyond chance, and compares them with those
    there are. The number of open deals in each tail is Poisson, and count over expectation a martingale from the
    bulk to the tail, so that the false share stays below the limit (the argument of Storey, Taylor and Siegmund 2004).

    >>> q_values([0.001, 0.2, 0.9], 3).round(3).tolist()
    [0.003, 0.3, 0.9]
    """
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)
    place = np.searchsorted(p_values[order], p_values[order], side="right")
    sorted_q = np.minimum.accumulate((p_values[order] * expected / place)[::-1])[::-1]
    found = np.empty(len(p_values))
    found[order] = np.minimum(sorted_q, 1.0)
    return found


def _lessons(learnt, key):
    """Return the stays that teach this stage and segment: its own where enough have left, else the whole stage's."""
    stage = learnt[learnt["stage"] == key[0]]
    if len(key) == 1:
        return stage
    own = stage[stage.iloc[:, -1].eq(key[1]) if pd.notna(key[1]) else stage.iloc[:, -1].isna()]
    return own if (own["exit"] != "open").sum() >= LEAST_EXITS else stage


def _judge(running, group, lessons):
    """Return the running stays with chances and usual times; unknown where too few have left."""
    left = lessons["exit"] != "open"
    running = running.assign(n_left=int(left.sum()), usual_days=np.nan, late_days=np.nan, still_here=np.nan)
    running = running.assign(
        p_value=np.nan, q_value=np.nan, older_than_any=running["days"] > lessons.loc[left, "days"].max()
    )
    if not len(running) or left.sum() < LEAST_EXITS:
        return running
    families = fit(lessons["days"], left, lessons["entry_days"])
    # `group` is every stay of the stage, ended or not: each had its chance to be open today.
    begun = group["days"].where(group["exit"] == "open", (running["left_at"].max() - group["entered_at"]) / _DAY)
    seen = group["entry_days"] <= group["days"]
    ages, entries, days = begun[seen], group.loc[seen, "entry_days"], running["days"].to_numpy()
    expected = expected_open(families, ages, entries)[0][0]
    running = running.assign(share=expected / len(running), still_here=stay_chance(families, days))
    running = running.assign(usual_days=usual_days(families, 0.5), late_days=usual_days(families, LATE))
    return running.assign(p_value=snapshot_chance(families, days, ages, entries))


def _crowded(judged):
    """Return (stage, open, expected) of stages with more open deals than chance explains, all stages taken together."""
    from scipy.stats import poisson

    known = judged[judged["p_value"].notna()]
    counts = known.groupby("stage", observed=True)["share"].agg(["size", "sum"])
    chance = poisson.sf(counts["size"] - 1, counts["sum"])
    return [(stage, row["size"], row["sum"]) for stage, row in counts[chance < 0.05 / max(1, len(counts))].iterrows()]


def _finish(judged, pipeline, by, false_share):
    """Add what a person needs to act, and put the urgent first."""
    deals = pipeline.deals.set_index("deal_id")
    act_by = judged["entered_at"] + pd.to_timedelta(judged["late_days"].round(), unit="D")
    wait = (act_by - pipeline.as_of) / _DAY
    conditions = [judged["p_value"].isna(), judged["q_value"] <= false_share, wait <= 0, wait <= SOON_DAYS]
    state = np.select(conditions, ["too_few", "stuck", "late", "soon"], "in_time")
    judged = judged.assign(act_by=act_by.dt.normalize(), state=pd.Categorical(state, categories=STATES, ordered=True))
    judged = judged.assign(**{name: judged["deal_id"].map(deals[name]) for name in _CARRIED if name in deals.columns})
    carried = [name for name in _CARRIED if name in deals.columns]
    lead = ["deal_id", *carried, "stage", *([by] if by and by not in carried else [])]
    columns = [*lead, "entered_at", "days", "n_left", "usual_days", "still_here", "p_value", "q_value", "act_by"]
    columns += ["older_than_any", "state"]
    judged = judged.sort_values(["state", "amount", "p_value"], ascending=[True, False, True], kind="stable")
    return judged[columns].rename(columns={"days": "age_days"}).reset_index(drop=True)


def _read(table, pipeline, crowded, false_share):
    """Return (key, values, notes): how many are stuck, where, what is at stake, which come next."""
    groups = {state: table[table["state"] == state] for state in STATES}
    stuck, notes = groups["stuck"], []
    values = {"n": number(len(stuck)), "n_open": number(len(table)), "share": percent(false_share, 0)}
    values |= {"value": _worth(stuck), "n_unvalued": number(int(stuck["amount"].isna().sum()))}
    values["stages"] = [pipeline.model.stage(stage).name for stage in stuck["stage"].astype("str").unique()]
    if stuck["amount"].notna().any() and stuck["amount"].isna().any():
        notes.append(("analysis.stuck.unvalued", {"n": values["n_unvalued"]}))
    for stage, n_open, expected in crowded:
        values_here = {"stage": pipeline.model.stage(stage).name, "n": number(n_open), "expected": number(expected, 1)}
        notes.append(("analysis.stuck.crowded", values_here))
    late, soon = groups["late"], groups["soon"]
    if len(late) or len(soon):
        counted = {"late": number(len(late)), "soon": number(len(soon)), "days": SOON_DAYS}
        notes.append(_valued("analysis.stuck.next", pd.concat([late, soon]), counted))
    old = table[table["older_than_any"] & (table["state"] != "too_few")]
    if len(old):
        notes.append(_valued("analysis.stuck.older", old, {"n": number(len(old))}))
    if len(groups["too_few"]):
        notes.append(("analysis.stuck.too_few", {"n": number(len(groups["too_few"])), "least": LEAST_EXITS}))
    return (
        _valued("analysis.stuck.found", stuck, values)[0] if len(stuck) else "analysis.stuck.none",
        values,
        tuple(notes),
    )


def _valued(key, deals, values):
    """Return a sentence that tells what deals are worth; where no amount is known, the one that leaves it out."""
    known = deals["amount"].notna().any()
    return (key, values | {"value": _worth(deals)}) if known else (f"{key}_unvalued", values)


def _worth(deals):
    """Return the sum of the amounts; a dash where none is known."""
    return number(deals["amount"].sum(min_count=1 if len(deals) else 0))
