"""An executed notebook as one self-contained page: no script, no request, its own font, everything sanitised."""

from __future__ import annotations

import base64
import copy
import io
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from funnelkit.charts import FONT_FILE
from funnelkit.language import language, number, say
from funnelkit.report.runs.notebooks import import_nbformat

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
_CJK = "U+2E80-9FFF, U+F900-FAFF, U+FE30-FE4F, U+FF00-FFEF, U+20000-323AF"
_FONT_FACE = '@font-face{font-family:"fk-cjk";src:url(data:font/otf;base64,%s) format("opentype");unicode-range:%s}'
_MOST_LINES, _LONGEST_TEXT, _LONGEST_HTML = 2_000, 200_000, 5_000_000
_CSS = Path(__file__).with_suffix(".css")
_TEXT = re.compile(r">[^<>]+<")
_WHOLE = re.compile(r"[-+]?\d[\d,.]*%|\[[-+\d][-+\d,.% ]{2,40}\]|[(（]?n = [\d,]+[)）]?|(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
# Cells of a table keep words whole, so a longer run of signs gets places to break.
_CELL = re.compile(r"(<td[^>]*>)([^<]+)(?=</td>)")
_RUN, _SIGN = re.compile(r"(?:&#?\w+;|[^\s<>&\u2e80-\U0003ffff]){18,}"), re.compile(r"&#?\w+;|.")
_PARSED: list[Any] = []  # the font, parsed ahead by the process whose forks write pages
_TAGS = {"a", "b", "blockquote", "br", "caption", "code", "div", "em", "h1", "h2", "h3", "h4", "hr", "i", "img", "li",
         "ol", "p", "pre", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul", "details",
         "summary"}  # fmt: skip
_ATTRIBUTES = {"*": {"class", "id", "title", "lang"}, "img": {"src", "alt", "width", "height"}, "a": {"href"},
               "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}}  # fmt: skip


def page(notebook: Any, title: str = "funnelkit", dates: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the HTML page of an executed notebook, its code left out; `dates` are named in its head.

    Scripts, event handlers, styles and addresses other than data: pictures and in-page links are removed, and the
    page's content policy forbids any request.
    """
    body = _unbroken(_cleaner().clean(_body(shortened(notebook))))
    style = _font_face(body) + _CSS.read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="{"zh-CN" if language() == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{_named(dates)}"
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _named(dates: Mapping[str, str]) -> str:
    return "".join(f'<meta name="{escape(name)}" content="{escape(day)}">' for name, day in dates.items())


def shortened(notebook: Any) -> Any:
    """Return the notebook with what is too long for a page cut, each cut said; the notebook file holds all of it."""
    found = copy.copy(notebook)
    found.cells = [
        _with(cell, outputs=[_short(output) for output in cell.outputs]) if cell.get("outputs") else cell
        for cell in notebook.cells
    ]
    return found


def _with(node: Any, **changes: Any) -> Any:
    changed = copy.copy(node)
    changed.update(changes)
    return changed


def _short(output: Any) -> Any:
    if output.output_type == "stream":
        return _with(output, text=_cut(output.text))
    if output.output_type == "error":
        return _with(output, traceback=[_cut(line) for line in output.traceback])
    data = dict(output.data)
    if len(data.get("text/html", "")) > _LONGEST_HTML:
        del data["text/html"]  # markup cannot be cut, its text can
    if "text/plain" in data:
        data["text/plain"] = _cut(data["text/plain"])
    return _with(output, data=data)


def _cut(text: str) -> str:
    lines = text.splitlines(keepends=True)
    kept = "".join(lines[:_MOST_LINES])[:_LONGEST_TEXT]
    if len(kept) == len(text):
        return text
    return kept + "\n" + say("report.page.cut", lines=number(len(lines)), signs=number(len(text))) + "\n"


def _body(notebook: Any) -> str:
    return str(_exporter().from_notebook_node(notebook)[0])


@cache
def _exporter() -> Any:
    import nbconvert

    exporter: Any = nbconvert.HTMLExporter
    return exporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True,
        exclude_anchor_links=True,
    )  # fmt: skip


def _parse_font() -> Any:
    from fontTools.ttLib import TTFont

    font = TTFont(FONT_FILE, recalcTimestamp=False)
    font.getBestCmap()
    font.getGlyphOrder()
    return font


def warm() -> None:
    """Compile the page's templates and parse the font ahead of the first page."""
    new = import_nbformat().v4
    text = new.new_output("stream", text="x")
    html = new.new_output("display_data", {"text/html": "<p>x</p>", "image/png": "", "text/plain": "x"})
    cells = [new.new_markdown_cell("# x"), new.new_code_cell("x", outputs=[text, html])]
    _unbroken(_cleaner().clean(_body(new.new_notebook(cells=cells))))
    _PARSED.append(_parse_font())


@cache
def _cleaner() -> Any:
    import nh3

    return nh3.Cleaner(
        tags=_TAGS, attributes=_ATTRIBUTES, attribute_filter=_kept, url_schemes={"data", "https", "mailto"},
        link_rel=None,
    )  # fmt: skip


def _kept(tag: str, name: str, value: str) -> str | None:
    """Pictures must be data; links may lead within the page or to https, for a reader to follow by hand."""
    starts = {("img", "src"): ("data:image/",), ("a", "href"): ("#", "https:", "mailto:")}.get((tag, name), ("",))
    return value if value.startswith(starts) else None


def _unbroken(html: str) -> str:
    """Keep a rate, its interval, its n and a day each on one line, however narrow the column; let long words break."""
    html = _CELL.sub(lambda cell: cell[1] + _RUN.sub(_breakable, cell[2]), html)
    return _TEXT.sub(lambda text: _WHOLE.sub(r'<span class="w">\g<0></span>', text[0]), html)


def _breakable(run: re.Match[str]) -> str:
    signs = _SIGN.findall(run[0])
    return "<wbr>".join("".join(signs[i : i + 12]) for i in range(0, len(signs), 12))


def _font_face(body: str) -> str:
    """Return the style that holds the vendored font cut to the page's signs: kilobytes, none where it needs none."""
    signs = "".join(sorted({sign for sign in body if ord(sign) >= 0x2E80}))
    return _FONT_FACE % (_font_of(signs), _CJK) if signs else ""


@lru_cache(maxsize=8)
def _font_of(signs: str) -> str:
    """Return the font of these signs, as base64."""
    from fontTools import subset

    font = _PARSED.pop() if _PARSED else _parse_font()  # cutting changes it: each serves once
    subsetter = subset.Subsetter(subset.Options(layout_features=[], hinting=False))
    subsetter.populate(text=signs)
    subsetter.subset(font)
    buffer = io.BytesIO()
    font.save(buffer)
    return base64.b64encode(buffer.getvalue()).decode()
