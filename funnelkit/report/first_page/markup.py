"""The first page as HTML: classes only, no style and no script, its pictures inline."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from unicodedata import east_asian_width

import pandas as pd

from funnelkit.language import language, number, say
from funnelkit.report.first_page.calls import Call, why
from funnelkit.report.first_page.figures import Tile
from funnelkit.report.first_page.findings import UNJUDGED
from funnelkit.report.first_page.found import Found
from funnelkit.report.first_page.stages import StageFacts
from funnelkit.report.first_page.svg import band_dot, spark
from funnelkit.report.first_page.words import ColumnUnit, share_words

MANY = 8  # stages; of more the rows are lower
SHORT, LONG = 12, 31  # letters; a longer name takes two lines on a phone, on any screen
_SHAPES = {
    "act": '<path d="M6 1L12 11H0Z" fill="white"/>',
    "watch": '<circle cx="6" cy="6" r="4.5" fill="none" stroke="#6b4500" stroke-width="2.5"/>',
    "steady": '<rect x="0" y="5" width="12" height="3" fill="#3e4c59"/>',
}


def div(kind: str, *inner: str) -> str:
    """Return a block of a class."""
    return f'<div class="fp-{kind}">{"".join(inner)}</div>'


def head(title: str, meta: Sequence[str]) -> str:
    """Return the title and the line of what and when."""
    return div("head", f"<h1>{escape(title)}</h1>", f'<p class="fp-meta">{escape(" · ".join(meta))}</p>')


def findings(found: Sequence[Found]) -> str:
    """Return the ranked findings."""
    items = []
    for one in found:
        shape = f'<svg aria-hidden="true" width="12" height="12">{_SHAPES[one.severity]}</svg>'
        known = one.severity if one.kind != UNJUDGED else "not_known"
        tag = f'<span class="fp-tag">{shape} {escape(say(f"report.first_page.{known}"))}</span>'
        action = ""
        if one.action is not None:
            arrow = '<svg aria-hidden="true" width="16" height="12"><path d="M1 6H14M9 1.5L14 6L9 10.5" fill="none" '
            arrow += 'stroke="#52606d" stroke-width="1.6"/></svg>'
            action = f'<span class="fp-do">{arrow}<span>{escape(str(one.action))}</span></span>'
        sentence = f'<span class="fp-say">{escape(str(one.sentence))}</span>'
        items.append(f'<li class="fp-{one.severity}">{tag} {sentence} {action}</li>')
    return f'<ol class="fp-findings">{"".join(items)}</ol>'


def figures(tiles: Sequence[Tile]) -> str:
    """Return the figures in a row."""
    return div(f"tiles fp-n{len(tiles)}", *map(_tile, tiles))


def comma() -> str:
    """Return what stands between the parts of a note."""
    return say("report.first_page.comma") + ("" if language() == "zh" else " ")


def _tile(tile: Tile) -> str:
    small = "" if tile.spark is None else spark(tile.spark.kind, tile.spark.values, str(tile.spark.name))
    changes = [f'<span class="w">{escape(str(part))}</span>' for part in tile.changes]
    inner = f'<p class="fp-label">{escape(str(tile.label))}</p>'
    inner += div("line", f'<p class="fp-figure">{escape(str(tile.figure))}</p>', small)
    inner += f'<p class="fp-change">{escape(comma()).join(changes)}</p>' if changes else ""
    return div("tile fp-across" if tile.wide else "tile", inner)


def picture(heading: str, note: str, inner: str) -> str:
    """Return one of the two pictures with its heading, which states the finding, and what the drawing means."""
    said = f'<p class="fp-note">{escape(note)}</p>' if note else ""
    return div("picture", f"<h2>{escape(heading)}</h2>", said, inner)


def funnel_table_html(rows: Sequence[StageFacts], marks: dict[str, str], words: dict[str, str]) -> str:
    """Return the funnel as a table: reached, moved on against usual, open now against usual."""
    moved = any(row.moved is not None for row in rows)
    usual = any(row.band is not None for row in rows)
    reached = any(row.n_reached is not None for row in rows)
    top = max([row.n_open for row in rows] + [row.band[1] for row in rows if row.band is not None])
    cells = [("l", escape(words["stage"]))]
    cells += [("bar", escape(words["reached"]))] if reached else []
    cells += [("r", words["moved"]), ("r fp-soft", escape(words["usual"]))] if moved else []
    cells += [("dots", "")] if usual else []
    cells += [("r", escape(words["open"]))] if top else []
    cells += [("r fp-soft", escape(words["usual"]))] if usual else []
    header = "".join(f'<th scope="col" class="fp-{kind}">{text}</th>' if text else f'<td class="fp-{kind}"></td>'
                     for kind, text in cells)  # fmt: skip
    most = max([row.n_reached or 0 for row in rows])
    body = "".join(_stage_row(row, marks.get(row.stage.id, ""), (most, top), (reached, moved, usual)) for row in rows)
    many = (" fp-many" if len(rows) > MANY else "") + ("" if moved or usual else " fp-bare")
    return f'<table class="fp-funnel{many}"><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>'


def _stage_row(row: StageFacts, mark: str, tops: tuple[int, int], shown: tuple[bool, bool, bool]) -> str:
    most, top = tops
    reached, moved, usual = shown
    name = str(row.stage.name)
    size = _width(name)
    long = ' class="fp-long"' if size > LONG else ' class="fp-mid"' if size > SHORT else ""
    cells = [f'<th scope="row"{long} title="{escape(name)}"><span>{escape(name)}</span></th>']
    if reached:
        cells.append(f'<td class="fp-bar">{_bar(row.n_reached or 0, most)}</td>')
    if moved:
        rates = ("", "") if row.moved is None else (share_words(row.moved.rate), share_words(row.moved.usual))
        cells.append(f'<td class="fp-r fp-moved">{rates[0]}</td><td class="fp-r fp-soft">{rates[1]}</td>')
    last = not row.n_open and row.n_usual in (None, 0.0)  # the won stage holds nobody
    if usual:
        cells.append(f'<td class="fp-dots">{"" if last else band_dot(row.n_open, row.band, top, mark == "act")}</td>')
    if top:
        cells.append(f'<td class="fp-r fp-open">{"" if last else number(row.n_open)}</td>')
    if usual:
        cells.append(f'<td class="fp-r fp-soft">{"" if last else number(row.n_usual)}</td>')
    kind = f' class="fp-{mark}"' if mark else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _width(name: str) -> int:
    """Return how many Latin letters have room where a name has."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in name)


