"""People: who wins more or less than their mix of deals leads to expect, and who is faster. No ranking of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.shared import By, insight, keys_of, require_columns, span
from funnelkit.language import DataError, both, in_a_sentence, label, number, percent, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result, rate_words, refuse_limits
from funnelkit.stats import OPEN, OUT, UP, expected_exits, fit_hazards, stage_spells

LEVEL, FAR = 0.95, 0.998  # usual limits of a funnel plot: two and three standard deviations
MATURE = 0.9  # cohorts are old enough when this share of closed deals would have closed
PRECISIONS = np.array([2.0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096])
PEOPLE_VERDICTS = ("above", "below", "no_difference", "too_few")
LEAST = 5
Cells = list[tuple[NDArray[Any], NDArray[Any]]]


def review_people(
    pipeline: Pipeline,
    *,
    by: By = "owner",
    mix: Sequence[str] = (),
    mature_days: float | None = None,
    overdispersion: bool = False,
    level: float = LEVEL,
) -> Result:
    """Compare each person's won deals with what their mix of deals leads to expect, in order of name: no ranking.

    Parameters
    ----------
    pipeline : Pipeline
    by, mix : column(s) that name a person (one combination each); columns that make deals hard, such as industry
    mature_days : deals count if they began that long before the end; by default 90 % of closed deals took less
    overdispersion, level : widen limits by the spread of the crowd; 1 - level is the false discovery rate over all

    Returns
    -------
    Result
        Table: [by], k, n (won, closed), n_open, rate, expected, n_comparable (deals in cells where others sell too),
        limit_low, limit_high, far_low, far_high (95 and 99.8 %), p_value, shrunk, shrunk_low, shrunk_high, n_exits,
        expected_exits, pace, pace_p (NaN without stage times), verdict, pace_verdict (above, below ...).

    Raises
    ------
    LimitError, DataError : without owners, outcomes or lost deals; for an unknown column or nobody to review

    Notes
    -----
    Indirect standardisation; exact limits (Spiegelhalter 2005); verdicts by Benjamini and Hochberg (1995).

    Examples
    --------
    >>> from funnelkit import sample
    >>> review_people(sample()).table["verdict"].isin(PEOPLE_VERDICTS).all()
    np.True_
    """
    return _review(pipeline, by, list(mix), (mature_days, overdispersion, level))


def _review(pipeline: Pipeline, by: By, mix: list[str], how: tuple[float | None, bool, float]) -> Result:
    mature_days, overdispersion, level = how
    no_owner = ("no_owner",) if by == "owner" else ()
    refuse_limits(pipeline, "review_people", *no_owner, "no_outcome", "no_lost_deals")
    pipeline, who = _one_column(pipeline, by)
    require_columns(pipeline.deals, mix)
    cutoff = _maturity(pipeline, mature_days)
    deals = pipeline.deals[pipeline.deals["status"].isin(["won", "lost", "open"])]
    begun = deals["created_at"]
    old = deals[begun.isna() | (begun <= pipeline.as_of - pd.Timedelta(days=cutoff))]
    table, cells = _counts(old, who, mix)
    if not len(table):
        raise DataError("nobody_to_review", by=who, days=number(cutoff))
    table = _judge(table, cells, overdispersion)
    table = table.merge(_pace(pipeline, who), on=who, how="left")
    table["verdict"] = _verdicts(table["p_value"], table["rate"] > table["expected"], table["n_comparable"], 1 - level)
    fast = table["n_exits"] > table["expected_exits"]
    table["pace_verdict"] = _verdicts(table["pace_p"], fast, table["n_exits"].fillna(0), 1 - level)
    named = table[table["verdict"].isin(["above", "below"])].to_dict("records")
    findings = tuple(_insight(row, who) for row in named)
    return Result(table, *_read(table, who, (mix, cutoff)), shown=partial(_for_people, who), findings=findings)


def _one_column(pipeline: Pipeline, by: By) -> tuple[Pipeline, str]:
    """Return the pipeline with one column that names the people, and its name."""
    keys = keys_of(by, pipeline.deals)
    if len(keys) == 1:
        return pipeline, keys[0]
    named = pipeline.deals[keys].astype("str").agg(" / ".join, axis=1)
    return replace(pipeline, deals=pipeline.deals.assign(**{" / ".join(keys): named})), " / ".join(keys)


def _for_people(who: str, table: pd.DataFrame) -> pd.DataFrame:
    rows = table.to_dict("records")
    limits = [span(percent(row["limit_low"]), percent(row["limit_high"])) for row in rows]
    words = {
        "win_rate": [str(rate_words(row["k"], row["n"])) for row in rows],
        "expected": [percent(row["expected"]) for row in rows],
        "usual_range": limits,
        "shrunk": [percent(row["shrunk"]) for row in rows],
        "verdict": [label(f"verdict_{row['verdict']}") for row in rows],
    }
    return table[[who]].assign(**words)


def _insight(row: dict[str, Any], who: str) -> Insight:
    values = {"name": row[who], "rate": rate_words(row["k"], row["n"]), "expected": percent(row["expected"])}
    key = f"analysis.people.{row['verdict']}"
    size = {"n_deals": int(row["n"]), "evidence": float(row["p_value"])}
    size |= {"found": float(row["rate"]), "usual": float(row["expected"])}
    return insight(f"wins_{row['verdict']}", row[who], key, values, **size)


def _maturity(pipeline: Pipeline, given: float | None) -> float:
    """Return how many days ago a deal must have begun to count."""
    if given is not None:
        return float(given)
    deals = pipeline.deals[pipeline.deals["status"].isin(["won", "lost"])]
    cycle = (deals["closed_at"] - deals["created_at"]) / pd.Timedelta(days=1)
    return float(cycle.quantile(MATURE)) if cycle.notna().any() else 0.0


def _counts(deals: pd.DataFrame, by: str, mix: list[str]) -> tuple[pd.DataFrame, Cells]:
    """Return k, n, n_open, rate, expected, n_comparable per person, and (deals, rate) of each one's cells."""
    who = deals[by].astype("object").where(deals[by].notna(), None)
    frame = pd.DataFrame({by: who, "won": deals["status"] == "won", "open": deals["status"] == "open"})
    frame["cell"] = deals.groupby(mix, dropna=False).ngroup() if mix else 0
    closed = frame[~frame["open"]]
    cell = closed.groupby("cell")["won"].agg(["sum", "size"])
    overall = closed["won"].mean() if len(closed) else np.nan
    rate = (cell["sum"] + overall) / (cell["size"] + 1)  # one deal's worth of the overall rate, for empty cells
    own = closed.groupby([by, "cell"]).size().rename("n").reset_index()
    own["rate"], shared = own["cell"].map(rate), own.groupby("cell")[by].transform("size") > 1
    own["hoped"], own["shared"] = own["n"] * own["rate"], own["n"].where(shared, 0)
    table = closed.groupby(by)["won"].agg(k="sum", n="size").astype("int64")
    table["n_open"] = frame[frame["open"]].groupby(by).size().reindex(table.index, fill_value=0)
    sums = own.groupby(by)[["hoped", "shared"]].sum()
    table["rate"], table["expected"] = table["k"] / table["n"], sums["hoped"] / table["n"]
    table["n_comparable"] = sums["shared"].astype("int64")
    table = table.reset_index()
    return table, [(part["n"].to_numpy(), part["rate"].to_numpy()) for _, part in own.groupby(by)]


