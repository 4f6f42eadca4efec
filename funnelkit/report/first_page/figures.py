"""Figures: five or six numbers with what they were before, and how they came to be as a small picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from funnelkit.analysis import Calendar, Window, find_windows
from funnelkit.language import Text, both, language, number, percent, say
from funnelkit.report.first_page.answers import Answers
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.first_page.seasons import against_season
from funnelkit.report.first_page.spans import USUAL, Spans, back
from funnelkit.report.first_page.stages import Rates, rate_months
from funnelkit.report.first_page.words import (
    day_words,
    deals_words,
    money_figure,
    month_words,
    period_words,
    range_words,
    share_words,
    signed,
)

SPARK = 13  # periods of a small picture
FEW_WINS = 20  # of all time; below it no forecast is shown
LEAST_WINS = 5  # of twelve months; below it no win rate
ROUGH = "forecast.forecast.coverage_rough"
WANTED = 0.8
_ONE_WORD = ("previous", "year_before")  # what Chinese has a word for


@dataclass(frozen=True)
class Spark:
    """A small picture: bars from 0, a line of levels, or bands with what came of them; `name` says it in words."""

    kind: str
    values: Sequence[Any]
    name: Text


@dataclass(frozen=True)
class Tile:
    """A figure: its label, itself, what it was before and why that may be, its picture."""

    label: Text
    figure: Text
    changes: tuple[Text, ...]
    spark: Spark | None = None
    wide: bool = False


@dataclass(frozen=True)
class FigureScope:
    """What the figures are of: records, the page's windows, the calendar and the windows of the period."""

    records: DealRecords
    spans: Spans
    calendar: Calendar
    current: Window
    earlier: dict[str, Window]

    @classmethod
    def of(cls, records: DealRecords, spans: Spans, calendar: Calendar, day: pd.Timestamp) -> FigureScope:
        """Find the windows of the period of a day; earlier ones before the records are none."""
        found = find_windows(records.pipeline, calendar, day)
        first = spans.begin
        earlier = {name: one for name, one in found.earlier.items() if one is not None and one.start >= first}
        return cls(records, spans, calendar, found.current, earlier)

    def period(self, year: bool = False) -> Text:
        """Return the name of the period."""
        return both(lambda: period_words(self.calendar, self.current.start, year))

    def ends(self, one: Window) -> pd.Timestamp:
        """Return where the whole period of a window ends: a level is that of the period's last moment."""
        return self.calendar.start(one.number + 1)

    def edges(self) -> list[pd.Timestamp]:
        """Return where the last periods begin, and where the last of them ends."""
        number = self.current.number
        starts = [self.calendar.start(one) for one in range(number - SPARK + 1, number + 1)]
        return [*(start for start in starts if start >= self.spans.begin), self.current.stop]


def tiles(asked: FigureScope, answers: Answers, rate: WinRate | None, target: Target | None) -> list[Tile]:
    """Return the figures that the source can tell, in their order."""
    found = [_won(asked), None if rate is None else _rate(rate, asked), _new(asked), _open(asked)]
    found += [_forecast(asked, answers), _target(asked, target)]
    return [tile for tile in found if tile is not None]


# --- the change from earlier periods ---------------------------------------------------------------------------------


def _changes(asked: FigureScope, count: Callable[[Window], float], unit: str) -> tuple[Text, ...]:
    """Return by how many a count differs from that of the period before, and of a year before."""
    now = count(asked.current)
    rows = [(against, one, now - count(one)) for against, one in asked.earlier.items()]
    return tuple(_change(against, asked, one, (gap, unit)) for against, one, gap in rows)


def _change(against: str, asked: FigureScope, one: Window, gap: tuple[float, str]) -> Text:
    def told() -> str:
        before = say(f"report.first_page.against_{against}") if language() == "zh" and against in _ONE_WORD else ""
        if not before:
            name = period_words(asked.calendar, one.start, one.start.year != asked.current.start.year, short=True)
            before = say("report.first_page.against_period", period=name)
        return say(
            "report.first_page.change", gap=say(f"report.first_page.gap_{gap[1]}", n=signed(gap[0])), before=before
        )

    return both(told)


def _led(first: Callable[[], str], changes: tuple[Text, ...]) -> tuple[Text, ...]:
    """Put a count before its changes: 4 deals: +4 on Nov."""
    if not changes:
        return (both(first),)
    return (both(lambda: say("report.first_page.led", first=first(), change=str(changes[0]))), *changes[1:])


def _named(key: str, asked: FigureScope, values: Sequence[float], write: Callable[[float], str]) -> Text:
    """Return what a small picture shows, in words."""
    return both(
        lambda: say(f"report.first_page.{key}", n=number(len(values)), period=asked.period(year=True),
                    first=write(values[0]), last=write(values[-1]), most=write(max(values)))
    )  # fmt: skip


# --- the figures -----------------------------------------------------------------------------------------------------


