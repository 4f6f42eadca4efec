"""One figure that lives as long as its owner and is moved to table after table: the picture of a panel, or a chart.

A full draw of a figure costs as much as its texts. A picture therefore keeps the pixels of what stands still and
draws only what moves on top of them, as Matplotlib's blitting does.
"""

import struct
import zlib
from functools import cache
from itertools import groupby

from funnelkit.plot import DPI, FONTS, Chart, style, wrap

GROUNDS = 8  # of some two megabytes each


class Picture:
    """Base: `_draw(table)` makes the figure, `_move(table)` puts it to a table, `_moving()` names what a move changes.

    What `_move` changes besides (limits of an axis, colours of its labels) must show in `_still()`: where that is
    another than last time, everything is drawn anew.
    """

    def __init__(self, lang="en"):
        self.lang, self.axes, self.title = lang, (), ""
        self.grounds = {}  # what stood still -> its pixels, of the latest few: sliders go to and fro

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
        return tuple(
            (*axes.get_xlim(), *axes.get_ylim(), *(label.get_color() for label in axes.get_yticklabels()))
            for axes in self.axes
        )

    def _png(self):
        from matplotlib.text import Text
        from PIL import Image

        still, moving = self._still(), sorted([self.heading, *self._moving()], key=lambda artist: artist.zorder)
        if still not in self.grounds:
            if len(self.grounds) == GROUNDS:
                del self.grounds[next(iter(self.grounds))]
            self.grounds[still] = self._background(moving)
        self.canvas.restore_region(self.grounds[still])
        plain = [artist for artist in moving if isinstance(artist, Text) and _is_plain(artist)]
        for artist in moving:
            if artist not in plain:
                artist.draw(self.canvas.get_renderer())
        image = Image.frombuffer("RGBA", self.canvas.get_width_height(), self.canvas.buffer_rgba()).convert("RGB")
        for text in plain:
            _write(image, text)
        return png(image)

    def _background(self, moving):
        """Draw everything but what moves and return its pixels."""
        shown = [(artist, artist.get_visible()) for artist in moving]
        for artist in moving:
            artist.set_visible(False)
        self.canvas.draw()
        for artist, visible in shown:
            artist.set_visible(visible)
        return self.canvas.copy_from_bbox(self.axes[0].figure.bbox)


def png(image):
    """Return an RGB image of Pillow as PNG bytes, its rows without PNG's filters.

    Trying the filters on each row takes Pillow longer than all the compression; charts hardly shrink by them.
    """
    import numpy as np

    width, height = image.size
    rows = np.zeros((height, 3 * width + 1), np.uint8)  # each row begins with the number of its filter: none
    rows[:, 1:] = np.asarray(image).reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of each of 3 colours
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# Matplotlib lays text out sign by sign in Python, some ten milliseconds a line; Pillow writes it with the same faces in
# a tenth of that. What it could not write alike (turned text, a sign that no face of ours has) stays with Matplotlib.

LINE = 1.2  # Matplotlib's distance of lines, in heights of a line


def _is_plain(text):
    upright = type(text).__name__ == "Text" and text.get_rotation() == 0 and text.get_bbox_patch() is None
    return upright and text.get_va() in ("top", "center") and None not in map(_face_of, text.get_text())


@cache
def _files():
    """Return (file, its signs) of each face of the style, in the order in which a sign is looked for."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    files = [font_manager.findfont(name) for name in FONTS]
    return [(file, frozenset(FT2Font(file).get_charmap())) for file in files]


@cache
def _face_of(sign):
    """Return the number of the first face that has the sign, or None."""
    return next((place for place, (_, signs) in enumerate(_files()) if sign == "\n" or ord(sign) in signs), None)


@cache
def _face(place, size_px):
    from PIL import ImageFont

    return ImageFont.truetype(_files()[place][0], size_px, layout_engine=ImageFont.Layout.BASIC)


def _write(image, text):
    """Write a Matplotlib text onto the image where Matplotlib would."""
    from matplotlib.colors import to_rgb
    from PIL import ImageDraw

    if not text.get_visible():
        return
    size, draw = text.get_fontsize() * DPI / 72, ImageDraw.Draw(image)
    fill = tuple(round(255 * part) for part in to_rgb(text.get_color()))
    rows = [
        [(_face(face, size), "".join(signs)) for face, signs in groupby(line, _face_of)]
        for line in text.get_text().split("\n")
    ]
    x, y = text.get_transform().transform(text.get_unitless_position())
    base, step = _baseline(rows, size, text.get_va())
    for place, runs in enumerate(rows):
        width = sum(face.getlength(signs) for face, signs in runs)
        at = x - width * {"left": 0, "center": 0.5, "right": 1}[text.get_ha()]
        for face, signs in runs:
            draw.text((at, image.height - y + base + place * step), signs, fill=fill, font=face, anchor="ls")
            at += face.getlength(signs)


def _baseline(rows, size, where):
    """Return (how far the first baseline is below the text's place, how far a line is below the one before)."""
    _, rise, _, fall = _face(0, size).getbbox("lp", anchor="ls")
    high = fall - rise
    if where == "center":
        return -rise - (high + (len(rows) - 1) * LINE * high) / 2, LINE * high
    return -min([rise, *(face.getbbox(signs, anchor="ls")[1] for face, signs in rows[0])]), LINE * high
