"""Optional steps against golden cases and a plain-Python reference; they change nothing about the other steps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from funnelkit.events import Rule, count_events, count_on, dropped, journeys, preset, step_rates, time_to_convert
from funnelkit.language import RuleError, use_language
from tests.events.engine.test_chain import RANDOM_RULES
from tests.support.lives import COLUMNS, make
from tests.support.randomlogs import COLUMNS as NAMES
from tests.support.randomlogs import by_entity, kit_depths, random_log
from tests.support.reference import optional_made

COUNTS = ["n_entered", "n_advanced", "n_lost", "n_open"]


def entered(life, steps, rule, **options):
    """Return how many of one entity's life, [(day, name)], entered each step."""
    return count_events(make(life), steps, rule, columns=COLUMNS, **options).table["n_entered"].tolist()


@pytest.mark.parametrize(
    ("life", "rule", "expected"),
    [
        ([(0, "A"), (1, "B"), (2, "C")], Rule(), [1, 1, 1]),
        ([(0, "A"), (2, "C")], Rule(), [1, 0, 1]),  # left out: the chain goes on
        ([(0, "A"), (2, "C"), (3, "B")], Rule(), [1, 0, 1]),  # after the step that follows it
        ([(0, "B"), (1, "A"), (2, "C")], Rule(), [1, 0, 1]),  # before the step that it follows
        ([(0, "A"), (1, "B")], Rule(), [1, 1, 0]),
        ([(0, "A"), (5, "B")], Rule(window="4d"), [1, 0, 0]),  # the window had closed
        ([(0, "A"), (5, "B")], Rule(window="5d"), [1, 1, 0]),
        ([(0, "A"), (0, "B"), (0, "C")], Rule(), [1, 1, 1]),
        ([(0, "A"), (0, "B"), (1, "C")], Rule(ties="strict"), [1, 0, 1]),
        ([(0, "B"), (0.00001, "A"), (1, "C")], Rule(ties="grace", grace_s=1), [1, 1, 1]),
        ([(0, "A"), (1, "X"), (2, "B")], Rule(exclude="X", exclusion="keep"), [1, 0, 0]),
        ([(0, "A"), (1, "B"), (2, "X")], Rule(exclude="X", exclusion="keep"), [1, 1, 0]),
        ([(0, "A"), (1, "B"), (2, "X"), (3, "C")], Rule(exclude="X"), [0, 0, 0]),
        ([(0, "A"), (1, "B"), (3, "A"), (4, "C")], Rule(window="2d", reentry="latest"), [1, 0, 1]),  # of another chain
        ([(0, "A"), (0.01, "B"), (1, "C")], Rule(gap="1d"), [1, 1, 1]),  # a gap holds between the other steps
    ],
)
def test_a_step_that_may_be_left_out(life, rule, expected):
    assert entered(life, "ABC", replace(rule, optional="B")) == expected


def test_several_between_the_same_steps_count_each_for_itself():
    rule = Rule(optional=("B", "C"))
    assert entered([(0, "A"), (1, "C"), (2, "B"), (3, "D")], "ABCD", rule) == [1, 1, 1, 1]
    assert entered([(0, "A"), (1, "C"), (3, "D")], "ABCD", rule) == [1, 0, 1, 1]
    either = Rule(optional="B|C")
    assert entered([(0, "A"), (1, "C"), (3, "D")], ["A", "B|C", "D"], either) == [1, 1, 1]


def test_windows_hold_between_the_other_steps():
    rule = Rule(window="3d,1d", window_from="previous", optional="B")
    assert entered([(0, "A"), (1, "B"), (3, "C"), (4, "D")], "ABCD", rule) == [1, 1, 1, 1]
    assert entered([(0, "A"), (1, "B"), (4, "C")], "ABCD", rule) == [1, 1, 0, 0]
    with pytest.raises(RuleError, match="3 windows for 2 transitions"):
        entered([(0, "A")], "ABCD", replace(rule, window="1d,1d,1d"))


@pytest.fixture(scope="module")
def lives():
    """1 makes B on its way to C, 2 leaves it out, 3 stops at B and 4, after B, is still open."""
    log = make(
        [(0, "A"), (1, "B"), (2, "C")], [(0, "A"), (3, "C"), (4, "B")], [(0, "A"), (5, "B")], [(20, "A"), (21, "B")]
    )
    return log, Rule(window="9d", optional="B")


def test_each_who_made_it_advanced_was_lost_or_is_open(lives):
    log, rule = lives
    found = count_events(log, "ABC", rule, columns=COLUMNS)
    assert found.table[COUNTS].to_numpy().tolist() == [[4, 2, 1, 1], [3, 1, 1, 1], [2, 2, 0, 0]]
    assert found.table["is_optional"].tolist() == [False, True, False]
    assert found.table[["k", "n"]].to_numpy().tolist() == [[2, 3], [1, 2], [2, 2]]
    assert found.sentences()[2].startswith("1 may still advance"), "who is open at B is open at A too"
    rates = step_rates(found)
    assert rates.table[["k", "n", "n_open"]].to_numpy().tolist() == [[0, 0, 0], [2, 3, 0], [2, 3, 1]]
    assert rates.table["floor"].tolist()[1:] == [0.75, 0.5] and rates.table["ceiling"].tolist()[1:] == [0.75, 0.75]
    assert "B (optional)" in rates.show().text and rates.reading().startswith("The narrowest step is C")
    use_language("zh")
    assert "B（可选）" in found.show().text and "下列步骤可以跳过，途中完成者计入该步：B。" in repr(rule)


