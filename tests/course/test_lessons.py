"""Every lesson: house style, committed executed, the same bytes again, other seeds and values, numbers in prose.

One execution a notebook is shared by the tests that need one; `slow` are those that need more.
"""

import ast
import io
import json
import re
import statistics
import subprocess
import sys
import tokenize
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import pytest

import funnelkit as fk
from funnelkit.cli import main
from funnelkit.course import lessons
from funnelkit.course.site.lesson import open_lesson
from funnelkit.language.texts import say, texts
from funnelkit.models import catalog
from funnelkit.report import warm_kernels

NOTEBOOKS = [(lang, name) for name in lessons.names() for lang in lessons.LANGUAGES]
IDS = [f"{lang}/{name}" for lang, name in NOTEBOOKS]
each = pytest.mark.parametrize(("lang", "name"), NOTEBOOKS, ids=IDS)
CJK = re.compile(r"[\u4e00-\u9fff]")
MAX_LINES, MOST_LINES, MEDIAN_LINES, MAX_WIDTH, MAX_WORDS, MAX_SIGNS = 12, 6, 3, 78, 120, 240
NOT_SHOWN = re.compile(r"<!--.*?-->|</?blockquote[^>]*>", re.S)  # trainers' notes and the frames of boxes


def old_form(name):
    """Return True where a lesson has not been rewritten to the form yet: no takeaways."""
    return not cells("en", name, "markdown", "takeaways")


def cells(lang, name, kind, tag=None):
    """Return the cells of this kind (and tag) as committed."""
    found = [cell for cell in lessons.read_lesson(name, lang).cells if cell.cell_type == kind]
    return [cell for cell in found if tag in cell.metadata.get("tags", [])] if tag else found


def plain(cell):
    """Return what a code cell printed or displayed, as text."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])
    )


def words_of(cell):
    """Return the text of a cell as learners read it: without the trainer's notes and the marks of a box."""
    return re.sub(r"<[^>]+>", "", re.sub(r"<!--.*?-->", "", cell.source, flags=re.DOTALL))


ENVIRONMENT = {}


@pytest.fixture(scope="module", autouse=True)
def warm():
    """Let the kernels of this file be forks of one parent that has the imports done."""
    with warm_kernels(lessons.MODULES) as environment:
        ENVIRONMENT.update(environment)
        yield


def execute(notebook, name, folder, parameters=None):
    return lessons.execute(notebook, name, folder, parameters, ENVIRONMENT)


@cache
def executed(lang, name):
    return execute(lessons.read_lesson(name, lang), f"{lang}/{name}.ipynb", lessons.FOLDER / lang)


# --- house style -----------------------------------------------------------------------------------------------------


@each
def test_one_title_that_asks_and_headings_in_order(lang, name):
    heads = [
        line for cell in cells(lang, name, "markdown") for line in cell.source.splitlines() if re.match(r"#+ ", line)
    ]
    levels = [len(head.split(" ")[0]) for head in heads]
    assert levels[0] == 1 and levels.count(1) == 1, "exactly one H1, at the top"
    assert re.search("[?？]", heads[0]), "the title carries a question"
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels)), heads


@each
def test_cells_keep_their_size(lang, name):
    for cell in cells(lang, name, "markdown"):
        text = NOT_SHOWN.sub(" ", cell.source)
        signs = len(CJK.findall(text))
        words = len(re.findall(r"\w+(?:['-]\w+)*", CJK.sub(" ", text)))
        assert signs <= MAX_SIGNS and (words <= MAX_WORDS or signs), f"{cell.id}: {words} words, {signs} signs"
    if old_form(name):
        return
    body = [cell for cell in cells(lang, name, "code") if "parameters" not in cell.metadata.get("tags", [])]
    code = {cell.id: [line for line in cell.source.splitlines() if line.strip()] for cell in body}
    lines = {cell: len(source) for cell, source in code.items()}
    assert max(lines.values()) <= MAX_LINES and statistics.median(lines.values()) <= MEDIAN_LINES, lines
    assert statistics.quantiles(lines.values(), n=10)[-1] <= MOST_LINES, lines
    wide = {cell: max(map(len, source)) for cell, source in code.items()}
    assert max(wide.values()) <= MAX_WIDTH, {cell: n for cell, n in wide.items() if n > MAX_WIDTH}


@each
def test_the_minutes_of_the_notes_are_those_of_the_card(lang, name):
    if old_form(name):
        return
    lesson = open_lesson(name, lang)
    exercises = sum(part.minutes for part in lesson.sections if part.id.startswith("exercise"))
    assert (sum(part.minutes for part in lesson.sections) - exercises, exercises) == lesson.minutes


