"""Blocks of a lesson as HTML: text, code, what cells show; pictures become files next to the page."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape, unescape
from itertools import groupby, zip_longest
from typing import Any

from funnelkit.course.site.lesson import Block, Lesson
from funnelkit.course.site.terms import Terms
from funnelkit.explore import embed
from funnelkit.language import say
from funnelkit.report import clean_html

_PICTURE = re.compile(r'<img class="fk"([^>]*?) src="data:image/png;base64,([A-Za-z0-9+/=]+)"([^>]*)>')
_LONG_CELL = re.compile(r"<td>(?=[^<]{40})")  # a sentence: without a width of its own it becomes a column of words
_ROWS_LEFT = re.compile(r'(<p) class="fk fk-note"(>[^<]*)`\.table`')  # of a table that is longer than what is shown
_EMPTY_HEAD = re.compile(r"<th[^>]*>\s*</th>")
_LINK = re.compile(r"\]\((?:\.\./)?([\w-]+)\.ipynb((?:#[\w-]+)?)\)")
_PAGE = re.compile(r'<a href="#page:([\w-]+)((?:#[\w-]+)?)">(.*?)</a>', re.DOTALL)
_BOXES = ("question", "mistake", "work", "method")
_FOLDED = {"parameters": "setup", "solution": "solution"}


@dataclass
class Writer:
    """Writes the blocks of one lesson and gathers its pictures, {file name: bytes}, and the hashes of its explorables.

    `pages` are the lessons that texts may lead to.
    """

    lesson: Lesson
    terms: Terms
    pages: Collection[str] = ()
    pictures: dict[str, bytes] = field(default_factory=dict)
    hashes: set[str] = field(default_factory=set)
    _made: dict[str, str] = field(default_factory=dict)

    def html(self, blocks: Sequence[Block]) -> str:
        """Return blocks that follow each other: a mistake in one frame, solutions and parameters folded."""
        found = []
        for kind, group in groupby(blocks, key=lambda block: block.role):
            parts = list(group)
            inner = "\n".join(self._block(block) for block in parts)
            if kind in _FOLDED:
                inner = f'<details class="{_FOLDED[kind]}"><summary>{_said(_FOLDED[kind])}</summary>{inner}</details>'
            elif kind in _BOXES:
                inner = f'<div class="box {kind}">{inner}</div>'
            elif kind == "check":
                inner += self._where_to_run()
            found.append(inner)
        return "\n".join(found)

    def _block(self, block: Block) -> str:
        if not block.is_code:
            return f'<div class="cell {block.role}" id="{escape(block.id)}">{self.text(block)}</div>'
        code = "" if block.role == "explore" else _code(block.source)
        kind = "cell check" if block.role == "check" else "cell"
        return f'<div class="{kind}" id="{escape(block.id)}">{code}{self.shown(block)}</div>'

    def text(self, block: Block) -> str:
        """Return a text block: boxes without their block quote, options to choose from, terms with links."""
        html = markdown(block.source, self.pages)
        if block.role in _BOXES:
            html = re.sub(r"</?blockquote[^>]*>", "", html)
        if block.role == "hook":
            html = self._number_once(html)
        if block.role == "question":
            html = _options(html, block.id)
        if block.role == "card":
            html = _card(html)
        if block.role == "takeaways":
            html = html.replace("<ul>", "<ol>").replace("</ul>", "</ol>")
        return self.terms.linked(html) if block.role not in ("hook", "takeaways") else html

    def _number_once(self, html: str) -> str:
        """Return a title without the line of the lesson's number, which every page puts above it."""
        said = escape(say("course.site.lesson", no=self.lesson.number))
        return re.sub(rf"<p><strong>{said}</strong>.*?</p>\s*", "", html, count=1, flags=re.DOTALL)

    def shown(self, block: Block) -> str:
        """Return what a code cell shows, as a card; nothing where it shows nothing."""
        if block.id not in self._made:
            self._made[block.id] = self._shown(block)
        return self._made[block.id]

    def _shown(self, block: Block) -> str:
        raw = block.html
        if not raw:
            return ""
        kept: dict[str, str] = {}
        html = _clean(_PICTURE.sub(lambda found: self._picture(found, block.id, kept), raw))
        for mark, picture in kept.items():
            html = html.replace(mark, picture)
        html = _ROWS_LEFT.sub(r'\1 class="fk fk-note rows-left"\2<code>.table</code>', html)
        html = _LONG_CELL.sub('<td class="long">', _EMPTY_HEAD.sub("<td></td>", html))
        html = html.replace("<table", '<div class="scroll" tabindex="0"><table').replace("</table>", "</table></div>")
        html = html.replace('<pre class="printed">', '<pre class="printed" tabindex="0">')
        return f'<div class="result">{html}</div>' if block.card is None else self._card(block, html)

    def _card(self, block: Block, twin: str) -> str:
        """Return an explorable that works on the page; `twin` is what shows where no script runs, and on paper."""
        still = f'<div class="result">{twin}</div>'
        part = embed(block.card, f"{block.id}-card", twin=still, level=3)
        self.hashes.update(part.hashes)
        return f'{part.html}<div class="paper">{still}</div>'

    def _picture(self, found: re.Match[str], name: str, kept: dict[str, str]) -> str:
        """Keep a picture as a file and return the mark that stands for it while the rest is cleaned."""
        data = base64.b64decode(found[2])
        file = f"{self.lesson.name}-{name}{f'-{len(kept) + 1}' if kept else ''}.png"
        self.pictures[file] = data
        width, height = (int.from_bytes(data[place : place + 4], "big") for place in (16, 20))
        alt = re.search(r'alt="([^"]*)"', found[1] + found[3])
        mark = f"@picture-{len(kept)}@"
        kept[mark] = (
            f'<div class="scroll chart" tabindex="0"><img src="pictures/{file}" width="{width}" height="{height}" '
            f'alt="{alt[1] if alt else ""}"></div>'
        )
        return mark

    def _where_to_run(self) -> str:
        link = f'<a href="notebooks/{self.lesson.name}.ipynb" download>{escape(self.lesson.name)}.ipynb</a>'
        return f'<p class="run">{_said("where_to_run").replace("@", link)}</p>'


