"""Where and why were deals lost in the last twelve months?"""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from funnelkit.analysis import furthest_stage, lost_nowhere
from funnelkit.language import DataError, Text, both, day, number, percent, say
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.scope import Scope
from funnelkit.report.sections.section import Section
from funnelkit.result import FEW, WIN_LIMITS, Result, refuse_limits
from funnelkit.stats import leaders

MONTHS = 12
FEWEST_TOLD = 0.5  # share of the losses that must bear a reason


def lost_reasons(pipeline: Pipeline, scope: Scope) -> Result:
    """Count the losses of the last twelve months by the stage they happened in and their reason.

    Parameters
    ----------
    pipeline : Pipeline
    scope : Scope

    Returns
    -------
    Result
        Table: stage, reason (missing: none given), n_lost, n_stage (losses of the stage), share (of those, a fraction).

    Raises
    ------
    LimitError, DataError
        Where losses or their stages are not known, or most bear no reason.

    Notes
    -----
    Each stage's reasons come in order of their number.

    Examples
    --------
    >>> import funnelkit as fk
    >>> pipeline = fk.sample()
    >>> lost_reasons(pipeline, Scope(pipeline)).table["reason"].iloc[0]
    'No need'
    """
    refuse_limits(pipeline, "split_losses", *WIN_LIMITS)
    lost = (pipeline.deals["status"] == "lost") & (pipeline.deals["closed_at"] < scope.end)
    lost &= pipeline.deals["closed_at"] >= scope.end - pd.DateOffset(months=MONTHS)
    nowhere = lost & lost_nowhere(pipeline)
    if nowhere.sum() > FEW * lost.sum():
        refuse_limits(pipeline, "split_losses", "stage_of_loss_unknown")
    told = pipeline.deals.loc[lost, "lost_reason"].notna()
    if not len(told) or told.mean() < FEWEST_TOLD:
        raise _untold(told, scope)
    table = _by_stage(pipeline, lost & ~nowhere)
    return Result(table, *_read(table, pipeline, scope), model=pipeline.model, shown=_for_people)


def _untold(told: pd.Series[bool], scope: Scope) -> DataError:
    key = "no_lost_reasons" if told.any() else "no_lost_reason_at_all"
    return DataError(key, n=number(told.sum()), of=number(len(told)), day=_last_day(scope))


def _last_day(scope: Scope) -> Text:
    return both(lambda: day(scope.end - pd.Timedelta(days=1)))


def _by_stage(pipeline: Pipeline, lost: pd.Series[bool]) -> pd.DataFrame:
    names = pipeline.model.stage_ids
    stage = pd.Categorical.from_codes(furthest_stage(pipeline)[lost].to_numpy(), categories=names, ordered=True)
    reason = pipeline.deals.loc[lost, "lost_reason"].astype(object).to_numpy()
    found = pd.DataFrame({"stage": stage, "reason": reason, "n_lost": 1})
    found = found.groupby(["stage", "reason"], observed=True, dropna=False)["n_lost"].sum().reset_index()
    found["n_stage"] = found.groupby("stage", observed=True)["n_lost"].transform("sum")
    found["share"] = found["n_lost"] / found["n_stage"]
    return found.sort_values(["stage", "n_lost"], ascending=[True, False], kind="stable", ignore_index=True)


def _read(table: pd.DataFrame, pipeline: Pipeline, scope: Scope) -> tuple[str, dict[str, Any]]:
    whole = table.groupby("reason", dropna=False)["n_lost"].sum().sort_values(ascending=False, kind="stable")
    stages = table.groupby("stage", observed=True)["n_lost"].sum()
    reasons = [_reason(whole.index[at]) for at in leaders(whole.to_numpy())]
    most = [pipeline.model.stage(stages.index[at]).name for at in leaders(stages.to_numpy())]
    values = {"n": number(whole.sum()), "reasons": reasons, "n_reasons": len(reasons), "stages": most,
              "n_reason": number(whole.iloc[0]), "share": percent(whole.iloc[0] / whole.sum(), 0),
              "n_stages": len(most), "n_stage": number(stages.max()), "day": _last_day(scope)}  # fmt: skip
    return "report.losses.most_of_one" if len(stages) == 1 else "report.losses.most", values


def _reason(reason: Any) -> Text | str:
    return both(partial(say, "report.losses.no_reason")) if pd.isna(reason) else str(reason)


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a stage: how many were lost there, and the three commonest reasons with their share."""
    rows = []
    for stage, group in table.groupby("stage", observed=True):
        told = [
            say("report.losses.counted", reason=str(_reason(row["reason"])), n=number(row["n_lost"]),
                share=percent(row["share"], 0))
            for row in group.head(3).to_dict("records")
        ]  # fmt: skip
        rows.append((stage, int(group["n_lost"].sum()), say("report.losses.between").join(told)))
    shown = pd.DataFrame(rows, columns=["stage", "n_lost", "reasons"])
    return shown.assign(stage=pd.Categorical(shown["stage"], categories=table["stage"].cat.categories, ordered=True))


SECTIONS = (Section("losses", "lost_reasons", "stage reason n_lost n_stage share"),)
