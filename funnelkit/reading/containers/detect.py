"""Files: bytes of a source -> a Table of cells with physical line numbers. What it is, is told by its content."""

import codecs
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.reading.containers import large_csv
from funnelkit.reading.containers.csv import read_delimited
from funnelkit.reading.containers.database import database_kind, is_url, open_database
from funnelkit.reading.containers.encoding import decode, known_encoding, said_encoding
from funnelkit.reading.containers.excel import read_workbook
from funnelkit.reading.containers.options import ReadOptions, Table, check_header

_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<table")
# Content that is no table: (first bytes, what to call it).
_FOREIGN = (
    (b"%PDF", "PDF"), (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "RAR"),
    (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"(\xb5/\xfd", "zstd"),
    (b"ARROW1", "Arrow"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"), (b"\x93NUMPY", "numpy"),
    (b"\x7fELF", "ELF"), (b"{\\rtf", "RTF"),
)  # fmt: skip


def open_source(source, options=None):
    """Return the Table of a path (CSV, TSV, TXT, gzip of these, xlsx, Parquet, SQLite, DuckDB), a URL or a DataFrame.

    Raises DataError where the file is missing, is something else, or passes a limit.
    """
    options = options or ReadOptions()
    if isinstance(source, pd.DataFrame):
        return _of_frame(source, "DataFrame", "frame", options)
    if is_url(source):
        return open_database(source, options)
    path = _file(source)
    kind = database_kind(_bytes(path, 16))
    if kind:
        return open_database(path, options, kind)
    table = _large(path, options)
    if table is not None:
        return table
    data, name = _bytes(path), path.name
    if data.startswith(b"\x1f\x8b"):
        data = _unzipped(data, name, options.bounds)
        if data.startswith(b"\x1f\x8b"):
            raise DataError("foreign_format", file=name, kind="gzip in gzip")
    _refuse_foreign(data, name, path.suffix.lower())
    if data.startswith(b"PAR1"):
        return _of_parquet(data, name, options)
    if data.startswith(b"PK\x03\x04") or path.suffix.lower() in (".xlsx", ".xlsm"):
        _measure_archive(data, name, options.bounds)
        return read_workbook(data, name, options)
    text, notes = decode(data, name, options.encoding)
    _refuse_markup(text, name)
    return read_delimited(text, name, options, notes)


def _file(source):
    """Return the path of a file that is there: a pipe or device could keep its reader waiting for ever."""
    path = Path(source)
    try:
        if path.is_file():
            return path
        key = "not_a_file" if path.exists() else "no_such_file"
    except OSError as error:
        raise DataError("file_unreadable", file=str(path), reason=error.strerror) from None
    raise DataError(key, file=str(path).replace("\0", "\ufffd"))


def _large(path, options):
    """Return the Table of a large file of plain UTF-8 text, None for every other file."""
    declared = options.encoding and known_encoding(options.encoding, path.name)
    if path.stat().st_size < large_csv.LARGEST_PLAIN or declared not in (None, "utf-8", "utf-8-sig"):
        return None
    head = _bytes(path, 20_000)
    if head.startswith((b"\x1f\x8b", b"PAR1", b"PK\x03\x04")) or path.suffix.lower() in (".xlsx", ".xlsm"):
        return None
    _refuse_foreign(head, path.name, path.suffix.lower())
    _refuse_markup(head.decode("utf-8", "ignore").removeprefix("\ufeff"), path.name)
    marked = head.startswith(codecs.BOM_UTF8)
    notes = () if declared else (said_encoding(path.name, "utf-8", "bom" if marked else "valid"),)
    return large_csv.read_large(path, options, notes)


def _bytes(path, most=-1):
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        key = "no_such_file" if isinstance(error, FileNotFoundError) else "file_unreadable"
        raise DataError(key, file=str(path), reason=error.strerror) from None


def _unzipped(data, name, bounds):
    """Unpack gzip, at most as much as the limits allow."""
    most = min(bounds.unpacked_bytes, bounds.archive_ratio * len(data))
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            unpacked = stream.read(most + 1)
    except (OSError, EOFError, ValueError) as error:
        raise DataError("archive_broken", file=name, reason=str(error)) from None
    if len(unpacked) > most:
        raise DataError("archive_too_large", file=name, ratio=bounds.archive_ratio, size=bounds.unpacked_bytes)
    return unpacked


def _measure_archive(data, name, bounds):
    """Refuse a zip container that unpacks to more than the limits, before anything parses it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError("workbook_broken", file=name, reason=str(error)) from None
    size = sum(info.file_size for info in infos)
    if size > bounds.unpacked_bytes or size > bounds.archive_ratio * max(len(data), 1):
        raise DataError("archive_too_large", file=name, ratio=bounds.archive_ratio, size=bounds.unpacked_bytes)
    if "xl/workbook.xml" not in {info.filename for info in infos}:
        raise DataError("not_a_workbook", file=name)


def _refuse_foreign(data, name, suffix):
    """Refuse what is empty, a program or another format."""
    if not data.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0"):
        raise DataError("empty_file", file=name)
    if suffix in (".pkl", ".pickle", ".joblib") or (
        data[:1] == b"\x80" and data[1:2] in b"\2\3\4\5" and data[-1:] == b"."
    ):
        raise DataError("pickle_refused", file=name)
    for start, kind in _FOREIGN:
        if data.startswith(start):
            raise DataError("foreign_format", file=name, kind=kind)


def _refuse_markup(text, name):
    """Refuse a web page or JSON saved as a table; a login page is the usual one."""
    start = text[:2000].lstrip().lower().encode("utf-8", "replace")
    if start.startswith(_HTML) or (start.startswith((b"<?xml", b"<!--")) and b"<html" in start):
        raise DataError("html_page", file=name)
    if start.startswith((b"<?xml", b"{", b"[{")):
        raise DataError("foreign_format", file=name, kind="XML" if start.startswith(b"<") else "JSON")


# --- encoding -------------------------------------------------------------------------------------------------------


# --- typed sources ----------------------------------------------------------------------------------------------------


def _of_frame(frame, name, kind, options):
    cells = frame.reset_index(drop=True).copy()
    cells.columns = [str(column) for column in cells.columns]
    if len(cells.columns) > options.bounds.columns:
        raise DataError("too_many_columns", file=name, n=len(cells.columns), limit=options.bounds.columns)
    check_header(list(cells.columns), name, 1)
    _refuse_long_cells(cells, name, options.bounds.cell_characters)
    return Table(name, cells, np.arange(1, len(cells) + 1), kind)


def _refuse_long_cells(cells, name, most):
    """Refuse a cell over the limit, naming its row."""
    for header in cells.columns[[isinstance(kind, pd.StringDtype) for kind in cells.dtypes]]:
        long = (cells[header].str.len() > most).to_numpy()
        if long.any():
            raise DataError("cell_too_long", file=name, line=int(np.argmax(long)) + 1, limit=most)


def _of_parquet(data, name, options):
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(pa.BufferReader(data))
        groups = range(parquet.metadata.num_row_groups)
        size = sum(parquet.metadata.row_group(number).total_byte_size for number in groups)
        if size > options.bounds.unpacked_bytes:
            raise DataError("archive_too_large", file=name, ratio=options.bounds.archive_ratio, size=size)
        table = parquet.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError("parquet_broken", file=name, reason=str(error).splitlines()[0]) from None
    return _of_frame(table.to_pandas(integer_object_nulls=True), name, "parquet", options)
