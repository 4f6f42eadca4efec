"""Packed keys bring any log into the order that DuckDB's general sort gives, whatever its ids, order and times."""

import itertools

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funnelkit.events.count import count_events
from funnelkit.events.engine import parquet_batches, parquet_footers, sort_keys
from funnelkit.events.log import Log, Want
from funnelkit.events.rule import preset
from funnelkit.events.search import Search
from funnelkit.language.errors import DataError
from tests.support.randomlogs import COLUMNS, START, by_entity, kit_depths, random_log
from tests.support.reference import deepest

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
    monkeypatch.setattr(sort_keys, "BUCKET_ROWS", 1_000)
    monkeypatch.setattr(parquet_footers, "_ROWS", 1_000)
    monkeypatch.setattr(parquet_batches, "BATCH_ROWS", 300)
    log = kinds(log_in(order, ids, times, np.random.default_rng(2)), tmp_path)[source]
    want, rule = Want(("A", "B", "C", "D"), by="held", ids=False), preset("clickhouse", "5s")
    with Search(log, want.steps, rule, columns=COLUMNS, by="held") as search:
        assert search.log.layout(want) is not None, "keys bring the rows into order"
        quick = list(search.parts())
        slow = search._one("ends", search.log.sorted_rows(want))
    assert tally(quick) == tally([slow])
    assert sum(len(rows.at) for rows, _ in quick) == len(slow[0].at)
    assert len(quick) > 1


def tally(found):
    """Return (depth, segment of the start, time of it, time until) of all entities, sorted."""
    rows = []
    for part, reached in found:
        began = np.flatnonzero(reached.depth)
        start = reached.start[began]
        columns = (
            reached.depth[began],
            np.array(part.segments)[part.segment[start]],
            part.at[start],
            reached.until[began],
        )
        rows += zip(*(column.tolist() for column in columns), strict=True)
    return sorted(rows)


def written(tmp_path, log, group_rows):
    """Write a log in row groups of these sizes; return its path."""
    table = pa.Table.from_pandas(log[["id", "name", "at"]], preserve_index=False)
    with pq.ParquetWriter(tmp_path / "log.parquet", table.schema) as writer:
        for first, last in itertools.pairwise(np.cumsum([0, *group_rows])):
            writer.write_table(table.slice(first, last - first))
    return tmp_path / "log.parquet"


