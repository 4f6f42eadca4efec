"""Checks of lesson 13: columns told by their values, the share in quarantine, what spoils a file."""

from __future__ import annotations

from typing import Any

from funnelkit.course.checks.verdict import Verdict, check_choices, check_number
from funnelkit.pipeline import Pipeline

# What each column of the table without headers is.
FIELDS = {"C1": "closed_at", "C2": "owner", "C3": "created_at", "C4": "amount", "C5": "deal_id"}
# What spoils each thing that is seen in exercise 4.
CAUSES = {"A": "encoding", "B": "bom", "C": "delimiter", "D": "decimal"}


def check_fields(answer: Any) -> Verdict:
    """Judge {column: canonical name} of the table of exercise 1.

    Parameters
    ----------
    answer : dict or None
        What was answered.

    Returns
    -------
    Verdict
    """
    return check_choices(answer, FIELDS, sorted(FIELDS.values()), lambda given, word: f"field_not_{given}")


def check_causes(answer: Any) -> Verdict:
    """Judge {what is seen: its cause} of the file that was opened with the wrong settings.

    Parameters
    ----------
    answer : dict or None
        What was answered.

    Returns
    -------
    Verdict
    """
    return check_choices(answer, CAUSES, sorted(CAUSES.values()), lambda given, word: f"cause_not_{given}")


def check_aside(answer: Any, pipeline: Pipeline) -> Verdict:
    """Judge the share of rows in quarantine.

    Parameters
    ----------
    answer : number, text or None
        What was answered.
    pipeline : Pipeline

    Returns
    -------
    Verdict
    """
    rows = pipeline.rows
    right = rows.quarantined / max(1, rows.rows_in)
    wrong = [
        (100 * right, "not_fraction"),
        (float(rows.quarantined), "aside_is_count"),
        (rows.quarantined / max(1, rows.good), "aside_of_good"),
        (rows.good / max(1, rows.rows_in), "aside_is_good"),
    ]
    return check_number(answer, right, wrong)


def check_best_share(answer: Any, pipeline: Pipeline) -> Verdict:
    """Judge the share of closed deals that would be won if all rows in quarantine were wins.

    Parameters
    ----------
    answer : number, text or None
        What was answered.
    pipeline : Pipeline

    Returns
    -------
    Verdict
    """
    status, aside = pipeline.deals["status"].astype(str), pipeline.rows.quarantined
    won, lost = int((status == "won").sum()), int((status == "lost").sum())
    right = (won + aside) / max(1, won + lost + aside)
    wrong = [
        (100 * right, "not_fraction"),
        (won / max(1, won + lost), "best_without"),
        ((won + aside) / max(1, won + lost), "best_not_below"),
        (won / max(1, won + lost + aside), "best_is_worst"),
        ((won + aside) / max(1, len(status) + aside), "best_of_all"),
    ]
    return check_number(answer, right, wrong)
