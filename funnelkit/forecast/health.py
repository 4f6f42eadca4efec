"""Health: the two conditions of reaching a target. Is there enough in the funnel, and does it keep moving down?"""

from itertools import pairwise

import numpy as np
import pandas as pd

from funnelkit.forecast.forecast import forecast_open
from funnelkit.forecast.simulate import fit_history
from funnelkit.language import number, percent
from funnelkit.result import Result, refuse_limits
from funnelkit.stats import UP, days, draw_level, expected_exits, stage_spells, windows

ENOUGH, SHORT = 0.8, 0.5  # odds of reaching the target from which on, and below which, the verdict is plain
WINDOW_DAYS, LEAST_EXPECTED, DRAWS = 91, 5.0, 4_000
VERDICTS = ("enough", "uncertain", "short", "moving", "slower", "faster", "too_few")
_DAY = pd.Timedelta(days=1)


def health(pipeline, revenue, until, *, window_days=WINDOW_DAYS, by=None, rng=None):
    """Answer the two conditions for a target: volume (coverage) and flow, each with a figure, its n and a verdict.

    Coverage is the value of the open deals over the `revenue` still to win by `until`; `needed` is the coverage that
    would reach it with 80 % odds if only the size of the funnel changed. The verdict is by the odds of the forecast
    (open and new): enough from 80 % on, short below 50 %. Flow is the number of promotions in the last `window_days`
    over those that the history before expects of the deals at hand (hazards by stage and time waited); low and high
    are the 95 % range of that ratio by chance and past swings. It has a row for all stages and one for each, whose
    range is widened so that all stages together give a false alarm in 5 % (Bonferroni).

    Returns condition (coverage, flow), stage (missing: all), figure, n, n_expected, low, high, needed, p_reached,
    verdict (enough, uncertain, short; moving, slower, faster, too_few); what a row has not is missing. Raises what
    forecast_open raises.
    """
    refuse_limits(pipeline, "health", "no_amount")
    rng = rng or np.random.default_rng(0)
    made = forecast_open(pipeline, until, by=by, rng=rng)
    rows = [_coverage(made, revenue), *_flow(pipeline, window_days, rng)]
    columns = ["condition", "stage", "figure", "n", "n_expected", "low", "high", "needed", "p_reached", "verdict"]
    table = pd.DataFrame(rows, columns=columns)
    table["stage"] = pd.Categorical(table["stage"], categories=pipeline.model.stage_ids, ordered=True)
    table["verdict"] = pd.Categorical(table["verdict"], categories=VERDICTS)
    return _read(table, pipeline.model, (revenue, until, window_days))


def _coverage(made, revenue):
    """Return the row of the first condition; open deals without a known amount count at their expected win."""
    total, opened = made.paths["total"]["value"].sum(axis=1), made.paths["open"]["value"].sum(axis=1)
    odds = float((total >= revenue).mean())
    amount = made.deals["amount"]
    mean_win = opened.mean() / max(made.paths["open"]["n_won"].sum(axis=1).mean(), 1e-9)
    volume = float(amount.fillna(mean_win).sum())
    # The same funnel k times as full brings about k times as much: how full must it be?
    cover = volume / revenue
    sure = float(np.quantile(total, 1 - ENOUGH))
    needed = volume / sure if sure > 0 else np.nan
    verdict = "enough" if odds >= ENOUGH else "short" if odds < SHORT else "uncertain"
    return ("coverage", None, cover, len(made.deals), np.nan, np.nan, np.nan, needed, odds, verdict)


def _flow(pipeline, window_days, rng):
    """Return the rows of the second condition: all stages, then each."""
    start = pipeline.as_of - window_days * _DAY
    fit, spells = fit_history(pipeline.at(start)), stage_spells(pipeline)
    since, won = float(days([start])[0]), spells.won
    moved = (spells.kind == UP) & (spells.end > since)
    seen = np.bincount(spells.stage[moved], minlength=won)
    hoped = np.bincount(
        spells.stage, weights=expected_exits(fit.hazards, spells, since, spells.as_of, UP), minlength=won
    )
    past = fit.spells
    edges = windows(past.seen.min(), past.as_of, window_days) if len(past.seen) else np.array([0.0, 1.0])
    ahead = window_days / (edges[1] - edges[0])
    rows = []
    for stage in [None, *range(won)]:
        ratio, alpha = _ratio_draws(fit, edges, (stage, ahead), rng), 0.05 / (1 if stage is None else won)
        k, e = (seen.sum(), hoped.sum()) if stage is None else (seen[stage], hoped[stage])
        rows.append(_flow_row(pipeline.model, stage, (k, e, ratio, alpha), rng))
    return rows


def _ratio_draws(fit, edges, which, rng):
    """Draw the level of the next window: what past windows of one stage, or of all, were against expected."""
    stage, ahead = which
    spells = fit.spells
    own = np.ones(len(spells.stage), bool) if stage is None else spells.stage == stage
    moved = own & (spells.kind == UP)
    seen = np.histogram(spells.end[moved], edges)[0]
    hoped = [fit.hoped(low, high, UP)[own].sum() for low, high in pairwise(edges)]
    # The history's own level is unsure too: by as many promotions as it holds.
    fitted = rng.standard_gamma(seen.sum() + 0.5, size=DRAWS) / (seen.sum() + 0.5)
    return fitted * draw_level(seen, hoped, ahead, rng, DRAWS)


def _flow_row(model, stage, figures, rng):
    k, e, ratio, alpha = figures
    name = None if stage is None else model.stage_ids[stage]
    if e < LEAST_EXPECTED:
        return ("flow", name, k / e if e > 0 else np.nan, int(k), e, np.nan, np.nan, np.nan, np.nan, "too_few")
    low, high = np.quantile(rng.poisson(e * ratio), [alpha / 2, 1 - alpha / 2]) / e
    verdict = "slower" if k / e < low else "faster" if k / e > high else "moving"
    return ("flow", name, k / e, int(k), e, low, high, np.nan, np.nan, verdict)


def _read(table, model, asked):
    revenue, until, window_days = asked
    cover, flow = table.iloc[0], table.iloc[1]
    stages = table.iloc[2:]
    slow = [model.stage(name).name for name in stages.loc[stages["verdict"] == "slower", "stage"]]
    until = str(pd.Timestamp(until).date())
    values = {"figure": number(cover["figure"], 1), "n": number(cover["n"]), "revenue": number(revenue), "until": until,
              "odds": percent(cover["p_reached"], 0), "needed": number(cover["needed"], 1)}  # fmt: skip
    flowing = {
        "n": number(flow["n"]),
        "expected": number(flow["n_expected"], 1),
        "days": number(window_days),
        "ratio": percent(flow["figure"], 0),
        "low": percent(flow["low"], 0),
        "high": percent(flow["high"], 0),
    }
    notes = [(f"forecast.health.{flow['verdict']}", flowing)]
    if slow:
        notes.append(("forecast.health.slow_stages", {"stages": slow}))
    good = cover["verdict"] == "enough", flow["verdict"] in ("moving", "faster") and not slow
    if flow["verdict"] != "too_few" and cover["verdict"] != "uncertain":
        both = {(True, True): "both", (True, False): "volume_only", (False, True): "flow_only"}
        notes.append((f"forecast.health.{both.get(good, 'neither')}", {}))
    return Result(table, f"forecast.health.{cover['verdict']}", values, tuple(notes))
