import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.losses import churn_ratio, split_losses, stage_losses, synthesize_losses
from funnelkit.language.errors import DataError
from funnelkit.models import case
from funnelkit.reading.read import read
from funnelkit.synth.generate import synthesize


def test_the_truth_comes_out_again_and_the_bottleneck_is_found():
    for seed in range(10):
        losses, truth = synthesize_losses(np.random.default_rng(seed))
        found = split_losses(losses)
        table = found.table.set_index("link")
        assert np.allclose(table["within"], truth["within"], atol=0.02) and np.allclose(
            table["beyond"], truth["beyond"], atol=0.02
        )
        assert found.reading().startswith("Bottleneck: Install.") and found.reading("zh").startswith("瓶颈：“Install”")
        assert "The largest loss is at Aware" in found.reading()
        assert losses["synthetic"].all()


def test_parts_sum_and_regained_is_what_stopping_the_leak_brings():
    losses, _ = synthesize_losses(np.random.default_rng(1))
    table = split_losses(losses).table
    assert (table["n_within"] + table["n_beyond"] == table["n_lost"]).all()
    assert np.abs(table["within"] + table["beyond"] - table["lost"]).max() < 1e-12
    kept = 1 - table["lost"]
    for at in range(len(table)):
        stopped = kept.copy()
        stopped[at] += table["within"][at]
        gained = table["n"][0] * (stopped.prod() - kept.prod())
        assert table["regained"][at] == pytest.approx(gained)


def test_losses_of_a_pipeline_keep_every_lost_deal():
    made = synthesize(rng=3, n_deals=800)
    pipeline = read(made.deals, made.events, model=made.model, as_of=made.as_of)
    losses = stage_losses(pipeline, ["Competitor", "Price"])
    assert losses.table["n_lost"].sum() == (made.deals["status"] == "lost").sum()
    assert split_losses(losses).table["link"].tolist() == list(pipeline.model.stage_ids[:-1])
    assert "Bottleneck: Solution confirmed." in split_losses(losses).reading(), "stages bear their names"


def test_disconnections_of_the_case_against_invented_additions():
    figures = case("telecom").table().groupby("year")["disconnections"].sum()
    assert figures.tolist() == [5097, 9702, 8104]
    invented = pd.DataFrame(
        {"period": figures.index, "additions": [40_000, 39_100, 39_000], "disconnections": figures.to_numpy()}
    )
    found = churn_ratio(invented)
    assert found.table["alarm"].tolist() == [False, True, True]
    assert (
        "above 20%" in found.reading()
        and "show no clear change" in found.reading()
        and "高于 20%" in found.reading("zh")
    )


def test_bad_tables_are_refused_in_words():
    losses, _ = synthesize_losses(np.random.default_rng(1))
    with pytest.raises(DataError, match="no column named 'within'"):
        split_losses(losses.drop(columns="within"))
    with pytest.raises(DataError, match="loses 40000 of 20000"):
        split_losses(losses.assign(n_lost=20_000))
    with pytest.raises(DataError, match="different numbers"):
        split_losses(losses.assign(n=range(50_000, 50_000 + len(losses))))


@pytest.mark.slow
def test_ratio_interval_covers(capsys):
    rng = np.random.default_rng(4)
    table = pd.DataFrame(
        {"period": range(2000), "additions": rng.poisson(1500, 2000), "disconnections": rng.poisson(360, 2000)}
    )
    found = churn_ratio(table).table
    coverage = ((found["low"] <= 0.24) & (found["high"] >= 0.24)).mean()
    with capsys.disabled():
        print(f"\nDisconnections per addition, 360 of 1,500: coverage {coverage:.4f} (2,000 runs, seed 4)")
    assert 0.93 <= coverage <= 0.97
