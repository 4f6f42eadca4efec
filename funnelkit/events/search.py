"""Search: one rule over one log, opened once: what to read, partitions of entities, progress, notes."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from operator import length_hint
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import Reached, Rows
from funnelkit.events.engine.chain import chain
from funnelkit.events.engine.fast_depth import depths, first_touches
from funnelkit.events.engine.memory import rows_that_fit
from funnelkit.events.engine.optional_steps import add_optional
from funnelkit.events.engine.sort_keys import THREADS
from funnelkit.events.log import Log, LogColumns, Want
from funnelkit.events.rule import Rule, as_rule
from funnelkit.language import DataError, RuleError, day, nearest, paragraph
from funnelkit.pipeline import Finding

SORTED = 20_000_000, 60  # the most rows of a partition that DuckDB sorts, bytes of memory that one takes
_TOLD = 3  # quarantined rows whose reason a note tells
KEYED = 64_000_000, 20  # where keys do


class Search:
    """A rule about to run over a log. Use it as a context manager; `parts` yields (Rows, Reached).

    `as_of` is the instant as of which windows are open (default: the log's latest time); later rows are left out. A
    bare date means the end of that day.
    """

    def __init__(
        self,
        log: Any, steps: Iterable[object], rule: Rule | str | None = None, *,
        columns: LogColumns | Mapping[str, str] | None = None, by: str | Sequence[str] | None = None,
        as_of: Any = None, others: Iterable[str] | None = None, reading: Mapping[str, Any] | None = None,
        partition_rows: int | None = None,
    ) -> None:  # fmt: skip
        self.rule = as_rule(rule)
        self.searched, self.later = self.rule.searched(), None
        spelled = alternatives(steps)
        steps = step_names(steps)
        _check(self.rule, steps, spelled)
        excluded, strict = self.searched.exclude, self.rule.order == "strict"
        # Further columns are asked for by those who also want to know whose they are.
        by = by_names(by)
        one = by[0] if len(by) == 1 else None
        self.want = Want(
            steps, excluded, strict, one, self.rule.held, tuple(others or ()), others is not None, spelled
        )  # fmt: skip
        self.log = Log(log, columns, self.rule.void, reading)
        try:
            self.facts, as_of = self._facts(as_of)
            for name in (*self.want.held, *self.want.others, *by):
                self.log.require(name)
            if len(by) > 1:
                self.want = replace(self.want, by=self.log.join_columns(by))
            if len(self.want.others) == 1 and self.log.is_text(self.want.others[0]):  # keys carry a single column
                self.want = replace(self.want, by=self.want.others[0], others=())
        except BaseException:
            self.log.__exit__()
            raise
        self.as_of = self.facts["latest"] if as_of is None else instant(as_of)
        limit = partition_rows or rows_that_fit(*(SORTED if self.log.layout(self.want) is None else KEYED))
        self.n_parts = max(1, -(-self.facts["n_rows"] // limit))
        self.occurred: set[int] = set()
        self.n_excluded = 0

    def _facts(self, as_of: Any) -> tuple[dict[str, Any], Any]:
        """Return the facts of the log and its date, which events of the future do not set."""
        facts = self.log.facts(instant(as_of))
        if as_of is not None or facts["latest"] is None or facts["latest"] <= (now := in_a_day()):
            return facts, as_of
        past, n_later = self.log.around(now)
        if past is None or 2 * n_later > facts["n_rows"]:
            return facts, as_of  # the clock is wrong, not the log
        self.later = facts["latest"]
        return self.log.facts(past), past

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self.log.__exit__()

    def parts(
        self, progress: bool = False, want: str = "ends", turn: Callable[[Rows, Reached], Any] | None = None
    ) -> Iterator[Any]:
        """Yield (Rows, Reached) of some entities after others, all of an entity at once; `turn` makes something else
        of the two, in the threads that search. `want`: only the "depth" may be known, or "ends", or also the "path".
        """
        found, run = False, partial(self._run, want, turn or _both)
        _keep_freed_memory()
        with Bar(self.log, self.n_parts, progress) as bar, self.log.guarded(), ThreadPoolExecutor(THREADS) as threads:
            for part in range(self.n_parts):
                for calls, share in self.log.waves(self.want, part, self.n_parts):
                    for made in bar.over(_ahead(threads, run, calls), calls, share):
                        found = found or bool(made)
                        yield from made
            if not found:
                yield (turn or _both)(*self._one(want, self.log.sorted_rows(self.want)))

    def _run(self, want: str, turn: Callable[[Rows, Reached], Any], call: Callable[[], Iterable[Rows]]) -> list[Any]:
        """Return what `turn` makes of (Rows, Reached) for each of the Rows of a call."""
        return [turn(*self._one(want, rows)) for rows in call()]

    def _one(self, want: str, rows: Rows) -> tuple[Rows, Reached]:
        """Return Rows and what the rule finds in them."""
        missing = set(range(len(self.want.names))) - self.occurred
        self.occurred.update(code for code in missing if (rows.step == code).any())
        self.n_excluded += 0 if rows.excluded is None else len(rows.excluded[0])
        codes, optional = self.want.codes, [step in self.rule.optional for step in self.want.steps]
        if any(optional):
            required = [code for code, left_out in zip(codes, optional, strict=True) if not left_out]
            found = chain(rows, required, self.searched, want_path=True)
            add_optional(found, rows, (codes, optional), self.searched)
            return rows, found
        reached = (depths if want == "depth" else first_touches)(rows, codes, self.searched)
        return rows, reached or chain(rows, codes, self.searched, want == "path")

    def notes(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Return what the reader must know beside the figures, as (key of a text, values)."""
        counted = ("rows_without_id", "rows_without_time", "rows_after_as_of")
        found: list[tuple[str, dict[str, Any]]] = [(key, {"n": self.facts[key]}) for key in counted if self.facts[key]]
        if self.later is not None:
            found[-1] = ("rows_of_the_future", found[-1][1] | {"latest": Later(day, self.later)})
        aside = [finding for finding in self.log.findings if finding.severity == "error"]
        if n := sum(finding.values.get("n", 1) if finding.rule == "more" else 1 for finding in aside):
            found.append(("set_aside", {"n": n, "where": Later(_first_of, aside)}))
        taken = (finding for finding in self.log.findings if finding.rule == "id_without_blanks")
        found += [("other_id", {"column": each.column, "taken": each.value, "n": each.values["n"]}) for each in taken]
        if self.want.held and (n := self.log.held_missing(self.want)):
            found.append(("rows_without_held", {"n": n, "columns": ", ".join(self.want.held)}))
        found += [("void", {"n": self.log.n_void, "names": ", ".join(self.rule.void)})] if self.rule.void else []
        if self.rule.window is None:
            found.append(("no_window", {}))
        if self.rule.skip != "drop":
            found.append(("skip_" + self.rule.skip, {}))
        elif self.rule.order == "any":
            found.append(("any_order", {}))
        missing = [step for code, step in enumerate(self.want.names) if code not in self.occurred]
        unseen = [("excluded_never_occurs", name) for name in self.searched.exclude if not self.n_excluded]
        names = self.log.step_names() if missing or unseen else []
        if (missing or unseen) and not names:
            return tuple((f"events.notes.{key}", values) for key, values in [*found, ("no_events", {})])
        for key, name in [*(("step_never_occurs", step) for step in missing), *unseen]:
            found.append((key, {"step": name, "nearest": _short(nearest(name, names), names)}))
        return tuple((f"events.notes.{key}", values) for key, values in found)


def alternatives(steps: Iterable[object]) -> tuple[tuple[str, ...], ...]:
    """Return the events that count as each step; refuse what is no list of at least two steps.

    >>> alternatives(["view", "cart|fav", ("buy", "pay")])
    (('view',), ('cart', 'fav'), ('buy', 'pay'))
    """
    if not isinstance(steps, Iterable):
        raise RuleError("steps_no_list", found=type(steps).__name__)
    found = []
    for step in steps:
        several = isinstance(step, (tuple, list, set, frozenset))
        names = map(str, step) if isinstance(step, Iterable) and several else str(step).split("|")
        found.append(tuple(name.strip() if not several else name for name in names))
    if len(found) < 2:
        raise RuleError("too_few_steps", n=len(found))
    return tuple(found)


def step_names(steps: Iterable[object]) -> tuple[str, ...]:
    """Return the steps' names; one that several events count as bears all their names."""
    return tuple("|".join(names) for names in alternatives(steps))


class Later:
    """Words that are written when they are shown: whoever wants the numbers only does not pay for their formats."""

    def __init__(self, write: Callable[..., object], *given: Any) -> None:
        self.write, self.given = write, given

    def __str__(self) -> str:
        return str(self.write(*self.given))


def by_names(by: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns of a breakdown, given as one name, as several or not at all.

    >>> by_names(None), by_names("team")
    ((), ('team',))
    """
    return () if by is None else (by,) if isinstance(by, str) else tuple(by)


def _check(rule: Rule, steps: Sequence[str], spelled: Sequence[Sequence[str]]) -> None:
    """Refuse what has no meaning with these steps."""
    named = [name for names in dict.fromkeys(map(tuple, spelled)) for name in names]
    rule.windows_us(rule.transitions(steps))
    for name in rule.optional:
        if name not in steps:
            raise RuleError("optional_unknown", step=name, nearest=nearest(name, steps))
        if name in (steps[0], steps[-1]) or steps.count(name) > 1:
            raise RuleError("optional_step", step=name)
    if rule.ties == "grace" and len(set(steps)) < len(steps):
        raise RuleError("grace_repeated", step=next(step for step in steps if steps.count(step) > 1))
    if twice := [name for name in named if named.count(name) > 1]:
        raise RuleError("step_overlap", step=twice[0])
    if both := [name for name in (*rule.exclude, *rule.lost, *rule.void) if name in named]:
        raise RuleError("excluded_step", step=both[0])


def instant(as_of: Any) -> pd.Timestamp | None:
    """Return the Timestamp of an as-of date in UTC without zone; a bare date is the end of its day."""
    if as_of is None:
        return None
    bare = isinstance(as_of, date) and not isinstance(as_of, datetime)
    bare = bare or (isinstance(as_of, str) and len(as_of.strip()) <= 10)
    try:
        moment = pd.Timestamp(as_of)
    except (TypeError, ValueError):
        raise DataError("as_of_bad", value=as_of) from None
    moment = moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)
    return moment + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1) if bare else moment


def in_a_day() -> pd.Timestamp:
    """Return the instant (UTC) that no event of any time zone can have passed yet."""
    return pd.Timestamp.now("UTC").tz_localize(None).as_unit("us") + pd.Timedelta(days=1)


def _short(near: str, names: Sequence[str]) -> str:
    """Return the nearest names, or a few of all where nothing is near."""
    return near if len(near) <= 200 else ", ".join(names[:10]) + ", ..."


def _first_of(findings: Sequence[Finding]) -> str:
    """Return the first few findings as one text."""
    told = [finding.message() for finding in findings[:_TOLD]]
    return paragraph(told) + (" ..." if len(findings) > _TOLD else "")


def _both(rows: Rows, reached: Reached) -> tuple[Rows, Reached]:
    return rows, reached


def _keep_freed_memory() -> None:
    """Let the allocator keep freed arrays for the next ones: a fresh page costs more than the pass that fills it.

    glibc's malloc returns what it frees to the system only beyond twice the largest block (up to 32 MB) freed so far.
    """
    np.empty((32 << 20) - (1 << 13), dtype="uint8")


def _ahead(threads: ThreadPoolExecutor, action: Callable[[Any], Any], calls: Iterable[Any]) -> Iterator[Any]:
    """Yield the results of an action on each call, in order, no more of them ahead than keep the threads busy."""
    running: deque[Future[Any]] = deque()
    for call in calls:
        running.append(threads.submit(action, call))
        if len(running) > 2 * THREADS:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


class Bar:
    """Progress on stderr over partitions; within one, as far as its waves of calls have come."""

    def __init__(self, log: Log, parts: int, on: bool) -> None:
        self.log, self.parts, self.on, self.done, self.ahead = log, parts, on, 0.0, 0.0
        self.stop = threading.Event()

    def __enter__(self) -> Bar:
        if self.on:
            from tqdm import tqdm

            self.log.db.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
            self.bar = tqdm(
                total=self.parts, file=sys.stderr, bar_format="{percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
            )
            self.thread = threading.Thread(target=self._watch, daemon=True)
            self.thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.on:
            self.stop.set()
            self.thread.join()
            self._draw(self.parts if kind is None else self.done)
            self.bar.close()

    def over(self, results: Iterable[Any], calls: Iterable[Any], share: float) -> Iterator[Any]:
        """Yield the results of a wave, counting them."""
        before, n = self.done, length_hint(calls)
        whole = int(before) + share - before
        self.ahead = 0.0 if n > 1 else whole  # nothing but DuckDB tells how far a single call is, or calls unnumbered
        for place, result in enumerate(results, 1):
            yield result
            self.done = before + whole * place / n if n > 1 else before
        self.done, self.ahead = before + whole, 0.0

    def _watch(self) -> None:
        while not self.stop.wait(0.1):
            # The scan and sort are most of such a wave; the search over it is the rest.
            scanned = 0.9 * max(0.0, self.log.db.query_progress()) / 100 if self.ahead else 0.0
            self._draw(self.done + scanned * self.ahead)

    def _draw(self, done: float) -> None:
        self.bar.n = min(done, self.parts)
        self.bar.refresh()
