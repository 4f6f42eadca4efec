"""Workers of reports: forked from a preloaded parent on Linux, started as usual elsewhere; nothing of them stays."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any

from funnelkit.report.kernels import processes
from funnelkit.report.kernels.forked import GONE, Forked
from funnelkit.report.runs.publish import try_lock

NAME, SOCKET = "funnelkit-fork", "FUNNELKIT_FORGE"
READ, SHARED_READ = "read", "FUNNELKIT_READ"  # what one report has read, for the others of its batch
_LONGEST = 30  # of the runtime folder's path: a socket's path below it may have about 108 bytes
_DROPPED = ("MPLBACKEND", "JPY_PARENT_PID", "PYTHONWARNINGS", "PYTHONSTARTUP", SOCKET, SHARED_READ)
# As ipykernel's launcher does: a timeit.py where the command is given must not stand in for the library's.
_ELSEWHERE = "import sys; sys.path[:1] == [''] and sys.path.pop(0); sys.path.append({root!r}); "


def can_fork() -> bool:
    """Tell whether kernels are forked here: Linux, the provisioner installed, and FUNNELKIT_FORK not set to 0."""
    installed = entry_points(group="jupyter_client.kernel_provisioners", name=NAME)
    return sys.platform.startswith("linux") and bool(installed) and os.environ.get("FUNNELKIT_FORK") != "0"


class Workers:
    """Where reports are executed: `with Workers(modules) as workers: worker = workers.start(folder)`.

    Leaving the block ends every process that came of it and removes the private runtime folder. Where `sharing`, the
    reports share what one of them has read.
    """

    def __init__(self, modules: Iterable[str] = (), sharing: bool = False) -> None:
        self.modules = list(modules)
        self.sharing = sharing
        self.token = secrets.token_hex(4)
        self.forge: subprocess.Popen[bytes] | None = None
        self.forks = can_fork()
        self.starting = threading.Lock()

    def __enter__(self) -> Workers:
        self.runtime = _runtime_folder()
        (self.runtime / READ).mkdir(mode=0o700)
        self.lock = _hold(self.runtime, self.token)
        return self

    def __exit__(self, *_: object) -> None:
        if self.forge is not None:
            forge = self.forge
            processes.end(lambda: processes.descendants(forge.pid), 1)
            forge.kill()
            forge.wait()
        processes.end(lambda: processes.marked(self.token))
        shutil.rmtree(self.runtime, ignore_errors=True)
        self.lock.close()

    def warm(self, stop: Callable[[], Any], within_s: float = 600) -> None:
        """Wait until the preloaded parent forks: its imports are not to use up the first reports' deadlines.

        Where it cannot start, the workers are started as usual.
        """
        if not self.forks:
            return
        with self.starting:
            self._ensure_forge()
        env = self._environment(self.token + "0" * 8, self.runtime)
        order = {"do": "nothing", "env": env, "cwd": str(self.runtime), "log": str(self.runtime / "forge.log")}
        try:
            first = Worker(Forked(str(self.runtime / "forge"), order), self.token, self.runtime)
            wait(first, time.monotonic() + within_s, stop)
            self.forks = not first.lost()
        except GONE:
            self.forks = False

    def start(self, folder: Path, alone: bool = False) -> Worker:
        """Start a worker on FOLDER/spec.json and return it: `poll()` is None while it runs.

        One that is `alone` is started as usual: whatever its cells do to their parents, no other worker has these. So
        is one whose parent is being killed at this moment.
        """
        mark = self.token + secrets.token_hex(4)
        private = self.runtime / mark[8:]
        private.mkdir(mode=0o700)
        log = folder / "worker.log"
        env = self._environment(mark, private) | {"FUNNELKIT_LOG": str(log)}
        env |= {SHARED_READ: str(self.runtime / READ)} if self.sharing else {}
        if self.forks and not alone:
            with self.starting:
                self._ensure_forge()
            more = {SOCKET: str(self.runtime / "forge"), "JUPYTER_DEFAULT_PROVISIONER_NAME": NAME}
            order = {"do": "report", "folder": str(folder), "env": env | more, "cwd": str(folder), "log": str(log)}
            with contextlib.suppress(*GONE):
                return Worker(Forked(str(self.runtime / "forge"), order), mark, private)
        command = _command("worker", "work_alone", str(folder), str(os.getpid()))
        with log.open("w") as handle:
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, start_new_session=True
            )
        return Worker(process, mark, private)

    def kernel_environment(self) -> dict[str, str]:
        """Return the environment of kernels that a process other than a worker starts."""
        mark = self.token + secrets.token_hex(4)
        private = self.runtime / mark[8:]
        private.mkdir(mode=0o700)
        return self._environment(mark, private) | {SOCKET: str(self.runtime / "forge")}

    def _ensure_forge(self) -> None:
        """Start the preloaded parent, also anew where somebody killed it."""
        if self.forge is not None and self.forge.poll() is None:
            return
        address = self.runtime / "forge"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen(64)
            env = self._environment(self.token + "0" * 8, self.runtime) | {"FUNNELKIT_RUNTIME": str(self.runtime)}
            number = listener.fileno()
            words = [str(os.getpid()), str(number), json.dumps(self.modules), *(["many"] if self.sharing else [])]
            command = _command("prefork", "serve", *words)
            with (self.runtime / "forge.log").open("w") as log:
                self.forge = subprocess.Popen(
                    command, env=env, stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=[number],
                    start_new_session=True,
                )  # fmt: skip

    @staticmethod
    def _environment(mark: str, private: Path) -> dict[str, str]:
        """Return a worker's environment: private folders, fixed hashing and dates, and the mark of its run."""
        kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
        folders = (
            "JUPYTER_RUNTIME_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_CONFIG_DIR",
            "IPYTHONDIR",
            "TMPDIR",
            "TEMP",
            "TMP",
        )
        fixed = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": "315532800"}
        return {**kept, **dict.fromkeys(folders, str(private)), **fixed, processes.MARK: mark}


