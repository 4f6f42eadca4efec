"""What a finding of the first page is, and what findings are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

import numpy as np
import pandas as pd

from funnelkit.language import Text
from funnelkit.report.first_page.answers import Answers
from funnelkit.report.first_page.counts import Months
from funnelkit.report.first_page.figures import Target
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.first_page.spans import Spans
from funnelkit.report.first_page.stages import StageFacts

MOST_EVIDENCE, LEAST_EVIDENCE = 6.0, 0.3  # of -log10 p


@dataclass(frozen=True)
class Found:
    """A finding of the page: its sentence, what to do, what it concerns, and how sure it is (a p-value)."""

    kind: str
    severity: str
    sentence: Text
    action: Text | None = None
    stage: str | None = None
    segment: str | None = None
    n_deals: int | None = None
    amount: float | None = None
    usual: float | None = None
    p_value: float | None = None
    found: float | None = None
    excess: float | None = None  # what ranks it, where not all of the deals are too many or too few
    tested: bool = False  # by the page itself: one of the family that Holm's procedure judges

    @property
    def evidence(self) -> float:
        """-log10 of the p-value, at most six."""
        if self.p_value is None:
            return LEAST_EVIDENCE
        return float(np.clip(-log10(max(self.p_value, 1e-12)), LEAST_EVIDENCE, MOST_EVIDENCE))

    def weight(self, each: float) -> float:
        """Return what ranks it: money, or deals at the mean amount of `each`, times the evidence."""
        money = self.amount if self.amount is not None else (self.excess or self.n_deals or 0) * each
        return money * self.evidence


@dataclass(frozen=True)
class Evidence:
    """All that findings are made from."""

    records: DealRecords
    spans: Spans
    stages: Sequence[StageFacts]
    wins: Months | None
    answers: Answers
    target: Target | None = None

    @property
    def since(self) -> pd.Timestamp:
        """The first day of the recent months."""
        return self.spans.recent[0]

    def stage(self, name: str) -> StageFacts | None:
        """Return the facts of a stage by its id."""
        return next((row for row in self.stages if row.stage.id == name), None)
