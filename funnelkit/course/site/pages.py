"""The pages of the course: a lesson, the map, the glossary, the search, and what trainers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from funnelkit.course.site.blocks import Writer, inline, plain_text
from funnelkit.course.site.lesson import Lesson, Part, screens
from funnelkit.course.site.shell import Course, SitePage, asset, course_map, framed, short_title, site_text
from funnelkit.course.site.terms import glossary_terms

_PATHS = {"t": "trainer", "a": "analyst", "o": "operations"}
_CARD, _ROW, _WIDTH, _COLUMN = 86, 100, 22.6, 25.8  # px, px, percent of the map's width


def lesson_page(course: Course, lesson: Lesson, writer: Writer) -> SitePage:
    """Return the page of a lesson; `writer` holds its pictures afterwards."""
    sections = lesson.sections
    main = "".join(_section(section, writer, lesson) for section in sections)
    met = " · ".join(
        f'<a href="{escape(term.address)}">{escape(term.name)}</a>'
        for term in sorted(writer.terms.met.values(), key=lambda term: term.name.casefold())
    )
    words = f'<p class="met"><b>{site_text("glossary")}:</b> {met}</p>' if met else ""
    tools = (
        f'<a class="button" href="notebooks/{lesson.name}.ipynb" download>{site_text("notebook")}</a>'
        f'<button class="button" id="code" type="button" aria-pressed="true">{site_text("code")}</button>'
        f'<a class="button strong" href="{lesson.name}.talk.html">{site_text("present")}</a>'
    )
    page = SitePage(f"{lesson.name}.html", lesson.question, "", hashes=writer.hashes)
    return framed(
        course, page, main + words + _neighbours(course, lesson), lesson, tools=tools, rail=_rail(lesson, sections)
    )


def _section(section: Part, writer: Writer, lesson: Lesson) -> str:
    first = section.blocks[0]
    inner = writer.html(section.blocks)
    if first.role != "hook":
        kind = "takeaways" if first.role == "takeaways" else "part"
        return f'<section class="{kind}" aria-label="{escape(section.title)}">{inner}</section>'
    eyebrow = f'<p class="eyebrow"><b>{site_text("lesson", no=lesson.number)}</b> · {escape(short_title(lesson))}</p>'
    return f'<section class="top" aria-label="{escape(section.title)}">{eyebrow}{inner}</section>'


def _neighbours(course: Course, lesson: Lesson) -> str:
    """Return the cards that lead to the lesson before and the one after."""
    place = list(course.lessons).index(lesson)
    found = []
    for key, other in (("previous", place - 1), ("following", place + 1)):
        if 0 <= other < len(course.lessons):
            to = course.lessons[other]
            found.append(
                f'<a class="{key}" href="{to.name}.html"><span>{site_text(key)}</span> '
                f"{to.number} {escape(short_title(to))}</a>"
            )
    return f'<nav class="neighbours" aria-label="{site_text("around")}">{"".join(found)}</nav>' if found else ""


def _rail(lesson: Lesson, sections: Sequence[Part]) -> str:
    """Return the list of a lesson's sections, with their minutes where its notes give them."""
    items = "".join(
        f'<li><a href="#{escape(section.id)}">{escape(section.title)}{f" · {section.minutes}" * bool(section.minutes)}'
        "</a></li>"
        for section in sections
        if section.blocks[0].role != "hook" and section.title
    )
    trainers = (
        f'<li><a href="{lesson.name}.talk.html">{site_text("talk", n=len(screens(lesson)))}</a></li>'
        f'<li><a href="trainers.html#l{lesson.number}">{site_text("notes")}</a></li>'
    )
    return (
        f'<nav class="rail" aria-label="{site_text("in_lesson")}"><p class="group">{site_text("in_lesson")}</p>'
        f'<ul>{items}</ul><p class="group">{site_text("for_trainers")}</p><ul>{trainers}</ul></nav>'
    )


# --- the map ---------------------------------------------------------------------------------------------------------


