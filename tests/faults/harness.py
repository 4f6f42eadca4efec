"""Do a fault to a run of a tool and check what it left: the same checks for the kit and for bare papermill."""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import nbformat
from cases import Fault

from funnelkit.report.kernels.processes import descendants, kill

GRACE_S = 5
PARAMETERS = "parameters.yaml"
_MB = 1_000_000
_STEERING = ("\x1b]", "\x1b[2J", "\x07", "\u202e", "\u2066")  # colours of a traceback may be
_CHROMIUM = """#!{python}
import pathlib, sys, urllib.request
target = next(word for word in sys.argv if word.startswith("--print-to-pdf=")).partition("=")[2]
page = urllib.request.urlopen(sys.argv[-1]).read()
parts = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
         b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"]
text, places = b"%PDF-1.4\\n", []
for number, part in enumerate(parts, 1):
    places.append(len(text))
    text += b"%d 0 obj\\n%s\\nendobj\\n" % (number, part)
table = b"".join(b"%010d 00000 n \\n" % place for place in places)
end = b"xref\\n0 4\\n0000000000 65535 f \\n%strailer\\n<< /Size 4 /Root 1 0 R >>\\nstartxref\\n%d\\n%%%%EOF\\n"
text += end % (table, len(text))
pathlib.Path(target).write_bytes(text[: len(text) // 2] if b"half" in page else text)
"""  # a whole PDF of one empty page, or the first half of it where the page says so


def template(path, cells, folder, kernelspec="python3", root=None, null_tags=False):
    """Write a template whose cells know a marker file, the folder of the reports and a file to fill the disk with.

    The last two lie beside `root`, the target of the command, which is `folder` unless it is a batch.
    """
    root = root or folder
    lines = ["n: int = 1", f"marker: str = {str(root) + '.marker'!r}", f"folder: str = {str(folder)!r}"]
    lines.append(f"filler: str = {str(root.parent / 'filler')!r}")
    first = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["parameters"]}, id="parameters")
    others = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(cells)]
    spec = {"kernelspec": {"name": kernelspec, "display_name": "Python", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[first, *others], metadata=spec)
    for cell in others if null_tags else ():
        cell.metadata["tags"] = None
    path.write_text(json.dumps(notebook), encoding="utf-8")  # nbformat's own writer would mend it
    return path


class Kit:
    """`funnelkit report`."""

    name, shown = "funnelkit", "latest"

    @staticmethod
    def command(notebook, out, fault):
        pairs = [word for pair in fault.parameters for word in ("-p", pair)]
        options = ["--out", str(out), "--deadline", str(fault.deadline_s), "--lang", "en", *pairs]
        options += ["-f", str(notebook.with_name(PARAMETERS))] if fault.parameter_file else []
        options += ["--memory-mb", str(fault.memory_mb)] if fault.memory_mb is not None else []
        options += ["--pdf"] if fault.half_pdf else []
        return [sys.executable, "-m", "funnelkit", "report", str(notebook), *options]

    @staticmethod
    def told(out):
        """Return what the tool's own record says of the last run."""
        try:
            status = json.loads((out / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return status.get("reason", status["outcome"])

    @staticmethod
    def report(out):
        """Return the published report as {name: hash}."""
        return hashes(out / "latest")

    @staticmethod
    def published(out):
        return (out / "latest").resolve()

    @staticmethod
    def scraps(out):
        return [*out.glob(".staging-*"), *out.glob(".*.tmp")]


class Papermill:
    """`papermill in.ipynb out.ipynb`, its own limit on a cell as the deadline, then nbconvert for the page."""

    name, shown = "papermill", "report.ipynb"

    @staticmethod
    def command(notebook, out, fault):
        pairs = [word for pair in fault.parameters for word in ("-p", *pair.rsplit("=", 1))]
        target = str(out / "report.ipynb")
        limit = ["--execution-timeout", str(fault.deadline_s)]
        run = [sys.executable, "-m", "papermill", str(notebook), target, "--no-progress-bar", *limit, *pairs]
        run += ["-f", str(notebook.with_name(PARAMETERS))] if fault.parameter_file else []
        steps = [run]
        if "page" in fault.name:
            steps.append([sys.executable, "-m", "nbconvert", "--to", "html", target])
        if fault.half_pdf:
            page = (out / "report.html").as_uri()
            steps.append(["chromium", "--headless", f"--print-to-pdf={out / 'report.pdf'}", page])
        return ["/bin/sh", "-c", " && ".join(map(_quoted, [*steps[:-1], ["exec", *steps[-1]]]))]

    @staticmethod
    def told(out):
        """Papermill's record is the output notebook: an exception noted, or all cells completed."""
        try:
            notebook = nbformat.read(out / "report.ipynb", as_version=4)
        except Exception:
            return "torn"
        return "exception" if notebook.metadata.get("papermill", {}).get("exception") else "ok"

    @staticmethod
    def report(out):
        return hashes(out)

    @staticmethod
    def published(out):
        return out / "report.ipynb"

    @staticmethod
    def scraps(out):
        return []


def _quoted(words):
    import shlex

    return " ".join(map(shlex.quote, words))


def hashes(folder):
    """Return {name: hash} of the files of a folder, None where it is gone."""
    if not folder.is_dir():
        return None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Bench:
    """A folder for one fault, perhaps a small disk of its own, with a good old report in it."""

    patience_s = 60  # beyond the deadline, before a command is given up as hanging

    def __init__(self, tool, good, fault):
        self.tool, self.good, self.fault = tool, good, fault
        self.home = Path(tempfile.mkdtemp(prefix="ft", dir="/tmp"))
        self.disk = self.home / "d"
        self.out = self.disk / (fault.named or "out")
        self.temporary = self.home / "t"
        self.mounted = False

    def __enter__(self):
        self.disk.mkdir()
        self.temporary.mkdir()
        if self.fault.free_kb is not None or self.fault.read_only:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(self.disk)], check=True)
            self.mounted = True
        self.furnish()
        if self.fault.free_kb is not None:
            _fill(self.disk / "ballast", self.fault.free_kb)
        if self.fault.read_only:
            self._remount("ro")
        return self

    def furnish(self):
        """Lay out the old report and what the command is called with."""
        shutil.copytree(self.good, self.out, symlinks=True)
        fault = self.fault
        self.notebook = template(self.home / "t.ipynb", fault.cells, self.out, fault.kernelspec, None, fault.null_tags)
        if fault.latest_is_folder:
            block(self.tool, self.out)
        self.lay_tools()

    def lay_tools(self):
        """Write the file of parameters, and the Chromium that comes before an installed one on the PATH."""
        (self.home / PARAMETERS).write_text(self.fault.parameter_file, encoding="utf-8")
        if self.fault.half_pdf:
            program = self.home / "bin" / "chromium"
            program.parent.mkdir()
            program.write_text(_CHROMIUM.format(python=sys.executable), encoding="utf-8")
            program.chmod(0o755)

    def __exit__(self, *_):
        for pid in descendants(os.getpid()):
            kill(pid)
        while reap():
            pass
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.disk)], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def _remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.disk)], check=True)

    def heal(self):
        """Take the fault's cause away, as somebody would before running again."""
        if self.fault.read_only:
            self._remount("rw")
        for name in ("ballast", "filler"):
            (self.disk / name).unlink(missing_ok=True)
        self.out.mkdir(exist_ok=True)
        for place in (self.out, *self.out.iterdir()):
            unblock(self.tool, place)

    def last_word(self):
        """Return the last line that the command wrote to stderr."""
        lines = (self.home / "messages").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return (lines or ["nothing said"])[-1].replace("|", "/")[:200]

    def steering(self, pages):
        """Return what the command said, or one of these pages, still holds that steers a terminal or a reader."""
        for path in (self.home / "messages", *pages):
            text = path.read_text(encoding="utf-8", errors="replace")
            if found := [sign for sign in _STEERING if sign in text]:
                return f"{path.name} holds {found[0]!a}"
        return True

    def start(self, notebook, fault):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONUTF8"))}
        env |= {
            "LANG": "C.UTF-8",
            "PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(self.temporary),
            "JUPYTER_RUNTIME_DIR": str(self.temporary),
            **fault.env,
        }
        return subprocess.Popen(
            self.tool.command(notebook, self.out, fault), env=env, cwd=self.home, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=(self.home / "messages").open("w"), start_new_session=True,
            preexec_fn=lambda: _plain_process(fault, self.tool),
        )  # fmt: skip


