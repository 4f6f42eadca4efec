"""Rule: what a conversion means. Every system answers differently; here the meaning is an object with a name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import pandas as pd

from funnelkit.language import RuleError, bullets, nearest, say

Window: TypeAlias = "str | pd.Timedelta | list[Any] | tuple[Any, ...] | None"

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
_LENGTHS = (("days", 86_400), ("hours", 3_600), ("minutes", 60))
_NO_WINDOW = ("none", "")
_FAR_US = 1 << 61  # a window that no log outlasts


@dataclass(frozen=True, repr=False)
class Rule:
    """The meaning of a conversion from one step to the next. In a notebook it says itself in sentences.

    Attributes
    ----------
    order : {"ordered", "strict", "any"}
        Other events may lie between the steps, may not, or the steps come in any order. Strict is ClickHouse's
        strict_order: an event that is no step, or a step before its time, ends the search; repeats of steps already
        reached do not.
    window : str, Timedelta or tuple of these, optional
        The longest time from the first (or `window_from="previous"`) step, end included, such as "30d"; None is
        unlimited. From the previous step it may be a tuple, one for each transition.
    window_from : {"first", "previous"}
    gap : str or Timedelta, optional
        The shortest time from one step to the next, such as "1h": an event that comes sooner is passed over, and a
        later one of the same step may still count. Ties do not matter then.
    reentry : {"first", "latest"}
        A chain starts at the entity's first step-1 event only, or at the latest that helps. Under strict order step 1
        always restarts, and `latest` also passes over steps that come too early (ClickHouse's allow_reentry).
    ties : {"progress", "strict", "grace"}
        Events at the same instant count as progress in step order, do not, or are interchangeable within `grace_s`
        seconds.
    grace_s : float
    skip : {"drop", "touch", "backfill"}
        A step left out ends the chain, every step counts for itself, or the steps before the furthest are filled in
        (not for an entity with an excluded event, such as a lost deal).
    exclude : str or tuple of str
        Events that remove the person who has one between the chain's first and last step (until the window's end if
        it did not convert), or end the chain but keep its steps. At the same instant an excluded event comes after
        the steps.
    exclusion : {"person", "keep"}
    lost : str or tuple of str
        Events that end an entity as a loss: it keeps the steps before, and is lost and no longer open from then on.
    void : str or tuple of str
        Events of entities that are neither won nor lost, such as test orders: these are not counted at all.
    hold : str or tuple of str, optional
        Columns whose values must stay the same in the whole chain.
    optional : str or tuple of str
        Steps that may be left out, not the first or the last. The chain is that of the other steps, and windows and
        gap hold between those; an optional step counts where an event of it lies between the steps around it, and
        each for itself where several do. Where the next step has not come, the event must lie within the window.
    attribute : {"first", "last", "step"}
        A breakdown uses the value at the chain's first event, at its last, or at each step's own event.
    deduplicate : bool
        A repeat of a step already reached, other than step 1, ends the search (strict_deduplication).
    once : bool
        An event counts for one step only where several steps have the same name (strict_once).

    Raises
    ------
    RuleError
        For a value that a field cannot have, and for fields that contradict each other.

    Examples
    --------
    >>> Rule(window="30d").window
    Timedelta('30 days 00:00:00')
    """

    order: str = "ordered"
    window: Any = None
    window_from: str = "first"
    reentry: str = "first"
    ties: str = "progress"
    grace_s: float = 0
    skip: str = "drop"
    exclude: tuple[str, ...] = ()
    exclusion: str = "person"
    lost: tuple[str, ...] = ()
    void: tuple[str, ...] = ()
    hold: str | tuple[str, ...] | None = None
    attribute: str = "first"
    deduplicate: bool = False
    once: bool = True
    gap: Any = None
    optional: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise RuleError("bad_rule", field=field, value=repr(getattr(self, field)), choices=", ".join(choices))
        object.__setattr__(self, "window", parse_window(self.window))
        object.__setattr__(self, "gap", parse_window(self.gap))
        if isinstance(self.gap, tuple):
            raise RuleError("bad_window", value=repr(self.gap))
        for field in ("exclude", "lost", "void", "optional"):
            given = getattr(self, field)
            names = (given,) if isinstance(given, str) else given
            object.__setattr__(self, field, tuple(str(name) for name in names))
        for one, other, contradicts in _contradictions(self):
            if contradicts:
                shown = [f"{field}={_spelled(getattr(self, field))}" for field in (one, other)]
                raise RuleError("rule_contradiction", one=shown[0], other=shown[1])

    @property
    def held(self) -> tuple[str, ...]:
        """Return the held columns as a tuple."""
        return () if self.hold is None else (self.hold,) if isinstance(self.hold, str) else tuple(self.hold)

    def windows_us(self, transitions: int) -> tuple[int, ...] | None:
        """Return the longest time of each transition in microseconds, None where there is no window."""
        if self.window is None:
            # Losses are known without a window too: until then everybody stays open.
            return (_FAR_US,) * transitions if self.lost else None
        windows = self.window if isinstance(self.window, tuple) else (self.window,) * transitions
        if len(windows) != transitions:
            raise RuleError("window_count", given=len(windows), needed=transitions)
        return tuple(window // pd.Timedelta(microseconds=1) for window in windows)

    def transitions(self, steps: Sequence[str]) -> int:
        """Return how many steps lead on to another: those that are not optional, but for the last."""
        return sum(step not in self.optional for step in steps) - 1

    @property
    def ends(self) -> bool:
        """Return whether anything tells that an entity comes no further: a window, or events that end it as lost."""
        return self.window is not None or bool(self.lost)

    def whole_us(self, transitions: int) -> int | None:
        """Return the time from the beginning after which no window can run (microseconds), None without a window."""
        windows = None if self.window is None else self.windows_us(transitions)
        return None if windows is None else sum(windows) if self.window_from == "previous" else windows[0]

    def searched(self) -> Rule:
        """Return the rule as the search applies it: what ends an entity as lost ends its chain and keeps its steps."""
        return replace(self, exclude=(*self.exclude, *self.lost), exclusion="keep") if self.lost else self

    def sentences(self) -> list[str]:
        """Return what the rule means, sentence by sentence, in the language in force."""
        order = self.order if self.skip == "drop" else self.skip
        said = [say(f"events.rule.order_{order}"), self._window()]
        said += [say(f"events.rule.reentry_{self.reentry}")] if self.skip == "drop" and self.order != "any" else []
        said += [say(f"events.rule.ties_{self.ties}", seconds=f"{self.grace_s:g}")] if self.order != "any" else []
        between = say("result.between")
        said += [say("events.rule.gap", time=duration(self.gap))] if self.gap is not None else []
        if self.exclude:
            said.append(say(f"events.rule.exclusion_{self.exclusion}", names=between.join(self.exclude)))
        named = {"lost": self.lost, "void": self.void}
        said += [say(f"events.rule.{key}", names=between.join(names)) for key, names in named.items() if names]
        if self.held:
            said.append(say("events.rule.hold", columns=between.join(self.held)))
        said += [say("events.rule.optional", names=between.join(self.optional))] if self.optional else []
        flags = {"attribute_last": self.attribute == "last", "attribute_step": self.attribute == "step"}
        flags |= {"deduplicate": self.deduplicate, "not_once": not self.once}
        return said + [say(f"events.rule.{key}") for key, on in flags.items() if on]

    def _window(self) -> str:
        if self.window is None:
            return say("events.rule.no_window")
        windows = self.window if isinstance(self.window, tuple) else (self.window,)
        times = say("result.between").join(map(duration, windows))
        return say(f"events.rule.window_{self.window_from}", time=times)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": bullets(self.sentences()).html, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return "\n".join(self.sentences())


def duration(time: pd.Timedelta) -> str:
    """Return a length of time in the largest unit that it fills."""
    seconds = time.total_seconds()
    unit, size = next((pair for pair in _LENGTHS if seconds >= pair[1]), ("seconds", 1))
    return say(f"events.rule.{unit}", n=f"{seconds / size:g}")


def _spelled(value: Any) -> str:
    """Return a field's value as a rule is written; a time in words."""
    times = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(time, pd.Timedelta) for time in times) or not times:
        return repr(value)
    return repr(say("result.between").join(map(duration, times)))


