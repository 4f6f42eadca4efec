"""How many rows fit into the memory that this process may still take: of the machine, its container, its own limits."""

from __future__ import annotations

import os
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
    available, held, data = _system() if sys.platform == "linux" else _psutil()
    yield available
    if sys.platform != "linux":
        return
    import resource

    for limit, used in ((resource.RLIMIT_AS, held), (resource.RLIMIT_DATA, data)):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY:
            yield max(0, most - used)
    try:
        allowed, taken = ((_CONTAINER / name).read_text().strip() for name in ("memory.max", "memory.current"))
        if allowed != "max":
            yield max(0, int(allowed) - int(taken))
    except (OSError, ValueError):
        return


def _system() -> tuple[int, int, int]:
    """Return the memory available, the address space and the data of this process, as Linux tells them.

    psutil reads the same files, but to import it takes longer than to count a hundred thousand rows.
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
        pages = Path("/proc/self/statm").read_text().split()
    except (OSError, StopIteration):
        return _psutil()
    size = os.sysconf("SC_PAGE_SIZE")
    return available, int(pages[0]) * size, int(pages[5]) * size


def _psutil() -> tuple[int, int, int]:
    """Return the same as psutil tells it; what it does not know of a process is 0."""
    import psutil

    held = psutil.Process().memory_info()
    return int(psutil.virtual_memory().available), held.vms, getattr(held, "data", 0)
