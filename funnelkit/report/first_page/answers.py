"""Answers: what the Results of other cells have found, told apart by their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from funnelkit.forecast import Forecast
from funnelkit.report.sections.section import Answer
from funnelkit.result import Insight, Refusal, Result

_COLUMNS = {
    "monitor": {"measure", "n_expected", "signal", "since"}, "stuck": {"act_by", "state", "usual_days"},
    "comparison": {"against", "period_before", "clear"}, "backtest": {"origin", "in_80", "crps"},
    "health": {"condition", "p_reached"},
}  # fmt: skip
EXPLAINS = "level_shift"  # what a forecast follows; the monitor finds it too


@dataclass(frozen=True)
class Answers:
    """What the page takes from other cells, whole; a Result that is missing or refused is None."""

    monitor: Result | None = None
    stuck: Result | None = None
    comparison: Result | None = None
    backtest: Result | None = None
    health: Result | None = None
    forecast: Forecast | None = None
    others: tuple[Insight, ...] = field(default=())

    def insights(self) -> tuple[Insight, ...]:
        """Return what monitor and stuck found, each stage once: the surest."""
        found: dict[tuple[str, str], Insight] = {}
        for answer in (self.monitor, self.stuck):
            for one in answer.findings if answer is not None else ():
                key = (one.kind, one.subject)
                if key not in found or _sureness(one) < _sureness(found[key]):
                    found[key] = one
        return tuple(found.values())


def sort_answers(answers: Sequence[Result]) -> Answers:
    """Return what each answer is, by the columns of its table."""
    known: dict[str, Any] = {}
    others: list[Insight] = []
    for answer in answers:
        if isinstance(answer, Refusal):
            continue
        whole = answer.found if isinstance(answer, Answer) and answer.found is not None else answer
        kind = "forecast" if isinstance(whole, Forecast) else _kind(whole.table)
        if kind is None:
            others += whole.findings
        else:
            known[kind] = whole
    return Answers(**known, others=tuple(others))


def _kind(table: pd.DataFrame) -> str | None:
    return next((kind for kind, columns in _COLUMNS.items() if columns <= set(table.columns)), None)


def _sureness(found: Insight) -> float:
    return 1.0 if found.evidence is None else found.evidence
