"""Files: bytes of a source -> a Table of cells with physical line numbers. What it is, is told by its content."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.language import DataError
from funnelkit.pipeline import Finding
from funnelkit.reading.containers import large_csv
from funnelkit.reading.containers.csv import read_delimited
from funnelkit.reading.containers.database import database_kind, is_url, open_database
from funnelkit.reading.containers.encoding import decode, known_encoding, said_encoding, without_nul
from funnelkit.reading.containers.excel import XLS, read_workbook
from funnelkit.reading.containers.groups import ungrouped
from funnelkit.reading.containers.headers import without_repeated
from funnelkit.reading.containers.html_table import read_html
from funnelkit.reading.containers.json_text import looks_like_json, read_json
from funnelkit.reading.containers.options import Bounds, ReadOptions, Source, Table, check_header
from funnelkit.reading.containers.xes import is_xes, read_xes

_HTML = ("<!doctype html", "<html", "<head", "<body", "<table", "<meta")
_BOOKS = (".xlsx", ".xlsm", ".ods")
_WORKBOOK = {"xl/workbook.xml", "content.xml"}  # files that make an archive a workbook
_TABLES = {".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".xlsx", ".xls", ".ods", ".parquet", ".xes"}
# Content that is no table: (first bytes, what to call it).
_FOREIGN = (
    (b"%PDF", "PDF"), (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "RAR"),
    (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"(\xb5/\xfd", "zstd"),
    (b"ARROW1", "Arrow"), (b"\x93NUMPY", "numpy"), (b"\x7fELF", "ELF"), (b"{\\rtf", "RTF"),
)  # fmt: skip


def open_source(source: Source, options: ReadOptions | None = None) -> Table:
    """Return the Table of a source.

    Parameters
    ----------
    source : path, URL, stream or table
        The path of a CSV, TSV, TXT, JSON, JSON lines or XES file (also gzip), of an xlsx, xls, ods, Parquet, SQLite or
        DuckDB file, the URL of a database, an open file or stream, a DataFrame (pandas, polars), an Arrow table, a dict
        of columns or a list of dicts.
    options : ReadOptions, optional
        How to read it.

    Returns
    -------
    Table
        Its cells as found, with the physical line of each row; a header repeated inside is no row.

    Raises
    ------
    DataError
        Where the file is missing, is something else, or passes a limit; where the source is of another type.

    Examples
    --------
    >>> open_source({"id": ["a"], "stage": ["Lead"]}).cells.columns.tolist()
    ['id', 'stage']
    """
    options = options or ReadOptions()
    parts = _unpacked(source, options)
    tables = [ungrouped(without_repeated(_open(part, options))) for part in parts]
    if len(tables) == 1:
        return tables[0]
    if len({tuple(table.cells.columns) for table in tables}) > 1:
        raise DataError("zip_tables", file=Path(str(source)).name, known=", ".join(table.name for table in tables))
    return _together(tables, Path(str(source)).name)


def open_sources(sources: Sequence[Source], options: ReadOptions) -> list[Table]:
    """Return the Table of each source, of an archive those of its files."""
    files = [part for source in sources for part in _unpacked(source, options)]
    return [ungrouped(without_repeated(_open(file, options))) for file in files]


def _together(tables: Sequence[Table], name: str) -> Table:
    """Return tables of the same headers as one."""
    cells = pd.concat([table.cells for table in tables], ignore_index=True)
    lines = np.concatenate([table.lines for table in tables])
    broken = tuple(row for table in tables for row in table.broken)
    notes = tuple(note for table in tables for note in table.notes)
    return replace(
        tables[0], name=name, cells=cells, lines=lines, blank=sum(table.blank for table in tables), broken=broken,
        notes=notes,
    )  # fmt: skip


def _open(source: Source, options: ReadOptions) -> Table:
    if is_url(source):
        return open_database(str(source), options)
    if isinstance(source, (str, os.PathLike)):
        return _of_path(_file(source), options)
    if hasattr(source, "read"):
        return _of_stream(source, options)
    return _of_frame(_as_frame(source), type(source).__name__, "frame", options)


def _of_path(path: Path, options: ReadOptions) -> Table:
    head = _bytes(path, 20_000)
    kind = database_kind(head[:16])
    if kind:
        return open_database(path, options, kind)
    if is_xes(head):
        with path.open("rb") as stream:
            return read_xes(stream, path.stat().st_size, path.name, options)
    table = _large(path, head, options)
    return _of_bytes(_bytes(path), path.name, options) if table is None else table


def _of_bytes(data: bytes, name: str, options: ReadOptions) -> Table:
    suffix = Path(name).suffix.lower()
    if data.startswith(b"\x1f\x8b"):
        data = _unzipped(data, name, options.bounds)
        if data.startswith(b"\x1f\x8b"):
            raise DataError("foreign_format", file=name, kind="gzip in gzip")
    if is_xes(data[:20_000]):
        return read_xes(io.BytesIO(data), len(data), name, options)
    _refuse_foreign(data, name, suffix)
    if data.startswith(b"PAR1"):
        return _of_parquet(data, name, options)
    if data.startswith(XLS):
        return read_workbook(data, name, options)
    if data.startswith(b"PK\x03\x04") or suffix in _BOOKS:
        _measure_archive(data, name, options.bounds)
        return read_workbook(data, name, options)
    return _of_text(*decode(data, name, options.encoding), name, options)


def _of_text(text: str, notes: tuple[Finding, ...], name: str, options: ReadOptions) -> Table:
    if looks_like_json(text):
        return read_json(text, name, options, notes)
    if _is_markup(text):
        table = read_html(text, name, options)
        if table is not None:
            return replace(table, notes=(*notes, *table.notes))
    _refuse_markup(text, name)
    return read_delimited(text, name, options, notes)


def _of_stream(stream: Any, options: ReadOptions) -> Table:
    """Read what is left in an open file or stream, of bytes or of text."""
    place = getattr(stream, "name", None)
    name = Path(place).name if isinstance(place, str) and place else type(stream).__name__
    try:
        data = stream.read()
    except (OSError, ValueError) as error:  # closed, or open for writing only
        raise DataError("file_unreadable", file=name, reason=str(error)) from None
    if isinstance(data, str):
        return _of_text(without_nul(data.removeprefix("\ufeff"), name), (), name, options)
    if not isinstance(data, bytes):
        raise DataError("source_type", found=type(stream).__name__)
    if database_kind(data[:16]):
        raise DataError("database_stream", file=name)
    return _of_bytes(data, name, options)


def _as_frame(source: Any) -> pd.DataFrame:
    """Return the DataFrame of a table in memory."""
    kind = type(source).__name__
    if isinstance(source, pd.DataFrame):
        return source
    try:
        if isinstance(source, Mapping) or (isinstance(source, (list, tuple)) and _are_rows(source)):
            return pd.DataFrame(source)
    except ValueError as error:
        raise DataError("source_broken", found=kind, reason=str(error).splitlines()[0]) from None
    if hasattr(source, "__arrow_c_stream__"):
        import pyarrow as pa

        with suppress(ValueError, TypeError):  # a single column, for one, is no table
            return pa.table(source).to_pandas(integer_object_nulls=True)
    raise DataError("source_type", found=kind)


def _are_rows(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, Mapping) for value in values)


def _unpacked(source: Source, options: ReadOptions) -> list[Source]:
    """Return the files in a zip archive that is no workbook, each as a stream with its name; any other source alone.

    Folders, hidden files and texts beside the tables (`README.txt`) are passed over. Refuses what passes the limits.
    """
    if not isinstance(source, (str, os.PathLike)) or is_url(source) or Path(source).suffix.lower() in _BOOKS:
        return [source]
    path = _file(source)
    if _bytes(path, 4) != b"PK\x03\x04":
        return [source]
    data = _bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if _is_table(info.filename)]
            if not infos or _WORKBOOK & set(archive.namelist()):
                return [source]
            _measure(sum(info.file_size for info in infos), len(data), path.name, options.bounds)
            return [_Member(archive.read(info), f"{path.name}#{Path(info.filename).name}") for info in infos]
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, OSError):  # told where it is opened
        return [source]


class _Member(io.BytesIO):
    """A file of an archive."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def _is_table(name: str) -> bool:
    place = Path(name)
    return place.suffix.lower() in _TABLES and not any(part.startswith((".", "__")) for part in place.parts)


