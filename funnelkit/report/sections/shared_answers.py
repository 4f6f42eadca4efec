"""Asking once for many: reports of a batch on the same data share what a verb found and how it is shown."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from funnelkit import __version__
from funnelkit.language import language
from funnelkit.pipeline import Pipeline
from funnelkit.report.sections.shared_read import FOLDER, once
from funnelkit.result import Result

_PLAIN = (str, int, float, bool, type(None), pd.Timestamp)
_read: dict[int, tuple[Pipeline, str]] = {}  # what pipelines were read from, by their identity: they are held here
_found: dict[int, tuple[Result, str]] = {}
_hashed: dict[int, tuple[pd.DataFrame, pd.DataFrame, Any]] = {}  # tables, copies that share their columns, hashes


class _UnknownError(Exception):
    """An argument of which nobody can tell whether another report's is the same."""


def remember(pipeline: Pipeline, key: str | None, *told: Any) -> Pipeline:
    """Note what a pipeline was read from and how, and return it."""
    if key is not None and pipeline.counts is None:
        _read[id(pipeline)] = pipeline, json.dumps([key, told])
    return pipeline


def ask_once(
    verb: Callable[..., Any], pipeline: Pipeline, args: tuple[Any, ...], options: Mapping[str, Any]
) -> Any:  # fmt: skip
    """Ask a verb of the kit; within a batch only the first time for the same data and arguments."""
    path = _place(verb.__module__, verb.__qualname__, pipeline, args, dict(options))
    if path is None or not verb.__module__.startswith("funnelkit."):
        return verb(pipeline, *args, **options)
    return known(once(path, lambda: verb(pipeline, *args, **options)), path.stem)


def known(found: Any, key: str | None) -> Any:
    """Note which question a Result answers, and return it."""
    if key is not None and isinstance(found, Result):
        _found[id(found)] = found, key
    return found


def key_of(found: Any) -> str | None:
    """Return the key of the question that a Result answers, None where it is not shared."""
    return _found[id(found)][1] if id(found) in _found else None


def shown_once(answer: Result, behind: Result | None, show: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what an answer shows; within a batch it is drawn the first time only, unless a cell has changed it."""
    path = _place("shown", answer, behind)
    found: dict[str, Any] = show() if path is None else once(path, show)
    return found


def _place(*told: Any) -> Path | None:
    """Return where the answer of a question is kept; None outside a batch, or where an argument is not known again."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return None
    try:
        text = json.dumps([_token(told), language(), __version__])
    except _UnknownError:
        return None
    return Path(folder) / f"{hashlib.sha256(text.encode()).hexdigest()}.pickle"


def _token(value: Any) -> Any:
    """Return what tells one argument from another, its data as they are now included."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return [_token(one) for one in value]
    if isinstance(value, dict):
        return [[_token(name), _token(one)] for name, one in value.items()]
    if isinstance(value, Pipeline):
        _, key = _read.get(id(value)) or _unknown()
        return [key, _digest(value.deals), _digest(value.events)]
    if isinstance(value, Result):
        _, key = _found.get(id(value)) or _unknown()
        return [key, _digest(value.table)]
    if is_dataclass(value) and type(value).__module__.startswith("funnelkit."):
        return [type(value).__qualname__, *(_token(getattr(value, field.name)) for field in fields(value))]
    return _unknown()


def _digest(table: pd.DataFrame) -> Any:
    """Return the hash of a table as it is now; one that has not been written to since the last time is not read again.

    pandas copies on write: whatever changes a column of the table leaves it another one than its copy's.
    """
    held, before, found = _hashed.get(id(table), (None, table, None))
    if held is table and _untouched(table, before):
        return found
    try:
        rows = pd.util.hash_pandas_object(table).to_numpy()
    except TypeError:
        return _unknown()
    found = [list(map(str, table.columns)), hashlib.sha256(rows.tobytes()).hexdigest()]
    _hashed[id(table)] = table, table.copy(deep=False), found
    return found


def _untouched(table: pd.DataFrame, before: pd.DataFrame) -> bool:
    if not (table.columns.is_(before.columns) and table.index.is_(before.index)):
        return False
    pairs = zip(table.items(), before.items(), strict=True)
    return all(_same_array(now.array, then.array) for (_, now), (_, then) in pairs)


def _same_array(now: Any, then: Any) -> bool:
    """Return whether two columns hold the same memory: numpy's, or Arrow's, which is never written to."""
    own, old = (getattr(one, "_ndarray", None) for one in (now, then))
    if own is not None and old is not None:
        return bool(np.shares_memory(own, old))
    own, old = (getattr(one, "_pa_array", None) for one in (now, then))
    return own is not None and own is old


def _unknown() -> Any:
    raise _UnknownError