def _plain_process(fault, tool):
    """A shell's background jobs ignore SIGINT, nohup's SIGHUP, and what they start inherits it: not so here."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if fault.open_files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fault.open_files,) * 2)
    if fault.umask is not None:
        os.umask(fault.umask)
    bytes_ = 2_000 * _MB if fault.parameter_file else 2 * (fault.memory_mb or 0) * _MB if tool is Papermill else 0
    if bytes_:
        resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_))


def block(tool, out):
    """Put a folder where the tool shows its newest report; what was there is kept beside it."""
    shown = out / tool.shown
    shown.rename(out / "aside")
    shown.mkdir()
    (shown / "somebody's own").write_text("keep", encoding="utf-8")


def unblock(tool, out):
    if (out / "aside").exists() or (out / "aside").is_symlink():
        shutil.rmtree(out / tool.shown)
        (out / "aside").rename(out / tool.shown)


def _fill(path, free_kb):
    with path.open("wb", buffering=0) as handle, contextlib.suppress(OSError):
        while handle.write(bytes(1024)):
            continue
    size = max(path.stat().st_size - free_kb * 1024, 0)
    os.truncate(path, size)


def reap():
    """Collect one ended process that was adopted; tell whether there was one."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def survivors(within_s):
    """Wait until nothing that a run started is left; return how many are left at the end of the time."""
    deadline = time.monotonic() + within_s
    while True:
        while reap():
            pass
        left = [pid for pid in descendants(os.getpid()) if _running(pid)]
        if not left or time.monotonic() > deadline:
            return len(left)
        time.sleep(0.05)


