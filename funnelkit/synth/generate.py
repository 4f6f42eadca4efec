"""Seeded generators of sales data whose truth is known: rates, durations, effects and the dates they change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from funnelkit.language import DataError, language, nearest
from funnelkit.models import funnel
from funnelkit.pipeline import Pipeline
from funnelkit.synth.b2b import STATUS, TEAMS, Plan, Walk, simulate
from funnelkit.synth.chinese import in_chinese
from funnelkit.synth.words import LOST_REASONS


@dataclass(frozen=True)
class Change:
    """A step in one promotion rate: decisions due on or after `date` pass `stage` at `rate`.

    The losses that come on top of the old rate carry the reason `lost_reason`.
    """

    stage: str = "solution-demo"
    date: str = "2025-07-01"
    rate: float = 0.45
    lost_reason: str = "Competitor"


@dataclass(frozen=True)
class Stall:
    """A stage that stalls: spells that begin in `stage` on or after `date` take `factor` times as long."""

    stage: str = "solution-confirmed"
    date: str = "2025-08-01"
    factor: float = 4.0


@dataclass(frozen=True)
class Industry:
    """A segment: its share of new deals goes in a straight line from `share_start` to `share_end`.

    `odds` multiplies the odds of promotion in every stage; amounts are lognormal around `median_amount`;
    `team_shares` are the shares of its accounts that each team owns, in the order of `words.REPS`.
    """

    name: str
    share_start: float
    share_end: float
    odds: float
    median_amount: float
    team_shares: tuple[float, ...] = (0.40, 0.40, 0.20)


@dataclass(frozen=True)
class Source:
    """A lead source: its share of new deals, and its factor on the odds of promotion in the first stage only."""

    name: str
    share: float
    odds: float


# The low-rate industry grows and falls to the inside team, whose raw win rate is low through no doing of its own.
INDUSTRIES = (
    Industry("Machinery", 0.40, 0.25, 1.25, 400_000),
    Industry("Energy", 0.20, 0.15, 1.0, 900_000),
    Industry("Chemicals", 0.25, 0.20, 1.0, 600_000),
    Industry("Electronics", 0.15, 0.40, 0.7, 150_000, (0.15, 0.25, 0.60)),
)
SOURCES = (
    Source("Referral", 0.20, 1.6),
    Source("Partner", 0.20, 1.2),
    Source("Website", 0.25, 1.0),
    Source("Trade fair", 0.20, 0.9),
    Source("Cold call", 0.15, 0.6),
)


@dataclass(frozen=True)
class Settings:
    """Everything that a generated pipeline follows; `synthesize(..., n_deals=500, change=None)` overrides by name.

    Dates are whole days: deals start on `start` or later, and nothing happens on `end` (the as-of date) or later.
    `rates` and `duration_days` map stage ids to values that replace the catalogue's defaults; `duration_days` is the
    mean of a lognormal whose logarithm has the standard deviation `spread`. A rate holds for odds factors of 1.
    """

    model: str = "industrial-8"
    n_deals: int = 2000
    start: str = "2024-01-01"
    end: str = "2025-12-31"
    rates: dict[str, float] = field(default_factory=dict)
    duration_days: dict[str, float] = field(default_factory=dict)
    spread: float = 0.6
    change: Change | None = Change()
    stall: Stall | None = Stall()
    industries: tuple[Industry, ...] = INDUSTRIES
    sources: tuple[Source, ...] = SOURCES
    n_accounts: int = 480
    rep_spread: float = 0.15  # standard deviation of the reps' log odds
    loss_delay: float = 1.25  # a loss is entered this many times later than a promotion would have been
    back_share: float = 0.05  # of spells after the first stage: a move back one stage, which is always made good
    skip_share: float = 0.04  # of stages passed in order: no record was made, the history jumps over them
    void_share: float = 0.015  # of deals: entered by mistake, closed as neither won nor lost
    amount_spread: float = 0.8  # standard deviation of log amounts within an industry
    currency: str = "CNY"
    season: float = 0.15  # new deals per day swing by this share over the year, highest in April
    optimism: float = 0.75  # expected_close assumes this share of the mean time to a win


_SettingRule: TypeAlias = tuple[str, str, Callable[[Any], bool], dict[str, Any]]
SHARES = ("back_share", "skip_share", "void_share", "season")
SPREADS = ("spread", "rep_spread", "amount_spread", "optimism")


@dataclass(frozen=True)
class Synthetic:
    """Generated tables with their truth: `deals`, `events` and `truth` are what `write` puts into files."""

    name: str
    model: str
    deals: pd.DataFrame
    events: pd.DataFrame
    truth: dict[str, Any]
    as_of: pd.Timestamp


def synthesize(
    name: str = "b2b-8", rng: int | np.random.Generator = 7, settings: Settings | None = None, **overrides: Any
) -> Synthetic:
    """Generate sales data whose truth is known.

    Parameters
    ----------
    name : str
        A generator; b2b-8 is the only one.
    rng : int or Generator
        A seed, or numpy's generator; the same seed makes the same data.
    settings : Settings, optional
        Replaces the defaults.
    **overrides
        Single fields of the settings, such as n_deals=500 or change=None.

    Returns
    -------
    Synthetic
        deals: deal_id, name, account, owner, team, industry, region, source, amount (in `currency`), currency,
        created_at, status, closed_at, expected_close, lost_reason, stage. events: deal_id, stage (the model's label),
        entered_at. truth: the settings, and what the run came to. Names are in the language in force; nothing else
        depends on it.

    Raises
    ------
    DataError
        For a name or setting that does not exist or cannot be.

    Examples
    --------
    >>> made = synthesize("b2b-8", np.random.default_rng(1), n_deals=50)
    >>> len(made.deals), made.truth["settings"]["change"]["rate"]
    (50, 0.45)
    """
    if name not in GENERATORS:
        raise DataError("no_such_generator", name=str(name), nearest=nearest(name, GENERATORS))
    chosen = _overridden(settings or Settings(), overrides)
    generator, seed = _seeded(rng)
    return GENERATORS[name](name, generator, chosen, seed)


def _overridden(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings with single fields replaced; refuse a name that is no setting."""
    known = [item.name for item in fields(Settings)]
    for key in overrides:
        if key not in known:
            raise DataError("no_such_setting", name=key, nearest=nearest(key, known))
    return replace(settings, **overrides)


def _seeded(rng: int | np.random.Generator) -> tuple[np.random.Generator, int | None]:
    """Return numpy's generator and the seed that made it, None where the generator was given."""
    if isinstance(rng, np.random.Generator):
        return rng, None
    if not isinstance(rng, int) or rng < 0:
        raise DataError("setting_whole", key="seed", found=repr(rng), least=0)
    return np.random.default_rng(rng), rng


def as_pipeline(synthetic: Synthetic) -> Pipeline:
    """Return generated data as a Pipeline, as reading its written files would give it.

    >>> as_pipeline(synthesize("b2b-8", 1, n_deals=50)).model.id
    'industrial-8'
    """
    model = funnel(synthetic.model)
    ids = {name: stage.id for stage in model.stages for name in (stage.name.en, stage.name.zh)}
    stage = pd.Categorical(synthetic.events["stage"].map(ids), categories=model.stage_ids, ordered=True)
    events = synthetic.events.assign(stage=stage, source="history")
    return Pipeline(model, synthetic.deals.drop(columns="stage"), events, synthetic.as_of)


def write(synthetic: Synthetic, out_dir: str | Path) -> list[Path]:
    """Write generated data into a folder, the same bytes on every system.

    Parameters
    ----------
    synthetic : Synthetic
    out_dir : path

    Returns
    -------
    list of Path
        deals.csv, events.csv and truth.json.

    Raises
    ------
    DataError
        Where the folder or a file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in write(synthesize(n_deals=5), folder)]
    ['deals.csv', 'events.csv', 'truth.json']
    """
    out_dir = Path(out_dir)
    texts = {
        "deals.csv": _csv_text(synthetic.deals),
        "events.csv": _csv_text(synthetic.events),
        "truth.json": json.dumps(synthetic.truth, ensure_ascii=False, indent=1) + "\n",
    }
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (out_dir / file).write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise DataError("cannot_write", file=error.filename or str(out_dir), reason=error.strerror) from None
    return [out_dir / file for file in texts]


def _csv_text(table: pd.DataFrame) -> str:
    whole_days = table.columns.intersection(["expected_close"])
    text = table.assign(**{column: table[column].dt.strftime("%Y-%m-%d") for column in whole_days})
    return str(text.to_csv(index=False, lineterminator="\n", float_format="%.2f", date_format="%Y-%m-%d %H:%M:%S"))


def _b2b(name: str, rng: np.random.Generator, settings: Settings, seed: int | None) -> Synthetic:
    """Run the business-to-business pipeline and gather its truth."""
    plan = _resolve(settings)
    deals, events, parts = simulate(plan, rng)
    truth = {
        "name": name,
        "seed": seed,
        "as_of": settings.end,
        "settings": asdict(settings),
        "stages": _stage_truth(plan, parts["walk"]),
        "segments": {row.name: _segment_rates(plan, row.odds) for row in settings.industries},
        "reps": parts["reps"],
        "lost_reasons": {reason: {"early": early, "late": late} for reason, (early, late) in LOST_REASONS.items()},
        "facts": _facts(plan, deals, events, parts),
    }
    if language() == "zh":
        deals, events = in_chinese(funnel(settings.model), deals, events)
    return Synthetic(name, settings.model, deals, events, truth, pd.Timestamp(settings.end))


GENERATORS = {"b2b-8": _b2b}


def _resolve(settings: Settings) -> Plan:
    """Check the settings and put the catalogue's defaults in."""
    model = funnel(settings.model)
    ids = model.stage_ids[: model.stage_ids.index(model.won_stage or model.stage_ids[-1]) + 1]
    rates = [settings.rates.get(stage, model.stage(stage).rate) for stage in ids[:-1]]
    days = [settings.duration_days.get(stage, model.stage(stage).duration_days) for stage in ids[:-1]]
    _check(settings, rates, days)
    _check_stages(settings, ids[:-1])
    labels = tuple(model.stage(stage).name.en for stage in ids)
    return Plan(settings, ids, labels, np.array(rates, float), np.array(days, float))


def _check_stages(settings: Settings, ids: Sequence[str]) -> None:
    """Refuse a stage that the model does not hold before its win."""
    named = [("rates", name) for name in settings.rates] + [("duration_days", name) for name in settings.duration_days]
    events = {"change": settings.change, "stall": settings.stall}
    for key, name in [*named, *((key, event.stage) for key, event in events.items() if event)]:
        if name not in ids:
            raise DataError("setting_stage", key=key, found=str(name), stages=", ".join(ids))


def _check(settings: Settings, rates: Sequence[Any], days: Sequence[Any]) -> None:
    """Refuse settings that no data can follow."""
    for key, error, good, values in _rules(settings, rates, days):
        try:
            fine = good(getattr(settings, key))
        except (TypeError, ValueError, AttributeError):
            fine = False
        if not fine:
            raise DataError(error, key=key, found=repr(getattr(settings, key)), **values)


def _rules(settings: Settings, rates: Sequence[Any], days: Sequence[Any]) -> list[_SettingRule]:
    """Return (setting, error, test of the value, further values of the error)."""
    kinds = len(settings.industries)
    return [
        ("n_deals", "setting_whole", lambda n: isinstance(n, int) and n >= 1, {"least": 1}),
        ("start", "setting_date", _is_date, {}),
        ("end", "setting_end", lambda end: _is_date(end) and end > settings.start, {"start": settings.start}),
        ("rates", "setting_rates", lambda _: all(0 <= rate <= 1 for rate in rates), {}),
        ("duration_days", "setting_durations", lambda _: all(mean > 0 for mean in days), {}),
        ("change", "setting_change", lambda c: c is None or (0 <= c.rate <= 1 and _is_date(c.date)), {}),
        ("stall", "setting_stall", lambda s: s is None or (s.factor > 0 and _is_date(s.date)), {}),
        ("industries", "setting_industries", _are_industries, {}),
        ("sources", "setting_sources", _are_sources, {}),
        ("n_accounts", "setting_whole", lambda n: isinstance(n, int) and n >= kinds, {"least": kinds}),
        ("loss_delay", "setting_least", lambda value: value >= 1, {"least": 1}),
        *((key, "setting_share", lambda value: 0 <= value < 1, {}) for key in SHARES),
        *((key, "setting_least", lambda value: value >= 0, {"least": 0}) for key in SPREADS),
    ]


def _is_date(value: str) -> bool:
    return str(np.datetime64(value, "D")) == value


def _are_industries(rows: Sequence[Industry]) -> bool:
    names = {row.name for row in rows}
    shares = [(row.share_start, row.share_end) for row in rows]
    fine = all(min(pair) >= 0 for pair in shares) and all(sum(side) > 0 for side in zip(*shares, strict=True))
    teams = all(len(row.team_shares) == len(TEAMS) and sum(row.team_shares) > 0 for row in rows)
    return (
        len(names) == len(rows) > 0 and fine and teams and all(row.odds > 0 and row.median_amount > 0 for row in rows)
    )


def _are_sources(rows: Sequence[Source]) -> bool:
    return sum(row.share for row in rows) > 0 and all(row.share >= 0 and row.odds > 0 for row in rows)


def _stage_truth(plan: Plan, walk: Walk) -> list[dict[str, Any]]:
    """Return per stage its rate, its durations and the mean of the true rates of the decisions that were due."""
    stage, changed, rate = (np.concatenate(column) for column in zip(*walk.decided, strict=True))
    settings, rows = plan.settings, []
    for number, name in enumerate(plan.ids):
        row: dict[str, Any] = {"stage": name, "label": plan.labels[number]}
        if number < len(plan.ids) - 1:
            mean = plan.mean_days[number]
            row |= {"rate": plan.rates[number], "mean_duration_days": mean,
                    "median_duration_days": round(float(mean * np.exp(-(settings.spread**2) / 2)), 4)}  # fmt: skip
            for key, when in (("decisions", ~changed), ("decisions_after_change", changed)):
                hit = (stage == number) & when
                if hit.any():
                    row[key] = {"n": int(hit.sum()), "mean_rate": round(float(rate[hit].mean()), 6)}
        rows.append(row)
    return rows


def _segment_rates(plan: Plan, odds: float) -> dict[str, Any]:
    """Return the rate of each stage in a segment with this odds factor, and of the changed stage after the change."""
    rates = {name: _with_odds(rate, odds) for name, rate in zip(plan.ids, plan.rates, strict=False)}
    change = plan.settings.change
    return {"rates": rates, **({"rate_after_change": _with_odds(change.rate, odds)} if change else {})}


def _with_odds(rate: float, odds: float) -> float:
    return round(float(rate * odds / (1 - rate + rate * odds)), 6)


def _open_by_stage(deals: pd.DataFrame, plan: Plan) -> dict[str, int]:
    counts = deals.loc[deals["status"] == "open", "stage"].value_counts()
    return {name: int(counts.get(label, 0)) for name, label in zip(plan.ids[:-1], plan.labels, strict=False)}


def _facts(plan: Plan, deals: pd.DataFrame, events: pd.DataFrame, parts: dict[str, Any]) -> dict[str, Any]:
    """Return what the run came to; counts that anyone can repeat from the files."""
    counts = deals["status"].value_counts()
    late = (deals["status"] == "open") & (deals["expected_close"] < pd.Timestamp(plan.settings.end))
    return {
        "n_deals": len(deals),
        "n_events": len(events),
        **{f"n_{status}": int(counts.get(status, 0)) for status in STATUS},
        "n_open_by_stage": _open_by_stage(deals, plan),
        "n_accounts": int(deals["account"].nunique()),
        "n_moves_back": parts["walk"].back,
        "n_unrecorded_stages": parts["skipped"],
        "n_open_past_expected_close": int(late.sum()),
        "n_open_already_lost": int(parts["walk"].unseen),
        "amount_won": round(float(deals.loc[deals["status"] == "won", "amount"].sum()), 2),
    }
