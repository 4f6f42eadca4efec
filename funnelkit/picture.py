"""One figure that lives as long as its owner and is moved to table after table: the picture of a panel, or a chart.

A full draw of a figure costs as much as its texts. A picture therefore keeps the pixels of what stands still and
draws only what moves on top of them, as Matplotlib's blitting does.
"""

import io

import numpy as np

from funnelkit.plot import Chart, style, wrap


class Picture:
    """Base: `_draw(table)` makes the figure, `_move(table)` puts it to a table, `_moving()` names what a move changes.

    What `_move` changes besides (limits of an axis, colours of its labels) must show in `_still()`: where that is
    another than last time, everything is drawn anew.
    """

    def __init__(self, lang="en"):
        self.lang, self.axes, self.title = lang, (), ""
        self.ground = None  # (what stood still, its pixels)

    def update(self, table):
        """Move the picture to the table and return it as PNG bytes."""
        with style():
            self.show(table)
            return self._png()

    def show(self, table):
        """Move the picture to the table."""
        if not self.axes:
            self._draw(table)
            self._finish()
        self._move(table)
        self.heading.set_text(wrap(self.title, 82))

    def chart(self, table):
        """Return the picture of the table as a Chart with its alt text."""
        with style():
            self.show(table)
        return Chart(self.axes, self.alt(table), table)

    def _finish(self):
        """Fix the layout for a title of two lines, so that a longer one moves nothing."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = self.axes[0].figure
        self.heading = figure.suptitle("\n", x=0.01, ha="left", fontsize=12.5)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        self.canvas = FigureCanvasAgg(figure)

    def _moving(self):
        """Return the artists that a move changes, besides the heading."""
        return []

    def _still(self):
        """Return what the background depends on: the limits of the axes and the colours of their tick labels."""
        return [
            (*axes.get_xlim(), *axes.get_ylim(), *(label.get_color() for label in axes.get_yticklabels()))
            for axes in self.axes
        ]

    def _png(self):
        from PIL import Image

        still, moving = self._still(), sorted([self.heading, *self._moving()], key=lambda artist: artist.zorder)
        if self.ground is None or self.ground[0] != still:
            self.ground = still, self._background(moving)
        self.canvas.restore_region(self.ground[1])
        for artist in moving:
            artist.draw(self.canvas.get_renderer())
        buffer = io.BytesIO()
        pixels = np.asarray(self.canvas.buffer_rgba())[..., :3]
        Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()

    def _background(self, moving):
        """Draw everything but what moves and return its pixels."""
        shown = [(artist, artist.get_visible()) for artist in moving]
        for artist in moving:
            artist.set_visible(False)
        self.canvas.draw()
        for artist, visible in shown:
            artist.set_visible(visible)
        return self.canvas.copy_from_bbox(self.axes[0].figure.bbox)
