"""Amounts: groups of deals by size, whose chances may differ, and what becomes of an amount when a deal closes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelkit.pipeline import Pipeline
from funnelkit.stats import days

Array = NDArray[Any]
KNOWN = 0.8  # share of the open, won and lost deals each whose amount must be known
CUTS = ((150, (0.25, 0.5, 0.75, 0.9)), (60, (0.25, 0.5, 0.75)), (20, (0.5,)))  # fewest wins, quantiles of the amounts
COMPLETE = 0.95  # deals older than this quantile of the cycles have all closed but for a few
EDITED = 0.5  # prior chance that amounts are changed at the close
EDIT_SCALE, TREND_SCALE = 0.25, 0.15  # of the log of the factor, of the log of the amounts a year
LEAST_DEALS = 30  # open, and closed, with an amount


def known_amounts(pipeline: Pipeline) -> Array | None:
    """Return the amounts above 0 (NaN elsewhere), None where the source knows them of some outcomes only.

    Where only won deals have an amount, a missing one would foretell the loss.
    """
    if pipeline.limit("lost_value_zero") or pipeline.limit("no_amount"):
        return None
    amount = pipeline.deals["amount"].to_numpy(float)
    amount = np.where(amount > 0, amount, np.nan)
    status = pipeline.deals["status"].to_numpy()
    shares = [np.isfinite(amount[status == one]).mean() for one in ("open", "won", "lost") if (status == one).any()]
    return amount if len(shares) == 3 and min(shares) >= KNOWN else None


def amount_groups(amount: Array, n_won: int) -> tuple[Array, int]:
    """Return the group of each amount by size, small ones first, and how many there are; the last is "unknown"."""
    cuts = next((cuts for fewest, cuts in CUTS if n_won >= fewest), ())
    edges = np.unique(np.nanquantile(amount, cuts)) if len(cuts) else np.zeros(0)
    group = np.searchsorted(edges, amount, side="left")
    return np.where(np.isnan(amount), len(edges) + 1, group), len(edges) + 2


def draw_closing_factor(pipeline: Pipeline, rng: np.random.Generator, n: int) -> Array:
    """Draw n times what closed deals are worth against the amounts that open deals carry, 1 without evidence.

    Each open deal is compared with earlier deals, all closed since, that were still open at its age: amounts may well
    differ by how long deals take, and they drift (a trend of the closed ones is carried on); but nothing else should
    tell a deal from those that stood where it stands now.
    """
    amount = known_amounts(pipeline)
    if amount is None:
        return np.ones(n)
    as_of, born = days([pipeline.as_of])[0], days(pipeline.deals["created_at"])
    status, cycle = pipeline.deals["status"].to_numpy(), days(pipeline.deals["closed_at"]) - born
    known = np.isfinite(amount) & np.isfinite(born)
    closed, running = known & np.isin(status, ("won", "lost")) & np.isfinite(cycle), known & (status == "open")
    if min(closed.sum(), running.sum()) < LEAST_DEALS:
        return np.ones(n)
    closed &= as_of - born > np.quantile(cycle[closed], COMPLETE)
    if closed.sum() < LEAST_DEALS:
        return np.ones(n)
    log, years = np.log(amount, where=known, out=np.zeros(len(amount))), (born - as_of) / 365.25
    compared = _compare(
        (log[closed], years[closed], cycle[closed]), (log[running], years[running], as_of - born[running])
    )
    if compared is None:
        return np.ones(n)
    mean, error, spread = compared
    wide = np.hypot(EDIT_SCALE, error)
    score = np.log(error / wide) - ((mean / wide) ** 2 - (mean / error) ** 2) / 2
    edited = rng.random(n) < 1 / (1 + (1 - EDITED) / EDITED * np.exp(-score))
    drawn = mean * (EDIT_SCALE / wide) ** 2 + error * EDIT_SCALE / wide * rng.standard_normal(n)
    return np.where(edited, np.exp(drawn + spread / 2), 1.0)


def _compare(past: tuple[Array, Array, Array], now: tuple[Array, Array, Array]) -> tuple[float, float, float] | None:
    """Return by how much the log of closed amounts differs from that of open ones of like age, its standard error, and
    how much the close adds to the variance; None where too few are alike.

    `past` and `now` are log amount, year of birth, days until the close or open so far.
    """
    log, year, cycle = past
    middle = year.mean()
    precision = ((year - middle) ** 2).sum() / max(log.var(), 1e-9) + TREND_SCALE**-2
    slope = ((year - middle) * log).sum() / max(log.var(), 1e-9) / precision
    order = np.argsort(cycle)
    rest = (log - log.mean() - slope * (year - middle))[order]
    longer = rest[::-1].cumsum()[::-1] / np.arange(len(rest), 0, -1)  # mean of those that took at least as long
    place = np.searchsorted(cycle[order], now[2])
    alike = place <= len(rest) - LEAST_DEALS
    if alike.sum() < LEAST_DEALS:
        return None
    gap = (now[0] - log.mean() - slope * (now[1] - middle))[alike] - longer[place[alike]]
    references = len(rest) - float(np.mean(place[alike]))
    ahead = float(now[1][alike].mean()) - middle
    error = np.sqrt(gap.var() / len(gap) + rest.var() / references + ahead**2 / precision)
    return -float(gap.mean()), float(error), float(np.clip(rest.var() - gap.var(), 0, 0.2))
