"""The talk of a lesson: what the room sees, screen by screen, with the trainer's notes under a key; also as slides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from math import ceil

from funnelkit.course.site.blocks import Writer, inline, plain_text
from funnelkit.course.site.lesson import Block, Lesson, Note, Screen, screens
from funnelkit.course.site.shell import SitePage, asset, short_title, site_text

MOST_SAID = 2  # sentences of a Result beside its chart: with more of them the chart is too small to read
_SENTENCES = re.compile(r'(<ul class="fk[^>]*>)(.*?)</ul>', re.DOTALL)
LONG_LIST = 10  # rows
_TABLE = re.compile(r"(<table[^>]*>\s*<thead>.*?</thead>\s*<tbody>)(.*?)</tbody>\s*</table>", re.DOTALL)
_ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)
_BLANK = re.compile(r"<tr>\s*<t[dh][^>]*>\s*</t[dh]>")
_POINT = re.compile(r"<li>.*?</li>", re.DOTALL)


def talk_page(lesson: Lesson, writer: Writer) -> SitePage:
    """Return the presenter view of a lesson."""
    found = screens(lesson)
    foot = f"{site_text('lesson', no=lesson.number)} · {escape(lesson.question)}"
    besides = off_the_wall(lesson, found)
    body, minute = "", 0
    for first, last in _spans(found, besides):
        end = minute + sum(note.minutes for note in _timed(found[first], besides[first]))
        again = _again(found[first], besides[first], first + 1)
        for at in range(first, last + 1):
            own = _notes(found[at], besides[at], writer, again if at > first else "")
            notes = f"<p>{_when((minute, end, lesson.minutes[0]), first + 1, last + 1)}</p>{own}"
            body += _screen((at + 1, len(found)), found[at], _content(found[at], lesson, writer), notes, foot)
        minute = end
    page = SitePage(
        f"{lesson.name}.talk.html", lesson.question, "", [asset("talk.css")], [asset("talk.js")], hashes=writer.hashes
    )
    page.body = (
        f'<main id="talk" data-lesson="{lesson.name}.html">{body}</main>'
        f'<nav class="keys" aria-label="{site_text("keys")}">'
        f'<button type="button" id="back">{site_text("back")}</button>'
        f'<button type="button" id="next">{site_text("next")}</button>'
        f'<button type="button" id="notes" aria-pressed="false">{site_text("notes_button")}</button>'
        f'<a href="{lesson.name}.html">{site_text("leave")}</a></nav><p id="said" class="hidden" role="status"></p>'
    )
    return page


def _timed(screen: Screen, beside: Sequence[Block]) -> list[Note]:
    """Return the notes of a screen that say how many minutes it takes."""
    return [note for block in (*beside, *screen.blocks) for note in block.notes if note.minutes]


def _again(screen: Screen, beside: Sequence[Block], k: int) -> str:
    """Return the timed notes of a section's first screen as its next screens repeat them."""
    notes = _timed(screen, [block for block in beside if block in screen.section.blocks])
    head = f"<p><b>{site_text('from_screen', k=k)}</b></p>"
    return head + "".join(f"<p>{inline(note.text)}</p>" for note in notes) if notes else ""


def _spans(found: Sequence[Screen], besides: Sequence[Sequence[Block]]) -> list[tuple[int, int]]:
    """Return the screens that share their minutes, as first and last: a section's plan is for all its screens."""
    spans: list[tuple[int, int]] = []
    for at, (screen, beside) in enumerate(zip(found, besides, strict=True)):
        same = at > 0 and found[at - 1].section.id == screen.section.id and not _timed(screen, beside)
        spans = [*spans[:-1], (spans[-1][0], at)] if same else [*spans, (at, at)]
    return spans


def _when(minutes: tuple[int, int, int], first: int, last: int) -> str:
    """Return which minutes of the lesson are for a screen, or for several."""
    start, end, total = minutes
    if start == end:
        return site_text("start_at", start=start, total=total)
    which = "minutes_of_screens" if last > first else "minutes_of_screen"
    return site_text(which, start=start, end=end, total=total, first=first, last=last)


def _screen(place_n: tuple[int, int], screen: Screen, content: tuple[str, str], notes: str, foot: str) -> str:
    (place, n), (eyebrow, inner) = place_n, content
    lead = f'<p class="eyebrow">{eyebrow}</p>' if eyebrow else ""
    label = site_text("screen", k=place, n=n)
    return (
        f'<section class="screen {screen.role}" id="s{place}" aria-label="{label}">'
        f'<div class="stage"><div class="fit">{lead}{inner}</div></div>'
        f'<aside class="notes" tabindex="0" aria-label="{site_text("notes")} {place}">{notes}</aside>'
        f'<footer><span>{foot}</span><progress max="{n}" value="{place}" aria-label="{label}"></progress>'
        f'<span>{place} / {n}</span><span class="how">{site_text("keys_line")}</span></footer></section>\n'
    )


def _content(screen: Screen, lesson: Lesson, writer: Writer) -> tuple[str, str]:
    """Return the small line above a screen and what it holds: no code, and what to notice next to the chart."""
    texts = [block for block in screen.blocks if not block.is_code]
    shown = "".join(_frozen(writer.shown(block)) for block in screen.blocks if block.is_code)
    if screen.role == "hook":
        return f"{site_text('lesson', no=lesson.number)} · {escape(short_title(lesson))}", writer.text(texts[0])
    if screen.role == "takeaways":
        return site_text("takeaways"), _points(writer.text(texts[0]))
    said = [f'<div class="said">{_lead(block, writer)}</div>' for block in texts]
    if screen.role == "mistake":
        lead = _without(said[0], site_text("mistake"))
        return site_text("mistake"), _laid_out(shown, lead, "".join(said[1:]))
    if screen.role == "question":
        return site_text("question"), _without("".join(said), site_text("question"), site_text("question_short"))
    return ("" if said and not shown else _eyebrow(screen, texts)), _laid_out(shown, "", "".join(said))


