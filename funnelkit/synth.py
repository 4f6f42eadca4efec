"""Seeded generators of sales data whose truth is known: rates, durations, effects and the dates they change."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from funnelkit import synth_b2b
from funnelkit.catalog import funnel, nearest
from funnelkit.errors import DataError


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

    `odds` multiplies the odds of promotion in every stage; amounts are lognormal around `median_amount`.
    """

    name: str
    share_start: float
    share_end: float
    odds: float
    median_amount: float


@dataclass(frozen=True)
class Source:
    """A lead source: its share of new deals, and its factor on the odds of promotion in the first stage only."""

    name: str
    share: float
    odds: float


INDUSTRIES = (
    Industry("Machinery", 0.40, 0.25, 1.25, 400_000),
    Industry("Energy", 0.20, 0.15, 1.0, 900_000),
    Industry("Chemicals", 0.25, 0.20, 1.0, 600_000),
    Industry("Electronics", 0.15, 0.40, 0.7, 150_000),
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
    rates: dict = field(default_factory=dict)
    duration_days: dict = field(default_factory=dict)
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


@dataclass(frozen=True)
class Synthetic:
    """Generated tables with their truth: `deals`, `events` and `truth` are what `write` puts into files."""

    name: str
    model: str
    deals: pd.DataFrame
    events: pd.DataFrame
    truth: dict
    as_of: pd.Timestamp


def synthesize(name="b2b-8", rng=7, settings=None, **overrides):
    """Return the data of generator `name` with their known truth.

    `rng` is a numpy Generator, or a seed for one. `settings` replaces the defaults, `overrides` single fields of
    them. Deals: deal_id, name, account, owner, team, industry, region, source, amount (in `currency`), currency,
    created_at, status, closed_at, expected_close, lost_reason, stage. Events: deal_id, stage (the model's English
    label), entered_at. Raises DataError for a name or setting that does not exist or cannot be.

    >>> made = synthesize("b2b-8", np.random.default_rng(1), n_deals=50)
    >>> len(made.deals), made.truth["settings"]["change"]["rate"]
    (50, 0.45)
    """
    if name not in GENERATORS:
        raise DataError("no_such_generator", name=str(name), nearest=nearest(name, GENERATORS))
    known = [item.name for item in fields(Settings)]
    for key in overrides:
        if key not in known:
            raise DataError("no_such_setting", name=key, nearest=nearest(key, known))
    settings = replace(settings or Settings(), **overrides)
    seed = rng if isinstance(rng, int) else None
    return GENERATORS[name](name, np.random.default_rng(rng), settings, seed)


def write(synthetic, out_dir):
    """Write deals.csv, events.csv and truth.json into `out_dir`, the same bytes on every system; return the paths."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    texts = {
        "deals.csv": _csv_text(synthetic.deals),
        "events.csv": _csv_text(synthetic.events),
        "truth.json": json.dumps(synthetic.truth, ensure_ascii=False, indent=1) + "\n",
    }
    for file, text in texts.items():
        (out_dir / file).write_bytes(text.encode("utf-8"))
    return [out_dir / file for file in texts]


def _csv_text(table):
    whole_days = table.columns.intersection(["expected_close"])
    text = table.assign(**{column: table[column].dt.strftime("%Y-%m-%d") for column in whole_days})
    return text.to_csv(index=False, lineterminator="\n", float_format="%.2f", date_format="%Y-%m-%d %H:%M:%S")


def b2b(name, rng, settings, seed):
    """Run the business-to-business pipeline and gather its truth."""
    plan = _resolve(settings)
    deals, events, parts = synth_b2b.simulate(plan, rng)
    truth = {
        "name": name,
        "seed": seed,
        "as_of": settings.end,
        "settings": asdict(settings),
        "stages": _stage_truth(plan, parts["walk"]),
        "segments": {row.name: _segment_rates(plan, row.odds) for row in settings.industries},
        "reps": parts["reps"],
        "facts": _facts(deals, events, parts, pd.Timestamp(settings.end)),
    }
    return Synthetic(name, settings.model, deals, events, truth, pd.Timestamp(settings.end))


GENERATORS = {"b2b-8": b2b}


def _resolve(settings):
    """Check the settings and put the catalogue's defaults in."""
    model = funnel(settings.model)
    ids = model.stage_ids[: model.stage_ids.index(model.won_stage or model.stage_ids[-1]) + 1]
    named = {**settings.rates, **settings.duration_days}
    named |= {event.stage: event for event in (settings.change, settings.stall) if event}
    for stage in named:
        if stage not in ids[:-1]:
            raise DataError("bad_setting", key="stage", found=repr(stage), expected=", ".join(ids[:-1]))
    rates = [settings.rates.get(stage, model.stage(stage).rate) for stage in ids[:-1]]
    days = [settings.duration_days.get(stage, model.stage(stage).duration_days) for stage in ids[:-1]]
    _check(settings, rates, days)
    labels = tuple(model.stage(stage).name.en for stage in ids)
    return synth_b2b.Plan(settings, ids, labels, np.array(rates, float), np.array(days, float))


def _check(settings, rates, days):
    """Refuse settings that no data can follow."""
    shares = ("back_share", "skip_share", "void_share", "season")
    spreads = ("spread", "rep_spread", "amount_spread")
    change, stall = settings.change, settings.stall
    rules = [
        ("n_deals", settings.n_deals >= 1, "at least 1"),
        ("n_accounts", settings.n_accounts >= len(settings.industries), "at least one for each industry"),
        ("end", np.datetime64(settings.start, "D") < np.datetime64(settings.end, "D"), "a date after start"),
        ("rates", all(rate is not None and 0 <= rate <= 1 for rate in rates), "fractions from 0 to 1, one per stage"),
        ("duration_days", all(mean is not None and mean > 0 for mean in days), "days above 0, one per stage"),
        ("change", change is None or 0 <= change.rate <= 1, "a rate from 0 to 1"),
        ("stall", stall is None or stall.factor > 0, "a factor above 0"),
        ("loss_delay", settings.loss_delay >= 1, "at least 1"),
        *((key, 0 <= getattr(settings, key) < 1, "a fraction from 0 to below 1") for key in shares),
        *((key, getattr(settings, key) >= 0, "at least 0") for key in spreads),
    ]
    for key, good, expected in rules:
        if not good:
            raise DataError("bad_setting", key=key, found=repr(getattr(settings, key)), expected=expected)


def _stage_truth(plan, walk):
    """Return per stage its rate, its durations and the mean of the true rates of the decisions that were due."""
    stage, changed, rate = (np.concatenate(column) for column in zip(*walk.decided, strict=True))
    settings, rows = plan.settings, []
    for number, name in enumerate(plan.ids):
        row = {"stage": name, "label": plan.labels[number]}
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


def _segment_rates(plan, odds):
    """Return the rate of each stage in a segment with this odds factor, and of the changed stage after the change."""
    rates = {name: _with_odds(rate, odds) for name, rate in zip(plan.ids, plan.rates, strict=False)}
    change = plan.settings.change
    return {"rates": rates, **({"rate_after_change": _with_odds(change.rate, odds)} if change else {})}


def _with_odds(rate, odds):
    return round(float(rate * odds / (1 - rate + rate * odds)), 6)


def _facts(deals, events, parts, as_of):
    """Return what the run came to; counts that anyone can repeat from the files."""
    counts = deals["status"].value_counts()
    late = (deals["status"] == "open") & (deals["expected_close"] < as_of)
    return {
        "n_deals": len(deals),
        "n_events": len(events),
        **{f"n_{status}": int(counts.get(status, 0)) for status in synth_b2b.STATUS},
        "n_accounts": int(deals["account"].nunique()),
        "n_moves_back": parts["walk"].back,
        "n_unrecorded_stages": parts["skipped"],
        "n_open_past_expected_close": int(late.sum()),
        "amount_won": round(float(deals.loc[deals["status"] == "won", "amount"].sum()), 2),
    }
