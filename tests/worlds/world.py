from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from funnelkit.reading import read

STAGES = ("Lead", "Talk", "Offer", "Terms", "Won")
START = pd.Timestamp("2023-01-01")
DAYS_OF_YEAR = 365.25


@dataclass(frozen=True)
class World:
    """How deals come, move and end; times in days from 2023-01-01 on, `years` of records.

    Fields
    ------
    years, per_day : length of the records and intake.
    advance : chance to leave each of the four stages upwards; the product is the win rate, 8 % unless told.
    stay_days, shape : mean and gamma shape of the stay in each stage.
    loss_speed : losses leave a stage so many times faster than advances.
    season : amplitude of the intake over the year (0.5: from half to one and a half times).
    growth : factor of the intake from the first day to the last; `doubled_at` doubles it from a day on.
    quarter_end : share of the wins that wait for the last five days of their quarter.
    amount_odds : factors of the chance to pass the last stage by quartile of the amount, small deals first.
    amount_edit : mean factor by which an amount is changed when the deal closes.
    zombie : share of deals that stop for ever in the stage that they are in at some point.
    slow : (stage, factor, from day): remaining stays there take so many times longer.
    fall : (stage, factor, from day): the chance to leave that stage upwards, by day of leaving it.
    backfill : share of the deals that are typed in, with all their stages, on the day they close.
    """

    years: float = 2.0
    per_day: float = 4.0
    advance: tuple[float, ...] = (0.5, 0.6, 0.55, 0.485)
    stay_days: tuple[float, ...] = (12.0, 18.0, 22.0, 16.0)
    shape: float = 1.5
    loss_speed: float = 1.0
    season: float = 0.0
    growth: float = 1.0
    doubled_at: float | None = None
    quarter_end: float = 0.0
    amount_odds: tuple[float, ...] | None = None
    amount_edit: float | None = None
    zombie: float = 0.0
    slow: tuple[int, float, float] | None = None
    fall: tuple[int, float, float] | None = None
    backfill: float = 0.0

    @property
    def days(self) -> float:
        return round(self.years * DAYS_OF_YEAR)

    @property
    def as_of(self) -> pd.Timestamp:
        return START + pd.Timedelta(days=self.days)

    @cached_property
    def win_rate(self) -> float:
        """The share of deals that is won in the end, before `fall`."""
        return float(np.prod(self.advance))

    def but(self, **changes) -> "World":
        return replace(self, **changes)

    def pipeline(self, rng: np.random.Generator):
        """Draw a history and read it; `as_of` is the end of the records."""
        deals, events = tables(self, draw(self, rng))
        return read(deals, events, stages=list(STAGES), as_of=self.as_of)


def pipelines(world: World, seeds):
    """Return the pipeline of each seed, all read as one table: finding out what the columns are takes the longest."""
    drawn = {f"{number}:": tables(world, draw(world, np.random.default_rng(seed))) for number, seed in enumerate(seeds)}
    deals, events = (
        pd.concat([pair[at].assign(deal_id=mark + pair[at]["deal_id"].astype(str)) for mark, pair in drawn.items()])
        for at in (0, 1)
    )
    whole = read(deals, events, stages=list(STAGES), as_of=world.as_of)
    for mark in drawn:
        own = (table[table["deal_id"].str.startswith(mark)] for table in (whole.deals, whole.events))
        deals, events = (table.reset_index(drop=True) for table in own)
        yield replace(whole, deals=deals, events=events)


def named(name: str) -> World:
    """Return one of the worlds by which figures of merit are known."""
    return {
        "constant": World(),
        "seasonal": World(season=0.5),
        "growing": World(growth=3.0),
        "quarter_end": World(quarter_end=0.7),
        "amount_mild": World(amount_odds=(0.143, 0.093, 0.074, 0.051)),
        "amount_strong": World(amount_odds=(0.30, 0.12, 0.06, 0.03)),
        "zombie": World(zombie=0.15),
        "edited": World(amount_edit=0.85),
        "backfilled": World(backfill=0.5),
        "fallen": World(fall=(3, 0.54, World().days - 150.0)),
        "slowed": World(slow=(2, 4.0, World().days - 60.0)),
    }[name]


def _arrivals(world: World, rng: np.random.Generator, until: float) -> np.ndarray:
    """Draw the days of creation, a Poisson process thinned to the intake of each day."""
    steps = 2.0 if world.doubled_at is not None else 1.0
    most = steps * world.per_day * (1 + world.season) * max(1.0, world.growth ** (until / world.days))
    at = np.sort(rng.uniform(0, until, rng.poisson(most * until)))
    intake = world.per_day * (1 + world.season * np.sin(2 * np.pi * at / DAYS_OF_YEAR))
    intake = intake * world.growth ** (at / world.days)
    if world.doubled_at is not None:
        intake = intake * np.where(at >= world.doubled_at, 2.0, 1.0)
    return at[rng.random(len(at)) < intake / most]


