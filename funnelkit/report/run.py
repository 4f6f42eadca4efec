"""One report: parameters checked, inputs hashed, the notebook run by a worker under a deadline, then published."""

import hashlib
import json
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import nbformat

from funnelkit.errors import DataError, ReportError
from funnelkit.report import parameters, publish
from funnelkit.share import sample_files

DEADLINE, KERNEL_DIED, CANCELLED = 12, 13, 15
VERSIONS = ("funnelkit", "pandas", "numpy", "matplotlib", "duckdb", "papermill", "nbconvert")


@dataclass(frozen=True)
class Request:
    """What one report is made from: template path, parameter values as given, target folder, limits."""

    template: Path
    values: dict
    out: Path
    lang: str = "en"
    deadline_s: float = 900
    progress: bool = False
    inputs: tuple[Path, ...] = field(default=())


def report_values(file, given, data, max_quarantine):
    """Return (parameter values, input files) of a command line: a YAML file, then NAME=VALUE pairs, then --data."""
    values = {**_from_yaml(file), **given}
    if data:
        values["data"] = list(data)
    if max_quarantine is not None:
        values["max_quarantine"] = max_quarantine
    named = values.get("data") or []
    named = parameters.check({"data": named}, {"data": parameters.Parameter("data", "list", [], "")})["data"]
    if named:
        values["data"] = [str(Path(path).resolve()) for path in named]
    return values, tuple(Path(path) for path in values["data"]) if named else tuple(sample_files())


def _from_yaml(file):
    if file is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except OSError:
        raise DataError("no_such_file", file=str(file)) from None
    except yaml.YAMLError as error:
        raise ReportError(
            "bad_parameter_file", parameters.BAD_PARAMETER, file=str(file), reason=str(error).replace("\n", " ")
        ) from None
    if not isinstance(content, dict):
        raise ReportError("bad_parameter_file", parameters.BAD_PARAMETER, file=str(file), reason=type(content).__name__)
    return content


def run_report(request):
    """Make one report and return the folder it was published in.

    The folder holds notebook.ipynb, report.html and run.json. Raises ReportError, DataError with the exit code of
    the design; whatever happens, OUT/latest keeps pointing at the last complete report.
    """
    notebook = _read_template(request.template)
    declared = parameters.declared(notebook)
    values = parameters.check(request.values, declared)
    inputs = [_fingerprint(path) for path in request.inputs]
    started = datetime.now(UTC)
    effective = {name: parameter.default for name, parameter in declared.items()} | values
    identity = {"template": _sha256(request.template), "parameters": effective, "inputs": inputs}
    with publish.locked(request.out):
        staging = _stage(request, values)
        name = f"{started:%Y%m%dT%H%M%S}-{_short_hash(identity)}-{secrets.token_hex(2)}"
        record = {
            "outcome": "ok", "exit_code": 0, "reason": "ok", "started_at": started.isoformat(timespec="seconds"),
            "language": request.lang, **identity, "versions": _versions(),
        }  # fmt: skip
        try:
            result = _work(staging, request.deadline_s)
            return _conclude(request.out, staging, name, record, result)
        except OSError as error:
            raise publish.cannot_write(request.out, error) from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _read_template(path):
    try:
        return nbformat.read(path, as_version=4)
    except OSError:
        raise DataError("no_such_file", file=str(path)) from None
    except Exception as error:  # nbformat raises whatever its parser raises
        raise DataError("template_unreadable", file=str(path), reason=str(error).splitlines()[0]) from None


def _fingerprint(path):
    """Return an input's name, size and hash; a missing file is refused before anything starts."""
    if not path.is_file():
        raise DataError("no_such_file", file=str(path))
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path):
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _short_hash(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _versions():
    return {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}}


def _stage(request, values):
    """Make the staging folder with the worker's orders."""
    try:
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=request.out))
        staging.chmod(0o755)
        spec = {
            "template": str(request.template.resolve()), "parameters": values, "lang": request.lang,
            "folder": str(staging.resolve()), "cwd": str(staging.resolve()), "progress": request.progress,
        }  # fmt: skip
        publish.write_json(staging / "spec.json", spec)
    except OSError as error:
        raise publish.cannot_write(request.out, error) from None
    return staging


