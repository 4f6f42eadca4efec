"""The lesson commands of the command line: options mapped to functions, nothing added."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from funnelkit.language import LANGUAGES, Lang, say, text_table

ACTIONS = ("site", "slides", "handout", "student", "collect", "grade", "build", "translated")


def add_lesson_commands(commands: Any) -> None:
    """Add `lessons` to the command line.

    Parameters
    ----------
    commands : subparsers
    """
    command = commands.add_parser("lessons")
    command.mixed = True
    command.add_argument("action", choices=ACTIONS)
    command.add_argument("names", nargs="*", metavar="NAME")
    command.add_argument("--lang", choices=("en", "zh"))
    command.add_argument("--out", metavar="DIR")
    command.add_argument("--roster", metavar="CSV")
    command.add_argument("--source", metavar="DIR")
    command.add_argument("--deadline", type=float, default=60.0, metavar="S")
    command.add_argument("--cell", action="append", default=[])
    command.set_defaults(run=_run_lessons)


def _run_lessons(options: argparse.Namespace) -> int:
    langs: Sequence[Lang] = (options.lang,) if options.lang else LANGUAGES
    out = options.out or f"out/{options.action}"
    if options.action in ("collect", "grade"):
        return _classroom(options, out)
    if options.action == "translated":
        return _translated(options)
    for path in _written(options, out, langs):
        print(path)
        if options.action == "site":
            files = [file.stat().st_size for file in path.parent.rglob("*") if file.is_file()]
            print(say("course.site.size", folder=path.parent, files=len(files), size=f"{sum(files) / 1e6:.1f}"))
    return 0


def _written(options: argparse.Namespace, out: str, langs: Sequence[Lang]) -> Iterable[Path]:
    from funnelkit.course import build, names, student, write_class, write_site

    if options.action == "site":
        return write_site(out, langs, options.names)
    if options.action == "build":
        return build(options.out, langs, options.names)
    if options.action == "student":
        if options.roster:
            return write_class(options.roster, out, langs, options.names)
        return student(out, langs, options.names)
    return _printed(options.action, options.names or names(), out, langs)


def _printed(action: str, names: Sequence[str], out: str, langs: Sequence[Lang]) -> Iterator[Path]:
    from funnelkit.course import print_handout, print_slides

    for name in names:
        for lang in langs:
            yield (print_slides if action == "slides" else print_handout)(name, out, lang)


def _translated(options: argparse.Namespace) -> int:
    from funnelkit.course import confirm, names

    for name in options.names or names():
        changed = confirm(name, options.cell)
        print(say("course.lessons.confirmed", n=len(changed), name=name, cells=", ".join(changed) or "-"))
    return 0


def _classroom(options: argparse.Namespace, out: str) -> int:
    """Collect what a class has handed in, or grade it and print the table."""
    from funnelkit.course import collect, grade, write_grades

    source = options.source or ("." if options.action == "collect" else "out/collect")
    roster = options.roster or "roster.csv"
    if options.action == "collect":
        taken = list(collect(roster, source, out))
        for learner, lesson, path in taken:
            print(f"{learner.name}: {lesson} ({path})")
        print(say("course.classroom.collected", n=len(taken), out=out))
        _say_left(roster, source, {path for *_, path in taken})
        return 0
    begun = time.monotonic()
    found: list[Any] = []
    for one in grade(roster, source, options.names, options.deadline):
        if found and (found[-1].learner, found[-1].lesson, found[-1].lang) != (one.learner, one.lesson, one.lang):
            _say_done(found)
        found.append(one)
    _say_done(found)
    head = [say(f"course.classroom.{name}") for name in ("learner", "lesson", "exercise", "state", "text")]
    rows = [
        [one.learner, f"{one.lesson} {one.lang}", one.exercise, say(f"course.classroom.is_{one.state}"), one.text]
        for one in found
    ]
    print("\n".join(text_table(head, rows, shutil.get_terminal_size((120, 24)).columns)))
    checked = [one for one in found if one.state != "missing"]
    people, seconds = len({one.learner for one in checked}), round(time.monotonic() - begun)
    print(say("course.classroom.graded", n=len(checked), people=people, s=seconds))
    print(write_grades(found, out))
    return 0


def _say_left(roster: str, source: str, taken: set[Path]) -> None:
    """Name the files that were not collected: older versions, those of nobody on the roster, those that break off."""
    from funnelkit.course.classroom.roster import handed_in, owners

    groups: dict[str, list[str]] = {"older": [], "left": [], "broken": []}
    for one, learner in owners(roster, [one for one in handed_in(source) if one.path not in taken]):
        file = str(one.path.relative_to(source))
        if learner:
            groups["older"].append(f"{file} ({learner.name})")
        else:
            groups["broken" if one.notebook() is None else "left"].append(file)
    for key, found in groups.items():
        if files := sorted(found):
            print(say(f"course.classroom.{key}", files=files[:5] + ["…"] * (len(files) > 5)))


def _say_done(found: Sequence[Any]) -> None:
    """Say on stderr that a notebook has been graded, and how many of its answers are right."""
    for last in found[-1:]:
        which = (last.learner, last.lesson, last.lang)
        own = [one.state for one in found if (one.learner, one.lesson, one.lang) == which]
        said = f"{last.lang} {own.count('right')}/{len(own)}"
        if last.state == "missing":
            said = say("course.classroom.is_missing")
        print(f"{last.learner}: {last.lesson} {said}", file=sys.stderr)
