"""Where two share a place, a sentence with a superlative names both, in both languages."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit.analysis.stays import spells_of
from funnelkit.analysis.time import _read_stays
from funnelkit.events.odds import _read as read_odds
from funnelkit.events.paths import _matrix, _read_paths
from funnelkit.forecast.calibrate import _read as read_calibration
from funnelkit.language.texts import LANGUAGES, named, speaking
from funnelkit.report.sections import losses as lost_section
from funnelkit.result import Result
from tests.course.warm import contradictions
from tests.support.lives import COLUMNS, make

STEPS = ["Lead", "Offer", "Talk", "Won"]
SPACE = dict.fromkeys(("safety", "performance", "appearance", "convenience", "economy"))


def growing():
    return fk.growth_table(pd.DataFrame({"stage": STEPS, "n_entered": [10, 20, 40, 40]}))


def falling():
    counts = {"stage": STEPS, "n_entered": [100, 50, 25, 20], "n_advanced": [50, 25, 20, 20], "n_lost": [50, 25, 5, 0]}
    return fk.rate_table(fk.read(pd.DataFrame(counts).assign(n_open=0), stages=STEPS))


def staying():
    pipeline = fk.sample()
    found = fk.time_in_stage(pipeline)
    table = found.table.assign(median_days=[9.0, 9.0, *[1.0] * (len(found.table) - 2)], n=100)
    key, values, _ = _read_stays(table, pipeline, spells_of(pipeline, "time_in_stage"))
    return Result(table, key, values, model=pipeline.model)


def losing(n_lost=(20, 20, 40), n=(100, 100, 100)):
    rows = {"link": ["offer", "offer", "order"], "n": n, "n_lost": n_lost, "reason": ["slow", "dear", "bills"]}
    return fk.split_losses(pd.DataFrame(rows).assign(within=True))


def draining():
    losses = {"link": ["offer", "order"], "n": [100, 100], "reason": ["far", "bills"], "n_lost": [50, 50]}
    return fk.split_losses(pd.DataFrame(losses).assign(within=[False, True]))


def weakened():
    return fk.weakest_levels(fk.cascade({"diagnosis rate": 0.6, "adherence": 0.6}), {"diagnosis rate": 1})


def sensitive():
    rates = pd.DataFrame({"stage": ["a", "b", "c"], "rate": [0.2, 0.2, 0.5]})
    return fk.sensitivity(rates, volume=100)


def mapped(*scores):
    ratings = {"product": list("ABCD")[: len(scores)], "effect": [pair[0] for pair in scores]}
    return fk.perceptual_map(pd.DataFrame(ratings).assign(price=[pair[1] for pair in scores]))


def profiled(ours, *rivals):
    rows = [dict(zip(SPACE, scores, strict=True)) for scores in (ours, *rivals)]
    return fk.space_profile(pd.DataFrame(rows).assign(product=["Ours", "A", "B"][: len(rows)]), "Ours")


def advantage():
    answers = {
        "advantage": ["cheap", "quick", "blue"],
        "unique": [True, False, False],
        "important": [False, True, False],
    }
    return fk.advantage_test(pd.DataFrame(answers).assign(different=False, lasting=False))


def adopted():
    few = 0.5 / (1 + np.e)  # the curve has its peak, ln(imitation / innovation) / 0.5, at the end of period 2
    return fk.adopters(100.0, innovation=few, imitation=0.5 - few, periods=9)


def walked():
    table = pd.DataFrame({"path": ["x", "y", "x > y"], "n": [2, 2, 1], "share": [0.4, 0.4, 0.2], "p50_days": 1.0})
    return _read_paths(table, "A", "B", 10)


def stepped():
    return _matrix(pd.DataFrame({"path": ["x", "y", "x > y", "y > x"], "n": [2, 2, 1, 1]}), "A", "B", 2)


def narrowed():
    log = make(*[[(0, "A"), (1, "B"), (2, "C")]], [(0, "A"), (1, "B")], [(0, "A")], [(0, "A")])
    return fk.step_rates(fk.count_events(log, "ABC", columns=COLUMNS))


def timed(slow=9):
    lives = [[(0, "A"), (2, "B")], [(0, "A"), (2, "B")], [(0, "A"), (slow, "B")]]
    found = fk.journeys(make(*lives, team=["N", "S", "W"]), "AB", columns=COLUMNS, attributes=["team"])
    return replace(fk.time_to_convert(found, by="team"), notes=())


def ruled():
    log = make([(0, "A"), (1, "B")], [(0, "A"), (20, "B")])
    rules = {name: fk.Rule(window=window) for name, window in (("day", "1d"), ("week", "7d"), ("month", "30d"))}
    return fk.compare_rules(log, "AB", rules=rules, columns=COLUMNS)


def contrasted():
    same = {
        "k": [90, 90, 10],
        "n": [100, 100, 90],
        "k_other": [10, 10, 90],
        "n_other": [90, 90, 100],
        "odds_ratio": 9.0,
    }
    table = pd.DataFrame(same).assign(low=3.0, high=27.0, q_value=1e-9, p_value=1e-9)
    table = table.assign(attribute=["team", "kind", "kind"], value=["N", "x", "y"])
    return Result(table, *read_odds(table))


def calibrated():
    model = fk.funnel("simple-5")
    table = pd.DataFrame({"stage": model.stage_ids[:3], "probability": [0.2, 0.5, 0.5], "observed": [0.4, 0.3, 0.5]})
    table = table.assign(low=0.1, high=0.6, n=50, brier=0.2, verdict="")
    return Result(table, *read_calibration(table, model), model=model)


def lost():
    pipeline = fk.sample()
    one, other = pipeline.model.stage_ids[:2]
    table = pd.DataFrame({"stage": [one, one, other], "reason": ["Price", "Time", "Time"], "n_lost": [4, 2, 2]})
    table = pd.concat([table, table.tail(1).assign(reason="Other")], ignore_index=True)

    class Scope:
        end = pd.Timestamp("2026-01-01")

    return Result(table, *lost_section._read(table, pipeline, Scope()), model=pipeline.model)


def dimensions(result, *places):
    return [result.model.topic("space").item(result.table["dimension"].iloc[place]).name for place in places]


def model_names(result, column, *places):
    return [result.model.stage(result.table[column].iloc[place]).name for place in places]


CASES = {
    "lowest rate": (falling, lambda _: ["Lead", "Offer"]),
    "growth": (growing, lambda _: ["Lead", "Offer"]),
    "longest stay": (staying, lambda found: model_names(found, "stage", 0, 1)),
    "main reason": (lambda: losing((30, 30, 20)), lambda _: ["slow", "dear"]),
    "bottleneck": (lambda: losing((40, 0, 20), (100, 100, 40)), lambda _: ["order"]),
    "largest loss": (draining, lambda _: ["offer", "order"]),
    "lowest ratio": (weakened, lambda found: model_names(found, "point", *np.flatnonzero(found.table["lowest_ratio"]))),
    "gain": (sensitive, lambda _: ["a", "b"]),
    "best score": (lambda: mapped((9, 4), (4, 9), (1, 1)), lambda _: ["A", "B"]),
    "most alike": (lambda: mapped((9, 4), (8, 4), (2, 9), (1, 9)), lambda _: ["A – B", "C – D"]),
    "strongest": (lambda: profiled([9, 9, 5, 4, 3], [7, 7, 5, 6, 6]), lambda found: dimensions(found, 0, 1)),
    "rivals": (lambda: profiled([9, 6, 5, 4, 3], [7, 6, 5, 6, 7], [7, 1, 1, 1, 7]), lambda _: ["A", "B"]),
    "nearest": (advantage, lambda _: ["cheap", "quick"]),
    "peak": (adopted, lambda _: [2, 3]),
    "path": (walked, lambda _: ["x", "y"]),
    "next event": (stepped, lambda _: ["x", "y"]),
    "narrowest": (narrowed, lambda _: ["B", "C"]),
    "quickest": (timed, lambda _: ["N", "S"]),
    "same time": (lambda: timed(2), lambda _: []),
    "rules": (ruled, lambda _: ["day", "week"]),
    "odds": (contrasted, lambda _: ["team N", "kind x"]),
    "calibration": (calibrated, lambda found: model_names(found, "stage", 0, 1)),
    "lost reasons": (lost, lambda _: ["Price", "Time"]),
}  # fmt: skip


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_all_who_share_a_place_are_named(case, lang):
    write, names = CASES[case]
    found = write()
    with speaking(lang):
        said = named(names(found)) if names(found) else ""
    said = said.replace("2和3", "2 和 3")  # a list of periods has blanks around the word
    assert said in found.reading(lang), (said, found.reading(lang))
    assert contradictions(found, lang) == []


def test_more_than_a_few_are_counted():
    table = pd.DataFrame({"stage": list("abcdef"), "n_entered": [2, 4, 8, 16, 32, 64]})
    found = fk.growth_table(table)
    assert found.reading() == "The count grows most after 'a', 'b' and 3 others: ×2.00."
    assert found.reading("zh") == "数量在“a”“b”及另外 3 个之后增长最多：×2.00。"
    assert contradictions(found, "en") == contradictions(found, "zh") == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_titles_of_charts_name_all_who_lead(lang):
    states = {"state": ["calls", "visits"], "n_open": 10, "value_open": 100.0, "win_probability": 0.2}
    table = pd.DataFrame(states).assign(win_probability_after=0.4, cost=1.0)
    with speaking(lang):
        spent, levels = fk.allocate(table, 5.0).chart(), weakened().model
        best = mapped((9, 4), (4, 9), (1, 1)).chart()
        found = fk.cascade({"diagnosis rate": 0.6, "adherence": 0.6, "visit rate": 0.6}).chart()
        low = [levels.stage(name).name for name in ("visit rate", "diagnosis rate", "adherence")]
        assert named(["calls", "visits"]) in spent.alt and named(["A", "B"]) in best.alt
        assert named(low) in found.alt, found.alt
