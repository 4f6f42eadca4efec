"""What stands behind a finding: other deals than usual, one owner's deals; and what no finding may lean on."""

import re

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit import report
from funnelkit.language import LANGUAGES, speaking
from funnelkit.report.first_page.mix import explaining_mix
from funnelkit.report.first_page.spans import find_spans
from tests.report.first_page.test_summary import page_of
from tests.worlds import World
from tests.worlds.world import STAGES, draw, tables

GOOD, POOR = (0.8, 0.7, 0.6, 0.6), (0.3, 0.7, 0.6, 0.6)


def company(worlds, seed=0):
    """Return deals, each with the segment of its world, and events; worlds by name of the segment."""
    rng = np.random.default_rng(seed)
    parts = {name: tables(world, draw(world, rng)) for name, world in worlds.items()}
    deals = pd.concat([deals.assign(deal_id=name + deals["deal_id"].astype(str), segment=name)
                       for name, (deals, _) in parts.items()])  # fmt: skip
    events = pd.concat([events.assign(deal_id=name + events["deal_id"].astype(str))
                        for name, (_, events) in parts.items()])  # fmt: skip
    return deals.reset_index(drop=True), events.reset_index(drop=True)


def read(deals, events, as_of):
    return fk.read(deals, events, stages=list(STAGES), as_of=as_of)


@pytest.fixture(scope="module")
def mixed():
    """More and more poor deals: within each segment nothing changes."""
    good, poor = World(per_day=4.0, growth=0.15, advance=GOOD), World(per_day=1.0, growth=8.0, advance=POOR)
    return *company({"Good": good, "Poor": poor}), good.as_of


def lead_of(page, lang="en"):
    with speaking(lang):
        return next(one for one in page.figures()["first_page"]["findings"] if one["kind"] == "fewer_promoted")


def test_a_fall_by_mix_alone_is_told_as_one(mixed):
    deals, events, as_of = mixed
    pipeline = read(deals, events, as_of)
    page = page_of(pipeline)
    lead = lead_of(page)
    assert lead["stage"] == "Lead" and lead["severity"] == "watch"
    assert re.search(r"the mix, which explains (\d+)% of the fall: (Poor|Good) \d+%, usually \d+%", lead["action"])
    assert re.search(r"结构变化，它解释了下降的 \d+%", lead_of(page, "zh")["action"])


def test_its_shares_are_those_of_the_deals_that_left_the_stage(mixed):
    deals, events, as_of = mixed
    pipeline = read(deals, events, as_of)
    spans = find_spans(pipeline)
    mix = explaining_mix(pipeline, spans, "Lead")
    left = fk.find_spells(pipeline).table
    left = left[(left["stage"] == "Lead") & left["exit"].isin(["advanced", "lost"])]
    segment = left["deal_id"].str[:4]
    rates, shares = [], []
    for start, stop in (spans.recent, spans.usual):
        inside = (left["left_at"] >= start) & (left["left_at"] < stop)
        shares.append((segment[inside] == mix.name).mean())
        rates.append((left["exit"] == "advanced")[inside].groupby(segment[inside]).agg(["mean", "size"]))
    assert (mix.share, mix.usual) == pytest.approx(tuple(shares))
    now, usual = rates
    of_mix = (usual["mean"] * usual["size"]).sum() / usual["size"].sum()
    of_mix -= (usual["mean"] * now["size"]).sum() / now["size"].sum()
    fall = (usual["mean"] * usual["size"]).sum() / usual["size"].sum()
    fall -= (now["mean"] * now["size"]).sum() / now["size"].sum()
    assert mix.explained == pytest.approx(min(of_mix / fall, 1))


def test_a_fall_within_all_segments_is_none_of_mix():
    world = World(per_day=2.0, years=2.5, fall=(1, 0.5, World(years=2.5).days - 180.0))
    page = page_of(read(*company({"Good": world, "Poor": world}), world.as_of))
    lead = lead_of(page)
    assert (lead["stage"], lead["severity"]) == ("Talk", "act") and re.match(
        r"Review the largest of the \d{3} deals lost there since ", lead["action"]
    )


@pytest.mark.parametrize("column", ["closed because", "quarter"])
def test_neither_outcomes_nor_cohorts_are_a_mix(column):
    """A reason for the loss, known of lost deals alone, or a quarter of creation would explain any fall."""
    world = World(per_day=4.0, years=2.5, fall=(1, 0.5, World(years=2.5).days - 180.0))
    deals, events = company({"All": world})
    rng = np.random.default_rng(1)
    reason = np.where(deals["status"] == "lost", rng.choice(["price", "budget"], len(deals)), "none")
    quarter = deals["created_at"].dt.to_period("Q").astype(str)
    deals = deals.drop(columns="segment").assign(**{column: reason if column == "closed because" else quarter})
    pipeline = read(deals, events, world.as_of)
    assert column in report.sections.segments.own_segments(pipeline)
    assert explaining_mix(pipeline, find_spans(pipeline), "Talk") is None


