"""A progress bar on a terminal's last line; without a terminal nothing is written."""

from __future__ import annotations

import sys
from typing import Any


class Progress:
    """Show `done` of `total` with a word on what runs; leaves the line empty at the end.

    Parameters
    ----------
    enabled : bool
        False writes nothing: the standard error is no terminal.
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._bar: Any = None
        self._last: tuple[int, int, str] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int, word: str = "") -> None:
        """Draw how far it is, where anything changed since the last time."""
        if not self.enabled or not total or (done, total, word) == self._last:
            return
        self._last = (done, total, word)
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, file=sys.stderr, leave=False, mininterval=0, bar_format=_FORM)
        self._bar.n, self._bar.total = done, total
        self._bar.set_description_str(word)


_FORM = "[{bar:24}] {n_fmt}/{total_fmt} {desc}"
