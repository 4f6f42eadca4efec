"""Promotion rates: incidences where stays are timed, bounds where the stage of losses is not recorded, plain counts."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis import count_stages, rate_table
from funnelkit.language import DataError
from funnelkit.reading import read
from funnelkit.stats import wilson
from tests.analysis.test_win_rate import quick_pipeline
from tests.worlds import World

STAGES = ["Lead", "Offer", "Won"]


def deals_of(rows, **how):
    return read(pd.DataFrame(rows, columns=["deal_id", "stage", "created_at", "closed_at"]), stages=STAGES, **how)


def lost_nowhere(n_lost, n_open=1, n_won=3):
    """Return deals of an export whose lost deals bear no stage but `Closed Lost`."""
    rows = [(f"l{i}", "Closed Lost", "2026-01-05", "2026-02-05") for i in range(n_lost)]
    rows += [(f"w{i}", "Won", "2026-01-05", "2026-02-05") for i in range(n_won)]
    return deals_of([*rows, *((f"o{i}", "Offer", "2026-01-09", None) for i in range(n_open))])


def test_the_mean_over_histories_is_the_true_rate_of_each_stage():
    """A year of records in which losses come three times faster: eight histories, within three standard errors."""
    world = World(years=1.0, loss_speed=3.0, stay_days=(30.0, 45.0, 55.0, 40.0))
    rng, found = np.random.default_rng(3), []
    for _ in range(8):
        pipeline = quick_pipeline(world, rng)
        table = rate_table(pipeline).table.head(4)
        assert (table["basis"] == "incidence").all() and (table["horizon_days"] > 30).all()
        assert ((table["floor"] <= table["rate"]) & (table["rate"] <= table["ceiling"])).all()
        raw = rate_table(count_stages(pipeline).table).table.head(4)
        found.append((table["rate"], raw["rate"]))
    rates, raw = (np.array(part) for part in zip(*found, strict=True))
    assert (np.abs(rates.mean(axis=0) - world.advance) < 3 * rates.std(axis=0) / 8**0.5 + 0.005).all()
    assert (raw.mean(axis=0) < np.array(world.advance) - 0.01).all(), "those who have left alone read too low"


@pytest.mark.slow
def test_stage_rates_are_the_truth(record_property):
    world = World(years=1.0, loss_speed=3.0)
    rng, rows = np.random.default_rng(4), []
    for _ in range(200):
        table = rate_table(quick_pipeline(world, rng)).table.head(4)
        rows.append([*table["rate"], *((table["low"] <= world.advance) & (world.advance <= table["high"]))])
    means, covered = np.array(rows, float).mean(axis=0).reshape(2, 4)
    for stage, truth, mean, held in zip("LTOT", world.advance, means, covered, strict=True):
        record_property(f"stage rate {stage}", f"truth {truth:.3f}, mean {mean:.3f}, interval holds {held:.3f}")
    assert np.abs(means - world.advance).max() < 0.02
    assert ((covered >= 0.90) & (covered <= 0.98)).all()


def test_a_skipped_stage_counts_as_passed_and_by_gives_each_segment_its_rates():
    model_rows = {"deal_id": list("abcdef"), "team": list("NNNSSS")}
    begun = pd.Timestamp("2026-01-01")
    deals = pd.DataFrame(model_rows).assign(
        created_at=begun, status=["won", "lost", "open"] * 2, closed_at=[begun + pd.Timedelta(days=9)] * 6
    )
    deals.loc[deals["status"] == "open", "closed_at"] = pd.NaT
    events = pd.DataFrame({"deal_id": list("abcdef"), "stage": "Lead", "entered_at": begun})
    pipeline = read(deals, events, stages=STAGES, as_of="2026-02-01")
    table = rate_table(count_stages(pipeline, "team")).table.set_index(["team", "stage"])
    for team in "NS":
        lead, offer = table.loc[(team, "Lead")], table.loc[(team, "Offer")]
        assert (lead["k"], lead["n"], lead["basis"]) == (1, 3, "incidence")
        assert (offer["k"], offer["n"]) == (1, 1), "the win passed it on its way"


def test_losses_nobody_knows_where_are_a_row_and_the_stages_have_bounds():
    pipeline = lost_nowhere(3)
    counts = count_stages(pipeline).table.set_index("stage")
    assert counts.loc["stage_unknown", ["n_entered", "n_lost"]].tolist() == [3, 3]
    assert counts.loc["Lead", ["n_entered", "n_advanced", "n_lost", "n_open"]].tolist() == [7, 4, 0, 0]
    for counted in (count_stages(pipeline), count_stages(pipeline).table, pipeline):
        table = rate_table(counted).table.set_index("stage")
        assert table.loc["Lead", ["k", "n", "floor", "ceiling", "basis"]].tolist() == [4, 4, 4 / 7, 1.0, "unknown"]
        assert table.loc["Offer", ["floor", "ceiling"]].tolist() == [3 / 7, 1.0]
        assert table.loc[["Lead", "Offer"], ["rate", "low", "high"]].isna().all(axis=None)
        assert list(table.index) == STAGES


def test_a_few_such_losses_only_widen_the_interval():
    """One of 101 deals was lost nobody knows where: wherever it was, the interval holds the rate."""
    rows = [(f"l{i}", "Lead", "2026-01-05", "2026-02-05", "lost") for i in range(50)]
    rows += [(f"w{i}", "Won", "2026-01-05", "2026-02-05", "won") for i in range(50)]
    rows += [("x", "Closed Lost", "2026-01-05", "2026-02-05", "lost")]
    deals = pd.DataFrame(rows, columns=["deal_id", "stage", "created_at", "closed_at", "status"])
    row = rate_table(read(deals, stages=STAGES)).table.iloc[0]
    assert (row["rate"], row["basis"]) == (0.5, "decided")
    assert row["low"] == pytest.approx(wilson(50, 101)[0]) and row["high"] == pytest.approx(wilson(51, 101)[1])


def test_segments_have_their_own_unknown_losses():
    rows = [(f"l{i}", "Closed Lost", "2026-01-05", "2026-02-05", "N") for i in range(3)]
    rows += [(f"w{i}{t}", "Won", "2026-01-05", "2026-02-05", t) for i in range(3) for t in "NS"]
    rows += [(f"m{i}", "Lead", "2026-01-05", "2026-02-05", "S") for i in range(3)]
    deals = pd.DataFrame(rows, columns=["deal_id", "stage", "created_at", "closed_at", "team"])
    deals["status"] = np.where(deals["stage"] == "Won", "won", "lost")
    table = rate_table(count_stages(read(deals, stages=STAGES), "team")).table.set_index(["team", "stage"])
    assert table.loc[("N", "Lead"), "basis"] == "unknown" and table.loc[("N", "Lead"), "floor"] == 0.5
    assert table.loc[("S", "Lead"), ["rate", "basis"]].tolist() == [0.5, "decided"]


def test_without_losses_a_stage_has_no_rate_in_table_or_picture():
    rows = [(f"w{i}", "Won", "2026-01-05", "2026-02-05") for i in range(6)]
    pipeline = deals_of([*rows, *((f"o{i}", "Lead", "2026-02-01", None) for i in range(18))])
    counts = count_stages(pipeline)
    assert counts.table["n_lost"].isna().all()
    for counted in (pipeline, counts, counts.table):
        table = rate_table(counted).table
        assert table["rate"].isna().all() and (table["basis"] == "unknown").all()
    assert "6 of 24 so far" in counts.chart().alt and "%" not in counts.chart().alt
    assert "The source does not tell the rate of any stage" in rate_table(pipeline).reading()


def test_plain_counts_give_rates_of_all_who_entered():
    counts = pd.DataFrame({"stage": list("abc"), "n_entered": [100, 70, 40]})
    table = rate_table(counts).table
    assert table["k"].tolist() == [70, 40, 0] and table["n"].tolist() == [100, 70, 0]
    assert table["rate"].head(2).tolist() == [0.7, 40 / 70] and (table["basis"] == "share").all()
    parts = pd.concat([counts.assign(region=name) for name in "NS"])[["region", "stage", "n_entered"]]
    assert rate_table(parts).table["k"].tolist() == [70, 40, 0] * 2


@pytest.mark.parametrize(
    ("given", "k", "n", "basis"),
    [
        ({"n_advanced": [6, 3]}, [6, 3], [10, 6], "share"),
        ({"n_advanced": [6, 3], "n_open": [2, 1]}, [6, 3], [8, 5], "decided"),
        ({"n_lost": [4, 3], "n_open": [0, 1]}, [6, 2], [10, 5], "decided"),
        ({"n_advanced": [6, 3], "n_lost": [2, 1]}, [6, 3], [8, 4], "decided"),
    ],
)
def test_counts_with_a_column_missing_use_what_they_have(given, k, n, basis):
    table = rate_table(pd.DataFrame({"stage": ["a", "b"], "n_entered": [10, 6], **given})).table
    assert (table["k"].tolist(), table["n"].tolist(), set(table["basis"])) == (k, n, {basis})


def test_what_gives_no_rates_is_refused_with_what_is_needed():
    with pytest.raises(DataError, match="n_entered of each stage in order, or n_advanced and n_lost"):
        rate_table(pd.DataFrame({"stage": ["a"], "rate": [0.5]}))
    with pytest.raises(DataError, match="growth_table"):
        rate_table(pd.DataFrame({"stage": ["a", "b"], "n_entered": [10, 30]}))
    assert rate_table(pd.DataFrame({"stage": [], "n_entered": []})).table.empty


def test_stages_that_share_the_lowest_rate_are_all_named():
    counts = {"stage": ["Lead", "Offer", "Talk", "Won"], "n_entered": [100, 50, 25, 20], "n_advanced": [50, 25, 20, 20]}
    table = pd.DataFrame(counts).assign(n_lost=[50, 25, 5, 0], n_open=0)
    found = rate_table(read(table, stages=table["stage"].tolist()))
    assert found.sentences("en")[0] == "The lowest promotion rate, 50.0%, is shared by 'Lead' and 'Offer'."
    assert found.sentences("zh")[0] == "升迁率最低的阶段不止一个，均为 50.0%：“Lead”和“Offer”。"
