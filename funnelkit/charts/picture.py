"""A chart that is made in two steps: a figure for the kind of table, then what this table puts into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from funnelkit.charts.style import Chart, style, wrap
from funnelkit.result import Result, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Found: TypeAlias = Result | pd.DataFrame  # what a chart draws


class StagedChart:
    """Base: `_draw(found)` makes the figure, `_move(found)` puts a Result or a table into it and names the title."""

    def __init__(self) -> None:
        self.axes: tuple[Axes, ...] = ()
        self.title = ""

    def chart(self, found: Found) -> Chart:
        """Return the picture of a Result or table as a Chart with its alt text."""
        with style():
            self._draw(found)
            self._finish()
            self._move(found)
            self.heading.set_text(wrap(self.title, 82))
        return Chart(self.axes, self.alt(found), table_of(found))

    def alt(self, found: Any) -> str:
        """Return the alt text."""
        raise NotImplementedError

    def _draw(self, found: Any) -> None:
        raise NotImplementedError

    def _move(self, found: Any) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        """Fix the layout for a title of two lines, so that a longer one moves nothing."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure: Any = self.axes[0].figure
        self.heading = figure.suptitle("\n", x=0.01, ha="left", fontsize=12.5)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure)