def map_page(course: Course) -> SitePage:
    """Return the first page: three paths, and the lessons by what they build on."""
    places, n_rows = places_on_map(course)
    cards = "".join(_map_card(course, lesson) for lesson in course.lessons)
    lines = "".join(_lines(places))
    height = n_rows * _ROW
    main = (
        f"<h1>{site_text('map_title', n=len(course.lessons))}</h1><p class=hook>{site_text('map_hook')}</p>"
        f'<div class="paths">{"".join(_path(course, mark, name) for mark, name in _PATHS.items())}</div>'
        f'<div class="map"><svg viewBox="0 0 1000 {height}" preserveAspectRatio="none" aria-hidden="true">{lines}</svg>'
        f'<ol class="cards">{cards}</ol></div><p class="small">{site_text("map_minutes")}</p>'
    )
    style = f"@media (min-width: 60rem) {{ .map {{ height: {height}px; }}\n" + "".join(
        f"#m{number} {{ left: {column * _COLUMN:.1f}%; top: {row * _ROW:.0f}px; }}\n"
        for number, (column, row) in places.items()
    )
    page = SitePage("index.html", site_text("map_title", n=len(course.lessons)), "", [style + "}"])
    framed(course, page, main, tools=f'<a class="button" href="trainers.html">{site_text("for_trainers")}</a>')
    page.body = page.body.replace('<div class="columns">', '<div class="columns whole">')
    return page


def places_on_map(course: Course) -> tuple[dict[str, tuple[int, float]], int]:
    """Return {lesson number: (column, row)} and the number of rows; a lesson stands half-way along those after it."""
    numbers = [lesson.number for lesson in course.lessons]
    parents = {number: _parent(number, numbers) for number in numbers}
    places: dict[str, tuple[int, float]] = {}
    n_rows = 0

    def place(number: str, column: int) -> float:
        nonlocal n_rows
        rows = [place(child, column + 1) for child in numbers if parents[child] == number]
        if not rows:
            n_rows += 1
        places[number] = (column, (rows[0] + rows[-1]) / 2 if rows else n_rows - 1)
        return places[number][1]

    for number in numbers:
        if parents[number] is None:
            place(number, 0)
    return places, n_rows


def _parent(number: str, numbers: Sequence[str]) -> str | None:
    """Return what a lesson builds on first; where the edition lacks that, what that one builds on."""
    above = course_map().get(number, {"after": []})["after"]
    if not above:
        return None
    return above[0] if above[0] in numbers else _parent(above[0], numbers)


def _lines(places: Mapping[str, tuple[int, float]]) -> list[str]:
    found = []
    for number, (column, row) in places.items():
        parent = _parent(number, list(places))
        if parent:
            x, y = column * _COLUMN * 10, row * _ROW + _CARD / 2
            x0, y0 = (places[parent][0] * _COLUMN + _WIDTH) * 10, places[parent][1] * _ROW + _CARD / 2
            bend = (x + x0) / 2
            found.append(f'<path d="M{x0:.0f} {y0:.0f}C{bend:.0f} {y0:.0f} {bend:.0f} {y:.0f} {x:.0f} {y:.0f}"/>')
    return found


def _map_card(course: Course, lesson: Lesson) -> str:
    teaching, exercises = lesson.minutes
    entry = course_map().get(lesson.number, {"after": [], "paths": ""})
    marks = "".join(
        f'<span class="mark {name}"><abbr title="{site_text(name)}">{site_text(f"{name}_mark")}</abbr></span>'
        for mark, name in _PATHS.items()
        if mark in entry["paths"]
    )
    parent = _parent(lesson.number, [other.number for other in course.lessons])
    after = f'<span class="after">{site_text("after", no=parent)}</span>' if parent else ""
    return (
        f'<li id="m{lesson.number}"><span class="no">{lesson.number}</span><div><a href="{lesson.name}.html">'
        f"{escape(short_title(lesson))}</a><p>{escape(lesson.question)}</p>"
        f'<p class="minutes">{site_text("minutes", teaching=teaching, exercises=exercises)} {after} '
        f'<span class="marks">{marks}</span></p></div></li>'
    )


def path_lessons(course: Course, mark: str) -> list[Lesson]:
    """Return the lessons of a path in their order."""
    return [lesson for lesson in course.lessons if mark in course_map().get(lesson.number, {"paths": ""})["paths"]]


