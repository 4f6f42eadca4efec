"""Backtest: forecasts made at past dates from what was known then, scored against what came, beside plain methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis import Calendar, data_end, furthest_stage
from funnelkit.forecast.forecast import BANDS, REFUSED, Reading, make_forecast
from funnelkit.forecast.history import By
from funnelkit.forecast.notes import FEW_WINS, amount_cell, amount_text
from funnelkit.forecast.simulate import Rng
from funnelkit.language import DataError, Text, both, label, number, percent, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, refuse_limits, table_of
from funnelkit.stats import wilson

QUANTILES = (0.1, 0.5, 0.9)
METHODS = ("forecast", "weighted", "seasonal", "past_windows")
CALIBRATED, FEWEST = 8, 3  # earlier periods that the weighted pipeline is calibrated on, at most and at least
BOOTSTRAPS = 400
FEWEST_PERIODS = 5  # fewer tell nothing of a band
DOUBT, WIDE = 0.25, 0.05  # chance of so few, or so many, hits of honest bands below which they are called otherwise
_DAY = pd.Timedelta(days=1)
MOST_DAYS_OF_A_WEEK = 8  # from its origin, which may be the day before, to its end


def backtest(
    pipeline: Pipeline, *, unit: str = "quarter", n_origins: int = 8, by: By = None, paths: int = 2_000, rng: Rng = None
) -> Result:
    """Forecast each of the last complete periods from what was known before it, and score the forecasts.

    Parameters
    ----------
    unit : {"week", "month", "quarter", "year"}
        Periods do not overlap, so their outcomes are not the same deals counted twice.
    n_origins : int
        Periods to look at; those with fewer than 20 won deals before them are left out.
    pipeline, by, paths, rng
        As of `forecast_open`.

    Returns
    -------
    Result
        origin, end, part (total, open), measure (n_won, value), method (forecast, weighted, seasonal, past_windows),
        n_open, actual, mean, median, low_80, high_80, in_50, in_80, in_95 (did the band hold the actual), crps,
        pinball_10, pinball_50, pinball_90 (in the unit of the measure).

    Raises
    ------
    LimitError, DataError
        As `forecast_open`, and where no origin is left.

    Notes
    -----
    Each origin sees `pipeline.at(origin)` only. The plain methods are honest ones, see `_plain_methods`. CRPS: Gneiting
    and Raftery (2007), pinball loss: Koenker and Bassett (1978). Scores of the same periods are compared in pairs, by
    Student's interval of their mean difference.

    Examples
    --------
    >>> from funnelkit import sample
    >>> found = backtest(sample(), n_origins=1, paths=100)
    >>> found.table[["part", "measure", "method", "actual"]].head(2).values.tolist()
    [['total', 'n_won', 'forecast', 21.0], ['total', 'n_won', 'weighted', 21.0]]
    """
    return _record(pipeline, unit, n_origins, {"by": by, "paths": paths, "rng": rng or np.random.default_rng(0)})


def _record(pipeline: Pipeline, unit: str, n_origins: int, options: dict[str, Any]) -> Result:
    refuse_limits(pipeline, "backtest", *REFUSED)
    spans = _spans(pipeline, unit, n_origins)
    if not spans:
        raise DataError("no_origin", unit=unit, n=FEW_WINS)
    known_at = cache(pipeline.at)
    before = _weighted_record(pipeline, unit, spans, known_at)
    parts = [_score_origin(pipeline, span, before, known_at(span[0]), options) for span in spans]
    table = pd.DataFrame([row for rows in parts for row in rows])
    return Result(
        table, *_read(table, n_origins, pipeline.currency), model=pipeline.model, picture="backtest_chart",
        shown=partial(_for_people, pipeline.currency), currency=pipeline.currency,
    )  # fmt: skip


def _for_people(currency: str | None, table: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts of all business as people read them: the band, what came, and whether it held."""
    own = table[(table["part"] == "total") & (table["method"] == "forecast")]
    rows = []
    for row in own.to_dict("records"):
        came, low, high = (amount_cell(row["measure"], row[name], currency) for name in ("actual", "low_80", "high_80"))
        rows.append({
            "from_day": first_forecast_day(row["origin"], row["end"]), "to_day": row["end"],
            "measure": label(f"measure_{row['measure']}"),
            "actual": str(came), "band_80": say("language.present.span", low=low, high=high),
            "held": bool(row["in_80"]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def first_forecast_day(origin: pd.Timestamp, end: pd.Timestamp) -> pd.Timestamp:
    """Return the first day that was forecast: of bare dates the day after the origin, which is wholly known.

    >>> str(first_forecast_day(pd.Timestamp("2017-04-30"), pd.Timestamp("2017-05-31")).date())
    '2017-05-01'
    """
    stop = end + _DAY
    week = (stop - origin).days <= MOST_DAYS_OF_A_WEEK
    begins = origin.weekday() == stop.weekday() if week else origin.day == 1
    return origin if begins else origin + _DAY


def score_table(found: Result | pd.DataFrame) -> Result:
    """Score a backtest by part, measure and method.

    Parameters
    ----------
    found : Result or DataFrame
        Of `backtest`.

    Returns
    -------
    Result
        part, measure, method, n (origins), crps, pinball_10, pinball_50, pinball_90 (means), k_80 (how often the 80 %
        band held the actual), rate_80, low, high (its Wilson interval), bias (mean forecast / mean actual).

    Raises
    ------
    DataError
        For anything that is no table.

    Notes
    -----
    Lower scores are better; a band of 80 % that is honest holds in about 80 % of the periods.

    Examples
    --------
    >>> from funnelkit import sample
    >>> found = backtest(sample(), n_origins=1, paths=100)
    >>> score_table(found).table[["part", "measure", "method", "n"]].head(1).values.tolist()
    [['total', 'n_won', 'forecast', 1]]
    """
    table, currency = table_of(found), None if isinstance(found, pd.DataFrame) else found.currency
    return Result(_score_rows(table), *_read(table, 0, currency), currency=currency)


def _score_rows(table: pd.DataFrame) -> pd.DataFrame:
    keys, scores = ["part", "measure", "method"], ["crps", *(f"pinball_{round(q * 100)}" for q in QUANTILES)]
    known = table[table["crps"].notna()]
    groups = known.groupby(keys, sort=False, observed=True)
    means = groups[scores].mean()
    banded = groups["in_80"].agg(lambda held: held.notna().sum())
    k_80 = groups["in_80"].sum().astype(float).where(banded > 0)
    low, high = wilson(k_80.fillna(0), banded)
    bias = groups["mean"].sum() / groups["actual"].sum()
    return (
        means.assign(n=groups.size(), k_80=k_80, rate_80=k_80 / banded.where(banded > 0), low=low, high=high, bias=bias)
        .reset_index()
        .loc[:, [*keys, "n", *scores, "k_80", "rate_80", "low", "high", "bias"]]
    )


def crps(sample: Any, actual: float) -> float:
    """Return the continuous ranked probability score of a sample; |actual - x| for a single x.

    mean |x - y| - mean |x - x'| / 2 (Gneiting and Raftery 2007).

    >>> crps([3.0], 5.0), crps([0.0, 2.0], 1.0)
    (2.0, 0.5)
    """
    ordered = np.sort(np.asarray(sample, float))
    n = len(ordered)
    spread = ((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / n**2
    return float(np.abs(ordered - actual).mean() - spread)


def pinball(quantile: float, actual: float, q: float) -> float:
    """Return the pinball loss of a forecast quantile: max(q (y - x), (q - 1) (y - x)) (Koenker and Bassett 1978).

    >>> pinball(10.0, 14.0, 0.9), pinball(10.0, 9.0, 0.9)
    (3.6, 0.1)
    """
    return round(max(q * (actual - quantile), (q - 1) * (actual - quantile)), 12)


def _spans(pipeline: Pipeline, unit: str, n_origins: int) -> list[tuple[pd.Timestamp, pd.Timestamp, pd.Timestamp]]:
    """Return (origin, start, stop) of the last complete periods that have enough wins before them."""
    calendar, end = Calendar(unit), data_end(pipeline)
    whole = end > pipeline.as_of.normalize()  # bare dates: all of the origin's day is known
    last = int(calendar.number(end))
    spans = []
    for one in range(last - n_origins, last):
        start, stop = calendar.start(one), calendar.start(one + 1)
        origin = start - _DAY if whole else start
        wins = (pipeline.deals["status"] == "won") & (pipeline.deals["closed_at"] <= origin)
        if wins.sum() >= FEW_WINS:
            spans.append((origin, start, stop))
    return spans


def _weighted_record(
    pipeline: Pipeline, unit: str, spans: list[Any], known_at: Callable[[Any], Pipeline]
) -> pd.DataFrame:
    """Return of each period, the last before the first origin included, its end, the weighted pipeline and the wins."""
    calendar, first = Calendar(unit), pipeline.deals["closed_at"].min()
    rows, back, wins = [], spans[0][1] - spans[0][0], _Wins.of(pipeline.deals)
    for one in range(int(calendar.number(spans[0][1])) - CALIBRATED, int(calendar.number(spans[-1][1])) + 1):
        start, stop = calendar.start(one), calendar.start(one + 1)
        if start < first:
            continue
        weighted = _weighted(known_at(start - back), stop)
        rows += [(start, stop, measure, weighted[measure], float(wins.between(start, stop, measure).sum()))
                 for measure in ("n_won", "value")]  # fmt: skip
    return pd.DataFrame(rows, columns=["start", "stop", "measure", "weighted", "came"])


def _score_origin(
    pipeline: Pipeline, span: tuple[Any, Any, Any], before: pd.DataFrame, past: Pipeline, options: dict[str, Any]
) -> list[dict[str, Any]]:
    origin, start, stop = span
    wins, first = _Wins.of(past.deals), past.deals["closed_at"].min().normalize()
    made = make_forecast(past, stop - _DAY, (None, options["by"]), (options["paths"], options["rng"]))
    came = _came(pipeline, past, start, stop)
    base = {"origin": origin, "end": stop - _DAY, "n_open": len(made.book.deal)}
    rows = []
    for part in ("total", "open"):
        for measure in made.paths["total"]:
            samples = {"forecast": made.paths[part][measure].sum(axis=1)}
            if part == "total":
                plain = before[before["measure"] == measure]
                samples |= _plain_methods(wins, (first, start, stop), plain, measure)
            for method, sample in samples.items():
                key = {"part": part, "measure": measure, "method": method, "actual": came[part][measure]}
                rows.append({**base, **key, **_scores(np.asarray(sample, float), came[part][measure])})
    return rows


def _came(pipeline: Pipeline, past: Pipeline, start: Any, stop: Any) -> dict[str, dict[str, float]]:
    """Return what was won in the period, in all and of the deals that were open at the origin."""
    deals = pipeline.deals
    won = deals[(deals["status"] == "won") & (deals["closed_at"] >= start) & (deals["closed_at"] < stop)]
    before = past.deals.loc[past.deals["status"] == "open", "deal_id"]
    old = won[won["deal_id"].astype(object).isin(before.astype(object))]
    return {
        part: {"n_won": float(len(rows)), "value": float(rows["amount"].sum())}
        for part, rows in (("total", won), ("open", old))
    }


def _scores(sample: Any, actual: float) -> dict[str, float]:
    """Score a sample against what came; an empty sample (nothing to forecast from) has no scores."""
    if not len(sample):
        sample = np.array([np.nan])
    banded = len(sample) > 1
    ends = {band: np.quantile(sample, [(1 - band) / 2, (1 + band) / 2]) for band in BANDS}
    held = {f"in_{round(band * 100)}": float(low <= actual <= high) if banded else np.nan
            for band, (low, high) in ends.items()}  # fmt: skip
    losses = {f"pinball_{round(q * 100)}": pinball(float(np.quantile(sample, q)), actual, q) for q in QUANTILES}
    return {"mean": sample.mean(), "median": np.median(sample), "low_80": ends[0.8][0], "high_80": ends[0.8][1], **held,
            "crps": crps(sample, actual), **losses}  # fmt: skip


def _plain_methods(wins: _Wins, span: tuple[Any, Any, Any], before: pd.DataFrame, measure: str) -> dict[str, Any]:
    """Return the samples of the plain methods for open plus new business; empty where the past is too short for one.

    `weighted`: the weighted pipeline times what was won in all, new business included, against it in each of the
    periods before; `seasonal`: the wins of the same period a year earlier, drawn anew (Poisson bootstrap);
    `past_windows`: the spread of all earlier windows of this length.
    """
    first, start, stop = span
    now = before.loc[before["start"] == start, "weighted"].sum()
    known = before[(before["stop"] <= start) & (before["weighted"] > 0)].tail(CALIBRATED)
    year = pd.DateOffset(years=1)
    ago = wins.between(start - year, stop - year, measure) if start - year >= first else np.zeros(0)
    days = (stop - start).days
    lows = [start - number * days * _DAY for number in range(1, int((start - first).days // days) + 1)]
    spread = [float(wins.between(low, low + days * _DAY, measure).sum()) for low in lows]
    return {"weighted": now * (known["came"] / known["weighted"]).to_numpy() if len(known) >= FEWEST else [],
            "seasonal": np.random.default_rng(0).poisson(1.0, (BOOTSTRAPS, len(ago))) @ ago if len(ago) else [],
            "past_windows": spread if len(spread) > 1 else []}  # fmt: skip


@dataclass(frozen=True)
class _Wins:
    """When deals were won and what each brought, in the order of the deals."""

    at: Any
    amount: Any

    @classmethod
    def of(cls, deals: pd.DataFrame) -> _Wins:
        won = deals.loc[deals["status"] == "won", ["closed_at", "amount"]]
        return cls(won["closed_at"].to_numpy(), won["amount"].fillna(0).to_numpy(float))

    def between(self, low: pd.Timestamp, high: pd.Timestamp, measure: str) -> Any:
        """Return what each win between two times brought."""
        hit = (self.at >= low.to_datetime64()) & (self.at < high.to_datetime64())
        return self.amount[hit] if measure == "value" else np.ones(int(hit.sum()))


def weighted_pipeline(past: Pipeline, before: Any, measure: str = "value") -> float:
    """Return the textbook weighted pipeline: win rate of the stage times amount, of deals expected before a date.

    Parameters
    ----------
    past : Pipeline
        As known when the forecast is made.
    before : date
        Deals whose expected close falls before it count; all, where the source has none.
    measure : {"value", "n_won"}
        In money, or in deals.

    Returns
    -------
    float
        In the deals' currency, or deals.

    Notes
    -----
    The win rate is that of closed deals that reached the stage: fast losses pull it down, and a growing intake too.
    """
    return _weighted(past, before)[measure]


def _weighted(past: Pipeline, before: Any) -> dict[str, float]:
    deals, stage = past.deals, furthest_stage(past).to_numpy()
    status = deals["status"].to_numpy()
    closed, won = np.isin(status, ("won", "lost")), status == "won"
    reached = [closed & (stage >= one) for one in range(len(past.model.stages))]
    rate = np.array([won[rows].mean() if rows.any() else 0.0 for rows in reached])
    amount = deals["amount"].to_numpy(float)
    if past.limit("lost_value_zero"):
        amount = np.where(won, amount, np.nan)
    amount = np.where(np.isnan(amount), np.nanmean(amount[won]) if np.isfinite(amount[won]).any() else 0.0, amount)
    due = status == "open"
    if deals["expected_close"].notna().any():
        due = due & (deals["expected_close"] < before).to_numpy()
    weights = {"value": amount, "n_won": np.ones(len(deals))}
    return {measure: float((rate[stage] * weight)[due].sum()) for measure, weight in weights.items()}


def _read(table: pd.DataFrame, asked: int, currency: str | None) -> Reading:
    """Say how often the band held, what that is worth, and how the scores compare."""
    scores = _score_rows(table).set_index(["part", "measure", "method"])
    measure = "value" if ("total", "value", "forecast") in scores.index else "n_won"
    own = scores.loc[("total", measure, "forecast")]
    values = {"n": number(own["n"]), "k": number(own["k_80"]), "rate": percent(own["rate_80"]),
              "low": percent(own["low"]), "high": percent(own["high"]),
              "measure": both(lambda: label(f"measure_{measure}"))}  # fmt: skip
    notes = [_coverage(int(own["k_80"]), int(own["n"]))]
    errors = table[(table["part"] == "total") & (table["measure"] == measure)]
    errors = errors.pivot_table(index="origin", columns="method", values="crps", observed=True)
    write = partial(amount_text, measure, currency=currency, decimals=1)
    notes += [_against(errors, method, write) for method in METHODS[1:] if method in errors]
    if own["n"] < asked:
        notes.append(("forecast.forecast.fewer_origins", {"n": number(own["n"]), "asked": number(asked)}))
    return "forecast.forecast.backtest", values, tuple(notes)


def _coverage(k: int, n: int) -> tuple[str, dict[str, Any]]:
    """Judge how often the 80 % band held by the chance that honest bands hold so rarely, or so often."""
    from scipy.special import bdtr, bdtrc

    if n < FEWEST_PERIODS:
        return "forecast.forecast.coverage_few", {"least": number(FEWEST_PERIODS)}
    rarely, often = float(bdtr(k, n, 0.8)), float(bdtrc(k - 1, n, 0.8)) if k else 1.0
    if rarely < DOUBT:
        return "forecast.forecast.coverage_rough", {"chance": percent(rarely, 0)}
    return f"forecast.forecast.coverage_{'wide' if often < WIDE else 'good'}", {}


def _against(errors: pd.DataFrame, method: str, write: Callable[[float], Text | str]) -> tuple[str, dict[str, Any]]:
    """Compare the forecast's error with a plain method's in the periods that both have."""
    from scipy.special import stdtrit

    both_known = errors[["forecast", method]].dropna()
    gap, n = both_known["forecast"] - both_known[method], len(both_known)
    mean, error = (gap.mean(), gap.std(ddof=1) / np.sqrt(n)) if n >= FEWEST else (0.0, np.inf)
    reach = float(stdtrit(max(n - 1, 1), 0.975)) * error
    key = "better" if mean + reach < 0 else "worse" if mean - reach > 0 else "undecided"
    ends = sorted((abs(mean - reach), abs(mean + reach)))
    values = {"mine": both_known["forecast"].mean(), "other": both_known[method].mean(), "gap": abs(mean)}
    found = {name: write(value) for name, value in (values | {"low": ends[0], "high": ends[1]}).items()}
    return f"forecast.forecast.{key}", {**found, "n": number(n), "method": _name(method)}


def _name(method: str) -> Text:
    return both(lambda: say(f"forecast.forecast.{method}"))
