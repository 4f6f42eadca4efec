"""The same counts on a real Spark: a standalone master and two workers on loopback, one of them killed."""

import threading
import time

import numpy as np
import pandas as pd
import pytest

from funnelkit.events import conversion_trend, count_events, journeys, time_to_convert, time_trend
from funnelkit.events.warehouse import count_on, times_on, trend_on
from funnelkit.events.warehouse_chains import depth_expression
from funnelkit.events.warehouse_engines import open_engine
from tests.support import spark
from tests.support.randomlogs import COLUMNS, by_entity, kit_found, random_log
from tests.support.reference import deepest

pytest.importorskip("ibis", reason="Ibis is in the bench and spark extras")

from tests.events.test_warehouse import APART, EACH, RULES, thousand_logs

pytestmark = [pytest.mark.slow, pytest.mark.skipif(spark.missing() is not None, reason=str(spark.missing()))]
STEPS, EVENTS = list("ABCD"), 1_000_000
HUNDRED = 100 * EACH  # entities of a hundred of the random logs


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, spark.cluster(tmp_path_factory.mktemp("spark"), patch) as running:
        yield running


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A log of a million events, half of them no step, with microseconds."""
    rng = np.random.default_rng(18)
    log = random_log(rng, EVENTS // 8, "ABCDXXXX", 16, 20).drop(columns=["held", "second"])
    log["at"] += pd.to_timedelta(rng.integers(0, 1_000_000, len(log)), unit="us")
    path = tmp_path_factory.mktemp("log") / "big.parquet"
    log.to_parquet(path, row_group_size=250_000, coerce_timestamps="us")
    assert abs(len(log) - EVENTS) < 20_000
    return str(path), log["at"].min() + pd.Timedelta(seconds=17)


@pytest.mark.parametrize(
    "name", ["clickhouse", "strict_increase", "mixpanel", "ga4_closed", "gap", "lost", "no_window"]
)
def test_a_million_events_count_as_here(cluster, big, name):
    path, as_of = big
    theirs = count_on(cluster.url, path, STEPS, RULES[name], columns=COLUMNS, as_of=as_of).table
    ours = count_events(path, STEPS, RULES[name], columns=COLUMNS, as_of=as_of).table
    same = ours.columns[:5] if "incidence" in set(ours["basis"]) else ours.columns
    pd.testing.assert_frame_equal(theirs[same], ours[same])


def test_times_and_cohorts_of_a_million_events(cluster, big):
    path, as_of = big
    options = {"columns": COLUMNS, "as_of": as_of}
    found = journeys(path, STEPS, RULES["clickhouse"], **options)
    trend = trend_on(cluster.url, path, STEPS, RULES["clickhouse"], unit="day", **options).table
    pd.testing.assert_frame_equal(trend, conversion_trend(found, "day").table)
    times = times_on(cluster.url, path, STEPS, RULES["clickhouse"], **options).table
    assert times["n"].min() > 100
    pd.testing.assert_frame_equal(times, time_to_convert(found).table)
    by_month = times_on(cluster.url, path, STEPS, RULES["clickhouse"], unit="month", **options).table
    pd.testing.assert_frame_equal(by_month, time_trend(found).table)


@pytest.fixture(scope="module")
def logs(cluster, big, tmp_path_factory):
    """A hundred of the thousand random logs, and a tenth of the million events: file, view in memory, lists, as of."""
    from pyspark.sql import SparkSession

    few, many = thousand_logs().query("id < @HUNDRED"), pd.read_parquet(big[0]).query("id < @EVENTS // 80")
    log = pd.concat([few[["id", "name", "at"]], many.assign(id=many["id"] + HUNDRED)], ignore_index=True)
    path = str(tmp_path_factory.mktemp("logs") / "logs.parquet")
    log.to_parquet(path, coerce_timestamps="us")
    connection = open_engine(cluster.url)
    held = SparkSession.getActiveSession().read.parquet(path).repartition(2, "id").cache()
    held.createOrReplaceTempView("logs")
    as_of = int(big[1].value) // 1000
    yield path, connection.table("logs"), by_entity(few, HUNDRED), as_of
    held.unpersist()


def test_a_hundred_random_logs_and_one_of_a_hundred_thousand_events_under_every_rule(logs):
    import ibis

    path, table, entities, as_of = logs
    for rule in APART:
        found = depth_expression(table, STEPS, rule, COLUMNS, "pyspark")
        who = ibis.ifelse(found.who < HUNDRED, found.who, HUNDRED)  # those of the large log are counted together
        is_open = found.until > as_of if rule.ends else found.depth < 0
        theirs = found.group_by(who=who, depth=found.depth, is_open=is_open).aggregate(n=found.count()).execute()
        ours = kit_found(path, STEPS, rule).assign(n=1)
        ours["who"], ours["is_open"] = ours["id"].clip(upper=HUNDRED), (ours["until"] > as_of) & rule.ends
        keys = ["who", "depth", "is_open"]
        ours = ours.groupby(keys, as_index=False)["n"].sum()
        assert theirs.sort_values(keys).to_numpy().tolist() == ours[theirs.columns].to_numpy().tolist(), repr(rule)
        plain = {who: deepest(events, STEPS, rule.searched()) for who, events in enumerate(entities)}
        few = theirs[theirs["who"] < HUNDRED]
        assert dict(zip(few["who"], few["depth"], strict=True)) == {who: at for who, at in plain.items() if at}
    logs = f"{HUNDRED // EACH} of the random logs and one of {EVENTS // 10:,} events"
    print(f"{logs} x {len(APART)} rules: kit, plain Python and Spark agree")


def test_a_killed_worker_changes_no_count(cluster, big):
    from pyspark import SparkContext

    path, as_of = big
    expected = count_events(path, STEPS, RULES["clickhouse"], columns=COLUMNS, as_of=as_of).table
    found = []
    options = {"columns": COLUMNS, "as_of": as_of}
    run = threading.Thread(target=lambda: found.append(
        count_on(cluster.url, path, STEPS, RULES["clickhouse"], **options).table))  # fmt: skip
    tracker, executors = SparkContext.getOrCreate().statusTracker(), executor_count()
    run.start()
    while run.is_alive() and not busy(tracker):
        time.sleep(0.02)
    cluster.kill_worker()
    assert run.is_alive(), "the count was over before the worker was killed"
    run.join(120)
    pd.testing.assert_frame_equal(found[0], expected)
    assert (executors, executor_count()) == (2, 1)


def busy(tracker):
    """Return whether tasks of a shuffle run: what the worker holds is then wanted later."""
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return any(stage and stage.numActiveTasks and stage.numTasks > 1 for stage in stages)


def executor_count():
    from pyspark import SparkContext

    return SparkContext.getOrCreate()._jsc.sc().getExecutorMemoryStatus().size() - 1  # the driver is one of them
