"""Files: bytes of a source -> a Table of cells with physical line numbers. What it is, is told by its content."""

import codecs
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from funnelkit import large
from funnelkit.database import database_kind, is_url, open_database
from funnelkit.delimited import read_delimited
from funnelkit.errors import DataError
from funnelkit.pipeline import Finding
from funnelkit.source import Bounds, ReadOptions, Table, check_header
from funnelkit.workbook import read_workbook

__all__ = ["Bounds", "ReadOptions", "decode", "open_source"]

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
    declared = options.encoding and _known(options.encoding, path.name)
    if path.stat().st_size < large.LARGEST_PLAIN or declared not in (None, "utf-8", "utf-8-sig"):
        return None
    head = _bytes(path, 20_000)
    if head.startswith((b"\x1f\x8b", b"PAR1", b"PK\x03\x04")) or path.suffix.lower() in (".xlsx", ".xlsm"):
        return None
    _refuse_foreign(head, path.name, path.suffix.lower())
    _refuse_markup(head.decode("utf-8", "ignore").removeprefix("\ufeff"), path.name)
    marked = head.startswith(codecs.BOM_UTF8)
    notes = () if declared else (_said(path.name, "utf-8", "bom" if marked else "valid"),)
    return large.read_large(path, options, notes)


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

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_CANDIDATES = ("gb18030", "big5", "shift_jis", "cp1252")


def decode(data, name, declared=None):
    """Return (text, findings) of bytes: by a byte order mark, as declared, as UTF-8, or detected beyond doubt."""
    marked = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    if declared is not None:
        encoding = _known(declared, name)
        if marked and codecs.lookup(encoding).name == "utf-8":
            encoding = "utf-8-sig"
        text = _strict(data, encoding, name)
        return _without_nul(text.removeprefix("\ufeff"), name), ()
    if marked:
        return _without_nul(_strict(data, marked, name), name), (_said(name, marked.removesuffix("-sig"), "bom"),)
    wide = _wide(data)
    if wide:
        return _without_nul(_strict(data, wide, name), name), (_said(name, wide, "pattern"),)
    try:
        return _without_nul(data.decode("utf-8"), name), (_said(name, "utf-8", "valid"),)
    except UnicodeDecodeError as error:
        return _detect(data, name, error)


def _said(name, encoding, how):
    return Finding("encoding_found", "note", name, value=encoding, values={"how": how})


# Codecs of the standard library that are no character sets of files.
_NO_CHARSETS = {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"}


def _known(encoding, name):
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not codec._is_text_encoding or codec.name.replace("_", "-") in _NO_CHARSETS:
        raise DataError("encoding_unknown", file=name, value=encoding)
    return codec.name


def _strict(data, encoding, name):
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError("encoding_wrong", **_place(data, error, name), encoding=encoding) from None
    except UnicodeError:  # utf-16 that begins with neither mark
        raise DataError("encoding_wrong", file=name, line=1, value=f"0x{data[0]:02X}", encoding=encoding) from None


def _place(data, error, name):
    """Return where a byte is that does not decode."""
    before = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return {"file": name, "line": before.count(b"\n") + 1, "value": f"0x{data[error.start]:02X}"}


def _without_nul(text, name):
    at = text.find("\0")
    if at >= 0:
        raise DataError("binary_file", file=name, line=text.count("\n", 0, at) + 1)
    return text


def _wide(data):
    """Return the UTF-16 that a file without a mark is in: zero bytes stand at one side of the pairs."""
    pairs = np.frombuffer(data[:4000], np.uint8, len(data[:4000]) // 2 * 2).reshape(-1, 2)
    high, low = (pairs == 0).mean(axis=0) if len(pairs) else (0, 0)
    if len(data) % 2 or max(high, low) < 0.05 or min(high, low) > max(high, low) / 10:
        return None
    if max(high, low) < 0.5 and _try(data, "utf-8") is not None:  # a stray zero byte in plain text
        return None
    encoding = "utf-16-le" if low > high else "utf-16-be"
    return encoding if "\n" in data[:4000].decode(encoding, "ignore") else None


def _detect(data, name, error):
    """Decode what is not UTF-8 where one reading is beyond doubt; else refuse and quote the readings."""
    place = _place(data, error, name)
    lenient = data.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    if _foreign_signs(lenient) > 2 * broken:
        raise DataError("encoding_broken", **place)
    readings = {encoding: text for encoding in _CANDIDATES if (text := _try(data, encoding)) is not None}
    scores = {encoding: _common_share(readings.get(encoding), codec) for encoding, codec in _COMMON.items()}
    best, second = sorted(scores, key=scores.get, reverse=True)[:2]
    if _foreign_signs(lenient) >= 20 and scores[best] >= 0.9 and scores[best] - scores[second] >= 0.25:
        return _without_nul(readings[best], name), (_said(name, best, "frequency"),)
    line = place["line"] - 1
    quoted = (f"{encoding}: {_line(text, line)!r}" for encoding, text in readings.items())
    raise DataError("encoding_unclear", **place, readings="; ".join(quoted) or "-")


def _try(data, encoding):
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _line(text, number):
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", number + 1)
    return lines[number][:60] if number < len(lines) else ""


def _foreign_signs(text):
    return sum(1 for sign in text if sign > "\x7f")


# The everyday half of each double-byte set: lead bytes of its first level, and of its punctuation.
_COMMON = {"gb18030": ("gb2312", 0xA1, 0xA3, 0xB0, 0xD7), "big5": ("big5", 0xA1, 0xA3, 0xA4, 0xC6)}


def _common_share(text, codec):
    """Return the share of the signs beyond ASCII that are everyday ones in this character set."""
    if not text:
        return 0.0
    name, mark_low, mark_high, low, high = codec
    signs = [sign for sign in text[:200_000] if sign > "\x7f"]
    leads = (sign.encode(name, "ignore")[:1] for sign in signs)
    common = sum(1 for lead in leads if lead and (mark_low <= lead[0] <= mark_high or low <= lead[0] <= high))
    return common / max(len(signs), 1)


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
