"""Packed keys bring any log into the order that DuckDB's general sort gives, whatever its ids, order and times."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnelkit import keys
from funnelkit.rule import preset
from funnelkit.scan import Log, Want
from funnelkit.search import Search

sys.path.insert(0, str(Path(__file__).parent))
from randomlogs import COLUMNS, START, random_log

N = 3_000


def log_in(order, ids, times, rng):
    log = random_log(rng, N)
    if times == "micros":
        log["at"] += pd.to_timedelta(rng.integers(0, 3, len(log)) * 250_001, unit="us")
    log["id"] = {"small": log["id"], "wide": log["id"] * 2**40 - 2**61, "text": "c-" + log["id"].astype(str)}[ids]
    by = {"time": "at", "entity": ["id", "at"], "none": None}[order]
    log = log.sort_values(by, kind="stable") if by else log.sample(frac=1, random_state=3)
    return log.reset_index(drop=True)


def kinds(log, tmp_path):
    path = tmp_path / "log.parquet"
    log.to_parquet(path, row_group_size=5_000)
    return {"frame": log, "parquet": path}


@pytest.mark.parametrize("source", ["frame", "parquet"])
@pytest.mark.parametrize("times", ["seconds", "micros"])
@pytest.mark.parametrize("ids", ["small", "wide", "text"])
@pytest.mark.parametrize("order", ["time", "entity", "none"])
def test_every_way_counts_the_same(tmp_path, monkeypatch, order, ids, times, source):
    monkeypatch.setattr(keys, "_SMALL", 1_000)
    log = kinds(log_in(order, ids, times, np.random.default_rng(2)), tmp_path)[source]
    want, rule = Want(("A", "B", "C", "D"), by="held", ids=False), preset("clickhouse", "5s")
    with Search(log, want.steps, rule, columns=COLUMNS, by="held") as search:
        quick, slow = search.log.rows(want), [search.log._sorted(want, 0, 1)]
        found = [tally(parts, search) for parts in (quick, slow)]
    assert found[0] == found[1]
    assert sum(len(rows.at) for rows in quick) == len(slow[0].at)
    if order != "none":
        assert len(quick) == keys.THREADS, "the keys were used, in parallel"


def tally(parts, search):
    """Return (depth, segment of the start, time until) of all entities, sorted."""
    rows = []
    for part, reached in zip(parts, search._run(parts, False), strict=True):
        began = np.flatnonzero(reached.depth)
        names = np.array(part.segments)[part.segment[reached.start[began]]]
        at = part.at[reached.start[began]]
        rows += zip(
            reached.depth[began].tolist(), names.tolist(), at.tolist(), reached.until[began].tolist(), strict=True
        )
    return sorted(rows)


def test_ties_come_in_the_order_of_the_steps():
    who, at = np.array([1, 1, 1, 2, 2]), np.array([5, 5, 6, 6, 6])
    code, segment = np.array([2, 0, 1, 1, 0], dtype="int8"), np.array([9, 8, 7, 6, 5])
    keys.fix_ties(who, at, code, segment)
    assert code.tolist() == [0, 2, 1, 0, 1] and segment.tolist() == [8, 9, 7, 5, 6]


def test_hashes_that_share_their_upper_bits_are_told_apart():
    upper = np.uint64(7 << 40)
    who = np.array([upper + np.uint64(low) for low in (3, 1, 3, 1, 2)], dtype="uint64")
    columns = keys.Columns(who, np.array([0, 0, 1, 1, 0], dtype="int8"), np.arange(5), hashed=True)
    (rows,) = keys.group(columns)
    assert rows.n_entities == 3 and rows.step.tolist() == [0, 1, 0, 0, 1] and rows.entity.tolist() == [0, 0, 1, 2, 2]


def test_a_log_in_no_order_is_left_to_duckdb():
    columns = keys.Columns(np.array([2, 1, 2]), np.zeros(3, dtype="int8"), np.array([5, 1, 3]), hashed=True)
    assert keys.group(columns) is None


def test_footers_tell_the_facts_and_nulls_are_counted(tmp_path):
    log = pd.DataFrame({"id": [1, 2], "name": ["A", "A"], "at": [START, START + pd.Timedelta(days=1)]})
    log.to_parquet(tmp_path / "a.parquet")
    with Log(tmp_path / "a.parquet", COLUMNS) as opened:
        assert opened._footer_facts() == opened.facts() and opened.facts()["latest"] == log["at"].max()
    log.loc[1, "at"] = pd.NaT
    log.to_parquet(tmp_path / "b.parquet")
    with Log([tmp_path / "a.parquet", tmp_path / "b.parquet"], COLUMNS) as opened:
        assert opened._footer_facts() is None
        facts = opened.facts()
    assert (facts["n_rows"], facts["rows_without_time"]) == (4, 1)
