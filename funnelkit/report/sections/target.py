"""Are the two conditions met, and can the target be reached?"""

from __future__ import annotations

from typing import Any

from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.section import Section


def _need_target(pipeline: Pipeline, revenue: float, until: str, **_: Any) -> None:
    if not (revenue > 0 and until):
        raise DataError("no_target")


SECTIONS = (
    Section("health", "health", "condition stage figure n low high verdict", answers=0, guard=_need_target),
    Section(
        "target", "solve_target", "stage k n rate low high n_open entries per_week past_per_week", answers=0,
        guard=_need_target,
    ),
)  # fmt: skip
