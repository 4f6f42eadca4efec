"""How many rows fit into the memory that this process may still take: of the machine, its container, its own limits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

_LEAST = 1_000_000
_CONTAINER = Path("/sys/fs/cgroup")


def rows_that_fit(most: int, bytes_a_row: int) -> int:
    """Return how many rows may be held at once: half of the memory left, no more than `most`."""
    left = min(_left(), default=None)
    return most if left is None else min(most, max(_LEAST, left // 2 // bytes_a_row))


def _left() -> Iterator[int]:
    """Yield what each limit leaves, in bytes."""
    import psutil

    yield int(psutil.virtual_memory().available)
    if sys.platform != "linux":
        return
    import resource

    held = psutil.Process().memory_info()
    for limit, used in ((resource.RLIMIT_AS, held.vms), (resource.RLIMIT_DATA, held.data)):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY:
            yield max(0, most - used)
    try:
        allowed, taken = ((_CONTAINER / name).read_text().strip() for name in ("memory.max", "memory.current"))
        if allowed != "max":
            yield max(0, int(allowed) - int(taken))
    except (OSError, ValueError):
        return
