"""Semantics lab: the same log under every preset, and in a sentence each why the numbers differ."""

import pandas as pd

from funnelkit.events.count import count_events, step_rates
from funnelkit.events.rule import PRESETS, preset
from funnelkit.language import say

UNTIMED = ("hubspot_all", "hubspot_any", "bitrix24")  # these systems know no window


def compare_rules(log, steps, *, columns=None, window=None, exclude=(), as_of=None, rules=None):
    """Return the same log counted under every preset, one row each, with a sentence on what differs and why.

    Returns rule, window, one column for each step (how many reached it), k, n, rate, low, high (last step of the
    first, without those not yet known), n_open, and reading (the sentence). `window` replaces the window
    of all presets whose system has one (else each has its vendor's default); `exclude` are events that exclude in
    each system's way. `rules` limits the presets.

    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "C"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    >>> compare_rules(log, ["A", "B", "C"], rules=["default", "hubspot_any", "bitrix24"])[["rule", "A", "B", "C"]]
              rule  A  B  C
    0      default  1  0  0
    1  hubspot_any  1  0  1
    2     bitrix24  1  1  1
    """
    steps = [str(step) for step in steps]
    names = [f"{step} ({place})" if steps.count(step) > 1 else step for place, step in enumerate(steps, 1)]
    rows, base = [], None
    for name in rules or PRESETS:
        rule = preset(name, None if name in UNTIMED else window, tuple(exclude))
        table = count_events(log, steps, rule, columns=columns, as_of=as_of).table
        entered = dict(zip(names, table["n_entered"].tolist(), strict=True))
        last = entered[names[-1]]
        base = last if base is None else base
        overall = step_rates(table).iloc[-1]
        n_open = int(table["n_open"].sum())
        known = max(0, entered[names[0]] - n_open)
        fits = last <= known and rule.skip == "drop"
        rates = {part: overall[f"{part}_of_first"] if fits else float("nan") for part in ("rate", "low", "high")}
        reading = _reading(name, rule, (last, base, names[-1]))
        row = {"rule": name, "window": _window(rule), **entered, "k": last, "n": known, **rates}
        rows.append({**row, "n_open": n_open, "reading": reading})
    return pd.DataFrame(rows)


def _reading(name, rule, found):
    """Return what the rule means and how its last step compares with the first row's."""
    last, base, step = found
    way = "same" if last == base else "more" if last > base else "fewer"
    difference = say(f"events.rules.{way}", step=step, n=last, by=abs(last - base))
    meaning = say(f"events.rules.{name}")
    return say("result.space").join((meaning, difference))


def _window(rule):
    if rule.window is None:
        return say("events.rules.no_window")
    origin = say(f"events.rules.from_{rule.window_from}")
    return say("events.rules.window", hours=f"{rule.window.total_seconds() / 3600:g}", origin=origin)
