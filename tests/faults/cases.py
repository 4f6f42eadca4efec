"""The faults: what is done to a run, and what the kit promises for it. The same are done to bare papermill."""

from dataclasses import dataclass, field, replace

DEADLINE_S = 25


@dataclass(frozen=True)
class Fault:
    """One fault: the cells of its template, the promised exit code and reason, and how the command is treated."""

    name: str
    cells: tuple = ("1",)
    code: int = 0
    reason: str = "ok"
    deadline_s: int = 300
    signal: str = ""  # sent to the command once a cell waits
    free_kb: int | None = None  # room on a small disk that holds the reports
    kill: str = ""  # from outside: a kernel as soon as there is one, the worker that drives it once a cell waits
    read_only: bool = False
    starts: int = 1
    kernelspec: str = "python3"
    parameters: tuple = ()
    null_tags: bool = False  # the template's cells say `tags: null`, as some editors write it
    latest_is_folder: bool = False  # a folder of somebody's own stands where the newest report is to be shown
    open_files: int | None = None  # as many as a process may open
    parameter_file: str = ""  # YAML given with -f; in a batch, a part of its plan
    memory_mb: int | None = None  # what the command is told that cells may take; papermill gets it from the system
    half_pdf: bool = False  # a PDF is asked for, of a Chromium that says it went well and leaves the first half
    umask: int | None = None
    named: str = ""  # the report's own name, which is that of its folder
    tamed: bool = False  # what the command says and publishes is searched for signs that steer a terminal or a reader
    env: dict = field(default_factory=dict)

    @property
    def to_command(self):
        """Tell whether it is done to the command or its disk: then a batch of its own is made for it."""
        limits = (self.free_kb, self.open_files, self.memory_mb, self.umask)
        done = (self.signal, self.read_only, self.kill, self.env, self.parameter_file, self.half_pdf)
        return any(limit is not None for limit in limits) or any(done) or self.starts > 1

    @property
    def healed(self):
        """Return the same without what a person takes away before running again."""
        return replace(
            self, parameters=(), deadline_s=300, env={}, open_files=None, parameter_file="", memory_mb=None,
            half_pdf=False,
        )  # fmt: skip


_WAIT = "import pathlib, time\npathlib.Path(marker).write_text('here')\ntime.sleep(600)"
_CHILD = "import subprocess\nsubprocess.Popen(['sleep', '600'])"
_DAEMON = """import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '600'])
    os._exit(0)"""
_BARE_DAEMON = (
    "import subprocess\nsubprocess.Popen(['sleep', '600'], env={'PATH': '/usr/bin:/bin'}, start_new_session=True)"
)
_KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
_KILL_PARENT = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
_MEMORY = """import resource
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
block = bytearray(4_000_000_000)"""
_LINES = "for i in range(300_000):\n    print('line', i)"
_DIE = """import concurrent.futures, multiprocessing, os, signal
fork = multiprocessing.get_context('fork')
def die(n):
    os.kill(os.getpid(), signal.SIGKILL)
"""
_TEXT = "print('x' * {n}_000)"
_BOMB = """import pathlib, tempfile
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
import funnelkit as fk
column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, 'int32')), pa.array(['x' * 1_000_000]))
path = pathlib.Path(tempfile.mkdtemp()) / 'bomb.parquet'
pq.write_table(pa.table({'deal_id': column, 'stage': column}), path, compression='zstd')
fk.read(path)"""
_ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{to}: &{to} [{', '.join([f'*{of}'] * 9)}]\n" for of, to in zip("abcdefg", "bcdefgh", strict=True)
)
_PIECES = "pieces = [b'x' * 50_000_000 for _ in range(80)]"
_STEERING = "hostile = '\\x1b]0;taken over\\x07\\x1b[2J\\u202egpj.exe\\u2066'"
_TABLE = "import pandas as pd\npd.DataFrame({'owner': [hostile], 'long': ['x' * 5_000]})"
_REMOVE = "import pathlib, shutil\nshutil.rmtree(folder)"

DIED, DEADLINE, CANCELLED, CELL, WRITE = (
    {"code": 13, "reason": "kernel_died"}, {"code": 12, "reason": "deadline", "deadline_s": DEADLINE_S},
    {"code": 15, "reason": "cancelled"}, {"code": 10, "reason": "cell_error"}, {"code": 14, "reason": "cannot_write"},
)  # fmt: skip
LOCALE_C = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0"}

