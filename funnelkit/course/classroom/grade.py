"""Checking what a class has handed in: the lesson's own cells and checks with the learner's answers, in confined runs.

Of a learner's notebook only the answers are taken. An answer that ends its process, or runs beyond the deadline, is
left out and the rest is checked again without it.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from funnelkit.course.classroom.roster import Learner, learner_copy, read_roster
from funnelkit.course.lessons import FOLDER, LIMIT_S, LessonError, names, read_lesson
from funnelkit.language import say
from funnelkit.report import csv_text

DEADLINE_S = 60.0
LONGEST_LINE = 2**20
COLUMNS = ("learner", "lesson", "lang", "exercise", "state", "hint", "text")
STATES = ("right", "wrong", "empty", "error", "stopped", "missing")


@dataclass(frozen=True)
class Grade:
    """What was found of one answer; `hint` is the key of the mistake, `text` says it."""

    learner: str
    lesson: str
    lang: str
    exercise: str
    state: str
    hint: str = ""
    text: str = ""


def grade(
    roster: str | Path, handed_in: str | Path, chosen: Sequence[str] = (), deadline_s: float = DEADLINE_S,
    folder: Path = FOLDER,
) -> Iterator[Grade]:  # fmt: skip
    """Check the answers of a class, one confined process a notebook, and yield one Grade an exercise.

    Parameters
    ----------
    roster : str or Path
        The roster of the class.
    handed_in : str or Path
        What `collect` has gathered: FOLDER/LANG/LESSON.ipynb.
    chosen : sequence of str
        Lessons; those that somebody has handed in by default.
    deadline_s : float
        Seconds that a cell of an exercise may take.
    folder : Path
        Where the lessons and their checks are read.

    Yields
    ------
    Grade
        `state` is right, wrong, empty, error (the answer raised), stopped (it ended its process, ran beyond the
        deadline or replaced the check) or missing (no notebook).

    Notes
    -----
    A help for the trainer, no exam: checks run in the answer's own process, which somebody determined could deceive.
    LessonError without a roster, and on Windows, which cannot confine the runs.
    """
    found = _handed_in(Path(handed_in))
    lessons = [name for name in names(folder) if name in (chosen or {lesson for _, lesson, _ in found})]
    for learner in read_roster(roster):
        for name in lessons:
            langs = sorted(lang for who, lesson, lang in found if (who, lesson) == (learner.folder, name))
            for lang in langs:
                path = Path(handed_in) / learner.folder / lang / f"{name}.ipynb"
                yield from _graded(path, learner, name, lang, deadline_s=deadline_s, folder=folder)
            if not langs:
                yield Grade(learner.name, name, "", "", "missing", text=say("course.classroom.missing"))


def _handed_in(folder: Path) -> set[tuple[str, str, str]]:
    """Return (learner's folder, lesson, language) of what came in; LessonError where runs cannot be confined."""
    if not hasattr(os, "killpg"):
        raise LessonError("grading_needs_posix")
    return {(path.parts[-3], path.stem, path.parts[-2]) for path in folder.glob("*/*/*.ipynb")}


def _graded(path: Path, learner: Learner, name: str, lang: str, *, deadline_s: float, folder: Path) -> Iterator[Grade]:
    original = learner_copy(read_lesson(name, lang, folder), learner, name, lang)
    cells = cells_to_run(original, answers_of(path, original))
    skipped: dict[str, dict[str, Any]] = {}
    told: dict[str, dict[str, Any]] = {}
    exercises = list(dict.fromkeys(cell["exercise"] for cell in cells if cell["kind"] == "check"))
    for _ in range(len(exercises) + 1):
        left = [cell for cell in cells if cell["exercise"] not in skipped]
        told, stopped = _run_confined(left, deadline_s)
        if stopped is None:
            break
        skipped[stopped["exercise"]] = stopped
        if not stopped["exercise"]:  # a cell of the lesson itself
            break
    unchanged = {cell["exercise"] for cell in cells if cell["kind"] == "stub"}
    for exercise in exercises:
        stop = skipped.get("", {"hint": "stopped", "text": say("course.classroom.not_checked")})
        said = told.get(exercise) or skipped.get(exercise, stop)
        state = "empty" if exercise in unchanged and said.get("state") == "wrong" else said.get("state", "stopped")
        yield Grade(
            learner.name, name, lang, exercise, state, str(said.get("hint", "")), str(said.get("text", ""))[:300]
        )


def answers_of(path: Path, original: Any) -> dict[str, list[tuple[str, str]]]:
    """Return a notebook's code cells by the text cell of the exercise that they follow: {id: [(id, source)]}.

    A cell whose id an editor has dropped or changed is known by its text. A file that is no notebook has no answers;
    nothing of it is executed here.
    """
    own = {cell.id for cell in original.cells}
    known = {cell.source.strip(): cell.id for cell in original.cells}
    found: dict[str, list[tuple[str, str]]] = {}
    exercise = ""
    try:
        for cell in json.loads(path.read_text(encoding="utf-8-sig"))["cells"]:
            text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            given = str(cell.get("id", ""))
            cell_id = given if given in own else known.get(text.strip(), given)
            if cell["cell_type"] == "markdown" and (cell_id in own or not exercise):
                exercise = cell_id
            elif cell["cell_type"] == "code":
                found.setdefault(exercise, []).append((cell_id, text))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return found


def cells_to_run(original: Any, answers: Mapping[str, list[tuple[str, str]]]) -> list[dict[str, str]]:
    """Return the cells of a lesson with a learner's answers in the place of its stubs.

    A cell that the learner has added within an exercise belongs to the answer; other changes of a lesson are left out.
    """
    own = {cell.id for cell in original.cells}
    found: list[dict[str, str]] = []
    exercise = ""
    for cell in original.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code":
            exercise = cell.id if cell.id.startswith("exercise-") else ""
        elif "exercise" in tags:
            given = answers.get(exercise, [])
            answer = [source for cell_id, source in given if cell_id == cell.id or cell_id not in own]
            kind = "stub" if "\n".join(answer).strip() in ("", cell.source.strip()) else "answer"
            source = cell.source if kind == "stub" else "\n".join(answer)
            found.append({"id": cell.id, "kind": kind, "exercise": exercise, "source": source})
        else:
            kind = "check" if "check" in tags else "lesson"
            found.append({"id": cell.id, "kind": kind, "exercise": exercise, "source": cell.source})
    return found


def _run_confined(
    cells: Sequence[Mapping[str, str]], deadline_s: float
) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    """Run cells in a process of their own; return what it told of each exercise, and where it stopped early."""
    told: dict[str, dict[str, Any]] = {}
    at: dict[str, Any] = {"at": "", "exercise": ""}
    with TemporaryDirectory(prefix="fk") as scratch:
        (Path(scratch) / "spec.json").write_text(json.dumps(list(cells)), encoding="utf-8")
        process, channel = _start(Path(scratch))
        try:
            lines = _lines(channel, lambda: deadline_s if at["exercise"] else max(deadline_s, LIMIT_S))
            for line in islice(lines, 2 * len(cells) + 1):  # an answer that finds the channel cannot talk for ever
                if line is None:
                    return told, {
                        **at,
                        "hint": "deadline",
                        "text": say("course.classroom.deadline", s=f"{deadline_s:g}"),
                    }
                said = _said(line)
                if said.get("end"):
                    return told, None
                if said.get("tampered"):
                    return told, {**at, "hint": "tampered", "text": say("course.classroom.tampered")}
                if "at" in said:
                    at.update(said)
                if "done" in said:
                    told[said["done"]] = said
            return told, {**at, "hint": "ended", "text": say("course.classroom.ended")}
        except (ValueError, RecursionError):
            return told, {**at, "hint": "ended", "text": say("course.classroom.ended")}
        finally:
            _end(process)
            os.close(channel)


def _said(line: str) -> dict[str, Any]:
    """Return what a line of the channel says; ValueError for what the process of a run never says."""
    said = json.loads(line)
    if not isinstance(said, dict) or not all(isinstance(value, (str, bool)) for value in said.values()):
        raise ValueError(line[:100])
    return said


def _start(scratch: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start the process in its folder, with nothing of this one's environment but where things are."""
    read, write = os.pipe()
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
    env = {**kept, "HOME": str(scratch), "TMPDIR": str(scratch), "MPLBACKEND": "agg", "MPLCONFIGDIR": _fonts(),
           "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "funnelkit.course.classroom.child", str(write)], cwd=scratch, env=env,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(write,),
        start_new_session=True,
    )  # fmt: skip
    os.close(write)
    return process, read


def _fonts() -> str:
    """Return the folder in which matplotlib keeps its list of fonts, so that a run need not make it anew."""
    import matplotlib

    return matplotlib.get_configdir()


def _lines(channel: int, deadline_s: Callable[[], float]) -> Iterator[str | None]:
    """Yield what comes through the channel line by line; None where nothing came within the deadline of the moment."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        until = time.monotonic() + deadline_s()
        while True:
            if not selector.select(max(0.0, until - time.monotonic())):
                yield None
                return
            piece = os.read(channel, 65536)
            if not piece or len(rest) > LONGEST_LINE:
                return
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", errors="replace")
            if lines:
                until = time.monotonic() + deadline_s()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def write_grades(grades: Sequence[Grade], out: str | Path) -> Path:
    """Write the table of a class as CSV that no spreadsheet takes for formulas, and return its path."""
    path = Path(out) / "grades.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [[getattr(one, column) for column in COLUMNS] for one in grades]
    path.write_text(csv_text({"columns": list(COLUMNS), "rows": rows}), encoding="utf-8-sig", newline="")
    return path
