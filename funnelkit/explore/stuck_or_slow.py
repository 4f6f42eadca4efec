"""Is this deal stuck or only slow? Its age against the stays of its stage, beside the other open deals."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis import find_spells, stuck_deals
from funnelkit.explore.base import Explorable, Input, Judgement, State, module, rounded
from funnelkit.explore.draws import uniform
from funnelkit.models import custom
from funnelkit.pipeline import Pipeline
from funnelkit.reading import read
from funnelkit.result import Result
from funnelkit.stats import fit, stay_chance, usual_days

FIRST, TODAY, LEARNT = pd.Timestamp("2024-06-01"), 600, 400  # days: what is usual is learnt before our deal began
DEALS, LONGEST, USUAL = 240, 200, 20
STAGES = {"steady": (300, 0.22), "scattered": (310, 0.5)}  # where its draws begin, how much stays differ
NAMES = {stage: stage for stage in STAGES}
GUESSES = {"": "guess_none", "stuck": "guess_stuck", "slow": "guess_slow"}
OURS, LATE, SOON_DAYS, FALSE_SHARE = "ours", 0.1, 14, 0.05
STAGE, WON = "quote", "won"


class StuckOrSlow(Explorable):
    """Is an open deal stuck, or only slow? A slider of its age over `stuck_deals`, in two stages of made deals.

    Parameters
    ----------
    stage : {"steady", "scattered"}
        Where stays are alike, or where they differ widely; half have left after about 20 days in both.
    age : int
        Days that our deal has been in the stage, 1 to 200.

    Attributes
    ----------
    state : dict
        {"stage", "age", "false_share" (of those named stuck that may be named wrongly), "guess"}.
    pipeline : Pipeline
    result : Result
        What `stuck_deals` finds; our deal is called "ours".
    challenge : Judgement

    Examples
    --------
    >>> StuckOrSlow(age=60).table.set_index("deal_id").at["ours", "state"]
    'stuck'
    """

    name = "stuck_or_slow"
    _esm = module("stuck_or_slow")

    def __init__(self, stage: str = "steady", age: int = 40) -> None:
        baseline = {"stage": stage, "age": float(age), "false_share": FALSE_SHARE}
        spec = {
            "stages": {name: _taught(name) for name in STAGES}, "soon": SOON_DAYS, "ours": OURS,
            "presets": self.presets({
                "preset_base": {}, "preset_older": {"stage": "steady", "age": 65.0},
                "preset_other": {"stage": "scattered", "age": 65.0},
                "preset_bold": {"stage": "scattered", "age": 150.0, "false_share": 0.3},
            }),
            "challenge": self.goal({"stage": "steady", "false_share": FALSE_SHARE}),
        }  # fmt: skip
        controls = [
            Input("age", self.said("age"), 1, LONGEST, 1, whole=True),
            Input("stage", self.said("stage"), options=self.options(NAMES)),
            Input("false_share", self.said("false_share"), 0.01, 0.5, kind="percent"),
            Input("guess", self.said("guess"), place="guess", options=self.options(GUESSES)),
        ]
        super().__init__(spec, controls, {**baseline, "guess": ""})

    @property
    def pipeline(self) -> Pipeline:
        """Return the deals of the stage, with ours at its age."""
        return _pipeline(self.state["stage"], self.state["age"])

    @property
    def result(self) -> Result:
        """Return what `stuck_deals` finds, with the usual stay learnt from what was known 200 days ago."""
        return _found(self.state["stage"], self.state["age"], self.state["false_share"])

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        state, rule = self.state, self.spec["challenge"]["rule"]
        if not self.moved():
            return Judgement("start")
        if any(state[name] != rule[name] for name in rule):
            return Judgement("outside")
        if not _is_stuck(state):
            return Judgement("not_yet")
        return Judgement("outside" if state["age"] > 1 and _is_stuck({**state, "age": state["age"] - 1}) else "done")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        stage, age, share = (self.state[name] for name in ("stage", "age", "false_share"))
        return (
            "import funnelkit as fk\nfrom funnelkit.explore import stage_deals\n\n"
            f'deals, events = stage_deals("{stage}", {age!r})\n'
            f'model = fk.custom({[STAGE, WON]!r}, won_stage="{WON}")\n'
            f'pipeline = fk.read(deals, events, model=model, as_of="{_day(TODAY):%Y-%m-%d}")\n'
            f'fk.stuck_deals(pipeline, since="{_day(LEARNT):%Y-%m-%d}", false_share={share!r})\n'
        )


def stage_deals(stage: str, age: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the made deals of the card `StuckOrSlow`, as an export holds them.

    Parameters
    ----------
    stage : {"steady", "scattered"}
        Where stays are alike, or where they differ widely.
    age : int
        Days that the deal "ours" has been in the stage.

    Returns
    -------
    tuple of DataFrame
        Deals (deal_id, created, closed, status) and events (deal_id, stage, entered_at).

    Notes
    -----
    A deal every two and a half days for 600 days; log-logistic stays with a median of 20 days. Half are won.

    Examples
    --------
    >>> deals, events = stage_deals("steady", 40)
    >>> len(deals), int(deals["status"].eq("open").sum())
    (241, 9)
    """
    first, spread = STAGES[stage]
    stay, luck = (uniform(np.arange(DEALS) + place * DEALS) for place in (first, first + 1))
    days = np.maximum(1, np.rint(USUAL * (stay / (1 - stay)) ** spread)).astype(int)
    start = np.append(np.arange(DEALS) * TODAY // DEALS, TODAY - round(age))
    end, won = np.append(start[:-1] + days, TODAY + 1), np.append(luck < 0.5, False)
    closed = end <= TODAY
    status = np.where(closed, np.where(won, "won", "lost"), "open")
    deals = pd.DataFrame({"deal_id": [*(f"D{at + 1:03d}" for at in range(DEALS)), OURS]})
    deals = deals.assign(created=_day(start), closed=pd.Series(_day(end)).where(closed), status=status)
    entered = deals.assign(stage=STAGE, entered_at=deals["created"])
    reached = deals[closed & won].assign(stage=WON, entered_at=lambda rows: rows["closed"])
    return deals, pd.concat([entered, reached])[["deal_id", "stage", "entered_at"]]


def _day(days: Any) -> Any:
    return FIRST + pd.to_timedelta(days, unit="D")


@lru_cache(maxsize=64)
def _pipeline(stage: str, age: float) -> Pipeline:
    deals, events = stage_deals(stage, age)
    return read(deals, events, model=custom([STAGE, WON], won_stage=WON), as_of=_day(TODAY))


@lru_cache(maxsize=64)
def _found(stage: str, age: float, false_share: float) -> Result:
    return stuck_deals(_pipeline(stage, age), since=_day(LEARNT), false_share=false_share)


def _is_stuck(state: State) -> bool:
    table = _found(state["stage"], state["age"], state["false_share"]).table
    return bool((table.loc[table["deal_id"] == OURS, "state"] == "stuck").all())


@lru_cache
def _taught(stage: str) -> dict[str, Any]:
    """Return what the stage's past stays teach, as `stuck_deals` learns it, and the ages of all the other deals."""
    pipeline = _pipeline(stage, 1.0)
    known = find_spells(pipeline.at(_day(LEARNT))).table
    families = fit(known["days"], known["exit"] != "open", known["entry_days"])
    deals, _ = stage_deals(stage, 1)
    others = deals[deals["deal_id"] != OURS].assign(age=lambda rows: (_day(TODAY) - rows["created"]).dt.days)
    waiting = others[others["status"] == "open"]
    return {
        "stay": stay_chance(families, np.arange(TODAY + 1.0)).tolist(), "begun": others["age"].tolist(),
        "open": waiting["age"].tolist(), "ids": waiting["deal_id"].tolist(),
        "usual": rounded(usual_days(families, 0.5)), "late": round(usual_days(families, LATE)),
    }  # fmt: skip
