"""A PostgreSQL server of the tests' own: a temporary folder, an unprivileged user, loopback only, a free port."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path


def programs():
    """Return the folder with initdb and postgres, the newest version there is; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).resolve().parent if path else None


def unprivileged():
    """Return the name of a user who may run the server, None for the user of this process."""
    if os.getuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextmanager
def server(password):
    """Run a server and yield its port; `owner` with this password may do everything."""
    folder = Path(tempfile.mkdtemp(prefix="fk-pg-"))
    user = unprivileged()
    try:
        secret = folder / "secret"
        secret.write_text(password, encoding="utf-8")
        if user:
            for path in (folder, secret):
                shutil.chown(path, user)
        options = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        made = [programs() / "initdb", "-D", folder / "data", "-U", "owner", f"--pwfile={secret}", "-A",
                "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]  # fmt: skip
        subprocess.run(made, check=True, env=_environment(), **options)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
        command = [programs() / "postgres", "-D", folder / "data"]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = (folder / "log").open("wb")
        process = subprocess.Popen(command, env=_environment(), **{**options, "stderr": log})
        try:
            _wait(process, port, folder / "log")
            yield port
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}


def _wait(process, port, log):
    for _ in range(300):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(log.read_text(encoding="utf-8", errors="replace"))
