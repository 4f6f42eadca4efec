"""The wheel by itself: installed far from the checkout, without a home, it reports, teaches and starts work.

uv installs it with all that it depends on, as constraints.txt pins it; FUNNELKIT_PYTHON names another Python for that.
Where there is no uv, or nothing to install from, the dependencies are borrowed from the environment of the tests.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="paths of a POSIX environment")]


PYTHON = os.environ.get("FUNNELKIT_PYTHON", sys.executable)
UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def _builder(target):
    """Return the command that builds a wheel, in an environment of its own, or None where there is none."""
    if UV:
        return [UV, "build", "--quiet", "--wheel", "--out-dir", str(target), str(ROOT)]
    for python in (sys.executable, sys.base_prefix + "/bin/python3"):
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return [python, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(target), str(ROOT)]
    return None


def _install(env, wheel):
    """Install the wheel with its dependencies; return why that cannot be done here, None where it was."""
    if UV is None:
        return "no uv"
    words = ["pip", "install", "--quiet", "--python", str(env / "bin" / "python")]
    done = subprocess.run(
        [UV, *words, "--constraint", str(ROOT / "constraints.txt"), f"{wheel}[report]"], capture_output=True, text=True
    )
    return None if done.returncode == 0 else f"uv could not install: {done.stderr.strip()[-300:]}"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An environment that holds the wheel and what it depends on, and a folder to work in."""
    folder = tmp_path_factory.mktemp("wheel")
    build = _builder(folder)
    if build is None:
        pytest.skip("neither uv nor pip to build a wheel with")
    built = subprocess.run(build, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        pytest.skip(f"no wheel, perhaps for want of a network: {built.stderr[-200:]}")
    env = folder / "env"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(env)], check=True)
    (folder / "work").mkdir()
    why_not = _install(env, wheels[0])
    if why_not and sys.executable != PYTHON:
        pytest.skip(f"nothing can be borrowed for {PYTHON}: {why_not}")
    if why_not:
        (folder / "borrowed").write_text(why_not, encoding="utf-8")
        site = next(env.glob("lib/python*/site-packages"))
        shutil.unpack_archive(wheels[0], site, "zip")
        # A line in a .pth file adds the folder and not the .pth files in it: an editable installation stays unseen.
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def run(place, *words):
    """Run Python in the place; return what it prints."""
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "LC_ALL")}
    env |= {"LANG": "C.UTF-8"}
    if (place / "borrowed").exists():
        env |= {"JUPYTER_PATH": sys.prefix + "/share/jupyter"}
    found = subprocess.run(
        [str(place / "env" / "bin" / "python"), *words], cwd=place / "work", env=env, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-2000:]
    return found.stdout


def kit(place, *words):
    return run(place, "-m", "funnelkit", *words)


def test_it_is_the_wheel_that_runs(place, record_property):
    borrowed = place / "borrowed"
    told = f"borrowed, {borrowed.read_text('utf-8')}" if borrowed.exists() else "installed"
    record_property("dependencies of the wheel", told)
    where = run(place, "-c", "import funnelkit; print(funnelkit.__file__)").strip()
    assert Path(where).is_relative_to(place / "env") and not Path(where).is_relative_to(ROOT)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_report_and_the_models(place, lang):
    page = Path(kit(place, "report", "--lang", lang, "--out", f"report-{lang}").strip())
    assert (place / "work" / page).stat().st_size > 50_000
    assert "industrial-8" in kit(place, "models", "--lang", lang)


def test_a_batch(place):
    plan = place / "work" / "plan.yaml"
    plan.write_text(json.dumps({"each": {"segment": ["industry", "region"]}}), encoding="utf-8")
    kit(place, "batch", str(plan), "--out", "batch")
    status = json.loads((place / "work" / "batch" / "batch.json").read_text(encoding="utf-8"))
    assert (status["outcome"], status["n_done"]) == ("ok", 2)


def test_the_lessons(place):
    kit(place, "lessons", "student", "--out", "students")
    kit(place, "lessons", "site", "--out", "site")
    copies = sorted((place / "work" / "students").rglob("*.ipynb"))
    ours = sorted(ROOT.glob("notebooks/??/*.ipynb"))
    assert {path.name for path in copies} == {path.name for path in ours} and len(copies) == len(ours)
    assert list((place / "work" / "site").rglob("*.html"))


def test_a_class(place):
    work, lesson = place / "work", "04_reading_a_funnel"
    (work / "names.csv").write_text("name\nAnna\n", encoding="utf-8")
    kit(place, "lessons", "student", lesson, "--lang", "en", "--roster", "names.csv", "--out", "class")
    roster = ("--roster", "class/roster.csv")
    kit(place, "lessons", "collect", *roster, "--source", "class", "--out", "in")
    kit(place, "lessons", "grade", *roster, "--source", "in", "--out", "graded")
    assert "Anna" in next((work / "graded").glob("*.csv")).read_text(encoding="utf-8")


def test_new_work(place):
    data = run(place, "-c", "from funnelkit.language import share; print(share('data') / 'deals.csv')").strip()
    assert Path(data).is_relative_to(place / "env")
    kit(place, "new", data, "--out", "own.ipynb")
    assert nbformat.read(place / "work" / "own.ipynb", as_version=4).cells
