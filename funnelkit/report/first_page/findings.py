"""Findings: what stands out, ranked by the money concerned times the evidence, at most three of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.language import Text, both, number, paragraph, percent, say
from funnelkit.report.first_page.answers import EXPLAINS
from funnelkit.report.first_page.counts import dry_spell
from funnelkit.report.first_page.figures import WANTED, forecast_rows, is_rough, wins_words
from funnelkit.report.first_page.found import Evidence, Found
from funnelkit.report.first_page.mix import explaining_mix, filled_by
from funnelkit.report.first_page.spans import RECENT, USUAL, back
from funnelkit.report.first_page.stages import StageFacts
from funnelkit.report.first_page.words import day_words, deals_words, money_words, month_words, share_words, stage_words
from funnelkit.result import Insight
from funnelkit.stats import days

MOST = 3
SEVERITIES = ("act", "watch", "steady")
UNJUDGED = "unjudged"  # the kind of the one sentence where there is no usual level
FAMILY = 0.95
MANY = 50  # lost deals, more than which nobody reviews one by one
OWNER_CHANCE = 0.01  # that one owner has as many of the deals named by chance
PEOPLE = ("wins_above", "wins_below")  # kinds of what a review of people finds
OLD_SHARE, OLD_LEAST = 0.2, 10  # of the open deals that are older than any that ever moved on


def rank(evidence: Evidence) -> list[Found]:
    """Return the findings, the weightiest first; those that the page tested itself passed Holm's procedure."""
    quiet = _quiet(evidence)
    if quiet is not None:
        return [quiet]  # what would follow from it is no news
    found = [*_crowded(evidence), *_passed(evidence), *_wins(evidence), *_stuck(evidence), *_target(evidence)]
    found = [_of_mix(evidence, one) for one in _beyond_chance(found)]
    named = {(one.stage, one.kind) for one in found}
    found += [one for one in _from_others(evidence) if (one.stage, one.kind) not in named]
    each = evidence.records.mean_amount(evidence.records.won)
    each = 1.0 if np.isnan(each) else each
    return sorted(found, key=lambda one: (one.severity == "steady", -one.weight(each)))


def _quiet(evidence: Evidence) -> Found | None:
    """Return that the records end long before the day of the report."""
    found, as_of = evidence.records.quiet_days(), evidence.records.pipeline.as_of
    if found is None:
        return None
    newest, n = found
    sentence = both(lambda: say("report.first_page.quiet", day=day_words(newest, as_of), n=number(n)))
    return Found("quiet", "act", sentence, both(lambda: say("report.first_page.do_quiet")))


def _beyond_chance(found: list[Found]) -> list[Found]:
    """Drop what is not beyond chance: Holm's procedure at 5 % over all tests of the page.

    Wins as a whole bear half of the error, the stages together the other half (weights, as Holm 1979 allows them).
    """
    tests = [one for one in found if one.tested and one.p_value is not None]
    n_stages = sum(one.stage is not None for one in tests)
    weights = {id(one): 1.0 if one.stage is not None else float(max(n_stages, 1)) for one in tests}
    ordered = sorted(tests, key=lambda one: (one.p_value or 0.0) / weights[id(one)])
    clear: set[int] = set()
    rest = sum(weights.values())
    for one in ordered:
        if (one.p_value or 0.0) > (1 - FAMILY) * weights[id(one)] / rest:
            break
        clear.add(id(one))
        rest -= weights[id(one)]
    return [one for one in found if not one.tested or id(one) in clear]


# --- stages ----------------------------------------------------------------------------------------------------------


def _crowded(evidence: Evidence) -> list[Found]:
    """Return the stages that the monitor calls slower and that hold more deals than any usual month."""
    found = []
    for one in evidence.answers.insights():
        facts = evidence.stage(one.subject) if one.kind == "slower" else None
        if facts is None or not facts.crowded or facts.n_usual is None:
            continue
        found.append(_held_up(evidence, facts, one))
    return found


def _held_up(evidence: Evidence, facts: StageFacts, one: Insight) -> Found:
    values = {"usual": number(facts.n_usual)}
    currency = evidence.records.pipeline.currency

    def sentence() -> str:
        told = values | {"deals": deals_words(facts.n_open), "stage": stage_words(facts.stage.name)}
        if not facts.worth:
            return say("report.first_page.held_up", **told)
        return say("report.first_page.held_up_worth", **told, money=money_words(facts.worth, currency))

    return Found(
        "held_up", "act", both(sentence), _call(evidence, facts), facts.stage.id, None, facts.n_open,
        facts.worth or None, facts.n_usual, one.evidence, facts.n_open,
    )  # fmt: skip


