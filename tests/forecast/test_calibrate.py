"""Calibration: exact where all is closed, unbiased where deals are still open, and the parts of Brier's score sum."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.forecast.calibrate import calibrate, murphy
from funnelkit.language.errors import CatalogError, DataError
from funnelkit.models.funnel import funnel
from funnelkit.pipeline import Limit
from funnelkit.result import LimitError
from funnelkit.synth.generate import as_pipeline, synthesize
from tests.support.histories import pipeline
from tests.worlds import STAGES, World

SELLING = {"first-contact": 0.5, "needs-analysis": 0.5, "value-proposition": 0.5, "negotiation": 0.6}


def growing(seed=1, n=4_000):
    """Return one-stage deals of which 30% win after 40 days and the rest lose after 10, ever more of them begun."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp("2025-01-01")
    born = 364 * np.sqrt(rng.random(n))
    won = rng.random(n) < 0.3
    last = born + np.where(won, rng.gamma(20, 2, n), rng.gamma(20, 0.5, n))
    closed = last < 364
    status = np.where(closed, np.where(won, "won", "lost"), "open")
    at = [first + pd.to_timedelta(one, unit="D") for one in (born, last)]
    deals = [(f"D{row}", status[row], at[0][row], at[1][row] if closed[row] else None, 1.0) for row in range(n)]
    return pipeline(deals, [(f"D{row}", "Lead", at[0][row]) for row in range(n)], stages=("Lead", "Won"))


def test_open_deals_do_not_bias_the_share():
    row = calibrate(growing(), {"Lead": 0.3}).table.iloc[0]
    assert row["closed_only"] < 0.26  # fast losses: closed deals alone mislead
    assert row["observed"] == pytest.approx(0.3, abs=0.025)
    assert row["low"] < 0.3 < row["high"]
    assert row["verdict"] == "fits"
    print(f"truth 30.0%: closed deals only {row['closed_only']:.1%}, with open deals {row['observed']:.1%}")


def test_plain_shares_where_everything_is_closed():
    deals = [(f"D{row}", "won" if row < 12 else "lost", "2025-01-01", f"2025-02-{1 + row % 28:02d}", 1.0)
             for row in range(40)]  # fmt: skip
    history = pipeline(deals, [(f"D{row}", "Lead", "2025-01-01") for row in range(40)], stages=("Lead", "Won"))
    row = calibrate(history, {"Lead": 0.5}).table.iloc[0]
    assert row["n"] == 40
    assert row["n_won"] == 12
    # Read where ten are still watched, so the last few losses and wins are undecided.
    assert row["observed"] <= 12 / 40 <= row["observed"] + row["undecided"]
    assert row["brier"] == pytest.approx(0.25)


def test_selling_5_against_a_known_truth():
    days = dict.fromkeys(SELLING, 20.0)
    plain = {"change": None, "stall": None, "void_share": 0, "skip_share": 0}
    made = as_pipeline(synthesize("b2b-8", 7, model="selling-5", rates=SELLING, duration_days=days, **plain))
    found = calibrate(made)
    table = found.table.set_index("stage")
    assert table["probability"].to_dict() == {
        stage: funnel("selling-5").win_chance(stage) for stage in funnel("selling-5").stage_ids[:-1]
    }
    assert table.loc["negotiation", "verdict"] == "too_low"  # stated 0.5 on entering, true about 0.6
    assert table.loc["first-contact", "verdict"] == "too_low"  # stated 0
    assert "Stated too low:" in found.reading()
    assert "定得过低：" in found.reading("zh")


def test_true_probabilities_fit_and_scores_rank_them_first():
    made = as_pipeline(synthesize("b2b-8", 11, n_deals=8_000, change=None, stall=None, void_share=0))
    observed = calibrate(made, dict.fromkeys(made.model.stage_ids[:-1], 0.5)).table.set_index("stage")["observed"]
    fitting, flat = calibrate(made, observed.to_dict()), calibrate(made, dict.fromkeys(observed.index, 0.3))
    assert set(fitting.table["verdict"]) == {"fits"}
    assert murphy(fitting.table)["brier"] < murphy(flat.table)["brier"]
    assert murphy(fitting.table)["reliability"] == pytest.approx(0)
    for table in (fitting.table, flat.table):
        parts = murphy(table)
        total = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
        assert total == pytest.approx(parts["brier"], abs=1e-12)


def test_stage_that_only_holds_open_deals_is_not_yet_known():
    deals = [("a", "open", "2025-12-01", None, 1.0), ("b", "won", "2025-01-01", "2025-02-01", 1.0),
             ("c", "lost", "2025-01-01", "2025-02-01", 1.0)]  # fmt: skip
    events = [("a", "Offer", "2025-12-01"), ("b", "Lead", "2025-01-01"), ("c", "Lead", "2025-01-01")]
    table = calibrate(pipeline(deals, events), {"Lead": 0.5, "Offer": 0.5}).table.set_index("stage")
    assert table.loc["Offer", "verdict"] == "not_yet_known"
    assert table.loc["Lead", "n_open"] == 0


def test_errors():
    history = growing(n=50)
    with pytest.raises(DataError, match="states no win probability"):
        calibrate(history)
    with pytest.raises(DataError, match=r"stage Lead is 1\.5"):
        calibrate(history, {"Lead": 1.5})
    with pytest.raises(CatalogError, match="no stage named 'Leed'"):
        calibrate(history, {"Leed": 0.5})
    with pytest.raises(LimitError, match="calibration of stage probabilities"):
        calibrate(type(history)(history.model, history.deals, history.events, history.as_of,
                                limits=(Limit("no_outcome"),)))  # fmt: skip


@pytest.mark.parametrize("runs", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_true_probabilities_are_rarely_called_wrong(runs, capsys):
    """Four stages whose stated chances are the true ones: any wrong verdict in at most 5 %, all taken together."""
    rng, world = np.random.default_rng(21), World(years=1.5, per_day=2.0)
    chances = np.cumprod(world.advance[::-1])[::-1]
    stated = dict(zip(STAGES, chances, strict=False))
    wrong = [calibrate(world.pipeline(rng), stated).table["verdict"].isin(["too_low", "too_high"]).any()
             for _ in range(runs)]  # fmt: skip
    error = np.sqrt(0.05 * 0.95 / runs)
    with capsys.disabled():
        print(f"\nTrue chances of four stages: a wrong verdict in {sum(wrong)} of {runs} (standard error {error:.3f})")
    assert np.mean(wrong) <= 0.05 + 2 * error


def test_the_interval_shown_is_the_one_that_judges():
    table = calibrate(growing(), {"Lead": 0.3}).table
    inside = (table["low"] <= table["probability"]) & (table["probability"] <= table["high"])
    assert (inside == (table["verdict"] == "fits")).all()
    alone = calibrate(World().pipeline(np.random.default_rng(5)), {"Terms": 0.485}).table.iloc[0]
    four = calibrate(World().pipeline(np.random.default_rng(5)), dict.fromkeys(STAGES[:4], 0.485)).table.iloc[3]
    assert four["low"] <= alone["low"] and four["high"] >= alone["high"]