def draw(world: World, rng: np.random.Generator, beyond: float = 0.0) -> dict:
    """Draw all lives, ends after `as_of` included (who needs the future looks there), `beyond` days of new deals more.

    Returns arrays: entered (deals, 5; NaN where never), closed (inf: never), won, amount, amount_closed.
    """
    born = _arrivals(world, rng, world.days + beyond)
    n, stages = len(born), len(world.advance)
    amount = rng.lognormal(9.0, 1.0, n)
    odds = _amount_factors(world, amount)
    entered = np.full((n, stages + 1), np.nan)
    entered[:, 0] = born
    closed, won, here = np.full(n, np.inf), np.zeros(n, bool), np.ones(n, bool)
    stops = np.where(rng.random(n) < world.zombie, rng.integers(0, stages, n), -1)
    for stage in range(stages):
        begin = entered[:, stage]
        stay = rng.gamma(world.shape, world.stay_days[stage] / world.shape, n)
        end = _slowed(world, stage, begin, begin + stay)
        chance = world.advance[stage] * (odds if stage == stages - 1 else 1.0)
        if world.fall is not None and world.fall[0] == stage:
            chance = chance * np.where(end >= world.fall[2], world.fall[1], 1.0)
        up = rng.random(n) < chance
        end = np.where(up, end, begin + (end - begin) / world.loss_speed)
        end = np.where(stops == stage, np.inf, end)
        moved = here & up & np.isfinite(end)
        gone = here & ~up
        closed[gone] = end[gone]
        entered[moved, stage + 1] = end[moved]
        here = moved
    won = ~np.isnan(entered[:, -1])
    if world.quarter_end:
        late = won & (rng.random(n) < world.quarter_end)
        entered[late, -1] = _end_of_quarter(entered[late, -1], rng)
    closed[won] = entered[won, -1]
    if world.backfill:
        typed = np.isfinite(closed) & (rng.random(n) < world.backfill)
        for column in range(stages + 1):  # minutes apart, in the order of the stages
            told = typed & ~np.isnan(entered[:, column])
            entered[told, column] = closed[told] - (stages - column) * 2e-3
    edited = amount if world.amount_edit is None else amount * world.amount_edit * rng.lognormal(-0.08, 0.4, n)
    return {"entered": entered, "closed": closed, "won": won, "amount": amount, "amount_closed": edited}


def _amount_factors(world: World, amount: np.ndarray) -> np.ndarray:
    """Return the factor of the last stage's chance, of mean 1 over all deals."""
    if world.amount_odds is None:
        return np.ones(len(amount))
    factors = np.array(world.amount_odds) / np.mean(world.amount_odds)
    edges = np.exp(9.0 + np.array([-0.6744898, 0.0, 0.6744898]))
    return factors[np.searchsorted(edges, amount)]


def _slowed(world: World, stage: int, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    if world.slow is None or world.slow[0] != stage:
        return end
    _, factor, since = world.slow
    turn = np.maximum(begin, since)
    return np.where(end > turn, turn + (end - turn) * factor, end)


def _end_of_quarter(day: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move days into the last five of their quarter, unless they are there already."""
    dates = START + pd.to_timedelta(day, unit="D")
    ends = (dates.to_period("Q").end_time.normalize() + pd.Timedelta(days=1) - START) / pd.Timedelta(days=1)
    moved = ends.to_numpy(float) - rng.uniform(0, 5, len(day))
    return np.maximum(day, moved)


def tables(world: World, lives: dict, as_of: float | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return deals and events as an export of day `as_of` (the end of the records) holds them."""
    end = world.days if as_of is None else as_of
    entered, closed = lives["entered"], lives["closed"]
    known = entered[:, 0] <= end
    entered, closed, won = entered[known], closed[known], lives["won"][known]
    over = closed <= end
    ids = np.char.add("D", np.char.zfill((np.flatnonzero(known) + 1).astype(str), 6))
    deals = pd.DataFrame(
        {
            "deal_id": ids,
            "created_at": _dates(entered[:, 0]),
            "amount": np.where(over, lives["amount_closed"][known], lives["amount"][known]).round(2),
            "status": np.where(~over, "open", np.where(won, "won", "lost")),
            "closed_at": _dates(np.where(over, closed, np.nan)),
        }
    )
    row, stage = np.nonzero(entered <= end)
    events = pd.DataFrame(
        {"deal_id": ids[row], "stage": np.array(STAGES)[stage], "entered_at": _dates(entered[row, stage])}
    )
    return deals, events.sort_values("entered_at", kind="stable", ignore_index=True)


def _dates(day: np.ndarray) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(np.round(day * 86400.0), unit="s")).reset_index(drop=True)
