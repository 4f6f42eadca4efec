"""Deals that are typed in when they close: found where that is a habit, and no stay is taken from them."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from funnelkit.analysis import outcome_curves, time_in_stage
from funnelkit.reading import read
from tests.worlds import World

SMALL = World(years=1.5, per_day=4.0)


def test_stays_of_a_world_half_typed_in_are_those_of_the_other_half():
    pipeline = SMALL.but(backfill=0.5).pipeline(np.random.default_rng(5))
    limit = pipeline.limit("backfilled")
    assert 0.5 < limit.values["n"] / limit.values["n_deals"] < 0.8  # half of all, but more of those closed so far
    marked = pipeline.events.loc[pipeline.events["source"] == "backfilled", "deal_id"].unique()
    spans = (
        pipeline.events[pipeline.events["deal_id"].isin(marked)].groupby("deal_id")["entered_at"].agg(["min", "max"])
    )
    assert ((spans["max"] - spans["min"]) < pd.Timedelta(days=1)).all()
    found = time_in_stage(pipeline)
    for row, mean in zip(found.table.head(4).to_dict("records"), SMALL.stay_days, strict=True):
        truth = gamma.median(SMALL.shape, scale=mean / SMALL.shape)
        assert row["low_days"] * 0.9 < truth < row["high_days"] * 1.1, row["stage"]
    assert found.values["stage"].en == "Offer"  # the longest stay
    assert "whose stages were only entered when they closed" in found.reading()
    assert outcome_curves(pipeline).at(1)["lost"].item() < 0.05, "half of the deals seem to end on their first day"
    assert [finding.rule for finding in pipeline.findings].count("backfilled") == 1


@pytest.mark.parametrize(
    "world",
    [
        SMALL, SMALL.but(shape=0.7), SMALL.but(quarter_end=0.7), SMALL.but(zombie=0.3),
        SMALL.but(stay_days=(1.0, 1.0, 1.0, 1.0), shape=0.7), SMALL.but(stay_days=(0.3, 0.3, 0.3, 40.0), shape=0.7),
    ],
    ids=["constant", "skew", "quarter end", "zombies", "fast", "fast but the last stage"],
)  # fmt: skip
def test_true_moves_are_not_taken_for_typed_in(world):
    assert world.pipeline(np.random.default_rng(6)).limit("backfilled") is None


def test_deals_known_for_weeks_whose_stages_all_bear_the_closing_day():
    """Bare dates, no other deal to compare with: they waited a month and then moved thrice in a day."""
    begun = pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(30), unit="D")
    closed = begun + pd.Timedelta(days=30)
    ids = [f"d{i}" for i in range(30)]
    deals = pd.DataFrame({"deal_id": ids, "created_at": begun, "closed_at": closed, "status": ["won", "lost"] * 15})
    rows = [(ids, "Lead", begun), (ids, "Talk", closed), (ids, "Offer", closed)]
    events = pd.concat([pd.DataFrame({"deal_id": one, "stage": stage, "entered_at": at}) for one, stage, at in rows])
    pipeline = read(deals, events, stages=["Lead", "Talk", "Offer", "Won"])
    assert pipeline.limit("backfilled").values == {"n": 30, "n_deals": 30}
    assert set(pipeline.events.loc[pipeline.events["source"] == "backfilled", "stage"]) == {"Talk", "Offer"}
    assert not time_in_stage(pipeline).table["n"].any()
