"""Search: one rule over one log, opened once: what to read, partitions of entities, progress, notes."""

import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from operator import length_hint

import numpy as np
import pandas as pd

from funnelkit.events.engine.chain import chain
from funnelkit.events.engine.fast_depth import depths
from funnelkit.events.engine.sort_keys import THREADS
from funnelkit.events.log import Log, Want
from funnelkit.events.rule import PRESETS, Rule, preset
from funnelkit.language import RuleError, nearest

PARTITION_ROWS = 20_000_000  # about 60 bytes of memory a row while DuckDB sorts a partition
KEYED_ROWS = 64_000_000  # about 16 bytes a row where keys do
_BAR = 30


class Search:
    """A rule about to run over a log. Use it as a context manager; `parts` yields (Rows, Reached).

    `as_of` is the instant as of which windows are open (default: the log's latest time); later rows are left out. A
    bare date means the end of that day.
    """

    def __init__(self, log, steps, rule=None, *, columns=None, by=None, as_of=None, others=None, partition_rows=None):
        self.rule = as_rule(rule)
        steps = tuple(str(step) for step in steps)
        if len(steps) < 2:
            raise RuleError("too_few_steps", n=len(steps))
        _check(self.rule, steps)
        strict = self.rule.order == "strict"
        # Further columns are asked for by those who also want to know whose they are.
        self.want = Want(steps, self.rule.exclude, strict, by, self.rule.held, tuple(others or ()), others is not None)
        self.log = Log(log, columns)
        try:
            for name in (*self.want.held, *self.want.others, *([by] if by else [])):
                self.log.require(name)
            if len(self.want.others) == 1 and self.log.is_text(self.want.others[0]):  # keys carry a single column
                self.want = replace(self.want, by=self.want.others[0], others=())
            self.facts = self.log.facts(instant(as_of))
        except BaseException:
            self.log.__exit__()
            raise
        self.as_of = self.facts["latest"] if as_of is None else instant(as_of)
        limit = partition_rows or (PARTITION_ROWS if self.log.layout(self.want) is None else KEYED_ROWS)
        self.n_parts = max(1, -(-self.facts["n_rows"] // limit))
        self.occurred, self.n_excluded = set(), 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.log.__exit__()

    def parts(self, progress=False, want="ends", turn=None):
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

    def _run(self, want, turn, call):
        """Return what `turn` makes of (Rows, Reached) for each of the Rows of a call."""
        return [turn(*self._one(want, rows)) for rows in call()]

    def _one(self, want, rows):
        """Return Rows and what the rule finds in them."""
        missing = set(range(len(self.want.names))) - self.occurred
        self.occurred.update(code for code in missing if (rows.step == code).any())
        self.n_excluded += 0 if rows.excluded is None else len(rows.excluded[0])
        reached = depths(rows, self.want.codes, self.rule) if want == "depth" else None
        return rows, reached or chain(rows, self.want.codes, self.rule, want == "path")

    def notes(self):
        """Return what the reader must know beside the figures, as (key of texts/notes.toml, values)."""
        counted = ("rows_without_id", "rows_without_time", "rows_after_as_of")
        found = [(key, {"n": self.facts[key]}) for key in counted if self.facts[key]]
        if self.want.held and (n := self.log.held_missing(self.want)):
            found.append(("rows_without_held", {"n": n, "columns": ", ".join(self.want.held)}))
        if self.rule.window is None:
            found.append(("no_window", {}))
        if self.rule.skip != "drop":
            found.append(("skip_" + self.rule.skip, {}))
        elif self.rule.order == "any":
            found.append(("any_order", {}))
        missing = [step for code, step in enumerate(self.want.names) if code not in self.occurred]
        unseen = [("excluded_never_occurs", name) for name in self.rule.exclude if not self.n_excluded]
        names = self.log.step_names() if missing or unseen else []
        for key, name in [*(("step_never_occurs", step) for step in missing), *unseen]:
            found.append((key, {"step": name, "nearest": _short(nearest(name, names), names)}))
        return tuple(found)


def as_rule(rule):
    """Return the Rule: itself, a preset of this name, or the default.

    >>> as_rule("hubspot_any").skip
    'touch'
    """
    if rule is None:
        return PRESETS["default"]
    return rule if isinstance(rule, Rule) else preset(str(rule))


def _check(rule, steps):
    """Refuse what has no meaning with these steps."""
    rule.windows_us(len(steps) - 1)
    if rule.ties == "grace" and len(set(steps)) < len(steps):
        raise RuleError("grace_repeated", step=next(step for step in steps if steps.count(step) > 1))
    both = [name for name in rule.exclude if name in steps]
    if both:
        raise RuleError("excluded_step", step=both[0])


def instant(as_of):
    """Return the Timestamp of an as-of date in UTC without zone; a bare date is the end of its day."""
    if as_of is None:
        return None
    bare = isinstance(as_of, date) and not isinstance(as_of, datetime)
    bare = bare or (isinstance(as_of, str) and len(as_of.strip()) <= 10)
    moment = pd.Timestamp(as_of)
    moment = moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)
    return moment + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1) if bare else moment


def _short(near, names):
    """Return the nearest names, or a few of all where nothing is near."""
    return near if len(near) <= 200 else ", ".join(names[:10]) + ", ..."


def _both(rows, reached):
    return rows, reached


def _keep_freed_memory():
    """Let the allocator keep freed arrays for the next ones: a fresh page costs more than the pass that fills it.

    glibc's malloc returns what it frees to the system only beyond twice the largest block (up to 32 MB) freed so far.
    """
    np.empty((32 << 20) - (1 << 13), dtype="uint8")


def _ahead(threads, action, calls):
    """Yield the results of an action on each call, in order, no more of them ahead than keep the threads busy."""
    running = deque()
    for call in calls:
        running.append(threads.submit(action, call))
        if len(running) > 2 * THREADS:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


class Bar:
    """A progress bar on stderr over partitions; within one, as far as its waves of calls have come."""

    def __init__(self, log, parts, on):
        self.log, self.parts, self.on, self.done, self.ahead = log, parts, on, 0.0, 0.0
        self.stop = threading.Event()

    def __enter__(self):
        if self.on:
            self.log.db.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
            self._draw(0)
            self.thread = threading.Thread(target=self._watch, daemon=True)
            self.thread.start()
        return self

    def __exit__(self, kind, *_):
        if self.on:
            self.stop.set()
            self.thread.join()
            self._draw(self.parts if kind is None else self.done)
            sys.stderr.write("\n")

    def over(self, results, calls, share):
        """Yield the results of a wave, counting them."""
        before, n = self.done, length_hint(calls)
        whole = int(before) + share - before
        self.ahead = 0.0 if n > 1 else whole  # nothing but DuckDB tells how far a single call is, or calls unnumbered
        for place, result in enumerate(results, 1):
            yield result
            self.done = before + whole * place / n if n > 1 else before
        self.done, self.ahead = before + whole, 0.0

    def _watch(self):
        while not self.stop.wait(0.1):
            # The scan and sort are most of such a wave; the search over it is the rest.
            scanned = 0.9 * max(0.0, self.log.db.query_progress()) / 100 if self.ahead else 0.0
            self._draw(self.done + scanned * self.ahead)

    def _draw(self, done):
        share = min(1.0, done / self.parts)
        full = round(share * _BAR)
        sys.stderr.write(f"\r[{'#' * full}{'.' * (_BAR - full)}] {share:4.0%}")
        sys.stderr.flush()