def test_journeys_times_and_dropped_pass_over_it(lives):
    log, rule = lives
    found = journeys(log, "ABC", rule, columns=COLUMNS)
    assert found.table["depth"].tolist() == [3, 3, 1, 1]
    times = time_to_convert(found).table.set_index("stage")
    assert times.loc["C", "p50_days"] == times.loc["total", "p50_days"] == 2.5, "from A, whether B was made or not"
    assert times.loc["B", ["n", "p50_days"]].tolist() == [2, 3.0]
    assert dropped(found, "B").table["id"].tolist() == dropped(found, "A").table["id"].tolist() == [2]


OPTIONAL_RULES = {name: replace(rule, optional=("B",)) for name, rule in RANDOM_RULES.items() if name != "each_window"}
OPTIONAL_RULES |= {
    "each_window": Rule(window="3s,4s", window_from="previous", reentry="latest", optional="B"),
    "two": Rule(window="8s", reentry="latest", optional=("B", "C")),
    "two_grace": Rule(ties="grace", grace_s=1, exclude="X", exclusion="keep", optional=("B", "C")),
    "strict_first": Rule(window="6s", ties="strict", optional=("C",)),
}


def compared(log, rule, n):
    """Return what the kit and the reference find: the place of the last step reached and who made which step."""
    steps = list("ABCD")
    found = journeys(log, steps, rule, columns=NAMES).table.set_index("id")
    ours = [(0, set())] * n
    for row in found.itertuples():
        made = {name for name in rule.optional if not pd.isna(getattr(row, f"at_{steps.index(name) + 1}"))}
        ours[row.Index] = (row.depth, made)
    places = [0, *(place for place, step in enumerate(steps, 1) if step not in rule.optional)]
    plain = [optional_made(events, steps, rule) for events in by_entity(log, n)]
    return ours, [(places[depth], made) for depth, made in plain]


@pytest.mark.parametrize("name", OPTIONAL_RULES)
def test_random_logs_agree_with_the_reference(name):
    n, rule = 300, OPTIONAL_RULES[name]
    ours, plain = compared(random_log(np.random.default_rng(18), n), rule, n)
    assert ours == plain
    assert len({(depth, *sorted(made)) for depth, made in plain}) > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONAL_RULES)
def test_a_thousand_random_logs_agree_with_the_reference(name):
    rng = np.random.default_rng(1018)
    parts = [random_log(rng, 1, "AABBCCDX", int(rng.integers(4, 9)), int(rng.integers(4, 16))) for _ in range(1_000)]
    log = pd.concat([part.assign(id=number) for number, part in enumerate(parts)])
    ours, plain = compared(log, OPTIONAL_RULES[name], 1_000)
    assert ours == plain


@pytest.mark.parametrize("name", ["default", "excluded_latest", "held_latest", "grace_latest"])
def test_the_other_steps_count_as_without_it(name):
    log, rule = random_log(np.random.default_rng(4), 3_000), RANDOM_RULES[name]
    without = count_events(log, "ACD", rule, columns=NAMES, by="held").table
    found = count_events(log, "ABCD", replace(rule, optional="B"), columns=NAMES, by="held").table
    kept = found[~found["is_optional"]]
    columns = [*COUNTS, "k", "n", "floor", "ceiling"]
    matured = "incidence" not in set(without["basis"])
    assert (kept[COUNTS].to_numpy() == without[COUNTS].to_numpy()).all()
    if matured:
        np.testing.assert_array_equal(kept[columns].to_numpy(), without[columns].to_numpy())
    assert (found["n_entered"] == found[["n_advanced", "n_lost", "n_open"]].sum(axis=1)).all()


def test_what_cannot_be_optional_is_refused():
    life = [(0, "A"), (1, "B")]
    for optional, steps, said in [
        ("Bee", ["A", "Bees", "C"], r"Bee is no step, so it cannot be optional\. Nearest: Bees"),
        ("A", "ABC", "step A cannot be optional"),
        ("C", "ABC", "step C cannot be optional"),
        ("B", "ABBC", "step B cannot be optional"),
    ]:
        with pytest.raises(RuleError, match=said):
            entered(life, steps, Rule(optional=optional))
    for other in ({"order": "any"}, {"order": "strict"}, {"skip": "touch"}, {"deduplicate": True}):
        with pytest.raises(RuleError, match=r"optional=\('B',\)"):
            Rule(optional="B", **other)
    with pytest.raises(RuleError, match=r"engine duckdb does not count rules with optional=\('B',\)"):
        count_on("duckdb:///nowhere.duckdb", "log", "ABC", Rule(optional="B"))


@pytest.mark.parametrize("size", [11, 20, 32])
def test_more_than_ten_steps(size):
    """Each entity goes so far as its number says; some steps may be left out, some are made twice."""
    steps = [f"step {place}" for place in range(1, size + 1)]
    lives = [[(day, steps[day]) for day in range(depth)] for depth in range(1, size + 1)]
    lives += [[(0.5 * day, steps[day // 2]) for day in range(2 * size)]]
    log = make(*lives)
    for rule in (Rule(), Rule(window=f"{size}d"), preset("clickhouse"), Rule(order="strict", once=False)):
        found = count_events(log, steps, rule, columns=COLUMNS, as_of="2027-01-01").table["n_entered"].tolist()
        assert found == [size + 1 - place for place in range(size)], repr(rule)
    without = log[log["what"] != steps[4]]
    found = count_events(without, steps, Rule(optional=steps[4]), columns=COLUMNS).table["n_entered"].tolist()
    assert found == [size + 1, size, size - 1, size - 2, 0, *[size + 1 - place for place in range(5, size)]]
    assert (kit_depths_of(log, steps) == np.r_[np.arange(1, size + 1), size]).all()


def kit_depths_of(log, steps):
    renamed = log.rename(columns={"who": "id", "what": "name", "moment": "at"})
    return kit_depths(renamed, steps, Rule(), renamed["id"].nunique())