def _path(course: Course, mark: str, name: str) -> str:
    lessons = path_lessons(course, mark)
    route = " → ".join(f'<a href="{lesson.name}.html">{lesson.number}</a>' for lesson in lessons)
    sums = [sum(lesson.minutes[part] for lesson in lessons) for part in (0, 1)]
    hours = [site_text("hours", h=minutes // 60, m=f"{minutes % 60:02d}") for minutes in sums]
    return (
        f'<div class="path {name}"><h2><span class="mark {name}" aria-hidden="true">{site_text(f"{name}_mark")}</span>'
        f"{site_text(name)}</h2><p>{site_text(f'{name}_says')}</p><p class=route>{route}</p>"
        f"<p class=small>{site_text('path_sum', n=len(lessons), teaching=hours[0], exercises=hours[1])}</p></div>"
    )


# --- glossary, search, trainers --------------------------------------------------------------------------------------


def glossary_page(course: Course, met: Mapping[str, Sequence[Lesson]]) -> SitePage:
    """Return the glossary; `met` says which lessons mention a term."""
    items = []
    for term in glossary_terms():
        where = ", ".join(
            f'<a href="{lesson.name}.html">{lesson.number}'
            f'<span class="hidden"> {escape(short_title(lesson))}</span></a>'
            for lesson in met.get(term.key, ())
        )
        lang = "en" if term.other.isascii() else "zh-Hans"
        used = f'<span class="small">{site_text("used_in")} {where}</span>' if where else ""
        items.append(
            f'<dt id="{escape(term.key)}">{escape(term.name)} '
            f'<span class="other" lang="{lang}">{escape(term.other)}</span></dt>'
            f"<dd>{escape(term.meaning)} {used}</dd>"
        )
    main = f"<h1>{site_text('glossary')}</h1><dl class=terms>{''.join(items)}</dl>"
    return framed(course, SitePage("glossary.html", site_text("glossary"), ""), main)


def search_entries(course: Course, pages: Mapping[str, Writer]) -> list[dict[str, str]]:
    """Return what the search looks through: one entry for each term, section of a lesson, and lesson."""
    found = [
        {"u": term.address, "t": f"{term.name} · {term.other}", "w": site_text("glossary"), "x": term.meaning}
        for term in glossary_terms()
    ]
    for lesson in course.lessons:
        for section in lesson.sections:
            words = " ".join(
                plain_text(block.html if block.is_code else pages[lesson.name].text(block))
                for block in section.blocks
                if block.role not in ("parameters", "solution", "check")
            )
            where = f"{lesson.number} {short_title(lesson)}"
            found.append({"u": f"{lesson.name}.html#{section.id}", "t": section.title, "w": where, "x": words})
    return found


def search_page(course: Course, entries: Sequence[Mapping[str, str]]) -> SitePage:
    """Return the page that searches its own index."""
    main = (
        f"<h1>{site_text('search')}</h1><p id=said role=status>{site_text('search_ask')}</p>"
        "<ol class=found id=found></ol>"
        f"<noscript><p>{site_text('search_needs_script')}</p></noscript>"
    )
    words = {name: site_text(f"search_{name}") for name in ("ask", "none", "some")}
    data: dict[str, Any] = {"index": list(entries), "words": words}
    page = SitePage("search.html", site_text("search"), "", [], [asset("search.js")], data)
    return framed(course, page, main)


def trainers_page(course: Course) -> SitePage:
    """Return what a trainer needs: how to present, how to print, and the notes of every lesson."""
    keys = "".join(f"<tr><th scope=row>{site_text(f'key_{key}')}</th><td>{site_text(f'key_{key}_does')}</td></tr>"
                   for key in ("next", "back", "notes", "scroll", "ends", "escape"))  # fmt: skip
    main = (
        f"<h1>{site_text('for_trainers')}</h1><p class=hook>{site_text('trainers_hook')}</p>"
        f"<h2>{site_text('keys')}</h2><div class=scroll tabindex=0><table><tbody>{keys}</tbody></table></div>"
        f"<h2>{site_text('to_print')}</h2><p>{site_text('to_print_says')}</p>"
        "<pre class=printed tabindex=0>funnelkit lessons slides 05_industrial_eight_step --out print\n"
        "funnelkit lessons handout 05_industrial_eight_step --out print</pre>"
        f"<h2>{site_text('lessons')}</h2>{''.join(map(_guide, course.lessons))}"
    )
    return framed(course, SitePage("trainers.html", site_text("for_trainers"), ""), main)


def _guide(lesson: Lesson) -> str:
    teaching, exercises = lesson.minutes
    notes = "".join(
        f"<li><b>{escape(section.title)}</b> {site_text('n_minutes', n=note.minutes)} {inline(note.text)}</li>"
        for section in lesson.sections
        for block in section.blocks
        for note in block.notes
    )
    return (
        f'<h3 id="l{lesson.number}">{lesson.number} {escape(short_title(lesson))}</h3>'
        f"<p>{escape(lesson.question)} {site_text('minutes', teaching=teaching, exercises=exercises)}. "
        f'<a href="{lesson.name}.talk.html">{site_text("talk", n=len(screens(lesson)))}'
        f'<span class="hidden"> {lesson.number}</span></a></p>' + (f"<ul>{notes}</ul>" if notes else "")
    )
