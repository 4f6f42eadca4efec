"""The two editions of every lesson are in step; what is not names file and cell."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from funnelkit.cli import main
from funnelkit.course import lessons

ROOT = Path(__file__).parents[2]
NAMES = lessons.names()
CJK = re.compile(r"[\u4e00-\u9fff]")


def prose(name, lang):
    return [cell for cell in lessons.read_lesson(name, lang).cells if cell.cell_type == "markdown"]


def test_there_are_lessons_in_both_languages():
    assert NAMES
    for lang in lessons.LANGUAGES:
        assert sorted(path.stem for path in (lessons.FOLDER / lang).glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_editions_are_in_step(name):
    assert lessons.differences(name) == []


@pytest.mark.parametrize("name", NAMES)
def test_prose_is_in_its_language(name):
    for cell in prose(name, "zh"):
        assert CJK.search(cell.source), f"zh/{name}.ipynb, cell {cell.id}: not translated"
        for line in cell.source.splitlines():
            assert not line.startswith("#") or CJK.search(line), f"zh/{name}.ipynb, cell {cell.id}: English heading"
    for cell in prose(name, "en"):
        assert not CJK.search(cell.source), f"en/{name}.ipynb, cell {cell.id}: Chinese in the English edition"


def bare_stars(text):
    """Return what stands in stars that CommonMark shows as stars: a mark before them, a letter behind them."""
    parts = [line.split("**") for line in text.splitlines()]
    pairs = [pair for line in parts for pair in zip(line[1::2], line[2::2], strict=False)]
    return [bold for bold, after in pairs if re.search(r"[^\w\s)`]$", bold) and re.match(r"\w", after)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_to_be_bold_is_bold(name):
    for cell in prose(name, "zh"):
        assert not bare_stars(cell.source), f"zh/{name}.ipynb, cell {cell.id}: put the mark behind the stars"


def test_bare_stars_are_found():
    assert bare_stars("看**要点：**先比") == ["要点："]
    assert not bare_stars("**要点**：先比**点**，**两**边") and not bare_stars("**一。**\n二")


@pytest.mark.parametrize("name", NAMES)
def test_first_mention_of_a_term_carries_the_english_one(name):
    """Terms of the glossary with three signs and more; shorter ones are everyday words too."""
    with (ROOT / "data" / "glossary.csv").open(encoding="utf-8", newline="") as file:
        terms = {row["zh"]: row["en"] for row in csv.DictReader(file) if len(row["zh"]) > 2}
    text = "\n".join(cell.source for cell in prose(name, "zh")).replace("**", "")
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)  # trainers' notes are no reader's text
    for term, english in terms.items():
        at = text.find(term)
        if at < 0:
            continue
        after = re.match(r"（([^）]*)）", text[at + len(term) :])
        assert after and english.casefold() in after[1].casefold(), (
            f"zh/{name}.ipynb: first mention of {term} lacks ({english}): {text[at : at + 20]!r}"
        )


# --- the comparison itself -------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    """Return a folder with a copy of the first lesson, and a function that edits one cell of it."""
    for lang in lessons.LANGUAGES:
        (tmp_path / lang).mkdir()
        shutil.copy(lessons.FOLDER / lang / f"{NAMES[0]}.ipynb", tmp_path / lang)

    def edit(lang, change):
        notebook = lessons.read_lesson(NAMES[0], lang, tmp_path)
        cell = change(notebook)
        lessons.write_lesson(notebook, tmp_path / lang / f"{NAMES[0]}.ipynb")
        return cell.id

    return tmp_path, edit


def first(notebook, kind, tag=None):
    return next(
        cell for cell in notebook.cells if cell.cell_type == kind and (not tag or tag in cell.metadata.get("tags", []))
    )


def change_source(kind, tag=None, old="", new=" more"):
    def change(notebook):
        cell = first(notebook, kind, tag)
        assert old in cell.source
        cell.source = cell.source.replace(old, new) if old else cell.source + new
        return cell

    return change


def test_a_changed_english_text_is_stale_until_confirmed(copy):
    folder, edit = copy
    cell = edit("en", change_source("markdown"))
    (found,) = lessons.differences(NAMES[0], "en", folder)
    assert found.startswith(f"zh/{NAMES[0]}.ipynb, cell {cell}: the English text has changed")
    assert lessons.confirm(NAMES[0], [cell], folder) == [cell]
    assert lessons.differences(NAMES[0], "en", folder) == []
    assert lessons.confirm(NAMES[0], [], folder) == [], "nothing else was out of date"


def test_a_translation_never_confirmed_is_stale(copy):
    folder, edit = copy

    def forget(notebook):
        cell = first(notebook, "markdown")
        del cell.metadata["funnelkit"]
        return cell

    cell = edit("zh", forget)
    assert [cell in found for found in lessons.differences(NAMES[0], "zh", folder)] == [True]


def test_code_that_differs_is_found(copy):
    folder, edit = copy
    cell = edit("zh", change_source("code", "imports", new="\nx = 1"))
    assert lessons.differences(NAMES[0], "en", folder) == [
        f"zh/{NAMES[0]}.ipynb, cell {cell}: the code differs from the English edition in more than words and comments."
    ]


@pytest.mark.parametrize(
    ("english", "chinese", "same"),
    [
        ('print("won")', 'print("赢单")  # 结果', True),
        ('print(f"{n} of {k} won")', 'print(f"{k} 个中赢单 {n} 个")', True),
        ('fk.use("en")', 'fk.use("zh")', True),
        ('terms["meaning_en"]', 'terms["meaning_zh"]', True),
        ('", ".join(names)', '"、".join(names)', True),
        ('table["n_won"]', 'table["n_lost"]', False),
        ('print("won")', 'print("lost")', False),
        ('print(f"{n:.1%}")', 'print(f"比率 {n:.2%}")', False),
        ('print(f"{n} of {k} won")', 'print(f"赢单 {n} 个")', False),
        ("f(1)", "f(2)", False),
        ("f(a, b)", "f(b, a)", False),
    ],
)
def test_code_may_differ_in_words_only(english, chinese, same):
    assert lessons.same_code(english, chinese) is same


def test_parameters_may_differ_in_comments_only(copy):
    folder, edit = copy
    edit("zh", change_source("code", "parameters", "#", "# 说明："))
    assert lessons.differences(NAMES[0], "en", folder) == []
    cell = edit("zh", change_source("code", "parameters", "= 0 ", "= 1 "))
    assert lessons.differences(NAMES[0], "en", folder) == [
        f"zh/{NAMES[0]}.ipynb, cell {cell}: the parameters differ from the English edition in more than comments."
    ]


def test_missing_moved_and_retagged_cells_are_found(copy):
    folder, edit = copy

    def retag(notebook):
        cell = first(notebook, "code", "imports")
        cell.metadata["tags"] = ["widget"]
        return cell

    cell = edit("zh", retag)
    assert [f"cell {cell}: its tags" in found for found in lessons.differences(NAMES[0], "en", folder)] == [True]
    cell = edit("zh", lambda notebook: notebook.cells.pop(3))
    (found,) = lessons.differences(NAMES[0], "en", folder)
    assert f"cell {cell} / " in found and "same order" in found


def test_confirming_names_a_wrong_lesson_or_cell(copy):
    folder, _ = copy
    with pytest.raises(lessons.LessonError, match=rf"no such lesson\. Nearest: {NAMES[0]}"):
        lessons.confirm(NAMES[0][:-1], [], folder)
    with pytest.raises(lessons.LessonError, match=r"no text cell 'titel' in both editions\. Nearest: title"):
        lessons.confirm(NAMES[0], ["titel"], folder)


def test_command_names_a_wrong_lesson(capsys):
    assert main(["lessons", "translated", "no_such", "--lang", "zh"]) == 10
    assert "没有这一课" in capsys.readouterr().err
