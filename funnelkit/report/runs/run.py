"""One report: parameters checked, inputs hashed, the notebook run by a worker under a deadline, then published."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from funnelkit.language import FunnelkitError, ReportError, Text, both, say
from funnelkit.report.kernels import pool
from funnelkit.report.kernels.processes import Signals, require_files
from funnelkit.report.runs import notebooks, parameters, publish
from funnelkit.report.runs.alerts import write_alerts
from funnelkit.report.runs.inputs import Stamps, fingerprint, lend, relative, report_values, sha256, stamp, take_back
from funnelkit.report.runs.progress import Progress

__all__ = ["Request", "report_values", "run_report"]

BAD_DATA, DEADLINE, KERNEL_DIED, CANNOT_WRITE, CANCELLED = 2, 12, 13, 14, 15
VERSIONS = ("funnelkit", "pandas", "numpy", "matplotlib", "duckdb", "papermill", "nbconvert")
Watch: TypeAlias = tuple[float, Callable[[], Any], Callable[[], object]]
_SCRAPS = ("spec.json", "result.json", "worker.log", "progress", "template.ipynb", publish.RESERVE)


@dataclass(frozen=True)
class Request:
    """What one report is made from: template path, parameter values as given, target folder, limits, formats."""

    template: Path
    values: Mapping[str, Any]
    out: Path
    lang: str = "en"
    deadline_s: float = 900
    progress: bool = False
    inputs: tuple[Path, ...] = ()
    pdf: bool = False
    keep: int | None = None
    # How tables are exported: {"columns": {name: drop|hash|keep}, "min_cell": n}.
    export: Mapping[str, Any] | None = None
    today: date | None = None  # what words such as last-week-end are seen from; None is the clock's day
    alert: tuple[str, ...] = ()  # kinds of alerts that alert.json and a mail are written for
    memory_mb: int | None = None  # memory that the kernel may take


@dataclass(frozen=True)
class Job:
    """A checked request: the template as it was then, all values with their types, the fingerprints of the inputs."""

    request: Request
    notebook: Any
    template: bytes
    values: dict[str, Any]
    identity: dict[str, Any]
    stamps: Stamps
    dates: dict[str, str]  # parameters that are days, as they were resolved


def prepare(request: Request) -> Job:
    """Return the Job of a request; raise DataError (2) or ReportError (11, 14) before anything is started."""
    require_files()
    publish.refuse_place(request.out)
    notebook, template = notebooks.load_template(request.template)
    declared = parameters.declared(notebook)
    values = parameters.check_values(request.values, declared, request.today)
    if request.pdf:
        from funnelkit.report.pages.pdf import require_chromium

        require_chromium()
    if request.export:
        from funnelkit.report.pages.export import check_policy

        check_policy(request.export)
    inputs = [fingerprint(Path(path), request.out) for path in request.inputs]
    identity = {
        "template": hashlib.sha256(template).hexdigest(), "template_path": relative(request.template, request.out),
        "parameters": {}, "given": list(values), "inputs": inputs, "pdf": request.pdf, "export": request.export or {},
    }  # fmt: skip
    defaults = {name: parameter.default for name, parameter in declared.items()}
    days = {name: values[name] for name in values if parameters.takes_day(declared[name].kind) and values[name]}
    stamps = stamp(Path(path) for path in request.inputs)
    return Job(request, notebook, template, defaults | values, identity, stamps, days)


def run_report(
    request: Request, crew: pool.Workers | None = None, stop: Callable[[], str | None] | None = None, *,
    after: str | None = None, executed: Callable[[], object] = lambda: None,
) -> Path:  # fmt: skip
    """Make one report and return the folder it was published in.

    The folder holds notebook.ipynb, report.html, summary.json, run.json and the tables. `crew` are Workers to share,
    `stop` a function that says which signal asks to stop; `executed` is called while the cells are done and the page is
    still to be made, perhaps more than once. A run other than `after` that is published already is returned as it is.
    Raises ReportError, DataError with the exit code of the design; whatever happens, OUT/latest keeps pointing at the
    last complete report.
    """
    with contextlib.ExitStack() as stack:
        if stop is None:
            signals = stack.enter_context(Signals())
            stop = lambda: signals.caught  # noqa: E731
        try:
            job = prepare(request)
        except FunnelkitError as error:
            note_refusal(request.out, error)
            raise
        stack.enter_context(publish.locked(request.out))
        if after is not None and (done := publish.latest(request.out)) is not None and done.name != after:
            return done
        if crew is None:
            pool.sweep()
            crew = stack.enter_context(pool.Workers(notebooks.imports(job.notebook)))
        return _run(job, crew, stop, executed)


def note_refusal(out: Path, error: FunnelkitError) -> None:
    """Where reports exist already, their status must not go on saying that all is well."""
    if not out.is_dir():
        return
    reason = {2: "bad_data", 11: "bad_parameter"}.get(error.exit_code, error.key)
    with contextlib.suppress(FunnelkitError), publish.locked(out):
        publish.try_status(out, {"outcome": "failed", "exit_code": error.exit_code, "reason": reason, "run": None})


def _run(
    job: Job, crew: pool.Workers, stop: Callable[[], str | None], executed: Callable[[], object]
) -> Path:  # fmt: skip
    request, started = job.request, datetime.now(UTC)
    staging = None
    try:
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=request.out)).resolve()
        values, lent = lend(job.values, staging)
        inputs = [{**item, "lent": lent.get(item["path"])} for item in job.identity["inputs"]]
        identity = {**job.identity, "parameters": values, "inputs": inputs}
        name = f"{started:%Y%m%dT%H%M%S}-{_short_hash(identity)}-{secrets.token_hex(2)}"
        _give_orders(job, values, staging)
        running = {"outcome": "running", "started_at": _time(started), "run": name}
        publish.write_status(request.out, running)
        result = _work(job, staging, crew, stop, executed)
        record = {"started_at": _time(started), "language": request.lang, **identity, "versions": versions()}
        return _conclude(job, staging, name, record, result)
    except OSError as error:
        _give_up(request.out, staging)
        raise publish.cannot_write(request.out, error) from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _give_up(out: Path, staging: Path | None) -> None:
    """The disk or the folder failed us: make room, then say so where that is still possible."""
    if staging is not None:
        shutil.rmtree(staging, ignore_errors=True)
    if out.is_dir():
        told = {"outcome": "failed", "exit_code": CANNOT_WRITE, "reason": "cannot_write", "run": None}
        publish.try_status(out, told)


def _give_orders(job: Job, values: Mapping[str, Any], staging: Path) -> None:
    """Write into the staging folder what the worker is to do."""
    request = job.request
    publish.open_to_readers(staging)
    publish.reserve(staging)
    (staging / "template.ipynb").write_bytes(job.template)
    given = {name: value for name, value in values.items() if name in request.values}
    spec = {
        "template": str(staging / "template.ipynb"), "parameters": given, "lang": request.lang,
        "folder": str(staging), "cwd": str(staging), "pdf": request.pdf, "export": request.export or {},
        "dates": job.dates, "memory_mb": request.memory_mb,
    }  # fmt: skip
    publish.write_json(staging / "spec.json", spec)


def _work(
    job: Job, staging: Path, crew: pool.Workers, stop: Callable[[], str | None], executed: Callable[[], object]
) -> dict[str, Any]:
    """Run the worker to its end, its deadline or a signal; nothing of it lives on. Returns its result."""
    deadline = time.monotonic() + job.request.deadline_s
    with Progress(job.request.progress) as bar:

        def look() -> None:
            done, total, cell = read_progress(staging)
            bar.show(done, total, cell)
            if 0 < total == done:
                executed()

        watch = (deadline, stop, look)
        status, lost = _attend(crew.start(staging), watch)
        if lost and not (staging / "result.json").exists():
            status, _ = _attend(crew.start(staging, alone=True), watch)
    if status == "deadline":
        found = {"exit_code": DEADLINE, "reason": "deadline", "detail": f"{job.request.deadline_s:g}"}
    elif status == "cancelled":
        found = {"exit_code": CANCELLED, "reason": "cancelled", "detail": str(stop())}
    else:
        found = _result(staging, status)
    if found["exit_code"] == 0 and stamp(job.stamps) != job.stamps and _changed(job):
        found = {"exit_code": BAD_DATA, "reason": "input_changed", "detail": ", ".join(_changed(job))}
    if found["exit_code"] and found.get("cell") is None:
        found["cell"] = read_progress(staging)[2] or None
    return found


def _attend(worker: pool.Worker, watch: Watch) -> tuple[int | str, bool]:
    """Wait for a worker and end it; return (status, whether it was lost with the parent that all reports share)."""
    try:
        return pool.wait(worker, *watch), worker.lost()
    finally:
        worker.end()


def read_progress(staging: Path) -> tuple[int, int, str]:
    """Return (cells done, cells in all, id of the cell that runs) as far as the worker has told."""
    try:
        parts = (staging / "progress").read_text().split()
        return int(parts[0]), int(parts[1]), " ".join(parts[2:])
    except (OSError, ValueError, IndexError):
        return 0, 0, ""


def _result(staging: Path, status: int | str) -> dict[str, Any]:
    """Return what the worker wrote; where it could not, what its end tells."""
    found: dict[str, Any] = publish.load_json(staging / "result.json")
    if found:
        return found
    if status == CANNOT_WRITE or not staging.is_dir():
        return {"exit_code": CANNOT_WRITE, "reason": "cannot_write", "detail": str(staging.parent)}
    detail = str(status)
    with contextlib.suppress(OSError):
        log = (staging / "worker.log").read_text(encoding="utf-8", errors="replace").strip()
        detail = f"{status}: {' '.join(log.splitlines()[-1:])}"
    return {"exit_code": KERNEL_DIED, "reason": "worker_died", "detail": detail}


def _changed(job: Job) -> list[str]:
    """Return the names of the inputs that are not what was hashed at the start."""
    hashed = zip(job.request.inputs, job.identity["inputs"], strict=True)
    return [item["file"] for path, item in hashed if not path.is_file() or sha256(path) != item["sha256"]]


def _conclude(job: Job, staging: Path, name: str, record: Mapping[str, Any], result: Mapping[str, Any]) -> Path:
    """Publish a good run, keep a failed one aside; write what happened in both cases."""
    out = job.request.out
    for scrap in _SCRAPS:
        (staging / scrap).unlink(missing_ok=True)
    take_back(staging)
    for leftover in staging.glob(".*.tmp"):
        leftover.unlink()
    if result["exit_code"] == 0:
        files = sorted(path for path in staging.rglob("*") if path.is_file())
        outputs = {path.relative_to(staging).as_posix(): sha256(path) for path in files}
        told = {"outcome": "ok", "exit_code": 0, "reason": "ok"}
        if job.request.alert:  # after the hashes: what is news depends on the report before, not on the inputs alone
            write_alerts(staging, job.request.alert, record, publish.latest(out))
        figures = _headline(staging)
        publish.write_json(staging / "run.json", {**told, **record, "figures": figures, "outputs": outputs})
        target = publish.publish(staging, out, name, {**told, "run": f"runs/{name}"})
        if job.request.keep is not None:
            publish.retain(out, job.request.keep, name)
        return target
    said = {key: result[key] for key in ("exit_code", "reason", "error", "cell") if key in result}
    told = {"outcome": "failed", **said}
    folder = f"failed/{name}"
    if staging.is_dir():
        publish.write_json(staging / "run.json", {**told, **record})
        publish.keep_failed(staging, out, name)
    publish.write_status(out, {**told, "run": folder})
    if job.request.keep is not None:
        publish.retain(out, job.request.keep, name)
    raise ReportError(
        f"run_{result['reason']}", result["exit_code"], detail=result.get("detail", ""), cell=result.get("cell") or "–",
        left=left_by(out, out / folder),
    )  # fmt: skip


def left_by(out: Path, folder: Path | str) -> Text:
    """Return what a failed run leaves: the good report before it, where there is one, and its own folder."""
    key = "run_left_alone" if publish.latest(out) is None else "run_left"
    return both(lambda: say(f"errors.{key}", folder=folder))


def _headline(staging: Path) -> dict[str, Any]:
    """Return the figures of summary.json without its sentences and quotations, which may name people."""
    figures: dict[str, Any] = json.loads((staging / "summary.json").read_text(encoding="utf-8"))["figures"]
    for name in [name for name in figures if name == "summary" or name.startswith("alerts_")]:
        figures.pop(name)
    if isinstance(figures.get("findings"), list):
        figures["findings"] = [
            {name: value for name, value in finding.items() if name not in ("message", "value")}
            for finding in figures["findings"]
        ]
    return figures


def _short_hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions that the bytes of a report depend on."""
    return {"python": platform.python_version(), "platform": sys.platform, **{name: version(name) for name in VERSIONS}}
