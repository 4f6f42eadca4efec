"""Split: why did a rate or a count change? Volume, mix and rate, for any number of segments and stages."""

from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist

import numpy as np
import pandas as pd

from funnelkit.language import DataError, nearest, number, points, say
from funnelkit.result import Result, both, rate_words
from funnelkit.stats import LEVEL

MEASURES = ("rate", "count")


@dataclass(frozen=True)
class Split(Result):
    """The parts of a change as `table`, and `segments`: who contributed what."""

    segments: pd.DataFrame = field(default_factory=pd.DataFrame)


def split_change(before, after, by=None, measure="rate"):
    """Split the change of a rate (or of the count it yields) into volume, mix and rate, which sum to it exactly.

    `before` and `after` are counts tables ([by], stage, n_entered, n_advanced, n_lost) or tables of [by], k, n.
    The rate is sum over segments of share x promotion rate of stage 1 x ... x of the last stage, over those whose
    outcome is known; the count is that times their number. Every factor is changed from its old to its new value
    together with all others, and each gets what it contributes on the way: the symmetric decomposition of Kitagawa
    (1955) for two factors and of Das Gupta (1993) for more. The table has part (volume, mix, rate), stage (of a
    rate), change (a fraction, or a count), low, high (delta method; binomial rates, multinomial shares, Poisson
    volume), n_before, n_after. `segments` has a row for each segment with its share, k, n, rate before and after and
    its contributions; a new or vanished segment has the rate it was seen with, so it counts as mix. Raises DataError
    on missing columns, on a period without anybody, on a stage whose rate nobody knows yet.

    >>> before = pd.DataFrame({"segment": ["A", "B"], "k": [200, 50], "n": [500, 500]})
    >>> after = pd.DataFrame({"segment": ["A", "B"], "k": [85, 90], "n": [200, 800]})
    >>> split_change(before, after, "segment").table[["part", "change"]].round(4).values.tolist()
    [['mix', -0.0919], ['rate', 0.0169]]
    """
    if measure not in MEASURES:
        raise DataError("bad_measure", found=repr(measure), known=", ".join(MEASURES))
    frame = _Frame.of(before, after, by)
    factors = frame.factors(measure)
    found = contributions(*factors)
    names = (["volume"] if measure == "count" else []) + ["mix"] + ["rate"] * len(frame.stages)
    stages = [None] * (len(names) - len(frame.stages)) + list(frame.stages)
    slopes = _slopes(factors)
    errors = [_error(frame, slope, measure) for slope in slopes]
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * np.array(errors)
    change, n = found.sum(axis=1), frame.n[:, :, 0].sum(axis=1).astype("int64")
    table = pd.DataFrame({"part": names, "stage": stages, "change": change, "low": change - reach})
    table = table.assign(high=change + reach, n_before=n[0], n_after=n[1])
    segments = _segment_table(frame, factors, names, by)
    return Split(table, *_reading(frame, table, (factors, slopes), measure), segments=segments)


def contributions(before, after):
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
    return (after - before) * np.tensordot(weights / 2, ahead * behind, axes=1)


@cache
def _gauss(n):
    return np.polynomial.legendre.leggauss(n)


