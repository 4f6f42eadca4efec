"""The wheel by itself: installed far from the checkout, with an empty home, it reports, teaches and starts work."""

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


def _builder(target):
    """Return the command that builds a wheel, in an environment of its own, or None where there is none."""
    if shutil.which("uv"):
        return ["uv", "build", "--quiet", "--wheel", "--out-dir", str(target), str(ROOT)]
    for python in (sys.executable, sys.base_prefix + "/bin/python3"):
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return [python, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(target), str(ROOT)]
    return None


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An environment that holds the wheel alone; what it depends on is borrowed from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    build = _builder(folder)
    if build is None:
        pytest.skip("neither uv nor pip to build a wheel with")
    built = subprocess.run(build, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        pytest.skip(f"no wheel, perhaps for want of a network: {built.stderr[-200:]}")
    env = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True)
    site = next(env.glob("lib/python*/site-packages"))
    shutil.unpack_archive(wheels[0], site, "zip")
    # A line in a .pth file adds the folder and not the .pth files in it: an editable installation stays unseen.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    return folder


def run(place, *words):
    """Run Python in the place; return what it prints."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "LC_ALL")}
    env = {**kept, "HOME": str(place / "home"), "JUPYTER_PATH": sys.prefix + "/share/jupyter", "LANG": "C.UTF-8"}
    found = subprocess.run(
        [str(place / "env" / "bin" / "python"), *words], cwd=place / "work", env=env, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-2000:]
    return found.stdout


def kit(place, *words):
    return run(place, "-m", "funnelkit", *words)


def test_it_is_the_wheel_that_runs(place):
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


def test_new_work(place):
    data = run(place, "-c", "from funnelkit.language import share; print(share('data') / 'deals.csv')").strip()
    assert Path(data).is_relative_to(place / "env")
    kit(place, "new", data, "--out", "own.ipynb")
    assert nbformat.read(place / "work" / "own.ipynb", as_version=4).cells
