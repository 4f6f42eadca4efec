"""Is the win rate falling, or are the latest deals only young? Made deals, and the day on which one looks at them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis import Calendar, compare_cohorts, outcome_curves
from funnelkit.explore.base import Explorable, Input, Judgement, in_both, module
from funnelkit.explore.draws import uniform
from funnelkit.language import number, percent
from funnelkit.pipeline import Pipeline
from funnelkit.reading import read
from funnelkit.result import Result

FIRST = pd.Timestamp("2024-01-01")
DEALS, ENTRY_DAYS, MONTHS = 720, 730, 24
RATE, FALLEN, FALLEN_FROM = 0.3, 0.15, 366  # in "B" those that enter in the second year are won less often
QUARTER = (547, 638)  # July to September 2025, that of the challenge: its first and last day
WINDOW, WINDOWS = 90.0, range(30, 241)
TRUTHS = {"A": "truth_A", "B": "truth_B"}
SHOWN = {"all": "show_all", "ripe": "show_ripe"}
GUESSES = {"": "guess_none", "fell": "guess_fell", "same": "guess_same"}
STRETCH = (205, 206, 207)  # of the generator: here every quarter lies close to its true rate, so that age alone shows


class YoungCohorts(Explorable):
    """Is the win rate falling? Won so far, ripe deals only, and incidence, as the day of looking moves.

    Parameters
    ----------
    data : {"A", "B"}
        Which made deals: in one of them the true win rate never changes, in the other it really falls.
    day : int
        Days since 2024-01-01 on which one looks, 120 to 820.

    Attributes
    ----------
    state : dict
        {"data", "day", "window" (days until a deal is ripe), "show" ("all", "ripe"), "guess"}.
    result : Result
        What `compare_cohorts` finds in the quarters of entry on that day.
    months, parts : DataFrame
        Each month of entry, and the last three complete months beside all before: n, won, n_open, raw, k_ripe, n_ripe,
        ripe (won within the window, of those that old), incidence (within the window, open deals censored).
    challenge : Judgement

    Examples
    --------
    >>> panel = YoungCohorts()
    >>> panel.parts[["n", "n_ripe"]].values.tolist()
    [[91, 24], [540, 540]]
    """

    name = "young_cohorts"
    _esm = module("young_cohorts")

    def __init__(self, data: str = "A", *, day: int = 660) -> None:
        baseline = {"data": data, "day": float(day), "window": WINDOW, "show": "all", "guess": ""}
        edges = pd.date_range(FIRST, periods=MONTHS + 1, freq="MS")
        rule = {"quarter": list(QUARTER), "day": QUARTER[1] + WINDOW}
        truth = {"rate": percent(RATE, 0), "fallen": percent(FALLEN, 0)}
        spec = {
            "start": _starts().tolist(), "edges": [int((edge - FIRST).days) for edge in edges],
            "months": [f"{edge:%Y-%m}" for edge in edges[:-1]], "deals": {name: _listed(name) for name in "AB"},
            "truth": {name: in_both(self.said(key, **truth)) for name, key in TRUTHS.items()},
            "presets": self.presets({
                "preset_base": {}, "preset_later": {"day": 790.0}, "preset_other": {"data": "B"},
                "preset_other_later": {"data": "B", "day": 790.0},
            }),
            "challenge": self.goal(rule, window=number(WINDOW)),
        }  # fmt: skip
        sets = [(name, self.said("set", name=name)) for name in "AB"]
        controls = [
            Input("day", self.said("day"), 120, 820, 1, whole=True),
            Input("window", self.said("window"), WINDOWS[0], WINDOWS[-1], 10, whole=True),
            Input("data", self.said("data"), options=sets),
            Input("show", self.said("show"), options=self.options(SHOWN)),
            Input("guess", self.said("guess"), place="guess", options=self.options(GUESSES)),
        ]
        super().__init__(spec, controls, baseline)

    @property
    def pipeline(self) -> Pipeline:
        """Return the deals as an export of that day holds them."""
        return _on_day(self.state["data"], self.state["day"])[0]

    @property
    def result(self) -> Result:
        """Return what `compare_cohorts` finds in the quarters of entry on that day."""
        return compare_cohorts(self.pipeline, Calendar("quarter"))

    @property
    def months(self) -> pd.DataFrame:
        """Return the shares of each month of entry."""
        return self._shares("month")

    @property
    def parts(self) -> pd.DataFrame:
        """Return the shares of the last three complete months, and of all months before."""
        return self._shares("part").loc[["last", "before"]]

    def _shares(self, by: str) -> pd.DataFrame:
        pipeline, won_within = _on_day(self.state["data"], self.state["day"])
        deals, window = pipeline.deals, self.state["window"]
        age = (pipeline.as_of - deals["created_at"]).dt.days
        won = deals["status"] == "won"
        in_time = won & ((deals["closed_at"] - deals["created_at"]).dt.days <= window)
        told = pd.DataFrame({"n": 1, "won": won, "n_open": deals["status"] == "open", "n_ripe": age >= window})
        told = told.assign(k_ripe=in_time & (age >= window)).groupby(deals[by]).sum()
        told = told.assign(raw=told["won"] / told["n"], ripe=told["k_ripe"] / told["n_ripe"].where(told["n_ripe"] > 0))
        return told.assign(incidence=won_within[by].loc[window])

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        state, day = self.state, self.spec["challenge"]["rule"]["day"]
        if self.moved("window"):
            return Judgement("outside")
        if not self.moved("day"):
            return Judgement("start")
        return Judgement("not_yet" if state["day"] < day else "done" if state["day"] == day else "outside")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        state, day = self.state, FIRST + pd.Timedelta(days=self.state["day"])
        deals = f'fk.read(cohort_deals("{state["data"]}", {state["day"]!r}), as_of="{day:%Y-%m-%d}")'
        head = "import funnelkit as fk\nfrom funnelkit.explore import cohort_deals\n"
        return f'{head}\nfk.compare_cohorts({deals}, fk.Calendar("quarter"))\n'


def cohort_deals(data: str, day: float) -> pd.DataFrame:
    """Return the made deals of the card `YoungCohorts` as an export of one day holds them.

    Parameters
    ----------
    data : {"A", "B"}
        Which deals.
    day : int
        Days since 2024-01-01 on which the export is made.

    Returns
    -------
    DataFrame
        One row per deal that has begun: deal_id, created, closed, status (won, lost, open), month (of entry).

    Notes
    -----
    About one deal a day for two years. Wins take about 80 days, losses 55. In one set every deal is won with a
    probability of 30 %; in the other those of the second year with 15 %.

    Examples
    --------
    >>> cohort_deals("A", 120)["status"].value_counts().sort_index().to_dict()
    {'lost': 46, 'open': 62, 'won': 12}
    """
    start, (days, won) = _starts(), _listed(data)
    closed, there = start + np.array(days), start <= day
    table = pd.DataFrame({"deal_id": [f"D{at + 1:03d}" for at in range(DEALS)]})
    table["created"] = FIRST + pd.to_timedelta(start, unit="D")
    table["closed"] = (FIRST + pd.to_timedelta(pd.Series(closed), unit="D")).where(closed <= day)
    table["status"] = np.where(closed > day, "open", np.where(np.array(won) == 1, "won", "lost"))
    return table.assign(month=table["created"].dt.strftime("%Y-%m"))[there]


@lru_cache(maxsize=64)
def _on_day(data: str, day: float) -> tuple[Pipeline, dict[str, pd.DataFrame]]:
    """Return the export of a day, and by window the shares won in its months and its parts (younger, last, before)."""
    deals = cohort_deals(data, day)
    month = deals["created"].dt.year * 12 + deals["created"].dt.month
    today = FIRST + pd.Timedelta(days=day)
    ended = today + pd.Timedelta(days=1)
    complete = ended.year * 12 + ended.month - 1  # the last month whose every day has passed
    complete = min(complete, FIRST.year * 12 + MONTHS)  # later nothing begins
    part = np.where(month > complete, "younger", np.where(month > complete - 3, "last", "before"))
    pipeline = read(deals.assign(part=part), as_of=today)
    curves = {by: outcome_curves(pipeline, by).at(*WINDOWS) for by in ("month", "part")}
    return pipeline, {by: curve.pivot(index="days", columns=by, values="won") for by, curve in curves.items()}


def _starts() -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.arange(DEALS) * ENTRY_DAYS // DEALS


def _listed(data: str) -> list[list[int]]:
    """Return the days to the close of each deal, and whether it is won then."""
    one, two, three = (uniform(np.arange(DEALS) + place * DEALS) for place in STRETCH)
    fell = (data == "B") & (_starts() >= FALLEN_FROM)
    won = one < np.where(fell, FALLEN, RATE)
    slow, quick = -np.log(1 - two), -np.log(1 - three)
    days = np.where(won, 20 + 30 * (slow + quick), 10 + 45 * slow)
    return [np.rint(days).astype(int).tolist(), won.astype(int).tolist()]
