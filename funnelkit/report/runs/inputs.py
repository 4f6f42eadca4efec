"""What a report is made from: parameter values as given, and files, hashed and lent to the run under plain names."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from funnelkit.language import DataError, ReportError, sample_files
from funnelkit.report.runs import parameters

FOLDER = "data"
Stamps: TypeAlias = dict[Path, tuple[int, int, int] | None]


def report_values(
    file: str | None, given: Mapping[str, Any], named: Mapping[str, Any], reading: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Return (parameter values, input files) of a command line: a YAML file, NAME=VALUE pairs, options of their own,
    those of `reading` as one parameter."""
    values = {**from_yaml(file), **given}
    values |= {name: value for name, value in named.items() if value not in (None, [])}
    if reading:
        asked = {"reading": parameters.Parameter("reading", "dict", {}, "")}
        other = parameters.check_values({"reading": values.get("reading") or {}}, asked)["reading"]
        values["reading"] = {**other, **reading}
    return located(values, Path.cwd())


def located(values: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Return (values with the paths of existing files made absolute, those files); no data means the sample data."""
    named = values.get("data") or []
    named = parameters.check_values({"data": named}, {"data": parameters.Parameter("data", "list", [], "")})["data"]
    _refuse_urls(source for source in named if "://" in str(source))
    values = {name: _absolute(value, folder) for name, value in values.items()}
    if named:
        values["data"] = [str((folder / path).resolve()) for path in named]
    data = [Path(path) for path in values["data"]] if named else sample_files()
    others = [Path(value) for name, value in values.items() if name != "data" and is_file(value)]
    return values, tuple(dict.fromkeys([*data, *others]))


def _refuse_urls(suspects: Iterable[str]) -> None:
    for source in suspects:
        from funnelkit.reading import is_url, shown

        if is_url(source):
            raise DataError("report_url", value=shown(source))


def _absolute(value: Any, folder: Path) -> Any:
    """A text that names a file with a suffix is that file, such as a model of one's own."""
    if isinstance(value, str) and 0 < len(value) < 1000 and "\0" not in value and Path(value).suffix:
        path = folder / value
        return str(path.resolve()) if path.is_file() else value
    return value


def is_file(value: Any) -> bool:
    """Return whether a value is the absolute path of a file that is there."""
    return isinstance(value, str) and 0 < len(value) < 1000 and Path(value).is_absolute() and Path(value).is_file()


def from_yaml(file: str | Path | None) -> dict[str, Any]:
    """Return the mapping that a YAML file holds, an empty one for None; raise ReportError 11, DataError 2."""
    if file is None:
        return {}
    from yaml import YAMLError

    from funnelkit.report.runs.yaml_text import load_yaml

    try:
        content = load_yaml(Path(file).read_text(encoding="utf-8-sig"))
    except OSError:
        raise DataError("no_such_file", file=str(file)) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise _bad_file(file, str(error).replace("\n", " ")) from None
    if not isinstance(content, dict):
        raise _bad_file(file, type(content).__name__)
    return content


def _bad_file(file: str | Path, reason: str) -> ReportError:
    return ReportError("bad_parameter_file", parameters.BAD_PARAMETER, file=str(file), reason=reason)


def sha256(path: str | Path) -> str:
    """Return the hash of a file's bytes."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fingerprint(path: Path, out: Path) -> dict[str, Any]:
    """Return a file's name, path from the target folder, size and hash; refuse what cannot be read.

    The path is relative: no user's name in it where the data lie beside the reports.
    """
    if not path.is_file():
        raise DataError("no_such_file", file=str(path))
    try:
        return {"file": path.name, "path": relative(path, out), "bytes": path.stat().st_size, "sha256": sha256(path)}
    except OSError as error:
        raise DataError("unreadable_file", file=str(path), reason=error.strerror or str(error)) from None


def relative(path: Path, out: Path) -> str:
    """Return a path as seen from the target folder; on another drive of Windows there is none, then it is absolute."""
    try:
        return Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def stamp(paths: Iterable[Path]) -> Stamps:
    """Return what tells cheaply that a file may have changed: its size, time and identity; None of one that is gone."""
    found: Stamps = {}
    for path in paths:
        info = path.stat() if path.is_file() else None
        found[path] = None if info is None else (info.st_size, info.st_mtime_ns, info.st_ino)
    return found


def lend(values: Mapping[str, Any], staging: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Link the files that values name into STAGING/data.

    Returns (the values with the links' names, {path as seen from the target folder: link's name}).

    So a notebook holds no path of this machine, and the same files give the same bytes wherever they lie.
    """
    names: dict[str, str] = {}

    def lent(value: Any) -> Any:
        if not is_file(value):
            return value
        if value not in names:
            names[value] = _link(Path(value), staging, names.values())
        return names[value]

    found = {
        name: [lent(item) for item in value] if isinstance(value, list) else lent(value)
        for name, value in values.items()
    }
    return found, {relative(Path(path), staging.parent): name for path, name in names.items()}


def _link(path: Path, staging: Path, taken: Iterable[str]) -> str:
    folder = staging / FOLDER
    folder.mkdir(exist_ok=True)
    name, n = path.name, 1
    while f"{FOLDER}/{name}" in taken:
        n += 1
        name = f"{path.stem}-{n}{path.suffix}"
    try:
        (folder / name).symlink_to(path)
    except (OSError, NotImplementedError):
        if os.name == "posix":
            raise
        shutil.copyfile(path, folder / name)
    return f"{FOLDER}/{name}"


def take_back(staging: Path) -> None:
    """Remove the links again: what is published holds no input."""
    shutil.rmtree(staging / FOLDER, ignore_errors=True)
