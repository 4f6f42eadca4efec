"""Spells: one row for each stay of a deal in a stage, from entering it to leaving it, running ones included."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from funnelkit.analysis.shared import DAY, By, keys_of
from funnelkit.language import DataError, label, nearest, number
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import LimitError, Result, require_pipeline

EXITS = ("open", "advanced", "lost", "back")


def find_spells(pipeline: Pipeline, by: By = None) -> Result:
    """List every stay of a deal in a stage, running ones included.

    Parameters
    ----------
    pipeline : Pipeline
    by : str or list of str, optional
        Columns of the deals to carry along.

    Returns
    -------
    Result
        Table, one row a stay: deal_id, stage, entered_at, left_at, exit, days, entry_days, [by]. `exit` is advanced (a
        later stage, or the win), lost, back (an earlier stage) or open (still there at as_of, so `days` is a lower
        bound). `entry_days` is the age at which the stay came under observation: 0, except where closes are recorded
        only from a date on (limit `closes_start_late`).

    Raises
    ------
    LimitError
        Where the source has no stage times at all.
    DataError
        Where there is no column `by`.

    Notes
    -----
    Void deals, deals with an untimed or back-filled stage entry and stays whose end is unknown are left out.

    Examples
    --------
    >>> from funnelkit import read, synthesize
    >>> made = synthesize(rng=1, n_deals=300)
    >>> find_spells(read(made.deals, made.events, model=made.model, as_of=made.as_of)).table["exit"].iloc[0]
    'advanced'
    """
    return _spells_result(pipeline, spells_of(pipeline, "time_in_stage", by))


def _spells_result(pipeline: Pipeline, table: pd.DataFrame) -> Result:
    running = {"n": number((table["exit"] == "open").sum()), "n_all": number(len(table))}
    notes = late_notes(pipeline, table)
    shown = partial(_for_people, list(table.columns[7:]))
    return Result(table, "analysis.time.running", running, notes, model=pipeline.model, shown=shown)


def _for_people(keys: list[str], table: pd.DataFrame) -> pd.DataFrame:
    table = table.assign(exit=[label(f"exit_{way}") for way in table["exit"]])
    return table[["deal_id", *keys, "stage", "entered_at", "left_at", "days", "exit"]]


def spells_of(pipeline: Pipeline, analysis: str, by: By = None) -> pd.DataFrame:
    """Return the table of `find_spells`; `analysis` is the one that a refusal names."""
    require_pipeline(pipeline)
    refuse_without_times(pipeline, analysis)
    events, deals = _timed_events(pipeline), pipeline.deals.set_index("deal_id")
    same = events["deal_id"].eq(events["deal_id"].shift(-1))
    onward = events["stage"].cat.codes.groupby(events["deal_id"]).shift(-1)
    # Not by map, which cannot look up dates among no deals.
    status, closed = (events.join(deals[name], on="deal_id")[name] for name in ("status", "closed_at"))
    left = events["entered_at"].shift(-1).where(same, closed.where(status != "open", pipeline.as_of))
    done = status.map({"won": "advanced", "lost": "lost", "open": "open"})
    moved = (onward > events["stage"].cat.codes).map({True: "advanced", False: "back"})
    spells = events.assign(left_at=left, exit=moved.where(same, done))
    spells = _without_won(spells, pipeline.model, same, pipeline.as_of)
    spells = spells[spells["left_at"].notna()].reset_index(drop=True)
    spells["left_at"] = spells["left_at"].where(spells["left_at"] > spells["entered_at"], spells["entered_at"])
    spells["exit"] = pd.Categorical(spells["exit"], categories=EXITS)
    spells["days"] = (spells["left_at"] - spells["entered_at"]) / DAY
    spells["entry_days"] = entry_days(pipeline, spells["entered_at"])
    return spells.assign(**{key: spells["deal_id"].map(deals[key]) for key in keys_of(by, pipeline.deals)})


def refuse_without_times(pipeline: Pipeline, analysis: str) -> None:
    """Refuse an analysis where neither a history nor dated columns say when stages were entered.

    Parameters
    ----------
    pipeline : Pipeline
    analysis : str
        A key of texts/result.toml, which the refusal names.

    Returns
    -------
    None

    Raises
    ------
    LimitError
        Where there are no stage times.

    Notes
    -----
    A source with one date a stage has times, though no history.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> refuse_without_times(SimpleNamespace(limit=lambda code: None), "time_in_stage")
    """
    limit = pipeline.limit("no_history")
    if limit is not None and pipeline.limit("one_date_per_stage") is None:
        raise LimitError(analysis, limit)


def column(pipeline: Pipeline, by: str) -> pd.Series[Any]:
    """Return a column of the deals.

    Parameters
    ----------
    pipeline : Pipeline
    by : str

    Returns
    -------
    Series
        The column, aligned with `pipeline.deals`.

    Raises
    ------
    DataError
        Where there is none of that name; it names the nearest.

    Notes
    -----
    One message for every verb that is given a column.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> column(SimpleNamespace(deals=pd.DataFrame({"team": ["N"]})), "team").tolist()
    ['N']
    """
    if by not in pipeline.deals.columns:
        raise DataError("no_such_column", name=by, nearest=nearest(by, pipeline.deals.columns))
    return pipeline.deals[by]


def entry_days(pipeline: Pipeline, started: pd.Series[Any]) -> pd.Series[Any]:
    """Return the age in days at which each deal came under observation; 0 unless closes are recorded late."""
    late = pipeline.limit("closes_start_late")
    if late is None:
        return pd.Series(0.0, index=started.index)
    return ((pd.Timestamp(late.values["first_close"]) - started) / DAY).clip(lower=0.0)


def timed_outcomes(pipeline: Pipeline, delayed_entry: bool | None = None) -> pd.DataFrame:
    """Return deal_id, started_at, days, watched_days (were it open still), outcome (0 open, 1 won, 2 lost), entry_days.

    Void deals, deals without a start and closed deals without a close date are left out.
    """
    deals = pipeline.deals
    known = deals["status"].isin(["won", "lost", "open"]) & (deals["created_at"] <= pipeline.as_of)
    known &= (deals["status"] == "open") | deals["closed_at"].notna()
    deals = deals[known]
    table = pd.DataFrame({"deal_id": deals["deal_id"], "started_at": deals["created_at"]})
    table["watched_days"] = (pipeline.as_of - deals["created_at"]) / DAY
    took = (deals["closed_at"] - deals["created_at"]) / DAY
    table["days"] = took.where(deals["status"] != "open", table["watched_days"]).clip(lower=0.0)
    table["outcome"] = deals["status"].map({"open": 0, "won": 1, "lost": 2})
    table["entry_days"] = 0.0 if delayed_entry is False else entry_days(pipeline, deals["created_at"])
    return table


def late_notes(pipeline: Pipeline, rows: pd.DataFrame) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return the sentences about rows that count from a later day on, and about deals without stays to count."""
    late, n = pipeline.limit("closes_start_late"), int((rows["entry_days"] > 0).sum())
    notes = [("analysis.time.delayed", {"date": late.values["first_close"], "n": number(n)})] if late and n else []
    backfilled = pipeline.limit("backfilled")
    if backfilled:
        values = {name: number(value) for name, value in backfilled.values.items()}
        notes.append(("analysis.time.backfilled", values))
    return tuple(notes)