@pytest.mark.parametrize(("partition_rows", "rows_at_once"), [(None, 1), (700, 1), (None, 2_000), (700, 2_000)])
def test_an_entity_over_the_edges_of_batches_and_groups_is_counted_once(
    tmp_path, monkeypatch, partition_rows, rows_at_once
):
    monkeypatch.setattr(parquet_footers, "_ROWS", rows_at_once)
    monkeypatch.setattr(parquet_batches, "BATCH_ROWS", 53)
    log = random_log(np.random.default_rng(4), 300, longest=10).sort_values(["id", "second"], ignore_index=True)
    # One entity alone fills several groups; others begin in one and end in the next.
    many = pd.DataFrame({"id": 150, "name": np.resize(list("XABDACBX"), 900), "at": START, "second": 3})
    log = pd.concat([log[log["id"] < 150], many, log[log["id"] > 150]], ignore_index=True)
    path = written(tmp_path, log, [97] * (len(log) // 97) + [len(log) % 97])
    rule, steps = preset("clickhouse", "5s"), list("ABCD")
    with Log(path, COLUMNS) as opened:
        opened.facts()
        assert len(opened.footers.chunks) > 1
        assert rows_at_once > 1 or (len(opened.footers.edges) >= 5 and 150 in opened.footers.edges)
    events = by_entity(log.assign(held=""), 300)
    events[150] = [*dict.fromkeys(events[150])]  # the same events again change nothing
    expected = [deepest(of_one, steps, rule) for of_one in events]
    assert kit_depths(path, steps, rule, 300, partition_rows=partition_rows).tolist() == expected


@pytest.mark.parametrize("order", ["time", "none"])
@pytest.mark.parametrize("partition_rows", [None, 900])
def test_row_groups_whose_entities_lie_across_them_agree_with_the_reference(
    tmp_path, monkeypatch, order, partition_rows
):
    monkeypatch.setattr(parquet_footers, "_ROWS", 1_000)
    monkeypatch.setattr(sort_keys, "BUCKET_ROWS", 100)
    monkeypatch.setattr(parquet_batches, "BATCH_ROWS", 90)
    log = log_in(order, "small", "seconds", np.random.default_rng(11))
    path = written(tmp_path, log, [400] * (len(log) // 400) + [len(log) % 400])
    with Log(path, COLUMNS) as opened:
        opened.facts()
        assert opened.footers.edges is None and len(opened.footers.chunks) > 3
    rule, steps = preset("clickhouse", "5s"), list("ABCD")
    expected = [deepest(events, steps, rule) for events in by_entity(log, N)]
    assert kit_depths(path, steps, rule, N, partition_rows=partition_rows).tolist() == expected


def test_a_group_in_no_order_within_is_sorted_though_the_groups_are_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_footers, "_ROWS", 1)
    log = random_log(np.random.default_rng(5), 400)
    low, high = (log[part].sample(frac=1, random_state=1) for part in (log["id"] < 200, log["id"] >= 200))
    path = written(tmp_path, pd.concat([low, high]), [len(low), len(high)])
    with Log(path, COLUMNS) as opened:
        opened.facts()
        assert opened.footers.edges == set()
    rule, steps = preset("posthog", "5s"), list("ABCD")
    expected = [deepest(events, steps, rule) for events in by_entity(log, 400)]
    assert kit_depths(path, steps, rule, 400).tolist() == expected


def test_row_groups_too_large_to_hold_are_left_to_duckdb(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_footers, "_LARGEST", 500)
    monkeypatch.setattr("funnelkit.events.log.waves", None)
    log = log_in("time", "small", "seconds", np.random.default_rng(12))
    rule, steps = preset("clickhouse", "5s"), list("ABCD")
    expected = [deepest(events, steps, rule) for events in by_entity(log, N)]
    assert kit_depths(written(tmp_path, log, [len(log)]), steps, rule, N).tolist() == expected


def test_steps_and_segments_without_a_name(tmp_path):
    log = pd.DataFrame({"id": [1, 1, 2, 2], "name": ["A", None, "A", "B"], "by": ["x", "x", None, "y"]})
    log["at"] = START + pd.to_timedelta([0, 1, 2, 3], unit="s")
    log.to_parquet(tmp_path / "log.parquet")
    tables = [count_events(source, "AB", columns=COLUMNS, by="by").table for source in (tmp_path / "log.parquet", log)]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0][["by", "n_entered"]].to_numpy().tolist() == [["", 1], ["", 1], ["x", 1], ["x", 0]]


def test_ties_come_in_the_order_of_the_steps_and_of_the_segments():
    layout = sort_keys.Layout(0, 8, 2, ("x", "y", "z"))
    who = np.array([1, 1, 1, 2, 2, 1])
    at, code, segment = np.array([5, 5, 6, 6, 6, 5]), np.array([2, 0, 1, 1, 0, 0]), np.array([2, 1, 0, 2, 1, 0])
    (rows,) = sort_keys.group(who, layout.pack(at, code, segment), layout)
    assert rows.at.tolist() == [5, 5, 5, 6, 6, 6] and rows.entity.tolist() == [0, 0, 0, 0, 1, 1]
    assert rows.step.tolist() == [0, 0, 2, 1, 0, 1] and rows.segment.tolist() == [0, 1, 2, 0, 1, 2]
    assert sort_keys.presorted((who, at, code, segment), ("x", "y", "z")) is None, "its entities are in no order"
    assert sort_keys.presorted((np.array([1, 1]), np.array([2, 1]), code[:2], None), ()) is None, "nor are these times"


@pytest.mark.parametrize("named", [True, False])
def test_rows_in_order_but_for_their_ties_need_no_keys(named):
    rng = np.random.default_rng(14)
    who, at = np.sort(rng.integers(0, 60, 900)), rng.integers(0, 6, 900)
    at = at[np.lexsort((at, who))]
    code, segment = rng.integers(0, 4, 900).astype("int8"), rng.integers(0, 3, 900) if named else None
    layout = sort_keys.Layout(0, 8, 2, ("x", "y", "z") if named else ())
    (expected,) = sort_keys.group(who.copy(), layout.pack(at.copy(), code, segment), layout)
    rows = sort_keys.presorted([who, at, code, segment], layout.segments)
    for name in ("entity", "step", "at", "ids", *(["segment"] if named else [])):
        assert np.array_equal(getattr(rows, name), getattr(expected, name)), name
    assert rows.ids[rows.entity].tolist() == who.tolist()


def test_keys_too_wide_for_63_bits_are_made_of_places():
    hashes = np.array([2**63 - 1, -(2**63), 2**63 - 1, 7])
    layout = sort_keys.Layout(0, 58, 2)
    (rows,) = sort_keys.group(hashes, layout.pack(np.array([2**57 + 1, 3, 1, 9]), np.array([1, 0, 0, 3])), layout)
    found = dict(zip(rows.ids.tolist(), range(3), strict=True))
    mine = rows.entity == found[2**63 - 1]
    assert len(rows.ids) == 3 and rows.at[mine].tolist() == [1, 2**57 + 1] and rows.step[mine].tolist() == [0, 1]


def test_footers_tell_the_facts_and_nulls_are_counted(tmp_path):
    log = pd.DataFrame({"id": [1, 2], "name": ["A", "A"], "at": [START, START + pd.Timedelta(days=1)]})
    log.to_parquet(tmp_path / "a.parquet")
    with Log(tmp_path / "a.parquet", COLUMNS) as opened, Log(log, COLUMNS) as frame:
        assert opened.facts() == frame.facts() and opened.facts()["latest"] == log["at"].max()
        assert opened.footers is not None and opened.span == frame.span
    log.loc[1, "at"] = pd.NaT
    log.to_parquet(tmp_path / "b.parquet")
    with Log([tmp_path / "a.parquet", tmp_path / "b.parquet"], COLUMNS) as opened:
        facts = opened.facts()
        assert opened.footers is None
    assert (facts["n_rows"], facts["rows_without_time"]) == (4, 1)


def test_a_file_cut_off_is_said_to_be_unreadable(tmp_path):
    log = log_in("time", "small", "seconds", np.random.default_rng(13))
    path = written(tmp_path, log, [len(log)])
    data = bytearray(path.read_bytes())
    data[len(data) // 4 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 4)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"log\.parquet"):
        count_events(path, "ABCD", columns=COLUMNS)


def test_footers_name_the_types_as_duckdb_does(tmp_path):
    kinds = [pa.int8(), pa.uint32(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_(), pa.date32(), pa.string()]
    kinds += [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    kinds += [pa.timestamp(unit, zone) for unit in ("s", "ms", "us") for zone in (None, "UTC")]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({str(kind): pa.nulls(1, kind) for kind in kinds}), path)
    relation = duckdb.connect().read_parquet(str(path))
    expected = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert parquet_footers.column_types([path]) == expected


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.list_(pa.int64()), pa.decimal128(9, 2), pa.duration("us")])
def test_types_that_only_duckdb_can_name_are_left_to_it(tmp_path, kind):
    pq.write_table(pa.table({"id": pa.array([1]), "other": pa.nulls(1, kind)}), tmp_path / "log.parquet")
    assert parquet_footers.column_types([tmp_path / "log.parquet"]) is None


def test_folders_that_are_columns_and_files_that_differ_are_left_to_duckdb(tmp_path):
    (tmp_path / "year=2026").mkdir()
    paths = [tmp_path / "year=2026" / "log.parquet", tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for place, path in enumerate(paths):
        pq.write_table(pa.table({"id": pa.array([1], pa.int64() if place < 2 else pa.int32())}), path)
    assert parquet_footers.column_types(paths[1:2]) == {"id": "BIGINT"}
    assert parquet_footers.column_types(paths[:1]) is None and parquet_footers.column_types(paths[1:]) is None
    (tmp_path / "c.parquet").write_text("no Parquet")
    assert (
        parquet_footers.column_types([tmp_path / "c.parquet"]) is None
        and parquet_footers.column_types([tmp_path / "d.parquet"]) is None
    )


@pytest.mark.parametrize("by", [None, "held"])
def test_whole_number_ids_in_parquet_are_counted_without_duckdb(tmp_path, by):
    log = log_in("time", "small", "seconds", np.random.default_rng(8))
    log.loc[:20, "held"] = None
    path, steps = kinds(log, tmp_path)["parquet"], list("ABCD")
    with Search(path, steps, preset("clickhouse", "5s"), columns=COLUMNS, by=by) as search:
        tables = [list(search.parts())]
        assert "db" not in search.log.__dict__ and tables
    found = [count_events(source, steps, columns=COLUMNS, by=by).table for source in (path, log)]
    pd.testing.assert_frame_equal(*found)
    assert by is None or "" in set(found[0]["held"])


@pytest.mark.parametrize("partition_rows", [None, 900])
@pytest.mark.parametrize("ids", ["small", "text"])
@pytest.mark.parametrize("order", ["time", "entity", "none"])
def test_a_single_row_group_is_counted_batch_by_batch(tmp_path, monkeypatch, order, ids, partition_rows):
    monkeypatch.setattr(sort_keys, "BUCKET_ROWS", 1_000)
    monkeypatch.setattr(parquet_batches, "BATCH_ROWS", 90)
    monkeypatch.setattr("funnelkit.events.log.THREADS", 2)
    monkeypatch.setattr(sort_keys, "THREADS", 2)
    log = log_in(order, ids, "seconds", np.random.default_rng(15))
    path = written(tmp_path, log, [len(log)])
    rule, steps = preset("clickhouse", "5s"), list("ABCD")
    with Search(path, steps, rule, columns=COLUMNS, partition_rows=partition_rows) as search:
        found = np.concatenate([reached.depth for _, reached in search.parts()])
        assert "db" not in search.log.__dict__ and (search.n_parts > 1) == (partition_rows is not None)
    numbered = log.assign(id=log["id"].astype(str).str.removeprefix("c-").astype(int))
    expected = [deepest(events, steps, rule) for events in by_entity(numbered, N)]
    assert np.bincount(found, minlength=5)[1:].tolist() == np.bincount(expected, minlength=5)[1:].tolist()


@pytest.mark.parametrize("missing", [True, False])
def test_footers_tell_whether_a_column_has_missing_values(tmp_path, missing):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"id": [1, 2], "name": ["A", None if missing else "B"]}), path, row_group_size=1)
    assert parquet_footers.has_missing([path], "name") is missing
    pq.write_table(pa.table({"name": ["A", None]}), path, write_statistics=False)
    assert parquet_footers.has_missing([path], "name") is None


@pytest.mark.parametrize("spread", [2**40, 7])
def test_wide_ids_keep_their_own_whether_their_first_bits_differ_or_not(spread):
    rng = np.random.default_rng(3)
    ids = rng.integers(-(2**62), 2**62, 40, dtype="int64") if spread > 7 else 2**61 + 7 * np.arange(40)
    who, seconds, code = ids[rng.integers(0, 40, 500)], rng.integers(0, 2**26, 500), rng.integers(0, 8, 500)
    layout = sort_keys.Layout(0, 46, 3)
    (rows,) = sort_keys.group(who.copy(), layout.pack(seconds * 1_000_000, code), layout)
    found = pd.DataFrame({"who": rows.ids[rows.entity], "at": rows.at // 1_000_000, "code": rows.step})
    given = pd.DataFrame({"who": who, "at": seconds, "code": code.astype("int8")}).sort_values(["who", "at", "code"])
    assert (np.diff(rows.entity) >= 0).all() and len(rows.ids) == len(set(who.tolist()))
    pd.testing.assert_frame_equal(
        found.sort_values(["who", "at", "code"], ignore_index=True), given.reset_index(drop=True)
    )
