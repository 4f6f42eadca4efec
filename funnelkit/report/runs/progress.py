"""A progress bar on a terminal's last line; without a terminal nothing is written."""

import sys

_WIDTH = 24


class Bar:
    """Show `done` of `total` with a word on what runs; leaves the line empty at the end."""

    def __init__(self, unit, enabled):
        self.unit, self.enabled, self.last = unit, enabled, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.last is not None:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def show(self, done, total, word=""):
        """Draw the bar where anything changed since the last time."""
        if not self.enabled or not total or (done, total, word) == self.last:
            return
        self.last = (done, total, word)
        full = _WIDTH * done // total
        sys.stderr.write(f"\r\033[K[{'#' * full}{'.' * (_WIDTH - full)}] {done}/{total} {word}"[:120])
        sys.stderr.flush()
