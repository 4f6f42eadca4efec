"""Hours by state of the open deals: where the next one earns most, and what the best plan would be."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.explore.base import Explorable, Input, Judgement, State, in_both, module, rounded, said
from funnelkit.language import Text, percent
from funnelkit.models import Funnel
from funnelkit.planning import allocate, unit_words
from funnelkit.result import Result, table_of

SHARE = 0.95  # of the best possible value that the challenge asks for
TRIES = ("try1", "try2", "try3")
COLUMNS = ("n_open", "n_valued", "value_open", "win_probability", "win_probability_after")


class Allocation(Explorable):
    """Where does the next hour earn most? A slider of hours for each state, within one budget, over `allocate`.

    Parameters
    ----------
    states : Result or DataFrame
        As `state_table` gives them, with a column `cost` (of moving one deal on).
    budget : float
        What there is to give, in `unit`.
    unit : str
        hours, money or a word of one's own.
    model : Funnel, optional
        Names the states of a table.
    currency : str, optional
        ISO code of the amounts.

    Attributes
    ----------
    state : dict
        {"budget", "hours0", ..., "cost0", ..., "try1", ...}, rows as in `states`; a try is the share of the best value
        that it reached, -1 before it.
    result, best
        What one's own plan wins, as `allocate` finds it, and the best plan.
    challenge : Judgement
    """

    name = "allocation"
    _esm = module("allocation")

    def __init__(
        self,
        states: Any,
        budget: float,
        unit: str = "hours",
        *,
        model: Funnel | None = None,
        currency: str | None = None,
    ) -> None:
        if isinstance(states, Result):
            model, currency = model or states.model, currency or states.currency
        table = table_of(states).reset_index(drop=True)
        allocate(table, budget, unit, model, currency)  # refuses what cannot be
        valued = table["n_valued"] if "n_valued" in table else table["n_open"]
        self._states, self._unit, self._model, self._currency = table.assign(n_valued=valued), unit, model, currency
        named = {state.id: state.name for state in model.states} if model is not None else {}
        lead = [str(name) for name in table.iloc[:, 0]]
        rows = [
            {"id": name, "name": in_both(named.get(name, name)), "n_open": rounded(row["n_open"]),
             "n_valued": rounded(row["n_valued"]), "value_open": rounded(row["value_open"]),
             "now": rounded(row["win_probability"]), "after": rounded(row["win_probability_after"])}
            for name, row in zip(lead, self._states.to_dict("records"), strict=True)
        ]  # fmt: skip
        baseline = {"budget": rounded(budget)}
        baseline |= {f"hours{at}": float(round(budget / len(rows))) for at in range(len(rows))}
        baseline |= {f"cost{at}": rounded(cost) for at, cost in enumerate(table["cost"])}
        baseline |= dict.fromkeys(TRIES, -1.0)
        spec = {
            "rows": rows, "unit": unit, "one": in_both(unit_words(unit)["one"]), "currency": currency,
            "presets": self.presets(_plans(rows, budget)),
            "challenge": self.goal({"share": SHARE}, share=percent(SHARE, 0)),
        }  # fmt: skip
        self._frame = _frame(rows)
        super().__init__(spec, _inputs(rows, baseline), baseline)

    def _costed(self) -> pd.DataFrame:
        return self._frame.assign(cost=[self.state[f"cost{at}"] for at in range(len(self._frame))])

    def _given(self) -> list[float]:
        """Return what the plan gives each row: no more than there are deals to work on."""
        costed = self._costed()
        return [
            min(self.state[f"hours{at}"], n_open * cost)
            for at, (n_open, cost) in enumerate(zip(costed["n_open"], costed["cost"], strict=True))
        ]

    @property
    def result(self) -> Result:
        """Return what one's own plan wins, as `allocate` finds it with the hours given."""
        given = self._given()
        budget = max(self.state["budget"], sum(given))
        return allocate(self._costed().assign(least=given, most=given), budget, self._unit, self._model, self._currency)

    @property
    def best(self) -> Result:
        """Return the best plan for the same budget and costs, as `allocate` finds it."""
        return allocate(self._costed(), self.state["budget"], self._unit, self._model, self._currency)

    def submit(self) -> None:
        """Count the present plan as the next of three tries; one beyond the budget is none."""
        free = next((name for name in TRIES if self.state[name] < 0), None)
        if free and not self._over:
            best, own = (float(found.table["value_won_more"].sum()) for found in (self.best, self.result))
            self.set_trait("state", {free: min(max(own / best, 0.0), 1.0) if best > 0 else 1.0})

    @property
    def _over(self) -> bool:
        asked = sum(hours for name, hours in self.state.items() if name.startswith("hours"))
        return bool(asked > self.state["budget"] * (1 + 1e-9))

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        tried = [self.state[name] for name in TRIES if self.state[name] >= 0]
        if self.moved("budget", "cost"):
            return Judgement("outside")
        if max(tried, default=0) >= SHARE - 1e-9 or not self.moved():
            return Judgement("done" if tried else "start")
        return Judgement("outside" if len(tried) == len(TRIES) or self._over else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        given = self._given()
        frame = self._costed().assign(least=given, most=given)
        rows = "".join(f'    "{name}": {frame[name].tolist()!r},\n' for name in frame)
        call = f'fk.allocate(states, {max(self.state["budget"], sum(given))!r}, "{self._unit}")'
        return f"import pandas as pd\n\nimport funnelkit as fk\n\nstates = pd.DataFrame({{\n{rows}}})\n{call}\n"


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    keys = ("n_open", "n_valued", "value_open", "now", "after")
    columns = {name: [row[key] for row in rows] for name, key in zip(COLUMNS, keys, strict=True)}
    return pd.DataFrame({"state": [row["id"] for row in rows], **columns})


def _inputs(rows: list[dict[str, Any]], baseline: dict[str, float]) -> list[Input]:
    budget = baseline["budget"]
    top, step = 2 * budget or 100, budget / 100 or 1
    found = [Input("budget", said("explore.allocation.budget"), 0, top, step, place="bar", most=1e12)]
    for kind, high, least in (("hours", budget or 100, 0.0), ("cost", 0, 0.01)):
        for at, row in enumerate(rows):
            label = said(f"explore.allocation.{kind}", state=Text(**row["name"]))
            end = high or 5 * baseline[f"cost{at}"]
            found.append(Input(f"{kind}{at}", label, least, end, step if high else (end - least) / 100, most=1e9))
    return [*found, *(Input(name, name, -1, 1, place="unseen") for name in TRIES)]


def _plans(rows: list[dict[str, Any]], budget: float) -> dict[str, State]:
    """Return what to try: as it was, all by the number of open deals, all on the most advanced state."""
    n_open = sum(row["n_open"] for row in rows) or 1
    by_count = {f"hours{at}": float(round(budget * row["n_open"] / n_open)) for at, row in enumerate(rows)}
    last = {f"hours{at}": rounded(budget) if at == len(rows) - 1 else 0.0 for at in range(len(rows))}
    return {"preset_base": {}, "preset_count": by_count, "preset_last": last}
