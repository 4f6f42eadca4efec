"""The what-if card: what it stands on is the verb's; its challenge has one way through."""

import itertools

import pandas as pd
import pytest

from funnelkit.explore import WhatIf
from funnelkit.models import catalog, custom, funnel
from funnelkit.planning import what_if


def test_rates_and_result_follow_the_state():
    panel = WhatIf(funnel("industrial-8"), 1000, 50_000)
    panel.state = {"negotiation": 0.9, "volume": 1200}
    assert panel.rates["negotiation"] == 0.9 and len(panel.rates) == 7
    alone = what_if(funnel("industrial-8"), {"negotiation": 0.9, "volume": 1200}, 1000, 50_000)
    pd.testing.assert_frame_equal(panel.table.drop(columns="stage"), alone.table.drop(columns="stage"))


@pytest.mark.parametrize("rates", [[0.75, 0.7, 0.7, 0.65, 0.7, 0.75, 0.85], [0.2, 0.4, 0.6], [0.9, 0.95, 1.0]])
def test_the_challenge_is_met_by_one_stage_only(rates):
    """Brute force over every whole-point change of one rate within the rules."""
    table = pd.DataFrame({"stage": [*"abcdefgh"][: len(rates) + 1], "rate": [*rates, None]})
    panel = WhatIf(table)
    limit = round(100 * panel.spec["challenge"]["rule"]["points"])
    met = set()
    for stage, points in itertools.product(panel.rates.index, range(1, limit + 1)):
        panel.reset()
        raised = panel.state[stage] + points / 100
        if raised <= 1:
            panel.state = {stage: raised}
            met |= {stage} if panel.challenge.met else set()
    assert met == {table["stage"][rates.index(min(rates))]}
    panel.reset()
    panel.state = {"volume": 2000}
    assert panel.challenge.status == "outside"


def test_a_target_is_reached_without_the_top():
    panel = WhatIf(funnel("simple-5"), 100, target=12)
    assert "12" in panel.spec["challenge"]["text"]["en"] and not panel.challenge.met
    panel.state = dict.fromkeys(panel.rates.index, 0.95)
    assert panel.challenge.met


def test_every_model_with_rates_has_a_card():
    made = 0
    for model in catalog():
        if model.kind == "pipeline" and any(stage.rate is not None for stage in model.stages):
            panel = WhatIf(model)
            assert len(panel.spec["stages"]) == len(model.stages) and len(panel.rates) >= 3
            made += 1
    assert made >= 2


def test_counts_that_grow_and_stages_of_ones_own():
    influence = funnel("influence")
    rates = pd.DataFrame({"stage": influence.stage_ids, "rate": [0.9, 0.5, 4.0, None], "n": 0})
    panel = WhatIf(rates, 100, model=influence)
    panel.state = {"share": 6.0}
    assert panel.table["n"].iloc[-1] == pytest.approx(100 * 0.9 * 0.5 * 6)
    own = custom(["Lead", "Offer", "Won"], won_stage="Won")
    panel = WhatIf(pd.DataFrame({"stage": ["Lead", "Offer", "Won"], "rate": [0.5, 0.4, 1.0]}), model=own)
    assert "fk.custom(['Lead', 'Offer', 'Won'], won_stage='Won')" in panel.to_python()


def test_a_page_of_ones_own_funnel(tmp_path, capsys):
    """`funnelkit new FILE --page` writes one file with the sliders of this funnel, and never over another."""
    from funnelkit.cli import main
    from funnelkit.language import sample_files

    out = tmp_path / "mine.html"
    asked = [
        "new",
        *map(str, sample_files()[:1]),
        "--stages",
        "industrial-8",
        "--page",
        "--target",
        "250",
        "--out",
        str(out),
    ]
    assert main(asked) == 0 and capsys.readouterr().out.strip() == str(out)
    text = out.read_text(encoding="utf-8")
    assert "Reach 250 wins" in text and "Content-Security-Policy" in text and '"currency": "CNY"' in text
    before = out.stat().st_mtime_ns
    assert main(asked) != 0 and out.stat().st_mtime_ns == before
