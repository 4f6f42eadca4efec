"""Forms: one table in every container that is read, and what each of them is refused for."""

import datetime
import gzip
import io
import json
import zipfile
from contextlib import suppress

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.reading.containers import excel
from funnelkit.reading.containers.detect import open_source
from funnelkit.reading.containers.options import Bounds, ReadOptions
from funnelkit.reading.read import read
from tests.support.spreadsheets import ods_bytes, packed_ods, xls_bytes

STAGES = ["Lead", "Offer", "Won"]
COLUMNS = {
    "deal_id": ["007", "b", "c"], "stage": ["Lead", "Won", "Offer"],
    "created": ["2026-01-05", "2026-01-07", "2026-01-09"], "amount": [1.5, None, 3],
}  # fmt: skip
FRAME = pd.DataFrame(COLUMNS)
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
GRID = [list(COLUMNS), *[list(record.values()) for record in RECORDS]]
DAYS = [GRID[0], *[[*row[:2], datetime.datetime.fromisoformat(row[2]), row[3]] for row in GRID[1:]]]
OVERVIEW = [["Pipeline 2026"], [], ["Open", 12], ["Won", 3]]


def as_book(sheets, edit=None):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    if edit:
        edit(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def edited(data, old, new):
    """Return a workbook with the XML of its sheets changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as after:
        for part in before.namelist():
            after.writestr(part, before.read(part).replace(old, new))
    return stream.getvalue()


def with_formula(book):
    book.worksheets[0]["D1"] = "=1+1"


def text(value, **how):
    return json.dumps(value, ensure_ascii=False, **how)


def as_parquet():
    stream = io.BytesIO()
    FRAME.to_parquet(stream)
    return stream.getvalue()


LINES = "".join(text(record) + "\n" for record in RECORDS)
NESTED = [
    {"deal": {"id": r["deal_id"], "stage": r["stage"]}, "fields": {name: r[name] for name in ("created", "amount")}}
    for r in RECORDS
]
FILES = {
    "csv": FRAME.to_csv(index=False).encode(),
    "csv.gz": gzip.compress(FRAME.to_csv(index=False).encode()),
    "utf16.csv": FRAME.to_csv(index=False).encode("utf-16"),
    "parquet": as_parquet(),
    "array.json": text(RECORDS).encode(),
    "pretty.json": text(RECORDS, indent=2).encode(),
    "under.json": text({"status": "ok", "data": RECORDS, "paging": {"next": None}}).encode(),
    "deep.json": text({"_embedded": {"deals": RECORDS}, "_links": {"self": {"href": "x"}}}).encode(),
    "nested.json": text(NESTED).encode(),
    "columns.json": text(COLUMNS).encode(),
    "named.json": FRAME.to_json().encode(),
    "rows.json": text(GRID).encode(),
    "jsonl": LINES.encode(),
    "ndjson.gz": gzip.compress(LINES.encode()),
    "xlsx": as_book({"Overview": OVERVIEW, "Deals": DAYS}),
    "formula.xlsx": as_book({"Overview": OVERVIEW, "Deals": GRID}, with_formula),
    "titled.xlsx": as_book({"Deals": [["All deals"], [], *GRID]}),
    "xls": xls_bytes(),
    "ods": ods_bytes({"Overview": OVERVIEW, "Deals": DAYS}),
}  # fmt: skip
IN_MEMORY = {
    "BytesIO": lambda: io.BytesIO(FILES["csv"]),
    "BytesIO of JSON": lambda: io.BytesIO(FILES["array.json"]),
    "BytesIO of a workbook": lambda: io.BytesIO(FILES["xlsx"]),
    "StringIO": lambda: io.StringIO(FILES["csv"].decode()),
    "StringIO of JSON lines": lambda: io.StringIO("\ufeff" + LINES),
    "polars": lambda: pytest.importorskip("polars").DataFrame(COLUMNS, strict=False),
    "arrow": lambda: pa.table(COLUMNS),
    "dict": lambda: COLUMNS,
    "records": lambda: RECORDS,
}


def refused(data, name="t.json", **options):
    stream = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    stream.name = name
    with pytest.raises(DataError) as caught:
        open_source(stream, ReadOptions(**options))
    return caught.value


def opened(data, **options):
    return open_source(io.BytesIO(data if isinstance(data, bytes) else data.encode()), ReadOptions(**options))


def as_read(source, **how):
    pipeline = read(source, stages=STAGES, **how)
    return pipeline.deals, pipeline.events, pipeline.rows.good, pipeline.amount_total


@pytest.mark.parametrize("form", [*FILES, *IN_MEMORY])
def test_every_form_gives_the_same_deals(form, tmp_path):
    source = tmp_path / f"deals.{form}"
    if form in FILES:
        source.write_bytes(FILES[form])
    else:
        source = IN_MEMORY[form]()
    deals, events, good, total = as_read(source)
    expected = as_read(FRAME)
    pd.testing.assert_frame_equal(deals, expected[0])
    pd.testing.assert_frame_equal(events, expected[1])
    assert (good, total) == expected[2:]


# --- JSON ---


def test_rows_of_json_keep_their_line_and_values_their_type():
    table = opened('[\n {"id": "007", "n": 1},\n\n {"id": 19000000000000000001, "n": true, "more": null}\n]')
    assert table.lines.tolist() == [2, 4] and table.cells["id"].tolist() == ["007", 19000000000000000001]
    assert table.cells["n"].tolist() == [1, True] and table.cells.columns.tolist() == ["id", "n", "more"]


def test_one_level_becomes_columns_and_deeper_stays_text():
    record = {"id": 1, "owner": {"name": "Ann", "team": {"id": 5}}, "properties": {"id": 9, "stage": "Won"},
              "tags": ["a", "b"], "stage_id": [4, "Offer"], "duration_tracking": {"1": 60}}  # fmt: skip
    assert opened(text([record])).cells.iloc[0].to_dict() == {
        "id": 1, "owner.name": "Ann", "owner.team": '{"id": 5}', "properties.id": 9, "stage": "Won", "tags": "a, b",
        "stage_id": "Offer", "duration_tracking": '{"1": 60}',
    }  # fmt: skip


def test_a_line_that_is_no_record_is_set_aside_with_its_text():
    table = opened(LINES + '{"deal_id": "d", "sta\n\n[1]\n')
    assert [(row.line, row.text, row.rule) for row in table.broken] == [
        (4, '{"deal_id": "d", "sta', "row_json"), (6, "[1]", "row_json"),
    ]  # fmt: skip
    assert table.lines.tolist() == [1, 2, 3] and (table.blank, table.rows_in) == (1, 6)


@pytest.mark.parametrize(
    ("content", "key", "line"),
    [
        ('[{"id": 1},\n{"id": 2', "json_broken", 2),
        ('{"data": [{"id": 1}]} x', "json_broken", 1),
        ('[{"id": 1, "id": 2}]', "json_broken", 1),
        ('{"id": 1, "id": 2}', "json_broken", 1),
        ("[" * 100_000, "json_broken", 1),
        ('{"a":' * 100_000, "json_broken", 1),
        ('[{"id": 1},\n\n5]', "json_no_record", 3),
        ('{"a": [{"id": 1}], "b": [{"id": 2}]}', "json_tables", None),
        ("{}", "empty_file", None),
        ('{"data": []}', "empty_file", None),
        ('[{"id": "' + "x" * 200_000 + '"}]', "cell_too_long", 1),
        (text([{f"c{n}": 1 for n in range(2001)}]), "too_many_columns", None),
    ],
)
def test_what_is_no_json_table_is_refused_with_its_place(content, key, line):
    error = refused(content)
    assert (error.key, error.values.get("line")) == (key, line)
    assert "t.json" in str(error) and "t.json" in error.say("zh")


def test_of_several_tables_one_is_chosen():
    both = '{"a": [{"id": 1}], "b": [{"id": 2}]}'
    assert opened(both, table="b").cells["id"].tolist() == [2]
    assert "a, b" in str(refused(both))


# --- workbooks ---


def test_the_sheet_with_known_headers_is_read_and_titles_are_passed_over():
    for form in ("xlsx", "xls", "ods"):
        table = opened(FILES[form])
        note = next(note for note in table.notes if note.rule == "sheet_found")
        assert (note.value, note.values["others"]) == ("Deals", "Overview")
        assert opened(FILES[form], sheet="Overview").cells.columns.tolist() == ["Open", "12"]
    note = next(note for note in opened(FILES["titled.xlsx"]).notes if note.rule == "titles_above")
    assert (note.line, note.values["header"]) == (1, 3) and "line 3" in note.message("en")


def test_calamine_reads_where_nothing_is_lost_and_openpyxl_where_it_would_be():
    plain = {"S": [["id", "n"], ["a", 5], ["b", 2.5], ["c", True], ["d", datetime.datetime(2026, 1, 5, 3, 4)]]}
    assert excel._plain(as_book(plain))
    frames = []
    for data in (as_book(plain), as_book(plain, with_formula)):
        frames.append(opened(data).cells.iloc[:, :2])
    pd.testing.assert_frame_equal(*frames)
    assert list(map(type, frames[0]["n"])) == [int, float, bool, datetime.datetime]
    for cell in ("#N/A", "=A1"):
        assert not excel._plain(as_book({"S": [["id", "n"], ["a", cell]]})), cell
    digits = edited(as_book({"S": [["id", "n"], [777, 1]]}), b"<v>777</v>", b"<v>1234567890123456789</v>")
    assert not excel._plain(digits) and opened(digits).cells["id"].tolist() == [1234567890123456789]
    far = as_book(plain, lambda book: book.worksheets[0].cell(900_000, 400, "far"))
    assert not excel._plain(far) and len(opened(far).broken) == 1


def test_a_formula_never_computed_is_set_aside_in_a_workbook_with_many_sheets():
    table = opened(as_book({"Board": OVERVIEW, "Deals": [*GRID, ["d", "=B2", "2026-01-09", 4]]}))
    assert [(row.line, row.rule) for row in table.broken] == [(5, "no_cached_value")]


@pytest.mark.parametrize("head", ['<table:table-row table:number-rows-repeated="1000000">', "<table:table-row>"])
def test_repeated_cells_of_ods_take_no_memory(head):
    wide = '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="{}"/>'
    cells = wide.format(16_000 if "repeated" in head else 10**12)
    error = refused(packed_ods(f'<table:table table:name="S">{head}{cells}</table:table-row></table:table>'), "t.ods")
    assert error.key == "workbook_broken" and "repeated" in str(error)


def test_cells_of_ods():
    rows = [["id", "n", "note"], ["a", 5, "one\ntwo"], [None, None, None], ["b", 2.5, None], ["c", 7, "x  y"]]
    table = opened(ods_bytes({"S": rows}))
    assert table.lines.tolist() == [2, 4, 5] and table.blank == 1
    assert table.cells["n"].tolist() == [5, 2.5, 7] and table.cells["note"].tolist() == ["one\ntwo", "", "x  y"]


# --- headers that stand again ---


def test_a_header_that_stands_again_is_no_row():
    again = "deal_id,stage\na,Lead\ndeal_id,stage\nb,Won\ndeal_id,stage\n"
    table = opened(again)
    assert table.cells["deal_id"].tolist() == ["a", "b"] and table.lines.tolist() == [2, 4]
    assert (table.blank, table.rows_in) == (2, 4)
    note = next(note for note in table.notes if note.rule == "header_repeated")
    assert (note.line, note.values["n"]) == (3, 2) and "第 3 行" in note.message("zh")
    assert len(opened(as_book({"S": [GRID[0], *GRID, *GRID]})).cells) == 6
    assert opened("deal_id,stage\ndeal_id,Lead\n").cells["stage"].tolist() == ["Lead"]


def test_limits_of_forms():
    small = Bounds(columns=3)
    for form in ("array.json", "jsonl", "xls", "ods"):
        assert refused(FILES[form], bounds=small).key == "too_many_columns"
    for form in ("xls", "ods", "xlsx"):
        assert refused(FILES[form], bounds=Bounds(workbook_cells=5)).key == "too_many_cells"


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('{}[]":,\n 1at'), max_size=30))
def test_any_text_is_read_or_refused(text):
    for start in ("[{", '{"a":', '[{"a":1},'):
        with suppress(DataError):
            opened(start + text)


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_parquet_file_that_grows_is_refused_before_it_takes_the_memory(kind):
    table = pa.table({"deal_id": ["x" * 1000] * 500_000, "stage": ["Lead"] * 500_000})
    stream = io.BytesIO()
    pq.write_table(table.cast(pa.schema([("deal_id", kind), ("stage", kind)])), stream)
    small = Bounds(unpacked_bytes=5_000_000)
    assert len(stream.getvalue()) < 100_000
    assert refused(stream.getvalue(), "t.parquet", bounds=small).key == "archive_too_large"
    assert len(opened(FILES["parquet"], bounds=small).cells) == 3


# --- pages that are tables ---


def as_page(rows, before=""):
    texts = [["" if cell is None else cell for cell in row] for row in rows]
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in texts)
    return f"<html><head><meta charset='utf-8'></head><body>{before}<table border='1'>\n{cells}</table></body></html>"


def test_a_page_with_one_table_of_deals_is_read():
    page = as_page([GRID[0], [], *GRID[1:], ["d", "Lead"]], "<table><tr><td>a</td></tr></table>")
    table = opened(page)
    assert table.cells["deal_id"].tolist() == ["007", "b", "c"] and table.lines.tolist() == [4, 5, 6]
    assert (table.blank, [row.line for row in table.broken], table.rows_in) == (1, [7], 5)
    odd = opened("<table><tr><th>deal_id<th>stage<tr><td>a &amp; b<td>L<table><tr><td>in</table>ead</table>")
    assert odd.cells.iloc[0].tolist() == ["a & b", "Linead"]


@pytest.mark.parametrize("rows", [[["User", "Password"], ["", ""]], [["deal_id", "stage"]], []])
def test_any_other_page_is_refused(rows):
    assert refused(as_page(rows)).key == "html_page"
    assert refused(as_page(GRID) + as_page(GRID)).key == "html_page"