def _file(source: str | os.PathLike[str]) -> Path:
    """Return the path of a file that is there: a pipe or device could keep its reader waiting for ever."""
    path = Path(source)
    try:
        if path.is_file():
            return path
        key = "not_a_file" if path.exists() else "no_such_file"
    except OSError as error:
        raise DataError("file_unreadable", file=str(path), reason=error.strerror) from None
    raise DataError(key, file=str(path).replace("\0", "\ufffd"))


def _large(path: Path, head: bytes, options: ReadOptions) -> Table | None:
    """Return the Table of a large file of plain UTF-8 text, None for every other file."""
    declared = options.encoding and known_encoding(options.encoding, path.name)
    if path.stat().st_size < large_csv.LARGEST_PLAIN or declared not in (None, "utf-8", "utf-8-sig"):
        return None
    if head.startswith((b"\x1f\x8b", b"PAR1", b"PK\x03\x04", XLS)) or path.suffix.lower() in _BOOKS:
        return None
    start = head.decode("utf-8", "ignore").removeprefix("\ufeff")
    if looks_like_json(start) or _is_markup(start):
        return None
    _refuse_foreign(head, path.name, path.suffix.lower())
    _refuse_markup(start, path.name)
    marked = head.startswith(codecs.BOM_UTF8)
    notes = () if declared else (said_encoding(path.name, "utf-8", "bom" if marked else "valid"),)
    return large_csv.read_large(path, options, notes)


