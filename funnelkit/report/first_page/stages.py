"""Stages: how many reached each, what share moved on, how many are there now, and what was usual of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis import Window, count_stages, usable_basis, window_rates
from funnelkit.models import Stage
from funnelkit.pipeline import Pipeline
from funnelkit.report.first_page.records import MIN_KNOWN, DealRecords
from funnelkit.report.first_page.spans import MONTHS, Span, Spans, back
from funnelkit.result import STAGE_LIMITS, WIN_LIMITS
from funnelkit.stats import change_p_value

YEARS_BACK = 13  # month ends at which the win rate of twelve months is told
RATE_MONTHS = (12, 9, 6)  # of the page's win rate, whole quarters: some close most in a quarter's last month
REPLACED = "stages_replaced"  # the finding that tells which stages were redefined, and when
LEAST_LEFT = 10  # of a stage in a window: below it a rate says nothing on a page of one line a stage


@dataclass(frozen=True)
class Moved:
    """The share that moved on from a stage in two windows: `k` of `n` left it; the chance of such a difference."""

    rate: float
    usual: float
    k: int
    n: int
    p_value: float
    onward: float  # chance of a win for who moves on, in the usual window


@dataclass(frozen=True)
class StageFacts:
    """One stage of the funnel; what is not known is None."""

    stage: Stage
    n_reached: int | None
    moved: Moved | None
    n_open: int
    worth: float | None
    n_usual: float | None
    band: tuple[int, int] | None

    @property
    def crowded(self) -> bool:
        """Return True where more deals are here than in any of the usual months."""
        return self.band is not None and self.n_open > self.band[1]


def stage_facts(records: DealRecords, spans: Spans | None, moves: Mapping[str, Moved]) -> list[StageFacts]:
    """Return the facts of every stage; `moves` are those of `stage_moves`."""
    pipeline = records.pipeline
    timed = spans is not None and records.timed
    reached = reached_counts(records, spans)
    is_open = (records.deals["status"] == "open").to_numpy() & (not records.lacks("no_open_deals"))
    now = records.stage_now()
    n_open = np.bincount(now[is_open], minlength=len(pipeline.model.stages))
    usual = None
    if timed and spans is not None and spans.known and is_open.any() and records.whole:
        ends = pd.date_range(spans.usual[0], spans.usual[1], freq="MS")[1:]
        usual = _usual_open(records, ends)
    redefined = redefined_stages(pipeline, spans)
    found = []
    for place, stage in enumerate(pipeline.model.stages):
        before = None if usual is None or stage.id in redefined else usual[:, place]
        found.append(StageFacts(
            stage, None if reached is None else int(reached[place]), moves.get(stage.id), int(n_open[place]),
            records.worth(is_open & (now == place)), None if before is None else float(before.mean()),
            None if before is None else (int(before.min()), int(before.max())),
        ))  # fmt: skip
    return found


def _usual_open(records: DealRecords, ends: pd.DatetimeIndex) -> Any:
    """Return the open deals by stage at month ends; None where the stage of too many is unknown at one of them."""
    found = records.open_by_stage(ends)
    there = np.array([records.open_at(end).sum() for end in ends])
    return found if (found.sum(axis=1) >= MIN_KNOWN * there).all() else None  # a history that begins later


def redefined_stages(pipeline: Pipeline, spans: Spans | None) -> set[str]:
    """Return the stages put in place of others, and these, since the usual months began: they have no usual."""
    own = [one for one in pipeline.findings if one.rule == REPLACED]
    return {
        stage for one in own for stage in one.values["stages"] if spans and pd.Timestamp(one.value) > spans.usual[0]
    }


def reached_counts(records: DealRecords, spans: Spans | None) -> Any:
    """Return how many reached each stage in the last twelve months; of all time where `of_year` says so."""
    if spans is not None and of_year(records, spans):
        return records.reached_in(*last_year(spans))
    if records.skip:
        return records.reached_in(pd.Timestamp(0), records.pipeline.as_of + pd.Timedelta(days=1))
    table = count_stages(records.pipeline).table
    stages = records.pipeline.model.stage_ids
    return table.set_index(table["stage"].astype(str))["n_entered"].reindex(list(stages)).to_numpy()


def of_year(records: DealRecords, spans: Spans | None) -> bool:
    """Tell whether the records time the stages of the last twelve full months."""
    return spans is not None and records.timed and spans.begin <= last_year(spans)[0]


def last_year(spans: Spans) -> Span:
    """Return the last twelve full months."""
    return back(spans.stop, 12), spans.stop


def rate_months(spans: Spans) -> int | None:
    """Return of how many months the page's win rate is: twelve, else whole quarters free of start-up, six at least."""
    known = (months for months in RATE_MONTHS if spans.usable is not None and back(spans.stop, months) >= spans.usable)
    return next(known, None)


@dataclass(frozen=True)
class Rates:
    """The rates of windows, all computed at once: a table a span, of `basis`."""

    tables: dict[Span, pd.DataFrame]
    basis: str


def rates_of(pipeline: Pipeline, spans: Spans | None) -> Rates | None:
    """Return the rates of the recent and the usual months, and of every twelve months since start-up.

    None where the source carries no win rate, or no span is free of start-up.
    """
    if spans is None or spans.usable is None or any(map(pipeline.limit, WIN_LIMITS)):
        return None
    ends = [back(spans.stop, months) for months in range(YEARS_BACK - 1, -1, -1)]
    wanted = [(back(end, 12), end) for end in ends if back(end, 12) >= spans.usable]
    wanted += [spans.recent, spans.usual] if spans.known else []
    months = rate_months(spans)
    if months is None:
        return None
    wanted += [(back(spans.stop, months), spans.stop)]
    basis = usable_basis(pipeline, "period")
    distinct = list(dict.fromkeys(wanted))
    found = window_rates(pipeline, [_window(span, spans) for span in distinct], [], basis)
    return Rates(dict(zip(distinct, found, strict=True)), basis)


def stage_moves(pipeline: Pipeline, spans: Spans | None, rates: Rates | None) -> dict[str, Moved]:
    """Return the share that moved on from each stage, recent against usual; empty where there is none."""
    if rates is None or spans is None or not spans.known or any(map(pipeline.limit, STAGE_LIMITS)):
        return {}
    now, before = (rates.tables[span].set_index("stage") for span in (spans.recent, spans.usual))
    p_values = change_p_value((now["rate"], before["rate"]), (now["worth"], before["worth"]))
    least = np.minimum(now["n"], before["n"]) >= LEAST_LEFT
    known = least & now["rate"].notna() & before["rate"].notna() & ~now.index.isin(redefined_stages(pipeline, spans))
    return {
        str(stage): Moved(
            _counted(now.loc[stage]), _counted(before.loc[stage]), int(now.at[stage, "k"]),
            int(now.at[stage, "n"]), float(p_value), float(before.at[stage, "win"]),
        )
        for stage, p_value in zip(now.index, p_values, strict=True) if known[stage]
    }  # fmt: skip


def _counted(row: pd.Series[Any]) -> float:
    """Return a rate, which leans on other windows: where none moved on, or all did, the page says no less."""
    return float(row["k"] == row["n"]) if row["k"] in (0, row["n"]) else float(row["rate"])


def _window(span: Span, spans: Spans) -> Window:
    """Return a span as the window of `window_rates`, cut where the data end."""
    start, stop = span[0], min(span[1], spans.end)
    return Window(int(MONTHS.number(start)), start, stop, (stop - start).days)
