"""An executed lesson as its pages see it: blocks with roles, sections, the screens of the talk, the trainer's notes.

What a cell is for is said by its tag, else by the last word of its id: `states-notice` is read as one tagged `notice`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from funnelkit.course.lessons import EXPLORABLE, FOLDER, TAGS, read_lesson

# Words of ids and tags that are other names of a role.
_ROLES = {
    "title": "hook", "reading": "notice", "ask": "question", "trap": "mistake", "summary": "takeaways",
    "widget": "explore", "places": "next", "answer": "exercise", "imports": "parameters",
}  # fmt: skip
_KNOWN = {*TAGS, *_ROLES.values()} - {"idea", "fixed", "offline"}
_EXERCISE = re.compile(r"exercise-\d+(-\w+)?")
_NOTE = re.compile(r"<!--\s*(?:trainer|讲师)\s*(?:(\d+)\s*(?:min|分钟))?\s*[:：]?\s*(.*?)\s*-->", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
_SECTION = re.compile(r"^##\s", re.MULTILINE)


@dataclass(frozen=True)
class Note:
    """A trainer's note: how many minutes, where it says so, and what to do."""

    minutes: int
    text: str


@dataclass(frozen=True)
class Block:
    """A cell: its id, role, source without the trainer's notes, outputs, and its place in the talk."""

    id: str
    role: str
    is_code: bool
    source: str
    outputs: Sequence[Any]
    notes: tuple[Note, ...]
    slide: str

    @property
    def heading(self) -> str:
        """The first heading of the text, without marks."""
        found = None if self.is_code else _HEADING.search(self.source)
        return re.sub(r"[*_`]", "", found[1]) if found else ""

    @property
    def html(self) -> str:
        """What its outputs show as HTML, pictures within it."""
        return "".join(_output_html(output) for output in self.outputs)

    @property
    def card(self) -> Any:
        """What a page needs to show its explorable; None where it has none."""
        return next((output.data[EXPLORABLE] for output in self.outputs if EXPLORABLE in output.get("data", {})), None)


@dataclass(frozen=True)
class Part:
    """The blocks under one heading of the second level; those above the first have none."""

    id: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def minutes(self) -> int:
        """The minutes that the trainer's notes of the section give."""
        return sum(note.minutes for block in self.blocks for note in block.notes)


