"""A parent process with the imports already done (Linux): it forks workers and kernels on request.

It runs no event loop and no work of its own, so that a fork of it is as good as a process just started: whoever
executes a report or a kernel is always a fresh process. Requests come over a socket, one connection each: an order as
a line of JSON; the answers are {"pid": N}, and when that process has ended {"status": N}.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from funnelkit.report.kernels import processes
from funnelkit.report.kernels.memory import limit_kernel

# What every worker and kernel needs. The inline backend must be asked for before matplotlib is imported.
_ALWAYS = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.comm", "nbclient", "papermill",
    "nbconvert.exporters.html", "nh3", "fontTools.subset", "fontTools.cffLib", "fontTools.otlLib",
    "jupyter_client.provisioning", "funnelkit.report.pages.html", "funnelkit.report.pages.export",
    "funnelkit.report.kernels.worker", "funnelkit.report.kernels.engine", "funnelkit.report.kernels.client",
    "funnelkit.report.kernels.provisioner", "openpyxl",
)  # fmt: skip
# What a kernel imports besides when it starts and when it shows a first table and a first picture: debugpy alone is
# a good part of a short report. None of them starts a thread or opens a file.
_SOON = (
    "ipykernel.debugger", "ipykernel.kernelspec", "tornado.platform.asyncio", "tornado.locks", "tornado.queues",
    "IPython.core.debugger", "IPython.core.completerlib", "IPython.core.logger", "IPython.core.oinspect",
    "IPython.core.pylabtools", "IPython.extensions.storemagic", "sqlite3", "psutil",
)  # fmt: skip
_OF_MODULES = {
    "pandas": ("pandas.io.formats.html", "pandas.io.formats.string", "pandas.core.methods.to_dict"),
    "pyarrow": ("pyarrow.pandas_compat",),
    "matplotlib": ("matplotlib.backends.backend_agg", "PIL.PngImagePlugin", "PIL.features"),
}


def serve(parent: str, descriptor: str, modules: str, many: str = "") -> None:
    """Preload, then serve the listening socket `descriptor` until the standard input closes: then end everything.

    While it preloads it has no children to end, and ends with the command `parent`. For `many` reports it also does
    once what each would do at its first use of the kit.
    """
    processes.die_with_parent(int(parent))
    listener = socket.socket(fileno=int(descriptor))
    processes.adopt_orphans()
    _preload(json.loads(modules), bool(many))
    processes.outlive_parent()
    _Forge(listener).serve()


def _preload(modules: list[str], many: bool = False) -> None:
    gc.disable()  # imports make many objects and hardly any garbage
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    from funnelkit.report.runs.notebooks import import_nbformat

    import_nbformat()
    for name in (*_ALWAYS, *_SOON, *modules):
        _try_import(name)
    kit = any(name.partition(".")[0] == "funnelkit" for name in modules)
    if kit:
        _open_doors()
    for name, others in _OF_MODULES.items():
        if name in sys.modules:
            for other in others:
                _try_import(other)
    if "PIL.Image" in sys.modules:
        sys.modules["PIL.Image"].preinit()
    _warm()
    if kit and many:
        from funnelkit.report.kernels.warm import warm_kit

        with contextlib.suppress(Exception):  # whatever it is, the cell that meets it will say so
            warm_kit()
    for name in [name for name in sys.modules if name.startswith("matplotlib_inline")]:
        del sys.modules[name]  # its import ties figures to the kernel's shell: it must happen there
    gc.freeze()  # else each child's first collection walks, and so copies, all that was imported here
    gc.enable()


def _open_doors() -> None:
    """Load what `import funnelkit as fk` would load at the first use of each name, and the libraries behind these."""
    import funnelkit
    import funnelkit.report

    for door in (funnelkit, funnelkit.report):
        for name in door.__all__:
            with contextlib.suppress(ImportError):
                getattr(door, name)
    for name in ("matplotlib.backends.backend_svg", "scipy.special", "babel.numbers", "babel.dates"):
        _try_import(name)


def _warm() -> None:
    """Fill what every report would fill for itself: entry points, templates of the page, what finds a font's file.

    Pictures that a template draws with Matplotlib alone have Chinese letters then.
    """
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    from funnelkit.report.pages import html

    KernelProvisionerFactory.instance()
    html.warm()
    if "matplotlib.backends.backend_agg" in sys.modules:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        from funnelkit.charts import fall_back

        fall_back()
        figure = Figure()
        axes = figure.subplots()
        axes.bar(["0"], [1])
        axes.set(title="0", xlabel="0", ylabel="0")
        FigureCanvasAgg(figure).print_figure(io.BytesIO(), format="png", bbox_inches="tight")


def _try_import(name: str) -> None:
    with contextlib.suppress(ImportError):  # the cell that imports it will say so
        importlib.import_module(name)


class _Forge:
    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.connections: dict[int, socket.socket] = {}  # pid of a child -> the connection to tell of its end
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        os.set_blocking(self.wake_read, False)

    def serve(self) -> None:
        """Fork and report ends until the command that started this process is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the command decides when the end is
        for source in (self.listener, self.wake_read, 0):
            self.selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    self._fork()
                elif key.fileobj == self.wake_read:
                    self._reap()
                else:
                    _farewell()

    def _fork(self) -> None:
        connection, _ = self.listener.accept()
        connection.settimeout(10)
        try:
            with connection.makefile("r", encoding="utf-8") as lines:
                order = json.loads(lines.readline())
        except (OSError, ValueError):
            connection.close()
            return
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._let_go(connection)
            _child(order, parent)
        self.connections[pid] = connection
        _tell(connection, {"pid": pid})

    def _let_go(self, connection: socket.socket) -> None:
        """Close in the child whatever belongs to the parent alone."""
        signal.set_wakeup_fd(-1)
        self.selector.close()
        for other in (self.listener, connection, *self.connections.values()):
            other.close()
        for descriptor in (self.wake_read, self.wake_write):
            os.close(descriptor)

    def _reap(self) -> None:
        os.read(self.wake_read, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self.connections.pop(pid, None)  # an adopted orphan has none
            if connection is not None:
                _tell(connection, {"status": os.waitstatus_to_exitcode(status)})
                connection.close()


def _tell(connection: socket.socket, answer: Mapping[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        return  # who asked is gone; the command that supervises it will end this child


def _farewell() -> NoReturn:
    """The command is gone, whether it ended well or was killed: end all that is left, remove the runtime folder."""
    import shutil

    token = os.environ[processes.MARK][:8]
    processes.end(lambda: {*processes.descendants(os.getpid()), *processes.marked(token)})
    shutil.rmtree(os.environ["FUNNELKIT_RUNTIME"], ignore_errors=True)
    os._exit(0)


def _child(order: Mapping[str, Any], parent: int) -> NoReturn:
    """Become the process of one order: its own session, streams, environment and folder; never returns."""
    code: Any = 1
    try:
        os.setsid()
        processes.die_with_parent(parent)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _redirect(order["log"])
        processes.remark(order["env"][processes.MARK])
        os.environ.clear()
        os.environ.update(order["env"])
        time.tzset()
        os.chdir(order["cwd"])
        _forget()
        code = _ROLES[order["do"]](order)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(code or 0)


def _redirect(log: str) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, place in ((null, 0), (file, 1), (file, 2)):
        os.dup2(descriptor, place)
    os.close(null)
    os.close(file)


def _forget() -> None:
    """Drop what a started process would not have inherited: exit functions, numpy's one random state."""
    atexit._clear()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _report(order: Mapping[str, Any]) -> int:
    from funnelkit.report.kernels import worker

    gc.disable()  # it lives for one report; whatever its cells hold is in the kernel
    return worker.work(order["folder"])


def _kernel(order: Mapping[str, Any]) -> int:
    from ipykernel.kernelapp import IPKernelApp

    limit_kernel()
    sys.argv = order["argv"]
    IPKernelApp.launch_instance(argv=order["argv"][1:])
    # Its control thread still flushes the outputs of the shutdown. Where the exit functions have ended the thread of
    # outputs by then, it waits for 10 s; the manager kills the kernel after 3.
    IPKernelApp.instance().control_thread.join(timeout=1)
    return 0


_ROLES: dict[str, Callable[[Mapping[str, Any]], int]] = {"report": _report, "kernel": _kernel, "nothing": lambda _: 0}
