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
from tests.support.randomlogs import COLUMNS, kit_depths, random_log

pytest.importorskip("ibis", reason="Ibis is in the bench and spark extras")

from tests.events.test_warehouse import RULES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(spark.missing() is not None, reason=str(spark.missing()))]
STEPS, EVENTS = list("ABCD"), 1_000_000


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


@pytest.mark.parametrize("name", RULES)
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


def test_a_hundred_random_logs(cluster, tmp_path):
    n = 100 * 20
    log = random_log(np.random.default_rng(100), n)
    log.to_parquet(tmp_path / "logs.parquet", coerce_timestamps="us")
    connection = open_engine(cluster.url)
    table = connection.read_parquet(str(tmp_path / "logs.parquet"))
    for rule in RULES.values():
        found = depth_expression(table, STEPS, rule, COLUMNS, connection.name).execute()
        theirs = np.zeros(n, dtype=int)
        theirs[found["who"]] = found["depth"]
        assert (theirs.reshape(100, 20) == kit_depths(log, STEPS, rule, n).reshape(100, 20)).all()
    print(f"100 logs of {len(log)} events, {len(RULES)} rules: kit and Spark agree")


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
