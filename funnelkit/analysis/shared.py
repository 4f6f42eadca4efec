"""What the verbs share: checks of what they are given, columns to split by, findings, ranges as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from funnelkit.language import DataError, both, nearest, number, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight

By = str | Sequence[str] | None
DAY = pd.Timedelta(days=1)


def keys_of(by: By, table: pd.DataFrame) -> list[str]:
    """Return the columns to split by as a list; raise DataError, with the nearest names, where one is not there."""
    names = [] if by is None else list(by) if isinstance(by, (list, tuple, set, pd.Index)) else [by]
    require_columns(table, names)
    return [str(name) for name in names]


def require_columns(table: pd.DataFrame, names: Iterable[Any]) -> None:
    """Raise DataError, with the nearest names, where a column is missing."""
    for name in names:
        if name not in table.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, table.columns))


def insight(kind: str, subject: object, key: str, values: Mapping[str, Any], **size: Any) -> Insight:
    """Return a finding whose sentence is the text of `key`; `size` is n_deals, amount, evidence."""
    return Insight(kind, str(subject), both(lambda: say(key, **values)), **size)


def size_of(pipeline: Pipeline, n_deals: float, chance: float = 1.0) -> dict[str, Any]:
    """Return n_deals and amount of a finding: so many deals, of which `chance` are won, at the mean of those won."""
    each = pipeline.deals.loc[pipeline.deals["status"] == "won", "amount"].mean() if pipeline.currency else float("nan")
    amount = n_deals * chance * each
    return {"n_deals": round(n_deals), "amount": None if pd.isna(amount) else float(amount)}


def one_currency(deals: pd.DataFrame) -> bool:
    """Return whether the amounts of deals can be added: they are never added across currencies."""
    if "currency" not in deals:
        return True
    return bool(deals.loc[deals["amount"].notna(), "currency"].dropna().nunique() <= 1)


def with_ends(row: Mapping[str, Any], name: str, ends: tuple[str, str], decimals: int = 1) -> str:
    """Return a figure of a row with its interval, as people read it.

    >>> with_ends({"days": 3.25, "low": 2, "high": float("nan")}, "days", ("low", "high"))
    '3.3 [2.0, –]'
    """
    low, high = (number(row[end], decimals) for end in ends)
    return f"{number(row[name], decimals)} [{low}, {high}]"


def span(low: str, high: str) -> str:
    """Return two ends as a range, a dash where neither is known."""
    return low if low == high == "–" else say("language.present.span", low=low, high=high)
