"""Compare: a period with the like part of earlier ones (MoM, YoY)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.shared import DAY, By, insight, keys_of, size_of
from funnelkit.analysis.window_rates import BASES, OVERALL, timed_spells, usable_basis, window_rates
from funnelkit.analysis.windows import Window, Windows, find_windows, recorded_since, starts_in_time
from funnelkit.language import (
    DataError,
    Text,
    both,
    change_text,
    day,
    label,
    number,
    percent,
    points,
    rate_text,
    say,
    settings,
)
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import WIN_LIMITS, Insight, Result, refuse_limits, row_words
from funnelkit.stats import change_interval, change_p_value, holm_levels, wilson

Note = tuple[str, dict[str, Any]]
_BEFORE = ("n_entered", "k", "n", "rate", "low", "high", "worth")


class _Asked(NamedTuple):
    """What a comparison is made of."""

    pipeline: Pipeline
    windows: Windows
    keys: list[str]
    basis: str
    since: Any  # the first day whose events the source can hold


def compare_periods(
    pipeline: Pipeline, calendar: Calendar | None = None, *, on: Any = None, by: By = None,
    basis: Literal["period", "decided", "entered"] = "period", working: bool = False,
) -> Result:  # fmt: skip
    """Compare the current period with the previous one (MoM) and the same one a year before (YoY), like with like.

    Parameters
    ----------
    pipeline, calendar : Pipeline and Calendar (months unless it, or `fk.use(calendar=...)`, says otherwise)
    on, working : a day in the period wanted (the last of the data); compare as many working days, not as many days
    by : str or list of str, columns of the deals to split by
    basis : "period" rates by age from all that happened in the window, "decided" k of the n decided in it, "entered"
        of those who entered in it, as known at its end

    Returns
    -------
    Result
        Table: [by], against, stage (overall, then stages), period, days, period_before, days_before, n_entered, growth
        (to n_entered_before), rate columns (k of n left or closed), the same _before, change, change_low, change_high
        (fractions; at `level`), p_value, clear, status (compared, or why not).

    Raises
    ------
    LimitError, DataError : where outcomes are missing; for an unknown basis or column, a period not begun

    Notes
    -----
    Period analysis (Brenner, Gefeller 1996), Newcombe's interval (1998). Overall rows are one family, stages another;
    each errs with 5 %: Holm's levels. Where wins crowd at quarter ends, `previous` is the same part a quarter before.

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
    refuse_limits(pipeline, "compare_periods", *WIN_LIMITS)
    windows = find_windows(pipeline, calendar, on, working)
    asked = _Asked(
        pipeline, windows, keys_of(by, pipeline.deals), usable_basis(pipeline, basis), recorded_since(pipeline)
    )
    table = _compared(asked)
    return Result(
        table, *_read(table, asked), model=pipeline.model, picture="" if asked.keys else "compare_chart",
        shown=partial(_for_people, asked.keys), findings=_findings(table, asked), currency=pipeline.currency,
    )  # fmt: skip


def _compared(asked: _Asked) -> pd.DataFrame:
    """Return the table of `compare_periods`."""
    windows = asked.windows
    known = {against: window for against, window in windows.earlier.items() if window is not None}
    now, *before = window_rates(asked.pipeline, [windows.current, *known.values()], asked.keys, asked.basis)
    befores = dict(zip(known, before, strict=True))
    parts = [_pair(asked, against, now, befores.get(against)) for against in windows.earlier]
    return _judge(pd.concat(parts, ignore_index=True), asked.keys, windows.rhythm is not None)


