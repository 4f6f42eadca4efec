"""The Ibis expression on DuckDB: the third answer beside the chain and the plain-Python reference."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.events.count import count_events
from funnelkit.events.rule import PRESETS, Rule, preset
from funnelkit.language.errors import DataError, RuleError
from tests.support.randomlogs import COLUMNS, by_entity, kit_depths, random_log
from tests.support.reference import deepest

ibis = pytest.importorskip("ibis", reason="Ibis is in the bench and spark extras")

from funnelkit.events.warehouse import count_on, depth_expression  # noqa: E402

N = 10_000
RULES = {
    "clickhouse": preset("clickhouse", "5s"),
    "strict_increase": preset("clickhouse_strict_increase", "5s"),
    "mixpanel": preset("mixpanel", "5s"),
    "amplitude": preset("amplitude", "5s"),
    "ga4_closed": preset("ga4_closed", "3s"),
    "posthog": preset("posthog", "6s"),
    "no_window": Rule(),
}


@pytest.fixture(scope="module")
def log():
    return random_log(np.random.default_rng(11), N)


@pytest.mark.parametrize("name", RULES)
def test_three_answers_agree_on_random_logs(log, name):
    rule, steps = RULES[name], list("ABCD")
    connection = ibis.duckdb.connect()
    found = depth_expression(connection.create_table("log", log), steps, rule, COLUMNS).execute()
    theirs = np.zeros(N, dtype=int)
    theirs[found["who"]] = found["depth"]
    ours = kit_depths(log, steps, rule, N)
    plain = np.array([deepest(events, steps, rule) for events in by_entity(log, N)])
    assert (ours == theirs).all() and (ours == plain).all()


@pytest.mark.parametrize("name", RULES)
def test_counts_with_maturity_agree(log, name):
    connection = ibis.duckdb.connect()
    connection.create_table("log", log)
    as_of = log["at"].max() + pd.Timedelta(seconds=1)
    theirs = count_on(connection, "log", "ABCD", RULES[name], columns=COLUMNS, as_of=as_of)
    ours = count_events(log, "ABCD", RULES[name], columns=COLUMNS, as_of=as_of)
    # Where few are matured, only the kit follows how long everybody waited.
    same = ours.table.columns[:5] if "incidence" in set(ours.table["basis"]) else ours.table.columns
    pd.testing.assert_frame_equal(theirs.table[same], ours.table[same])
    assert (len(same) > 5) == (name != "ga4_closed")
    if RULES[name].window is not None:
        assert ours.table["n_open"].sum() > 0


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (preset("hubspot_any"), "order='any'"),
        (preset("bitrix24"), "order='any'"),
        (preset("ga4_open"), "skip='touch'"),
        (preset("clickhouse_strict_order"), "order='strict'"),
        (preset("clickhouse_strict_deduplication"), "deduplicate=True"),
        (Rule(hold="held"), "hold='held'"),
        (Rule(exclude=("X",)), r"exclude=\('X',\)"),
    ],
)
def test_an_unsupported_rule_is_refused_before_anything_runs(rule, field):
    with pytest.raises(RuleError, match=f"engine duckdb does not count rules with {field}"):
        count_on("duckdb:///nowhere/at/all.duckdb", "log", "AB", rule)


def test_repeated_steps_count_each_event_once(log):
    rule = replace(PRESETS["clickhouse"], once=True)
    found = depth_expression(ibis.memtable(log), list("ABA"), rule, COLUMNS).execute()
    theirs = np.zeros(N, dtype=int)
    theirs[found["who"]] = found["depth"]
    assert (theirs == kit_depths(log, list("ABA"), rule, N)).all()
    with pytest.raises(RuleError, match="once=False"):
        depth_expression(ibis.memtable(log), list("ABA"), PRESETS["clickhouse"], COLUMNS)


def test_an_engine_that_does_not_open_is_said():
    with pytest.raises(DataError, match="engine duckdb:// does not open nothing"):
        count_on("duckdb://", "nothing", "AB")
    connection = ibis.duckdb.connect()
    connection.create_table("log", pd.DataFrame({"who": [1], "stage": ["A"], "entered_at": ["2026-01-01"]}))
    with pytest.raises(DataError, match="no column named 'deal_id'"):
        count_on(connection, "log", "AB")


def test_command_line_counts_on_an_engine(tmp_path, capsys, log):
    path = tmp_path / "log.duckdb"
    connection = ibis.duckdb.connect(path)
    connection.create_table("events", log.drop(columns="second"))
    connection.disconnect()
    options = ["--steps", "A,B", "--id", "id", "--stage", "name", "--at", "at", "--json"]
    assert cli.main(["count", "events", "--engine", f"duckdb://{path}", *options]) == 0
    on_engine = capsys.readouterr().out
    log.to_csv(tmp_path / "log.csv", index=False)
    assert cli.main(["count", str(tmp_path / "log.csv"), *options]) == 0
    assert capsys.readouterr().out == on_engine
