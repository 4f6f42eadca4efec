"""A class: rosters of every kind, copies with seeds of their own, notebooks collected, hostile answers survived."""

import ast
import csv
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import pytest

from funnelkit.cli import main
from funnelkit.course import collect, grade, lessons, write_class
from funnelkit.course.classroom.roster import handed_in, read_roster
from funnelkit.course.classroom.sandbox import confine
from funnelkit.course.lessons import LessonError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs are confined by POSIX means")
LESSON = "05_made"
STUB = "answer = None"


def cell(kind, cell_id, source, *tags):
    made = nbformat.v4.new_code_cell(source) if kind == "code" else nbformat.v4.new_markdown_cell(source)
    made.id = cell_id
    made.metadata["tags"] = list(tags)
    return made


@pytest.fixture
def made(tmp_path):
    """A small lesson with three exercises, of one language: a run of it takes no data."""
    cells = [
        cell("md", "title", "# Which?"),
        cell("code", "parameters", "seed: int = 0  # a seed\nn: int = 2  # a number", "parameters"),
        cell("code", "imports", "from funnelkit.course.checks.verdict import check_number", "imports"),
    ]
    for k in (1, 2, 3):
        cells += [
            cell("md", f"exercise-{k}", f"## Exercise {k}"),
            cell("code", f"exercise-{k}-answer", STUB, "exercise"),
            cell("code", f"exercise-{k}-check", f"check_number(answer, {k}.5, [({k}, 'off')])", "check"),
            cell("code", f"exercise-{k}-solution", f"solution = {k}.5", "solution"),
        ]
    lessons.write_lesson(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / "en" / f"{LESSON}.ipynb")
    return tmp_path / "notebooks"


def roster(tmp_path, *names):
    path = tmp_path / "names.csv"
    path.write_text("\n".join(["name", *names]) + "\n", encoding="utf-8")
    return path


def hand_in(home, answers, lesson=LESSON, lang="en"):
    """Fill a learner's copy in: {exercise number: source of the answer}."""
    path = home / lang / f"{lesson}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for one in notebook.cells:
        for k, source in answers.items():
            if one.id == f"exercise-{k}-answer":
                one.source = source
    nbformat.write(notebook, path)
    return path


def graded(tmp_path, made, answers, deadline_s=20.0):
    """Return {learner: [state of each exercise]} of a class whose answers are given by name."""
    names = roster(tmp_path, *answers)
    homes = list(write_class(names, tmp_path / "class", ["en"], folder=made))
    for home, filled in zip(homes, answers.values(), strict=True):
        if filled is not None:
            hand_in(home, filled)
        else:
            (home / "en" / f"{LESSON}.ipynb").unlink()
    list(collect(names, tmp_path / "class", tmp_path / "collected", made))
    found = {}
    for one in grade(names, tmp_path / "collected", deadline_s=deadline_s, folder=made):
        found.setdefault(one.learner, []).append((one.state, one.hint))
    return found


# --- out and in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name\nAnna\nBob\n", ["Anna", "Bob"]),
        ("Anna\nBob\n", ["Anna", "Bob"]),
        ("no;姓名\n1;李伟\n2;王磊\n", ["李伟", "王磊"]),
        ("name,folder,seed\n'=cmd,cmd,1\n", ["=cmd"]),
        ("name\n\n  Anna  \n", ["Anna"]),
        ('no,Full Name,team\n1,O\'Brien,A\n2,"García, José",B\n', ["O'Brien", "García, José"]),
        ("name\nGarcía, José\n王小明\n王小明\n", ["García, José", "王小明", "王小明 (2)"]),
        ("Last name;First name\nO'Brien;Seán\n;Cher\n", ["Seán O'Brien", "Cher"]),
        ("姓\t名\n王\t小明\n欧阳\t娜\n", ["王小明", "欧阳娜"]),
        ("1,李 伟,lw@example.org\n2,Nguyễn,n@example.org\n", ["李 伟", "Nguyễn"]),
        ("sep=;\nname;mail\nJosé;j@example.org\n", ["José"]),
    ],
)
def test_rosters(tmp_path, text, names):
    path = tmp_path / "r.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"):
        path.write_text(text, encoding=encoding)
        assert [learner.name for learner in read_roster(path)] == names, encoding


