import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from funnelkit.analysis.monitor import LEAST_BASELINE, control_limits, control_lines, laney
from funnelkit.language.errors import DataError

RATE, BASELINE, AFTER, RUNS = 0.3, 24, 4, 4000
# The spread of the true rate at which a p-chart of 3,000 cases a month alarms on 18 % of the months.
SPREAD = ((3 / norm.isf(0.09)) ** 2 - 1) * RATE * (1 - RATE) / 3000


def months(rng, n, rate, shape):
    """Counts of months whose true rate varies around `rate` (beta-binomial)."""
    size = rate * (1 - rate) / SPREAD - 1
    return rng.binomial(n, rng.beta(rate * size, (1 - rate) * size, shape))


def alarms(rng, n, rate):
    """Return which of the months after the baseline are outside the limits, and those of a plain p-chart."""
    base, after = months(rng, n, RATE, (RUNS, BASELINE)), months(rng, n, rate, (RUNS, AFTER))
    lower, upper, _ = control_lines(after, np.full(after.shape, n), *laney(base, np.full(base.shape, n)))
    plain = np.abs(after / n - RATE) > 3 * np.sqrt(RATE * (1 - RATE) / n)
    return (after / n < lower) | (after / n > upper), plain


def test_false_alarms_and_power(capsys):
    rng = np.random.default_rng(1)
    false, plain = alarms(rng, 3000, RATE)
    power = {n: alarms(rng, n, 0.8 * RATE)[0].any(axis=1).mean() for n in (50, 100, 200, 500, 1000, 2000, 3000)}
    with capsys.disabled():
        print(
            f"\nLaney p', 24 months, n = 3,000 (4,000 runs, seed 1): p-chart alarms on {plain.mean():.3f} of points, ",
            end="",
        )
        print(
            f"p' on {false.mean():.4f}; a 20% drop is found within 4 points with power",
            {n: round(float(p), 3) for n, p in power.items()},
        )
    assert 0.16 < plain.mean() < 0.20
    assert false.mean() < 0.015
    assert power[3000] >= 0.8
    assert power[50] < power[500] < power[3000]


def test_short_baselines_stay_near_the_promise(capsys):
    rng = np.random.default_rng(2)
    base, after = months(rng, 3000, RATE, (RUNS, LEAST_BASELINE)), months(rng, 3000, RATE, (RUNS, AFTER))
    lower, upper, _ = control_lines(after, np.full(after.shape, 3000), *laney(base, np.full(base.shape, 3000)))
    false = ((after / 3000 < lower) | (after / 3000 > upper)).mean()
    with capsys.disabled():
        print(f"\nLaney p', {LEAST_BASELINE} months: false alarms {false:.4f} per point")
    assert false < 0.025


def test_limits_by_hand():
    k, n = np.array([30, 50, 30, 50]), np.array([100, 100, 100, 100])
    centre, sigma = laney(k, n)
    z = (k / n - 0.4) / np.sqrt(0.4 * 0.6 / 100)
    assert centre == 0.4 and sigma == pytest.approx(np.abs(np.diff(z)).mean() / 1.128)
    lower, upper, _ = control_lines(k, n, centre, sigma)
    assert lower[0] == 0 and upper[0] == pytest.approx(0.4 + 3 * sigma * np.sqrt(0.24 / 100))


def series(rates, n=400):
    return pd.DataFrame(
        {"month": [f"m{at + 1}" for at in range(len(rates))], "k": (np.array(rates) * n).astype(int), "n": n}
    )


STEADY = [0.30, 0.32, 0.28, 0.31, 0.29, 0.30, 0.33, 0.28, 0.30, 0.31, 0.29, 0.30, 0.31]


def test_the_three_sentences():
    calm, drop, short = (
        control_limits(series(STEADY)),
        control_limits(series([*STEADY, 0.15])),
        control_limits(series(STEADY[:8])),
    )
    assert calm.reading().startswith("No signal after the baseline (periods judged: 1)")
    assert "无信号" in calm.reading("zh")
    assert drop.reading().startswith("Signal: in m14 the rate, 15.0%, is below") and "有信号：m14" in drop.reading("zh")
    assert short.reading().startswith("Too few points: 7 mature") and "数据点太少" in short.reading("zh")
    assert drop.table["signal"].tolist()[-1] and short.table["signal"].isna().all()


def test_immature_periods_have_no_verdict():
    young = series([*STEADY, 0.02]).assign(n_open=[0] * 13 + [200])
    found = control_limits(young)
    assert pd.isna(found.table["signal"].iloc[-1]) and not found.table["mature"].iloc[-1]
    assert found.reading().startswith("No signal") and "Not yet mature, shown without a verdict: m14" in found.reading()


def test_empty_months_and_bad_tables():
    gap = series(STEADY + STEADY)
    gap.loc[5, ["k", "n"]] = 0
    assert pd.isna(control_limits(gap).table["rate"].iloc[5]) and pd.isna(control_limits(gap).table["signal"].iloc[5])
    with pytest.raises(DataError, match="no column named 'n'"):
        control_limits(pd.DataFrame({"k": [1]}))
    with pytest.raises(DataError, match="more successes"):
        control_limits(pd.DataFrame({"k": [5], "n": [4]}))
