from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.change import contributions, split_change
from funnelkit.analysis.compare import compare_periods
from funnelkit.analysis.periods import Calendar
from funnelkit.language.errors import DataError
from funnelkit.models import funnel
from funnelkit.reading.read import read
from funnelkit.result import Result
from tests.worlds import STAGES, World, draw
from tests.worlds.world import tables as tables_of

BEFORE = pd.DataFrame({"segment": ["A", "B"], "k": [200, 50], "n": [500, 500]})
AFTER = pd.DataFrame({"segment": ["A", "B"], "k": [85, 90], "n": [200, 800]})


def test_both_segments_improve_and_the_total_falls():
    found = split_change(BEFORE, AFTER, "segment")
    parts = found.table.set_index("part")["change"]
    assert (round(100 * parts["rate"], 1), round(100 * parts["mix"], 1)) == (1.7, -9.2)
    assert "25.0%" in found.reading() and "+1.7 points" in found.reading() and "-9.2 points" in found.reading("en")
    assert "-9.2 个百分点" in found.reading("zh")
    assert (found.segments["rate"] > 0).all()


def test_two_factors_are_kitagawas_midpoints():
    parts = split_change(BEFORE, AFTER, "segment").table.set_index("part")["change"]
    share = np.array([[0.5, 0.5], [0.2, 0.8]])
    rate = np.array([[0.4, 0.1], [0.425, 0.1125]])
    assert parts["rate"] == pytest.approx((share.mean(axis=0) * np.diff(rate, axis=0)[0]).sum(), abs=1e-12)
    assert parts["mix"] == pytest.approx((rate.mean(axis=0) * np.diff(share, axis=0)[0]).sum(), abs=1e-12)


def test_contributions_are_shapley_values():
    from itertools import permutations

    rng = np.random.default_rng(1)
    before, after = rng.random((2, 5, 3))
    total = np.zeros((5, 3))
    orders = list(permutations(range(5)))
    for order in orders:
        now = before.copy()
        for factor in order:
            was = now.prod(axis=0)
            now[factor] = after[factor]
            total[factor] += now.prod(axis=0) - was
    np.testing.assert_allclose(contributions(before, after), total / len(orders), atol=1e-14)


def random_table(rng, segments, stages):
    """A counts table of random segments; some of them are missing, some stages reached by nobody."""
    names = [f"s{at}" for at in range(segments) if rng.random() < 0.75] or ["s0"]
    rows = []
    for name in names:
        entered = int(rng.integers(1, 2000))
        for stage in range(stages):
            advanced = int(rng.binomial(entered, rng.random())) if rng.random() < 0.9 else 0
            rows.append((name, f"stage {stage}", entered, advanced, entered - advanced))
            entered = advanced
    return pd.DataFrame(rows, columns=["segment", "stage", "n_entered", "n_advanced", "n_lost"])


