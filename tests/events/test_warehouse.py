"""The Ibis expression on DuckDB and PostgreSQL: the third answer beside the chain and the plain-Python reference."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from funnelkit import cli
from funnelkit.events import conversion_trend, journeys, time_to_convert, time_trend
from funnelkit.events.conversion import UNITS
from funnelkit.events.count import count_events
from funnelkit.events.rule import PRESETS, Rule, preset
from funnelkit.language.errors import DataError, RuleError
from tests.support import postgres
from tests.support.randomlogs import COLUMNS, by_entity, kit_depths, random_log
from tests.support.reference import deepest

ibis = pytest.importorskip("ibis", reason="Ibis is in the bench and spark extras")

from funnelkit.events import warehouse_engines  # noqa: E402
from funnelkit.events.warehouse import cohort_number, count_on, first_days, times_on, trend_on  # noqa: E402
from funnelkit.events.warehouse_chains import depth_expression  # noqa: E402

N, EACH = 10_000, 3
RULES = {
    "clickhouse": preset("clickhouse", "5s"),
    "strict_increase": preset("clickhouse_strict_increase", "5s"),
    "mixpanel": preset("mixpanel", "5s"),
    "amplitude": preset("amplitude", "5s"),
    "ga4_closed": preset("ga4_closed", "3s"),
    "posthog": preset("posthog", "6s"),
    "gap": Rule(window="6s", gap="2s", reentry="latest"),
    "excluded": Rule(window="6s", reentry="latest", exclude="X", exclusion="keep"),
    "lost": Rule(window="6s", lost="X"),
    "lost_without_window": Rule(lost="X", reentry="latest"),
    "no_window": Rule(),
}
# Every combination of what the expression holds; three windows, the last one for each transition.
WINDOWS = ((None, "first"), ("5s", "first"), ("3s", "previous"), ("2s,3s,4s", "previous"))
GRID = [
    Rule(window=window, window_from=since, reentry=reentry, ties=ties, grace_s=2 if ties == "grace" else 0, once=once)
    for window, since in WINDOWS
    for reentry, ties, once in product(("first", "latest"), ("progress", "strict", "grace"), (True, False))
]
GRID += [
    Rule(
        window=window,
        window_from=since,
        reentry=reentry,
        ties=ties,
        grace_s=1 if ties == "grace" else 0,
        exclude="X",
        exclusion="keep",
    )
    for (window, since), reentry, ties in product(WINDOWS, ("first", "latest"), ("progress", "strict", "grace"))
]
GRID += [
    Rule(window=window, window_from=since, reentry=reentry, gap=gap)
    for (window, since), reentry, gap in product(WINDOWS, ("first", "latest"), ("1s", "2s"))
]

# Where all steps have names of their own, no event counts for two of them: these are the rules that differ there.
APART = list(dict.fromkeys(replace(rule, once=True) for rule in (*RULES.values(), *GRID)))


@pytest.fixture(scope="module")
def log():
    return random_log(np.random.default_rng(11), N)


@pytest.fixture(scope="module")
def fine(log):
    """The log with microseconds in its times, and a moment when some windows have run and others have not."""
    at = log["at"] + pd.to_timedelta(np.random.default_rng(12).integers(0, 1_000_000, len(log)), unit="us")
    return log[["id", "name"]].assign(at=at.astype("datetime64[us]")), at.min() + pd.Timedelta(seconds=11)


@pytest.mark.parametrize("name", RULES)
def test_three_answers_agree_on_random_logs(log, name):
    rule, steps = RULES[name], list("ABCD")
    connection = ibis.duckdb.connect()
    found = depth_expression(connection.create_table("log", log), steps, rule, COLUMNS).execute()
    theirs = np.zeros(N, dtype=int)
    theirs[found["who"]] = found["depth"]
    ours = kit_depths(log, steps, rule, N)
    plain = np.array([deepest(events, steps, rule.searched()) for events in by_entity(log, N)])
    assert (ours == theirs).all() and (ours == plain).all()


def thousand_logs():
    """Return a thousand random logs of unlike shapes as one: EACH entities a log, numbered on."""
    rng = np.random.default_rng(1000)
    shapes = [(int(rng.integers(4, 9)), int(rng.integers(4, 16))) for _ in range(1_000)]
    parts = [random_log(rng, EACH, "AABBCCDX", longest, span_s) for longest, span_s in shapes]
    return pd.concat([part.assign(id=part["id"] + number * EACH) for number, part in enumerate(parts)])


@pytest.mark.slow
def test_a_thousand_random_logs_under_every_supported_rule():
    log, steps, n = thousand_logs(), list("ABCD"), 1_000 * EACH
    connection = ibis.duckdb.connect()
    table, entities = connection.create_table("logs", log), by_entity(log, n)
    for rule in GRID:
        found = depth_expression(table, steps, rule, COLUMNS, "duckdb").execute()
        theirs = np.zeros(n, dtype=int)
        theirs[found["who"]] = found["depth"]
        assert (theirs == kit_depths(log, steps, rule, n)).all(), repr(rule)
        if rule.once:  # steps of different names: whether an event counts for several changes nothing
            assert theirs.tolist() == [deepest(events, steps, rule) for events in entities], repr(rule)
    print(f"{n // EACH:,} logs of {len(log):,} events x {len(GRID)} rules: kit, plain Python and DuckDB agree")


@pytest.mark.parametrize("name", ["clickhouse", "strict_increase", "ga4_closed", "no_window", "excluded", "lost"])
def test_times_and_cohorts_come_back_as_small_tables(name, fine):
    log, as_of = fine
    connection = ibis.duckdb.connect()
    connection.create_table("log", log)
    options = {"columns": COLUMNS, "as_of": as_of}
    found = journeys(log, "ABCD", RULES[name], **options)
    times = times_on(connection, "log", "ABCD", RULES[name], **options)
    pd.testing.assert_frame_equal(times.table, time_to_convert(found).table)
    assert times.table["n"].iloc[0] > 0
    trend = trend_on(connection, "log", "ABCD", RULES[name], unit="week", **options)
    pd.testing.assert_frame_equal(trend.table, conversion_trend(found, "week").table)
    assert trend.sentences() == conversion_trend(found, "week").sentences()


@pytest.mark.parametrize(
    ("name", "unit"),
    [("clickhouse", "day"), ("lost", "week"), ("clickhouse", "month"), ("gap", "quarter"), ("ga4_closed", "year")],
)
def test_times_by_cohort_come_back_as_a_row_a_cohort(name, unit, log):
    few = log[log["id"] < 3_000]
    later = pd.to_timedelta(few["id"].to_numpy() - 1_000, unit="D")  # over eight years, from before 2026 to after
    few = few.assign(at=(few["at"] + later).astype("datetime64[us]"))
    connection = ibis.duckdb.connect()
    connection.create_table("log", few)
    options = {"columns": COLUMNS, "as_of": few["at"].max() + pd.Timedelta(days=1)}
    theirs = times_on(connection, "log", "ABC", RULES[name], unit=unit, **options)
    ours = time_trend(journeys(few, "ABC", RULES[name], **options), unit)
    pd.testing.assert_frame_equal(theirs.table, ours.table)
    assert theirs.sentences() == ours.sentences() and theirs.table["n"].sum() > 20


@pytest.mark.parametrize("unit", ["week", "month", "quarter", "year"])
def test_cohorts_by_whole_numbers_are_those_of_the_calendar(unit):
    days = np.arange(-80_000, 60_000, 7)  # from 1750 to 2134
    expected = pd.PeriodIndex(pd.to_datetime(days, unit="D"), freq=UNITS[unit]).start_time.astype("datetime64[us]")
    assert (first_days(cohort_number(days, unit), unit) == expected).all()


def test_a_window_is_exact_to_the_microsecond():
    at = pd.to_datetime(["2026-01-01 00:00:00.500001", "2026-01-01 00:00:05.500001", "2026-01-01 00:00:05.500002"])
    log = pd.DataFrame({"id": [1, 1, 2], "name": ["A", "B", "B"], "at": at}).astype({"at": "datetime64[us]"})
    log = pd.concat([log, log.iloc[[0]].assign(id=2)])
    for engine in ("duckdb", "generic"):
        found = depth_expression(ibis.memtable(log), "AB", Rule(window="5s"), COLUMNS, engine).execute()
        assert dict(zip(found["who"], found["depth"], strict=True)) == {1: 2, 2: 1}
        assert found["since"].tolist() == [1767225600500001] * 2


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
        (Rule(optional="B"), r"optional=\('B',\)"),
    ],
)
def test_an_unsupported_rule_is_refused_before_anything_runs(rule, field):
    with pytest.raises(RuleError, match=f"engine duckdb does not count rules with {field}"):
        count_on("duckdb:///nowhere/at/all.duckdb", "log", "ABC", rule)


def test_repeated_steps_count_each_event_once(log):
    rule = replace(PRESETS["clickhouse"], once=True)
    found = depth_expression(ibis.memtable(log), list("ABA"), rule, COLUMNS).execute()
    theirs = np.zeros(N, dtype=int)
    theirs[found["who"]] = found["depth"]
    assert (theirs == kit_depths(log, list("ABA"), rule, N)).all()
    with pytest.raises(RuleError, match="once=False"):
        depth_expression(ibis.memtable(log), list("ABA"), PRESETS["clickhouse"], COLUMNS)


@pytest.mark.parametrize("rule", [PRESETS["clickhouse"], Rule(window="6s", gap="1s")], ids=repr)
def test_a_step_may_be_any_of_several_events(log, rule):
    found = depth_expression(ibis.memtable(log), ["A", "B|X", ("C", "D")], rule, COLUMNS).execute()
    theirs = np.zeros(N, dtype=int)
    theirs[found["who"]] = found["depth"]
    assert (theirs == kit_depths(log, ["A", "B|X", ("C", "D")], rule, N)).all()
    merged = log.assign(name=log["name"].replace({"X": "B", "D": "C"}))
    assert (theirs == kit_depths(merged, "ABC", rule, N)).all()


def test_an_engine_holds_more_than_ten_steps(log):
    steps = [f"{letter}{place}" for place in range(3) for letter in "ABCD"]  # twelve, over entities of many events
    many = log.assign(name=log["name"] + (log["second"] // 4).astype(str), id=log["id"] % 300)
    found = depth_expression(ibis.memtable(many), steps, Rule(reentry="latest"), COLUMNS).execute()
    theirs = np.zeros(300, dtype=int)
    theirs[found["who"]] = found["depth"]
    assert (theirs == kit_depths(many, steps, Rule(reentry="latest"), 300)).all() and theirs.max() == 12


def test_events_of_the_future_do_not_set_the_date(fine):
    wrong = fine[0].head(2_000)
    wrong = wrong.assign(at=wrong["at"].mask(wrong["id"] == 5, pd.Timestamp("2199-01-01")).astype("datetime64[us]"))
    connection = ibis.duckdb.connect()
    connection.create_table("log", wrong)
    theirs = count_on(connection, "log", "ABCD", RULES["clickhouse"], columns=COLUMNS)
    ours = count_events(wrong, "ABCD", RULES["clickhouse"], columns=COLUMNS)
    pd.testing.assert_frame_equal(theirs.table, ours.table)
    assert theirs.as_of == ours.as_of and theirs.sentences() == ours.sentences()
    assert "rows lie in the future, the latest on 1 January 2199" in ours.sentences()[-1]


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
    shown = {}
    for name, source in (("engine", ["events", "--engine", f"duckdb://{path}"]), ("here", [str(tmp_path / "log.csv")])):
        assert cli.main(["count", *source, *options, "--window", "5s", "--journeys", "--trend", "week"]) == 0
        shown[name] = json.loads(capsys.readouterr().out)
    assert shown["engine"]["time_trend"] == shown["here"]["time_trend"]


# --- other engines -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL server: apt-get install postgresql")
def test_postgresql_counts_as_the_kit(fine, capsys):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="the driver is in the extra sql")
    log, as_of = fine[0][fine[0]["id"] < N // 10], fine[1]
    with postgres.server("fun nel:@") as port:
        url = f"postgresql://owner:fun%20nel%3A%40@127.0.0.1:{port}/postgres"
        writing = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+pg8000:"))
        log.assign(zoned=log["at"].dt.tz_localize("UTC"), said=log["at"].astype(str)).to_sql("log", writing)
        writing.dispose()
        for name, rule in RULES.items():
            theirs = count_on(url, "public.log", "ABCD", rule, columns=COLUMNS, as_of=as_of).table
            ours = count_events(log, "ABCD", rule, columns=COLUMNS, as_of=as_of).table
            same = ours.columns[:5] if "incidence" in set(ours["basis"]) else ours.columns
            pd.testing.assert_frame_equal(theirs[same], ours[same], obj=name)
        options = {"columns": {"id": "id", "stage": "name", "at": "zoned"}, "as_of": as_of}
        found = journeys(log, "ABCD", RULES["ga4_closed"], columns=COLUMNS, as_of=as_of)
        times = times_on(url, "log", "ABCD", RULES["ga4_closed"], **options).table
        pd.testing.assert_frame_equal(times, time_to_convert(found).table)
        trend = trend_on(url, "log", "ABCD", RULES["ga4_closed"], **options).table
        pd.testing.assert_frame_equal(trend, conversion_trend(found).table)
        for steps in ("ABC", "ABCD"):  # some come through, and nobody whose window has passed
            by_week = times_on(url, "log", steps, RULES["ga4_closed"], unit="week", **options).table
            found = journeys(log, steps, RULES["ga4_closed"], columns=COLUMNS, as_of=as_of)
            pd.testing.assert_frame_equal(by_week, time_trend(found, "week").table)
        with pytest.raises(DataError, match="does not read times from text: column 'said'"):
            count_on(url, "log", "AB", columns={"id": "id", "stage": "name", "at": "said"})
        assert cli.main(["count", "nothing", "--engine", url, "--steps", "A,B"]) != 0
        assert "fun" not in capsys.readouterr().err.replace("funnel", "")


@pytest.mark.parametrize(
    ("dialect", "rules"),
    [
        *[pytest.param(dialect, RULES.values(), id=dialect) for dialect in ("pyspark", "postgres")],
        *[
            pytest.param(dialect, APART, id=dialect, marks=pytest.mark.slow)
            for dialect in ("clickhouse", "bigquery", "snowflake")
        ],
    ],
)
def test_each_dialect_gets_sql_that_its_grammar_reads(dialect, rules):
    """What sqlglot's grammar of a dialect accepts; ClickHouse, BigQuery and Snowflake were not there to run it."""
    import sqlglot

    table = ibis.table({"id": "int64", "name": "string", "at": "timestamp"}, name="log")
    for rule in rules:
        found = depth_expression(table, list("ABCD"), rule, COLUMNS, dialect)
        counts = found.group_by("depth").aggregate(n=found.count())
        sql = str(ibis.to_sql(counts, dialect=dialect))
        read = sqlglot.parse_one(sql, dialect={"pyspark": "spark"}.get(dialect, dialect))
        windows = 3 + (rule.reentry == "first") + 2 * bool(rule.exclude or rule.lost)
        assert len({node.sql() for node in read.find_all(sqlglot.exp.Window)}) == windows


