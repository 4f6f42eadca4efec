"""Counting: deals by furthest stage, and event logs under a Rule (DuckDB scans and sorts, numpy runs the chain)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from funnelkit.catalog import nearest
from funnelkit.errors import DataError, RuleError
from funnelkit.rates import rate_columns, rate_table
from funnelkit.rule import Rule, refuse_unsupported

_SUPPORTED = {
    "order": ("ordered",),
    "window_from": ("first", "previous"),
    "reentry": ("first", "latest"),
    "ties": ("progress", "strict"),
    "attribute": ("first",),
}


@dataclass(frozen=True)
class LogColumns:
    """The columns of an event log: who, which stage, when."""

    id: str = "deal_id"
    stage: str = "stage"
    at: str = "entered_at"


@dataclass(frozen=True)
class EventCount:
    """What `count_events` found. `table`: [segment], stage, n_entered, n_advanced, n_lost, n_open.

    `notes` are (key of texts/notes.toml, values): rows without id or time, steps that never occur, no window.
    """

    table: pd.DataFrame
    rule: Rule
    as_of: pd.Timestamp | None
    notes: tuple[tuple[str, dict], ...] = ()


# --- deals -----------------------------------------------------------------------------------------------------------


def furthest_stage(pipeline):
    """Return the position of the furthest stage that each deal reached, aligned with `pipeline.deals`.

    A won deal has reached at least the model's won stage, or the last stage where it names none. A deal without any
    event is in the first stage: it entered the funnel, and nothing shows more.
    """
    events, deals, model = pipeline.events, pipeline.deals, pipeline.model
    reached = events["stage"].cat.codes.groupby(events["deal_id"]).max()
    furthest = deals["deal_id"].map(reached).fillna(0).astype("int64")
    won = model.stage_ids.index(model.won_stage) if model.won_stage else len(model.stages) - 1
    return furthest.where(deals["status"] != "won", furthest.clip(lower=won))


def count_stages(pipeline, by=None):
    """Return how many deals entered each stage, and of these advanced, were lost there, or are still open.

    Returns [by], stage (ordered categorical), n_entered, n_advanced, n_lost, n_open, value (sum of the amounts of
    those who entered; NaN where no amount is known). A deal counts in every stage up to the furthest it reached, so a
    skipped stage counts as entered; n_entered = n_advanced + n_lost + n_open. A won deal has advanced from the last
    stage that it entered unless later stages follow (customer care), where it is still open. Void deals are left out.
    Stages that nobody reached are rows of zeros. A counts source returns its own table.

    >>> from funnelkit.catalog import custom
    >>> from funnelkit.pipeline import Pipeline
    >>> model = custom(["Lead", "Offer"])
    >>> deals = pd.DataFrame({"deal_id": ["a", "b", "c"], "status": ["won", "lost", "open"], "amount": [5.0, 3.0, 2.0]})
    >>> stage = pd.Categorical(["Lead", "Offer", "Lead"], categories=model.stage_ids, ordered=True)
    >>> events = pd.DataFrame({"deal_id": ["a", "b", "c"], "stage": stage})
    >>> count_stages(Pipeline(model, deals, events, pd.Timestamp("2026-01-01")))
       stage  n_entered  n_advanced  n_lost  n_open  value
    0   Lead          3           2       0       1   10.0
    1  Offer          2           1       1       0    8.0
    """
    if pipeline.counts is not None:
        return pipeline.counts.copy()
    kept = pipeline.deals["status"] != "void"
    deals = pipeline.deals[kept].assign(_furthest=furthest_stage(pipeline)[kept])
    if by is None:
        return _count_one(deals, pipeline.model)
    if by not in deals.columns:
        raise DataError("no_such_column", name=by, nearest=nearest(by, pipeline.deals.columns))
    groups = deals.groupby(by, dropna=False, observed=True, sort=True)
    parts = [_count_one(group, pipeline.model).assign(**{by: value}) for value, group in groups]
    columns = [by, *_count_one(deals.iloc[:0], pipeline.model).columns]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _count_one(deals, model):
    """Count one group of deals whose `_furthest` is known."""
    size = len(model.stages)
    furthest, status = deals["_furthest"].to_numpy(), deals["status"].to_numpy()
    at_stage = np.bincount(furthest, minlength=size)
    entered = at_stage[::-1].cumsum()[::-1]
    lost = np.bincount(furthest[status == "lost"], minlength=size)
    stays = (status == "open") | ((status == "won") & (furthest < size - 1))
    still_open = np.bincount(furthest[stays], minlength=size)
    amount = deals["amount"].to_numpy(dtype=float)
    value = np.bincount(furthest, weights=np.nan_to_num(amount), minlength=size)[::-1].cumsum()[::-1]
    known = np.bincount(furthest[~np.isnan(amount)], minlength=size)[::-1].cumsum()[::-1]
    return pd.DataFrame(
        {
            "stage": pd.Categorical(model.stage_ids, categories=model.stage_ids, ordered=True),
            "n_entered": entered,
            "n_advanced": entered - lost - still_open,
            "n_lost": lost,
            "n_open": still_open,
            "value": np.where((known > 0) | (entered == 0), value, np.nan),
        }
    )


# --- event logs ------------------------------------------------------------------------------------------------------


def count_events(log, steps, rule=None, *, columns=None, by=None, as_of=None):
    """Count how many entities of an event log reached each step in order, under `rule`.

    `log` is a DataFrame or the path of a CSV or Parquet file, `columns` names its id, stage and time columns, `by` a
    column whose value at the chain's first event splits the table. Returns an EventCount. With a window, an entity
    whose window is still open at `as_of` (default: the log's latest time) is `n_open`, not lost. Without a window
    nobody is ever known to be lost: n_lost then means "not by as_of", and a note says so.

    >>> log = pd.DataFrame({"deal_id": [1, 1, 2], "stage": ["A", "B", "A"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-09"])})
    >>> count_events(log, ["A", "B"], Rule(window="7d")).table
      stage  n_entered  n_advanced  n_lost  n_open
    0     A          2           1       0       1
    1     B          1           1       0       0
    """
    rule, columns, steps = rule or Rule(), columns or LogColumns(), [str(step) for step in steps]
    if len(steps) < 2:
        raise RuleError("too_few_steps", n=len(steps))
    refuse_unsupported(rule, "duckdb", _SUPPORTED)
    rows, notes = _sorted_rows(log, steps, columns, by)
    as_of = pd.Timestamp(as_of) if as_of is not None else notes.pop("latest")
    notes.pop("latest", None)
    found = chain(rows, [steps.index(step) for step in steps], rule)
    table = _chain_table(rows, found, (steps, rule, as_of, by))
    return EventCount(table, rule, as_of, _notes(notes, rows, steps, rule))


def chain(rows, codes, rule):
    """Return for each entity its depth (0 if it never began), the row where its latest chain of that depth began,
    and the latest instant from which a window of it runs (microseconds).

    `rows` are arrays sorted by (entity, at, step code). Rows of the first step start chains; a row of each further
    step looks up the last surviving row of the step before it: the chain lives on if that row is of the same entity
    and within the window, and it inherits that row's start. The latest usable start leaves the most time, so a
    running last value suffices.
    """
    entity, step, at = rows["entity"], rows["step"], rows["at"]
    n_entities = int(entity[-1]) + 1 if len(entity) else 0
    depth, clock = np.zeros(n_entities, dtype="int64"), np.zeros(n_entities, dtype="int64")
    start = np.full(n_entities, -1, dtype="int64")
    reach = np.inf if rule.window is None else rule.window // pd.Timedelta(microseconds=1)
    per_step = rule.window_from == "previous"
    previous = np.flatnonzero(step == codes[0])
    if rule.reentry == "first" and len(previous):
        previous = previous[np.r_[True, np.diff(entity[previous]) > 0]]
    begun = previous
    # Rows are in time order within an entity: where it stands several times, the last assignment, the latest, holds.
    depth[entity[previous]], start[entity[previous]], clock[entity[previous]] = 1, begun, at[previous]
    boundary = _tie_starts(entity, at) if rule.ties == "strict" else None
    for level, code in enumerate(codes[1:], 2):
        here = np.flatnonzero(step == code)
        if not len(here) or not len(previous):
            break
        before = np.searchsorted(previous, here if boundary is None else boundary[here]) - 1
        found = np.maximum(before, 0)
        since = at[(previous if per_step else begun)[found]]
        alive = (before >= 0) & (entity[previous[found]] == entity[here]) & (at[here] - since <= reach)
        previous, begun = here[alive], begun[found[alive]]
        depth[entity[previous]], start[entity[previous]] = level, begun
        if per_step:
            clock[entity[previous]] = np.maximum(clock[entity[previous]], at[previous])
    return depth, start, clock


def _tie_starts(entity, at):
    """Return for each row the first row of the same entity and instant."""
    new = np.r_[True, (np.diff(entity) != 0) | (np.diff(at) != 0)]
    return np.maximum.accumulate(np.where(new, np.arange(len(at)), 0))


def _chain_table(rows, found, given):
    """Return the counts table; an entity is open while a window of it still runs at the as-of instant."""
    (steps, rule, as_of, by), (depth, start, clock) = given, found
    began = depth > 0
    depth, start = depth[began], start[began]
    undecided = np.zeros(len(depth), dtype=bool)
    if rule.window is not None and len(depth):
        undecided = np.asarray(pd.to_datetime(clock[began], unit="us") + rule.window > as_of)
    if by is None:
        return _level_counts(depth, undecided, steps)
    values = rows["segment"][start]
    empty = _level_counts(depth[:0], undecided[:0], steps).assign(**{by: pd.Series(dtype=str)})
    parts = [
        _level_counts(depth[values == code], undecided[values == code], steps).assign(**{by: name})
        for code, name in enumerate(rows["segments"])
    ]
    table = pd.concat(parts, ignore_index=True) if parts else empty
    return table[[by, *empty.columns.drop(by)]]


def _level_counts(depth, undecided, steps):
    size = len(steps)
    at_level = np.bincount(depth, minlength=size + 1)[1:]
    entered = at_level[::-1].cumsum()[::-1]
    still_open = np.bincount(depth[undecided], minlength=size + 1)[1:]
    still_open[-1] = 0  # whoever reached the last step is through
    advanced = np.r_[entered[1:], entered[-1]]
    categories = list(dict.fromkeys(steps))
    stage = pd.Categorical(steps, categories=categories, ordered=True) if len(categories) == size else pd.Index(steps)
    lost = entered - advanced - still_open
    return pd.DataFrame(
        {"stage": stage, "n_entered": entered, "n_advanced": advanced, "n_lost": lost, "n_open": still_open}
    )


def step_rates(counts, by=None):
    """Return a step table as analysts read it: how many reached each step, and at which rate.

    Takes the table of an EventCount; returns [segment], step, n (reached it), n_open (reached the step before, not
    yet known), rate, low, high (of the step before; NaN at the first step), and rate_of_first with its low_of_first,
    high_of_first (of the first step, without those of whom it is not yet known).

    >>> counts = pd.DataFrame({"stage": ["A", "B"], "n_entered": [4, 1], "n_advanced": [1, 1], "n_lost": [2, 0],
    ...                        "n_open": [1, 0]})
    >>> step_rates(counts)[["step", "n", "n_open", "rate"]].round(3)
      step  n  n_open   rate
    0    A  4       0    NaN
    1    B  1       1  0.333
    """
    groups = [(None, counts)] if by is None else counts.groupby(by, dropna=False, sort=False)
    parts = []
    for value, group in groups:
        n_open = group["n_open"].shift(1, fill_value=0)
        part = group[["stage", "n_entered"]].rename(columns={"stage": "step", "n_entered": "n"})
        part = part.assign(n_open=n_open, **rate_table(group)[["rate", "low", "high"]].shift(1))
        overall = rate_columns(part["n"], part["n"].iloc[0] - n_open.cumsum())
        part = part.assign(**{f"{name}_of_first": overall[name] for name in ("rate", "low", "high")})
        parts.append(part if by is None else part.assign(segment=value)[["segment", *part.columns]])
    return pd.concat(parts, ignore_index=True)


def _notes(found, rows, steps, rule):
    notes = [(key, {"n": n}) for key, n in found.items() if n]
    if rule.window is None:
        notes.append(("no_window", {}))
    present = set(np.unique(rows["step"]).tolist())
    missing = [step for step in dict.fromkeys(steps) if steps.index(step) not in present]
    notes += [("step_never_occurs", {"step": step, "nearest": nearest(step, rows["known"])}) for step in missing]
    return tuple(notes)


def _sorted_rows(log, steps, columns, by):
    """Let DuckDB scan, filter and sort the log; return numpy columns and the counts of rows left out."""
    import duckdb

    with duckdb.connect() as db:
        relation = _open(db, log)
        known = relation.columns
        for name in (columns.id, columns.stage, columns.at, *([by] if by else [])):
            if name not in known:
                raise DataError("no_such_column", name=name, nearest=nearest(name, known))
        who, what, when = (_quote(name) for name in (columns.id, columns.stage, columns.at))
        segment = f", CAST({_quote(by)} AS VARCHAR) AS segment" if by else ""
        relation.create_view("log")
        db.execute("CREATE TABLE steps(name VARCHAR, code INTEGER)")
        db.executemany("INSERT INTO steps VALUES (?, ?)", [(name, steps.index(name)) for name in dict.fromkeys(steps)])
        typed = (
            f"SELECT CAST({who} AS VARCHAR) AS who, CAST({what} AS VARCHAR) AS what, "
            f"TRY_CAST({when} AS TIMESTAMP) AS moment{segment} FROM log"
        )
        left_out = db.execute(
            "SELECT count(*) FILTER (WHERE coalesce(who, '') = ''), "
            f"count(*) FILTER (WHERE who <> '' AND moment IS NULL), max(moment) FROM ({typed})"
        ).fetchall()[0]
        table = db.sql(
            f"SELECT who, code, epoch_us(moment) AS at_us{', segment' if by else ''} FROM ({typed}) JOIN steps "
            "ON what = name WHERE who <> '' AND moment IS NOT NULL ORDER BY who, moment, code"
        ).to_arrow_table()
        rows = _arrays(table, by)
        rows["known"] = [row[0] for row in db.execute(f"SELECT DISTINCT what FROM ({typed}) LIMIT 500").fetchall()]
    without_id, without_time, latest = left_out
    notes = {"rows_without_id": without_id, "rows_without_time": without_time}
    return rows, {**notes, "latest": pd.Timestamp(latest) if latest else None}


def _arrays(table, by):
    entity = table.column("who").combine_chunks().dictionary_encode()
    rows = {
        "entity": entity.indices.to_numpy().astype("int64"),
        "step": table.column("code").to_numpy(),
        "at": table.column("at_us").to_numpy(),
    }
    if by:
        segment = table.column("segment").combine_chunks().fill_null("").dictionary_encode()
        names = segment.dictionary.to_pylist()
        rank = np.argsort(np.argsort(np.array(names, dtype=str))) if names else np.array([], dtype=int)
        rows["segment"] = rank[segment.indices.to_numpy()] if names else np.array([], dtype=int)
        rows["segments"] = sorted(names)
    return rows


def _open(db, log):
    import duckdb

    if isinstance(log, pd.DataFrame):
        return db.from_df(log)
    path = Path(log)
    if not path.is_file():
        raise DataError("no_such_file", file=str(path))
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return db.read_parquet(str(path))
        return db.read_csv(str(path), header=True, all_varchar=True)
    except duckdb.Error as error:
        raise DataError("log_unreadable", file=str(path), reason=str(error).splitlines()[0]) from None


def _quote(name):
    return '"' + name.replace('"', '""') + '"'
