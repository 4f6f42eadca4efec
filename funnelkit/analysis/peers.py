"""Peers: is a low rate the whole industry's or ours alone, and which action can still be improved?"""

import numpy as np
import pandas as pd

from funnelkit.analysis.rates import rate_table
from funnelkit.language import CatalogError, DataError, nearest, number, percent, points
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, rate_words
from funnelkit.stats import newcombe, rate_columns, wilson

_CHANGE = {"change": "change", "low": "change_low", "high": "change_high"}
MARGIN = 0.05  # a difference smaller than this share is none in practice


def compare_peers(counts, peers, *, model=None, stage=None, margin=MARGIN):
    """Compare the promotion rates of our funnel with those of peers, stage by stage.

    `counts` is a counts table, a k, n table with stage, or a Pipeline (then `model` is its own). `peers` is a table of
    stage with k, n or rate, n or rate alone (taken as exact), and any number of rows a stage, one a peer. The table
    has stage, k, n, rate, low, high (ours), n_peers, n_peer_cases, peer_rate, peer_low, peer_high (pooled; peers that
    differ among themselves by more than chance widen it), change with change_low, change_high (ours less theirs,
    Newcombe) and verdict: ours (clearly below the peers), ahead, industry (within `margin` of the peers, surely),
    too_few (none of these), no_peer. The reading answers for `stage`, by default the lowest rate: whose is it, and
    which of the stage's actions, by the model, can still be improved. Raises DataError on unknown stages, missing
    columns, rates beyond 0 to 1.

    >>> ours = pd.DataFrame({"stage": ["target", "confirmed"], "k": [100, 17], "n": [1000, 100]})
    >>> peers = pd.DataFrame({"stage": ["target", "confirmed"], "rate": [0.22, 0.18], "n": [4000, 800]})
    >>> compare_peers(ours, peers).table[["stage", "rate", "peer_rate", "verdict"]].values.tolist()
    [['target', 0.1, 0.22, 'ours'], ['confirmed', 0.17, 0.18, 'too_few']]
    """
    if isinstance(counts, Pipeline):
        from funnelkit.analysis.count import count_stages

        counts, model = count_stages(counts).table, model or counts.model
    rates = _our_rates(counts)
    pooled = _pool(_peer_rows(peers, rates["stage"].astype("str").tolist(), model))
    table = rates.assign(_key=rates["stage"].astype("str")).merge(pooled, left_on="_key", right_index=True, how="left")
    table = _judge(table.drop(columns="_key").reset_index(drop=True), margin)
    return Result(table.drop(columns="_exact"), *_read(table, model, stage, margin))


def _our_rates(counts):
    """Return stage, k, n, rate, low, high of either form of table."""
    if "n_advanced" in counts.columns:
        return rate_table(counts)[["stage", "k", "n", "rate", "low", "high"]]
    for name in ("stage", "k", "n"):
        if name not in counts.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, counts.columns))
    columns = rate_columns(counts["k"], counts["n"])
    return counts[["stage"]].assign(**{name: columns[name] for name in ("k", "n", "rate", "low", "high")})


def _peer_rows(peers, stages, model):
    """Return stage, rate, n (NaN: exact) of the peers, checked row by row."""
    if "stage" not in peers.columns or not {"rate", "k"} & set(peers.columns):
        missing = "stage" if "stage" not in peers.columns else "rate"
        raise DataError("no_such_column", name=missing, nearest=nearest(missing, peers.columns))
    n = pd.to_numeric(peers["n"]) if "n" in peers.columns else pd.Series(np.nan, index=peers.index)
    rate = pd.to_numeric(peers["rate"]) if "rate" in peers.columns else peers["k"] / n
    named = [_stage_id(name, stages, model) for name in peers["stage"]]
    for name, value, size in zip(peers["stage"], rate, n, strict=True):
        if not 0 <= value <= 1 or size <= 0:
            raise DataError("bad_peer_rate", stage=str(name), found=f"{value:g}", n=f"{size:g}")
    return pd.DataFrame({"stage": named, "rate": rate.to_numpy(dtype=float), "n": n.to_numpy(dtype=float)})