def _running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def victim(root, kind):
    """Return the id of a kernel below `root`, started or forked, or of the worker that drives it.

    None while there is none. Papermill has no worker beside itself: there it is the command.
    """
    found = []
    for pid in descendants(root):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"ipykernel_launcher" in words:
                return pid if kind == "kernel" else root
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if b"funnelkit.report.kernels.prefork" in words:
                found.append((int(fields[19]), pid, int(fields[1])))
    forks = sorted(item for item in found if item[2] in {pid for _, pid, _ in found})
    place = ("worker", "kernel").index(kind)  # the worker is forked first, then its kernel
    return forks[place][1] if len(forks) > 1 else None


def inflict(bench):
    """Run the tool under the fault; return (exit codes, seconds over the deadline, whether a cell left its marker)."""
    fault, marker = bench.fault, Path(f"{bench.out}.marker")
    usual_s = _start_s()
    started = time.monotonic()
    runs = [bench.start(bench.notebook, fault) for _ in range(fault.starts)]
    limit = started + fault.deadline_s + bench.patience_s
    while runs[0].poll() is None and time.monotonic() < limit:
        ripe = fault.kill == "kernel" or (fault.kill and marker.exists())
        if ripe and (pid := victim(runs[0].pid, fault.kill)):
            kill(pid)
            break
        if fault.signal and marker.exists():
            os.kill(runs[0].pid, getattr(signal, fault.signal))
            break
        time.sleep(0.02)
    codes = []
    for run in runs:
        try:
            codes.append(run.wait(max(limit - time.monotonic(), 1)))
        except subprocess.TimeoutExpired:
            codes.append(None)
            run.kill()
            run.wait()
    return codes, time.monotonic() - started - fault.deadline_s - usual_s, marker.exists()


def _start_s():
    """Return how long a Python needs to begin on this machine now: a deadline counts from there."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import funnelkit.report.runs.run"], check=True)
    return time.monotonic() - started


def judge(tool, good, fault):
    """Do one fault to a tool; return {check: True or what was wrong}."""
    with Bench(tool, good, fault) as bench:
        before = tool.report(bench.out)
        codes, over, marked = inflict(bench)
        left = survivors(GRACE_S)
        after, told = tool.report(bench.out), tool.told(bench.out)
        promised_good = fault.code == 0
        found = {
            "exit code": _code_right(tool, fault, codes) or f"{codes[:3]}",
            "record agrees": _record_right(tool, fault, told) or f"says {told}",
            "deadline": over <= GRACE_S or f"{over:.0f} s over",
            "nothing alive": left == 0 or f"{left} alive",
        }
        if not promised_good and "removed" not in fault.name:
            found["old report intact"] = after == before or "changed"
        if fault.umask is not None:
            found["rights"] = rights(tool.published(bench.out), fault.umask)
        if fault.tamed:
            found["tamed"] = bench.steering(bench.out.glob("**/*.html"))
        if fault.parameters:
            found["no code run"] = not marked or "parameter ran as code"
        for pid in descendants(os.getpid()):
            kill(pid)
        bench.heal()
        again = _rerun(bench, fault)
        found["runs again"] = again == 0 or f"exit {again}, {bench.last_word()}"
        scraps = [*tool.scraps(bench.out), *bench.temporary.glob("fk-*"), *bench.temporary.glob("*.json")]
        found["nothing left over"] = not scraps or f"{scraps[0].name}"
    return found


def rights(report, umask):
    """Return True where a report and what is in it have the rights of the umask, else the first that has not."""
    for path in (report, *sorted(report.rglob("*"))):
        mode, wanted = path.stat().st_mode & 0o777, (0o777 if path.is_dir() else 0o666) & ~umask
        if mode != wanted:
            return f"{path.name} has {mode:03o}"
    return True


def _rerun(bench, fault):
    calm = template(bench.home / "calm.ipynb", ("1",), bench.out)
    return bench.start(calm, replace(fault.healed, name="calm")).wait(300)


def _code_right(tool, fault, codes):
    if fault.starts > 1:
        return all(code in (0, 16) for code in codes) and 0 in codes
    if tool is Papermill and fault.code > 0:
        return codes[0] not in (0, None)  # any failure will do: papermill has no codes of its own
    return codes[0] == fault.code


def _record_right(tool, fault, told):
    if "removed" in fault.name:
        return told is None or told == fault.reason
    if tool is Papermill:
        return (told == "ok") == (fault.code == 0)
    if "disk full from the start" in fault.name or fault.read_only:
        return told in ("ok", fault.reason)  # nothing can be written; the old record and the old report agree
    return told == fault.reason


def good_report(tool, folder):
    """Make the old report that every fault starts from."""
    out = folder / tool.name
    out.mkdir(parents=True)
    notebook = template(folder / "good.ipynb", ("print('good')",), out)
    subprocess.run(tool.command(notebook, out, Fault("good")), check=True, capture_output=True)
    return out