@each
def test_tags_are_known_and_ids_are_words(lang, name):
    notebook = lessons.read_lesson(name, lang)
    for cell in notebook.cells:
        assert set(cell.metadata.get("tags", [])) <= set(lessons.TAGS), cell.id
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", cell.id), cell.id
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert hidden == ("solution" in cell.metadata.get("tags", [])), f"{cell.id}: solutions, and only they, fold"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for tag in ("card", "parameters", "imports"):
        assert sum(tag in cell.metadata.get("tags", []) for cell in notebook.cells) == 1, tag


@each
def test_parameters_are_typed_and_commented(lang, name):
    (cell,) = cells(lang, name, "code", "parameters")
    for line in cell.source.splitlines():
        assert re.fullmatch(r"[a-z_]+: (str|int|float|bool|list|dict) = [^#]+  # \S.*", line), line
    assert (lang == "zh") == bool(CJK.search(cell.source)), "comments are papermill's help: in the edition's language"


@each
def test_one_import_cell_ends_with_the_language(lang, name):
    (cell,) = cells(lang, name, "code", "imports")
    known = {"import numpy as np", "import pandas as pd", "import seaborn as sns", "import funnelkit as fk", ""}
    *imports, last = cell.source.splitlines()
    assert set(imports) <= known and "import funnelkit as fk" in imports
    assert last == f'fk.use("{lang}")'
    others = [c for c in cells(lang, name, "code") if c.id != cell.id]
    assert not [c.id for c in others if re.search(r"^\s*(import|from)\b", c.source, re.M)], "one import cell"


@each
def test_code_is_what_a_person_writes(lang, name):
    """Only names of the face, no test of the kit, nothing hidden."""
    for cell in cells(lang, name, "code"):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.Assert), f"{cell.id}: show it with `against`, or print both"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "fk":
                assert node.attr in fk.__all__, f"{cell.id}: fk.{node.attr} is not on the face"
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_"), f"{cell.id}: {node.attr}"


@each
def test_words_in_code_are_in_the_language(lang, name):
    """Sentences and comments of a code cell are people's to read: English in one edition, Chinese in the other."""
    for cell in cells(lang, name, "code"):
        if lang == "en":
            assert not CJK.search(cell.source), f"{cell.id}: Chinese in the English edition"
            continue
        words = [token.string for token in tokenize.generate_tokens(io.StringIO(cell.source).readline)
                 if token.type == tokenize.COMMENT]  # fmt: skip
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.append(node.value)
        english = [text for text in words if re.search(r"[A-Za-z]\w*\s+[A-Za-z]\w", text) and not CJK.search(text)]
        assert not [text for text in english if not re.fullmatch(CODE, text)], f"{cell.id}: {english}"


# What is no sentence though it has blanks: an expression of pandas, the name of a person, team or thing in the data.
CODE = r"\w+ / \w+"


# --- prose follows the data ------------------------------------------------------------------------------------------

FIGURE = re.compile(r"(?<![A-Za-z])\d[\d,]*(?:\.\d+)?%?")
# What is no finding of the data: notes and frames, code, links, list numbers, ordinals, the level of every interval,
# the ends of a share.
NOT_FIGURES = re.compile(
    r"<!--.*?-->|</?blockquote[^>]*>|```.*?```|`[^`]*`|\]\([^)]*\)|^\s*\d+\.\s|\b95%|(?<![\d.,])[01](?![\d%]|[.,]\d)"
    r"|(?i:\b(?:step|stage|exercise|lesson|level)s?\s+\d+)|第\s*\d+|(?:练习|阶段)\s*\d+",
    re.M | re.S,
)
# What only one run of the data can know.
CLAIM = re.compile(r"\b[io]n the sample( data)?\b|\bmore than luck\b|\bluck alone\b|样例数据(?:中|里|上)|靠运气", re.I)


