"""Health: the two conditions of reaching a target. Is there enough in the funnel, and does it keep moving down?"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator

from funnelkit.analysis import history_spells
from funnelkit.forecast.forecast import Forecast, Reading, forecast_open
from funnelkit.forecast.history import By, Fit, fit_history
from funnelkit.forecast.notes import amount_text
from funnelkit.forecast.simulate import Rng
from funnelkit.forecast.win_curves import Array
from funnelkit.language import both, day, label, number, percent, say
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.result import Result, refuse_limits
from funnelkit.stats import UP, days, draw_level, expected_exits, windows

ENOUGH, SHORT = 0.8, 0.5  # odds of reaching the target from which on, and below which, the verdict is plain
WINDOW_DAYS, LEAST_EXPECTED, DRAWS = 91, 5.0, 4_000
VERDICTS = ("enough", "uncertain", "short", "moving", "slower", "faster", "too_few")
_DAY = pd.Timedelta(days=1)


def health(
    pipeline: Pipeline, revenue: float, until: Any, *, window_days: int = WINDOW_DAYS, by: By = None, rng: Rng = None
) -> Result:
    """Answer the two conditions for a target: volume (coverage) and flow, each with a figure, its n and a verdict.

    Parameters
    ----------
    pipeline, revenue, until
        What is known; what is still to win, in the deals' currency, and by when.
    window_days, by, rng
        Length of the window whose promotions are counted; the rest as of `forecast_open`.

    Returns
    -------
    Result
        condition (coverage, flow), stage (missing: all), figure, n, n_expected, low, high, needed, p_reached, verdict
        (enough, uncertain, short; moving, slower, faster, too_few); what a row has not is missing.

    Raises
    ------
    LimitError, DataError
        As `forecast_open`, and without amounts.

    Notes
    -----
    Coverage: value of the open deals over the revenue, judged by the odds of the forecast: enough from 80 % on, short
    below 50 %; `needed` is the coverage that gives 80 % if only the size of the funnel changed. Flow: promotions in
    the window over those that the history before expects (hazards by stage and time waited), with the 95 % range by
    chance and past swings; those of single stages are widened so that all together alarm falsely in 5 % (Bonferroni).

    Examples
    --------
    >>> from funnelkit import sample
    >>> health(sample(), 10e6, "2026-03-31").table["verdict"].head(2).tolist()
    ['short', 'slower']
    """
    return _conditions(pipeline, (revenue, until, window_days), by, rng or np.random.default_rng(0))


def _conditions(pipeline: Pipeline, asked: tuple[float, Any, int], by: By, rng: Generator) -> Result:
    refuse_limits(pipeline, "health", "no_amount")
    revenue, until, window_days = asked
    made = forecast_open(pipeline, until, by=by, rng=rng)
    rows = [_coverage(made, revenue), *_flow(pipeline, window_days, rng)]
    columns = ["condition", "stage", "figure", "n", "n_expected", "low", "high", "needed", "p_reached", "verdict"]
    table = pd.DataFrame(rows, columns=columns)
    table["stage"] = pd.Categorical(table["stage"], categories=pipeline.model.stage_ids, ordered=True)
    table["verdict"] = pd.Categorical(table["verdict"], categories=VERDICTS)
    return Result(
        table, *_read(table, pipeline, asked), model=pipeline.model, picture="flow_chart",
        shown=partial(_for_people, pipeline.model),
    )  # fmt: skip


def _for_people(model: Funnel, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as people read them: the figure, its usual range, the verdict."""
    every = say("forecast.health.all_stages")
    rows = [
        {
            "condition": label(f"condition_{row['condition']}"),
            "stage": every if pd.isna(row["stage"]) else str(model.stage(row["stage"]).name),
            "figure_health": number(row["figure"], 2),
            "n": number(row["n"]),
            "usual_range": "–"
            if pd.isna(row["low"])
            else say("language.present.span", low=number(row["low"], 2), high=number(row["high"], 2)),
            "verdict": label(f"health_{row['verdict']}"),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _coverage(made: Forecast, revenue: float) -> tuple[Any, ...]:
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


def _flow(pipeline: Pipeline, window_days: int, rng: Generator) -> list[tuple[Any, ...]]:
    """Return the rows of the second condition: all stages, then each."""
    start = pipeline.as_of - window_days * _DAY
    fit, spells = fit_history(pipeline.at(start), by_amount=False), history_spells(pipeline)[0]
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


def _ratio_draws(fit: Fit, edges: Array, which: tuple[int | None, float], rng: Generator) -> Array:
    """Draw the level of the next window: what past windows of one stage, or of all, were against expected."""
    stage, ahead = which
    own = slice(None) if stage is None else slice(stage, stage + 1)
    seen, hoped = (count(edges)[UP, own].sum(axis=0) for count in (fit.seen, fit.steady))
    # The history's own level is unsure too: by as many promotions as it holds.
    fitted = rng.standard_gamma(seen.sum() + 0.5, size=DRAWS) / (seen.sum() + 0.5)
    level: Array = fitted * draw_level(seen, hoped, ahead, rng, DRAWS)
    return level


def _flow_row(model: Funnel, stage: int | None, figures: tuple[Any, ...], rng: Generator) -> tuple[Any, ...]:
    k, e, ratio, alpha = figures
    name = None if stage is None else model.stage_ids[stage]
    if e < LEAST_EXPECTED:
        return ("flow", name, k / e if e > 0 else np.nan, int(k), e, np.nan, np.nan, np.nan, np.nan, "too_few")
    low, high = np.quantile(rng.poisson(e * ratio), [alpha / 2, 1 - alpha / 2]) / e
    verdict = "slower" if k / e < low else "faster" if k / e > high else "moving"
    return ("flow", name, k / e, int(k), e, low, high, np.nan, np.nan, verdict)


def _read(table: pd.DataFrame, pipeline: Pipeline, asked: tuple[float, Any, int]) -> Reading:
    (revenue, until, window_days), model = asked, pipeline.model
    cover, flow = table.iloc[0], table.iloc[1]
    stages = table.iloc[2:]
    slow = [model.stage(name).name for name in stages.loc[stages["verdict"] == "slower", "stage"]]
    values = {"figure": number(cover["figure"], 1), "n": number(cover["n"]), "until": both(lambda: day(until)),
              "revenue": amount_text("value", revenue, pipeline.currency),
              "odds": percent(cover["p_reached"], 0), "needed": number(cover["needed"], 1)}  # fmt: skip
    flowing = {
        "n": number(flow["n"]),
        "expected": number(flow["n_expected"], int(flow["n_expected"] < 100)),
        "days": number(window_days),
        "ratio": percent(flow["figure"], 0),
        "low": percent(flow["low"], 0),
        "high": percent(flow["high"], 0),
    }
    key = "held_up" if slow and flow["verdict"] in ("moving", "faster") else flow["verdict"]
    notes: list[tuple[str, dict[str, Any]]] = [(f"forecast.health.{key}", flowing)]
    if slow:
        notes.append(("forecast.health.slow_stages", {"stages": slow}))
    good = cover["verdict"] == "enough", flow["verdict"] in ("moving", "faster") and not slow
    if flow["verdict"] != "too_few" and cover["verdict"] != "uncertain":
        holds = {(True, True): "both", (True, False): "volume_only", (False, True): "flow_only"}
        notes.append((f"forecast.health.{holds.get(good, 'neither')}", {}))
    return f"forecast.health.{cover['verdict']}", values, tuple(notes)
