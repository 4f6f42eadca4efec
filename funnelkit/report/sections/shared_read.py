"""Reading once for many: the reports of a batch share what the first of them has read from the same files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from funnelkit import __version__
from funnelkit.language import language
from funnelkit.pipeline import Pipeline
from funnelkit.reading import read

FOLDER = "FUNNELKIT_READ"  # a batch's own folder, which nobody else can enter and which ends with it


def read_once(sources: Sequence[Any], how: Mapping[str, Any]) -> tuple[Pipeline, str | None]:
    """Read as `read` does; within a batch only the first time for the same bytes, names and settings.

    With the pipeline comes what tells it from others, None where nobody can say.
    """
    folder = os.environ.get(FOLDER)
    key = _key(sources, how) if folder else None
    if folder is None or key is None:
        return read(*sources, **how), None
    return once(Path(folder) / f"{key}.pickle", lambda: read(*sources, **how)), key


def once(path: Path, make: Callable[[], Any]) -> Any:
    """Return what a report has left at a path, else make it and leave it there for the others."""
    with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
        return pickle.loads(path.read_bytes())
    found = make()
    with contextlib.suppress(OSError, pickle.PicklingError, TypeError, AttributeError):
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(pickle.dumps(found, protocol=pickle.HIGHEST_PROTOCOL))
        temporary.replace(path)
    return found


def _key(sources: Sequence[Any], how: Mapping[str, Any]) -> str | None:
    """Return what tells one reading from another; None where a source is no file."""
    files = []
    for source in [*sources, how.get("mapping"), how.get("model")]:
        path = Path(source) if isinstance(source, (str, os.PathLike)) else None
        if path is not None and path.is_file():
            with path.open("rb") as handle:
                files.append([path.name, hashlib.file_digest(handle, "sha256").hexdigest()])
        elif source in sources:
            return None
    told = json.dumps([files, how, language(), __version__], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()
