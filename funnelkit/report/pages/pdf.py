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
_END = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_TABLE = re.compile(rb"xref\s+0 (\d+)\s+((?:\d{10} \d{5} [nf]\s{1,2})+)trailer\s*<<(.*?)>>", re.S)
_ROOT, _PAGE = re.compile(rb"/Root (\d+) 0 R"), re.compile(rb"/Type ?/Page\b(?!s)")
_DATES = re.compile(rb"(/(?:CreationDate|ModDate) ?\(D:)\d{14}")


class BrokenPdf(OSError):
    """Chromium left no PDF, or not a whole one: no fault of the disk."""

    reason = "pdf_broken"


def chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)


def require_chromium() -> None:
    """Raise ReportError (14) where there is no Chromium: asked before anything is started."""
    if chromium() is None:
        raise ReportError("no_chromium", 14)


def print_page(html: Path, pdf: Path) -> None:
    """Print an HTML file as PDF; the same page gives the same bytes, its dates are fixed.

    Raises BrokenPdf where Chromium leaves no PDF, or not a whole one.
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
    if found.returncode or not is_whole(data):
        pdf.unlink(missing_ok=True)
        raise BrokenPdf(f"Chromium ended with {found.returncode} and left no whole PDF")
    pdf.write_bytes(_DATES.sub(rb"\g<1>19800101000000", data))


def is_whole(data: bytes) -> bool:
    """Tell whether a PDF is whole: its table of objects is there, each object where the table says, a page among them.

    >>> is_whole(b"%PDF-1.4 cut off"), is_whole(b"%PDF-1.4 no table\\nstartxref\\n9\\n%%EOF")
    (False, False)
    """
    end = _END.search(data[-1024:])
    if not data.startswith(b"%PDF-") or end is None:
        return False
    table = _TABLE.match(data, int(end[1]))
    if table is None:  # newer forms keep their table within an object
        return re.match(rb"\d+ \d+ obj\b", data[int(end[1]) :][:32]) is not None
    places = [int(entry[:10]) for entry in re.findall(rb"\d{10} \d{5} [nf]", table[2]) if entry.endswith(b"n")]
    root = _ROOT.search(table[3])
    found = [re.match(rb"(\d+) 0 obj\b", data[place : place + 24]) for place in places]
    return bool(root and all(found) and root[1] in [one[1] for one in found if one] and _PAGE.search(data))
