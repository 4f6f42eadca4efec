"""The line on trust says what a reader would otherwise take for business: seasons, imports, one giant deal."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import funnelkit as fk
from funnelkit import report
from funnelkit.language import speaking
from funnelkit.report.first_page.counts import Months
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.first_page.seasons import against_season
from funnelkit.report.first_page.spans import find_spans
from funnelkit.report.first_page.stages import redefined_stages, stage_facts
from funnelkit.report.first_page.wins_picture import WinsByMonth, wins_svg
from funnelkit.report.first_page.words import ColumnUnit
from tests.report.first_page.test_summary import answers_of, words_of
from tests.worlds import STAGES, World
from tests.worlds.world import draw
from tests.worlds.world import tables as tables_of_world

STOP = pd.Timestamp("2026-01-01")


def sold_on(days):
    created = pd.DatetimeIndex(days) - pd.Timedelta(days=20)
    deals = pd.DataFrame({"deal_id": range(len(days)), "created_at": created, "stage": "Won", "closed_at": days})
    return DealRecords.of(fk.read(deals.assign(status="won"), stages=["Lead", "Won"], as_of=STOP))


def forecast_of(low, high):
    return {"low_80": low, "high_80": high, "end": pd.Timestamp("2026-01-31")}


def test_wins_that_never_come_in_these_weeks_contradict_a_forecast():
    autumns = [day for year in (2023, 2024, 2025) for day in pd.date_range(f"{year}-10-01", f"{year}-12-31")]
    assert against_season(sold_on([pd.Timestamp("2023-01-25"), *autumns]), forecast_of(3, 12)) == (0, 2)


@pytest.mark.parametrize("growth", [1, 3])
def test_a_steady_or_a_growing_business_has_no_season(growth):
    a_year = np.linspace(0.0, 3.0, 60_000)[:-1]
    wins = 90 * np.cumsum(growth**a_year) / 20_000
    at = a_year[np.searchsorted(wins, np.arange(1, wins[-1]))]
    records = sold_on(pd.Timestamp("2023-01-01") + pd.to_timedelta(np.round(365.25 * at), unit="D"))
    expected = 90 / 12 * growth ** (3 + 1 / 24)
    assert against_season(records, forecast_of(0.6 * expected, 1.4 * expected)) is None


def read_world(world, change=lambda deals, events: (deals, events)):
    deals, events = change(*tables_of_world(world, draw(world, np.random.default_rng(3))))
    return fk.read(deals, events, stages=list(STAGES), as_of=world.as_of)


def test_one_deal_that_holds_most_of_the_open_amount_is_named():
    def giant(deals, events):
        one = deals.index[deals["status"] == "open"][-1]
        deals.loc[one, "amount"] = 1e9
        return deals.assign(account=np.where(deals.index == one, "Osprey", "Halden")), events

    page = report.summary(read_world(World(years=1.0), giant))
    assert "One deal (Osprey) makes up 99% of the open amount." in words_of(page)
    assert "% of the open amount" not in words_of(report.summary(read_world(World(years=1.0))))


def test_won_deals_without_amounts_are_forecast_by_their_number():
    def unpriced(deals, events):
        return deals.assign(amount=deals["amount"].mask(deals["status"] == "won"), currency="EUR"), events

    pipeline = read_world(World(), unpriced)
    page = report.summary(pipeline, *answers_of(pipeline))
    tile = page.page.tiles[-1]
    assert str(tile.figure).endswith(" wins")
    assert "band held the wins in" in words_of(page) and "held the money" not in words_of(page)


def test_an_export_without_losses_says_so():
    def winners(deals, events):
        kept = deals[deals["status"] != "lost"]
        return kept, events[events["deal_id"].isin(kept["deal_id"])]

    page = report.summary(read_world(World(years=1.0), winners))
    assert "The export holds no lost deals" in words_of(page)
    assert "导出中没有输单" in words_of(page, "zh")


def test_redefined_stages_have_no_usual():
    names = {"Talk": "Qualified", "Offer": "Review"}

    def renamed(deals, events):
        late = events["entered_at"] >= "2024-03-01"
        return deals, events.assign(stage=events["stage"].mask(late, events["stage"].replace(names)))

    world = World()
    deals, events = renamed(*tables_of_world(world, draw(world, np.random.default_rng(3))))
    stages = ["Lead", "Talk", "Qualified", "Offer", "Review", "Terms", "Won"]
    pipeline = fk.read(deals, events, stages=stages, as_of=world.as_of)
    spans = find_spans(pipeline)
    redefined = redefined_stages(pipeline, spans)
    assert {str(pipeline.model.stage(one).name) for one in redefined} == {"Talk", "Qualified", "Offer", "Review"}
    rows = stage_facts(DealRecords.of(pipeline), spans, {})
    assert {row.stage.id for row in rows if row.band is None} == redefined
    assert "The stages were redefined about 1 Mar" in words_of(report.summary(pipeline))


def picture_of(recent, usual=(4,) * 12):
    months = pd.date_range("2024-07-01", periods=18, freq="MS")
    counts = np.array([*usual, *recent])
    return WinsByMonth(months, counts, np.zeros(18, bool), Months(counts[-6:], counts[:12]))


def heights(svg, words):
    from xml.etree import ElementTree

    found = ElementTree.fromstring(svg).iter()
    return [float(one.get("y")) for one in found if one.text == words]


def test_the_number_of_a_month_above_its_band_stays_below_the_levels():
    svg = wins_svg(picture_of((1, 5, 20, 5, 4, 7)))
    assert min(heights(svg, "20")) > min(heights(svg, "4.0 a month")) + 12


def test_the_usual_range_stands_where_no_bar_covers_it():
    quiet, busy = picture_of((4,) * 6), picture_of((4, 4, 8, 8, 8, 8))
    assert heights(wins_svg(quiet), "usual 1–9") and heights(wins_svg(busy), "usual 1–9")
    assert 'text-anchor="end"' in wins_svg(quiet).split("usual 1–9")[0].rsplit("<text", 1)[1]
    assert 'text-anchor="start"' in wins_svg(busy).split("usual 1–9")[0].rsplit("<text", 1)[1]
    assert not heights(wins_svg(picture_of((8,) * 6, usual=(8, 2) * 6)), "usual 1–9")


def test_chinese_columns_of_very_large_amounts_count_in_yi():
    with speaking("zh"):
        small, large = ColumnUnit.of([2.4e8], "CNY"), ColumnUnit.of([7.98e9, 6.8e8], "IDR")
        assert (small.word, small.cell(2.4e8)) == ("万", "24,000")
        assert (large.word, large.cell(7.98e9), large.cell(6.8e8)) == ("亿", "79.8", "6.8")


def test_a_remark_on_a_break_outside_of_the_months_compared_is_left_to_the_details():
    pipeline = read_world(World(years=1.0))
    finding = fk.Finding("created_in_bulk", "warn", value="2019-01-01", values={"n": 400, "usual": 3})
    page = report.summary(replace(pipeline, findings=(finding,)))
    assert "1 remark on the data below" in words_of(page) and "400" not in words_of(page)


def test_stages_that_most_deals_skip_are_counted_by_their_entries():
    days = pd.date_range("2024-01-01", "2025-12-30", freq="D")
    moves = [(f"D{i}", stage, day) for i, day in enumerate(days) for stage in ("New", "Done" if i % 10 else "Check")]
    events = pd.DataFrame(moves, columns=["deal_id", "stage", "entered_at"])
    pipeline = fk.read(events, stages=["New", "Check", "Call", "Visit", "Wait", "Done"], as_of=STOP)
    page = report.summary(pipeline)
    shown = {str(row.stage.name): row.n_reached for row in page.page.stages}
    recorded = events[events["entered_at"] >= "2025-01-01"]["stage"].value_counts()
    assert shown == recorded.reindex(shown, fill_value=0).to_dict()
    assert "a stage counts the deals that are recorded in it" in words_of(page)
