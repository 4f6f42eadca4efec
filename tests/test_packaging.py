"""One list of dependencies: environment.yml and constraints.txt follow pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import funnelkit

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
    needed = dict(spec(entry) for entry in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["report"]])
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


@pytest.mark.parametrize(
    "name", ["constraints.txt", "pyproject.toml", "environment.yml", "Makefile", "Dockerfile", ".ci/lowest.txt"]
)
def test_no_registry_host(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links (?!/wheels)", text)


def test_every_licence_is_listed_and_permissive():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import licenses
    finally:
        sys.path.pop(0)
    listed = {line.split(" | ")[0][2:]: line for line in (ROOT / "LICENSES.md").read_text("utf-8").splitlines()}
    for name, version in licenses.pins():
        assert f"| {version} |" in listed[name], f"{name} is listed otherwise: run make licenses"
        licence = licenses.stated(name)
        assert licence is None or not (licence == "unknown" or licenses.refused(licence)), f"{name}: {licence}"
    assert licenses.refused("GPL-3.0-or-later") and not licenses.refused("GPL-2.0-only OR MIT")


def test_pins_are_no_pre_releases():
    pins = [Requirement(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]]
    assert not [pin for pin in pins if Version(str(pin.specifier).removeprefix("==")).is_prerelease]


def test_the_lowest_versions_are_those_declared():
    lines = (ROOT / ".ci" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    pins = {
        pin.name: str(pin.specifier).removeprefix("==") for pin in map(Requirement, (x for x in lines if x[0] != "#"))
    }
    extras = PROJECT["optional-dependencies"]
    for entry in map(Requirement, [*PROJECT["dependencies"], *extras["report"], *extras["sql"]]):
        (least,) = [part.version for part in entry.specifier if part.operator == ">="]
        assert Version(pins[entry.name]) == Version(least), f"{entry}: run uv pip compile as .ci/lowest.txt says"


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], cited["license"]) == (funnelkit.__version__, PROJECT["license"])


def test_the_image_is_pinned_and_runs_as_nobody_special():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+( AS \w+)?", what) for word, what in steps if word == "FROM")
    assert [what for word, what in steps if word == "USER"] == ["kit"]
    own = [what.split()[:-1] for word, what in steps if word == "COPY" and "--from" not in what]
    copied = {name.rstrip("/") for names in own for name in names}
    assert all((ROOT / name).exists() for name in copied)
    included = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {path.split("/")[0] for path in [*included["packages"], *included["force-include"]]}
    assert needed | {"pyproject.toml", "constraints.txt", PROJECT["readme"], "LICENSE"} <= copied
    installs = [what for word, what in steps if word == "RUN" and "pip " in what]
    assert all("constraints.txt" in what or "--no-index" in what for what in installs)
