"""Publishing: a lock on the target, a staging folder beside it, renames that switch `latest` and `status.json`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from funnelkit.language import ReportError

CANNOT_WRITE, BUSY = 14, 16
RESERVE, RESERVE_BYTES = "reserve", 32_768
_UMASK = os.umask(0o077)  # it can only be read by being set: once, while there is one thread
os.umask(_UMASK)


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the lock of a target folder, made where it is missing, and sweep what a killed run left in it.

    Raises ReportError: 14 where the folder cannot be written, 16 where another run holds the lock.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = (out / ".lock").open("a")
    except OSError as error:
        raise cannot_write(out, error) from None
    with handle:
        if not try_lock(handle):
            raise ReportError("report_busy", BUSY, out=str(out))
        for leftover in (*out.glob(".staging-*"), *out.glob(".*.tmp")):
            _remove(leftover)
        yield


def refuse_place(out: Path) -> None:
    """Raise ReportError (14) where OUT/latest is a folder of somebody's own: it would be found at the very end."""
    latest = out / "latest"
    if latest.is_dir() and not latest.is_symlink():
        raise ReportError("latest_is_folder", CANNOT_WRITE, folder=str(latest))


def open_to_readers(folder: Path) -> None:
    """Give a private folder the rights that the umask gives new ones."""
    folder.chmod(0o777 & ~_UMASK)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def cannot_write(path: Path, error: OSError) -> ReportError:
    """Return the error of a target that cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return ReportError("cannot_write", CANNOT_WRITE, file=str(path), reason=reason)


def try_lock(handle: IO[str]) -> bool:
    """Lock an open file if nobody holds it; the lock ends with its process, however that ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def prepare_text(path: Path, text: str) -> Path:
    """Write a text, on the disk and whole, beside its place; return the file to rename."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    return temporary


def json_text(content: Any) -> str:
    """Return JSON as files hold it: keys in the given order, Chinese readable."""
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that it is on the disk, whole, before the name shows it."""
    prepare_text(path, json_text(content)).replace(path)


def now() -> str:
    """Return the time, as status files tell it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load_json(path: Path) -> Any:
    """Return what a JSON file holds, an empty mapping where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def reserve(staging: Path) -> None:
    """Take the room that a failed run's record will need while there is room."""
    with (staging / RESERVE).open("wb") as handle:
        handle.write(os.urandom(RESERVE_BYTES))
        os.fsync(handle.fileno())


def publish(staging: Path, out: Path, name: str, status: Mapping[str, Any]) -> Path:
    """Move a complete staging folder to OUT/runs/NAME, switch OUT/latest to it, set OUT/status.json.

    All that needs room on the disk is written first; what follows are three renames. Where one fails, OUT/latest and
    OUT/status.json are as before.
    """
    target = out / "runs" / name
    target.parent.mkdir(exist_ok=True)
    for path in (*(path for path in sorted(staging.rglob("*"))), staging):
        _sync(path)
    new_status = prepare_text(out / "status.json", json_text({**status, "at": now()}))
    pointer = _pointer(out, f"runs/{name}")
    staging.rename(target)
    _sync(target.parent)
    try:
        pointer.replace(out / "latest")
    except OSError:
        target.rename(staging)  # not published, so it must not stand among the published
        raise
    new_status.replace(out / "status.json")
    _sync(out)
    return target


def _sync(path: Path) -> None:
    """Have the system write a file or folder to the disk; Windows knows no folders here."""
    if path.is_symlink() or (path.is_dir() and sys.platform == "win32"):
        return
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pointer(out: Path, relative: str) -> Path:
    """Make the new OUT/latest under another name; where links are not to be had (Windows), a file with the path."""
    pointer = out / ".latest.tmp"
    pointer.unlink(missing_ok=True)
    try:
        pointer.symlink_to(relative, target_is_directory=True)
    except (OSError, NotImplementedError):
        if sys.platform != "win32":
            raise
        pointer.write_text(relative + "\n", encoding="utf-8")
    return pointer


def latest(out: Path) -> Path | None:
    """Return the folder of the published run, or None."""
    pointer = out / "latest"
    if pointer.is_file():
        return out / pointer.read_text(encoding="utf-8").strip()
    return pointer.resolve() if pointer.is_dir() else None


def keep_failed(staging: Path, out: Path, name: str) -> Path:
    """Move a failed run aside, under OUT/failed; the published report stays as it is."""
    target = out / "failed" / name
    target.parent.mkdir(exist_ok=True)
    staging.rename(target)
    return target


def retain(out: Path, keep: int, newest: str = "") -> None:
    """Remove all but the newest `keep` published and failed runs; the one that OUT/latest shows always stays.

    `newest` names the run that has just ended: those named later were made by a clock that was ahead, and are older.
    """
    shown = latest(out)
    for kind in ("runs", "failed"):
        found = [path for path in (out / kind).glob("*") if path.is_dir()]
        in_order = sorted(found, key=lambda path: (not newest or path.name <= newest, path.name), reverse=True)
        for old in in_order[max(keep, 1) :]:
            if shown is None or old.resolve() != shown.resolve():
                shutil.rmtree(old, ignore_errors=True)


def write_status(out: Path, status: Mapping[str, Any]) -> None:
    """Set OUT/status.json, with the time."""
    write_json(out / "status.json", {**status, "at": now()})


def try_status(out: Path, status: Mapping[str, Any]) -> None:
    """Set OUT/status.json where that is possible."""
    with contextlib.suppress(OSError):
        write_status(out, status)
