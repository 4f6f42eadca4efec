"""The roster of a class: who is in it, which folder and which seed each learner has; copies out, notebooks back in."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from funnelkit.course.lessons import FOLDER, LessonError, names, read_lesson, without_solutions, write_lesson
from funnelkit.language import LANGUAGES, Lang, say, share, speaking
from funnelkit.report import csv_text

_HEADS = (
    "name", "full name", "learner", "learner name", "student", "student name", "participant",
    "姓名", "学员", "学生", "学员姓名", "学生姓名",
)  # fmt: skip
_PARTS = (
    (("first name", "given name", "forename"), ("last name", "surname", "family name"), (" ",)),
    (("姓",), ("名",), ("",)),
)
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # no CSV, whatever the name says
_SEED = re.compile(r"^seed: int = (\d+)", re.MULTILINE)
_QUOTED = re.compile(r"^'(?=[=+@-])")  # how a roster written by this module keeps spreadsheets from formulas
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")
ROSTER = "roster.csv"
LARGEST = 50 * 2**20  # bytes of a notebook


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
    found = _names(_rows(path.read_bytes()))
    if not found:
        raise LessonError("empty_roster", file=str(path))
    return _with_folders([_QUOTED.sub("", name) for name in found])


def _rows(data: bytes) -> list[list[str]]:
    text = unicodedata.normalize("NFC", _text(data))
    first, _, rest = text.partition("\n")
    delimiter = max(",;\t", key=first.count)
    if first.casefold().startswith("sep="):  # what some spreadsheets write first
        text, delimiter = rest, first[4:5]
    elif delimiter not in first:  # one name a line: a comma belongs to the name
        delimiter = "\x1f"
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    return [row for row in rows if any(row)]


def _text(data: bytes) -> str:
    """Return the text of a list as spreadsheets save it: UTF-8, UTF-16, or the Western or Chinese set of the system."""
    if data.startswith(_WORKBOOKS):
        return ""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        return data.decode("utf-16-le" if b"\0" in data[1::2] else "utf-16-be", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        western = data.decode("cp1252", errors="replace")
        runs = [len(run) for run in re.findall(r"[^\x00-\x7f]+", western)]
        # Letters with accents stand alone among others; a Chinese character is two bytes, a name two characters.
        return western if 2 * runs.count(1) > len(runs) else data.decode("gb18030", errors="replace")


def _names(rows: list[list[str]]) -> list[str]:
    """Return the names of a list: of the column headed so, of first and last names, or of the first column of words."""
    heads = [" ".join(re.split(r"[\s_-]+", cell.casefold())) for cell in rows[0]] if rows else []
    place = next((heads.index(head) for head in _HEADS if head in heads), None)
    if place is not None:
        return [row[place] for row in rows[1:] if len(row) > place and row[place]]
    for first, last, (between,) in _PARTS:
        pair = [next((heads.index(head) for head in part if head in heads), None) for part in (first, last)]
        if None not in pair:
            parts = ([row[at] for at in pair if at is not None and at < len(row)] for row in rows[1:])
            return [name for part in parts if (name := between.join(filter(None, part)))]
    width = max(map(len, rows), default=0)
    words = [sum(len(row) > at and bool(re.fullmatch(r"[^\d@]+", row[at])) for row in rows) for at in range(width)]
    best = next((at for at, n in enumerate(words) if 2 * n > len(rows)), 0)
    return [row[best] for row in rows if len(row) > best and row[best]]


def _with_folders(found: Sequence[str]) -> list[Learner]:
    """Give each name a folder and a seed of its own, the same whenever the roster is the same."""
    folders: set[str] = set()
    seeds: set[int] = set()
    learners = []
    for name in _told_apart(found):
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


def _told_apart(found: Sequence[str]) -> list[str]:
    """Give those of the same name a number, so that a table can tell them apart."""
    return [f"{name} ({n})" if (n := found[: at + 1].count(name)) > 1 else name for at, name in enumerate(found)]


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


@dataclass(frozen=True)
class HandedIn:
    """A notebook that came in: its file, and its name inside where the file is an archive."""

    file: Path
    inside: str = ""

    @property
    def path(self) -> Path:
        return self.file / self.inside

    def read(self) -> bytes:
        """Return its bytes; none where they cannot be read, or are more than a notebook has."""
        try:
            if not self.inside:
                return self.file.read_bytes() if self.file.stat().st_size <= LARGEST else b""
            with zipfile.ZipFile(self.file) as archive:
                return archive.read(self.inside) if archive.getinfo(self.inside).file_size <= LARGEST else b""
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error):  # damaged or locked
            return b""

    def notebook(self) -> dict[str, Any] | None:
        """Return its content; None where it is no notebook, such as one with conflict markers."""
        try:
            found = json.loads(self.read().decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("cells"), list) else None


def handed_in(source: str | Path) -> list[HandedIn]:
    """Return the notebooks below a folder, those in archives too, the oldest files first.

    Raises LessonError where there is no such folder.
    """
    if not Path(source).is_dir():
        raise LessonError("no_handed_in", folder=str(source))
    files = [path for path in Path(source).rglob("*") if path.suffix.lower() in (".ipynb", ".zip") and path.is_file()]
    found = []
    for file in sorted(files, key=lambda path: (path.stat().st_mtime_ns, str(path))):
        inside = _inside(file) if file.suffix.lower() == ".zip" else [""]
        found += [HandedIn(file, name) for name in inside]
    return found


def _inside(file: Path) -> list[str]:
    """Return the notebooks of an archive, the oldest first; the archive itself where it cannot be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            kept = [one for one in archive.infolist() if one.filename.lower().endswith(".ipynb")]
    except (OSError, zipfile.BadZipFile):
        return [""]
    own = [one for one in kept if not re.search(r"(^|/)(__MACOSX|\.ipynb_checkpoints)/", one.filename)]
    return [one.filename for one in sorted(own, key=lambda one: (one.date_time, one.filename))]


