"""Sources in memory: streams, tables of other libraries, dicts; and what a wrong type is told that is wanted."""

import gzip
import io

import pandas as pd
import pyarrow as pa
import pytest

from funnelkit.language import DataError, use_language
from funnelkit.reading import read

STAGES = ["Lead", "Offer", "Won"]
COLUMNS = {
    "deal_id": ["007", "b", "c"], "stage": ["Lead", "Won", "Offer"],
    "created": ["2026-01-05", "2026-01-07", "2026-01-09"], "amount": [1.5, None, 3.0],
}  # fmt: skip
FRAME = pd.DataFrame(COLUMNS)


def as_parquet():
    stream = io.BytesIO()
    FRAME.to_parquet(stream)
    stream.seek(0)
    return stream


def as_book():
    stream = io.BytesIO()
    FRAME.to_excel(stream, index=False)
    stream.seek(0)
    return stream


def in_polars():
    return pytest.importorskip("polars").DataFrame(COLUMNS)


CSV = FRAME.to_csv(index=False)
SOURCES = {
    "bytes": lambda: io.BytesIO(CSV.encode()),
    "bytes of an encoding": lambda: io.BytesIO(b"\xff\xfe" + CSV.encode("utf-16-le")),
    "gzip": lambda: io.BytesIO(gzip.compress(CSV.encode())),
    "text": lambda: io.StringIO(CSV),
    "text with a mark": lambda: io.StringIO("\ufeff" + CSV),
    "parquet": as_parquet,
    "workbook": as_book,
    "arrow": lambda: pa.table(COLUMNS),
    "polars": in_polars,
    "columns": lambda: COLUMNS,
    "rows": lambda: FRAME.to_dict("records"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources_in_memory_are_read_as_a_frame_is(kind):
    expected, found = read(FRAME, stages=STAGES), read(SOURCES[kind](), stages=STAGES)
    pd.testing.assert_frame_equal(found.deals, expected.deals)
    pd.testing.assert_frame_equal(found.events, expected.events)
    assert (found.rows, found.limits, found.amount_total) == (expected.rows, expected.limits, expected.amount_total)


def test_open_files_are_named_by_their_file(tmp_path):
    path = tmp_path / "deals.csv"
    path.write_text(CSV, encoding="utf-8")
    for mode in ("r", "rb"):
        with path.open(mode) as stream:
            assert {finding.file for finding in read(stream, stages=STAGES).findings} <= {"deals.csv", None}
    with path.open("rb") as stream, pytest.raises(DataError, match=r"deals.csv: cannot be opened"):
        stream.close()
        read(stream)


@pytest.mark.parametrize("source", [5, None, b"deals.csv", ["a.csv", "b.csv"], [], {1, 2}, FRAME["stage"]])
def test_a_wrong_type_is_told_what_is_wanted(source):
    with pytest.raises(DataError) as caught:
        read(source, stages=STAGES)
    found = type(source).__name__
    assert str(caught.value) == (
        "a source is a path, a URL, an open file, a DataFrame (pandas or polars), an Arrow table, a dict of columns or "
        f"a list of dicts, not {found}. Give several sources one after another: read(a, b)."
    )
    use_language("zh")
    assert str(caught.value).endswith(f"而不是 {found}。多个数据源请依次写出：read(a, b)。")


@pytest.mark.parametrize("source", [{"id": ["a", "b"], "stage": ["Won"]}, {"id": "a", "stage": "Won"}])
def test_columns_that_make_no_table_are_refused(source):
    with pytest.raises(DataError, match=r"this dict is no table \(.*\)\. Give columns of one length"):
        read(source, stages=STAGES)


def test_streams_of_no_table_are_refused_as_files_are(tmp_path):
    for content, key in ((b"", "empty_file"), (b"%PDF-1.4", "foreign_format"), (b"<html>", "html_page"),
                         (b"SQLite format 3\0", "database_stream")):  # fmt: skip
        with pytest.raises(DataError) as caught:
            read(io.BytesIO(content))
        assert caught.value.key == key and caught.value.values["file"] == "BytesIO"
    for text, key in (("", "empty_file"), ("id\0", "binary_file"), ("{}", "empty_file"), ("<?xml", "foreign_format")):
        with pytest.raises(DataError) as caught:
            read(io.StringIO(text))
        assert caught.value.key == key