def _timed_events(pipeline: Pipeline) -> pd.DataFrame:
    """Return the entries in order; a repeated entry into the stage a deal is in is no new spell."""
    events, status = pipeline.events, pipeline.deals.set_index("deal_id")["status"]
    untimed = events.loc[events["entered_at"].isna() | (events["source"] == "backfilled"), "deal_id"].unique()
    kept = ~events["deal_id"].isin(untimed) & (events["entered_at"] <= pipeline.as_of)
    kept &= events["deal_id"].map(status).isin(["open", "won", "lost"])
    events = events.loc[kept, ["deal_id", "stage", "entered_at"]]
    events = events.sort_values(["deal_id", "entered_at", "stage"], kind="stable", ignore_index=True)
    again = events["deal_id"].eq(events["deal_id"].shift()) & events["stage"].eq(events["stage"].shift())
    return events[~again].reset_index(drop=True)


def _without_won(spells: pd.DataFrame, model: Funnel, same: pd.Series[bool], as_of: pd.Timestamp) -> pd.DataFrame:
    """Drop stays in the won stage where it is the last; where care follows, a won deal is still there."""
    if model.won_stage is None:
        return spells
    at_won = spells["stage"].cat.codes >= model.stage_ids.index(model.won_stage)
    if model.won_stage == model.stage_ids[-1]:
        return spells[~at_won]
    staying = at_won & ~same & (spells["exit"] == "advanced")
    return spells.assign(exit=spells["exit"].mask(staying, "open"), left_at=spells["left_at"].mask(staying, as_of))
