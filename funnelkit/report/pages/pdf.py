"""The page as PDF, printed by an installed Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from funnelkit.language import ReportError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-dev-shm-usage",
)  # fmt: skip
_DATES = re.compile(rb"(/(?:CreationDate|ModDate) ?\(D:)\d{14}")


def chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)


def require_chromium() -> None:
    """Raise ReportError (14) where there is no Chromium: asked before anything is started."""
    if chromium() is None:
        raise ReportError("no_chromium", 14)


def print_page(html: Path, pdf: Path) -> None:
    """Print an HTML file as PDF; the same page gives the same bytes, its dates are fixed.

    Raises OSError where Chromium leaves no PDF, or not a whole one.
    """
    program = chromium()
    if program is None:
        raise OSError("no Chromium on the PATH")
    with tempfile.TemporaryDirectory(prefix="c") as profile:
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [program, *_FLAGS, *sandbox, f"--user-data-dir={profile}", f"--print-to-pdf={pdf}"]
        env = {**os.environ, "HOME": profile, "XDG_CONFIG_HOME": profile, "XDG_CACHE_HOME": profile}
        found = subprocess.run(
            [*command, html.resolve().as_uri()], env=env, stdin=subprocess.DEVNULL, capture_output=True
        )
    data = pdf.read_bytes() if pdf.is_file() else b""
    if found.returncode or not data.startswith(b"%PDF-") or not data.rstrip().endswith(b"%%EOF"):
        pdf.unlink(missing_ok=True)
        raise OSError(f"Chromium ended with {found.returncode} and left no whole PDF")
    pdf.write_bytes(_DATES.sub(rb"\g<1>19800101000000", data))
