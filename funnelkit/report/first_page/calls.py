"""Whom to call first, and the line that says how sure the page is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import Text, both, number, percent, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Finding
from funnelkit.report.first_page.answers import Answers
from funnelkit.report.first_page.figures import WinRate, past_hits, past_season
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.first_page.spans import Spans
from funnelkit.report.first_page.stages import REPLACED
from funnelkit.report.first_page.words import day_words, month_words, months_words

MOST = 5
OVERDUE = ("stuck", "late")
DAY = pd.Timedelta(days=1)
GIANT, MOST_OF = 0.5, 0.99  # share of the open amount in one deal that is told, and how much of it at most
FEW_OPEN, LONGEST_NAME = 5, 40  # open deals; characters
BREAKS = ("created_in_bulk", "lost_in_bulk", REPLACED)


@dataclass(frozen=True)
class Call:
    """A deal to call about: who, how much, where, how long there against usual, and since when overdue."""

    deal_id: str
    name: str
    amount: float | None
    owner: str
    stage: str
    days: float
    usual_days: float
    overdue_days: int
    expected: pd.Timestamp


def first_calls(records: DealRecords, answers: Answers) -> list[Call]:
    """Return the deals that are overdue, stuck ones first, then by amount; most overdue where there are no amounts."""
    if answers.stuck is None:
        return []
    rows = answers.stuck.table[answers.stuck.table["state"].isin(OVERDUE)]
    rows = rows.assign(overdue=(records.pipeline.as_of - rows["act_by"]) / DAY)
    valued = records.worth((records.deals["status"] == "open").to_numpy()) is not None
    if not valued:  # by amount, those without one would never be called
        rows = rows.sort_values(["state", "overdue"], ascending=[True, False], kind="stable")
    rows = rows.head(MOST)
    deals = records.deals.set_index("deal_id")
    model: Funnel = records.pipeline.model
    return [_call(row, deals.loc[row["deal_id"]], model, valued) for row in rows.to_dict("records")]


def _call(row: dict[str, Any], deal: pd.Series[Any], model: Funnel, valued: bool) -> Call:
    amount = row.get("amount")
    known = valued and amount is not None and not pd.isna(amount)
    return Call(
        str(row["deal_id"]), _name(deal, row["deal_id"]), float(amount) if known and amount is not None else None,
        "" if pd.isna(deal.get("owner")) else str(deal["owner"]), str(model.stage(row["stage"]).name),
        float(row["age_days"]), float(row["usual_days"]), max(int(row["overdue"]), 0), deal["expected_close"],
    )  # fmt: skip


def _name(deal: pd.Series[Any], deal_id: Any) -> str:
    return next((str(deal[key]) for key in ("account", "name") if pd.notna(deal.get(key))), str(deal_id))


def why(call: Call, as_of: pd.Timestamp) -> str:
    """Return why to call: how long overdue, and when the close was, or is, expected."""
    n = call.overdue_days
    key = "overdue_now" if n == 0 else "overdue_day" if n == 1 else "overdue"
    late = say(f"report.first_page.{key}", n=number(n))
    if pd.isna(call.expected):
        return late
    key = "was_expected" if call.expected < as_of else "is_expected"
    return say(f"report.first_page.{key}", late=late, day=day_words(call.expected, as_of))


@dataclass(frozen=True)
class Explained:
    """What of the page needs its words explained."""

    moved: bool
    calls: bool
    forecast: bool
    usual: bool


def trust(
    records: DealRecords, spans: Spans | None, answers: Answers, rate: WinRate | None, shown: Explained
) -> tuple[Text, ...]:
    """Return the sentences that say what the words mean and how sure the figures are."""
    said = [_usual(spans, shown)]
    said += [_line("moved")] if shown.moved else []
    said += [_line("overdue")] if shown.calls else []
    unrecorded = records.unrecorded()
    said += [_line("skip") if records.skip else _line("unrecorded", n=unrecorded)] if unrecorded else []
    said += [_held(records, answers), _season(records, answers)] if shown.forecast else []
    said += [_giant(records), *_breaks(records, spans)]
    said += [_line("no_lost")] if records.lacks("no_lost_deals") else []
    said += (
        [_line(f"rate_{rate.basis}", **({"months": rate.months} if rate.basis == "period" else {}))]
        if rate is not None
        else []
    )
    loud = len({finding.rule for finding in records.pipeline.findings if finding.severity != "note"} - {"more"})
    said += [_line("remarks" if loud > 1 else "remark", n=loud)] if loud else []
    return tuple(line for line in said if line is not None)


def _line(key: str, **counts: float) -> Text:
    return both(lambda: say(f"report.first_page.trust_{key}", **{name: number(n) for name, n in counts.items()}))


def _season(records: DealRecords, answers: Answers) -> Text | None:
    """Return what earlier years won in the days of the forecast, where that contradicts it."""
    found = past_season(answers, records)
    return None if found is None else _line("season", n=found[0], years=found[1])


def _giant(records: DealRecords) -> Text | None:
    """Return which open deal holds most of the open amount, and so drives the figures in money."""
    there = (records.deals["status"] == "open").to_numpy()
    worth = records.worth(there)
    if not worth or there.sum() < FEW_OPEN:
        return None
    largest = int(np.argmax(np.where(there, records.amounts, 0.0)))
    share = min(float(records.amounts[largest]) / worth, MOST_OF)
    name = _name(records.deals.loc[largest], records.deals.at[largest, "deal_id"])
    name = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    if share < GIANT:
        return None
    return both(lambda: say("report.first_page.trust_giant", share=percent(share, 0), name=name))


def _breaks(records: DealRecords, spans: Spans | None) -> list[Text]:
    """Return the latest break of each kind in the records within the months compared."""
    found: dict[str, Text] = {}
    as_of = records.pipeline.as_of
    for one in sorted(records.pipeline.findings, key=lambda one: str(one.value)):
        if one.rule in BREAKS and spans is not None and pd.Timestamp(one.value) >= spans.usual[0]:
            found[one.rule] = _break(one, as_of)
    return list(found.values())


def _break(one: Finding, as_of: pd.Timestamp) -> Text:
    day, n = pd.Timestamp(one.value), one.values.get("n", 0)
    return both(lambda: say(f"report.first_page.trust_{one.rule}", n=number(n), day=day_words(day, as_of)))


def _usual(spans: Spans | None, shown: Explained) -> Text | None:
    if spans is None:
        return None
    if spans.known:
        usual = both(lambda: say("report.first_page.trust_usual", span=months_words(*spans.usual)))
        return usual if shown.usual else None
    start = spans.known_from
    if start is None:
        return None
    return both(lambda: say("report.first_page.trust_no_usual", month=month_words(start, year=True)))


def _held(records: DealRecords, answers: Answers) -> Text | None:
    """Return how often the past bands held the money, and the wins."""
    wins, money = past_hits(answers, "n_won"), past_hits(answers, "value")
    if wins is None:
        return None
    there = (records.deals["status"] == "open").to_numpy()
    if money is None or records.worth(there) is None or records.worth(records.won) is None:
        return _line("held", k=wins["in_80"].sum(), n=len(wins))
    return _line("held_both", k=money["in_80"].sum(), n=len(money), wins=wins["in_80"].sum())
