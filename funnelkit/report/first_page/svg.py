"""Small pictures as SVG that fill any width: x in percent, y in pixels, no viewBox, no script, no style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from typing import Any

BLUE, PALE, BAND, GREY, RED, INK, SOFT, LINE = (
    "#2f6690", "#a9bccb", "#e3e8ed", "#b4bec8", "#b3261e", "#1f2933", "#52606d", "#9aa5b1",
)  # fmt: skip


def svg(parts: Sequence[str], height: int, name: str) -> str:
    """Return a picture of this height and any width; `name` is what it says to who cannot see it."""
    inner = "".join(parts)
    return (
        f'<svg class="fp-svg" role="img" aria-label="{escape(name)}" width="100%" height="{height}">{inner}</svg>'
        if name
        else f'<svg class="fp-svg" aria-hidden="true" width="100%" height="{height}">{inner}</svg>'
    )


def rect(x: float, width: float, y: float, height: float, fill: str) -> str:
    """Return a bar; x and width in percent."""
    return f'<rect x="{x:.2f}%" y="{y:.1f}" width="{max(width, 0):.2f}%" height="{max(height, 0):.1f}" fill="{fill}"/>'


def line(start: tuple[float, float], end: tuple[float, float], stroke: str, width: float = 1.5) -> str:
    """Return a line with round ends between (x in percent, y)."""
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.2f}%" y1="{y1:.1f}" x2="{x2:.2f}%" y2="{y2:.1f}" stroke="{stroke}" '
        f'stroke-width="{width}" stroke-linecap="round"/>'
    )


def dot(x: float, y: float, radius: float, fill: str, stroke: str = "none") -> str:
    """Return a dot, or a ring where it is filled with none or white."""
    ring = f' stroke="{stroke}" stroke-width="2"' if stroke != "none" else ""
    return f'<circle cx="{x:.2f}%" cy="{y:.1f}" r="{radius}" fill="{fill}"{ring}/>'


def text(
    x: float, y: float, words: str, *, anchor: str = "start", fill: str = SOFT, shift: int = 0, shown: str = ""
) -> str:
    """Return words at (x in percent, y of the base line), moved by `shift` pixels; `shown` says on which screens."""
    moved = f' dx="{shift}"' if shift else ""
    moved += f' class="fp-{shown}"' if shown else ""
    return f'<text x="{x:.2f}%" y="{y:.1f}"{moved} text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'


def spark(kind: str, values: Sequence[Any], name: str) -> str:
    """Return a small picture of one of the kinds of `Spark`."""
    draw: dict[str, Callable[[Any], list[str]]] = {"bars": _bars, "line": _line, "bands": _bands}
    return svg(draw[kind](values), 30, name)


def _bars(values: Sequence[float]) -> list[str]:
    top, step = max([*values, 1e-9]), 100 / len(values)
    heights = [28 * value / top for value in values]
    last = len(values) - 1
    return [
        rect(i * step, 0.76 * step, 29 - high, max(high, 0.8), BLUE if i == last else PALE)
        for i, high in enumerate(heights)
    ]


def _line(values: Sequence[float]) -> list[str]:
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    at = [(3 + 83 * i / max(len(values) - 1, 1), 25 - 20 * (value - low) / span) for i, value in enumerate(values)]
    return [*(line(a, b, "#7b93a8", 2) for a, b in pairwise(at)), dot(*at[-1], 4, BLUE)]


def _bands(values: Sequence[tuple[float, float, float | None, bool]]) -> list[str]:
    top = max(max(high, came or 0.0) for _, high, came, _ in values) or 1.0
    step, parts = 100 / len(values), []
    for i, (low, high, came, held) in enumerate(values):
        y, tall = 27 - 24 * high / top, max(24 * (high - low) / top, 2)
        parts.append(rect((i + 0.2) * step, 0.6 * step, y, tall, BLUE if came is None else "#cfd8e0"))
        if came is not None:
            centre = ((i + 0.5) * step, 27 - 24 * came / top)
            parts.append(dot(*centre, 2, "#5b7f9d") if held else dot(*centre, 2.5, "white", RED))
    return parts


def band_dot(now: int, usual: tuple[int, int] | None, top: float, marked: bool) -> str:
    """Return where a count is on the grey band of the usual ones; a marked one is a square joined to the band."""
    scale = 92 / max(top, 1)
    x, parts = 4 + now * scale, []
    if usual is not None:
        low, high = (4 + end * scale for end in usual)
        parts.append(rect(low, max(high - low, 1.5), 6, 10, BAND))
        if marked and x > high:
            parts.append(line((high, 11), (x, 11), RED, 2))
    if marked:
        parts.append(f'<rect x="{x:.2f}%" y="6" width="10" height="10" transform="translate(-5 0)" fill="{RED}"/>')
    else:
        parts.append(dot(x, 11, 4, BLUE))
    return svg(parts, 22, "")
