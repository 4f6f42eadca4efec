"""Peers: is a low rate the whole industry's or ours alone, and which action can still be improved?"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis.rates import rate_table
from funnelkit.analysis.shared import insight, require_columns
from funnelkit.language import CatalogError, DataError, Text, both, label, nearest, number, percent, points
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result, row_words, table_of
from funnelkit.stats import LEVEL, rate_columns, wilson

_CHANGE = {"change": "change", "low": "change_low", "high": "change_high"}
_SHOWN = (
    "stage", "k", "n", "rate", "low", "high", "n_peers", "peer_rate", "change", "change_low", "change_high", "verdict",
)  # fmt: skip
_RATE = ("k", "n", "rate", "low", "high", "basis", "horizon_days")
MARGIN = 0.05  # a difference smaller than this share is none in practice


def compare_peers(
    counts: Pipeline | Result | pd.DataFrame,
    peers: Result | pd.DataFrame,
    *,
    model: Funnel | None = None,
    stage: str | None = None,
    margin: float = MARGIN,
) -> Result:
    """Compare the promotion rates of our funnel with those of peers: whose is a low rate?

    Parameters
    ----------
    counts, model : a Pipeline, a counts table, or a table of stage, k, n; names the stages of a table
    peers : table of stage with k, n or rate, n or rate alone (taken as exact); any number of rows a stage, one a peer
    stage, margin : what the sentences answer for (the lowest rate); a smaller difference is none in practice

    Returns
    -------
    Result
        Table: stage, k, n, rate, low, high, basis, horizon_days (ours, as `rate_table`), n_peers, n_peer_cases,
        peer_rate, peer_low, peer_high (pooled), change, change_low, change_high, verdict: ours (clearly below), ahead,
        industry, too_few, no_peer, unknown (ours)

    Raises
    ------
    DataError : for unknown stages, missing columns, rates beyond 0 to 1

    Notes
    -----
    Newcombe's interval (1998) of both; peers that differ by more than chance widen it (McCullagh, Nelder 1989).

    Examples
    --------
    >>> ours = pd.DataFrame({"stage": ["target", "confirmed"], "k": [100, 17], "n": [1000, 100]})
    >>> peers = pd.DataFrame({"stage": ["target", "confirmed"], "rate": [0.22, 0.18], "n": [4000, 800]})
    >>> compare_peers(ours, peers).table[["stage", "rate", "peer_rate", "verdict"]].values.tolist()
    [['target', 0.1, 0.22, 'ours'], ['confirmed', 0.17, 0.18, 'too_few']]
    """
    model = model or (None if isinstance(counts, pd.DataFrame) else counts.model)
    return _compare(counts, table_of(peers), model, (stage, margin))


def _compare(
    counts: Pipeline | Result | pd.DataFrame, peers: pd.DataFrame, model: Funnel | None, asked: tuple[str | None, float]
) -> Result:
    rates = _our_rates(counts)
    pooled = _pool(_peer_rows(peers, rates["stage"].astype("str").tolist(), model))
    table = rates.assign(_key=rates["stage"].astype("str")).merge(pooled, left_on="_key", right_index=True, how="left")
    table = _judge(table.drop(columns="_key").reset_index(drop=True), asked[1])
    reading, low = _read(table, model, *asked), table[table["verdict"] == "ours"]
    findings = tuple(_insight(row, model, asked[1]) for _, row in low.iterrows())
    return Result(
        table.drop(columns="_exact"),
        *reading,
        model=model,
        picture="peer_chart",
        shown=_for_people,
        findings=findings,
        names={"change": "difference_points"},
    )


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    verdicts = [label(f"peers_{verdict}") for verdict in table["verdict"]]
    return table.assign(verdict=verdicts)[list(_SHOWN)]


def _insight(row: pd.Series[Any], model: Funnel | None, margin: float) -> Insight:
    """Return the finding of a stage below its peers; its size: the deals that the peers' rate would have kept."""
    short, key = -row["change"] * row["n"], "analysis.compare.ours"
    z = NormalDist().inv_cdf((1 + LEVEL) / 2) * row["change"] / (row["change_high"] - row["change"])
    size = {"n_deals": round(short), "found": float(row["rate"]), "usual": float(row["peer_rate"])}
    size["evidence"] = 2 * NormalDist().cdf(z)
    return insight("below_peers", row["stage"], key, _row_words(row, model, margin), **size)


