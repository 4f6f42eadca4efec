"""Files: what a source is, its encoding, its rows and their physical lines; what is refused, and in which words."""

import csv
import datetime
import gzip
import io
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.reading.containers.csv import _even, _uneven, read_delimited
from funnelkit.reading.containers.detect import open_source
from funnelkit.reading.containers.options import Bounds, ReadOptions

HEAD = "id,account,stage\n"
CHINESE = "编号,客户,阶段\n" + "".join(f"A{i},北京发展有限公司,赢单\n" for i in range(20))
TRADITIONAL = "編號,客戶,階段\n" + "".join(f"A{i},台灣發展有限公司,贏單\n" for i in range(20))


def put(folder, content, name="t.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(source, **options):
    with pytest.raises(DataError) as caught:
        open_source(source, ReadOptions(**options))
    return caught.value


def rules(table):
    return {note.rule: note for note in table.notes}


# --- encoding ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_and_named(tmp_path, encoding):
    table = open_source(put(tmp_path, CHINESE.encode(encoding)))
    assert table.cells["客户"].unique().tolist() == ["北京发展有限公司"]
    assert rules(table)["encoding_found"].value.startswith(encoding[:5])


@pytest.mark.parametrize(("text", "encoding", "found"), [(CHINESE, "gbk", "gb18030"), (TRADITIONAL, "big5", "big5")])
def test_everyday_double_byte_text_is_detected_and_said(tmp_path, text, encoding, found):
    table = open_source(put(tmp_path, text.encode(encoding)))
    assert table.cells.iloc[0, 1] == text.split("\n")[1].split(",")[1]
    assert rules(table)["encoding_found"].value == found


def test_few_signs_leave_the_encoding_open_and_both_readings_are_quoted(tmp_path):
    error = refused(put(tmp_path, (HEAD + "A1,北京,Won\n").encode("gbk")))
    assert (error.key, error.values["line"]) == ("encoding_unclear", 2)
    assert "gb18030: 'A1,北京,Won'" in str(error) and "big5: " in str(error) and "--encoding" in str(error)
    assert "编码无法确定" in error.say("zh")


def test_a_single_latin_byte_is_not_guessed(tmp_path):
    error = refused(put(tmp_path, (HEAD + "A1,Zoë,Won\n").encode("cp1252")))
    assert error.key == "encoding_unclear" and "cp1252: 'A1,Zoë,Won'" in str(error)


def test_a_broken_byte_in_utf8_names_line_and_byte(tmp_path):
    error = refused(put(tmp_path, CHINESE.encode().replace(b"A7", b"A\xff")))
    assert (error.key, error.values["line"], error.values["value"]) == ("encoding_broken", 9, "0xFF")


def test_declared_encodings(tmp_path):
    path = put(tmp_path, (HEAD + "A1,𠮷田,Won\n").encode("gb18030"))
    assert open_source(path, ReadOptions(encoding="gb18030")).cells["account"][0] == "𠮷田"
    assert refused(path, encoding="ascii").key == "encoding_wrong"
    assert refused(path, encoding="klingon").key == "encoding_unknown"


# --- what is no table ---


@pytest.mark.parametrize(
    ("content", "name", "key"),
    [
        (b"", "t.csv", "empty_file"),
        (b"\xef\xbb\xbf \r\n", "t.csv", "empty_file"),
        (b"\xff\xfe", "t.csv", "empty_file"),
        (pickle.dumps({"a": 1}), "t.csv", "pickle_refused"),
        (b"anything", "t.pkl", "pickle_refused"),
        (b"  <!DOCTYPE html>\n<html></html>", "t.csv", "html_page"),
        (b'<?xml version="1.0"?><html>', "t.csv", "html_page"),
        (b'[{"id": 1}', "t.csv", "json_broken"),
        (b"%PDF-1.7", "t.csv", "foreign_format"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\1" * 9, "t.xls", "workbook_broken"),
        (b"id,stage\nA\0,Won\nB,Won\n", "t.csv", "binary_file"),
        (b"PK\x03\x04" + b"\1" * 50, "t.xlsx", "workbook_broken"),
        (b"id,stage\nA,Won\n", "t.xlsx", "workbook_broken"),
        (b"PAR1" + b"\1" * 50, "t.parquet", "parquet_broken"),
        (gzip.compress(b"id,stage\nA,Won\n", mtime=0)[:-9], "t.csv.gz", "archive_broken"),
    ],
)
def test_what_is_no_table_is_refused_by_its_content(tmp_path, content, name, key):
    error = refused(put(tmp_path, content, name))
    assert error.key == key
    assert name in str(error) and name in error.say("zh")


def test_missing_file_and_folder(tmp_path):
    assert refused(tmp_path / "none.csv").key == "no_such_file"
    assert refused(tmp_path).key == "not_a_file"


def test_archives_are_measured_before_they_are_unpacked(tmp_path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 5_000_000)
    assert refused(put(tmp_path, bomb.getvalue(), "b.xlsx")).key == "archive_too_large"
    packed = put(tmp_path, gzip.compress(b"id,stage\n" + b"A,Won\n" * 500_000), "b.csv.gz")
    assert refused(packed).key == "archive_too_large"
    assert len(open_source(packed, ReadOptions(bounds=Bounds(archive_ratio=10_000))).cells) == 500_000


def test_gzip_reads_like_the_file_in_it(tmp_path):
    assert open_source(put(tmp_path, gzip.compress(CHINESE.encode()), "t.csv.gz")).cells.shape == (20, 3)


# --- rows and physical lines ---


def test_blank_lines_are_counted_and_lines_stay_physical(tmp_path):
    table = open_source(put(tmp_path, "\n" + HEAD + "A1,x,Won\n\n  \n,,\nA2,y,Won\n"))
    assert table.lines.tolist() == [3, 7]
    assert (table.blank, table.rows_in) == (3, 5)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_newlines_in_cells_keep_the_physical_line(tmp_path, newline):
    text = newline.join([HEAD.strip(), f'A1,"a{newline}b",Won', "A2,x,Won", "A3,x", ""])
    table = open_source(put(tmp_path, text))
    assert table.cells["account"][0] == f"a{newline}b"
    assert table.lines.tolist() == [2, 4]
    assert [(row.line, row.text, row.rule) for row in table.broken] == [(5, "A3,x", "row_width")]


def test_rows_that_do_not_fit_the_header_are_kept_apart_with_their_text(tmp_path):
    table = open_source(put(tmp_path, HEAD + "A1,x,Won,extra\nA2,x,Won\nA3\n"))
    assert [(row.line, row.text, row.values) for row in table.broken] == [
        (2, "A1,x,Won,extra", {"found": 4, "expected": 3}),
        (4, "A3", {"found": 1, "expected": 3}),
    ]
    assert table.cells["id"].tolist() == ["A2"] and table.rows_in == 3


def test_a_quote_wrong_in_its_own_line_breaks_that_row_only(tmp_path):
    table = open_source(put(tmp_path, HEAD + 'A1,"5" pipe",Won\nA2,3" bolt,Won\nA3,x,Won\n'))
    assert [(row.line, row.rule) for row in table.broken] == [(2, "row_quote")]
    assert table.cells["account"].tolist() == ['3" bolt', "x"]


@pytest.mark.parametrize("rest", ["A2,x,Won\n", 'A2,"x",Won\n', "A2,x,Won\n" * 50_000])
def test_an_unclosed_quote_refuses_the_file_and_names_the_line_it_opens_on(tmp_path, rest):
    error = refused(put(tmp_path, HEAD + "A0,x,Won\n" + 'A1,"x,Won\n' + rest))
    assert (error.key, error.values["line"]) == ("quote_unclosed", 3)
    assert "第 3 行" in error.say("zh")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_are_found_and_said(tmp_path, mark):
    table = open_source(put(tmp_path, HEAD.replace(",", mark) + f'A1{mark}"x{mark}y"{mark}Won\n'))
    assert table.cells.loc[0].tolist() == ["A1", f"x{mark}y", "Won"]
    assert rules(table)["delimiter_found"].value == mark.replace("\t", "TAB")


def test_declared_delimiter_and_sep_line(tmp_path):
    assert open_source(put(tmp_path, "id~stage\nA~Won\n"), ReadOptions(delimiter="~")).cells["stage"][0] == "Won"
    table = open_source(put(tmp_path, "sep=;\r\nid;stage\r\nA,1;Won\r\n"))
    assert table.cells["id"].tolist() == ["A,1"] and table.lines.tolist() == [3]
    assert refused(put(tmp_path, HEAD), delimiter="ab").key == "delimiter_bad"
    assert refused(put(tmp_path, "a,b;c\n1,2;3\n")).key == "delimiter_ambiguous"


def test_repeated_header_names_the_column(tmp_path):
    error = refused(put(tmp_path, "id,stage,id\nA,Won,B\n"))
    assert (error.key, error.values["column"], error.values["line"]) == ("header_twice", "id", 1)


def test_a_last_line_without_end_warns(tmp_path):
    note = rules(open_source(put(tmp_path, HEAD + "A1,x,Wo")))["no_final_newline"]
    assert (note.severity, note.line) == ("warn", 2) and "A1,x,Wo" in note.message("en")


def test_limits_of_width_and_cell(tmp_path):
    small = Bounds(cell_characters=20, columns=2)
    assert refused(put(tmp_path, HEAD), bounds=small).key == "too_many_columns"
    long = replace(small, columns=5)
    for cell in ("x" * 21, '"' + "x\n" * 11 + '"'):
        error = refused(put(tmp_path, f"{HEAD}A0,x,Won\nA1,{cell},Won\n"), bounds=long)
        assert error.key in ("cell_too_long", "quote_unclosed") and error.values["line"] == 3


CELL = st.text(st.sampled_from('ab ,;"\n\r北é\t|='), max_size=5)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_is_written_is_read_back(rows, mark, newline, all_quoted):
    """Written by the standard library, read here: every cell comes back, whichever way the text is cut."""
    rows = [("k", *cells) for cells in rows]
    out = io.StringIO()
    bare_return = any("\r" in cell for row in rows for cell in row)  # the writer leaves it unquoted
    quoting = csv.QUOTE_ALL if all_quoted or bare_return else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=mark, lineterminator=newline, quoting=quoting).writerows([("k", "a", "b", "c"), *rows])
    table = read_delimited(out.getvalue(), "t", ReadOptions(delimiter=mark))
    assert [tuple(row) for row in table.cells.itertuples(index=False)] == rows
    assert table.lines[0] == 2 and (np.diff(table.lines) > 0).all()


@settings(max_examples=200, deadline=None)
@example('""""\n"",""\n')
@given(st.text(st.sampled_from('ab,"\n\r '), max_size=40))
def test_the_quick_way_agrees_with_the_careful_one(text):
    """On any text: where whole columns are cut at once, the result is that of reading sign by sign."""
    text = "k,a\n" + text
    quick = _even(text, 0, ",", "t", ReadOptions())
    if quick is None:
        return
    careful = _uneven(text, 0, ",", "t", ReadOptions())
    assert quick.cells.to_numpy().tolist() == careful.cells.to_numpy().tolist()
    assert quick.lines.tolist() == careful.lines.tolist()
    assert (quick.blank, [row.line for row in quick.broken]) == (careful.blank, [row.line for row in careful.broken])


# --- typed sources ---


def book(tmp_path, *rows, title="Data", edit=None):
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if edit:
        edit(workbook)
    path = tmp_path / "t.xlsx"
    workbook.save(path)
    return path


def test_workbook_cells_keep_their_types_and_rows_their_number(tmp_path):
    day = datetime.datetime(2022, 5, 20)
    path = book(tmp_path, [], ["id", "stage", "date", "amount"], ["007", "Won", day, 1.5], [], [7, "Won", None, "2,5"])
    table = open_source(path)
    assert table.lines.tolist() == [3, 5] and table.blank == 1
    assert table.cells["id"].tolist() == ["007", 7] and table.cells["date"][0] == day
    assert rules(table)["sheet_found"].value == "Data"


def test_the_sheet_is_found_or_given_and_the_others_are_named(tmp_path):
    def edit(workbook):
        workbook.create_sheet("Empty", 0)
        workbook.create_sheet("Other").append(["x"])

    path = book(tmp_path, ["id", "stage"], ["A", "Won"], edit=edit)
    note = rules(open_source(path))["sheet_found"]
    assert note.value == "Data" and note.values["others"] == "Empty, Other"
    assert open_source(path, ReadOptions(sheet="Other")).cells.columns.tolist() == ["x"]
    error = refused(path, sheet="None")
    assert error.key == "no_such_sheet" and "Data" in str(error)


def test_a_far_cell_costs_no_memory_and_many_cells_are_refused(tmp_path):
    path = book(tmp_path, ["id", "stage"], ["A", "Won"], edit=lambda w: w.active.cell(200_000, 900, "far"))
    table = open_source(path)
    assert [row.line for row in table.broken] == [200_000] and len(table.cells) == 1
    assert refused(path, bounds=Bounds(workbook_cells=2)).key == "too_many_cells"


def test_parquet_and_frames(tmp_path):
    frame = pd.DataFrame({"id": ["a", None], "stage": pd.Categorical(["Won", "Lost"]), "amount": [1.5, np.nan]})
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    for table in (open_source(path), open_source(frame)):
        assert table.lines.tolist() == [1, 2] and table.cells["amount"].tolist()[0] == 1.5
    assert refused(pd.DataFrame([[1, 2]], columns=["id", "id"])).key == "header_twice"
