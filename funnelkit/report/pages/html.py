"""An executed notebook as one self-contained page: no script, no request, its own font, everything sanitised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from funnelkit.language import language, say
from funnelkit.report.pages.clean import harmless_html
from funnelkit.report.pages.columns import aligned
from funnelkit.report.pages.fonts import font_face, latin_faces, warm_font
from funnelkit.report.pages.formulas import formula_html
from funnelkit.report.pages.outputs import prepared, with_note
from funnelkit.report.runs.notebooks import import_nbformat

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
_CSS = Path(__file__).with_suffix(".css")
_FIRST, _FIRST_CSS = '<div class="fp', Path(__file__).with_name("first_page.css")
_TEXT = re.compile(r">[^<>]+<")
_WHOLE = re.compile(
    r"[-−+]?\d[\d,.]*%|\[[-−+\d][-−+\d,.% ]{2,40}\]|[(（]?n = [\d,]+[)）]?|(?<!\d)\d{4}-\d\d-\d\d(?!\d)"
    r"|(?<!\d)\d{1,2} [A-Z][a-z]{2,8} \d{4}(?!\d)|(?<!\d)\d{4} 年 \d{1,2} 月 \d{1,2} 日"
)
# Cells of a table keep words whole, so a longer run of signs gets places to break.
_CELL = re.compile(r"(<td[^>]*>)([^<]+)(?=</td>)")
_RUN, _SIGN = re.compile(r"(?:&#?\w+;|[^\s<>&\-\u2e80-\U0003ffff]){18,}"), re.compile(r"&#?\w+;|.")
_TAG, _NO_ID = re.compile(r"<[^>]*>"), re.compile(r"\s+")
_NO_MONEY = re.compile(r"\S(.*\S)?", re.S)  # what stands between dollars of two amounts ends or begins with a blank
_LONGEST_CELL = 400
_KINDS = ("text/html", "text/markdown", "image/png", "image/jpeg", "text/plain")  # of an output, the first is shown
_EMPTY_HEAD = re.compile(r"<th([^>]*)>(?:\s|&nbsp;|\xa0)*</th>")


def page(notebook: Any, title: str = "funnelkit", dates: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the HTML page of an executed notebook, its code left out; `dates` are named in its head.

    Scripts, event handlers and addresses other than data: pictures and links are removed, styles are kept to the
    output that brings them, and the page's content policy forbids any request.
    """
    ready, styles = prepared(notebook)
    body = clean_html(_body(ready))
    style = font_face(body) + _CSS.read_text(encoding="utf-8") + styles
    start = "<body>"
    if _FIRST in body:
        start = '<body class="first">'
        style += latin_faces(body) + _FIRST_CSS.read_text(encoding="utf-8")
    if "<h1" not in body:
        body = f'<h1 class="unseen">{escape(title)}</h1>\n{body}'
    return (
        f'<!DOCTYPE html>\n<html lang="{"zh-CN" if language() == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{_named(dates)}"
        f"<title>{escape(title)}</title><style>{style}</style></head>\n{start}<main>\n{body}\n</main></body></html>\n"
    )


def _named(dates: Mapping[str, str]) -> str:
    return "".join(f'<meta name="{escape(name)}" content="{escape(day)}">' for name, day in dates.items())


def _body(notebook: Any) -> str:
    return str(_exporter().from_notebook_node(notebook)[0])


@cache
def _exporter() -> Any:
    from jinja2 import pass_context
    from nbconvert.exporters import HTMLExporter, TemplateExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        """Formulas as pictures: nbconvert's own are drawn by a script from elsewhere."""

        def block_math(self, body: str) -> str:
            return formula_html(body)

        def latex_environment(self, name: str, body: str) -> str:
            return formula_html(f"\\begin{{{name}}}{body}\\end{{{name}}}")

        def inline_math(self, body: str) -> str:
            return formula_html(body, block=False) if _NO_MONEY.fullmatch(body) else f"${self.escape_html(body)}$"

        def heading(self, text: str, level: int, **attributes: Any) -> str:
            place = _NO_ID.sub("-", _TAG.sub("", text).strip())
            return f'<h{level} id="{escape(place)}">{text}</h{level}>\n'

    class Exporter(HTMLExporter):
        def from_notebook_node(self, nb: Any, resources: Any = None, **options: Any) -> Any:
            """Without a second parsing of the whole page, which would only fill in texts for pictures."""
            return TemplateExporter.from_notebook_node(self, nb, resources, **options)

        @pass_context
        def markdown2html(self, context: Any, source: str) -> str:
            attachments = context.get("cell", {}).get("attachments", {})
            renderer = Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
            return with_note(str(MarkdownWithMath(renderer=renderer).render(source)))

    exporter: Any = Exporter
    made = exporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True,
        exclude_anchor_links=True,
    )  # fmt: skip
    made.register_filter("highlight_code", lambda source, **_: source)  # the template names it; code is left out
    made.register_filter("filter_data_type", lambda data: [kind for kind in _KINDS if kind in data][:1])
    return made


def warm() -> None:
    """Compile the page's templates and parse the font ahead of the first page."""
    new = import_nbformat().v4
    text = new.new_output("stream", text="x")
    html = new.new_output("display_data", {"text/html": "<p>x</p>", "image/png": "", "text/plain": "x"})
    cells = [new.new_markdown_cell("# x"), new.new_code_cell("x", outputs=[text, html])]
    clean_html(_body(new.new_notebook(cells=cells)))
    warm_font()


def clean_html(html: str) -> str:
    """Return HTML that can neither run nor fetch anything.

    Parameters
    ----------
    html : str
        What cells show, or text made from Markdown.

    Returns
    -------
    str
        Without scripts, handlers and addresses other than data: pictures, in-page and https links; of styles what
        colours and lays out a part in its place; a rate, its interval and its n each on one line; tables can scroll,
        and those from pandas have numbers to the right.

    Examples
    --------
    >>> clean_html('<p onclick="x()" style="color:red">30%<script>y()</script></p>')
    '<p style="color:red"><span class="w">30%</span></p>'
    """
    return _scrolling(_unbroken(aligned(harmless_html(html))))


def _scrolling(html: str) -> str:
    """Put each table into a place that scrolls sideways where it is wider than the page, also by the keyboard.

    A head without words, as pandas sets above its index, is read out as a head of nothing: it becomes a plain cell.
    """
    html = _EMPTY_HEAD.sub(r"<td\1></td>", html)
    name = escape(say("report.page.table"))
    html = html.replace("<table", f'<div class="scroll" role="group" tabindex="0" aria-label="{name}"><table')
    return html.replace("</table>", "</table></div>")


def _unbroken(html: str) -> str:
    """Keep a rate, its interval, its n and a day each on one line, however narrow the column; let long words break."""
    html = _CELL.sub(lambda cell: cell[1] + _RUN.sub(_breakable, _cut(cell[2])), html)
    return _TEXT.sub(lambda text: _WHOLE.sub(r'<span class="w">\g<0></span>', text[0]), html)


def _cut(cell: str) -> str:
    """A cell longer than can be read is cut; the notebook and the tables hold all of it."""
    if len(cell) <= _LONGEST_CELL:
        return cell
    return "".join(_SIGN.findall(cell)[: _LONGEST_CELL - 1]) + "…"


def _breakable(run: re.Match[str]) -> str:
    signs = _SIGN.findall(run[0])
    return "<wbr>".join("".join(signs[i : i + 12]) for i in range(0, len(signs), 12))