def _our_rates(counts: Pipeline | Result | pd.DataFrame) -> pd.DataFrame:
    """Return stage and rate columns of either form of table."""
    if isinstance(counts, Pipeline) or "n_advanced" in table_of(counts).columns:
        table = rate_table(counts).table
        return table[["stage", *_RATE]]
    table = table_of(counts)
    require_columns(table, ("stage", "k", "n"))
    columns = rate_columns(table["k"], table["n"])
    return table[["stage"]].assign(**{name: columns[name] for name in _RATE})


def _peer_rows(peers: pd.DataFrame, stages: list[str], model: Funnel | None) -> pd.DataFrame:
    """Return stage, rate, n (NaN: exact) of the peers, checked row by row."""
    require_columns(peers, ("stage", *(() if "k" in peers.columns else ("rate",))))
    n = pd.to_numeric(peers["n"]) if "n" in peers.columns else pd.Series(np.nan, index=peers.index)
    rate = pd.to_numeric(peers["rate"]) if "rate" in peers.columns else peers["k"] / n
    named = [_stage_id(name, stages, model) for name in peers["stage"]]
    for name, value, size in zip(peers["stage"], rate, n, strict=True):
        if not 0 <= value <= 1 or size <= 0:
            raise DataError("bad_peer_rate", stage=str(name), found=f"{value:g}", n=f"{size:g}")
    return pd.DataFrame({"stage": named, "rate": rate.to_numpy(dtype=float), "n": n.to_numpy(dtype=float)})


def _stage_id(name: Any, stages: list[str], model: Funnel | None) -> str:
    if str(name) in stages:
        return str(name)
    try:
        if model is not None:
            return model.stage(name).id
    except CatalogError:
        pass
    raise DataError("peer_stage_unknown", name=str(name), nearest=nearest(name, stages))


def _pool(rows: pd.DataFrame) -> pd.DataFrame:
    """Return per stage the peers' common rate and the n that it is worth.

    Pearson's X^2 over its degrees of freedom, where above 1, divides n: peers that differ among themselves by more
    than chance say less about the next one (quasi-binomial, McCullagh and Nelder 1989).
    """
    found: dict[Any, dict[str, Any]] = {}
    for stage, group in rows.groupby("stage", sort=False):
        sized = group[group["n"].notna()]
        if len(sized) < len(group):
            found[stage] = {
                "n_peers": len(group),
                "n_peer_cases": np.nan,
                "peer_rate": group["rate"].mean(),
                "_exact": True,
            }
            continue
        total = sized["n"].sum()
        rate = (sized["rate"] * sized["n"]).sum() / total
        spread = (sized["n"] * (sized["rate"] - rate) ** 2).sum() / max(rate * (1 - rate), 1e-12)
        excess = max(1.0, spread / (len(sized) - 1)) if len(sized) > 1 else 1.0
        found[stage] = {
            "n_peers": len(group),
            "n_peer_cases": total,
            "peer_rate": rate,
            "_worth": total / excess,
            "_exact": False,
        }
    return pd.DataFrame.from_dict(found, orient="index").reindex(
        columns=["n_peers", "n_peer_cases", "peer_rate", "_worth", "_exact"]
    )


