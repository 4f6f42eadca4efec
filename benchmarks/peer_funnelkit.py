"""funnelkit: python benchmarks/peer_funnelkit.py F1|F2|F3|F4|F5 FILE."""

import duckdb  # noqa: F401  imported before the clock starts, as every peer's library is
import numpy  # noqa: F401
import pandas as pd
import pyarrow.parquet  # noqa: F401
from tasks import AS_OF, STEPS, WINDOW_DAYS, run

from funnelkit.events import LogColumns, Rule, conversion_trend, count_events, journeys, preset, time_to_convert

COLUMNS = LogColumns("id", "stage", "at")
RULE = preset("clickhouse", f"{WINDOW_DAYS}d")


def f1(path):
    return count_events(path, STEPS, RULE, columns=COLUMNS).table["n_entered"].tolist()


def f2(path):
    table = count_events(path, STEPS, RULE, columns=COLUMNS, by="segment").table
    return [group["n_entered"].tolist() for _, group in table.groupby("segment", sort=True)]


def f3(path):
    """Give the median days from step to step, first event after the step before, by segment."""
    found = journeys(path, STEPS, Rule(), columns=COLUMNS, attributes=["segment"])
    table = time_to_convert(found, by="segment").table
    table = table[table["stage"] != "total"].sort_values("segment", kind="stable")
    return [[int(n), round(days, 6)] for n, days in zip(table["n"], table["p50_days"], strict=True)]


def f4(path):
    """Count entered, converted, lost and open by the month of the entry, as of a date."""
    rule = preset("posthog", f"{WINDOW_DAYS}d")
    trend = conversion_trend(journeys(path, STEPS[:4], rule, columns=COLUMNS, as_of=pd.Timestamp(AS_OF))).table
    return trend[["n_entered", "n_converted", "n_open"]].to_numpy().tolist()


def f5(path):
    return count_events(path, STEPS, Rule(), columns=COLUMNS).table["n_entered"].tolist()


if __name__ == "__main__":
    run({"F1": f1, "F2": f2, "F3": f3, "F4": f4, "F5": f5})
