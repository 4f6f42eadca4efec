"""The same data in Chinese: names, teams, industries, regions, sources and reasons; no figure, id or order changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelkit.models import Funnel
from funnelkit.synth.b2b import company_name
from funnelkit.synth.words import CHINESE

COLUMNS = ("name", "account", "owner", "team", "industry", "region", "source", "lost_reason", "stage")


def in_chinese(
    model: Funnel, deals: pd.DataFrame, events: pd.DataFrame, truth: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return deals, events and truth with Chinese words; a name that is not the kit's stays."""
    known = {**CHINESE, **{stage.name.en: stage.name.zh for stage in model.stages}}
    said = known | _accounts(deals)
    table = deals.assign(**{name: deals[name].map(said).fillna(deals[name]) for name in COLUMNS})
    return table, events.assign(stage=events["stage"].map(said)), _put(truth, known)


def _accounts(deals: pd.DataFrame) -> dict[str, str]:
    """Return a Chinese name for each account that has an English one, none of them taken."""
    rows = deals.drop_duplicates("account")
    used = {name for name in rows["account"] if not any(sign.isascii() for sign in name)}
    english = rows[~rows["account"].isin(used)]
    rng = np.random.default_rng(0)
    pairs = zip(english["account"], english["industry"], strict=True)
    return {account: company_name(rng, "zh", industry, used) for account, industry in pairs}


def _put(found: Any, known: dict[str, str]) -> Any:
    """Return nested values with the words that are known replaced, keys too."""
    if isinstance(found, dict):
        return {known.get(key, key): _put(value, known) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_put(value, known) for value in found]
    return known.get(found, found) if isinstance(found, str) else found