def _without(html: str, *words: str) -> str:
    """Return a text without the words that it begins with, where the line above them says the same."""
    said = "|".join(map(re.escape, words))
    begun = rf"(<(?:p|h2)[^>]*>)(?:<strong>)?(?:{said})[.:：。]?(?:</strong>)?[:：]?\s*(\w)"
    return re.sub(begun, lambda found: found[1] + found[2].upper(), html, count=1)


def _eyebrow(screen: Screen, texts: Sequence[Block]) -> str:
    """Return the section's question, where the screen does not show it itself."""
    return escape(screen.section.title) if screen.section.blocks[0] not in texts else ""


def _laid_out(shown: str, above: str, below: str) -> str:
    """Put what is shown between its words; a chart that is not wide has them at its right, its sentences as well."""
    if not shown:
        return above + below
    size = re.search(r'<img [^>]*width="(\d+)" height="(\d+)"', shown)
    said = _SENTENCES.search(shown)
    kind = "beside" if size and below and int(size[1]) < (2.3 if said else 1.9) * int(size[2]) else "stacked"
    if kind == "beside" and said:
        shown, below = shown.replace(said[0], "", 1), f'<div class="result">{said[0]}</div>{below}'
    words = f'<div class="words">{below}</div>' if below else ""
    return f'{above}<div class="{kind}"><div class="shown">{shown}</div>{words}</div>'


def _frozen(html: str) -> str:
    """Return what a cell shows for a wall: next to a chart two sentences, and its table is left to the lesson."""
    html = re.sub(r'<p class="[^"]*rows-left">.*?</p>', "", html)
    if "<img" in html:
        html = re.sub(r'<div class="scroll" tabindex="0"><table.*?</table></div>', "", html, flags=re.DOTALL)
        html = _SENTENCES.sub(lambda found: "".join([found[1], *_POINT.findall(found[2])[:MOST_SAID], "</ul>"]), html)
    html = _TABLE.sub(_in_columns, html)
    return html.replace(' tabindex="0"', "")


def _in_columns(table: re.Match[str]) -> str:
    """Return a list of two columns in up to three parts beside each other, each beginning where its first cell says."""
    rows = _ROW.findall(table[2])
    if len(rows) < LONG_LIST or rows[0].count("<td") != 2:
        return table[0]
    parts: list[list[str]] = [[]]
    starts = [at for at, row in enumerate(rows) if at == 0 or not _BLANK.match(row)]
    for start, end in pairwise([*starts, len(rows)]):
        if parts[-1] and len(parts) < 3 and len(parts[-1]) + end - start > ceil(len(rows) / 3):
            parts.append([])
        parts[-1] += rows[start:end]
    tables = (f"{table[1]}{''.join(part)}</tbody></table>" for part in parts)
    return f'<div class="parts">{"".join(tables)}</div>'


def _unsaid(html: str) -> list[str]:
    """Return the sentences next to a chart that are not on the wall: the trainer has them."""
    lists = [found[2] for found in _SENTENCES.finditer(html)] if "<img" in html else []
    return [plain_text(point) for points in lists for point in _POINT.findall(points)[MOST_SAID:]]


def _points(html: str) -> str:
    """Return the points of the takeaways, without their heading and what follows them."""
    found = re.search(r"<(ol|ul)>.*?</\1>", html, flags=re.DOTALL)
    return found[0] if found else html


def _lead(block: Block, writer: Writer) -> str:
    return re.sub(r"</?a\b[^>]*>", "", writer.text(block)).replace("<h3", "<h2").replace("</h3", "</h2")


def off_the_wall(lesson: Lesson, found: Sequence[Screen]) -> list[list[Block]]:
    """Return, for each screen, the text that goes with it: what follows in its section, and what leads to it."""
    place = {block.id: at for at, screen in enumerate(found) for block in screen.blocks}
    beside: list[list[Block]] = [[] for _ in found]
    leading: list[Block] = []
    for section in lesson.sections:
        here = leading  # above the first screen of a section
        for block in section.blocks:
            if block.id in place:
                here = beside[place[block.id]]
                here += leading
                leading = []
            elif not block.is_code and block.role not in ("card", "exercise", "solution", "next"):
                here.append(block)
    return beside


def _notes(screen: Screen, beside: Sequence[Block], writer: Writer, again: str = "") -> str:
    """Return the trainer's notes of a screen, and the lesson's text that goes with it and is not on the wall.

    A screen without notes of its own has `again`, those of the screen on which its minutes began.
    """
    order = [block.id for block in screen.section.blocks]
    blocks = sorted([*beside, *screen.blocks], key=lambda block: order.index(block.id) if block.id in order else -1)
    own = "".join(
        f"<p><b>{site_text('n_minutes', n=note.minutes) if note.minutes else ''}</b> {inline(note.text)}</p>"
        for block in blocks
        for note in block.notes
    )
    words = [plain_text(writer.text(block)) for block in beside]
    if screen.role != "explore":
        words += [said for block in screen.blocks if block.is_code for said in _unsaid(writer.shown(block))]
    text = "".join(f"<p>{escape(said)}</p>" for said in words)
    rest = f"<p><b>{site_text('from_lesson')}</b></p>{text}" if text else ""
    return (own or again) + rest or f"<p>{site_text('no_note')}</p>"
