"""Semantics lab: the same log under every preset, and in a sentence each why the numbers differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from funnelkit.events.count import count_events
from funnelkit.events.log import LogColumns
from funnelkit.events.rule import PRESETS, Rule, Window, duration, preset
from funnelkit.events.search import Later, step_names
from funnelkit.events.tally import held_to_bounds
from funnelkit.language import both, named, number, paragraph, quoted, say
from funnelkit.result import Result
from funnelkit.stats import leaders, rate_columns

_Rules: TypeAlias = Mapping[str, Rule]
_Means: TypeAlias = Mapping[str, Callable[[], str]]
UNTIMED = ("hubspot_all", "hubspot_any", "bitrix24")  # these systems know no window


def compare_rules(
    log: Any,
    steps: Iterable[object],
    *,
    columns: LogColumns | Mapping[str, str] | None = None,
    window: Window = None,
    exclude: Sequence[str] = (),
    as_of: Any = None,
    rules: Sequence[str] | Mapping[str, Rule | str] | None = None,
) -> Result:
    """Count the same log under every preset: what each system would show, and why.

    Parameters
    ----------
    log, steps, columns, as_of : as of `count_events`
    window : str or Timedelta, instead of that of each preset whose system has one; default the vendor's own
    exclude : list of str, events that exclude, in each system's way
    rules : list of str, names of presets, default all; or dict of name to a Rule of one's own or a preset's name

    Returns
    -------
    Result
        Table, one row a rule: rule, window, one column for each step (how many reached it); the rate from the first
        step to the last as in `count_events`: k, n, rate, low, high, n_open, floor, ceiling, basis, horizon_days;
        reading (what the rule means and how its last step compares with the first row's).

    Raises
    ------
    DataError, RuleError : for a log that cannot be read or lacks a column; for a preset or window that there is not

    Examples
    --------
    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "C"], "entered_at": ["2026-01-01", "2026-01-02"]})
    >>> compare_rules(log, ["A", "B", "C"], rules=["default", "bitrix24"]).table[["rule", "A", "B", "C"]]
           rule  A  B  C
    0   default  1  0  0
    1  bitrix24  1  1  1
    """
    return _compare_rules(log, step_names(steps), _asked(rules, window, exclude), columns=columns, as_of=as_of)


def _asked(
    rules: Sequence[str] | Mapping[str, Rule | str] | None, window: Window, exclude: Sequence[str]
) -> tuple[_Rules, _Means]:
    """Return {name: Rule} and {name: what says it}; a Rule of one's own stays as it is and says itself."""
    own = isinstance(rules, Mapping)
    given: Mapping[str, Rule | str] = rules if isinstance(rules, Mapping) else {name: name for name in rules or PRESETS}
    chosen = {
        name: rule if isinstance(rule, Rule) else preset(rule, None if rule in UNTIMED else window, tuple(exclude))
        for name, rule in given.items()
    }
    told = {name: partial(_sentences, rule) if own else partial(say, f"events.rules.{name}")
            for name, rule in chosen.items()}  # fmt: skip
    return chosen, told


def _compare_rules(log: Any, steps: tuple[str, ...], asked: tuple[_Rules, _Means], **options: Any) -> Result:
    counts = {name: count_events(log, steps, rule, **options).table for name, rule in asked[0].items()}
    return _compared(steps, asked, counts)


def _compared(steps: Sequence[str], asked: tuple[_Rules, _Means], counts: Mapping[str, pd.DataFrame]) -> Result:
    names = [f"{step} ({place})" if steps.count(step) > 1 else step for place, step in enumerate(steps, 1)]
    first, base = next((name, int(table["n_entered"].iloc[-1])) for name, table in counts.items())
    chosen, means = asked
    rows = [
        {"rule": name, **_row(rule, (counts[name], names, None if name == first else base), means[name])}
        for name, rule in chosen.items()
    ]
    table = pd.DataFrame(rows)
    last = table[names[-1]]
    least, most = (table["rule"].iloc[leaders(last, least=least)].tolist() for least in (True, False))
    values = {"last": names[-1], "least": Later(number, last.min()), "least_rule": both(partial(_told, least))}
    values |= {"most": Later(number, last.max()), "most_rule": both(partial(_told, most)), "n": len(table)}
    key = "events.rules.same_answer" if last.min() == last.max() else "events.rules.answers"
    shown = partial(_for_people, names)
    return Result(table, key, values, picture="rules_chart", shown=shown, names={"rate": "conversion_rate"})


def _told(rules: list[str]) -> str:
    """Return the names of rules, all of them in quotes: one may stand in a sentence with several."""
    return named(rules) if len(rules) > 1 else str(quoted(rules))


def _for_people(steps: Sequence[str], table: pd.DataFrame) -> pd.DataFrame:
    words = table["basis"].map(lambda basis: say(f"events.basis.{basis}"))
    shown = ["rule", "window", *steps, "k", "n", "rate", "low", "high", "basis", "n_open", "reading"]
    return table.assign(basis=words)[shown]


def _row(rule: Rule, counted: tuple[pd.DataFrame, list[str], int | None], means: Callable[[], str]) -> dict[str, Any]:
    """Return what one rule makes of the log."""
    table, names, base = counted
    entered = dict(zip(names, table["n_entered"].tolist(), strict=True))
    reading = both(partial(_reading, means, (entered[names[-1]], base, names[-1])))
    return {"window": both(partial(_window, rule)), **entered, **_overall(table, rule), "reading": reading}


def _overall(table: pd.DataFrame, rule: Rule) -> dict[str, Any]:
    """Return the rate row from the first step to the last; empty where later steps do not follow from earlier ones."""
    first, last = table.iloc[0], table.iloc[-1]
    ends = table[~table["is_optional"]] if "is_optional" in table else table  # who is open at those is so before them
    n_open = int(ends["n_open"].sum()) if rule.skip == "drop" else int(first["n_open"])
    found = rate_columns(0, max(0, int(first["n_entered"]) - n_open), n_open, "matured", first["horizon_days"])
    row = {name: values.item() for name, values in found.items()} | {"basis": first["basis"]}
    whole = float(first["n_entered"]) or np.nan
    row |= {"k": int(last["n"]), "n": int(first["n"])}
    row |= {"floor": last["n_entered"] / whole, "ceiling": (last["n_entered"] + n_open) / whole}
    row |= {name: last[f"{name}_of_first"] for name in ("rate", "low", "high")}
    unknown = dict.fromkeys(("rate", "low", "high", "floor", "ceiling"), float("nan")) | {"basis": "unknown"}
    held = {name: np.asarray(value).item() for name, value in held_to_bounds(row).items()}
    return held if rule.skip == "drop" else row | unknown


def _sentences(rule: Rule) -> str:
    return paragraph(rule.sentences())


def _reading(means: Callable[[], str], found: tuple[int, int | None, str]) -> str:
    """Return what the rule means and how its last step compares with the first row's, which has no base."""
    last, base, step = found
    more = None if base is None else last - base
    way = "alone" if more is None else "same" if not more else "more" if more > 0 else "fewer"
    difference = say(f"events.rules.{way}", step=step, n=last, by=abs(more or 0))
    return paragraph((means(), difference))


def _window(rule: Rule) -> str:
    if rule.window is None:
        return say("events.rules.no_window")
    origin = say(f"events.rules.from_{rule.window_from}")
    windows = rule.window if isinstance(rule.window, tuple) else (rule.window,)
    return say("events.rules.window", time=say("result.between").join(map(duration, windows)), origin=origin)
