"""Accounts: key accounts classed high, medium or low from size, need and intent, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.count import furthest_stage
from funnelkit.analysis.shared import require_columns
from funnelkit.language import DataError, both, label, nearest, number, percent, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import STAGE_LIMITS, Result, refuse_limits, table_of

CRITERIA = ("size", "need", "intent")
CLASSES = ("high", "medium", "low")
CUTS = (2 / 3, 1 / 3)
REVIEW_DAYS = {"high": 30, "medium": 90, "low": 180}
WORDS = {"high": 3.0, "medium": 2.0, "low": 1.0, "高": 3.0, "中": 2.0, "低": 1.0}
STABLE, WEIGHTINGS, LOOSENESS = 0.8, 1_000, 30.0


def rank_accounts(
    accounts: Pipeline | Result | pd.DataFrame,
    as_of: Any = None,
    *,
    weights: Mapping[str, float] | None = None,
    cuts: tuple[float, float] = CUTS,
    review_days: Mapping[str, int] | None = None,
    rng: np.random.Generator | None = None,
) -> Result:
    """Class accounts high, medium or low from size, need and intent, each with the date to look again.

    Parameters
    ----------
    accounts : a Pipeline, or account with size, need, intent: numbers (more is better) or high, medium, low
    as_of : day from which the dates count; a Pipeline knows it
    weights, cuts, review_days, rng : of criteria; lowest scores of classes; days to the next look; of the weightings

    Returns
    -------
    Result
        Table, by class (within it there is no order): account, size_rank, need_rank, intent_rank (0 to 1), n_known,
        score, class, stable (share of 1,000 weightings near the given ones that leave the class), review_at (date).

    Raises
    ------
    DataError : for missing columns, an account that stands twice, words that are no degree, impossible weights, no date

    Notes
    -----
    Each criterion is a rank among the accounts; the score is the mean of the known ones.

    Examples
    --------
    >>> found = rank_accounts(pd.DataFrame({"account": ["A", "B"], "size": [9, 1]}), "2026-01-31")
    >>> found.table["class"].tolist()
    ['high', 'low']
    """
    return _rank_accounts(
        *_figures(accounts, as_of), (weights, cuts, review_days or {}), rng or np.random.default_rng(0)
    )


def _figures(accounts: Pipeline | Result | pd.DataFrame, as_of: Any) -> tuple[pd.DataFrame, pd.Timestamp]:
    """Return the figures of the accounts and the day of the ranking."""
    if isinstance(accounts, Pipeline):
        return account_figures(accounts), pd.Timestamp(accounts.as_of if as_of is None else as_of)
    if as_of is None:
        raise DataError("no_ranking_day")
    return table_of(accounts), pd.Timestamp(as_of)


def _rank_accounts(
    figures: pd.DataFrame, day: pd.Timestamp, how: tuple[Any, Any, Any], rng: np.random.Generator
) -> Result:
    given, cuts, review_days = how
    ranks = _ranks(_checked(figures))
    weights = _weights(given, list(ranks.columns))
    known = ranks.notna().to_numpy()
    if not len(ranks):
        raise DataError("no_accounts")
    score = _score(ranks.to_numpy(), known, weights[None])[0]
    drawn = rng.dirichlet(weights * LOOSENESS + 1e-9, size=WEIGHTINGS)
    others = _classes(_score(ranks.to_numpy(), known, drawn), cuts)
    own = _classes(score, cuts)
    days = {**REVIEW_DAYS, **review_days}
    table = ranks.add_suffix("_rank").reset_index().assign(
        n_known=known.sum(axis=1), score=score, stable=(others == own).mean(axis=0),
    )  # fmt: skip
    table["class"] = pd.Categorical(np.array(CLASSES)[own], categories=CLASSES, ordered=True)
    table["review_at"] = [day.normalize() + pd.Timedelta(days=days[CLASSES[one]]) for one in own]
    table.loc[table["n_known"] == 0, "class"] = "low"
    columns = ["account", *(f"{name}_rank" for name in ranks), "n_known", "score", "class", "stable", "review_at"]
    table = table.sort_values(["class", "account"], ignore_index=True)[columns]
    reading = _read(table, dict(zip(map(str, ranks.columns), weights.tolist(), strict=True)))
    return Result(table, *reading, shown=_for_people)


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.assign(**{"class": [label(f"class_{name}") for name in table["class"]]})
    return rows[["account", "class", "score", "stable", "review_at"]]


def account_figures(pipeline: Pipeline) -> pd.DataFrame:
    """Return the figures of a pipeline's accounts to rank them by: account, n_won, n_open, size, need, intent.

    size: sum of won and open amounts; need: sum of open amounts; intent: best win rate so far of the stages that its
    open deals are in, left out where the source tells no such rate. Raises LimitError where it holds no outcome or no
    amounts.
    """
    refuse_limits(pipeline, "rank_accounts", "no_outcome", "no_amount")
    deals = pipeline.deals[pipeline.deals["account"].notna()]
    stage = furthest_stage(pipeline).to_numpy()
    status = pipeline.deals["status"].to_numpy()
    closed = np.isin(status, ("won", "lost"))
    reached = [closed & (stage >= one) for one in range(len(pipeline.model.stages))]
    rate = np.array([(status[rows] == "won").mean() if rows.any() else 0.0 for rows in reached])
    is_open, amount = deals["status"] == "open", deals["amount"].fillna(0)
    frame = pd.DataFrame({
        "account": deals["account"], "n_won": deals["status"] == "won", "n_open": is_open,
        "size": amount.where(is_open | (deals["status"] == "won"), 0), "need": amount.where(is_open, 0),
    })  # fmt: skip
    table = frame.groupby("account").sum()
    if not any(map(pipeline.limit, STAGE_LIMITS)):
        chance = pd.Series(rate[stage], index=pipeline.deals.index).reindex(deals.index).where(is_open, 0)
        table["intent"] = chance.groupby(deals["account"]).max()
    return table.astype({"n_won": "int64", "n_open": "int64"}).reset_index()


def _checked(accounts: pd.DataFrame) -> pd.DataFrame:
    require_columns(accounts, ("account",))
    given = [name for name in CRITERIA if name in accounts]
    if not given:
        require_columns(accounts, CRITERIA[:1])
    twice = accounts["account"][accounts["account"].duplicated()]
    if len(twice):
        raise DataError("account_twice", name=str(twice.iloc[0]))
    return accounts.set_index("account")[given]


def _ranks(figures: pd.DataFrame) -> pd.DataFrame:
    """Return each criterion as a rank from 0 (least) to 1; one account alone, or all alike, rank 0.5."""
    return pd.DataFrame({name: _rank(_numbers(figures[name])) for name in figures}, index=figures.index)


def _rank(values: pd.Series[Any]) -> pd.Series[Any]:
    if values.nunique() < 2:
        return values.where(values.isna(), 0.5)
    ranked = values.rank() - 1
    return (ranked - ranked.min()) / (ranked.max() - ranked.min())


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    words = values.astype("str").str.strip().str.lower().where(values.notna())
    found = words.map(WORDS)
    found = found.fillna(pd.to_numeric(words, errors="coerce"))
    wrong = words[found.isna() & values.notna()]
    if len(wrong):
        raise DataError("bad_degree", column=values.name, account=str(wrong.index[0]), found=repr(wrong.iloc[0]))
    return found.astype(float)


def _weights(weights: Mapping[str, float] | None, columns: list[str]) -> NDArray[np.float64]:
    given = dict.fromkeys(columns, 1.0) if weights is None else dict(weights)
    unknown = [name for name in given if name not in columns]
    if unknown:
        raise DataError("no_such_column", name=str(unknown[0]), nearest=nearest(unknown[0], columns))
    values = np.array([float(given.get(name, 0)) for name in columns], dtype=np.float64)
    if (values < 0).any() or not np.isfinite(values).all() or values.sum() <= 0:
        raise DataError("bad_weights", found=repr(given))
    return np.asarray(values / values.sum())


def _score(ranks: NDArray[Any], known: NDArray[np.bool_], weights: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weighted mean of the known ranks, (weightings, accounts); 0 where nothing is known."""
    total = weights @ known.T
    mean = np.divide(weights @ np.nan_to_num(ranks).T, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(mean)


def _classes(score: NDArray[np.float64], cuts: tuple[float, float]) -> NDArray[Any]:
    return np.where(score >= cuts[0] - 1e-12, 0, np.where(score >= cuts[1] - 1e-12, 1, 2))


def _weight(name: str, share: float) -> str:
    return say("analysis.accounts.weight", name=say(f"analysis.accounts.{name}"), share=percent(share, 0))


def _read(
    table: pd.DataFrame, weights: dict[str, float]
) -> tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]:
    counts = table["class"].value_counts()
    criteria = [both(partial(_weight, name, share)) for name, share in weights.items()]
    values: dict[str, Any] = {f"n_{name}": number(counts.get(name, 0)) for name in CLASSES} | {"weights": criteria}
    notes: list[tuple[str, dict[str, Any]]] = []
    loose = int((table["stable"] < STABLE).sum())
    if loose:
        notes.append(("analysis.accounts.loose", {"n": number(loose), "share": percent(STABLE, 0)}))
    unknown = int((table["n_known"] < len(weights)).sum())
    if unknown:
        notes.append(("analysis.accounts.partial", {"n": number(unknown)}))
    notes += [(f"analysis.accounts.strategy_{name}", {}) for name in CLASSES if counts.get(name, 0)]
    return "analysis.accounts.classes", values, tuple(notes)
