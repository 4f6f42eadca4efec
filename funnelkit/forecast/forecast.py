"""Forecast: what the open deals and new business bring by a date, as a distribution and never as one number."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from funnelkit.analysis import Calendar, column, data_end, refuse_without_times
from funnelkit.forecast.history import Book, By, Fit, fit_history, open_book
from funnelkit.forecast.notes import Notes, amount_cell, amount_text, forecast_notes, shift_insights, shifts
from funnelkit.forecast.simulate import Chances, Rng, draw_chances, draw_worlds, n_draws, simulate_new, simulate_open
from funnelkit.forecast.widening import widen
from funnelkit.language import DataError, both, day, label, number, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import Refusal, Result, refuse_limits

BANDS = (0.95, 0.80, 0.50)
PARTS = ("open", "new", "total")
REFUSED = ("no_outcome", "no_lost_deals", "no_open_deals")
SPOKEN = 1.05  # factor of the band from which its widening is spoken of
Reading = tuple[str, dict[str, Any], Notes]  # leading sentence, its values, the notes
Paths = dict[str, dict[str, NDArray[np.float64]]]  # part -> measure -> (paths, periods)
Unit = str | None  # week, month, quarter or year


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Result):
    """A forecast with what it was made of, for sums of one's own.

    Attributes
    ----------
    table : DataFrame
        Distribution of each period, part and measure.
    deals : DataFrame
        The open deals: deal_id, stage, days_in_stage, amount, chance of a win by the end (mean), chance_low,
        chance_high (80 % range), beyond (older than any that ever moved on or closed; no likelier than younger ones).
    paths : dict
        `paths[part][measure]` is (paths, periods), per period and not cumulative; parts are open, new and total,
        measures n_won and value.
    ends : DataFrame
        The periods: name, start, end (days, both included).
    """

    deals: pd.DataFrame = field(default_factory=pd.DataFrame)
    paths: Paths = field(default_factory=dict, repr=False)
    ends: pd.DataFrame = field(default_factory=pd.DataFrame)

    def chance(self, amount: float, part: str = "total") -> float:
        """Return the chance that the won value of all periods together reaches an amount.

        Parameters
        ----------
        amount : float
            In the deals' currency.
        part : {"total", "open", "new"}
            What is to reach it.

        Returns
        -------
        float
            Share of the paths that do.
        """
        return float((self.paths[part]["value"].sum(axis=1) >= amount).mean())


def forecast_open(
    pipeline: Pipeline,
    until: Any = None,
    *,
    unit: Unit = None,
    by: By = None,
    record: Result | None = None,
    paths: int = 10_000,
    rng: Rng = None,
) -> Forecast:
    """Forecast what is won from the day after the data to `until`, both days included.

    Parameters
    ----------
    pipeline, until, unit, by, record, paths, rng
        What is known; last day (default: end of the next quarter); where to cut the time; columns with own win ratios;
        result of `backtest` by whose misses bands are widened; number of simulated futures; what draws them.

    Returns
    -------
    Forecast
        period, start, end, part (open, new, total), measure (n_won, value in the deals' currency), mean, median,
        low_95 ... high_50; all periods together last. `.deals`: `Forecast` says what it holds.

    Raises
    ------
    LimitError, DataError
        Without outcomes, open or lost deals or stage times; a date not ahead, no such column, several currencies.

    Notes
    -----
    Semi-Markov competing risks (Putter, Fiocco and Geskus 2007), gamma posterior of piecewise hazards.

    Examples
    --------
    >>> import funnelkit as fk
    >>> float(round(forecast_open(fk.sample(), "2026-03-31", paths=500).table["median"].iloc[-1], -5))
    5700000.0
    """
    return _forecast(pipeline, until, (unit, by, record), (paths, rng or np.random.default_rng(0)))


def _forecast(
    pipeline: Pipeline, until: Any, asked: tuple[str | None, By, Result | None], drawing: tuple[int, Generator]
) -> Forecast:
    made, record = make_forecast(pipeline, until, asked[:2], drawing), asked[2]
    found, periods, fit = made.paths, made.periods, made.fit
    widened = {} if record is None or isinstance(record, Refusal) else widen(found, record)
    table, deals = _bands(found, periods), _deal_rows(pipeline, made.book, made.chances)
    key = "forecast.forecast.value" if "value" in found["total"] else "forecast.forecast.count"
    moved, last = shifts(pipeline, fit), periods["end"].iloc[-1]
    told = forecast_notes(pipeline, fit, deals, made.chances, int(periods["day"].iloc[-1]))
    notes = (*_widened(widened), *(shift.note for shift in moved), *told)
    return Forecast(
        table, key, _reading(table, deals, pipeline, last), notes, deals, found, periods.drop(columns="day"),
        model=pipeline.model, picture="forecast_chart", shown=partial(_for_people, pipeline.currency),
        currency=pipeline.currency, findings=shift_insights(moved),
    )  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What a forecast rests on: the history, the open deals, their chances, the simulated paths and the periods."""

    fit: Fit
    book: Book
    chances: Chances
    paths: Paths
    periods: pd.DataFrame


def make_forecast(pipeline: Pipeline, until: Any, asked: tuple[Unit, By], drawing: tuple[int, Generator]) -> Made:
    """Simulate what is won by `until`, without the words that say it."""
    (unit, by), (paths, rng) = asked, drawing
    _refuse(pipeline, by)
    periods = cut_periods(pipeline, _next_quarter(pipeline) if until is None else until, unit)
    fit = fit_history(pipeline, by)
    book = open_book(pipeline, fit)
    worlds = draw_worlds(fit, int(periods["day"].iloc[-1]), rng, n_draws(fit, paths))
    chances = draw_chances(fit, book, periods["day"].tolist(), rng, worlds)
    parts = {
        "open": simulate_open(book, chances, fit.amounts, rng, paths),
        "new": simulate_new(chances, fit.amounts, rng, paths),
    }
    return Made(fit, book, chances, _per_period(parts, pipeline.limit("no_amount") is None), periods)


def _for_people(currency: str | None, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: the middle and two bands."""
    rows = []
    for row in table.to_dict("records"):
        middle, *ends = (amount_cell(row["measure"], row[name], currency)
                         for name in ("median", "low_80", "high_80", "low_95", "high_95"))  # fmt: skip
        rows.append({
            "period_now": row["period"], "part": label(f"part_{row['part']}"),
            "measure": label(f"measure_{row['measure']}"), "median": middle,
            "band_80": say("language.present.span", low=ends[0], high=ends[1]),
            "band_95": say("language.present.span", low=ends[2], high=ends[3]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _refuse(pipeline: Pipeline, by: By) -> None:
    refuse_limits(pipeline, "forecast_open", *REFUSED)
    refuse_without_times(pipeline, "forecast_open")
    for name in [by] if isinstance(by, str) else by or ():
        column(pipeline, name)
    valued = pipeline.deals[(pipeline.deals["status"] == "open") & pipeline.deals["amount"].notna()]
    names = sorted(valued["currency"].fillna("").unique())
    if len(names) > 1:
        raise DataError("several_currencies", names=", ".join(names))


def _next_quarter(pipeline: Pipeline) -> pd.Timestamp:
    """Return the last day of the quarter after the one in which the data end."""
    return (data_end(pipeline).to_period("Q") + 1).end_time.normalize()


def cut_periods(pipeline: Pipeline, until: Any, unit: str | None = None) -> pd.DataFrame:
    """Cut the days from the data's end to `until` at calendar borders.

    Parameters
    ----------
    pipeline : Pipeline
        Its last day is the day before the first period.
    until : date
        Last day.
    unit : {"week", "month", "quarter", "year"}, optional
        One period in all without it.

    Returns
    -------
    DataFrame
        period, start, end, day (whole days from the start of the forecast to the end of the period).

    Raises
    ------
    DataError
        Where `until` is not after the data.
    """
    first, last = data_end(pipeline), pd.Timestamp(until).normalize()
    if last < first:
        raise DataError("until_not_ahead", until=str(last.date()), first=str(first.date()))
    if unit is None:
        rows = [(f"{first.date()} - {last.date()}", first, last)]
    else:
        calendar = Calendar(unit)
        numbers = range(int(calendar.number(first)), int(calendar.number(last)) + 1)
        ends = [min(calendar.start(one + 1) - pd.Timedelta(days=1), last) for one in numbers]
        starts = [max(calendar.start(one), first) for one in numbers]
        rows = [(calendar.name(one), *pair) for one, pair in zip(numbers, zip(starts, ends, strict=True), strict=True)]
    table = pd.DataFrame(rows, columns=["period", "start", "end"])
    return table.assign(day=(table["end"] - first).dt.days + 1)


def _per_period(parts: dict[str, tuple[Any, Any]], valued: bool) -> Paths:
    """Turn cumulative (count, value) of open and new into measures per period of open, new and total."""
    measures = ("n_won", "value") if valued else ("n_won",)
    found = {
        part: {name: np.diff(pair[place], axis=1, prepend=0) for place, name in enumerate(measures)}
        for part, pair in parts.items()
    }
    return {**found, "total": {name: found["open"][name] + found["new"][name] for name in measures}}


def _bands(found: Paths, periods: pd.DataFrame) -> pd.DataFrame:
    """Return mean, median and bands of every period, part and measure; all periods together come last."""
    whole = (f"{periods['start'].iloc[0].date()} - {periods['end'].iloc[-1].date()}",
             periods["start"].iloc[0], periods["end"].iloc[-1])  # fmt: skip
    times = list(periods[["period", "start", "end"]].itertuples(index=False, name=None))
    rows = []
    for place, time in enumerate([*times, whole] if len(times) > 1 else times):
        for part in PARTS:
            for measure, sample in found[part].items():
                drawn = sample[:, place] if place < len(times) else sample.sum(axis=1)
                rows.append((*time, part, measure, *_summary(drawn)))
    ends = [f"{end}_{round(band * 100)}" for band in BANDS for end in ("low", "high")]
    return pd.DataFrame(rows, columns=["period", "start", "end", "part", "measure", "mean", "median", *ends])


def _summary(drawn: NDArray[np.float64]) -> tuple[float, ...]:
    ends = [share for band in BANDS for share in ((1 - band) / 2, (1 + band) / 2)]
    return drawn.mean(), *np.quantile(drawn, [0.5, *ends])


def _deal_rows(pipeline: Pipeline, book: Book, chances: Chances) -> pd.DataFrame:
    """Return the open deals with a known time, what they are worth, their chance and whether they are beyond all."""
    stages, deals = pipeline.model.stage_ids, pipeline.deals.iloc[book.deal]
    chance = chances.waiting[:, :, -1]
    low, high = np.quantile(chance, [0.1, 0.9], axis=0)
    return pd.DataFrame(
        {
            "deal_id": deals["deal_id"].to_numpy(),
            "stage": pd.Categorical.from_codes(book.stage, categories=stages, ordered=True),
            "days_in_stage": book.age,
            "amount": book.amount,
            "chance": chance.mean(axis=0),
            "chance_low": low,
            "chance_high": high,
            "beyond": book.beyond,
        }
    )


def _reading(table: pd.DataFrame, deals: pd.DataFrame, pipeline: Pipeline, until: Any) -> dict[str, Any]:
    """Return the values of the leading sentence: the 80% band of the total, and its parts."""
    last = table[table["period"] == table["period"].iloc[-1]].set_index(["part", "measure"])
    wins = last.loc[("total", "n_won")]
    values: dict[str, Any] = {"until": both(lambda: day(until)), "n_open": number(len(deals)),
              "wins_low": number(wins["low_80"]), "wins_high": number(wins["high_80"]),
              "wins": number(wins["median"])}  # fmt: skip
    if ("total", "value") in last.index:
        said = {"low": ("total", "low_80"), "high": ("total", "high_80"), "median": ("total", "median"),
                "open": ("open", "mean"), "new": ("new", "mean")}  # fmt: skip
        for name, (part, figure) in said.items():
            values[name] = amount_text("value", last.loc[(part, "value"), figure], pipeline.currency)
    return values


def _widened(factors: dict[str, tuple[float, int, int]]) -> Notes:
    """Say by how much the record widened the band of the first measure that people read."""
    factor, k, n = factors.get("value", factors.get("n_won", (1.0, 0, 0)))
    values = {"k": number(k), "n": number(n), "factor": number(factor, 1)}
    return (("forecast.forecast.widened", values),) if factor >= SPOKEN else ()
