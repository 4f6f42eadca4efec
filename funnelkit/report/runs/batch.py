"""Many reports from one plan: each in a fresh process, one bad report stops no other, an index page shows them all."""

import json
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from funnelkit.language import FunnelkitError, ReportError
from funnelkit.report.kernels import pool
from funnelkit.report.kernels.processes import Signals
from funnelkit.report.pages import index
from funnelkit.report.runs import notebooks, publish
from funnelkit.report.runs.progress import Progress
from funnelkit.report.runs.run import CANCELLED, run_report

_STATUS_EVERY_S = 2


@dataclass(frozen=True)
class Result:
    """How one report of a batch ended; `error` speaks both languages and stays in the process."""

    name: str
    outcome: str  # ok, failed, kept: it was good and only failed ones were asked for
    exit_code: int
    reason: str
    run: str | None
    seconds: float
    unchanged_since: str | None = None
    error: object = None

    def record(self):
        """Return what the status file says: no message, for a message may quote what the data hold."""
        return {name: value for name, value in asdict(self).items() if name != "error"}


def run_batch(items, out, jobs=1, only_failed=False, progress=False):
    """Make the reports of a plan and return their Results in the plan's order.

    Each report has its own folder OUT/<name>, with runs, latest and status.json; OUT/batch.json and OUT/index.html
    tell of all. Raises ReportError: 14 where OUT cannot be written, 16 where another batch runs there, 15 when a
    signal asks to stop; whatever was published by then stays.
    """
    out = Path(out)
    with publish.locked(out), Signals() as signals:
        pool.sweep()
        batch = _Batch(items, out, lambda: signals.caught)
        try:
            with pool.Workers(_modules(items)) as crew, Progress(progress) as bar:
                crew.warm(batch.stop)
                batch.run(crew, jobs, only_failed, bar)
            batch.write(True)
        except OSError as error:
            raise publish.cannot_write(out, error) from None
        if signals.caught:
            raise ReportError("batch_cancelled", CANCELLED, detail=signals.caught, n=len(batch.results), of=len(items))
    return [batch.results[item.name] for item in items]


def _modules(items):
    """Return what the templates of a batch import; one that cannot be read will be reported in its turn."""
    found = {}
    for path in dict.fromkeys(item.request.template for item in items):
        try:
            found |= dict.fromkeys(notebooks.imports(notebooks.read_template(path)))
        except FunnelkitError:
            continue
    return list(found)


class _Batch:
    def __init__(self, items, out, stop):
        self.items, self.out, self.stop = items, out, stop
        self.results, self.written = {}, 0.0
        self.started = datetime.now(UTC)
        self.lock = threading.Lock()

    def run(self, crew, jobs, only_failed, bar):
        """Run the reports on `jobs` threads, each of which waits for one worker process at a time."""
        self.write(False)
        bar.show(0, len(self.items))
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            pending = {pool.submit(self._one, item, crew, only_failed) for item in self.items}
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    if result is not None:
                        self.results[result.name] = result
                        bar.show(len(self.results), len(self.items), result.name)
                self.write(False)

    def _one(self, item, crew, only_failed):
        if self.stop():
            return None
        folder, started = item.request.out, time.monotonic()
        before = read_json(folder / "latest" / "run.json")
        if only_failed and read_json(folder / "status.json").get("outcome") == "ok":
            return Result(item.name, "kept", 0, "ok", _shown(folder, self.out), 0.0)
        try:
            target = run_report(item.request, crew, self.stop)
        except FunnelkitError as error:
            told = read_json(folder / "status.json") if error.exit_code != publish.BUSY else {}
            run = f"{item.name}/{told['run']}" if told.get("run") else None
            reason = told.get("reason") or error.key  # where there is no folder yet, only the error tells
            return Result(item.name, "failed", error.exit_code, reason, run, _since(started), error=error)
        read = _contents(read_json(target / "run.json"))
        since = before.get("started_at") if read and read == _contents(before) else None
        run = target.resolve().relative_to(self.out.resolve()).as_posix()
        return Result(item.name, "ok", 0, "ok", run, _since(started), since)

    def write(self, final):
        """Write OUT/batch.json now and then, at the end also the index page."""
        if not final and time.monotonic() - self.written < _STATUS_EVERY_S:
            return
        self.written = time.monotonic()
        results = [self.results[item.name] for item in self.items if item.name in self.results]
        failed = sum(result.outcome == "failed" for result in results)
        outcome = "running" if not final else "cancelled" if self.stop() else "failed" if failed else "ok"
        status = {
            "outcome": outcome, "exit_code": {"running": None, "ok": 0, "failed": 1, "cancelled": CANCELLED}[outcome],
            "started_at": self.started.isoformat(timespec="seconds"), "n": len(self.items), "n_done": len(results),
            "n_failed": failed, "reports": [result.record() for result in results],
        }  # fmt: skip
        publish.write_json(self.out / "batch.json", status)
        if final:
            page = self.out / "index.html"
            publish.prepare_text(page, index.page(status, self.out)).replace(page)


def _contents(record):
    """Return the hashes of what a report was made from: whatever its parameters are, an old export is old."""
    return [item["sha256"] for item in record.get("inputs", [])]


def _since(started):
    return round(time.monotonic() - started, 2)


def _shown(folder, out):
    latest = publish.latest(folder)
    return None if latest is None else latest.resolve().relative_to(out.resolve()).as_posix()


def read_json(path):
    """Return what a JSON file holds, an empty mapping where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
