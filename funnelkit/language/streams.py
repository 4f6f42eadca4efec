"""Standard output and standard error that may be full or closed: what fails is noted and never breaks the work."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO, Any, cast


class Stream:
    """A stream that drops what it is given once a write has failed; `failure` is what it failed with."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        self._try("write", text)
        return len(text)

    def flush(self) -> None:
        self._try("flush")

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, name: str, *arguments: str) -> None:
        if self._stream is None or self.failure is not None:
            return
        try:
            getattr(self._stream, name)(*arguments)
        except OSError as error:
            self.failure = error
            self._discard()

    def _discard(self) -> None:
        """Let what is still buffered go nowhere: the interpreter tries to write it once more at its end."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, cast("IO[str]", self._stream).fileno())
            os.close(nowhere)


@contextlib.contextmanager
def watched() -> Iterator[Stream]:
    """Watch both streams of this process; yield its standard output."""
    before = sys.stdout, sys.stderr
    streams = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = cast("Any", streams)
    try:
        yield streams[0]
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before
