"""Notes: what a reader of a forecast must know. What it rests on, what it follows, what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis import signal_dates
from funnelkit.forecast.history import Fit
from funnelkit.forecast.simulate import Chances
from funnelkit.language import Text, amount_in_words, both, day, money, number, percent, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight
from funnelkit.stats import OUT, UP, days

FEW_WINS, FEW_SPANS = 20, 4
LIKELY, SURE = 0.5, 0.9  # chance from which a shift, and a change of amounts at the close, are spoken of
LEAST_TOLD = 0.0005  # a chance that percent with one decimal would call none
PLAIN = 0.1  # shifts of less than this are followed without a word
MONTH_DAYS = 365.25 / 12
Notes = tuple[tuple[str, Mapping[str, Any]], ...]


def amount_text(measure: str, amount: float, currency: str | None, decimals: int = 0) -> Text:
    """Return an amount of a measure as a sentence says it: a value in its currency, a count with so many decimals."""
    return both(lambda: amount_in_words(amount, currency) if measure == "value" else number(amount, decimals))


def amount_cell(measure: str, amount: float, currency: str | None) -> str:
    """Return an amount of a measure as a table shows it: a value in its currency, or a count."""
    return money(amount, currency) if measure == "value" else number(amount)


def forecast_notes(pipeline: Pipeline, fit: Fit, deals: pd.DataFrame, chances: Chances, days_ahead: int) -> Notes:
    """Return the sentences after those of shifts: rhythms that are followed, then what is not known."""
    found = [*_followed(fit), *_old(fit, deals, pipeline.currency), *_unknown(pipeline, fit, deals)]
    n_won = int((pipeline.deals["status"] == "won").sum())
    span = chances.arrivals.span_days
    if n_won < FEW_WINS or span < FEW_SPANS * days_ahead:
        values = {"n_won": number(n_won), "days": number(span), "ahead": number(days_ahead)}
        found.append(("forecast.forecast.short_history", values))
    if not chances.arrivals.seasonal:
        found.append(("forecast.forecast.no_season", {"days": number(span)}))
    return tuple(found)


@dataclass(frozen=True)
class LevelShift:
    """A stage whose level has likely changed: by how many exits since, how doubtful that is, and the sentence."""

    name: str
    gap: int
    doubt: float
    note: tuple[str, Mapping[str, Any]]


def shift_insights(moved: Sequence[LevelShift]) -> tuple[Insight, ...]:
    """Return the shifts of level as what deserves attention, the surest first."""
    found = [
        Insight("level_shift", one.name, both(partial(say, one.note[0], **one.note[1])), one.gap, evidence=one.doubt)
        for one in moved
    ]
    return tuple(sorted(found, key=lambda one: one.evidence or 0))


def shifts(pipeline: Pipeline, fit: Fit) -> list[LevelShift]:
    """Return the stages whose level has likely changed, by enough to speak of.

    Since when is told by `monitor` where it has a signal of the stage: one change has one date.
    """
    likely = [stage for stage, shift in enumerate(fit.shifts) if shift.chance >= LIKELY]
    dates = signal_dates(pipeline) if likely else {}
    found = []
    for stage in likely:
        since = _window_of(fit, stage, dates.get(pipeline.model.stage_ids[stage]))
        rows = _since(fit, stage, since)
        if max(abs(np.log(row[2])) for row in rows) > PLAIN:
            found.append(_moved(pipeline.model, fit, (stage, since), rows))
    return found


def _window_of(fit: Fit, stage: int, date: pd.Timestamp | None) -> int:
    """Return the window of the history that begins nearest to a date; without one, where the shift most likely is."""
    if date is None:
        return int(fit.shifts[stage].since)
    return int(np.abs(fit.shift_edges[:-1] - days([date])[0]).argmin())


def _since(fit: Fit, stage: int, since: int) -> list[tuple[float, float, float]]:
    """Return (exits since the shift, exits at the level before, their ratio) of the exits up and out of a stage."""
    found = []
    for kind in (UP, OUT):
        seen, hoped = (count[kind, stage, since:].sum() for count in fit.monthly)
        hoped *= fit.shifts[stage].level_before(kind)
        found.append((float(seen), float(hoped), float((seen + 0.5) / (hoped + 0.5))))
    return found


def _moved(model: Funnel, fit: Fit, where: tuple[int, int], rows: list[tuple[float, float, float]]) -> LevelShift:
    stage, since = where
    kind = int(np.argmax([abs(np.log(row[2])) for row in rows]))
    seen, hoped, ratio = rows[kind]
    values = {"since": _day(np.datetime64(int(fit.shift_edges[since]), "D")), "stage": model.stages[stage].name,
              "n": number(seen), "ratio": percent(ratio, 0)}  # fmt: skip
    key = f"forecast.forecast.shift_{'out' if kind == OUT else 'up'}"
    name, doubt = str(model.stages[stage].name), 1 - fit.shifts[stage].chance
    return LevelShift(name, round(abs(seen - hoped)), doubt, (key, values))


def _day(when: np.datetime64) -> Text:
    return both(lambda: day(pd.Timestamp(when)))


def _followed(fit: Fit) -> list[tuple[str, dict[str, Any]]]:
    """Return what else the forecast follows: the closing season, late notes, amounts and what becomes of them."""
    found: list[tuple[str, dict[str, Any]]] = []
    if fit.season is not None:
        found.append((f"forecast.forecast.closing_{fit.season.unit}", {"share": percent(fit.season.share, 0)}))
    if len(fit.at_once):
        span = max(fit.spells.as_of - float(fit.at_once.at.min()), MONTH_DAYS)
        closed = int((fit.spells.to >= fit.spells.won).sum()) + len(fit.at_once)
        found.append(("forecast.forecast.at_once", {
            "n": number(len(fit.at_once)), "of": number(closed),
            "per_month": number(fit.at_once.won.sum() / span * MONTH_DAYS, 1)}))  # fmt: skip
    if any(factor.plain >= 0 for factor in fit.factors):
        groups = next(factor.plain for factor in fit.factors if factor.plain >= 0)
        found.append(("forecast.forecast.by_amount", {"groups": number(groups)}))
    if (fit.closing != 1).mean() >= SURE:
        found.append(("forecast.forecast.edited", {"ratio": percent(fit.closing.mean(), 0)}))
    return found


def _old(fit: Fit, deals: pd.DataFrame, currency: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Name the deals beyond all experience, and what was ever seen of such waiting."""
    beyond = deals[deals["beyond"]]
    if not len(beyond):
        return []
    spells = fit.spells
    longest = np.array([fit.hazards.longest(stage) for stage in range(spells.won)])[spells.stage]
    edge = np.minimum(spells.start + longest, spells.born + fit.longest_cycle)
    waited = np.maximum(spells.end - np.maximum(edge, spells.seen), 0)
    moved = (spells.kind == UP) & (waited > 0)
    none, n_unvalued = beyond["chance_high"].mean() < LEAST_TOLD, int(beyond["amount"].isna().sum())
    told = {"value": amount_text("value", beyond["amount"].sum(), currency), "n_unvalued": number(n_unvalued)}
    worth = both(lambda: say(f"forecast.forecast.worth{'_part' if n_unvalued else ''}", **told))
    rest = deals.loc[~deals["beyond"], "chance"]
    others = both(lambda: say("forecast.forecast.others", rest=percent(rest.mean()))) if len(rest) else ""
    return [(f"forecast.forecast.beyond{'_hardly' if none else ''}", {
        "n": number(len(beyond)), "n_open": number(len(deals)), "worth": worth, "days": number(waited.sum()),
        "moved": number(moved.sum()), "low": percent(beyond["chance_low"].mean()),
        "high": percent(beyond["chance_high"].mean()), "others": others})]  # fmt: skip


def _unknown(pipeline: Pipeline, fit: Fit, deals: pd.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    """Name the deals without a date or an amount."""
    found: list[tuple[str, dict[str, Any]]] = []
    untimed = int((pipeline.deals["status"] == "open").sum()) - len(deals)
    if untimed > 0:
        found.append(("forecast.forecast.untimed", {"n": number(untimed)}))
    unknown = int(deals["amount"].isna().sum())
    if unknown and pipeline.limit("no_amount") is None:
        why = "amount_of_close" if pipeline.limit("lost_value_zero") else "amount_unknown"
        found.append((f"forecast.forecast.{why}", {"n": number(unknown), "n_open": number(len(deals)),
                                                   "n_won": number(len(fit.every))}))  # fmt: skip
    return found