def _bytes(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        key = "no_such_file" if isinstance(error, FileNotFoundError) else "file_unreadable"
        raise DataError(key, file=str(path), reason=error.strerror) from None


def _unzipped(data: bytes, name: str, bounds: Bounds) -> bytes:
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


def _measure_archive(data: bytes, name: str, bounds: Bounds) -> None:
    """Refuse a zip container that unpacks to more than the limits, before anything parses it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError("workbook_broken", file=name, reason=str(error)) from None
    _measure(sum(info.file_size for info in infos), len(data), name, bounds)
    if not _WORKBOOK & {info.filename for info in infos}:
        raise DataError("not_a_workbook", file=name)


def _measure(size: int, packed: int, name: str, bounds: Bounds) -> None:
    """Refuse an archive that unpacks to more than the limits."""
    if size > bounds.unpacked_bytes or size > bounds.archive_ratio * max(packed, 1):
        raise DataError("archive_too_large", file=name, ratio=bounds.archive_ratio, size=bounds.unpacked_bytes)


def _refuse_foreign(data: bytes, name: str, suffix: str) -> None:
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


def _refuse_markup(text: str, name: str) -> None:
    """Refuse a web page or other markup saved as a table; a login page is the usual one."""
    if _is_markup(text):
        raise DataError("html_page", file=name)
    if text[:2000].lstrip().lower().startswith("<?xml"):
        raise DataError("foreign_format", file=name, kind="XML")


def _is_markup(text: str) -> bool:
    start = text[:2000].lstrip().lower()
    return start.startswith(_HTML) or (start.startswith(("<?xml", "<!--")) and "<html" in start)


# --- typed sources ----------------------------------------------------------------------------------------------------


def _of_frame(frame: pd.DataFrame, name: str, kind: str, options: ReadOptions) -> Table:
    cells = frame.reset_index(drop=True).copy()
    cells.columns = [str(column) for column in cells.columns]
    if len(cells.columns) > options.bounds.columns:
        raise DataError("too_many_columns", file=name, n=len(cells.columns), limit=options.bounds.columns)
    check_header(list(cells.columns), name, 1)
    _refuse_long_cells(cells, name, options.bounds.cell_characters)
    return Table(name, cells, np.arange(1, len(cells) + 1), kind)


def _refuse_long_cells(cells: pd.DataFrame, name: str, most: int) -> None:
    """Refuse a cell over the limit, naming its row."""
    for header in cells.columns[[isinstance(kind, pd.StringDtype) for kind in cells.dtypes]]:
        long = (cells[header].str.len() > most).to_numpy()
        if long.any():
            raise DataError("cell_too_long", file=name, line=int(np.argmax(long)) + 1, limit=most)


def _of_parquet(data: bytes, name: str, options: ReadOptions) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(pa.BufferReader(data))
        groups = range(parquet.metadata.num_row_groups)
        size = sum(parquet.metadata.row_group(number).total_byte_size for number in groups)
        if size > options.bounds.unpacked_bytes:
            raise DataError("archive_too_large", file=name, ratio=options.bounds.archive_ratio, size=size)
        table = _measured(parquet, len(data), name, options.bounds)
    except (pa.ArrowException, OSError) as error:
        raise DataError("parquet_broken", file=name, reason=str(error).splitlines()[0]) from None
    return _of_frame(table.to_pandas(integer_object_nulls=True), name, "parquet", options)


def _measured(parquet: Any, packed: int, name: str, bounds: Bounds) -> Any:
    """Return the table of a Parquet file, read piece by piece: a text stored once may be repeated without end.

    Refuses one that grows beyond both limits of archives.
    """
    import pyarrow as pa

    batches, size = [], 0
    for batch in parquet.iter_batches(batch_size=1 << 20):
        size += sum(map(_expanded, batch.columns))
        if size > max(bounds.unpacked_bytes, bounds.archive_ratio * packed):
            raise DataError("archive_too_large", file=name, ratio=bounds.archive_ratio, size=bounds.unpacked_bytes)
        batches.append(batch)
    return pa.Table.from_batches(batches, parquet.schema_arrow)


def _expanded(column: Any) -> int:
    """Return the bytes of a column once each of its texts stands by itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type) or not (
        pa.types.is_string(column.type.value_type) or pa.types.is_large_string(column.type.value_type)
    ):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths).as_py() or 0)