def _won(asked: FigureScope) -> Tile | None:
    records, now = asked.records, asked.current
    if records.lacks("no_outcome"):
        return None
    of = records.won_in(now.start, now.stop)
    changes = _changes(asked, lambda one: float(records.won_in(one.start, one.stop).sum()), "wins")
    n, worth = int(of.sum()), records.worth(of)
    edges = asked.edges()
    parts = [records.won_in(start, stop) for start, stop in pairwise(edges)]
    values = [float(records.amounts[part].sum()) if worth is not None else float(part.sum()) for part in parts]
    write = _amount_or_count(records, worth)
    wins = lambda: say("report.first_page.wins", n=number(n))  # noqa: E731
    figure = both(wins) if worth is None else both(lambda: money_figure(worth, records.pipeline.currency))
    label = _named_amount("tile_won", worth, records, lambda: str(asked.period()))
    spark = Spark("bars", values, _named("spark_won", asked, values, write))
    return Tile(label, figure, changes if worth is None else _led(wins, changes), spark)


def _named_amount(key: str, worth: float | None, records: DealRecords, name: Callable[[], str]) -> Text:
    """Return the label of a figure: an amount whose currency is not known would pass for a count."""
    bare = worth is not None and records.pipeline.currency is None
    part = "day" if "open" in key or "forecast" in key else "period"
    return both(lambda: say(f"report.first_page.{key}{'_amount' if bare else ''}", **{part: name()}))


def _amount_or_count(records: DealRecords, worth: float | None) -> Callable[[float], str]:
    if worth is None:
        return lambda value: number(value)
    return lambda value: money_figure(value, records.pipeline.currency)


def _new(asked: FigureScope) -> Tile | None:
    records, now = asked.records, asked.current
    if not records.whole:  # earlier periods lack the deals that were lost, or recent ones those that are still open
        return None
    n = int(records.new_in(now.start, now.stop).sum())
    changes = _changes(asked, lambda one: float(records.new_in(one.start, one.stop).sum()), "deals")
    edges = asked.edges()
    values = [float(records.new_in(*pair).sum()) for pair in pairwise(edges)]
    label = both(lambda: say("report.first_page.tile_new", period=asked.period()))
    spark = Spark("bars", values, _named("spark_new", asked, values, number))
    return Tile(label, both(lambda: deals_words(n)), changes, spark)


def _open(asked: FigureScope) -> Tile | None:
    records = asked.records
    if not (records.deals["status"] == "open").any() or records.lacks("no_open_deals"):
        return None
    as_of = records.pipeline.as_of
    last = asked.current.stop >= asked.spans.end or not records.whole  # of a past moment some are missing
    moment = as_of if last else asked.current.stop
    there = (records.deals["status"] == "open").to_numpy() if last else records.open_at(moment)
    n, worth = int(there.sum()), records.worth(there)
    changes = _changes(
        asked, lambda one: float(n if one is asked.current else records.open_at(asked.ends(one)).sum()), "deals"
    )
    levels = [records.open_at(edge) for edge in asked.edges()[1:-1]] + [there]
    values = [float(records.amounts[part].sum()) if worth is not None else float(part.sum()) for part in levels]
    day = moment if last else moment - pd.Timedelta(days=1)
    label = _named_amount("tile_open", worth, records, lambda: day_words(day, as_of))
    figure = both(lambda: deals_words(n) if worth is None else money_figure(worth, records.pipeline.currency))
    spark = Spark("line", values, _named("spark_open", asked, values, _amount_or_count(records, worth)))
    if not records.whole:
        return Tile(label, figure, () if worth is None else (both(lambda: deals_words(n)),))
    return Tile(label, figure, changes if worth is None else _led(lambda: deals_words(n), changes), spark)


@dataclass(frozen=True)
class WinRate:
    """The win rate of twelve months: of the last, of the usual ones, and of every twelve since start-up.

    Records too short for twelve give that of fewer `months`.
    """

    rate: float
    k: int
    n: int
    basis: str
    usual: float | None
    past: tuple[float, ...]
    months: int = 12


def win_rate_of_year(records: DealRecords, spans: Spans | None, rates: Rates | None) -> WinRate | None:
    """Return the win rate of the page's months; None where there is none, or of too few wins."""
    months = None if spans is None else rate_months(spans)
    if rates is None or spans is None or months is None:
        return None
    span = back(spans.stop, months), spans.stop
    if records.won_in(*span).sum() < LEAST_WINS:
        return None
    rows = {span: table.iloc[0] for span, table in rates.tables.items()}
    now, usual = rows[span], rows.get(spans.usual) if months == USUAL else None
    if pd.isna(now["rate"]):
        return None
    before = None if usual is None or pd.isna(usual["rate"]) else float(usual["rate"])
    years = sorted(span for span in rows if span != spans.recent)
    past = tuple(float(rows[span]["rate"]) for span in years if not pd.isna(rows[span]["rate"]))
    return WinRate(float(now["rate"]), int(now["k"]), int(now["n"]), rates.basis, before, past, months)


