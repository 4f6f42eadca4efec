"""Saved: tables, rows and documents of the writers as files, by the ending of their name."""

import gzip
import json

import openpyxl
import pandas as pd

from tests.support.spreadsheets import ods_bytes


def save(exports, folder):
    """Write {file name: table, rows, records, document or text}; return the paths."""
    paths = []
    for name, content in exports.items():
        path = folder / name
        data = _bytes(name.removesuffix(".gz"), content)
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        paths.append(path)
    return paths


def _bytes(name, content):
    ending = name.rpartition(".")[2]
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, pd.DataFrame):
        if ending == "csv":
            return content.to_csv(index=False).encode()
        content = [list(content.columns), *(_plain(row) for row in content.itertuples(index=False))]
    if ending == "xlsx":
        return _book(content)
    if ending == "ods":
        return ods_bytes(content)
    if ending == "jsonl" or "_20" in name:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content).encode()
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _plain(row):
    return [None if cell is pd.NaT or cell != cell else getattr(cell, "to_pydatetime", lambda cell=cell: cell)()
            for cell in row]  # fmt: skip


def _book(rows):
    import io

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()
