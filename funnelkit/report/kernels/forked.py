"""A process forked by the preloaded parent, as its customer sees it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Mapping
from typing import Any

GONE = (ConnectionError, FileNotFoundError)  # what an order meets whose parent is being killed, or started anew


class Forked:
    """Order a process at `address`; the methods are those of subprocess.Popen that are used."""

    stdin = stdout = stderr = None

    def __init__(self, address: str, order: Mapping[str, Any]) -> None:
        self.returncode: int | None = None
        self.pid: int | None = None
        self.orphaned = False  # the parent ended before it could tell how the process did
        self._socket = socket.socket(socket.AF_UNIX)
        self._unread = b""
        self._socket.connect(address)
        self._socket.sendall(json.dumps(order).encode() + b"\n")
        if order["do"] == "kernel":
            self._socket.settimeout(60)
            self._take()
            if self.pid is None:
                raise (ConnectionError if self.orphaned else RuntimeError)("the preloaded parent did not fork a kernel")

    def fileno(self) -> int:
        return self._socket.fileno()

    def poll(self) -> int | None:
        """Return the exit status, None while the process runs; -9 where the parent itself is gone."""
        if self.returncode is None:
            self._socket.setblocking(False)
            self._take()
        return self.returncode

    def wait(self) -> int:
        """Return the exit status when the process has ended."""
        self._socket.setblocking(True)
        while self.returncode is None:
            self._take()
        return self.returncode

    def _take(self) -> None:
        try:
            data = self._socket.recv(4096)
        except (BlockingIOError, TimeoutError):
            return
        except OSError:
            data = b""
        if not data:
            self.returncode, self.orphaned = -signal.SIGKILL, True
            return
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            self.pid = answer.get("pid", self.pid)
            self.returncode = answer.get("status", self.returncode)

    def send_signal(self, number: int) -> None:
        if self.poll() is None and self.pid:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    terminate = kill
