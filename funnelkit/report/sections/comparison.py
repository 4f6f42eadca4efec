"""Better or worse than before? The period against the one before it and the same one a year before."""

from __future__ import annotations

import pandas as pd

from funnelkit.report.sections.section import Section
from funnelkit.result import Result


def _compared(found: Result) -> pd.DataFrame:
    return found.table[found.table["status"] == "compared"]


SECTIONS = (
    Section(
        "comparison", "compare_periods", rows=_compared, drawn=_compared, answers=1,
        exported="against stage period period_before k n rate low high k_before n_before rate_before"
                 " change change_low change_high clear",
    ),
)  # fmt: skip