def _contradictions(rule: Rule) -> tuple[tuple[str, str, bool], ...]:
    """Return (field, field, whether they contradict each other): combinations that no meaning can be given to."""
    free = rule.order == "any" or rule.skip != "drop"
    machine = rule.order == "strict" or rule.deduplicate
    return (
        ("window", "window_from", isinstance(rule.window, tuple) and rule.window_from != "previous"),
        ("ties", "grace_s", (rule.ties == "grace") != (rule.grace_s > 0)),
        ("order", "window_from", rule.order == "any" and rule.window_from == "previous"),
        ("skip", "window_from", rule.skip == "backfill" and rule.window_from == "previous"),
        ("skip", "window", _follows(rule) and rule.window is not None and rule.window_from == "first"),
        ("skip", "reentry", rule.skip != "drop" and rule.reentry == "latest"),
        ("skip", "order", rule.skip != "drop" and rule.order == "strict"),
        ("skip" if rule.skip != "drop" else "order", "hold", free and rule.hold is not None),
        ("skip" if rule.skip != "drop" else "order", "deduplicate", free and rule.deduplicate),
        ("skip" if rule.skip != "drop" else "order", "ties", free and not _follows(rule) and rule.ties == "grace"),
        ("exclusion", "lost", bool(rule.exclude and rule.lost) and rule.exclusion == "person"),
        ("gap", "skip" if rule.skip != "drop" else "order", rule.gap is not None and (free or rule.order == "strict")),
        ("gap", "deduplicate", rule.gap is not None and rule.deduplicate),
        ("gap", "ties", rule.gap is not None and rule.ties == "grace"),
        ("optional", "skip" if rule.skip != "drop" else "order", bool(rule.optional) and (free or machine)),
        ("order", "ties", rule.order == "strict" and rule.ties == "grace"),
        ("deduplicate", "ties", rule.deduplicate and rule.ties == "grace"),
        ("order", "hold", rule.order == "strict" and rule.hold is not None),
        ("deduplicate" if rule.deduplicate else "order", "attribute", machine and rule.attribute == "step"),
    )


