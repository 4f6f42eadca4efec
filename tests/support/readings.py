"""Readings: small tables written as text, and what reading them found or refused."""

import pandas as pd
import pytest

from funnelkit.language import DataError
from funnelkit.reading.read import read


def table(text, mark="|"):
    """Return a table of text; the first line is its header, and a blank cell is none."""
    head, *rows = ([cell.strip() for cell in line.split(mark)] for line in text.strip().splitlines())
    return pd.DataFrame([[cell or None for cell in row] for row in rows], columns=head)


def rules(pipeline, severity=None):
    """Return the rules of the findings in their order."""
    return [finding.rule for finding in pipeline.findings if severity in (None, finding.severity)]


def found(pipeline, rule):
    """Return the first finding of a rule."""
    return next(finding for finding in pipeline.findings if finding.rule == rule)


def codes(pipeline):
    """Return what the source cannot tell."""
    return {limit.code for limit in pipeline.limits}


def refused(*sources, **options):
    """Return the error with which reading is refused."""
    with pytest.raises(DataError) as caught:
        read(*sources, **options)
    return caught.value