def _call(evidence: Evidence, facts: StageFacts) -> Text:
    """Return whom to call: the deals of the list, and how many of those overdue are in this stage."""
    stuck = evidence.answers.stuck
    table = pd.DataFrame({"stage": [], "state": []}) if stuck is None else stuck.table
    overdue = table[table["state"].isin(["stuck", "late"])]
    here = int((overdue["stage"].astype(str) == facts.stage.id).sum())
    values = {"n": number(len(overdue)), "here": number(here)}
    most = filled_by(evidence.records, evidence.spans, facts)

    def action() -> str:
        first = say("report.first_page.do_call", **values)
        if not here:
            first = say("report.first_page.do_move", stage=stage_words(facts.stage.name))
        return first if most is None else paragraph([first, str(most[0])])

    return both(action)


def _passed(evidence: Evidence) -> list[Found]:
    """Return the stages of which another share than usual has moved on."""
    found = []
    for place, facts in enumerate(evidence.stages):
        moved = facts.moved
        if moved is None:
            continue
        gap = (moved.usual - moved.rate) * moved.n
        fell = gap > 0
        kind = "fewer_promoted" if fell else "more_promoted"
        lost, usually = (
            _lost_here(evidence, place, evidence.spans.recent),
            _lost_here(evidence, place, evidence.spans.usual),
        )
        each = evidence.records.mean_amount(lost) * moved.onward
        found.append(Found(
            kind, "act" if fell else "watch", _passed_words(evidence, facts, fell),
            _review(evidence, (lost, usually)) if fell else None, facts.stage.id, None, round(abs(gap)),
            None if np.isnan(each) else abs(gap) * each, moved.usual, moved.p_value, moved.rate, tested=True,
        ))  # fmt: skip
    return found


def _of_mix(evidence: Evidence, one: Found) -> Found:
    """Return a finding that fewer move on as one to watch, where the mix of deals and nothing else has changed."""
    if one.kind != "fewer_promoted" or one.stage is None:
        return one
    mix = explaining_mix(evidence.records.pipeline, evidence.spans, one.stage)
    if mix is None:
        return one
    values = {"name": mix.name, "share": share_words(mix.share), "usual": share_words(mix.usual)}
    values["explained"] = share_words(mix.explained)
    return replace(one, severity="watch", action=both(lambda: say("report.first_page.do_mix", **values)))


def _passed_words(evidence: Evidence, facts: StageFacts, fell: bool) -> Text:
    moved = facts.moved
    assert moved is not None

    def sentence() -> str:
        return say(
            f"report.first_page.{'fewer' if fell else 'more'}_passed", month=month_words(evidence.since),
            rate=share_words(moved.rate), usual=share_words(moved.usual), stage=stage_words(facts.stage.name),
        )  # fmt: skip

    return both(sentence)


def _lost_here(evidence: Evidence, place: int, span: tuple[pd.Timestamp, pd.Timestamp]) -> NDArray[np.bool_]:
    """Tell which deals were lost in a stage in a span of time."""
    records = evidence.records
    first, last = days(list(span))
    lost = (records.deals["status"] == "lost").to_numpy() & (records.stage_now() == place)
    found: NDArray[np.bool_] = lost & (records.ended >= first) & (records.ended < last)
    return found


