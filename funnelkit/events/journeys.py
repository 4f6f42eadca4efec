"""Beyond counts, from the same pass: when each entity reached each step, and what follows from it.

`journeys` runs the rule once and keeps one row an entity; the other verbs turn it into tables.
"""

from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
import pandas as pd

from funnelkit.events.log import LOG, LogColumns
from funnelkit.events.rule import Rule
from funnelkit.events.search import Search, as_rule
from funnelkit.language import DataError, RuleError, nearest
from funnelkit.stats import LEVEL, rate_columns

_US_PER_DAY = 86_400_000_000
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
UNITS = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True)
class Journeys:
    """One row an entity that began, in `table`: id, depth, is_open, at_1 ... at_k (times of the steps), attributes.

    `is_open`: a window of it still runs at `as_of`, so it may come further. Attributes are those at the first step.
    """

    table: pd.DataFrame
    steps: tuple[str, ...]
    rule: Rule
    as_of: pd.Timestamp | None
    columns: LogColumns
    notes: tuple[tuple[str, dict], ...] = ()

    def place(self, step):
        """Return the position (from 1) of a step's name; refuse another name, with the nearest."""
        if step not in self.steps:
            raise DataError("no_such_step", name=str(step), nearest=nearest(step, self.steps))
        return self.steps.index(step) + 1

    @property
    def decided(self):
        """Return the rows whose outcome is known: through, or no window of theirs still runs."""
        return self.table[(self.table["depth"] == len(self.steps)) | ~self.table["is_open"]]

    @property
    def matured(self):
        """Return the rows that have had their whole window by `as_of`, whatever came of it; all without a window."""
        windows = self.rule.windows_us(len(self.steps) - 1)
        if windows is None or self.as_of is None:
            return self.table
        whole = sum(windows) if self.rule.window_from == "previous" else windows[0]
        return self.table[self.table["at_1"] + pd.Timedelta(whole, unit="us") <= self.as_of]


def journeys(log, steps, rule=None, *, columns=None, attributes=(), as_of=None, partition_rows=None):
    """Return the Journeys of a log under `rule`: when each entity that began reached each step.

    The times are those of the chosen chain: of complete ones the first to complete, else the latest of that depth.
    `attributes` are columns of the log. Raises RuleError where steps count for themselves (skip), for then there is
    no chain.

    >>> log = pd.DataFrame({"deal_id": [1, 1, 2], "stage": ["A", "B", "A"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-09"])})
    >>> journeys(log, ["A", "B"], Rule(window="7d")).table[["id", "depth", "is_open"]]
       id  depth  is_open
    0   1      2    False
    1   2      1     True
    """
    rule, attributes = as_rule(rule), tuple(attributes)
    if rule.skip != "drop":
        raise RuleError("rule_unsupported", engine="journeys", field="skip", value=repr(rule.skip))
    options = {"columns": columns, "as_of": as_of, "partition_rows": partition_rows}
    with Search(log, steps, rule, others=attributes, **options) as search:
        parts = list(search.parts(want="path", turn=partial(_entities, search)))
        columns = {name: _joined([part.pop(name) for part in parts]) for name in list(parts[0])}
        table = pd.DataFrame(columns, copy=False)
        return Journeys(table, search.want.steps, rule, search.as_of, search.log.columns, search.notes())


def _entities(search, rows, reached):
    """Return the columns of one partition."""
    began = np.flatnonzero(reached.depth > 0)
    limit = np.iinfo("int64").max if search.as_of is None else search.as_of.value // 1000
    through = reached.depth[began] == len(search.want.steps)
    is_open = (reached.until[began] > limit) & ~through
    table = {"id": np.asarray(rows.ids)[began], "depth": reached.depth[began].astype(int), "is_open": is_open}
    for place in range(reached.path.shape[1]):
        path = reached.path[:, place].take(began)
        at = rows.at.take(np.maximum(path, 0)) if len(rows.at) else path.astype("int64")
        at[path < 0] = np.iinfo("int64").min
        table[f"at_{place + 1}"] = at.view("datetime64[us]")
    for name, values in rows.others.items():
        table[name] = values.take(reached.start[began]).to_pandas().array
    if rows.segment is not None:
        codes = rows.segment[reached.start[began]]
        table[search.want.by] = pd.Series(list(rows.segments), dtype="str").take(codes).array
    return table


def _joined(parts):
    if len(parts) == 1:
        return parts[0]
    plain = all(isinstance(part, np.ndarray) for part in parts)
    return np.concatenate(parts) if plain else pd.concat(map(pd.Series, parts), ignore_index=True).array


