"""The simulation behind `synthesize("b2b-8")`: deals walk the stages of a model, spell by spell, all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.synth import words

Array: TypeAlias = NDArray[Any]
Rng: TypeAlias = np.random.Generator

OFFICE_OPENS_S, OFFICE_SPAN_S = 9 * 3600, 9 * 3600
OPEN, WON, LOST, VOID = range(4)
PLAIN = 4  # the first patterns of company names
STATUS = np.array(["open", "won", "lost", "void"])
TEAMS = tuple(words.REPS)
REPS = tuple((rep, team) for team, reps in words.REPS.items() for rep in reps)


@dataclass(frozen=True)
class Plan:
    """Settings resolved against their model; days count from `start`, stages run up to the won stage."""

    settings: Any  # a Settings
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    rates: Array
    mean_days: Array

    def day(self, date: str) -> int:
        """Return the number of a date."""
        return int((np.datetime64(date, "D") - np.datetime64(self.settings.start, "D")).astype(int))

    @property
    def end_day(self) -> int:
        """Return the number of the as-of date, on which nothing happens any more."""
        return self.day(self.settings.end)

    def hits(self, event: Any, stage: Array, day: Any) -> Any:
        """Return where a Change or Stall (or None) applies to a spell of `stage` on `day`."""
        if event is None:
            return np.zeros(len(stage), bool)
        return (stage == self.ids.index(event.stage)) & (day >= self.day(event.date))

    def base_rates(self, stage: Array, due: Array) -> Array:
        """Return the rate of each spell before the odds factors."""
        changed = self.hits(self.settings.change, stage, due)
        return np.where(changed, self.settings.change.rate if self.settings.change else 0, self.rates[stage])

    def draw_days(self, rng: Rng, stage: Array, begun: Array) -> Any:
        """Draw how many whole days each spell lasts, at least one."""
        spread = self.settings.spread
        days = self.mean_days[stage] * np.exp(spread * rng.standard_normal(len(stage)) - spread**2 / 2)
        stalled = self.hits(self.settings.stall, stage, begun)
        factor = self.settings.stall.factor if self.settings.stall else 1
        return np.maximum(1, np.rint(days * np.where(stalled, factor, 1))).astype(int)


@dataclass
class Walk:
    """Where each deal stands while the simulation runs, and the log of what happened."""

    day: Array  # when the deal entered its present stage
    odds: Array  # factor of the deal, all stages
    first_odds: Array  # factor of the deal, first stage only
    void: Array  # deals that will turn out to be mistakes
    stage: Array = field(init=False)
    reach: Array = field(init=False)  # furthest stage so far
    status: Array = field(init=False)
    closed: Array = field(init=False)
    due: Array = field(init=False)  # day of the decision that lost the deal; the loss is entered later
    log: list[tuple[Array, Array, Array]] = field(default_factory=list)  # (deal, stage, day) of each entry into a stage
    decided: list[tuple[Array, Array, Array]] = field(default_factory=list)  # (stage, changed, rate) of each decision
    back: int = 0  # moves back
    unseen: int = 0  # losses that were not entered before the end

    def __post_init__(self) -> None:
        n = len(self.day)
        self.stage, self.reach, self.status = np.zeros(n, int), np.zeros(n, int), np.full(n, OPEN)
        self.closed, self.due = np.full(n, -1), np.full(n, -1)
        self.enter(np.arange(n), self.stage, self.day)

    def enter(self, deal: Array, stage: Array, day: Array) -> None:
        """Note that deals enter stages."""
        self.stage[deal], self.day[deal] = stage, day
        self.reach[deal] = np.maximum(self.reach[deal], stage)
        self.log.append((deal, stage.copy(), day.copy()))

    def close(self, deal: Array, status: int, day: Array) -> None:
        """Note that deals close."""
        self.status[deal], self.closed[deal] = status, day


def simulate(plan: Plan, rng: Rng) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return (deals, events, truth parts) of one run."""
    deals, reps = draw_deals(plan, rng)
    walk = Walk(deals["day"].to_numpy(copy=True), deals["odds"].to_numpy(), deals["first_odds"].to_numpy(),
                rng.random(len(deals)) < plan.settings.void_share)  # fmt: skip
    active = np.arange(len(deals))
    while active.size:
        active = step(plan, walk, active, rng)
    events, skipped = draw_gaps(plan, walk, rng)
    events["entered_at"] = _stamps(plan, events["day"].to_numpy(), rng)
    table = finish_deals(plan, deals, events, walk, rng)
    labels = np.array(plan.labels)
    history = pd.DataFrame({"deal_id": table["deal_id"].to_numpy()[events["deal"]],
                            "stage": labels[events["stage"]], "entered_at": events["entered_at"]})  # fmt: skip
    return table, history, {"walk": walk, "reps": reps, "skipped": skipped}