def _follows(rule: Rule) -> bool:
    """Return whether each step counts for itself and advances to the next step only (an open funnel)."""
    return rule.skip == "touch" and rule.order == "ordered"


def parse_window(window: Window) -> Any:
    """Return a Timedelta from one, from text such as 30d, 12h, 90m, 45s, 2w, or None; of a list or "7d,14d" a tuple.

    >>> parse_window("36h")
    Timedelta('1 days 12:00:00')
    >>> len(parse_window("7d,14d"))
    2
    """
    if isinstance(window, str) and "," in window:
        window = window.split(",")
    if isinstance(window, (list, tuple)):
        return tuple(parse_window(part) for part in window)
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


# Each preset gives the number that the named system shows for uniques. Where sources contradict each other, or are
# silent, the comment says what is followed; the table of texts/events.toml says the same to the reader.
PRESETS = {
    # The kit's own: others may lie between, no window, the first step 1, one event for one step.
    "default": Rule(),
    # Window of 14 days is PostHog's default. Ties are not documented: progress, as its queries ask for >=.
    "posthog": Rule(window=pd.Timedelta(days=14)),
    # 7 days from the first step 1 is Mixpanel's default; "optimised re-entry" is replace(rule, reentry="latest").
    "mixpanel": Rule(window=pd.Timedelta(days=7), ties="grace", grace_s=2, exclusion="keep"),
    # "Earliest-longest path": the depth of the best start. Within 1 s either order; its rounding of times to whole
    # seconds is left out, for it would make 1.9 s equal to 1 s or not by the clock.
    "amplitude": Rule(reentry="latest", ties="grace", grace_s=1, exclusion="keep"),
    # windowFunnel: t1 <= ... <= tN <= t1 + W, any step 1; a row that meets several conditions counts for each.
    "clickhouse": Rule(reentry="latest", once=False),
    "clickhouse_strict_order": Rule(order="strict", once=False),
    "clickhouse_strict_order_reentry": Rule(order="strict", reentry="latest", once=False),
    # g7: the documentation of StarRocks and Doris gives 3 for A, B, C, B, D, ClickHouse gave 2 until its fix of March
    # 2026 (ClickHouse pull request 99003 for issue 37177); since then all agree on 3, and 3 is followed here.
    "clickhouse_strict_deduplication": Rule(reentry="latest", deduplicate=True, once=False),
    # g11: ClickHouse keeps only the latest event of a step and so misses an earlier one that strictly increases
    # (issues 52844 and 93789, open): 1 there, 2 here, as documented.
    "clickhouse_strict_increase": Rule(reentry="latest", ties="strict", once=False),
    # The time limit runs from the previous step. Re-entry is not documented: the latest start that fits.
    "ga4_closed": Rule(window_from="previous", reentry="latest"),
    "ga4_open": Rule(skip="touch", window_from="previous"),
    # "All stages": whoever skips a stage drops out there.
    "hubspot_all": Rule(),
    # "Any stages": whoever touched the stage, whenever; a later stage may show more than an earlier one.
    "hubspot_any": Rule(order="any", skip="touch"),
    # Skipped stages are filled in up to the furthest. Not for lost deals: name the lost event in `exclude`.
    "bitrix24": Rule(order="any", skip="backfill", exclusion="keep"),
}