def _said(key: str) -> str:
    return escape(say(f"course.site.{key}"))


def _clean(html: str) -> str:
    """Return clean HTML without styles of its own: the policy of the pages forbids them."""
    return re.sub(r'(<\w[^>]*?) style="[^"]*"', r"\1", clean_html(html))


def markdown(source: str, pages: Collection[str] = ()) -> str:
    """Return Markdown as clean HTML; a link to a notebook leads to the page of its lesson, where there is one."""
    from nbconvert.filters import markdown2html

    html = markdown2html(_LINK.sub(r"](#page:\1\2)", source))
    html = re.sub(r'<a class="anchor-link".*?</a>', "", html)
    html = _clean(re.sub(r'(<h\d) id="[^"]*"', r"\1", html))
    html = _PAGE.sub(
        lambda link: f'<a href="{link[1]}.html{link[2]}">{link[3]}</a>' * (link[1] in pages) or link[3], html
    )
    html = re.sub(r"<pre(?=[ >])", '<pre tabindex="0"', html)  # it scrolls where it is too wide
    return _EMPTY_HEAD.sub("<td></td>", html)


def _options(html: str, name: str) -> str:
    """Return a question whose list is one to choose from: the choice stays on the page."""
    html = re.sub(
        r"<li>(?:<p>)?(.*?)(?:</p>)?\s*</li>",
        rf'<li><label><input type="radio" name="{escape(name)}"> <span>\1</span></label></li>',
        html,
        flags=re.DOTALL,
    )
    return html.replace("<ul>", '<ul class="options">')


def _card(html: str) -> str:
    """Return the card's table without its empty header, the first cell of each row its heading."""
    html = re.sub(r"<thead>.*?</thead>", "", html, flags=re.DOTALL)
    return re.sub(r"<tr>\s*<td>(.*?)</td>", r'<tr><th scope="row">\1</th>', html, flags=re.DOTALL)


def _code(source: str) -> str:
    from pygments import highlight

    lexer, formatter = _highlighter()
    return f'<div class="code"><pre tabindex="0">{highlight(source, lexer, formatter).rstrip()}</pre></div>'


@cache
def _highlighter() -> tuple[Any, Any]:
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return PythonLexer(), HtmlFormatter(nowrap=True)


def inline(text: str) -> str:
    """Return a line of Markdown, such as a trainer's note, as HTML without a paragraph: emphasis and code."""
    parts = re.split(r"`([^`]+)`", text)
    words = [re.sub(r"(\*{1,2})(?=\S)(.+?)(?<=\S)\1", _stressed, escape(part, quote=False)) for part in parts[::2]]
    code = [f"<code>{escape(part, quote=False)}</code>" for part in parts[1::2]]
    return "".join(found for pair in zip_longest(words, code, fillvalue="") for found in pair)


def _stressed(found: re.Match[str]) -> str:
    kind = "b" if len(found[1]) == 2 else "em"
    return f"<{kind}>{found[2]}</{kind}>"


def plain_text(html: str) -> str:
    """Return the words of HTML in one line: what stands in blocks of its own is kept apart."""
    apart = re.sub(r"<(?=/?(?:p|li|tr|td|th|h\d|div|pre|ul|ol|summary)\b)", " <", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", apart)).split())
