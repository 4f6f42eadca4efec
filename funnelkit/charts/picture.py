"""One figure that lives as long as its owner and is moved to table after table: the picture of a panel, or a chart.

A full draw of a figure costs as much as its texts. A picture therefore keeps the pixels of what stands still and
draws only what moves on top of them, as Matplotlib's blitting does.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from funnelkit.charts import lettering
from funnelkit.charts.style import Chart, style, wrap
from funnelkit.result import Result, table_of

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Found: TypeAlias = Result | pd.DataFrame  # what a chart draws

GROUNDS = 8  # of some two megabytes each


class LivePicture:
    """Base: `_draw(found)` makes the figure, `_move(found)` puts it to a Result or a table, and `_moving()` names what
    a move changes.

    What `_move` changes besides (limits of an axis, colours of its labels) must show in `_still()`: where that is
    another than last time, everything is drawn anew.
    """

    def __init__(self) -> None:
        self.axes: tuple[Axes, ...] = ()
        self.title = ""
        self.grounds: dict[Any, Any] = {}  # what stood still -> its pixels, of the latest few: sliders go to and fro

    def update(self, found: Found) -> bytes:
        """Move the picture to a Result or table and return it as PNG bytes."""
        with style():
            self.show(found)
            return self._png()

    def show(self, found: Found) -> None:
        """Move the picture to a Result or table."""
        if not self.axes:
            self._draw(found)
            self._finish()
        self._move(found)
        self.heading.set_text(wrap(self.title, 82))

    def chart(self, found: Found) -> Chart:
        """Return the picture of a Result or table as a Chart with its alt text."""
        with style():
            self.show(found)
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
        self.labels = [label for axes in self.axes for label in axes.get_yticklabels()]
        self.canvas: Any = FigureCanvasAgg(figure)

    def _moving(self) -> list[Any]:
        """Return the artists that a move changes, besides the heading."""
        return []

    def _still(self) -> tuple[Any, ...]:
        """Return what the background depends on: the limits of the axes and the colours of their tick labels."""
        limits = tuple((*axes.get_xlim(), *axes.get_ylim()) for axes in self.axes)
        return limits, tuple(label.get_color() for label in self.labels)

    def _png(self) -> bytes:
        import numpy as np
        from PIL import Image

        still, moving = self._still(), sorted([self.heading, *self._moving()], key=lambda artist: artist.zorder)
        if still not in self.grounds:
            if len(self.grounds) == GROUNDS:
                del self.grounds[next(iter(self.grounds))]
            self.grounds[still] = self._background(moving)
        self.canvas.restore_region(self.grounds[still])
        plain = [artist for artist in moving if lettering.is_plain(artist)]
        pixels = np.asarray(self.canvas.buffer_rgba())
        for artist in moving:
            if _is_block(artist):
                _fill(pixels, artist)
            elif artist not in plain:
                artist.draw(self.canvas.get_renderer())
        image = Image.frombuffer("RGBA", self.canvas.get_width_height(), pixels)
        for text in plain:
            lettering.write_text(image, text)
        return png(image)

    def _background(self, moving: list[Artist]) -> Any:
        """Draw everything but what moves and return its pixels."""
        shown = [(artist, artist.get_visible()) for artist in moving]
        for artist in moving:
            artist.set_visible(False)
        self.canvas.draw()
        for artist, visible in shown:
            artist.set_visible(visible)
        return self.canvas.copy_from_bbox(self.heading.figure.bbox)


def _is_block(artist: Any) -> bool:
    """Return True for a bar that Matplotlib draws as a block of whole pixels in one colour."""
    if type(artist).__name__ != "Rectangle" or artist.get_angle() or artist.get_hatch():
        return False
    edged = artist.get_edgecolor()[3] and artist.get_linewidth()
    return not edged and artist.get_facecolor()[3] == 1 and artist.get_snap() in (None, True)


def _fill(pixels: Any, bar: Any) -> None:
    """Fill a bar's pixels where Matplotlib would, in a tenth of its time."""
    from matplotlib.transforms import Bbox

    if not bar.get_visible():
        return
    box: Any = Bbox(bar.get_data_transform().transform(bar.get_bbox().get_points()))
    box = Bbox.intersection(box, bar.get_clip_box()) if bar.get_clip_box() is not None else box
    if box is None:
        return
    left, right, low, high = (int(edge + 0.5) for edge in (box.xmin, box.xmax, box.ymin, box.ymax))
    pixels[len(pixels) - high : len(pixels) - low, left:right] = [round(255 * part) for part in bar.get_facecolor()]


def png(image: Any) -> bytes:
    """Return an opaque image of Pillow as PNG bytes, its rows without PNG's filters.

    Trying the filters on each row takes Pillow longer than all the compression; charts hardly shrink by them.
    """
    width, height = image.size
    rows = image.tobytes("raw", "RGB", 3 * width + 1)  # the byte too many is 0: the next row's filter, which is none
    pack = zlib.compressobj(1)
    packed = pack.compress(b"\0") + pack.compress(memoryview(rows)[:-1]) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of each of 3 colours
    parts = (b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
