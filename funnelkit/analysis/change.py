"""Split: why did a rate or a count change? Volume, mix and rate, for any number of segments and stages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, partial
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.shared import By, insight, keys_of, require_columns
from funnelkit.analysis.window_segments import WindowSegments, window_segments
from funnelkit.language import DataError, Text, both, change_text, label, number, percent, points, say, settings
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import WIN_LIMITS, Insight, Result, rate_words, refuse_limits, row_words, table_of
from funnelkit.stats import LEVEL, holm_levels

MEASURES = ("rate", "count")
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Bridge(Result):
    """What led from before to after, part by part: a Result that `bridge_chart` can draw.

    Attributes
    ----------
    start : float
        The value before.
    unit : {"points", "count", "money"}
    """

    start: float = np.nan
    unit: str = "points"

    def parts(self) -> pd.DataFrame:
        """Return name, change, change_low, change_high of every part that changes something."""
        table = self.table[~self.table["part"].isin(["opening", "closing"])]
        if "low" not in table:
            table = table[table["change"] != 0].assign(low=np.nan, high=np.nan)
        names = [_part_name(row, self.model) for row in table.to_dict("records")]
        ends = {"change_low": table["low"], "change_high": table["high"]}
        return pd.DataFrame({"name": names, "change": table["change"], **ends}).reset_index(drop=True)


@dataclass(frozen=True, eq=False, repr=False)
class Split(Bridge):
    """The parts of a change as `table`, and `segments`: who contributed what.

    Attributes
    ----------
    segments : DataFrame
        One row a segment: n, share and rate before and after, its contributions, state (new, vanished, both).
    """

    segments: pd.DataFrame = field(default_factory=pd.DataFrame)


def split_change(
    before: Pipeline | Result | pd.DataFrame, after: Result | pd.DataFrame | None = None, by: By = None,
    measure: Literal["rate", "count"] = "rate", *, calendar: Calendar | None = None, on: Any = None,
    against: Literal["previous", "year_before"] = "previous",
) -> Split:  # fmt: skip
    """Split the change of a rate (or of the count it yields) into volume, mix and rate, which sum to it exactly.

    Parameters
    ----------
    before, after : a Pipeline alone; or two tables, [by], stage, n_entered, n_advanced, n_lost or [by], k, n
    by : str or list of str, the columns of the segments
    measure : "rate": sum over segments of share x rate of stage 1 x ... x of the last; "count": that times their number
    calendar, on, against : of a Pipeline, whose win rates are split between the periods of `compare_periods`

    Returns
    -------
    Split
        Table: part (volume, mix, rate), stage (of a rate), change (a fraction, or a count), low, high (95 %), n_before,
        n_after. `segments`: each one's share, n, rates and contributions; a new or vanished one counts as mix.

    Raises
    ------
    DataError, LimitError : for missing columns, a period without anybody, a rate that nobody knows yet or can

    Notes
    -----
    Das Gupta (1993); delta method. A Pipeline's segment rates are scaled by a factor, so as to make up the rate of all.

    Examples
    --------
    >>> before = pd.DataFrame({"segment": ["A", "B"], "k": [200, 50], "n": [500, 500]})
    >>> after = pd.DataFrame({"segment": ["A", "B"], "k": [85, 90], "n": [200, 800]})
    >>> split_change(before, after, "segment").table[["part", "change"]].round(4).values.tolist()
    [['mix', -0.0919], ['rate', 0.0169]]
    """
    window = calendar or settings.calendar or Calendar(), on, against
    frame = _of_windows(before, by, window) if isinstance(before, Pipeline) else _of_tables(before, after, by)
    return _split(frame, measure, None if isinstance(before, pd.DataFrame) else before.model)


def _of_tables(before: Result | pd.DataFrame, after: Result | pd.DataFrame | None, by: By) -> _Frame:
    if after is None:
        raise DataError("empty_period", table="after")
    return _Frame.of(table_of(before), table_of(after), by)


def _of_windows(pipeline: Pipeline, by: By, window: tuple[Calendar, Any, str]) -> _Frame:
    """Return the win rates of two windows by segment: those of all deals together are as `compare_periods` has them."""
    refuse_limits(pipeline, "split_change", *WIN_LIMITS)
    keys = keys_of(by, pipeline.deals)
    found = window_segments(pipeline, window[0], window[1:], keys)
    for side, total in zip(("before", "after"), found.size.sum(axis=1), strict=True):
        if not total:
            raise DataError("empty_period", table=side)
    n = np.where(found.size > 0, np.maximum(np.nan_to_num(found.worth), 1.0), 0.0)
    return _Frame(keys, found.names, ["all"], (found.rate * n)[:, :, None], n[:, :, None], found.size, found)


def _split(frame: _Frame, measure: str, model: Funnel | None) -> Split:
    if measure not in MEASURES:
        raise DataError("bad_measure", found=repr(measure), known=", ".join(MEASURES))
    factors = frame.factors(measure)
    found = contributions(factors[0], factors[1])
    names = (["volume"] if measure == "count" else []) + ["mix"] + ["rate"] * len(frame.stages)
    stages = [None] * (len(names) - len(frame.stages)) + list(frame.stages)
    slopes = _slopes(factors)
    errors = np.array([_error(frame, slope, measure) for slope in slopes])
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * errors
    change, n = found.sum(axis=1), frame.size.sum(axis=1).astype("int64")
    table = pd.DataFrame({"part": names, "stage": stages, "change": change, "low": change - reach})
    table = table.assign(high=change + reach, n_before=n[0], n_after=n[1])
    _refuse_vague(frame, table)
    start, unit = float(factors.prod(axis=1).sum(axis=1)[0]), "points" if measure == "rate" else "count"
    return Split(
        table, *_reading(frame, table, (factors, slopes), measure), model=model, picture="bridge_chart",
        shown=partial(_for_people, model, unit), start=start, unit=unit,
        segments=_segment_table(frame, factors, names),
        findings=() if frame.windows is not None and frame.windows.disputed else _findings(table, errors, unit, model),
    )  # fmt: skip


def _refuse_vague(frame: _Frame, table: pd.DataFrame) -> None:
    """Raise DataError where the rates of two windows are known less closely than by their own size."""
    if frame.windows is None:
        return
    level = max(float(row["rate"]) for row in frame.windows.whole)
    half = float((table["high"] - table["change"]).max())
    if half >= level:
        n = min(int(row["n"]) for row in frame.windows.whole)
        needed = number(math.ceil(n * (half / max(level, 1e-9)) ** 2))
        raise DataError("split_of_few", n=number(n), needed=needed, half=number(100 * half, 1), rate=percent(level))


def _findings(table: pd.DataFrame, errors: Floats, unit: str, model: Funnel | None) -> tuple[Insight, ...]:
    """Return the parts that are clearly not 0 (Holm); their size is the deals of the later period they come to."""
    found = []
    scores = np.abs(table["change"].to_numpy()) / np.maximum(errors, 1e-300)
    p_values = [2 * NormalDist().cdf(-score) for score in scores.tolist()]
    _, clear = holm_levels(p_values)
    for row, p_value, sure in zip(table.to_dict("records"), p_values, clear.tolist(), strict=True):
        if not sure:
            continue
        write = partial(_written, "rate" if unit == "points" else "count")
        values: dict[str, Any] = {"part": both(partial(_part_name, row, model)), "n_before": number(row["n_before"])}
        values |= {name: write(row[name]) for name in ("change", "low", "high")}
        deals = abs(row["change"]) * (row["n_after"] if unit == "points" else 1)
        found.append(insight(
            f"change_by_{row['part']}", row["stage"] or row["part"], f"analysis.change.part_{unit}", values,
            n_deals=round(deals), evidence=p_value,
        ))  # fmt: skip
    return tuple(found)


def _for_people(model: Funnel | None, unit: str, table: pd.DataFrame) -> pd.DataFrame:
    rows = [{**row, "change_low": row["low"], "change_high": row["high"]} for row in table.to_dict("records")]
    parts = [_part_name(row, model) for row in rows]
    if unit == "points":
        return pd.DataFrame({"part": parts, "change_points": [change_text(row) for row in rows]})
    said = [f"{row['change']:+,.1f} [{row['low']:+,.1f}, {row['high']:+,.1f}]" for row in rows]
    return pd.DataFrame({"part": parts, "n_more": said})


def _part_name(row: dict[str, Any], model: Funnel | None) -> str:
    """Return what people call a part, with its stage where there are several."""
    name, stage = label(f"part_of_{row['part']}"), row.get("stage")
    if pd.isna(stage) or stage == "all":
        return name
    return f"{name}: {model.stage(stage).name if model is not None else stage}"


def contributions(before: Floats, after: Floats) -> Floats:
    """Return what each factor contributes to the change of sum over segments of the product of all factors.

    Takes two (factors, segments) arrays; returns one. With all factors f(u) = f0 + u (f1 - f0) moving together, factor
    i contributes (f1_i - f0_i) x the integral over u of the product of the others. The integrand is a polynomial, so
    Gauss-Legendre with half as many nodes is exact; on a product the integral is the Shapley value (Owen 1972).

    >>> contributions(np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])).ravel().tolist()
    [3.0, 3.0]
    """
    nodes, weights = _gauss((len(before) + 1) // 2)
    path = before + ((nodes + 1) / 2)[:, None, None] * (after - before)
    ones = np.ones_like(path[:, :1])
    ahead = np.cumprod(np.concatenate([ones, path[:, :-1]], axis=1), axis=1)
    behind = np.cumprod(np.concatenate([ones, path[:, :0:-1]], axis=1), axis=1)[:, ::-1]
    return np.asarray((after - before) * np.tensordot(weights / 2, ahead * behind, axes=1))


@cache
def _gauss(n: int) -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(n)


@dataclass(frozen=True)
class _Frame:
    """Both tables on the same segments and stages: arrays (2 periods, segments, stages) of k and n.

    `size` (periods, segments) is what the shares are of; `windows` is where the rates of a Pipeline come from.
    """

    keys: list[str]
    names: list[Any]
    stages: list[Any]
    k: Floats
    n: Floats
    size: Floats
    windows: WindowSegments | None = None

    @classmethod
    def of(cls, before: pd.DataFrame, after: pd.DataFrame, by: By) -> _Frame:
        keys = [] if by is None else [by] if isinstance(by, str) else list(by)
        pair = [_long(table, keys) for table in (before, after)]
        names, stages = (list(dict.fromkeys(name for table in pair for name in table[at])) for at in (0, 1))
        k, n = np.zeros((2, 2, len(names), len(stages)))
        for period, (segment, stage, *counts) in enumerate(pair):
            where = [names.index(name) for name in segment], [stages.index(name) for name in stage]
            for total, count in zip((k, n), counts, strict=True):
                np.add.at(total[period], where, count)
        for side, period in zip(("before", "after"), n, strict=True):
            if not period[:, :1].sum():
                raise DataError("empty_period", table=side)
        return cls(keys, names, stages, k, n, n[:, :, 0])

    @property
    def rates(self) -> Floats:
        """Return the rates; one that a period does not show is that of the other period, unknown ones are 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = self.k / self.n
        filled = np.where(np.isnan(rates), rates[::-1], rates)
        reached = np.concatenate([np.zeros_like(self.k[:, :, :1]), self.k[:, :, :-1]], axis=2)
        unknown = np.isnan(filled) & (reached > 0)
        if unknown.any():
            _, segment, stage = np.argwhere(unknown)[0]
            raise DataError("rate_unknown", stage=self.stages[stage], segment=self.names[segment])
        return np.asarray(np.nan_to_num(filled))

    @property
    def shares(self) -> Floats:
        return np.asarray(self.size / self.size.sum(axis=1, keepdims=True))

    def factors(self, measure: str) -> Floats:
        """Return the (factors, segments) arrays of both periods: [volume], share, rate of each stage."""
        parts = [self.shares[:, None, :], self.rates.transpose(0, 2, 1)]
        if measure == "count":
            volume = self.size.sum(axis=1)[:, None, None]
            parts = [np.broadcast_to(volume, (2, 1, len(self.names))), *parts]
        return np.concatenate(parts, axis=1)


