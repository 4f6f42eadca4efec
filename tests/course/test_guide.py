"""The instructor's guide in both languages: agendas add up, lessons and their minutes are those of the cards."""

import re

import pytest

from funnelkit.course import lessons
from funnelkit.course.site.lesson import open_lesson

GUIDES = {"en": "README.md", "zh": "README.zh.md"}
ROW = re.compile(r"^\| \**(\d+)\** \| (.+?) \|$", re.M)


def guide(lang):
    return (lessons.FOLDER / GUIDES[lang]).read_text(encoding="utf-8")


def agendas(lang):
    """Return the rows (minutes, part) of each table of an agenda, the sum last."""
    parts = re.split(r"^### ", guide(lang), flags=re.M)[1:]
    return [[(int(minutes), part) for minutes, part in ROW.findall(part)] for part in parts]


@pytest.mark.parametrize("lang", GUIDES)
def test_agendas_add_up(lang):
    found = agendas(lang)
    assert [rows[-1][0] for rows in found] == [90, 210, 420, 840]
    for rows in found:
        assert sum(minutes for minutes, _ in rows[:-1]) == rows[-1][0], rows
    assert [[minutes for minutes, _ in rows] for rows in agendas("en")] == [[n for n, _ in rows] for rows in found]


@pytest.mark.parametrize("lang", GUIDES)
def test_a_whole_lesson_takes_its_minutes(lang):
    minutes = {name[:2]: open_lesson(name, lang).minutes[0] for name in lessons.names()}
    for given, part in [row for rows in agendas(lang) for row in rows]:
        whole = re.fullmatch(r"(?:第 )?(\d\d)(?: 课)?", part)
        assert not whole or minutes[whole[1]] == given, part


@pytest.mark.parametrize("lang", GUIDES)
def test_the_table_names_every_lesson_with_its_minutes(lang):
    rows = re.findall(rf"^\| \[(\d\d)\]\({lang}/(.+?)\.ipynb\) \| .+? \| (\d+) \| (\d+) \|", guide(lang), re.M)
    assert len(rows) >= 13 and {name for _, name, *_ in rows} <= set(lessons.names())
    for _, name, *minutes in rows:
        assert tuple(map(int, minutes)) == open_lesson(name, lang).minutes, name