def time_to_convert(found, by=None):
    """Return how long each step took those who made it, and the whole funnel (stage "total").

    Returns [by], stage (the step arrived at), n, mean_days, p10_days ... p90_days. Only entities that have had their
    whole window by the as-of date count: of younger ones only the quick are through, which would look fast.

    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "B"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    >>> time_to_convert(journeys(log, ["A", "B"]))[["stage", "n", "p50_days"]]
       stage  n  p50_days
    0      B  1       1.0
    1  total  1       1.0
    """
    table, parts = found.matured, []
    groups = _groups(table[by]) if by is not None else [(None, np.arange(len(table)))]
    order = np.concatenate([np.arange(0), *(rows for _, rows in groups)])
    gaps = {step: _gaps(found, table, step)[order] for step in [*found.steps[1:], None]}
    end = 0
    for value, rows in groups:
        begin, end = end, end + len(rows)
        for step, both in gaps.items():
            days = _timed(both[begin:end])
            quantiles = _quantiles(days) if len(days) else [np.nan] * len(QUANTILES)
            row = {by: value} if by is not None else {}
            row |= {"stage": step or "total", "n": len(days), "mean_days": days.mean() if len(days) else np.nan}
            parts.append(row | {f"p{q * 100:.0f}_days": at for q, at in zip(QUANTILES, quantiles, strict=True)})
    return pd.DataFrame(parts)


def _groups(column):
    """Return [(value, its rows)] in the order of the values, a missing one last."""
    codes, values = pd.factorize(column, sort=True)
    codes = np.where(codes < 0, len(values), codes)
    order = np.argsort(codes.astype("int16" if len(values) < 2**15 else "int64"), kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(values) + 2))
    names = [*values, np.nan]
    return [(names[n], order[edges[n] : edges[n + 1]]) for n in range(len(names)) if edges[n] < edges[n + 1]]


def _quantiles(values):
    """Return the QUANTILES as np.quantile does by default, several times as fast where values are few."""
    place = np.array(QUANTILES) * (len(values) - 1)
    below = place.astype(int)
    above = np.minimum(below + 1, len(values) - 1)
    ordered = np.partition(values, np.r_[below, above])
    low, high, share = ordered[below], ordered[above], place - below
    # From the nearer of the two, so that rounding never passes the other.
    return np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))


def time_histogram(found, step=None, bins=20):
    """Return how many took how long to arrive at `step` (default: from the first step to the last).

    Returns low_days, high_days, n; the bins are equal and reach from 0 to the longest time. As `time_to_convert`, over
    entities that have had their whole window.
    """
    days = _days(found, found.matured, step)
    longest = max(float(days.max()), 1e-9) if len(days) else 1.0
    n, edges = np.histogram(days, bins=bins, range=(min(0.0, float(days.min())) if len(days) else 0.0, longest))
    return pd.DataFrame({"low_days": edges[:-1], "high_days": edges[1:], "n": n})


def _days(found, table, step):
    return _timed(_gaps(found, table, step))


def _gaps(found, table, step):
    """Return the time to `step` from the one before, to the last from the first for None; NaT where it has none."""
    place = len(found.steps) if step is None else found.place(step)
    since = 1 if step is None else place - 1
    if since < 1:
        raise DataError("no_time_before_first", name=str(step))
    return table[f"at_{place}"].to_numpy() - table[f"at_{since}"].to_numpy()


def _timed(gaps):
    return gaps[~np.isnat(gaps)] / np.timedelta64(1, "D")


def conversion_trend(found, unit="month"):
    """Return the conversion from the first step to the last by entry cohort, with what is not yet known apart.

    Returns cohort (its first day), n_entered, k, n, rate, low, high, n_open, floor, ceiling (see
    `rates.rate_columns`), is_mature (nobody of the cohort is open). The last cohorts of an honest trend are wide, not
    low. `unit` is day, week (from Monday), month, quarter or year.
    """
    if unit not in UNITS:
        raise DataError("bad_unit", found=repr(unit), known=", ".join(UNITS))
    table = found.table
    through = table["depth"] == len(found.steps)
    flags = pd.DataFrame({"n_entered": 1, "k": through, "n_open": table["is_open"] & ~through})
    sums = flags.groupby(table["at_1"].dt.to_period(UNITS[unit]).dt.start_time.rename("cohort")).sum().astype("int64")
    rates = rate_columns(sums["k"], sums["n_entered"] - sums["n_open"], sums["n_open"])
    trend = sums[["n_entered"]].reset_index().assign(**rates)
    return trend.assign(is_mature=trend["n_open"] == 0)


def dropped(found, step):
    """Return who came to `step` and no further, and is known not to: ids for follow-up, the latest first.

    Returns id, reached_at, since_days (to the as-of date) and the attributes. Who may still advance is not here:
    `found.table` holds them with is_open.
    """
    place = found.place(step)
    table = found.decided[found.decided["depth"] == place]
    if place == len(found.steps):
        table = table.iloc[:0]
    own = [name for name in table.columns if name not in ("depth", "is_open") and not name.startswith("at_")]
    out = table[own].assign(reached_at=table[f"at_{place}"])
    out["since_days"] = (found.as_of - out["reached_at"]) / pd.Timedelta(days=1) if found.as_of is not None else np.nan
    out = out.sort_values(["reached_at", "id"], ascending=[False, True], ignore_index=True)
    return out[["id", "reached_at", "since_days", *[name for name in own if name != "id"]]]


