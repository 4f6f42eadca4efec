"""Names of reports and of data sets are text, and each has a folder of its own on every file system."""

import json
from datetime import date

import pytest

from funnelkit.language.errors import DataError, ReportError
from funnelkit.report.runs.inputs import from_yaml
from funnelkit.report.runs.names import folder_name, is_name, same_name
from funnelkit.report.runs.plan import choose, read_plan

NAMES = ["no", "on", "R&D", "index.html", "batch.json", "CON", "nul.txt", "../up", "a/b", "a\\b", "-rf", ".lock", "x.",
         " a", "50%", "总部", "北/南", "ß" * 90, "a?b*c", "~"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_a_folder_directly_below_the_target(name, tmp_path):
    folder = folder_name(name)
    assert is_name(name) and len(folder.encode()) <= 120
    (tmp_path / folder).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [folder]
    assert folder.casefold() not in ("index.html", "batch.json", "con", "nul", ".lock") and not folder.startswith(".")
    assert not set(folder) & set('<>:"/\\|?*') and not folder.endswith((" ", "."))


def test_different_names_have_different_folders():
    assert len({same_name(name) for name in NAMES}) == len(NAMES)
    assert folder_name("a" * 200) != folder_name("a" * 201)
    assert same_name("Café") == same_name("CAFE\u0301"), "a Mac keeps one folder for both"


def _plan(tmp_path, text):
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "plan.yaml"


def test_words_that_yaml_takes_for_something_else_are_names(tmp_path):
    text = (
        "data: {no: a.csv, on: b.csv, 007: c.csv, R&D: d.csv}\nreports: [{name: yes, data: no}, {name: 2026, data: on}]"
    )
    items = read_plan(_plan(tmp_path, text), tmp_path / "out")
    assert [item.name for item in items] == ["no", "on", "007", "R&D", "yes", "2026"]
    assert items[4].request.values["data"] == [str(tmp_path / "a.csv")]


def test_a_plan_that_is_not_there_is_told_with_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match="funnelkit batch --help"):
        read_plan(tmp_path / "weekly.yaml", tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("data: {a: 1.csv, a: 2.csv}", "'a' is given twice"),
        ("keep: 1\nkeep: 2\neach: {x: [1]}", "'keep' is given twice"),
        ("a: &a [1, *a]", "more than"),
        ("a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "".join(
            f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("bcdef", "cdefg", strict=True)
        ), "more than"),
        ("[" * 5000, "nested too deeply"),
        ("? [1]\n: 2", "a key must be a text"),
    ],
)  # fmt: skip
def test_a_plan_that_is_no_plan_is_refused_with_the_reason(text, reason, tmp_path):
    with pytest.raises(ReportError, match=reason) as caught:
        from_yaml(_plan(tmp_path, text))
    assert caught.value.exit_code == 11


def test_some_reports_are_chosen_by_name(tmp_path):
    items = read_plan(_plan(tmp_path, "data: {North: a.csv, South: b.csv, R&D: c.csv}"), tmp_path / "out")
    assert [item.name for item in choose(items, ["south", "R&D"], "p")] == ["South", "R&D"]
    assert choose(items, [], "p") == items
    with pytest.raises(ReportError, match=r"no report is named 'Sout'\. Did you mean South") as caught:
        choose(items, ["Sout"], "p")
    assert caught.value.exit_code == 11


def test_words_for_days_are_seen_from_one_day(tmp_path):
    text = json.dumps({"parameters": {"as_of": "last-week-end"}, "each": {"unit": ["week", "month"]}})
    items = read_plan(_plan(tmp_path, text), tmp_path / "out", today=date(2026, 11, 30))
    assert {item.request.today for item in items} == {date(2026, 11, 30)}
