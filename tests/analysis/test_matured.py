"""A matured cohort: by hand from what each deal reached, in a world whose truth is known, and refused without times."""

from dataclasses import replace

import pandas as pd
import pytest

from funnelkit.analysis import count_stages, review_people, win_rate
from funnelkit.language import DataError
from funnelkit.reading import read
from funnelkit.result import LimitError
from funnelkit.synth import sample

DEALS = pd.DataFrame(
    {
        "deal_id": ["a", "b", "c", "d", "e", "f"],
        "created_at": pd.to_datetime(
            ["2025-01-01", "2025-01-01", "2025-01-01", "2025-12-01", "2025-01-01", "2025-12-05"]
        ),
        "closed_at": pd.to_datetime(["2025-03-01", None, "2025-12-20", None, "2025-02-01", "2025-12-07"]),
        "status": ["won", "open", "won", "open", "void", "lost"],
        "stage": ["Won", "Offer", "Won", "Lead", "Lead", "Lead"],
    }
)
EVENTS = pd.DataFrame(
    {
        "deal_id": ["a", "a", "b", "b", "c", "d", "f"],
        "stage": ["Lead", "Won", "Lead", "Offer", "Lead", "Lead", "Lead"],
        "entered_at": pd.to_datetime(
            ["2025-01-01", "2025-03-01", "2025-01-01", "2025-06-01", "2025-01-01", "2025-12-01", "2025-12-05"]
        ),
    }
)


def small():
    return read(DEALS, EVENTS, stages=["Lead", "Offer", "Won"], won=["Won"], as_of="2025-12-31")


def test_what_was_reached_and_when():
    reached = small().reached("stage")
    rows = [tuple(row) for row in reached[["deal_id", "stage", "reached_at"]].astype(str).to_numpy()]
    assert rows == [
        ("a", "Lead", "2025-01-01"), ("a", "Offer", "2025-03-01"), ("a", "Won", "2025-03-01"),
        ("b", "Lead", "2025-01-01"), ("b", "Offer", "2025-06-01"),
        ("c", "Lead", "2025-01-01"), ("c", "Offer", "2025-12-20"), ("c", "Won", "2025-12-20"),
        ("d", "Lead", "2025-12-01"), ("f", "Lead", "2025-12-05"),
    ]  # fmt: skip
    first = reached[reached["stage"] == "Lead"]
    assert first["days_to_win"].dropna().tolist() == [59.0, 353.0] and first["days_to_win"].isna().sum() == 3
    assert first["days_seen"].tolist() == [364.0, 364.0, 364.0, 30.0, 26.0]


def test_as_many_reached_a_stage_as_are_counted_there():
    pipeline = sample()
    reached = pipeline.reached("stage").groupby("stage", observed=False).size()
    assert reached.tolist() == count_stages(pipeline).table["n_entered"].tolist()
    states = pipeline.reached("state").groupby("state", observed=False).size()
    assert states.tolist() == [reached.iloc[0], reached.iloc[2], reached.iloc[5]]


@pytest.mark.parametrize(("within", "k", "n"), [(30, 0, 4), (60, 1, 3), (360, 2, 3)])
def test_a_deal_counts_once_it_was_watched_for_all_days(within, k, n):
    row = win_rate(small(), within=within).table.iloc[0]
    assert (row["k"], row["n"], row["basis"], row["horizon_days"]) == (k, n, "matured", within)


@pytest.mark.parametrize("within", [60, 180, 500])
def test_by_hand_from_what_was_reached(within):
    pipeline = sample()
    reached = pipeline.reached("state")
    matured = reached[reached["days_seen"] >= within]
    won = matured["days_to_win"] <= within
    by_hand = won.groupby(matured["state"], observed=False).mean()
    found = win_rate(pipeline, "state", within)
    assert found.against(by_hand).reading() == "Computed by hand and by the kit: the same in every row."
    assert f"Won within {within} days of reaching the state: Search" in found.reading()


def test_by_a_column_of_the_deals():
    pipeline = sample()
    table = win_rate(pipeline, "team", within=365).table
    whole = win_rate(pipeline, within=365).table
    assert table[["k", "n"]].sum().tolist() == whole[["k", "n"]].iloc[0].tolist()


def test_a_column_of_the_kit_has_no_capital_in_a_sentence_and_ones_own_keeps_it():
    pipeline = sample()
    own = replace(pipeline, deals=pipeline.deals.rename(columns={"industry": "Sales Region"}))
    both = win_rate(own, ["owner", "Sales Region"], within=365)
    assert "of creation, by owner and Sales Region (" in both.reading()
    assert "按负责人和 Sales Region" in both.reading("zh")
    assert both.chart().alt.startswith("Do win rates differ by owner and Sales Region?")
    assert "allow for the mix of deals by lost reason." in review_people(pipeline, mix=["lost_reason"]).reading()


def test_the_order_is_said_only_where_every_interval_bears_it():
    assert "Each interval lies above the one before it." in win_rate(sample(), "state", 365).sentences()
    assert any("overlap" in one for one in win_rate(small(), "stage", 30).sentences())


def test_an_empty_cohort_and_a_source_without_open_deals_have_no_rate():
    empty = win_rate(sample(), "state", 5000)
    assert empty.reading() == "No deal has been observed for 5,000 days yet. Choose a smaller `within`."
    assert empty.against([0.1, 0.2, 0.3]) is empty
    with pytest.raises(DataError, match="observed for 5,000 days"):
        _ = empty.table
    with pytest.raises(DataError, match="above 0"):
        win_rate(sample(), within=0)
    closed = DEALS[DEALS["status"].isin(["won", "lost"])]
    with pytest.raises(LimitError):
        win_rate(read(closed, stages=["Lead", "Offer", "Won"]), within=30)
    with pytest.raises(DataError, match="no column named 'stgae'"):
        sample().reached("stgae")