def _long(table: pd.DataFrame, keys: list[str]) -> tuple[list[Any], list[Any], Floats, Floats]:
    """Return segments, stages, k and n of the rows of a counts or a k, n table."""
    counted = "n_advanced" in table.columns
    require_columns(table, (*(("n_advanced", "n_lost") if counted else ("k", "n")), *keys))
    k = table["n_advanced" if counted else "k"].to_numpy(dtype=float)
    n = k + table["n_lost"].to_numpy(dtype=float) if counted else table["n"].to_numpy(dtype=float)
    if ((k < 0) | (k > n)).any():
        raise DataError("k_above_n")
    columns = [[None if pd.isna(name) else name for name in table[key]] for key in keys]
    segment = list(zip(*columns, strict=True)) if len(keys) > 1 else columns[0] if keys else ["all"] * len(table)
    return segment, list(table["stage"]) if "stage" in table.columns else ["all"] * len(table), k, n


def _slopes(factors: Floats) -> Floats:
    """Return how each part (first axis) answers to each factor of each period and segment.

    A part is linear in each single factor, so its slope is the difference that a step of 1 makes.
    """
    base = contributions(factors[0], factors[1])
    slopes = np.empty((len(base), *factors.shape))
    for period, at in np.ndindex(factors.shape[:2]):
        moved = factors.copy()
        moved[period, at] += 1
        slopes[:, period, at] = contributions(moved[0], moved[1]) - base
    return slopes