@pytest.mark.parametrize("tables_tried", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_parts_sum_to_the_change_over_random_tables(tables_tried, capsys):
    rng, worst, appeared = np.random.default_rng(2), 0.0, 0
    for _ in range(tables_tried):
        segments, stages = int(rng.integers(1, 9)), int(rng.integers(1, 7))
        tables = [random_table(rng, segments, stages) for _ in range(2)]
        measure = "count" if rng.random() < 0.5 else "rate"
        found = split_change(*tables, "segment", measure)
        totals = []
        for table in tables:
            last = table.groupby("segment")["n_advanced"].last().sum()
            first = table.groupby("segment")["n_entered"].first().sum()
            totals.append(last if measure == "count" else last / first)
        scale = 1 if measure == "rate" else max(1, *totals)
        worst = max(worst, abs(found.table["change"].sum() - (totals[1] - totals[0])) / scale)
        parts = found.segments[[name for name in ("volume", "mix", "rate") if name in found.segments]]
        worst = max(worst, abs(parts.to_numpy().sum() - (totals[1] - totals[0])) / scale)
        appeared += (found.segments["state"] != "both").any()
    with capsys.disabled():
        print(f"\nSplit, {tables_tried} tables (seed 2): worst gap {worst:.1e}; {appeared} with new or vanished ones")
    assert worst < 1e-9 and appeared > 0.2 * tables_tried


def test_new_and_vanished_segments_are_mix_and_named():
    after = pd.DataFrame({"segment": ["A", "C"], "k": [100, 30], "n": [250, 100]})
    found = split_change(BEFORE, after, "segment")
    assert found.segments.set_index("segment")["state"].to_dict() == {"A": "both", "B": "vanished", "C": "new"}
    assert found.segments.set_index("segment").loc[["B", "C"], "rate"].tolist() == [0, 0]
    assert "B (vanished) and C (new)" in found.reading() and "B（消失）和 C（新增）" in found.reading("zh")


def test_stages_share_the_rate():
    counts = [("Lead", 100, 50, 50), ("Offer", 50, 20, 30)], [("Lead", 100, 40, 60), ("Offer", 40, 20, 20)]
    tables = [pd.DataFrame(rows, columns=["stage", "n_entered", "n_advanced", "n_lost"]) for rows in counts]
    table = split_change(*tables).table
    rates = table[table["part"] == "rate"].set_index("stage")["change"]
    assert rates["Lead"] == pytest.approx(-0.045) and rates["Offer"] == pytest.approx(0.045)


def test_parts_of_a_funnel_bear_the_names_of_its_stages():
    counts = pd.DataFrame({"stage": ["solution-demo", "negotiation"], "k": [50, 40], "n": [100, 50]})
    model = funnel("industrial-8")
    found = split_change(Result(counts, model=model), Result(counts.assign(k=[40, 40]), model=model))
    assert [name.partition(": ")[2] for name in found.parts()["name"]] == [
        "",
        "Solution demo and track record",
        "Negotiation",
    ]


def test_unanswerable_tables_are_refused_in_words():
    with pytest.raises(DataError, match="the table after has nobody"):
        split_change(BEFORE, AFTER.assign(k=0, n=0), "segment")
    with pytest.raises(DataError, match="no column named 'region'"):
        split_change(BEFORE, AFTER, "region")
    with pytest.raises(DataError, match="more successes"):
        split_change(BEFORE.assign(k=900), AFTER, "segment")
    with pytest.raises(DataError, match="Known: rate, count"):
        split_change(BEFORE, AFTER, "segment", "value")
    open_offer = pd.DataFrame({"stage": ["Lead", "Offer"], "n_entered": [9, 5], "n_advanced": [5, 0], "n_lost": [4, 0]})
    with pytest.raises(DataError, match="left stage Offer"):
        split_change(open_offer, open_offer)


def two_segments(rng):
    """Return two years of a segment won with 16 % that dwindles and one won with 4 % that grows: the total falls."""
    good = World(per_day=5.0, growth=0.2, advance=(0.7, 0.7, 0.66, 0.5))
    poor = World(per_day=2.0, growth=5.0, advance=(0.5, 0.5, 0.4, 0.4))
    parts = []
    for name, world in (("good", good), ("poor", poor)):
        deals, events = tables_of(world, draw(world, rng))
        deals, events = (part.assign(deal_id=name + part["deal_id"]) for part in (deals, events))
        parts.append((deals.assign(region=name), events))
    deals, events = (pd.concat([part[at] for part in parts], ignore_index=True) for at in (0, 1))
    return read(deals, events, stages=list(STAGES), as_of=good.as_of)


def test_a_pipeline_is_split_between_the_rates_that_compare_periods_gives():
    pipeline, calendar = two_segments(np.random.default_rng(4)), Calendar("quarter")
    row = compare_periods(pipeline, calendar).table.set_index(["against", "stage"]).loc[("year_before", "overall")]
    found = split_change(pipeline, by="region", calendar=calendar, against="year_before")
    assert found.start == pytest.approx(row["rate_before"], abs=1e-12)
    assert found.table["change"].sum() == pytest.approx(row["change"], abs=1e-12)
    assert found.table["n_after"].tolist() == [row["n_entered"]] * 2
    parts = found.table.set_index("part")
    # Neither segment's rate changes; shares go from about 56 to 26 % of the better one.
    assert parts.loc["mix", "low"] < -0.03 < parts.loc["mix", "high"] < 0
    assert parts.loc["rate", "low"] < 0 < parts.loc["rate", "high"]
    assert [each.kind for each in found.findings] == ["change_by_mix"]
    assert "it alone would have made" in found.reading() and "其他因素不变" in found.reading("zh")


def test_a_pipeline_without_an_earlier_period_is_refused_in_words():
    pipeline = two_segments(np.random.default_rng(4))
    with pytest.raises(DataError, match="no earlier period wholly in the data"):
        split_change(pipeline, by="region", on="2023-02-01", against="year_before")


def test_segments_without_a_rate_are_taken_together():
    """A tenth of the deals come from forty tiny segments: they are one, and nothing else changes."""
    rng = np.random.default_rng(4)
    pipeline, calendar = two_segments(rng), Calendar("quarter")
    tiny = pipeline.deals.assign(region=np.where(
        rng.random(len(pipeline.deals)) < 0.1, [f"r{at % 40}" for at in range(len(pipeline.deals))],
        pipeline.deals["region"],
    ))  # fmt: skip
    found = split_change(replace(pipeline, deals=tiny), by="region", calendar=calendar, against="year_before")
    assert "others" in set(found.segments["region"]) and len(found.segments) < 20
    parts = found.table.set_index("part")
    assert (parts["high"] - parts["low"]).max() < 0.15
    assert parts.loc["mix", "low"] < -0.03 < parts.loc["mix", "high"] < 0


def test_windows_too_short_to_split_say_how_many_deals_they_need():
    few = World(per_day=1.0, years=2.0).pipeline(np.random.default_rng(5))
    few = replace(few, deals=few.deals.assign(half=np.arange(len(few.deals)) % 2))
    with pytest.raises(DataError) as caught:
        split_change(few, by="half", calendar=Calendar("month"))
    if caught.value.key == "split_of_few":
        assert int(caught.value.values["needed"].replace(",", "")) > int(caught.value.values["n"])
    assert caught.value.key in ("split_of_few", "segments_of_few", "period_of_few")


@pytest.mark.parametrize("unit", ["month", "quarter", "year"])
def test_a_part_that_is_printed_is_known_better_than_the_rate_is_large(unit):
    rng = np.random.default_rng(6)
    pipeline = two_segments(rng)
    for by in ("region", ["region", "owner"] if "owner" in pipeline.deals else "region"):
        try:
            found = split_change(pipeline, by=by, calendar=Calendar(unit))
        except DataError:
            continue
        half = (found.table["high"] - found.table["low"]).max() / 2
        assert half < max(found.start, found.start + found.table["change"].sum())


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["rate", "count"])
def test_intervals_of_the_parts_cover(measure, capsys):
    rng = np.random.default_rng(3)
    share, rate, n = (
        np.array([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4]]),
        np.array([[0.4, 0.2, 0.1], [0.42, 0.18, 0.15]]),
        (600, 700),
    )
    volume = np.broadcast_to(np.array(n, float)[:, None, None], (2, 1, 3))
    parts = [share[:, None], rate[:, None]]
    factors = np.concatenate([volume, *parts] if measure == "count" else parts, axis=1)
    names = ["volume", "mix", "rate"][-factors.shape[1] :]
    truth = dict(zip(names, contributions(*factors).sum(axis=1), strict=True))
    hits = dict.fromkeys(truth, 0)
    for _ in range(2000):
        tables = []
        for at in (0, 1):
            size = rng.multinomial(rng.poisson(n[at]) if measure == "count" else n[at], share[at])
            tables.append(pd.DataFrame({"segment": list("ABC"), "n": size, "k": rng.binomial(size, rate[at])}))
        found = split_change(*tables, "segment", measure).table.set_index("part")
        for part, value in truth.items():
            hits[part] += found.loc[part, "low"] <= value <= found.loc[part, "high"]
    coverage = {part: count / 2000 for part, count in hits.items()}
    with capsys.disabled():
        print(f"\nSplit of a {measure}, n = 600 and 700: coverage {coverage} (2,000 runs, seed 3)")
    assert all(0.93 <= value <= 0.97 for value in coverage.values()), coverage
