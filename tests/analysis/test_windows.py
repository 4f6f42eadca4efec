from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.windows import find_windows, fisher_tail, quarter_rhythm
from tests.worlds import named

END = pd.Timestamp("2025-01-01")


def wins(days):
    """Return a stand-in for a pipeline whose wins closed so many days after 2023-01-01."""
    closed = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.asarray(days, dtype=float), unit="D")
    return SimpleNamespace(deals=pd.DataFrame({"status": "won", "closed_at": closed[closed < END]}))


def pulled(rng, n, share, turns):
    """Draw days of wins of two years, `share` of them pulled to the last five days before the next of `turns`."""
    days = rng.uniform(0, 731, n)
    late = rng.random(n) < share
    ends = turns[np.minimum(np.searchsorted(turns, days, side="right"), len(turns) - 1)]
    return np.where(late, ends - rng.uniform(0, 5, n), days)


def turns(months):
    starts = pd.date_range("2023-01-01", END, freq="MS")
    return ((starts[starts.month % months == 1 % months] - starts[0]) / pd.Timedelta(days=1)).to_numpy()[1:]


def test_the_tail_is_fishers():
    rng = np.random.default_rng(1)
    for table in rng.integers(0, 30, (60, 2, 2)):
        expected = fisher_exact(table, alternative="greater").pvalue
        assert fisher_tail(*table.ravel().tolist()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("runs", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_a_rhythm_is_found_where_there_is_one_and_in_no_other_world(runs, capsys):
    rng, calendar = np.random.default_rng(2), Calendar()
    draws = {
        "strong": lambda: pulled(rng, 240, 0.7, turns(3)),
        "mild": lambda: pulled(rng, 240, 0.35, turns(3)),
        "none": lambda: rng.uniform(0, 731, 240),
        "trend": lambda: 731 * np.sqrt(rng.random(240)),
        "season": lambda: pulled(rng, 240, 0.0, turns(3)) + 40 * np.sin(rng.uniform(0, 6.28, 240)),
        "month ends": lambda: pulled(rng, 240, 0.7, turns(1)),
    }
    found = {name: sum(quarter_rhythm(wins(draw()), calendar, END) is not None for _ in range(runs))
             for name, draw in draws.items()}  # fmt: skip
    with capsys.disabled():
        print(f"\nRhythm of the quarter found in {found} of {runs} histories of 240 wins (seed 2)")
    assert found["strong"] > 0.95 * runs and found["mild"] > 0.6 * runs
    assert max(found[name] for name in ("none", "trend", "season", "month ends")) <= max(1, 0.005 * runs)


def test_fiscal_quarters_have_turns_of_their_own():
    shifted = turns(3) + 31.0
    pipeline = wins(pulled(np.random.default_rng(3), 300, 0.8, shifted))
    assert quarter_rhythm(pipeline, Calendar(fiscal_start=2), END) is not None
    assert quarter_rhythm(pipeline, Calendar(fiscal_start=1), END) is None


def test_windows_of_a_rhythm_are_the_like_part_of_the_quarter_before():
    pipeline = named("quarter_end").but(years=2.01).pipeline(np.random.default_rng(4))
    month = find_windows(pipeline, Calendar(), "2024-11-10")
    assert month.rhythm is not None and list(month.earlier) == ["quarter_before", "year_before"]
    assert month.name(month.earlier["quarter_before"]) == "2024-08" and not month.unfinished
    week = find_windows(pipeline, Calendar("week"), "2024-11-10")
    assert week.current.number - week.earlier["quarter_before"].number == 13
    assert list(find_windows(pipeline, Calendar("quarter"), "2024-11-10").earlier) == ["previous", "year_before"]
