"""PDF: what a printer leaves that died on the way is no report."""

import os
import sys

import pytest

from funnelkit.report.pages import pdf

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the printer is a shell script")


def whole(page="a page"):
    """Return a small whole PDF: a catalog, the list of pages, a page."""
    bodies = ["<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Kids [3 0 R] /Count 1>>", f"<</Type /Page {page}>>"]
    text, places = "%PDF-1.4\n", []
    for i, body in enumerate(bodies, start=1):
        places.append(len(text))
        text += f"{i} 0 obj\n{body}\nendobj\n"
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    table = f"xref\n0 4\n0000000000 65535 f \n{rows}trailer\n<</Size 4 /Root 1 0 R>>\n"
    return f"{text}{table}startxref\n{len(text)}\n%%EOF\n"


WHOLE = whole()
CUT = WHOLE[:60] + WHOLE[80:]  # it begins and ends as a PDF does


def printer(folder, text, code):
    """Put a program named chromium on the PATH that prints a text and ends with a code."""
    program, held = folder / "chromium", folder / "held"
    held.write_text(text)
    loop = f'case $a in --print-to-pdf=*) cat "{held}" > "${{a#*=}}";; esac'
    program.write_text(f'#!/bin/sh\nfor a in "$@"; do {loop}; done\nexit {code}\n')
    program.chmod(0o755)
    return str(folder) + os.pathsep + os.environ["PATH"]


@pytest.mark.parametrize(
    ("text", "code"), [("%PDF-1.4 trunc", 139), ("%PDF-1.4 trunc", 0), (WHOLE, 139), ("no", 0), (CUT, 0)]
)
def test_what_a_dying_printer_leaves_is_no_pdf(text, code, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", printer(tmp_path, text, code))
    page, found = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text("<p>x")
    with pytest.raises(pdf.BrokenPdf, match=f"ended with {code} and left no whole PDF"):
        pdf.print_page(page, found)
    assert not found.exists()


def test_a_whole_pdf_is_kept_and_its_dates_are_fixed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", printer(tmp_path, whole("/CreationDate (D:20260105101112Z)"), 0))
    (tmp_path / "page.html").write_text("<p>x")
    pdf.print_page(tmp_path / "page.html", tmp_path / "page.pdf")
    assert b"(D:19800101000000Z)" in (tmp_path / "page.pdf").read_bytes()
