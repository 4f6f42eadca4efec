"""Journal: what was noticed while reading, in the order met."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from funnelkit.pipeline import Finding

LISTED = 100  # findings of one rule that are listed; the rest is counted


@dataclass
class Journal:
    """Findings in the order met; of each rule the first LISTED are kept, the rest counted."""

    findings: list = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    severities: dict = field(default_factory=dict)

    def add(self, rule, severity="note", *, file=None, line=None, column=None, value=None, **values):
        """Note one finding."""
        self.counts[rule] += 1
        self.severities[rule] = severity
        if self.counts[rule] <= LISTED:
            line = None if line is None else int(line)
            self.findings.append(Finding(rule, severity, file, line, column, value, values))

    def rows(self, rule, severity, sheet, mask, column=None, *, extra=None):
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

    def close(self):
        """Return all findings; a rule with more than were listed gets one more that counts the rest."""
        rest = (
            Finding("more", self.severities[rule], values={"rule": rule, "n": count - LISTED})
            for rule, count in self.counts.items()
            if count > LISTED
        )
        return (*self.findings, *rest)