def collect(
    roster: str | Path, source: str | Path, out: str | Path, folder: Path = FOLDER
) -> Iterator[tuple[Learner, str, Path]]:
    """Copy what learners have handed in, under whatever names, to OUT/FOLDER/LANG/LESSON.ipynb.

    Parameters
    ----------
    roster : str or Path
        The roster of the class.
    source : str or Path
        Folder with the notebooks that came in, searched to its depth and in zip archives. Of two versions the newer
        file counts.
    out : str or Path
        Folder to copy to.
    folder : Path
        Where the lessons are read.

    Yields
    ------
    (Learner, str, Path)
        Learner, lesson, and the file that was taken.

    Notes
    -----
    Nothing is executed. Whose a notebook is stands in its metadata; where an editor has dropped it, the title tells the
    lesson and the seed the learner. One of nobody on the roster is left where it is.
    """
    learners = {learner.folder: learner for learner in read_roster(roster)}
    taken: dict[tuple[str, str, str], HandedIn] = {}
    for one in handed_in(source):
        owner = _owner(one.notebook(), learners, folder)
        if owner:
            taken[owner] = one
    for (home, lesson, lang), one in sorted(taken.items(), key=lambda item: item[0]):
        target = Path(out) / home / lang / f"{lesson}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(one.read())
        yield learners[home], lesson, one.path


def owners(
    roster: str | Path, files: Iterable[HandedIn], folder: Path = FOLDER
) -> Iterator[tuple[HandedIn, Learner | None]]:
    """Yield each file that came in with its learner; None for one of nobody on the roster."""
    learners = {learner.folder: learner for learner in read_roster(roster)}
    for one in files:
        owner = _owner(one.notebook(), learners, folder)
        yield one, learners[owner[0]] if owner else None


@cache
def _titles(folder: Path) -> dict[str, tuple[str, str]]:
    """Return {first line of a lesson: (lesson, language)}."""
    found = {}
    for path in sorted(folder.glob("??/*.ipynb")):
        first = read_lesson(path.stem, path.parent.name, folder).cells[0].source
        found[first.strip().partition("\n")[0]] = (path.stem, path.parent.name)
    return found


def _owner(notebook: dict[str, Any] | None, learners: dict[str, Learner], folder: Path) -> tuple[str, str, str] | None:
    """Return learner, lesson and language of a notebook; None for one that is no copy of a learner on the roster."""
    try:
        found = (notebook or {})["metadata"].get("funnelkit")
        owner = [str(found[name]) for name in ("learner", "lesson", "lang")] if found else []
        if not found:
            titles = _titles(folder)
            texts = ["".join(cell["source"]).strip() for cell in (notebook or {})["cells"]]
            seed = next((int(made[1]) for made in map(_SEED.search, texts) if made), 0)
            of = next(titles[line] for text in texts if (line := text.partition("\n")[0]) in titles)
            owner = [next(one.folder for one in learners.values() if one.seed == seed), *of]
    except (KeyError, TypeError, AttributeError, StopIteration):
        return None
    whole = all(re.fullmatch(r"[\w-]{1,80}", part) for part in owner)
    return (owner[0], owner[1], owner[2]) if whole and owner[0] in learners and owner[2] in LANGUAGES else None
