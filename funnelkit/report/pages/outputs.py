"""What cells show, made ready for a page that runs nothing: pictures for what is interactive, formulas drawn.

Warnings are for the operator: they are left out here and stand in the run's log. What is left out besides is said.
"""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from funnelkit.language import number, say
from funnelkit.report.pages.clean import harmless_html, scoped_css
from funnelkit.report.pages.formulas import formula_html

_MOST_LINES, _LONGEST_TEXT, _LONGEST_HTML = 2_000, 200_000, 5_000_000
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
_INTERACTIVE = re.compile(
    r"application/(javascript|vnd\.(jupyter\.widget-view|plotly|vega|vegalite|bokehjs|holoviews).*)"
)
_SCRIPT = re.compile(r"<(script|iframe|object|embed|applet)\b", re.I)
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style\s*>", re.I | re.S)
_SEEN = re.compile(r"<(img|svg|table|hr)\b|[^\s<>](?![^<>]*>)", re.I)


def prepared(notebook: Any) -> tuple[Any, str]:
    """Return (the notebook as a page shows it, the styles that its outputs brought along, each kept to its output)."""
    styles: list[str] = []
    found = copy.copy(notebook)
    found.cells = [
        _with(cell, outputs=[_ready(output, title, styles) for output in cell.outputs if not _is_warning(output)])
        if cell.get("outputs")
        else cell
        for cell, title in _with_headings(without_empty_sections(notebook.cells))
    ]
    return found, "".join(styles)


def without_empty_sections(cells: Sequence[Any]) -> list[Any]:
    """Return the cells without the headings (## and below) whose code cells all show nothing: there is no section."""
    starts = [place for place, cell in enumerate(cells) if cell.cell_type == "markdown"] + [len(cells)]
    empty = {
        start
        for start, stop in pairwise(starts)
        if cells[start].source.startswith("##") and stop > start + 1 and not any(map(_shows, cells[start + 1 : stop]))
    }
    return [cell for place, cell in enumerate(cells) if place not in empty]


def _shows(cell: Any) -> bool:
    return any(not _is_warning(output) for output in cell.get("outputs", []))


def warnings_of(notebook: Any) -> str:
    """Return what the cells wrote to stderr, each part below the id of its cell."""
    parts = []
    for cell in notebook.cells:
        text = "".join(output.text for output in cell.get("outputs", []) if _is_warning(output))
        if text.strip():
            parts.append(f"[{cell.get('id', '')}]\n{text.rstrip()}\n")
    return "\n".join(parts)


def _is_warning(output: Any) -> bool:
    return bool(output.output_type == "stream" and output.get("name") == "stderr")


def _with_headings(cells: Any) -> Iterator[tuple[Any, str]]:
    """Yield each cell with the heading above it."""
    title = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            lines = [line.lstrip("# ").strip() for line in cell.source.splitlines() if line.startswith("#")]
            title = lines[-1] if lines else title
        yield cell, title


def _with(node: Any, **changes: Any) -> Any:
    changed = copy.copy(node)
    changed.update(changes)
    return changed


def _ready(output: Any, title: str, styles: list[str]) -> Any:
    if output.output_type == "stream":
        return _with(output, text=_cut(output.text))
    if output.output_type == "error":
        return _with(output, traceback=[_cut(line) for line in output.traceback])
    alt = say("report.page.picture_of", title=title) if title else say("report.page.picture")
    data = _static(dict(output.data), alt)
    if len(data.get("text/html", "")) > _LONGEST_HTML:
        del data["text/html"]  # markup cannot be cut, its text can
    if "text/html" in data:
        data["text/html"] = _styled(data["text/html"], styles)
    if "text/plain" in data:
        data["text/plain"] = _cut(data["text/plain"])
    return _with(output, data=data, metadata=_described(output.get("metadata", {}), alt))


def _static(data: dict[str, Any], alt: str) -> dict[str, Any]:
    """Return an output's forms without those that would run: its picture, else what is left and a sentence."""
    html = _text(data.get("text/html", ""))
    interactive = [kind for kind in data if _INTERACTIVE.fullmatch(kind)]
    scripted = bool(_SCRIPT.search(html))
    if scripted or interactive:
        pictures = {kind: data[kind] for kind in _PICTURES if kind in data}
        if pictures:
            return _drawn(pictures, alt)
        rest = harmless_html(html)
        return {"text/html": (html if _SEEN.search(rest) else "") + _no_script()}
    if "text/latex" in data and "text/html" not in data:
        return {"text/html": formula_html(_text(data["text/latex"]))}
    return _drawn(data, alt) if "text/html" not in data else data


def with_note(html: str) -> str:
    """Return HTML made from Markdown, with a sentence where it holds what would run and is left out."""
    return html + _no_script() if _SCRIPT.search(html) else html


def _no_script() -> str:
    return f'<p class="fk fk-note">{escape(say("report.page.no_script"))}</p>'


def _drawn(data: dict[str, Any], alt: str) -> dict[str, Any]:
    """Return the forms with an SVG as the address of a picture: within one it can neither run nor fetch."""
    if "image/svg+xml" not in data:
        return data
    coded = base64.b64encode(_text(data.pop("image/svg+xml")).encode()).decode()
    return {**data, "text/html": f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{coded}">'}


def _styled(html: str, styles: list[str]) -> str:
    """Return an output in a place of its own, which its style sheets are kept to."""
    sheets = _STYLE.findall(html)
    if not sheets:
        return html
    scope = f"own-{len(styles) + 1}"
    styles.append(scoped_css("\n".join(sheets), f"#{scope}"))
    return f'<div class="own" id="{scope}">{_STYLE.sub("", html)}</div>'


def _described(metadata: Mapping[str, Any], alt: str) -> dict[str, Any]:
    """Return an output's metadata with a text for each picture that has none."""
    return {**metadata, **{kind: {"alt": alt, **metadata.get(kind, {})} for kind in _PICTURES}}


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _cut(text: str) -> str:
    lines = text.splitlines(keepends=True)
    kept = "".join(lines[:_MOST_LINES])[:_LONGEST_TEXT]
    if len(kept) == len(text):
        return text
    return kept + "\n" + say("report.page.cut", lines=number(len(lines)), signs=number(len(text))) + "\n"