def _judge(table: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Add the peers' interval, the change and the verdict."""
    rate, worth = table["peer_rate"].to_numpy(dtype=float), table["_worth"].to_numpy(dtype=float)
    exact = table["_exact"].eq(True).to_numpy()
    sized = np.nan_to_num(worth)
    hits = np.clip(np.nan_to_num(rate) * sized, 0, sized)
    low, high = wilson(hits, sized)
    table = table.assign(peer_low=np.where(exact, rate, low), peer_high=np.where(exact, rate, high))
    table["n_peers"] = table["n_peers"].fillna(0).astype("int64")
    table["change"] = table["rate"] - rate
    table["change_low"] = table["change"] - np.hypot(table["rate"] - table["low"], table["peer_high"] - rate)
    table["change_high"] = table["change"] + np.hypot(table["high"] - table["rate"], rate - table["peer_low"])
    within = (table["change_low"] > -margin) & (table["change_high"] < margin)
    unknown = table["rate"].isna() & (table["n"] > 0)
    cases = [table["n_peers"] == 0, unknown, table["change_high"] < 0, table["change_low"] > 0, within]
    table["verdict"] = np.select(cases, ["no_peer", "unknown", "ours", "ahead", "industry"], "too_few")
    return table.drop(columns="_worth").assign(_exact=exact)


def _read(
    table: pd.DataFrame, model: Funnel | None, stage: str | None, margin: float
) -> tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]:
    """Return (key, values, notes) for the stage asked for, or the one of the lowest rate that peers speak of."""
    judged = table[table["n_peers"] > 0]
    if stage is not None:
        row = table[
            table["stage"].astype("str") == _stage_id(stage, table["stage"].astype("str").tolist(), model)
        ].iloc[0]
    else:
        known = (judged if len(judged) else table).query("n > 0")
        if not len(known):
            raise DataError("empty_period", table="counts")
        row = known.loc[known["rate"].idxmin()] if known["rate"].notna().any() else known.iloc[0]
    values = _row_words(row, model, margin)
    notes = [_actions_note(row["stage"], model)]
    others = judged[(judged["verdict"] == "ours") & (judged["stage"] != row["stage"])]
    if len(others):
        notes.append(("analysis.compare.others_ours", {"stages": [_name(name, model) for name in others["stage"]]}))
    exact = judged[judged["_exact"]]
    if len(exact):
        notes.append(("analysis.compare.exact_peers", {"stages": [_name(name, model) for name in exact["stage"]]}))
    return f"analysis.compare.{row['verdict']}", values, tuple(notes)


def _row_words(row: pd.Series[Any], model: Funnel | None, margin: float) -> dict[str, Any]:
    values: dict[str, Any] = {"stage": _name(row["stage"], model), "rate": row_words(row.to_dict())}
    values |= {"peer_rate": _peer_words(row), "n_peers": int(row["n_peers"]), "needed": number(_needed(row, margin))}
    return values | {name: points(row[column]) for name, column in _CHANGE.items()}


def _name(stage: Any, model: Funnel | None) -> Text | str:
    return model.stage(stage).name if model is not None else str(stage)


def _peer_words(row: pd.Series[Any]) -> Text:
    if row["_exact"] or pd.isna(row["peer_rate"]):
        return both(lambda: percent(row["peer_rate"]))
    return row_words({name: row[f"peer_{name}"] for name in ("rate", "low", "high")} | {"n": int(row["n_peer_cases"])})


def _needed(row: pd.Series[Any], margin: float) -> int:
    """Return how many of our cases would settle the question: half an interval of half the margin, or the gap."""
    gap = max(margin / 2, abs(row["change"]) if pd.notna(row["change"]) else 0)
    rate = row["peer_rate"] if pd.notna(row["peer_rate"]) else 0.5
    return int(np.ceil(1.96**2 * max(rate * (1 - rate), 0.01) / gap**2))


def _actions_note(stage: Any, model: Funnel | None) -> tuple[str, dict[str, Any]]:
    """Return the sentence about what sellers do in this stage: its tasks, else its tactics, tools and marker."""
    if model is None:
        return "analysis.compare.own_actions", {}
    found = model.stage(stage)
    actions = found.tasks or found.tactics or found.tools
    return ("analysis.compare.actions", {"actions": list(actions)}) if actions else ("analysis.compare.no_actions", {})