def preset(name: str, window: Window = None, exclude: str | tuple[str, ...] = ()) -> Rule:
    """Return the rule that gives another system's numbers.

    Parameters
    ----------
    name : str
        One of `PRESETS`, such as "mixpanel"; "default" is the kit's own.
    window : str or Timedelta, optional
        A window of one's own; "none" removes the system's. Several, one for each transition, such as "7d,2d", run
        from the previous step.
    exclude : tuple of str
        Events that exclude, in the system's way.

    Returns
    -------
    Rule

    Raises
    ------
    RuleError
        For another name, with the nearest, and for a window that is none.

    Examples
    --------
    >>> preset("mixpanel").window, preset("mixpanel", "none").window
    (Timedelta('7 days 00:00:00'), None)
    """
    if name not in PRESETS:
        raise RuleError("no_such_rule", name=name, known=nearest(name, PRESETS))
    rule = PRESETS[name]
    if window is not None:
        own = None if str(window).strip().lower() in _NO_WINDOW else parse_window(window)
        rule = replace(rule, window=own, window_from="previous" if isinstance(own, tuple) else rule.window_from)
    return replace(rule, exclude=exclude) if exclude else rule  # type: ignore[arg-type]  # one name may be given bare


def as_rule(rule: Rule | str | None) -> Rule:
    """Return the Rule: itself, a preset of this name, or the default.

    >>> as_rule("hubspot_any").skip
    'touch'
    """
    if rule is None:
        return PRESETS["default"]
    return rule if isinstance(rule, Rule) else preset(str(rule))


def refuse_unsupported(rule: Rule, engine: str, supported: Mapping[str, Collection[Any]]) -> None:
    """Refuse, before anything runs, a rule whose fields go beyond what `engine` counts.

    `supported` maps a field to the values it may have; fields not named must keep their default.
    """
    for field in fields(Rule):
        value = getattr(rule, field.name)
        single = field.name == "window" and not isinstance(value, tuple)
        if single or value in supported.get(field.name, (field.default,)):
            continue
        raise RuleError("rule_unsupported", engine=engine, field=field.name, value=repr(value))
