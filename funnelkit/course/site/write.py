"""Writing the course: the site of pages, and one lesson's slides and handout as PDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from funnelkit.course.lessons import FOLDER, LessonError, names, read_lesson, without_solutions, write_lesson
from funnelkit.course.site.blocks import Writer
from funnelkit.course.site.lesson import Lesson, open_lesson
from funnelkit.course.site.pages import glossary_page, lesson_page, map_page, search_entries, search_page, trainers_page
from funnelkit.course.site.shell import Course, SitePage, asset, site_text
from funnelkit.course.site.talk import talk_page
from funnelkit.course.site.terms import Terms
from funnelkit.language import LANGUAGES, Lang, ReportError, speaking
from funnelkit.report import chromium, print_page


def write_site(
    out: str | Path, langs: Sequence[Lang] = LANGUAGES, chosen: Sequence[str] = (), folder: Path = FOLDER
) -> Iterator[Path]:
    """Write the course as pages that open from a folder or a USB stick, and yield each edition's first page.

    Parameters
    ----------
    out : str or Path
        Folder to write to: one folder for each language in it, and a page that leads to them.
    langs : sequence of str
        Editions.
    chosen : sequence of str
        Names of lessons; all by default.
    folder : Path
        Where the executed lessons are read.

    Yields
    ------
    Path

    Raises
    ------
    LessonError
        For a name that is none.

    Notes
    -----
    The same lessons give the same bytes. No page asks anything of a network: each names its scripts and styles by their
    hashes and carries its fonts; pictures lie next to it.
    """
    wanted = list(chosen or names(folder))
    if not wanted:
        raise LessonError("no_lessons", folder=str(folder))
    for lang in langs:
        with speaking(lang):
            lessons = [open_lesson(name, lang, folder) for name in wanted]
            course = Course(lessons, [other for other in langs if other != lang])
            first = _edition(course, Path(out) / lang, lang, folder)
        yield first
    _write(Path(out) / "index.html", _door(langs).html())


def _edition(course: Course, out: Path, lang: str, folder: Path) -> Path:
    there = {lesson.name for lesson in course.lessons}
    writers = {lesson.name: Writer(lesson, Terms(), there) for lesson in course.lessons}
    pages = [lesson_page(course, lesson, writers[lesson.name]) for lesson in course.lessons]
    met: dict[str, list[Lesson]] = {}
    for lesson in course.lessons:
        for key in writers[lesson.name].terms.met:
            met.setdefault(key, []).append(lesson)
    pages += [talk_page(lesson, writers[lesson.name]) for lesson in course.lessons]
    pages += [map_page(course), glossary_page(course, met), trainers_page(course)]
    pages.append(search_page(course, search_entries(course, writers)))
    for page in pages:
        _write(out / page.file, page.html())
    for lesson in course.lessons:
        copy = without_solutions(read_lesson(lesson.name, lang, folder))
        write_lesson(copy, out / "notebooks" / f"{lesson.name}.ipynb")
        _write_pictures(writers[lesson.name], out)
    return out / "index.html"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_pictures(writer: Writer, out: Path) -> None:
    for name, data in writer.pictures.items():
        path = out / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _door(langs: Sequence[Lang]) -> SitePage:
    """Return the page that leads to the editions, each in its own language."""
    links = ""
    for lang in langs:
        with speaking(lang):
            code = "zh-Hans" if lang == "zh" else "en"
            links += f'<li lang="{code}"><a href="{lang}/index.html">{site_text("enter")}</a></li>'
    main = f'<main id="main" class="door"><h1>funnelkit</h1><ul>{links}</ul></main>'
    return SitePage("index.html", "funnelkit", main, [asset("course.css")])


# --- on paper --------------------------------------------------------------------------------------------------------


def print_slides(name: str, out: str | Path, lang: Lang, folder: Path = FOLDER) -> Path:
    """Print the talk of a lesson, one screen a page, and return the PDF's path.

    Parameters
    ----------
    name : str
        The lesson.
    out : str or Path
        Folder to write to.
    lang : str
        The edition.
    folder : Path
        Where the executed lessons are read.

    Returns
    -------
    Path

    Raises
    ------
    LessonError
        For a name that is none.
    ReportError
        Where no Chromium is installed (14).
    """
    return _print(name, Path(out) / f"{name}-slides-{lang}.pdf", lang, folder)


def print_handout(name: str, out: str | Path, lang: Lang, folder: Path = FOLDER) -> Path:
    """Print the page of a lesson without code and solutions, and return the PDF's path.

    Parameters
    ----------
    name, out, lang, folder
        As `print_slides` takes them.

    Returns
    -------
    Path

    Raises
    ------
    LessonError
        For a name that is none.
    ReportError
        Where no Chromium is installed (14).
    """
    return _print(name, Path(out) / f"{name}-handout-{lang}.pdf", lang, folder)


def _print(name: str, pdf: Path, lang: Lang, folder: Path) -> Path:
    if chromium() is None:
        raise ReportError("print_needs_chromium", 14)
    pdf.parent.mkdir(parents=True, exist_ok=True)
    with speaking(lang), TemporaryDirectory(prefix="fk") as scratch:
        lesson = open_lesson(name, lang, folder)
        writer = Writer(lesson, Terms())
        page = lesson_page(Course([lesson], []), lesson, writer)
        if "-slides-" in pdf.name:
            page = talk_page(lesson, writer)
        page.body = page.body.replace('<main id="main"', '<main id="main" class="handout"')
        _write(Path(scratch) / page.file, page.html())
        _write_pictures(writer, Path(scratch))
        print_page(Path(scratch) / page.file, pdf)
    return pdf
