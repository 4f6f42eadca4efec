"""The README tells the truth: its names exist, its commands are real, its exit codes are the code's."""

import ast
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml

import funnelkit

ROOT = Path(__file__).parents[1]
EDITIONS = ("README.md", "README.zh.md")
FOLDERS = (ROOT, ROOT / "data", ROOT / "funnelkit", ROOT / "notebooks", ROOT / "notebooks" / "report")
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATIONS = ROOT / "notebooks" / "report"


def read(path):
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EDITIONS)
def test_public_names_are_those_of_the_table(name):
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", read(ROOT / "funnelkit" / name), flags=re.M)
    listed = dict(rows)
    assert len(listed) == len(rows)
    stub = ast.parse(read(ROOT / "funnelkit" / "__init__.pyi")).body
    rooms = {alias.asname: node.module for node in stub if isinstance(node, ast.ImportFrom) for alias in node.names}
    shown = {"Pipeline", "Result", "Finding", "Limit", "LimitError", "Funnel"}  # told of in the text above it
    modules = {name for name in rooms if isinstance(getattr(funnelkit, name), types.ModuleType)}
    assert listed == {name: room for name, room in rooms.items() if name not in shown | modules}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", EDITIONS)
def test_links_lead_somewhere(folder, name):
    for target in re.findall(r"\]\(([^)#]+)\)", read(folder / name)):
        assert target.startswith("https://") or (folder / target).exists(), f"{folder / name} links to {target}"


def outline(text):
    """Return what both editions of a page share: headings by level, items, rows of tables, code without its words."""
    code = [re.sub(r"#.*| --lang \w+|\b(en|zh)\b", "", block) for block in re.findall(r"```.*?```", text, flags=re.S)]
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    marks = re.findall(r"^(#+ |- |\|(?=.*\|$)|!\[|<!-- .*)", prose, flags=re.M)
    words = re.sub(
        r"Description=.*", "", "\n".join(" ".join(line.split()) for block in code for line in block.splitlines())
    )
    return marks, words


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_editions_are_in_step(folder):
    english, chinese = (outline(read(folder / name)) for name in EDITIONS)
    assert english[0] == chinese[0]
    assert english[1] == chinese[1]


@pytest.mark.parametrize("name", EDITIONS)
def test_figures_of_the_prose_are_counted(name):
    from funnelkit.models.funnel import ORDER
    from funnelkit.reading.layouts.presets import preset_data, preset_names
    from tests.explore.cases import CASES

    text = read(ROOT / name).replace("\n  ", " ")
    (line,) = (line for line in text.splitlines() if "Pipedrive" in line and line.startswith("- "))
    titles = [preset_data(system)["title"] for system in preset_names() if system != "generic"]
    assert re.search(r"\d+", line)[0] == str(len(titles))
    for title in titles:
        assert any(part in line for part in (title, *title.removesuffix(" CRM").split())), title
    assert len(CASES) == 12 and re.search("Twelve explorables|十二张互动卡片", text)
    lessons = len(list((ROOT / "notebooks" / "en").glob("*.ipynb")))
    assert re.search(rf"{len(ORDER)} funnel models|{len(ORDER)} 个漏斗模型", text)
    assert re.search(rf"{lessons} lessons|{lessons} 课", text)


@pytest.mark.parametrize("name", EDITIONS)
def test_commands_named_are_commands(name):
    from funnelkit.cli import build_parser

    parts = build_parser()._subparsers._group_actions[0].choices
    text = read(ROOT / name) + read(OPERATIONS / name)
    named = set(re.findall(r"(?:bin/|`)funnelkit (\w+)", text))
    assert len(named) >= 8 and named <= set(parts)
    options = {word for part in parts.values() for action in part._actions for word in action.option_strings}
    assert set(re.findall(r"`(--[a-z][a-z-]+)", text)) <= options


def test_usage_error_exits_64():
    run = subprocess.run([sys.executable, "-m", "funnelkit", "report", "--no-such"], capture_output=True, text=True)
    assert run.returncode == 64 and "--no-such" in run.stderr


def blocks(path, language):
    """Return the code blocks of a Markdown file in a language, without the indent of the list they stand in."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)```", text, flags=re.M | re.S)
    return ["\n".join(line.removeprefix(indent) for line in block.splitlines()) for indent, block in found]


def test_the_plan_is_one(tmp_path, monkeypatch):
    from funnelkit.language import sample_files
    from funnelkit.report.pages.export import check_policy
    from funnelkit.report.runs.notebooks import read_template
    from funnelkit.report.runs.parameters import check_values, declared
    from funnelkit.report.runs.plan import read_plan

    monkeypatch.setenv("FUNNELKIT_HASH_KEY", "secret")
    block = blocks(OPERATIONS / "README.md", "yaml")[0]
    (tmp_path / "weekly.yaml").write_text(block, encoding="utf-8")
    for file in sample_files():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    items = read_plan(tmp_path / "weekly.yaml", tmp_path / "reports")
    assert len(items) == 9 and items[0].name == "East segment=team" and items[-1].name == "R&D"
    assert items[0].request.keep == 8 and items[0].request.pdf
    assert check_policy(items[0].request.export)["min_cell"] == 5
    for item in items:
        check_values(item.request.values, declared(read_template(item.request.template)))


def test_recipes_run_commands_that_there_are():
    from funnelkit.cli import build_parser

    recipes = OPERATIONS / "README.md"
    _, workflow, job = blocks(recipes, "yaml")
    (container,) = yaml.safe_load(job)["spec"]["template"]["spec"]["containers"]
    assert container["command"][-1].startswith("funnelkit batch weekly.yaml --out reports --list | sed -n")
    steps = yaml.safe_load(workflow)["jobs"]["reports"]["steps"]
    assert [sorted({"uses", "run"} & set(step)) for step in steps] == [["uses"]] * 2 + [["run"]] * 3 + [["uses"]]
    for block in blocks(recipes, "python"):
        compile(block, "dag", "exec")
    listing = yaml.safe_load(job)["spec"]["template"]["spec"]["containers"][0]["command"][2].split("|")[0].split()
    assert build_parser().parse_args(listing[1:]).list
    commands = re.findall(r"\.venv/bin/funnelkit (batch [^\n>\"`]+)", recipes.read_text(encoding="utf-8"))
    assert len(commands) == 6
    for command in commands:
        assert build_parser().parse_args(command.split()).out == "reports"