@pytest.mark.parametrize(
    ("missing", "url", "said"),
    [
        ("ibis", "clickhouse://host/db", "needs Ibis, which is not installed. Run: pip install 'funnelkit[spark]'"),
        ("pyspark", "spark://host:7077", "needs PySpark, which is not installed. Run: pip install 'funnelkit[spark]'"),
    ],
)
def test_a_missing_extra_says_what_to_install(missing, url, said, monkeypatch):
    found = warehouse_engines.find_spec
    monkeypatch.setattr(warehouse_engines, "find_spec", lambda name: None if name == missing else found("ibis"))
    with pytest.raises(DataError) as caught:
        count_on(url, "log", "AB")
    assert said in str(caught.value)


def test_missing_java_says_what_to_install(monkeypatch):
    monkeypatch.setattr(warehouse_engines, "find_spec", lambda name: True)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match=r"needs Java 17 or newer.*apt-get install openjdk-17-jre-headless"):
        count_on("spark://127.0.0.1:7077", "log", "AB")


def test_an_engine_that_is_not_reachable_is_said_at_once(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(warehouse_engines, "find_spec", lambda name: True)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["count", "log", "--engine", "spark://127.0.0.1:1", "--steps", "A,B"]) != 0
    assert "no connection to 127.0.0.1:1 (Connection refused)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_times_are_refused_where_they_would_be_estimates():
    with pytest.raises(DataError, match="engine clickhouse estimates quantiles"):
        times_on("clickhouse://host/db", "log", "AB")
    with pytest.raises(RuleError, match="ties='grace'"):
        times_on("duckdb://", "log", "AB", "mixpanel")
