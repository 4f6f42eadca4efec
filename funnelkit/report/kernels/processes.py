"""Processes of a run: marked by one environment variable, so that all are found again, also those that left."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from funnelkit.language import ReportError

MARK = "FUNNELKIT_MARK"
FEWEST_FILES = 128  # that a process may open: a kernel needs about 60
_PROC = Path("/proc")
_PDEATHSIG, _CHILD_SUBREAPER = 1, 36  # of Linux's prctl


def marked(mark: str) -> list[int]:
    """Return the ids of other processes whose environment holds a mark that begins with `mark`."""
    wanted = f"{MARK}={mark}".encode()
    if _PROC.is_dir():
        return [pid for pid in _ids() if any(part.startswith(wanted) for part in _environ(pid))]
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK, "").startswith(mark):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def descendants(root: int) -> list[int]:
    """Return the ids of all processes below `root`, also of those that emptied their environment."""
    if not _PROC.is_dir():
        import psutil

        return [child.pid for child in psutil.Process(root).children(recursive=True)] if psutil.pid_exists(root) else []
    children: dict[int, list[int]] = {}
    for pid in _ids():
        children.setdefault(_parent(pid), []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def end(find: Callable[[], Collection[int]], within_s: float = 3.0) -> bool:
    """Kill what `find()` names until it names nothing, for at most `within_s`; a killed process may fork on its way."""
    deadline = time.monotonic() + within_s
    while (alive := [pid for pid in find() if pid != os.getpid()]) and time.monotonic() < deadline:
        for pid in alive:
            kill(pid)
        time.sleep(0.01)
    return not alive


def kill(pid: int) -> None:
    """End a process at once; one that is gone already is no error."""
    try:
        os.kill(pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return


def die_with_parent(parent: int) -> None:
    """Ask the system to end this process when `parent` ends (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be asked for
        os._exit(1)


def outlive_parent() -> None:
    """Take `die_with_parent` back."""
    _prctl(_PDEATHSIG, 0)


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of whatever a descendant leaves behind (Linux), so that it can be found and ended."""
    _prctl(_CHILD_SUBREAPER, 1)


def remark(mark: str) -> None:
    """Write a new mark of the same length over this process's first environment, which /proc shows; fork keeps it."""
    import ctypes

    old = f"{MARK}=".encode()
    fields = (_PROC / "self" / "stat").read_text().rpartition(")")[2].split()
    start, stop = int(fields[47]), int(fields[48])  # env_start and env_end are fields 50 and 51, counted from 1
    place = ctypes.string_at(start, stop - start).find(old)
    if place >= 0:
        ctypes.memmove(start + place + len(old), mark.encode(), len(mark))


def _ids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]


def _environ(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def require_files() -> None:
    """Raise ReportError (14) where a process may not open as many files as a kernel's sockets need.

    The soft limit is first raised as far as it may be.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FEWEST_FILES if hard == resource.RLIM_INFINITY else min(hard, FEWEST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < FEWEST_FILES:
        raise ReportError("too_few_files", 14, limit=soft, least=FEWEST_FILES)


class Signals:
    """Note SIGTERM, SIGINT and SIGHUP in `caught` while inside; what was ignored, as under nohup, stays ignored.

    The run asks for `caught` where it can stop; so no signal tears the publishing apart.
    """

    def __init__(self) -> None:
        self.caught: str | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is None or signal.getsignal(number) == signal.SIG_IGN:
                continue
            try:
                self._old[number] = signal.signal(number, self._note)
            except ValueError:  # not the main thread: the caller's signals are not ours
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: object) -> None:
        self.caught = signal.Signals(number).name
