"""LaTeX formulas as pictures: drawn by matplotlib's mathtext, without TeX and without a network."""

from __future__ import annotations

import base64
import re
from functools import cache, lru_cache
from html import escape
from typing import Any

from funnelkit.charts import FONT_FILE

_SIZE = 16
_INK = "#1f2933"
_LONGEST = 1_000
_LAYOUTS = "equation|align|aligned|gather|gathered|eqnarray|split|displaymath|math"
_OUTER = re.compile(rf"\\(begin|end)\{{({_LAYOUTS})\*?\}}")
_MARKS = re.compile(r"^\s*(\$\$?|\\\[|\\\()|(\$\$?|\\\]|\\\))\s*$")
_LINES = re.compile(r"\\\\(?:\[[^\]]*\])?")
# What mathtext lacks has no meaning of its own, or has the same by another name.
_PLAIN = (
    (re.compile(r"\\(displaystyle|textstyle|limits|nonumber|notag|label\{[^}]*\}|tag\{[^}]*\})(?![a-zA-Z])"), ""),
    (re.compile(r"\\tfrac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\([dc]?frac)\s*([0-9])\s*([0-9])"), r"\\\1{\2}{\3}"),
    (re.compile(r"\\(mbox|textrm)(?=\{)"), r"\\text"),
    (re.compile(r"\\(lvert|rvert)(?![a-zA-Z])"), "|"), (re.compile(r"\\([lgn]e)(?![a-zA-Z])"), r"\\\1q"),
    (re.compile(r"(?<!\\)&"), ""),
)  # fmt: skip


def formula_html(latex: str, block: bool = True) -> str:
    """Return a formula as pictures, one for each of its lines, or as its source where mathtext cannot draw it."""
    source = _MARKS.sub("", latex.strip()).strip()
    body = _OUTER.sub("", source)
    for pattern, plain in _PLAIN:
        body = pattern.sub(plain, body)
    drawn = [_picture(" ".join(line.split())) for line in _LINES.split(body) if line.strip()]
    if not drawn or None in drawn:
        code = f'<code class="formula">{escape(source)}</code>'
        return f'<p class="formula">{code}</p>' if block else code
    shown = "".join(
        f'<img class="formula" alt="{escape(source) if i == 0 else ""}" src="{picture[0]}" '
        f'style="height:{picture[1]:.3f}em;vertical-align:{-picture[2]:.3f}em;width:auto">' + ("<br>" if block else "")
        for i, picture in enumerate(drawn)
        if picture
    ).removesuffix("<br>")
    return f'<p class="formula">{shown}</p>' if block else shown


@lru_cache(maxsize=256)
def _picture(line: str) -> tuple[str, float, float] | None:
    """Return (address, height, depth in em) of a line's picture; None where mathtext cannot draw all of it."""
    if len(line) > _LONGEST:
        return None
    try:
        width, height, depth, path = _drawn(line)
    except (ValueError, RuntimeError, KeyError, IndexError):
        return None
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-height:.2f} {width:.2f} {height + depth:.2f}" '
        f'width="{width:.2f}" height="{height + depth:.2f}"><path fill="{_INK}" d="{path}"/></svg>'
    )
    address = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return address, (height + depth) / _SIZE, depth / _SIZE


def _drawn(line: str) -> tuple[float, float, float, str]:
    """Return (width, height above the line, depth below it, the outline as SVG draws it) of a formula."""
    from matplotlib import rc_context
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser
    from matplotlib.textpath import TextPath

    with rc_context(_chinese_face() if any(ord(sign) >= 0x2E80 for sign in line) else {"mathtext.fontset": "cm"}):
        parsed: Any = MathTextParser("path").parse(f"${line}$", dpi=72, prop=FontProperties(size=_SIZE))
        outline: Any = TextPath((0, 0), f"${line}$", size=_SIZE)
    return float(parsed.width) + 1, float(parsed.height) + 1, float(parsed.depth) + 1, _outline(outline)


@cache
def _chinese_face() -> dict[Any, Any]:
    from matplotlib.font_manager import fontManager

    fontManager.addfont(FONT_FILE)
    faces = dict.fromkeys(("mathtext.rm", "mathtext.it"), "Noto Sans SC")
    return {"mathtext.fontset": "custom", "mathtext.cal": "DejaVu Sans", **faces}


def _outline(path: Any) -> str:
    letters = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
    found = []
    for vertices, code in path.iter_segments(simplify=False, curves=True):
        pairs = vertices.reshape(-1, 2)
        found.append(letters[int(code)] + ("" if code == 79 else " ".join(f"{x:.2f} {-y:.2f}" for x, y in pairs)))
    return "".join(found)