@pytest.mark.parametrize(
    ("encoding", "names"),
    [("cp1252", ["José", "Jürgen Müßig", "Élodie"]), ("gbk", ["王小明", "Li Wei 李伟", "欧阳娜娜"])],
)
def test_a_spreadsheets_own_set_of_characters_is_told(tmp_path, encoding, names):
    path = tmp_path / "r.csv"
    path.write_text("\r\n".join(["name", *names]), encoding=encoding)
    assert [learner.name for learner in read_roster(path)] == names
    path.write_text("name\nJose\u0301\n", encoding="utf-8")  # as some systems write the accent
    assert read_roster(path)[0].folder == "José"


def test_folders_and_seeds_are_safe_and_nobodys_twice(tmp_path):
    names = ["Anna", "anna", "../../etc", "con", "=1+1", "a" * 90, "..", "Anna", "李 伟"]
    learners = read_roster(roster(tmp_path, *names))
    folders = [learner.folder for learner in learners]
    assert [learner.name for learner in learners] == [*names[:7], "Anna (2)", "李 伟"]
    assert len({folder.casefold() for folder in folders}) == len(names) == len({learner.seed for learner in learners})
    assert all(folder == Path(folder).name and ".." not in folder and folder.lower() != "con" for folder in folders)
    assert learners == read_roster(roster(tmp_path, *names))


@pytest.mark.parametrize("text", ["", "name\n\n", "PK\x03\x04 a workbook"])
def test_a_roster_without_names_is_refused(tmp_path, text):
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LessonError):
        read_roster(path)
    with pytest.raises(LessonError):
        read_roster(tmp_path / "none.csv")


def test_copies_have_a_seed_of_their_own_and_no_solutions(tmp_path):
    names = roster(tmp_path, "Anna", "李伟")
    homes = list(write_class(names, tmp_path / "class", chosen=["05_industrial_eight_step"]))
    learners = read_roster(names)
    for home, learner in zip(homes, learners, strict=True):
        for lang in ("en", "zh"):
            notebook = nbformat.read(home / lang / "05_industrial_eight_step.ipynb", as_version=4)
            source = next(one.source for one in notebook.cells if one.id == "parameters")
            assert f"seed: int = {learner.seed}  #" in source
            assert not any("solution" in one.metadata.get("tags", []) or one.get("outputs") for one in notebook.cells)
        assert (home / "glossary.csv").is_file() and learner.name in (home / "README.zh.md").read_text(encoding="utf-8")
    rows = list(csv.DictReader((tmp_path / "class" / "roster.csv").open(encoding="utf-8-sig")))
    assert [row["seed"] for row in rows] == [str(learner.seed) for learner in learners]
    assert read_roster(tmp_path / "class" / "roster.csv") == learners


