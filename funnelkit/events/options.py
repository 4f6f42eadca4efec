"""Options of `funnelkit count`, apart from what answers them: a command line is parsed without pandas."""

from __future__ import annotations

from typing import Any

UNITS = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


def add_answers(command: Any) -> None:
    """Add the options that ask for more than counts, and those that change fields of the rule.

    Parameters
    ----------
    command : ArgumentParser
    """
    command.add_argument("--reentry", choices=("first", "latest"))
    command.add_argument("--gap", metavar="1h")
    command.add_argument("--optional", metavar="B,C")
    command.add_argument("--hold", metavar="COL,COL")
    command.add_argument("--attribute", choices=("first", "last", "step"))
    command.add_argument("--journeys", action="store_true")
    command.add_argument("--trend", nargs="?", const="month", choices=tuple(UNITS))
    command.add_argument("--dropped", metavar="FILE")
