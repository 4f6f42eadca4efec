"""What all pages of the course share: head with its content policy, bar on top, course map at the left."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from funnelkit.course.site.lesson import Lesson
from funnelkit.explore import digest
from funnelkit.language import LANGUAGES, language, say
from funnelkit.report import font_face

_HERE = Path(__file__).parent
_FONTS = (
    'system-ui, "Segoe UI", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", '
    '"WenQuanYi Micro Hei", "fk-cjk", sans-serif'
)


@dataclass
class Course:
    """The lessons of one edition, and which other editions lie next to it."""

    lessons: Sequence[Lesson]
    others: Sequence[str]

    def lesson(self, number: str) -> Lesson | None:
        """The lesson of a number, where the edition has it."""
        return next((lesson for lesson in self.lessons if lesson.number == number), None)


@dataclass
class SitePage:
    """A page before it is written: its body, what is added to it, and the `hashes` of scripts within it."""

    file: str
    title: str
    body: str
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    hashes: Collection[str] = ()

    def html(self) -> str:
        """Return the page: every script and style is named by its hash, and nothing else may run or load."""
        shown = say("course.site.name") + self.title + self.body + json.dumps(self.data, ensure_ascii=False)
        styles = [f":root {{ --fonts: {_FONTS}; }}\n" + font_face(shown), *self.styles]
        scripts = " ".join([*map(digest, self.scripts), *sorted(self.hashes)]) or "'none'"
        policy = (
            f"default-src 'none'; script-src {scripts}; style-src {' '.join(map(digest, styles))}; font-src data:; "
            "img-src 'self' file: data: blob:; base-uri 'none'; form-action 'none'"
        )
        data = [
            f'<script type="application/json" id="{name}">{as_data(value)}</script>'
            for name, value in self.data.items()
        ]
        code = [f"<script>{text}</script>" for text in self.scripts]
        head = "".join(f"<style>{text}</style>" for text in styles)
        lang = "zh-Hans" if language() == "zh" else "en-GB"
        return (
            f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title>{head}</head>\n"
            f"<body>{self.body}\n{''.join([*data, *code])}</body></html>\n"
        )


def as_data(value: Any) -> str:
    """Return a value as JSON that cannot end the script element that holds it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


@cache
def asset(name: str) -> str:
    """Return a style or script of the site."""
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def course_map() -> dict[str, dict[str, Any]]:
    """Return the course map by lesson number: group, what it builds on, and the paths that take it."""
    found: dict[str, dict[str, Any]] = tomllib.loads(asset("map.toml"))["lessons"]
    return found


def site_text(key: str, **values: Any) -> str:
    """Return a text of the site, escaped."""
    return escape(say(f"course.site.{key}", **values))


def short_title(lesson: Lesson) -> str:
    """Return the short name of a lesson, as the map has it."""
    return say(f"course.map.{lesson.number}") if lesson.number in course_map() else lesson.question


def framed(
    course: Course, page: SitePage, main: str, current: Lesson | None = None, *, tools: str = "", rail: str = ""
) -> SitePage:
    """Put the bar and the course map round the main part of a page."""
    menu = _menu(course, current)
    page.body = (
        f'<a class="skip" href="#main">{site_text("skip")}</a><header class="bar">'
        f'<a class="brand" href="index.html"><b>funnelkit</b> {site_text("course")}</a>'
        f'<input id="find" type="search" placeholder="{site_text("search")}" aria-label="{site_text("search")}">'
        f'<span class="tools">{tools}<a class="button" href="glossary.html">{site_text("glossary")}</a>'
        f"{_other_language(course, page.file)}</span></header>"
        f'<div class="columns"><nav class="menu" aria-label="{site_text("lessons")}">{menu}</nav>'
        f'<details class="fold"><summary>{site_text("lessons")}</summary>{menu}</details>'
        f'<main id="main" tabindex="-1">{main}</main>{rail}</div>'
    )
    page.styles = [asset("course.css"), *page.styles]
    page.scripts = [asset("course.js"), *page.scripts]
    return page


def _menu(course: Course, current: Lesson | None) -> str:
    """Return the lessons in their groups, the current one marked."""
    groups: dict[str, list[str]] = {}
    for lesson in course.lessons:
        here = ' aria-current="page"' if lesson is current else ""
        group = course_map().get(lesson.number, {}).get("group", "own")
        groups.setdefault(group, []).append(
            f'<li><a href="{lesson.name}.html"{here}><span class="no">{lesson.number}</span> '
            f"{escape(short_title(lesson))}</a></li>"
        )
    return "".join(
        f'<p class="group">{site_text(f"group_{group}")}</p><ul>{"".join(items)}</ul>'
        for group, items in groups.items()
    )


def _other_language(course: Course, file: str) -> str:
    names = {"en": ("English", "en"), "zh": ("中文", "zh-Hans")}
    links = [
        f'<a class="button language" href="../{lang}/{file}" lang="{names[lang][1]}" hreflang="{names[lang][1]}">'
        f"{names[lang][0]}</a>"
        for lang in LANGUAGES
        if lang in course.others
    ]
    return "".join(links)
