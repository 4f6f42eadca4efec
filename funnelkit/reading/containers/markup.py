"""XML read as a stream: no document type is taken, so no entity can grow or reach for another file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO
from xml.parsers import expat

from funnelkit.language import DataError

_CHUNK = 1 << 20


def parse_markup(
    stream: IO[bytes],
    name: str,
    *,
    start: Callable[[str, Mapping[str, str], int], None],
    end: Callable[[str], None],
    text: Callable[[str], None] | None = None,
) -> None:
    """Call `start` with each element's name without prefix, its attributes and line, and `end` where it ends.

    Raises DataError where the file is no whole XML, or declares a document type.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = lambda *_: _refuse_doctype(name, parser.CurrentLineNumber)
    parser.StartElementHandler = lambda tag, attributes: start(
        tag.rpartition(":")[2], attributes, parser.CurrentLineNumber
    )
    parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, str(error))
        raise DataError("markup_broken", file=name, line=error.lineno, reason=reason) from None


def _refuse_doctype(name: str, line: int) -> None:
    raise DataError("markup_doctype", file=name, line=line)
