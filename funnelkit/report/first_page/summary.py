"""The verb of the first page: Results of other cells in, what stands out of them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from funnelkit.language import Text, both, number, numbers_of_run, paragraph, percent, sample_files, say, speaking
from funnelkit.pipeline import Pipeline
from funnelkit.report.first_page import markup
from funnelkit.report.first_page.answers import Answers, sort_answers
from funnelkit.report.first_page.calls import Call, Explained, first_calls, trust
from funnelkit.report.first_page.figures import FigureScope, Tile, WinRate, target_of, tiles, win_rate_of_year
from funnelkit.report.first_page.findings import MOST, SEVERITIES, UNJUDGED, rank
from funnelkit.report.first_page.found import Evidence, Found
from funnelkit.report.first_page.mix import filled_by
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.first_page.spans import Spans, find_spans
from funnelkit.report.first_page.stages import StageFacts, last_year, of_year, rates_of, stage_facts, stage_moves
from funnelkit.report.first_page.wins_picture import WinsByMonth, wins_by_month, wins_svg
from funnelkit.report.first_page.words import (
    day_words,
    month_words,
    months_words,
    period_words,
    span_words,
    stage_words,
)
from funnelkit.report.sections.scope import Scope
from funnelkit.result import Insight, Result, require_pipeline

COLUMNS = ["rank", "severity", "kind", "stage", "segment", "sentence", "action", "n_deals", "amount", "found",
           "usual", "evidence"]  # fmt: skip
OWN_MODEL = "custom"  # of stages found in the data
LONGEST_FILTER = 40  # characters of a filter that the title has room for
FIRST_DAY = pd.Timestamp(0)  # of another year, so that a day is told with its own
LONGEST_SOURCE = 60  # characters of the names of files
MARKED = {"fewer_promoted": "watch", "more_promoted": "watch", "held_up": "act"}  # the share that moved on; open now
KEPT = "rows_kept"  # the finding that tells of a filter


@dataclass(frozen=True, eq=False, repr=False)
class Summary(Result):
    """The first page. `table` holds the findings; `title`, `subject` and `severity` are what a mail needs.

    Attributes
    ----------
    title : Text
    found : tuple of Found
        The findings shown, the weightiest first.
    page : Page
        All that is drawn.
    """

    title: Text = field(default=Text("", ""))
    found: tuple[Found, ...] = ()
    page: Page | None = field(default=None, repr=False)

    @property
    def severity(self) -> str:
        """The highest of the findings: act, watch or steady."""
        return min((one.severity for one in self.found), key=SEVERITIES.index, default="steady")

    @property
    def subject(self) -> str:
        """One line for a mail: the title and the first finding."""
        lead = f"{self.title}" + say("report.first_page.colon")
        return lead + str(self.found[0].sentence) if self.found else str(self.title)

    def sentences(self, lang: Any = None) -> list[str]:
        """Return the findings, each with what to do."""
        with speaking(lang):
            parts = [(str(one.sentence), "" if one.action is None else str(one.action)) for one in self.found]
            return [paragraph(part for part in pair if part) for pair in parts]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        html = "" if self.page is None else page_html(self.page, str(self.title), self.found)
        text = "\n".join([str(self.title), *(f"- {line}" for line in self.sentences())])
        bundle: dict[str, Any] = {"text/html": html, "text/plain": text}
        return bundle | numbers_of_run(self.figures(), self._numbers())

    def figures(self) -> dict[str, Any]:
        """Return what summary.json holds."""
        front = {"title": str(self.title), "subject": self.subject, "severity": self.severity, "headline": [
            {"label": str(tile.label), "figure": str(tile.figure),
             "changes": markup.comma().join(map(str, tile.changes))}
            for tile in (self.page.tiles if self.page is not None else ())
        ]}  # fmt: skip
        return {"first_page": {**front, "findings": [_as_json(i, one) for i, one in enumerate(self.found, start=1)]},
                **(self.page.counts if self.page is not None else {})}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """All that the page shows besides the findings; what is missing is empty or None."""

    records: DealRecords | None
    spans: Spans | None
    meta: tuple[Text, ...]
    tiles: tuple[Tile, ...] = ()
    stages: tuple[StageFacts, ...] = ()
    wins: WinsByMonth | None = None
    calls: tuple[Call, ...] = ()
    trust: tuple[Text, ...] = ()
    counts: dict[str, Any] = field(default_factory=dict)


def summary(
    pipeline: Pipeline, *answers: Result, scope: Scope | None = None, files: Sequence[Any] = (), target: float = 0.0,
    title: str = "",
) -> Summary:  # fmt: skip
    """Say on one page what stands out, the figures, whom to call first and how sure it is.

    Parameters
    ----------
    pipeline, title : Pipeline, and the report's name (the period's, where it is empty)
    *answers : Result
        What `monitor`, `stuck_deals`, `compare_periods`, `forecast_open`, `backtest`, `health` and others found.
    scope, files, target : Scope (period, day of the target), names of the files read, revenue wanted by that day

    Returns
    -------
    Summary
        Table, the weightiest first: rank, severity (act, watch, steady), kind, stage, segment, sentence, action,
        n_deals (that it counts), amount (the deals' currency), found, usual, evidence (-log10 p, at most 6).

    Raises
    ------
    DataError : for what is no Pipeline

    Notes
    -----
    Recent are the last six full months, usual the twelve before; the tests hold together at 5 % (Holm 1979, weighted).

    Examples
    --------
    >>> from funnelkit import sample
    >>> summary(sample()).table[["severity", "kind", "stage"]].head(1).values.tolist()
    [['act', 'fewer_promoted', 'solution-demo']]
    """
    require_pipeline(pipeline)
    scope = scope or Scope(pipeline)
    meta = _meta(pipeline, scope, files)
    name = both(lambda: title or _title(scope, pipeline))
    if pipeline.counts is not None:
        return _result(name, (), Page(None, None, meta))
    return _whole(pipeline, answers, scope, (name, meta, target))


def _whole(
    pipeline: Pipeline, answers: Sequence[Result], scope: Scope, told: tuple[Text, tuple[Text, ...], float]
) -> Summary:
    name, meta, amount = told
    records, spans, known = DealRecords.of(pipeline), find_spans(pipeline), sort_answers(answers)
    target = target_of(known, amount, scope.target_date)
    rates = rates_of(pipeline, spans)
    stages = stage_facts(records, spans, stage_moves(pipeline, spans, rates))
    wins = wins_by_month(records, spans)
    rate = win_rate_of_year(records, spans, rates)
    found: list[Found] = []
    drawn: list[Tile] = []
    if spans is not None:
        usual = None if wins is None else wins.usual
        found = rank(Evidence(records, spans, stages, usual, known, target))
        drawn = tiles(FigureScope.of(records, spans, scope.calendar, scope.day), known, rate, target)
    calls = first_calls(records, known)
    shown = Explained(any(row.moved for row in stages), bool(calls), any(tile.wide for tile in drawn),
                  wins is not None or any(row.band for row in stages))  # fmt: skip
    page = Page(
        records, spans, meta, tuple(drawn), tuple(stages), wins, tuple(calls),
        trust(records, spans, known, rate, shown), _counts(pipeline, records, rate),
    )  # fmt: skip
    return _result(name, tuple(found[:MOST]) or _nothing(spans, wins, known, stages, records), page)


def _nothing(
    spans: Spans | None, wins: WinsByMonth | None, known: Answers, stages: Sequence[StageFacts],
    records: DealRecords | None = None,
) -> tuple[Found, ...]:  # fmt: skip
    """Return the one sentence where nothing stands out, or where nothing could be judged.

    Where a stage is fuller than usual, or a single period differs clearly from an earlier one, the sentence says so:
    the pictures and the details show it.
    """
    if spans is None or not spans.known or wins is None or wins.usual is None:
        return (_unjudged(spans),)
    clear = known.comparison is not None and known.comparison.findings
    key = "report.first_page.nothing_but" if clear else "report.first_page.nothing"
    key = key if any(row.moved or row.band for row in stages) else "report.first_page.nothing_wins"
    if wins.ringed:
        key = "report.first_page.nothing_single"
    fullest = max(stages, key=lambda row: row.n_open - row.band[1] if row.band else 0, default=None)
    if not clear and fullest is not None and fullest.crowded:
        most = None if records is None else filled_by(records, spans, fullest)
        if most is not None:
            return (_crowded(fullest, *most),)
        return (Found("nothing", "steady", both(partial(_full, fullest))),)
    since = spans.recent[0]
    return (Found("nothing", "steady", both(lambda: say(key, month=month_words(since)))),)


def _crowded(row: StageFacts, most: Text, p_value: float) -> Found:
    """Return that a stage is fuller than usual, and of deals of one segment: the monitor sees a part of them late."""
    values = {"n": number(row.n_open), "usual": number(row.n_usual or 0.0)}
    sentence = both(lambda: say("report.first_page.crowded", stage=stage_words(row.stage.name), **values))
    return Found("crowded", "watch", sentence, most, row.stage.id, n_deals=row.n_open, amount=row.worth or None,
                 usual=row.n_usual, p_value=p_value)  # fmt: skip


def _unjudged(spans: Spans | None) -> Found:
    """Return that nothing can be judged; the line of trust says from when on it can."""
    early = spans is not None and not spans.known and spans.known_from is not None
    key = "report.first_page.unjudged_early" if early else "report.first_page.unjudged"
    return Found(UNJUDGED, "steady", both(lambda: say(key)))


def _full(row: StageFacts) -> str:
    """Return that a stage holds more deals than usual although nothing has changed beyond chance."""
    return say("report.first_page.nothing_crowded", stage=stage_words(row.stage.name), n=number(row.n_open))


def _result(title: Text, found: tuple[Found, ...], page: Page) -> Summary:
    table = pd.DataFrame([_as_dict(i, one) for i, one in enumerate(found, start=1)], columns=COLUMNS)
    insights = tuple(
        Insight(one.kind, one.stage or one.segment or "all", one.sentence, one.n_deals, one.amount, one.p_value)
        for one in found
    )
    return Summary(table, title=title, found=found, page=page, findings=insights)


def _as_dict(place: int, one: Found) -> dict[str, Any]:
    """Return a finding as the table holds it, in the language in force."""
    return {
        "rank": place, "severity": one.severity, "kind": one.kind, "stage": one.stage, "segment": one.segment,
        "sentence": str(one.sentence), "action": None if one.action is None else str(one.action),
        "n_deals": one.n_deals, "amount": None if one.amount is None else round(one.amount, 2),
        "found": None if one.found is None else round(one.found, 4),
        "usual": None if one.usual is None else round(one.usual, 4),
        "evidence": None if one.p_value is None else round(one.evidence, 3),
    }  # fmt: skip


def _as_json(place: int, one: Found) -> dict[str, Any]:
    """Return a finding as summary.json holds it."""
    names = {"n_deals": "deals", "amount": "money"}
    return {names.get(name, name): value for name, value in _as_dict(place, one).items()}


def _counts(pipeline: Pipeline, records: DealRecords, rate: WinRate | None) -> dict[str, Any]:
    """Return the figures of summary.json: counts, the win rate of the page, won money by currency, limits."""
    counted = {f"n_{status}": int((pipeline.deals["status"] == status).sum())
               for status in ("won", "lost", "open", "void")}  # fmt: skip
    won = records.deals[records.won & records.deals["amount"].notna().to_numpy()]
    values = won.groupby(won["currency"].fillna(""), observed=True)["amount"].sum()
    shown = None
    if rate is not None:
        shown = {"k": rate.k, "n": rate.n, "rate": round(rate.rate, 6), "basis": rate.basis, "months": rate.months}
    return counted | {
        "win_rate": shown, "won_value": {str(name): round(float(value), 2) for name, value in values.items()},
        "limits": [limit.as_dict() for limit in pipeline.limits],
    }  # fmt: skip


# --- the title and the line below it ---------------------------------------------------------------------------------


def _title(scope: Scope, pipeline: Pipeline) -> str:
    """Return the title of the period; of a part of the deals with what they have in common, for mails name no other."""
    kept = _kept(pipeline)
    if kept is None or len(kept) > LONGEST_FILTER:
        return _title_of_period(scope)
    return say("report.first_page.title_kept", title=_title_of_period(scope), filter=kept)


def _kept(pipeline: Pipeline) -> str | None:
    """Return the filter of the rows, where there is one."""
    return next((str(one.value) for one in pipeline.findings if one.rule == KEPT), None)


def _title_of_period(scope: Scope) -> str:
    if scope.end is pd.NaT:
        return say("report.first_page.title_counts")
    start = scope.calendar.start(int(scope.calendar.number(scope.day)))
    key = f"report.first_page.title_{scope.calendar.unit}"
    return say(key, period=period_words(scope.calendar, start, year=True))


def _meta(pipeline: Pipeline, scope: Scope, files: Sequence[Any]) -> tuple[Text, ...]:
    """Return data set, model, period, day of the data, rows."""
    names = ", ".join(Path(str(path)).name for path in files)
    names = names if len(names) <= LONGEST_SOURCE else names[: LONGEST_SOURCE - 1] + "…"
    sample = not files or [str(path) for path in files] == [str(path) for path in sample_files()]
    parts = [both(lambda: say("report.first_page.sample") if sample else names)]
    kept = _kept(pipeline)
    parts += [] if kept is None else [both(lambda: say("report.first_page.kept", filter=kept))]
    parts += [both(lambda: str(pipeline.model.name))] if pipeline.model.id != OWN_MODEL else []
    if scope.end is not pd.NaT:
        number_of = int(scope.calendar.number(scope.day))
        start, stop = scope.calendar.start(number_of), min(scope.calendar.start(number_of + 1), scope.end)
        parts.append(both(lambda: span_words(start, stop)))
        parts.append(both(lambda: say("report.first_page.data_to", day=_moment(pipeline.as_of))))
    rows = pipeline.rows
    out = rows.quarantined
    key = "rows_all" if not out else "rows_out"
    parts.append(both(lambda: say(f"report.first_page.{key}", n=number(rows.rows_in), out=number(out),
                                  share=percent(out / max(rows.rows_in, 1)))))  # fmt: skip
    return tuple(parts)


def _moment(as_of: pd.Timestamp) -> str:
    """Return the day of the data, with the time where they end within it."""
    day = day_words(as_of, FIRST_DAY)
    if as_of == as_of.normalize() or as_of + pd.Timedelta(seconds=1) >= as_of.normalize() + pd.Timedelta(days=1):
        return day
    return say("report.first_page.moment", day=day, time=f"{as_of:%H:%M}")


# --- as HTML ---------------------------------------------------------------------------------------------------------


_ROWS_OF_A_SHORT_SHEET = 12  # eight stages, three findings and five calls are 19 and fill the sheet


def page_html(page: Page, title: str, found: Sequence[Found]) -> str:
    """Return the page in the language in force."""
    parts = [markup.head(title, [str(part) for part in page.meta])]
    if found:
        parts.append(markup.findings(found))
    if page.tiles:
        parts.append(markup.figures(page.tiles))
    pictures = [part for part in (_funnel(page, found), _wins(page, found)) if part]
    if pictures:
        parts.append(markup.div("pictures" if len(pictures) > 1 else "pictures fp-one", *pictures))
    if page.calls and page.records is not None:
        pipeline = page.records.pipeline
        parts.append(markup.calls(page.calls, pipeline.as_of, pipeline.currency))
    parts.append(markup.trust_line([str(part) for part in page.trust]))
    rows = len(page.stages) + 2 * len(found) + len(page.calls)
    short = " fp-short" if not page.calls or rows <= _ROWS_OF_A_SHORT_SHEET else ""  # there is room for more in print
    return f'<div class="fp{short}">{"".join(parts)}</div><div id="details"></div>'


def _lead(found: Sequence[Found], *kinds: str) -> Found | None:
    return next((one for one in found if one.kind in kinds and one.severity != "steady"), None)


def _funnel(page: Page, found: Sequence[Found]) -> str:
    if not page.stages or page.records is None:
        return ""
    shown = [one for one in reversed(found) if MARKED.get(one.kind) in ("watch", one.severity)]
    marks = {one.stage: MARKED[one.kind] for one in shown if one.stage}
    lead = _lead(found, "held_up", "fewer_promoted", "more_promoted")
    names = {row.stage.id: str(row.stage.name) for row in page.stages}
    plain = "plain" if any(row.n_open for row in page.stages) else "entered" if page.records.skip else "reached"
    heading = say(f"report.first_page.funnel_{plain}")
    if lead is not None and lead.stage is not None:
        heading = say(f"report.first_page.funnel_{lead.kind}", stage=stage_words(names[lead.stage]))
    usual = any(row.band for row in page.stages) and page.spans is not None
    note = say("report.first_page.grey_usual", span=months_words(*page.spans.usual)) if usual and page.spans else ""
    since = "" if page.spans is None else month_words(page.spans.recent[0])
    words = {name: say(f"report.first_page.{name}") for name in ("stage", "usual")}
    words["open"] = say("report.first_page.open_now")
    words["reached"] = _reached(page)
    words["moved"] = say("report.first_page.moved_since", month=since)
    return markup.picture(heading, note, markup.funnel_table_html(page.stages, marks, words))


def _reached(page: Page) -> str:
    skip = page.records is not None and page.records.skip
    if page.spans is None or page.records is None or not of_year(page.records, page.spans):
        return say(f"report.first_page.{'entered' if skip else 'reached'}_ever")
    start, stop = last_year(page.spans)
    if skip:
        return say("report.first_page.entered_months", months=number((stop.to_period("M") - start.to_period("M")).n))
    if start.month == 1:
        return say("report.first_page.reached_year", year=start.year)
    return say("report.first_page.reached_months", months=number((stop.to_period("M") - start.to_period("M")).n))


def _wins(page: Page, found: Sequence[Found]) -> str:
    if page.wins is None:
        return ""
    lead = _lead(found, "fewer_wins", "more_wins")
    heading = say("report.first_page.wins_plain" if lead is None else f"report.first_page.wins_{lead.kind}")
    parts = [] if lead is None else [say("report.first_page.wins_subject")]  # a plain heading says it
    if page.wins.usual is not None:
        parts.append(say(f"report.first_page.wins_note{'_phased' if page.wins.usual.phased else ''}"))
    elif (page.wins.startup & (page.wins.counts > 0)).any():  # else no bar is grey
        parts.append(say("report.first_page.wins_note_plain"))
    return markup.picture(heading, paragraph(parts), wins_svg(page.wins))
