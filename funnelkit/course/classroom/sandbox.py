"""What a learner's answer may do while it is checked: compute, and write to the folder of its run; nothing else.

Two walls. Landlock, where the kernel has it (Linux 5.13 or later), holds for every library of the process. An audit
hook holds on every system, for what passes through Python itself.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Any

_CREATE, _ADD, _RESTRICT, _NO_NEW_PRIVILEGES = 444, 445, 446, 38
_PARENT_DEATH_SIGNAL, _KILL = 1, 9
_EXECUTE, _WRITE_FILE = 1 << 0, 1 << 1
_WRITES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove and make files of every kind
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # from the second and the third version on
_NET, _SIGNALS = 0b11, 0b11  # bind and connect; abstract sockets and signals to processes outside
_FORBIDDEN = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill", "pty.",
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "ctypes.", "sys.addaudithook", "winreg.",
    "webbrowser.", "urllib.Request",
)  # fmt: skip
_PATHS = {
    "os.remove": 1, "os.rename": 2, "os.rmdir": 1, "os.mkdir": 1, "os.chmod": 1, "os.chown": 1, "os.link": 2,
    "os.symlink": 2, "os.truncate": 1, "os.utime": 1, "os.setxattr": 1, "os.removexattr": 1, "os.chflags": 1,
}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LARGEST_FILE, LARGEST_MEMORY, LONGEST_CPU_S = 200 * 2**20, 16 * 2**30, 3600


def confine(folder: Path) -> bool:
    """Let this thread and all that it starts write below `folder` only; return whether the system's own wall stands.

    To be called before any other thread starts. Nothing is executed and no connection made from here on.
    """
    _limit()
    return sys.platform == "linux" and _landlock(folder)


def _limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    most = {"FSIZE": LARGEST_FILE, "AS": LARGEST_MEMORY, "CPU": LONGEST_CPU_S, "CORE": 0}
    for name, limit in most.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    if sys.platform == "linux":  # whoever grades may be killed: nobody is left then to end an endless loop
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, _KILL, 0, 0, 0)


def _landlock(folder: Path) -> bool:
    call = ctypes.CDLL(None, use_errno=True)
    version = call.syscall(_CREATE, None, 0, 1)
    if version < 1:
        return False
    writes = _WRITES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    attributes = struct.pack("Q", writes | _EXECUTE)
    attributes += struct.pack("Q", _NET) if version >= 4 else b""
    attributes += struct.pack("Q", _SIGNALS) if version >= 6 else b""
    rules = call.syscall(_CREATE, attributes, len(attributes), 0)
    for path, allowed in ((folder, writes), (Path(os.devnull), _WRITE_FILE)):
        place = os.open(path, os.O_PATH)
        call.syscall(_ADD, rules, 1, struct.pack("=Qi", allowed, place), 0)
        os.close(place)
    call.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    stands = bool(call.syscall(_RESTRICT, rules, 0) == 0)
    os.close(rules)
    return stands


def forbid(folder: Path) -> None:
    """Refuse from here on, in this process and for good, what an answer has no need of."""
    inside = os.path.realpath(folder)
    for module in filter(None, map(sys.modules.get, ("_posixsubprocess", "_winapi"))):
        for name in {"fork_exec", "CreateProcess"} & set(vars(module)):
            setattr(module, name, _refused)  # multiprocessing starts processes without an audit event

    def guard(event: str, values: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN):
            raise PermissionError(event)
        if (event == "open" and (values[2] or 0) & _WRITING) or (event == "open" and str(values[0]).endswith(".ipynb")):
            _require_inside(values[0], inside, event)
        for path in values[: _PATHS.get(event, 0)]:
            _require_inside(path, inside, event)

    sys.addaudithook(guard)


def _refused(*_: Any, **__: Any) -> None:
    raise PermissionError("subprocess")


def _require_inside(path: Any, inside: str, event: str) -> None:
    if isinstance(path, int) or path is None:
        return
    real = os.path.realpath(os.fsdecode(path))
    if real != os.devnull and os.path.commonpath([real, inside]) != inside:
        raise PermissionError(f"{event}: {path}")
