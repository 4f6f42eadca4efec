"""Both groups improved and the total fell: a change of a rate, split into the change of the mix and of the rates."""

from __future__ import annotations

from typing import Any

import pandas as pd

from funnelkit.analysis import split_change
from funnelkit.explore.base import Explorable, Input, Judgement, in_both, module, rounded, said
from funnelkit.language import DataError, Text, label
from funnelkit.result import Result, table_of

KINDS = ("n_before", "rate_before", "n_after", "rate_after")
EXAMPLE = ((500, 0.4, 200, 0.425), (500, 0.1, 800, 0.1125))  # each rate rises, the total falls


class MixAndRate(Explorable):
    """Why did the total fall when every group rose? Sliders over `split_change`.

    Parameters
    ----------
    before, after : DataFrame, optional
        A column that names the group, k and n; two or three groups. An example of a reversal without them.

    Attributes
    ----------
    state : dict
        {"n_before0", "rate_before0", "n_after0", "rate_after0", ...}, and "guess".
    result : Result
        What `split_change` finds at the state.
    challenge : Judgement

    Examples
    --------
    >>> panel = MixAndRate()
    >>> panel.table[["part", "change"]].round(4).values.tolist()
    [['mix', -0.0919], ['rate', 0.0169]]
    """

    name = "mix_and_rate"
    _esm = module("mix_and_rate")

    def __init__(self, before: Any = None, after: Any = None) -> None:
        groups, rows = _groups(before, after)
        self._ids = [str(group) for group in groups]
        baseline: dict[str, Any] = {
            f"{kind}{at}": rounded(row[place]) for at, row in enumerate(rows) for place, kind in enumerate(KINDS)
        }
        kept = {
            kind: {f"{kind}_after{at}": baseline[f"{kind}_before{at}"] for at in range(len(rows))}
            for kind in ("n", "rate")
        }
        spec = {
            "groups": [in_both(group) for group in groups], "ids": self._ids,
            "presets": self.presets({"preset_base": {}, "preset_mix": kept["n"], "preset_rate": kept["rate"]}),
            **({} if self._risen(baseline) else {"challenge": self.goal({})}),
        }  # fmt: skip
        super().__init__(spec, _inputs(groups, baseline), {**baseline, "guess": ""})

    def _tables(self, state: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
        found = []
        for when in ("before", "after"):
            n = [state[f"n_{when}{at}"] for at in range(len(self._ids))]
            k = [count * state[f"rate_{when}{at}"] for at, count in enumerate(n)]
            found.append(pd.DataFrame({"group": self._ids, "k": k, "n": n}))
        return found[0], found[1]

    def _risen(self, state: dict[str, Any]) -> bool:
        before, after = (table["k"].sum() / table["n"].sum() for table in self._tables(state))
        return bool(after > before + 1e-12)

    @property
    def result(self) -> Result:
        """Return what `split_change` finds at the present state."""
        return split_change(*self._tables(self.state), "group")

    @property
    def challenge(self) -> Judgement:
        """Return how far the challenge is, by the same rules as the card."""
        if not self.moved():
            return Judgement("start")
        if self.moved("rate_before", "rate_after"):
            return Judgement("outside")
        return Judgement("done" if self._risen(self.state) else "not_yet")

    def to_python(self) -> str:
        """Return the lines that give `result` without the card."""
        names = ("before", "after")
        lines = "".join(
            f"{name} = pd.DataFrame({table.to_dict('list')!r})\n"
            for name, table in zip(names, self._tables(self.state), strict=True)
        )
        return f'import pandas as pd\n\nimport funnelkit as fk\n\n{lines}fk.split_change(before, after, "group")\n'


def _groups(before: Any, after: Any) -> tuple[list[Text | str], list[tuple[float, ...]]]:
    """Return the names of the groups and (n, rate) before and after of each."""
    if before is None:
        return [said("explore.mix_and_rate.group_a"), said("explore.mix_and_rate.group_b")], list(EXAMPLE)
    tables = [table_of(table) for table in (before, after)]
    lead = tables[0].columns[0]
    sides = [table.set_index(lead) for table in tables]
    if not 2 <= len(sides[0]) <= 3 or set(sides[0].index) != set(sides[1].index):
        raise DataError("mix_groups", found=len(sides[0]), column=label(lead))
    rows = [
        tuple(part for side in sides for part in (side.at[name, "n"], side.at[name, "k"] / side.at[name, "n"]))
        for name in sides[0].index
    ]
    return [str(name) for name in sides[0].index], rows


def _inputs(groups: list[Text | str], baseline: dict[str, Any]) -> list[Input]:
    found = []
    most = max(baseline[f"{kind}{at}"] for at in range(len(groups)) for kind in ("n_before", "n_after"))
    for at, group in enumerate(groups):
        for kind in KINDS:
            text = said(f"explore.mix_and_rate.{kind}", group=group)
            if kind.startswith("rate"):
                found.append(Input(f"{kind}{at}", text, step=0.005, kind="percent"))
            else:
                found.append(Input(f"{kind}{at}", text, 10, 2 * most, 10, least=1, most=1e9))
    named = {"": "guess_none", "mix": "guess_mix", "rate": "guess_rate"}
    options = [(key, said(f"explore.mix_and_rate.{name}")) for key, name in named.items()]
    return [*found, Input("guess", said("explore.mix_and_rate.guess"), place="guess", options=options)]
