"""Breaks in the records: an import, a clear-up and redefined stages are told; rhythms of a business are not."""

import pandas as pd

import funnelkit as fk

STAGES = ["Lead", "Offer", "Won"]


def found_in(deals, events=None, stages=STAGES):
    tables = [deals.assign(stage="Lead")] if events is None else [deals, events]
    return {one.rule: one for one in fk.read(*tables, stages=list(stages), as_of="2025-12-31").findings}


def deals_on(days, status="open", closed=None):
    table = pd.DataFrame({"deal_id": [f"D{i}" for i in range(len(days))], "created_at": days, "status": status})
    return table.assign(closed_at=pd.NaT if closed is None else closed)


def steady(n_days, a_day=3):
    return list(pd.date_range("2025-01-01", periods=n_days).repeat(a_day))


def test_deals_of_an_import_share_their_creation_date():
    found = found_in(deals_on([*steady(60), *[pd.Timestamp("2025-04-01")] * 400]))
    assert found["created_in_bulk"].value == "2025-04-01"
    assert found["created_in_bulk"].values == {"n": 400, "usual": 3}
    assert "400 deals have the creation date 1 April 2025" in found["created_in_bulk"].message("en")


def test_lists_that_come_every_week_are_no_import():
    mondays = list(pd.date_range("2025-01-06", periods=30, freq="7D").repeat(60))
    assert "created_in_bulk" not in found_in(deals_on(mondays))


def test_a_busy_day_is_no_import():
    assert "created_in_bulk" not in found_in(deals_on([*steady(60), *[pd.Timestamp("2025-04-01")] * 45]))


def test_a_clear_up_closes_many_deals_as_lost_on_one_day():
    closed = [*steady(60, a_day=2), *[pd.Timestamp("2025-12-30")] * 120]
    deals = deals_on([pd.Timestamp("2025-01-01") + pd.Timedelta(days=i % 50) for i in range(240)], "lost", closed)
    found = found_in(deals)
    assert found["lost_in_bulk"].values == {"n": 120, "usual": 2}
    assert "lost_in_bulk" not in found_in(deals.assign(status="won"))  # the rush at the end of a year is business


def moves(days, stages):
    return pd.DataFrame([(f"D{i}", stage, day) for i, day in enumerate(days) for stage in stages(day)],
                        columns=["deal_id", "stage", "entered_at"])  # fmt: skip


def test_stages_put_in_place_of_others_are_told_with_the_day():
    days = steady(200, a_day=1)
    turn = pd.Timestamp("2025-04-01")
    events = moves(days, lambda day: ["Lead", "Proposal" if day < turn else "Review", "Won"])
    found = found_in(deals_on(days), events, ["Lead", "Proposal", "Review", "Won"])["stages_replaced"]
    assert (found.value, found.values["last"], found.values["stages"]) == (
        "2025-04-01", "2025-03-31", ["Proposal", "Review"],
    )  # fmt: skip


def test_a_stage_that_dries_up_is_not_replaced():
    days = steady(200, a_day=1)
    events = moves(days, lambda day: ["Lead", "Offer"] if day < pd.Timestamp("2025-04-01") else ["Lead"])
    assert "stages_replaced" not in found_in(deals_on(days), events)
