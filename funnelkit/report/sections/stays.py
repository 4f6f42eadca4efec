"""How long does each stage take, how long until the win, and which open deals need a call now?"""

from __future__ import annotations

import pandas as pd

from funnelkit.report.sections.section import Section
from funnelkit.result import Result

MOST_DEALS = 20


def _seen(found: Result) -> pd.DataFrame:
    return found.table[found.table["n"] > 0]


def _urgent(found: Result) -> pd.DataFrame:
    return found.table[found.table["state"].isin(["stuck", "late", "soon"])].head(MOST_DEALS)


SECTIONS = (
    Section("stays", "time_in_stage", "stage n n_open median_days low_days high_days", answers=0, rows=_seen),
    Section("cycle", "promotion_cycle", "outcome n n_closed median_days low_days high_days"),
    Section(
        "stuck", "stuck_deals", "deal_id account owner amount stage age_days usual_days act_by state", answers=0,
        rows=_urgent,
    ),
)  # fmt: skip
