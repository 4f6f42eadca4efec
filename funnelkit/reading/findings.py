"""Journal: what was noticed while reading, in the order met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from funnelkit.pipeline import Finding
from funnelkit.reading.sheet import Sheet

Extra: TypeAlias = Callable[[Any], Mapping[str, Any]]  # a cell -> what further fills the message
LISTED = 100  # findings of one rule that are listed; the rest is counted


@dataclass
class Journal:
    """Findings in the order met; of each rule the first LISTED are kept, the rest counted."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    severities: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        rule: str,
        severity: str = "note",
        *,
        file: str | None = None,
        line: int | None = None,
        column: str | None = None,
        value: Any = None,
        **values: Any,
    ) -> None:
        """Note one finding."""
        self.counts[rule] += 1
        self.severities[rule] = severity
        if self.counts[rule] <= LISTED:
            line = None if line is None else int(line)
            self.findings.append(Finding(rule, severity, file, line, column, value, values))

    def rows(
        self,
        rule: str,
        severity: str,
        sheet: Sheet,
        mask: NDArray[np.bool_],
        column: str | None = None,
        *,
        extra: Extra | None = None,
    ) -> None:
        """Note one finding for each row of `mask`; `extra(text)` gives further values for the message."""
        positions = np.flatnonzero(mask)
        listed = positions[: max(0, LISTED - self.counts[rule])]
        for position in listed:
            text = None if column is None else sheet.text(position, column)
            place = {"file": sheet.table.name, "line": sheet.table.lines[position], "column": column, "value": text}
            self.add(rule, severity, **place, **(extra(text) if extra else {}))
        if len(positions):
            self.counts[rule] += len(positions) - len(listed)
            self.severities[rule] = severity

    def close(self) -> tuple[Finding, ...]:
        """Return all findings; a rule with more than were listed gets one more that counts the rest."""
        rest = (
            Finding("more", self.severities[rule], values={"rule": rule, "n": count - LISTED})
            for rule, count in self.counts.items()
            if count > LISTED
        )
        return (*self.findings, *rest)
