"""The what-if card: what it stands on is the verb's; its challenge has one way through."""

import itertools

import pandas as pd
import pytest

from funnelkit.analysis import win_rate
from funnelkit.explore import WhatIf
from funnelkit.language import DataError
from funnelkit.models import catalog, custom, funnel
from funnelkit.planning import what_if
from funnelkit.reading import read


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


def test_a_funnel_without_wins_asks_for_none():
    table = pd.DataFrame({"stage": ["a", "b", "c"], "rate": [0.1, 0.3, None]})
    for target in (None, 1, 100):
        assert "win" not in WhatIf(table, 1000, target=target).spec["challenge"]["text"]["en"].lower()


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


def export(stages, ends):
    """Return an export without a log: 10 deals for each (stage, status), a week apart, closed after a month."""
    rows = [pair for pair in ends for _ in range(10)]
    table = pd.DataFrame(rows, columns=["Stage", "Status"])
    table["Deal ID"] = [f"D{at}" for at in range(len(table))]
    table["Created"] = pd.Timestamp("2025-01-06") + pd.to_timedelta(7 * (table.index % 10), unit="D")
    table["Closed"] = (table["Created"] + pd.Timedelta(days=30)).where(table["Status"] != "open")
    return read(table, stages=stages, as_of="2025-06-30")


def test_ones_own_stages_that_end_before_the_win_are_led_to_it():
    """Of 40 deals 10 are lost in each stage and 10 are won: 2/3 and then 1/2 of those that have left it."""
    ends = [("Lead", "lost"), ("Talk", "lost"), ("Talk", "won"), ("Lead", "open")]
    panel = WhatIf.of(export(["Lead", "Talk"], ends))
    assert [stage["id"] for stage in panel.spec["stages"]] == ["Lead", "Talk", "won"]
    assert panel.rates.tolist() == pytest.approx([2 / 3, 1 / 2])
    assert panel.table["n"].tolist() == pytest.approx([40, 40 * 2 / 3, 40 / 3])
    space = {}
    setup, call = panel.to_python().strip().rsplit("\n", 1)
    exec(setup, space)
    assert eval(call, space).table["n"].tolist() == panel.table["n"].tolist()


def test_where_losses_name_no_stage_the_way_to_the_win_is_one_step():
    """Systems that move a lost deal to "Closed Lost" forget where it was lost: only the win rate is known."""
    ends = [
        ("Lead", "open"),
        ("Offer", "open"),
        ("Closed Won", "won"),
        ("Closed Lost", "lost"),
        ("Closed Lost", "lost"),
    ]
    pipeline = export(["Lead", "Offer", "Closed Won"], ends)
    panel = WhatIf.of(pipeline)
    assert [stage["id"] for stage in panel.spec["stages"]] == ["Lead", "Closed Won"]
    assert panel.rates["Lead"] == pytest.approx(win_rate(pipeline).table["rate"].iloc[0])
    assert panel.table["n"].iloc[0] == 50 and "every stage" in panel.spec["remark"]["en"]


def test_a_target_that_is_no_number_of_wins_or_is_met_already():
    model = funnel("simple-5")
    for target in (0.0, -4.0, float("nan")):
        with pytest.raises(DataError, match="target"):
            WhatIf(model, 100, target=target)
    panel = WhatIf(model, 100, target=2)
    assert panel.spec["challenge"]["text"]["en"].startswith("These rates already give 2 wins")


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
