"""Plain-text tables that align in a terminal, also with Chinese signs that are two columns wide."""

import unicodedata


def width(text):
    """Return how many terminal columns a text takes.

    >>> width("ab"), width("阶段")
    (2, 4)
    """
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(sign) in "WF" else 0 if unicodedata.combining(sign) else 1 for sign in text
    )


def pad(text, columns, right=False):
    """Return the text filled with blanks to `columns` terminal columns."""
    blanks = " " * max(columns - width(text), 0)
    return blanks + text if right else text + blanks


def align(rows, right=()):
    """Return rows of texts as one text, the columns whose position is in `right` flush right.

    >>> print(align([["Stage", "n"], ["阶段", "12"]], right=(1,)))
    Stage   n
    阶段   12
    """
    size = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(pad(cell, size[i], i in right) for i, cell in enumerate(row)).rstrip() for row in rows)
    return "\n".join(lines)
