"""Columns of tables that pandas writes: numbers to the right, text to the left, heads as what is below them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TABLE = re.compile(r'<table\b[^>]*\b(?:class="dataframe\b|id="T_)[^>]*>(?:(?!<table\b).)*?</table>', re.S)
_ROW = re.compile(r"<tr\b[^>]*>.*?</tr>", re.S)
_CELL = re.compile(r"<(t[hd])\b([^>]*)>(.*?)</t[hd]>", re.S)
_SPAN, _TAG = re.compile(r'\b(?:col|row)span="(?!1")'), re.compile(r"<[^>]*>")
_NUMBER = re.compile(
    r"\(?[-−+]?(?:[A-Z]{3}[\s\xa0]|[¥￥$€£])?[-−+]?\d[\d,.'\s\xa0]*(?:[eE][-+]?\d+)?\s?(?:%|‰|[万亿]?元?|[kKMB]|bn)?\)?"
)
_NOTHING = {"", "-", "–", "—", "…", "...", "nan", "NaN", "None", "NaT", "&lt;NA&gt;"}


def aligned(html: str) -> str:
    """Return HTML whose tables from pandas have each column aligned as what it holds.

    A table with cells that span several columns or rows stays as it is.

    >>> rows = "<tr><th>Who</th><th>Rate</th></tr><tr><td>Ann</td><td>31%</td></tr>"
    >>> aligned(f'<table class="dataframe">{rows}</table>')[51:]
    '<th class="r">Rate</th></tr><tr><td class="l">Ann</td><td class="r">31%</td></tr></table>'
    """
    return _TABLE.sub(lambda found: _table(found[0]), html)


def _table(html: str) -> str:
    rows = [_CELL.findall(row) for row in _ROW.findall(html)]
    if len({len(cells) for cells in rows}) != 1 or any(_SPAN.search(cell[1]) for cells in rows for cell in cells):
        return html
    sides = [_side(column) for column in zip(*rows, strict=True)]
    return _ROW.sub(lambda row: _row(row[0], sides), html)


def _side(column: Sequence[tuple[str, str, str]]) -> str:
    """Return the class of a column's cells, none for one of row heads."""
    texts = [_TAG.sub("", text).strip() for kind, _, text in column if kind == "td"]
    told = [text for text in texts if text not in _NOTHING]
    return "" if not texts else "r" if told and all(map(_NUMBER.fullmatch, told)) else "l"


def _row(row: str, sides: Sequence[str]) -> str:
    left = iter(sides)
    return _CELL.sub(lambda cell: _cell(cell, next(left)), row)


def _cell(cell: re.Match[str], side: str) -> str:
    kind, attributes, text = cell.groups()
    if not side:
        return cell[0]
    named = re.sub(r'\bclass="', f'class="{side} ', attributes, count=1)
    named = named if named != attributes else f'{attributes} class="{side}"'
    return f"<{kind}{named}>{text}</{kind}>"
