"""The roster of a class: who is in it, which folder and which seed each learner has; copies out, notebooks back in."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funnelkit.course.lessons import FOLDER, LessonError, names, read_lesson, without_solutions, write_lesson
from funnelkit.language import LANGUAGES, Lang, say, share, speaking
from funnelkit.report import csv_text

_HEADS = ("name", "learner", "student", "姓名", "学员", "学生")
_SEED = re.compile(r"^seed: int = \d+", re.MULTILINE)
_QUOTED = re.compile(r"^'(?=[=+@-])")  # how a roster written by this module keeps spreadsheets from formulas
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")
ROSTER = "roster.csv"


@dataclass(frozen=True)
class Learner:
    """One learner: the name as written, the folder, the seed of the data."""

    name: str
    folder: str
    seed: int


def read_roster(path: str | Path) -> list[Learner]:
    """Return the learners of a CSV: a column of names, or the roster that an earlier run has written.

    Raises LessonError where there is no such file, or no name in it.
    """
    path = Path(path)
    if not path.is_file():
        raise LessonError("no_roster", file=str(path))
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=_delimiter(text))]
    rows = [row for row in rows if any(row)]
    heads = [cell.casefold() for cell in rows[0]] if rows else []
    place = next((heads.index(head) for head in _HEADS if head in heads), None)
    found = [row[place or 0] for row in rows[place is not None :] if len(row) > (place or 0) and row[place or 0]]
    if not found:
        raise LessonError("empty_roster", file=str(path))
    return _with_folders([_QUOTED.sub("", name) for name in found])


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _with_folders(found: Sequence[str]) -> list[Learner]:
    """Give each name a folder and a seed of its own, the same whenever the roster is the same."""
    folders: set[str] = set()
    seeds: set[int] = set()
    learners = []
    for name in found:
        base = re.sub(r"[^\w]+", "-", name).strip("-_")[:40] or "learner"
        base = f"{base}-" if _RESERVED.fullmatch(base) else base
        folder = next(
            one for n in range(len(found) + 1) if (one := f"{base}{f'-{n + 1}' * bool(n)}").casefold() not in folders
        )
        seed = 1000 + int(hashlib.sha256(folder.encode()).hexdigest(), 16) % 9000
        while seed in seeds:
            seed = 1000 + (seed - 999) % 9000
        folders.add(folder.casefold())
        seeds.add(seed)
        learners.append(Learner(name, folder, seed))
    return learners


def write_class(
    roster: str | Path,
    out: str | Path,
    langs: Sequence[Lang] = LANGUAGES,
    chosen: Sequence[str] = (),
    folder: Path = FOLDER,
) -> Iterator[Path]:
    """Write each learner's copies of the lessons and yield the learners' folders; the roster lies beside them.

    Parameters
    ----------
    roster : str or Path
        CSV with a column of names.
    out : str or Path
        Folder of the class: roster.csv (name, folder, seed), and a folder with notebooks for each learner.
    langs, chosen, folder
        As `build` takes them.

    Yields
    ------
    Path

    Raises
    ------
    LessonError
        For a roster without names, or a lesson that is none.

    Notes
    -----
    Each learner has a seed of their own: the numbers differ, so only the thinking can be copied.
    """
    learners, out = read_roster(roster), Path(out)
    lessons = {(name, lang): read_lesson(name, lang, folder) for name in chosen or names(folder) for lang in langs}
    for learner in learners:
        for (name, lang), notebook in lessons.items():
            write_lesson(learner_copy(notebook, learner, name, lang), out / learner.folder / lang / f"{name}.ipynb")
        yield _with_papers(learner, out / learner.folder, langs)
    rows = [[learner.name, learner.folder, learner.seed] for learner in learners]
    table = csv_text({"columns": ["name", "folder", "seed"], "rows": rows})
    (out / ROSTER).write_text(table, encoding="utf-8-sig", newline="")


def _with_papers(learner: Learner, home: Path, langs: Sequence[Lang]) -> Path:
    """Put the glossary and a README into a learner's folder and return it."""
    shutil.copyfile(share("data") / "glossary.csv", home / "glossary.csv")
    for lang in langs:
        with speaking(lang):
            text = say("course.classroom.readme", name=learner.name, seed=learner.seed)
        (home / ("README.md" if lang == "en" else "README.zh.md")).write_text(text, encoding="utf-8", newline="\n")
    return home


def learner_copy(notebook: Any, learner: Learner, name: str, lang: str) -> Any:
    """Return a lesson for one learner: no solutions, no outputs, the learner's seed, and whose it is."""
    import copy

    made = without_solutions(copy.deepcopy(notebook))
    for cell in made.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = _SEED.sub(f"seed: int = {learner.seed}", cell.source)
    made.metadata["funnelkit"] = {"learner": learner.folder, "lesson": name, "lang": lang}
    return made


def collect(roster: str | Path, source: str | Path, out: str | Path) -> Iterator[tuple[Learner, str, Path]]:
    """Copy what learners have handed in, under whatever names, to OUT/FOLDER/LANG/LESSON.ipynb.

    Parameters
    ----------
    roster : str or Path
        The roster of the class.
    source : str or Path
        Folder with the notebooks that came in; it is searched to its depth. Of two versions the newer file counts.
    out : str or Path
        Folder to copy to.

    Yields
    ------
    (Learner, str, Path)
        Learner, lesson, and the file that was taken.

    Notes
    -----
    Nothing is executed. Whose a notebook is stands in its metadata; one of nobody on the roster is left where it is.
    """
    learners = {learner.folder: learner for learner in read_roster(roster)}
    taken: dict[tuple[str, str, str], Path] = {}
    for path in sorted(Path(source).rglob("*.ipynb"), key=lambda path: (path.stat().st_mtime_ns, str(path))):
        owner = _owner(path)
        if owner and owner[0] in learners and owner[2] in LANGUAGES:
            taken[owner] = path
    for (folder, lesson, lang), path in sorted(taken.items()):
        target = Path(out) / folder / lang / f"{lesson}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        yield learners[folder], lesson, path


def _owner(path: Path) -> tuple[str, str, str] | None:
    """Return learner, lesson and language as a notebook's metadata say; None for a file that is no learner's copy."""
    import json

    try:
        found = json.loads(path.read_text(encoding="utf-8"))["metadata"]["funnelkit"]
        owner = (str(found["learner"]), str(found["lesson"]), str(found["lang"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return owner if all(re.fullmatch(r"[\w-]{1,80}", part) for part in owner) else None
