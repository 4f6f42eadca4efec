"""Notes: what a reader of a forecast must know. What it rests on, what it follows, what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.forecast.history import Fit
from funnelkit.forecast.simulate import Chances
from funnelkit.language import Text, both, day, money, number, percent, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight
from funnelkit.stats import OUT, UP

FEW_WINS, FEW_SPANS = 20, 4
LIKELY, SURE = 0.5, 0.9  # chance from which a shift, and a change of amounts at the close, are spoken of
PLAIN = 0.1  # shifts of less than this are followed without a word
MONTH_DAYS = 365.25 / 12
Notes = tuple[tuple[str, Mapping[str, Any]], ...]


def amount_text(measure: str, amount: float, currency: str | None, decimals: int = 0) -> Text:
    """Return an amount of a measure as people read it: a value in its currency, a count with so many decimals."""
    return both(lambda: money(amount, currency) if measure == "value" else number(amount, decimals))


def forecast_notes(pipeline: Pipeline, fit: Fit, deals: pd.DataFrame, chances: Chances, days_ahead: int) -> Notes:
    """Return the sentences after the leading one: shifts and rhythms that are followed, then what is not known."""
    found = [*(note for _, _, note in _shifts(pipeline.model, fit)), *_followed(fit)]
    found += [*_old(fit, deals, pipeline.currency), *_unknown(pipeline, fit, deals)]
    n_won = int((pipeline.deals["status"] == "won").sum())
    span = chances.arrivals.span_days
    if n_won < FEW_WINS or span < FEW_SPANS * days_ahead:
        values = {"n_won": number(n_won), "days": number(span), "ahead": number(days_ahead)}
        found.append(("forecast.forecast.short_history", values))
    if not chances.arrivals.seasonal:
        found.append(("forecast.forecast.no_season", {"days": number(span)}))
    return tuple(found)


def shift_insights(model: Funnel, fit: Fit) -> tuple[Insight, ...]:
    """Return the shifts of level as what deserves attention, the surest first."""
    found = []
    for stage, gap, (key, values) in _shifts(model, fit):
        name, doubt = str(model.stages[stage].name), 1 - fit.shifts[stage].chance
        found.append(Insight("level_shift", name, _sentence(key, values), n_deals=gap, evidence=doubt))
    return tuple(sorted(found, key=lambda one: one.evidence or 0))


def _sentence(key: str, values: Mapping[str, Any]) -> Text:
    return both(lambda: say(key, **values))


def _shifted(fit: Fit) -> list[int]:
    """Return the stages whose level has likely changed, and by enough to speak of."""
    likely = [stage for stage, shift in enumerate(fit.shifts) if shift.chance >= LIKELY]
    return [stage for stage in likely if max(abs(np.log(one[2])) for one in _since(fit, stage)) > PLAIN]


def _since(fit: Fit, stage: int) -> list[tuple[float, float, float]]:
    """Return (exits since the shift, exits at the level before, their ratio) of the exits up and out of a stage."""
    shift, found = fit.shifts[stage], []
    for kind in (UP, OUT):
        seen, hoped = (count[kind, stage, shift.since :].sum() for count in fit.monthly)
        hoped *= shift.level_before(kind)
        found.append((float(seen), float(hoped), float((seen + 0.5) / (hoped + 0.5))))
    return found


def _shifts(model: Funnel, fit: Fit) -> list[tuple[int, int, tuple[str, dict[str, Any]]]]:
    """Return of each shift the stage, by how many exits it differs from the level before, and the sentence."""
    found = []
    for stage in _shifted(fit):
        rows = _since(fit, stage)
        kind = int(np.argmax([abs(np.log(row[2])) for row in rows]))
        since = np.datetime64(int(fit.shift_edges[fit.shifts[stage].since]), "D")
        seen, hoped, ratio = rows[kind]
        values = {"since": _day(since), "stage": model.stages[stage].name, "n": number(seen),
                  "expected": number(hoped), "ratio": percent(ratio, 0)}  # fmt: skip
        key = f"forecast.forecast.shift_{'out' if kind == OUT else 'up'}"
        found.append((stage, round(abs(seen - hoped)), (key, values)))
    return found


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
    return [("forecast.forecast.beyond", {
        "n": number(len(beyond)), "n_open": number(len(deals)),
        "value": amount_text("value", beyond["amount"].sum(), currency),
        "n_unvalued": number(beyond["amount"].isna().sum()), "days": number(waited.sum()),
        "moved": number(moved.sum()), "low": percent(beyond["chance_low"].mean()),
        "high": percent(beyond["chance_high"].mean()),
        "rest": percent(deals.loc[~deals["beyond"], "chance"].mean())})]  # fmt: skip


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