def _review(evidence: Evidence, lost: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> Text:
    """Return what to review: the lost deals, by the reason that has grown most where reasons are known."""
    now, before = (evidence.records.deals.loc[rows, "lost_reason"] for rows in lost)
    n, n_before = int(lost[0].sum()), int(lost[1].sum())
    told = {"n": number(n), "month": month_words(evidence.since)}
    counts, counts_before = now.value_counts(), before.value_counts()
    grown = counts - counts_before.reindex(counts.index).fillna(0) * (n / max(n_before, 1))
    if not len(grown) or n_before == 0 or grown.max() < max(2.0, 0.1 * n):
        size = "" if n <= MANY else "_largest" if evidence.records.valued else "_sample"
        return both(lambda: say(f"report.first_page.do_review{size}", n=number(n), month=month_words(evidence.since)))
    reason = str(grown.sort_values(kind="stable").index[-1])
    told |= {"k": number(counts[reason]), "k_before": number(counts_before.get(reason, 0))}
    told |= {"n_before": number(n_before), "reason": reason, "months": number(USUAL)}
    return both(lambda: say("report.first_page.do_review_reason", **told))


# --- wins, single deals, the target ----------------------------------------------------------------------------------


def _wins(evidence: Evidence) -> list[Found]:
    wins, records = evidence.wins, evidence.records
    spell = _dry_spell(evidence)
    if spell is not None:
        return [spell]
    if wins is None or wins.usual.sum() == 0:
        return []
    k, gap = int(wins.recent.sum()), wins.expected - float(wins.recent.sum())
    each = records.mean_amount(records.won_in(*evidence.spans.usual))
    kind = "fewer_wins" if gap > 0 else "more_wins"

    def sentence() -> str:
        usual = number(wins.expected)
        return say("report.first_page.wins_found", month=month_words(evidence.since), n=number(k), usual=usual)

    amount = None if np.isnan(each) else abs(gap) * each
    return [Found(kind, "watch", both(sentence), _plan(evidence), n_deals=k, amount=amount, usual=wins.expected,
                  p_value=wins.p_value(), found=k, excess=round(abs(gap)), tested=True)]  # fmt: skip


def _dry_spell(evidence: Evidence) -> Found | None:
    """Return that nothing has been won for longer than the recent months."""
    records, spans = evidence.records, evidence.spans
    if spans.usable is None or records.lacks("no_outcome"):
        return None
    edges = pd.date_range(spans.usable, spans.stop, freq="MS")
    spell = dry_spell(records.wins_by([*edges[:-1], min(spans.stop, spans.end)])) if len(edges) > 1 else None
    if spell is None:
        return None
    since, expected = back(spans.stop, spell.months), spell.level * RECENT
    each = records.mean_amount(records.won)

    def sentence() -> str:
        level = number(spell.level, int(spell.level < 10))
        month = month_words(since, year=since.year != records.pipeline.as_of.year)
        return say("report.first_page.no_wins", month=month, level=level)

    amount = None if np.isnan(each) else expected * each
    return Found("fewer_wins", "watch", both(sentence), _plan(evidence), n_deals=0, amount=amount, usual=spell.level,
                 p_value=spell.p_value, found=0.0, excess=round(expected), tested=True)  # fmt: skip


def _plan(evidence: Evidence) -> Text | None:
    """Return on how many wins to plan."""
    rows = forecast_rows(evidence.answers)
    if rows is None:
        return None
    end, as_of = rows["n_won"]["end"], evidence.records.pipeline.as_of
    rough = is_rough(evidence.answers, evidence.records)

    def action() -> str:
        values = {"day": day_words(end, as_of), "wins": wins_words(rows["n_won"])}
        return say("report.first_page.do_plan_rough" if rough else "report.first_page.do_plan", **values)

    return both(action)


def _stuck(evidence: Evidence) -> list[Found]:
    """Return the deals that have waited longer than chance explains; then those older than any that ever moved on."""
    stuck = evidence.answers.stuck
    if stuck is None:
        return []
    table = stuck.table
    named, old = table[table["state"] == "stuck"], table[table["older_than_any"] & (table["state"] != "stuck")]
    found = []
    if len(named):
        found.append(_single("stuck", "act", evidence, named, float(named["q_value"].max())))
    if len(old) >= max(OLD_LEAST, OLD_SHARE * len(table)):
        found.append(_single("older", "act", evidence, old, None))
    return found


def _single(kind: str, severity: str, evidence: Evidence, rows: pd.DataFrame, p_value: float | None) -> Found:
    table = pd.DataFrame() if evidence.answers.stuck is None else evidence.answers.stuck.table
    currency, valued = evidence.records.pipeline.currency, evidence.records.valued
    worth = float(rows["amount"].sum()) if valued and "amount" in rows else 0.0

    key = f"{kind}_one" if kind == "stuck" and len(rows) == 1 else kind
    longest = rows.sort_values("age_days").iloc[-1]

    def sentence() -> str:
        deals = deals_words(len(rows))
        if worth:
            deals = say("report.first_page.worth", deals=deals, money=money_words(worth, currency))
        told = {"days": number(longest["age_days"]), "usual": number(longest["usual_days"])}
        if key != kind:
            told["stage"] = stage_words(evidence.records.pipeline.model.stage(longest["stage"]).name)
        return say(f"report.first_page.{key}", deals=deals, **told)

    action = _whose(rows, table) if kind == "stuck" else None
    action = action or both(lambda: say(f"report.first_page.do_{key}"))
    age, usual = float(longest["age_days"]), float(longest["usual_days"])
    return Found(kind, severity, both(sentence), action, n_deals=len(rows), amount=worth or None,
                 usual=None if np.isnan(usual) else usual, p_value=p_value, found=age)  # fmt: skip


def _whose(named: pd.DataFrame, table: pd.DataFrame) -> Text | None:
    """Return whom to ask where one owner has most of the deals named, beyond that owner's share of all open ones."""
    from scipy.special import bdtrc

    owners = named["owner"].dropna() if "owner" in named else pd.Series(dtype=object)
    if not len(owners):
        return None
    owner, n = owners.mode().iloc[0], len(named)
    here, share = int((owners == owner).sum()), float((table["owner"] == owner).mean())
    if here <= n / 2 or bdtrc(here - 1, n, share) > OWNER_CHANCE:
        return None
    return both(lambda: say("report.first_page.do_stuck_owner", owner=str(owner), n=number(n), here=number(here)))


def _target(evidence: Evidence) -> list[Found]:
    target = evidence.target
    if target is None:
        return []
    pipeline, short = evidence.records.pipeline, target.chance < WANTED

    def sentence() -> str:
        return say(
            f"report.first_page.target_{'short' if short else 'safe'}", chance=percent(target.chance, 0),
            wanted=percent(WANTED, 0), day=day_words(target.until, pipeline.as_of),
            money=money_words(target.amount, pipeline.currency),
        )  # fmt: skip

    action = both(lambda: say("report.first_page.do_target")) if short else None
    return [Found("target", "watch" if short else "steady", both(sentence), action, amount=target.amount,
                  usual=WANTED, p_value=target.chance, found=target.chance)]  # fmt: skip


# --- what other cells found ------------------------------------------------------------------------------------------


def _from_others(evidence: Evidence) -> list[Found]:
    """Return what other cells found and the page's own windows do not show: never silent where another part speaks."""
    seen = evidence.answers.insights() if evidence.records.whole else ()  # a past without its losses looks faster
    found = [_of_monitor(evidence, one) for one in seen if one.kind != "stuck"]
    others = [one for one in evidence.answers.others if one.kind != EXPLAINS]
    return found + [_of_people(one) if one.kind in PEOPLE else _as_told(one) for one in others]


def _of_people(one: Insight) -> Found:
    """Return that somebody wins another share than their deals lead to expect, without its interval."""
    values = {"name": one.subject, "rate": percent(one.found), "usual": percent(one.usual)}
    return replace(_as_told(one), sentence=both(lambda: say(f"report.first_page.{one.kind}", **values)))


def _of_monitor(evidence: Evidence, one: Insight) -> Found:
    """Return a signal of the monitor in the words of the page."""
    facts = evidence.stage(one.subject)
    kind = "held_up" if one.kind == "slower" and facts is not None and facts.crowded else one.kind
    counted = _counted(evidence, one)
    if counted is None:
        return _as_told(one)
    since, seen, expected, n = counted
    name: Callable[[], str] = (
        (lambda: stage_words(facts.stage.name)) if facts is not None else (lambda: say("report.first_page.all_stages"))
    )

    def sentence() -> str:
        return say(
            f"report.first_page.{one.kind}", stage=name(), day=day_words(since, evidence.records.pipeline.as_of),
            n=number(seen), usual=number(expected), of=number(n),
        )  # fmt: skip

    subject = None if facts is None else facts.stage.id
    n_deals = round(n) if one.kind.endswith("promoted") else round(seen)
    return Found(kind, "watch", both(sentence), None, subject, None, n_deals, one.amount, expected, one.evidence,
                 seen, one.excess)  # fmt: skip


def _counted(evidence: Evidence, one: Insight) -> tuple[pd.Timestamp, float, float, float] | None:
    """Return since when, how many were observed and expected, and of how many, of a signal."""
    table = evidence.answers.monitor.table if evidence.answers.monitor is not None else None
    if table is None:
        return None
    measure = "pace" if one.kind in ("slower", "faster") else "promotion"
    stage = table["stage"].isna() if one.subject == "all" else table["stage"].astype(str) == one.subject
    rows = table[stage & (table["measure"] == measure)]
    since = rows["since"].iloc[-1] if len(rows) else pd.NaT
    if pd.isna(since):
        return None
    rows = rows[rows["period"] >= since]
    return since, float(rows["n_observed"].sum()), float(rows["n_expected"].sum()), float(rows["n"].sum())


def _as_told(one: Insight) -> Found:
    """Return a finding of another cell in its own sentence."""
    return replace(
        Found(one.kind, "watch", one.sentence, n_deals=one.n_deals, amount=one.amount),
        segment=one.subject, usual=one.usual, p_value=one.evidence, found=one.found, excess=one.excess,
    )  # fmt: skip
