"""HTML that can neither run nor fetch anything: tags, attributes, styles and pictures by lists of what is allowed."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from funnelkit.language import tame

_TEXT = "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img"
_MORE = "ins kbd li mark ol p pre s small span strong sub summary sup table tbody td tfoot th thead tr u ul var"
_SVG = "svg g path rect circle ellipse line polyline polygon text tspan title desc defs linearGradient stop pattern"
_TAGS = {*_TEXT.split(), *_MORE.split(), *_SVG.split(), "section", "header", "footer", "col", "colgroup"}
_DRAWN = (
    "x y x1 x2 y1 y2 cx cy r rx ry dx dy d points width height viewBox preserveAspectRatio transform fill fill-opacity "
    "fill-rule stroke stroke-width stroke-opacity stroke-dasharray stroke-linecap stroke-linejoin opacity offset "
    "stop-color stop-opacity text-anchor dominant-baseline font-size font-weight font-family font-style gradientUnits "
    "gradientTransform patternUnits focusable"
)
_ANYWHERE = {"class", "id", "title", "lang", "dir", "style", "role", "tabindex", "aria-label", "aria-hidden",
             "aria-labelledby", "aria-describedby"}  # fmt: skip
_ATTRIBUTES = {
    "*": _ANYWHERE, "img": {"src", "alt", "width", "height"}, "a": {"href"}, "ol": {"start"}, "details": {"open"},
    "td": {"colspan", "rowspan", "headers"}, "th": {"colspan", "rowspan", "scope", "abbr"}, "col": {"span"},
    **{tag: set(_DRAWN.split()) for tag in _SVG.split()},
}  # fmt: skip
_ADDRESSES = {("img", "src"): ("data:image/",), ("a", "href"): ("#", "https:", "mailto:")}
# Nothing among these can lay one part of the page over another or leave its place.
_STYLES = re.compile(
    r"color|opacity|background(-color|-image|-size|-position|-repeat)?|font(-family|-size|-style|-variant.*|-weight)?"
    r"|text-(align|decoration.*|transform|indent|overflow|shadow)|border(-.*)?|padding(-.*)?|margin(-.*)?"
    r"|(min-|max-)?(width|height)|vertical-align|white-space|word-break|overflow-wrap|line-height|letter-spacing"
    r"|display|gap|grid-template-columns|flex(-.*)?|align-items|justify-content|caption-side|table-layout|list-style.*"
    r"|overflow(-[xy])?|box-shadow|box-sizing|fill|stroke(-.*)?|break-(after|before|inside)|empty-cells|visibility"
)
_VALUE = re.compile(r"[\w\s#%.,()+*/'\"-]*(!important)?", re.ASCII)
_CALLS = re.compile(r"([\w-]*)\(")
_HARMLESS_CALLS = {"rgb", "rgba", "hsl", "hsla", "calc", "min", "max", "clamp", "repeat", "minmax", "linear-gradient",
                   "repeating-linear-gradient", "radial-gradient", ""}  # fmt: skip
_SELECTOR = re.compile(r"[\w#.:*][\w\s#.:>+~*()-]*")
_COMMENT, _RULE = re.compile(r"/\*.*?\*/", re.S), re.compile(r"([^{}]+)\{([^{}]*)\}")
_WHOLE_PAGE = re.compile(r"^(:root|html|body)\b(?!\s*[+~])")
_NO_SOURCE = re.compile(r"<img(?![^>]*\bsrc=)[^>]*>")


def harmless_html(html: str) -> str:
    """Return HTML that can neither run nor fetch anything, nor leave its place on the page.

    >>> harmless_html('<p onclick="x()" style="color:red;position:fixed">30%<script>y()</script></p>')
    '<p style="color:red">30%</p>'
    """
    return tame(_NO_SOURCE.sub("", str(_cleaner().clean(html))))


@cache
def _cleaner() -> Any:
    import nh3

    return nh3.Cleaner(
        tags=_TAGS, attributes=_ATTRIBUTES, attribute_filter=_kept, url_schemes={"data", "https", "mailto"},
        link_rel=None,
    )  # fmt: skip


def _kept(tag: str, name: str, value: str) -> str | None:
    """Pictures must be data; links may lead within the page or to https, for a reader to follow by hand."""
    if name == "style":
        return declarations(value) or None
    if name == "tabindex":
        return value if value == "0" else None
    if name in ("fill", "stroke") and "url(" in value:
        return value if re.fullmatch(r"url\(#[\w-]+\)", value) else None
    return value if value.startswith(_ADDRESSES.get((tag, name), ("",))) else None


def declarations(text: str) -> str:
    """Return the harmless of some CSS declarations.

    >>> declarations("color: red; background: url(http://example.org); width: 10em !important; position: fixed")
    'color:red;width:10em !important'
    """
    found = []
    for part in text.split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        harmless = _STYLES.fullmatch(name.lower()) and value and _VALUE.fullmatch(value)
        if harmless and set(_CALLS.findall(value.lower())) <= _HARMLESS_CALLS:
            negative = name.lower().startswith("margin") and "-" in value
            found += [] if negative else [f"{name.lower()}:{value}"]
    return ";".join(found)


def scoped_css(css: str, scope: str) -> str:
    """Return the harmless rules of a style sheet, each selector below `scope`; rules that begin with @ are left out.

    >>> scoped_css("#T_1 td.high {color: red} body {margin: 0} @import url(x); p {behavior: url(x)}", "#o-1")
    '#o-1 #T_1 td.high{color:red}#o-1{margin:0}'
    """
    found = []
    for selectors, body in _RULE.findall(_COMMENT.sub("", css)):
        kept = [selector.strip() for selector in selectors.split(",")]
        harmless = declarations(body)
        if harmless and all(map(_SELECTOR.fullmatch, kept)):
            found.append(",".join(_below(scope, selector) for selector in kept) + "{" + harmless + "}")
    return "".join(found)


def _below(scope: str, selector: str) -> str:
    rest, whole = _WHOLE_PAGE.subn("", selector)
    return scope + rest if whole else f"{scope} {selector}"
