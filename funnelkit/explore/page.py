"""Explorables in pages without a kernel: one file that opens anywhere and asks for nothing, or a part of a page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from funnelkit.explore.base import Explorable, file_text, module, styles, words
from funnelkit.language import say

POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; font-src data:; base-uri 'none'; "
    "form-action 'none'"
)
PAGE, PAGE_STYLE = file_text("page.html"), file_text("page.css")


@dataclass(frozen=True)
class Embedded:
    """An explorable as a part of a page: its HTML, and what the page's policy must allow in `script-src`."""

    html: str
    hashes: tuple[str, ...]


def embed(
    source: Explorable | Mapping[str, Any],
    id: str,
    *,
    twin: str | None = None,
    level: int = 2,
    switch: bool = False,
    address: bool = False,
) -> Embedded:
    """Return an explorable as HTML that works in a page without a kernel: host element, data, module.

    Parameters
    ----------
    source : Explorable or mapping
        The card, or its bundle as a saved notebook carries it (`DATA` in a cell's output).
    id : str
        Of the host element; unique on the page.
    twin : str, optional
        HTML to show where no script runs; that of the card by default. Inline styles are dropped: policies refuse them.
    level : int
        Of the title among the page's headings.
    switch, address : bool
        Whether the card has its own switch of language, and whether the page's address keeps the state.

    Returns
    -------
    Embedded
        `hashes` are for the page's Content-Security-Policy; the styles need no entry there.

    Examples
    --------
    >>> part = embed({"name": "what_if", "spec": {}, "state": {}, "lang": "en", "revealed": False}, "card", twin="")
    >>> part.html.startswith('<div class="fk-explorable" id="card">'), len(part.hashes)
    (True, 1)
    """
    if isinstance(source, Explorable):
        twin, source = source.twin()["text/html"] if twin is None else twin, source.bundle()
    return _embedded(source, id, twin or "", {"level": level, "switch": switch}, address)


def _embedded(bundle: Mapping[str, Any], id: str, twin: str, shape: Mapping[str, Any], address: bool) -> Embedded:
    name = bundle["name"]
    traits = {
        **bundle,
        "spec": {**bundle["spec"], **shape},
        "texts": words(name),
        "css": styles(name),
        "address": address,
    }
    script = f"\n{module(name)}\nboot(shown, {json.dumps(id)});\n"
    data = json.dumps(traits, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    plain = re.sub(r' style="[^"]*"', "", twin)
    html = (
        f'<div class="fk-explorable" id="{escape(id)}">{plain}</div>\n'
        f'<script type="application/json" id="{escape(id)}-data">{data}</script>\n'
        f'<script type="module">{script}</script>'
    )
    return Embedded(html, (digest(script),))


def digest(text: str) -> str:
    """Return the hash of an inline script or style as a Content-Security-Policy names it.

    Parameters
    ----------
    text : str
        What stands between the tags.

    Returns
    -------
    str

    Examples
    --------
    >>> digest("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def explorable_page(panel: Explorable, title: str | None = None) -> str:
    """Return one page with an explorable that opens from a disk or a stick and asks for nothing.

    Parameters
    ----------
    panel : Explorable
        The page opens in its present state and language; the address keeps what its readers move.
    title : str, optional
        Of the window; the explorable's question by default.

    Returns
    -------
    str
        HTML; the same bytes for the same explorable. Where no script runs, it shows the table and the picture.
    """
    part = embed(panel, "fk", level=1, switch=True, address=True)
    title = title or say(f"explore.{panel.name}.title", panel.lang)
    policy = POLICY.format(scripts=" ".join(part.hashes), styles=digest(PAGE_STYLE))
    lang = "zh-Hans" if panel.lang == "zh" else "en"
    return PAGE.format(lang=lang, policy=escape(policy), title=escape(title), style=PAGE_STYLE, body=part.html)


def write_page(panel: Explorable, path: str | Path) -> Path:
    """Write `explorable_page` to a file.

    Parameters
    ----------
    panel : Explorable
    path : str or Path

    Returns
    -------
    Path
        Of the file.
    """
    path = Path(path)
    path.write_text(explorable_page(panel), encoding="utf-8", newline="\n")
    return path