def _stage_id(name, stages, model):
    if str(name) in stages:
        return str(name)
    try:
        if model is not None:
            return model.stage(name).id
    except CatalogError:
        pass
    raise DataError("peer_stage_unknown", name=str(name), nearest=nearest(name, stages))


def _pool(rows):
    """Return per stage the peers' common rate and the n that it is worth.

    Pearson's X^2 over its degrees of freedom, where above 1, divides n: peers that differ among themselves by more
    than chance say less about the next one (quasi-binomial, McCullagh and Nelder 1989).
    """
    found = {}
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


def _judge(table, margin):
    """Add the peers' interval, the change and the verdict."""
    rate, worth = table["peer_rate"].to_numpy(dtype=float), table["_worth"].to_numpy(dtype=float)
    exact = table["_exact"].eq(True).to_numpy()
    sized = np.nan_to_num(worth)
    hits = np.clip(np.nan_to_num(rate) * sized, 0, sized)
    low, high = wilson(hits, sized)
    change, change_low, change_high = newcombe(table["k"], table["n"], hits, sized)
    table = table.assign(peer_low=np.where(exact, rate, low), peer_high=np.where(exact, rate, high))
    table["n_peers"] = table["n_peers"].fillna(0).astype("int64")
    table["change"] = np.where(exact, table["rate"] - rate, change)
    table["change_low"] = np.where(exact, table["low"] - rate, change_low)
    table["change_high"] = np.where(exact, table["high"] - rate, change_high)
    within = (table["change_low"] > -margin) & (table["change_high"] < margin)
    cases = [table["n_peers"] == 0, table["change_high"] < 0, table["change_low"] > 0, within]
    table["verdict"] = np.select(cases, ["no_peer", "ours", "ahead", "industry"], "too_few")
    return table.drop(columns="_worth").assign(_exact=exact)


def _read(table, model, stage, margin):
    """Return (key, values, notes) for the stage asked for, or the one of the lowest rate that peers speak of."""
    judged = table[table["n_peers"] > 0]
    if stage is not None:
        row = table[
            table["stage"].astype("str") == _stage_id(stage, table["stage"].astype("str").tolist(), model)
        ].iloc[0]
    else:
        known = (judged if len(judged) else table).dropna(subset="rate")
        if not len(known):
            raise DataError("empty_period", table="counts")
        row = known.loc[known["rate"].idxmin()]
    values = {"stage": _name(row["stage"], model), "rate": rate_words(int(row["k"]), int(row["n"]))}
    values |= {"peer_rate": _peer_words(row), "n_peers": int(row["n_peers"]), "needed": number(_needed(row, margin))}
    values |= {name: points(row[column]) for name, column in _CHANGE.items()}
    notes = [_actions_note(row["stage"], model)]
    others = judged[(judged["verdict"] == "ours") & (judged["stage"] != row["stage"])]
    if len(others):
        notes.append(("analysis.compare.others_ours", {"stages": [_name(name, model) for name in others["stage"]]}))
    exact = judged[judged["_exact"]]
    if len(exact):
        notes.append(("analysis.compare.exact_peers", {"stages": [_name(name, model) for name in exact["stage"]]}))
    return f"analysis.compare.{row['verdict']}", values, tuple(notes)


def _name(stage, model):
    return model.stage(stage).name if model is not None else str(stage)


def _peer_words(row):
    if row["_exact"] or pd.isna(row["peer_rate"]):
        return percent(row["peer_rate"])
    return rate_words(round(row["peer_rate"] * row["n_peer_cases"]), int(row["n_peer_cases"]))


def _needed(row, margin):
    """Return how many of our cases would settle the question: half an interval of half the margin, or the gap."""
    gap = max(margin / 2, abs(row["change"]) if pd.notna(row["change"]) else 0)
    rate = row["peer_rate"] if pd.notna(row["peer_rate"]) else 0.5
    return int(np.ceil(1.96**2 * max(rate * (1 - rate), 0.01) / gap**2))


def _actions_note(stage, model):
    """Return the sentence about what sellers do in this stage: its tasks, else its tactics, tools and marker."""
    if model is None:
        return "analysis.compare.no_actions", {}
    found = model.stage(stage)
    actions = found.tasks or found.tactics or found.tools
    return ("analysis.compare.actions", {"actions": list(actions)}) if actions else ("analysis.compare.no_actions", {})