def claims(notebook):
    """Return (cell id, figure or claim) of prose that another seed, parameter or file could contradict."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not {"card", "fixed"} & set(cell.metadata.get("tags", [])):
            text = NOT_FIGURES.sub(" ", cell.source)
            found += [(cell.id, words[0]) for rule in (FIGURE, CLAIM) for words in rule.finditer(text)]
    return found


@each
def test_prose_states_no_finding_of_the_data(lang, name):
    if not old_form(name):
        assert claims(lessons.read_lesson(name, lang)) == []


def test_the_rule_of_prose_finds_a_figure_and_a_claim():
    lang, name = next(pair for pair in NOTEBOOKS if not old_form(pair[1]))
    notebook = lessons.read_lesson(name, lang)
    last = next(cell for cell in notebook.cells if cell.id == "takeaways")
    last.source += "\n\nThe rate is 12.34%, exercise 3, step 5, 95% interval, `0.99`. In the sample data it fell."
    assert claims(notebook) == [(last.id, "12.34%"), (last.id, "In the sample data")]


# --- outputs ---------------------------------------------------------------------------------------------------------


@each
def test_committed_executed_without_errors(lang, name):
    notebook = lessons.read_lesson(name, lang)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run `funnelkit lessons build`"
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error" and output.get("name") != "stderr", cell.id
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}


@each
def test_outputs_hold_what_is_shown_and_nothing_else(lang, name):
    """Digits that nobody sees differ from processor to processor."""
    for cell in cells(lang, name, "code"):
        for output in cell.outputs:
            assert set(output.get("data", {})) <= set(lessons.SHOWN), cell.id
            text = without_picture(json.dumps(output))
            assert not re.search(r"\d\.\d{9,}", text), f"{cell.id}: a float of more than 8 decimals"


@each
def test_pictures_have_alt_text(lang, name):
    """Pictures stand in the HTML: JupyterLab and nbconvert drop an alt text that stands beside a bare PNG."""
    found = []
    for cell in cells(lang, name, "code"):
        for output in cell.outputs:
            assert "image/png" not in output.get("data", {}), cell.id
            pictures = re.findall(r'<img [^>]*alt="([^"]*)"', output.get("data", {}).get("text/html", ""))
            assert len(pictures) == output.get("data", {}).get("text/html", "").count("<img "), cell.id
            found += [(cell.id, alt) for alt in pictures]
    assert found
    for cell_id, alt in found:
        assert len(alt) > 40 and bool(CJK.search(alt)) == (lang == "zh"), cell_id


class Heads(HTMLParser):
    """Collects the texts of th cells."""

    def __init__(self):
        super().__init__()
        self.inside, self.found = False, []

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "th"

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        self.found += [data] if self.inside else []


@pytest.mark.parametrize("name", lessons.names())
def test_chinese_outputs_have_no_english_label(name):
    words = {entry["en"] for entry in texts("labels").values() if len(entry["en"]) > 4}
    words |= {part.name.en for model in catalog() for part in (*model.stages, *model.states)}
    for cell in cells("zh", name, "code"):
        heads = Heads()
        for output in cell.outputs:
            heads.feed(output.get("data", {}).get("text/html", ""))
        assert not [head for head in heads.found if not CJK.search(head) and head != "n"], cell.id
        found = [word for word in words if re.search(rf"\b{re.escape(word)}\b", plain(cell))]
        assert not found, f"{cell.id}: {found}"


def without_picture(text):
    """Return a text with its pictures masked: their bytes are the same on one machine, not on every processor."""
    return re.sub(r"data:image/png;base64,[^\"\\]*", "picture", text)


def without_pictures(notebook):
    """Return the cells by id, as they are but for their pictures."""
    return {cell.id: json.loads(without_picture(json.dumps(cell))) for cell in notebook.cells}


@each
def test_a_run_gives_the_committed_outputs(lang, name):
    again, committed = without_pictures(executed(lang, name)), without_pictures(lessons.read_lesson(name, lang))
    changed = [cell for cell in committed if committed[cell] != again[cell]]
    assert not changed, f"{lang}/{name}.ipynb: cells {changed} differ; run `funnelkit lessons build` and look"


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(tmp_path):
    """The other edition's code is the same but for its words, and `a_run_gives_the_committed_outputs` runs both."""
    for second in lessons.build(tmp_path, ["zh"]):
        first = lessons.write_lesson(executed("zh", second.stem), tmp_path / "first.ipynb")
        assert second.read_bytes() == first.read_bytes(), second.stem


# Kernels started by others, which take their time: one edition a lesson each, and each edition with both.
NBVAL = [(("en", "zh")[k % 2], name) for k, name in enumerate(lessons.names())]
PAPERMILL = [(("zh", "en")[k % 2], name) for k, name in enumerate(lessons.names())]


@pytest.mark.slow
def test_nbval_finds_the_text_outputs_unchanged(tmp_path):
    mask = tmp_path / "mask.cfg"
    mask.write_text('[picture]\nregex: data:image/png;base64,[^"]*\nreplace: picture\n')
    files = [str(lessons.FOLDER / lang / f"{name}.ipynb") for lang, name in NBVAL]
    options = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={mask}", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    run = subprocess.run(command, capture_output=True, text=True, cwd=lessons.FOLDER.parent)
    assert run.returncode == 0, run.stdout[-4000:]
    n_cells = sum(len(cells(lang, name, "code")) for lang, name in NBVAL)
    assert f"{n_cells} passed" in run.stdout