def test_collecting_takes_the_newer_and_nobody_elses(tmp_path, made):
    names = roster(tmp_path, "Anna", "Bob")
    anna, bob = write_class(names, tmp_path / "class", ["en"], folder=made)
    inbox = tmp_path / "inbox" / "mails"
    inbox.mkdir(parents=True)
    for k, text in enumerate(("1", "2")):
        file = hand_in(anna, {1: f"answer = {text}"}).rename(inbox / f"my work ({k}).ipynb")
        os.utime(file, (1_000_000 + k, 1_000_000 + k))
        list(write_class(names, tmp_path / "class", ["en"], folder=made))
    stranger = json.loads((bob / "en" / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
    for n, learner in enumerate(("Eve", "../Bob", ["Bob"], None)):
        stranger["metadata"]["funnelkit"]["learner"] = learner
        (inbox / f"s{n}.ipynb").write_text(json.dumps(stranger), encoding="utf-8")
    (inbox / "broken.ipynb").write_text("{", encoding="utf-8")
    (inbox / "deep.ipynb").write_text("[" * 100_000, encoding="utf-8")
    taken = [(learner.name, path.name) for learner, _, path in collect(names, tmp_path / "inbox", tmp_path / "out")]
    assert taken == [("Anna", "my work (1).ipynb")]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.ipynb")) == [f"{LESSON}.ipynb"]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LessonError) as refused:
        list(collect(roster(tmp_path, "Anna"), tmp_path / "inbox", tmp_path / "out"))
    assert refused.value.key == "no_handed_in" and "inbox" in str(refused.value)


def stripped(path):
    """Save a notebook as editors do that keep neither ids nor metadata."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"], notebook["nbformat_minor"] = {}, 4
    for one in notebook["cells"]:
        one.pop("id")
        one["metadata"], one["source"] = {}, one["source"] if isinstance(one["source"], str) else "".join(one["source"])
    path.write_text(json.dumps(notebook), encoding="utf-8-sig")


def test_hand_ins_of_other_editors_and_in_archives_are_found(tmp_path, made):
    names = roster(tmp_path, "Anna", "Bob", "Cem", "Dora")
    homes = list(write_class(names, tmp_path / "class", ["en"], folder=made))
    files = [hand_in(home, {1: "answer = 1.5", 3: "answer = 3"}) for home in homes]
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    stripped(files[0])
    files[0].rename(inbox / "Untitled (2).ipynb")
    with zipfile.ZipFile(inbox / "Bob's work.ZIP", "w") as archive:
        archive.write(files[1], "x/作业.ipynb")
        archive.writestr("__MACOSX/x/._a.ipynb", "junk")
        archive.writestr("../../out.ipynb", "{}")
    text = files[2].read_text(encoding="utf-8").replace('"cells"', '<<<<<<< HEAD\n"cells"', 1)
    (inbox / "merged.ipynb").write_text(text, encoding="utf-8")
    (inbox / "cut.zip").write_bytes(b"PK\x03\x04 cut")
    taken = list(collect(names, inbox, tmp_path / "in", made))
    assert [(who.name, path.name) for who, _, path in taken] == [("Anna", "Untitled (2).ipynb"), ("Bob", "作业.ipynb")]
    left = [one for one in handed_in(inbox) if one.path not in {path for *_, path in taken}]
    assert {one.path.name for one in left if one.notebook() is None} == {"merged.ipynb", "cut.zip", "out.ipynb"}
    found = [(one.learner, one.state) for one in grade(names, tmp_path / "in", deadline_s=20, folder=made)]
    for name in ("Anna", "Bob"):
        assert [state for who, state in found if who == name] == ["right", "empty", "wrong"]


# --- grading ---------------------------------------------------------------------------------------------------------


def test_right_wrong_empty_error_and_missing(tmp_path, made):
    found = graded(
        tmp_path,
        made,
        {
            "Anna": {1: "answer = 1.5", 2: "half = 0.5\nanswer = 2 + half", 3: "answer = 3.5"},
            "Bob": {1: "answer = 1", 3: "answer = 'three'"},
            "Cem": {1: "answer = 1 / 0", 2: "answer = (", 3: "import sys\nsys.exit()"},
            "Dora": None,
        },
    )
    assert found["Anna"] == [("right", "right")] * 3
    assert found["Bob"] == [("wrong", "off"), ("empty", "empty"), ("wrong", "no_number")]
    assert found["Cem"] == [("error", "error")] * 3
    assert found["Dora"] == [("missing", "")]


# Finds the pipe on which a run tells what it found.
CHANNEL = """import os, stat
found = [fd for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{{fd}}') and stat.S_ISFIFO(os.fstat(fd).st_mode)]
"""
HOSTILE = {
    "ends": "import os\nos._exit(0)",
    "loops": "while True:\n    pass",
    "sleeps": "import time\nwhile True:\n    time.sleep(1)",
    "writes": "open('{outside}/made-by-open', 'w').write('x')",
    "writes low": "import os\nos.open('{outside}/made-low', os.O_CREAT | os.O_WRONLY)",
    "links": "import os\nos.symlink('{outside}', 'in')\nopen('in/made-by-link', 'w')",
    "removes": "import os\nos.remove('{outside}/kept')",
    "renames": "import os\nos.rename('{outside}/kept', 'mine')",
    "runs": "import subprocess\nsubprocess.run(['touch', '{outside}/made-by-touch'])",
    "system": "import os\nassert os.system('touch {outside}/made-by-system') == 0",
    "forks": "import os\nos.fork()",
    "kills": "import os\nos.kill(os.getppid(), 9)",
    "calls out": "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)",
    "library": "import duckdb\nduckdb.sql(\"copy (select 1) to '{outside}/made-by-library'\")",
    "arrow": "import pyarrow as pa\npa.OSFile('{outside}/made-by-arrow', 'wb').write(b'x')",
    "memory": "answer = bytearray(10 ** 12)",
    "spawns": "import multiprocessing as mp\nmp.get_context('spawn').Process(target=print).start()",
    "floods": CHANNEL + "while True:\n    os.write(found[-1], b'{{}}\\n')",
    "one line": CHANNEL + "while True:\n    os.write(found[-1], b'[' * 65536)",
    "nonsense": CHANNEL + "os.write(found[-1], b'[' * 100_000 + b'\\n')\nimport time\ntime.sleep(60)",
    "lists": CHANNEL + 'os.write(found[-1], b\'{{"done": [], "exercise": {{}}}}\\n\')\nimport time\ntime.sleep(60)',
    "prints": "for _ in range(2000):\n    print('x' * 100_000)\nraise SystemExit",
}


def survive(tmp_path, made, chosen, deadline_s):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    answers = {
        name: {1: "answer = 1.5", 2: HOSTILE[name].format(outside=outside), 3: "answer = 3.5"} for name in chosen
    }
    found = graded(tmp_path, made, answers, deadline_s=deadline_s)
    assert set(found) == set(chosen)
    for name, states in found.items():
        late = ("stopped", "deadline")
        gone = ("stopped", "ended")
        ends = {
            **dict.fromkeys(("ends", "floods", "one line", "nonsense", "lists"), gone),
            "loops": late,
            "sleeps": late,
        }
        wanted = ends.get(name, ("error", "error"))
        assert states == [("right", "right"), wanted, ("right", "right")], name
    assert [path.name for path in outside.iterdir()] == ["kept"] and (outside / "kept").read_text() == "kept"


def test_hostile_answers_cost_only_themselves(tmp_path, made):
    survive(tmp_path, made, ["ends", "floods", "sleeps", "writes"], 10.0)


@pytest.mark.slow
def test_hostile_answers_of_every_kind_harm_nothing(tmp_path, made):
    survive(tmp_path, made, HOSTILE, 30.0)


THREADS = """import threading, time
for _ in range(200):
    threading.Thread(target=time.sleep, args=(60,)).start()
answer = 3.5"""
TAMPERED = (
    "check_number = lambda *given: type('Yes', (), {'ok': True})()",
    "import funnelkit.course.checks.verdict as v\nv.check_number = v.check_text = None",
    "check_number.__code__ = (lambda answer, right, wrong=(), tolerance=0: None).__code__",
)
GONE = """import sys
for name in [name for name in sys.modules if name.startswith('funnelkit')]:
    del sys.modules[name]
import funnelkit.course.checks.verdict
"""


def test_an_answer_that_replaces_the_check_is_told(tmp_path, made):
    found = graded(tmp_path, made, {"Eve": {1: TAMPERED[0], 2: TAMPERED[1], 3: TAMPERED[2]}})
    assert found["Eve"] == [("stopped", "tampered")] * 3


def test_answers_that_harm_their_own_process_or_read_others_cost_only_themselves(tmp_path, made):
    secret = tmp_path / "Other.ipynb"
    secret.write_text("2.5")
    answers = {1: f"{GONE}answer = 1.5", 2: f"answer = float(open('{secret}').read())", 3: THREADS}
    assert graded(tmp_path, made, {"Eve": answers})["Eve"] == [
        ("right", "right"),
        ("error", "error"),
        ("right", "right"),
    ]


def test_a_run_may_write_to_its_own_folder(tmp_path, made):
    source = (
        "from pathlib import Path\nPath('mine.txt').write_text('1.5')\nanswer = float(Path('mine.txt').read_text())"
    )
    assert graded(tmp_path, made, {"Anna": {1: source}})["Anna"][0] == ("right", "right")


def test_a_learner_may_add_cells_to_an_exercise_but_not_change_the_lesson(tmp_path, made):
    names = roster(tmp_path, "Anna")
    (home,) = write_class(names, tmp_path / "class", ["en"], folder=made)
    path = hand_in(home, {1: "answer = x + 0.5", 2: "answer = 2.5"})
    notebook = nbformat.read(path, as_version=4)
    place = [one.id for one in notebook.cells].index("exercise-1")
    notebook.cells.insert(place + 1, cell("code", "mine", "x = 1"))
    for one in notebook.cells:
        if one.id == "imports" or one.id.endswith("-check"):
            one.source = "raise SystemExit"
    nbformat.write(notebook, path)
    list(collect(names, tmp_path / "class", tmp_path / "collected"))
    found = [one.state for one in grade(names, tmp_path / "collected", folder=made)]
    assert found == ["right", "right", "empty"]


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of a parent's death is Linux's")
def test_an_endless_answer_ends_with_the_process_that_grades():
    loop = "from pathlib import Path\nfrom funnelkit.course.classroom.sandbox import confine\nconfine(Path())\n"
    loop += "print('confined', flush=True)\nwhile True:\n    pass"
    starts = f"import subprocess, sys\none = subprocess.Popen([sys.executable, '-c', {loop!r}])\n"
    starts += "print(one.pid, flush=True)\none.wait()"
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True) as grading:
        pid = int(grading.stdout.readline())
        assert grading.stdout.readline() == "confined\n"
        grading.kill()
    until = time.monotonic() + 30
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def test_the_wall_of_the_system_stands_where_the_kernel_has_it(tmp_path):
    if sys.platform != "linux":
        pytest.skip("Landlock is Linux's")
    pid = os.fork()
    if not pid:
        code = 1
        try:
            if not confine(tmp_path):
                code = 2
            else:
                (tmp_path / "in").write_text("x")
                try:
                    (tmp_path.parent / "out").write_text("x")
                except PermissionError:
                    code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 2:
        pytest.skip("this kernel has no Landlock")
    assert code == 0 and (tmp_path / "in").is_file() and not (tmp_path.parent / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", lessons.names())
def test_the_solutions_of_every_lesson_are_right_with_a_seed_of_ones_own(tmp_path, name):
    names = roster(tmp_path, "Anna")
    (home,) = write_class(names, tmp_path / "class", ["zh"], [name])
    path = home / "zh" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    solutions = {one.id: one.source for one in lessons.read_lesson(name, "zh").cells if one.id.endswith("-solution")}
    for one in notebook.cells:
        source = solutions.get(one.id.replace("-answer", "-solution")) if "-answer" in one.id else None
        if source:
            answer = one.source.splitlines()[-1].partition("=")[0].strip()
            *steps, check = ast.parse(source).body
            given = ast.unparse(check.value.args[0])  # what the solution hands to the check
            one.source = "\n".join([one.source, *map(ast.unparse, steps), f"{answer} = {given}"])
    nbformat.write(notebook, path)
    list(collect(names, tmp_path / "class", tmp_path / "collected"))
    found = list(grade(names, tmp_path / "collected", deadline_s=300))
    assert found and {one.state for one in found} == {"right"}, found


def test_the_command_line_writes_the_table(tmp_path, made, monkeypatch, capsys):
    monkeypatch.setattr("funnelkit.course.classroom.roster.FOLDER", made)
    names = roster(tmp_path, "Anna")
    assert main(["lessons", "student", "00_start_here", "--roster", str(names), "--out", str(tmp_path / "c")]) == 0
    arguments = ["--roster", str(tmp_path / "c" / "roster.csv")]
    assert main(["lessons", "collect", *arguments, "--source", str(tmp_path / "c"), "--out", str(tmp_path / "in")]) == 0
    assert (tmp_path / "in" / "Anna" / "zh" / "00_start_here.ipynb").is_file()
    assert "Not collected" not in capsys.readouterr().out
    (tmp_path / "c" / "of Eve.ipynb").write_text("{}", encoding="utf-8")
    older = tmp_path / "c" / "Anna" / "en" / "00_start_here.ipynb"
    (tmp_path / "c" / "again.ipynb").write_bytes(older.read_bytes())
    os.utime(older, (1, 1))
    stranger = older.read_text(encoding="utf-8").replace('"learner": "Anna"', '"learner": "Max"')
    (tmp_path / "c" / "of Max.ipynb").write_text(stranger, encoding="utf-8")
    assert main(["lessons", "collect", *arguments, "--source", str(tmp_path / "c"), "--out", str(tmp_path / "in")]) == 0
    said = capsys.readouterr().out
    assert "conflict markers); ask for them again: of Eve.ipynb." in said
    assert "they belong to no one on the roster: of Max.ipynb." in said
    assert f"a newer version came in: {older.relative_to(tmp_path / 'c')} (Anna)." in said
    assert main(["lessons", "student", "--roster", str(tmp_path / "none.csv"), "--out", str(tmp_path / "d")]) == 10
    assert "none.csv" in capsys.readouterr().err
