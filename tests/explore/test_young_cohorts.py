"""The card of young cohorts: its deals hold the truth that it reveals, and its challenge has one way through."""

import numpy as np
import pandas as pd
import pytest

from funnelkit.explore import YoungCohorts, cohort_deals
from funnelkit.explore.young_cohorts import DEALS, _listed, _starts


def test_the_deals_have_the_true_rates_that_are_revealed():
    """Within three standard errors of 30 % throughout in A, of 30 % and 15 % in B."""
    second = _starts() >= 366
    for data, part, rate in (("A", ~second, 0.3), ("A", second, 0.3), ("B", ~second, 0.3), ("B", second, 0.15)):
        won = np.array(_listed(data)[1])[part]
        assert abs(won.mean() - rate) < 3 * np.sqrt(rate * (1 - rate) / len(won))
    a, b = (pd.Series(_listed(data)[0]) for data in "AB")
    assert len(a) == DEALS and (a[~second] == b[~second]).all(), "the first year is the same in both"


def test_an_export_knows_nothing_of_later_days():
    deals = cohort_deals("A", 400)
    day = pd.Timestamp("2024-01-01") + pd.Timedelta(days=400)
    assert deals["created"].max() <= day and deals["closed"].max() <= day
    assert (deals["status"].eq("open") == deals["closed"].isna()).all()


def test_won_so_far_falls_where_nothing_changed_and_incidence_does_not():
    """The lesson of the card: naive shares fall by half, those that allow for age stay within chance."""
    parts = YoungCohorts("A").parts
    assert parts["raw"]["last"] < 0.5 * parts["raw"]["before"]
    fell = YoungCohorts("B", day=790)
    fell.state = {"window": 120}
    assert fell.parts["incidence"]["last"] < 0.75 * fell.parts["incidence"]["before"]
    same = YoungCohorts("A", day=790)
    same.state = {"window": 120}
    change = same.parts["incidence"]["last"] - same.parts["incidence"]["before"]
    assert abs(change) < 3 * np.sqrt(0.3 * 0.7 / 90)


def test_the_challenge_is_met_on_one_day_only():
    panel, met = YoungCohorts(), []
    for day in range(120, 821):
        panel.state = {"day": day}
        met += [day] if panel.challenge.met else []
    assert met == [728]
    begun = cohort_deals("A", 730)
    asked = begun[begun["created"].between("2025-07-01", "2025-09-30")]
    last = (asked["created"].max() - pd.Timestamp("2024-01-01")).days
    assert met == [last + 90], "the day on which the last of them is that old"
    panel.state = {"day": 728, "window": 60}
    assert panel.challenge.status == "outside"


@pytest.mark.parametrize("day", [120, 640, 820])
def test_counts_of_months_and_parts_add_up(day):
    panel = YoungCohorts("B", day=day)
    assert panel.months["n"].sum() == len(cohort_deals("B", day)) == panel.result.table["n"].sum()
    assert panel.months["n_open"].sum() == panel.result.table["n_open"].sum()
    assert (panel.months["k_ripe"] <= panel.months["n_ripe"]).all() and panel.parts["n"].gt(0).all()