def _pair(asked: _Asked, against: str, now: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of one comparison: now, before, and whether the two can be compared."""
    windows = asked.windows
    earlier = windows.earlier[against]
    named = None if earlier is None else windows.name(earlier)
    table = now.assign(against=against, period=windows.name(windows.current), days=windows.current.days)
    table = table.assign(period_before=named, days_before=None if earlier is None else earlier.days)
    status = "no_counterpart" if earlier is None else "compared"
    if earlier is not None and not starts_in_time(earlier, asked.since):
        status = "no_history"
    usable = before is not None and status == "compared"
    for name in _BEFORE:
        table[f"{name}_before"] = before[name] if usable and before is not None else np.nan
    enough = table["rate"].notna() & table["rate_before"].notna()
    table["status"] = np.where(enough, status, "not_enough") if status == "compared" else status
    if earlier is not None and usable and asked.basis == "decided" and _too_early(asked, earlier):
        table["status"] = "too_early"
    return table


def _too_early(asked: _Asked, window: Window) -> bool:
    """Return True where the records began less than the median time to a win before: few but quick losses by then."""
    spells, _ = timed_spells(asked.pipeline)
    won = spells.to == spells.won
    return bool(won.any() and (window.start - asked.since) / DAY < np.median((spells.end - spells.born)[won]))


def _judge(table: pd.DataFrame, keys: list[str], rhythm: bool) -> pd.DataFrame:
    """Add the changes with the interval that decides; overall rows are a family of tests, the stages another.

    Where wins crowd at quarter ends, a change is clear only if what was counted went the same way.
    """
    known = (table["status"] == "compared").to_numpy()
    rates = tuple(np.where(known, table[name].astype(float), np.nan) for name in ("rate", "rate_before"))
    worth = tuple(table[name].to_numpy(dtype=float) for name in ("worth", "worth_before"))
    p_value = change_p_value((rates[0], rates[1]), (worth[0], worth[1]))
    whole, level, clear = (table["stage"] == OVERALL).to_numpy(), np.empty(len(table)), np.zeros(len(table), dtype=bool)
    for family in (whole, ~whole):
        level[family], clear[family] = holm_levels(p_value[family])
    if rhythm:
        clear &= ~went_otherwise(table, rates[0] - rates[1])
    change, low, high = change_interval((rates[0], rates[1]), (worth[0], worth[1]), level)
    growth, growth_low, growth_high = _growth(table["n_entered"], table["n_entered_before"])
    table = table.assign(growth=growth, growth_low=growth_low, growth_high=growth_high, change=change, change_low=low)
    table = table.assign(change_high=high, level=level, p_value=p_value, clear=clear)
    counts = ["n_entered_before", "k_before", "n_before"]
    table[counts] = table[counts].fillna(0).astype("int64")
    return table[[*keys, *_COLUMNS]]


def went_otherwise(table: pd.DataFrame, change: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where a rate by age moved one way and k of n, as counted, the other.

    A month of a quarter's rhythm is lived by few young deals where the intake has changed: the rates of their ages then
    decide the whole, and no interval knows how much such months differ of themselves.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        now, before = (
            table[k].to_numpy(float) / table[n].to_numpy(float) for k, n in (("k", "n"), ("k_before", "n_before"))
        )
    found: NDArray[np.bool_] = change * (now - before) < 0
    return found


_COLUMNS = (
    "against", "stage", "period", "days", "period_before", "days_before", "n_entered", "n_entered_before", "growth",
    "growth_low", "growth_high", "k", "n", "rate", "low", "high", "n_open", "floor", "ceiling", "basis", "horizon_days",
    "k_before", "n_before", "rate_before", "low_before", "high_before", "change", "change_low", "change_high", "level",
    "p_value", "clear", "status", "win",
)  # fmt: skip


def _growth(entered: pd.Series[Any], entered_before: pd.Series[Any]) -> tuple[NDArray[np.float64], ...]:
    """Return the ratio of two Poisson counts less 1, with the interval that Wilson's for now / (now + before) gives."""
    now, before = entered.to_numpy(dtype=float), np.nan_to_num(entered_before.to_numpy(dtype=float))
    low, high = wilson(now, now + before)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [np.where(before > 0, part, np.nan) for part in (now / before, low / (1 - low), high / (1 - high))]
    return tuple(part - 1 for part in found)


# --- as people read it -----------------------------------------------------------------------------------------------


def _before(row: dict[str, Any]) -> dict[str, Any]:
    """Return the rate row of the earlier window."""
    return {name: row[f"{name}_before"] for name in ("k", "n", "rate", "low", "high")}


def _for_people(keys: list[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: both rates, and the change in points with the level of its interval."""
    rows = [
        {
            **{key: row[key] for key in keys},
            "against": label(row["against"]),
            "stage": row["stage"],
            "rate_now": _rate(row),
            "rate_then": _rate(_before(row)),
            "change_at_level": change_text(row),
            "level": percent(row["level"]),
            "clear": bool(row["clear"]),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _rate(row: dict[str, Any]) -> str:
    return "–" if pd.isna(row["rate"]) else rate_text(row)


def _findings(table: pd.DataFrame, asked: _Asked) -> tuple[Insight, ...]:
    """Return every clear change; the subject is the stage, before it the segment. Its size: deals that go on, money."""
    found = []
    for row in table[table["clear"]].to_dict("records"):
        side = "rise" if row["change"] > 0 else "fall"
        whole = row["stage"] == OVERALL
        values = _words(row) | {"stage": _named(row, asked.pipeline.model, asked.keys)}
        key = f"analysis.compare.{_sentence(row) if whole and not asked.keys else 'stage_moved'}"
        subject = " / ".join([*(str(row[key]) for key in asked.keys), str(row["stage"])])
        size = size_of(asked.pipeline, abs(row["change"]) * row["n_entered"], row["win"])
        size |= {"found": float(row["rate"]), "usual": float(row["rate_before"]), "evidence": float(row["p_value"])}
        found.append(insight(f"rate_{side}", subject, key, values, **size))
    return tuple(found)


def _named(row: dict[str, Any], model: Funnel, keys: list[str]) -> list[Any]:
    """Return what people call a row: the segment, then the stage."""
    name = both(lambda: label(OVERALL)) if row["stage"] == OVERALL else model.stage(row["stage"]).name
    return [*(str(row[key]) for key in keys), name]


def _read(table: pd.DataFrame, asked: _Asked) -> tuple[str, dict[str, Any], tuple[Note, ...]]:
    """Return (key, values, notes): the overall rate against each period, then the stages that moved clearly."""
    windows, current = asked.windows, asked.windows.current
    key = "analysis.compare.partial" if windows.unfinished else "analysis.compare.period"
    values = {"period": windows.name(current), "days": current.days, "last": both(lambda: day(current.stop - DAY))}
    whole, notes = table["stage"] == OVERALL, []
    if not asked.keys:
        notes += [_verdict(row, asked) for row in table[whole].to_dict("records")]
    for row in table[table["clear"] & (~whole if not asked.keys else True)].to_dict("records"):
        words = _words(row) | {"stage": _named(row, asked.pipeline.model, asked.keys)}
        notes.append(("analysis.compare.stage_moved", words))
    judged = table[(table["status"] == "compared") & ~whole]
    if len(judged) and not judged["clear"].any():
        notes.append(("analysis.compare.no_stage_moved", {"n": len(judged)}))
    return key, values, (*notes, *_how(asked))


def _how(asked: _Asked) -> list[Note]:
    """Return what the rates are, and the rhythm of the quarter where wins follow one."""
    notes: list[Note] = [(f"analysis.compare.basis_{asked.basis}", {})]
    rhythm = asked.windows.rhythm
    if rhythm is not None:
        share = percent(rhythm.n_before / (rhythm.n_before + rhythm.n_after))
        shifted = "quarter_before" in asked.windows.earlier
        key = "rhythm" if shifted else "rhythm_of_part" if asked.windows.unfinished else "rhythm_of_whole"
        notes.append((f"analysis.compare.{key}", {"share": share, "n": number(rhythm.n)}))
    return notes


def _verdict(row: dict[str, Any], asked: _Asked) -> Note:
    """Return the sentence for one overall row."""
    if row["status"] == "no_counterpart":
        return "analysis.compare.no_counterpart", {"period": row["period"]}
    if row["status"] in ("no_history", "too_early"):
        values = {"before": row["period_before"], "since": both(lambda: day(asked.since)), "against": _against(row)}
        return f"analysis.compare.{row['status']}", values
    if row["status"] == "not_enough":
        values = {"before": row["period_before"], "against": _against(row), "n": number(row["n"])}
        return "analysis.compare.not_enough", values | {"n_before": number(row["n_before"])}
    return f"analysis.compare.{_sentence(row)}", _words(row)


def _sentence(row: dict[str, Any]) -> str:
    """Return which sentence says an overall row: the rates of a period are what would be, not what was counted."""
    return "lived" if row["basis"] == "period" else "compared"


def _side(row: dict[str, Any]) -> Text:
    side = "unclear" if not row["clear"] else "rise" if row["change"] > 0 else "fall"
    if not row["clear"] and row["basis"] == "period" and row["change_low"] * row["change_high"] > 0:
        side = "disputed"
    return both(lambda: say(f"analysis.compare.is_{side}"))


def _against(row: dict[str, Any]) -> Text:
    return both(lambda: say(f"analysis.compare.{row['against']}"))


def _words(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "against": _against(row), "before": row["period_before"], "days": row["days_before"],
        "rate": row_words(row), "rate_before": row_words(_before(row)), "level": percent(row["level"]),
        "change": points(row["change"]), "low": points(row["change_low"]), "high": points(row["change_high"]),
        "entered": number(row["n_entered"]), "entered_before": number(row["n_entered_before"]), "verdict": _side(row),
        **{name: number(row[name]) for name in ("k", "n", "k_before", "n_before")},
    }  # fmt: skip