def _judge(table: pd.DataFrame, cells: Cells, overdispersion: bool) -> pd.DataFrame:
    """Add limits, p values and shrunk rates."""
    dispersion = _dispersion(table, cells) if overdispersion else 1.0
    rows = []
    for (n, rate), k in zip(cells, table["k"], strict=True):
        pmf = _wins_pmf(n, rate, dispersion)
        below = pmf.cumsum()
        p = min(1.0, 2 * min(below[k], 1 - below[k] + pmf[k]))
        ends = [np.searchsorted(below, share) / n.sum() for level in (LEVEL, FAR)
                for share in ((1 - level) / 2, (1 + level) / 2)]  # fmt: skip
        rows.append((*np.minimum(ends, 1.0), p))
    names = ["limit_low", "limit_high", "far_low", "far_high", "p_value"]
    judged = pd.concat([table, pd.DataFrame(rows, columns=names)], axis=1)
    return judged.assign(**_shrink(judged)).assign(dispersion=dispersion)


def _wins_pmf(n: NDArray[Any], rate: NDArray[Any], dispersion: float = 1.0) -> NDArray[np.float64]:
    """Return the chances of 0, 1, ... wins of deals in cells: a sum of binomials, or a beta-binomial like it."""
    total, mean = int(n.sum()), float((n * rate).sum() / n.sum())
    if dispersion > 1 and total > 1 and 0 < mean < 1:
        rho = min((dispersion - 1) / (total - 1), 0.99)
        weight = (1 - rho) / rho
        return _beta_binomial(total, mean * weight, (1 - mean) * weight)
    pmf = np.ones(1)
    for size, share in zip(n, rate, strict=True):
        pmf = np.convolve(pmf, _binomial(int(size), float(share)))
    return np.asarray(pmf, dtype=np.float64)