@dataclass(frozen=True)
class Lesson:
    """One edition of a lesson."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def number(self) -> str:
        """The two digits that the name begins with."""
        return self.name[:2]

    @property
    def question(self) -> str:
        """The question of the title, without what stands after it."""
        title = self.blocks[0].heading
        asked = re.match(r".*?[?？]", title)
        return asked[0] if asked else title

    @property
    def minutes(self) -> tuple[int, int]:
        """Minutes of teaching and of exercises, as the card gives them."""
        card = next((block.source for block in self.blocks if block.role == "card"), "")
        found = [int(text) for text in re.findall(r"\d+", _rows(card)[0][-1])] if _rows(card) else []
        return (found[0], found[1]) if len(found) > 1 else (0, 0)

    @property
    def sections(self) -> list[Part]:
        """The sections in order; the first holds what stands above all headings."""
        groups: list[list[Block]] = [[]]
        for block in self.blocks:
            if not block.is_code and _SECTION.search(block.source):
                groups.append([])
            groups[-1].append(block)
        return [Part(blocks[0].id, blocks[0].heading, tuple(blocks)) for blocks in groups if blocks]


def open_lesson(name: str, lang: str, folder: Path = FOLDER) -> Lesson:
    """Return one edition of a lesson; LessonError where there is none."""
    return Lesson(name, tuple(_block(cell) for cell in read_lesson(name, lang, folder).cells))


def _block(cell: Any) -> Block:
    is_code = cell.cell_type == "code"
    notes = () if is_code else tuple(Note(int(n or 0), text) for n, text in _NOTE.findall(cell.source))
    source = cell.source if is_code else re.sub(r"<!--.*?-->", "", cell.source, flags=re.DOTALL).strip()
    slide = cell.metadata.get("slideshow", {}).get("slide_type", "")
    return Block(cell.id, role(cell), is_code, source, cell.get("outputs", []), notes, slide)


def role(cell: Any) -> str:
    """Return what a cell is for: one of the roles, "text" or "code"."""
    words = [_ROLES.get(word, word) for word in cell.id.split("-")]
    if words[0] == "mistake":
        return "mistake"
    tags = [_ROLES.get(tag, tag) for tag in cell.metadata.get("tags", [])]
    is_code = cell.cell_type == "code"
    last = [] if is_code or words[-1] == "check" else [words[-1] if len(words) == 1 or words[-1] != "hook" else "text"]
    part = ["exercise"] if _EXERCISE.fullmatch(cell.id) else []
    return next((name for name in (*tags, *last, *part) if name in _KNOWN), "code" if is_code else "text")


def _output_html(output: Any) -> str:
    """Return one output as HTML; what was printed becomes a paragraph, or a block where its blanks form columns."""
    from html import escape

    if output.output_type == "error":
        return f'<pre class="printed">{escape(output.evalue)}</pre>'
    data = output.get("data", {})
    if "text/html" in data:
        return str(data["text/html"])
    if "image/png" in data:
        return f'<img class="fk" alt="" src="data:image/png;base64,{"".join(data["image/png"].split())}">'
    text = output.get("text") or data.get("text/plain", "")
    if not text.strip():
        return ""
    if re.search(r"\S {2,}\S|^ ", text, flags=re.MULTILINE):
        return f'<pre class="printed">{escape(text.rstrip())}</pre>'
    return "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line.strip())


def _rows(table: str) -> list[list[str]]:
    """Return the cells of a Markdown table that has an empty header."""
    rows = [line.strip().strip("|").split("|") for line in table.splitlines() if line.strip().startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


# --- the talk --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Screen:
    """One screen of the talk: its blocks, and the section that it belongs to."""

    blocks: tuple[Block, ...]
    section: Part

    @property
    def role(self) -> str:
        """The role that decides what the screen looks like."""
        roles = [block.role for block in self.blocks]
        return next((found for found in _LOOKS if found in roles), "idea")


_LOOKS = ("hook", "takeaways", "question", "mistake", "explore")


def screens(lesson: Lesson) -> list[Screen]:
    """Return the screens of a lesson: as its cells say, else drawn from what they are for."""
    if not any(block.slide in ("slide", "-") for block in lesson.blocks):
        return [screen for section in lesson.sections for screen in _drawn(section)]
    found: list[tuple[list[Block], Part]] = []
    for section in lesson.sections:
        for block in section.blocks:
            if block.slide == "slide" or (block.slide == "-" and not found):
                found.append(([], section))
            if block.slide in ("slide", "-"):
                found[-1][0].append(block)
    return [Screen(tuple(blocks), section) for blocks, section in found]


def _drawn(section: Part) -> list[Screen]:
    """Return the screens of a section that says nothing of the talk: its question, then one screen for each chart."""
    kept = [block for block in section.blocks if block.role not in ("card", "parameters", "work", "method", "next")]
    if kept and all(block.role in ("exercise", "check", "solution") for block in kept):
        return []
    if not kept or kept[0].role in ("hook", "takeaways"):
        return [Screen((block,), section) for block in kept[:1]]
    if kept[0].role == "mistake":
        return [Screen(tuple(block for block in kept if not block.is_code or block.html), section)]
    return [Screen((kept[0],), section), *(Screen(blocks, section) for blocks in _shown(kept[1:]))]


def _shown(blocks: Sequence[Block]) -> list[tuple[Block, ...]]:
    """Return what is worth a screen: charts and explorables, else the first table, each with how to read it."""
    results = [block for block in blocks if block.is_code and block.html]
    worth = [block for block in results if "<img" in block.html or block.role == "explore"]
    worth = worth or [block for block in results if "<table" in block.html][:1]
    questions = [(block,) for block in blocks if block.role == "question"]
    found: list[tuple[Block, ...]] = []
    for is_result, group in groupby(blocks, key=lambda block: block.is_code):
        parts = list(group)
        if is_result:
            found += [(block,) for block in parts if block in worth]
        elif found and parts[0].role == "notice":
            found[-1] = (found[-1][0], parts[0])
    return [*questions, *found]
