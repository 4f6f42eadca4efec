"""Text of Matplotlib written by Pillow, with the same faces in the same places.

Matplotlib lays text out sign by sign in Python, some ten milliseconds a line. Pillow writes a line in a tenth of that,
and in a twentieth where each sign's pixels are kept. What it could not write alike (turned text, a sign that no face of
ours has) stays with Matplotlib.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

from funnelkit.charts.style import DPI, FONTS

LINE = 1.2  # Matplotlib's distance of lines, in heights of a line
KEPT = 4096  # signs, of a few hundred bytes each


def is_plain(artist: Any) -> bool:
    """Return True for a Matplotlib text that `write_text` writes alike."""
    upright = type(artist).__name__ == "Text" and artist.get_rotation() == 0 and artist.get_bbox_patch() is None
    return upright and artist.get_va() in ("top", "center") and None not in map(_face_of, artist.get_text())


def write_text(image: Any, text: Any) -> None:
    """Write a Matplotlib text onto an image of Pillow where Matplotlib would."""
    from matplotlib.colors import to_rgb
    from PIL import ImageDraw

    if not text.get_visible():
        return
    size, draw = text.get_fontsize() * DPI / 72, ImageDraw.Draw(image).draw
    ink = draw.draw_ink(tuple(round(255 * part) for part in to_rgb(text.get_color())))
    lines = [_line(line, size) for line in text.get_text().split("\n")]
    x, y = text.get_transform().transform(text.get_unitless_position())
    base, step = _baseline(lines, size, text.get_va())
    for place, (signs, width) in enumerate(lines):
        start = x - width * {"left": 0, "center": 0.5, "right": 1}[text.get_ha()]
        down = round(image.height - y + base + place * step)
        for at, (mask, (right, below), _) in signs:
            draw.draw_bitmap((math.floor(start + at + 0.5) + right, down + below), mask, ink)


def _line(text: str, size_px: float) -> tuple[list[tuple[float, Any]], float]:
    """Return ([(how far the pen has come, glyph)] without blanks, width in pixels) of a line."""
    signs: list[tuple[float, Any]] = []
    at = 0.0
    before: tuple[str, int | None] = ("", None)
    for sign in text:
        place = _face_of(sign)
        if before[1] == place:
            at += _kerning(place, size_px, before[0] + sign)
        glyph = _glyph(place, size_px, sign)
        if all(glyph[0].size):
            signs.append((at, glyph))
        at, before = at + glyph[2], (sign, place)
    return signs, at


def _baseline(lines: list[tuple[list[tuple[float, Any]], float]], size_px: float, where: str) -> tuple[float, float]:
    """Return (how far the first baseline is below the text's place, how far a line is below the one before)."""
    _, rise, _, fall = _face(0, size_px).getbbox("lp", anchor="ls")
    high = fall - rise
    if where == "center":
        return -rise - (high + (len(lines) - 1) * LINE * high) / 2, LINE * high
    return -min([rise, *(below for _, (_, (_, below), _) in lines[0][0])]), LINE * high


@cache
def _files() -> list[tuple[str, frozenset[int]]]:
    """Return (file, its signs) of each face of the style, in the order in which a sign is looked for."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    files = [font_manager.findfont(name) for name in FONTS]
    return [(file, frozenset(FT2Font(file).get_charmap())) for file in files]


@cache
def _face_of(sign: str) -> int | None:
    """Return the number of the first face that has the sign, or None."""
    return next((place for place, (_, signs) in enumerate(_files()) if sign == "\n" or ord(sign) in signs), None)


@cache
def _face(place: int | None, size_px: float) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(_files()[place or 0][0], size_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(KEPT)
def _glyph(place: int | None, size_px: float, sign: str) -> tuple[Any, ...]:
    """Return (mask, where it lies from the pen's place on the baseline, how far the pen moves on)."""
    face = _face(place, size_px)
    return *face.getmask2(sign, "L", anchor="ls"), face.getlength(sign)


@lru_cache(KEPT)
def _kerning(place: int | None, size_px: float, pair: str) -> float:
    """Return how far a sign moves on after the one before it, in pixels: mostly 0, and below it in AV."""
    face = _face(place, size_px)
    return float(face.getlength(pair) - face.getlength(pair[0]) - face.getlength(pair[1]))
