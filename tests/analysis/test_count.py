"""Counting deals by the furthest stage that each reached."""

from dataclasses import replace

import numpy as np
import pandas as pd

from funnelkit.analysis.count import count_stages
from funnelkit.models.funnel import custom
from funnelkit.pipeline import Pipeline

COUNTS = ["n_entered", "n_advanced", "n_lost", "n_open"]


def test_deals_count_up_to_their_furthest_stage():
    model = replace(custom(["Lead", "Offer", "Won"]), won_stage="Won")
    deals = pd.DataFrame(
        {
            "deal_id": list("abcde"),
            "status": ["won", "lost", "open", "void", "open"],
            "amount": [5.0, 3.0, np.nan, 9.0, 1.0],
            "team": ["N", "N", "S", "S", None],
        }
    )
    stage = pd.Categorical(["Lead", "Offer", "Lead", "Won"], categories=model.stage_ids, ordered=True)
    pipeline = Pipeline(
        model, deals, pd.DataFrame({"deal_id": list("abcd"), "stage": stage}), pd.Timestamp("2026-01-01")
    )
    table = count_stages(pipeline).table
    assert table[COUNTS].to_numpy().tolist() == [[4, 2, 0, 2], [2, 1, 1, 0], [1, 1, 0, 0]]
    assert table["value"].tolist() == [9.0, 8.0, 5.0]
    by_team = count_stages(pipeline, by="team").table
    assert by_team.groupby("team", dropna=False)["n_entered"].first().tolist() == [2, 1, 1]
