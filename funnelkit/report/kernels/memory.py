"""A limit on the memory of a kernel, kept by the operating system: a cell that wants more gets a MemoryError."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

MEMORY = "FUNNELKIT_MEMORY_MB"
_MB = 1024 * 1024
# What Python and the libraries raise where they get no memory.
LACKS = ("MemoryError", "_ArrayMemoryError", "ArrowMemoryError", "OutOfMemoryException")


def limit_kernel() -> None:
    """Limit this process, a kernel that has just begun, to what it has and the megabytes of $FUNNELKIT_MEMORY_MB."""
    wanted = os.environ.get(MEMORY, "")
    if wanted.isdigit():
        _set(int(wanted))


@contextlib.contextmanager
def limited_children(megabytes: int | None) -> Iterator[None]:
    """Have processes started here take no more than that; Windows knows no such limit."""
    old = _set(megabytes) if megabytes else None
    if megabytes:
        os.environ[MEMORY] = str(megabytes)
    try:
        yield
    finally:
        os.environ.pop(MEMORY, None)
        if old is not None:
            import resource

            resource.setrlimit(_kind(), old)


def _kind() -> int:
    import resource

    return resource.RLIMIT_DATA if sys.platform.startswith("linux") else resource.RLIMIT_AS


def _set(megabytes: int) -> tuple[int, int] | None:
    """Set the soft limit; return the limits before, None where there are none."""
    if sys.platform == "win32":
        return None
    import resource

    old = resource.getrlimit(_kind())
    most = _held() + megabytes * _MB
    if old[1] != resource.RLIM_INFINITY:
        most = min(most, old[1])
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(_kind(), (most, old[1]))
    return old


def _held() -> int:
    """Return the bytes that this process has for data already."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), 0)
