"""Lessons read for their pages: roles by tag or id, trainers' notes kept apart, screens as cells say or as drawn."""

import nbformat
import pytest

from funnelkit.course import lessons
from funnelkit.course.site.blocks import Writer
from funnelkit.course.site.lesson import open_lesson, role, screens
from funnelkit.course.site.talk import MOST_SAID, off_the_wall, talk_page
from funnelkit.course.site.terms import Terms

NOTEBOOKS = [(lang, name) for name in lessons.names() for lang in lessons.LANGUAGES]


def cell(kind, cell_id, tags=(), source="", slide=None):
    made = nbformat.v4.new_code_cell(source) if kind == "code" else nbformat.v4.new_markdown_cell(source)
    made.id = cell_id
    made.metadata.update({"tags": list(tags)} if tags else {})
    made.metadata.update({"slideshow": {"slide_type": slide}} if slide else {})
    return made


def lesson(tmp_path, *cells):
    folder = tmp_path / "en"
    folder.mkdir(parents=True)
    lessons.write_lesson(nbformat.v4.new_notebook(cells=list(cells)), folder / "05_made.ipynb")
    return open_lesson("05_made", "en", tmp_path)


@pytest.mark.parametrize(
    ("kind", "cell_id", "tags", "found"),
    [
        ("md", "title", [], "hook"),
        ("md", "data-title", [], "text"),
        ("md", "states-ask", [], "question"),
        ("md", "states-odd", ["question"], "question"),
        ("md", "states-reading", [], "notice"),
        ("md", "sides", ["idea"], "text"),
        ("md", "check", ["idea"], "text"),
        ("md", "exercise-2", ["fixed", "offline"], "exercise"),
        ("md", "exercise-2-solution", ["solution"], "solution"),
        ("code", "exercise-1-answer", ["exercise"], "exercise"),
        ("code", "exercise-1-data", [], "exercise"),
        ("code", "exercise-1-check", ["check"], "check"),
        ("code", "mistake-size", [], "mistake"),
        ("code", "trap", [], "mistake"),
        ("code", "effort-explore", ["explore"], "explore"),
        ("code", "slider", ["widget"], "explore"),
        ("code", "imports", ["imports"], "parameters"),
        ("code", "states-notice", [], "code"),
    ],
)
def test_roles(kind, cell_id, tags, found):
    assert role(cell(kind, cell_id, tags)) == found


def test_notes_and_minutes_are_kept_apart_from_the_text(tmp_path):
    made = lesson(
        tmp_path,
        cell("md", "title", source="# Which hours? The model\n\nHook."),
        cell("md", "card", ["card"], "| | |\n|:--|:--|\n| Time | 45 minutes teaching, 30 minutes exercises |"),
        cell("md", "sides", source="## Whose *step*?\n\nText.\n<!-- trainer 4 min: Show of hands.\nExpect B. -->"),
        cell("md", "sides-ask", ["question"], "- A\n- B\n<!-- trainer 6 min: Count. --><!-- a remark -->"),
    )
    assert made.question == "Which hours?" and made.minutes == (45, 30) and made.number == "05"
    step = made.sections[1]
    assert (step.title, step.minutes) == ("Whose step?", 10)
    assert step.blocks[0].source == "## Whose *step*?\n\nText." and step.blocks[1].source == "- A\n- B"
    assert step.blocks[0].notes[0].text == "Show of hands.\nExpect B."


def test_the_talk_follows_the_slides_that_cells_name(tmp_path):
    made = lesson(
        tmp_path,
        cell("md", "title", source="# Q?", slide="slide"),
        cell("md", "card", ["card"]),
        cell("md", "a-ask", ["question"], "## Asked?", slide="slide"),
        cell("code", "a", slide="slide"),
        cell("md", "a-notice", source="See.", slide="-"),
        cell("code", "a-more", slide="skip"),
        cell("md", "takeaways", source="## End", slide="slide"),
    )
    found = [(screen.role, [block.id for block in screen.blocks]) for screen in screens(made)]
    assert found == [
        ("hook", ["title"]),
        ("question", ["a-ask"]),
        ("idea", ["a", "a-notice"]),
        ("takeaways", ["takeaways"]),
    ]


@pytest.mark.parametrize(("lang", "name"), NOTEBOOKS)
def test_every_lesson_has_a_talk(lang, name):
    made = open_lesson(name, lang)
    found = screens(made)
    assert found[0].role == "hook" and len(found) >= 6
    shown = [block for screen in found for block in screen.blocks]
    assert len({block.id for block in shown}) == len(shown), "no cell is on two screens"
    assert not any(block.role in ("solution", "check", "parameters", "card") for block in shown)
    assert all(minutes > 0 for minutes in made.minutes), "the card gives the minutes of teaching and of exercises"