def step(plan: Plan, walk: Walk, active: Array, rng: Rng) -> Any:
    """Carry the spells of the active deals to their end and return the deals that go on."""
    stage = walk.stage[active]
    days = plan.draw_days(rng, stage, walk.day[active])
    luck, turn = rng.random(len(active)), rng.random(len(active))
    due = walk.day[active] + days
    rate = deal_rates(plan, walk, active, due)
    seen = due < plan.end_day
    redo = seen & (stage < walk.reach[active])
    void = seen & walk.void[active]
    back = seen & ~redo & ~void & (stage > 0) & (turn < plan.settings.back_share)
    choice = seen & ~redo & ~void & ~back
    up = redo | (choice & (luck < rate))
    walk.decided.append((stage[choice], plan.hits(plan.settings.change, stage, due)[choice], rate[choice]))
    walk.back += int(back.sum())
    walk.enter(active[back], stage[back] - 1, due[back])
    walk.enter(active[up], stage[up] + 1, due[up])
    won = up & (stage + 1 == len(plan.ids) - 1)
    walk.close(active[won], WON, due[won])
    walk.close(active[void], VOID, due[void])
    # A seller enters a loss later than a success; one that is not entered before the end looks open.
    entered = due + np.rint(days * (plan.settings.loss_delay - 1)).astype(int)
    lost = choice & ~up & (entered < plan.end_day)
    walk.unseen += int((choice & ~up & ~lost).sum())
    walk.close(active[lost], LOST, entered[lost])
    walk.due[active[lost]] = due[lost]
    return active[(up & ~won) | back]


def deal_rates(plan: Plan, walk: Walk, active: Array, due: Array) -> Any:
    """Return each deal's own rate: odds of the stage's rate times the factors of segment, rep and source."""
    stage = walk.stage[active]
    base = plan.base_rates(stage, due)
    odds = base * walk.odds[active] * np.where(stage == 0, walk.first_odds[active], 1)
    return odds / (1 - base + odds)


def draw_gaps(plan: Plan, walk: Walk, rng: Rng) -> tuple[pd.DataFrame, int]:
    """Return the events in order of deal and day, some left unrecorded, and how many were.

    Only a first entry between its neighbours can be missing: never the first stage, the last event or a move back.
    """
    deal, stage, day = (np.concatenate(column) for column in zip(*walk.log, strict=True))
    events = pd.DataFrame({"deal": deal, "stage": stage, "day": day}).sort_values(["deal", "day"], ignore_index=True)
    by_deal = events.groupby("deal")["stage"]
    before, after = by_deal.shift(1), by_deal.shift(-1)
    can = (before == events["stage"] - 1) & (after == events["stage"] + 1)
    can &= ~events.duplicated(["deal", "stage"])
    gap = can.to_numpy() & (rng.random(len(events)) < plan.settings.skip_share)
    return events[~gap].reset_index(drop=True), int(gap.sum())


def _stamps(plan: Plan, day: Array, rng: Rng) -> Array:
    """Turn day numbers into times within office hours."""
    seconds = day * 86400 + OFFICE_OPENS_S + rng.integers(OFFICE_SPAN_S, size=len(day))
    return (np.datetime64(plan.settings.start, "s") + seconds.astype("timedelta64[s]")).astype("datetime64[us]")