def _rate(found: WinRate, asked: FigureScope) -> Tile:
    label = both(lambda: say("report.first_page.tile_rate", months=number(found.months)))
    changes: tuple[Text, ...] = ()
    if found.usual is not None:
        until, usual = asked.spans.usual[1] - pd.Timedelta(days=1), found.usual
        changes = (both(lambda: say("report.first_page.rate_usual", month=month_words(until), rate=percent(usual))),)
    spark = None
    if len(found.past) > 1:
        spark = Spark("line", found.past, _named("spark_rate", asked, found.past, share_words))
    return Tile(label, both(lambda: percent(found.rate)), changes, spark)


def forecast_rows(answers: Answers) -> dict[str, Any] | None:
    """Return the rows of all business and periods together, by measure."""
    if answers.forecast is None:
        return None
    table = answers.forecast.table
    rows = table[(table["period"] == table["period"].iloc[-1]) & (table["part"] == "total")]
    return {row["measure"]: row for row in rows.to_dict("records")}


def past_hits(answers: Answers, measure: str) -> pd.DataFrame | None:
    """Return the past forecasts of a measure, of all business."""
    if answers.backtest is None:
        return None
    table = answers.backtest.table
    own = table[(table["method"] == "forecast") & (table["part"] == "total") & (table["measure"] == measure)]
    return own if len(own) else None


def is_rough(answers: Answers, records: DealRecords) -> bool:
    """Return True where the record of the forecasts calls its bands rough, or earlier years contradict the band."""
    if past_season(answers, records) is not None:
        return True
    record = answers.backtest
    return record is not None and ROUGH in (record.key, *(key for key, _ in record.notes))


def past_season(answers: Answers, records: DealRecords) -> tuple[int, int] | None:
    """Return wins and years of the same days of earlier years, where these contradict the band; None elsewhere.

    Wins are told as a share of those of the twelve months before, so that a business may have grown.
    """
    rows = forecast_rows(answers)
    if rows is None:
        return None
    return against_season(records, rows["n_won"])


def _forecast(asked: FigureScope, answers: Answers) -> Tile | None:
    rows = forecast_rows(answers)
    if rows is None or asked.records.won.sum() < FEW_WINS:
        return None
    records = asked.records
    worth = records.worth((records.deals["status"] == "open").to_numpy())
    worth = None if records.worth(records.won) is None else worth  # past bands could not be checked
    measure = "value" if "value" in rows and worth is not None else "n_won"
    row, wins, currency = rows[measure], rows["n_won"], records.pipeline.currency
    past = past_hits(answers, measure)

    def figure() -> str:
        if measure == "value":
            return money_figure(row["low_80"], currency, row["high_80"])
        return wins_words(wins)

    changes = [both(lambda: wins_words(wins))] if measure == "value" else []
    if past is not None:
        key = "report.first_page.held_rough" if is_rough(answers, records) else "report.first_page.held"
        k, n = int(past["in_80"].sum()), len(past)
        changes.append(both(lambda: say(key, k=number(k), n=number(n))))
    worth = None if measure == "n_won" else worth
    label = _named_amount("tile_forecast", worth, records, lambda: day_words(row["end"], records.pipeline.as_of))
    return Tile(label, both(figure), tuple(changes), _record(past, row), wide=True)


def wins_words(row: dict[str, Any]) -> str:
    """Return the 80 % band of the number of wins: 1–5 wins."""
    return say("report.first_page.wins", n=range_words(row["low_80"], row["high_80"]))


def _record(past: pd.DataFrame | None, row: dict[str, Any]) -> Spark | None:
    if past is None:
        return None
    bands = [(one["low_80"], one["high_80"], one["actual"], bool(one["in_80"])) for one in past.to_dict("records")]
    k, n = sum(band[3] for band in bands), len(bands)
    name = both(lambda: say("report.first_page.spark_forecast", k=number(k), n=number(n)))
    return Spark("bands", [*bands, (row["low_80"], row["high_80"], None, True)], name)


@dataclass(frozen=True)
class Target:
    """A target: how much by when, and the probability of reaching it."""

    amount: float
    until: pd.Timestamp
    chance: float


def target_of(answers: Answers, amount: float, until: Any) -> Target | None:
    """Return a target with the probability that the health of the pipeline gives it, None where there is none."""
    if answers.health is None or not amount > 0 or not until:
        return None
    chance = answers.health.table["p_reached"].iloc[0]
    return None if pd.isna(chance) else Target(amount, pd.Timestamp(until), float(chance))


def _target(asked: FigureScope, found: Target | None) -> Tile | None:
    if found is None:
        return None
    pipeline = asked.records.pipeline
    label = both(lambda: say("report.first_page.tile_target", day=day_words(found.until, pipeline.as_of)))
    figure = both(lambda: money_figure(found.amount, pipeline.currency))
    return Tile(label, figure, (both(lambda: say("report.first_page.chance", chance=percent(found.chance, 0))),))
