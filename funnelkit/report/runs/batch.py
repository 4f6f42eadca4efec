"""Many reports from one plan: each in a fresh process, one bad report stops no other, an index page shows them all."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnelkit.language import FunnelkitError, ReportError
from funnelkit.report.kernels import pool
from funnelkit.report.kernels.processes import Signals
from funnelkit.report.pages.index import WHOLE, index_page
from funnelkit.report.runs import notebooks, publish
from funnelkit.report.runs.alerts import ALERTED, FILE
from funnelkit.report.runs.plan import PlannedReport
from funnelkit.report.runs.progress import Progress
from funnelkit.report.runs.run import CANCELLED, note_refusal, run_report
from funnelkit.report.runs.verify import made_alike

if TYPE_CHECKING:
    from funnelkit.report.runs.scheduler import Cluster

_INDEX_EVERY_S = 5
_BOOK, _INDEX = "batch.json", "index.html"
_RESERVE, _RESERVE_EACH = ".reserve.tmp", 600  # room for the last word of the books; swept where the command is killed


@dataclass(frozen=True)
class Outcome:
    """How one report of a batch ended; `error` speaks both languages and stays in the process."""

    name: str
    outcome: str  # ok, failed, kept: it is good as it stands, and only failed ones were asked for
    exit_code: int
    reason: str
    run: str | None
    seconds: float
    folder: str = ""
    ended_at: str = ""
    unchanged_since: str | None = None
    alerts: tuple[str, ...] = ()  # kinds of the alerts that stand
    error: FunnelkitError | None = None

    def record(self) -> dict[str, Any]:
        """Return what the status file says: no message, for a message may quote what the data hold."""
        return {name: value for name, value in asdict(self).items() if name != "error"}


def run_batch(
    items: Sequence[PlannedReport], out: str | Path, jobs: int = 1, only_failed: bool = False, progress: bool = False,
    *, others: Sequence[PlannedReport] = (), scheduler: str | None = None,
) -> list[Outcome]:  # fmt: skip
    """Make the reports of a plan and return their Outcomes in the plan's order; `others` of it are shown as they stand.

    With the address of a `scheduler` its workers make them.

    Each report has its own folder below OUT, with runs, latest and status.json. OUT/batch.json is written whenever one
    begins or ends, OUT/index.html every few seconds. Raises ReportError: 14 where OUT cannot be written, 16 where
    another batch runs there, 15 when a signal asks to stop; whatever was published by then stays.
    """
    out = Path(out)
    with publish.locked(out), Signals() as signals:
        pool.sweep()
        batch = _Batch(items, out, lambda: signals.caught)
        books = publish.load_json(out / _BOOK)
        told = {entry["name"]: entry for entry in [*books.get("others", ()), *books.get("reports", ())]}
        batch.others = [_standing(item, out, told.get(item.name, {})) for item in others]
        try:
            batch.reserve()
            with _makers(scheduler, _modules(items), out, batch.stop) as makers, Progress(progress) as bar:
                batch.run(makers, jobs, only_failed, bar)
            batch.write(True)
        except OSError as error:
            batch.give_up()
            raise publish.cannot_write(out, error) from None
        except ReportError as error:  # of the scheduler: nothing was made
            _write_refused(out, error)
            raise
        finally:
            batch.release()
        if signals.caught:
            raise ReportError("batch_cancelled", CANCELLED, detail=signals.caught, n=len(batch.results), of=len(items))
    return [batch.results[item.name] for item in items]


def note_refused(out: Path, error: FunnelkitError) -> None:
    """Where a batch has run already, its books must not go on saying that all is well when the plan is refused."""
    if (out / _BOOK).is_file():
        with contextlib.suppress(FunnelkitError), publish.locked(out):
            _write_refused(out, error)


def _write_refused(out: Path, error: FunnelkitError) -> None:
    """Note the refusal beside what the last batch has left; whatever ran when that was killed waits."""
    told = publish.load_json(out / _BOOK)
    told |= {"outcome": "refused", "exit_code": error.exit_code, "reason": error.key, "at": publish.now()}
    told |= {"waiting": [*told.get("running", ()), *told.get("waiting", ())], "running": []}
    with contextlib.suppress(OSError, KeyError):  # no room, or books of another version
        page = index_page(told, out, {WHOLE: error.say()})
        publish.write_json(out / _BOOK, told)
        publish.prepare_text(out / _INDEX, page).replace(out / _INDEX)


@contextlib.contextmanager
def _makers(
    scheduler: str | None, modules: Sequence[str], out: Path, stop: Callable[[], str | None]
) -> Iterator[pool.Workers | Cluster]:
    """Yield who makes the reports: workers of this machine, or those of a scheduler."""
    if scheduler is not None:
        from funnelkit.report.runs.scheduler import Cluster

        with Cluster(scheduler, modules, out) as cluster:
            yield cluster
    else:
        with pool.Workers(modules, sharing=True) as crew:
            crew.warm(stop)
            yield crew


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
        self.running: dict[str, float] = {}
        self.others: list[dict[str, Any]] = []  # reports of the plan that were not asked for
        self.unsaid, self.due, self.index_due = True, 0.0, 0.0
        self.started = datetime.now(UTC)
        self.lock = threading.Lock()
        self.places = threading.Semaphore()

    def run(self, crew: pool.Workers | Cluster, jobs: int, only_failed: bool, bar: Progress) -> None:
        """Run the cells of `jobs` reports at once; while the page of one is made, those of the next have begun."""
        jobs = jobs if isinstance(crew, pool.Workers) else crew.jobs
        self.places = threading.Semaphore(jobs)
        self.write(False)
        bar.show(0, len(self.items))
        with ThreadPoolExecutor(max_workers=jobs + 1) as threads:
            waiting, pending = deque(self.items), set[Future[None]]()
            while waiting or pending:
                while waiting and len(pending) < 2 * jobs:
                    pending.add(threads.submit(self._one, waiting.popleft(), crew, only_failed))
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                with self.lock:
                    self.write(False)
                self.index()
                bar.show(len(self.results), len(self.items), ", ".join(list(self.running)[:2]))

    def _one(self, item: PlannedReport, crew: pool.Workers | Cluster, only_failed: bool) -> None:
        """Wait for a place, make one report and note how it went at once."""
        with contextlib.ExitStack() as place:
            place.enter_context(self.places)
            if not self.stop():
                self._one_in(item, crew, only_failed, place.close)

    def _one_in(
        self, item: PlannedReport, crew: pool.Workers | Cluster, only_failed: bool, leave: Callable[[], None]
    ) -> None:
        """Make a report that has its place; whatever goes wrong with it, the others are made."""
        started = time.monotonic()
        self._note(item.name, None)
        try:
            result = self._made(item, crew, only_failed, started, leave)
        except FunnelkitError as error:
            result = self._failed(item, error, started)
        except Exception as fault:
            told = _told(item, fault)
            note_refusal(item.request.out, told)
            result = self._failed(item, told, started)
        self._note(item.name, replace(result, folder=item.request.out.name, ended_at=publish.now()))

    def _note(self, name: str, result: Outcome | None) -> None:
        with self.lock:
            if result is None:
                self.running[name] = time.monotonic()
            else:
                self.running.pop(name, None)
                self.results[name] = result
            self.unsaid = True
            self.write(False)

    def _made(
        self, item: PlannedReport, crew: pool.Workers | Cluster, only_failed: bool, started: float,
        leave: Callable[[], None],
    ) -> Outcome:  # fmt: skip
        folder = item.request.out
        if item.error is not None:
            note_refusal(folder, item.error)
            raise item.error
        shown = _published(folder)
        before = publish.load_json(shown / "run.json")
        good = only_failed and publish.load_json(folder / "status.json").get("outcome") == "ok"
        if good and made_alike(before, item.request):
            return Outcome(item.name, "kept", 0, "ok", _shown(folder, self.out), 0.0, alerts=_alerts(shown))
        if isinstance(crew, pool.Workers):
            target = run_report(item.request, crew, self.stop, executed=leave)
        else:
            target = crew.make(item.request, self.stop)
        read = _contents(publish.load_json(target / "run.json"))
        since = before.get("started_at") if read and read == _contents(before) else None
        run = target.resolve().relative_to(self.out.resolve()).as_posix()
        return Outcome(
            item.name, "ok", 0, "ok", run, _since(started), unchanged_since=since, alerts=_alerts(target)
        )  # fmt: skip

    def _failed(self, item: PlannedReport, error: FunnelkitError, started: float) -> Outcome:
        folder = item.request.out
        told = publish.load_json(folder / "status.json") if error.exit_code != publish.BUSY else {}
        run = f"{folder.name}/{told['run']}" if told.get("run") else None
        own = told.get("outcome") == "failed" and told.get("exit_code") == error.exit_code
        reason = told["reason"] if own else error.key  # where its own status could not be written, the error tells
        return Outcome(item.name, "failed", error.exit_code, reason, run, _since(started), error=error)

    def status(self, final: bool) -> dict[str, Any]:
        """Return what OUT/batch.json says: which reports have ended and how, which run, which wait.

        The counts are of the whole plan, the outcome of what was asked for.
        """
        results = [self.results[item.name] for item in self.items if item.name in self.results]
        failed = sum(result.outcome == "failed" for result in results)
        stand = [other["outcome"] for other in self.others if other["outcome"] != "waiting"]
        outcome = "running" if not final else "cancelled" if self.stop() else "failed" if failed else "ok"
        code = {"running": None, "ok": 0, "failed": 1, "cancelled": CANCELLED}[outcome]
        if outcome == "ok" and any(result.alerts for result in results):
            code = ALERTED
        return {
            "outcome": outcome, "exit_code": code, "started_at": self.started.isoformat(timespec="seconds"),
            "at": publish.now(), "pid": os.getpid(), "n": len(self.items) + len(self.others),
            "n_asked": len(self.items), "n_done": len(results) + len(stand), "n_failed": failed + stand.count("failed"),
            "running": [item.name for item in self.items if item.name in self.running],
            "waiting": [
                item.name for item in self.items if item.name not in self.results and item.name not in self.running
            ],
            "reports": [result.record() for result in results], "others": self.others,
        }  # fmt: skip

    def write(self, final: bool) -> None:
        """Write OUT/batch.json if something has changed, at most a twentieth of the time; at the end the index too."""
        began = time.monotonic()
        if not final and (not self.unsaid or began < self.due):
            return
        publish.write_json(self.out / _BOOK, self.status(final))
        self.unsaid, ended = False, time.monotonic()
        self.due = ended + 20 * (ended - began)
        if final:
            self.index(True)

    def index(self, final: bool = False) -> None:
        """Write OUT/index.html where it is older than a few seconds, or this is the end."""
        began = time.monotonic()
        if not final and began < self.index_due:
            return
        with self.lock:
            status = self.status(final)
        self._show(status)
        ended = time.monotonic()
        self.index_due = ended + max(_INDEX_EVERY_S, 20 * (ended - began))

    def _show(self, status: Mapping[str, Any]) -> None:
        said = {name: result.error.say() for name, result in [*self.results.items()] if result.error is not None}
        page = self.out / _INDEX
        publish.prepare_text(page, index_page(status, self.out, said)).replace(page)

    def reserve(self) -> None:
        """Take the room that the books will need where the disk fills up meanwhile."""
        (self.out / _RESERVE).write_bytes(os.urandom(publish.RESERVE_BYTES + _RESERVE_EACH * len(self.items)))

    def release(self) -> None:
        """Give that room back."""
        with contextlib.suppress(OSError):
            (self.out / _RESERVE).unlink(missing_ok=True)

    def give_up(self) -> None:
        """The target folder failed us: say so where that is still possible."""
        told = {**self.status(True), "outcome": "failed", "exit_code": publish.CANNOT_WRITE}
        self.release()
        with contextlib.suppress(OSError):
            publish.write_json(self.out / _BOOK, told)
            self._show(told)


def _told(item: PlannedReport, fault: Exception) -> FunnelkitError:
    """Return what to say of a fault that no part of the report has caught."""
    if isinstance(fault, OSError):
        return publish.cannot_write(item.request.out, fault)
    return ReportError("report_broke", 1, name=item.name, detail=f"{type(fault).__name__}: {fault}")


def _standing(item: PlannedReport, out: Path, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a report that was not asked for stands, by its own status, or by the books where it has none."""
    folder = item.request.out
    told = publish.load_json(folder / "status.json")
    if not told and before.get("outcome") == "failed":
        told = {**before, "at": before.get("ended_at")}
    outcome = {"ok": "kept", "failed": "failed"}.get(str(told.get("outcome")), "waiting")
    return {
        "name": item.name, "outcome": outcome, "exit_code": told.get("exit_code"), "reason": told.get("reason"),
        "run": _shown(folder, out), "folder": folder.name, "ended_at": told.get("at"), "unchanged_since": None,
        "alerts": list(_alerts(_published(folder))),
    }  # fmt: skip


def _published(folder: Path) -> Path:
    """Return the published run, a folder that is not there where there is none; on Windows `latest` may be a file."""
    return publish.latest(folder) or folder / "latest"


def _alerts(folder: Path) -> tuple[str, ...]:
    """Return the kinds of alerts that a published run raised, each once."""
    return tuple(dict.fromkeys(alert["alert"] for alert in publish.load_json(folder / FILE).get("alerts", [])))


def _contents(record: Mapping[str, Any]) -> list[str]:
    """Return the hashes of what a report was made from: whatever its parameters are, an old export is old."""
    return [item["sha256"] for item in record.get("inputs", [])]


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)


def _shown(folder: Path, out: Path) -> str | None:
    latest = publish.latest(folder)
    return None if latest is None else latest.resolve().relative_to(out.resolve()).as_posix()