def other_values(cell):
    """Return another seed, and three quarters of every other number that a parameters cell declares."""
    values = {name: ast.literal_eval(default) for name, (_, default) in lessons.parameter_values(cell.source).items()}
    moved = {name: type(value)(value * 0.75) for name, value in values.items() if type(value) in (int, float)}
    return {**moved, **({"seed": 11} if "seed" in values else {})}


@each
def test_runs_with_another_seed_and_other_values(lang, name):
    if lang == "en":
        pytest.skip("the code is the Chinese edition's but for its words")
    notebook = lessons.read_lesson(name, lang)
    values = other_values(cells(lang, name, "code", "parameters")[0])
    assert values
    run = execute(notebook, name, lessons.FOLDER / lang, values)
    assert any("injected-parameters" in cell.metadata.get("tags", []) for cell in run.cells)
    shown = {cell.id: plain(cell) for cell in run.cells if cell.cell_type == "code"}
    committed = {cell.id: plain(cell) for cell in cells(lang, name, "code")}
    assert [cell for cell in committed if shown[cell] != committed[cell]], "the parameters change something"
    check_exercises(run, lang)


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "name"), PAPERMILL)
def test_runs_under_plain_papermill(lang, name, tmp_path):
    import papermill

    values = other_values(cells(lang, name, "code", "parameters")[0])
    source = lessons.FOLDER / lang / f"{name}.ipynb"
    papermill.execute_notebook(str(source), str(tmp_path / "o.ipynb"), parameters=values, progress_bar=False)
    declared = papermill.inspect_notebook(str(source))
    assert set(values) <= set(declared) and all(row["help"] for row in declared.values())


# --- exercises -------------------------------------------------------------------------------------------------------


def check_exercises(notebook, lang):
    """Each exercise: an answer cell, a check that says it is empty, a folded solution that is right."""
    marked = [(cell, set(cell.metadata.get("tags", []))) for cell in notebook.cells if cell.cell_type == "code"]
    kinds = [next(iter(tags & {"exercise", "check", "solution"})) for _, tags in marked
             if tags & {"exercise", "check", "solution"}]  # fmt: skip
    assert kinds == ["exercise", "check", "solution"] * (len(kinds) // 3) and kinds
    right, empty = say("course.checks.right", lang), say("course.checks.empty", lang)
    for cell, tags in marked:
        if "check" in tags:
            assert plain(cell) == empty, cell.id
        if "solution" in tags:
            assert plain(cell) == right, cell.id


@each
def test_solutions_are_right_and_stubs_are_empty(lang, name):
    check_exercises(lessons.read_lesson(name, lang), lang)


def test_students_get_no_solutions_no_notes_and_no_outputs(tmp_path):
    assert main(["lessons", "student", "--lang", "en", "--out", str(tmp_path / "one")]) == 0
    assert not (tmp_path / "one" / "zh").exists()
    assert main(["lessons", "student", "--out", str(tmp_path)]) == 0
    for lang, name in NOTEBOOKS:
        copy = lessons.read_lesson(name, lang, tmp_path)
        original = lessons.read_lesson(name, lang)
        kept = [cell.id for cell in original.cells if "solution" not in cell.metadata.get("tags", [])]
        assert [cell.id for cell in copy.cells] == kept
        assert not any(cell.get("outputs") for cell in copy.cells)
        assert not any("<!--" in cell.source for cell in copy.cells), "a trainer's note says what is right"


def test_students_copies_run(tmp_path):
    """What a learner gets must not lean on a cell that was taken away."""
    lang, name = NOTEBOOKS[0]
    copy = lessons.without_solutions(lessons.read_lesson(name, lang))
    run = execute(copy, name, tmp_path)
    assert all(cell.execution_count for cell in run.cells if cell.cell_type == "code")


def test_a_failing_lesson_names_its_cell_and_keeps_the_old_file(tmp_path):
    lang, name = NOTEBOOKS[0]
    notebook = lessons.read_lesson(name, lang)
    notebook.cells = [cell for cell in notebook.cells if "imports" in cell.metadata.get("tags", [])]
    notebook.cells[0].source = "1 / 0"
    path = lessons.write_lesson(notebook, tmp_path / lang / f"{name}.ipynb")
    before = path.read_bytes()
    with pytest.raises(lessons.LessonError) as caught:
        list(lessons.build(langs=[lang], folder=tmp_path))
    assert str(caught.value).startswith(
        f"lesson {lang}/{name}.ipynb, cell imports: ZeroDivisionError: division by zero"
    )
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