@contextlib.contextmanager
def warm_kernels(modules: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield an environment: kernels that this process starts with it are forks of a parent that has `modules` loaded.

    Where kernels cannot be forked it is this process's own, and they start as usual.
    """
    if not can_fork():
        yield dict(os.environ)
        return
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    factory = KernelProvisionerFactory.instance()
    usual, factory.default_provisioner_name = factory.default_provisioner_name, NAME
    try:
        with Workers(modules) as workers:
            workers.warm(lambda: False)
            yield workers.kernel_environment()
    finally:
        factory.default_provisioner_name = usual


class Worker:
    """One worker: its process, the mark of whatever comes of it, its private folder."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, mark: str, private: Path) -> None:
        self.process, self.mark, self.private = process, mark, private

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        return self.process.poll()

    def lost(self) -> bool:
        """Tell whether it ended with the preloaded parent: the cells of another report may have killed that."""
        return isinstance(self.process, Forked) and self.process.orphaned

    def pause(self, seconds: float) -> None:
        """Wait so long, or until there is something to hear of the process."""
        if isinstance(self.process, Forked):
            select.select([self.process], [], [], seconds)
        else:
            time.sleep(seconds)

    def end(self) -> None:
        """End it and whatever it started, also what left its session; nothing of it survives."""
        processes.end(lambda: processes.marked(self.mark))
        shutil.rmtree(self.private, ignore_errors=True)


def _command(module: str, function: str, *words: str) -> list[str]:
    """Return the command that calls a function of a module here with words, in any folder."""
    root = str(Path(__file__).parents[3])
    program = f"from funnelkit.report.kernels.{module} import {function}; {function}(*sys.argv[1:])"
    return [sys.executable, "-c", _ELSEWHERE.format(root=root) + program, *words]


def sweep() -> None:
    """End what commands that were killed left behind, and remove their runtime folders."""
    for base in _bases():
        for folder in Path(base).glob("fk-*"):
            with contextlib.suppress(OSError, ValueError):
                _sweep_one(folder)


def _sweep_one(folder: Path) -> None:
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return
    with (folder / "lock").open("r+") as handle:
        if not try_lock(handle):
            return
        token = handle.read(8)
        if len(token) == 8:
            processes.end(lambda: processes.marked(token))
    shutil.rmtree(folder, ignore_errors=True)


def _bases() -> Iterable[str]:
    return dict.fromkeys((tempfile.gettempdir(), "/tmp")) if os.name == "posix" else (tempfile.gettempdir(),)


def _runtime_folder() -> Path:
    """Make the private folder, 0700, at a short path."""
    for base in _bases():
        if len(base) + 12 <= _LONGEST or os.name != "posix":
            with contextlib.suppress(OSError):
                return Path(tempfile.mkdtemp(prefix="fk-", dir=base))
    return Path(tempfile.mkdtemp(prefix="fk-"))


def _hold(runtime: Path, token: str) -> IO[str]:
    handle = (runtime / "new").open("w+")
    try_lock(handle)
    handle.write(token)
    handle.flush()
    (runtime / "new").rename(runtime / "lock")  # under this name it is locked already
    return handle


def wait(
    worker: Worker, deadline: float, stop: Callable[[], Any], tick: Callable[[], object] = lambda: None
) -> int | str:
    """Wait for a worker; return its exit status, or the word why it was not waited for: deadline, cancelled."""
    pause = 0.005
    while (status := worker.poll()) is None:
        if stop():
            return "cancelled"
        if time.monotonic() > deadline:
            return "deadline"
        tick()
        worker.pause(pause)
        pause = min(pause * 1.5, 0.05)
    return status
