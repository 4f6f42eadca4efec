"""One list of dependencies: environment.yml and constraints.txt follow pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"duckdb": "python-duckdb", "matplotlib": "matplotlib-base", "jupyter-client": "jupyter_client"}
PRESCRIBED = {"jupyterlab", "pandas", "seaborn", "ipywidgets", "nbval", "papermill"}


def spec(text):
    requirement = Requirement(text)
    return requirement.name, ",".join(sorted(str(part) for part in requirement.specifier))


def environment():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    return [entry for entry in entries if isinstance(entry, str) and entry != "pip"]


def test_environment_equals_pyproject():
    listed = dict(spec(entry) for entry in environment())
    python = listed.pop("python")
    assert python == PROJECT["requires-python"]
    needed = dict(spec(entry) for entry in PROJECT["dependencies"])
    assert listed == {CONDA_NAMES.get(name, name): bounds for name, bounds in needed.items()}


def test_prescribed_packages_are_core():
    assert {spec(entry)[0] for entry in PROJECT["dependencies"]} >= PRESCRIBED


def test_constraints_pin_everything_named():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {}
    for line in lines:
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            pins.setdefault(requirement.name, []).append(requirement.specifier)
    extras = [entry for group in PROJECT["optional-dependencies"].values() for entry in group]
    for entry in [*PROJECT["dependencies"], *extras]:
        requirement = Requirement(entry)
        assert requirement.name in pins, f"{requirement.name} has no pin in constraints.txt: run make lock"
        for pin in pins[requirement.name]:
            version = str(pin).removeprefix("==")
            assert requirement.specifier.contains(version), f"{requirement.name}: pin {version} breaks {entry}"


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml", "environment.yml", "Makefile"])
def test_no_registry_host(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links", text)


def test_no_copyleft_among_what_is_installed():
    from importlib.metadata import distributions

    allowed = {"fonttools"}  # named so that the list below is seen to be empty for a reason, not by a typo
    found = []
    for distribution in distributions():
        meta = distribution.metadata
        stated = [meta.get("License-Expression") or "", *(meta.get_all("Classifier") or [])]
        strong = [text for text in stated if re.search(r"(?<!L)\b(A?GPL)|GNU (Affero )?General Public", text)]
        if strong and meta["Name"] not in allowed and " OR " not in (meta.get("License-Expression") or ""):
            found.append((meta["Name"], strong))
    assert found == []
