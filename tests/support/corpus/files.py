"""Hostile files: encodings, delimiters, quotes, line ends, archives, other formats, broken and lying containers."""

import datetime
import gzip
import io
import sqlite3
import zipfile

import openpyxl
import pandas as pd

from . import DEALS, HEADER, ROWS, TOTAL, Expected, File, csv_bytes

FILES = []
GOOD = Expected("ok", good=3, total=TOTAL)
PLAIN = csv_bytes()
HEAD, ONE, TWO, THREE = PLAIN.decode().splitlines(keepends=True)


def case(name, content, expected, options=DEALS):
    content = content.encode() if isinstance(content, str) else content
    FILES.append(File(name, content, expected, tuple(options)))


def refused(name, content, rule, line=None, options=DEALS, **place):
    case(name, content, Expected("reject", rule, line, **place), options)


def declared(encoding):
    return (*DEALS, "--encoding", encoding)


# --- encodings ---
CHINESE = PLAIN.decode().replace("Borealis", "北京公司")
case("utf16be-bom.csv", b"\xfe\xff" + CHINESE.encode("utf-16-be"), GOOD)
case("utf16le-no-bom.csv", PLAIN.decode().encode("utf-16-le"), GOOD)
case("utf32-bom.csv", CHINESE.encode("utf-32"), GOOD)
case("hz-declared.csv", CHINESE.encode("hz"), GOOD, declared("hz"))
case(
    "shift-jis-declared.csv",
    PLAIN.decode().replace("Borealis", "東京ソ").encode("shift_jis"),
    GOOD,
    declared("shift_jis"),
)
case("bom-against-declared.csv", b"\xef\xbb\xbf" + PLAIN, GOOD, declared("utf-8"))
refused("utf16-odd.csv", CHINESE.encode("utf-16")[:-1], "encoding_wrong", 4)
refused(
    "surrogate.csv",
    PLAIN.replace(b"Borealis", b"B\xed\xa0\x80\xe5\x8c\x97\xe4\xba\xac"),
    "encoding_unclear",
    3,
    value="0xED",
)
refused("overlong.csv", PLAIN.replace(b"Cobalt", b"C\xc0\xaf"), "encoding_unclear", 4, value="0xC0")
refused(
    "latin1-undeclared.csv",
    PLAIN.decode().replace("Borealis", "Boréalis").encode("latin-1"),
    "encoding_unclear",
    3,
    value="0xE9",
)
refused("gbk-declared-utf8.csv", CHINESE.encode("gbk"), "encoding_wrong", 3, declared("utf-8"))
refused("ascii-declared.csv", CHINESE.encode(), "encoding_wrong", 3, declared("ascii"))
refused("encoding-unknown.csv", PLAIN, "encoding_unknown", None, declared("klingon"), value="klingon")
for codec in ("base64", "zip", "rot13", "hex", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined"):
    refused(f"codec-{codec}.csv", PLAIN, "encoding_unknown", None, declared(codec), value=codec)
refused("zero-byte.csv", PLAIN.replace(b"Borealis", b"Bor\0alis"), "binary_file", 3)
refused(
    "zero-byte-before-newline.csv", b"stage,count\nLead,100\nMQL,40\nWon,\0\n", "binary_file", 4, ("--layout", "counts")
)
refused("zeros.csv", b"\0" * 4096, "empty_file")

# --- line ends, delimiters, quotes ---
case("crlf-and-lf.csv", HEAD.replace("\n", "\r\n") + ONE + TWO.replace("\n", "\r\n") + THREE, GOOD)
case("cr-and-lf.csv", HEAD + ONE.replace("\n", "\r") + TWO + THREE, GOOD)
case("blank-lines.csv", "\n\n" + HEAD + "\n" + ONE + " , ,\t,,\n" + TWO + THREE + "\n\n", GOOD)
case("sep-line.csv", "sep=;\r\n" + csv_bytes(mark=";", newline="\r\n").decode(), GOOD)
case("sep-line-caret.csv", "SEP=^\n" + csv_bytes(mark="^").decode(), GOOD)
case("delimiter-declared.csv", csv_bytes(mark="~"), GOOD, (*DEALS, "--delimiter", "~"))
case("delimiter-not-ascii.csv", csv_bytes(mark="¦"), GOOD, (*DEALS, "--delimiter", "¦"))
case("ends-in-delimiters.csv", PLAIN.replace(b"\n", b",,\n"), GOOD)
case("all-quoted.csv", "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in (HEADER, *ROWS)), GOOD)
case("separator-in-quotes.csv", PLAIN.replace(b"Borealis", b'"Bor, ""e"" alis"'), GOOD)
case("long-record.csv", PLAIN.replace(b"Borealis", b'"' + b"x\n" * 5000 + b'"'), GOOD)
case("quote-inside.csv", PLAIN.replace(b"Borealis", b'5" pipe'), GOOD)
case("curly-quotes.csv", PLAIN.decode().replace("Borealis", "“Bor”"), GOOD)
case("last-line-cut.csv", PLAIN[:-1], Expected("warn", "no_final_newline", 4, good=3, total=TOTAL))
one_bad = Expected("quarantine", "row_width", 3, good=2, bad=1, total=TOTAL - 250.5)
case("comma-in-cell.csv", PLAIN.replace(b"Borealis", b"Borealis, Inc"), one_bad)
case("blank-before-quote.csv", PLAIN.replace(b"Borealis", b' "Borealis, Inc"'), one_bad)
case("one-delimiter-more.csv", HEAD + ONE + TWO.replace("\n", ",\n") + THREE, one_bad)
case("decimal-comma-in-comma.csv", PLAIN.replace(b"250.50", b"250,50"), one_bad)
case(
    "comment-at-the-end.csv",
    PLAIN.decode() + "# exported by nobody\n",
    Expected("quarantine", "row_width", 5, good=3, bad=1, total=TOTAL),
)
case("two-files-in-one.csv", PLAIN + PLAIN.replace(b"A", b"B"), Expected("ok", good=6, total=2 * TOTAL))
case(
    "quotes-wrong-in-a-row.csv",
    PLAIN.replace(b"Borealis", b'"Bor"ealis'),
    Expected("quarantine", "row_quote", 3, good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "backslash-quote.csv",
    PLAIN.replace(b"Borealis", b'"Bor \\"e\\" alis"'),
    Expected("quarantine", "row_quote", 3, good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "quote-at-the-end.csv",
    PLAIN + b'A4,"Delta,Lead,2022-05-23,1\n',
    Expected("quarantine", "row_quote", 5, good=3, bad=1, total=TOTAL),
)
refused("quote-in-header.csv", PLAIN.replace(b"account", b'"account'), "quote_unclosed", 1)
refused("delimiter-two-signs.csv", PLAIN, "delimiter_bad", None, (*DEALS, "--delimiter", "||"), value="||")
refused("delimiter-quote.csv", PLAIN, "delimiter_bad", None, (*DEALS, "--delimiter", '"'), value='"')
refused("delimiter-undecided.csv", "id,stage;date\nA1,Lead;2022\n", "delimiter_ambiguous", 1)
refused("delimiter-declared-wrongly.csv", PLAIN, "no_column", 1, (*DEALS, "--delimiter", ";"))
case(
    "preamble.csv",
    "Pipeline report\nMade on 2022-05-30\n\n" + PLAIN.decode(),
    Expected("ok", "titles_above", 1, good=3, total=TOTAL),
)
case(
    "footer.csv",
    PLAIN.decode() + "\nConfidential\nGenerated by: Ann\n",
    Expected("ok", "footer_left_out", 6, good=3, total=TOTAL),
)
refused("cell-too-long.csv", PLAIN.replace(b"Borealis", b"x" * 100_001), "cell_too_long", 3)
refused("cell-too-long-quoted.csv", PLAIN.replace(b"Borealis", b'"' + b"x\n" * 50_001 + b'"'), "quote_unclosed", 3)
refused("only-separators.csv", ",,,,\n,,,,\n", "empty_file")

# --- options that are wrong ---
refused("map-to-nothing.csv", PLAIN, "no_mapped_column", 1, (*DEALS, "--map", "amount=Amont"), column="Amont")
refused("preset-unknown.csv", PLAIN, "no_such_preset", None, (*DEALS, "--preset", "salesforcee"), value="salesforcee")
refused(
    "timezone-unknown.csv",
    PLAIN.replace(b"2022-05-21", b"2022-05-21T10:00:00Z"),
    "timezone_unknown",
    None,
    (*DEALS, "--timezone", "Mars/Olympus"),
    value="Mars/Olympus",
)
refused(
    "timezone-path.csv",
    PLAIN.replace(b"2022-05-21", b"2022-05-21T10:00:00Z"),
    "timezone_unknown",
    None,
    (*DEALS, "--timezone", "../../etc/passwd"),
    value="../../etc/passwd",
)
refused("as-of-no-date.csv", PLAIN, "as_of_bad", None, (*DEALS, "--as-of", "2022-02-30"), value="2022-02-30")
refused("stages-twice.csv", PLAIN, "stages_bad", None, ("--stages", "Lead,MQL,lead,Won"), value="lead")
refused(
    "quarantine-nowhere.csv",
    PLAIN.replace(b"MQL", b"Nope"),
    "quarantine_unwritable",
    None,
    (*DEALS, "--quarantine", "/dev/null/q.csv"),
)

# --- what is no table ---
refused("json.csv", '{"id": "A1", "stage": "Le\n', "json_broken", 1)
refused("json-list.csv", ' [ {"id": "A1"} ]', "no_column", 1)
refused(
    "xml.csv", '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "foreign_format"
)
refused("login.csv", "\ufeff\n <!-- SSO --><HTML><body>Sign in</body></HTML>", "html_page")
refused("table-fragment.xls", "<table><tr><td>id</td></tr></table>", "html_page")
refused("pdf.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "foreign_format")
refused("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504, "workbook_broken")
LOCKED = "EncryptedPackage".encode("utf-16-le")
refused("locked.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + LOCKED.ljust(504, b"\0"), "workbook_locked")
refused("rtf.txt", b"{\\rtf1\\ansi id,stage}", "foreign_format")
refused("program.csv", b"\x7fELF\2\1\1" + b"\0" * 57, "foreign_format")
refused("pickle-5.csv", b"\x80\5\x95\n\0\0\0\0\0\0\0\x8c\6posix.", "pickle_refused")
refused("pickle-0.pkl", b"cos\nsystem\n(S'true'\ntR.", "pickle_refused")
refused("numpy.csv", b"\x93NUMPY\1\0v\0{'descr': '|O'}", "foreign_format")
refused("script.csv", "#!/bin/sh\nrm -rf ~\n", "no_column", 1)
refused("mail.csv", "From: crm@example.com\nSubject: export\n\nSee attached\n", "no_column", 1)

# --- archives ---
case("plain.csv.gz", gzip.compress(PLAIN), GOOD)
case("two-members.csv.gz", gzip.compress(HEAD.encode() + ONE.encode()) + gzip.compress((TWO + THREE).encode()), GOOD)
refused("cut.csv.gz", gzip.compress(PLAIN)[:-12], "archive_broken")
refused("checksum.csv.gz", gzip.compress(PLAIN)[:-8] + b"\0" * 8, "archive_broken")
refused("bomb.csv.gz", gzip.compress(HEAD.encode() + b"x" * 30_000_000), "archive_too_large")
refused("gzip-in-gzip.csv.gz", gzip.compress(gzip.compress(PLAIN)), "foreign_format")
refused("page.csv.gz", gzip.compress(b"<html><body>Login</body></html>"), "html_page")
refused("empty.csv.gz", gzip.compress(b""), "empty_file")


def zipped(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


case("csv-in-zip.zip", zipped(**{"deals.csv": PLAIN}), GOOD)
refused("zip-named.csv", zipped(**{"../../evil.csv": PLAIN}), "not_a_workbook")
refused("text-named.xlsx", PLAIN, "workbook_broken")
refused("hollow.xlsx", zipped(**{"xl/workbook.xml": b"<nothing/>"}), "workbook_broken")


# --- workbooks ---
def book(edit=None):
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.append(HEADER)
    for row in ROWS:
        sheet.append([*row[:3], datetime.date.fromisoformat(row[3]), float(row[4])])
    if edit:
        edit(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def rewritten(data, part, change):
    """Return a workbook with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == part else content)
    return out.getvalue()


def put(cell, value):
    return lambda made: made.active.__setitem__(cell, value)


def in_front(made):
    made.active.title = "Data"
    made.create_sheet("Cover", 0)


SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


def with_entity(declaration, reference):
    def change(xml):
        start, rest = (xml[: xml.index(b"?>") + 2], xml[xml.index(b"?>") + 2 :]) if b"?>" in xml else (b"", xml)
        return start + declaration + rest.replace(b"100", reference, 1)

    return rewritten(book(), SHEET, change)


case("typed.xlsx", book(), GOOD)
case("cover-sheet.xlsx", book(in_front), GOOD)
case("named.csv", book(), GOOD)
case("numbers-as-ids.xlsx", book(put("A3", 7)), Expected("ok", good=3, total=TOTAL, sample="7"))
case("day-number.xlsx", book(put("D3", 44702)), GOOD)
case("row-left-blank.xlsx", book(lambda made: made.active.insert_rows(3)), GOOD)
case(
    "formula-without-value.xlsx",
    book(put("E3", "=100+150.5")),
    Expected("quarantine", "no_cached_value", 3, "amount", good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "error-value.xlsx",
    book(put("E3", "#REF!")),
    Expected("quarantine", "not_a_number", 3, "amount", "#REF!", good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "boolean-amount.xlsx",
    book(put("E3", True)),
    Expected("quarantine", "not_a_number", 3, "amount", "True", good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "number-as-date.xlsx",
    book(put("D3", -5)),
    Expected("quarantine", "date_range", 3, "date", "1899-12-25", good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "note-beside.xlsx",
    book(put("H3", "call again")),
    Expected("quarantine", "row_width", 3, good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "title-above.xlsx",
    book(lambda made: (made.active.insert_rows(1), put("A1", "Pipeline report")(made))),
    Expected("ok", "titles_above", 1, good=3, total=TOTAL),
)
refused("no-such-sheet.xlsx", book(), "no_such_sheet", None, (*DEALS, "--sheet", "Sales"), value="Sales")
refused("nothing.xlsx", book(lambda made: made.active.delete_rows(1, 9)), "empty_file")
refused("laughs.xlsx", with_entity(LAUGHS, b"&c;"), "workbook_broken")
refused("outside-entity.xlsx", with_entity(OUTSIDE, b"&x;"), "workbook_broken")
refused("sheet-cut.xlsx", rewritten(book(), SHEET, lambda xml: xml[:-200]), "workbook_broken")
refused("bomb-in-strings.xlsx", rewritten(book(), SHEET, lambda xml: xml + b" " * 20_000_000), "archive_too_large")
refused("header-twice.xlsx", book(put("B1", "Stage")), "header_twice", 1, column="stage")


# --- Parquet ---
def parquet(frame=None, **settings):
    if frame is None:
        frame = pd.DataFrame(ROWS, columns=HEADER).astype({"amount": "float64"})
    out = io.BytesIO()
    frame.to_parquet(out, **settings)
    return out.getvalue()


FRAME = pd.DataFrame(ROWS, columns=HEADER).astype({"amount": "float64"})
case("typed.parquet", parquet(FRAME.assign(date=pd.to_datetime(FRAME["date"]))), GOOD)
case("named-csv.csv", parquet(), GOOD)
case(
    "infinite.parquet",
    parquet(FRAME.assign(amount=[100.0, float("inf"), 1000.25])),
    Expected("quarantine", "not_finite", 2, "amount", "inf", good=2, bad=1, total=TOTAL - 250.5),
)
case("categories.parquet", parquet(FRAME.assign(stage=FRAME["stage"].astype("category"))), GOOD)
case(
    "large-ids.parquet",
    parquet(FRAME.assign(id=[2**63 - 1, 2**63 - 2, 1])),
    Expected("ok", good=3, total=TOTAL, sample=str(2**63 - 2)),
)
case(
    "ids-with-gaps.parquet",
    parquet(FRAME.assign(id=[1.0, None, 3.0])),
    Expected("quarantine", "required", 2, "id", good=2, bad=1, total=TOTAL - 250.5),
)
case(
    "lists.parquet",
    parquet(FRAME.assign(stage=[["Lead"], ["MQL"], ["Won"]])),
    Expected("quarantine", "stage_unknown", 1, "stage", good=0, bad=3),
)
case(
    "bytes.parquet",
    parquet(FRAME.assign(amount=[b"100", b"\xff", b"1"])),
    Expected("quarantine", "not_a_number", 2, "amount", good=0, bad=3),
)
case(
    "year-20222.parquet",
    parquet(FRAME.assign(date=pd.Series(["2022-05-20", "2022-05-21", "9999-12-31"], dtype="datetime64[us]"))),
    Expected("quarantine", "date_range", 3, "date", good=2, bad=1, total=TOTAL - 1000.25),
)
case("no-rows.parquet", parquet(FRAME.iloc[:0]), Expected("warn", "no_rows", good=0))
refused("cut.parquet", parquet()[:-30], "parquet_broken")
refused("only-marks.parquet", b"PAR1PAR1", "parquet_broken")
refused("footer.parquet", parquet()[:-12] + b"\xff\xff\xff\x7f" + parquet()[-8:], "parquet_broken")
refused("cell-too-long.parquet", parquet(FRAME.assign(account=["a", "x" * 100_001, "b"])), "cell_too_long", 2)


# --- databases ---
def database(*statements):
    link = sqlite3.connect(":memory:")
    for statement in statements:
        link.execute(statement)
    link.commit()
    return link.serialize()


DEALS_TABLE = "CREATE TABLE deals (id TEXT, account TEXT, stage TEXT, date TEXT, amount REAL)"
INSERT = "INSERT INTO deals VALUES " + ", ".join(map(str, ROWS))
case("typed.sqlite", database(DEALS_TABLE, INSERT), GOOD)
case(
    "table-name-hostile.sqlite",
    database(DEALS_TABLE.replace("deals", '"a; DROP TABLE b; --"'), INSERT.replace("deals", '"a; DROP TABLE b; --"')),
    GOOD,
)
case(
    "mixed-types.sqlite",
    database(DEALS_TABLE.replace("REAL", "BLOB"), INSERT, "UPDATE deals SET amount = 'much' WHERE id = 'A2'"),
    Expected("quarantine", "not_a_number", 2, "amount", "much", good=2, bad=1, total=TOTAL - 250.5),
)
refused("no-tables.sqlite", database("CREATE TABLE x (a)", "DROP TABLE x"), "table_needed")
refused("cut.sqlite", database(DEALS_TABLE, INSERT)[:1000], "database_unreadable")
