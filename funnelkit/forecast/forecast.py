"""Forecast: what the open deals and new business bring by a date, as a distribution and never as one number."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from funnelkit.analysis import Calendar, column, data_end, refuse_without_times
from funnelkit.forecast.simulate import (
    DRAWS,
    draw_chances,
    draw_worlds,
    fit_history,
    open_book,
    simulate_new,
    simulate_open,
)
from funnelkit.language import DataError, number, percent
from funnelkit.result import Result, refuse_limits
from funnelkit.stats import UP

BANDS = (0.95, 0.80, 0.50)
PARTS = ("open", "new", "total")
REFUSED = ("no_outcome", "no_lost_deals", "no_open_deals")
FEW_WINS, FEW_SPANS = 20, 4


@dataclass(frozen=True)
class Forecast(Result):
    """A forecast: `table` of distributions, `deals` with the chance of each, `paths` for sums of one's own.

    `paths[part][measure]` is (paths, periods), per period and not cumulative; parts are open, new and total, measures
    n_won and value. `ends` are the periods: name, start, end (days, both included).
    """

    deals: pd.DataFrame = field(default_factory=pd.DataFrame)
    paths: dict = field(default_factory=dict, repr=False)
    ends: pd.DataFrame = field(default_factory=pd.DataFrame)

    def chance(self, amount, part="total"):
        """Return the chance that the won value of all periods together reaches `amount`."""
        return float((self.paths[part]["value"].sum(axis=1) >= amount).mean())


def forecast_open(pipeline, until, *, unit=None, by=None, paths=10_000, rng=None):
    """Forecast what is won from the day after the data to `until`, both days included.

    Simulates `paths` futures. Every open deal moves on or out at the hazards of its stage, given the days that it has
    waited there, drawn from their posterior (see `simulate`); all deals of a path share the level of exits. `by`
    names a column whose values have ratios of their own. New business is a part of its own. Amounts of open deals are
    kept; unknown ones are drawn from won deals. `unit` (week, month, quarter, year) cuts the time at calendar borders.

    Returns a Forecast whose table has period, start, end, part (open, new, total), measure (n_won, value), mean,
    median and low_95, high_95, low_80, high_80, low_50, high_50, value in the deals' currency; the last rows are all
    periods together. `deals` has deal_id, stage, days_in_stage, amount, chance (of a win by `until`), beyond (older
    than any deal that ever moved on or closed). Raises LimitError where outcomes, open or lost deals or stage times
    are missing, DataError where `until` is not after the data, `by` does not exist, or currencies are several.

    Method: semi-Markov competing risks (Putter, Fiocco and Geskus 2007), gamma posterior of piecewise hazards.
    """
    _refuse(pipeline, by)
    rng = rng or np.random.default_rng(0)
    periods = cut_periods(pipeline, until, unit)
    fit = fit_history(pipeline, by)
    book = open_book(pipeline, fit)
    draws = min(DRAWS, max(paths // 10, 1))
    worlds = draw_worlds(fit, int(periods["day"].iloc[-1]), rng, draws)
    chances = draw_chances(fit, book, periods["day"].tolist(), rng, worlds)
    parts = {
        "open": simulate_open(book, chances, fit.amounts, rng, paths),
        "new": simulate_new(chances, fit.amounts, rng, paths),
    }
    found = _per_period(parts, pipeline.limit("no_amount") is None)
    table, deals = _bands(found, periods), _deal_rows(pipeline, book, chances)
    key = "forecast.forecast.value" if "value" in found["total"] else "forecast.forecast.count"
    notes = _notes(pipeline, fit, deals, (chances, periods))
    values = _reading(table, deals, pipeline, until)
    return Forecast(table, key, values, notes, deals, found, periods.drop(columns="day"))


def _refuse(pipeline, by):
    refuse_limits(pipeline, "forecast_open", *REFUSED)
    refuse_without_times(pipeline, "forecast_open")
    if by is not None:
        column(pipeline, by)
    valued = pipeline.deals[(pipeline.deals["status"] == "open") & pipeline.deals["amount"].notna()]
    names = sorted(valued["currency"].fillna("").unique())
    if len(names) > 1:
        raise DataError("several_currencies", names=", ".join(names))


def cut_periods(pipeline, until, unit=None):
    """Return period, start, end, day: the days from the data's end to `until` cut at calendar borders.

    `day` is how many whole days from the start of the forecast have passed at the end of the period.
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


