"""What does conversion mean? One small event log, and which of its entities count under one rule or another."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.events import EventCount, Journeys, Rule, count_events, journeys
from funnelkit.explore.base import Explorable, Input, Judgement, State, in_both, module

STEPS, CALL, CANCEL = ("visit", "quote", "purchase"), "call", "cancel"
EVENTS = dict(zip("VQOTX", (*STEPS, CALL, CANCEL), strict=True))
LOG = (
    "V1 Q3 O6", "V2 T3 Q5 O9", "V1 V20 Q22 O25", "V3 Q8 O30", "Q2 V5 O9", "V4 T5 O10", "V2 Q9 O16", "V5 Q7 X8 O10",
    "V6 Q8 O11 X15", "V3 Q12", "V1 Q2 V14 Q16 O19", "O3 V6 Q9 O12",
)  # fmt: skip
FIRST, LONGEST = pd.Timestamp("2026-01-01"), 40  # days
END = FIRST + pd.Timedelta(days=130)  # every window is over by then
CHOICES = {
    "order": {"ordered": "ordered", "strict": "strict", "any": "any"},
    "since": {"none": "since_none", "first": "since_first", "previous": "since_previous"},
    "reentry": {"first": "reentry_first", "latest": "reentry_latest"},
    "exclusion": {"ignore": "ignore", "keep": "keep", "person": "person"},
}
GUESSES = {"": "guess_none", "same": "guess_same", "two": "guess_two", "more": "guess_more"}
# What each system's funnel counts by default, as far as this log can show it; a test holds it against `fk.preset`.
SYSTEMS: dict[str, State] = {
    "hubspot_all": {"order": "ordered", "since": "none", "reentry": "first", "exclusion": "ignore"},
    "posthog": {"order": "ordered", "since": "first", "window": 14.0, "reentry": "first", "exclusion": "ignore"},
    "mixpanel": {"order": "ordered", "since": "first", "window": 7.0, "reentry": "first", "exclusion": "keep"},
    "amplitude": {"order": "ordered", "since": "none", "reentry": "latest", "exclusion": "keep"},
    "clickhouse_strict_order": {"order": "strict", "since": "none", "reentry": "first", "exclusion": "ignore"},
}
NAMES = ("HubSpot", "PostHog", "Mixpanel", "Amplitude", "ClickHouse strict_order")
GOAL, WITHIN = 7, 14


class ConversionRules(Explorable):
    """Which deals count as converted? Order, window, restart and cancellation over `count_events`.

    Parameters
    ----------
    log : DataFrame, optional
        Columns deal_id, stage (visit, quote, purchase, call, cancel) and day (whole, from 0), no two events of a deal
        on the same day. A dozen deals without it.

    Attributes
    ----------
    state : dict
        {"order", "since" (where the window begins: none, first, previous), "window" (days), "reentry", "exclusion",
        "guess"}.
    rule : Rule
    result : EventCount
        What `count_events` finds under the rule.
    followed : Journeys
        What `journeys` finds, deal by deal.
    challenge : Judgement

    Examples
    --------
    >>> panel = ConversionRules()
    >>> panel.state = {"since": "none"}
    >>> panel.table["n_entered"].tolist()
    [12, 10, 9]
    """

    name = "conversion_rules"
    _esm = module("conversion_rules")

    def __init__(self, log: Any = None) -> None:
        self._log = _example() if log is None else pd.DataFrame(log)
        baseline = {"order": "ordered", "since": "first", "window": 7.0, "reentry": "first", "exclusion": "ignore"}
        names = {event: in_both(self.said(event)) for event in EVENTS.values()}
        deals: dict[str, list[list[Any]]] = {}
        for deal, stage, day in self._log[["deal_id", "stage", "day"]].itertuples(index=False):
            deals.setdefault(str(deal), []).append([int(day), str(stage)])
        spec = {
            "steps": list(STEPS), "cancel": CANCEL, "names": names, "longest": LONGEST,
            "deals": [{"id": name, "events": sorted(events)} for name, events in deals.items()],
            "systems": [{"name": name, "state": state} for name, state in zip(NAMES, SYSTEMS.values(), strict=True)],
            "presets": self.presets({
                "preset_base": {}, "preset_none": {"since": "none"},
                "preset_strict": {"order": "strict", "since": "none"}, "preset_any": {"order": "any", "window": 14.0},
            }),
        }  # fmt: skip
        if log is None:
            spec["challenge"] = self.goal({"n": GOAL, "window": WITHIN}, n=GOAL, window=WITHIN)
        controls = [
            Input("order", self.said("order"), options=self.options(CHOICES["order"])),
            Input("since", self.said("since"), options=self.options(CHOICES["since"])),
            Input("window", self.said("window"), 1, LONGEST, 1, whole=True),
            Input("reentry", self.said("reentry"), options=self.options(CHOICES["reentry"])),
            Input("exclusion", self.said("exclusion"), options=self.options(CHOICES["exclusion"])),
            Input("guess", self.said("guess"), place="guess", options=self.options(GUESSES)),
        ]
        super().__init__(spec, controls, {**baseline, "guess": ""})

    @property
    def rule(self) -> Rule:
        """Return the rule that the card is at. Steps in any order have no step before: their window has one start."""
        return Rule(**_fields(self.state))

    @property
    def _events(self) -> pd.DataFrame:
        times = FIRST + pd.to_timedelta(self._log["day"], unit="D")
        return self._log[["deal_id", "stage"]].assign(entered_at=times)

    @property
    def result(self) -> EventCount:
        """Return what `count_events` finds under the rule."""
        return count_events(self._events, STEPS, self.rule, as_of=END)

    def twin(self) -> dict[str, str]:
        """Return the card as HTML and text for places without scripts, its steps in the card's words."""
        words = {step: in_both(self.said(step))[self.lang] for step in STEPS}
        events = self._events.replace({"stage": words})
        return self.still(count_events(events, list(words.values()), self.rule, as_of=END))

    @property
    def followed(self) -> Journeys:
        """Return what `journeys` finds under the rule."""
        return journeys(self._events, STEPS, self.rule, as_of=END)

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        state = self.state
        if not self.moved():
            return Judgement("start")
        limited = state["since"] != "none" and state["window"] <= WITHIN
        if not limited or state["order"] != "ordered" or state["exclusion"] == "ignore":
            return Judgement("outside")
        return Judgement("done" if self.table["n_entered"].iloc[-1] >= GOAL else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        fields = ", ".join(f"{name}={value!r}" for name, value in _fields(self.state).items())
        log = self._log.to_dict("list")
        return (
            "import pandas as pd\n\nimport funnelkit as fk\n\n"
            f'days = pd.to_timedelta({log["day"]!r}, unit="D")\n'
            f'log = pd.DataFrame({{"deal_id": {log["deal_id"]!r},\n    "stage": {log["stage"]!r},\n'
            f'    "entered_at": pd.Timestamp("{FIRST:%Y-%m-%d}") + days}})\nrule = fk.Rule({fields})\n'
            f'fk.count_events(log, {list(STEPS)!r}, rule, as_of="{END:%Y-%m-%d}")\n'
        )


def _fields(state: State) -> dict[str, Any]:
    """Return the fields of the Rule that a state of the card stands for."""
    found: dict[str, Any] = {"order": state["order"], "reentry": state["reentry"]}
    if state["since"] != "none":
        found["window"] = f"{state['window']:g}d"
        found["window_from"] = "first" if state["order"] == "any" else state["since"]
    if state["exclusion"] != "ignore":
        found |= {"exclude": CANCEL, "exclusion": state["exclusion"]}
    return found


def _example() -> pd.DataFrame:
    rows = [
        (f"D{at:02d}", EVENTS[event[0]], int(event[1:])) for at, line in enumerate(LOG, 1) for event in line.split()
    ]
    return pd.DataFrame(rows, columns=["deal_id", "stage", "day"])