def test_stuck_deals_of_one_owner_are_told_as_such():
    world = World(per_day=4.0, years=2.5)
    deals, events = company({"All": world})
    gone = world.as_of - pd.Timedelta(days=110)
    owner = np.random.default_rng(2).choice(["Ann", "Ben", "Cem", "Dee", "Eve"], len(deals))
    hers, new = owner == "Eve", deals["created_at"] > gone
    stopped = hers & ~new & ~(deals["closed_at"] <= gone)
    deals = deals.assign(owner=owner, status=deals["status"].mask(stopped, "open"))
    deals = deals.assign(closed_at=deals["closed_at"].mask(stopped)).drop(columns="segment")
    moved = events["deal_id"].isin(deals.loc[hers, "deal_id"]) & (events["entered_at"] > gone)
    pipeline = read(deals[~(hers & new)], events[~moved], world.as_of)
    page = page_of(pipeline)
    named = fk.stuck_deals(pipeline, since=report.Scope(pipeline).usual_ends).table.query("state == 'stuck'")
    here = (named["owner"] == "Eve").sum()
    told = [str(one.action) for one in page.found if one.kind == "stuck"]
    assert told == [f"Call the deals below first; {here} of these {len(named)} belong to Eve."]


def test_months_before_the_history_began_are_none_of_the_usual():
    """Where stages were first recorded within the usual months, open deals of earlier ones stood in unknown stages."""
    world = World(per_day=4.0, years=2.5)
    deals, events = company({"All": world})
    begun = world.as_of - pd.Timedelta(days=300)
    entered = events["entered_at"]
    late = events.assign(entered_at=entered.where(entered >= begun, begun))
    whole, cut = (page_of(read(deals.drop(columns="segment"), one, world.as_of)) for one in (events, late))
    assert all(row.band is not None for row in whole.page.stages)
    assert {row.band for row in cut.page.stages} == {None}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_people_are_told_of_without_intervals(lang):
    world = World(per_day=4.0, years=2.5)
    deals, events = company({"All": world, "More": world.but(advance=(0.9, 0.9, 0.8, 0.7))})
    deals = deals.assign(owner=np.where(deals["segment"] == "More", "Ann", "Ben")).drop(columns="segment")
    pipeline = read(deals, events, world.as_of)
    reviewed = fk.review_people(pipeline, by="owner")
    with speaking(lang):
        found = report.summary(pipeline, reviewed).figures()["first_page"]["findings"]
        told = {one["segment"]: one for one in found if one["kind"].startswith("wins_")}
    assert set(told) == {"Ann", "Ben"}
    for row in reviewed.table.to_dict("records"):
        said = told[row["owner"]]["sentence"]
        assert "[" not in said and re.findall(r"[\d.]+%", said) == [f"{row['rate']:.1%}", f"{row['expected']:.1%}"]


def stalled(since, of="Large"):
    """Return a pipeline whose deals of one segment do not leave a stage from so many days before the end on."""
    world = World(per_day=4.0, years=2.5)
    deals, events = company({"All": world})
    deals = deals.assign(segment=np.random.default_rng(3).choice(["Large", "Small"], len(deals), p=[0.3, 0.7]))
    stop, order = world.as_of - pd.Timedelta(days=since), {stage: n for n, stage in enumerate(STAGES)}
    here = events[events["stage"] == "Offer"].set_index("deal_id")["entered_at"]
    later = events[events["stage"].map(order) > order["Offer"]].groupby("deal_id")["entered_at"].min()
    at = deals["deal_id"].map(here)
    left = deals["deal_id"].map(later).fillna(deals["closed_at"])
    stays = (deals["segment"] == of) & at.notna() & ~(left <= stop)
    deals = deals.assign(status=deals["status"].mask(stays, "open"), closed_at=deals["closed_at"].mask(stays))
    gone = events["deal_id"].isin(deals.loc[stays, "deal_id"]) & (events["stage"].map(order) > order["Offer"])
    return read(deals, events[~gone], world.as_of)


@pytest.mark.parametrize(("since", "kind"), [(45, "crowded"), (90, "held_up")])
def test_a_stage_that_fills_with_one_segment_names_it(since, kind):
    pipeline = stalled(since)
    page = page_of(pipeline)
    lead = next(one for one in page.found if one.kind == kind)
    deals = pipeline.deals[pipeline.deals["status"] == "open"]
    last = pipeline.events.sort_values("entered_at").groupby("deal_id")["stage"].last()
    here = deals[(deals["deal_id"].map(last).astype(str) == "Offer").to_numpy()]
    k = (here["segment"] == "Large").sum()
    assert lead.stage == "Offer" and lead.n_deals == len(here)
    assert re.search(rf"{k} of the {len(here)} are Large; usually \d+% are\.$", str(lead.action))
    rows = re.findall(r'<tr class="fp-(\w+)"><th[^>]*title="(\w+)"', page._repr_mimebundle_()["text/html"])
    assert [mark for mark, stage in rows if stage == "Offer"] == (["act"] if kind == "held_up" else [])


def test_a_stage_that_fills_with_all_segments_names_none():
    world = World(per_day=4.0, years=2.5, slow=(2, 6.0, World(years=2.5).days - 90.0))
    deals, events = company({"All": world})
    page = page_of(read(deals.assign(segment=np.resize(["Large", "Small"], len(deals))), events, world.as_of))
    lead = next(one for one in page.found if one.kind == "held_up")
    assert lead.stage == "Offer" and "usually" not in str(lead.action)