def _per_period(parts, valued):
    """Turn cumulative (count, value) of open and new into measures per period of open, new and total."""
    measures = ("n_won", "value") if valued else ("n_won",)
    found = {
        part: {name: np.diff(both[place], axis=1, prepend=0) for place, name in enumerate(measures)}
        for part, both in parts.items()
    }
    return {**found, "total": {name: found["open"][name] + found["new"][name] for name in measures}}


def _bands(found, periods):
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


def _summary(drawn):
    ends = [share for band in BANDS for share in ((1 - band) / 2, (1 + band) / 2)]
    return drawn.mean(), *np.quantile(drawn, [0.5, *ends])


def _deal_rows(pipeline, book, chances):
    """Return the open deals with a known time, what they are worth, their chance and whether they are beyond all."""
    stages, deals = pipeline.model.stage_ids, pipeline.deals.iloc[book.deal]
    return pd.DataFrame(
        {
            "deal_id": deals["deal_id"].to_numpy(),
            "stage": pd.Categorical.from_codes(book.stage, categories=stages, ordered=True),
            "days_in_stage": book.age,
            "amount": book.amount,
            "chance": chances.waiting[:, :, -1].mean(axis=0) if len(book.deal) else np.zeros(0),
            "beyond": book.beyond,
        }
    )


def _reading(table, deals, pipeline, until):
    """Return the values of the leading sentence: the 80% band of the total, and its parts."""
    last = table[table["period"] == table["period"].iloc[-1]].set_index(["part", "measure"])
    wins = last.loc[("total", "n_won")]
    values = {"until": str(pd.Timestamp(until).date()), "n_open": number(len(deals)),
              "wins_low": number(wins["low_80"]), "wins_high": number(wins["high_80"]),
              "wins": number(wins["median"])}  # fmt: skip
    if ("total", "value") in last.index:
        money, names = last.loc[("total", "value")], pipeline.deals["currency"].dropna().unique()
        values |= {"low": number(money["low_80"]), "high": _money(money["high_80"], names),
                   "median": number(money["median"]), "open": number(last.loc[("open", "value"), "mean"]),
                   "new": number(last.loc[("new", "value"), "mean"])}  # fmt: skip
    return values


def _money(amount, currencies):
    return f"{number(amount)} {currencies[0]}" if len(currencies) else number(amount)


def _notes(pipeline, fit, deals, ahead):
    """Return what a reader must know: deals beyond all experience, without time or amount, and a short history."""
    (chances, periods), notes = ahead, []
    beyond = deals[deals["beyond"]]
    if len(beyond):
        notes.append(("forecast.forecast.beyond", {"n": number(len(beyond)), "n_open": number(len(deals)),
                      "value": number(beyond["amount"].sum()), "n_unvalued": number(beyond["amount"].isna().sum()),
                      **_beyond_before(fit), "chance": percent(beyond["chance"].mean()),
                      "rest": percent(deals.loc[~deals["beyond"], "chance"].mean())}))  # fmt: skip
    untimed = int((pipeline.deals["status"] == "open").sum()) - len(deals)
    if untimed > 0:
        notes.append(("forecast.forecast.untimed", {"n": number(untimed)}))
    unknown = int(deals["amount"].isna().sum())
    if unknown and pipeline.limit("no_amount") is None:
        why = (
            "forecast.forecast.amount_of_close"
            if pipeline.limit("lost_value_zero")
            else "forecast.forecast.amount_unknown"
        )
        notes.append((why, {"n": number(unknown), "n_open": number(len(deals)), "n_won": number(len(fit.every))}))
    n_won = int((pipeline.deals["status"] == "won").sum())
    span, day = chances.arrivals.span_days, int(periods["day"].iloc[-1])
    if n_won < FEW_WINS or span < FEW_SPANS * day:
        values = {"n_won": number(n_won), "days": number(span), "ahead": number(day)}
        notes.append(("forecast.forecast.short_history", values))
    if not chances.arrivals.seasonal:
        notes.append(("forecast.forecast.no_season", {"days": number(span)}))
    return tuple(notes)


def _beyond_before(fit):
    """Return how many deal-days were ever spent beyond all experience, and how many deals moved on then."""
    spells = fit.spells
    longest = np.array([fit.hazards.longest(stage) for stage in range(spells.won)])[spells.stage]
    edge = np.minimum(spells.start + longest, spells.born + fit.longest_cycle)
    beyond = np.maximum(spells.end - np.maximum(edge, spells.seen), 0)
    moved = (spells.kind == UP) & (beyond > 0)
    return {"days": number(beyond.sum()), "moved": number(moved.sum())}
