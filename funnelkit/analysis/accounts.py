"""Accounts: key accounts classed high, medium or low from size, need and intent, and when to look again."""

import numpy as np
import pandas as pd

from funnelkit.analysis.count import furthest_stage
from funnelkit.language import DataError, both, nearest, number, percent, say
from funnelkit.result import Result, refuse_limits

CRITERIA = ("size", "need", "intent")
CLASSES = ("high", "medium", "low")
CUTS = (2 / 3, 1 / 3)
REVIEW_DAYS = {"high": 30, "medium": 90, "low": 180}
WORDS = {"high": 3.0, "medium": 2.0, "low": 1.0, "高": 3.0, "中": 2.0, "低": 1.0}
STABLE, WEIGHTINGS, LOOSENESS = 0.8, 1_000, 30.0


def rank_accounts(accounts, as_of, *, weights=None, cuts=CUTS, review_days=None, rng=None):
    """Class accounts high, medium or low from size, need and intent, each with its strategy and re-evaluation date.

    Takes account and any of size, need, intent: numbers of any unit (more is better), or high / medium / low (also in
    Chinese). Each criterion becomes a rank from 0 to 1 among the accounts (ties share theirs), the score is their
    mean by `weights` (a dict; equal where none), over the criteria that are known. `cuts` are the lowest scores of
    high and medium.

    Returns account, size_rank, need_rank, intent_rank (NaN: not known), n_known, score, class (ordered: high first),
    stable (share of 1,000 weightings around the given ones that leave the class as it is), review_at (date), sorted
    by class, then by account: within a class there is no order. Strategies are texts: `strategy(class)`. Raises
    DataError for missing columns, an account that stands twice, words that are no degree, or weights that cannot be.
    """
    ranks = _ranks(_checked(accounts))
    weights = _weights(weights, ranks.columns)
    known = ranks.notna().to_numpy()
    if not len(ranks):
        raise DataError("no_accounts")
    score = _score(ranks.to_numpy(), known, weights[None])[0]
    rng = rng or np.random.default_rng(0)
    drawn = rng.dirichlet(weights * LOOSENESS + 1e-9, size=WEIGHTINGS)
    others = _classes(_score(ranks.to_numpy(), known, drawn), cuts)
    own = _classes(score, cuts)
    days = {**REVIEW_DAYS, **(review_days or {})}
    table = ranks.add_suffix("_rank").reset_index().assign(
        n_known=known.sum(axis=1), score=score, stable=(others == own).mean(axis=0),
    )  # fmt: skip
    table["class"] = pd.Categorical(np.array(CLASSES)[own], categories=CLASSES, ordered=True)
    table["review_at"] = [pd.Timestamp(as_of).normalize() + pd.Timedelta(days=days[CLASSES[one]]) for one in own]
    table.loc[table["n_known"] == 0, "class"] = "low"
    columns = ["account", *(f"{name}_rank" for name in ranks), "n_known", "score", "class", "stable", "review_at"]
    table = table.sort_values(["class", "account"], ignore_index=True)[columns]
    return _read(table, dict(zip(ranks.columns, weights, strict=True)))


def strategy(name):
    """Return what to do with accounts of a class.

    >>> strategy("low").split(":")[0]
    'Low'
    """
    return say(f"analysis.accounts.strategy_{name}")


def account_figures(pipeline):
    """Return the figures of a pipeline's accounts to rank them by.

    Returns account, n_won, n_open, size (sum of won and open amounts), need (sum of open amounts), intent (best win
    rate so far of the stages that its open deals are in; 0 without one). Raises LimitError where the source holds no
    outcome or no amounts.
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
    chance = pd.Series(rate[stage], index=pipeline.deals.index).reindex(deals.index).where(is_open, 0)
    table["intent"] = chance.groupby(deals["account"]).max()
    return table.astype({"n_won": "int64", "n_open": "int64"}).reset_index()


def _checked(accounts):
    for name in ("account",):
        if name not in accounts:
            raise DataError("no_such_column", name=name, nearest=nearest(name, accounts.columns))
    given = [name for name in CRITERIA if name in accounts]
    if not given:
        raise DataError("no_such_column", name=CRITERIA[0], nearest=nearest(CRITERIA[0], accounts.columns))
    twice = accounts["account"][accounts["account"].duplicated()]
    if len(twice):
        raise DataError("account_twice", name=str(twice.iloc[0]))
    return accounts.set_index("account")[given]


def _ranks(figures):
    """Return each criterion as a rank from 0 (least) to 1; one account alone, or all alike, rank 0.5."""
    return pd.DataFrame({name: _rank(_numbers(figures[name])) for name in figures}, index=figures.index)


def _rank(values):
    if values.nunique() < 2:
        return values.where(values.isna(), 0.5)
    ranked = values.rank() - 1
    return (ranked - ranked.min()) / (ranked.max() - ranked.min())


def _numbers(values):
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    words = values.astype("str").str.strip().str.lower().where(values.notna())
    found = words.map(WORDS)
    found = found.fillna(pd.to_numeric(words, errors="coerce"))
    wrong = words[found.isna() & values.notna()]
    if len(wrong):
        raise DataError("bad_degree", column=values.name, account=str(wrong.index[0]), found=repr(wrong.iloc[0]))
    return found.astype(float)


def _weights(weights, columns):
    given = dict.fromkeys(columns, 1.0) if weights is None else dict(weights)
    unknown = [name for name in given if name not in columns]
    if unknown:
        raise DataError("no_such_column", name=str(unknown[0]), nearest=nearest(unknown[0], columns))
    values = np.array([float(given.get(name, 0)) for name in columns])
    if (values < 0).any() or not np.isfinite(values).all() or values.sum() <= 0:
        raise DataError("bad_weights", found=repr(given))
    return values / values.sum()


def _score(ranks, known, weights):
    """Return the weighted mean of the known ranks, (weightings, accounts); 0 where nothing is known."""
    total = weights @ known.T
    return np.divide(weights @ np.nan_to_num(ranks).T, total, out=np.zeros_like(total), where=total > 0)


def _classes(score, cuts):
    return np.where(score >= cuts[0] - 1e-12, 0, np.where(score >= cuts[1] - 1e-12, 1, 2))


def _weight(name, share):
    return say("analysis.accounts.weight", name=say(f"analysis.accounts.{name}"), share=percent(share, 0))


def _read(table, weights):
    counts = table["class"].value_counts()
    criteria = [both(lambda name=name, share=share: _weight(name, share)) for name, share in weights.items()]
    values = {f"n_{name}": number(counts.get(name, 0)) for name in CLASSES} | {"weights": criteria}
    notes = []
    loose = int((table["stable"] < STABLE).sum())
    if loose:
        notes.append(("analysis.accounts.loose", {"n": number(loose), "share": percent(STABLE, 0)}))
    partial = int((table["n_known"] < len(weights)).sum())
    if partial:
        notes.append(("analysis.accounts.partial", {"n": number(partial)}))
    notes += [(f"analysis.accounts.strategy_{name}", {}) for name in CLASSES if counts.get(name, 0)]
    return Result(table, "analysis.accounts.classes", values, tuple(notes))
