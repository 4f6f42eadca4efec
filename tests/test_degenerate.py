"""Every verb on every pipeline at the edge: an answer fit to be read, or a refusal that says what is needed."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.result import Refusal, Result
from tests.support.degenerate import CASES, STAGES, degenerate
from tests.test_face import CHARTS, VERBS

UNTIL = "2025-10-01"
RNG = 7

# How each verb is called with a pipeline; what is not there takes none, with the reason in WITHOUT.
CALLS = {
    "attempt": lambda p: fk.attempt(fk.outcome_curves, p),
    "backtest": lambda p: fk.backtest(p, unit="month", n_origins=3, paths=200, rng=_rng()),
    "calibrate": lambda p: fk.calibrate(p),
    "check_target": lambda p: fk.check_target(p, 50_000.0, UNTIL, rng=_rng()),
    "compare_cohorts": lambda p: fk.compare_cohorts(p),
    "compare_peers": lambda p: fk.compare_peers(p, _peers()),
    "compare_periods": lambda p: fk.compare_periods(p),
    "compare_periods by": lambda p: fk.compare_periods(p, by="region"),
    "compare_target_rates": lambda p: fk.compare_target_rates(p, dict.fromkeys(p.model.stage_ids[:-1], 0.5)),
    "count_stages": lambda p: fk.count_stages(p),
    "count_stages by": lambda p: fk.count_stages(p, "region"),
    "find_spells": lambda p: fk.find_spells(p),
    "forecast_open": lambda p: fk.forecast_open(p, paths=500, rng=_rng()),
    "forecast_open by": lambda p: fk.forecast_open(p, by="region", paths=500, rng=_rng()),
    "growth_table": lambda p: fk.growth_table(p),
    "health": lambda p: fk.health(p, 50_000.0, UNTIL, rng=_rng()),
    "monitor": lambda p: fk.monitor(p),
    "outcome_curves": lambda p: fk.outcome_curves(p),
    "outcome_curves by": lambda p: fk.outcome_curves(p, "region"),
    "promotion_cycle": lambda p: fk.promotion_cycle(p),
    "rank_accounts": lambda p: fk.rank_accounts(p),
    "rate_table": lambda p: fk.rate_table(p),
    "rate_table of counts": lambda p: fk.rate_table(fk.count_stages(p)),
    "review_people": lambda p: fk.review_people(p),
    "sensitivity": lambda p: fk.sensitivity(p),
    "solve_target": lambda p: fk.solve_target(p, 50_000.0, UNTIL, rng=_rng()),
    "split_change": lambda p: fk.split_change(fk.win_rate(_half(p, 0), "region"), fk.win_rate(_half(p, 1), "region")),
    "split_losses": lambda p: fk.split_losses(_losses(p)),
    "stage_losses": lambda p: fk.stage_losses(p, [p.model.stage_ids[0]]),
    "state_table": lambda p: fk.state_table(p),
    "stuck_deals": lambda p: fk.stuck_deals(p),
    "stuck_deals since": lambda p: fk.stuck_deals(p, since="2025-05-01"),
    "summary": lambda p: fk.summary(p),
    "time_in_stage": lambda p: fk.time_in_stage(p),
    "time_in_stage by": lambda p: fk.time_in_stage(p, "region"),
    "waterfall": lambda p: fk.waterfall(p.at("2025-05-31"), p),
    "weakest_levels": lambda p: fk.weakest_levels(p),
    "what_if": lambda p: fk.what_if(p),
    "win_rate": lambda p: fk.win_rate(p),
    "win_rate by": lambda p: fk.win_rate(p, "region"),
}
OF_LOGS = {  # of the pipeline's events as a table, where they differ as logs
    "attribute_odds": lambda p: fk.attribute_odds(_journeys(p, ("region",)), "region"),
    "compare_rules": lambda p: fk.compare_rules(_log(p), STAGES[:3]),
    "conversion_trend": lambda p: fk.conversion_trend(_journeys(p)),
    "count_events": lambda p: fk.count_events(_log(p), STAGES[:3]),
    "dropped": lambda p: fk.dropped(_journeys(p), STAGES[1]),
    "journeys": lambda p: _journeys(p),
    "paths_between": lambda p: fk.paths_between(_log(p), _journeys(p), STAGES[0], STAGES[1]),
    "step_matrix": lambda p: fk.step_matrix(_log(p), _journeys(p), STAGES[0], STAGES[1]),
    "step_rates": lambda p: fk.step_rates(fk.count_events(_log(p), STAGES[:3])),
    "time_histogram": lambda p: fk.time_histogram(_journeys(p)),
    "time_to_convert": lambda p: fk.time_to_convert(_journeys(p)),
    "time_trend": lambda p: fk.time_trend(_journeys(p)),
}
LOGS = ["no rows", "one deal", "all lost", "ties"]
# Those that most of the others resemble: `make test` asks them, `make test-all` all.
FEW = ["no rows", "one deal", "twenty-five deals", "all open", "all lost", "two stages", "no segment", "future dates",
       "amounts of nothing", "ties", "snapshot", "counts by period"]  # fmt: skip
CALLS |= OF_LOGS
WITHOUT = {
    "adopters": "plain numbers", "advantage_test": "ratings", "allocate": "plain numbers", "cascade": "plain numbers",
    "check_gates": "evidence", "churn_ratio": "customers by period",
    "count_on": "a warehouse: tests/events/test_warehouse.py", "glossary": "words", "influence_counts": "plain numbers",
    "influence_loop": "plain numbers", "level_advice": "points", "life_cycle_guide": "the model alone",
    "models": "the catalogue", "perceptual_map": "ratings", "score_table": "a calibration", "space_profile": "ratings",
    "statement_card": "texts", "times_on": "a warehouse", "trend_on": "a warehouse",
}  # fmt: skip


def _rng():
    return np.random.default_rng(RNG)


def _peers():
    return pd.DataFrame({"stage": STAGES[:3], "company": "Peer", "n": 100, "rate": [0.6, 0.6, 0.5]})


def _half(pipeline, which):
    """Return the deals of the first or second half by creation."""
    deals = pipeline.deals
    middle = deals["created_at"].quantile(0.5) if len(deals) else pd.NaT
    return deals[(deals["created_at"] <= middle) == (which == 0)]


def _losses(pipeline):
    return fk.stage_losses(pipeline, [pipeline.model.stage_ids[0]])


def _log(pipeline):
    events = pipeline.events[["deal_id", "stage", "entered_at"]]
    segment = pipeline.deals.drop_duplicates("deal_id").set_index("deal_id")
    region = segment["region"] if "region" in segment else pd.Series(dtype="object")
    return events.assign(stage=events["stage"].astype(str), region=events["deal_id"].map(region))


def _journeys(pipeline, attributes=()):
    return fk.journeys(_log(pipeline), STAGES[:3], attributes=attributes)


def answers(verb, case):
    """Return what the verb finds in the case, or None where it says why not."""
    try:
        return CALLS[verb](degenerate(case))
    except fk.errors.FunnelkitError as error:
        for lang in ("en", "zh"):
            said = error.say(lang)
            assert len(said) > 12 and not unfit(said), said
        return None


def unfit(text):
    """Return what no sentence may hold: figures that are none."""
    return re.findall(r"(?<![\w.])(?:nan|-?inf|None(?! of)|NaT|<NA>|-0(?:\.0+)?%?)(?![\w.])", text)


def test_every_verb_is_called_or_says_why_it_takes_no_pipeline():
    called = {name.split(" ")[0] for name in CALLS}
    assert called | set(WITHOUT) == set(VERBS) and not called & set(WITHOUT)
    assert len(CASES) >= 22 and len(CHARTS) > 20


@pytest.mark.parametrize("cases", [FEW, pytest.param(list(CASES), marks=pytest.mark.slow)], ids=["few", "all"])
@pytest.mark.parametrize("verb", CALLS)
def test_an_answer_or_a_refusal_never_a_crash(verb, cases):
    faults = faults_of(verb, read_in, cases)
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("verb", CALLS)
def test_an_answer_is_drawn_or_is_refused(verb):
    faults = faults_of(verb, drawn, CASES)
    assert not faults, "\n".join(faults)


def faults_of(verb, look, cases):
    """Return one line for each case in which the verb crashes, warns, or says what `look` finds unfit."""
    faults = []
    for case in [case for case in cases if case in LOGS] if verb in OF_LOGS else cases:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                found = answers(verb, case)
                faults += [f"{case}: {fault}" for fault in ([] if found is None else look(found))]
            except Exception as error:
                faults.append(f"{case}: {type(error).__name__}: {error}")
    return faults


def read_in(found):
    """Return what is wrong with the sentences, findings and table of an answer, in both languages."""
    assert isinstance(found, Result)
    faults = []
    for lang in ("en", "zh"):
        fk.use(lang)
        for sentence in (*found.sentences(), *map(str, found.findings)):
            faults += [f"{lang}: {word} in {sentence!r}" for word in unfit(sentence)]
        if not isinstance(found, Refusal) and len(found.table):
            faults += [f"{lang}: {word} in the table" for word in unfit(found.show().text)]
    return faults


def drawn(found):
    """Return what is wrong with the picture of an answer."""
    if not found.picture or not len(found.table):
        return []
    chart = found.chart()
    return [f"{word} in {chart.alt!r}" for word in unfit(chart.alt)] + ([] if chart.png() else ["no picture"])
