"""The same data with Chinese names: of people, teams, companies and whatever else data/names.csv lists."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from itertools import chain, count, permutations

import numpy as np
import pandas as pd

from funnelkit.language import share
from funnelkit.models import Funnel
from funnelkit.synth.words import CHINESE_ROOTS, PATTERNS, TRADES


def in_chinese(model: Funnel, deals: pd.DataFrame, events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return deals and events with Chinese names, nothing else changed; a name that is not the kit's stays."""
    stages = {stage.name.en: stage.name.zh for stage in model.stages}
    said = {**_names(), "account": _accounts(deals), "stage": stages}
    table = deals.assign(**{column: deals[column].map(known).fillna(deals[column]) for column, known in said.items()})
    return table, events.assign(stage=events["stage"].map(stages))


@cache
def _names() -> dict[str, dict[str, str]]:
    """Return {column: {English name: Chinese name}}."""
    found: dict[str, dict[str, str]] = {}
    with (share("data") / "names.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["column"], {})[row["en"]] = row["zh"]
    return found


def _accounts(deals: pd.DataFrame) -> dict[str, str]:
    """Return a Chinese company name for each account, no name twice."""
    rows = deals.drop_duplicates("account")
    made = {trades["zh"]: _companies(trades["zh"]) for trades in TRADES.values()}
    trades = [TRADES.get(industry, TRADES["Machinery"])["zh"] for industry in rows["industry"]]
    return {account: next(made[words]) for account, words in zip(rows["account"], trades, strict=True)}


def _companies(trades: tuple[str, ...]) -> Iterator[str]:
    """Yield invented companies of an industry: two of one root, one of two roots, in no order; then their branches."""
    rng = np.random.default_rng(0)
    named = {
        pattern: [pattern.format(root=root, other=other, trade=trade)
                  for root, other in permutations(CHINESE_ROOTS, 2) for trade in trades]
        for pattern in PATTERNS["zh"]
    }  # fmt: skip
    short, long = (
        rng.permutation(sorted({name for pattern, names in named.items() if ("{other}" in pattern) is two
                                for name in names}))
        for two in (False, True)
    )  # fmt: skip
    mixed = (str(name) for k, name in enumerate(long) for name in (*short[2 * k : 2 * k + 2], name))
    branches = (f"{name}第 {number} 分公司" for number in count(2) for name in long)
    return chain(mixed, branches)
