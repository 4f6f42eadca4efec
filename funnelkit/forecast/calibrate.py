"""Calibrate: do stage probabilities come true? Deals still open count for the time that they have been watched."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis import refuse_without_times
from funnelkit.forecast.forecast import Reading
from funnelkit.language import DataError, label, number, percent
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, refuse_limits
from funnelkit.stats import aalen_johansen, days, holm_levels, interval, leaders, stage_spells

VERDICTS = ("fits", "too_high", "too_low", "not_yet_known", "no_deals")
LEAST_UNDECIDED = 0.05
AT_RISK = 10  # the curve is read where at least so many deals are still watched


def calibrate(pipeline: Pipeline, probabilities: Mapping[str, float] | None = None) -> Result:
    """Compare stage probabilities with what came of the deals that entered each stage.

    Parameters
    ----------
    pipeline : Pipeline
        With outcomes and stage times.
    probabilities : mapping, optional
        Chance of a final win of a deal in each stage; without it those of the model (`Funnel.win_chance`, which reads
        probabilities "on leaving" as those of the stage after).

    Returns
    -------
    Result
        stage, probability, n, n_won, n_lost, n_open, observed, low, high (Holm), undecided (share still open at that
        age), at_days (the age), closed_only (won / closed, biased, for comparison), brier, verdict: fits (within the
        interval), too_high, too_low, not_yet_known (above it, but the undecided could make it true), no_deals.

    Raises
    ------
    LimitError, DataError
        Without outcomes, lost deals or stage times; for an unknown stage, or where no probability is known.

    Notes
    -----
    Closed deals alone would be biased, for slow deals are still open and losses may close faster: the share won is the
    Aalen-Johansen curve from the entry into the stage, which weighs open deals by the time they were watched (as
    inverse censoring weights do), read at the last age at which 10 deals are still watched. The intervals of all stages
    are one family (Holm 1979): if all probabilities are true, any stage is called wrong in 5 %. brier = reliability -
    resolution + uncertainty (Murphy 1973), over all entries.

    Examples
    --------
    >>> from funnelkit import sample
    >>> calibrate(sample()).table[["stage", "probability", "n", "verdict"]].head(2).values.tolist()
    [['project-initiation', 0.05, 2000, 'too_low'], ['first-contact', 0.1, 1385, 'fits']]
    """
    refuse_limits(pipeline, "calibrate", "no_outcome", "no_lost_deals", "no_open_deals")
    refuse_without_times(pipeline, "calibrate")
    return _compare(pipeline, _stated(pipeline.model, probabilities))


def _compare(pipeline: Pipeline, stated: dict[str, float]) -> Result:
    spells = stage_spells(pipeline)
    status, closed = pipeline.deals["status"].to_numpy(), days(pipeline.deals["closed_at"])
    end = np.where(np.isnan(closed[spells.deal]), spells.as_of, closed[spells.deal])
    cause = pd.Series(status[spells.deal]).map({"won": 1, "lost": 2, "void": 2, "open": 0}).to_numpy()
    rows = []
    for stage, name in enumerate(pipeline.model.stage_ids[: spells.won]):
        if name in stated:
            here = spells.stage == stage
            entry = np.maximum(spells.seen - spells.start, 0)[here]
            rows.append((name, *_row(stated[name], np.maximum(end - spells.start, 0)[here], cause[here], entry)))
    columns = ["stage", "probability", "n", "n_won", "n_lost", "n_open", "observed", "undecided", "at_days",
               "closed_only", "brier", "error"]  # fmt: skip
    table = _judged(pd.DataFrame(rows, columns=columns))
    table["stage"] = pd.Categorical(table["stage"], categories=pipeline.model.stage_ids, ordered=True)
    table["verdict"] = pd.Categorical(table["verdict"], categories=VERDICTS)
    return Result(
        table, *_read(table, pipeline.model), model=pipeline.model, shown=partial(_for_people, pipeline.model)
    )


def _for_people(model: Funnel, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: what was said, what came, and the verdict."""
    rows = [
        {
            "stage": row["stage"],
            "probability": percent(row["probability"], 0),
            "n": number(row["n"]),
            "observed": f"{percent(row['observed'])} [{percent(row['low'])}, {percent(row['high'])}]",
            "undecided": percent(row["undecided"], 0),
            "verdict": label(row["verdict"]),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _stated(model: Funnel, probabilities: Mapping[str, float] | None) -> dict[str, float]:
    """Return the probabilities by stage id, those that are given."""
    if probabilities is None:
        found = {stage: model.win_chance(stage) for stage in model.stage_ids if stage != model.won_stage}
    else:
        found = {model.stage(name).id: value for name, value in dict(probabilities).items()}
    known = {stage: float(value) for stage, value in found.items() if value is not None and not pd.isna(value)}
    if not known:
        raise DataError("no_probabilities", model=model.id)
    for stage, value in known.items():
        if not 0 <= value <= 1:
            raise DataError("bad_probability", stage=stage, found=repr(value))
    return known


def _row(stated: float, age: NDArray[Any], cause: NDArray[Any], entry: NDArray[Any]) -> tuple[Any, ...]:
    """Return one stage's figures after its name."""
    n_won, n_lost, n_open = (int((cause == one).sum()) for one in (1, 2, 0))
    if not n_won + n_lost:
        return (stated, len(age), n_won, n_lost, n_open, *[np.nan] * 6)
    curves = aalen_johansen(age, cause, 2, entry)
    enough = np.flatnonzero(curves.n_at_risk >= min(AT_RISK, curves.n_at_risk.max()))
    at = enough.max()
    won, stay = float(curves.left[at, 0]), float(curves.stay[at])
    brier = won * (1 - stated) ** 2 + (1 - won) * stated**2
    return (stated, len(age), n_won, n_lost, n_open, won, stay, float(curves.days[at]), n_won / (n_won + n_lost), brier,
            float(curves.left_error[at, 0]))  # fmt: skip


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Add interval and verdict of each stage, all of them judged as one family."""
    observed, stated, n = (table[name].to_numpy(dtype=float) for name in ("observed", "probability", "n"))
    levels, _ = holm_levels(_p_values(observed, table["error"].to_numpy(dtype=float), n, stated))
    ends = [interval(*row) for row in zip(observed, table["error"], n, np.nan_to_num(levels, nan=0.95), strict=True)]
    low, high = (np.where(np.isnan(observed), np.nan, [float(end[side]) for end in ends]) for side in (0, 1))
    fits = (low <= stated) & (stated <= high)
    undecided = (stated > high) & (stated <= high + table["undecided"]) & (table["undecided"] > LEAST_UNDECIDED)
    conditions = [table["n_won"] + table["n_lost"] + table["n_open"] == 0, np.isnan(observed) | undecided, fits,
                  stated < low]  # fmt: skip
    verdict = np.select(conditions, ["no_deals", "not_yet_known", "fits", "too_low"], "too_high")
    order = ["stage", "probability", "n", "n_won", "n_lost", "n_open", "observed", "low", "high", "undecided",
             "at_days", "closed_only", "brier", "verdict"]  # fmt: skip
    return table.assign(low=low, high=high, verdict=verdict)[order]


def _p_values(observed: NDArray[Any], error: NDArray[Any], n: NDArray[Any], stated: NDArray[Any]) -> NDArray[Any]:
    """Return one minus the level at which each interval just reaches the stated probability."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.abs(np.log(-np.log(stated)) - np.log(-np.log(observed)))
        inside = gap * observed * -np.log(observed) / error
        none, every = np.sqrt(n * stated / (1 - stated)), np.sqrt(n * (1 - stated) / stated)  # Wilson's limits
    z = np.select([np.isnan(observed), observed <= 1e-12, observed >= 1 - 1e-12], [np.nan, none, every], inside)
    found: NDArray[Any] = 2 * ndtr(-z)
    return found


def murphy(table: pd.DataFrame) -> dict[str, float]:
    """Return the Brier score over all entries and its parts: reliability - resolution + uncertainty."""
    known = table[table["observed"].notna()]
    weight = known["n"] / known["n"].sum()
    base = float((weight * known["observed"]).sum())
    return {
        "brier": float((weight * known["brier"]).sum()),
        "reliability": float((weight * (known["probability"] - known["observed"]) ** 2).sum()),
        "resolution": float((weight * (known["observed"] - base) ** 2).sum()),
        "uncertainty": base * (1 - base),
    }


def _read(table: pd.DataFrame, model: Funnel) -> Reading:
    names = {
        verdict: [model.stage(stage).name for stage in table.loc[table["verdict"] == verdict, "stage"]]
        for verdict in VERDICTS
    }
    values = {"n": number(table["n"].sum()), **{key: number(value, 3) for key, value in murphy(table).items()}}
    notes: list[tuple[str, dict[str, Any]]] = [
        (f"forecast.calibrate.{verdict}", {"stages": found}) for verdict, found in names.items() if found
    ]
    gaps = (table["probability"] - table["observed"]).abs()
    worst = table.iloc[leaders(gaps.to_numpy())]
    if len(worst) > 1:
        stages = [model.stage(stage).name for stage in worst["stage"]]
        notes.append(("forecast.calibrate.widest_tied", {"stages": stages, "gap": number(100 * gaps.max())}))
    elif len(worst):
        row = worst.iloc[0]
        notes.append(("forecast.calibrate.widest", {"stage": model.stage(row["stage"]).name,
                      "stated": percent(row["probability"], 0), "came": percent(row["observed"], 0),
                      "low": percent(row["low"], 0), "high": percent(row["high"], 0),
                      "n": number(row["n"])}))  # fmt: skip
    return "forecast.calibrate.brier", values, tuple(notes)
