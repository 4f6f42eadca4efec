"""Spells: one row for each stay of a deal in a stage, from entering it to leaving it, running ones included."""

import pandas as pd

from funnelkit.language import DataError, nearest
from funnelkit.result import LimitError

EXITS = ("open", "advanced", "lost", "back")
_DAY = pd.Timedelta(days=1)


def find_spells(pipeline, analysis="time_in_stage", by=None):
    """Return every stay in a stage: deal_id, stage, entered_at, left_at, exit, days, entry_days, [by].

    `exit` is advanced (a later stage, or the win), lost, back (an earlier stage) or open (still there at as_of, so
    `days` is a lower bound). `entry_days` is the age at which the spell came under observation: 0, except where closes
    are recorded only from a date on (limit `closes_start_late`). Void deals, deals with an untimed stage entry and
    spells whose end is unknown are left out. Raises LimitError where the source has no stage times at all.
    """
    refuse_without_times(pipeline, analysis)
    events, deals = _timed_events(pipeline), pipeline.deals.set_index("deal_id")
    same = events["deal_id"].eq(events["deal_id"].shift(-1))
    onward = events["stage"].cat.codes.groupby(events["deal_id"]).shift(-1)
    status, closed = events["deal_id"].map(deals["status"]), events["deal_id"].map(deals["closed_at"])
    left = events["entered_at"].shift(-1).where(same, closed.where(status != "open", pipeline.as_of))
    done = status.map({"won": "advanced", "lost": "lost", "open": "open"})
    moved = (onward > events["stage"].cat.codes).map({True: "advanced", False: "back"})
    spells = events.assign(left_at=left, exit=moved.where(same, done))
    spells = _without_won(spells, pipeline.model, same, pipeline.as_of)
    spells = spells[spells["left_at"].notna()].reset_index(drop=True)
    spells["left_at"] = spells["left_at"].where(spells["left_at"] > spells["entered_at"], spells["entered_at"])
    spells["exit"] = pd.Categorical(spells["exit"], categories=EXITS)
    spells["days"] = (spells["left_at"] - spells["entered_at"]) / _DAY
    spells["entry_days"] = entry_days(pipeline, spells["entered_at"])
    return spells if by is None else spells.assign(**{by: spells["deal_id"].map(column(pipeline, by, deals))})


def refuse_without_times(pipeline, analysis):
    """Raise LimitError where neither a history nor dated columns say when stages were entered."""
    limit = pipeline.limit("no_history")
    if limit is not None and pipeline.limit("one_date_per_stage") is None:
        raise LimitError(analysis, limit)


def column(pipeline, by, deals=None):
    """Return a column of the deals, or raise DataError with the nearest names."""
    deals = pipeline.deals if deals is None else deals
    if by not in deals.columns:
        raise DataError("no_such_column", name=by, nearest=nearest(by, pipeline.deals.columns))
    return deals[by]


def entry_days(pipeline, started):
    """Return the age in days at which each deal came under observation; 0 unless closes are recorded late."""
    late = pipeline.limit("closes_start_late")
    if late is None:
        return pd.Series(0.0, index=started.index)
    return ((pd.Timestamp(late.values["first_close"]) - started) / _DAY).clip(lower=0.0)


def _timed_events(pipeline):
    """Return the entries in order; a repeated entry into the stage a deal is in is no new spell."""
    events, status = pipeline.events, pipeline.deals.set_index("deal_id")["status"]
    untimed = events.loc[events["entered_at"].isna(), "deal_id"].unique()
    kept = ~events["deal_id"].isin(untimed) & (events["entered_at"] <= pipeline.as_of)
    kept &= events["deal_id"].map(status).isin(["open", "won", "lost"])
    events = events.loc[kept, ["deal_id", "stage", "entered_at"]]
    events = events.sort_values(["deal_id", "entered_at", "stage"], kind="stable", ignore_index=True)
    again = events["deal_id"].eq(events["deal_id"].shift()) & events["stage"].eq(events["stage"].shift())
    return events[~again].reset_index(drop=True)


def _without_won(spells, model, same, as_of):
    """Drop stays in the won stage where it is the last; where care follows, a won deal is still there."""
    if model.won_stage is None:
        return spells
    at_won = spells["stage"].cat.codes >= model.stage_ids.index(model.won_stage)
    if model.won_stage == model.stage_ids[-1]:
        return spells[~at_won]
    staying = at_won & ~same & (spells["exit"] == "advanced")
    return spells.assign(exit=spells["exit"].mask(staying, "open"), left_at=spells["left_at"].mask(staying, as_of))