@pytest.mark.parametrize(("lang", "name"), NOTEBOOKS)
def test_the_talk_has_every_minute_of_the_plan(lang, name):
    found = open_lesson(name, lang)
    talk = screens(found)
    told = [*(screen.blocks for screen in talk), *off_the_wall(found, talk)]
    assert sum(note.minutes for blocks in told for block in blocks for note in block.notes) == found.minutes[0]


# Last results before a notice that need not be on its screen: they repeat it, are for reading, or leave no room for it.
APART = ("-same", "worked-rates", "peers-second", "models-follow", "content-names", "ends-hand", "time-steps")


@pytest.mark.parametrize(("lang", "name"), NOTEBOOKS)
def test_the_wall_asks_before_it_answers_and_shows_what_a_notice_speaks_of(lang, name):
    found = open_lesson(name, lang)
    talk = screens(found)
    assert not any({"question", "notice"} <= {block.role for block in screen.blocks} for screen in talk)
    for screen in talk:
        last = None
        for block in screen.section.blocks:
            if block.is_code and block.html:
                last = block
            elif last and block.id.endswith("-notice"):
                beside = block not in screen.blocks or last in screen.blocks
                assert beside or last.id.endswith(APART), f"{block.id} is not beside {last.id}"
                last = None


def test_the_screens_of_a_section_share_its_minutes_and_its_note(tmp_path):
    table = cell("code", "a", slide="slide")
    table.outputs = [nbformat.v4.new_output("display_data", {"text/html": "<table></table>"})]
    later = cell("md", "b-ask", source="How many?\n\n<!-- trainer 3 min: Count. -->", slide="slide")
    made = lesson(
        tmp_path,
        cell("md", "title", source="# Q?\n\n<!-- trainer 2 min: Ask. -->", slide="slide"),
        cell("md", "card", ["card"], "| | |\n|:--|:--|\n| Time | 15 minutes teaching, 5 minutes exercises |"),
        cell("md", "part", source="## Which?\n\n<!-- trainer 10 min: Set `k < 2`, then *Reveal*. -->"),
        cell("md", "a-ask", source="Which one?", slide="slide"),
        table,
        later,
    )
    hook, ask, shown, own = (part for part in talk_page(made, Writer(made, Terms())).body.split("<aside")[1:])
    assert "Minutes 0 to 2 of 15.<" in hook and "Minutes 12 to 15 of 15.<" in own
    note = "Set <code>k &lt; 2</code>, then <em>Reveal</em>."
    for notes in (ask, shown):
        assert "Minutes 2 to 12 of 15, for screens 2 to 3 together." in notes and note in notes
    assert "<b>10 min</b>" in ask and "10 min" not in shown, "the minutes are counted once"
    assert note not in own


def shown(tmp_path, html):
    """The talk of a lesson whose one cell shows this."""
    result = cell("code", "a", slide="slide")
    result.outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
    made = lesson(
        tmp_path,
        cell("md", "title", source="# Q?", slide="slide"),
        cell("md", "part", source="## Which?"),
        result,
        cell("md", "a-notice", source="See.", slide="-"),
    )
    return talk_page(made, Writer(made, Terms())).body


def test_a_chart_has_two_sentences_beside_it_and_the_trainer_the_rest(tmp_path):
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAYAAAD0In+KAAAAC0lEQVR42mNgQAUAABEAAUN+tSEAAAAASUVORK5CYII="
    points = "".join(f"<li>Sentence {n}.</li>" for n in range(5))
    picture = f'<img class="fk" alt="" src="data:image/png;base64,{pixel}">'
    wall, _, notes = (
        shown(tmp_path, f'<ul class="fk fk-note">{points}</ul>{picture}').partition("Which?")[2].partition("<aside")
    )
    assert [wall.count(f"Sentence {n}") for n in range(5)] == [n < MOST_SAID for n in range(5)]
    assert [notes.count(f"Sentence {n}") for n in range(5)] == [n >= MOST_SAID for n in range(5)]


def test_the_wall_has_no_word_of_rows_left_and_sets_a_long_list_in_parts(tmp_path):
    rows = "".join(f"<tr><td>{'' if n % 5 else f'Stage {n}'}</td><td>task {n}</td></tr>" for n in range(15))
    left = '<p class="fk fk-note">28 more rows are not shown; see `.table` for all of them.</p>'
    body = shown(
        tmp_path, f'<table class="fk"><thead><tr><th>S</th><th>T</th></tr></thead><tbody>{rows}</tbody></table>{left}'
    )
    assert ".table" not in body and body.count("<thead>") == 3
    assert [part.count("task") for part in body.split("<tbody>")[1:]] == [5, 5, 5]