def _binomial(n: int, p: float) -> NDArray[np.float64]:
    """Return the chances of 0 to n; of `scipy.special`, for the import of `scipy.stats` takes a second."""
    from scipy.special import betaln, xlog1py, xlogy

    k = np.arange(n + 1)
    found: NDArray[np.float64] = np.exp(xlogy(k, p) + xlog1py(n - k, -p) - betaln(n - k + 1, k + 1)) / (n + 1)
    return found


def _beta_binomial(n: int, a: float, b: float) -> NDArray[np.float64]:
    """Return the chances of 0 to n where p itself follows Beta(a, b)."""
    from scipy.special import betaln

    k = np.arange(n + 1)
    found: NDArray[np.float64] = np.exp(betaln(k + a, n - k + b) - betaln(n - k + 1, k + 1) - betaln(a, b)) / (n + 1)
    return found


def _dispersion(table: pd.DataFrame, cells: Cells) -> float:
    """Return the winsorised dispersion of the crowd around expected: 1 where it is no wider than chance."""
    spread = np.array([np.sqrt((n * rate * (1 - rate)).sum()) for n, rate in cells])
    z = (table["k"] - table["expected"] * table["n"]).to_numpy() / np.maximum(spread, 1e-9)
    low, high = np.quantile(z, [0.1, 0.9])
    found = float((np.clip(z, low, high) ** 2).mean())
    # Under pure chance the mean of squares has about the spread sqrt(2 / people): less than that is chance.
    return found if found > 1 + 2 * np.sqrt(2 / len(z)) else 1.0


