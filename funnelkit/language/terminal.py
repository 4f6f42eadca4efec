"""Plain text for a terminal: widths, wrapping and tables that stay straight with double-width Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

GAP = "  "
NARROWEST = 4
# A line does not begin with these, nor end with those.
NOT_FIRST = set("，。、；：？！）》」』”’％·,.;:?!)]}%")
NOT_LAST = set("（《「『“‘([{")
# What steers a terminal or turns the direction of what follows; none of it is ever part of a name.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile(r"\s*[\r\n\t\xa0]\s*")  # and a no-break space, which not every terminal shows
LONGEST = 300  # signs of a cell that are shown


def tame(text: str) -> str:
    """Return the text with a � for each sign that would steer a terminal or turn the direction of reading.

    >>> tame("\\x1b[31mgpj.exe")
    '�[31mgpj.exe'
    """
    return _STEERING.sub("\ufffd", text)


def tame_cell(text: str) -> str:
    """Return the text of a table's cell: tamed, on one line, cut where it is longer than a cell can be read.

    >>> tame_cell("a\\r\\nb"), len(tame_cell("x" * 5000))
    ('a b', 300)
    """
    line = tame(_BREAKS.sub(" ", text))
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def width(text: str) -> int:
    """Return how many terminal columns a text takes: Chinese signs take two, combining marks none.

    >>> width("ab"), width("阶段")
    (2, 4)
    """
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 1 + _is_wide(sign) for sign in text)


def pad(text: str, columns: int, right: bool = False) -> str:
    """Return the text filled with blanks to `columns` terminal columns.

    >>> pad("漏斗", 6) + "|"
    '漏斗  |'
    """
    blanks = " " * max(columns - width(text), 0)
    return blanks + text if right else text + blanks


def wrap_text(text: str, columns: int) -> list[str]:
    """Return the text as lines of at most `columns` columns: at blanks, and between Chinese signs.

    No line begins with a closing sign or ends with an opening one, unless the width leaves no choice.

    >>> wrap_text("销售漏斗，分阶段。", 8)
    ['销售漏', '斗，分阶', '段。']
    """
    lines, line = [], ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        while width(piece.rstrip()) > columns:
            head = _fitting(piece, columns)
            lines.append(head)
            piece = piece[len(head) :]
        line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> list[str]:
    """Split into what must not be broken: words with the blank after them, Chinese signs with their punctuation."""
    pieces: list[str] = []
    for sign in text:
        joined = pieces and (
            sign in NOT_FIRST
            or sign == " "
            or pieces[-1][-1] in NOT_LAST
            or not (_is_wide(sign) or _is_wide(pieces[-1][-1]) or pieces[-1][-1] == " ")
        )
        if joined:
            pieces[-1] += sign
        else:
            pieces.append(sign)
    return pieces


def _is_wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WF"


def _fitting(text: str, columns: int) -> str:
    """Return the longest beginning of the text that takes at most `columns`, and at least one sign."""
    end = 1
    while end < len(text) and width(text[: end + 1]) <= columns:
        end += 1
    return text[:end]


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], columns: int, right: Collection[int] = ()
) -> list[str]:
    """Return a plain table as lines of at most `columns`; long cells wrap, those in `right` align right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = _fit_widths(list(zip(header, *cells, strict=True)), columns - len(GAP) * (len(header) - 1))
    lines = [*_table_row(header, widths, right), GAP.join("-" * size for size in widths)]
    for row in cells:
        lines += _table_row(row, widths, right)
    return lines


def _fit_widths(columns: list[tuple[str, ...]], room: int) -> list[int]:
    """Take cells from the widest column until all fit: headings wrap first, words break only where all else fails."""
    widths = [max(map(width, column)) for column in columns]
    words = list(map(longest_word, columns))
    bodies = [
        max(word, min(8, size), *map(width, column[1:]))
        for word, size, column in zip(words, widths, columns, strict=True)
    ]
    for floors in (bodies, words, [NARROWEST] * len(widths)):
        while sum(widths) > room and any(cells > floor for cells, floor in zip(widths, floors, strict=True)):
            spare = [cells if cells > floor else 0 for cells, floor in zip(widths, floors, strict=True)]
            widths[spare.index(max(spare))] -= 1
    return widths


def longest_word(column: Iterable[str]) -> int:
    """Return the width of the longest part that must not be broken."""
    return max(width(piece.rstrip()) for cell in column for piece in _pieces(cell))


def _table_row(cells: Sequence[str], widths: Sequence[int], right: Collection[int]) -> list[str]:
    columns = [wrap_text(cell, size) for cell, size in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(map(len, columns))):
        texts = (column[number] if number < len(column) else "" for column in columns)
        line = [pad(text, size, at in right) for at, (text, size) in enumerate(zip(texts, widths, strict=True))]
        lines.append(GAP.join(line).rstrip())
    return lines


def align(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return rows of texts as one text, the columns whose position is in `right` flush right.

    >>> print(align([["Stage", "n"], ["阶段", "12"]], right=(1,)))
    Stage   n
    阶段   12
    """
    size = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(pad(cell, size[i], i in right) for i, cell in enumerate(row)).rstrip() for row in rows)
    return "\n".join(lines)
