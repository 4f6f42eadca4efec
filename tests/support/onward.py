"""Deals run on by the steps of the generator itself: open ones from where they stand many times over, new ones."""

from dataclasses import replace

import numpy as np
import pandas as pd

from funnelkit.synth import b2b, generate

TRIES = 30_000


def new_deals(rng, **overrides):
    """Return (amount, whether won by the end) of the deals of a "b2b-8" run, without making its tables."""
    plan = generate._resolve(replace(generate.Settings(), **overrides))
    deals, _ = b2b.draw_deals(plan, rng)
    void = rng.random(len(deals)) < plan.settings.void_share
    walk = b2b.Walk(*(deals[name].to_numpy(copy=True) for name in ("day", "odds", "first_odds")), void)
    active = np.arange(len(deals))
    while active.size:
        active = b2b.step(plan, walk, active, rng)
    return deals["amount"].to_numpy(), walk.status == b2b.WON


def luck(walk):
    """Return by how much more than expected of its own rates a run moved up from each stage, in standard deviations.

    Each is the sum of (moved up or not - chance) over the decisions of a stage, so its mean over all runs is 0.
    """
    stage, _, rate = (np.concatenate(column) for column in zip(*walk.decided, strict=True))
    here = [rate[stage == number] for number in range(stage.max() + 1)]
    return [((walk.reach > number).sum() - p.sum()) / np.sqrt((p * (1 - p)).sum()) for number, p in enumerate(here)]


def made_with_walk(rng, **overrides):
    """Return (history as a Pipeline, plan, walk) of a "b2b-8" run: what `synthesize` makes, and how it came about."""
    settings = replace(generate.Settings(), **overrides)
    plan = generate._resolve(settings)
    deals, events, parts = b2b.simulate(plan, rng)
    made = generate.Synthetic("b2b-8", settings.model, deals, events, {}, pd.Timestamp(settings.end))
    return generate.as_pipeline(made), plan, parts["walk"]


def open_spells(walk, day):
    """Return deal, stage, begun (day), reach of the spell that each deal open at the start of `day` was in."""
    log = pd.DataFrame(dict(zip(("deal", "stage", "begun"), map(np.concatenate, zip(*walk.log, strict=True)),
                                strict=True)))  # fmt: skip
    log = log[log["begun"] < day]
    last = log.groupby("deal").last().assign(reach=log.groupby("deal")["stage"].max()).reset_index()
    closed = walk.closed[last["deal"]]
    return last[(closed < 0) | (closed >= day)].reset_index(drop=True)


def run_on(plan, walk, spells, day, runs, rng):
    """Return which open deals are won by the plan's end in each of many runs from `day` on, (deals, runs).

    Each deal's spell is drawn again and again by `synth_b2b.step` until nothing of it shows before `day`; from there
    the same steps carry the deal on. So the deal goes on as the generator would have it, given all that is known.
    """
    won, todo = np.zeros(len(spells) * runs, bool), np.arange(len(spells) * runs)
    while todo.size:
        tries = np.repeat(todo, max(1, TRIES // len(todo)))
        again = _stand(walk, spells.iloc[tries // runs])
        active = b2b.step(plan, again, np.arange(len(tries)), rng)
        early = (again.closed >= 0) & (again.closed < day)
        for deal, _, entered in again.log:
            early[deal[entered < day]] = True
        fits = np.flatnonzero(~early)
        fits = fits[np.unique(tries[fits], return_index=True)[1]]
        active = active[np.isin(active, fits)]
        while active.size:
            active = b2b.step(plan, again, active, rng)
        won[tries[fits]] = again.status[fits] == b2b.WON
        todo = np.setdiff1d(todo, tries[fits])
    return won.reshape(len(spells), runs)


def _stand(walk, rows):
    """Return a Walk whose deals stand where the rows say."""
    deal = rows["deal"].to_numpy()
    again = b2b.Walk(rows["begun"].to_numpy(copy=True), walk.odds[deal], walk.first_odds[deal], walk.void[deal])
    again.stage, again.reach = rows["stage"].to_numpy(copy=True), rows["reach"].to_numpy(copy=True)
    again.log.clear()
    return again
