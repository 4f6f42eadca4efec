"""What a source cannot tell stops the number in every verb, not only in the one that reads rates."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis import count_stages, rate_table, stage_losses
from funnelkit.analysis.accounts import account_figures
from funnelkit.language import DataError
from funnelkit.planning import state_table
from funnelkit.reading import read
from funnelkit.report import find_bottleneck
from funnelkit.result import LimitError

CREATED, CLOSED = pd.Timestamp("2026-01-05"), pd.Timestamp("2026-02-05")
STAGES = ["Lead", "Offer", "Won"]


def source(lost_stage, n_lost=20, n_won=20):
    """Return deals of which 20 are open in each stage; the stage of the lost ones is what their column says."""
    stage = [*[lost_stage] * n_lost, *["Won"] * n_won, *["Lead", "Offer"] * 20]
    status = [*["lost"] * n_lost, *["won"] * n_won, *["open"] * 40]
    deals = pd.DataFrame({"deal_id": np.arange(len(stage)).astype(str), "stage": stage, "status": status})
    deals = deals.assign(created_at=CREATED, closed_at=CLOSED, amount=10.0, account="A", lost_reason="Price")
    deals.loc[deals["status"] == "open", "closed_at"] = pd.NaT
    return read(deals, stages=STAGES)


@pytest.mark.parametrize("pipeline", [source("Closed Lost"), source("Lead", n_lost=0)], ids=["nowhere", "none lost"])
def test_no_verb_gives_a_stage_rate_that_the_source_cannot_carry(pipeline):
    assert rate_table(pipeline).table["rate"].head(2).isna().all()
    for verb in (find_bottleneck, lambda pipeline: stage_losses(pipeline, ["Price"])):
        with pytest.raises(LimitError):
            verb(pipeline)
    assert "intent" not in account_figures(pipeline)
    assert "100.0% [" not in count_stages(pipeline).chart().alt + rate_table(pipeline).chart().alt
    with pytest.raises(DataError):  # a model of one's own has no states
        state_table(pipeline)


def test_where_the_source_tells_the_stage_all_answer():
    pipeline = source("Offer")
    assert rate_table(pipeline).table["rate"].head(2).notna().all()
    assert len(find_bottleneck(pipeline).table) == 2 and "intent" in account_figures(pipeline)
    assert stage_losses(pipeline, ["Price"]).table["n_lost"].tolist() == [20]


def test_states_fall_back_to_the_probabilities_of_the_model():
    """Of the catalogue's eight steps: without the stage of the losses the data tell nothing about a later state."""
    from funnelkit.models import funnel

    model = funnel("industrial-8")
    stage = [*["Closed Lost"] * 40, *[model.stage_ids[-1]] * 40, *model.stage_ids[:-1] * 5]
    deals = pd.DataFrame({"deal_id": np.arange(len(stage)).astype(str), "stage": stage}).assign(
        status=[*["lost"] * 40, *["won"] * 40, *["open"] * (len(stage) - 80)], created_at=CREATED, amount=10.0
    )
    table = state_table(read(deals, model=model)).table
    assert set(table["basis"]) == {"model"} and table["rate"].iloc[1:].isna().all()
    assert table["rate"].iloc[0] == 0.5  # of all deals; that they began is known
