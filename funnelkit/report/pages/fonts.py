"""The fonts of a page, cut to the characters that it shows and embedded: no request, no font of the reader's system."""

from __future__ import annotations

import base64
import io
import re
from functools import cache, lru_cache
from html import unescape
from pathlib import Path
from typing import Any

from funnelkit.charts import FONT_FILE
from funnelkit.language import language

_FOLDER = Path(__file__).with_name("fonts")
_WEIGHTS = {400: "FunnelSans-Regular", 600: "FunnelSans-SemiBold"}
_FACE = '@font-face{font-family:"%s";font-weight:%s;src:url(data:font/%s;base64,%s) format("%s");unicode-range:%s}'
_CJK = "U+2E80-9FFF,U+F900-FAFF,U+FE30-FE4F,U+FF00-FFEF,U+20000-323AF"
# In Chinese text quotes, dashes and dots are as wide as its characters, so they come from its font.
_SHARED, _SHARED_RANGE = "\u00b7\u2014\u2018\u2019\u201c\u201d\u2026", "U+B7,U+2014,U+2018-2019,U+201C-201D,U+2026"
_REST = "U+0-B6,U+B8-2013,U+2015-2017,U+201A-201B,U+201E-2025,U+2027-2E7F"
_TAG = re.compile(r"<[^>]*>")
_PARSED: list[Any] = []  # the Chinese font, parsed ahead by the process whose forks write pages
_HALF_WIDE = ["halt", "chws"]  # what lets ）， stand without a hole


def warm_font() -> None:
    """Parse the Chinese font ahead of the first page that needs it."""
    _PARSED.append(_parsed())


def _parsed() -> Any:
    from fontTools.ttLib import TTFont

    font = TTFont(FONT_FILE, recalcTimestamp=False)
    font.getBestCmap()
    font.getGlyphOrder()
    return font


def font_face(body: str) -> str:
    """Return the style that holds the vendored Chinese font, cut to the characters of a page.

    Parameters
    ----------
    body : str
        The page's text; its markup may be in it.

    Returns
    -------
    str
        A rule for the family "fk-cjk" of some kilobytes; empty where no Chinese character occurs.

    Examples
    --------
    >>> font_face("<p>no Chinese</p>")
    ''
    """
    text = unescape(body)
    chinese = {sign for sign in set(text) if ord(sign) >= 0x2E80}
    if not chinese:
        return ""
    shared = language() == "zh"
    signs = "".join(sorted(chinese | (set(_SHARED) & set(text) if shared else set())))
    cover = f"{_CJK},{_SHARED_RANGE}" if shared else _CJK
    return _FACE % ("fk-cjk", "400", "otf", _cut_chinese(signs), "opentype", cover)


def latin_faces(body: str) -> str:
    """Return the style that holds the page's Latin font in two weights.

    The characters of most pages come as they are bundled: cutting a font to each page took as long as drawing four
    charts. What others a page shows (Greek, Cyrillic) is cut for it.
    """
    text = set(unescape(_TAG.sub(" ", body)))
    shared = language() == "zh"
    cover = _REST if shared else "U+0-2E7F"
    faces = [_FACE % ("fk-sans", weight, "woff", _bundled(name), "woff", cover) for weight, name in _WEIGHTS.items()]
    rest = {sign for sign in text if ord(sign) < 0x2E80 and not sign.isspace() and not (shared and sign in _SHARED)}
    signs = "".join(sorted(rest - _basic()))
    if signs:
        cover = ",".join(f"U+{ord(sign):X}" for sign in signs)
        faces += [
            _FACE % ("fk-sans", weight, "ttf", _cut_latin(f"{name}.ttf", signs), "truetype", cover)
            for weight, name in _WEIGHTS.items()
        ]
    return "".join(faces)


@cache
def _bundled(name: str) -> str:
    return base64.b64encode(_file(f"{name}-Basic.woff")).decode()


@cache
def _basic() -> frozenset[str]:
    """Return the characters of the bundled cut."""
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(_file(f"{_WEIGHTS[400]}-Basic.woff")))
    return frozenset(map(chr, font.getBestCmap()))


@lru_cache(maxsize=8)
def _cut_chinese(signs: str) -> str:
    font = _PARSED.pop() if _PARSED else _parsed()  # cutting changes it: each serves once
    return _cut(font, signs, _HALF_WIDE)


@lru_cache(maxsize=8)
def _cut_latin(name: str, signs: str) -> str:
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO(_file(name)), recalcTimestamp=False)
    for table in ("GPOS", "GSUB", "GDEF"):  # a few characters need no kerning, whose parsing takes the longest
        del font[table]
    return _cut(font, signs, [])


@cache
def _file(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def _cut(font: Any, signs: str, features: list[str]) -> str:
    """Return a font of these characters alone, as base64."""
    from fontTools import subset

    options = subset.Options(layout_features=features, hinting=False, notdef_outline=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=signs)
    subsetter.subset(font)
    buffer = io.BytesIO()
    font.save(buffer)
    return base64.b64encode(buffer.getvalue()).decode()
