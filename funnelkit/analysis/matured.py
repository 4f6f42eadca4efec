"""Win rates of a matured cohort: only what was watched for the whole of a stated time, open deals not yet won."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from funnelkit.analysis.shared import By, keys_of
from funnelkit.analysis.stays import refuse_without_times, timed_outcomes
from funnelkit.language import DataError, Text, both, day, in_a_sentence, joined, number, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import WIN_LIMITS, Refusal, Result, refuse_limits, row_words
from funnelkit.stats import rate_columns

PARTS = ("stage", "state")  # of the model: what a deal reaches, not what it has
Said = tuple[str, dict[str, Any]]
SHOWN = ("k", "n", "rate", "low", "high", "basis", "horizon_days")


def matured_rates(pipeline: Pipeline, by: By, within: float) -> Result:
    """Return the share won within so many days, of the deals that were watched for all of them."""
    refuse_limits(pipeline, "win_rate", *WIN_LIMITS, "no_open_deals")
    if not within > 0:
        raise DataError("within_not_positive", value=within)
    keys = [by] if by in PARTS else keys_of(by, pipeline.deals)
    rows = _of_parts(pipeline, str(by)) if by in PARTS else _of_deals(pipeline, keys)
    seen = rows[rows["days_seen"] >= within]
    if not len(seen):
        return Refusal(DataError("nothing_matured", days=number(within)))
    won = (seen["days_to_win"] <= within).astype("int64")
    groups = won.groupby([seen[key] for key in keys], dropna=False, observed=False) if keys else None
    found = groups.agg(["sum", "size"]).reset_index() if groups is not None else pd.DataFrame([_sums(won)])
    rates = rate_columns(found["sum"], found["size"], 0, "matured", within)
    table = found[keys].assign(**{name: values for name, values in rates.items() if name != "n_open"})
    model = pipeline.model if by in PARTS else None
    n_later = int(rows["days_seen"].notna().sum()) - len(seen)
    said = _read(table, keys, pipeline, {"days": number(within), "n_later": number(n_later)})
    picture = "rate_chart" if keys and by != "stage" else ""
    names = {"rate": "win_rate_within"}
    return Result(table, *said, model=model, picture=picture, shown=[*keys, *SHOWN], names=names)


def _sums(won: pd.Series[Any]) -> dict[str, int]:
    return {"sum": int(won.sum()), "size": len(won)}


def _of_parts(pipeline: Pipeline, by: str) -> pd.DataFrame:
    """Return the deals that reached each stage or state; where records of closes start late, from then on."""
    refuse_without_times(pipeline, "win_rate")
    refuse_limits(pipeline, "win_rate", "stage_of_loss_unknown")
    rows = pipeline.reached(by)
    late = pipeline.limit("closes_start_late")
    return rows if late is None else rows[rows["reached_at"] >= pd.Timestamp(late.values["first_close"])]


def _of_deals(pipeline: Pipeline, keys: list[str]) -> pd.DataFrame:
    times = timed_outcomes(pipeline)
    rows = pd.DataFrame({"days_seen": times["watched_days"], "days_to_win": times["days"].where(times["outcome"] == 1)})
    rows = rows.join(pipeline.deals[keys])
    return rows[times["entry_days"] == 0]


def _read(
    table: pd.DataFrame, keys: list[str], pipeline: Pipeline, values: dict[str, Any]
) -> tuple[str, dict[str, Any], Sequence[Said]]:
    values = values | {"date": both(lambda: day(pipeline.as_of))}
    if keys and keys[0] in PARTS:
        part = keys[0]
        parts: tuple[Any, ...] = pipeline.model.stages if part == "stage" else pipeline.model.states
        names = {one.id: one.name for one in parts}
        rows = [(names[row[part]], row_words(row)) for row in table.to_dict("records")]
        rates = both(lambda: say("result.list_between").join(_one(*row) for row in rows))
        order: list[Said] = [(f"analysis.matured.{_order(table)}", {})] if len(table) > 1 else []
        return (
            f"analysis.matured.of_{part}",
            {**values, "rates": rates},
            [*order, (f"analysis.matured.basis_{part}", values)],
        )
    basis = ("analysis.matured.basis", values)
    if not keys:
        return "analysis.matured.all", {**values, "rate": row_words(table.iloc[0])}, [basis]
    by_words = both(lambda: joined(map(in_a_sentence, keys)))
    return "analysis.matured.by", {**values, "by": by_words, "n": number(table["n"].sum())}, [basis]


def _one(name: Text, rate: Text) -> str:
    return say("analysis.matured.one", name=name, rate=rate)


def _order(table: pd.DataFrame) -> str:
    """Tell whether each interval lies wholly above the one before, wholly below, or neither."""
    known = table[table["n"] > 0]
    pairs = list(zip(known["low"][1:], known["high"][1:], known["low"][:-1], known["high"][:-1], strict=True))
    if pairs and all(low > before for low, _, _, before in pairs):
        return "rises"
    return "falls" if pairs and all(high < before for _, high, before, _ in pairs) else "no_order"
