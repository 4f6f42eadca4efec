"""Publishing: a lock on the target, a staging folder beside it, and one rename that switches `latest`."""

import contextlib
import json
import os
import shutil
import sys

from funnelkit.errors import ReportError

CANNOT_WRITE, BUSY = 14, 16


@contextlib.contextmanager
def locked(out):
    """Hold the lock of a target folder, made where it is missing, and sweep what a killed run left in it.

    Raises ReportError: 14 where the folder cannot be written, 16 where another run holds the lock.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = (out / ".lock").open("a")
    except OSError as error:
        raise cannot_write(out, error) from None
    with handle:
        if not _try_lock(handle):
            raise ReportError("report_busy", BUSY, out=str(out))
        for leftover in out.glob(".staging-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def cannot_write(path, error):
    """Return the error of a target that cannot be written."""
    return ReportError("cannot_write", CANNOT_WRITE, file=str(path), reason=error.strerror or str(error))


def _try_lock(handle):
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


def write_synced(path, text):
    """Write a text so that it is on the disk, whole, before the name shows it."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def write_json(path, content):
    """Write JSON, keys in the given order, Chinese readable."""
    write_synced(path, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def publish(staging, out, name):
    """Move a complete staging folder to OUT/runs/NAME and switch OUT/latest to it by one rename."""
    target = out / "runs" / name
    target.parent.mkdir(exist_ok=True)
    for file in staging.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    staging.rename(target)
    _switch(out, f"runs/{name}")
    return target


def keep_failed(staging, out, name):
    """Move a failed run aside, under OUT/failed; the published report stays as it is."""
    target = out / "failed" / name
    target.parent.mkdir(exist_ok=True)
    staging.rename(target)
    return target


def _switch(out, relative):
    """Point OUT/latest at a run; where links are not to be had (Windows), a small file holds the path."""
    pointer = out / ".latest.tmp"
    pointer.unlink(missing_ok=True)
    try:
        pointer.symlink_to(relative, target_is_directory=True)
    except OSError:
        pointer.write_text(relative + "\n", encoding="utf-8")
    pointer.replace(out / "latest")
