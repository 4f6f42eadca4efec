"""Many reports from one plan: each in a fresh process, one bad report stops no other, an index page shows them all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from funnelkit.language import FunnelkitError, ReportError
from funnelkit.report.kernels import pool
from funnelkit.report.kernels.processes import Signals
from funnelkit.report.pages.index import index_page
from funnelkit.report.runs import notebooks, publish
from funnelkit.report.runs.plan import PlannedReport
from funnelkit.report.runs.progress import Progress
from funnelkit.report.runs.run import CANCELLED, note_refusal, run_report
from funnelkit.report.runs.verify import made_alike

_STATUS_EVERY_S = 2


@dataclass(frozen=True)
class Outcome:
    """How one report of a batch ended; `error` speaks both languages and stays in the process."""

    name: str
    outcome: str  # ok, failed, kept: it is good as it stands, and only failed ones were asked for
    exit_code: int
    reason: str
    run: str | None
    seconds: float
    unchanged_since: str | None = None
    error: FunnelkitError | None = None

    def record(self) -> dict[str, Any]:
        """Return what the status file says: no message, for a message may quote what the data hold."""
        return {name: value for name, value in asdict(self).items() if name != "error"}


def run_batch(
    items: Sequence[PlannedReport], out: str | Path, jobs: int = 1, only_failed: bool = False, progress: bool = False
) -> list[Outcome]:
    """Make the reports of a plan and return their Outcomes in the plan's order.

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


def _modules(items: Sequence[PlannedReport]) -> list[str]:
    """Return what the templates of a batch import; one that cannot be read will be reported in its turn."""
    found: dict[str, None] = {}
    for path in dict.fromkeys(item.request.template for item in items):
        try:
            found |= dict.fromkeys(notebooks.imports(notebooks.read_template(path)))
        except FunnelkitError:
            continue
    return list(found)


class _Batch:
    def __init__(self, items: Sequence[PlannedReport], out: Path, stop: Callable[[], str | None]) -> None:
        self.items, self.out, self.stop = items, out, stop
        self.results: dict[str, Outcome] = {}
        self.written = 0.0
        self.started = datetime.now(UTC)
        self.lock = threading.Lock()

    def run(self, crew: pool.Workers, jobs: int, only_failed: bool, bar: Progress) -> None:
        """Run the reports on `jobs` threads, each of which waits for one worker process at a time."""
        self.write(False)
        bar.show(0, len(self.items))
        with ThreadPoolExecutor(max_workers=jobs) as threads:
            pending = {threads.submit(self._one, item, crew, only_failed) for item in self.items}
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    if result is not None:
                        self.results[result.name] = result
                        bar.show(len(self.results), len(self.items), result.name)
                self.write(False)

    def _one(self, item: PlannedReport, crew: pool.Workers, only_failed: bool) -> Outcome | None:
        if self.stop():
            return None
        folder, started = item.request.out, time.monotonic()
        before = publish.load_json(folder / "latest" / "run.json")
        good = only_failed and publish.load_json(folder / "status.json").get("outcome") == "ok"
        if good and made_alike(before, item.request):
            return Outcome(item.name, "kept", 0, "ok", _shown(folder, self.out), 0.0)
        try:
            target = _made(item, crew, self.stop)
        except FunnelkitError as error:
            told = publish.load_json(folder / "status.json") if error.exit_code != publish.BUSY else {}
            run = f"{item.name}/{told['run']}" if told.get("run") else None
            reason = told.get("reason") or error.key  # where there is no folder yet, only the error tells
            return Outcome(item.name, "failed", error.exit_code, reason, run, _since(started), error=error)
        read = _contents(publish.load_json(target / "run.json"))
        since = before.get("started_at") if read and read == _contents(before) else None
        run = target.resolve().relative_to(self.out.resolve()).as_posix()
        return Outcome(item.name, "ok", 0, "ok", run, _since(started), since)

    def write(self, final: bool) -> None:
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
            publish.prepare_text(page, index_page(status, self.out)).replace(page)


def _made(item: PlannedReport, crew: pool.Workers, stop: Callable[[], str | None]) -> Path:
    """Make one report; whatever is wrong with it, the others of its batch are made."""
    try:
        return run_report(item.request, crew, stop)
    except (FunnelkitError, OSError):
        raise
    except Exception as fault:
        error = ReportError("report_broke", 1, name=item.name, detail=f"{type(fault).__name__}: {fault}")
        note_refusal(item.request.out, error)
        raise error from fault


def _contents(record: Mapping[str, Any]) -> list[str]:
    """Return the hashes of what a report was made from: whatever its parameters are, an old export is old."""
    return [item["sha256"] for item in record.get("inputs", [])]


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)


def _shown(folder: Path, out: Path) -> str | None:
    latest = publish.latest(folder)
    return None if latest is None else latest.resolve().relative_to(out.resolve()).as_posix()
