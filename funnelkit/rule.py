"""Rule: what a conversion means. Every system answers differently; here the meaning is an object with a name."""

import re
from dataclasses import dataclass, fields, replace

import pandas as pd

from funnelkit.errors import RuleError

_CHOICES = {
    "order": ("ordered", "strict", "any"),
    "window_from": ("first", "previous"),
    "reentry": ("first", "latest"),
    "ties": ("progress", "strict", "grace"),
    "skip": ("drop", "touch", "backfill"),
    "exclusion": ("person", "keep"),
    "attribute": ("first", "last", "step"),
}
_UNITS = {"s": "s", "m": "min", "h": "h", "d": "D", "w": "W"}


@dataclass(frozen=True)
class Rule:
    """The meaning of a conversion from one step to the next.

    order: other events may lie between (ordered), may not (strict), or any order. window: the longest time from the
    first (or `window_from="previous"`) step, end included; None is unlimited. reentry: a chain starts at the
    entity's first step-1 event only, or at the latest that helps. ties: events at the same instant count as progress
    in step order, do not (strict), or are interchangeable within `grace_s` seconds. skip: a step left out ends the
    chain, is forgiven (touch), or is filled in. exclude: events that throw the person out, or end the chain but keep
    its steps. hold: a column whose value must stay. attribute: which event's value a breakdown uses. deduplicate,
    once: as ClickHouse's strict_deduplication and strict_once.

    >>> Rule(window="30d").window
    Timedelta('30 days 00:00:00')
    """

    order: str = "ordered"
    window: pd.Timedelta | None = None
    window_from: str = "first"
    reentry: str = "first"
    ties: str = "progress"
    grace_s: float = 0
    skip: str = "drop"
    exclude: tuple[str, ...] = ()
    exclusion: str = "person"
    hold: str | None = None
    attribute: str = "first"
    deduplicate: bool = False
    once: bool = False

    def __post_init__(self):
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise RuleError("bad_rule", field=field, value=repr(getattr(self, field)), choices=", ".join(choices))
        object.__setattr__(self, "window", parse_window(self.window))
        object.__setattr__(self, "exclude", tuple(self.exclude))


def parse_window(window):
    """Return a Timedelta from one, from text such as 30d, 12h, 90m, 45s, 2w, or None.

    >>> parse_window("36h")
    Timedelta('1 days 12:00:00')
    """
    if window is None or isinstance(window, pd.Timedelta):
        parsed = window
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", str(window))
        if not match:
            raise RuleError("bad_window", value=repr(window))
        parsed = pd.Timedelta(float(match[1]), unit=_UNITS[match[2]])
    if parsed is not None and not parsed > pd.Timedelta(0):
        raise RuleError("bad_window", value=repr(str(window)))
    return parsed


PRESETS = {
    "default": Rule(),
    "clickhouse": Rule(reentry="latest"),
    "clickhouse_strict_increase": Rule(reentry="latest", ties="strict"),
}


def preset(name, window=None):
    """Return the rule of this name, with a window of one's own where given."""
    if name not in PRESETS:
        raise RuleError("no_such_rule", name=name, known=", ".join(PRESETS))
    rule = PRESETS[name]
    return rule if window is None else replace(rule, window=parse_window(window))


def refuse_unsupported(rule, engine, supported):
    """Refuse, before anything runs, a rule whose fields go beyond what `engine` counts.

    `supported` maps a field to the values it may have; fields not named must keep their default.
    """
    for field in fields(Rule):
        value = getattr(rule, field.name)
        if field.name == "window" or value in supported.get(field.name, (field.default,)):
            continue
        raise RuleError("rule_unsupported", engine=engine, field=field.name, value=repr(value))