def _shrink(table: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return empirical-Bayes rates: Beta(M e, M (1 - e)) around expected e, averaged over M (how alike)."""
    from scipy.special import betainc, betaln

    k, n = table["k"].to_numpy(float), table["n"].to_numpy(float)
    e = table["expected"].clip(1e-6, 1 - 1e-6).to_numpy()
    grid = PRECISIONS[:, None]
    a, b = k + grid * e, n - k + grid * (1 - e)
    fit = (betaln(a, b) - betaln(grid * e, grid * (1 - e))).sum(axis=1)
    weight = np.exp(fit - fit.max())
    weight /= weight.sum()
    likely, rates = weight > 1e-4, np.linspace(0, 1, 301)
    below = np.einsum("m,mpr->pr", weight[likely], betainc(a[likely][:, :, None], b[likely][:, :, None], rates))
    low, high = (
        np.array([np.interp(share, row, rates) for row in below]) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    )
    return {"shrunk": weight @ (a / (a + b)), "shrunk_low": low, "shrunk_high": high}


def _pace(pipeline: Pipeline, by: str) -> pd.DataFrame:
    """Return n_exits, expected_exits, pace, pace_p per person: exits of stages, against the hazards of all."""
    from scipy.special import gammainc, pdtr

    empty = pd.DataFrame({by: [], "n_exits": [], "expected_exits": [], "pace": [], "pace_p": []}).astype({by: "object"})
    if pipeline.limit("no_history") is not None and pipeline.limit("one_date_per_stage") is None:
        return empty
    spells = stage_spells(pipeline)
    if not (spells.kind != OPEN).any():
        return empty
    hazards = fit_hazards(spells)
    hoped = sum(expected_exits(hazards, spells, -np.inf, np.inf, kind) for kind in (UP, OUT))
    who = pipeline.deals[by].astype("object").to_numpy()[spells.deal]
    frame = pd.DataFrame({by: who, "n_exits": spells.kind != OPEN, "expected_exits": hoped})
    table = frame.groupby(by).sum().astype({"n_exits": "int64"}).reset_index()
    seen, mean = table["n_exits"], table["expected_exits"]
    tail = np.minimum(pdtr(seen, mean), gammainc(seen, mean))  # of at most, and at least, so many (Poisson)
    return table.assign(pace=seen / mean, pace_p=np.minimum(1, 2 * tail))


def _verdicts(p_value: pd.Series[Any], above: pd.Series[bool], n: pd.Series[Any], alpha: float) -> pd.Categorical:
    """Return verdicts that keep the share of false ones among the named below alpha (Benjamini-Hochberg)."""
    usable = (p_value.notna() & (n >= LEAST)).to_numpy()
    p = p_value.to_numpy()[usable]
    order = np.argsort(p)
    passed = p[order] <= alpha * np.arange(1, len(p) + 1) / max(len(p), 1)
    named = np.zeros(len(p), bool)
    if passed.any():
        named[order[: np.flatnonzero(passed).max() + 1]] = True
    verdict = np.full(len(usable), "too_few", dtype=object)
    verdict[usable] = np.where(named, np.where(above.to_numpy()[usable], "above", "below"), "no_difference")
    return pd.Categorical(verdict, categories=PEOPLE_VERDICTS)


def _read(
    table: pd.DataFrame, by: str, context: tuple[list[str], float]
) -> tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]:
    mix, cutoff = context
    named = {side: table.loc[table["verdict"] == side, by].tolist() for side in ("above", "below")}
    judged = table.loc[table["verdict"] != "too_few"]
    key = "differs" if named["above"] or named["below"] else "no_difference" if len(judged) > 1 else "none_judged"
    who = by if by in ("owner", "team") else "group"
    n_same = int((table["verdict"] == "no_difference").sum())
    none = [both(lambda: say("analysis.people.none"))]
    values = {
        "n": both(lambda: say(f"analysis.people.n_{who}", n=number(len(judged if len(judged) > 1 else table)))),
        "n_deals": number((judged if len(judged) > 1 else table)["n"].sum()),
        "above": named["above"] or none,
        "below": named["below"] or none,
        "low": percent(judged["rate"].min()),
        "high": percent(judged["rate"].max()),
        "same": both(lambda: say(f"analysis.people.n_{who}", n=number(n_same))),
    }
    notes: list[tuple[str, dict[str, Any]]] = [
        ("analysis.people.mix", {"mix": [both(partial(in_a_sentence, name)) for name in mix]})
        if mix
        else ("analysis.people.no_mix", {})
    ]
    mature = "mature" if table["n_open"].sum() else "mature_closed"
    notes.append((f"analysis.people.{mature}", {"days": number(cutoff), "n_open": number(table["n_open"].sum())}))
    if table["pace_p"].isna().all():
        notes.append(("analysis.people.no_pace", {}))
    else:
        fast, slow = ([*table.loc[table["pace_verdict"] == side, by]] for side in ("above", "below"))
        pace = ("analysis.people.pace", {"fast": fast or none, "slow": slow or none})
        if fast or slow or key != "none_judged":
            either = "_either" if key == "no_difference" else ""
            notes.append(pace if fast or slow else (f"analysis.people.same_pace{either}", {}))
    if (table["verdict"] == "too_few").any():
        few = table.loc[table["verdict"] == "too_few", by].tolist()
        notes.append(("analysis.people.too_few", {"names": few, "least": number(LEAST)}))
    return f"analysis.people.{'differs_all' if key == 'differs' and not n_same else key}", values, tuple(notes)
