"""Compare: a period with the like part of earlier ones (MoM, YoY), and our funnel with the peers'."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from funnelkit.analysis.periods import Calendar, data_end
from funnelkit.analysis.stays import column, find_spells
from funnelkit.language import DataError, change_text, label, number, points, rate_text, say
from funnelkit.models import Funnel
from funnelkit.result import Result, both, rate_words, refuse_limits
from funnelkit.stats import LEVEL, newcombe, rate_columns, wilson

AGAINST = ("previous", "year_before")
BASES = ("decided", "entered")
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """Part of a period: [start, stop), and its length in the days counted."""

    number: int
    start: pd.Timestamp
    stop: pd.Timestamp
    days: int


def compare_periods(pipeline, calendar=None, *, on=None, by=None, basis="decided", working=False):
    """Compare the current period with the previous one (MoM) and the same one a year before (YoY), like with like.

    A period that is not over is compared with as many days (`working`: working days) of the others. `on` is a date in
    the period wanted (default: the last day in the data). `basis`: "decided" takes the promotions and losses that
    happened in the window; "entered" those who entered in it, as known at its end. The table has [by], against
    (previous, year_before), stage ("overall": from creation to the win; then the stages, where their times are
    known), period, days, period_before, days_before, n_entered, n_entered_before, growth with growth_low, growth_high
    (n_entered over n_entered_before, less 1; two Poisson counts), k, n, rate, low, high, n_open, k_before, n_before,
    rate_before, change with change_low, change_high (Newcombe), clear (beyond 0 even at a level that allows for the
    number of rows) and status: compared, no_history (the records do not cover the window), too_early (they begin less
    than the usual time to a success before it, so it holds quick losses and hardly a success) or no_counterpart.
    Raises LimitError where outcomes are missing, DataError on an unknown basis or column.

    >>> from funnelkit.reading import read
    >>> deals = pd.DataFrame({"id": list("abcdef"), "stage": ["Won", "Lost"] * 3,
    ...     "created": ["2026-01-01", "2026-01-05", "2026-02-02", "2026-02-02", "2026-02-05", "2026-02-09"],
    ...     "closed": ["2026-01-09", "2026-01-20", "2026-02-03", "2026-02-04", "2026-02-08", "2026-02-10"]})
    >>> pipeline = read(deals.rename(columns={"created": "created_at", "closed": "closed_at"}), stages=["Lead", "Won"])
    >>> found = compare_periods(pipeline, basis="entered").table.iloc[[0]]
    >>> found[["stage", "period", "days", "k", "n", "k_before", "n_before"]].values.tolist()
    [['overall', '2026-02', 10, 2, 4, 1, 1]]
    """
    if basis not in BASES:
        raise DataError("bad_basis", found=repr(basis), known=", ".join(BASES))
    refuse_limits(pipeline, "compare_periods", "no_outcome", "no_lost_deals")
    calendar, end = calendar or Calendar(), data_end(pipeline)
    moves = _moves(pipeline, by)
    current = _current(calendar, end, on, working)
    since = _recorded_since(pipeline, moves, basis)
    rows = []
    for against in AGAINST:
        earlier = _earlier(calendar, current, against, working)
        status = "no_counterpart" if earlier is None else "compared"
        if earlier is not None and _starts_before(earlier, since):
            status = "no_history"
        rows += _pair_rows(moves, current, earlier, (against, status, basis, by, calendar))
    table = _judge(pd.DataFrame(rows))
    table["stage"] = pd.Categorical(table["stage"], categories=["overall", *pipeline.model.stage_ids], ordered=True)
    reading = _read_periods(table, pipeline.model, current, (calendar, since))
    return Result(
        table, *reading, model=pipeline.model, picture="compare_chart", shown=partial(_for_people, pipeline.model)
    )


def _for_people(model: Funnel, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: both rates, and the change in points."""
    rows = [
        {
            "against": label(row["against"]),
            "stage": row["stage"],
            "rate_now": rate_text(row),
            "rate_then": str(rate_words(row["k_before"], row["n_before"])),
            "change_points": change_text(row),
            "clear": bool(row["clear"]),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _moves(pipeline, by):
    """Return stage, entered_at, decided_at, success, [by]: every entry and what became of it."""
    deals = pipeline.deals[pipeline.deals["status"].isin(["won", "lost", "open"])]
    overall = pd.DataFrame({"stage": "overall", "deal_id": deals["deal_id"], "entered_at": deals["created_at"]})
    overall = overall.assign(
        decided_at=deals["closed_at"].where(deals["status"] != "open"), success=deals["status"] == "won"
    )
    parts = [overall]
    if pipeline.limit("no_history") is None or pipeline.limit("one_date_per_stage") is not None:
        spells = find_spells(pipeline, "compare_periods")
        decided = spells["left_at"].where(spells["exit"].isin(["advanced", "lost"]))
        spells = spells.assign(
            decided_at=decided, success=spells["exit"] == "advanced", stage=spells["stage"].astype("str")
        )
        parts.append(spells[["stage", "deal_id", "entered_at", "decided_at", "success"]])
    moves = pd.concat(parts, ignore_index=True)
    if by is not None:
        column(pipeline, by)
        moves[by] = moves["deal_id"].map(pipeline.deals.set_index("deal_id")[by])
    return moves


def _current(calendar, end, on, working):
    """Return the window of the period wanted, up to the end of the data."""
    wanted = int(calendar.number(end - _DAY if on is None else on))
    start, stop = calendar.start(wanted), min(calendar.start(wanted + 1), end)
    if stop <= start:
        raise DataError("period_not_begun", period=calendar.name(wanted), end=str((end - _DAY).date()))
    return Window(wanted, start, stop, _length(calendar, start, stop, working))


def _length(calendar, start, stop, working):
    days = calendar.days(start, stop)
    return int(calendar.is_working(days).sum()) if working else len(days)


def _earlier(calendar, current, against, working):
    """Return the like part of the earlier period: all of it where the current one is over."""
    wanted = current.number - 1 if against == "previous" else calendar.year_before(current.number)
    if wanted is None:
        return None
    if current.stop == calendar.start(current.number + 1):
        start, stop = calendar.start(wanted), calendar.start(wanted + 1)
    else:
        start, stop = calendar.like(wanted, current.days, working)
    return Window(wanted, start, stop, _length(calendar, start, stop, working))


def _recorded_since(pipeline, moves, basis):
    """Return the first day whose events the source can hold."""
    late = pipeline.limit("closes_start_late")
    if late is not None:
        return pd.Timestamp(late.values["first_close"])
    return moves["entered_at"].min()


def _starts_before(window, since):
    """Return True where the records miss the beginning; quiet first days (a tenth of the window) are no gap."""
    return bool(since - window.start >= max(_DAY, 0.1 * (window.stop - window.start)))


def _pair_rows(moves, current, earlier, given):
    against, status, basis, by, calendar = given
    groups = moves.groupby(["stage"] if by is None else ["stage", by], sort=False, dropna=False)
    for key, group in groups:
        usable = (
            "too_early" if status == "compared" and basis == "decided" and _too_early(moves, group, earlier) else status
        )
        now, then = _tally(group, current, basis), _tally(group, earlier if usable == "compared" else None, basis)
        row = {} if by is None else {by: key[1]}
        row |= {"against": against, "stage": key[0], "period": calendar.name(current.number), "days": current.days}
        row |= {"period_before": None if earlier is None else calendar.name(earlier.number)}
        row |= {"days_before": None if earlier is None else earlier.days, **now}
        yield row | {f"{name}_before": then[name] for name in ("n_entered", "k", "n")} | {"status": usable}


def _too_early(moves, group, window):
    """Return True where the records began less than the median time to a success before the window."""
    lag = (group["decided_at"] - group["entered_at"])[group["success"].astype(bool)].median()
    return bool(pd.notna(lag) and window.start - moves["entered_at"].min().normalize() < lag)


def _tally(moves, window, basis):
    """Count the entries and outcomes of one window."""
    if window is None:
        return {"n_entered": 0, "k": 0, "n": 0, "n_open": 0}
    entered = (moves["entered_at"] >= window.start) & (moves["entered_at"] < window.stop)
    decided = moves["decided_at"] < window.stop
    among = entered if basis == "entered" else moves["decided_at"] >= window.start
    known = among & decided
    return {
        "n_entered": int(entered.sum()), "k": int((known & moves["success"]).sum()), "n": int(known.sum()),
        "n_open": int((among & ~decided).sum()) if basis == "entered" else 0,
    }  # fmt: skip


def _judge(table):
    """Add rates, changes and their intervals; `clear` allows for the number of comparisons (Bonferroni)."""
    known = (table["status"] == "compared") & (table["n"] > 0) & (table["n_before"] > 0)
    level = 1 - (1 - LEVEL) / max(1, int(known.sum()))
    now = rate_columns(table["k"], table["n"], table["n_open"])
    before = rate_columns(table["k_before"], table["n_before"])
    pair = (table["k"], table["n"], table["k_before"], table["n_before"])
    (change, low, high), (_, wide_low, wide_high) = newcombe(*pair), newcombe(*pair, level)
    growth, growth_low, growth_high = _growth(table["n_entered"], table["n_entered_before"])
    table = table.assign(growth=growth, growth_low=growth_low, growth_high=growth_high)
    table = table.assign(**{name: now[name] for name in ("rate", "low", "high")}, rate_before=before["rate"])
    table = table.assign(
        change=change, change_low=low, change_high=high, clear=known & ((wide_low > 0) | (wide_high < 0))
    )
    lead = [name for name in table.columns if name not in ("status", "clear")]
    return table[[*lead, "clear", "status"]]


def _growth(now, before):
    """Return the ratio of two Poisson counts less 1, with the interval that Wilson's for now / (now + before) gives."""
    now, before = now.to_numpy(dtype=float), before.to_numpy(dtype=float)
    low, high = wilson(now, now + before)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [np.where(before > 0, part, np.nan) for part in (now / before, low / (1 - low), high / (1 - high))]
    return tuple(part - 1 for part in found)


def _read_periods(table, model, current, given):
    """Return (key, values, notes): the overall rate against each period, then the stages that moved clearly."""
    calendar, since = given
    whole = table[table["stage"] == "overall"]
    partial = current.stop < calendar.start(current.number + 1)
    key = "analysis.compare.partial" if partial else "analysis.compare.period"
    values = {"period": calendar.name(current.number), "days": current.days, "last": str((current.stop - _DAY).date())}
    notes = []
    for against in AGAINST:
        rows = whole[whole["against"] == against]
        notes += [_against_note(row, against, since) for row in rows.to_dict("records")[:1]] if len(rows) == 1 else []
        stages = table[(table["against"] == against) & table["clear"] & (table["stage"] != "overall")]
        for row in stages.to_dict("records"):
            notes.append(
                ("analysis.compare.stage_moved", _pair_words(row, against) | {"stage": model.stage(row["stage"]).name})
            )
    compared = table[(table["status"] == "compared") & (table["stage"] != "overall")]
    if len(compared) and not compared["clear"].any():
        notes.append(("analysis.compare.no_stage_moved", {"n": len(compared)}))
    return key, values, tuple(notes)


def _against_note(row, against, since):
    """Return the sentence for one overall row."""
    if row["status"] == "no_counterpart":
        return "analysis.compare.no_counterpart", {"period": row["period"]}
    if row["status"] == "no_history":
        return "analysis.compare.no_history", {
            "before": row["period_before"],
            "since": str(since.date()),
            "against": _against(against),
        }
    if not row["n"] or not row["n_before"]:
        return "analysis.compare.nothing_decided", {"before": row["period_before"], "against": _against(against)}
    verdict = "unclear" if not row["clear"] else "rise" if row["change"] > 0 else "fall"
    return f"analysis.compare.{verdict}", _pair_words(row, against)


def _against(against):
    return both(lambda: say(f"analysis.compare.{against}"))


def _pair_words(row, against):
    return {
        "against": _against(against), "before": row["period_before"], "days": row["days_before"],
        "rate": rate_words(row["k"], row["n"]), "rate_before": rate_words(row["k_before"], row["n_before"]),
        "change": points(row["change"]), "low": points(row["change_low"]), "high": points(row["change_high"]),
        "entered": number(row["n_entered"]), "entered_before": number(row["n_entered_before"]),
    }  # fmt: skip
