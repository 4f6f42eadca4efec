import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import confint_proportions_2indep

from funnelkit.analysis.rates import growth_table, rate_table
from funnelkit.analysis.win_rate import win_rate
from funnelkit.stats.incidence import incidence
from funnelkit.stats.rates import BASES, newcombe, rate_columns, wilson


@pytest.mark.parametrize(("k", "n"), [(0, 8), (8, 8), (1, 3), (17, 100), (4238, 6711)])
def test_wilson_is_scipys(k, n):
    low, high = wilson(k, n)
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nobody_is_unknown_and_nonsense_is_refused():
    assert np.isnan(wilson(0, 0)).all()
    with pytest.raises(ValueError, match="0 <= k <= n"):
        wilson(3, 2)


@pytest.mark.parametrize(("n", "least"), [(10, 0.89), (30, 0.91), (100, 0.92)])
def test_wilson_covers_by_exact_enumeration(n, least, capsys):
    p, k = np.linspace(0.02, 0.98, 961), np.arange(n + 1)[:, None]
    low, high = wilson(k, n)
    coverage = (binom.pmf(k, n, p) * ((low <= p) & (p <= high))).sum(axis=0)
    with capsys.disabled():
        print(f"\nWilson, n = {n}: mean coverage {coverage.mean():.4f}, minimum {coverage.min():.4f}")
    assert 0.94 <= coverage.mean() <= 0.96
    assert coverage.min() > least


@pytest.mark.parametrize(
    ("k", "n", "k_0", "n_0"), [(56, 70, 48, 80), (0, 20, 5, 30), (10, 10, 0, 10), (300, 1000, 250, 900)]
)
def test_newcombe_is_statsmodels(k, n, k_0, n_0):
    change, low, high = newcombe(k, n, k_0, n_0)
    expected = confint_proportions_2indep(k, n, k_0, n_0, method="newcomb", compare="diff")
    assert (low, high) == pytest.approx(expected, abs=1e-12)
    assert change == pytest.approx(k / n - k_0 / n_0)


def test_newcombe_without_cases_is_unknown():
    assert np.isnan(newcombe([0, 3], [0, 5], [1, 2], [4, 4])[0]).tolist() == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p", "p_0", "n", "n_0"), [(0.3, 0.3, 300, 300), (0.1, 0.17, 300, 600), (0.02, 0.05, 500, 300)]
)
def test_newcombe_covers(p, p_0, n, n_0, capsys):
    rng = np.random.default_rng(1)
    _, low, high = newcombe(rng.binomial(n, p, 2000), n, rng.binomial(n_0, p_0, 2000), n_0)
    coverage = ((low <= p - p_0) & (p - p_0 <= high)).mean()
    with capsys.disabled():
        print(f"\nNewcombe, {p} - {p_0}, n = {n}, {n_0}: coverage {coverage:.4f} (2,000 runs, seed 1)")
    assert 0.93 <= coverage <= 0.97


def test_rates_bound_what_the_open_may_do():
    row = {name: value.item() for name, value in rate_columns(4, 8, 2).items()}
    assert (row["rate"], row["floor"], row["ceiling"]) == (0.5, 0.4, 0.6)


def test_every_basis_but_unknown_gives_a_rate():
    found = rate_columns(4, 8, 2, BASES, 90)
    given = dict(zip(found["basis"], ~np.isnan(found["rate"]), strict=True))
    assert given == {basis: basis != "unknown" for basis in BASES}
    assert (found["horizon_days"] == 90).all()


def test_tables_do_not_change_their_input():
    counts = pd.DataFrame({"stage": ["a"], "n_entered": [3], "n_advanced": [1], "n_lost": [1], "n_open": [1]})
    before = counts.copy()
    rate_table(counts)
    growth_table(counts)
    pd.testing.assert_frame_equal(counts, before)


def test_win_rate_keeps_void_and_missing_groups_apart():
    deals = pd.DataFrame({"status": ["won", "void", "lost", "open"], "team": ["N", "N", None, "N"]})
    table = win_rate(deals, "team").table
    assert table["team"].isna().sum() == 1
    assert table[["n_won", "n_lost", "n_open", "n_void"]].sum().tolist() == [1, 1, 1, 1]
    assert table.loc[table["team"] == "N", "n"].item() == 1


def test_a_share_of_all_stays_one_although_its_steps_are_rounded():
    days = np.sort(np.random.default_rng(0).uniform(0, 50, 400))
    for n in range(2, 60):
        assert float(incidence(days[:n], np.ones(n, int), 50)["rate"]) <= 1.0