def _bar(n: int, most: int) -> str:
    width = 100 * n / max(most, 1)
    return (
        f'<svg aria-hidden="true" width="100%" height="18"><rect x="{50 - width / 2:.2f}%" y="2" '
        f'width="{width:.2f}%" height="14" fill="#cfdfeb"/></svg><span>{number(n)}</span>'
    )


def calls(rows: Sequence[Call], as_of: pd.Timestamp, currency: str | None) -> str:
    """Return the deals to call first as a table, each cell with its words for a narrow screen."""
    valued, owned = any(row.amount is not None for row in rows), any(row.owner for row in rows)
    unit = ColumnUnit.of([row.amount for row in rows if row.amount is not None], currency)
    key = "amount_in" if unit.name and currency else "amount_of" if unit.name else "amount"
    amount = say(f"report.first_page.{key}", **({"unit": unit.name} if unit.name else {}))
    heads = [("h", say("report.first_page.call_first"))]
    heads += [("r", amount)] if valued else []
    heads += [("l", say("report.first_page.owner"))] if owned else []
    heads += [("l", say("report.first_page.stage")), ("r", say("report.first_page.days_there")),
              ("l", say("report.first_page.why"))]  # fmt: skip
    header = "".join(f'<th role="columnheader" scope="col" class="fp-{kind}">{escape(text)}</th>'
                     for kind, text in heads)  # fmt: skip
    body = "".join(_call_row(row, as_of, unit, (valued, owned)) for row in rows)
    return (
        f'<table class="fp-calls" role="table"><thead role="rowgroup"><tr role="row">{header}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )


def _call_row(row: Call, as_of: pd.Timestamp, unit: ColumnUnit, shown: tuple[bool, bool]) -> str:
    valued, owned = shown
    money, whole = ("", "") if row.amount is None else (unit.cell(row.amount), unit.whole(row.amount))
    stay = say("report.first_page.stay", days=number(row.days), usual=number(row.usual_days))
    usual = escape(say("report.first_page.in_brackets", n=number(row.usual_days)))
    there = f'<span class="fp-w">{number(row.days)} <span class="fp-soft">{usual}</span></span>'
    cells = [f'<th role="rowheader" scope="row">{escape(row.name)}</th>']
    cells += [f'<td role="cell" class="fp-r fp-c2">{_two(escape(money), whole)}</td>'] if valued else []
    cells += [f'<td role="cell" class="fp-c5">{escape(row.owner)}</td>'] if owned else []
    cells += [f'<td role="cell" class="fp-c3">{escape(row.stage)}</td>']
    cells += [f'<td role="cell" class="fp-r fp-c4">{_two(there, stay)}</td>']
    cells += [f'<td role="cell" class="fp-c6">{escape(why(row, as_of))}</td>']
    return f'<tr role="row">{"".join(cells)}</tr>'


def _two(wide: str, narrow: str) -> str:
    """Return a cell for wide screens, whose head bears the unit, and for narrow ones, where it stands alone."""
    return f'<span class="fp-wide">{wide}</span><span class="fp-narrow">{escape(narrow)}</span>'


def trust_line(sentences: Sequence[str]) -> str:
    """Return the line on trust, with the link to the details."""
    gap = "" if language() == "zh" else " "
    said = gap.join(sentences)
    link = f'<a href="#details">{escape(say("report.first_page.details"))}</a>'
    how = f"<strong>{escape(say('report.first_page.how_sure'))}</strong>"
    return f'<p class="fp-trust">{how} {escape(said)} {link}</p>'