def _error(frame: _Frame, slope: Floats, measure: str) -> float:
    """Return the standard error of what has this slope in the factors."""
    first = slope.shape[1] - len(frame.stages)
    on_rate = slope[:, first:].transpose(0, 2, 1)
    unseen = frame.n == 0
    on_rate = np.where(unseen, 0, on_rate + np.where(unseen, on_rate, 0)[::-1])
    smooth = (frame.k + 0.5) / (frame.n + 1)
    variance = (on_rate**2 * smooth * (1 - smooth) / np.maximum(frame.n, 1)).sum()
    on_share, share, total = slope[:, first - 1], frame.shares, frame.size.sum(axis=1)
    variance += (((share * on_share**2).sum(axis=1) - (share * on_share).sum(axis=1) ** 2) / total).sum()
    if measure == "count":
        variance += (slope[:, 0].sum(axis=1) ** 2 * total).sum()
    return float(np.sqrt(variance))


def _segment_table(frame: _Frame, factors: Floats, names: list[str]) -> pd.DataFrame:
    """Return one row a segment; growth of a segment below the average rate counts as a loss, by centring the mix."""
    n, share = frame.size, frame.shares
    chain = np.prod(frame.rates, axis=2)
    at, moved = names.index("mix"), share[1] - share[0]
    one_more = factors[1].copy()
    one_more[at] = factors[0][at] + 1
    worth = contributions(factors[0], one_more)[at]  # of one more unit of share
    mix = moved * (worth - (share.mean(axis=0) * worth).sum())
    columns = list(zip(*frame.names, strict=True)) if len(frame.keys) > 1 else [frame.names]
    table = pd.DataFrame(dict(zip(frame.keys or ["segment"], columns, strict=True)))
    table = table.assign(n_before=n[0].astype(int), n_after=n[1].astype(int))
    table = table.assign(share_before=share[0], share_after=share[1])
    table["rate_before"], table["rate_after"] = np.where(n > 0, chain, np.nan)
    found = contributions(factors[0], factors[1])
    if "volume" in names:
        table["volume"] = found[0]
    table["mix"], table["rate"] = mix, found[[at for at, name in enumerate(names) if name == "rate"]].sum(axis=0)
    return table.assign(state=np.select([n[0] == 0, n[1] == 0], ["new", "vanished"], "both"))