def _work(staging, deadline_s):
    """Run the worker to its end, its deadline or a signal; nothing of it lives on. Returns its result."""
    run_id = secrets.token_hex(8)
    runtime = tempfile.mkdtemp(prefix="fk-")  # short: socket paths may have about 108 bytes; mkdtemp makes it 0700
    command = [sys.executable, "-m", "funnelkit.report.worker", str(staging)]
    with _signals_as_exceptions(), (staging / "worker.log").open("w") as log:
        worker = subprocess.Popen(
            command, env=_environment(runtime, run_id), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            worker.wait(deadline_s)
        except subprocess.TimeoutExpired:
            return {"exit_code": DEADLINE, "reason": f"deadline of {deadline_s:g} s passed", "cell": None}
        except Cancelled as error:
            return {"exit_code": CANCELLED, "reason": f"cancelled by {error}", "cell": None}
        finally:
            _kill_all(worker, run_id)
            shutil.rmtree(runtime, ignore_errors=True)
    try:
        return json.loads((staging / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        tail = (staging / "worker.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        return {"exit_code": KERNEL_DIED, "reason": f"worker ended with {worker.returncode}: {' '.join(tail)}"}


def _environment(runtime, run_id):
    """Return the worker's environment: private folders, fixed hashing, and a mark by which its children are known."""
    private = dict.fromkeys(("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"), runtime)
    fixed = {
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "agg",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "ignore",
        "TQDM_DISABLE": "1",
    }
    return {**os.environ, **private, **fixed, "FUNNELKIT_RUN": run_id}


class Cancelled(Exception):
    """A signal asked the run to stop."""


class _signals_as_exceptions:
    """Turn SIGTERM, SIGINT and SIGHUP into Cancelled while the worker runs."""

    def __enter__(self):
        names = [name for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
        try:
            self.old = {getattr(signal, name): signal.signal(getattr(signal, name), self._raise) for name in names}
        except ValueError:  # not the main thread: the caller's signals are not ours
            self.old = {}

    def __exit__(self, *_):
        for number, handler in self.old.items():
            signal.signal(number, handler)

    @staticmethod
    def _raise(number, _frame):
        raise Cancelled(signal.Signals(number).name)


def _kill_all(worker, run_id):
    """End the worker and whatever it started, also what left its session: all carry the run's mark."""
    mark, deadline = f"FUNNELKIT_RUN={run_id}".encode(), time.monotonic() + 3
    while True:
        alive = [pid for pid in _processes() if _has_mark(pid, mark)]
        if worker.poll() is None:
            worker.kill()
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not alive or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    worker.wait()


def _processes():
    """Return the ids of this machine's processes where /proc tells them (Linux); elsewhere none."""
    proc = Path("/proc")
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()] if proc.is_dir() else []


def _has_mark(pid, mark):
    try:
        return pid != os.getpid() and mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _conclude(out, staging, name, record, result):
    """Publish a good run, keep a failed one aside; write what happened in both cases."""
    for leftover in ("spec.json", "result.json", "worker.log"):
        (staging / leftover).unlink(missing_ok=True)
    record["figures"] = result.get("figures", {})
    if result["exit_code"] == 0:
        record["outputs"] = {file: _sha256(staging / file) for file in ("notebook.ipynb", "report.html")}
        publish.write_json(staging / "run.json", record)
        target = publish.publish(staging, out, name)
        publish.write_json(
            out / "status.json", {"outcome": "ok", "exit_code": 0, "reason": "ok", "run": f"runs/{name}"}
        )
        return target
    record |= {"outcome": "failed", "exit_code": result["exit_code"], "reason": result["reason"]}
    publish.write_json(staging / "run.json", record)
    publish.keep_failed(staging, out, name)
    status = {"outcome": "failed", "exit_code": result["exit_code"], "reason": result["reason"]}
    publish.write_json(out / "status.json", {**status, "run": f"failed/{name}"})
    raise ReportError("report_failed", result["exit_code"], reason=result["reason"], folder=str(out / "failed" / name))