FAULTS = (
    Fault("kernel killed before the first cell", ("1", "2"), kill="kernel", **DIED),
    Fault("kernel killed in a middle cell", ("1", _KILL, "2"), **DIED),
    Fault("kernel killed in the last cell", ("1", _KILL), **DIED),
    Fault("os._exit(0)", ("1", "import os; os._exit(0)", "2"), **DIED),
    Fault("kernel kills its parent", ("1", _KILL_PARENT, "2"), code=13, reason="worker_died"),
    Fault("worker of the report killed", (_CHILD, _DAEMON, _WAIT), kill="worker", code=13, reason="worker_died"),
    Fault("pool worker killed, told", (_DIE + "concurrent.futures.ProcessPoolExecutor(2, fork).submit(die, 1).result()",), **CELL),  # noqa: E501
    Fault("pool worker killed, waited for in vain", (_DIE + "fork.Pool(2).map(die, [1])",), **DEADLINE),
    Fault("memory limit", ("1", _MEMORY, "2"), **CELL),
    Fault("sys.exit(0) in a middle cell", ("1", "import sys; sys.exit(0)", "2"), **CELL),
    Fault("sys.exit(0) in the last cell", ("1", "import sys; sys.exit(0)"), **CELL),
    Fault("exception", ("1", "1 / 0", "2"), **CELL),
    Fault("endless loop", ("while True: pass",), **DEADLINE),
    Fault("loop in C that holds the interpreter", ("import itertools\nany(itertools.repeat(0))",), **DEADLINE),
    Fault(
        "kernel ignores SIGINT",
        ("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)",),
        **DEADLINE,
    ),
    Fault("SIGSTOP", ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",), **DEADLINE),
    Fault("input()", ("input('name? ')",), **CELL),
    Fault("300,000 lines of output", (_LINES, "1")),
    Fault("child and daemon left by a good run", (_CHILD, _DAEMON, "1")),
    Fault("child and daemon left by a failed run", (_CHILD, _DAEMON, "1 / 0"), **CELL),
    Fault("daemon that emptied its environment", (_BARE_DAEMON, "1")),
    Fault("SIGTERM to the command", (_CHILD, _DAEMON, _WAIT), signal="SIGTERM", **CANCELLED),
    Fault("SIGINT to the command", (_CHILD, _DAEMON, _WAIT), signal="SIGINT", **CANCELLED),
    Fault("SIGHUP to the command", (_CHILD, _DAEMON, _WAIT), signal="SIGHUP", **CANCELLED),
    Fault("SIGKILL to the command", (_CHILD, _DAEMON, _WAIT), signal="SIGKILL", code=-9, reason="running"),
    Fault("disk full from the start", (_TEXT.format(n=10),), free_kb=0, **WRITE),
    Fault("disk full while the notebook is written", (_TEXT.format(n=900),), free_kb=400, **WRITE),
    Fault("disk full while the page is written", (_TEXT.format(n=150),), free_kb=330, **WRITE),
    Fault("disk filled by a cell, then the status is written", ("try:\n    open(filler, 'wb').write(bytes(9_000_000))\nexcept OSError:\n    pass",), free_kb=900, **WRITE),  # noqa: E501
    Fault("read-only folder", ("1",), read_only=True, **WRITE),
    Fault("folder removed in mid-run", (_REMOVE, "1"), **WRITE),
    Fault("20 starts at once", ("import time; time.sleep(1)", "1"), starts=20),
    Fault("kernelspec that is not installed", ("1",), kernelspec="no-such-kernel"),
    Fault("LANG=C", ("print('漏斗')", "1"), env=LOCALE_C),
    Fault(
        "parameter name that is code", ("1",), code=11, reason="bad_parameter",
        parameters=("x; open(marker, 'w').write('ran'); y=1",),
    ),
    Fault("ill-typed parameter", ("1",), code=11, reason="bad_parameter", parameters=("n=012",)),
    Fault("file name that is not UTF-8", ("1",), code=11, reason="bad_parameter", parameters=("filler=\udcff.csv",)),
    Fault("syntax error in a cell", ("1", "def broken(:", "2"), **CELL),
    Fault("magic that does not exist", ("1", "%no_such_magic", "2"), **CELL),
    Fault("magics that do", ("%time 1", "%%capture\nprint(1)")),
    Fault("tags: null", ("1", "2"), null_tags=True),
    Fault("more output than can be taken over", ("print('x' * 250_000_000)", "1"), code=10, reason="output_too_large"),
    Fault("Parquet file that unpacks to 200 GB", ("1", _BOMB), code=2, reason="bad_data"),
    Fault(
        "folder in the place of the newest report", ("1",), code=14, reason="latest_is_folder", latest_is_folder=True,
    ),
    Fault("YAML file whose aliases unfold to 43 million values", code=11, reason="bad_parameter", deadline_s=DEADLINE_S, parameter_file=_ALIASES),  # noqa: E501
    Fault("memory that a report may take", ("1", _PIECES, "2"), code=17, reason="memory", memory_mb=1_000),
    Fault("page printed as half a PDF", ("print('half')",), code=14, reason="pdf_broken", half_pdf=True),
    Fault("umask 027", ("1",), umask=0o027),
    Fault("control and direction characters in a message", (_STEERING, "raise ValueError(hostile)"), tamed=True, **CELL),  # noqa: E501
    Fault("control and direction characters in the page", (_STEERING, "print(hostile)", _TABLE), tamed=True),
    Fault("text parameter that YAML takes for a truth value", ("assert filler == 'no', repr(filler)",), parameters=("filler=no",)),  # noqa: E501
    Fault("report whose name YAML takes for a truth value", named="no"),
    Fault("report whose name is markup to a page", named="R&D"),
    Fault("key given twice in a YAML file", code=11, reason="bad_parameter", parameter_file="n: 1\nn: 2\n"),
    Fault("64 open files at most", ("1",), code=14, reason="too_few_files", open_files=64),
)  # fmt: skip
