"""What the course must show, one row an item (coverage.csv): its terms stand where they should, its verbs are used.

Places: c a model of the catalogue (or common, telecom), l a lesson, f a function of the face, r the report.
"""

import csv
import dataclasses
import re
from functools import cache
from html import unescape
from pathlib import Path

import nbformat
import pytest

import funnelkit as fk
from funnelkit.course import lessons
from funnelkit.language import Text
from funnelkit.language.texts import texts
from funnelkit.models import case, common, funnel

HERE = Path(__file__).parent
with (HERE / "coverage.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


def places(row, kind):
    return [place[2:] for place in row["places"].split() if place.startswith(f"{kind}:")]


def squeezed(text):
    return re.sub(r"\s+", "", unescape(text))


def chinese(value):
    """Yield every Chinese text of a model, case or topic."""
    if isinstance(value, Text):
        yield value.zh
    elif isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from chinese(part)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from chinese(getattr(value, field.name))


@cache
def of_catalogue(name):
    source = common() if name == "common" else case(name) if name == "telecom" else funnel(name)
    return squeezed("\n".join(chinese(source)))


def of_cells(notebook):
    """Return what each cell says and shows, as one text without spaces."""
    found = []
    for cell in notebook.cells:
        shown = [output.get("text", "") or output.get("data", {}).get("text/html", "")
                 or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])]  # fmt: skip
        plain = [re.sub(r"<[^>]*>|base64,[^\"]*", " ", text) for text in [cell.source, *shown]]
        found.append(squeezed(" ".join(plain)))
    return found


@cache
def of_lesson(number):
    """Return the cells of a lesson's Chinese edition as texts; None where it is not written in the new form yet."""
    name = next((name for name in lessons.names() if name.startswith(number)), None)
    path = lessons.FOLDER / "zh" / f"{name}.ipynb"
    if name is None or not path.is_file():
        return None
    notebook = lessons.read_lesson(name, "zh")
    new = any("takeaways" in cell.metadata.get("tags", []) for cell in notebook.cells)
    return tuple(of_cells(notebook)) if new else None


@cache
def of_report():
    notebook = nbformat.read(lessons.FOLDER / "report" / "zh.ipynb", as_version=4)
    said = [entry["zh"] for entry in _leaves({name: texts(name) for name in ("report", "analysis", "forecast")})]
    return squeezed("\n".join([*of_cells(notebook), *said]))


def _leaves(tree):
    if isinstance(tree, dict) and set(tree) == {"en", "zh"}:
        yield tree
    elif isinstance(tree, dict):
        for part in tree.values():
            yield from _leaves(part)


def terms(row):
    return [squeezed(term) for term in row["terms"].split("、")]


def written(row):
    """Return the texts of the lessons of a row, skipping the row where one of them does not exist yet."""
    found = {number: of_lesson(number) for number in places(row, "l")}
    absent = [number for number, cells in found.items() if cells is None]
    if absent:
        pytest.skip(f"lesson {', '.join(absent)} is not written yet")
    return found


each = pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])


@each
def test_its_terms_stand_in_the_chinese_text_of_its_places(row):
    everywhere = [of_catalogue(name) for name in places(row, "c")]
    everywhere += [text for cells in written(row).values() for text in cells]
    everywhere += [of_report()] if "r" in row["places"].split() else []
    missing = [term for term in terms(row) if not any(term in text for text in everywhere)]
    assert not missing, f"{row['id']} {row['item']}: {missing} in none of {row['places']}"


@each
def test_each_of_its_lessons_has_a_cell_for_it(row):
    for number, cells in written(row).items():
        assert any(term in text for text in cells for term in terms(row)), f"{row['id']} {row['item']}: lesson {number}"


@each
def test_its_functions_are_called_in_a_lesson(row):
    written(row)
    code = "\n".join(cell.source for name in lessons.names() for cell in lessons.read_lesson(name, "en").cells
                     if cell.cell_type == "code")  # fmt: skip
    for name in places(row, "f"):
        assert name in fk.__all__, f"{row['id']}: fk.{name} does not exist"
        assert re.search(rf"\bfk\.{name}\b", code), f"{row['id']} {row['item']}: no lesson calls fk.{name}"


def test_the_table_is_whole():
    assert len({row["id"] for row in ROWS}) == len(ROWS) == 77
    assert all(row["terms"] and row["places"] for row in ROWS)
