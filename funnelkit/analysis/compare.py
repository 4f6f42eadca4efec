"""Compare: a period with the like part of earlier ones (MoM, YoY)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.periods import Calendar, data_end
from funnelkit.analysis.shared import DAY, By, insight, keys_of
from funnelkit.analysis.stays import spells_of
from funnelkit.language import DataError, Text, change_text, label, number, points, rate_text, say, settings
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result, both, rate_words, refuse_limits
from funnelkit.stats import LEVEL, newcombe, rate_columns, wilson

AGAINST = ("previous", "year_before")
BASES = ("decided", "entered")
Note = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Window:
    """Part of a period: [start, stop), and its length in the days counted."""

    number: int
    start: pd.Timestamp
    stop: pd.Timestamp
    days: int


class _Pair(NamedTuple):
    """What one comparison is made with."""

    against: str
    status: str
    basis: str
    keys: list[str]
    calendar: Calendar


def compare_periods(
    pipeline: Pipeline,
    calendar: Calendar | None = None,
    *,
    on: Any = None,
    by: By = None,
    basis: Literal["decided", "entered"] = "decided",
    working: bool = False,
) -> Result:
    """Compare the current period with the previous one (MoM) and the same one a year before (YoY), like with like.

    Parameters
    ----------
    pipeline, calendar : Pipeline and Calendar (months unless it, or `fk.use(calendar=...)`, says otherwise)
    on, working : a day in the period wanted (the last of the data); compare as many working days, not as many days
    by : str or list of str, columns of the deals to split by
    basis : "decided" takes what happened in the window, "entered" those who entered in it, as known at its end

    Returns
    -------
    Result
        Table: [by], against, stage (overall, then the stages), period, days, period_before, days_before, n_entered,
        n_entered_before, growth, growth_low, growth_high, k, n, rate, low, high, n_open, k_before, n_before,
        rate_before, change, change_low, change_high (fractions), clear, status (compared, or why it could not be).

    Raises
    ------
    LimitError, DataError : where outcomes are missing; for an unknown basis or column, a period not begun

    Notes
    -----
    Newcombe 1998, method 10. `clear` is beyond 0 at a level that allows for the number of rows (Bonferroni).

    Examples
    --------
    >>> from funnelkit import sample
    >>> compare_periods(sample()).table["against"].unique().tolist()
    ['previous', 'year_before']
    """
    return _compare(pipeline, calendar or settings.calendar or Calendar(), on, by, (basis, working))


def _compare(pipeline: Pipeline, calendar: Calendar, on: Any, by: By, how: tuple[str, bool]) -> Result:
    basis, working = how
    if basis not in BASES:
        raise DataError("bad_basis", found=repr(basis), known=", ".join(BASES))
    refuse_limits(pipeline, "compare_periods", "no_outcome", "no_lost_deals")
    keys = keys_of(by, pipeline.deals)
    moves = _moves(pipeline, keys)
    current = _current(calendar, data_end(pipeline), on, working)
    since = _recorded_since(pipeline, moves)
    rows: list[dict[str, Any]] = []
    for against in AGAINST:
        earlier = _earlier(calendar, current, against, working)
        status = "no_counterpart" if earlier is None else "compared"
        if earlier is not None and _starts_before(earlier, since):
            status = "no_history"
        rows += _pair_rows(moves, current, earlier, _Pair(against, status, basis, keys, calendar))
    table = _judge(pd.DataFrame(rows))
    table["stage"] = pd.Categorical(table["stage"], categories=["overall", *pipeline.model.stage_ids], ordered=True)
    reading = _read_periods(table, pipeline.model, current, (keys, calendar, since))
    return Result(
        table, *reading, model=pipeline.model, picture="" if keys else "compare_chart",
        shown=partial(_for_people, keys), findings=_findings(table, pipeline.model, keys),
    )  # fmt: skip


def _for_people(keys: list[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: both rates, and the change in points."""
    rows = [
        {
            **{key: row[key] for key in keys},
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


def _findings(table: pd.DataFrame, model: Funnel, keys: list[str]) -> tuple[Insight, ...]:
    """Return every clear change; the subject is the stage, before it the segment."""
    found = []
    for row in table[table["clear"]].to_dict("records"):
        side = "rise" if row["change"] > 0 else "fall"
        whole = row["stage"] == "overall"
        values = _pair_words(row, row["against"]) | {"stage": _named(row, model, keys)}
        key = f"analysis.compare.{side if whole and not keys else 'stage_moved'}"
        subject = " / ".join([*(str(row[key]) for key in keys), str(row["stage"])])
        found.append(insight(f"rate_{side}", subject, key, values, n_deals=int(row["n"])))
    return tuple(found)


def _named(row: dict[str, Any], model: Funnel, keys: list[str]) -> list[Any]:
    """Return what people call a row: the segment, then the stage."""
    name = both(lambda: label("overall")) if row["stage"] == "overall" else model.stage(row["stage"]).name
    return [*(str(row[key]) for key in keys), name]


def _moves(pipeline: Pipeline, keys: list[str]) -> pd.DataFrame:
    """Return stage, entered_at, decided_at, success, [by]: every entry and what became of it."""
    deals = pipeline.deals[pipeline.deals["status"].isin(["won", "lost", "open"])]
    overall = pd.DataFrame({"stage": "overall", "deal_id": deals["deal_id"], "entered_at": deals["created_at"]})
    overall = overall.assign(
        decided_at=deals["closed_at"].where(deals["status"] != "open"), success=deals["status"] == "won"
    )
    parts = [overall]
    if pipeline.limit("no_history") is None or pipeline.limit("one_date_per_stage") is not None:
        spells = spells_of(pipeline, "compare_periods")
        decided = spells["left_at"].where(spells["exit"].isin(["advanced", "lost"]))
        spells = spells.assign(
            decided_at=decided, success=spells["exit"] == "advanced", stage=spells["stage"].astype("str")
        )
        parts.append(spells[["stage", "deal_id", "entered_at", "decided_at", "success"]])
    moves = pd.concat(parts, ignore_index=True)
    segments = pipeline.deals.set_index("deal_id")
    return moves.assign(**{key: moves["deal_id"].map(segments[key]) for key in keys})


def _current(calendar: Calendar, end: pd.Timestamp, on: Any, working: bool) -> Window:
    """Return the window of the period wanted, up to the end of the data."""
    wanted = int(calendar.number(end - DAY if on is None else on))
    start, stop = calendar.start(wanted), min(calendar.start(wanted + 1), end)
    if stop <= start:
        raise DataError("period_not_begun", period=calendar.name(wanted), end=str((end - DAY).date()))
    return Window(wanted, start, stop, _length(calendar, start, stop, working))


def _length(calendar: Calendar, start: pd.Timestamp, stop: pd.Timestamp, working: bool) -> int:
    days = calendar.days(start, stop)
    return int(calendar.is_working(days).sum()) if working else len(days)


def _earlier(calendar: Calendar, current: Window, against: str, working: bool) -> Window | None:
    """Return the like part of the earlier period: all of it where the current one is over."""
    wanted = current.number - 1 if against == "previous" else calendar.year_before(current.number)
    if wanted is None:
        return None
    if current.stop == calendar.start(current.number + 1):
        start, stop = calendar.start(wanted), calendar.start(wanted + 1)
    else:
        start, stop = calendar.like(wanted, current.days, working)
    return Window(wanted, start, stop, _length(calendar, start, stop, working))


def _recorded_since(pipeline: Pipeline, moves: pd.DataFrame) -> Any:
    """Return the first day whose events the source can hold."""
    late = pipeline.limit("closes_start_late")
    if late is not None:
        return pd.Timestamp(late.values["first_close"])
    return moves["entered_at"].min()


def _starts_before(window: Window, since: Any) -> bool:
    """Return True where the records miss the beginning; quiet first days (a tenth of the window) are no gap."""
    return bool(since - window.start >= max(DAY, 0.1 * (window.stop - window.start)))


def _pair_rows(moves: pd.DataFrame, current: Window, earlier: Window | None, given: _Pair) -> Iterator[dict[str, Any]]:
    against, status, basis, keys, calendar = given
    groups = moves.groupby(["stage", *keys], sort=False, dropna=False)
    for key, group in groups:
        usable = status
        if earlier is not None and (status, basis) == ("compared", "decided") and _too_early(moves, group, earlier):
            usable = "too_early"
        now, then = _tally(group, current, basis), _tally(group, earlier if usable == "compared" else None, basis)
        row: dict[str, Any] = dict(zip(keys, key[1:], strict=True))
        row |= {"against": against, "stage": key[0], "period": calendar.name(current.number), "days": current.days}
        row |= {"period_before": None if earlier is None else calendar.name(earlier.number)}
        row |= {"days_before": None if earlier is None else earlier.days, **now}
        yield row | {f"{name}_before": then[name] for name in ("n_entered", "k", "n")} | {"status": usable}


def _too_early(moves: pd.DataFrame, group: pd.DataFrame, window: Window) -> bool:
    """Return True where the records began less than the median time to a success before the window."""
    lag = (group["decided_at"] - group["entered_at"])[group["success"].astype(bool)].median()
    return bool(pd.notna(lag) and window.start - moves["entered_at"].min().normalize() < lag)


def _tally(moves: pd.DataFrame, window: Window | None, basis: str) -> dict[str, int]:
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


def _judge(table: pd.DataFrame) -> pd.DataFrame:
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


def _growth(entered: pd.Series[Any], entered_before: pd.Series[Any]) -> tuple[NDArray[np.float64], ...]:
    """Return the ratio of two Poisson counts less 1, with the interval that Wilson's for now / (now + before) gives."""
    now, before = entered.to_numpy(dtype=float), entered_before.to_numpy(dtype=float)
    low, high = wilson(now, now + before)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [np.where(before > 0, part, np.nan) for part in (now / before, low / (1 - low), high / (1 - high))]
    return tuple(part - 1 for part in found)


def _read_periods(
    table: pd.DataFrame, model: Funnel, current: Window, given: tuple[list[str], Calendar, Any]
) -> tuple[str, dict[str, Any], tuple[Note, ...]]:
    """Return (key, values, notes): the overall rate against each period, then the stages that moved clearly."""
    keys, calendar, since = given
    whole = table[table["stage"] == "overall"]
    unfinished = current.stop < calendar.start(current.number + 1)
    key = "analysis.compare.partial" if unfinished else "analysis.compare.period"
    values = {"period": calendar.name(current.number), "days": current.days, "last": str((current.stop - DAY).date())}
    notes: list[Note] = []
    for against in AGAINST:
        rows = whole[whole["against"] == against]
        notes += [_against_note(row, against, since) for row in rows.to_dict("records")[:1]] if len(rows) == 1 else []
        stages = table[(table["against"] == against) & table["clear"] & (table["stage"] != "overall")]
        for row in stages.to_dict("records"):
            notes.append(
                ("analysis.compare.stage_moved", _pair_words(row, against) | {"stage": _named(row, model, keys)})
            )
    compared = table[(table["status"] == "compared") & (table["stage"] != "overall")]
    if len(compared) and not compared["clear"].any():
        notes.append(("analysis.compare.no_stage_moved", {"n": len(compared)}))
    return key, values, tuple(notes)


def _against_note(row: dict[str, Any], against: str, since: Any) -> Note:
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


def _against(against: str) -> Text:
    return both(lambda: say(f"analysis.compare.{against}"))


def _pair_words(row: dict[str, Any], against: str) -> dict[str, Any]:
    return {
        "against": _against(against), "before": row["period_before"], "days": row["days_before"],
        "rate": rate_words(row["k"], row["n"]), "rate_before": rate_words(row["k_before"], row["n_before"]),
        "change": points(row["change"]), "low": points(row["change_low"]), "high": points(row["change_high"]),
        "entered": number(row["n_entered"]), "entered_before": number(row["n_entered_before"]),
    }  # fmt: skip
