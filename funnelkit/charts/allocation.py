"""Chart of an allocation: what each row gets of a budget."""

from __future__ import annotations

import pandas as pd

from funnelkit.charts.picture import Found, StagedChart
from funnelkit.charts.style import COLOURS, Chart, alt_text, drawn, new_figure, percent_axis, rows_axis
from funnelkit.language import number, say
from funnelkit.models import Funnel
from funnelkit.planning import deals_moved, unit_words
from funnelkit.result import table_of
from funnelkit.stats import leaders


def allocation_chart(found: Found, model: Funnel | None = None) -> Chart:
    """Draw an allocation: what each row gets of the budget, and how many deals that moves on.

    Parameters
    ----------
    found : Result or DataFrame
        Of `allocate`.
    model : Funnel, optional
        Names the states of a table.

    Returns
    -------
    Chart
        Its alt text says what each row gets.
    """
    return _AllocationChart(drawn(found, model)[1]).chart(found)


class _AllocationChart(StagedChart):
    """Bars of the shares of a budget; the title names the row where effort earns most."""

    def __init__(self, model: Funnel | None = None) -> None:
        super().__init__()
        self.known = {state.id: str(state.name) for state in model.states} if model else {}

    def _names(self, table: pd.DataFrame) -> list[str]:
        return [self.known.get(name, str(name)) for name in table.iloc[:, 0]]

    def _draw(self, found: Found) -> None:
        table = table_of(found)
        ax = new_figure(8.4, 1.7 + 0.55 * len(table)).subplots()
        places = range(len(table))
        self.bars = ax.barh(places, [1.0] * len(table), height=0.6, color=COLOURS["n_advanced"])
        self.words = [ax.text(0, place, "", va="center", fontsize=9) for place in places]
        rows_axis(ax, self._names(table))
        ax.set_xlim(0, 1.58)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
        percent_axis(ax.xaxis)
        ax.set_xlabel(say("charts.planning.share_axis"))
        self.axes = (ax,)

    def _words(self, table: pd.DataFrame) -> list[str]:
        unit = unit_words(_unit(table))
        return [
            say("charts.planning.gets", given=number(row[_unit(table)]), unit=unit["unit"],
                pushed=deals_moved(row["n_pushed"]), n=number(row["n_open"]))
            for row in table.to_dict("records")
        ]  # fmt: skip

    def _move(self, found: Found) -> None:
        table = table_of(found)
        for bar, text, words, share in zip(
            self.bars, self.words, self._words(table), table["share_budget"], strict=True
        ):
            bar.set_width(share)
            text.set_text(words)
            text.set_x(share + 0.015)
        best = [self._names(table)[at] for at in leaders(table["gain_per_unit"].to_numpy())]
        self.title = say("charts.planning.allocation_title", one=unit_words(_unit(table))["one"], states=best)

    def alt(self, found: Found) -> str:
        """Return the alt text: the finding and what each row gets."""
        table = table_of(found)
        return alt_text(self.title, list(zip(self._names(table), self._words(table), strict=True)))


def _unit(table: pd.DataFrame) -> str:
    """Return the unit of an allocation: the name of the column that says what each row gets."""
    return str(table.columns[list(table.columns).index("gain_per_unit") + 1])
