"""`funnelkit count`: times, trend, dropped entities and fields of the rule; refusals leave nothing half-written."""

import json

import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.events import Rule
from funnelkit.language import RuleError

# Three entities: 1 comes through in two days, 2 stops at A, 3 changes its colour on the way.
LOG = pd.DataFrame(
    {
        "deal_id": ["1", "1", "1", "=2", "3", "3"],
        "stage": ["A", "A", "B", "A", "A", "B"],
        "entered_at": ["2026-01-01", "2026-01-09", "2026-01-11", "2026-01-05", "2026-02-01", "2026-02-02"],
        "colour": ["red", "red", "red", "red", "red", "blue"],
    }
)


@pytest.fixture
def count(tmp_path, capsys):
    path = tmp_path / "log.csv"
    LOG.to_csv(path, index=False)

    def run(*options, code=0):
        given = ["count", str(path), "--steps", "A,B", "--lang", "en", "--as-of", "2026-03-01", *options]
        assert cli.main(given) == code
        told = capsys.readouterr()
        return told.err if code else json.loads(told.out) if "--json" in options else told.out

    return run


def entered(answer):
    return [row["n_entered"] for row in answer["rows"]]


def test_reentry_hold_and_attribute_change_the_rule(count):
    assert entered(count("--window", "3d", "--json")) == [3, 1]
    assert entered(count("--window", "3d", "--reentry", "latest", "--json")) == [3, 2]
    assert entered(count("--hold", "colour", "--json")) == [3, 1]
    rows = count("--by", "colour", "--attribute", "last", "--json")["rows"]
    assert {row["colour"]: row["n_entered"] for row in rows if row["step"] == "B"} == {"blue": 1, "red": 1}


def test_journeys_trend_and_dropped_stand_beside_the_counts(count, tmp_path):
    file = tmp_path / "dropped.csv"
    answer = count("--window", "20d", "--journeys", "--trend", "--dropped", str(file), "--json")
    assert answer["journeys"] == {"n": 3, "n_through": 2, "n_open": 0}
    assert [row["p50_days"] for row in answer["times"]] == [5.5, 5.5]
    assert [(row["cohort"][:7], row["k"], row["n"]) for row in answer["trend"]] == [
        ("2026-01", 1, 2),
        ("2026-02", 1, 1),
    ]
    assert [(row["n"], row["p50_days"]) for row in answer["time_trend"]] == [(1, 10.0), (1, 1.0)]
    assert answer["dropped"] == [{"step": "A", "n": 1}]
    table = pd.read_csv(file)
    assert table[["step", "id"]].values.tolist() == [["A", "'=2"]], "what a spreadsheet would run is text"
    shown = count("--window", "20d", "--journeys", "--trend", "week", "--dropped", str(file))
    for words in ("3 began with A; 2 went all the way to B", "2 got from A to B. Half of them took", "are listed in"):
        assert words in shown


def test_each_step_may_have_a_window_of_its_own(count):
    assert entered(count("--window", "9d", "--json")) == [3, 1]
    assert entered(count("--steps", "A,B,B", "--window", "11d,1d", "--json")) == [3, 2, 0]
    told = count("--rule", "bitrix24", "--window", "7d,2d", code=2)
    assert "order='any' and window_from='previous' contradict each other" in told
    with pytest.raises(RuleError, match="window='7 days, 2 days' and window_from='first' contradict"):
        Rule(window="7d,2d")


def test_several_columns_split_a_count(count):
    rows = count("--by", "colour,deal_id", "--json")["rows"]
    assert [(row["colour"], row["deal_id"]) for row in rows[::2]] == [("red", "1"), ("red", "3"), ("red", "=2")]


def test_a_terminal_gets_every_row(tmp_path, capsys):
    log = pd.DataFrame({"deal_id": range(50), "stage": "A", "entered_at": "2026-01-01", "shop": range(50)})
    log.to_csv(tmp_path / "log.csv", index=False)
    assert cli.main(["count", str(tmp_path / "log.csv"), "--steps", "A,B", "--by", "shop", "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert sum(line.endswith("100.0%") for line in told.splitlines()) == 50 and ".table" not in told


def test_an_empty_log_says_so(tmp_path, capsys):
    (tmp_path / "log.csv").write_text("deal_id,stage,entered_at\n")
    assert cli.main(["count", str(tmp_path / "log.csv"), "--steps", "A,B", "--trend", "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert "The log holds no events." in told and "Nearest names" not in told


def test_refusals_name_the_nearest_and_write_nothing(count, tmp_path):
    assert "Nearest: colour" in count("--hold", "color", code=2)
    assert "skip" in count("--rule", "hubspot_any", "--journeys", code=2)
    assert "does not take --dropped" in count("--engine", "duckdb://", "--dropped", "d.csv", code=2)
    assert "cannot be written" in count("--dropped", str(tmp_path / "no" / "d.csv"), code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv"]
