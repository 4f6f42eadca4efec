"""Reports of a batch on a Dask scheduler that is already there: its workers share the folders and the environment."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from funnelkit.language import ReportError
from funnelkit.report.kernels import pool
from funnelkit.report.runs import publish
from funnelkit.report.runs.days import BAD_PARAMETER
from funnelkit.report.runs.run import CANCELLED, Request, left_by, run_report, versions

_WAIT_S, _POLL_S = 10, 0.5
_crews: dict[str, pool.Workers] = {}  # of this worker process: what was imported once serves all of its reports


class Cluster:
    """A scheduler's workers: `with Cluster(address, modules, out) as cluster: cluster.make(request, stop)`."""

    def __init__(self, address: str, modules: Sequence[str], out: Path) -> None:
        self.address, self.modules, self.out = address, list(modules), out.resolve()

    def __enter__(self) -> Cluster:
        """Connect and look at the workers; raise ReportError (11) before anything is made."""
        try:
            distributed: Any = import_module("distributed")  # it has no types
        except ImportError:
            raise ReportError("scheduler_needs_dask", BAD_PARAMETER) from None
        try:
            self.late, self.client = (
                distributed.TimeoutError,
                distributed.Client(self.address, timeout=_WAIT_S, set_as_default=False),
            )
        except (OSError, ValueError) as error:
            raise self._refused("scheduler_unreachable", reason=str(error).splitlines()[0]) from None
        try:
            self._look()
        except BaseException:
            self.client.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def _look(self) -> None:
        """Refuse a cluster without workers, with another version of what makes reports, or without the folder."""
        seen = self.client.run(_found, str(self.out / ".lock"), on_error="return")
        if not seen:
            raise self._refused("scheduler_no_workers")
        own = versions()
        for worker, found in seen.items():
            if not isinstance(found, tuple):
                raise self._refused("scheduler_worker", worker=worker, reason=str(found).splitlines()[0])
            if other := [name for name, value in own.items() if found[0].get(name) != value]:
                pair = f"{other[0]} {found[0].get(other[0])}", f"{other[0]} {own[other[0]]}"
                raise self._refused("scheduler_version", worker=worker, found=pair[0], here=pair[1])
            if not found[1]:
                raise self._refused("scheduler_folder", worker=worker, folder=str(self.out))

    def _refused(self, key: str, **values: object) -> ReportError:
        return ReportError(key, BAD_PARAMETER, scheduler=self.address, **values)

    @property
    def jobs(self) -> int:
        """Return how many reports the workers make at a time; as many more wait there, so that none is idle."""
        threads: int = sum(self.client.nthreads().values())
        return 2 * max(1, threads)

    def make(self, request: Request, stop: Callable[[], str | None]) -> Path:
        """Make one report on a worker and return the folder it was published in; a lost worker's goes to another."""
        before = publish.latest(request.out)
        there = replace(request, template=request.template.resolve(), out=request.out.resolve())
        given = there, "" if before is None else before.name, self.modules
        future = self.client.submit(_make_here, *given, pure=False, key=f"{request.out.name}-{time.time_ns()}")
        while True:
            try:
                return Path(future.result(timeout=_POLL_S))
            except self.late:
                if stop() and future.status == "pending":
                    future.cancel()
                    raise ReportError(
                        "run_cancelled", CANCELLED, detail=str(stop()), cell="–", left=left_by(request.out, "–")
                    ) from None
            except ReportError:
                raise
            except Exception as error:
                if type(error).__name__ in ("KilledWorker", "CancelledError"):
                    raise self._refused("scheduler_lost", name=request.out.name, reason=str(error)[:300]) from None
                raise


def _found(path: str) -> tuple[dict[str, str], bool]:
    """Return, on a worker, its versions and whether it sees a file of the batch."""
    return versions(), Path(path).is_file()


def _make_here(request: Request, before: str, modules: list[str]) -> str:
    """Make one report on this worker, unless one that was lost had published it already.

    A worker that only seemed lost may still be at it: its lock is waited for.
    """
    key = " ".join(modules)
    if key not in _crews:
        pool.sweep()
        _crews[key] = pool.Workers(modules, sharing=True).__enter__()
        atexit.register(_crews[key].__exit__)
    end = time.monotonic() + request.deadline_s
    while True:
        try:
            return str(run_report(request, _crews[key], _never, after=before))
        except ReportError as error:
            if error.exit_code != publish.BUSY or time.monotonic() > end:
                raise
        time.sleep(_POLL_S)


def _never() -> None:
    """A signal that asks the batch to stop reaches its own process only."""
