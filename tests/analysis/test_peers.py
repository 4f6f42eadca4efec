import numpy as np
import pandas as pd
import pytest

from funnelkit.analysis.peers import compare_peers
from funnelkit.analysis.rates import rate_table
from funnelkit.language.errors import DataError
from funnelkit.models.funnel import funnel
from funnelkit.reading.read import read
from tests.worlds import named

MODEL = funnel("project-7")


def ours(n):
    """The worked example: target -> confirmed 10%, confirmed -> project approved 17%."""
    return pd.DataFrame(
        {"stage": ["find-opportunity", "confirm-intent"], "k": [n // 10, round(n * 0.017)], "n": [n, n // 10]}
    )


def peers(first, second=0.18):
    return pd.DataFrame({"stage": ["find-opportunity", "confirm-intent"], "rate": [first, second], "n": [6000, 900]})


@pytest.mark.parametrize(
    ("n", "rate", "verdict", "en", "zh"),
    [
        (2000, 0.22, "ours", "The low rate is ours alone, not the industry's", "只有我方偏低"),
        (2000, 0.10, "industry", "the whole industry's, not ours alone", "全行业都是这个水平"),
        (2000, 0.05, "ahead", "ahead of the peers", "领先于同行"),
        (60, 0.14, "too_few", "Too few cases", "样本太少"),
    ],
)
def test_the_two_questions_of_the_example(n, rate, verdict, en, zh):
    found = compare_peers(ours(n), peers(rate), model=MODEL)
    assert found.table.loc[0, "verdict"] == verdict
    assert en in found.reading() and zh in found.reading("zh")
    # The second question: the actions of the stage, from the catalogue.
    assert "call, visit and dig out needs, and record" in found.reading() and "上门拜访" in found.reading("zh")


def test_without_a_model_none_is_said_to_name_actions():
    found = compare_peers(ours(2000), peers(0.22))
    assert "model" not in found.reading() and "Write down what sellers do there" in found.reading()
    assert "模型" not in found.reading("zh") and "在这一步的做法" in found.reading("zh")


def test_stage_names_of_either_language_and_a_stage_without_peers():
    table = peers(0.2).iloc[[0]].assign(stage="发掘潜在商机")
    found = compare_peers(ours(2000), table, model=MODEL)
    assert found.table["verdict"].tolist() == ["ours", "no_peer"]
    assert "has no figure for it" in compare_peers(ours(2000), table, model=MODEL, stage="confirm-intent").reading()


def test_peers_that_differ_among_themselves_say_less():
    alike = pd.concat([peers(0.12).iloc[[0]]] * 4)
    spread = alike.assign(rate=[0.04, 0.09, 0.15, 0.20])
    results = [compare_peers(ours(2000), table, model=MODEL) for table in (alike, spread)]
    narrow, wide = (found.table.iloc[0] for found in results)
    assert wide["peer_rate"] == pytest.approx(narrow["peer_rate"])
    assert wide["change_high"] - wide["change_low"] > 2 * (narrow["change_high"] - narrow["change_low"])
    # The sentence gives the peers the interval that the verdict rests on and the chart draws.
    for found, row in zip(results, (narrow, wide), strict=True):
        assert f"12.0% [{100 * row['peer_low']:.1f}, {100 * row['peer_high']:.1f}] (n = 24,000)" in found.reading()


def test_rate_alone_is_exact_and_said():
    found = compare_peers(ours(2000), peers(0.22).drop(columns="n"), model=MODEL)
    assert "taken as exact" in found.reading() and found.table.loc[0, "peer_low"] == 0.22


def test_bad_peer_tables_are_refused_in_words():
    with pytest.raises(DataError, match=r"12% is 0\.12"):
        compare_peers(ours(100), peers(12), model=MODEL)
    with pytest.raises(DataError, match="our funnel does not have"):
        compare_peers(ours(100), peers(0.1).assign(stage=["x", "y"]), model=MODEL)
    with pytest.raises(DataError, match="no column named 'rate'"):
        compare_peers(ours(100), peers(0.1).drop(columns="rate"), model=MODEL)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.04])
def test_the_interval_of_the_change_covers(spread, capsys):
    """300 cases of ours at 25% beside eight peers around 30%, alike or differing among themselves by `spread`."""
    rng, hits, mean, runs = np.random.default_rng(13), 0, 0.3, 2000
    for _ in range(runs):
        size = mean * (1 - mean) / spread**2 - 1 if spread else np.inf
        rates = rng.beta(mean * size, (1 - mean) * size, 8) if spread else np.full(8, mean)
        n = rng.integers(200, 800, 8)
        theirs = pd.DataFrame({"stage": "find-opportunity", "rate": rng.binomial(n, rates) / n, "n": n.astype(float)})
        ours = pd.DataFrame({"stage": ["find-opportunity"], "k": [rng.binomial(300, 0.25)], "n": [300]})
        row = compare_peers(ours, theirs, model=MODEL).table.iloc[0]
        hits += row["change_low"] <= 0.25 - mean <= row["change_high"]
    with capsys.disabled():
        print(f"\nAgainst eight peers, spread {spread}: coverage {hits / runs:.4f} (2,000 runs, seed 13)")
    assert 0.93 <= hits / runs <= 0.97


def test_a_pipelines_rates_are_those_of_the_rate_table():
    pipeline = named("constant").but(years=0.5).pipeline(np.random.default_rng(3))
    stages = pipeline.model.stage_ids
    theirs = pd.DataFrame({"stage": stages[:2], "rate": [0.5, 0.9], "n": [900, 900]})
    table = compare_peers(pipeline, theirs).table
    expected = rate_table(pipeline).table
    assert table["rate"].tolist() == expected["rate"].tolist() and set(table["basis"]) >= {"incidence"}
    assert table.loc[1, "verdict"] == "ours" and table.loc[1, "change"] == expected.loc[1, "rate"] - 0.9


def test_a_rate_that_the_source_does_not_tell_is_not_called_too_few():
    rng = np.random.default_rng(1)
    deals = pd.DataFrame({"id": np.arange(300).astype(str), "stage": rng.choice(["Lead", "Offer", "Won", "Lost"], 300)})
    pipeline = read(deals, stages=["Lead", "Offer", "Won"])
    found = compare_peers(pipeline, pd.DataFrame({"stage": ["Offer"], "rate": [0.5], "n": [400]}), stage="Offer")
    assert found.table.loc[1, "verdict"] == "unknown"
    assert "does not tell the rate of this stage" in found.reading() and "不能与" in found.reading("zh")
