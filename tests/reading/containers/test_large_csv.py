"""Large: read block by block, a file gives the table, the findings and the errors that it gives read in one go."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.reading.containers import large_csv
from funnelkit.reading.containers.detect import open_source
from funnelkit.reading.containers.options import Bounds, ReadOptions
from funnelkit.reading.read import read

STAGES = ["Lead", "Offer", "Won"]
NEVER = 10**12


def outcome(call):
    try:
        return call()
    except DataError as error:
        return (error.key, error.values)


def both(monkeypatch, path, block=64, options=None):
    """Return (block by block, in one go) of opening a file."""
    found = []
    for most in (0, NEVER):
        monkeypatch.setattr(large_csv, "LARGEST_PLAIN", most)
        monkeypatch.setattr(large_csv, "BLOCK", block)
        found.append(outcome(lambda: open_source(path, options)))
    return found


def assert_same(one, other):
    if isinstance(other, tuple) or isinstance(one, tuple):
        assert one == other
        return
    assert one.cells.astype("str").equals(other.cells.astype("str")) and list(one.cells) == list(other.cells)
    assert one.lines.tolist() == other.lines.tolist() and one.blank == other.blank
    assert (one.broken, one.notes, one.delimiter) == (other.broken, other.notes, other.delimiter)


HARD = (
    b"id,stage\nA,Lead\n\n , \nB\nC,Won,x\nD,Won", b"\xef\xbb\xbfid;stage\r\nA;Lead\r\n\r\nB;Won\r\n",
    b'"id","stage"\n"A","Le,ad"\n"","" \n"B","Won"\n', b'id,stage\nA,"two\nlines"\nB,Won\n',
    b'id,stage\nA,a"b\nB,Won\n',
    b"id,stage\rA,Lead\rB,Won\r", "id,stage\nA,阶段\nB,初步\n".encode("gb18030"),
    b"id,stage\nA,\0\n", b"sep=;\nid;stage\nA;x\n",
    b"id,stage\nA,\xff\n" + b"B,Won\n" * 40, b"\n\n\nid,stage\nA,Lead\n", b"id,id\nA,B\n", b"id,stage\n", b"   \n,,\n",
    b"<html><body>" + b"x\n" * 50, b"id,stage\n" + b"A," + b"x" * 500 + b"\n", b"id\tstage\nA\tLead\n,\t\n\t\n",
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(HARD)))
def test_hard_files_are_read_the_same(tmp_path, monkeypatch, number):
    path = tmp_path / "d.csv"
    path.write_bytes(HARD[number])
    for options in (None, ReadOptions(bounds=Bounds(cell_characters=100)), ReadOptions(encoding="utf-8")):
        for block in (16, 64, 1 << 20):
            assert_same(*both(monkeypatch, path, block, options))


CELLS = st.sampled_from(["a", "", " ", '"', '""', '"x"', '"a,b"', "é", "北京", "1.5", "\u200b", "Ｗon", "'", "\t"])
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.sampled_from([",", ";"]))
@example([["a", "b"], ['"', "x"], ['"', "y"]], "\n", True, ",")
def test_any_file_is_read_the_same(tmp_path_factory, monkeypatch, rows, newline, ended, mark):
    path = tmp_path_factory.mktemp("any") / "d.csv"
    text = newline.join(mark.join(row) for row in [["id", "stage", "x"], *rows]) + newline * ended
    path.write_bytes(text.encode())
    assert_same(*both(monkeypatch, path))


def many(path, rows=3000):
    """Write deals of which every fault of a row occurs, far from the start as well."""
    rng = np.random.default_rng(3)
    lines = ["id,stage,created,closed,amount,owner,note"]
    for i in range(rows):
        stage = STAGES[int(rng.integers(3))]
        closed = f"2026-03-{i % 28 + 1:02d}" if stage == "Won" else ""
        lines.append(f"{i:05d},{stage},2026-02-{i % 28 + 1:02d},{closed},{i % 97}.{i % 9}0,o{i % 7},n{i}")
    for i, cells in {40: "00040,Led,2026-02-30,,x,,", 900: ",Lead,,,,,", 1500: "Total,,,,9,,", 2100: "02100,Lead",
                     2101: "", 2500: "00007,Won,2026-02-02,2026-03-03,1,o,p", 2600: lines[2600],
                     2800: "9,Lead,1,,5万,,",
                     2900: "8,Won,2026-05-01,2026-04-01,1,,"}.items():  # fmt: skip
        lines[i] = cells
    lines.append(lines[2600])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_findings_lines_and_tables_are_the_same_through_the_whole_reading(tmp_path, monkeypatch):
    path = many(tmp_path / "d.csv")
    found = []
    for most in (0, NEVER):
        monkeypatch.setattr(large_csv, "LARGEST_PLAIN", most)
        monkeypatch.setattr(large_csv, "BLOCK", 5000)
        aside = tmp_path / f"{most}.csv"
        found.append((read(path, stages=STAGES, quarantine=str(aside)), aside.read_bytes()))
    (one, aside), (other, other_aside) = found
    pd.testing.assert_frame_equal(one.deals, other.deals)
    pd.testing.assert_frame_equal(one.events, other.events)
    assert (one.rows, one.findings, one.limits) == (other.rows, other.findings, other.limits)
    assert aside == other_aside and one.rows.quarantined >= 9
    assert one.amount_total == pytest.approx(other.amount_total, abs=0)


def test_repeated_texts_become_categories_and_progress_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(large_csv, "LARGEST_PLAIN", 0)
    told = []
    table = open_source(many(tmp_path / "d.csv"), ReadOptions(progress=told.append))
    kinds = {name: isinstance(column.dtype, pd.CategoricalDtype) for name, column in table.cells.items()}
    assert kinds == {
        "id": False,
        "stage": True,
        "created": True,
        "closed": True,
        "amount": False,
        "owner": True,
        "note": False,
    }
    assert told == sorted(told) and told and 0 < told[-1] <= 1


def test_a_column_that_varies_late_is_text(tmp_path, monkeypatch):
    path = tmp_path / "d.csv"
    path.write_text("id,stage,x\n" + "".join(f"{i},Lead,{'a' if i < 2000 else i}\n" for i in range(40_000)))
    monkeypatch.setattr(large_csv, "MOST_NAMES", 1000)
    assert_same(*both(monkeypatch, path, 20_000))
    assert not isinstance(both(monkeypatch, path, 20_000)[0].cells["x"].dtype, pd.CategoricalDtype)
    assert Path(path).exists()