def _reading(
    frame: _Frame, table: pd.DataFrame, given: tuple[Floats, Floats], measure: str
) -> tuple[str, dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]:
    """Return (key, values, notes)."""
    write = partial(_written, measure)
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2)
    factors, slopes = given
    values: dict[str, Any] = {}
    totals = factors.prod(axis=1).sum(axis=1)
    for part in dict.fromkeys(table["part"]):
        rows = np.flatnonzero(table["part"] == part)
        change, error = table["change"].iloc[rows].sum(), reach * _error(frame, slopes[rows].sum(axis=0), measure)
        values |= {part: write(change), f"{part}_low": write(change - error), f"{part}_high": write(change + error)}
    values |= dict(zip(("before", "after"), _levels(frame, totals, measure), strict=True))
    values["change"] = write(totals[1] - totals[0])
    if frame.windows is not None:
        values |= _of_the_windows(frame.windows)
        measure = "windows"
    absent = [(frame.names[at], "new" if frame.size[0, at] == 0 else "vanished")
              for at in np.flatnonzero((frame.size == 0).any(axis=0))]  # fmt: skip
    named = [both(partial(say, f"analysis.change.{state}", name=_segment(name))) for name, state in absent]
    notes = (("analysis.change.absent", {"names": named}),) if named else ()
    return f"analysis.change.{measure}", values, (*notes, ("analysis.change.arithmetic", {}))


def _of_the_windows(windows: WindowSegments) -> dict[str, Any]:
    """Return the two periods, and the change of the rate of all with the verdict on it."""
    _, low, high = windows.change
    clear = low > 0 or high < 0
    verdict = "unclear" if not clear else "disputed" if windows.disputed else "clear"
    return {"period_before": windows.periods[0], "period": windows.periods[1], "low": points(low), "high": points(high),
            "verdict": both(lambda: say(f"analysis.change.{verdict}"))}  # fmt: skip


def _levels(frame: _Frame, totals: Floats, measure: str) -> tuple[Text | str, ...]:
    """Return the value before and after as people read it."""
    if measure == "count":
        return tuple(number(total, 1) for total in totals)
    if frame.windows is not None:
        return tuple(row_words(row) for row in frame.windows.whole)
    n, k = frame.size.sum(axis=1), frame.k[:, :, 0].sum(axis=1)
    if len(frame.stages) == 1:
        return tuple(rate_words(int(hits), int(size)) for hits, size in zip(k, n, strict=True))
    return tuple(f"{percent(total)} (n = {number(size)})" for total, size in zip(totals, n, strict=True))


def _written(measure: str, change: float) -> str:
    return points(change) if measure == "rate" else f"{change:+,.1f}"


def _segment(name: Any) -> str:
    return " / ".join(map(str, name)) if isinstance(name, tuple) else str(name)