def draw_deals(plan: Plan, rng: Rng) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the deals as they are created, in order of time, and the reps with their odds factors."""
    settings = plan.settings
    span, n = plan.end_day, settings.n_deals
    season = 1 + settings.season * np.cos(2 * np.pi * (np.arange(span) - 105) / 365.25)
    day = np.sort(rng.choice(span, size=n, p=season / season.sum()))
    shares = np.array([(row.share_start, row.share_end) for row in settings.industries])
    past = (day / span)[:, None]
    industry = _pick(rng, shares[:, 0] * (1 - past) + shares[:, 1] * past)
    log_odds = settings.rep_spread * rng.standard_normal(len(REPS))
    rep_odds = np.exp(log_odds - log_odds.mean())
    accounts = draw_accounts(settings, rng)
    deals = accounts.iloc[_pick_accounts(accounts, industry, rng)].reset_index(drop=True)
    source = _pick(rng, np.tile([row.share for row in settings.sources], (n, 1)))
    deals["day"], deals["source"] = day, np.array([row.name for row in settings.sources])[source]
    deals["first_odds"] = np.array([row.odds for row in settings.sources])[source]
    deals["odds"] = np.array([row.odds for row in settings.industries])[industry] * rep_odds[deals["rep"]]
    medians = np.array([row.median_amount for row in settings.industries], float)
    deals["amount"] = np.round(medians[industry] * np.exp(settings.amount_spread * rng.standard_normal(n)), -2)
    reps = [{"owner": rep, "team": team, "odds": round(float(odds), 6)}
            for (rep, team), odds in zip(REPS, rep_odds, strict=True)]  # fmt: skip
    return deals, reps


def draw_accounts(settings: Any, rng: Rng) -> pd.DataFrame:
    """Return the accounts: industry, region, the rep who owns them and name."""
    n, kinds = settings.n_accounts, len(settings.industries)
    industry = np.arange(n) % kinds
    team = _pick(rng, np.array([row.team_shares for row in settings.industries])[industry])
    sizes = np.array([len(words.REPS[name]) for name in TEAMS])
    rep = (np.cumsum(sizes) - sizes)[team] + rng.integers(sizes[team])
    region = np.array(words.REGIONS)[rng.integers(len(words.REGIONS), size=n)]
    names = [row.name for row in settings.industries]
    account = list(_company_names(rng, [names[number] for number in industry]))
    return pd.DataFrame({"account": account, "industry": np.array(names)[industry], "kind": industry,
                         "region": region, "rep": rep})  # fmt: skip


def _pick_accounts(accounts: pd.DataFrame, industry: Array, rng: Rng) -> Array:
    """Draw an account of its industry for each deal; the k-th account of an industry has the weight k ** -0.6."""
    kinds = accounts["kind"].nunique()
    rank = np.arange(len(accounts)) // kinds + 1.0
    picked = np.empty(len(industry), int)
    for kind in range(kinds):
        pool, deals = np.flatnonzero(accounts["kind"] == kind), np.flatnonzero(industry == kind)
        weight = rank[pool] ** -0.6
        picked[deals] = rng.choice(pool, size=len(deals), p=weight / weight.sum())
    return picked


def _pick(rng: Rng, weights: Array) -> Any:
    """Draw one column number for each row of weights."""
    edges = np.cumsum(weights, axis=1)
    return (rng.random((len(edges), 1)) * edges[:, -1:] >= edges[:, :-1]).sum(axis=1)


def _company_names(rng: Rng, industries: Iterable[str]) -> Iterator[str]:
    """Yield an invented company name for each industry, no name twice; four in ten of a plain pattern."""
    used, roots = set(), words.ROOTS
    for industry in industries:
        patterns = words.PATTERNS["en"][: None if rng.random() < 0.6 else PLAIN]
        root, other = rng.choice(len(roots), size=2, replace=False)
        pattern = patterns[rng.integers(len(patterns))]
        trades = words.TRADES.get(industry, words.TRADES["Machinery"])["en"]
        trade = trades[rng.integers(len(trades))]
        near = (pattern.format(root=name, other=roots[other], trade=trade) for name in [*roots[root:], *roots[:root]]
                if name != roots[other])  # fmt: skip
        numbered = (f"{roots[root]} {trade} {number}" for number in count(2))
        name = next(name for name in chain(near, numbered) if name not in used)
        used.add(name)
        yield name


def finish_deals(plan: Plan, deals: pd.DataFrame, events: pd.DataFrame, walk: Walk, rng: Rng) -> pd.DataFrame:
    """Return the deals table as a CRM would export it at the end."""
    settings = plan.settings
    n = len(deals)
    first = events.groupby("deal")["entered_at"].first().to_numpy()
    last = events.groupby("deal")["entered_at"].last().to_numpy()
    closed = np.where(walk.status == WON, last, _stamps(plan, walk.closed, rng))
    closed = np.where(walk.status == OPEN, np.datetime64("NaT", "us"), closed)
    ahead = plan.mean_days.sum() * settings.optimism * np.exp(0.25 * rng.standard_normal(n))
    expected = pd.Series(first).dt.normalize() + pd.to_timedelta(np.rint(ahead).astype(int), unit="D")
    project = rng.integers(len(words.PROJECTS), size=n)
    owner, team = (np.array(column)[deals["rep"]] for column in zip(*REPS, strict=True))
    width = max(5, len(str(n)))
    return pd.DataFrame({
        "deal_id": [f"D{number:0{width}d}" for number in range(1, n + 1)],
        "name": np.array(words.PROJECTS)[project],
        "account": deals["account"], "owner": owner, "team": team,
        "industry": deals["industry"], "region": deals["region"], "source": deals["source"],
        "amount": deals["amount"], "currency": settings.currency,
        "created_at": first, "status": STATUS[walk.status], "closed_at": closed, "expected_close": expected,
        "lost_reason": draw_reasons(plan, walk, rng),
        "stage": np.array(plan.labels)[walk.stage],
    })  # fmt: skip


def draw_reasons(plan: Plan, walk: Walk, rng: Rng) -> pd.Series[Any]:
    """Return why each lost deal was lost; what a Change loses on top of the old rate has the Change's reason."""
    early = (walk.stage < len(plan.ids) // 2)[:, None]
    weights = np.array(list(words.LOST_REASONS.values()))
    reason = np.array(list(words.LOST_REASONS), object)[_pick(rng, np.where(early, weights[:, 0], weights[:, 1]))]
    change, luck = plan.settings.change, rng.random(len(early))
    if change is not None:
        old = plan.rates[plan.ids.index(change.stage)]
        extra = max(0.0, old - change.rate) / max(1 - change.rate, 1e-12)
        reason[plan.hits(change, walk.stage, walk.due) & (luck < extra)] = change.lost_reason
    reason[walk.status != LOST] = None
    return pd.Series(reason, dtype="str")
