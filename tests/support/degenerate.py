"""Pipelines at the edge: small, one-sided, odd or empty, each read as a user's own tables are."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

from funnelkit.pipeline import Pipeline
from funnelkit.reading import read

STAGES = ["Lead", "Talk", "Offer", "Won"]
AS_OF = "2025-07-01"


def lives(n, *, seed=0, until="2025-06-30", since="2024-07-01", odds=(0.7, 0.6, 0.5), stay_days=12.0):
    """Return deals and their history: n deals from `since` on, those that do not end before `until` are open."""
    rng = np.random.default_rng(seed)
    first, last = pd.Timestamp(since), pd.Timestamp(until)
    begun = first + pd.to_timedelta(np.sort(rng.uniform(0, (last - first).days, n)).round(3), unit="D")
    deals, events = [], []
    for number, start in enumerate(begun):
        deal, at, status, closed = f"D{number:03d}", start, "open", pd.NaT
        for stage, chance in zip(STAGES, (*odds, None), strict=True):
            events.append((deal, stage, at))
            if chance is None:
                status, closed = "won", at
                break
            leave = at + pd.Timedelta(days=round(float(rng.gamma(1.5, stay_days / 1.5)), 3))
            if leave > last:
                break
            if rng.random() > chance:
                status, closed = "lost", leave
                break
            at = leave
        amount = float(rng.integers(10, 90) * 100)
        deals.append((deal, start, status, closed, amount, f"R{number % 3}", f"P{number % 4}", f"A{number % 7}"))
    columns = ["deal_id", "created_at", "status", "closed_at", "amount", "region", "owner", "account"]
    return pd.DataFrame(deals, columns=columns), pd.DataFrame(events, columns=["deal_id", "stage", "entered_at"])


def _read(deals, events=None, **options):
    options = {"stages": STAGES, "as_of": AS_OF} | options
    return read(*(table for table in (deals, events) if table is not None), **options)


def _only(*statuses):
    deals, events = lives(60)
    kept = deals[deals["status"].isin(statuses)]
    return _read(kept, events[events["deal_id"].isin(kept["deal_id"])])


def _changed(n=60, **columns):
    deals, events = lives(n)
    return _read(deals.assign(**{name: make(deals) for name, make in columns.items()}), events)


def _void():
    deals, events = lives(20)
    return _read(deals.assign(status="void"), events)


def _duplicates():
    deals, events = lives(40)
    return _read(pd.concat([deals, deals.iloc[:10]]), pd.concat([events, events.iloc[:20]]))


def _future():
    deals, events = lives(40, until="2025-12-31")
    return _read(deals, events)


def _negative():
    deals, events = lives(60)
    back = deals["created_at"] - pd.Timedelta(days=3)
    return _read(deals.assign(closed_at=deals["closed_at"].where(deals.index % 3 > 0, back)), events)


def _ties():
    deals, events = lives(40)
    at = pd.Timestamp("2025-03-03 09:00")
    closed = deals["closed_at"].where(deals["status"] == "open", at)
    return _read(deals.assign(created_at=at, closed_at=closed), events.assign(entered_at=at))


def _same_day():
    deals, events = lives(80, stay_days=0.05)
    return _read(deals, events)


def _few_stages(n):
    deals, events = lives(40)
    stages = [*STAGES[: n - 1], "Won"]
    return _read(deals, events[events["stage"].isin(stages)], stages=stages)


def _one_stage():
    deals, _ = lives(30)
    return _read(deals.assign(stage="Lead"), stages=["Lead"])


def _snapshot():
    deals, events = lives(60)
    last = events.groupby("deal_id")["stage"].last()
    stage = deals["deal_id"].map(last).where(deals["status"] != "lost", "Closed Lost")
    return _read(deals.drop(columns="status").assign(stage=stage))


def _statuses():
    deals, _ = lives(60)
    return read(deals[["deal_id", "status", "created_at", "closed_at", "amount"]], as_of=AS_OF)


def _wide():
    deals, events = lives(60)
    dates = events.pivot(index="deal_id", columns="stage", values="entered_at")[STAGES]
    return _read(deals.merge(dates.rename(columns=lambda name: f"{name} date").reset_index()))


def _counts(periods):
    rows = [(period, *row) for period in periods for row in zip(STAGES, (100, 70, 40, 20), strict=True)]
    table = pd.DataFrame(rows, columns=["period", "stage", "n_entered"])
    return read(table if len(periods) > 1 else table.drop(columns="period"))


def _this_period():
    deals, events = lives(60, since="2025-06-01", stay_days=4)
    return _read(deals, events)


def _late():
    deals, events = lives(80)
    late = pd.Timestamp("2025-02-01")
    events = events[events["entered_at"] >= late]
    closed = deals["closed_at"].isna() | (deals["closed_at"] >= late)
    return _read(deals[closed], events)


def _typed_later():
    deals, events = lives(80)
    closed = events["deal_id"].map(deals.set_index("deal_id")["closed_at"])
    typed = closed.notna() & (events["deal_id"].str[-1].astype(int) % 2 == 0)
    return _read(deals, events.assign(entered_at=events["entered_at"].mask(typed, closed)))


CASES: dict[str, Callable[[], Pipeline]] = {
    "no rows": lambda: _read(*(table.iloc[:0] for table in lives(5))),
    "one deal": lambda: _read(*lives(1)),
    "two deals": lambda: _read(*lives(2)),
    "three deals": lambda: _read(*lives(3)),
    "nine deals": lambda: _read(*lives(9)),
    "twenty-five deals": lambda: _read(*lives(25)),
    "all open": lambda: _only("open"),
    "all won": lambda: _only("won"),
    "all lost": lambda: _only("lost"),
    "nobody open": lambda: _only("won", "lost"),
    "nobody lost": lambda: _only("won", "open"),
    "all void": _void,
    "one stage": _one_stage,
    "two stages": lambda: _few_stages(2),
    "one segment": lambda: _changed(region=lambda deals: "R0", owner=lambda deals: "P0", account=lambda deals: "A0"),
    "no segment": lambda: _changed(region=lambda deals: None, owner=lambda deals: None, account=lambda deals: None),
    "duplicates": _duplicates,
    "future dates": _future,
    "negative stays": _negative,
    "no amounts": lambda: _changed(amount=lambda deals: np.nan),
    "amounts of nothing": lambda: _changed(amount=lambda deals: 0.0),
    "amounts below nothing": lambda: _changed(amount=lambda deals: -deals["amount"]),
    "huge amounts": lambda: _changed(amount=lambda deals: deals["amount"] * 1e12),
    "ties": _ties,
    "same day": _same_day,
    "snapshot": _snapshot,
    "statuses alone": _statuses,
    "dates by stage": _wide,
    "counts": lambda: _counts([""]),
    "counts by period": lambda: _counts(["2025-01", "2025-02", "2025-03"]),
    "closed this period": _this_period,
    "recorded late": _late,
    "typed in at the close": _typed_later,
    "slow": lambda: _read(*lives(60, stay_days=400)),
}


@cache
def degenerate(name: str) -> Pipeline:
    """Return one of the pipelines, read once."""
    return CASES[name]()
