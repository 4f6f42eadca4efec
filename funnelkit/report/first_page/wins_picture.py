"""The wins of 24 months with the range that is usual of one month, and the usual and the recent level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnelkit.language import number, say
from funnelkit.report.first_page.counts import OF_QUARTER, Months, months_of
from funnelkit.report.first_page.records import DealRecords
from funnelkit.report.first_page.spans import RECENT, USUAL, Spans
from funnelkit.report.first_page.svg import BAND, BLUE, GREY, INK, LINE, RED, dot, line, rect, svg, text
from funnelkit.report.first_page.words import month_words, months_words, range_words

SHOWN = 24
ROOM = 4  # months of start-up whose width holds words
WORDS_Y = 58  # from the top: bars below leave the words room
TOP, BASE, HEIGHT = 24, 152, 188  # y of the highest bar, of the axis, of the whole
LEFT, RIGHT = 5.0, 100.0  # percent
EDGE = "white"
RING_ROOM = 1.15  # a month outside the band bears its number above, below the line that names the levels
RANGE_MONTHS, RANGE_HEIGHT = 4, 20  # what the words of the usual range cover


@dataclass(frozen=True)
class WinsByMonth:
    """Wins of the last months: their starts, counts, which are start-up, and what is usual where that is known."""

    months: pd.DatetimeIndex
    counts: np.ndarray
    startup: np.ndarray
    usual: Months | None

    @property
    def ringed(self) -> bool:
        """Whether a recent month is outside its band."""
        places = range(max(len(self.counts) - RECENT, 0), len(self.counts))
        bands = [(self.counts[place], self.band_of(place)) for place in places]
        return any(band is not None and not band[0] <= n <= band[1] for n, band in bands)

    def band_of(self, place: int) -> tuple[int, int] | None:
        """Return the usual range of the month at a place; None of start-up, and where there is no usual."""
        first = len(self.counts) - RECENT - USUAL
        if self.usual is None or place < first:
            return None
        bands = self.usual.bands()
        return bands[(place - first) % OF_QUARTER] if self.usual.phased else bands[0]


def wins_by_month(records: DealRecords, spans: Spans | None) -> WinsByMonth | None:
    """Return the wins of the last 24 full months; None where none was ever won in a full month."""
    if spans is None:
        return None
    edges = spans.months(SHOWN)
    counts = records.wins_by([*edges[:-1], min(edges[-1], spans.end)])  # as far as the figures count them
    if len(edges) < 3 or not counts.sum():
        return None
    startup = np.array([spans.usable is None or month < spans.usable for month in edges[:-1]])
    usual = months_of(records.pipeline, spans, counts, follows_quarter=True) if spans.known else None
    return WinsByMonth(edges[:-1], counts, startup, usual if usual is not None and usual.usual.sum() else None)


def wins_svg(wins: WinsByMonth) -> str:
    """Return the picture."""
    bands = [wins.band_of(place) for place in range(len(wins.counts))]
    pairs = [(n, band) for n, band in zip(wins.counts, bands, strict=True) if band is not None]
    ringed = [n * RING_ROOM for n, band in pairs if n > band[1]]
    top = _round_top(max([*wins.counts, *(band[1] for _, band in pairs), *ringed]))
    draw = _Axes(len(wins.counts), top)
    ground = rect(0, 100, 0, HEIGHT, "white")  # also in a notebook of a dark theme
    parts = [ground, *draw.band(bands), *draw.grid(), *draw.bars(wins, bands), *draw.months(wins.months)]
    if wins.usual is not None:
        parts += draw.levels(wins, bands)
    first = max(len(wins.counts) - RECENT - USUAL, 0) if wins.usual is not None else len(wins.counts)
    if draw.leaves_room(wins, first):
        parts += _lines(LEFT + 0.5)
    return svg(parts, HEIGHT, say("report.first_page.wins_alt", **_said(wins)))


def _said(wins: WinsByMonth) -> dict[str, str]:
    """Return what the picture says in words."""
    last = wins.months[-1]
    counts = ", ".join(number(n) for n in wins.counts)
    return {"first": month_words(wins.months[0], year=True), "last": month_words(last, year=True), "counts": counts}


def _round_top(most: float) -> int:
    """Return the end of an axis: the next multiple of a round step above."""
    step = next(one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 10**9) if most <= 4 * one)
    return int(step * max(np.ceil(most / step), 1))


def _lines(x: float) -> list[str]:
    """Return the two lines that say that there is no usual yet."""
    words = [say(f"report.first_page.no_usual_yet_{place}") for place in (1, 2)]
    return [text(x, TOP + 34 + 15 * place, line_, shown="wide") for place, line_ in enumerate(words)]


@dataclass(frozen=True)
class _Axes:
    n: int
    top: int

    def x(self, place: float) -> float:
        """Return where a month begins, in percent."""
        return LEFT + (RIGHT - LEFT) * place / self.n

    def y(self, value: float) -> float:
        """Return the height of a count."""
        return BASE - (BASE - TOP) * min(value, self.top) / self.top

    def band(self, bands: Sequence[tuple[int, int] | None]) -> list[str]:
        """Return the grey band behind the bars; equal ones of neighbours are one."""
        parts, place = [], 0
        while place < self.n:
            here, end = bands[place], place + 1
            while end < self.n and bands[end] == here:
                end += 1
            if here is not None:
                low, high = self.y(here[0]), self.y(here[1])
                parts.append(rect(self.x(place), self.x(end) - self.x(place), high, max(low - high, 2), BAND))
            place = end
        return parts

    def grid(self) -> list[str]:
        """Return the numbers of the axis."""
        step = next(one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 10**9) if self.top <= 4 * one)
        values = range(0, self.top + 1, step)
        return [text(0, self.y(value) + 4, number(value)) for value in values]

    def bars(self, wins: WinsByMonth, bands: Sequence[tuple[int, int] | None]) -> list[str]:
        """Return the bars; months outside the band bear a ring and their number, the last one its number."""
        width = (RIGHT - LEFT) / self.n
        parts = [line((LEFT, BASE), (RIGHT, BASE), LINE, 1)]
        for place, n in enumerate(wins.counts):
            y, centre = self.y(n), self.x(place + 0.5)
            colour = GREY if wins.startup[place] else BLUE
            parts.append(rect(self.x(place) + 0.17 * width, 0.66 * width, y, BASE - y, colour))
            band = bands[place]
            if band is not None and not band[0] <= n <= band[1]:
                parts += [dot(centre, y, 4, "white", RED), text(centre, y - 9, number(n), anchor="middle", fill=RED)]
            elif place == self.n - 1 and BASE - y > 18:
                crossed = wins.usual is not None and y < self.y(float(wins.usual.recent.mean())) < y + 20
                at, fill = (y - 5, INK) if crossed else (y + 14, "white")
                parts.append(text(centre, at, number(n), anchor="middle", fill=fill))
        return parts

    def leaves_room(self, wins: WinsByMonth, first: int) -> bool:
        """Tell whether the months before the first usual one are start-up whose bars stay below the words."""
        under = min(ROOM, self.n)
        low = all(self.y(n) > TOP + WORDS_Y for n in wins.counts[:under])
        return first >= ROOM and bool(wins.startup[:ROOM].all()) and low

    def levels(self, wins: WinsByMonth, bands: Sequence[tuple[int, int] | None]) -> list[str]:
        """Return the usual and the recent level as lines, and what they are above the band."""
        usual = wins.usual
        assert usual is not None
        first, turn = self.n - RECENT - USUAL, self.n - RECENT
        recent = float(usual.recent.mean())
        parts = []
        for start, end, mean in ((first, turn, usual.level), (turn, self.n, recent)):
            ends = (self.x(start + 0.12), self.y(mean)), (self.x(end - 0.12), self.y(mean))
            parts += [line(*ends, EDGE, 5), line(*ends, INK, 2)]
        span = months_words(wins.months[first], wins.months[turn])
        since = month_words(wins.months[turn])
        level = number(usual.level, 1)
        words = say("report.first_page.level_usual", span=span, n=level)
        parts.append(text(self.x(first), 12, words, fill=INK, shown="wide"))
        parts.append(text(self.x(first), 12, say("report.first_page.level", n=level), fill=INK, shown="narrow"))
        parts.append(text(RIGHT, 12, say("report.first_page.level_recent", month=since, n=number(recent, 1)),
                          anchor="end", fill=INK))  # fmt: skip
        return parts if usual.phased else [*parts, *self.usual_range(wins, usual)]

    def usual_range(self, wins: WinsByMonth, usual: Months) -> list[str]:
        """Return the usual range of a month in words, at the end of the band that bars and levels leave free."""
        low, high = usual.bands()[0]
        words, below = say("report.first_page.usual_range", n=range_words(low, high)), self.y(high) + RANGE_HEIGHT
        first = self.n - RECENT - USUAL
        ends = ((self.n - RANGE_MONTHS, usual.recent.mean(), "end"), (first, usual.level, "start"))
        for place, level, anchor in ends:
            highest = max(level, *wins.counts[place : place + RANGE_MONTHS])
            if self.y(highest) > below:
                at, shift = (RIGHT, -5) if anchor == "end" else (self.x(place), 5)
                return [text(at, self.y(high) + 14, words, anchor=anchor, shift=shift)]
        return []

    def months(self, starts: pd.DatetimeIndex) -> list[str]:
        """Return the names of the months each quarter, the years on the next line."""
        parts, year = [], None
        for place, month in enumerate(starts):
            if (month.month - 1) % 3:
                continue
            new_year = month.year != year
            parts.append(line((self.x(place), BASE), (self.x(place), BASE + (18 if new_year else 5)), LINE, 1))
            seldom = "" if month.month in (1, 7) else "wide"
            parts.append(text(self.x(place), BASE + 16, month_words(month, short=True), shift=4, shown=seldom))
            if new_year:
                parts.append(text(self.x(place), BASE + 32, say("report.first_page.year", year=month.year), shift=4,
                                  fill=INK))  # fmt: skip
            year = month.year
        return parts