@dataclass(frozen=True)
class _Frame:
    """Both tables on the same segments and stages: arrays (2 periods, segments, stages) of k and n."""

    names: list
    stages: list
    k: np.ndarray
    n: np.ndarray

    @classmethod
    def of(cls, before, after, by):
        pair = [_long(table, by) for table in (before, after)]
        names, stages = (list(dict.fromkeys(name for table in pair for name in table[at])) for at in (0, 1))
        k, n = np.zeros((2, 2, len(names), len(stages)))
        for period, (segment, stage, *counts) in enumerate(pair):
            where = [names.index(name) for name in segment], [stages.index(name) for name in stage]
            for total, count in zip((k, n), counts, strict=True):
                np.add.at(total[period], where, count)
        for period, total in zip(("before", "after"), n[:, :, 0].sum(axis=1), strict=True):
            if not total:
                raise DataError("empty_period", table=period)
        return cls(names, stages, k, n)

    @property
    def rates(self):
        """Return the rates; one that a period does not show is that of the other period, unknown ones are 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = self.k / self.n
        filled = np.where(np.isnan(rates), rates[::-1], rates)
        reached = np.concatenate([np.zeros_like(self.k[:, :, :1]), self.k[:, :, :-1]], axis=2)
        unknown = np.isnan(filled) & (reached > 0)
        if unknown.any():
            _, segment, stage = np.argwhere(unknown)[0]
            raise DataError("rate_unknown", stage=self.stages[stage], segment=self.names[segment])
        return np.nan_to_num(filled)

    @property
    def shares(self):
        return self.n[:, :, 0] / self.n[:, :, 0].sum(axis=1, keepdims=True)

    def factors(self, measure):
        """Return the (factors, segments) arrays of both periods: [volume], share, rate of each stage."""
        parts = [self.shares[:, None, :], self.rates.transpose(0, 2, 1)]
        if measure == "count":
            volume = self.n[:, :, 0].sum(axis=1)[:, None, None]
            parts = [np.broadcast_to(volume, (2, 1, len(self.names))), *parts]
        return np.concatenate(parts, axis=1)


def _long(table, by):
    """Return segments, stages, k and n of the rows of a counts or a k, n table."""
    counted = "n_advanced" in table.columns
    for name in (*(("n_advanced", "n_lost") if counted else ("k", "n")), *([by] if by else [])):
        if name not in table.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, table.columns))
    k = table["n_advanced" if counted else "k"].to_numpy(dtype=float)
    n = k + table["n_lost"].to_numpy(dtype=float) if counted else table["n"].to_numpy(dtype=float)
    if ((k < 0) | (k > n)).any():
        raise DataError("k_above_n")
    segment = [None if pd.isna(name) else name for name in table[by]] if by else ["all"] * len(table)
    return segment, list(table["stage"]) if "stage" in table.columns else ["all"] * len(table), k, n


def _slopes(factors):
    """Return how each part (first axis) answers to each factor of each period and segment.

    A part is linear in each single factor, so its slope is the difference that a step of 1 makes.
    """
    base = contributions(*factors)
    slopes = np.empty((len(base), *factors.shape))
    for period, at in np.ndindex(factors.shape[:2]):
        moved = factors.copy()
        moved[period, at] += 1
        slopes[:, period, at] = contributions(*moved) - base
    return slopes


def _error(frame, slope, measure):
    """Return the standard error of what has this slope in the factors."""
    first = slope.shape[1] - len(frame.stages)
    on_rate = slope[:, first:].transpose(0, 2, 1)
    unseen = frame.n == 0
    on_rate = np.where(unseen, 0, on_rate + np.where(unseen, on_rate, 0)[::-1])
    smooth = (frame.k + 0.5) / (frame.n + 1)
    variance = (on_rate**2 * smooth * (1 - smooth) / np.maximum(frame.n, 1)).sum()
    on_share, share, total = slope[:, first - 1], frame.shares, frame.n[:, :, 0].sum(axis=1)
    variance += (((share * on_share**2).sum(axis=1) - (share * on_share).sum(axis=1) ** 2) / total).sum()
    if measure == "count":
        variance += (slope[:, 0].sum(axis=1) ** 2 * total).sum()
    return float(np.sqrt(variance))


def _segment_table(frame, factors, names, by):
    """Return one row a segment; growth of a segment below the average rate counts as a loss, by centring the mix."""
    n, share = frame.n[:, :, 0], frame.shares
    chain = np.prod(frame.rates, axis=2)
    at, moved = names.index("mix"), share[1] - share[0]
    one_more = factors[1].copy()
    one_more[at] = factors[0][at] + 1
    worth = contributions(factors[0], one_more)[at]  # of one more unit of share
    mix = moved * (worth - (share.mean(axis=0) * worth).sum())
    table = pd.DataFrame({by or "segment": frame.names, "n_before": n[0].astype(int), "n_after": n[1].astype(int)})
    table = table.assign(share_before=share[0], share_after=share[1])
    table["rate_before"], table["rate_after"] = np.where(n > 0, chain, np.nan)
    found = contributions(*factors)
    if "volume" in names:
        table["volume"] = found[0]
    table["mix"], table["rate"] = mix, found[[at for at, name in enumerate(names) if name == "rate"]].sum(axis=0)
    return table.assign(state=np.select([n[0] == 0, n[1] == 0], ["new", "vanished"], "both"))


def _reading(frame, table, given, measure):
    """Return (key, values, notes)."""
    write = points if measure == "rate" else (lambda change: f"{change:+,.1f}")
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2)
    (factors, slopes), values = given, {}
    totals = factors.prod(axis=1).sum(axis=1)
    for part in dict.fromkeys(table["part"]):
        rows = np.flatnonzero(table["part"] == part)
        change, error = table["change"].iloc[rows].sum(), reach * _error(frame, slopes[rows].sum(axis=0), measure)
        values |= {part: write(change), f"{part}_low": write(change - error), f"{part}_high": write(change + error)}
    n = frame.n[:, :, 0].sum(axis=1)
    single = measure == "rate" and len(frame.stages) == 1
    for side, total, size, k in zip(("before", "after"), totals, n, frame.k[:, :, 0].sum(axis=1), strict=True):
        plain = f"{100 * total:.1f} % (n = {number(size)})" if measure == "rate" else number(total, 1)
        values[side] = rate_words(int(k), int(size)) if single else plain
    values["change"] = write(totals[1] - totals[0])
    absent = [(frame.names[at], "new" if frame.n[0, at, 0] == 0 else "vanished")
              for at in np.flatnonzero((frame.n[:, :, 0] == 0).any(axis=0))]  # fmt: skip
    named = [both(lambda pair=pair: say(f"analysis.change.{pair[1]}", name=pair[0])) for pair in absent]
    return f"analysis.change.{measure}", values, (("analysis.change.absent", {"names": named}),) if named else ()