def paths_between(log, found, first, last, limit=20):
    """Return the ways that entities took from step `first` to step `last`, the most frequent first.

    Returns path (the events between, in order, joined by " > "; empty where none lies between), n, share, p50_days.
    All events of the log between the two times count, steps or not. `limit` cuts the table; share is of all.
    """
    one, two = found.place(first), found.place(last)
    spans = found.table[["id", f"at_{one}", f"at_{two}"]].dropna()
    spans.columns = ["id", "since", "until"]
    spans = spans[spans["until"] >= spans["since"]]
    between = _between(log, found.columns, spans)
    days = (spans["until"] - spans["since"]).to_numpy() / np.timedelta64(1, "D")
    table = pd.DataFrame({"path": spans["id"].astype(str).map(between).fillna("").to_numpy(), "days": days})
    grouped = table.groupby("path", sort=False)["days"].agg(n="size", p50_days="median").reset_index()
    grouped = grouped.assign(share=grouped["n"] / max(1, len(table)))
    grouped = grouped.sort_values(["n", "path"], ascending=[False, True], ignore_index=True)
    return grouped[["path", "n", "share", "p50_days"]].head(limit)


def _between(log, columns, spans):
    """Return {id as text: events strictly between its two times}."""
    import duckdb

    from funnelkit.events.log import Log

    # A relation of another connection cannot be joined with the spans there.
    source = log.to_arrow_table() if isinstance(log, duckdb.DuckDBPyRelation) else log
    with Log(source, columns) as opened:
        opened.db.register("spans", spans.assign(id=spans["id"].astype(str)))
        events = (
            f"SELECT CAST({opened.who} AS VARCHAR) AS who, {opened.what} AS what, {opened.moment} AS moment FROM {LOG}"
        )
        rows = opened.query(
            f"SELECT who, string_agg(what, ' > ' ORDER BY moment, what) FROM ({events}) JOIN spans ON who = id "
            "WHERE moment > since AND moment < until AND what IS NOT NULL GROUP BY who"
        ).fetchall()
    return dict(rows)


def attribute_odds(found, attributes, level=LEVEL):
    """Return how the odds of conversion differ between those with a value of an attribute and all others.

    Returns attribute, value, k, n (converted and decided with the value), k_other, n_other, odds_ratio, low, high,
    p_value, q_value. Only decided entities count. Odds ratio of the two-by-two table with 1/2 added to each cell
    (Haldane-Anscombe), Woolf's interval on its logarithm; q_value is Benjamini and Hochberg's (1995) over all rows:
    among the rows with q_value below 0.05 about 5 % are expected to be chance. An association is no cause.
    """
    decided = found.decided
    through = (decided["depth"] == len(found.steps)).to_numpy()
    rows = []
    for name in attributes:
        if name not in decided.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, decided.columns))
        values = decided[name].astype("object").where(decided[name].notna(), "").to_numpy()
        for value in sorted(set(values), key=str):
            has = values == value
            cells = (int(through[has].sum()), int(has.sum()), int(through[~has].sum()), int((~has).sum()))
            rows.append({"attribute": name, "value": value, **_odds(cells, level)})
    columns = ["attribute", "value", "k", "n", "k_other", "n_other", "odds_ratio", "low", "high", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(dtype=float))
    return table.sort_values(["q_value", "p_value"], ignore_index=True)


def _odds(cells, level):
    k, n, k_other, n_other = cells
    if not n or not n_other:
        ratio, low, high, p = (np.nan,) * 4
    else:
        a, b, c, d = (cell + 0.5 for cell in (k, n - k, k_other, n_other - k_other))
        log_ratio, error = np.log(a * d / (b * c)), np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        z = NormalDist().inv_cdf((1 + level) / 2)
        ratio, low, high = (float(np.exp(log_ratio + side * z * error)) for side in (0, -1, 1))
        p = 2 * (1 - NormalDist().cdf(abs(log_ratio) / error))
    return {"k": k, "n": n, "k_other": k_other, "n_other": n_other, "odds_ratio": ratio, "low": low, "high": high} | {
        "p_value": p
    }


def benjamini_hochberg(p):
    """Return the adjusted p values that hold the false discovery rate; NaN stays and is not counted.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, np.nan])).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    adjusted, known = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")[::-1]]
    scale = len(known) / np.arange(len(known), 0, -1)
    adjusted[order] = np.minimum.accumulate(np.minimum(p[order] * scale, 1.0))
    return adjusted
