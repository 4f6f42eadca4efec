"""SMART check and target rates: each criterion can be met and missed."""

import numpy as np
import pytest

from funnelkit.analysis import rate_table
from funnelkit.forecast.target_check import check_target, compare_target_rates
from funnelkit.language.errors import CatalogError, DataError
from funnelkit.synth.generate import as_pipeline, synthesize


@pytest.fixture(scope="module")
def sample():
    return as_pipeline(synthesize("b2b-8", 7))


def verdicts(result):
    return result.table.set_index("criterion")["verdict"].astype(str).to_dict()


def test_a_modest_target_is_feasible_but_no_challenge(sample):
    found = check_target(sample, 2e6, "2026-03-31")
    assert verdicts(found) == {"measurable": "met", "time_bound": "met", "feasible": "met", "challenging": "not_met",
                               "resources": "met", "history": "met"}  # fmt: skip
    assert "有挑战" in found.reading("zh")


def test_a_wild_target_overloads_the_team(sample):
    found = check_target(sample, 100e6, "2026-12-15")
    assert verdicts(found) == {"measurable": "met", "time_bound": "unclear", "feasible": "not_met",
                               "challenging": "met", "resources": "not_met", "history": "unclear"}  # fmt: skip
    assert "the team would be overloaded" in found.reading()
    assert "最多能承担 21.0 个：将超负荷" in found.reading("zh")


def test_capacity_decides_on_resources(sample):
    rows = check_target(sample, 40e6, "2026-12-31", capacity_per_week=60).table.set_index("criterion")
    assert rows.loc["resources", "benchmark"] == 60
    assert rows.loc["resources", "verdict"] == "met"


def test_history_is_the_best_past_window_of_that_length(sample):
    row = check_target(sample, 8e6, "2026-03-31").table.set_index("criterion").loc["history"]
    won = sample.deals[sample.deals["status"] == "won"]
    age = (sample.as_of - won["closed_at"]).dt.total_seconds() / 86400
    best = max(won.loc[(age >= low) & (age < low + 91), "amount"].sum() for low in range(0, 91 * 8, 91))
    assert row["figure"] <= 8e6 / best * 1.0001


def test_unvalued_wins_are_not_measurable(sample):
    won = (sample.deals["status"] == "won").to_numpy()
    bare = sample.deals.assign(amount=sample.deals["amount"].mask(won & (np.arange(len(won)) % 4 == 0)))
    found = check_target(type(sample)(sample.model, bare, sample.events, sample.as_of), 8e6, "2026-03-31")
    assert verdicts(found)["measurable"] == "not_met"


def test_target_rates(sample):
    targets = {"solution-demo": 0.65, "negotiation": 0.85, "first-contact": 0.6}
    table = compare_target_rates(sample, targets).table.set_index("stage")
    assert table["verdict"].astype(str).to_dict() == {
        "solution-demo": "missed", "negotiation": "no_evidence", "first-contact": "met",
    }  # fmt: skip
    row, rate = table.loc["solution-demo"], rate_table(sample).table.set_index("stage").loc["solution-demo"]
    assert (row["rate"], row["horizon_days"], row["basis"]) == (rate["rate"], rate["horizon_days"], "incidence")
    assert row["gap"] == pytest.approx(rate["rate"] - 0.65)
    assert "missed: Solution demo" in compare_target_rates(sample, targets).reading()
    assert "未达到：业绩展示" in compare_target_rates(sample, targets).reading("zh")


def test_target_rates_that_cannot_be(sample):
    with pytest.raises(DataError, match=r"negotiation is 1\.2"):
        compare_target_rates(sample, {"negotiation": 1.2})
    with pytest.raises(CatalogError, match="no stage named 'negotation'"):
        compare_target_rates(sample, {"negotation": 0.5})
