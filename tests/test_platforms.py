"""What only some systems have, and what stands in for it elsewhere: each fallback is forced here and still works."""

import errno
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from funnelkit.course.classroom.grade import grade
from funnelkit.course.lessons import LessonError
from funnelkit.events.engine import memory as rows_in_memory
from funnelkit.report.kernels import memory, pool, processes, worker
from funnelkit.report.runs import batch, inputs, publish


def refuse_links(monkeypatch):
    """Make links impossible, as on Windows without developer mode."""

    def refused(*_, **__):
        raise OSError(errno.EPERM, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refused)


@pytest.fixture
def windows(monkeypatch):
    """Have the rooms that ask see Windows."""
    monkeypatch.setattr(sys, "platform", "win32")


# fcntl -> msvcrt


def test_locks_without_fcntl(tmp_path, windows, monkeypatch):
    held = set()

    def locking(number, mode, n):
        assert (mode, n) == (2, 1)
        place = os.fstat(number).st_ino
        if place in held:
            raise OSError(errno.EACCES, "Permission denied")
        held.add(place)

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    with (tmp_path / "lock").open("a") as one, (tmp_path / "lock").open("a") as two:
        assert publish.try_lock(one) and not publish.try_lock(two)


# symlinks -> a file with the path, copies


def test_latest_without_links_is_a_file_that_every_reader_follows(tmp_path, windows, monkeypatch):
    refuse_links(monkeypatch)
    monkeypatch.setattr(publish, "_sync", lambda path: None)  # flags of POSIX files; the next test is about it
    for name in ("a", "b"):
        staging = tmp_path / f".staging-{name}"
        staging.mkdir()
        publish.write_json(staging / "run.json", {"name": name})
        publish.publish(staging, tmp_path, name, {"outcome": "ok"})
    assert (tmp_path / "latest").read_text(encoding="utf-8") == "runs/b\n"
    assert publish.latest(tmp_path) == tmp_path / "runs" / "b" == batch._published(tmp_path)
    publish.refuse_place(tmp_path)
    publish.retain(tmp_path, 1)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["b"]


def test_folders_are_not_synced_on_windows(tmp_path, windows, monkeypatch):
    opened = []
    monkeypatch.setattr(os, "open", lambda path, flags: opened.append((Path(path).name, flags)) or 7)
    monkeypatch.setattr(os, "fsync", lambda number: None)
    monkeypatch.setattr(os, "close", lambda number: None)
    (tmp_path / "page").write_text("x", encoding="utf-8")
    publish._sync(tmp_path)
    publish._sync(tmp_path / "page")
    assert opened == [("page", os.O_RDWR)]


def test_a_link_that_linux_refuses_is_an_error_and_no_file(tmp_path, monkeypatch):
    refuse_links(monkeypatch)
    if sys.platform != "win32":
        with pytest.raises(OSError):
            publish._pointer(tmp_path, "runs/a")


def test_files_are_lent_as_copies_without_links(tmp_path, monkeypatch):
    refuse_links(monkeypatch)
    (tmp_path / "d.csv").write_text("deal_id\n1\n", encoding="utf-8")
    (tmp_path / "staging").mkdir()
    monkeypatch.setattr(inputs.os, "name", "nt")
    name = inputs._link(tmp_path / "d.csv", tmp_path / "staging", ())
    monkeypatch.undo()
    lent = tmp_path / "staging" / name
    assert lent.read_text(encoding="utf-8") == "deal_id\n1\n" and not lent.is_symlink()


# fork, /proc, prctl, ipc -> processes started as usual, psutil, nothing, ports of this machine


def test_nothing_is_forked_outside_linux(monkeypatch):
    for name in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", name)
        assert not pool.can_fork()
    processes.die_with_parent(1)  # asks the system for nothing there


def test_processes_are_found_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_PROC", tmp_path / "no proc")
    env = {**os.environ, processes.MARK: "abcd1234x"}
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=env)
    try:
        assert child.pid in processes.descendants(os.getpid())
        assert processes.end(lambda: processes.marked("abcd1234") if child.poll() is None else [])
        assert child.wait(5)
    finally:
        child.kill()
    assert processes.descendants(child.pid) == []


def test_signals_that_a_system_lacks(monkeypatch):
    monkeypatch.delattr(signal, "SIGKILL", raising=False)
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    processes.kill(7)
    assert sent == [(7, signal.SIGTERM)]
    with processes.Signals() as noted:
        signal.raise_signal(signal.SIGTERM)
    assert noted.caught == "SIGTERM"


def test_notebooks_are_not_saved_in_between_without_timers(monkeypatch):
    monkeypatch.delattr(signal, "setitimer", raising=False)
    with worker._saving_now_and_then(None):
        assert True


def test_kernels_use_ports_on_windows(windows):
    assert worker._config()["KernelManager"]["transport"] == "tcp"


# resource -> no limit


def test_without_resource_nothing_is_limited_and_nothing_fails(windows, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setenv(memory.MEMORY, "100")
    memory.limit_kernel()
    with memory.limited_children(100):
        assert os.environ[memory.MEMORY] == "100"
    processes.require_files()
    assert rows_in_memory.rows_that_fit(5, 8) == 5


def test_memory_is_asked_of_psutil_alone_outside_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert rows_in_memory.rows_that_fit(10**12, 8) < 10**12


# process groups, pipes handed down -> grading is refused, with the way out


def test_grading_is_refused_on_windows(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "killpg", raising=False)
    with pytest.raises(LessonError, match="WSL"):
        next(grade(tmp_path / "roster.csv", tmp_path))
